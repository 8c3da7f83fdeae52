"""Graphs of what a tensor was computed with."""

from __future__ import annotations

import sys
from typing import Any

from .._arguments import kind_of
from .._capi import call, lib
from ..tensor import Tensor
from .content import Graph
from .names import Names

__all__ = ["from_tensor"]


def from_tensor(t: Tensor, params: Any | None = None) -> Graph:
    """Returns the graph of the operations that t was computed with.

    params names the leaves: a Module, a dict of names and tensors or modules, or pairs of them. Other leaves get the
    names of the variables of the calling function that hold them. Raises TypeError if t is not a tensor.
    """
    if not isinstance(t, Tensor):
        raise TypeError(f"from_tensor(): argument 't' must be Tensor, not {kind_of(t)}")
    names = Names("from_tensor", params)
    names.look_at_frame(sys._getframe(1))
    return Graph(call(lib.ag_graph_from_tensor, t, *names.native()))
