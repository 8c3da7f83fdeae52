"""What scripts set to get the same results again: none of it changes anything, as results never vary."""

from __future__ import annotations

import warnings

__all__ = [
    "are_deterministic_algorithms_enabled",
    "get_float32_matmul_precision",
    "is_deterministic_algorithms_warn_only_enabled",
    "set_float32_matmul_precision",
    "use_deterministic_algorithms",
]

_PRECISIONS = ("highest", "high", "medium")
_deterministic, _warn_only, _precision = False, False, "highest"


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Is remembered, and changes nothing: all algorithms are deterministic."""
    global _deterministic, _warn_only
    _deterministic, _warn_only = bool(mode), bool(mode and warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """Returns what :func:`use_deterministic_algorithms` was given last, False at the start."""
    return _deterministic


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Returns True if :func:`use_deterministic_algorithms` was last asked for warnings only."""
    return _warn_only


def set_float32_matmul_precision(precision: str) -> None:
    """Is remembered, and changes nothing: products of float32 are computed in float32, which is ``"highest"``.

    Warns, and does nothing, if precision is none of "highest", "high" and "medium".
    """
    global _precision
    if precision in _PRECISIONS:
        _precision = precision
    else:
        warnings.warn(f"{precision!r} is not one of {', '.join(_PRECISIONS)}", stacklevel=2)


def get_float32_matmul_precision() -> str:
    """Returns what :func:`set_float32_matmul_precision` was given last, "highest" at the start."""
    return _precision
