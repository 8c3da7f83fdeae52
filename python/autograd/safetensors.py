"""Files in the safetensors format: named tensors and a few texts, nothing that could be executed.

8 bytes, little-endian: the length of the header. The header, JSON: name -> {"dtype", "shape", "data_offsets"}, and
"__metadata__": texts by name. Then the elements of all tensors, row-major and little-endian, without gaps.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import struct
import sys
from array import array
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple, Union

from . import dtypes
from ._arguments import kind_of
from ._capi import call, lib, pack
from .files import written
from .tensor import Tensor

__all__ = ["SafetensorError", "load_file", "save_file"]

File = Union[str, "os.PathLike[str]", BinaryIO]

# What the reference implementation accepts at most.
MAX_HEADER = 100_000_000
_METADATA = "__metadata__"
_FIELDS = {"dtype", "shape", "data_offsets"}
_TOO_MUCH = 1 << 63
_NAMES = {
    dtypes.float32: "F32",
    dtypes.float64: "F64",
    dtypes.int32: "I32",
    dtypes.int64: "I64",
    dtypes.uint8: "U8",
    dtypes.bool_: "BOOL",
}
_DTYPES = {name: dtype for dtype, name in _NAMES.items()}
# Types of two bytes an element that are read as float32.
_HALVES = ("F16", "BF16")


class SafetensorError(RuntimeError):
    """The file is damaged, or no file in the safetensors format."""


class _Entry(NamedTuple):
    """What the header says of one tensor."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


# ---- writing ---------------------------------------------------------------------------------------------


def save_file(
    tensors: Mapping[str, Tensor], filename: File, metadata: Mapping[str, str] | None = None
) -> None:
    """Writes named tensors, and texts by name, to a file or to an object with write().

    Raises TypeError for what is no tensor or text, ValueError for the name ``__metadata__``.
    """
    header, parts = _header(tensors, metadata)
    if hasattr(filename, "write"):
        _write(filename, header, parts)  # type: ignore[arg-type]
    else:
        with written(filename) as file:
            _write(file, header, parts)


def _header(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None
) -> tuple[bytes, list[Tensor]]:
    """The header, and the tensors in the order of their data."""
    if sys.byteorder != "little":
        raise RuntimeError("save: machines that are not little-endian are not supported")
    for name, tensor in tensors.items():
        if not isinstance(name, str):
            raise TypeError(f"save: names must be str, got {type(name).__name__}")
        if not isinstance(tensor, Tensor):
            raise TypeError(f"save: {name!r} must be a Tensor, not {kind_of(tensor)}")
        if name == _METADATA:
            raise ValueError(f"save: a tensor can't have the name {name!r}")
    # The widest elements come first, so that all are aligned.
    order = sorted(tensors, key=lambda name: -tensors[name].itemsize)
    offsets, end = {}, 0
    for name in order:
        offsets[name] = [end, end + tensors[name].nbytes]
        end += tensors[name].nbytes
    content: dict[str, Any] = {}
    if metadata:
        if not all(isinstance(text, str) for item in metadata.items() for text in item):
            raise TypeError("save: metadata must be texts by name")
        content[_METADATA] = dict(metadata)
    for name, tensor in tensors.items():
        content[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": offsets[name],
        }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise ValueError(f"save: the header has {len(text)} bytes, the format allows {MAX_HEADER}")
    return struct.pack("<Q", len(text)) + text, [tensors[name] for name in order]


def _memory(tensor: Tensor) -> Any:
    """The bytes of a contiguous tensor, without a copy."""
    kind = ctypes.c_char * tensor.nbytes
    return memoryview(kind.from_address(tensor.data_ptr())).cast("B")


def _write(file: BinaryIO, header: bytes, tensors: list[Tensor]) -> None:
    file.write(header)
    for tensor in tensors:
        if tensor.numel():
            dense = call(lib.ag_contiguous, call(lib.ag_detach, tensor))
            file.write(_memory(dense))


# ---- reading ---------------------------------------------------------------------------------------------


def load_file(filename: File) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Reads a file, or an object with read(): the tensors in the order of the header, and the texts.

    float16 and bfloat16 become float32. Raises SafetensorError if anything is wrong with the file; memory is taken
    only for what the file holds.
    """
    if not hasattr(filename, "read"):
        with open(filename, "rb") as file:  # type: ignore[arg-type]
            try:
                return _read(file, os.fstat(file.fileno()).st_size)
            except SafetensorError as error:
                named = f"load: {os.fsdecode(filename)}: "  # type: ignore[arg-type]
                raise SafetensorError(str(error).replace("load: ", named, 1)) from None
    data = filename.read()  # type: ignore[union-attr]
    return _read(io.BytesIO(data), len(data))


def _read(file: BinaryIO, size: int) -> tuple[dict[str, Tensor], dict[str, str]]:
    if sys.byteorder != "little":
        raise RuntimeError("load: machines that are not little-endian are not supported")
    if size < 8:
        raise SafetensorError(f"load: the file is too short for a header: {size} bytes")
    start = file.read(8)
    if start[:4] == b"PK\x03\x04":
        raise SafetensorError(
            "load: this is a zip archive of torch.save(). Where PyTorch is installed, convert the state dict: "
            "autograd.save({name: autograd.from_dlpack(t) for name, t in torch.load(path).items()}, new_path)"
        )
    (length,) = struct.unpack("<Q", start)
    if length > MAX_HEADER:
        raise SafetensorError(
            f"load: the header is too large: {length} bytes; not a safetensors file?"
        )
    if length > size - 8:
        raise SafetensorError(
            f"load: the file is truncated: the header has {length} bytes, the file only {size - 8} after its length"
        )
    entries, metadata = _parse(file.read(length))
    _check_layout(entries, size - 8 - length)
    start = 8 + length
    tensors: dict[str, Tensor] = dict.fromkeys(entries)  # type: ignore[arg-type]
    for name in sorted(entries, key=lambda name: entries[name].begin):
        file.seek(start + entries[name].begin)
        tensors[name] = _tensor(file, name, entries[name])
    return tensors, metadata


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        # add() returns None.
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise SafetensorError(f"load: the header has the key {twice!r} twice")
    return found


def _parse(text: bytes) -> tuple[dict[str, _Entry], dict[str, str]]:
    if text[:1] != b"{":
        raise SafetensorError("load: the header does not start with '{'; not a safetensors file?")
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise SafetensorError(f"load: the header is not valid JSON: {error}") from None
    metadata = header.pop(_METADATA, None)
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise SafetensorError("load: the metadata of the header are not texts by name")
    return {name: _entry(name, described) for name, described in header.items()}, metadata


def _shown(value: Any) -> str:
    """What the text of an error has room for."""
    if value == _TOO_MUCH:
        return "too many"
    text = str(value)
    return text if len(text) < 200 else text[:200] + "..."


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _entry(name: str, described: Any) -> _Entry:
    """The checked description of one tensor."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise SafetensorError(f"load: the name {name!r} is no text") from None
    if not isinstance(described, dict) or not described.keys() >= _FIELDS:
        raise SafetensorError(
            f"load: tensor {name!r}: the header must give dtype, shape and data_offsets"
        )
    dtype, shape, offsets = described["dtype"], described["shape"], described["data_offsets"]
    if not isinstance(dtype, str) or dtype not in (*_DTYPES, *_HALVES):
        supported = ", ".join((*_DTYPES, *_HALVES))
        raise SafetensorError(
            f"load: tensor {name!r}: element type {dtype!r} is not supported, only {supported}"
        )
    if not isinstance(shape, list) or not all(map(_is_size, shape)):
        raise SafetensorError(f"load: tensor {name!r}: shape must be a list of sizes")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_size, offsets)):
        raise SafetensorError(f"load: tensor {name!r}: data_offsets must be two numbers")
    begin, end = offsets
    needed = 2 if dtype in _HALVES else _DTYPES[dtype].itemsize
    for size in shape:
        needed = min(needed * size, _TOO_MUCH)  # a product of thousands of sizes takes minutes
    if 0 in shape:
        needed = 0
    if begin > end or end - begin != needed:
        raise SafetensorError(
            f"load: tensor {name!r} of type {dtype} and shape {_shown(shape)} needs {_shown(needed)} bytes, "
            f"but its data_offsets are {offsets}"
        )
    return _Entry(dtype, tuple(shape), begin, end)


def _check_layout(entries: dict[str, _Entry], size: int) -> None:
    """The tensors lie side by side and fill the file."""
    place = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1][2:]):
        if entry.begin != place:
            what = "overlaps the one before" if entry.begin < place else "leaves a gap before it"
            raise SafetensorError(
                f"load: tensor {name!r} {what}: its data start at {entry.begin}, expected {place}"
            )
        place = entry.end
        if place > size:
            raise SafetensorError(
                f"load: the file is truncated: tensor {name!r} ends at byte {place} of {size}"
            )
    if place != size:
        raise SafetensorError(f"load: the file has {size - place} bytes after the last tensor")


def _tensor(file: BinaryIO, name: str, entry: _Entry) -> Tensor:
    size = entry.end - entry.begin
    direct = entry.dtype in _DTYPES and entry.dtype != "BOOL"
    dtype = _DTYPES.get(entry.dtype, dtypes.float32)
    try:
        if direct or not size:
            result = call(lib.ag_empty, *pack(entry.shape), dtype.code)
            got = file.readinto(_memory(result)) if size else 0  # type: ignore[attr-defined]
        else:
            data = file.read(size)
            got = len(data)
            if got == size:
                # Also makes 1 of every byte of a bool that is not 0.
                values = _widened(data, entry.dtype)
                result = call(lib.ag_tensor_from_data, values, dtype.code, *pack(entry.shape))
    except (RuntimeError, ValueError, MemoryError) as error:
        raise SafetensorError(f"load: tensor {name!r}: {error}") from None
    if got != size:
        raise SafetensorError(f"load: the file is truncated within tensor {name!r}")
    return result


def _widened(data: bytes, dtype: str) -> bytes:
    """Elements of two bytes as float32; other data as they are."""
    if dtype == "BF16":
        wide = bytearray(2 * len(data))
        wide[2::4], wide[3::4] = data[0::2], data[1::2]
        return bytes(wide)
    if dtype == "F16":
        return array("f", struct.unpack(f"<{len(data) // 2}e", data)).tobytes()
    return data
