"""save and load: tensors in dicts, lists and tuples, with plain values between them, in safetensors files.

A dict of tensors by name, such as a state_dict(), becomes a file whose tensors have these names; any program that
reads safetensors can use it. Of everything else the tensors get the names of their places ("model.0.weight"), and
the metadata of the file hold the structure and the plain values as JSON. Nothing in a file can be executed.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from typing import Any

from . import dtypes
from ._arguments import kind_of
from .devices import device
from .nn.module_state import StateDict
from .nn.parameter import Parameter
from .safetensors import File, SafetensorError, load_file, save_file
from .tensor import Size, Tensor

__all__ = ["SafetensorError", "load", "save"]

# The key of the metadata that holds the structure.
_KEY = "autograd"


def save(obj: Any, f: File) -> None:
    """Writes obj to a file in the safetensors format: f is a path or an object with write().

    obj is a tensor, or a nesting of dicts, lists and tuples of tensors, numbers, texts, bytes, bools, None and dtypes.
    A tensor that occurs twice is one tensor after loading, too. Raises TypeError for anything else; the text says
    where it is.
    """
    if type(obj) is dict and obj and all(_is_plain(*item) for item in obj.items()):
        return save_file(obj, f)
    tree = _Tree()
    structure = tree.encode(obj, "")
    save_file(tree.tensors, f, {_KEY: json.dumps(structure, ensure_ascii=False)})
    return None


def _is_plain(name: Any, value: Any) -> bool:
    """True for what a file without structure gives back as it was."""
    return (
        isinstance(name, str)
        and name != "__metadata__"
        and type(value) is Tensor
        and not value.requires_grad
    )


def load(f: File, map_location: Any = None, *, weights_only: bool = True, mmap: Any = None) -> Any:
    """Reads what save() wrote, or another safetensors file as a dict of tensors by name.

    map_location may be the CPU. weights_only and mmap are accepted: files never hold code, and reading is one copy
    from the system's cache into the tensors. Raises SafetensorError, a RuntimeError, if the file is damaged.
    """
    if map_location is not None:
        device(map_location)
    tensors, metadata = load_file(f)
    if _KEY not in metadata:
        return tensors
    try:
        return _decode(json.loads(metadata[_KEY]), tensors)
    except SafetensorError:
        raise
    except (ValueError, TypeError, KeyError, LookupError, RecursionError, RuntimeError) as error:
        raise SafetensorError(
            f"load: the structure in the file's metadata is damaged: {type(error).__name__}: {error}"
        ) from None


class _Tree:
    """Takes an object apart: JSON for the structure, tensors by name."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._names: dict[int, str] = {}
        self._open: set[int] = set()

    def encode(self, value: Any, path: str) -> Any:
        """value as JSON. Everything but None, bools, ints, texts and finite floats is a dict {kind: content}."""
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, Tensor):
            return self._tensor(value, path)
        if isinstance(value, bytes):
            return {"bytes": value.hex()}
        if isinstance(value, dtypes.dtype):
            return {"dtype": value.name}
        for kind in (bool, int, float, str):
            if isinstance(value, kind):  # NumPy's floats, for one
                return self.encode(kind(value), path)
        if not isinstance(value, (dict, list, tuple)):
            instead = (
                "store its state_dict()"
                if hasattr(value, "state_dict")
                else "pickle stores what is none of them"
            )
            raise TypeError(
                f"save: can't store {kind_of(value)} (at {path or 'the top'}), only tensors, numbers, texts, bytes, "
                f"dicts, lists and tuples: {instead}"
            )
        if id(value) in self._open:
            raise ValueError(f"save: the object at {path or 'the top'} contains itself")
        self._open.add(id(value))
        try:
            return self._container(value, path)
        finally:
            self._open.discard(id(value))

    def _container(self, value: Any, path: str) -> Any:
        below = path + "." if path else ""
        if not isinstance(value, dict):
            kind = (
                "list"
                if isinstance(value, list)
                else "size"
                if isinstance(value, Size)
                else "tuple"
            )
            return {kind: [self.encode(each, f"{below}{i}") for i, each in enumerate(value)]}
        items = [
            [self.encode(name, f"{below}{name}"), self.encode(each, f"{below}{name}")]
            for name, each in value.items()
        ]
        if not isinstance(value, OrderedDict):
            return {"dict": items}
        metadata = getattr(value, "_metadata", None)
        if metadata is None:
            return {"ordered": items}
        return {"state": [items, self.encode(metadata, below + "_metadata")]}

    def _tensor(self, value: Tensor, path: str) -> dict[str, Any]:
        name = self._names.get(id(value))
        if name is None:
            name = wanted = path if path not in ("", "__metadata__") else path + "tensor"
            number = 1
            while name in self.tensors:
                number += 1
                name = f"{wanted}#{number}"
            self.tensors[name] = value
            self._names[id(value)] = name
        found: dict[str, Any] = {"tensor": name}
        if isinstance(value, Parameter):
            found["parameter"] = True
        if value.requires_grad and value.is_leaf:
            found["requires_grad"] = True
        return found


def _decode(tree: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(tree, dict):
        if isinstance(tree, list):
            raise ValueError("a list without a kind")
        return tree
    if "tensor" in tree:
        return _decode_tensor(tree, tensors)
    ((kind, content),) = tree.items()
    if kind in ("list", "tuple", "size"):
        entries = [_decode(each, tensors) for each in content]
        return {"list": list, "tuple": tuple, "size": Size}[kind](entries)
    if kind in ("dict", "ordered"):
        items = [(_decode(name, tensors), _decode(each, tensors)) for name, each in content]
        return dict(items) if kind == "dict" else OrderedDict(items)
    if kind == "state":
        items, metadata = content
        state = StateDict((_decode(name, tensors), _decode(each, tensors)) for name, each in items)
        state._metadata = _decode(metadata, tensors)  # type: ignore[attr-defined]
        return state
    if kind == "float":
        return float(content)
    if kind == "bytes":
        return bytes.fromhex(content)
    if kind == "dtype":
        return dtypes.by_name[content]
    raise ValueError(f"unknown kind {kind!r}")


def _decode_tensor(tree: dict[str, Any], tensors: dict[str, Tensor]) -> Tensor:
    name = tree["tensor"]
    tensor = tensors[name]
    if tree.get("parameter") and not isinstance(tensor, Parameter):
        # Put back, so that the same tensor elsewhere is the same parameter.
        tensor = tensors[name] = Parameter(tensor, requires_grad=False)
    if tree.get("requires_grad"):
        tensor.requires_grad_()
    return tensor
