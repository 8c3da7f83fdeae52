"""record: everything that is executed in a block, as a graph."""

from __future__ import annotations

import ctypes
import sys
import sysconfig
from collections.abc import Sequence
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
from ..nn.members import BUFFER, MODULE, PARAMETER
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


_ONE_ARGUMENT, _KEYWORDS = 0x0008, 0x0002
_FUNCTIONS_OF_CALLS = (
    "PyObject_GetAttr",
    "PyObject_VectorcallMethod",
    "PyMethod_New",
    "PyList_Append",
    "Py_IncRef",
    "Py_DecRef",
    "PyErr_BadArgument",
)


def _mark_calls() -> None:
    """Has ``module(x)`` mark in the recordings of its thread where the call begins and ends.

    While nothing is recorded, ``module(x)`` is what it is without this: a method is found, and called.
    """

    def caller(method: str) -> Any:
        doc = b"__call__($self, /, *args, **kwargs)\n--\n\nCalls forward()."
        definition = MethodDef(b"__call__", lib.ag_python_module_call(), FASTCALL | _KEYWORDS, doc)
        return new_function(definition, sys.intern(method))

    functions = _addresses(_FUNCTIONS_OF_CALLS)
    watched = caller("forward")
    check(lib.ag_python_module_calls(functions, len(functions), id(watched)))
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(watched))
    get_call = MethodDef(b"forward", lib.ag_python_module_get_call(), _ONE_ARGUMENT, None)
    module_hooks.find_calls(
        new_function(get_call, sys.intern("forward")), as_method(caller("_call_with_hooks"))
    )


def _addresses(names: Sequence[str]) -> Any:
    """Of functions of the interpreter; raises AttributeError for one that it does not have."""
    found = [ctypes.cast(ctypes.pythonapi[name], ctypes.c_void_p).value for name in names]
    return (ctypes.c_void_p * len(found))(*found)


_mark_calls()


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

    # False where one of the next two is set.
    _plain = True
    _profile = False
    _names: Names | None = None
    _handle: Any = None
    # The modules that are called, during a block that is not begun natively.
    _modules: list[Any] | None = None
    # What the library has seen at its end, as soon as somebody asks.
    _seen: list[Any] | None = None

    def __init__(self, params: Any | None = None, *, profile: bool = False) -> None:
        if params is not None:
            self._names = Names("record", params)
            self._plain = False
        if profile:
            self._profile = True
            self._plain = False

    # These two are for interpreters of which the library does not know enough.

    def __enter__(self) -> Graph:
        if self._handle is not None:
            self._refuse()
        graph = object.__new__(Graph)
        graph._recording = self
        self._modules = []
        self._handle = call(lib.ag_recording_begin, self._profile)
        run(lib.ag_recording_watch, self._handle, id(self._modules))
        return graph

    def __exit__(self, *error: Any) -> None:
        modules, self._modules = self._modules, None
        if modules is None or lib.ag_recording_stop(self._handle):
            self._fail()
        frame = sys._getframe(1)
        variables = variables_of(frame)
        names = self._names or Names("record")
        names.look_at_called(modules)
        names.look_at_variables(variables)
        forget_variables(frame, variables)
        names.note(self._handle)
        self._names, self._seen = names, []

    def _refuse(self) -> Any:
        """Instead of the begin of the block."""
        raise RuntimeError(
            "record(): a recording can be used once; make a new one for another block"
        )

    def _fail(self, *_: Any) -> Any:
        """Instead of the end of the block."""
        if self._handle is None or self._is_over():
            raise RuntimeError("record(): the block has not begun, or has ended")
        # In another thread than it began: the library gives it up at the next call of that one.
        self._handle = self._modules = None
        raise_last_error()

    def _is_over(self) -> bool:
        """True if the block has ended. Then there is something seen."""
        if self._seen is None and self._handle is not None:
            self._seen = self._take_seen()
        return self._seen is not None

    def _take_seen(self) -> list[Any] | None:
        """What the library has seen at the end of the block. Only a native end leaves it there."""
        return None

    def _finish(self, left: list[Any] | None, variables: Any) -> None:
        """After a native end: looks at modules and variables that it has left."""
        names = self._names = self._names or Names("record")
        names.look_at_left(left or [])
        if variables is not None:
            names.look_at_variables(dict(variables))
        names.note(self._handle)

    def _graph(self) -> Any:
        """The native graph, with the names of what was seen at the end."""
        if not self._is_over():
            raise RuntimeError("the graph is still being recorded: use it after the with block")
        names = self._names or Names("record")
        if self._seen:
            names.take_seen(self._seen)
        return names.graph(self._handle)


_FUNCTIONS_OF_ENDS = (
    "PyDict_Next",
    "PyDict_GetItemWithError",
    "PyObject_GenericGetDict",
    "_PyType_Lookup",
    "PyObject_GetAttr",
    "PyList_Append",
    "PyBytes_FromStringAndSize",
    "PyObject_SetAttr",
    "PyEval_GetLocals" if sys.version_info < (3, 13) else "PyEval_GetFrameLocals",
    "PyDict_Clear",
    "PyType_GenericAlloc",
)
_TEXTS = ("_kinds", PARAMETER, BUFFER, MODULE)
_TEXTS += ("__name__", "named_parameters", "named_buffers", "named_modules")
_TEXTS += ("_recording", "_plain", "_profile", "_handle")
_OBJECTS = (_Handle, Module, dict, str, int, *map(sys.intern, _TEXTS))
_OBJECTS += (Graph, None, True, sys.version_info >= (3, 13))
_OBJECTS += (record._refuse, record._finish, record._fail, *OTHERS)


def _begin_and_end_natively() -> None:
    """Has the library begin and end recordings, see capi/python_calls.hpp, where it can."""
    if not fast or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return
    try:
        functions = _addresses(_FUNCTIONS_OF_ENDS)
    except AttributeError:
        return
    objects = (ctypes.c_void_p * len(_OBJECTS))(*map(id, _OBJECTS))
    check(lib.ag_python_recording(functions, len(functions), objects, len(objects)))
    natives = {
        "__enter__": b"begin_recording",
        "__exit__": b"end_recording",
        "_take_seen": b"seen_by_recording",
    }
    for name, native in natives.items():
        definition = MethodDef(name.encode(), lib.ag_python_function(native), FASTCALL, None)
        setattr(record, f"_{name.strip('_')}_in_python", getattr(record, name))
        setattr(record, name, as_method(new_function(definition, None)))


_begin_and_end_natively()
