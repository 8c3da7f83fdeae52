"""How a tensor prints: PyTorch's layout, with 4 digits and a summary above 1,000 elements unless set otherwise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Callable

from . import dtypes
from ._capi import call, lib
from .interop import to_flat_list
from .tensor import Tensor

__all__ = ["set_printoptions"]


@dataclass
class _Options:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": _Options(),
    "short": _Options(precision=2, edgeitems=2),
    "full": _Options(threshold=math.inf),
}
_options = _Options()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Sets how tensors print from now on; what is None stays as it is.

    precision: digits after the point (4). threshold: the number of elements above which a summary is printed (1000),
    of edgeitems (3) at each end of each dim. linewidth: characters in a line (80). profile: "default", "short" or
    "full", which sets all of them first. sci_mode: whether floats print as 1.0e+00; None lets the numbers decide.
    Raises ValueError for another profile.
    """
    global _options
    if profile is not None and profile not in _PROFILES:
        raise ValueError(
            f"set_printoptions(): profile is one of {', '.join(_PROFILES)}, not {profile!r}"
        )
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    start = _options if profile is None else _PROFILES[profile]
    changes = {name: value for name, value in given.items() if value is not None}
    _options = replace(start, **changes, sci_mode=sci_mode)


def _number_format(numbers: list[Any], floating: bool) -> tuple[Callable[[Any], str], int]:
    """How to write each number so that all are equally precise, and the width of the longest."""
    if not floating:
        return str, max((len(str(number)) for number in numbers), default=1)
    finite = [number for number in numbers if math.isfinite(number) and number != 0]
    plain = _fixed if any(number != math.ceil(number) for number in finite) else _whole
    write = plain
    if finite:
        low, high = min(map(abs, finite)), max(map(abs, finite))
        if high / low > 1000.0 or high > 1.0e8 or low < 1.0e-4:
            write = _scientific
    if _options.sci_mode is not None:
        write = _scientific if _options.sci_mode else plain
    return write, max((len(write(number)) for number in finite), default=1)


def _whole(number: float) -> str:
    return f"{number:.0f}." if math.isfinite(number) else f"{number:.0f}"


def _fixed(number: float) -> str:
    return f"{number:.{_options.precision}f}"


def _scientific(number: float) -> str:
    return f"{number:.{_options.precision}e}"


def _nested(
    tensor: Tensor, write: Callable[[Any], str], width: int, indent: int, summarize: bool
) -> str:
    shape = tensor.shape
    if not shape:
        return write(to_flat_list(tensor)[0]).rjust(width)
    n = _options.edgeitems
    edges = summarize and shape[0] > 2 * n
    if len(shape) == 1:
        if edges:
            head, tail = to_flat_list(tensor[:n]), to_flat_list(tensor[-n:])
            cells = (
                [write(x).rjust(width) for x in head]
                + [" ..."]
                + [write(x).rjust(width) for x in tail]
            )
        else:
            cells = [write(x).rjust(width) for x in to_flat_list(tensor)]
        per_line = max(1, (_options.linewidth - indent) // (width + 2))
        lines = [", ".join(cells[i : i + per_line]) for i in range(0, len(cells), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    positions: list[Any] = list(range(shape[0]))
    if edges:
        positions = positions[:n] + [None] + positions[-n:]
    parts = [
        "..." if i is None else _nested(tensor[i], write, width, indent + 1, summarize)
        for i in positions
    ]
    return "[" + ("," + "\n" * (len(shape) - 1) + " " * (indent + 1)).join(parts) + "]"


def _shown(tensor: Tensor, summarize: bool) -> Tensor:
    """The elements that a summary shows, as one tensor."""
    from .ops.joining import cat

    if not summarize or not tensor.ndim:
        return tensor
    n = _options.edgeitems
    if tensor.shape[0] > 2 * n:
        tensor = cat([tensor[:n], tensor[-n:]])
    if tensor.ndim == 1:
        return tensor
    return cat([_shown(part, True).reshape(-1) for part in tensor])


def tensor_text(tensor: Tensor) -> str:
    """The text of repr(tensor)."""
    level = lib.ag_vmap_depth_of(tensor)
    if level > 0:
        value = tensor_text(call(lib.ag_vmap_value, tensor)).replace("\n", "\n    ")
        return f"BatchedTensor(lvl={level}, bdim=0, value=\n    {value}\n)"
    prefix = "tensor("
    dtype = tensor.dtype
    suffixes = []
    plain = tensor.detach()
    if tensor.numel() == 0:
        body = "[]"
        if tensor.ndim != 1:
            suffixes.append(f"size={tuple(tensor.shape)}")
        if dtype is not dtypes.get_default_dtype():
            suffixes.append(f"dtype={dtype}")
    else:
        if dtype not in (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_):
            suffixes.append(f"dtype={dtype}")
        summarize = tensor.numel() > _options.threshold
        write, width = _number_format(
            to_flat_list(_shown(plain, summarize)), dtype.is_floating_point
        )
        body = _nested(plain, write, width, len(prefix), summarize)
    grad_fn = tensor.grad_fn
    if grad_fn is not None:
        suffixes.append(f"grad_fn=<{grad_fn.name()}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    return _join(prefix + body, suffixes) + ")"


def _join(text: str, suffixes: list[str]) -> str:
    """The text with its suffixes, on a new line where the line would grow too long."""
    last = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if last + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * len("tensor(") + suffix
            last = len("tensor(") + len(suffix)
        else:
            text += ", " + suffix
            last += len(suffix) + 2
    return text
