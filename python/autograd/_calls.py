"""Functions of CPython's own kind in front of those of ctypes, which they call where they don't know an argument.

A call of such a function costs a fifth of one through ctypes and means the same. The library has them ready, see
"calls from CPython" in autograd.h. Other interpreters, and CPython before 3.10, go on with ctypes alone.
"""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace
from typing import Any

FASTCALL = 0x0080
_TP_NEW = 65  # the number of the slot, part of Python's stable ABI
_FUNCTIONS = (
    "PyLong_AsLongLongAndOverflow",
    "PyLong_FromLongLong",
    "PyFloat_AsDouble",
    "PyFloat_FromDouble",
    "PyBytes_AsString",
    "PyTuple_Size",
    "PyTuple_GetItem",
    "PyList_Size",
    "PyList_GetItem",
    "PyTuple_New",
    "PyTuple_SetItem",
    "PyList_SetItem",
    "PyList_New",
    "PyObject_Call",
    "PyErr_Occurred",
    "PyErr_Clear",
    "Py_IncRef",
    "Py_DecRef",
    "PyType_IsSubtype",
    "PyErr_CheckSignals",
    "PyNumber_Index",
)
_ARRAYS = type(ctypes.c_char * 1)
_CLASSES = (int, float, bytes, tuple, list, ctypes.c_int64, _ARRAYS, ctypes.c_void_p)
_OBJECTS = (*_CLASSES, None, True, False, ())


class MethodDef(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


def new_function(definition: MethodDef, function_self: Any) -> Any:
    """The builtin function that a definition describes, which has to live as long as the process."""
    make = ctypes.pythonapi["PyCFunction_NewEx"]
    make.restype = ctypes.py_object
    make.argtypes = [ctypes.POINTER(MethodDef), ctypes.py_object, ctypes.c_void_p]
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(definition))
    return make(ctypes.byref(definition), function_self, None)


def _head() -> int:
    """The size of an object's head; 0 unless objects of this interpreter look as expected."""
    if sys.implementation.name != "cpython" or sys.version_info < (3, 10):
        return 0
    head, number = object.__basicsize__, ctypes.c_int64(5)

    def word(offset: int) -> int | None:
        return ctypes.c_void_p.from_address(id(number) + offset).value

    fits = word(head - ctypes.sizeof(ctypes.c_void_p)) == id(ctypes.c_int64) and word(
        head
    ) == ctypes.addressof(number)
    return head if fits else 0


def _start(lib: SimpleNamespace) -> bool:
    """Tells the library what it needs of the interpreter; False if that cannot be had."""
    head = _head()
    if not head:
        return False
    try:
        functions = [ctypes.cast(ctypes.pythonapi[name], ctypes.c_void_p) for name in _FUNCTIONS]
    except AttributeError:
        return False
    get_slot = ctypes.pythonapi["PyType_GetSlot"]
    get_slot.restype, get_slot.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_int]
    functions.append(ctypes.c_void_p(get_slot(ctypes._SimpleCData, _TP_NEW)))
    pointers = (ctypes.c_void_p * len(functions))(*(f.value for f in functions))
    objects = (ctypes.c_void_p * len(_OBJECTS))(*map(id, _OBJECTS))
    return not lib.ag_python_start(pointers, len(pointers), objects, len(objects), head)


def put_in_front(lib: SimpleNamespace) -> bool:
    """Replaces the functions of the library by faster ones, where there are any; returns whether there are."""
    if not _start(lib):
        return False
    for name, function in vars(lib).items():
        address = lib.ag_python_function(name.encode())
        if address:
            definition = MethodDef(name.encode(), address, FASTCALL, function.__doc__.encode())
            setattr(lib, name, new_function(definition, function))
    return True


def fast_method(lib: SimpleNamespace, name: str, behind: Any) -> Any:
    """A function of the library's own, which calls `behind` where it does not know an argument."""
    definition = MethodDef(
        name.encode(), lib.ag_python_function(name.encode()), FASTCALL, behind.__doc__.encode()
    )
    return new_function(definition, behind)


def of_ctypes(native: Any) -> Any:
    """The function of ctypes that stands behind a function of the library, or is it."""
    return getattr(native, "__self__", native)
