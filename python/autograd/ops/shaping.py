"""The same elements under other dims: views where PyTorch gives views. Nothing is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import changes
from .._arguments import int_argument
from .._capi import call, lib, not_null
from ..binding import function_only as function
from ..binding import in_own_names, method, op, passes_on, passes_sizes_on, public_names
from ..creation import empty
from ..dtypes import bool_, float32, float64
from ..dtypes import dtype as DType
from ..operands import (
    Dims,
    dims_argument,
    dtype_code,
    ints_argument,
    must_be_sequence,
    must_be_tensors,
    sizes_argument,
)
from ..tensor import Size, Tensor, become, replace

_NO_INTS = (float32, float64, bool_)


@op
@passes_sizes_on(lib.ag_reshape)
def reshape(input: Tensor, shape: Any = None, *more: Any) -> Tensor:
    """Returns the same elements with other sizes, one of which may be -1; a view where possible, else a copy."""


def _view(self: Tensor, size: Any, more: tuple[Any, ...]) -> Tensor:
    if isinstance(size, DType) and not more:
        if changes.captures:
            changes.refuse(
                "view(dtype) reads the bytes of another dtype, which no operation stands for"
            )
        return call(lib.ag_view_dtype, self, dtype_code(size))
    return call(lib.ag_view, self, *sizes_argument("view", size, more))


@method
@passes_sizes_on(lib.ag_view, otherwise=_view, but_for=DType)
def view(self: Tensor, size: Any = None, *more: Any) -> Tensor:
    """Returns a view with other sizes, one of which may be -1. Raises RuntimeError where a copy would be needed.

    A dtype in the place of sizes: the same bytes read as that dtype, without gradient. Where it has other element
    sizes, the last dim counts fewer or more of them; RuntimeError where they do not come out even.
    """


@method
def view_as(self: Tensor, other: Tensor) -> Tensor:
    """Returns a view with the sizes of other."""
    return view(self, other.shape)


@method
def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """Returns the same elements with the sizes of other."""
    return reshape(self, other.shape)


@method
def sum_to_size(self: Tensor, *size: Any) -> Tensor:
    """Returns the sums that undo a broadcast from these sizes, given one by one or as one sequence.

    Raises RuntimeError if such a tensor does not broadcast to this one's sizes.
    """
    if not size:
        raise TypeError("sum_to_size() missing 1 required positional arguments: 'size'")
    target = size[0] if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    shape = self.shape
    extra = len(shape) - len(target)
    pairs = list(zip(target, shape[max(extra, 0) :]))
    if extra < 0 or any(wanted not in (1, have) for wanted, have in pairs):
        raise RuntimeError(f"size {list(target)} is not expandable to size {list(shape)}.")
    dims = [*range(extra), *(extra + i for i, (want, have) in enumerate(pairs) if want != have)]
    return self.sum(dims, keepdim=True).reshape(target) if dims else self


@op
@passes_on(lib.ag_transpose)
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Returns a view with two dims exchanged."""


@op
@passes_on(lib.ag_t)
def t(input: Tensor) -> Tensor:
    """Returns the transposed matrix; a vector or a 0-d tensor stays as it is. Raises RuntimeError for more dims."""


@op
@passes_sizes_on(lib.ag_permute)
def permute(input: Tensor, dims: Any = None, *more: Any) -> Tensor:
    """Returns a view with the dims in another order."""


def _matrices(what: str, x: Tensor) -> Tensor:
    """x with its last two dims exchanged; a 0-d tensor stays as it is."""
    ndim = x.ndim
    if ndim == 1:
        raise RuntimeError(
            f"tensor.{what} is only supported on matrices or batches of matrices. Got 1-D tensor."
        )
    return call(lib.ag_transpose, x, -2, -1) if ndim else x


def _T(self: Tensor) -> Tensor:
    """The view with all dims in reverse order."""
    result = _t(self)
    return result if not_null(result) else permute(self, tuple(range(self.ndim - 1, -1, -1)))


def _mT(self: Tensor) -> Tensor:
    """The view with the last two dims exchanged."""
    return _matrices("mT", self)


def _mH(self: Tensor) -> Tensor:
    """The view with the last two dims exchanged: all elements are real."""
    return _matrices("mH", self)


def _H(self: Tensor) -> Tensor:
    """The transposed matrix: all elements are real."""
    if self.ndim not in (0, 2):
        raise RuntimeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {self.ndim}-D tensor."
            + (" For batches of matrices, consider using tensor.mH" if self.ndim > 2 else "")
        )
    return _matrices("H", self)


_t = lib.ag_t
Tensor.T = property(_T)
Tensor.mT = property(_mT)
Tensor.mH = property(_mH)
Tensor.H = property(_H)


@method
@passes_sizes_on(lib.ag_expand)
def expand(self: Tensor, size: Any = None, *more: Any) -> Tensor:
    """Returns a view in which dims of size 1 are repeated; -1 keeps a size."""


@method
def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """Returns a view of the sizes of other in which dims of size 1 are repeated."""
    return expand(self, other.shape)


@op
def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """Returns a view of the given sizes in which dims of size 1 are repeated."""
    must_be_sequence("broadcast_to", "size", size)
    return expand(input, size)


@op
def squeeze(input: Tensor, dim: Dims = None, **numpy: Any) -> Tensor:
    """Returns a view without the given dims that have size 1; without all of those if dim is left out."""
    if numpy:
        return squeeze(**in_own_names(squeeze, locals()))
    if dim is None:
        return _squeeze(input, None, 0)
    if type(dim) is int:
        return _squeeze(input, (dim,), 1)
    if isinstance(dim, (tuple, list)) and not dim:
        return call(lib.ag_reshape, input, *sizes_argument("squeeze", input.shape, ()))
    return _squeeze(input, *dims_argument(dim))


@passes_on(lib.ag_squeeze)
def _squeeze(input: Tensor, dims: Any, n: Any) -> Tensor:
    """squeeze() of dims as the library takes them."""


@op
@passes_on(lib.ag_unsqueeze)
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Returns a view with a dim of size 1 inserted."""


@op
@passes_on(lib.ag_flatten)
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Returns the tensor with the dims from start_dim to end_dim made one."""


@op
def ravel(input: Tensor) -> Tensor:
    """Returns the elements as one dim."""
    return call(lib.ag_flatten, input, 0, -1)


@op
@passes_on(lib.ag_select)
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """Returns the view at one position of a dim, which goes away."""


@op
def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """Returns the view of `length` positions of a dim from start on."""
    if type(start) is not int:
        start = _start(start)
    return _narrow(input, dim, start, length)


def _start(start: Any) -> int:
    """The number that a tensor of one int stands for; RuntimeError for other tensors, TypeError for the rest."""
    if isinstance(start, Tensor) and (start.ndim or start.dtype in _NO_INTS):
        raise RuntimeError(
            f"narrow: start must be an 0-dim integral Tensor, got {start.dtype} of sizes {list(start.shape)}"
        )
    return int_argument("narrow", "start", start)


@passes_on(lib.ag_narrow)
def _narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """narrow() of a number."""


@op
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Returns a view with one dim as several, whose product it is; one size may be -1."""
    if type(sizes) is tuple or type(sizes) is list:
        return _unflatten(input, dim, sizes, len(sizes))
    return _unflatten(input, dim, *ints_argument("unflatten", "sizes", sizes))


@passes_on(lib.ag_unflatten)
def _unflatten(input: Tensor, dim: int, sizes: Any, ndim: Any) -> Tensor:
    """unflatten() to sizes as the library takes them."""


@op
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Returns a view with dim source[i] at place destination[i]; the other dims keep their order."""
    if isinstance(source, (tuple, list)) or isinstance(destination, (tuple, list)):
        places = ints_argument("movedim", "source", source)
        return call(
            lib.ag_movedim, input, *places, *ints_argument("movedim", "destination", destination)
        )
    where = (
        int_argument("movedim", "source", source),
        int_argument("movedim", "destination", destination),
    )
    return call(lib.ag_movedim, input, *dims_argument(where[0]), *dims_argument(where[1]))


@op
@passes_on(lib.ag_diagonal)
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Returns the view x[..., i, i + offset, ...] over dim1 and dim2, with i as the last dim."""


@op
def as_strided(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """Returns a view of input's storage with these sizes and strides, from element storage_offset of it on.

    Without an offset it begins where input begins. Elements that are read several times add up in the gradient.
    Raises RuntimeError for negative numbers, and for what lies beyond the storage.
    """
    if not isinstance(input, Tensor):
        must_be_tensors("as_strided", input=input)
    offset = -1
    if storage_offset is not None:
        offset = int_argument("as_strided", "storage_offset", storage_offset)
        if offset < 0:
            raise RuntimeError(f"as_strided(): negative storage offset {offset}")
    return call(
        lib.ag_as_strided,
        input,
        *ints_argument("as_strided", "size", size),
        *ints_argument("as_strided", "stride", stride),
        offset,
    )


@method
@passes_on(lib.ag_unfold)
def unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Returns a view of windows of `size` positions, `step` apart, along a dim; their insides are the last dim."""


@op
def adjoint(input: Tensor) -> Tensor:
    """Returns the view with the last two dims exchanged, as all elements are real. Raises RuntimeError for a vector."""
    return _matrices("adjoint()", input)


@function
def numel(input: Tensor) -> int:
    """Returns the number of elements."""
    return input.numel()


@function
def broadcast_shapes(*shapes: Any) -> Size:
    """Returns the sizes that tensors of all these sizes broadcast to. Raises RuntimeError if there are none."""
    sizes = [tuple(shape) if isinstance(shape, (tuple, list)) else (shape,) for shape in shapes]
    found: list[int] = []
    for one in sizes:
        found = [1] * (len(one) - len(found)) + found
        for i in range(-1, -len(one) - 1, -1):
            if one[i] < 0:
                raise ValueError(
                    f"Attempting to broadcast a dimension with negative length! ({one})"
                )
            if found[i] == 1:
                found[i] = one[i]
            elif one[i] not in (1, found[i]):
                raise RuntimeError(
                    f"Shape mismatch: objects cannot be broadcast to a single shape: got {sizes}"
                )
    return Size(found)


def _atleast(rank: int, native: Any, doc: str) -> Any:

    def atleast(*tensors: Any) -> Any:
        if len(tensors) == 1 and isinstance(tensors[0], Tensor):
            return tensors[0] if tensors[0].ndim >= rank else call(native, tensors[0])
        given = tensors[0] if len(tensors) == 1 else tensors
        if not isinstance(given, (tuple, list)):
            raise TypeError(
                f"atleast_{rank}d(): argument 'tensors' must be tuple of Tensors, not "
                f"{type(given).__name__}"
            )
        return tuple(map(atleast, given))

    atleast.__name__ = atleast.__qualname__ = f"atleast_{rank}d"
    atleast.__doc__ = (
        f"Returns the tensor, or a tuple of all tensors, as views with at least {doc}."
    )
    return function(atleast)


atleast_1d = _atleast(1, lib.ag_atleast_1d, "one dim")
atleast_2d = _atleast(2, lib.ag_atleast_2d, "two dims: a vector becomes a row")
atleast_3d = _atleast(
    3, lib.ag_atleast_3d, "three dims: [n] becomes [1, n, 1] and [n, m] becomes [n, m, 1]"
)


@op
def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """Returns a view with two dims exchanged, as transpose() does."""
    return transpose(input, axis0, axis1)


# ---- other dims in place -----------------------------------------------------------------------------------


def _in_place(name: str, change: Any) -> None:
    def changed(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return become(self, change(self, *args, **kwargs))

    changed.__doc__ = f"Gives this tensor the dims of {name}() and returns the tensor itself."
    changed.__name__ = changed.__qualname__ = f"{name}_"
    method(changed)


for _name, _change in (
    ("as_strided", as_strided),
    ("squeeze", squeeze),
    ("unsqueeze", unsqueeze),
    ("transpose", transpose),
    ("swapaxes", swapaxes),
    ("swapdims", transpose),
    ("t", t),
):
    _in_place(_name, _change)


@method
def resize_(self: Tensor, *sizes: Any) -> Tensor:
    """Gives this tensor other sizes over the elements of its storage, from its first on, and returns the tensor itself.

    Where the storage is too small, the tensor gets one of its own with the elements up to its last one, and others that
    are not set; views keep the old one. Raises RuntimeError if the tensor requires grad.
    """
    if self.requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    wanted = empty(*sizes, dtype=self.dtype)
    if wanted.shape == self.shape:
        return self
    try:
        return become(self, as_strided(self, wanted.shape, wanted.stride()))
    except RuntimeError:  # beyond the storage
        reach = sum((n - 1) * step for n, step in zip(self.shape, self.stride())) + 1
        kept = reach if self.numel() else 0
        wanted.view(-1).narrow(0, 0, kept).copy_(as_strided(self, (kept,), (1,)))
        replace(self, wanted)
        return self


@method
def resize_as_(self: Tensor, the_template: Tensor) -> Tensor:
    """Gives this tensor the sizes of another one; see :meth:`resize_`."""
    must_be_tensors("resize_as_", the_template=the_template)
    return resize_(self, the_template.shape)


swapdims = op(transpose, "swapdims")
moveaxis = op(movedim, "moveaxis")

__all__ = public_names(globals())
