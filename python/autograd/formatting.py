"""How a tensor prints: PyTorch's layout, with 4 digits and a summary from 1,000 elements on."""

from __future__ import annotations

import math
from typing import Any, Callable

from . import dtypes
from ._capi import call, lib
from .interop import to_flat_list
from .tensor import Tensor

PRECISION = 4
THRESHOLD = 1000
EDGE_ITEMS = 3
LINE_WIDTH = 80


def _number_format(numbers: list[Any], floating: bool) -> tuple[Callable[[Any], str], int]:
    """How to write each number so that all are equally precise, and the width of the longest."""
    if not floating:
        return str, max((len(str(number)) for number in numbers), default=1)
    finite = [number for number in numbers if math.isfinite(number) and number != 0]
    write = _whole
    if finite:
        low, high = min(map(abs, finite)), max(map(abs, finite))
        if high / low > 1000.0 or high > 1.0e8 or low < 1.0e-4:
            write = _scientific
        elif any(number != math.ceil(number) for number in finite):
            write = _fixed
    return write, max((len(write(number)) for number in finite), default=1)


def _whole(number: float) -> str:
    return f"{number:.0f}." if math.isfinite(number) else f"{number:.0f}"


def _fixed(number: float) -> str:
    return f"{number:.{PRECISION}f}"


def _scientific(number: float) -> str:
    return f"{number:.{PRECISION}e}"


def _nested(
    tensor: Tensor, write: Callable[[Any], str], width: int, indent: int, summarize: bool
) -> str:
    shape = tensor.shape
    if not shape:
        return write(to_flat_list(tensor)[0]).rjust(width)
    edges = summarize and shape[0] > 2 * EDGE_ITEMS
    if len(shape) == 1:
        if edges:
            head, tail = to_flat_list(tensor[:EDGE_ITEMS]), to_flat_list(tensor[-EDGE_ITEMS:])
            cells = (
                [write(x).rjust(width) for x in head]
                + [" ..."]
                + [write(x).rjust(width) for x in tail]
            )
        else:
            cells = [write(x).rjust(width) for x in to_flat_list(tensor)]
        per_line = max(1, (LINE_WIDTH - indent) // (width + 2))
        lines = [", ".join(cells[i : i + per_line]) for i in range(0, len(cells), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    positions: list[Any] = list(range(shape[0]))
    if edges:
        positions = positions[:EDGE_ITEMS] + [None] + positions[-EDGE_ITEMS:]
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
    if tensor.shape[0] > 2 * EDGE_ITEMS:
        tensor = cat([tensor[:EDGE_ITEMS], tensor[-EDGE_ITEMS:]])
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
        summarize = tensor.numel() > THRESHOLD
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
        if last + len(suffix) + 2 > LINE_WIDTH:
            text += ",\n" + " " * len("tensor(") + suffix
            last = len("tensor(") + len(suffix)
        else:
            text += ", " + suffix
            last += len(suffix) + 2
    return text
