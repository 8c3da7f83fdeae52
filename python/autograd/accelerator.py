"""Accelerators: there are none. For scripts that ask before they choose a device."""

from __future__ import annotations

__all__ = ["current_accelerator", "device_count", "is_available"]


def is_available() -> bool:
    """Returns False."""
    return False


def device_count() -> int:
    """Returns 0."""
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """Returns None."""
