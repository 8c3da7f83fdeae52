"""Graphs of what a tensor was computed with."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

from .._capi import call, lib
from ..operands import handles
from ..tensor import Tensor
from .content import Graph

__all__ = ["from_tensor"]


def _named(params: Any) -> list[tuple[str, Tensor]]:
    if params is None:
        return []
    if hasattr(params, "named_parameters"):
        return [*params.named_parameters(), *params.named_buffers()]
    if isinstance(params, Mapping):
        return [(str(name), tensor) for name, tensor in params.items()]
    raise TypeError(
        f"from_tensor(): argument 'params' must be a Module or a dict of tensors, not {type(params).__name__}"
    )


def from_tensor(t: Tensor, params: Any | None = None) -> Graph:
    """Returns the graph of the operations that t was computed with.

    params, a Module or a dict of name and tensor, names the leaves. Raises TypeError if t is not a tensor.
    """
    named = _named(params)
    leaves = handles("from_tensor", "params", [tensor for _, tensor in named])
    names = (ctypes.c_char_p * len(named))(*[name.encode() for name, _ in named])
    return Graph(call(lib.ag_graph_from_tensor, t, leaves, names, len(named)))
