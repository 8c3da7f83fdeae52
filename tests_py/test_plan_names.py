"""Graphs of compiled functions bear the names that graphs of recordings bear."""

from __future__ import annotations

import autograd as ag
from autograd import nn


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.fc1 = nn.Linear(8, 3)

    def forward(self, x):
        return self.fc1(self.layers(x))


def training(optimizer=lambda p: ag.optim.Adam(p, lr=0.1)):
    encoder = Encoder()
    steps = optimizer(encoder.parameters())

    def step(x, target):
        loss = nn.functional.cross_entropy(encoder(x), target)
        steps.zero_grad()
        loss.backward()
        steps.step()
        return loss

    return step


def leaves(graph):
    return {(node.kind, node.name) for node in graph.nodes if not node.op and node.name}


def test_parameters_buffers_states_and_arguments_have_the_names_of_a_recording():
    step, x, target = training(), ag.randn(16, 4), ag.tensor([0, 1, 2, 0] * 4)
    compiled = ag.compile(step)
    for _ in range(3):
        compiled(x, target)
    with ag.graph.record(params=step.__closure__[0].cell_contents) as recorded:
        step(x, target)
    expected = {
        ("parameter", "layers.0.weight"),
        ("buffer", "layers.1.running_mean"),
        ("buffer", "fc1.weight.exp_avg"),
        ("input", "x"),
        ("input", "target"),
    }
    for graph in (
        compiled.graph(),
        compiled.graph(captured=True),
        compiled.graph(captured=True).fuse(),
    ):
        assert expected <= leaves(graph)
        # What the options of a step are is no leaf of a recording.
        assert leaves(graph) - {("input", "options")} == leaves(recorded)
        assert "fc1.weight.grad" in {node.name for node in graph.ops}
        for text in (graph.dot(), graph.svg(), graph.table()):
            assert "running_mean" in text and "target" in text


def test_modules_and_lines_of_a_plan():
    compiled = ag.compile(training(lambda p: ag.optim.SGD(p, lr=0.1)))
    for _ in range(3):
        compiled(ag.ones(16, 4), ag.tensor([0, 1, 2, 0] * 4))
    ops = compiled.graph(captured=True).ops
    assert {node.module for node in ops} == {"", "layers.0", "layers.1", "fc1"}
    # A gradient is in the module of the operation that it belongs to, a step of the optimizer in none.
    assert {node.module for node in ops if node.op == "linear"} == {"layers.0", "fc1"}
    assert {node.module for node in ops if node.phase == "optimizer"} == {""}
    assert all(node.file.endswith("test_plan_names.py") and node.line > 0 for node in ops)
    assert all(node.file.endswith("test_plan_names.py") for node in compiled.graph().ops)


def test_arguments_within_others_and_keywords():
    def f(pair, *rest, scale, **more):
        return pair[0] * pair[1]["a"] + rest[0] * scale + more["shift"]

    compiled = ag.compile(f)
    tensors = [ag.full((2,), float(i)) for i in range(5)]
    for _ in range(3):
        a, b, c, d, e = tensors
        compiled((a, {"a": b}), c, scale=d, shift=e)
    assert {name for _, name in leaves(compiled.graph())} == {
        "pair[0]",
        "pair[1]['a']",
        "rest[0]",
        "scale",
        "shift",
    }


class Trainer:
    def __init__(self) -> None:
        self.model = nn.Linear(2, 1)
        self.offset = ag.ones(1)
        self.step = ag.compile(self.one)

    def one(self, x):
        return (self.model(x) + self.offset).sum()


# A global that has the name of an attribute by chance.
model = nn.Linear(2, 1)


def test_a_compiled_module_names_its_parameters():
    compiled = ag.compile(Encoder())
    with ag.no_grad():
        for _ in range(3):
            compiled(ag.ones(5, 4))
    assert {("parameter", "layers.0.weight"), ("input", "x")} <= leaves(compiled.graph())


def test_what_the_object_of_a_method_holds_has_names():
    trainer = Trainer()
    with ag.no_grad():
        for _ in range(3):
            trainer.step(ag.ones(3, 2))
    assert {name for _, name in leaves(trainer.step.graph())} == {"weight", "bias", "offset", "x"}


def test_given_names_come_first():
    w = ag.ones(2, requires_grad=True)
    compiled = ag.compile(lambda x: (w * x).sum())
    with ag.no_grad():
        for _ in range(3):
            compiled(ag.ones(2))
    assert leaves(compiled.graph(params={"<&\"'": w})) == {("parameter", "<&\"'"), ("input", "x")}
    assert leaves(compiled.graph()) == {("parameter", "w"), ("input", "x")}


def test_plans_of_a_file_have_the_names_that_they_were_saved_with(tmp_path):
    model = nn.Linear(2, 1)
    compiled = ag.compile(lambda x: model(x))
    with ag.no_grad():
        for _ in range(3):
            compiled(ag.ones(3, 2))
    compiled.save(tmp_path / "plan", model)
    names = {name for _, name in leaves(ag.load_plan(tmp_path / "plan").graph())}
    assert {"weight", "bias"} <= names
