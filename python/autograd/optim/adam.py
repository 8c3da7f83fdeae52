"""Adam and its relatives: AdamW, Adamax, NAdam, RAdam."""

from __future__ import annotations

from typing import Any

from .._capi import lib
from ..tensor import Tensor
from .optimizer import Params
from .stepped import SteppedOptimizer, check_betas, check_lr, check_not_negative


def _check(lr: Any, betas: Any, eps: float, weight_decay: float) -> None:
    check_lr(lr)
    check_not_negative("epsilon value", eps)
    check_betas(betas)
    check_not_negative("weight_decay value", weight_decay)


class Adam(SteppedOptimizer):
    """Adam, with PyTorch's options and formula.

    g = grad + weight_decay * p;  m, v = running means of g and g**2 with rates 1 - betas;
    p -= lr / (1 - betas[0]**t) * m / (sqrt(v / (1 - betas[1]**t)) + eps).
    amsgrad takes the largest v so far; decoupled_weight_decay shrinks p by lr * weight_decay instead (AdamW).
    """

    native = lib.ag_adam_step
    options = (
        "lr",
        "betas",
        "eps",
        "weight_decay",
        "amsgrad",
        "maximize",
        "decoupled_weight_decay",
    )
    states = ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    later = {
        "amsgrad": False,
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
        "fused": None,
    }

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        eager_foreach = foreach and not capturable
        if isinstance(lr, Tensor) and eager_foreach:
            raise ValueError(
                "lr as a Tensor is not supported for capturable=False and foreach=True"
            )
        _check(lr, betas, eps, weight_decay)
        if {isinstance(beta, Tensor) for beta in betas} != {True} and not (
            isinstance(betas[0], float) and isinstance(betas[1], float)
        ):
            raise ValueError("betas must be either both floats or both Tensors")
        for place, beta in enumerate(betas):
            if isinstance(beta, Tensor) and eager_foreach:
                raise ValueError(
                    f"betas[{place}] as a Tensor is not supported for capturable=False and foreach=True"
                )
            if isinstance(beta, Tensor) and beta.numel() != 1:
                raise ValueError(f"Tensor betas[{place}] must be 1-element")
        defaults: dict[str, Any] = {
            "lr": lr,
            "betas": tuple(betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)


class AdamW(Adam):
    """Adam with decoupled weight decay: p shrinks by lr * weight_decay, and the means see the gradient alone."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True


class Adamax(SteppedOptimizer):
    """Adamax, with PyTorch's options and formula.

    g = grad + weight_decay * p;  m = running mean of g;  u = max(betas[1] * u, abs(g) + eps);
    p -= lr / (1 - betas[0]**t) * m / u.
    """

    native = lib.ag_adamax_step
    options = ("lr", "betas", "eps", "weight_decay", "maximize")
    states = ("step", "exp_avg", "exp_inf")
    later = {"foreach": None, "maximize": False, "differentiable": False, "capturable": False}

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        _check(lr, betas, eps, weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)


class NAdam(SteppedOptimizer):
    """Adam with Nesterov momentum, with PyTorch's options and formula.

    mu_t = betas[0] * (1 - 0.96**(t * momentum_decay) / 2), M_t the product of all mu so far; m and v as in Adam;
    p -= lr * ((1 - mu_t) / (1 - M_t) * g + mu_{t+1} / (1 - M_{t+1}) * m) / (sqrt(v / (1 - betas[1]**t)) + eps).
    """

    native = lib.ag_nadam_step
    options = (
        "lr",
        "betas",
        "eps",
        "weight_decay",
        "momentum_decay",
        "maximize",
        "decoupled_weight_decay",
    )
    states = ("step", "mu_product", "exp_avg", "exp_avg_sq")
    later = {
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
    }

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        _check(lr, betas, eps, weight_decay)
        check_not_negative("momentum_decay value", momentum_decay)
        defaults: dict[str, Any] = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)


class RAdam(SteppedOptimizer):
    """Rectified Adam, with PyTorch's options and formula.

    As Adam, with the step scaled by how far v can be trusted after t steps; without v while it cannot be at all.
    """

    native = lib.ag_radam_step
    options = ("lr", "betas", "eps", "weight_decay", "maximize", "decoupled_weight_decay")
    states = ("step", "exp_avg", "exp_avg_sq")
    later = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
        "capturable": False,
    }

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        _check(lr, betas, eps, weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)
