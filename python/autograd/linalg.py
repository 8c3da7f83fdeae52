"""Linear algebra: ``autograd.linalg`` holds what PyTorch keeps in ``torch.linalg``."""

from __future__ import annotations

from .ops.products import multi_dot

__all__ = ["multi_dot"]
