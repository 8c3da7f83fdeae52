"""What the compiler's passes did to a graph."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["Counts", "FusionReport"]


@dataclass(frozen=True)
class Counts:
    """How large a graph is: operations; nodes, which are operations and the leaves that they read; edges; work."""

    ops: int
    nodes: int
    edges: int
    flops: float
    bytes: float
    peak_bytes: float


@dataclass(frozen=True)
class FusionReport:
    """What was fused how often, what was not and why, and what came of it.

    changes: (how often, pass, what was done). refusals: (how often, what, why not). before, after: the two graphs.
    """

    changes: tuple[tuple[int, str, str], ...]
    refusals: tuple[tuple[int, str, str], ...]
    before: Counts
    after: Counts

    @classmethod
    def read(cls, text: str) -> FusionReport:
        """The report that a native text holds."""
        content: dict[str, Any] = json.loads(text)
        return cls(
            tuple((c["count"], c["pass"], c["what"]) for c in content["changes"]),
            tuple((c["count"], c["what"], c["why"]) for c in content["refusals"]),
            Counts(**content["before"]),
            Counts(**content["after"]),
        )

    @property
    def bytes_saved(self) -> float:
        """Bytes that are neither read nor written any more."""
        return self.before.bytes - self.after.bytes

    def __str__(self) -> str:
        a, b = self.before, self.after
        lines = [
            f"{a.ops} ops became {b.ops}, {a.nodes} nodes {b.nodes}, {a.edges} edges {b.edges}; "
            f"{self.bytes_saved:,.0f} of {a.bytes:,.0f} bytes less to read and write"
        ]
        lines += [f"{count} x {stage}: {what}" for count, stage, what in self.changes]
        lines += [
            f"{count} x not fused: {what}, because {why}" for count, what, why in self.refusals
        ]
        return "\n".join(lines)
