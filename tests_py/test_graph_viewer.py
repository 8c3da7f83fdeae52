"""The HTML page of a graph in a headless Chromium: clicks, search, closing modules, keys, themes; and no network."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import browser, opened

import autograd as ag

pytestmark = pytest.mark.alone

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{data}} ☃"


class Block(ag.nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.inner = ag.nn.Linear(size, size)

    def forward(self, x):
        return x + self.inner(x).relu()


class Net(ag.nn.Module):
    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.first = ag.nn.Linear(3, 4)
        self.blocks = ag.nn.Sequential(*[Block(4) for _ in range(blocks)])

    def forward(self, x):
        return self.blocks(self.first(x)).sum()


@pytest.fixture(scope="module")
def page_of_a_step(tmp_path_factory) -> Path:
    """One training step of a network of two blocks."""
    model, x = Net(2), ag.ones(2, 3)
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1)
    with ag.graph.record(profile=True) as graph:
        loss = model(x)
        loss.backward()
        optimizer.step()
    path = tmp_path_factory.mktemp("viewer") / "step.html"
    graph.save(path, title="A step")
    return path


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@pytest.fixture
def page(chromium, page_of_a_step):
    with opened(chromium, page_of_a_step) as page:
        yield page


def boxes(page) -> list[str]:
    return page.eval_on_selector_all(".box .title", "all => all.map(t => t.textContent)")


def test_opens_and_shows_everything(page, tmp_path):
    assert page.title() == "A step"
    assert {"linear", "relu", "sum", "x", "weight"} <= set(boxes(page))
    heads = page.eval_on_selector_all(".head text", "all => all.map(t => t.textContent)")
    assert "− first: Linear" in heads and "− 1: Block" in heads
    assert page.locator(".edge").count() >= page.locator(".box").count() - 1
    assert "operation" in page.inner_text("#legend")
    page.screenshot(path=tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 20_000


def test_boxes_do_not_overlap_and_edges_end_on_them(page):
    for _ in range(2):
        faults = page.evaluate(
            """() => {
              const boxes = [...document.querySelectorAll('.box')].map(g => {
                const [, x, y] = g.style.transform.match(/translate\\(([-\\d.]+)px, ([-\\d.]+)px/).map(Number);
                const r = g.querySelector('.body');
                return {x, y, r: x + +r.getAttribute('width'), b: y + +r.getAttribute('height')};
              });
              const faults = [];
              boxes.forEach((a, i) => boxes.slice(i + 1).forEach(b => {
                if (a.x < b.r - .1 && b.x < a.r - .1 && a.y < b.b - .1 && b.y < a.b - .1) faults.push('overlap');
              }));
              for (const tip of document.querySelectorAll('.edge .tip')) {
                const [x, y] = tip.getAttribute('d').match(/M([-\\d.]+) ([-\\d.]+)/).slice(1).map(Number);
                if (!boxes.some(b => x > b.x - .1 && x < b.r + .1 && y > b.y - .1 && y < b.b + .1)) faults.push('end');
              }
              return faults;
            }"""
        )
        assert faults == []
        page.keyboard.press("d")  # the same when it runs sideways


def test_click_shows_details_and_neighbours(page):
    page.locator(".box", has_text="sum").first.click()
    details = page.locator("#details")
    assert "sum" in details.locator("h2").inner_text()
    text = details.inner_text()
    assert "float32 []" in text and "test_graph_viewer.py:" in text and "µs" in text
    details.locator("li button").first.click()
    assert details.locator("h2").inner_text() != "sum"
    page.keyboard.press("Escape")
    assert details.is_hidden()


def test_hover_tells_what_it_is(page):
    page.locator(".box", has_text="relu").first.hover()
    tip = page.inner_text("#tip")
    assert "relu" in tip and "float32 [2, 4]" in tip
    assert page.locator(".edge.lit").count() >= 2


def test_search_finds_steps_and_clears(page):
    page.keyboard.press("/")
    page.keyboard.type("weight linear")
    assert page.inner_text("#matches") == "none"
    page.fill("#search", "blocks.1.inner.weight")
    assert page.locator(".box.match").count() >= 1
    assert page.inner_text("#matches").startswith("1 of ")
    page.keyboard.press("Enter")
    assert page.locator("#details").is_visible()
    page.keyboard.press("Escape")
    assert page.input_value("#search") == "" and page.locator(".box.match").count() == 0


def test_search_knows_what_one_of_many_stands_for(chromium, tmp_path):
    model = ag.nn.Sequential(*[Block(4) for _ in range(5)])
    optimizer = ag.optim.Adam(model.parameters())
    with ag.graph.record() as graph:
        model(ag.ones(2, 4)).sum().backward()
        optimizer.step()
    graph.save(tmp_path / "x.html")
    with opened(chromium, tmp_path / "x.html") as page:
        page.fill("#search", "3.inner.weight")
        page.press("#search", "Enter")
        assert page.inner_text("#matches").startswith("1 of ")
        assert page.inner_text("#details h2") == "weight", "what is called so comes first"
        page.fill("#search", "3.inner linear")
        page.press("#search", "Enter")
        assert page.inner_text("#details h2") == "linear"
        page.fill("#search", "5.inner")
        assert page.inner_text("#matches") == "none"


def test_what_is_found_is_seen_and_the_window_stays_full(page):
    """A drawing is taller than the window, or all of it is shown."""
    rect = (
        "e => (({x, y, width, height}) => [x, y, x + width, y + height])(e.getBoundingClientRect())"
    )
    canvas = page.eval_on_selector("#canvas", rect)
    page.keyboard.press("/")
    page.keyboard.type("l")
    for _ in range(int(page.inner_text("#matches").split()[-1])):
        page.keyboard.press("Enter")
        box = page.eval_on_selector(".box.chosen", rect)
        details = page.eval_on_selector("#details", rect)
        drawing = page.eval_on_selector("#world", rect)
        assert box[2] < details[0] or box[1] > details[3], "not behind the details"
        assert canvas[0] < box[0] and canvas[1] < box[1] and box[3] < canvas[3]
        assert drawing[1] < canvas[1] + 30
        assert drawing[3] > canvas[3] - 70


def test_modules_close_and_open(page):
    before = set(boxes(page))
    page.locator(".head", has_text="1: Block").first.click()
    assert "1: Block" in boxes(page)
    assert page.locator(".head", has_text="1: Block").count() <= 1  # that of the way back
    closed = page.locator(".box", has_text="1: Block").first
    closed.dblclick()
    assert set(boxes(page)) == before
    page.keyboard.press("c")
    assert "relu" not in boxes(page) and any("Net" in title for title in boxes(page))
    page.keyboard.press("e")
    assert set(boxes(page)) == before


def test_search_looks_into_closed_modules(page):
    page.click("#close-all")
    page.fill("#search", "relu")
    assert page.locator(".box.match").count() >= 1
    page.focus("#search")
    page.keyboard.press("Enter")
    assert "relu" in boxes(page)


def test_phases_are_switched(page):
    names = page.eval_on_selector_all("#phases button", "all => all.map(b => b.textContent)")
    assert names == ["forward", "backward", "optimizer"]
    page.click("#phases button:has-text('backward')")
    page.click("#phases button:has-text('optimizer')")
    assert page.locator(".cluster.phase").count() == 1
    assert "relu" in boxes(page)
    page.click("#phases button:has-text('forward')")
    assert page.is_visible("#empty")


def test_what_a_hidden_part_shares_is_shown_beside_the_others(page):
    page.click("#phases button:has-text('forward')")
    assert page.locator(".cluster.phase").count() == 2
    assert any(title.endswith("inner.weight") for title in boxes(page)), (
        "of a module that is hidden"
    )
    page.fill("#search", "first.weight")
    page.focus("#search")
    page.keyboard.press("Enter")
    assert "first.weight" in page.inner_text("#details")


def test_fused_graph_is_switched_to(page):
    names = page.eval_on_selector_all("#views button", "all => all.map(b => b.textContent)")
    assert names == ["recorded", "fused"]
    before = len(boxes(page))
    page.click("#views button:has-text('fused')")
    assert page.get_attribute("#views button:has-text('fused')", "aria-pressed") == "true"
    assert len(boxes(page)) < before
    page.locator(".box", has_text="fused").first.click()
    assert "holds" in page.inner_text("#details")


def test_fused_operation_opens_to_what_it_holds(page):
    page.click("#views button:has-text('fused')")
    closed = boxes(page)
    fused = page.locator(".box", has_text="fused").first
    detail = fused.locator(".detail").first.text_content()
    inside = [name.strip() for name in detail.split(",")]
    assert len(inside) >= 2
    count = page.inner_text("#title small")
    fused.dblclick()
    opened_boxes = boxes(page)
    assert closed.count("fused") == opened_boxes.count("fused") + 1
    for name in inside:
        assert opened_boxes.count(name) > closed.count(name)
    assert page.inner_text("#title small") == count, "they are one op together"
    page.locator(".head", has_text="fused").first.click()
    assert sorted(boxes(page)) == sorted(closed)
    page.keyboard.press("e")
    assert sorted(boxes(page)) == sorted(closed), "not all at once"


def test_difference_of_two_graphs(chromium, tmp_path):
    w = ag.ones(3, requires_grad=True)
    before, after = ag.graph.from_tensor(w.exp().sum()), ag.graph.from_tensor(w.relu().sum())
    before.diff(after).save(tmp_path / "x.html")
    with opened(chromium, tmp_path / "x.html") as page:
        names = page.eval_on_selector_all("#views button", "all => all.map(b => b.textContent)")
        assert names == ["difference", "before", "after"]
        assert {"exp", "relu", "sum"} <= set(boxes(page))
        assert {"added", "removed"} <= set(page.inner_text("#legend").split("\n"))
        page.click("#views button:has-text('before')")
        assert "relu" not in boxes(page)


def test_colour_by_time_and_memory(page):
    def fills() -> set[str]:
        return set(page.eval_on_selector_all(".box .body", "all => all.map(r => r.style.fill)"))

    assert not any(fill.startswith("rgb") for fill in fills())
    for what, unit in (("seconds", "s"), ("bytes", "B"), ("flops", "FLOP")):
        page.select_option("#colour", what)
        assert len([fill for fill in fills() if fill.startswith("rgb")]) > 1
        assert page.inner_text("#legend .scale").strip().endswith(unit)


def test_keys_walk_along_the_edges(page):
    page.keyboard.press("ArrowDown")
    first = page.get_attribute("#canvas", "aria-activedescendant")
    page.keyboard.press("ArrowDown")
    second = page.get_attribute("#canvas", "aria-activedescendant")
    assert first and second and first != second
    page.keyboard.press("Enter")
    assert page.is_visible("#details")
    page.keyboard.press("?")
    assert page.is_visible("#help")


def test_wheel_and_drag_move_the_drawing(page):
    def transform() -> str:
        return page.get_attribute("#world", "transform")

    before = transform()
    page.mouse.move(640, 400)
    page.mouse.wheel(0, -300)
    zoomed = transform()
    assert zoomed != before
    page.mouse.down()
    page.mouse.move(700, 450, steps=4)
    page.mouse.up()
    assert transform() != zoomed and page.is_hidden("#details")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_follows_the_system_and_the_switch(chromium, page_of_a_step, scheme):
    with opened(chromium, page_of_a_step, color_scheme=scheme) as page:

        def ground() -> str:
            return page.evaluate("getComputedStyle(document.body).backgroundColor")

        of_the_system = ground()
        assert (of_the_system == "rgb(255, 255, 255)") == (scheme == "light")
        page.keyboard.press("t")
        assert ground() == "rgb(255, 255, 255)"
        page.keyboard.press("t")
        assert ground() != "rgb(255, 255, 255)"


def test_names_are_only_text(chromium, tmp_path):
    w = ag.ones(2, requires_grad=True)
    graph = ag.graph.from_tensor(w.exp().sum(), {HOSTILE: w})
    graph.save(tmp_path / "x.html", title=HOSTILE, name=HOSTILE)
    with opened(chromium, tmp_path / "x.html") as page:
        assert page.title() == HOSTILE
        assert any("<img" in title for title in boxes(page))
        assert page.locator("img").count() == 0
        page.locator(".box").first.click()
        page.keyboard.press("/")
        page.keyboard.type("onerror")
        assert page.inner_text("#matches") == "1 of 1"


def test_graphs_without_anything(chromium, tmp_path):
    ag.graph.from_tensor(ag.ones(2)).save(tmp_path / "x.html")
    with opened(chromium, tmp_path / "x.html") as page:
        assert boxes(page) == ["input", "output"]


def test_large_graphs_start_closed_and_quickly(chromium, tmp_path):
    model = Net(150)
    with ag.graph.record() as graph:
        model(ag.ones(2, 3))
    graph.save(tmp_path / "x.html", repeats=False)
    with opened(chromium, tmp_path / "x.html") as page:
        assert 1 <= len(boxes(page)) <= 220
        assert page.evaluate("performance.now()") < 5000
