"""Parameter and Buffer: tensors that a module takes in when they are assigned to it."""

from __future__ import annotations

from typing import Any

from .._arguments import bool_argument, kind_of
from .._capi import call, lib, set_fast_classes
from ..creation import empty
from ..tensor import Size, Tensor, take

__all__ = ["Buffer", "Parameter"]


class Parameter(Tensor):
    """A leaf tensor that becomes a parameter of the module it is assigned to.

    It shares the storage of data and requires grad unless requires_grad is False.

    Raises TypeError if data is no tensor, RuntimeError for elements that can't require grad.
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter(): argument 'data' must be Tensor, not {kind_of(data)}")
        leaf = call(lib.ag_detach, data)
        if bool_argument("Parameter", "requires_grad", requires_grad):
            leaf.requires_grad = True
        return take(cls, leaf)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        pass

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        # As in PyTorch, neither the gradient nor attributes go with the copy.
        known = memo.get(id(self))
        if known is None:
            known = type(self)(call(lib.ag_clone, self.data), self.requires_grad)
            memo[id(self)] = known
        return known

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


set_fast_classes(Tensor, Parameter, Size)


class _MarkedTensors(type):
    """Makes isinstance(tensor, Buffer) true for tensors that Buffer() marked, and class Buffer no Tensor class."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and "_is_buffer" in instance.__dict__


class Buffer(metaclass=_MarkedTensors):
    """A tensor that becomes a buffer of the module it is assigned to; persistent buffers are in state_dict().

    The result is a Tensor that shares the storage of data and keeps its requires_grad.
    """

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Any:
        source = empty(0) if data is None else data
        if not isinstance(source, Tensor):
            raise TypeError(f"Buffer(): argument 'data' must be Tensor, not {kind_of(data)}")
        marked = source.detach().requires_grad_(source.requires_grad)
        marked.__dict__.update(persistent=persistent, _is_buffer=True)
        return marked
