"""What all transforms share: inputs to differentiate by, and gradients of what came of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Callable

from .._capi import call, check, lib, not_null
from ..creation import zeros_like
from ..grad_mode import enable_grad, is_grad_enabled
from ..operands import handles, room_for
from ..tensor import Tensor
from .pytree import Spec, flatten, map_leaves, unflatten

__all__ = ["Traced", "chosen", "gradients", "replaced"]


@contextmanager
def recordable() -> Iterator[bool]:
    """What is made in this block can be recorded, also inside inference_mode(); True there."""
    inference = lib.ag_inference_mode() != 0
    if not inference:
        yield False
        return
    recording = lib.ag_grad_enabled()
    lib.ag_set_inference_mode(0)
    try:
        yield True
    finally:
        lib.ag_set_inference_mode(1)
        lib.ag_set_grad_enabled(recording)


def gradients(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    vectors: Sequence[Tensor],
    retain: bool,
    create: bool,
) -> list[Tensor | None]:
    """The gradients of sum_i <vectors[i], outputs[i]>; None for an input that no output depends on."""
    pairs = [(y, v) for y, v in zip(outputs, vectors) if y.requires_grad]
    if not pairs or not inputs:
        return [None] * len(inputs)
    roots = handles("grad", "outputs", [y for y, _ in pairs])
    weights = handles("grad", "grad_outputs", [v for _, v in pairs])
    wanted, out = handles("grad", "inputs", inputs), room_for(len(inputs))
    with recordable():
        check(
            lib.ag_grad(roots, weights, len(pairs), wanted, len(inputs), retain, create, True, out)
        )
    return [gradient if not_null(gradient) else None for gradient in out]


def or_zeros(found: Sequence[Tensor | None], like: Sequence[Tensor]) -> list[Tensor]:
    """The tensors with zeros in the place of None."""
    return [zeros_like(x) if t is None else t for t, x in zip(found, like)]


def depends_on_others(outputs: Sequence[Tensor], inputs: Sequence[Tensor]) -> bool:
    """True if the outputs depend on leaves that require grad besides the inputs."""
    found = lib.ag_depends_on_others(
        handles("func", "outputs", outputs),
        len(outputs),
        handles("func", "inputs", inputs),
        len(inputs),
    )
    check(-found if found < 0 else 0)
    return bool(found)


def only_tensors(leaves: Sequence[Any], api: str) -> None:
    """Raises RuntimeError unless all leaves of a function's result are tensors."""
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise RuntimeError(
                f"{api}: expected f(*primals) to return only tensors, got unsupported type {type(leaf)}"
            )


class Traced:
    """A function called with inputs of its own, so that its results can be differentiated by them."""

    def __init__(self, func: Callable[..., Any], tree: Any, place: Callable[[Any], Any]) -> None:
        """Calls func with place(tree of fresh inputs), a tuple of positional arguments and a dict of named ones."""
        leaves, self.spec = flatten(tree)
        for leaf in leaves:
            if not isinstance(leaf, Tensor):
                raise ValueError(f"Thing passed to transform API must be Tensor, got {type(leaf)}")
        self.recording = is_grad_enabled()
        self.nested = self.recording and any(leaf.requires_grad for leaf in leaves)
        with recordable() as in_inference:
            if in_inference:  # what was made in inference mode can't be recorded, a copy can
                leaves = [leaf.clone() for leaf in leaves]
            self.inputs: list[Tensor] = [call(lib.ag_transform_input, leaf) for leaf in leaves]
            args, kwargs = place(unflatten(self.inputs, self.spec))
            with enable_grad():
                self.result = func(*args, **kwargs)

    @classmethod
    def of(cls, inputs: Sequence[Tensor]) -> Traced:
        """The same for results that were computed from such inputs elsewhere."""
        traced = cls.__new__(cls)
        traced.inputs, traced.recording = list(inputs), is_grad_enabled()
        traced.nested = any(not x.is_leaf for x in inputs)
        return traced

    def split(self, has_aux: bool, api: str) -> tuple[Any, Any]:
        """The result and what came along with it, which is free of the inputs."""
        if not has_aux:
            return self.result, None
        if not (isinstance(self.result, tuple) and len(self.result) == 2):
            raise RuntimeError(
                f"{api}: output of function f should be a tuple: (output, aux) if has_aux is True"
            )
        output, aux = self.result
        return output, map_leaves(self._aux_leaf, aux)

    def _aux_leaf(self, leaf: Any) -> Tensor:
        if not isinstance(leaf, Tensor):
            raise RuntimeError(f"Expected tensors, got unsupported type {type(leaf)}")
        return self.freed(leaf)

    def goes_on(self, outputs: Sequence[Tensor]) -> bool:
        """True if derivatives of outputs must be differentiable themselves."""
        return self.recording and (self.nested or depends_on_others(outputs, self.inputs))

    def freed(self, output: Tensor) -> Tensor:
        """The output without a history that is this function's alone."""
        if not output.requires_grad or self.goes_on([output]):
            return output
        return output.detach()

    def tree(self, leaves: Sequence[Any]) -> Any:
        """The structure of the inputs with other leaves."""
        return unflatten(leaves, self.spec)


# ---- argnums ---------------------------------------------------------------------------------------------


def _position(argnum: Any, n: int) -> int:
    if not isinstance(argnum, int):
        raise RuntimeError(f"argnums must be int, got: {type(argnum)}")
    if not -n <= argnum < n:
        raise RuntimeError(f"Got argnum={argnum}, but only {n} positional inputs")
    return argnum % n


def _positions(argnums: Any, n: int) -> int | tuple[int, ...]:
    if isinstance(argnums, int):
        return _position(argnums, n)
    if not isinstance(argnums, tuple):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    if not argnums:
        raise RuntimeError("argnums must be non-empty")
    positions = tuple(_position(argnum, n) for argnum in argnums)
    if len(set(positions)) != len(positions):
        raise RuntimeError(f"argnums elements must be unique, got {positions}")
    return positions


def chosen(args: tuple[Any, ...], argnums: Any) -> tuple[int | tuple[int, ...], Any]:
    """The positions of the arguments to differentiate by, and these arguments: one, or a tuple."""
    positions = _positions(argnums, len(args))
    if isinstance(positions, int):
        return positions, args[positions]
    return positions, tuple(args[i] for i in positions)


def replaced(
    args: tuple[Any, ...], positions: int | tuple[int, ...], values: Any
) -> tuple[Any, ...]:
    """The arguments with values at these positions."""
    changed = list(args)
    pairs = [(positions, values)] if isinstance(positions, int) else zip(positions, values)
    for i, value in pairs:
        changed[i] = value
    return tuple(changed)


def trace(
    func: Callable[..., Any], argnums: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Traced:
    """func called with args and kwargs, ready to be differentiated by the arguments that argnums names."""
    positions, tree = chosen(args, argnums)
    return Traced(func, tree, lambda values: (replaced(args, positions, values), kwargs))


def trace_all(func: Callable[..., Any], primals: tuple[Any, ...]) -> Traced:
    """The same for all positional arguments."""
    return Traced(func, primals, lambda values: (values, {}))


def flat_outputs(output: Any, api: str) -> tuple[list[Tensor], Spec]:
    """The tensors of a function's result and their structure; RuntimeError for anything else."""
    leaves, spec = flatten(output)
    only_tensors(leaves, api)
    return leaves, spec
