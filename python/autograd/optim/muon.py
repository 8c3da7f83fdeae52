"""Muon: an optimizer of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._arguments import int_argument
from .._capi import constants, lib
from ..tensor import Tensor
from .optimizer import Params
from .stepped import SteppedOptimizer, several

_SCALES = {
    None: constants["AG_MUON_SCALE_ORIGINAL"],
    "original": constants["AG_MUON_SCALE_ORIGINAL"],
    "match_rms_adamw": constants["AG_MUON_SCALE_MATCH_RMS_ADAMW"],
}


def _scale(name: str, value: Any) -> Sequence[int]:
    return (_SCALES.get(value, constants["AG_MUON_SCALE_NONE"]),)


def _steps(name: str, value: Any) -> Sequence[int]:
    if value >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    return (int_argument("Muon", name, value),)


def _coefficients(name: str, value: Any) -> Sequence[Any]:
    if len(value) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    return several(3)(name, value)


class Muon(SteppedOptimizer):
    """Muon, with PyTorch's options and formula, for parameters of two dims [n, m] (Jordan, 2024).

    b = running mean of grad with rate 1 - momentum;  x = grad + momentum * (b - grad) if nesterov, else b;
    x /= max(|x|, eps), then ns_steps times with (a, b, c) = ns_coefficients: g = x x^T, x = a x + (b g + c g g) x;
    p -= lr * weight_decay * p;  p -= lr * s * x, where s = sqrt(max(1, n / m)), or with adjust_lr_fn
    "match_rms_adamw" 0.2 sqrt(max(n, m)). The products are computed in p's dtype, in PyTorch in bfloat16.
    """

    native = lib.ag_muon_step
    options = (
        "lr",
        "weight_decay",
        "momentum",
        "nesterov",
        "ns_coefficients",
        "eps",
        "ns_steps",
        "adjust_lr_fn",
    )
    states = ("momentum_buffer",)
    spread = {"ns_coefficients": _coefficients, "ns_steps": _steps, "adjust_lr_fn": _scale}

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        for what, value in (
            ("Learning rate", lr),
            ("momentum", momentum),
            ("weight decay", weight_decay),
        ):
            if not 0.0 <= value:
                raise ValueError(f"{what} should be >= 0 but is: {value}")
        if adjust_lr_fn not in list(_SCALES):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults: dict[str, Any] = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(
                        f"Muon only supports 2D parameters whereas we found a parameter with size: {p.size()}"
                    )
