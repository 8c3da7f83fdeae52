"""Drawings: well formed, escaped, honest about options, with and without Graphviz."""

from __future__ import annotations

import functools
import os
import random
import re
import shutil
import stat
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

import autograd as ag

HOSTILE = "</script><script>alert(1)</script>\"'&\\N\n{x|y}]]>\x01\x1b ☃ 模型 \u2028"


def small_graph():
    w = ag.ones(2, 3, requires_grad=True)
    return ag.graph.from_tensor((w * ag.ones(2, 3)).sum(), {"w": w})


def parsed(svg: str) -> ElementTree.Element:
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return root


def test_svg_needs_nothing_installed(monkeypatch):
    monkeypatch.setenv("PATH", "")
    found = [e.text for e in parsed(small_graph().svg()).iter() if e.tag.endswith("}text")]
    assert {"w", "[2, 3]", "mul", "sum", "dims=[0, 1]", "output", "parameter"} <= set(found)


def test_svg_is_the_same_every_time():
    assert small_graph().svg() == small_graph().svg()


def test_svg_is_for_readers_of_all_kinds():
    root = parsed(small_graph().svg())
    assert root.get("role") == "img"
    assert root[0].tag.endswith("}title") and root[0].text == "Computation graph"
    assert root[1].tag.endswith("}desc") and "parameter 1" in root[1].text
    style = next(e.text for e in root.iter() if e.tag.endswith("}style"))
    assert "prefers-color-scheme:dark" in style
    width, height = float(root.get("width")), float(root.get("height"))
    assert root.get("viewBox").split()[2:] == [root.get("width"), root.get("height")]
    assert width > 50 and height > 100


@pytest.mark.parametrize("direction", ["TB", "LR", "BT", "RL"])
def test_directions(direction):
    graph = small_graph()
    assert f"rankdir={direction}" in graph.dot(direction=direction)
    rects = {}
    for g in parsed(graph.svg(direction=direction)).iter("{http://www.w3.org/2000/svg}g"):
        rect = g.find("{http://www.w3.org/2000/svg}rect")
        rects.setdefault(g.get("class"), (float(rect.get("x")), float(rect.get("y"))))
    (x0, y0), (x1, y1) = rects["k-parameter"], rects["k-output"]
    ahead = {"TB": y1 - y0, "LR": x1 - x0, "BT": y0 - y1, "RL": x0 - x1}[direction]
    across = abs({"TB": x1 - x0, "LR": y1 - y0, "BT": x1 - x0, "RL": y1 - y0}[direction])
    assert ahead > across


def test_names_cannot_break_out():
    w = ag.ones(2, requires_grad=True)
    graph = ag.graph.from_tensor(w.sum(), {HOSTILE: w})
    svg = graph.svg()
    parsed(svg)
    assert "<script" not in svg and "\x01" not in svg and "\x1b" not in svg
    assert "☃" in svg and "模型" in svg
    assert "<script" not in graph.svg(engine="dot")


def test_endless_names_are_drawn():
    long = type('"模' * 30_000, (ag.nn.Sequential,), {})
    model, x = long(ag.nn.Linear(2, 2)), ag.ones(1, 2)
    with ag.graph.record({'"☃' * 50_000: model}) as graph:
        model(x)
    for engine in ("builtin", "dot"):
        parsed(graph.svg(engine=engine))
        parsed(graph.svg(engine=engine, depth=0))
    assert len(graph.dot()) < 50_000


@pytest.mark.parametrize(
    "options, message",
    [
        ({"direction": "up"}, "direction must be one of 'TB', 'LR', 'BT', 'RL', not 'up'"),
        ({"depth": -1}, "depth must be an int of at least 0"),
        ({"depth": 1.5}, "depth must be an int"),
        ({"phases": "sideways"}, "phases must be among 'forward', 'backward', 'optimizer'"),
        ({"engine": "neato"}, "engine must be one of 'auto', 'builtin', 'dot'"),
    ],
)
def test_options_that_are_none(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        small_graph().svg(**options)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda g: g.svg(angle=3),
            TypeError,
            "svg() has no option 'angle': options are 'direction', 'depth'",
        ),
        (lambda g: g.dot(angle=3), TypeError, "dot() has no option 'angle'"),
        (lambda g: g.html(angle=3), TypeError, "html() has no option 'angle'"),
        (lambda g: g.save("x.json", angle=3), TypeError, "save() has no option 'angle'"),
        (lambda g: g.svg(phases=3), TypeError, "phases must be a str or several of them, not int"),
        (lambda g: g.svg(phases=[]), ValueError, "phases must name at least one of 'forward'"),
        (lambda g: g.svg(phases=[["forward"]]), ValueError, "phases must be among 'forward'"),
        (lambda g: g.svg(direction=["TB"]), ValueError, "direction must be one of 'TB'"),
        (
            lambda g: g.html(others={"a": 3}),
            TypeError,
            "others must be graphs by name, but 'a' is int",
        ),
        (lambda g: g.html(others=[g]), TypeError, "others must be graphs by name, not list"),
        (
            lambda g: g.html(others={"recorded": g}),
            ValueError,
            "'recorded' is the name of two graphs",
        ),
        (
            lambda g: ag.graph.assert_graph(3, "x.dot"),
            TypeError,
            "assert_graph(): argument 'graph' must be a Graph",
        ),
        (
            lambda g: ag.graph.from_tensor(None),
            TypeError,
            "from_tensor(): argument 't' must be Tensor, not NoneType",
        ),
        (
            lambda g: ag.graph.from_tensor([1]),
            TypeError,
            "from_tensor(): argument 't' must be Tensor, not list",
        ),
    ],
)
def test_arguments_that_are_none(call, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=re.escape(message)):
        call(small_graph())
    assert not list(tmp_path.iterdir())


def test_titles_and_names_of_any_kind(tmp_path):
    g = small_graph()
    page = g.html(title="a\0b\ud800</title>", name="c\0d\udfff", others={"e\ud800": g})
    assert "a b?&lt;/title&gt;" in page and "c d?" in page and "e?" in page
    g.save(os.fsencode(tmp_path / "bytes.svg"))
    assert (tmp_path / "bytes.svg").read_text().startswith("<svg")


def test_legend_can_be_left_out():
    graph = small_graph()
    assert "operation" in graph.svg() and "operation" in graph.dot()
    without = graph.svg(legend=False)
    assert ">operation<" not in without and "operation" not in graph.dot(legend=False)


def test_missing_dot_says_what_to_install_and_what_still_works(monkeypatch, tmp_path):
    graph = small_graph()
    monkeypatch.setenv("PATH", "")
    for kind in ("png", "pdf"):
        with pytest.raises(RuntimeError, match="apt install graphviz.*graph.svg.*need nothing"):
            graph.save(tmp_path / f"x.{kind}")
        assert not (tmp_path / f"x.{kind}").exists()
    with pytest.raises(RuntimeError, match="apt install graphviz"):
        graph.svg(engine="dot")
    graph.save(tmp_path / "x.svg")
    parsed((tmp_path / "x.svg").read_text(encoding="utf-8"))


def test_failing_dot_says_so(monkeypatch, tmp_path):
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\necho no layout engine >&2\nexit 3\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin")
    with pytest.raises(RuntimeError, match="dot failed: no layout engine.*still|need nothing"):
        small_graph().save(tmp_path / "x.png")


def test_a_dot_that_takes_too_long_is_stopped(monkeypatch, tmp_path):
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\nexec sleep 30\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin")
    monkeypatch.setenv("AUTOGRAD_DOT_SECONDS", "0.2")
    with pytest.raises(
        RuntimeError, match=r"stopped after 0.2 s.*AUTOGRAD_DOT_SECONDS.*need nothing"
    ):
        small_graph().save(tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_graphviz_draws_the_dot_text(tmp_path):
    assert shutil.which("dot"), "needs Graphviz: apt install graphviz, or scripts/setup"
    graph = small_graph()
    assert "<svg" in graph.svg(engine="dot")
    graph.save(tmp_path / "x.png", direction="LR")
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"
    graph.save(tmp_path / "x.pdf")
    assert (tmp_path / "x.pdf").read_bytes()[:4] == b"%PDF"


def test_unwritable_paths_and_unknown_suffixes(tmp_path):
    graph = small_graph()
    with pytest.raises(OSError):
        graph.save(tmp_path / "no" / "such" / "folder.svg")
    (tmp_path / "full.svg").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device: '.*full.svg'"):
        graph.save(tmp_path / "full.svg")
    with pytest.raises(ValueError, match="unknown suffix '.gif'"):
        graph.save(tmp_path / "x.gif")
    with pytest.raises(ValueError, match="unknown suffix ''"):
        graph.save(tmp_path / "x")


def test_notebooks():
    graph = small_graph()
    bundle = graph._repr_mimebundle_()
    assert bundle["text/plain"] == str(graph)
    assert bundle["image/svg+xml"] == graph._repr_svg_() == graph.svg()


def test_notebooks_are_not_flooded():
    x = ag.ones(2, requires_grad=True)
    for _ in range(40_000):
        x = x + 1
    graph = ag.graph.from_tensor(x)
    bundle = graph._repr_mimebundle_()
    assert sum(map(len, bundle.values())) < 1_000_000
    assert "image/svg+xml" not in bundle and graph._repr_svg_() is None
    assert "40000 ops" in bundle["text/plain"] and "..." in bundle["text/plain"]

    class Net(ag.nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = ag.nn.ModuleList(ag.nn.Linear(2, 2) for _ in range(600))

        def forward(self, x):
            for i, part in enumerate(self.parts):
                x = part(x).exp() if bin(i).count("1") % 2 else part(x)  # nothing thrice in a row
            return x

    model, x = Net(), ag.ones(1, 2)
    with ag.graph.record() as g:
        model(x)
    assert len(g.svg()) > 1_000_000 > len(g._repr_svg_())
    parsed(g._repr_svg_())


def test_many_loose_operations_are_no_endless_row():
    with ag.graph.record() as g:
        for _ in range(300):
            ag.zeros(2).add_(1)
    root = parsed(g.svg(legend=False))
    assert float(root.get("width")) < 4 * float(root.get("height")) < 60_000


def texts_of(svg: str) -> list[str]:
    return [e.text for e in parsed(svg).iter() if e.tag.endswith("}text")]


def test_differences_are_drawn(tmp_path):
    w = ag.ones(3, 4, requires_grad=True)
    before = ag.graph.from_tensor((w * 2).exp().sum(0).sum())
    after = ag.graph.from_tensor((w * 2).relu().sum(0, keepdim=True).sum())
    difference = before.diff(after)
    svg = difference.svg()
    kinds = {
        g.get("class"): next(t.text for t in g if t.tag.endswith("}text"))
        for g in parsed(svg).iter("{http://www.w3.org/2000/svg}g")
        if g.get("class") in ("k-added", "k-removed") and g[0].tag.endswith("}title")
    }
    assert kinds == {"k-added": "relu", "k-removed": "exp"}
    assert {"added", "removed", "changed"} <= set(texts_of(svg))
    assert svg.count('class="e r"') == 2, "what exp read, and what read exp"
    for name in ("x.svg", "x.html", "x.dot", "x.png"):
        difference.save(tmp_path / name)
    assert 'fillcolor="#c9f0c4"' in (tmp_path / "x.dot").read_text()
    assert difference._repr_mimebundle_()["text/plain"] == str(difference)
    same = before.diff(before)
    assert not same and "removed" not in texts_of(same.svg())


def test_what_comes_first_is_an_edge():
    x = ag.zeros(4)
    with ag.graph.record() as g:
        first = x[:2]
        x.add_(1)
        first * 2
    assert g.svg().count('class="e o"') == 1 and g.dot().count("style=dotted") == 1


def test_fused_operations_say_what_they_hold():
    with ag.graph.record() as g:
        (ag.ones(3, 4).exp() * 2.0).sin().cos().sum()
    fused = g.fuse()
    assert "exp, mul, sin, cos, sum" in " ".join(texts_of(fused.svg())).replace("\n", " ")
    assert "exp, mul, sin, cos" in fused.dot().replace("<br/>", " ")


def test_details_are_short():
    with ag.graph.record() as g:
        x = ag.ones(2, 3, 8, 8)
        y = ag.nn.functional.conv2d(x, ag.ones(4, 3, 3, 3), padding=1)
        y.view(2, -1)
        q = ag.ones(1, 2, 3, 8)
        ag.nn.functional.scaled_dot_product_attention(q, q, q)
        ag.nn.functional.max_pool2d(y, 2)
    texts = texts_of(g.svg())
    assert "scale=0.3536" in texts, "as long as a reader needs it"
    assert not any("sizes=" in t for t in texts if t.startswith("sizes")), "the edge says it"
    convolution = next(node for node in g.ops if node.op == "convolution")
    assert convolution.attrs["padding"] == [1, 1]
    assert not {"stride", "dilation", "groups"} & set(convolution.attrs), "they go without saying"


def test_graph_without_ops():
    parsed(ag.graph.from_tensor(ag.ones(2)).svg())


def test_large_graph_is_drawn_in_time():
    x = w = ag.ones(4, requires_grad=True)
    for i in range(1250):
        x = (x * w).sigmoid() + (x if i % 5 else w.exp())
    graph = ag.graph.from_tensor(x.sum())
    assert graph.num_ops > 3500
    parsed(graph.svg())


def loop_over_a_cell():
    cell, out = ag.nn.LSTMCell(3, 4), ag.nn.Linear(4, 3)
    x, h, c, seen = ag.ones(2, 3), ag.zeros(2, 4), ag.zeros(2, 4), []
    with ag.graph.record() as g:
        for _ in range(5):
            h, c = cell(x, (h, c))
            x = out(h)
            seen.append(x)
        sum(each.sum() for each in seen).backward()
    return g


def physics_informed():
    net = ag.nn.Sequential(ag.nn.Linear(1, 8), ag.nn.Tanh(), ag.nn.Linear(8, 8), ag.nn.Tanh())
    optimizer, x = ag.optim.Adam(net.parameters()), ag.rand(10, 1, requires_grad=True)
    with ag.graph.record() as g:
        u = net(x)
        (first,) = ag.autograd.grad(u.sum(), x, create_graph=True)
        (second,) = ag.autograd.grad(first.sum(), x, create_graph=True)
        (second + u).square().mean().backward()
        optimizer.step()
    return g


class Nest(ag.nn.Module):
    """Modules in modules that call each other's results at random."""

    def __init__(self, depth: int, rng: random.Random) -> None:
        super().__init__()
        self.rng = rng
        self.parts = ag.nn.ModuleList(
            Nest(depth - 1, rng) if depth > 1 else ag.nn.Linear(4, 4)
            for _ in range(rng.randint(1, 3))
        )

    def forward(self, *given):
        values = list(given)
        for _ in range(self.rng.randint(1, 3)):
            part = self.rng.choice(list(self.parts))
            values.append(part(*self.rng.sample(values, 1)))
            values.append(values[-1] * self.rng.choice(values))
        return values[-1] + self.rng.choice(values)


def nested(seed: int):
    rng = random.Random(seed)
    module, x = Nest(rng.randint(1, 2), rng), ag.ones(2, 4, requires_grad=True)
    with ag.graph.record() as g:
        y = module(x)
        module(x, y).sum().backward()
    return g


MADE = {
    "loop": loop_over_a_cell,
    "physics": physics_informed,
    **{f"nest {seed}": functools.partial(nested, seed) for seed in range(8)},
}


@pytest.mark.parametrize("name", MADE)
def test_bare_dot_draws_the_text(name):
    assert shutil.which("dot"), "needs Graphviz: apt install graphviz, or scripts/setup"
    graph = MADE[name]()
    for each in (graph, graph.fuse()):
        done = subprocess.run(["dot", "-Tsvg"], input=each.dot().encode(), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()[:300]
        assert b"<svg" in done.stdout
