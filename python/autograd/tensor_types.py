"""The old names of tensors by their type: ``FloatTensor(data)``, ``LongTensor(2, 3)`` and their kin."""

from __future__ import annotations

from typing import Any

from . import dtypes
from .creation import empty, tensor
from .dtypes import dtype as _dtype
from .tensor import Size, Tensor

__all__ = [
    "BoolTensor",
    "ByteTensor",
    "DoubleTensor",
    "FloatTensor",
    "IntTensor",
    "LongTensor",
]


class TensorType:
    """Makes tensors of one dtype, from data or from sizes; ``isinstance(x, FloatTensor)`` asks for that dtype."""

    __slots__ = ("dtype", "name")

    dtype: _dtype
    name: str

    def __init__(self, name: str, dtype: _dtype) -> None:
        self.name, self.dtype = name, dtype

    def __call__(self, *arguments: Any) -> Tensor:
        """Returns a tensor of the numbers in a sequence; of sizes given one by one with whatever is in memory.

        A Tensor of this dtype is returned as another view of itself. Raises TypeError for one of another dtype.
        """
        return of_data_or_sizes(self.dtype, arguments)

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, Tensor) and value.dtype is self.dtype

    def __repr__(self) -> str:
        return f"autograd.{self.name}"


def of_data_or_sizes(dtype: _dtype, arguments: tuple[Any, ...]) -> Tensor:
    """What ``Tensor(...)`` makes: a tensor of the data, or an empty one of the sizes.

    One number is a size, a sequence is data. Raises TypeError for other arguments, RuntimeError for a negative size.
    """
    if all(type(size) is int for size in arguments) or isinstance(arguments[0], Size):
        return empty(*(arguments or (0,)), dtype=dtype)
    data = arguments[0]
    if len(arguments) > 1:
        kinds = ", ".join(type(argument).__name__ for argument in arguments)
        raise TypeError(f"new() expected sizes or one sequence of numbers, got ({kinds})")
    if isinstance(data, Tensor):
        if data.dtype is not dtype:
            raise TypeError(
                f"new() expected a tensor of {dtype}, got one of {data.dtype}; use to()"
            )
        return data.detach()
    if isinstance(data, (str, bytes)) or not hasattr(data, "__len__"):
        raise TypeError(f"new(): data must be a sequence (got {type(data).__name__})")
    return tensor(data, dtype=dtype)


FloatTensor = TensorType("FloatTensor", dtypes.float32)
DoubleTensor = TensorType("DoubleTensor", dtypes.float64)
IntTensor = TensorType("IntTensor", dtypes.int32)
LongTensor = TensorType("LongTensor", dtypes.int64)
ByteTensor = TensorType("ByteTensor", dtypes.uint8)
BoolTensor = TensorType("BoolTensor", dtypes.bool_)

_BY_DTYPE = {
    kind.dtype: kind
    for kind in (FloatTensor, DoubleTensor, IntTensor, LongTensor, ByteTensor, BoolTensor)
}


def type_of(tensor: Tensor) -> str:
    """The old name of a tensor's type: ``"autograd.FloatTensor"``."""
    return repr(_BY_DTYPE[tensor.dtype])


def dtype_of(kind: Any) -> _dtype:
    """The dtype that a dtype, a TensorType or its name stands for. Raises ValueError for an unknown name."""
    if isinstance(kind, _dtype):
        return kind
    if isinstance(kind, TensorType):
        return kind.dtype
    if not isinstance(kind, str):
        raise TypeError(
            f"type(): expected a dtype or the name of a tensor type, not {type(kind).__name__}"
        )
    for known in _BY_DTYPE.values():
        if kind.rsplit(".", 1)[-1] == known.name:
            return known.dtype
    raise ValueError(f"invalid type: {kind!r}")
