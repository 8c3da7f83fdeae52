"""Tools around training: ``autograd.utils.data``, ``autograd.utils.checkpoint``."""

from . import checkpoint, data, hooks

__all__ = ["checkpoint", "data", "hooks"]
