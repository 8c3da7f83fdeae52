"""record: everything that is executed in a block, as a graph."""

from __future__ import annotations

import ctypes
import sys
import sysconfig
from typing import Any

from .._calls import FASTCALL, MethodDef, new_function
from .._capi import (
    as_method,
    call,
    check,
    fast,
    hide_buffer,
    lib,
    raise_last_error,
    run,
    set_handle_class,
)
from ..nn import module_hooks
from ..nn.module import Module
from .content import Graph
from .looks import OTHERS, forget_variables, variables_of
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


def _begin(profile: bool, modules: list[Any]) -> Any:
    """A new native recording, which appends the modules that are called to the list."""
    handle = call(lib.ag_recording_begin, profile)
    run(lib.ag_recording_watch, handle, id(modules))
    return handle


_FUNCTIONS_OF_ENDS = (
    "PyDict_Next",
    "PyDict_GetItemWithError",
    "PyObject_GenericGetDict",
    "_PyType_Lookup",
    "PyObject_GetAttr",
    "PyList_Append",
    "PyBytes_FromStringAndSize",
)
_TEXTS = ("_kinds", "__name__", "named_parameters", "named_buffers", "named_modules")
_OBJECTS = (_Handle, Module, dict, str, int, *map(sys.intern, _TEXTS), *OTHERS)


def _make_ends() -> tuple[Any, Any]:
    """What begins a recording, and what ends one and looks at modules and variables, see capi/python_calls.hpp.

    The second is None where Looks has to do it.
    """
    if not fast or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return _begin, None
    try:
        addresses = [
            ctypes.cast(ctypes.pythonapi[name], ctypes.c_void_p).value
            for name in _FUNCTIONS_OF_ENDS
        ]
    except AttributeError:
        return _begin, None
    functions = (ctypes.c_void_p * len(addresses))(*addresses)
    objects = (ctypes.c_void_p * len(_OBJECTS))(*map(id, _OBJECTS))
    check(lib.ag_python_recording(functions, len(functions), objects, len(objects)))
    begin, end = (
        new_function(MethodDef(name, lib.ag_python_function(name), FASTCALL, None), None)
        for name in (b"begin_recording", b"end_recording")
    )
    return begin, end


_begin_natively, _end_natively = _make_ends()


def _watched_hooks(module: Any, *args: Any, **kwargs: Any) -> Any:
    """``module(x)`` while something is recorded and modules have hooks."""
    entered = []
    for each in reversed(module_hooks.recordings()):
        handle = each._handle
        if handle is not None:
            each._modules.append(module)
            run(lib.ag_recording_enter, handle, b"", b"")
            entered.append((each, handle))
    try:
        return module_hooks.call(module, *args, **kwargs)
    finally:
        for each, handle in entered:
            if handle is each._handle:
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

    __slots__ = ("_graph", "_handle", "_modules", "_names", "_profile")

    def __init__(self, params: Any | None = None, *, profile: bool = False) -> None:
        self._names = None if params is None else Names("record", params)
        self._profile = bool(profile)
        self._graph: Graph | None = None
        self._handle: Any = None

    def __enter__(self) -> Graph:
        if self._graph is not None:
            raise RuntimeError(
                "record(): a recording can be used once; make a new one for another block"
            )
        self._graph = graph = Graph(None)
        self._modules: list[Any] = []
        module_hooks.begin_recording(self)
        handle = None
        try:
            self._handle = handle = _begin_natively(self._profile, self._modules)
        finally:
            if handle is None:
                module_hooks.end_recording(self)
        if handle is None:
            raise_last_error()
        return graph

    def __exit__(self, *error: Any) -> None:
        handle = self._handle
        if handle is None:
            raise RuntimeError("record(): the block has not begun, or has ended")
        self._handle = None
        module_hooks.end_recording(self)
        modules, names, seen = self._modules, self._names, None
        left: list[Any] = []
        frame = sys._getframe(1)
        variables = variables_of(frame)
        if _end_natively is not None:
            seen = _end_natively(handle, modules, variables, left)
            stopped = seen is not None
        else:
            stopped = not lib.ag_recording_stop(handle)
        if not stopped:
            # In another thread than it began: the library gives it up at the next call of that one.
            raise_last_error()
        if left:
            names = names or Names("record")
            names.look_at_left(left)
        if seen is None:
            names = names or Names("record")
            names.look_at_called(modules)
            names.look_at_variables(variables)
        forget_variables(frame, variables)
        if names is not None:
            names.note(handle)
        assert self._graph is not None
        self._graph._make_of(_make, handle, names, seen)
        del self._modules, self._names


def _make(recording: Any, names: Names | None, seen: list[Any] | None) -> Any:
    """The native graph of a recording, with the names of what was seen at its end."""
    names = names or Names("record")
    if seen is not None:
        names.take_seen(seen)
    return names.graph(recording)
