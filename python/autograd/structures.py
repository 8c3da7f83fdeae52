"""The structure of arguments and results, with the tensors taken out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .tensor import Tensor


class Leaf:
    """Stands for a tensor in the structure of arguments or results."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Leaf) and other.number == self.number

    def __hash__(self) -> int:
        return hash((Leaf, self.number))


def flatten(value: Any, tensors: list[Tensor]) -> Any:
    """The structure of a value, with its tensors put into the list; hashable if all other parts are."""
    if isinstance(value, Tensor):
        for number, known in enumerate(tensors):
            if known is value:
                return Leaf(number)
        tensors.append(value)
        return Leaf(len(tensors) - 1)
    if isinstance(value, (tuple, list)):
        return (type(value), tuple(flatten(each, tensors) for each in value))
    if isinstance(value, dict):
        return (dict, tuple((key, flatten(each, tensors)) for key, each in value.items()))
    # 1, 1.0 and True are equal keys, but not the same arguments.
    return (type(value), value)


def unflatten(structure: Any, tensors: Sequence[Tensor]) -> Any:
    if isinstance(structure, Leaf):
        return tensors[structure.number]
    kind, parts = structure
    if isinstance(kind, type) and issubclass(kind, dict):
        return {key: unflatten(each, tensors) for key, each in parts}
    if isinstance(kind, type) and issubclass(kind, (tuple, list)):
        values = [unflatten(each, tensors) for each in parts]
        return kind(*values) if hasattr(kind, "_fields") else kind(values)
    return parts
