"""Linear algebra: ``autograd.linalg`` holds what PyTorch keeps in ``torch.linalg``."""

from __future__ import annotations

from .ops.norms import matrix_norm, norm, vector_norm
from .ops.products import multi_dot

__all__ = ["matrix_norm", "multi_dot", "norm", "vector_norm"]
