"""jacrev, jacfwd and hessian: whole Jacobians, by rows or by columns, all of them in one vmapped pass."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Callable

from ..creation import ones_like, zeros
from ..ops import cat, movedim, narrow, reshape
from ..ranges import eye
from ..tensor import Tensor
from .differentials import flat_outputs, trace
from .mapping import Level, check_randomness
from .pytree import unflatten
from .transforms import Pullback, Pushforward, _check_floats

__all__ = ["hessian", "jacfwd", "jacrev"]


def unit_vectors(tensors: Sequence[Tensor]) -> list[Tensor]:
    """For each tensor the parts of all unit vectors of the space they span together, along a dim in front."""
    sizes = [t.numel() for t in tensors]
    total, at, parts = sum(sizes), 0, []
    for t, n in zip(tensors, sizes):
        blocks = [
            zeros(at, n, dtype=t.dtype),
            eye(n, dtype=t.dtype),
            zeros(total - at - n, n, dtype=t.dtype),
        ]
        block = blocks[1] if len(tensors) == 1 else cat(blocks, 0)
        parts.append(reshape(block, (total, *t.shape)))
        at += n
    return parts


def mapped(
    linear: Callable[[list[Tensor]], list[Tensor]],
    vectors: Sequence[Tensor],
    chunk_size: int | None = None,
) -> list[Tensor]:
    """linear, of lists of tensors, applied to all vectors, which a dim in front counts; so does one of the results."""
    count = vectors[0].shape[0]
    step = min(chunk_size or count, count)
    chunks = []
    for start in range(0, count, step) if step else (0,):
        length = min(step, count - start)
        parts = vectors if length == count else [narrow(v, 0, start, length) for v in vectors]
        with Level(length) as level:
            results = linear([level.example(part) for part in parts])
            chunks.append([level.all(result) for result in results])
    if len(chunks) == 1:
        return chunks[0]
    return [cat(pieces, 0) for pieces in zip(*chunks)]


def cut(tensor: Tensor, like: Sequence[Tensor], dim: int) -> list[Tensor]:
    """The parts of a tensor whose first or last dim counts the elements of all tensors of `like`."""
    parts, at = [], 0
    for t in like:
        n = t.numel()
        part = tensor if len(like) == 1 else narrow(tensor, dim, at, n)
        sizes = tuple(part.shape)
        kept = (*t.shape, *sizes[1:]) if dim == 0 else (*sizes[:-1], *t.shape)
        parts.append(reshape(part, kept))
        at += n
    return parts


def jacrev(
    func: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Returns a function that computes the Jacobian of func by rows, in reverse mode: for few outputs of many inputs.

    For each tensor of the result it holds, in the structure of the arguments that argnums names, tensors of sizes
    [*result sizes, *argument sizes]. With has_aux func returns (result, aux), and so (Jacobian, aux) is returned.
    chunk_size: at most so many rows at a time.
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        traced = trace(func, argnums, args, kwargs)
        output, aux = traced.split(has_aux, "jacrev(f)(*args)")
        outputs, spec = flat_outputs(output, "vjp(f, *primals)")
        _check_floats(outputs)
        pullback, rows = Pullback(traced, outputs), sum(y.numel() for y in outputs)
        if rows == 1 and len(outputs) == 1:
            found = pullback([ones_like(outputs[0])])
            found = [reshape(g, (*outputs[0].shape, *g.shape)) for g in found]
            jacobian = [traced.tree(found)]
        else:
            per_input = [
                cut(g, outputs, 0) for g in mapped(pullback, unit_vectors(outputs), chunk_size)
            ]
            jacobian = [traced.tree([cut[k] for cut in per_input]) for k in range(len(outputs))]
        result = unflatten(jacobian, spec)
        return (result, aux) if has_aux else result

    return wrapper


def jacfwd(
    func: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable[..., Any]:
    """Returns a function that computes the Jacobian of func by columns, in forward mode: for few inputs.

    The result is that of :func:`jacrev`. func is called once, so that random ops in it do no harm; randomness is
    accepted for PyTorch's sake.
    """
    check_randomness(randomness)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        traced = trace(func, argnums, args, kwargs)
        output, aux = traced.split(has_aux, "jacfwd(f)(*args)")
        outputs, spec = flat_outputs(output, "jvp(f, primals, tangents)")
        push = Pushforward(traced, outputs)
        columns = mapped(push, unit_vectors(traced.inputs))
        jacobian = [
            traced.tree(cut(movedim(column, 0, -1), traced.inputs, -1)) for column in columns
        ]
        result = unflatten(jacobian, spec)
        return (result, aux) if has_aux else result

    return wrapper


def hessian(func: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """Returns a function that computes the Hessian of func: jacfwd(jacrev(func))."""
    return jacfwd(jacrev(func, argnums), argnums)
