"""Operations that compiled code registers: extensions in C, or functions that a compiler for Python has made."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from ._capi import lib, raise_last_error, run
from .operands import handles
from .tensor import Tensor, adopt

__all__ = ["RegisteredOp", "find_op", "register_op"]


class RegisteredOp:
    """An operation that passes through the same door as the library's own: graphs and errors show its name."""

    __slots__ = ("_n_outputs", "_op", "name")

    def __init__(self, name: str, op: int, n_outputs: int) -> None:
        self.name, self._op, self._n_outputs = name, op, n_outputs

    def __call__(self, *inputs: Tensor, numbers: Sequence[float] = ()) -> Any:
        """The output, or a tuple of them; numbers are up to three that the operation takes besides tensors."""
        array = handles(self.name, "inputs", inputs)
        values = (ctypes.c_double * len(numbers))(*numbers)
        out = (ctypes.c_void_p * self._n_outputs)()
        run(lib.ag_op_call, self._op, array, len(inputs), values, len(numbers), out)
        results = tuple(adopt(address) for address in out)
        return results[0] if self._n_outputs == 1 else results

    def __repr__(self) -> str:
        return f"<autograd.registered.RegisteredOp {self.name}>"


def find_op(name: str) -> RegisteredOp:
    """The operation that an extension has registered under a name. Raises ValueError if there is none."""
    op = lib.ag_op_find(name.encode())
    if op is None:
        raise_last_error()
    return RegisteredOp(name, op, lib.ag_op_num_outputs(op))


def register_op(
    name: str,
    forward: Any,
    backward: Any = None,
    *,
    infer: Any = None,
    n_outputs: int = 1,
    saves_inputs: int = -1,
    saves_outputs: int = -1,
    once_differentiable: bool = False,
    context: Any = None,
) -> RegisteredOp:
    """Registers native functions as an operation, for the rest of the process's life.

    forward, backward and infer are functions of ctypes, or addresses, of the types that ``autograd.h`` calls
    ag_op_forward, ag_op_backward and ag_op_infer. once_differentiable says that backward can't be differentiated
    again: doing so is then a RuntimeError. Raises ValueError for a name that is taken.
    """
    functions = [_address(each) for each in (infer, forward, backward)]
    register = lib.ag_op_register_once_differentiable if once_differentiable else lib.ag_op_register
    op = register(name.encode(), n_outputs, *functions, saves_inputs, saves_outputs, context)
    if op is None:
        raise_last_error()
    _kept.append((infer, forward, backward))
    return RegisteredOp(name, op, n_outputs)


# The library calls them as long as the process lives.
_kept: list[Any] = []


def _address(function: Any) -> Any:
    return (
        function
        if function is None or isinstance(function, int)
        else ctypes.cast(function, ctypes.c_void_p)
    )
