"""Stochastic gradient descent."""

from __future__ import annotations

import ctypes
from typing import Any, Callable

from .._capi import lib, raise_last_error
from ..grad_mode import enable_grad
from ..tensor import Tensor, adopt
from .optimizer import Handles, Optimizer, Params


class SGD(Optimizer):
    """Stochastic gradient descent, with PyTorch's options and formula.

    g = grad + weight_decay * p;  b = momentum * b + (1 - dampening) * g  (b = g at first);
    p -= lr * (g + momentum * b if nesterov else b).
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        if lr < 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        # Per group: the native array of the momentum buffers, which state[param]["momentum_buffer"] own.
        self._buffers: dict[int, _Buffers] = {}
        self._options: dict[int, tuple[Any, tuple[Any, ...]]] = {}
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates all parameters that have a gradient, in one native call per group."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for number, group in enumerate(self.param_groups):
            handles = self._group_handles(number)
            buffers = self._group_buffers(number, handles) if group["momentum"] else None
            options = self._group_options(number, group)
            array = None if buffers is None else buffers.array
            status = lib.ag_sgd_step(handles.array, array, handles.count, *options)
            if buffers is not None and buffers.missing:
                buffers.take_new(self.state)
            if status:
                raise_last_error()
        return loss

    def _group_options(self, number: int, group: dict[str, Any]) -> tuple[Any, ...]:
        """The options of a group as native numbers, made anew only when an option changes."""
        values = (
            group["lr"],
            group["momentum"],
            group["dampening"],
            group["weight_decay"],
            group["nesterov"],
            group["maximize"],
        )
        known = self._options.get(number)
        if known is None or known[0] != values:
            numbers = tuple(map(ctypes.c_double, values[:4]))
            known = self._options[number] = (values, (*numbers, bool(values[4]), bool(values[5])))
        return known[1]

    def _group_buffers(self, number: int, handles: Handles) -> _Buffers:
        buffers = self._buffers.get(number)
        if buffers is None or buffers.handles is not handles:
            buffers = self._buffers[number] = _Buffers(handles, self.state)
        return buffers

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._buffers = {}
        self._options = {}


class _Buffers:
    """The momentum buffers of one group as a native array; NULL where no step has made one yet."""

    __slots__ = ("array", "handles", "missing", "owners")

    def __init__(self, handles: Handles, state: dict[Tensor, dict[str, Any]]) -> None:
        self.handles = handles
        owners = [state[p].get("momentum_buffer") if p in state else None for p in handles.tensors]
        self.array = (ctypes.c_void_p * len(owners))(*owners)
        self.owners = owners
        self.missing = any(owner is None for owner in owners)

    def take_new(self, state: dict[Tensor, dict[str, Any]]) -> None:
        """Puts the buffers that the last step made into the state, which owns them from now on."""
        for i, param in enumerate(self.handles.tensors):
            if self.owners[i] is None and self.array[i] is not None:
                self.owners[i] = state[param]["momentum_buffer"] = adopt(self.array[i])
        self.missing = any(owner is None for owner in self.owners)
