"""What differs between two graphs, and a test that a graph is still what it was."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._capi import call, lib, text
from ..files import written
from .nodes import Node

if TYPE_CHECKING:
    from .content import Graph

__all__ = ["Change", "GraphDiff", "assert_graph"]


@dataclass(frozen=True)
class Change:
    """An operation that is there in both graphs, but not the same: before and after, and in words what changed."""

    before: Node
    after: Node
    what: str


class GraphDiff:
    """What has to be done to one graph to get another; falsy if they compute the same.

    added: nodes of the second graph. removed: nodes of the first. changed: nodes of both with what differs. Nodes
    that only read a result that differs have not changed themselves. outputs: the graphs return different values.
    """

    added: list[Node]
    removed: list[Node]
    changed: list[Change]
    outputs: bool

    def __init__(self, before: Graph, after: Graph) -> None:
        found = json.loads(text(lib.ag_graph_diff, before._handle, after._handle))
        old, new = before.ops, after.ops
        self.before, self.after = before, after
        self.added = [new[i] for i in found["added"]]
        self.removed = [old[i] for i in found["removed"]]
        self.changed = [
            Change(old[c["before"]], new[c["after"]], c["what"]) for c in found["changed"]
        ]
        self.outputs = found["outputs"]

    @property
    def graph(self) -> Graph:
        """The two graphs in one, to be drawn: what was added is green, removed red, changed amber."""
        handle = call(lib.ag_graph_diff_graph, self.before._handle, self.after._handle)
        return type(self.after)(handle)

    def svg(self, engine: str = "auto", **options: Any) -> str:
        """The drawing of :attr:`graph`, as :meth:`Graph.svg`."""
        return self.graph.svg(engine, **options)

    def save(self, path: str | Path, **options: Any) -> None:
        """Writes :attr:`graph` to a file, as :meth:`Graph.save`; a page shows both graphs beside it."""
        if Path(os.fsdecode(path)).suffix.lower() in (".html", ".htm"):
            options.setdefault("name", "difference")
            options.setdefault("others", {"before": self.before, "after": self.after})
        self.graph.save(path, **options)

    def _repr_svg_(self) -> str | None:
        """What a notebook shows."""
        return self.graph._repr_svg_()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: the drawing, and the list where it cannot."""
        return {**self.graph._repr_mimebundle_(include, exclude), "text/plain": str(self)}

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.outputs)

    def __str__(self) -> str:
        if not self:
            return "the graphs compute the same"
        lines = [f"- {_shown(node)}" for node in self.removed]
        lines += [f"+ {_shown(node)}" for node in self.added]
        lines += [f"~ {_shown(change.after)}: {change.what}" for change in self.changed]
        if self.outputs and not lines:
            lines.append("~ the graphs return other values")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return (
            f"<autograd.graph.GraphDiff: {len(self.added)} added, {len(self.removed)} removed, "
            f"{len(self.changed)} changed>"
        )


def _shown(node: Node) -> str:
    """ "linear [16, 64] in encoder.layers.0 at train.py:12"."""
    attrs = ", ".join(f"{name}={value}" for name, value in node.attrs.items())
    words = [node.op + (f" {{{attrs}}}" if attrs else ""), str(list(node.shape))]
    if node.module:
        words.append(f"in {node.module}")
    if node.file:
        words.append(f"at {os.path.basename(node.file)}:{node.line}")
    return " ".join(words)


def assert_graph(graph: Graph, golden: str | Path, update: bool = False, **options: Any) -> None:
    """Raises AssertionError unless the graph's DOT text is that of a file, which ``git diff`` can show.

    A file that does not exist, or any with update=True or the environment variable AUTOGRAD_UPDATE_GRAPHS=1, is
    written instead. options: those of Graph.dot(), the same each time.
    """
    from .content import Graph

    if not isinstance(graph, Graph):
        raise TypeError(
            f"assert_graph(): argument 'graph' must be a Graph, not {type(graph).__name__}"
        )
    path = Path(os.fsdecode(golden))
    now = graph.dot(**options)
    if update or os.environ.get("AUTOGRAD_UPDATE_GRAPHS") == "1" or not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with written(path) as file:
            file.write(now.encode())
        return
    before = path.read_text(encoding="utf-8", errors="replace")
    if before == now:
        return
    import difflib

    lines = list(
        difflib.unified_diff(
            before.splitlines(), now.splitlines(), str(path), "this graph", lineterm="", n=1
        )
    )
    shown = "\n".join(lines[:60])
    more = f"\n... and {len(lines) - 60} more lines" if len(lines) > 60 else ""
    raise AssertionError(
        f"the graph differs from {path}:\n{shown}{more}\nIf the change is wanted, call assert_graph(..., update=True) "
        "or set AUTOGRAD_UPDATE_GRAPHS=1, and look at the file's diff."
    )
