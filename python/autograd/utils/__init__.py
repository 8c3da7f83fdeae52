"""Tools around training: ``autograd.utils.data``."""

from . import hooks

__all__ = ["hooks"]
