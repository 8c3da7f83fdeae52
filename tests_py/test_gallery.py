"""The gallery's graphs are drawn as they were: DOT texts are compared with those in docs/gallery."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from gallery import PICTURES, SeedForward, drawings, seed_forward, shared_weights

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
    assert report.after.nodes <= 20 and report.after.edges <= 37
    report = seed_forward().fuse().report
    assert (report.before.nodes, report.before.edges) == (22, 26)
    assert report.after.nodes <= 14 and report.after.edges <= 18


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

    def ops(graph):
        return [(node.op, [inner.op for inner in node.body]) for node in graph.ops]

    assert ops(compiled.graph()) == ops(graph.fuse())
    assert len(ops(compiled.graph())) <= 7


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
