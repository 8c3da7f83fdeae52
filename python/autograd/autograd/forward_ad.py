"""Forward mode by hand: tensors that carry a tangent, as in ``torch.autograd.forward_ad``.

Tangents are computed when they are asked for, from the recorded history: see :func:`autograd.func.jvp`. So gradients
have to be recorded while the dual tensors are used.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from .._capi import call, lib
from ..tensor import Tensor

__all__ = [
    "UnpackedDualTensor",
    "dual_level",
    "enter_dual_level",
    "exit_dual_level",
    "make_dual",
    "unpack_dual",
]

_state = threading.local()


class UnpackedDualTensor(NamedTuple):
    """A value and the tangent that belongs to it, None if it has none."""

    primal: Tensor
    tangent: Tensor | None


def _duals() -> list[tuple[Tensor, Tensor]] | None:
    return getattr(_state, "duals", None)


def enter_dual_level() -> int:
    """Begins a level, in which dual tensors can be made; returns its number.

    Raises RuntimeError inside another one: forward mode does not nest here, func.jvp does.
    """
    if _duals() is not None:
        raise RuntimeError(
            "Nested forward mode AD is not supported at the moment. func.jvp nests in any order"
        )
    _state.duals = []
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Ends the level; tangents of its tensors can't be asked for any more."""
    if level not in (None, 0) or _duals() is None:
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created."
        )
    _state.duals = None


class dual_level:
    """``with dual_level():`` begins a level, and ends it afterwards."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exception: Any) -> None:
        exit_dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """Returns the tensor with a tangent: what is computed from it has a tangent too, which unpack_dual() gives.

    Raises RuntimeError outside of a level, for integers, and for a tangent of other sizes.
    """
    duals = _duals()
    if duals is None:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    if not tensor.dtype.is_floating_point:
        raise ValueError(
            f"Expected primal to be floating point or complex, but got: {tensor.dtype}"
        )
    if not tangent.dtype.is_floating_point:
        raise ValueError(
            f"Expected tangent to be floating point or complex, but got: {tangent.dtype}"
        )
    if tangent.shape != tensor.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
            f"supported. Tensor is of size {list(tensor.shape)} while the given forward gradient is of size "
            f"{list(tangent.shape)}."
        )
    dual = call(lib.ag_transform_input, tensor)
    duals.append((dual, tangent))
    return dual


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """Returns the value of a tensor and its tangent, None if nothing that it depends on has one."""
    from ..func.differentials import Traced
    from ..func.transforms import Pushforward

    duals = _duals()
    if not duals or not tensor.requires_grad:
        return UnpackedDualTensor(tensor, None)
    traced = Traced.of([dual for dual, _ in duals])
    push = Pushforward(traced, [tensor])
    if all(gradient is None for gradient in push.pulled):
        return UnpackedDualTensor(tensor, None)
    (tangent,) = push([tangent for _, tangent in duals])
    return UnpackedDualTensor(traced.freed(tensor), tangent)
