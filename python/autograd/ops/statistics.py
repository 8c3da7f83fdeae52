"""Covariances, and a histogram."""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

from .._arguments import bool_argument, int_argument
from .._capi import call, lib
from ..binding import op, passes_on, public_names
from ..creation import hold_everywhere
from ..dtypes import bool_
from ..operands import must_be_sequence, must_be_tensors, number_argument
from ..ranges import linspace
from ..tensor import NO_TENSOR, Tensor

# ---- covariances -----------------------------------------------------------------------------------------


def _known(holds: Tensor) -> bool:
    """False if one of the elements is false; True as well where they can't be looked at."""
    return bool(lib.ag_compiled_is_capturing() or hold_everywhere(holds))


def _observation_weights(name: str, weights: Tensor, n: int) -> None:
    """Raises RuntimeError unless there is one weight, not negative, per observation."""
    must_be_tensors("cov", **{name: weights})
    if weights.ndim > 1:
        raise RuntimeError(
            f"cov(): expected {name} to have one or fewer dimensions but got {name} with {weights.ndim} dimensions"
        )
    if weights.dtype.is_floating_point != (name == "aweights"):
        kind = "floating point" if name == "aweights" else "integral"
        raise RuntimeError(
            f"cov(): expected {name} to have {kind} dtype but got {name} with {weights.dtype} dtype"
        )
    if weights.numel() != n:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations in the input but got "
            f"{weights.numel()} != {n}"
        )
    if not _known(weights >= 0):
        raise RuntimeError(f"cov(): {name} cannot be negative")


@op
def cov(
    input: Tensor,
    *,
    correction: int = 1,
    fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:
    """Returns the covariances of the variables in the rows of input, [rows, rows], or the variance of a vector.

    A column is an observation; fweights says how often it was made (integers), aweights how much it counts (floats).
    The sums of products are divided by the number of observations less correction.
    Raises RuntimeError for more than 2 dims, bools, and weights that do not fit.
    """
    must_be_tensors("cov", input=input)
    correction = int_argument("cov", "correction", correction)
    if input.ndim > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions"
        )
    if input.dtype is bool_:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    rows = input if input.ndim == 2 else input.reshape(1, -1)
    n = rows.shape[1]
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is not None:
            _observation_weights(name, given, n)
    weights = fweights if aweights is None else aweights
    if fweights is not None and aweights is not None:
        weights = fweights * aweights
    total: Any = n
    if weights is not None:
        weights = weights.reshape(-1)
        total = weights.sum()
        if not _known(total != 0):
            raise RuntimeError("cov(): weights sum to zero, can't be normalized")
    means = rows.sum(1) / total if weights is None else (rows * weights).sum(1) / total
    if aweights is None or weights is None or correction == 0:
        freedom = total - correction
    else:
        freedom = total - correction * (weights * aweights.reshape(-1)).sum() / total
    if not (_known(freedom > 0) if isinstance(freedom, Tensor) else freedom > 0):
        warnings.warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations.",
            stacklevel=2,
        )
    if isinstance(freedom, Tensor):
        freedom = freedom.clamp_min(0)
    apart = rows - means.unsqueeze(1)
    others = apart if weights is None else apart * weights
    found = apart @ others.t() / (freedom if isinstance(freedom, Tensor) else max(freedom, 0))
    return found.squeeze()


@op
def corrcoef(input: Tensor) -> Tensor:
    """Returns the correlations of the variables in the rows of input, [rows, rows]; 1 for a vector.

    Raises RuntimeError for more than 2 dims and for bools.
    """
    must_be_tensors("corrcoef", input=input)
    if input.ndim > 2:
        raise RuntimeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions"
        )
    found = cov(input)
    if not found.ndim:
        return found / found
    spread = found.diagonal().sqrt()
    return (found / spread.unsqueeze(1) / spread.unsqueeze(0)).clamp(-1, 1)


# ---- a histogram -----------------------------------------------------------------------------------------


@op
@passes_on(lib.ag_histc)
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Returns how many elements lie in each of `bins` equal parts of [min, max], in the dtype of input (floats).

    Where min and max are equal, they are the least and the largest element. Elements outside do not count.
    Raises RuntimeError for ends that are not finite or in the wrong order, and for no bins.
    """


class histogram_result(NamedTuple):
    """What histogram returns."""

    hist: Tensor
    bin_edges: Tensor


def _bin_edges(input: Tensor, bins: Any, range: Any) -> Tensor:
    """The edges of the bins of a histogram: those given, or of equal parts of a range."""
    is_number = range is not None and not getattr(bins, "ndim", 0)  # of a tensor as well
    if isinstance(bins, Tensor) and not (is_number and not bins.dtype.is_floating_point):
        if range is not None:
            raise TypeError("histogram(): range is for a number of bins, not for their edges")
        return bins.detach()
    bins = int_argument("histogram", "bins", bins)
    if bins <= 0:
        raise RuntimeError(f"histogram(): bins must be > 0, but got {bins}")
    low, high = 0.0, 1.0
    if range is not None:
        must_be_sequence("histogram", "range", range)
        if any(isinstance(end, Tensor) for end in range):
            raise TypeError("histogram(): argument 'range' must be tuple of floats, not of tensors")
        ends = [float(number_argument("histogram", "range", end)) for end in range]
        if len(ends) != 2:
            raise RuntimeError(f"histogram(): range should have 2 elements, but got {len(ends)}")
        low, high = ends
        if low > high:
            raise RuntimeError(
                f"histogram(): min should not exceed max, but got min {low} max {high}"
            )
    elif input.numel():
        low, high = input.detach().amin().item(), input.detach().amax().item()
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"histogram(): range [{low}, {high}] is not finite")
    if low == high:
        low, high = low - 0.5, high + 0.5
    return linspace(low, high, bins + 1, dtype=input.dtype)


@op
def histogram(
    input: Tensor,
    bins: Any = 100,
    *,
    range: Any = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> histogram_result:
    """Returns (hist, bin_edges): how many elements, or what sum of their weights, lie in each bin; floats, no gradient.

    bins is their number, for equal parts of range (or of what lies between the least and the largest element), or a
    vector of their edges. The last bin holds its right edge too; elements outside do not count. density: divided by
    the sum and by the widths of the bins. Raises RuntimeError for sizes, dtypes and ranges that do not fit.
    """
    must_be_tensors("histogram", input=input)
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f"histogram is not implemented for {input.dtype}")
    edges = _bin_edges(input, bins, range)
    weights = NO_TENSOR if weight is None else weight
    by_width = bool_argument("histogram", "density", density)
    return histogram_result(call(lib.ag_histogram, input, edges, weights, by_width), edges)


__all__ = public_names(globals())
