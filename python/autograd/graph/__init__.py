"""Computations as graphs: recorded, printed, drawn and saved."""

from .content import Graph
from .history import from_tensor
from .recording import record

__all__ = ["Graph", "from_tensor", "record"]
