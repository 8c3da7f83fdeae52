"""Tools around training: ``autograd.utils.data``."""

from . import data, hooks

__all__ = ["data", "hooks"]
