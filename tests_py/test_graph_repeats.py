"""What is repeated is drawn once: loops over cells with what they collect, modules in turn, optimizers' updates."""

from __future__ import annotations

import re
import shutil

import autograd as ag

nn, F = ag.nn, ag.nn.functional


def boxes(graph, **options):
    """The titles of the modules of a drawing, and of its operations."""
    text = graph.dot(legend=False, **options)
    clusters = re.findall(r"subgraph cluster_(\w+) \{\n\s*graph \[label=<([^>]*)>", text)
    modules = [title for name, title in clusters if not name.startswith("phase")]
    operations = re.findall(r"^\s*op\d+ \[label=<([^<>]*)", text, re.MULTILINE)
    return modules, operations


def unrolled(steps, train=False, each_output=True):
    cell, head = nn.LSTMCell(4, 8), nn.Linear(8, 2)
    optimizer = ag.optim.SGD([*cell.parameters(), *head.parameters()], lr=0.1)
    x, h0, c0 = ag.randn(steps, 3, 4), ag.zeros(3, 8), ag.zeros(3, 8)
    with ag.graph.record() as graph:
        h, c, outputs = h0, c0, []
        for t in range(steps):
            h, c = cell(x[t], (h, c))
            outputs.append(h)
        loss = (head(ag.stack(outputs)) if each_output else head(h)).square().mean()
        if train:
            loss.backward()
            optimizer.step()
    return graph


def test_a_loop_whose_results_are_collected_is_drawn_once():
    modules, operations = boxes(unrolled(7))
    assert modules == ["cell: LSTMCell × 7", "head: Linear"]
    assert operations.count("lstm_layer") == operations.count("cat") == 1
    assert "slice × 7" in operations and "view × 7" in operations
    assert boxes(unrolled(7, each_output=False))[0] == ["cell: LSTMCell × 7", "head: Linear"]
    assert len(boxes(unrolled(7), repeats=False)[0]) == 8
    assert len(boxes(unrolled(2))[0]) == 3, "two stand beside each other"


def test_the_way_back_through_a_loop_is_drawn_once_but_for_its_ends():
    modules, operations = boxes(unrolled(12, train=True))
    assert modules[:2] == ["cell: LSTMCell × 12", "head: Linear"]
    assert sum("LSTMCell" in module for module in modules[2:]) == 4
    assert "cell: LSTMCell × 9" in modules
    assert len(operations) < 80
    every = boxes(unrolled(12, train=True), repeats=False)[1]
    assert len(every) == unrolled(12, train=True).num_ops


def test_what_differs_in_a_loop_is_drawn_in_full():
    cell, x = nn.GRUCell(4, 4), ag.randn(6, 3, 4)
    with ag.graph.record() as graph:
        h, outputs = ag.zeros(3, 4), []
        for t in range(6):
            h = cell(x[t], h)
            outputs.append(h if t != 3 else h.exp())
        ag.stack(outputs)
    assert len(boxes(graph)[0]) > 3, "the fourth result is not what the others are"
    assert "exp" in boxes(graph)[1]


def test_modules_that_take_turns_have_a_box_around_them():
    cell, head = nn.GRUCell(4, 8), nn.Linear(8, 2)
    x = ag.randn(5, 3, 4)
    with ag.graph.record() as graph:
        h, outputs = ag.zeros(3, 8), []
        for t in range(5):
            h = cell(x[t], h)
            outputs.append(head(h))
        ag.stack(outputs).sum()
    modules, _ = boxes(graph)
    assert modules == ["2 modules in turn × 5", "cell: GRUCell", "head: Linear"]
    model = nn.Sequential(*[layer for _ in range(4) for layer in (nn.Linear(8, 8), nn.ReLU())])
    with ag.graph.record() as graph:
        model(ag.randn(2, 8))
    assert boxes(graph)[0] == ["Sequential", "2 modules in turn × 4", "0: Linear", "1: ReLU"]
    for text in (graph.svg(), graph.html()):
        assert "2 modules in turn" in text
    assert "2 modules in turn" in graph.svg(depth=1)


def test_each_round_of_updates_is_drawn_once():
    first, second = (nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)) for _ in range(2))
    a, b = (ag.optim.Adam(model.parameters()) for model in (first, second))
    x = ag.randn(3, 4)
    with ag.graph.record() as graph:
        second(first(x).detach()).sum().backward()
        b.step()
        second(first(x)).sum().backward()
        a.step()
    assert [title for title in boxes(graph)[1] if "adam" in title] == ["adam_step_ × 4"] * 2


def test_states_of_layers_are_named():
    layer, x = nn.LSTM(3, 4, num_layers=2), ag.randn(5, 2, 3)
    with ag.graph.record() as graph:
        layer(x)
    assert [n.name for n in graph.nodes if n.kind == "input"] == ["x", "h0", "c0", "h0_2", "c0_2"]
    h0, c0 = ag.zeros(2, 2, 4), ag.zeros(2, 2, 4)
    with ag.graph.record() as graph:
        layer(x, (h0, c0))
    assert {n.name for n in graph.nodes if n.kind == "input"} == {"x", "h0", "c0"}
    out, _ = nn.GRU(3, 4)(x)
    assert "h0" in [n.name for n in ag.graph.from_tensor(out).nodes]


def test_targets_of_losses_are_named():
    def inputs(graph):
        return [n.name for n in graph.nodes if n.kind == "input"]

    logits, weights = ag.randn(2, 3, 4, requires_grad=True), [[0.5, 1.0, 2.0]]
    with ag.graph.record() as graph:
        F.cross_entropy(logits, ag.tensor([[0, 1, 2, 0]] * 2), ag.tensor(weights).view(-1))
        F.nll_loss(logits.sum(2).log_softmax(1), ag.tensor([1, 2]))
        F.mse_loss(logits.sum(), ag.tensor([[3.0, 1.0]])[0, 0])
    # A part of a tensor is not the tensor.
    assert sorted(inputs(graph)) == ["", "target", "target_2", "weight"]
    classes = ag.tensor([1, 2])
    with ag.graph.record() as graph:
        F.multi_margin_loss(logits.sum(2), classes)
    assert inputs(graph) == ["classes"]
    loss = F.huber_loss(logits, ag.zeros(2, 3, 4))
    assert inputs(ag.graph.from_tensor(loss)) == ["target"]


def test_graphviz_draws_what_its_first_way_cannot(tmp_path):
    assert shutil.which("dot"), "needs Graphviz: apt install graphviz, or scripts/setup"
    graph = unrolled(4, train=True)
    assert "</svg>" in graph.svg(engine="dot", repeats=False)
    graph.save(tmp_path / "loop.png", repeats=False)
    assert (tmp_path / "loop.png").stat().st_size > 10_000
