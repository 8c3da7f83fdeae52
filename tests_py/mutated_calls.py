"""Bad calls made from good ones: each argument in turn becomes something else, goes missing or comes twice.

The good calls are those of the op table, as its rows make them, so that a new op is among them.
A call is a dotted name in both libraries, or of a Tensor method, with arguments in which tensors are arrays.
"""

from __future__ import annotations

import math
import types
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from compare import array, make, name_of
from op_table import ROWS

import autograd as ag

SAMPLES_OF_A_NAME = 2


class Array(NamedTuple):
    """What a tensor of either library is made of."""

    values: Any
    dtype: str = "float32"

    def __repr__(self) -> str:
        return f"{self.dtype}{list(np.shape(self.values))}"


class Kind(NamedTuple):
    """A dtype by name."""

    name: str

    def __repr__(self) -> str:
        return self.name


class Call(NamedTuple):
    """A dotted name, and what it is called with."""

    path: str
    args: tuple
    kwargs: dict

    def __str__(self) -> str:
        shown = [repr(a) for a in self.args] + [f"{k}={v!r}" for k, v in self.kwargs.items()]
        return f"{self.path}({', '.join(shown)})"


# ---- good calls ----------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """An argument without anything of a library in it."""
    if isinstance(value, ag.Tensor):
        return Array(array(value), name_of(value.dtype))
    if isinstance(value, ag.dtype):
        return Kind(name_of(value))
    if isinstance(value, (tuple, list)) and not isinstance(value, (Array, Kind)):
        return type(value)(map(_plain, value)) if type(value) in (tuple, list) else tuple(value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value


class _Watched:
    """The package, noting which functions are called with what."""

    def __init__(self, inner: Any, path: str, calls: list):
        self._inner, self._path, self._calls = inner, path, calls

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        path = f"{self._path}.{name}".lstrip(".")
        if isinstance(value, types.ModuleType):
            return _Watched(value, path, self._calls)
        if not callable(value) or isinstance(value, type):
            return value

        def function(*args: Any, **kwargs: Any) -> Any:
            self._calls.append(Call(path, _plain(args), _plain(kwargs)))
            return value(*args, **kwargs)

        return function


def good_calls() -> dict[str, list[Call]]:
    """Some calls of every function that the op table calls, by path; methods stand as ``Tensor.<name>``."""
    found: dict[str, list[Call]] = {}

    def note(call: Call, key: Any) -> None:
        several = found.setdefault(call.path, [])
        if len(several) < SAMPLES_OF_A_NAME and key not in keys.setdefault(call.path, set()):
            keys[call.path].add(key)
            several.append(call)

    keys: dict[str, set] = {}
    for row in ROWS:
        # Cases with many elements are slow, those with few show little.
        ordered = sorted(row.cases, key=lambda one: _strangeness(one.shapes))
        for one in ordered[:40]:
            calls: list[Call] = []
            tensors = [
                make(ag, values, dtype)
                for values, dtype in zip(row.fill(one), row.dtypes_of(one, row.main_dtypes[0]))
            ]
            try:
                row(_Watched(ag, "", calls), *tensors, **one.kwargs)
            except Exception:  # noqa: BLE001 - not every case takes every dtype
                continue
            for call in calls:
                if not hasattr_of(torch, call.path):
                    continue
                key = (len(call.args), tuple(sorted(call.kwargs)))
                note(call, key)
                name = call.path.rpartition(".")[2]
                if (
                    call.args
                    and isinstance(call.args[0], Array)
                    and all(callable(getattr(lib.Tensor, name, None)) for lib in (ag, torch))
                ):
                    note(call._replace(path=f"Tensor.{name}"), key)
    return found


def _strangeness(shapes: tuple) -> tuple:
    sizes = [math.prod(shape) for shape in shapes]
    return (
        any(n == 0 for n in sizes),
        any(shape == () for shape in shapes),
        max([0, *sizes]) > 500,
        not all(len(s) >= 2 for s in shapes),
    )


def hasattr_of(lib: Any, path: str) -> bool:
    """True if a library has what a dotted name says."""
    for part in path.split("."):
        lib = getattr(lib, part, None)
    return callable(lib)


# ---- bad calls -----------------------------------------------------------------------------------

_F23 = Array(np.arange(6.0).reshape(2, 3) / 4)
INSTEAD = (
    *(None, True, False, 0, 1, -1, -2, 3, 7, -9, 2.0, 2.5, -0.5, float("nan")),
    *(2**63, -(2**63) - 1, 2**64, 1j, "text", "", b"bytes", {}, object, Ellipsis, slice(1)),
    *((), [], [0], (1, 1), (0, 0), [1, -2], (3, 2, 1), [1.5], ["a"], [None], (True,), [2**63]),
    *(Kind("float32"), Kind("int64"), Kind("bool"), np.float32(1.5), np.int64(1), np.ones(2)),
    *(_F23, Array(1.5), Array(1, "int64"), Array([1, 0], "int64"), Array([True, False], "bool")),
    *(
        Array([1, 0], "uint8"),
        Array(np.zeros(0)),
        Array(np.zeros((0, 3))),
        Array(np.ones((1, 2, 1, 2, 1))),
    ),
    *([_F23], [_F23, Array(1, "int64")], (_F23, _F23), Array(True, "bool"), [Array(1, "int64")]),
)


def _instead_of_tensor(one: Array) -> Iterator[Any]:
    values = np.asarray(one.values)
    for dtype in ("float32", "float64", "int32", "int64", "uint8", "bool"):
        if dtype != one.dtype:
            yield Array(np.abs(values) if dtype == "uint8" else values, dtype)
    yield one._replace(values=values[None])
    yield one._replace(values=values[None, None])
    if values.ndim:
        yield one._replace(
            values=values[0] if len(values) else values.reshape(values.shape[1:] + (0,))
        )
        yield one._replace(values=values[:0])
        yield one._replace(values=values.T)
        yield one._replace(values=np.concatenate([values, values[..., :1]], -1))
        yield one._replace(values=np.concatenate([values, values[:1]], 0))
    if values.dtype.kind in "iu":
        yield one._replace(values=values + 100)
        yield one._replace(values=values - 100)


def _instead(value: Any) -> Iterator[Any]:
    """What an argument becomes."""
    yield from INSTEAD
    if isinstance(value, Array):
        yield from _instead_of_tensor(value)
    elif type(value) in (tuple, list):
        kind = type(value)
        yield kind((*value, 1))
        yield kind(value[:-1])
        yield kind(value[::-1])
        for i in range(len(value)):
            for other in (None, -1, 0, 2.5, "a", True, 9, _F23):
                yield kind((*value[:i], other, *value[i + 1 :]))
            if isinstance(value[i], Array):
                for other in _instead_of_tensor(value[i]):
                    yield kind((*value[:i], other, *value[i + 1 :]))


def bad_calls(call: Call) -> Iterator[Call]:
    """The call with one thing changed at a time."""
    path, args, kwargs = call
    for i, value in enumerate(args):
        for other in _instead(value):
            yield Call(path, (*args[:i], other, *args[i + 1 :]), kwargs)
        yield Call(path, (*args[:i], *args[i + 1 :]), kwargs)
    for name, value in kwargs.items():
        rest = {key: one for key, one in kwargs.items() if key != name}
        for other in _instead(value):
            yield Call(path, args, {**rest, name: other})
        yield Call(path, args, rest)
        yield Call(path, args, {**rest, name.upper(): value})
    yield Call(path, args, {**kwargs, "unknown": 1})
    for extra in (1, None, "text", _F23):
        yield Call(path, (*args, extra), kwargs)
    for name in ("input", "dim", "out", "dtype", "keepdim", "inplace"):
        for value in (None, 1, True, "text", _F23):
            if name not in kwargs:
                yield Call(path, args, {**kwargs, name: value})
    if args:
        yield Call(path, args[1:], {"input": args[0], **kwargs})


_ready: dict[
    Any, Any
] = {}  # by library and array: the tensor, and the array itself, so that its id stays its own


# ---- both sides ----------------------------------------------------------------------------------


def made(lib: Any, value: Any) -> Any:
    """An argument for one of the libraries."""
    if isinstance(value, Array):
        key = (lib, id(value))
        if key not in _ready:
            _ready[key] = (make(lib, value.values, value.dtype), value)
        return _ready[key][0].clone()
    if isinstance(value, Kind):
        return getattr(lib, value.name)
    if isinstance(value, (tuple, list)):
        return type(value)(made(lib, one) for one in value)
    if isinstance(value, dict):
        return {key: made(lib, one) for key, one in value.items()}
    return value


def outcome_of(lib: Any, call: Call) -> Any:
    """What a call gives or raises in one of the libraries."""
    function = lib
    for part in call.path.split("."):
        function = getattr(function, part)
    args, kwargs = made(lib, call.args), made(lib, call.kwargs)
    if call.path.startswith("Tensor."):
        if not args or not isinstance(args[0], lib.Tensor):
            return None  # no method is called
        function, args = getattr(args[0], call.path[7:]), args[1:]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - the error is the result
        return error
