"""CUDA devices: there are none. For scripts that ask before they choose one.

``device = "cuda" if autograd.cuda.is_available() else "cpu"`` gives ``"cpu"``.
"""

from __future__ import annotations

__all__ = [
    "device_count",
    "empty_cache",
    "is_available",
    "manual_seed",
    "manual_seed_all",
]


def is_available() -> bool:
    """Returns False."""
    return False


def device_count() -> int:
    """Returns 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Does nothing, as there is no device to seed; :func:`autograd.manual_seed` seeds the CPU's numbers."""


def manual_seed_all(seed: int) -> None:
    """Does nothing, as there is no device to seed; :func:`autograd.manual_seed` seeds the CPU's numbers."""


def empty_cache() -> None:
    """Does nothing; :func:`autograd.release_memory` gives the CPU's memory back."""
