"""Computations as graphs: recorded, printed, counted, compared, drawn and saved."""

from .comparison import Change, GraphDiff, assert_graph
from .content import Graph
from .fusion import Counts, FusionReport
from .history import from_tensor
from .nodes import Cost, Edge, Node
from .recording import record
from .summary import summary

__all__ = [
    "Change",
    "Cost",
    "Counts",
    "Edge",
    "FusionReport",
    "Graph",
    "GraphDiff",
    "Node",
    "assert_graph",
    "from_tensor",
    "record",
    "summary",
]
