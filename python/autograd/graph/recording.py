"""record: everything that is executed in a block, as a graph."""

from __future__ import annotations

import ctypes
import functools
import sys
import threading
from typing import Any

from .._calls import MethodDef, new_function
from .._capi import (
    as_method,
    call,
    hide_buffer,
    lib,
    raise_last_error,
    run,
    set_handle_class,
)
from ..nn import module_hooks
from .content import Graph
from .names import Names

__all__ = ["record"]


class _Handle(ctypes.c_void_p):
    """Owns one native recording."""

    __del__ = as_method(lib.ag_recording_free)

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle or copy a running recording")


hide_buffer(_Handle)
set_handle_class("ag_recording", _Handle)


_FORWARD = sys.intern("forward")
_ONE_ARGUMENT = 0x0008
_FUNCTIONS = (
    "PyObject_GetAttr",
    "PyObject_VectorcallMethod",
    "PyCFunction_NewEx",
    "PyList_Append",
    "Py_IncRef",
    "Py_DecRef",
    "PyTuple_Size",
    "PyErr_NoMemory",
)


def _make_getter() -> Any:
    """What finds the function that ``module(x)`` calls.

    It is ``module.forward``; in a thread that records, a function that calls it, and marks in the recording where the
    call begins and ends.
    """
    addresses = [ctypes.cast(ctypes.pythonapi[name], ctypes.c_void_p).value for name in _FUNCTIONS]
    n = len(addresses)
    address = lib.ag_python_module_call((ctypes.c_void_p * n)(*addresses), n, id(_FORWARD))
    if not address:
        raise_last_error()
    return new_function(MethodDef(b"forward", address, _ONE_ARGUMENT, None), None)


class _Running(threading.local):
    """The innermost recording of each thread."""

    record: record | None = None


_running = _Running()
# Lists that a thread may go on writing to: of recordings that ended in another one.
_kept: list[Any] = []


def _watched_hooks(module: Any, *args: Any, **kwargs: Any) -> Any:
    """``module(x)`` while something is recorded and modules have hooks."""
    entered, running = [], _running.record
    while running is not None:
        if running._handle is not None:
            running._modules.append(module)
            run(lib.ag_recording_enter, running._handle, b"", b"")
            entered.append((running, running._handle))
        running = running._outer
    try:
        return module_hooks.call(module, *args, **kwargs)
    finally:
        for running, handle in entered:
            if handle is running._handle:
                lib.ag_recording_leave(handle)


module_hooks.find_calls(_make_getter(), _watched_hooks)


class record:
    """Records everything that this thread executes in a block: ``with ag.graph.record() as g:``.

    The graph holds each operation, also on tensors that need no gradient, changes in place, backward passes and steps
    of optimizers, with the modules that they belong to. It can be used when the block has ended; it is made when it is
    first looked at, and shows what was at the end of the block. Of two recordings, one in the other, the outer one
    holds everything, and the inner one what ran in its block, with the modules that were called there.

    params: a Module, a dict of names and tensors or modules, or pairs of them, for names. Modules that were called
    name their parameters without it, and the variables of the function around the block name other tensors. profile:
    measure the time of each operation; the sum of these times is the time of the block up to the last operation.
    """

    def __init__(self, params: Any | None = None, *, profile: bool = False) -> None:
        self._names: Any = Names("record", params)
        self._profile = bool(profile)
        self._graph: Graph | None = None
        self._handle: Any = None
        self._modules: list[Any] = []

    def __enter__(self) -> Graph:
        if self._graph is not None:
            raise RuntimeError(
                "record(): a recording can be used once; make a new one for another block"
            )
        self._outer = _running.record
        self._thread = threading.get_ident()
        self._graph = Graph(None)
        module_hooks.begin_recording(id(self))
        try:
            self._handle = call(lib.ag_recording_begin, self._profile)
            run(lib.ag_recording_watch, self._handle, id(self._modules))
            _running.record = self
        except BaseException:
            module_hooks.end_recording(id(self))
            raise
        return self._graph

    def __exit__(self, *error: Any) -> None:
        if self._handle is None:
            raise RuntimeError("record(): the block has not begun, or has ended")
        if threading.get_ident() != self._thread:
            module_hooks.end_recording(id(self))
            _kept.append(self._modules)
            self._handle = (
                None  # the library gives it up at the next call of the thread that began it
            )
            raise RuntimeError("record(): a recording ends in the thread in which it began")
        handle, self._handle = self._handle, None
        run(lib.ag_recording_stop, handle)
        module_hooks.end_recording(id(self))
        while _running.record is not None and _running.record._handle is None:
            _running.record = _running.record._outer
        names, modules = self._names, self._modules
        del self._names, self._modules
        names.look_at_called(modules)
        names.look_at_frame(sys._getframe(1))
        names.note(handle)
        assert self._graph is not None
        self._graph._make_of(functools.partial(names.graph, handle))
