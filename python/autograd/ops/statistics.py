"""Covariances, and a histogram."""

from __future__ import annotations

import warnings
from typing import Any

from .._arguments import int_argument
from .._capi import lib
from ..binding import op, passes_on, public_names
from ..creation import hold_everywhere
from ..dtypes import bool_
from ..operands import must_be_tensors
from ..tensor import Tensor

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


__all__ = public_names(globals())
