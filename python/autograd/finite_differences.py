"""Compares the gradients of a function with finite differences, to first and second order."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Callable

from . import creation, dtypes
from .tensor import Tensor

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

Matrix = list[list[float]]  # a row per element of an input, a column per element of an output


class GradcheckError(RuntimeError):
    """A gradient differs from finite differences."""


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _flat(tensor: Tensor) -> list[float]:
    return tensor.detach().reshape(-1).tolist()


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b))


class _Function:
    """A function to check, with its inputs: those that require grad are moved and differentiated by."""

    def __init__(self, func: Callable[..., Any], inputs: Sequence[Any]) -> None:
        self.func, self.inputs = func, inputs
        self.sources = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]

    def outputs(self, inputs: Sequence[Any] | None = None) -> list[Tensor]:
        """The float tensors among the results."""
        results = _as_tuple(self.func(*(self.inputs if inputs is None else inputs)))
        return [y for y in results if isinstance(y, Tensor) and y.dtype.is_floating_point]

    def moved(self, x: Tensor, step: Tensor) -> list[list[float]]:
        """The elements of the outputs with x + step in the place of x."""
        shifted = (x.detach() + step).requires_grad_()
        return [_flat(y) for y in self.outputs([shifted if v is x else v for v in self.inputs])]

    def difference(self, x: Tensor, direction: Tensor, eps: float) -> list[list[float]]:
        """The central difference of all outputs along a direction of x."""
        above, below = self.moved(x, direction * eps), self.moved(x, direction * -eps)
        return [
            [(p - q) / (2 * eps) for p, q in zip(ups, downs)] for ups, downs in zip(above, below)
        ]

    def gradients(
        self, outputs: Sequence[Tensor], vectors: Sequence[Tensor], create: bool = False
    ) -> list[Tensor | None]:
        """The gradients of sum_i <vectors[i], outputs[i]> by the sources; None for no dependence."""
        from .func.differentials import gradients

        return gradients(outputs, self.sources, vectors, True, create)


def _unit(like: Tensor, position: int) -> Tensor:
    numbers = [0.0] * like.numel()
    numbers[position] = 1.0
    return creation.tensor(numbers, dtype=like.dtype).reshape(like.shape)


def _units(like: Tensor) -> list[Tensor]:
    return [_unit(like, i) for i in range(like.numel())]


# ---- whole Jacobians -------------------------------------------------------------------------------------


def _numerical(function: _Function, x: Tensor, n_outputs: int, eps: float) -> list[Matrix]:
    columns = [function.difference(x, unit, eps) for unit in _units(x)]
    return [[column[i] for column in columns] for i in range(n_outputs)]


def _transposed(rows: Matrix, n: int) -> Matrix:
    return [[row[i] for row in rows] for i in range(n)]


def _analytical(function: _Function, output: Tensor) -> list[Matrix]:
    """By source: the Jacobian of one output in reverse mode."""
    rows: list[Matrix] = [[] for _ in function.sources]
    for unit in _units(output):
        for j, gradient in enumerate(function.gradients([output], [unit])):
            size = function.sources[j].numel()
            rows[j].append([0.0] * size if gradient is None else _flat(gradient))
    return [_transposed(each, x.numel()) for each, x in zip(rows, function.sources)]


def _forward(function: _Function, outputs: Sequence[Tensor]) -> list[list[Matrix]]:
    """By output and source: the Jacobian in forward mode."""
    from .func.transforms import linearize

    places = [i for i, v in enumerate(function.inputs) if any(v is x for x in function.sources)]

    def of_sources(*moving: Tensor) -> tuple[Tensor, ...]:
        given = list(function.inputs)
        for i, x in zip(places, moving):
            given[i] = x
        return tuple(function.outputs(given))

    _, push = linearize(of_sources, *[x.detach() for x in function.sources])
    zeros = [creation.zeros_like(x) for x in function.sources]
    found: list[list[Matrix]] = [[] for _ in outputs]
    for j, x in enumerate(function.sources):
        columns = [push(*zeros[:j], unit, *zeros[j + 1 :]) for unit in _units(x)]
        for i in range(len(outputs)):
            found[i].append([_flat(column[i]) for column in columns])
    return found


def _agree(found: Matrix, expected: Matrix, atol: float, rtol: float) -> bool:
    return all(
        abs(a - n) <= atol + rtol * abs(n)
        for found_row, row in zip(found, expected)
        for a, n in zip(found_row, row)
    )


def _mismatch(i: int, j: int, expected: Matrix, found: Matrix, mode: str) -> GradcheckError:
    return GradcheckError(
        f"Jacobian mismatch for output {i} with respect to input {j},\n"
        f"numerical:{_shown(expected)}\nanalytical ({mode}):{_shown(found)}\n"
        "Each row belongs to an element of the input, each column to one of the output."
    )


def _shown(matrix: Matrix) -> str:
    return str(creation.tensor(matrix, dtype=dtypes.float64))


class _Tolerances:
    def __init__(self, eps: float, atol: float, rtol: float, nondet: float) -> None:
        self.eps, self.atol, self.rtol, self.nondet = eps, atol, rtol, nondet


def _check_all(
    function: _Function, outputs: Sequence[Tensor], t: _Tolerances, backward: bool, forward: bool
) -> None:
    numerical = [_numerical(function, x, len(outputs), t.eps) for x in function.sources]
    in_forward = _forward(function, outputs) if forward else []
    for i, output in enumerate(outputs):
        analytical = _analytical(function, output) if backward else []
        for j in range(len(function.sources)):
            expected = numerical[j][i]
            if forward and not _agree(in_forward[i][j], expected, t.atol, t.rtol):
                raise _mismatch(i, j, expected, in_forward[i][j], "forward mode")
            if backward and not _agree(analytical[j], expected, t.atol, t.rtol):
                raise _mismatch(i, j, expected, analytical[j], "backward")
        if backward:
            again = _analytical(function, output)
            if not all(_agree(a, b, t.nondet, 0.0) for a, b in zip(analytical, again)):
                raise GradcheckError(_NOT_REENTRANT.format(t.nondet))


_NOT_REENTRANT = (
    "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives "
    "different values, although analytical gradient matches numerical gradient. The tolerance for nondeterminism "
    "was {}."
)


# ---- one random projection -------------------------------------------------------------------------------


def _check_projection(
    function: _Function, outputs: Sequence[Tensor], t: _Tolerances, backward: bool, forward: bool
) -> None:
    """<v, J u> for random u and v, in both modes and by differences."""
    vectors = [creation.randn(y.shape, dtype=y.dtype) for y in outputs]
    analytical = function.gradients(outputs, vectors)
    in_forward = _forward_projection(function) if forward else None
    for j, x in enumerate(function.sources):
        direction = creation.randn(x.shape, dtype=x.dtype)
        change = function.difference(x, direction, t.eps)
        expected = math.fsum(_dot(_flat(v), d) for v, d in zip(vectors, change))
        gradient = analytical[j]
        found = 0.0 if gradient is None else _dot(_flat(gradient), _flat(direction))
        # As many elements take part as there are in the direction and the vectors.
        atol = t.atol * max(1.0, math.sqrt(x.numel() * sum(y.numel() for y in outputs)))
        if backward and not abs(found - expected) <= atol + t.rtol * abs(expected):
            raise _mismatch(0, j, [[expected]], [[found]], "backward, projected on random vectors")
        if in_forward is not None:
            pushed = in_forward(j, direction)
            found = math.fsum(_dot(_flat(v), _flat(p)) for v, p in zip(vectors, pushed))
            if not abs(found - expected) <= atol + t.rtol * abs(expected):
                raise _mismatch(0, j, [[expected]], [[found]], "forward mode, projected")


def _forward_projection(function: _Function) -> Callable[[int, Tensor], Sequence[Tensor]]:
    from .func.transforms import jvp

    def push(j: int, direction: Tensor) -> Sequence[Tensor]:
        x = function.sources[j]

        def of_one(moving: Tensor) -> tuple[Tensor, ...]:
            return tuple(function.outputs([moving if v is x else v for v in function.inputs]))

        return jvp(of_one, (x.detach(),), (direction,))[1]

    return push


# ---- further checks --------------------------------------------------------------------------------------


def _check_multiplied(function: _Function, outputs: Sequence[Tensor]) -> None:
    """Of a single number a gradient is compared for the vector 1 alone, which a rule may have forgotten."""
    moving = [y for y in outputs if y.requires_grad]
    if not moving:
        return
    for gradient in function.gradients(moving, [creation.zeros_like(y) for y in moving]):
        if gradient is not None and any(v != 0 for v in _flat(gradient)):
            raise GradcheckError("backward not multiplied by grad_output")


def _check_undefined(function: _Function, outputs: Sequence[Tensor]) -> None:
    """An output without a gradient counts as one with the gradient zero."""
    moving = [y for y in outputs if y.requires_grad]
    for i, output in enumerate(moving if len(moving) > 1 else []):
        one = creation.ones_like(output)
        try:
            alone = function.gradients([output], [one])
        except Exception as error:
            raise GradcheckError(
                "Expected backward function to handle undefined output grads. Please look at the gradients of a "
                f"function whose outputs are not all used (only output {i} was): {error!r}"
            ) from error
        zeros = [creation.zeros_like(y) for y in moving]
        zeros[i] = one
        for a, b in zip(alone, function.gradients(moving, zeros)):
            first, second = ([0.0] if g is None else _flat(g) for g in (a, b))
            if not all(abs(p - q) <= 1e-9 for p, q in zip(first, second)):
                raise GradcheckError(
                    "Expected all inputs to have the same gradients for undefined output grads as for zeros"
                )


def _check_dtypes(function: _Function, outputs: Sequence[Tensor]) -> None:
    for output in outputs:
        for gradient, x in zip(
            function.gradients([output], [creation.ones_like(output)]), function.sources
        ):
            if gradient is not None and gradient.dtype is not x.dtype:
                raise GradcheckError(
                    f"Gradient has dtype mismatch: {gradient.dtype} for an input of {x.dtype}"
                )


def _check_batched(function: _Function, outputs: Sequence[Tensor]) -> None:
    """Gradients of several vectors at once against one after the other."""
    from .func.jacobians import mapped
    from .ops import stack

    for output in outputs:
        if not output.requires_grad:
            continue
        vectors = [creation.randn(output.shape, dtype=output.dtype) for _ in range(2)]

        def pull(v: list[Tensor], output: Tensor = output) -> list[Tensor]:
            found = function.gradients([output], v)
            return [
                creation.zeros_like(x) if g is None else g for g, x in zip(found, function.sources)
            ]

        singly = [pull([v]) for v in vectors]
        for j, together in enumerate(mapped(pull, [stack(vectors)])):
            found, expected = _flat(together), _flat(stack([one[j] for one in singly]))
            if not _agree([found], [expected], 1e-9, 1e-9):
                raise GradcheckError(
                    "While computing batched gradients, got: different values from vmap over the backward pass and "
                    f"from a loop, for input {j}"
                )


def _check_inputs(sources: Sequence[Tensor]) -> None:
    if not sources:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, "
            "but none of the them have requires_grad=True."
        )
    for i, x in enumerate(sources):
        if x.dtype is not dtypes.float64:
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or complex. "
                "This check will likely fail if all the inputs are not of double precision floating point or complex. ",
                stacklevel=4,
            )
        if any(step == 0 and n > 1 for step, n in zip(x.stride(), x.shape)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are "
                "non-overlapping to be able to compute the numerical gradients correctly. You should call "
                ".contiguous on the input before passing it to gradcheck."
            )


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Returns True if the gradients of func agree with finite differences.

    inputs: a tensor or tuple; those that require grad are checked and should be float64.
    Compared are all elements of the Jacobian, or with fast_mode one random projection of it:
    |gradient - difference| <= atol + rtol * |difference|. The gradients are those of the backward pass
    (check_backward_ad), of forward mode (check_forward_ad), or both; computed twice they must differ by at most
    nondet_tol, and of zeros they must be zero. check_undefined_grad: outputs that are not used must count as zero.
    check_batched_grad: gradients of many vectors at once must equal those of one after the other. masked is accepted
    for PyTorch's sake.

    Raises GradcheckError, or returns False if raise_exception is False; ValueError if no input requires grad.
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError(
            "Expected at least one of check_forward_ad or check_backward_ad to be True"
        )
    if check_batched_grad and not check_backward_ad:
        raise AssertionError(
            "Setting check_batched_grad=True requires check_backward_ad to be True"
        )
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError(
            "Setting check_batched_forward_grad=True requires check_forward_ad to be True"
        )
    function = _Function(func, _as_tuple(inputs))
    _check_inputs(function.sources)
    tolerances = _Tolerances(eps, atol, rtol, nondet_tol)
    compare = _check_projection if fast_mode else _check_all
    try:
        outputs = function.outputs()
        compare(function, outputs, tolerances, check_backward_ad, check_forward_ad)
        if check_backward_ad:
            _check_multiplied(function, outputs)
        if check_backward_ad and check_undefined_grad:
            _check_undefined(function, outputs)
        if check_grad_dtypes:
            _check_dtypes(function, outputs)
        if check_batched_grad:
            _check_batched(function, outputs)
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
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Returns True if the gradients of the gradients of func agree with finite differences.

    The gradients of func, with respect to inputs, are taken as a function of inputs and grad_outputs (random unless
    given; gen_non_contig_grad_outputs: with gaps in memory), which gradcheck() then checks: in the backward pass
    (check_rev_over_rev), in forward mode (check_fwd_over_rev), or both.
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError(
            "Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True"
        )
    function = _Function(func, _as_tuple(inputs))
    if grad_outputs is None:
        outputs = [y for y in function.outputs() if y.requires_grad]
        grad_outputs = [_random_like(y, gen_non_contig_grad_outputs) for y in outputs]
    vectors = _as_tuple(grad_outputs)
    n = len(function.inputs)

    def gradients(*arguments: Any) -> tuple[Tensor, ...]:
        inner = _Function(func, arguments[:n])
        outputs = [y for y in inner.outputs() if y.requires_grad]
        found = inner.gradients(outputs, arguments[n:], create=True)
        return tuple(result for result in found if result is not None)

    return gradcheck(
        gradients,
        (*function.inputs, *vectors),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
        masked=masked,
    )


def _random_like(output: Tensor, with_gaps: bool) -> Tensor:
    if not with_gaps:
        return creation.randn(output.shape, dtype=output.dtype, requires_grad=True)
    wide = creation.randn((*output.shape, 2), dtype=output.dtype)
    return wide[..., 0].detach().requires_grad_()
