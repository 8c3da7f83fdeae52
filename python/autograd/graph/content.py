"""Graph: a computation as operations, the values between them, and their names."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from .._capi import as_method, hide_buffer, lib, set_handle_class, text
from .drawing import draw, save, show

__all__ = ["Graph"]


class _Handle(ctypes.c_void_p):
    """Owns one native graph."""

    __del__ = as_method(lib.ag_graph_free)


hide_buffer(_Handle)
set_handle_class("ag_graph", _Handle)


class Graph:
    """A computation: operations, the values between them, and the names of parameters and inputs.

    ``print(graph)`` lists it, ``dot()`` and ``svg()`` draw it, and a notebook shows the drawing.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    @property
    def num_ops(self) -> int:
        """The number of operations."""
        return lib.ag_graph_num_ops(self._handle)

    @property
    def num_values(self) -> int:
        """The number of values: leaves and results."""
        return lib.ag_graph_num_values(self._handle)

    def dot(self) -> str:
        """The graph in Graphviz's DOT language, the same text for the same computation."""
        return text(lib.ag_graph_dot, self._handle)

    def text(self) -> str:
        """One operation a line, each value assigned once."""
        return text(lib.ag_graph_text, self._handle)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<autograd.graph.Graph with {self.num_ops} ops and {self.num_values} values>"

    def svg(self) -> str:
        """The drawing as SVG text. Raises RuntimeError if Graphviz's program `dot` is missing or fails."""
        return draw(self, "svg").decode("utf-8")

    def save(self, path: str | Path) -> None:
        """Writes the graph to a file in the format of its suffix: .dot, .txt, or .svg, .png, .pdf through Graphviz."""
        save(self, path)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: the drawing, or the listing where Graphviz is missing."""
        return show(self)
