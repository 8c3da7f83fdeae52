"""The examples of the pages in docs run, a page from top to bottom as one program."""

import re
import warnings
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).resolve().parent.parent / "docs").glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def program(page):
    """The page's blocks of Python, each at its own line."""
    text = page.read_text(encoding="utf-8")
    lines, at = [], 0
    for match in BLOCK.finditer(text):
        start = text.count("\n", 0, match.start(1))
        lines += [""] * (start - at) + match.group(1).splitlines()
        at = start + match.group(1).count("\n")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "page", [page for page in PAGES if program(page).strip()], ids=lambda p: p.stem
)
def test_examples_of_a_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(program(page), str(page), "exec"), {"__name__": "__main__"})
