"""Adafactor: an optimizer that remembers one number per row and per column of a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._capi import lib
from ..tensor import Tensor
from .optimizer import Params
from .stepped import SteppedOptimizer, several


def _check(holds: bool, what: str, value: Any) -> None:
    if not holds:
        raise ValueError(f"{what} but is: {value}")


def _epsilons(name: str, value: Any) -> Sequence[Any]:
    """The two of them; the native step takes -1 for the spacing of the parameter's dtype."""
    first, second = several(2)(name, value)
    return -1.0 if first is None else first, second


class Adafactor(SteppedOptimizer):
    """Adafactor, with PyTorch's options and formula (Shazeer and Stern, 2018).

    v = r c / max(mean(r), eps[0]), where r and c are running means of grad**2 over rows and columns (of a vector: a
    running mean of grad**2), with rate t**beta2_decay;  u = grad / max(sqrt(v), eps[0]);
    p -= lr * weight_decay * p;  p -= max(eps[1], rms(p)) * min(lr, 1 / sqrt(t)) * u / max(1, rms(u) / d).
    """

    native = lib.ag_adafactor_step
    options = ("lr", "beta2_decay", "eps", "d", "weight_decay", "maximize")
    states = ("step", "row_var", "col_var", "variance")
    later = {"foreach": None}
    spread = {"eps": _epsilons}

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        _check(0.0 <= lr, "Learning rate should be >= 0", lr)
        _check(0.0 >= beta2_decay, "beta2_decay should be <= 0", beta2_decay)
        _check(eps[0] is None or 0.0 <= eps[0], "epsilon1 should be >= 0", eps[0])
        _check(0.0 <= eps[1], "epsilon2 should be >= 0", eps[1])
        _check(1.0 <= d, "Clipping threshold d should be >= 1", d)
        _check(0.0 <= weight_decay, "weight_decay should be >= 0", weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)
