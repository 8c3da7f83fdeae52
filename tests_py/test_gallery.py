"""The gallery's graphs are drawn as they were: DOT texts are compared with those in docs/gallery."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from gallery import PICTURES, drawing

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "gallery"


@pytest.mark.parametrize("entry", PICTURES, ids=lambda entry: entry.name)
def test_picture_is_as_it_was(entry):
    golden = FOLDER / f"{entry.name}.dot"
    assert golden.exists(), "run scripts/gallery"
    dot = drawing(entry, entry.make(), entry.name, "", "").dot
    assert dot == golden.read_text(encoding="utf-8"), "if the change is wanted, run scripts/gallery"


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
