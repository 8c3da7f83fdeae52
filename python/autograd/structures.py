"""The structure of arguments and results, with the tensors taken out."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import Any, Callable

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


def leaf_names(structure: Any, function: Callable[..., Any]) -> list[str]:
    """The names of the tensors in the arguments (args, kwargs) of a function, by their number: "x", "batch[0]"."""
    names: dict[int, str] = {}

    def visit(name: str, part: Any) -> None:
        if isinstance(part, Leaf):
            names.setdefault(part.number, name)
            return
        kind, parts = part
        if kind is dict:
            for key, each in parts:
                visit(f"{name}[{key!r}]", each)
        elif issubclass(kind, (tuple, list)):
            fields = getattr(kind, "_fields", None)
            for number, each in enumerate(parts):
                visit(f"{name}.{fields[number]}" if fields else f"{name}[{number}]", each)

    (_, args), (_, kwargs) = structure[1]
    for name, each in zip(_positions(function, len(args)), args):
        visit(name, each)
    for key, each in kwargs:
        visit(str(key), each)
    return [names.get(number, "") for number in range(1 + max(names, default=-1))]


def _positions(function: Callable[..., Any], count: int) -> list[str]:
    """What the function calls its first arguments."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "args")
    return names[:count] + [f"{rest}[{number}]" for number in range(count - len(names))]


_CONSTANTS = {kind.__name__: kind for kind in (bool, int, float, str, type(None))}
_CONTAINERS = {kind.__name__: kind for kind in (tuple, list)}


def to_text(arguments: Any, results: Any) -> str:
    """Two structures as JSON; "" if they hold anything besides tensors, tuples, lists, dicts with texts as keys, and
    numbers, texts and None."""
    try:
        return json.dumps([_to_json(arguments), _to_json(results)])
    except TypeError:
        return ""


def _to_json(structure: Any) -> Any:
    if isinstance(structure, Leaf):
        return structure.number
    kind, parts = structure
    if kind is dict:
        if not all(isinstance(key, str) for key, _ in parts):
            raise TypeError
        return ["dict", [[key, _to_json(each)] for key, each in parts]]
    if kind in (tuple, list):
        return [kind.__name__, [_to_json(each) for each in parts]]
    if _CONSTANTS.get(kind.__name__) is not kind:
        raise TypeError
    # Infinities and NaN are no JSON.
    return [kind.__name__, repr(parts) if kind is float else parts]


def from_text(text: str) -> tuple[Any, Any]:
    """The structures again, of a file. Raises ValueError if the text is none that to_text() gives."""
    try:
        arguments, results = json.loads(text)
        return _from_json(arguments), _from_json(results)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        raise ValueError(
            "not a plan that can be used: a structure of arguments in it is damaged"
        ) from None


def _from_json(value: Any) -> Any:
    if type(value) is int and value >= 0:
        return Leaf(value)
    name, parts = value
    if name == "dict":
        return (dict, tuple((_checked(key, str), _from_json(each)) for key, each in parts))
    if name in _CONTAINERS:
        return (_CONTAINERS[name], tuple(_from_json(each) for each in _checked(parts, list)))
    kind = _CONSTANTS[name]
    return (kind, float(_checked(parts, str)) if kind is float else _checked(parts, kind))


def _checked(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError
    return value


def most_leaves(structure: Any) -> int:
    """One more than the highest number of a tensor in it."""
    if isinstance(structure, Leaf):
        return structure.number + 1
    kind, parts = structure
    if kind is dict:
        return max((most_leaves(each) for _, each in parts), default=0)
    return max(map(most_leaves, parts), default=0) if kind in (tuple, list) else 0
