"""cuDNN: it is not there. Its switches can be set and change nothing: results never vary from run to run."""

from __future__ import annotations

__all__ = ["benchmark", "deterministic", "enabled", "is_available"]

benchmark = False
deterministic = False
enabled = False


def is_available() -> bool:
    """Returns False."""
    return False
