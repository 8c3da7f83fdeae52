"""New tensors: from data, filled, ranges, random."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain
from typing import Any

from . import dlpack, dtypes, interop
from ._arguments import kind_of
from ._capi import call, check, constants, lib, listed
from .binding import function_only as function
from .binding import method, public_names
from .devices import CPU, device
from .dtypes import dtype as DType
from .operands import as_dtype, must_be_sequence, tensor_argument
from .random import takes_generator
from .tensor import Tensor

_BOOL = constants["AG_BOOL"]


def _finish(result: Tensor, requires_grad: bool, place: Any = None) -> Tensor:
    if place is not None and place is not CPU:
        device(place)
    if requires_grad:
        check(lib.ag_tensor_set_requires_grad(result, True))
    return result


def _code(dtype: DType | None, default: DType | None = None) -> int:
    if dtype is None:
        dtype = default or dtypes.get_default_dtype()
    return (dtype if isinstance(dtype, DType) else dtypes.dtype_meant(dtype)).code


# ---- from data -------------------------------------------------------------------------------------------


def _flatten(data: Any) -> tuple[list[Any], list[int]]:
    """The elements of nested sequences, and the sizes. ValueError for ragged ones."""
    level, shape = [data], []
    while level and isinstance(level[0], (list, tuple, range)) or (level and _is_vector(level[0])):
        size = len(level[0])
        shape.append(size)
        deeper: list[Any] = []
        for part in level:
            try:
                length = len(part)
            except TypeError:
                raise TypeError(
                    f"expected a sequence of length {size} at dim {len(shape) - 1} (got a number)"
                ) from None
            if length != size:
                raise ValueError(
                    f"expected sequence of length {size} at dim {len(shape) - 1} (got {length})"
                )
            deeper.extend(part)
        level = deeper
        if size == 0:
            break
    return level, shape


def _elements(data: Any) -> tuple[list[Any], list[int]]:
    """_flatten(), with short ways for numbers, lists of numbers, and lists of them."""
    kind = type(data)
    if kind in _NUMBERS:
        return [data], []
    if kind is list or kind is tuple:
        kinds = set(map(type, data))
        if kinds <= _NUMBERS:
            return data, [len(data)]
        if kinds == {list}:
            sizes = set(map(len, data))
            elements = list(chain.from_iterable(data))
            if len(sizes) == 1 and elements and _NUMBERS.issuperset(map(type, elements)):
                return elements, [len(data), sizes.pop()]
    return _flatten(data)


_NUMBERS = {int, float, bool}


def _is_vector(part: Any) -> bool:
    return not isinstance(part, (str, bytes, dict, set)) and bool(getattr(part, "shape", ()))


def _infer(kinds: Any) -> DType | None:
    """The dtype for elements of the given Python types; None if they are not all Python numbers."""
    if kinds <= {bool}:
        return dtypes.bool_ if kinds else dtypes.get_default_dtype()
    if kinds <= {bool, int}:
        return dtypes.int64
    return dtypes.get_default_dtype() if kinds <= {bool, int, float} else None


def _as_numbers(elements: list[Any], in_list: bool, dtype: DType | None) -> list[Any]:
    """The elements as Python numbers; for one that is none the error that PyTorch has there."""
    numbers = []
    for element in elements:
        if isinstance(element, (list, tuple)):
            raise ValueError("nested sequences must all have the same depth")
        if isinstance(element, (bool, int, float)):
            numbers.append(bool(element) if isinstance(element, bool) else element)
        elif hasattr(element, "item") and getattr(element, "shape", None) in ((), (1,)):
            numbers.append(element.item())
        elif hasattr(type(element), "__index__"):
            numbers.append(element.__index__())
        elif hasattr(type(element), "__float__"):
            numbers.append(float(element))
        elif isinstance(element, (str, bytes)):
            kind = type(element).__name__
            if in_list and element is elements[0]:
                raise ValueError(f"too many dimensions '{kind}': a {kind} is no number")
            raise TypeError(f"new(): invalid data type '{kind}'")
        elif dtype is not None:
            raise TypeError(f"must be real number, not {type(element).__name__}")
        else:
            raise RuntimeError(
                f"Could not infer dtype of {type(element).__name__}: it is neither a sequence nor a number"
            )
    return numbers


def _plain(number: Any) -> Any:
    return int(number) if isinstance(number, int) and not isinstance(number, bool) else number


def _from_sequence(data: Any, dtype: DType | None) -> Tensor:
    elements, shape = _elements(data)
    inferred = _infer(set(map(type, elements)))
    if inferred is None:
        elements = _as_numbers(elements, bool(shape), dtype)
        inferred = _infer(
            {
                type(_plain(number)) if not isinstance(number, float) else float
                for number in elements
            }
        )
    dtype = dtypes.by_code[_code(dtype, inferred)]
    numbers = _to_array(elements, dtype).tobytes()
    return call(lib.ag_tensor_from_data, numbers, dtype.code, *listed(shape))


def _to_array(elements: list[Any], dtype: DType) -> Any:
    if dtype is dtypes.bool_:
        return array("B", map(bool, elements))
    try:
        return array(dtype.typecode, elements)
    except TypeError:
        pass  # floats that become integers: truncated, as by int()
    except OverflowError:
        raise RuntimeError(
            f"value cannot be converted to type {dtype.name} without overflow"
        ) from None
    try:
        return array(dtype.typecode, map(int, elements))
    except (OverflowError, ValueError):
        raise RuntimeError(
            f"value cannot be converted to type {dtype.name} without overflow"
        ) from None


def _from_array(data: Any, dtype: DType | None) -> Tensor:
    """A copy of a NumPy array, or of anything that has its array interface or ``__array__``."""
    if not hasattr(data, "strides"):
        import numpy

        data = numpy.asarray(data)
    if (
        any(step < 0 or step % data.itemsize for step in data.strides)
        or data.dtype.byteorder not in "=|"
    ):
        data = data.astype(data.dtype.newbyteorder("="), order="C")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about read-only memory, which is only read here
        shared = interop.from_numpy(data)
    if dtype is None or dtype is shared.dtype:
        return call(lib.ag_clone, shared)
    return call(lib.ag_to_dtype, shared, _code(dtype))


_PLAIN = {list, tuple, *_NUMBERS}


@function
def tensor(
    data: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Returns a tensor with a copy of data: a number, nested lists, a buffer, a NumPy array, another tensor,
    also one of another library that has DLPack's protocol.

    Without dtype, ints become int64, floats the default dtype and bools bool; arrays and tensors keep theirs.
    Raises ValueError for ragged lists and texts in lists, TypeError or RuntimeError for what is not a number.
    """
    if type(data) in _PLAIN:
        result = _from_sequence(data, dtype)
    elif isinstance(data, Tensor):
        copied = call(lib.ag_detach, data)
        other_type = dtype is not None and dtype is not data.dtype
        result = (
            call(lib.ag_to_dtype, copied, _code(dtype))
            if other_type
            else call(lib.ag_clone, copied)
        )
    elif hasattr(data, "__array_interface__"):
        result = _from_array(data, dtype)
    elif hasattr(data, "__dlpack__"):
        shared = _shared(data)
        other_type = dtype is not None and dtype is not shared.dtype
        result = (
            call(lib.ag_to_dtype, shared, _code(dtype))
            if other_type
            else call(lib.ag_clone, shared)
        )
    elif hasattr(data, "__array__") and not isinstance(data, (list, tuple)):
        result = _from_array(data, dtype)
    elif isinstance(data, (array, memoryview, bytearray)):
        result = _from_sequence(memoryview(data).tolist(), dtype)
    else:
        result = _from_sequence(data, dtype)
    return _finish(result, requires_grad, device)


@function
def as_tensor(data: Any, dtype: DType | None = None, device: Any = None) -> Tensor:
    """Returns data as a tensor; tensors and NumPy arrays are not copied unless another dtype is asked for."""
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    if hasattr(data, "__dlpack__") and not hasattr(data, "__array_interface__"):
        shared = _shared(data)
        return shared if dtype is None else shared.to(dtype)
    if hasattr(data, "__array_interface__") and hasattr(data, "strides"):
        if data.flags.writeable and all(step >= 0 for step in data.strides):
            shared = interop.from_numpy(data)
            return shared if dtype is None else shared.to(dtype)
    return tensor(data, dtype=dtype, device=device)


@function
def asarray(
    obj: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns obj as a tensor, sharing memory where that is possible unless copy=True."""
    if copy:
        return tensor(obj, dtype=dtype, device=device, requires_grad=requires_grad)
    result = as_tensor(obj, dtype, device)
    if result.requires_grad and not requires_grad:
        result = result.detach()
    return _finish(result, requires_grad, device)


@function
def scalar_tensor(
    s: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Returns a 0-d tensor of a number, in the default dtype unless one is given."""
    dtype = dtypes.get_default_dtype() if dtype is None else dtype
    return full((), s, dtype=dtype, device=device, requires_grad=requires_grad)


def _shared(data: Any) -> Tensor:
    """A tensor over the memory of another library's tensor, without its history."""
    return dlpack.from_dlpack(data.detach() if hasattr(data, "detach") else data)


from_numpy = function(interop.from_numpy)
frombuffer = function(interop.frombuffer)
from_dlpack = function(dlpack.from_dlpack)


@function
def is_tensor(obj: Any) -> bool:
    """Returns True if obj is a Tensor."""
    return isinstance(obj, Tensor)


# ---- filled ----------------------------------------------------------------------------------------------


def _shape(name: str, first: Any, more: tuple[Any, ...] = ()) -> tuple[bytes, Any]:
    """Sizes given one by one or as one sequence, as the library takes them."""
    if first is None:
        raise TypeError(f"{name}() missing 1 required positional arguments: 'size'")
    try:
        return listed(first if not more and isinstance(first, (tuple, list)) else (first, *more))
    except TypeError as error:
        raise TypeError(f"{name}(): argument 'size' must be tuple of ints: {error}") from None


def _filled(name: str, doc: str) -> Any:
    """A function of sizes, computed by ``ag_<name>``."""
    native = getattr(lib, f"ag_{name}")

    def make(
        size: Any = None,
        *more: Any,
        dtype: DType | None = None,
        device: Any = None,
        requires_grad: bool = False,
    ) -> Tensor:
        sizes, ndim = _shape(name, size, more)
        return _finish(call(native, sizes, ndim, _code(dtype)), requires_grad, device)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = (
        f"Returns a tensor of the given sizes {doc}. The dtype is the default dtype unless given."
    )
    return function(make)


empty = _filled("empty", "whose elements are not set")


@function
def empty_strided(
    size: Sequence[int],
    stride: Sequence[int],
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a tensor of the given sizes and strides whose elements are not set.

    Raises RuntimeError if the numbers of sizes and strides differ, or one is negative.
    """
    must_be_sequence("empty_strided", "size", size)
    must_be_sequence("empty_strided", "stride", stride)
    room = 0 if 0 in size else 1 + sum((n - 1) * step for n, step in zip(size, stride))
    made = empty(max(room, 0), dtype=dtype).as_strided(size, stride)
    return _finish(made, requires_grad, device)


zeros = _filled("zeros", "filled with 0")
ones = _filled("ones", "filled with 1")
rand = function(takes_generator(_filled("rand", "with random numbers uniform in [0, 1)")))
randn = function(
    takes_generator(_filled("randn", "with random numbers of the standard normal distribution"))
)


@function
def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a tensor of the given sizes filled with a number; the dtype is that of the number unless given."""
    must_be_sequence("full", "size", size)
    sizes, ndim = _shape("full", size)
    if isinstance(fill_value, Tensor) and fill_value.ndim:
        raise TypeError("full(): argument 'fill_value' must be Number, not Tensor")
    value = tensor_argument("full", "fill_value", fill_value)
    if dtype is None:
        dtype = _dtype_of(fill_value)
    result = call(lib.ag_full, sizes, ndim, value, _code(dtype))
    return _finish(result, requires_grad, device) if requires_grad or device else result


def _dtype_of(value: Any) -> DType | None:
    """The dtype of what is filled with value; None for the default dtype."""
    if type(value) is float:
        return None
    if isinstance(value, Tensor):
        return value.dtype
    if hasattr(value, "item"):
        value = value.item()
    return None if type(value) is float else _infer({type(value)})


def _like(name: str, doc: str) -> Any:
    """A function of a tensor whose sizes are taken, computed by ``ag_<name>_like``."""
    native = getattr(lib, f"ag_{name}_like")

    def make(
        input: Tensor,
        *,
        dtype: DType | None = None,
        device: Any = None,
        requires_grad: bool = False,
    ) -> Tensor:
        if not isinstance(input, Tensor):
            raise TypeError(f"{name}_like(): argument 'input' must be Tensor, not {kind_of(input)}")
        return _finish(call(native, input, _code(dtype, input.dtype)), requires_grad, device)

    make.__name__ = make.__qualname__ = f"{name}_like"
    make.__doc__ = f"Returns a tensor of the sizes and dtype of input {doc}."
    return function(make)


empty_like = _like("empty", "whose elements are not set")
zeros_like = _like("zeros", "filled with 0")
ones_like = _like("ones", "filled with 1")


@function
def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a tensor of the sizes and dtype of input filled with a number."""
    made = full(input.shape, fill_value, dtype=dtype or input.dtype, device=device)
    return _finish(_varying(made, input), requires_grad, device)


@function
@takes_generator
def rand_like(
    input: Tensor, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Returns random numbers uniform in [0, 1), of the sizes and dtype of input."""
    return rand(input.shape, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


@function
@takes_generator
def randn_like(
    input: Tensor, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Returns random numbers of the standard normal distribution, of the sizes and dtype of input."""
    return randn(
        input.shape, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad
    )


def hold_everywhere(conditions: Tensor) -> bool:
    """Whether all are true, inside vmap those of all examples."""
    while lib.ag_vmap_depth_of(conditions) > 0:
        conditions = call(lib.ag_vmap_value, conditions)
    return bool(conditions.all())


def _varying(made: Tensor, like: Tensor) -> Tensor:
    """What was made to be written to, inside vmap as different from example to example as like is."""
    return call(lib.ag_vmap_like, made, like) if lib.ag_vmap_depth_of(like) > 0 else made


@method
def new_tensor(
    self: Tensor,
    data: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a tensor with a copy of data, in this tensor's dtype unless one is given."""
    return tensor(data, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)


@method
def new_full(
    self: Tensor,
    size: Any,
    fill_value: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a tensor of the given sizes filled with a number, in this tensor's dtype unless one is given."""
    made = full(size, fill_value, dtype=dtype or self.dtype, device=device)
    return _finish(_varying(made, self), requires_grad, device)


@method
def new_empty(
    self: Tensor,
    size: Any = None,
    *more: Any,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a tensor of the given sizes whose elements are not set, in this tensor's dtype unless one is given."""
    made = empty(size, *more, dtype=dtype or self.dtype, device=device)
    return _finish(_varying(made, self), requires_grad, device)


@method
def new_empty_strided(
    self: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns a tensor of the given sizes and strides in this tensor's dtype unless given; the elements are not set."""
    made = empty_strided(size, stride, dtype=dtype or self.dtype, device=device)
    return _finish(_varying(made, self), requires_grad, device)


@method
def new_zeros(
    self: Tensor,
    size: Any = None,
    *more: Any,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns zeros of the given sizes, in this tensor's dtype unless one is given."""
    made = zeros(size, *more, dtype=dtype or self.dtype, device=device)
    return _finish(_varying(made, self), requires_grad, device)


@method
def new_ones(
    self: Tensor,
    size: Any = None,
    *more: Any,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns ones of the given sizes, in this tensor's dtype unless one is given."""
    made = ones(size, *more, dtype=dtype or self.dtype, device=device)
    return _finish(_varying(made, self), requires_grad, device)


# ---- random ----------------------------------------------------------------------------------------------


@function
@takes_generator
def randint(
    low: Any = None,
    high: Any = None,
    size: Any = None,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns random integers in [low, high), or in [0, low) if called as randint(high, size)."""
    if low is None:
        low = 0
    elif size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if size is None or high is None or isinstance(high, (tuple, list)):
        raise TypeError(
            "randint(): missing arguments, it is randint(high, size) or randint(low, high, size)"
        )
    must_be_sequence("randint", "size", size)
    sizes, ndim = _shape("randint", size)
    return _finish(
        call(lib.ag_randint, low, high, sizes, ndim, _code(dtype, dtypes.int64)),
        requires_grad,
        device,
    )


@function
@takes_generator
def randperm(
    n: int, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Returns the numbers 0 to n - 1 in random order, int64 unless a dtype is given."""
    result = call(lib.ag_randperm, n)
    return _finish(result if dtype is None else as_dtype(result, dtype), requires_grad, device)


__all__ = public_names(globals())
