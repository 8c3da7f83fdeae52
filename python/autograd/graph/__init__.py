"""Computations as graphs: what a tensor was computed with, printed, drawn and saved."""

from .content import Graph
from .history import from_tensor

__all__ = ["Graph", "from_tensor"]
