"""Graphs as pictures and files."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._capi import lib, text
from ..files import written
from .names import texts

if TYPE_CHECKING:
    from .content import Graph

_DIRECTIONS = {"TB": 0, "LR": 1, "BT": 2, "RL": 3}
_PHASES = {"forward": 1, "backward": 2, "optimizer": 4}
_ENGINES = ("auto", "builtin", "dot")
_INSTALL = "install it (Debian, Ubuntu: apt install graphviz; macOS: brew install graphviz)"
_STILL = "graph.save('graph.svg'), graph.save('graph.html') and graph.save('graph.dot') need nothing installed"


def dot(graph: Graph, **options: Any) -> str:
    """The graph in Graphviz's DOT language."""
    return text(lib.ag_graph_dot, graph._handle, *_native("dot", options), room=1 << 14)


def svg(graph: Graph, engine: str = "auto", **options: Any) -> str:
    """The drawing as SVG text by the built-in layout or by Graphviz."""
    if engine not in _ENGINES:
        raise ValueError(f"engine must be one of {', '.join(map(repr, _ENGINES))}, not {engine!r}")
    if engine == "dot":
        return _run_dot(graph, "svg", options).decode("utf-8")
    room = 1 << 14 | 1500 * graph.num_values
    return text(lib.ag_graph_svg, graph._handle, *_native("svg", options), room=room)


def html(
    graph: Graph,
    title: str = "Computation graph",
    others: Mapping[str, Graph] | None = None,
    name: str = "recorded",
    **options: Any,
) -> str:
    """One HTML page that needs no network and shows the graph, or one of the others."""
    native = _native("html", options)
    if others is None:
        others = {"fused": graph.fuse()} if graph.report is None and graph.num_ops else {}
    shown = {str(name): graph, **_checked(others)}
    if len(shown) != 1 + len(others):
        raise ValueError(f"html(): {str(name)!r} is the name of two graphs")
    graphs = (ctypes.c_void_p * len(shown))(*[g._handle.value for g in shown.values()])
    room = 1 << 17 | 1500 * sum(g.num_values for g in shown.values())
    arguments = (graphs, texts(shown), len(shown), texts([str(title)])[0], *native)
    return text(lib.ag_graph_html, *arguments, room=room)


def _checked(others: Mapping[str, Graph]) -> dict[str, Graph]:
    from .content import Graph

    if not isinstance(others, Mapping):
        raise TypeError(f"html(): others must be graphs by name, not {type(others).__name__}")
    for key, graph in others.items():
        if not isinstance(graph, Graph):
            raise TypeError(
                f"html(): others must be graphs by name, but {key!r} is {type(graph).__name__}"
            )
    return {str(key): graph for key, graph in others.items()}


_OPTIONS = {
    "direction": "TB",
    "depth": None,
    "phases": None,
    "repeats": True,
    "legend": True,
    "once": True,
}


def _check_options(function: str, options: Iterable[str], known: Iterable[str] = _OPTIONS) -> None:
    unknown = [name for name in options if name not in known]
    if unknown:
        raise TypeError(
            f"{function}() has no option {unknown[0]!r}: options are {', '.join(map(repr, known))}"
        )


def _native(function: str, options: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """The options of a drawing as the C functions take them."""
    _check_options(function, options)
    direction, depth, phases, repeats, legend, once = {**_OPTIONS, **options}.values()
    if direction not in tuple(_DIRECTIONS):
        raise ValueError(
            f"direction must be one of {', '.join(map(repr, _DIRECTIONS))}, not {direction!r}"
        )
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 0):
        raise ValueError(f"depth must be an int of at least 0 or None, not {depth!r}")
    if phases is not None and not isinstance(phases, Iterable):
        raise TypeError(f"phases must be a str or several of them, not {type(phases).__name__}")
    names = (phases,) if isinstance(phases, str) else tuple(_PHASES if phases is None else phases)
    if not names:
        raise ValueError(f"phases must name at least one of {', '.join(map(repr, _PHASES))}")
    unknown = [name for name in names if name not in tuple(_PHASES)]
    if unknown:
        raise ValueError(
            f"phases must be among {', '.join(map(repr, _PHASES))}, not {unknown[0]!r}"
        )
    mask = sum({_PHASES[name] for name in names})
    flags = (1 if repeats else 0) + (2 if legend else 0) + (0 if once else 4)
    return _DIRECTIONS[direction], -1 if depth is None else min(depth, 1 << 30), mask, flags


def _run_dot(graph: Graph, kind: str, options: dict[str, Any]) -> bytes:
    """The drawing in a format of Graphviz's program `dot`. Raises RuntimeError if it is missing or fails."""
    source = dot(graph, **options)
    program = shutil.which("dot")
    if program is None:
        raise RuntimeError(
            f"a drawing as {kind} needs Graphviz's program `dot`, which was not found: {_INSTALL}; {_STILL}"
        )
    try:
        done = subprocess.run(
            [program, f"-T{kind}"],
            input=source.encode(),
            capture_output=True,
            timeout=_patience(),
        )
    except OSError as error:
        raise RuntimeError(f"Graphviz's dot did not start: {error}; {_STILL}") from error
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(
            f"Graphviz's dot was stopped after {error.timeout:g} s: the graph is large for it. Close modules (depth, "
            f"repeats), or give it more time by the variable AUTOGRAD_DOT_SECONDS; {_STILL}"
        ) from None
    if done.returncode == 0 and done.stdout:
        return done.stdout
    said = done.stderr.decode(errors="replace").split("\n")[0].strip()
    raise RuntimeError(
        f"Graphviz's dot failed: {said or f'exit status {done.returncode}'}; {_STILL}"
    )


def _patience() -> float:
    """Seconds that dot may take: its time grows fast with the number of modules."""
    try:
        given = float(os.environ.get("AUTOGRAD_DOT_SECONDS", ""))
    except ValueError:
        given = 0.0
    return given if given > 0 else 60.0


def save(graph: Graph, path: str | Path, **options: Any) -> None:
    """Writes a graph to a file in the format of its suffix. Raises ValueError for an unknown one."""
    path = Path(os.fsdecode(path))
    kind = path.suffix[1:].lower()
    _check_options("save", options, (*_OPTIONS, "engine", "title", "others", "name"))
    if kind in ("dot", "gv"):
        data = dot(graph, **options).encode()
    elif kind == "txt":
        data = graph.text().encode()
    elif kind == "json":
        data = graph.json().encode()
    elif kind == "svg":
        data = svg(graph, **options).encode()
    elif kind in ("html", "htm"):
        data = html(graph, **options).encode()
    elif kind in ("png", "pdf"):
        data = _run_dot(graph, kind, options)
    else:
        raise ValueError(
            f"unknown suffix {path.suffix!r}: use .svg, .html, .png, .pdf, .dot, .gv, .json or .txt"
        )
    with written(path) as file:
        file.write(data)


# A notebook is no place for a drawing of many megabytes, nor for a listing of thousands of lines.
_MOST_OPS_DRAWN = 3000
_MOST_SVG = 1_000_000
_MOST_LINES = 200


def show(graph: Graph) -> dict[str, str]:
    """What a notebook shows: the drawing, with modules closed where it is large, and the listing where it cannot."""
    listing = str(graph)
    lines = listing.splitlines()
    if len(lines) > _MOST_LINES + 20:
        left_out = len(lines) - _MOST_LINES - 5
        lines[_MOST_LINES:-5] = [f"... {left_out} more lines: print(graph)"]
        listing = "\n".join(lines)
    bundle = {"text/plain": listing}
    drawing = small_svg(graph)
    if drawing is not None:
        bundle["image/svg+xml"] = drawing
    return bundle


def small_svg(graph: Graph) -> str | None:
    """The drawing with as many modules open as a page can take; None if it is too large with all of them closed."""
    small = graph.num_ops <= _MOST_OPS_DRAWN
    if not small and not graph._content()["scopes"]:
        return None
    for depth in (None, 3, 2, 1, 0) if small else (1, 0):
        drawing = svg(graph, depth=depth)
        if len(drawing) <= _MOST_SVG:
            return drawing
    return None
