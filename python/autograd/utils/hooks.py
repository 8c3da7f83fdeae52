"""Handles that take registered hooks away again, under PyTorch's name."""

from ..hooks import RemovableHandle

__all__ = ["RemovableHandle"]
