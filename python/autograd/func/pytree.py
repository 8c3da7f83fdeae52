"""Nested tuples, lists and dicts taken apart into their leaves and put together again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, Callable

__all__ = ["LEAF", "Spec", "broadcast", "flatten", "map_leaves", "unflatten"]


class Spec:
    """What a nested structure is without its leaves."""

    __slots__ = ("children", "kind", "size", "keys")

    def __init__(self, kind: type | None, keys: Any, children: list[Spec]) -> None:
        self.kind, self.keys, self.children = kind, keys, children
        self.size = sum(child.size for child in children) if kind else 1

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Spec)
            and self.kind is other.kind
            and self.keys == other.keys
            and self.children == other.children
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if self.kind is None:
            return "*"
        inner = ", ".join(map(repr, self.children))
        return f"TreeSpec({self.kind.__name__}, {self.keys}, [{inner}])"


LEAF = Spec(None, None, [])
_DICTS = (dict, OrderedDict)


def _is_named_tuple(kind: type) -> bool:
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


def _parts(tree: Any) -> tuple[Any, Sequence[Any]] | None:
    """The keys and the entries of a node; None for a leaf."""
    kind = type(tree)
    if kind in _DICTS:
        return list(tree), list(tree.values())
    if kind is tuple or kind is list or _is_named_tuple(kind):
        return None, tree
    return None


def flatten(tree: Any) -> tuple[list[Any], Spec]:
    """The leaves in order, and the structure. Whatever is no tuple, list or dict is a leaf, None too."""
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves)


def _flatten(tree: Any, leaves: list[Any]) -> Spec:
    parts = _parts(tree)
    if parts is None:
        leaves.append(tree)
        return LEAF
    keys, entries = parts
    return Spec(type(tree), keys, [_flatten(entry, leaves) for entry in entries])


def unflatten(leaves: Sequence[Any], spec: Spec) -> Any:
    """The structure with these leaves."""
    if spec.kind is None:
        return leaves[0]
    return _build(iter(leaves), spec)


def _build(leaves: Iterator[Any], spec: Spec) -> Any:
    if spec.kind is None:
        return next(leaves)
    entries = [_build(leaves, child) for child in spec.children]
    if spec.kind in _DICTS:
        return spec.kind(zip(spec.keys, entries))
    return spec.kind(*entries) if _is_named_tuple(spec.kind) else spec.kind(entries)


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """The structure with function(leaf) in the place of each leaf."""
    leaves, spec = flatten(tree)
    return unflatten([function(leaf) for leaf in leaves], spec)


def broadcast(tree: Any, spec: Spec) -> list[Any] | None:
    """One entry of tree per leaf of spec: a leaf of tree serves all leaves behind its place.

    None if tree does not have the structure of spec from the top.
    """
    entries: list[Any] = []
    return entries if _spread(tree, spec, entries) else None


def _spread(tree: Any, spec: Spec, entries: list[Any]) -> bool:
    parts = _parts(tree)
    if parts is None:
        entries.extend([tree] * spec.size)
        return True
    keys, children = parts
    if spec.kind is None or len(children) != len(spec.children):
        return False
    if (spec.kind in _DICTS) != (type(tree) in _DICTS) or (keys or None) != (spec.keys or None):
        return False
    return all(_spread(*pair, entries) for pair in zip(children, spec.children))
