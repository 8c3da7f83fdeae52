"""Sorting and searching. NaN is the largest number; equal elements stay in their order."""

from __future__ import annotations

from typing import Any, NamedTuple

from .._arguments import bool_argument, int_argument
from .._capi import ZERO, call, lib, listed, run
from ..binding import by_numpys_names, op, public_names
from ..binding import function_only as function
from ..dtypes import int32
from ..operands import empty_handle, tensor_argument, two_results
from ..tensor import NO_TENSOR, Tensor


class sort_result(NamedTuple):
    """The elements in order, and where they were."""

    values: Tensor
    indices: Tensor


class topk_result(NamedTuple):
    """The first elements in order, and where they were."""

    values: Tensor
    indices: Tensor


class kthvalue_result(NamedTuple):
    """The k-th smallest elements, and where they were."""

    values: Tensor
    indices: Tensor


@op
@by_numpys_names
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False
) -> sort_result:
    """Returns (values, indices): the elements in order along dim, and their positions before.

    NaN is the largest. Always stable. The gradient goes to where the elements were.
    """
    if stable is not None:
        bool_argument("sort", "stable", stable)
    return sort_result(*two_results(lib.ag_sort, input, dim, descending))


@op
@by_numpys_names
def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False
) -> Tensor:
    """Returns the positions (int64) that put the elements in order along dim; always stable."""
    bool_argument("argsort", "stable", stable)
    return call(lib.ag_argsort, input, dim, descending)


@op
def msort(input: Tensor) -> Tensor:
    """Returns the elements in order along dim 0."""
    return two_results(lib.ag_sort, input, 0, False)[0]


@op
@by_numpys_names
def topk(
    input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> topk_result:
    """Returns (values, indices) of the k largest, or smallest, elements along dim; always in order."""
    bool_argument("topk", "sorted", sorted)
    return topk_result(*two_results(lib.ag_topk, input, k, dim, largest))


@op
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> kthvalue_result:
    """Returns (values, indices) of the k-th smallest element along dim, k from 1."""
    return kthvalue_result(*two_results(lib.ag_kthvalue, input, k, dim, keepdim))


def _unique(native: Any, input: Tensor, inverse: bool, counts: bool, dim: int | None) -> Any:
    bool_argument("unique", "return_inverse", inverse)
    bool_argument("unique", "return_counts", counts)
    dims, n = (None, ZERO) if dim is None else listed((int_argument("unique", "dim", dim),))
    places = [empty_handle() if wanted else None for wanted in (True, inverse, counts)]
    run(native, input, dims, n, *places)
    found = tuple(place for place in places if place is not None)
    return found[0] if len(found) == 1 else found


@op
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Returns the different elements, or slices along dim, in ascending order.

    With return_inverse also, for each element, which of them it is; with return_counts how often each occurs.
    """
    bool_argument("unique", "sorted", sorted)
    return _unique(lib.ag_unique, input, return_inverse, return_counts, dim)


@op
def unique_consecutive(
    input: Tensor,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Returns one element, or slice along dim, for every run of equal ones; more as unique()."""
    return _unique(lib.ag_unique_consecutive, input, return_inverse, return_counts, dim)


@function
def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Returns where the elements of input would be inserted into the ascending last dim of sorted_sequence.

    Before equal elements, or behind them if right (or side='right'). sorter: the order in which it is ascending.
    """
    bool_argument("searchsorted", "right", right)
    bool_argument("searchsorted", "out_int32", out_int32)
    if not (side is None or isinstance(side, str)):
        raise TypeError(f"searchsorted(): argument 'side' must be str, not {type(side).__name__}")
    if side not in (None, "left", "right"):
        raise RuntimeError(f"searchsorted(): side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise RuntimeError(
            "searchsorted(): side and right can't be set to opposites, got side of left "
            "while right was True"
        )
    values = tensor_argument("searchsorted", "input", input)
    found = call(
        lib.ag_searchsorted,
        sorted_sequence,
        values,
        right or side == "right",
        NO_TENSOR if sorter is None else sorter,
    )
    return found.to(int32) if out_int32 else found


@function
def bucketize(
    input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """Returns the number of the bucket between the ascending boundaries (1-d) that each element falls into."""
    if boundaries.ndim != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries.ndim})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@function
def isin(
    elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Returns True for the elements that are among test_elements; with invert for those that are not."""
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise TypeError("isin(): argument 'elements' or 'test_elements' must be Tensor")
    left = tensor_argument("isin", "elements", elements)
    right = tensor_argument("isin", "test_elements", test_elements)
    return call(lib.ag_isin, left, right, invert)


__all__ = public_names(globals())
