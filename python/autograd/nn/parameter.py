"""Parameter: a tensor that a module trains."""

from __future__ import annotations

from typing import Any

from .._capi import call, lib
from ..creation import empty
from ..tensor import Tensor, take


class Parameter(Tensor):
    """A leaf tensor that becomes a parameter of the module it is assigned to.

    It shares the storage of data and requires grad unless requires_grad is False.
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(
                f"Parameter(): argument 'data' must be Tensor, not {type(data).__name__}"
            )
        leaf = call(lib.ag_detach, data)
        if requires_grad:
            leaf.requires_grad = True
        return take(cls, leaf)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        pass

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()
