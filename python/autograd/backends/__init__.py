"""What scripts ask and set about backends: none of them is there."""

from . import cudnn, mps

__all__ = ["cudnn", "mps"]
