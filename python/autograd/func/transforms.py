"""grad, value_and_grad, vjp, jvp, linearize and hvp: derivatives of functions as functions."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Callable

from .._capi import call, lib
from ..creation import ones_like, zeros_like
from ..grad_mode import is_grad_enabled
from ..tensor import Tensor
from .differentials import (
    Traced,
    flat_outputs,
    gradients,
    or_zeros,
    recordable,
    trace,
    trace_all,
)
from .pytree import flatten, map_leaves, unflatten

__all__ = ["grad", "grad_and_value", "hvp", "jvp", "linearize", "value_and_grad", "vjp"]


# ---- gradients of functions with one number as result ----------------------------------------------------


def _scalar(output: Any) -> Tensor:
    api = "grad_and_value(f)(*args)"
    if not isinstance(output, Tensor):
        raise RuntimeError(f"{api}: Expected f(*args) to return a Tensor, got {type(output)}")
    if output.dim() != 0:
        raise RuntimeError(
            f"{api}: Expected f(*args) to return a scalar Tensor, got tensor with {output.dim()} dims. "
            "Maybe you wanted to use the vjp or jacrev APIs instead?"
        )
    return output


def grad_and_value(
    func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Returns a function that computes (gradient, value) of func, which returns a tensor with one element and no dims.

    argnums: which positional arguments to differentiate by; for a tuple the gradient is a tuple. Arguments may be
    tuples, lists and dicts of tensors; the gradient has the same structure. With has_aux func returns (value, aux),
    and the result is (gradient, (value, aux)).

    Raises RuntimeError for any other result of func, or argnums out of range.
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        traced = trace(func, argnums, args, kwargs)
        output, aux = traced.split(has_aux, "grad_and_value(f)(*args)")
        value = _scalar(output)
        on = traced.goes_on([value])
        found = gradients([value], traced.inputs, [ones_like(value)], on, on)
        gradient = traced.tree(or_zeros(found, traced.inputs))
        value = value if on or not value.requires_grad else value.detach()
        return gradient, ((value, aux) if has_aux else value)

    return wrapper


def value_and_grad(
    func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """As :func:`grad_and_value`, but the results are (value, gradient), or ((value, aux), gradient)."""
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return value, gradient

    return wrapper


def grad(
    func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Returns a function that computes the gradient of func, whose result is one number.

    The other arguments are those of :func:`grad_and_value`; with has_aux the result is (gradient, aux).
    ``grad(grad(f))`` is the second derivative, ``vmap(grad(f))`` the gradient for each example.
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapper


# ---- vector times Jacobian -------------------------------------------------------------------------------


class Pullback:
    """v -> v J, for the Jacobian J of a function that has been called."""

    def __init__(self, traced: Traced, outputs: Sequence[Tensor]) -> None:
        self.traced, self.outputs = traced, outputs
        self.nested = traced.goes_on(outputs)

    def __call__(self, vectors: Sequence[Tensor], create: bool | None = None) -> list[Tensor]:
        """One gradient per input; the vectors have the sizes of the outputs."""
        if create is None:
            create = is_grad_enabled() and (self.nested or any(v.requires_grad for v in vectors))
        inputs = self.traced.inputs
        return or_zeros(gradients(self.outputs, inputs, vectors, True, create), inputs)


def _check_floats(outputs: Sequence[Tensor]) -> None:
    for output in outputs:
        if not output.dtype.is_floating_point:
            raise RuntimeError(
                "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, "
                f"got Tensor with dtype {output.dtype}"
            )


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Returns (func(*primals), vjp_fn), where vjp_fn(v) is v times the Jacobian of func at primals.

    v has the structure and sizes of the result. vjp_fn may be called many times; it returns a tuple, an
    entry per primal. With has_aux func returns (result, aux), and so (result, vjp_fn, aux) is returned.

    Raises RuntimeError if func returns anything but tensors, or v does not fit.
    """
    traced = trace_all(func, primals)
    output, aux = traced.split(has_aux, "vjp(f, *primals)")
    outputs, spec = flat_outputs(output, "vjp(f, *primals)")
    _check_floats(outputs)
    pullback = Pullback(traced, outputs)

    def vjp_fn(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        vectors, found = flatten(cotangents)
        if found != spec:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the "
                f"function. cotangents: {found!r}, primal output: {spec!r}"
            )
        return traced.tree(pullback(vectors, create_graph))

    result = map_leaves(traced.freed, output)
    return (result, vjp_fn, aux) if has_aux else (result, vjp_fn)


# ---- Jacobian times vector -------------------------------------------------------------------------------


class Pushforward:
    """t -> J t, for the Jacobian J of a function that has been called.

    v J is linear in v, and its Jacobian by v is J transposed: the gradient of <v J, t> by v is J t. So forward mode
    needs no rules besides those of the backward pass; v J is recorded once, at v = 0.
    """

    def __init__(self, traced: Traced, outputs: Sequence[Tensor]) -> None:
        self.traced, self.outputs = traced, outputs
        moving = [y for y in outputs if y.requires_grad]
        with recordable():
            zeros = [zeros_like(y) for y in moving]
            self.vectors: list[Tensor] = [call(lib.ag_transform_input, v) for v in zeros]
        self.pulled = gradients(moving, traced.inputs, self.vectors, True, True)
        self.nested = traced.goes_on(moving) if moving else False

    def __call__(self, tangents: Sequence[Tensor]) -> list[Tensor]:
        """One tangent per output; tangents have the sizes of the inputs."""
        create = is_grad_enabled() and (self.nested or any(t.requires_grad for t in tangents))
        pairs = [(g, t) for g, t in zip(self.pulled, tangents) if g is not None]
        found = iter(
            gradients([g for g, _ in pairs], self.vectors, [t for _, t in pairs], True, create)
        )
        return or_zeros(
            [next(found) if y.requires_grad else None for y in self.outputs], self.outputs
        )


def _check_tangents(inputs: Sequence[Tensor], tangents: Sequence[Any]) -> None:
    for x, t in zip(inputs, tangents):
        if not isinstance(t, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(t)}")
        if t.shape != x.shape:
            raise RuntimeError(
                "Trying to set a forward gradient that has a different size than that of the original Tensor, this "
                f"is not supported. Tensor is of size {list(x.shape)} while the given forward gradient is of size "
                f"{list(t.shape)}."
            )
        if t.dtype is not x.dtype:
            raise RuntimeError(
                "Trying to set a forward gradient that has a different dtype than that of the original Tensor: "
                f"{x.dtype} and {t.dtype}"
            )


def jvp(
    func: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> Any:
    """Returns (func(*primals), J t): the result, and how it changes as the primals change by the tangents t.

    tangents has the structure and sizes of primals. With has_aux func returns (result, aux), and so (result, J t, aux)
    is returned. strict: a result that does not depend on the primals raises instead of having the tangent 0.
    """
    api = "jvp(f, primals, tangents)"
    if not isinstance(primals, tuple):
        raise RuntimeError(
            f"{api}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    (leaves, spec), (given, found) = flatten(primals), flatten(tangents)
    if spec != found:
        raise RuntimeError(
            f"{api}: Expected primals and tangents to have the same python structure. For example, if primals is a "
            "tuple of 3 tensors, tangents also must be. "
            f"Got primals with structure {spec!r} and tangents with structure {found!r}"
        )
    if not leaves:
        raise RuntimeError(f"{api}: Expected primals to contain at least one Tensor.")
    traced = trace_all(func, primals)
    _check_tangents(traced.inputs, given)
    output, aux = traced.split(has_aux, api)
    outputs, out_spec = flat_outputs(output, api)
    if strict and not all(y.requires_grad for y in outputs):
        raise RuntimeError(
            f"{api}: The output of f is independent of the inputs. This is not allowed when strict=True."
        )
    pushed = unflatten(Pushforward(traced, outputs)(given), out_spec)
    result = map_leaves(traced.freed, output)
    return (result, pushed, aux) if has_aux else (result, pushed)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """Returns (func(*primals), jvp_fn), where jvp_fn(*tangents) is the Jacobian of func at primals times tangents.

    func is called once; jvp_fn may be called many times.
    """
    traced = trace_all(func, primals)
    outputs, spec = flat_outputs(traced.result, "linearize(f, *primals)")
    push = Pushforward(traced, outputs)

    def jvp_fn(*tangents: Any) -> Any:
        given, found = flatten(tangents)
        if found != traced.spec:
            raise RuntimeError(
                "Expected the tangents given to the jvp_fn to have the same argspec as the primals. "
                f"Got {found!r} and {traced.spec!r}"
            )
        _check_tangents(traced.inputs, given)
        return unflatten(push(given), spec)

    return map_leaves(traced.freed, traced.result), jvp_fn


def hvp(func: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
    """Returns H t, for the Hessian H of func, whose result is one number, at primals: the gradient of <gradient, t>.

    primals and tangents are tuples, of the same structure and sizes. The result is what one primal is, or the tuple.
    Costs a small multiple of a gradient, and no Hessian is made.
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise RuntimeError("hvp(f, primals, tangents): Expected primals and tangents to be tuples.")
    # The Hessian is symmetric: it may as well be multiplied from the left, which costs less.
    _, vjp_fn = vjp(grad(func, tuple(range(len(primals)))), *primals)
    results = vjp_fn(tangents)
    return results[0] if len(primals) == 1 else results
