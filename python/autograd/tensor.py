"""Class Tensor: what a tensor is to Python. The operations live in ops/."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Union
from weakref import ref

from . import dtypes
from ._arguments import bool_argument, int_argument, kind_of
from ._capi import (
    MAX_DIMS,
    ONE,
    ZERO,
    as_method,
    call,
    check,
    get_address,
    hide_buffer,
    lib,
    not_null,
    raise_last_error,
    set_address,
    set_handle_class,
)
from .devices import CPU, device

if TYPE_CHECKING:
    from ._tensor_methods import TensorMethods as Handle
    from .nodes import Node
else:
    Handle = ctypes.c_void_p

Number = Union[int, float, bool]

_MOST_SHAPES = 4096
_shapes: dict[int, Size] = {}  # by ag_tensor_shape_key
_shape_key, _dtype_code = lib.ag_tensor_shape_key, lib.ag_tensor_dtype
_read_double, _read_int = lib.ag_tensor_read_double, lib.ag_tensor_read_int
_LEAST_INT, _BOOL_CODE = -(1 << 63), dtypes.bool_.code
_at = tuple.__getitem__
_ManyDims = ctypes.c_int64 * MAX_DIMS


class Size(tuple[int, ...]):
    """The sizes of a tensor: a tuple with numel()."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements of a tensor of these sizes."""
        return math.prod(self)

    def __getitem__(self, index: Any) -> Any:
        part = tuple.__getitem__(self, index)
        return Size(part) if isinstance(index, slice) else part

    def __add__(self, other: Any) -> Size:
        return Size(tuple.__add__(self, tuple(other)))

    def __repr__(self) -> str:
        return f"Size([{', '.join(map(str, self))}])"


_make = ctypes.c_void_p.__new__
# Attributes that belong to one tensor object and don't go with its copies.
_PRIVATE = {"_grad", "_backward_hooks", "_hooks_made_by", "_leaf_hooks"}


class Tensor(Handle):
    """An n-dimensional array that remembers how it was made, so that gradients can flow back.

    Made by :func:`autograd.tensor`, :func:`autograd.zeros` and the like, and by operations on tensors.
    """

    # The instance is the handle: ctypes makes it as the result of a native call and takes it as an argument
    # without Python code in between. It owns one reference.
    __del__ = as_method(lib.ag_tensor_free)
    __array_priority__ = 1000
    __hash__ = object.__hash__

    def __new__(cls, *data_or_sizes: Any) -> Tensor:
        from .tensor_types import of_data_or_sizes

        return take(cls, of_data_or_sizes(dtypes.get_default_dtype(), data_or_sizes))

    def __init__(self, *arguments: Any, **options: Any) -> None:
        pass  # instead of c_void_p's, which would set the address

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        hide_buffer(cls)
        tensor_classes.add(cls)

    def __buffer__(self, flags: int) -> memoryview:
        raise BufferError("Tensor has no buffer of its own; use tensor.numpy()")

    @property
    def value(self) -> Any:
        raise AttributeError("'Tensor' object has no attribute 'value'")

    def __dir__(self) -> list[str]:
        inherited = {"value", "_b_base_", "_b_needsfree_", "_objects", "__ctypes_from_outparam__"}
        return sorted(set(object.__dir__(self)) - inherited)

    # ---- shape and type ----

    @property
    def shape(self) -> Size:
        """The sizes of all dims."""
        key = _shape_key(self)
        known = _shapes.get(key)
        if known is not None:
            return known
        sizes = _ManyDims()
        shape = Size(sizes[: lib.ag_tensor_sizes(self, sizes, MAX_DIMS)])
        if key >= 0:
            if len(_shapes) >= _MOST_SHAPES:
                _shapes.clear()
            _shapes[key] = shape
        return shape

    def size(self, dim: int | None = None) -> Any:
        """All sizes, or the size of one dim. Raises IndexError if there is no such dim."""
        if dim is None:
            return self.shape
        if type(dim) is int:
            try:
                return _at(self.shape, dim)
            except IndexError:
                pass  # worded below
        return self.shape[self._position(dim)]

    def stride(self, dim: int | None = None) -> Any:
        """The steps, in elements, from one position of a dim to the next: all, or one dim's."""
        strides = _ManyDims()
        ndim = lib.ag_tensor_strides(self, strides, MAX_DIMS)
        return tuple(strides[:ndim]) if dim is None else strides[self._position(dim)]

    def _position(self, dim: int) -> int:
        dim, ndim = int_argument("size", "dim", dim), self.ndim
        low, high = (-ndim, ndim - 1) if ndim else (-1, 0)
        if not low <= dim <= high:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{low}, {high}], but got {dim})"
            )
        if ndim == 0:
            raise IndexError(f"dimension specified as {dim} but tensor has no dimensions")
        return dim % ndim

    @property
    def ndim(self) -> int:
        """The number of dims."""
        return lib.ag_tensor_ndim(self)

    def dim(self) -> int:
        """The number of dims."""
        return lib.ag_tensor_ndim(self)

    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return lib.ag_tensor_numel(self)

    nelement = numel

    @property
    def dtype(self) -> dtypes.dtype:
        """The element type."""
        return dtypes.by_code[lib.ag_tensor_dtype(self)]

    @property
    def device(self) -> device:
        """Where the memory is: ``device(type='cpu')``."""
        return CPU

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.dtype.itemsize

    def element_size(self) -> int:
        """Bytes per element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.numel() * self.dtype.itemsize

    is_cuda = is_sparse = is_quantized = is_meta = False

    def get_device(self) -> int:
        """-1: the number of the CPU."""
        return -1

    def storage_offset(self) -> int:
        """The position of the first element in the storage."""
        return lib.ag_tensor_storage_offset(self)

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """True if the elements lie densely in row-major order."""
        return lib.ag_tensor_is_contiguous(self) != 0

    def data_ptr(self) -> int:
        """The address of the first element, 0 if there is none."""
        address = lib.ag_tensor_data(self)
        if address is None and lib.ag_tensor_numel(self) > 0:
            raise_last_error()
        return address or 0

    # ---- autograd ----

    @property
    def requires_grad(self) -> bool:
        """True if gradients flow to or through this tensor. May be set on leaves that hold floats."""
        return lib.ag_tensor_requires_grad(self) != 0

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value is not True and value is not False:
            raise RuntimeError(f"requires_grad must be a bool, not {type(value).__name__}")
        check(lib.ag_tensor_set_requires_grad(self, value))

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """This tensor, with requires_grad set."""
        wanted = bool_argument("requires_grad_", "requires_grad", requires_grad)
        check(lib.ag_tensor_set_requires_grad(self, wanted))
        return self

    @property
    def is_leaf(self) -> bool:
        """True if no recorded op made this tensor."""
        return lib.ag_tensor_is_leaf(self) != 0

    @property
    def grad_fn(self) -> Node | None:
        """The op that recorded this tensor, None for a leaf."""
        from .nodes import node_of

        return node_of(self)

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward() accumulated, or None. Setting or deleting it replaces or removes it."""
        grad = lib.ag_tensor_grad(self)
        if not not_null(grad):
            return None
        # The same gradient is the same object for as long as somebody holds it.
        known = self.__dict__.get("_grad")
        known = known and known()
        if known is not None and lib.ag_tensor_id(known) == lib.ag_tensor_id(grad):
            return known
        self.__dict__["_grad"] = ref(grad)
        return grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(
                f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}"
            )
        check(lib.ag_tensor_set_grad(self, NO_TENSOR if value is None else value))
        self.__dict__["_grad"] = None if value is None else ref(value)

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Sequence[Tensor] | None = None,
    ) -> None:
        """Adds the gradients of this tensor to the ``.grad`` of the leaves it was computed from.

        gradient has this tensor's shape and may be left out where that is one element. The graph is freed unless
        retain_graph (default: create_graph). create_graph records the backward pass, for higher orders.
        """
        if retain_graph is None:
            retain_graph = create_graph
        if inputs is None and (gradient is None or isinstance(gradient, Tensor)):
            # A handle's own memory is an array of one handle.
            grads = None if gradient is None else ctypes.byref(gradient)
            status = lib.ag_backward(
                ctypes.byref(self), grads, ONE, None, ZERO, bool(retain_graph), bool(create_graph)
            )
            if status:
                raise_last_error()
        else:
            from .autograd import backward

            backward(self, gradient, retain_graph, create_graph, inputs)

    def retain_grad(self) -> None:
        """Keeps the gradient of a non-leaf in the next backward()."""
        check(lib.ag_tensor_retain_grad(self))

    def is_inference(self) -> bool:
        """True if this tensor was made in inference mode, or is a view of such a tensor."""
        return lib.ag_tensor_is_inference(self) != 0

    @property
    def retains_grad(self) -> bool:
        """True if retain_grad() was called on this non-leaf."""
        return lib.ag_tensor_retains_grad(self) != 0

    @property
    def data(self) -> Tensor:
        """The same storage without history. Setting it gives a leaf other values, sizes and type."""
        return call(lib.ag_detach, self)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"data must be Tensor, not {kind_of(value)}")
        if (
            lib.ag_tensor_shares_storage(self, value)
            and self.shape == value.shape
            and self.stride() == value.stride()
        ):
            return  # x.data += y has written it already
        if not self.is_leaf:
            raise RuntimeError(
                "cannot set .data of a tensor that an operation made; use copy_() or detach() first"
            )
        replace(self, value)

    @property
    def _version(self) -> int:
        """The number of in-place changes of the storage. Raises RuntimeError for a tensor of inference mode."""
        if lib.ag_tensor_is_inference(self):
            raise RuntimeError("Inference tensors do not track version counter.")
        return lib.ag_tensor_version(self)

    # ---- one element and all elements as Python values ----

    def item(self) -> Number:
        """The one element as a Python number. Raises RuntimeError unless there is exactly one."""
        code = _dtype_code(self)
        if dtypes.by_code[code].is_floating_point:
            value = _read_double(self)
            if value == value:
                return value
            number = ctypes.c_double()  # NaN, or a failure
            if lib.ag_tensor_item_double(self, ctypes.byref(number)):
                raise_last_error()
            return number.value
        whole = _read_int(self)
        if whole != _LEAST_INT:
            return whole != 0 if code == _BOOL_CODE else whole
        integer = ctypes.c_int64()
        if lib.ag_tensor_item_int(self, ctypes.byref(integer)):
            raise_last_error()
        return bool(integer.value) if code == dtypes.bool_.code else integer.value

    def tolist(self) -> Any:
        """The elements as nested lists; a number for a 0-d tensor."""
        from .interop import to_list

        return to_list(self)

    def numpy(self, *, force: bool = False) -> Any:
        """A NumPy array over the same memory, which it keeps alive.

        Raises RuntimeError if this tensor requires grad; with force=True it is detached first.
        """
        from .interop import to_numpy

        return to_numpy(self.detach() if force else self)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """This tensor's memory as NumPy and others read it without a copy; not of a tensor that requires grad."""
        from .interop import array_interface

        return array_interface(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    # NumPy leaves operators to this class.
    __array_priority__ = 1000

    def __array_wrap__(
        self, array: Any, context: Any = None, return_scalar: bool = False
    ) -> Tensor:
        """What NumPy's functions make of this tensor becomes a tensor again; bools become uint8, as in PyTorch."""
        from .interop import from_numpy

        return from_numpy(array.astype("uint8") if array.dtype == "bool" else array)

    def __bool__(self) -> bool:
        numel = lib.ag_tensor_numel(self)
        if numel != 1:
            how_many = "no values" if numel == 0 else "more than one value"
            raise RuntimeError(f"Boolean value of Tensor with {how_many} is ambiguous")
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.is_floating_point or lib.ag_tensor_numel(self) != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __len__(self) -> int:
        shape = self.shape
        if not shape:
            raise TypeError("len() of a 0-d tensor")
        return shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if lib.ag_tensor_ndim(self) == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter([call(lib.ag_select, self, 0, i) for i in range(len(self))])

    def __contains__(self, element: Any) -> bool:
        if not isinstance(element, (Tensor, int, float)):
            raise RuntimeError(
                f"Tensor.__contains__ only supports Tensor or number, not {type(element).__name__}"
            )
        return bool((self == element).any())

    def __format__(self, spec: str) -> str:
        return (
            self.item().__format__(spec)
            if lib.ag_tensor_ndim(self) == 0
            else object.__format__(self, spec)
        )

    def __repr__(self) -> str:
        from .formatting import tensor_text

        return tensor_text(self)

    # ---- copies ----

    def __copy__(self) -> Tensor:
        return take(
            type(self), _with_requires_grad(call(lib.ag_detach, self), self)
        )._adopt_attributes(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        from copy import deepcopy

        if id(self) in memo:
            return memo[id(self)]
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
                "moment. Use x.detach().clone() for a copy without history"
            )
        copied = call(lib.ag_clone, call(lib.ag_detach, self))
        result = take(type(self), _with_requires_grad(copied, self))._adopt_attributes(self, memo)
        memo[id(self)] = result
        grad = self.grad
        if grad is not None:
            # Each look at .grad may make a new object: deepcopy() keeps it alive as long as its id is in the memo.
            result.grad = deepcopy(grad, memo)
        return result

    def _adopt_attributes(self, source: Tensor, memo: dict[int, Any] | None = None) -> Tensor:
        from copy import deepcopy

        for name, value in source.__dict__.items():
            if name not in _PRIVATE:
                self.__dict__[name] = value if memo is None else deepcopy(value, memo)
        return self

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        from .interop import rebuild, to_bytes

        if not self.is_leaf and self.requires_grad:
            raise RuntimeError("cannot pickle a tensor with history; use x.detach()")
        state = {name: value for name, value in self.__dict__.items() if name not in _PRIVATE}
        arguments = (type(self), to_bytes(self), self.dtype, tuple(self.shape), self.requires_grad)
        return (rebuild, arguments, state) if state else (rebuild, arguments)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


# Tensor and its subclasses: asking this set is faster than isinstance(), which a ctypes class answers slowly.
tensor_classes: set[type] = {Tensor}

hide_buffer(Tensor)
set_handle_class("ag_tensor", Tensor)

# NULL, for arguments that may be left out.
NO_TENSOR: Tensor = _make(Tensor)  # type: ignore[call-overload]

# Goes up whenever an existing Tensor object gets another handle; who keeps addresses must then look again.
handle_changes = 0


def take(cls: type, source: Tensor) -> Any:
    """An instance of cls, a subclass of Tensor, that has taken the handle of source."""
    if cls is Tensor:
        return source
    result = _make(cls)
    set_address(result, get_address(source))
    set_address(source, None)
    return result


def adopt(address: int | None) -> Tensor:
    """The Tensor that owns the handle at an address the library has written."""
    result = _make(Tensor)
    set_address(result, address)
    return result  # type: ignore[return-value]


def replace(leaf: Tensor, value: Tensor) -> None:
    """Gives a leaf other elements, sizes and type: those of value, whose storage it then shares."""
    global handle_changes
    fresh = _with_requires_grad(call(lib.ag_detach, value), leaf)
    grad = leaf.grad
    old = get_address(leaf)
    set_address(leaf, get_address(fresh))
    set_address(fresh, old)
    handle_changes += 1
    hooks = leaf.__dict__.get("_backward_hooks")
    if hooks:
        from .hooks import attach_hooks

        attach_hooks(leaf, hooks)
    leaf_hooks = leaf.__dict__.get("_leaf_hooks")
    if leaf_hooks is not None:
        from .hooks import attach_leaf_hooks

        attach_leaf_hooks(leaf, leaf_hooks)
    if grad is not None and grad.shape == value.shape:
        leaf.grad = call(lib.ag_to_dtype, grad, value.dtype.code)


def become(tensor: Tensor, view: Tensor) -> Tensor:
    """The tensor itself, which from now on is what view, a view of it, was."""
    global handle_changes
    if tensor.is_leaf and tensor.requires_grad:
        if lib.ag_grad_enabled():
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place operation. "
                "Wrap the change in no_grad() or use the op that gives a view"
            )
        view = _with_requires_grad(call(lib.ag_detach, view), tensor)
    old = get_address(tensor)
    set_address(tensor, get_address(view))
    set_address(view, old)
    handle_changes += 1
    return tensor


def _with_requires_grad(fresh: Tensor, model: Tensor) -> Tensor:
    if model.requires_grad:
        check(lib.ag_tensor_set_requires_grad(fresh, True))
    return fresh
