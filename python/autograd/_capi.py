"""Loads the native library and binds every function that autograd.h declares.

The header is the only list of functions: argument types, result types and docs are read from it. Calls
marked AG_BLOCKING release the interpreter lock (``CDLL``), all others keep it (``PyDLL``), which is faster; the
library itself gives it up during ops on many elements.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import re
import struct
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, NamedTuple, NoReturn

from ._arguments import (
    ArrayArgument,
    BoolArgument,
    DoubleArgument,
    HandleArgument,
    HandlesArgument,
    IntArgument,
    LongArgument,
    kind_of,
)
from ._calls import of_ctypes, put_in_front

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parent.parent


class Declaration(NamedTuple):
    """One function of the header."""

    name: str
    result: str
    parameters: tuple[tuple[str, str], ...]  # (C type, name)
    blocking: bool
    doc: str


class Header(NamedTuple):
    """What a header says: functions by name, and the values of its enums and of AG_ABI_VERSION."""

    functions: dict[str, Declaration]
    constants: dict[str, int]


# ---- reading the header ----------------------------------------------------------------------------------

_ITEM = re.compile(
    r"/\*(?P<comment>.*?)\*/|^AG_API\s+(?P<function>[^;]+);", re.DOTALL | re.MULTILINE
)
_FUNCTION = re.compile(r"^(AG_BLOCKING )?(.+?)\b(ag_\w+) ?\((.*)\)$")
_CONSTANT = re.compile(r"\b(AG_\w+) = (-?\d+)|#define (AG_ABI_VERSION) (\d+)")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def _c_type(text: str) -> str:
    """The C type without blanks around its stars: ``const ag_tensor*``."""
    return re.sub(r"\s*\*\s*", "*", " ".join(text.split())).replace("*const", "* const").strip()


def _declaration(text: str, doc: str) -> Declaration:
    match = _FUNCTION.match(" ".join(text.split()))
    if match is None:
        raise ImportError(f"autograd.h: cannot read the declaration {text!r}")
    blocking, result, name, parameters = match.groups()
    pairs = []
    for parameter in parameters.split(","):
        if parameter.strip() not in ("", "void"):
            c_type, parameter_name = re.fullmatch(r"(.*?)(\w+)", parameter.strip()).groups()  # type: ignore
            pairs.append((_c_type(c_type), parameter_name))
    return Declaration(name, _c_type(result), tuple(pairs), blocking is not None, doc)


def parse_header(text: str) -> Header:
    """The functions and constants declared in the text of a header in autograd.h's style."""
    functions: dict[str, Declaration] = {}
    doc, end = "", 0
    for match in _ITEM.finditer(text):
        if match.group("comment") is not None:
            lines = (line.strip().lstrip("*") for line in match.group("comment").split("\n"))
            doc, end = " ".join(" ".join(lines).split()), match.end()
        else:
            # A comment documents the declaration that follows it directly.
            own = doc if not text[end : match.start()].strip() else ""
            declaration = _declaration(match.group("function"), own)
            functions[declaration.name] = declaration
            doc, end = "", match.end()
    constants = {}
    for enum_name, value, macro, number in _CONSTANT.findall(_COMMENT.sub("", text)):
        constants[enum_name or macro] = int(value or number)
    return Header(functions, constants)


# ---- C types ---------------------------------------------------------------------------------------------


_Addresses = ctypes.POINTER(ctypes.c_void_p)
DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
HOOK = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, _Addresses)
LEAF_HOOK = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)
NODE_HOOK = ctypes.CFUNCTYPE(
    ctypes.c_int32,
    ctypes.c_void_p,
    _Addresses,
    ctypes.c_int64,
    _Addresses,
    ctypes.c_int64,
    _Addresses,
)
CODE_RESOLVER = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_int32)
RULE = ctypes.CFUNCTYPE(
    ctypes.c_int32,
    ctypes.c_void_p,
    ctypes.c_void_p,
    _Addresses,
    ctypes.c_int64,
    _Addresses,
    ctypes.c_int64,
)
PACK = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, _Addresses)
UNPACK = PACK
EXCEPTION_KEEPER = ctypes.PYFUNCTYPE(None, ctypes.py_object)
_HANDLE = re.compile(
    r"(const )?(ag_tensor|ag_graph|ag_node|ag_recording|ag_compiled|ag_function)\*"
)
_VALUES: dict[str, Any] = {
    "void": None,
    "int32_t": ctypes.c_int32,
    "int64_t": ctypes.c_int64,
    "double": ctypes.c_double,
    "const char*": ctypes.c_char_p,
    "ag_deleter": DELETER,
    "ag_hook": HOOK,
    "ag_leaf_hook": LEAF_HOOK,
    "ag_node_hook": NODE_HOOK,
    "ag_rule": RULE,
    "ag_lock_release": ctypes.c_void_p,
    "ag_lock_take": ctypes.c_void_p,
    "ag_lock_thread": ctypes.c_void_p,
    "ag_code_resolver": CODE_RESOLVER,
    "ag_pack": PACK,
    "ag_unpack": UNPACK,
    "ag_op_infer": ctypes.c_void_p,
    "ag_op_forward": ctypes.c_void_p,
    "ag_op_backward": ctypes.c_void_p,
    "ag_exception_keeper": EXCEPTION_KEEPER,
}


_OWN_ARGUMENTS = {
    ctypes.c_int32: IntArgument,
    ctypes.c_int64: LongArgument,
    ctypes.c_double: DoubleArgument,
}


def _argument_type(c_type: str) -> Any:
    if _HANDLE.fullmatch(c_type):
        return HandleArgument
    if re.fullmatch(r"(const )?ag_tensor\* const\*", c_type):
        return HandlesArgument
    if re.fullmatch(r"const (int64_t|int32_t|double)\*", c_type):
        return ArrayArgument
    if c_type == "ag_bool":
        return BoolArgument
    if c_type == "ag_tensor**":  # room for results: an array, or an empty handle
        return _Addresses
    kind = _result_type(c_type)
    return _OWN_ARGUMENTS.get(kind, kind)


def _result_type(c_type: str) -> Any:
    if c_type in _VALUES:
        return _VALUES[c_type]
    return ctypes.c_void_p if c_type.endswith("*") else ctypes.c_int32  # pointers and enums


def bind(header: Header, path: str) -> SimpleNamespace:
    """The functions of the header, found in the library at path, with their types and docs set."""
    keeping, releasing = ctypes.PyDLL(path), ctypes.CDLL(path)
    functions = SimpleNamespace()
    for declaration in header.functions.values():
        try:
            function = (releasing if declaration.blocking else keeping)[declaration.name]
        except AttributeError:
            raise ImportError(
                f"autograd: the library {path} lacks the function {declaration.name} that the package's "
                f"autograd.h declares. {_REMEDY}"
            ) from None
        function.argtypes = [_argument_type(c_type) for c_type, _ in declaration.parameters]
        function.restype = _result_type(declaration.result)
        function.__doc__ = declaration.doc
        function.declaration = declaration
        setattr(functions, declaration.name, function)
    return functions


# ---- finding the library ---------------------------------------------------------------------------------

_REMEDY = (
    "Install the package again (pip install --force-reinstall), or build the library in the source "
    "checkout (cmake --preset release && cmake --build build), or set AUTOGRAD_LIBRARY to the path of "
    "a fitting library."
)


def _library_name() -> str:
    return {"win32": "autograd.dll", "darwin": "libautograd.dylib"}.get(
        sys.platform, "libautograd.so"
    )


def candidates() -> list[Path]:
    """The places where the library is looked for, in order."""
    chosen = os.environ.get("AUTOGRAD_LIBRARY")
    if chosen:
        return [Path(chosen)]
    name = _library_name()
    places = [PACKAGE / name, PACKAGE / "lib" / name]
    if (CHECKOUT / "capi" / "autograd.h").exists():
        places += [CHECKOUT / "build" / name, CHECKOUT / "build" / "lib" / name]
    return places


def find_library() -> str:
    """The path of the native library; ImportError with all places that were tried if there is none."""
    places = candidates()
    for place in places:
        if place.is_file():
            return str(place.resolve())
    tried = "\n".join(f"  {place}" for place in places)
    reason = " (named by AUTOGRAD_LIBRARY)" if os.environ.get("AUTOGRAD_LIBRARY") else ""
    raise ImportError(
        f"autograd: the native library was not found{reason}. Looked for:\n{tried}\n{_REMEDY}"
    )


def find_header() -> Path:
    """The path of autograd.h: the copy installed with the package, or the source checkout's own."""
    for place in (PACKAGE / "autograd.h", CHECKOUT / "capi" / "autograd.h"):
        if place.is_file():
            return place
    raise ImportError(f"autograd: autograd.h is missing from {PACKAGE}. {_REMEDY}")


def check_abi(path: str, expected: int) -> None:
    """Raises ImportError unless the library at path can be loaded and has the expected ABI number."""
    try:
        version = ctypes.CDLL(path).ag_abi_version
    except OSError as error:
        raise ImportError(
            f"autograd: cannot load the native library {path}: {error}. {_REMEDY}"
        ) from None
    except AttributeError:
        raise ImportError(
            f"autograd: {path} is not the autograd library (no ag_abi_version). {_REMEDY}"
        ) from None
    version.restype, version.argtypes = ctypes.c_int32, []
    found = version()
    if found != expected:
        raise ImportError(
            f"autograd: the native library {path} has ABI version {found}, but this package needs version "
            f"{expected}. {_REMEDY}"
        )


library_path = find_library()
header = parse_header(find_header().read_text(encoding="utf-8"))
constants = header.constants
check_abi(library_path, constants["AG_ABI_VERSION"])
lib: Any = bind(header, library_path)
fast = put_in_front(lib)


def _share_lock() -> None:
    """Tells the library how to give up the interpreter's lock; interpreters without CPython's functions keep it."""
    names = (
        "PyEval_SaveThread",
        "PyEval_RestoreThread",
        # public, under another name, since 3.13
        "PyThreadState_GetUnchecked"
        if sys.version_info >= (3, 13)
        else "_PyThreadState_UncheckedGet",
        "PyGILState_GetThisThreadState",
    )
    try:
        functions = [getattr(ctypes.pythonapi, name) for name in names]
    except AttributeError:
        return
    lib.ag_set_interpreter_lock(*(ctypes.cast(f, ctypes.c_void_p) for f in functions))


_share_lock()


# ---- calling ---------------------------------------------------------------------------------------------


class LinAlgError(RuntimeError):
    """A matrix has no inverse, solution or factors. Public as ``autograd.linalg.LinAlgError``."""


class OutOfMemoryError(MemoryError, RuntimeError):
    """There is not as much memory as was asked for. A RuntimeError, as in PyTorch, and Python's MemoryError too."""


_EXCEPTIONS = {
    constants["AG_ERROR_RUNTIME"]: RuntimeError,
    constants["AG_ERROR_TYPE"]: TypeError,
    constants["AG_ERROR_VALUE"]: ValueError,
    constants["AG_ERROR_INDEX"]: IndexError,
    constants["AG_ERROR_NOT_IMPLEMENTED"]: NotImplementedError,
    constants["AG_ERROR_MEMORY"]: OutOfMemoryError,
    constants["AG_ERROR_LINALG"]: LinAlgError,
}

# True if a handle is not NULL. A handle class may give __bool__ another meaning, so this is called by name.
handle_exists: Callable[[Any], bool] = ctypes._SimpleCData.__bool__  # type: ignore[attr-defined]
# The same of a tensor, at a third of the cost.
not_null: Callable[[Any], bool] = lib.ag_tensor_exists if fast else handle_exists
get_address: Callable[[Any], int | None] = ctypes._SimpleCData.value.__get__  # type: ignore[attr-defined]
set_address: Callable[[Any, int | None], None] = ctypes._SimpleCData.value.__set__  # type: ignore[attr-defined]

ArgumentError = ctypes.ArgumentError

# Numbers of type int64_t that are passed often; ctypes takes these objects faster than plain ints.
ZERO, ONE = ctypes.c_int64(0), ctypes.c_int64(1)


# Exceptions of Python code that the library called, until the call that led there fails: see raise_last_error.
_raised = threading.local()


def keep_exception(error: BaseException) -> int:
    """Keeps what a callback raised; the status that the callback has to return."""
    _raised.error = error
    return constants["AG_ERROR_RUNTIME"]


@EXCEPTION_KEEPER
def _keep_signal(error: BaseException) -> None:
    """Keeps what a signal handler raised during a call; raise_last_error raises it."""
    _raised.error = error


if threading.current_thread() is threading.main_thread():
    lib.ag_follow_python_signals(_keep_signal)
    atexit.register(lambda: lib.ag_follow_python_signals(EXCEPTION_KEEPER()))


def raise_last_error() -> NoReturn:
    """Raises the calling thread's last failure as the exception that its status stands for.

    If Python code that the library called has raised, that exception goes on.
    """
    error = _raised.__dict__.pop("error", None)
    if error is not None:
        raise error
    message = lib.ag_last_error().decode("utf-8", "replace")
    if "modified by an inplace operation" in message:
        from .in_place_errors import with_fix

        message = with_fix(message)
    raise _EXCEPTIONS.get(lib.ag_last_status(), RuntimeError)(message)


def check(status: int) -> None:
    """Raises the last failure unless status is AG_OK."""
    if status:
        raise_last_error()


_PYTHON_NAMES = {
    "x": "input",
    "a": "input",
    "t": "input",
    "self": "input",
    "logits": "input",
    "b": "other",
}
_KINDS = {
    DoubleArgument: "float",
    IntArgument: "int",
    LongArgument: "int",
    BoolArgument: "bool",
    HandleArgument: "Tensor",
}


def declaration_of(native: Any) -> Declaration:
    """What the header says of a function of the library."""
    return of_ctypes(native).declaration


def argument_error(native: Any, arguments: tuple[Any, ...], error: Exception) -> Exception:
    """The error, worded as PyTorch words it, for a call that ctypes refused because of an argument.

    TypeError for a wrong type, ValueError for an int beyond 64 bits.
    """
    place = re.search(r"argument (\d+)", str(error))
    if place is None or int(place.group(1)) > len(arguments):
        return TypeError(f"{native.__name__[3:]}(): {error}")
    position = int(place.group(1)) - 1
    name = declaration_of(native).parameters[position][1]
    kind = _KINDS.get(of_ctypes(native).argtypes[position], "pointer")
    value = arguments[position]
    shown = f"{native.__name__[3:]}(): argument '{_PYTHON_NAMES.get(name, name)}'"
    if kind == "int" and isinstance(value, int) and type(value) is not bool:
        return ValueError(f"Overflow when unpacking long long: {shown} is {value}")
    given = kind_of(value) if kind == "Tensor" else type(value).__name__
    return TypeError(f"{shown} must be {kind}, not {given}")


def again(native: Any, arguments: tuple[Any, ...], error: Exception) -> Any:
    """The result of a call that was refused, made again with sequences of sizes and dims packed.

    Raises argument_error() if that does not help.
    """
    packed = list(arguments)
    for position, (c_type, _) in enumerate(declaration_of(native).parameters[: len(packed)]):
        if c_type == "const int64_t*" and isinstance(packed[position], (tuple, list)):
            packed[position] = pack(packed[position])[0]
    try:
        return native(*packed)
    except ArgumentError as other:
        raise argument_error(native, arguments, other) from None


def call(native: Any, *arguments: Any) -> Any:
    """The handle that a native function returns; raises what went wrong if it is NULL."""
    try:
        result = native(*arguments)
    except ArgumentError as error:
        result = again(native, arguments, error)
    if not_null(result):
        return result
    raise_last_error()


def run(native: Any, *arguments: Any) -> None:
    """Calls a native function that returns a status; raises what went wrong."""
    try:
        status = native(*arguments)
    except ArgumentError as error:
        status = again(native, arguments, error)
    if status:
        raise_last_error()


def text(native: Any, *arguments: Any, room: int = 0) -> str:
    """The text that a native function writes into a buffer; one call is enough if `room` bytes are."""
    buffer = ctypes.create_string_buffer(room) if room else None
    length = native(*arguments, buffer, room)
    if length < 0:
        raise_last_error()
    if length >= room:
        buffer = ctypes.create_string_buffer(length + 1)
        native(*arguments, buffer, length + 1)
    return buffer.value.decode("utf-8", "replace")


def text_once(native: Any, *arguments: Any) -> str:
    """The same for a function that does more than to write: it is called again only if the text is very long."""
    buffer = ctypes.create_string_buffer(1 << 16)
    length = native(*arguments, buffer, len(buffer))
    if length < 0:
        raise_last_error()
    return (
        buffer.value.decode("utf-8", "replace")
        if length < len(buffer)
        else text(native, *arguments)
    )


def lasting(callback: Any) -> Any:
    """The callback, which is never freed: the library may call it while Python ends and modules are taken apart."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(callback))
    return callback


# ---- sizes and dims --------------------------------------------------------------------------------------

MAX_DIMS = 64
# By count: what makes an array of that many int64, and the count as the library takes it.
PACKERS = [(struct.Struct(f"{n}q").pack, ctypes.c_int64(n)) for n in range(MAX_DIMS + 1)]
_MOST_LISTED = 24  # functions in front of ctypes have room for two sequences of this length


def pack(numbers: Sequence[int]) -> tuple[bytes, Any]:
    """The numbers as an array of int64, and their count, ready to be passed to the library."""
    n = len(numbers)
    if n and type(numbers[0]) is bool:
        raise TypeError(f"sizes and dims must be int, not bool, got {tuple(numbers)}")
    packer, count = PACKERS[n] if n <= MAX_DIMS else (struct.Struct(f"{n}q").pack, n)
    try:
        return packer(*numbers), count
    except struct.error:
        for number in numbers:
            if not hasattr(type(number), "__index__"):
                kind = type(number).__name__
                raise TypeError(f"sizes and dims must be int, not {kind}") from None
        raise TypeError(f"sizes and dims must fit 64 bits, got {tuple(numbers)}") from None


def listed(numbers: Any) -> tuple[Any, Any]:
    """The same for call(), run() and what makes a refused call again(): short tuples and lists stay as they are."""
    kind = type(numbers)
    if kind is not tuple and kind is not list and not isinstance(numbers, (tuple, list)):
        # Bytes and arrays would be read as the memory that they are.
        raise TypeError(f"sizes and dims must be tuple of ints, not {kind.__name__}")
    n = len(numbers)
    return (numbers, n) if n <= _MOST_LISTED and fast else pack(numbers)


# ---- handle classes --------------------------------------------------------------------------------------

_instance_method = ctypes.pythonapi.PyInstanceMethod_New
_instance_method.restype, _instance_method.argtypes = ctypes.py_object, [ctypes.py_object]


def as_method(native: Any) -> Any:
    """The native function as a method: an instance is its first argument, and no Python frame is made."""
    return _instance_method(native)


def set_handle_class(c_name: str, handle_class: type) -> None:
    """Makes all functions that return `c_name*` return handle_class, which ctypes instantiates without __init__."""
    for declaration in header.functions.values():
        if declaration.result == f"{c_name}*":
            of_ctypes(getattr(lib, declaration.name)).restype = handle_class


def set_fast_classes(tensor: type, parameter: type, size: type) -> None:
    """Says which handles and sizes the functions in front of those of ctypes are to know."""
    if fast:
        check(lib.ag_python_classes(id(tensor), id(parameter), id(size)))


def hide_buffer(handle_class: type) -> None:
    """Takes the buffer protocol away from a ctypes class.

    NumPy asks for it before it looks for ``__array__``, and ctypes would answer with the handle's own bytes. From
    Python 3.12 on a class can define ``__buffer__`` instead. Before, the slot has to be emptied: in
    CPython 3.9 to 3.11, whose layout is final, tp_as_buffer is the 19th pointer after the object header.
    """
    if sys.version_info >= (3, 12):
        return
    slot = id(handle_class) + object.__basicsize__ + 18 * ctypes.sizeof(ctypes.c_void_p)
    procedures = ctypes.c_void_p.from_address(slot).value or 0
    # A class made by a class statement carries its own procedures inside itself.
    if id(handle_class) < procedures < id(handle_class) + type.__basicsize__:
        ctypes.c_void_p.from_address(procedures).value = None
