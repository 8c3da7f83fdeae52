"""Debugging of gradients: the first one that is not a number is an error that says where it came from."""

from __future__ import annotations

import warnings
from typing import Any

from .._capi import lib

__all__ = [
    "detect_anomaly",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "set_anomaly_enabled",
    "set_detect_anomaly",
]

_check_nan = True  # what is asked for when the mode is on


def is_anomaly_enabled() -> bool:
    """True if gradients are watched."""
    return lib.ag_anomaly_detection() != 0


def is_anomaly_check_nan_enabled() -> bool:
    """True if a NaN in a watched gradient is an error."""
    return _check_nan


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Switches the watch over gradients on or off, for all threads."""
    global _check_nan
    _check_nan = bool(check_nan)
    lib.ag_set_anomaly_detection(bool(mode), _check_nan)


class set_detect_anomaly:
    """Switches the watch over gradients at once; as a context manager it switches back at the end."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = (is_anomaly_enabled(), is_anomaly_check_nan_enabled())
        set_anomaly_enabled(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: Any) -> None:
        set_anomaly_enabled(*self._before)


class detect_anomaly:
    """Within it a gradient that holds NaN is a RuntimeError that names the operation. It makes backward slow."""

    def __init__(self, check_nan: bool = True) -> None:
        self._before = (is_anomaly_enabled(), is_anomaly_check_nan_enabled())
        self._check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled "
            "for debugging.",
            stacklevel=2,
        )

    def __enter__(self) -> None:
        set_anomaly_enabled(True, self._check_nan)

    def __exit__(self, *exception: Any) -> None:
        set_anomaly_enabled(*self._before)
