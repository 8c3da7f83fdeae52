"""One line per op: makes ``autograd.<op>``, ``Tensor.<op>`` and, where the library has it, ``Tensor.<op>_``."""

from __future__ import annotations

from functools import wraps
from inspect import signature
from types import FunctionType
from typing import Any, Callable, TypeVar

from ._arguments import kind_of
from ._capi import (
    PACKAGE,
    PACKERS,
    ArgumentError,
    again,
    argument_error,
    call,
    declaration_of,
    fast,
    lib,
    not_null,
    raise_last_error,
)
from .operands import must_be_tensors, operand, sizes_argument, tensor_argument
from .tensor import Size, Tensor, tensor_classes

_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")

Function = TypeVar("Function", bound=Callable[..., Any])


def method(function: Function, name: str | None = None) -> Function:
    """The function, which is also made a method of Tensor, under its own or another name."""
    setattr(Tensor, name or function.__name__, function)
    return function


def function_only(function: Function) -> Function:
    """The function, which is marked to be public as ``autograd.<name>``."""
    function.public = True  # type: ignore[attr-defined]
    return function


def op(function: Function, name: str | None = None) -> Function:
    """The function, which is made both: ``autograd.<name>`` and ``Tensor.<name>``."""
    return function_only(method(function, name))


def public_names(namespace: dict[str, Any]) -> list[str]:
    """The names of the functions in a module that are to be public as ``autograd.<name>``."""
    return [
        name
        for name, value in namespace.items()
        if getattr(value, "public", False) and name[0] != "_"
    ]


def _describe(function: Any, name: str, native: Any, formula: str) -> None:
    function.__name__ = function.__qualname__ = name
    function.__module__ = "autograd"
    notes = declaration_of(native).doc
    function.__doc__ = formula + (f"\n\n{notes}" if notes else "")


def unary(name: str, formula: str) -> Callable[[Tensor], Tensor]:
    """A function of one tensor, computed by ``ag_<name>``."""
    native = getattr(lib, f"ag_{name}")

    def function(input: Tensor) -> Tensor:
        try:
            result = native(input)
        except ArgumentError:
            raise TypeError(
                f"{name}(): argument 'input' must be Tensor, not {kind_of(input)}"
            ) from None
        if not_null(result):
            return result
        raise_last_error()

    _describe(function, name, native, f"Returns {formula}, elementwise.")
    if hasattr(lib, f"ag_{name}_"):
        _unary_in_place(name, formula)
    return op(function)


def _unary_in_place(name: str, formula: str) -> None:
    native = getattr(lib, f"ag_{name}_")

    def function(self: Tensor) -> Tensor:
        if native(self):
            raise_last_error()
        return self

    _describe(
        function,
        f"{name}_",
        native,
        f"Replaces the elements by {formula} and returns the tensor itself.",
    )
    method(function)


def _two_tensors(name: str, native: Any) -> Callable[..., Tensor]:
    def function(input: Tensor, other: Tensor) -> Tensor:
        try:
            result = native(input, other)
        except ArgumentError as error:
            result = again(native, (input, other), error)
        if not_null(result):
            return result
        raise_last_error()

    return function


def _name_second(function: Any, second: str) -> None:
    """Calls the parameter ``other`` of a function by another name."""
    code = function.__code__
    names = tuple(second if name == "other" else name for name in code.co_varnames)
    function.__code__ = code.replace(co_varnames=names)
    function.__annotations__ = {
        second if name == "other" else name: hint for name, hint in function.__annotations__.items()
    }


def binary(
    name: str,
    formula: str,
    symbol: str | None = None,
    numbers: str = "one",
    second: str = "other",
) -> Callable[..., Tensor]:
    """A function of two tensors, computed by ``ag_<name>``.

    numbers says which of them may be Python numbers: "none", the "second", any "one", or the "two" of them.
    symbol is the name of its operator, ``"add"`` for ``__add__``, ``__radd__`` and ``__iadd__``; second is the name of
    the second parameter.
    """
    native = getattr(lib, f"ag_{name}")

    def function(input: Tensor, other: Any) -> Tensor:
        if type(other) not in tensor_classes:
            if not isinstance(input, Tensor) and numbers != "two":
                raise TypeError(f"{name}(): argument 'input' must be Tensor, not {kind_of(input)}")
            other = tensor_argument(name, second, other)
        try:
            result = native(input, other)
        except ArgumentError as error:
            if numbers == "second":
                raise argument_error(native, (input, other), error) from None
            result = native(tensor_argument(name, "input", input), other)
        if not_null(result):
            return result
        raise_last_error()

    if numbers == "none":
        function = _two_tensors(name, native)
    if numbers in ("one", "two"):
        function.__annotations__["input"] = "Any"  # a number may be the first
    _name_second(function, second)
    _describe(function, name, native, f"Returns {formula}, elementwise and broadcast.")
    if hasattr(lib, f"ag_{name}_"):
        symbol_in_place = None if symbol in _COMPARISONS else symbol
        _binary_in_place(name, formula, symbol_in_place, numbers, second)
    if symbol is not None:
        _operator(symbol, native)
    return op(function)


def _binary_in_place(
    name: str, formula: str, symbol: str | None, numbers: str, second: str
) -> None:
    native = getattr(lib, f"ag_{name}_")

    def function(self: Tensor, other: Any) -> Tensor:
        if type(other) not in tensor_classes:
            if numbers == "none":
                must_be_tensors(f"{name}_", **{second: other})
            other = tensor_argument(f"{name}_", second, other)
        if native(self, other):
            raise_last_error()
        return self

    def in_place_operator(self: Tensor, other: Any) -> Tensor:
        if type(other) not in tensor_classes:
            other = operand(other)
            if other is None:
                return NotImplemented
        if native(self, other):
            raise_last_error()
        return self

    if numbers == "none":
        function.__annotations__["other"] = "Tensor"
    _name_second(function, second)
    _describe(
        function,
        f"{name}_",
        native,
        f"Replaces the elements by {formula} and returns the tensor itself.",
    )
    method(function)
    if symbol is not None:
        _special(f"__i{symbol}__", in_place_operator)


def _special(name: str, function: Any) -> None:
    function.__name__ = name
    function.__qualname__ = f"Tensor.{name}"
    setattr(Tensor, name, function)


def _operator(symbol: str, native: Any) -> None:
    def forward(self: Tensor, other: Any) -> Tensor:
        if type(other) not in tensor_classes:
            other = operand(other)
            if other is None:
                return NotImplemented
        result = native(self, other)
        if not_null(result):
            return result
        raise_last_error()

    def reflected(self: Tensor, other: Any) -> Tensor:
        other = operand(other)
        if other is None:
            return NotImplemented
        result = native(other, self)
        if not_null(result):
            return result
        raise_last_error()

    _special(f"__{symbol}__", forward)
    # Python swaps comparisons by itself: a < b is b > a.
    if symbol not in _COMPARISONS:
        _special(f"__r{symbol}__", reflected)


# ---- functions that only pass their arguments on ---------------------------------------------------------

_PASS_ON = """
def {name}({parameters}):
    try:
        result = native({arguments})
    except ArgumentError as error:
        result = again(native, ({arguments},), error)
    if not_null(result):
        return result
    raise_last_error()
"""

_PASS_ON_SIZES = """
def {name}({first}, {sizes}=None, *more):
    {but}
    try:
        sizes = ({sizes}, *more) if more else {sizes} if type({sizes}) in SEQUENCES else ({sizes},)
        {call}
    except Exception:
        return otherwise({first}, {sizes}, more)
    if not_null(result):
        return result
    raise_last_error()
"""
_BUT_FOR = "if type({sizes}) is but_for: return otherwise({first}, {sizes}, more)"
_CALL = (
    "result = native({first}, sizes, len(sizes))"
    if fast
    else "pack, count = PACKERS[len(sizes)]; result = native({first}, pack(*sizes), count)"
)


# A file of the package, so that its frames are known as the package's.
_WRITTEN = str(PACKAGE / "<written>")


def _written(function: Function, template: str, names: dict[str, Any], **parts: str) -> Function:
    """The function that a template makes, with the signature, the docstring and the place of another one."""
    space: dict[str, Any] = {"not_null": not_null, "raise_last_error": raise_last_error, **names}
    source = template.format(name=function.__name__, **parts)
    exec(compile(source, _WRITTEN, "exec"), space)
    return wraps(function)(space[function.__name__])  # type: ignore[return-value]


_BY_NUMPYS_NAMES = """
def {name}({parameters}, **numpy):
    if {by_names}:
        return function(**in_own_names(function, locals()))
    return positional({arguments})
"""
_NUMPYS_NAMES = {"axis": "dim", "keepdims": "keepdim"}
_LEFT_OUT = object()


def in_own_names(function: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a function, those of its parameter ``numpy`` under the names that they have here."""
    name, parameters = function.__name__, signature(function).parameters
    for numpys, value in given.pop("numpy").items():
        own = _NUMPYS_NAMES.get(numpys)
        if own not in given:
            raise TypeError(f"{name}() got an unexpected keyword argument '{numpys}'")
        if given[own] is not _LEFT_OUT and given[own] is not parameters[own].default:
            raise TypeError(
                f"{name}() got multiple values for argument '{own}', also as '{numpys}'"
            )
        given[own] = value
    return {own: value for own, value in given.items() if value is not _LEFT_OUT}


def by_numpys_names(function: Function) -> Function:
    """The function, which takes NumPy's axis and keepdims for dim and keepdim too, as PyTorch's functions do."""
    parameters = list(signature(function).parameters.values())
    names = [p.name for p in parameters]
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    # What has to be given may be missing where NumPy's names stand; so may what comes behind it.
    needed = [name for name in names[names.index("dim") :] if name not in defaults]
    defaults.update(dict.fromkeys(needed, _LEFT_OUT))
    written = [f"{name}=default_{name}" if name in defaults else name for name in names]
    # The same code with all parameters positional: calling it costs half of what names cost.
    code = function.__code__
    positional = FunctionType(
        code.replace(co_argcount=len(names), co_kwonlyargcount=0),
        function.__globals__,
        function.__name__,
        None,
        function.__closure__,
    )
    if code.co_kwonlyargcount:
        written.insert(code.co_argcount, "*")
    return _written(
        function,
        _BY_NUMPYS_NAMES,
        {
            "function": function,
            "positional": positional,
            "in_own_names": in_own_names,
            "LEFT_OUT": _LEFT_OUT,
            **{f"default_{name}": default for name, default in defaults.items()},
        },
        parameters=", ".join(written),
        by_names=" or ".join(["numpy", *(f"{name} is LEFT_OUT" for name in needed)]),
        arguments=", ".join(names),
    )


def passes_on(native: Any) -> Callable[[Function], Function]:
    """Gives a function without a body one that passes its arguments, in order, on to a native function.

    The body is written out for the parameters at hand, so that a call makes one Python frame.
    """

    def write(function: Function) -> Function:
        parameters = list(signature(function).parameters.values())
        defaults = {f"default_{p.name}": p.default for p in parameters if p.default is not p.empty}
        return _written(
            function,
            _PASS_ON,
            {
                "native": native,
                "ArgumentError": ArgumentError,
                "again": again,
                **defaults,
            },
            parameters=", ".join(
                p.name if p.default is p.empty else f"{p.name}=default_{p.name}" for p in parameters
            ),
            arguments=", ".join(p.name for p in parameters),
        )

    return write


def passes_sizes_on(
    native: Any,
    otherwise: Callable[[Any, Any, tuple[Any, ...]], Any] | None = None,
    but_for: type | None = None,
) -> Callable[[Function], Function]:
    """The same for a function of a tensor and of sizes or dims, given one by one or as one sequence.

    otherwise(tensor, first, more) makes the calls that are no usual ones, and raises their errors; those where first
    is a but_for, without a try.
    """

    def write(function: Function) -> Function:
        first, sizes = list(signature(function).parameters)[:2]
        name = function.__name__

        def read(tensor: Any, size: Any, more: tuple[Any, ...]) -> Any:
            return call(native, tensor, *sizes_argument(name, size, more))

        return _written(
            function,
            _PASS_ON_SIZES,
            {
                "native": native,
                "PACKERS": PACKERS,
                "SEQUENCES": (Size, tuple, list),
                "otherwise": otherwise or read,
                "but_for": but_for,
            },
            but=_BUT_FOR.format(first=first, sizes=sizes) if but_for else "",
            first=first,
            sizes=sizes,
            call=_CALL.format(first=first),
        )

    return write
