"""Random numbers that depend on tensors, and tensors filled with them."""

from __future__ import annotations

from typing import Any

from .. import creation
from .._arguments import ends
from .._capi import call, lib
from ..binding import function_only as function
from ..binding import method, op, public_names
from ..dtypes import dtype as _dtype
from ..dtypes import float64
from ..operands import in_place, must_be_tensors, number_argument
from ..random import takes_generator
from ..tensor import Tensor

_MANTISSA = {"float32": 24, "float64": 53, "int32": 31, "int64": 63, "uint8": 8, "bool": 1}


@op
@takes_generator
def bernoulli(input: Tensor, p: float | None = None) -> Tensor:
    """Returns 1 with probability input (or p, if given), else 0, in the dtype of input; no gradient.

    Raises RuntimeError unless all probabilities are in [0, 1].
    """
    if p is None:
        return call(lib.ag_bernoulli, input)
    must_be_tensors("bernoulli", input=input)
    if isinstance(p, Tensor) and p.ndim:
        raise TypeError("bernoulli(): argument 'p' must be float, not Tensor")
    chances = creation.full((), _chance("bernoulli", p), dtype=float64).expand(input.shape)
    return call(lib.ag_bernoulli, chances).to(input.dtype)


def _chance(function: str, p: Any) -> float:
    p = number_argument(function, "p", p)
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")
    return p


@method
@takes_generator
def bernoulli_(self: Tensor, p: Any = 0.5) -> Tensor:
    """Fills with 1 with probability p, a number or a tensor, else 0, and returns the tensor itself."""
    if not isinstance(p, Tensor):
        p = creation.full((), _chance("bernoulli_", p), dtype=float64)
    drawn = call(lib.ag_bernoulli, p.detach().expand(self.shape))
    if lib.ag_vmap_depth_of(p) < lib.ag_vmap_depth_of(drawn) > lib.ag_vmap_depth_of(self):
        raise RuntimeError(
            "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will appear like same "
            "randomness (bernoulli_)"
        )
    return self.copy_(drawn)


@op
@takes_generator
def poisson(input: Tensor) -> Tensor:
    """Returns how many events of each rate, input, there are in a unit of time, in the dtype of input.

    Its gradient is 0. Raises RuntimeError for a negative rate, NotImplementedError for integers.
    """
    return call(lib.ag_poisson, input)


@function
@takes_generator
def binomial(count: Tensor, prob: Tensor) -> Tensor:
    """Returns how many of count trials succeed, with probability prob each, in the dtype of both.

    The tensors broadcast; the gradient is 0. Raises ValueError for integers, RuntimeError for different dtypes.
    """
    return call(lib.ag_binomial, count, prob)


@function
@takes_generator
def standard_gamma(input: Tensor) -> Tensor:
    """Returns a number of the gamma distribution of each shape, input > 0, and rate 1.

    Gradients flow to the shapes: how the number moves where its probability is kept (Figurnov, Mohamed and Mnih,
    "Implicit Reparameterization Gradients", 2018). Raises NotImplementedError for integers.
    """
    return call(lib.ag_standard_gamma, input)


@op
@takes_generator
def multinomial(input: Tensor, num_samples: int, replacement: bool = False) -> Tensor:
    """Returns int64 positions drawn with the weights of each row of [n] or [rows, n], different unless replacement.

    Raises RuntimeError for negative or infinite weights, rows of zeros, and more samples than positions.
    """
    return call(lib.ag_multinomial, input, num_samples, replacement)


@function
@takes_generator
def normal(
    mean: Any,
    std: Any = 1.0,
    size: Any = None,
    *,
    dtype: _dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns normal numbers of the given mean and deviation: tensors that broadcast, or two numbers and a size.

    Raises RuntimeError for a negative deviation, except while a compiled function is captured.
    """
    if isinstance(std, Tensor):
        std = std.detach()
        if not lib.ag_compiled_is_capturing() and not creation.hold_everywhere(~(std < 0)):
            raise RuntimeError("normal expects all elements of std >= 0.0")
    elif not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        if size is None:
            raise TypeError("normal(): argument 'size' is missing: normal(mean, std, size)")
        result = creation.randn(size, dtype=dtype, device=device).mul_(std).add_(mean)
        return result.requires_grad_() if requires_grad else result
    model = mean.detach() if isinstance(mean, Tensor) else std * 0
    center = model if isinstance(mean, Tensor) else mean
    spread = (
        creation.randn_like(model + std) if isinstance(std, Tensor) else creation.randn_like(model)
    )
    return spread * std + center


@function
@takes_generator
def randint_like(
    input: Tensor,
    low: int,
    high: int | None = None,
    *,
    dtype: _dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Returns random integers in [low, high), or in [0, low), of the sizes and dtype of input."""
    if high is None:
        low, high = 0, low
    return creation.randint(
        low,
        high,
        input.shape,
        dtype=dtype or input.dtype,
        device=device,
        requires_grad=requires_grad,
    )


@method
@takes_generator
def random_(self: Tensor, low: int | None = None, high: int | None = None, **named: Any) -> Tensor:
    """Fills with integers uniform in [low, high), [0, low), or all the dtype holds exactly; returns itself.

    By name the ends are ``from``, which has to be written ``**{"from": low}``, and ``to``.
    """
    low, high = ends("random_", low, high, named)
    if low is None and high is not None:
        low, high = high, None
    if low is None:
        digits = _MANTISSA[str(self.dtype).rpartition(".")[2]]
        low, high = 0, min(1 << digits, (1 << 63) - 1)
    elif high is None:
        low, high = 0, low
    return in_place(lib.ag_random_, self, low, high)


@method
@takes_generator
def exponential_(self: Tensor, lambd: float = 1.0) -> Tensor:
    """Fills with numbers of the density lambd e^(-lambd x) and returns the tensor itself."""
    return in_place(lib.ag_exponential_, self, lambd)


@method
@takes_generator
def log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0) -> Tensor:
    """Fills with e to normal numbers and returns the tensor itself."""
    return in_place(lib.ag_log_normal_, self, mean, std)


@method
@takes_generator
def cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0) -> Tensor:
    """Fills with numbers of the density sigma / (pi (sigma^2 + (x - median)^2)) and returns the tensor itself."""
    return in_place(lib.ag_cauchy_, self, median, sigma)


@method
@takes_generator
def geometric_(self: Tensor, p: float) -> Tensor:
    """Fills with trials to the first success, each with probability p in (0, 1), and returns the tensor itself."""
    return in_place(lib.ag_geometric_, self, p)


__all__ = public_names(globals())
