"""The parts of a graph as Python objects: what is drawn as boxes and lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .. import dtypes

__all__ = ["Cost", "Edge", "Node"]


@dataclass(frozen=True)
class Cost:
    """The work of an operation, or of a whole graph.

    flops: floating-point operations, a multiply-add counted as two. bytes_read, bytes_written: of the tensors that go
    in and come out. seconds: measured, None if not.
    """

    flops: float
    bytes_read: float
    bytes_written: float
    seconds: float | None = None

    @property
    def bytes(self) -> float:
        """Bytes read and written."""
        return self.bytes_read + self.bytes_written


@dataclass(frozen=True)
class Node:
    """An operation, or a value that was there before: a parameter, buffer, input or constant.

    key: its name in DOT, "op3" or "v0". op: the name of the operation, "" for a value. kind: "parameter", "buffer",
    "input", "constant", or what kind of operation it is: "product", "pointwise", "reduction", "view", "copy", "loss",
    "random", "update", "other". name: what the program calls the value or the result, "" if unknown. shape, dtype: of
    the value, or of the first result; shapes, dtypes: of all results. phase: "forward", "backward" or "optimizer".
    forward: key of the operation whose gradient this one computes. module, module_type: the module that called it.
    file, line: where the program called it. saved: keys of what is kept for the gradient, of inputs and of itself.
    storage: numbers of the memory of the results; equal numbers are the same memory. id: made of what is computed, and
    equal in two graphs that compute the same.
    """

    key: str
    op: str
    kind: str
    name: str
    shape: tuple[int, ...]
    dtype: Any
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[Any, ...]
    needs_grad: bool
    storage: tuple[int | None, ...]
    id: str = ""
    attrs: dict[str, Any] = field(default_factory=dict, hash=False)
    inputs: tuple[str | None, ...] = ()
    phase: str = "forward"
    forward: str | None = None
    in_place: bool = False
    saved: tuple[str, ...] = ()
    module: str = ""
    module_type: str = ""
    file: str = ""
    line: int = 0
    flops: float = 0
    bytes_read: float = 0
    bytes_written: float = 0
    seconds: float | None = None
    number: float | None = None
    body: tuple[Node, ...] = field(default=(), repr=False)

    @property
    def is_op(self) -> bool:
        """True for an operation, False for a value that was there before."""
        return bool(self.op)

    @property
    def cost(self) -> Cost:
        """What it costs."""
        return Cost(self.flops, self.bytes_read, self.bytes_written, self.seconds)


@dataclass(frozen=True)
class Edge:
    """A value on its way: source and target are keys of nodes.

    output, input: which result of the source, and which argument of the target. saved: the target, or the operation
    that made the value, keeps it for the gradient. order: no value flows; the target has to run later, because the
    source changes memory that it reads.
    """

    source: str
    target: str
    shape: tuple[int, ...]
    dtype: Any
    output: int = 0
    input: int = 0
    needs_grad: bool = False
    saved: bool = False
    order: bool = False


class Reader:
    """Makes nodes and edges from what Graph.json() says."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._values = content["values"]
        self._scopes = content["scopes"]
        self._ops = content["ops"]
        self._source: list[tuple[str, int]] = []
        place = {v: i for op in self._ops for i, v in enumerate(op["outputs"])}
        for number, value in enumerate(self._values):
            made = value["op"]
            self._source.append((f"v{number}", 0) if made is None else (f"op{made}", place[number]))

    def nodes(self) -> list[Node]:
        """The leaves in order of use, then the operations in order."""
        leaves = [self._leaf(n, v) for n, v in enumerate(self._values) if v["op"] is None]
        return leaves + [self._op(number, op) for number, op in enumerate(self._ops)]

    def _leaf(self, number: int, value: dict[str, Any]) -> Node:
        shape, dtype = tuple(value["shape"]), getattr(dtypes, _dtype_name(value["dtype"]))
        return Node(
            key=f"v{number}",
            op="",
            kind=value["role"],
            name=value["name"],
            shape=shape,
            dtype=dtype,
            shapes=(shape,),
            dtypes=(dtype,),
            needs_grad=value["needs_grad"],
            storage=(value["storage"],),
            number=value["number"],
        )

    def _op(self, number: int, op: dict[str, Any]) -> Node:
        results = [self._values[v] for v in op["outputs"]]
        shapes = tuple(tuple(v["shape"]) for v in results)
        kinds = tuple(getattr(dtypes, _dtype_name(v["dtype"])) for v in results)
        scope = self._scopes[op["scope"]] if op["scope"] is not None else None
        forward = op["forward"]
        return Node(
            key=f"op{number}",
            op=op["op"],
            kind=op["kind"],
            name=next((v["name"] for v in results if v["name"]), ""),
            shape=shapes[0] if shapes else (),
            dtype=kinds[0] if kinds else None,
            shapes=shapes,
            dtypes=kinds,
            needs_grad=any(v["needs_grad"] for v in results),
            storage=tuple(v["storage"] for v in results),
            id=op["id"],
            attrs=op["attrs"],
            inputs=tuple(None if v is None else self._source[v][0] for v in op["inputs"]),
            phase=op["phase"],
            forward=None if forward is None else f"op{forward}",
            in_place=op["in_place"],
            saved=tuple(self._source[v][0] for v in op["saved"]),
            module=scope["path"] if scope else "",
            module_type=scope["type"] if scope else "",
            file=op["file"],
            line=op["line"],
            flops=op["flops"],
            bytes_read=op["bytes_read"],
            bytes_written=op["bytes_written"],
            seconds=op["seconds"],
            body=tuple(n for n in Reader(op["body"]).nodes() if n.op) if op["body"] else (),
        )

    def edges(self) -> list[Edge]:
        """One for each argument of each operation that is a tensor, in order."""
        saved_by_maker = {v for op in self._ops for v in op["saved"] if v in op["outputs"]}
        edges = []
        for number, op in enumerate(self._ops):
            key = f"op{number}"
            for position, v in enumerate(op["inputs"]):
                if v is None:
                    continue
                value = self._values[v]
                edges.append(
                    Edge(
                        source=self._source[v][0],
                        target=key,
                        shape=tuple(value["shape"]),
                        dtype=getattr(dtypes, _dtype_name(value["dtype"])),
                        output=self._source[v][1],
                        input=position,
                        needs_grad=value["needs_grad"],
                        saved=v in op["saved"] or v in saved_by_maker,
                    )
                )
            edges += [
                Edge(source=f"op{other}", target=key, shape=(), dtype=None, order=True)
                for other in op["after"]
            ]
        return edges


def _dtype_name(name: str) -> str:
    return "bool_" if name == "bool" else name
