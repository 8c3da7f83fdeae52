"""Graphs as pictures and files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .content import Graph


def draw(graph: Graph, kind: str) -> bytes:
    """The drawing in a format of Graphviz's program `dot`. Raises RuntimeError if it is missing or fails."""
    program = shutil.which("dot")
    if program is None:
        raise RuntimeError(
            "drawing a graph needs Graphviz's program `dot`, which was not found: install it (Debian, Ubuntu: "
            "apt install graphviz; macOS: brew install graphviz), or save the DOT text with graph.save('graph.dot')"
        )
    done = subprocess.run(
        [program, f"-T{kind}"], input=graph.dot().encode(), capture_output=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"Graphviz's dot failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def save(graph: Graph, path: str | Path) -> None:
    """Writes a graph to a file in the format of its suffix. Raises ValueError for an unknown one."""
    path = Path(path)
    kind = path.suffix[1:].lower()
    if kind in ("dot", "gv"):
        data = graph.dot().encode()
    elif kind == "txt":
        data = graph.text().encode()
    elif kind in ("svg", "png", "pdf"):
        data = draw(graph, kind)
    else:
        raise ValueError(f"unknown suffix {path.suffix!r}: use .dot, .gv, .txt, .svg, .png or .pdf")
    path.write_bytes(data)


def show(graph: Graph) -> dict[str, str]:
    """What a notebook shows: the drawing, or the listing where Graphviz is missing."""
    bundle = {"text/plain": str(graph)}
    if shutil.which("dot") is not None:
        bundle["image/svg+xml"] = graph.svg()
    return bundle
