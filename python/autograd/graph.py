"""The history of a tensor as a graph: DOT text, SVG, and a listing."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._capi import as_method, call, hide_buffer, lib, set_handle_class, text
from .operands import handles
from .tensor import Tensor

__all__ = ["Graph", "from_tensor"]


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
        return self._draw("svg").decode("utf-8")

    def _draw(self, kind: str) -> bytes:
        program = shutil.which("dot")
        if program is None:
            raise RuntimeError(
                "drawing a graph needs Graphviz's program `dot`, which was not found: install it (Debian, Ubuntu: "
                "apt install graphviz; macOS: brew install graphviz), or save the DOT text with graph.save('graph.dot')"
            )
        done = subprocess.run(
            [program, f"-T{kind}"], input=self.dot().encode(), capture_output=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"Graphviz's dot failed: {done.stderr.decode(errors='replace').strip()}"
            )
        return done.stdout

    def save(self, path: str | Path) -> None:
        """Writes the graph to a file in the format of its suffix: .dot, .txt, or .svg, .png, .pdf through Graphviz."""
        path = Path(path)
        kind = path.suffix[1:].lower()
        if kind in ("dot", "gv"):
            data = self.dot().encode()
        elif kind == "txt":
            data = self.text().encode()
        elif kind in ("svg", "png", "pdf"):
            data = self._draw(kind)
        else:
            raise ValueError(
                f"unknown suffix {path.suffix!r}: use .dot, .gv, .txt, .svg, .png or .pdf"
            )
        path.write_bytes(data)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: the drawing, or the listing where Graphviz is missing."""
        bundle = {"text/plain": str(self)}
        if shutil.which("dot") is not None:
            bundle["image/svg+xml"] = self.svg()
        return bundle


def _named(params: Any) -> list[tuple[str, Tensor]]:
    if params is None:
        return []
    if hasattr(params, "named_parameters"):
        return [*params.named_parameters(), *params.named_buffers()]
    if isinstance(params, Mapping):
        return [(str(name), tensor) for name, tensor in params.items()]
    raise TypeError(
        f"from_tensor(): argument 'params' must be a Module or a dict of tensors, not {type(params).__name__}"
    )


def from_tensor(t: Tensor, params: Any | None = None) -> Graph:
    """Returns the graph of the operations that t was computed with.

    params, a Module or a dict of name and tensor, names the leaves. Raises TypeError if t is not a tensor.
    """
    named = _named(params)
    leaves = handles("from_tensor", "params", [tensor for _, tensor in named])
    names = (ctypes.c_char_p * len(named))(*[name.encode() for name, _ in named])
    return Graph(call(lib.ag_graph_from_tensor, t, leaves, names, len(named)))
