"""The softmax family, as torch.nn.functional has it: dim may be left out, with a warning."""

from __future__ import annotations

import warnings

from ... import creation, ops
from ..._capi import call, lib
from ...dtypes import dtype as _dtype
from ...operands import as_dtype
from ...ranges import arange
from ...tensor import Tensor

__all__ = ["gumbel_softmax", "log_softmax", "softmax", "softmin"]


def _dim(name: str, input: Tensor, stacklevel: int) -> int:
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if input.ndim in (0, 1, 3) else 1


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: _dtype | None = None
) -> Tensor:
    """Returns e^x / sum e^x along dim, computed from input converted to dtype if one is given.

    Without dim, with a warning, dim 0 of 0, 1 or 3 dims is meant, else dim 1.
    """
    if dim is None:
        dim = _dim("softmax", input, _stacklevel)
    return call(lib.ag_softmax, input if dtype is None else as_dtype(input, dtype), dim)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: _dtype | None = None
) -> Tensor:
    """Returns x - log sum e^x along dim, computed from input converted to dtype if one is given.

    Without dim as softmax().
    """
    if dim is None:
        dim = _dim("log_softmax", input, _stacklevel)
    return call(lib.ag_log_softmax, input if dtype is None else as_dtype(input, dtype), dim)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: _dtype | None = None
) -> Tensor:
    """Returns e^-x / sum e^-x along dim, computed from input converted to dtype if one is given.

    Without dim as softmax().
    """
    if dim is None:
        dim = _dim("softmin", input, _stacklevel)
    negative = -input
    return call(lib.ag_softmax, negative if dtype is None else as_dtype(negative, dtype), dim)


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """Returns softmax((logits + Gumbel noise) / tau) along dim, a differentiable draw from the distribution of logits.

    hard gives one-hot results whose gradient is that of the soft ones. eps has no effect.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    noise = -creation.empty_like(logits).exponential_().log()
    soft = call(lib.ag_softmax, (logits + noise) / tau, dim)
    if not hard:
        return soft
    place = ops.argmax(soft.detach(), dim, True)
    sizes = [1] * soft.ndim
    if sizes:
        sizes[dim] = soft.shape[dim]
    numbers = arange(soft.size(dim) if sizes else 1).reshape(sizes)
    return (numbers == place).to(soft.dtype) - soft.detach() + soft
