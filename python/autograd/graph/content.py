"""Graph: a computation as operations, the values between them, and their names."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._capi import as_method, call, hide_buffer, lib, set_handle_class, text
from .comparison import GraphDiff
from .drawing import dot, html, save, show, small_svg, svg
from .fusion import FusionReport
from .nodes import Cost, Edge, Node, Reader

__all__ = ["Graph"]


class _Handle(ctypes.c_void_p):
    """Owns one native graph."""

    __del__ = as_method(lib.ag_graph_free)

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle a native graph: write graph.json() or graph.dot() instead")


hide_buffer(_Handle)
set_handle_class("ag_graph", _Handle)


class Graph:
    """A computation: operations, the values between them, and the names of parameters and inputs.

    ``print(graph)`` lists it, ``dot()`` and ``svg()`` draw it, and a notebook shows the drawing.
    """

    _read: dict[str, Any] | None = None
    _objects: tuple[list[Node], list[Edge]] | None = None
    # What was recorded, until somebody first looks at it: then the native graph is made.
    _recording: Any = None
    _native: Any = None

    def __init__(self, handle: Any) -> None:
        self._hold(handle)

    def _hold(self, native: Any) -> None:
        # Last, and last to go: the library does not count the time of a recording up to there.
        self._read, self._objects, self._native = None, None, native

    def __copy__(self) -> Graph:
        return self  # what a graph computes never changes

    def __deepcopy__(self, memo: Any) -> Graph:
        return self

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle a Graph: write graph.json() or graph.dot() instead")

    @property
    def _handle(self) -> Any:
        recording, native = (
            self._recording,
            self._native,
        )  # in this order: another thread may be here
        if native is not None:
            return native
        made = recording._graph()
        if self._native is None:
            self._hold(made)
        self._recording = None
        return self._native

    @property
    def num_ops(self) -> int:
        """The number of operations."""
        return lib.ag_graph_num_ops(self._handle)

    @property
    def num_values(self) -> int:
        """The number of values: leaves and results."""
        return lib.ag_graph_num_values(self._handle)

    def dot(self, **options: Any) -> str:
        """The graph in Graphviz's DOT language, the same text for the same computation.

        Options of all drawings: ``direction``, where edges run, is "TB" (down), "LR", "BT" or "RL"; ``depth``: modules
        nested deeper than this are drawn closed; ``phases``: only "forward", "backward", "optimizer", or several of
        them; ``repeats=False`` draws every one of three and more equal modules in a row, which else are one, "x 3";
        ``legend=False`` leaves the legend out; ``once=False`` draws a parameter or input again in each part of the step
        that reads it, which saves long lines. Raises ValueError for an option that is none.
        """
        return dot(self, **options)

    def json(self) -> str:
        """Everything that is known of the graph as JSON; the schema is described in docs/graph.md."""
        return text(lib.ag_graph_json, self._handle)

    @property
    def nodes(self) -> list[Node]:
        """Parameters, buffers, inputs and constants in order of use, then the operations in order."""
        return list(self._parts()[0])

    @property
    def ops(self) -> list[Node]:
        """The operations, in an order in which they can be executed."""
        return [node for node in self._parts()[0] if node.op]

    @property
    def edges(self) -> list[Edge]:
        """The values between the nodes: one for each argument of each operation."""
        return list(self._parts()[1])

    @property
    def cost(self) -> Cost:
        """The work of all operations together."""
        totals = self._content()["totals"]
        return Cost(
            totals["flops"], totals["bytes_read"], totals["bytes_written"], totals["seconds"]
        )

    @property
    def peak_bytes(self) -> float:
        """The most memory that results need at a time, if each is freed after its last use.

        What was there before, such as parameters and inputs, is not counted.
        """
        return self._content()["totals"]["peak_bytes"]

    def table(self) -> str:
        """One row an operation: result, shape, inputs, costs, module and line; the totals below."""
        return text(lib.ag_graph_table, self._handle)

    def summary(self) -> str:
        """One row a module, nested, with output shape, parameters and costs.

        FLOP counts a multiply-add as two. Modules are known to graphs that :class:`record` made, and in part to those
        of :func:`from_tensor`, from the names of parameters.
        """
        return text(lib.ag_graph_summary, self._handle)

    def profile(self, runs: int = 0) -> list[Node]:
        """The operations that took longest, longest first; from then on the graph shows their times everywhere.

        A recording has measured itself: the time of an operation is that from the end of the one before to its own
        end, the interpreter's share included, and all of them add up to the time of the block. Other graphs, such as
        fused ones, are executed a few times on made-up data of the same shapes, without the interpreter; the run in
        the middle counts. runs: executes any graph so many times, which makes two of them comparable. An operation
        that cannot run on made-up data has no time. Raises ValueError for negative runs.
        """
        timed = Graph(call(lib.ag_graph_profile, self._handle, runs))
        self._native, self._read, self._objects = timed._native, None, None
        return sorted(self.ops, key=lambda node: -(node.seconds or 0))

    def fuse(self) -> Graph:
        """The graph as ``ag.compile`` would execute it: made by the same passes. Its ``report`` says what they did."""
        return Graph(call(lib.ag_graph_fuse, self._handle))

    @property
    def report(self) -> FusionReport | None:
        """What the passes did to make this graph; None for a graph that :meth:`fuse` did not make."""
        report = text(lib.ag_graph_report, self._handle)
        return FusionReport.read(report) if report else None

    def diff(self, other: Graph) -> GraphDiff:
        """What has to be done to this graph to get the other one; falsy if they compute the same."""
        if not isinstance(other, Graph):
            raise TypeError(f"diff(): argument 'other' must be a Graph, not {type(other).__name__}")
        return GraphDiff(self, other)

    def _parts(self) -> tuple[list[Node], list[Edge]]:
        if self._objects is None:
            reader = Reader(self._content())
            self._objects = reader.nodes(), reader.edges()
        return self._objects

    def _content(self) -> dict[str, Any]:
        if self._read is None:
            self._read = json.loads(self.json())
        return self._read

    def text(self) -> str:
        """One operation a line, each value assigned once."""
        return text(lib.ag_graph_text, self._handle)

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        if self._native is None and not self._recording._is_over():
            return "<autograd.graph.Graph, still being recorded>"
        return f"<autograd.graph.Graph with {self.num_ops} ops and {self.num_values} values>"

    def svg(self, engine: str = "auto", **options: Any) -> str:
        """The drawing as SVG text, for light and dark pages, with the options of :meth:`dot`.

        engine: "builtin" needs nothing installed; "dot" uses Graphviz and raises RuntimeError if its program `dot` is
        missing or fails; "auto" is the built-in one.
        """
        return svg(self, engine, **options)

    def html(
        self,
        title: str = "Computation graph",
        others: Mapping[str, Graph] | None = None,
        name: str = "recorded",
        **options: Any,
    ) -> str:
        """One HTML page that needs no network, with the options of :meth:`dot`: move, zoom, search, hover, open and
        close modules, switch phases, colour by time or memory.

        others: further graphs by name, which the page can switch to, the fused one if left out; name: of this graph.
        depth: modules nested deeper are closed at first; where it is left out, as many as make the drawing clear.
        """
        return html(self, title, others, name, **options)

    def save(self, path: str | Path, **options: Any) -> None:
        """Writes the graph to a file in the format of its suffix, with the options of :meth:`dot` (and of
        :meth:`svg` or :meth:`html`).

        .svg, .html, .dot, .json and .txt need nothing installed; .png and .pdf are made by Graphviz's program `dot`,
        and RuntimeError says what to do if it is missing. Raises ValueError for another suffix, OSError if the file
        cannot be written.
        """
        save(self, path, **options)

    def _repr_svg_(self) -> str | None:
        """The drawing for a notebook, with modules closed where it is large; None if it is too large for one."""
        return small_svg(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: the drawing, and the listing where it cannot."""
        return show(self)
