"""Special functions: what PyTorch keeps in ``torch.special``; many are functions of ``autograd`` under other names."""

from __future__ import annotations

import math
from typing import Any

from .dtypes import get_default_dtype
from .operands import as_dtype, must_be_tensors, tensor_argument
from .ops.kinds import result_type
from .ops.pointwise import (
    digamma,
    entr,
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
    i0,
    i0e,
    i1,
    i1e,
    igamma,
    igammac,
    isfinite,
    lgamma,
    log1p,
    logit,
    mul,
    polygamma,
    round,
    sigmoid,
    sinc,
    where,
    xlogy,
)
from .ops.probabilities import log_softmax, softmax
from .ops.reductions import logsumexp, mvlgamma
from .tensor import Tensor

__all__ = [
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfinv",
    "exp2",
    "expit",
    "expm1",
    "gammainc",
    "gammaincc",
    "gammaln",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "log1p",
    "log_softmax",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "polygamma",
    "psi",
    "round",
    "sinc",
    "softmax",
    "xlog1py",
    "xlogy",
]

expit, gammainc, gammaincc, gammaln = sigmoid, igamma, igammac, lgamma
multigammaln, psi = mvlgamma, digamma


def ndtr(input: Tensor) -> Tensor:
    """Returns the probability that a standard normal number is below x, elementwise."""
    must_be_tensors("ndtr", input=input)
    return mul(erfc(mul(input, -math.sqrt(0.5))), 0.5)


def xlog1py(input: Any, other: Any) -> Tensor:
    """Returns x log(1 + y), elementwise and broadcast; 0 where x is 0, unless y is NaN. One may be a number."""
    if not isinstance(input, Tensor):
        must_be_tensors("xlog1py", other=other)
    kind = result_type(input, other)
    kind = kind if kind.is_floating_point else get_default_dtype()
    x = as_dtype(tensor_argument("xlog1py", "input", input), kind)
    y = as_dtype(tensor_argument("xlog1py", "other", other), kind)
    logarithm = log1p(y)
    vanishes = (x == 0) & ~isfinite(logarithm) & (y == y)
    return mul(x, where(vanishes, 0.0, logarithm))
