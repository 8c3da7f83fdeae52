"""default_collate: many samples become one batch; default_convert: one sample's arrays become tensors."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

from ... import dtypes
from ...creation import as_tensor, tensor
from ...ops import stack
from ...tensor import Tensor


def _is_numpy(element: Any) -> bool:
    return type(element).__module__ == "numpy" and type(element).__name__ != "str_"


def _is_text(element: Any) -> bool:
    """True for NumPy arrays of strings or objects, which are no numbers."""
    return element.dtype.kind in "SUO"


def _as_tensor(element: Any) -> Tensor:
    return as_tensor(element) if getattr(element, "shape", ()) else tensor(element)


def _rebuilt_mapping(like: Any, items: dict[Any, Any]) -> Any:
    """The items in a mapping of the same kind; a dict where that kind cannot be made so."""
    try:
        if isinstance(like, MutableMapping):
            clone = copy.copy(like)
            clone.update(items)
            return clone
        return type(like)(items)
    except TypeError:
        return items


def _rebuilt_sequence(like: Any, items: list[Any]) -> Any:
    """The items in a sequence of the same kind; a list where that kind cannot be made so."""
    try:
        if isinstance(like, MutableSequence):
            clone = copy.copy(like)
            for place, item in enumerate(items):
                clone[place] = item
            return clone
        return type(like)(items)
    except TypeError:
        return items


def default_convert(data: Any) -> Any:
    """Returns the data with all NumPy arrays and numbers in it as tensors; tuples become lists."""
    if isinstance(data, Tensor):
        return data
    if _is_numpy(data):
        is_text = type(data).__name__ == "ndarray" and _is_text(data)
        return data if is_text else _as_tensor(data)
    if isinstance(data, Mapping):
        return _rebuilt_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, tuple):
        return [default_convert(item) for item in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _rebuilt_sequence(data, [default_convert(item) for item in data])
    return data


def _unknown(kind: Any) -> TypeError:
    return TypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {kind}"
    )


def _numbers(batch: Any) -> Any:
    """A batch of tensors, arrays, numbers or texts; None for anything else."""
    element = batch[0]
    if isinstance(element, Tensor):
        return stack(batch, 0)
    if _is_numpy(element):
        if type(element).__name__ == "ndarray":
            if _is_text(element):
                raise _unknown(element.dtype)
            return stack([_as_tensor(each) for each in batch], 0)
        import numpy

        return as_tensor(numpy.asarray(batch))
    if isinstance(element, float):
        return tensor(list(batch), dtype=dtypes.float64)
    if isinstance(element, int):
        return tensor(list(batch))
    return batch if isinstance(element, (str, bytes)) else None


def _columns(batch: Any) -> Iterable[Any]:
    """The samples' first items, their second items, ..."""
    size = len(batch[0])
    if any(len(sample) != size for sample in batch):
        raise RuntimeError("each element in list of batch should be of equal size")
    return zip(*batch)


def default_collate(batch: Any) -> Any:
    """Returns a list of samples as one batch: tensors, arrays and numbers are stacked along a new first dim.

    Within dicts, tuples (which become lists), named tuples and lists each item is collated; strings stay a list.
    Raises TypeError for other types, RuntimeError for lists of different lengths.
    """
    numbers = _numbers(batch)
    if numbers is not None:
        return numbers
    element = batch[0]
    if isinstance(element, Mapping):
        items = {key: default_collate([sample[key] for sample in batch]) for key in element}
        return _rebuilt_mapping(element, items)
    if isinstance(element, tuple) and hasattr(element, "_fields"):
        return type(element)(*map(default_collate, zip(*batch)))
    if isinstance(element, Sequence):
        columns = [default_collate(column) for column in _columns(batch)]
        return columns if isinstance(element, tuple) else _rebuilt_sequence(element, columns)
    raise _unknown(type(element))
