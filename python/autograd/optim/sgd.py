"""Optimizers that follow the gradient itself or its sign: SGD, ASGD, Rprop."""

from __future__ import annotations

from typing import Any

from .._capi import lib
from ..tensor import Tensor
from .optimizer import Params
from .stepped import SteppedOptimizer, check_lr, check_not_negative


class SGD(SteppedOptimizer):
    """Stochastic gradient descent, with PyTorch's options and formula.

    g = grad + weight_decay * p;  b = momentum * b + (1 - dampening) * g  (b = g at first);
    p -= lr * (g + momentum * b if nesterov else b).
    """

    native = lib.ag_sgd_step
    options = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
    states = ("momentum_buffer",)
    later = {
        "nesterov": False,
        "maximize": False,
        "foreach": None,
        "differentiable": False,
        "fused": False,
    }

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if lr < 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults: dict[str, Any] = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)


class ASGD(SteppedOptimizer):
    """Averaged stochastic gradient descent, with PyTorch's options and formula.

    g = grad + weight_decay * p;  p = (1 - lambd * eta) * p - eta * g  with eta = lr / (1 + lambd * lr * t) ** alpha;
    ``state[p]["ax"]`` is the mean of p over the steps after t0.
    """

    native = lib.ag_asgd_step
    options = ("lr", "lambd", "alpha", "t0", "weight_decay", "maximize")
    states = ("step", "eta", "mu", "ax")
    later = {"foreach": None, "maximize": False, "differentiable": False, "capturable": False}

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_not_negative("weight_decay value", weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)


class Rprop(SteppedOptimizer):
    """Resilient backpropagation, with PyTorch's options and formula.

    Each weight moves against the sign of its gradient by a step of its own, at first lr, which is multiplied by
    etas[1] while the sign stays and by etas[0] when it changes, within step_sizes.
    """

    native = lib.ag_rprop_step
    options = ("lr", "etas", "step_sizes", "maximize")
    states = ("step", "prev", "step_size")
    later = {"foreach": None, "maximize": False, "differentiable": False, "capturable": False}

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        for name, pair in (("etas", etas), ("step_sizes", step_sizes)):
            if isinstance(pair, (tuple, list)) and len(pair) != 2:
                raise ValueError(f"{name} must be two numbers, got {pair}")
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults: dict[str, Any] = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)
