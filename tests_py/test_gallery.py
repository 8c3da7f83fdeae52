"""The gallery's graphs are drawn as they were: DOT texts are compared with those in docs/gallery."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from gallery import PICTURES, drawings

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "gallery"


def test_pictures_are_as_they_were():
    """Before and after fusion."""
    for now in drawings():
        golden = FOLDER / f"{now.name}.dot"
        assert golden.exists(), f"{now.name}: run scripts/gallery"
        assert now.dot == golden.read_text(encoding="utf-8"), (
            f"{now.name}: if the change is wanted, run scripts/gallery"
        )


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
