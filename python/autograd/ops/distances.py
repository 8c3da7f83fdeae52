"""Distances and norms of rows."""

from __future__ import annotations

from .._capi import call, lib
from ..binding import function_only as function
from ..binding import method, op, passes_on, public_names
from ..operands import Dims, in_place, must_be_tensors, number_argument
from ..tensor import Tensor
from .reductions import norm


@function
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Returns <x1, x2> / (max(|x1|, eps) max(|x2|, eps)) along a dim; x1 and x2 broadcast."""
    return call(lib.ag_cosine_similarity, x1, x2, dim, eps)


@function
def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """Returns the p-norm of x1 - x2 + eps along the last dim; x1 and x2 broadcast."""
    return call(lib.ag_pairwise_distance, x1, x2, p, eps, keepdim)


@function
def cdist(
    x1: Tensor,
    x2: Tensor,
    p: float = 2.0,
    compute_mode: str = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:
    """Returns the p-norms of the differences of every row of x1 and every row of x2.

    x1 is [..., P, M], x2 is [..., R, M], the result [..., P, R]. compute_mode has no effect: differences are taken,
    which is exact. Raises RuntimeError for integers, other numbers of columns and a negative p, ValueError for an
    unknown compute_mode.
    """
    if compute_mode is not None and compute_mode not in _MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    return call(lib.ag_cdist, x1, x2, p)


_MODES = (
    "use_mm_for_euclid_dist_if_necessary",
    "use_mm_for_euclid_dist",
    "donot_use_mm_for_euclid_dist",
)


@op
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """Returns the p-norm of all elements of input - other, which broadcast."""
    must_be_tensors("dist", input=input, other=other)
    return norm(input - other, number_argument("dist", "p", p))


@function
def pdist(input: Tensor, p: float = 2) -> Tensor:
    """Returns the p-norms of the differences of rows i < j of input [N, M], [N (N - 1) / 2]."""
    return call(lib.ag_pdist, input, p)


@op
@passes_on(lib.ag_renorm)
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Returns the slices along dim, those whose p-norm is larger than maxnorm scaled down to it.

    Raises RuntimeError for fewer than 2 dims, p <= 0, maxnorm < 0 and integers.
    """


@method
def renorm_(self: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Scales the slices along dim down to a p-norm of maxnorm and returns the tensor itself."""
    return in_place(lib.ag_renorm_, self, p, dim, maxnorm)


def normalize(
    input: Tensor, p: float = 2.0, dim: Dims = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """Returns input / max(|input|_p, eps), the norm being taken along dim, or along several dims at once."""
    if isinstance(dim, int):
        result = call(lib.ag_normalize, input, p, dim, eps)
    else:
        result = input / norm(input, p, dim, keepdim=True).clamp_min(eps)
    return result if out is None else in_place(lib.ag_copy_, out, result)


__all__ = public_names(globals())
