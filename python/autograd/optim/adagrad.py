"""Optimizers that divide by the size of past gradients: Adagrad, Adadelta, RMSprop."""

from __future__ import annotations

from typing import Any

from .. import dtypes
from .._capi import lib
from ..creation import full_like, tensor
from ..tensor import Tensor
from .optimizer import Params
from .stepped import SteppedOptimizer, check_lr, check_not_negative


class Adagrad(SteppedOptimizer):
    """Adagrad, with PyTorch's options and formula.

    g = grad + weight_decay * p;  s += g**2;  p -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps).
    """

    native = lib.ag_adagrad_step
    options = (
        "lr",
        "lr_decay",
        "weight_decay",
        "initial_accumulator_value",
        "eps",
        "maximize",
    )
    states = ("step", "sum")
    later = {"foreach": None, "maximize": False, "differentiable": False, "fused": None}

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check_not_negative("lr_decay value", lr_decay)
        check_not_negative("weight_decay value", weight_decay)
        check_not_negative("initial_accumulator_value value", initial_accumulator_value)
        check_not_negative("epsilon value", eps)
        defaults: dict[str, Any] = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        # Unlike the others, Adagrad has its state from the start.
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param] = {
                    "step": tensor(0.0, dtype=dtypes.get_default_dtype()),
                    "sum": full_like(param, initial_accumulator_value),
                }


class Adadelta(SteppedOptimizer):
    """Adadelta, with PyTorch's options and formula.

    g = grad + weight_decay * p;  v, u = running means of g**2 and d**2 with rate 1 - rho;
    d = sqrt(u + eps) / sqrt(v + eps) * g;  p -= lr * d.
    """

    native = lib.ag_adadelta_step
    options = ("lr", "rho", "eps", "weight_decay", "maximize")
    states = ("step", "square_avg", "acc_delta")
    later = {"foreach": None, "maximize": False, "differentiable": False, "capturable": False}

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_not_negative("epsilon value", eps)
        check_not_negative("weight_decay value", weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)


class RMSprop(SteppedOptimizer):
    """RMSprop, with PyTorch's options and formula.

    g = grad + weight_decay * p;  v, m = running means of g**2 and g with rate 1 - alpha;
    d = g / (sqrt(v - m**2 if centered else v) + eps);  b = momentum * b + d;  p -= lr * b.
    """

    native = lib.ag_rmsprop_step
    options = ("lr", "alpha", "eps", "weight_decay", "momentum", "centered", "maximize")
    states = ("step", "square_avg", "momentum_buffer", "grad_avg")
    later = {
        "momentum": 0,
        "centered": False,
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "capturable": False,
    }

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check_not_negative("epsilon value", eps)
        check_not_negative("momentum value", momentum)
        check_not_negative("weight_decay value", weight_decay)
        check_not_negative("alpha value", alpha)
        defaults: dict[str, Any] = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)
