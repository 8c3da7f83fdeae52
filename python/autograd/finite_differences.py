"""Compares the gradients of a function with finite differences, to first and second order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from . import creation, dtypes, ranges
from .tensor import Tensor

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A gradient differs from finite differences."""


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _differentiable(values: Sequence[Any]) -> list[Tensor]:
    return [value for value in values if isinstance(value, Tensor) and value.requires_grad]


def _dot(vectors: Sequence[Tensor], outputs: Sequence[Tensor]) -> float:
    """sum_i <vectors[i], outputs[i]>."""
    return sum(float((v * y.detach()).sum()) for v, y in zip(vectors, outputs))


def _outputs(func: Callable[..., Any], inputs: Sequence[Any]) -> list[Tensor]:
    return [
        y for y in _as_tuple(func(*inputs)) if isinstance(y, Tensor) and y.dtype.is_floating_point
    ]


def _moved(
    func: Callable[..., Any], inputs: Sequence[Any], x: Tensor, step: Tensor
) -> list[Tensor]:
    """The outputs with x + step in the place of x."""
    moved = (x.detach() + step).requires_grad_()
    return _outputs(func, [moved if value is x else value for value in inputs])


def _numeric(
    func: Callable[..., Any],
    inputs: Sequence[Any],
    x: Tensor,
    direction: Tensor,
    vectors: Sequence[Tensor],
    eps: float,
) -> float:
    """The central difference of sum_i <vectors[i], outputs[i]> along a direction of x."""
    above = _dot(vectors, _moved(func, inputs, x, direction * eps))
    below = _dot(vectors, _moved(func, inputs, x, direction * -eps))
    return (above - below) / (2 * eps)


def _directions(x: Tensor, fast_mode: bool) -> list[Tensor]:
    """The directions to differentiate along: a random one, or all unit vectors."""
    if fast_mode:
        return [creation.randn(x.shape, dtype=x.dtype)]
    units = ranges.eye(x.numel(), dtype=x.dtype)
    return [units[i].reshape(x.shape) for i in range(x.numel())]


def _projections(outputs: Sequence[Tensor], fast_mode: bool) -> list[list[Tensor]]:
    """The combinations of output elements to check: one random one, or each element alone."""
    if fast_mode:
        return [[creation.randn(y.shape, dtype=y.dtype) for y in outputs]]
    result = []
    for k, y in enumerate(outputs):
        for unit in _directions(y, False):
            result.append(
                [unit if i == k else creation.zeros_like(other) for i, other in enumerate(outputs)]
            )
    return result


def _compare(
    func: Callable[..., Any],
    inputs: Sequence[Any],
    eps: float,
    atol: float,
    rtol: float,
    fast_mode: bool,
) -> None:
    from .autograd import grad

    sources = _differentiable(inputs)
    outputs = _outputs(func, inputs)
    for vectors in _projections(outputs, fast_mode):
        # An output without history has the gradient 0, and the differences must say so too.
        recorded = [(y, v) for y, v in zip(outputs, vectors) if y.requires_grad]
        roots, weights = [y for y, _ in recorded], [v for _, v in recorded]
        analytic: Sequence[Tensor | None] = [None] * len(sources)
        if roots:
            analytic = grad(roots, sources, weights, retain_graph=True, allow_unused=True)
        for number, (x, gradient) in enumerate(zip(sources, analytic)):
            for direction in _directions(x, fast_mode):
                expected = _numeric(func, inputs, x, direction, vectors, eps)
                found = 0.0 if gradient is None else float((gradient.detach() * direction).sum())
                if not abs(found - expected) <= atol + rtol * abs(expected):
                    raise GradcheckError(
                        f"Jacobian mismatch for differentiable input {number} of sizes {tuple(x.shape)}: "
                        f"finite differences give {expected}, backward gives {found}, "
                        f"along the direction {direction.tolist()}"
                    )


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    fast_mode: bool = False,
) -> bool:
    """Returns True if the gradients of func agree with finite differences.

    inputs: a tensor or tuple; those that require grad are checked and must be float64.
    Compared are all elements of the Jacobian, or with fast_mode one random projection of it:
    |backward - difference| <= atol + rtol * |difference|.

    Raises GradcheckError, or returns False if raise_exception is False; ValueError if no input requires grad.
    """
    inputs = _as_tuple(inputs)
    sources = _differentiable(inputs)
    if not sources:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, "
            "but none of the them have requires_grad=True."
        )
    for x in sources:
        if x.dtype is not dtypes.float64:
            raise ValueError(
                f"gradcheck needs float64 inputs: differences of {x.dtype} are too rough"
            )
    try:
        _compare(func, inputs, eps, atol, rtol, fast_mode)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    fast_mode: bool = False,
) -> bool:
    """Returns True if the gradients of the gradients of func agree with finite differences.

    The gradients of func, with respect to inputs, are taken as a function of inputs and grad_outputs (random unless
    given), which gradcheck() then checks.
    """
    from .autograd import grad

    inputs = _as_tuple(inputs)
    if grad_outputs is None:
        outputs = [y for y in _outputs(func, inputs) if y.requires_grad]
        grad_outputs = [creation.randn(y.shape, dtype=y.dtype, requires_grad=True) for y in outputs]
    vectors = _as_tuple(grad_outputs)
    n = len(inputs)

    def gradients(*arguments: Any) -> tuple[Tensor, ...]:
        sources = _differentiable(arguments[:n])
        outputs = [y for y in _outputs(func, arguments[:n]) if y.requires_grad]
        results = grad(outputs, sources, arguments[n:], create_graph=True, allow_unused=True)
        return tuple(result for result in results if result is not None)

    return gradcheck(
        gradients,
        (*inputs, *vectors),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        fast_mode=fast_mode,
    )
