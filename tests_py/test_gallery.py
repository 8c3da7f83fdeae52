"""The gallery's graphs are drawn as they were: DOT texts are compared with those in docs/gallery."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from gallery import PICTURES, SeedForward, Twice, drawings, seed_forward, shared_weights

import autograd as ag

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "gallery"


def test_pictures_are_as_they_were():
    """Before and after fusion."""
    for now in drawings():
        golden = FOLDER / f"{now.name}.dot"
        assert golden.exists(), f"{now.name}: run scripts/gallery"
        assert now.dot == golden.read_text(encoding="utf-8"), (
            f"{now.name}: if the change is wanted, run scripts/gallery"
        )


def test_known_graphs_become_small():
    """What is counted is what an analyser that only draws counts: leaves and operations, and their lines."""
    report = shared_weights().fuse().report
    assert (report.before.nodes, report.before.edges) == (44, 61)
    assert report.after.nodes <= 19 and report.after.edges <= 36
    report = seed_forward().fuse().report
    assert (report.before.nodes, report.before.edges) == (22, 26)
    assert report.after.nodes <= 13 and report.after.edges <= 17


def test_known_graphs_are_executed_as_they_are_drawn():
    seed = SeedForward()

    @ag.no_grad()
    def forward():
        return seed.loss()

    compiled = ag.compile(forward)
    for _ in range(3):
        loss = compiled()
    assert loss.item() == forward().item()
    with ag.graph.record() as graph:
        forward()

    assert contents(compiled.graph()) == contents(graph.fuse())
    assert len(contents(compiled.graph())) <= 6


def contents(graph):
    return [(node.op, [inner.op for inner in node.body]) for node in graph.ops]


def test_a_training_step_is_executed_as_it_is_drawn():
    layer, copy = Twice(), Twice()
    copy.load_state_dict(layer.state_dict())
    x, classes = ag.rand(16, 4), ag.tensor([0, 1, 2, 3] * 4)

    def step_of(layer):
        optimizer = ag.optim.SGD(layer.parameters(), lr=0.05)

        def step():
            loss = ag.nn.functional.cross_entropy(layer(layer(x)), classes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step

    compiled, eager = ag.compile(step_of(layer)), step_of(copy)
    for _ in range(4):
        assert compiled().item() == eager().item()
    for ours, theirs in zip(layer.parameters(), copy.parameters()):
        assert ours.tolist() == theirs.tolist()
    with ag.graph.record() as graph:
        eager()
    drawn = contents(graph.fuse())
    executed = contents(compiled.graph())
    loss = [body for _, body in drawn if "cross_entropy" in body]
    assert loss == [["linear", "cross_entropy", "cross_entropy_backward"]]
    assert sorted(executed) == sorted(drawn)


@pytest.mark.parametrize("entry", PICTURES, ids=lambda entry: entry.name)
def test_same_computation_same_picture(entry):
    first, second = entry.make(), entry.make()
    assert first.svg(**entry.options) == second.svg(**entry.options)
    assert first.dot(**entry.options) == second.dot(**entry.options)


def test_pictures_in_the_gallery_are_well_formed_and_say_nothing_of_the_machine():
    pictures = sorted(FOLDER.glob("*.svg"))
    assert len(pictures) >= len(PICTURES)
    for path in pictures:
        text = path.read_text(encoding="utf-8")
        ElementTree.fromstring(text)
        assert not re.search(r"/(home|tmp|root|work)/|\.py:\d", text), path.name
