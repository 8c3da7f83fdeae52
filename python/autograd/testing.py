"""Assertions about tensors, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, NoReturn

from . import dtypes
from .ops.kinds import promote_types
from .tensor import Tensor

__all__ = ["assert_close"]

# (rtol, atol) of two values of a dtype; those of Python numbers are the wider type's.
_TOLERANCES = {dtypes.float32: (1.3e-6, 1e-5), dtypes.float64: (1e-7, 1e-7)}
_EXACT = (0.0, 0.0)


class _Comparison:
    """What two values are compared by, and where in a collection the comparison has come to."""

    def __init__(
        self,
        rtol: float | None,
        atol: float | None,
        equal_nan: bool,
        check_dtype: bool,
        check_stride: bool,
        msg: str | Callable[[str], str] | None,
    ) -> None:
        self.tolerances = None if rtol is None or atol is None else (rtol, atol)
        self.equal_nan, self.check_dtype, self.check_stride = equal_nan, check_dtype, check_stride
        self.msg = msg

    def fail(self, text: str, place: str) -> NoReturn:
        if place:
            text += f"\n\nThe failure occurred for item {place}"
        if self.msg is not None:
            text = self.msg(text) if callable(self.msg) else self.msg
        raise AssertionError(text)

    def check(self, actual: Any, expected: Any, place: str) -> None:
        both = (actual, expected)
        if all(isinstance(value, Tensor) for value in both):
            self.check_tensors(actual, expected, place)
        elif all(isinstance(value, (bool, int, float)) for value in both):
            self.check_numbers(actual, expected, place)
        elif all(isinstance(value, Mapping) for value in both):
            self.check_mappings(actual, expected, place)
        elif all(isinstance(v, Sequence) and not isinstance(v, (str, bytes)) for v in both):
            if len(actual) != len(expected):
                lengths = f"{len(actual)} != {len(expected)}"
                self.fail(f"The length of the sequences mismatch: {lengths}", place)
            for i, (ours, theirs) in enumerate(zip(actual, expected)):
                self.check(ours, theirs, f"{place}[{i}]")
        elif actual is None or expected is None:
            if actual is not expected:
                self.fail(f"None mismatch: {actual} is not {expected}", place)
        else:
            kinds = " and ".join(str(type(value)) for value in both)
            raise TypeError(f"No comparison pair was able to handle inputs of type {kinds}.")

    def check_mappings(
        self, actual: Mapping[Any, Any], expected: Mapping[Any, Any], place: str
    ) -> None:
        missing = [key for key in expected if key not in actual]
        additional = [key for key in actual if key not in expected]
        if missing or additional:
            text = "The keys of the mappings do not match:"
            text += f"\nMissing keys in the actual mapping: {missing}" if missing else ""
            text += f"\nAdditional keys in the actual mapping: {additional}" if additional else ""
            self.fail(text, place)
        for key, value in expected.items():
            self.check(actual[key], value, f"{place}[{key!r}]")

    def check_numbers(self, actual: Any, expected: Any, place: str) -> None:
        if self.check_dtype and type(actual) is not type(expected):
            self.fail(f"The (d)types do not match: {type(actual)} != {type(expected)}.", place)
        floating = isinstance(actual, float) or isinstance(expected, float)
        rtol, atol = self.tolerances or (_TOLERANCES[dtypes.float64] if floating else _EXACT)
        if actual == expected or (self.equal_nan and actual != actual and expected != expected):
            return
        difference = abs(actual - expected)
        if difference <= atol + rtol * abs(expected) < float("inf"):
            return
        relative = difference / abs(expected) if expected else float("inf")
        exact = rtol == atol == 0
        self.fail(
            f"Scalars are not {'equal' if exact else 'close'}!\n\nExpected {expected} but got {actual}."
            f"\nAbsolute difference: {difference}{'' if exact else f' (up to {atol} allowed)'}"
            f"\nRelative difference: {relative}{'' if exact else f' (up to {rtol} allowed)'}",
            place,
        )

    def check_tensors(self, actual: Tensor, expected: Tensor, place: str) -> None:
        if actual.shape != expected.shape:
            sizes = f"{actual.shape} != {expected.shape}"
            self.fail(f"The values for attribute 'shape' do not match: {sizes}.", place)
        if self.check_dtype and actual.dtype is not expected.dtype:
            kinds = f"{actual.dtype} != {expected.dtype}"
            self.fail(f"The values for attribute 'dtype' do not match: {kinds}.", place)
        if self.check_stride and actual.stride() != expected.stride():
            strides = f"{actual.stride()} != {expected.stride()}"
            self.fail(f"The values for attribute 'stride()' do not match: {strides}.", place)
        common = promote_types(actual.dtype, expected.dtype)
        if self.tolerances is not None:
            rtol, atol = self.tolerances
        elif actual.dtype.is_floating_point and expected.dtype.is_floating_point:
            rtol, atol = map(max, _TOLERANCES[actual.dtype], _TOLERANCES[expected.dtype])
        else:
            rtol, atol = _TOLERANCES.get(common, _EXACT)
        # Compared in 64 bits, where float32 numbers and their differences are exact.
        wide = dtypes.float64 if common.is_floating_point else dtypes.int64
        ours, theirs = (t.detach().to(wide).reshape(-1) for t in (actual, expected))
        close = ours.isclose(theirs, rtol=rtol, atol=atol, equal_nan=self.equal_nan)
        if not close.all():
            self.fail(_difference(actual, ours, theirs, close, rtol, atol), place)


def _difference(
    shaped: Tensor, ours: Tensor, theirs: Tensor, close: Tensor, rtol: float, atol: float
) -> str:
    """What is said about two tensors: how many elements differ, and where they differ most."""
    numel, off = ours.numel(), int((~close).sum())
    exact = rtol == atol == 0
    lines = [f"Tensor-likes are not {'equal' if exact else 'close'}!", ""]
    if shaped.ndim:
        lines.append(f"Mismatched elements: {off} / {numel} ({off / numel:.1%})")
    else:
        kind = "equal" if exact else "close"
        lines = [f"Scalars are not {kind}!", "", f"Expected {theirs.item()} but got {ours.item()}."]
    distance = (ours - theirs).abs()
    relative = distance / theirs.abs()
    for title, values, allowed in (("absolute", distance, atol), ("relative", relative, rtol)):
        at = int(values.masked_fill(close, 0).argmax())
        where, rest = [], at
        for size in reversed(shaped.shape):
            where.insert(0, rest % size)
            rest //= size
        text = f"Greatest {title} difference: {values[at].item()}"
        if not shaped.ndim:
            text = f"{title.capitalize()} difference: {values[at].item()}"
        text += f" at index {tuple(where)}" if shaped.ndim else ""
        lines.append(text + ("" if exact else f" (up to {allowed} allowed)"))
    return "\n".join(lines)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raises AssertionError unless |actual - expected| <= atol + rtol * |expected|, elementwise.

    Takes tensors, numbers, and sequences and mappings of them, nested. By default rtol is 1.3e-6 and atol 1e-5 for
    float32, both are 1e-7 for float64 and Python floats, and 0 for integers and bool. Sizes have to be equal, and so
    have dtypes unless check_dtype is False. msg replaces the text of the error, or makes another of it.
    Raises ValueError if only one tolerance is given, TypeError for values of other kinds.
    """
    if (rtol is None) != (atol is None):
        lacking = "rtol" if rtol is None else "atol"
        raise ValueError(
            f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {lacking}."
        )
    if not allow_subclasses and type(actual) is not type(expected):
        raise TypeError(f"expected values of one type, not {type(actual)} and {type(expected)}")
    _Comparison(rtol, atol, equal_nan, check_dtype, check_stride, msg).check(actual, expected, "")
