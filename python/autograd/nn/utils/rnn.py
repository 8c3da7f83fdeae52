"""Sequences of different lengths in one tensor, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ... import dtypes, ops
from ..._arguments import bool_argument, int_argument, text_argument
from ...creation import full, tensor
from ...operands import must_be_tensors
from ...ranges import arange
from ...tensor import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


def pad_sequence(
    sequences: Sequence[Tensor] | Tensor,
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Returns [L, B, ...], or [B, L, ...] if batch_first: B sequences [length, ...], padded to the longest, L.

    Raises RuntimeError for an unknown padding_side or sequences whose other sizes differ.
    """
    bool_argument("pad_sequence", "batch_first", batch_first)
    if text_argument("pad_sequence", "padding_side", padding_side) not in ("left", "right"):
        raise RuntimeError(
            f"padding_side should be one of 'left' or 'right', but got {padding_side}"
        )
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    entries = list(sequences)
    if not entries:
        raise RuntimeError("received an empty list of sequences")
    for entry in entries:
        must_be_tensors("pad_sequence", sequences=entry)
    longest = max(len(entry) for entry in entries)
    padded = []
    for entry in entries:
        missing = longest - len(entry)
        if missing:
            fill: Any = full((missing, *entry.shape[1:]), padding_value, dtype=entry.dtype)
            entry = ops.cat([entry, fill] if padding_side == "right" else [fill, entry])
        padded.append(entry)
    return ops.stack(padded, 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """Returns the sequences that pad_sequence() has put together, of the given lengths."""
    must_be_tensors("unpad_sequence", padded_sequences=padded_sequences, lengths=lengths)
    if not bool_argument("unpad_sequence", "batch_first", batch_first):
        padded_sequences = padded_sequences.transpose(0, 1)
    return [row[: int(length)] for row, length in zip(padded_sequences, lengths.tolist())]


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """Sequences of different lengths without padding, the longest first.

    data is [sum of lengths, ...]: the first elements of all sequences, then the second ones, and so on, batch_sizes[t]
    of them at time t. sorted_indices says which sequence of the caller's each one is, unsorted_indices the inverse;
    None where the caller's order is kept.
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same with data.to(...)."""
        return PackedSequence(self.data.to(*args, **kwargs), *self[1:])

    def float(self) -> PackedSequence:
        """The same with data in float32."""
        return self.to(dtypes.float32)

    def double(self) -> PackedSequence:
        """The same with data in float64."""
        return self.to(dtypes.float64)

    def lengths(self) -> list[int]:
        """The lengths of the sequences, the longest first."""
        sizes = [*self.batch_sizes.tolist(), 0]
        ends = range(len(sizes) - 1, 0, -1)
        return [end for end in ends for _ in range(sizes[end - 1] - sizes[end])]


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The inverse of a list of the numbers from 0 on in any order; None for None."""
    return None if permutation is None else permutation.argsort()


# [T, N]: which of N sequences, the longest first, have an element at each of T times.
def _present(lengths: Tensor, longest: int) -> Tensor:
    return arange(longest).unsqueeze(1) < lengths


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | Sequence[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Packs sequences [T, N, ...] ([N, T, ...] if batch_first) of which the first lengths[i] elements are to be kept.

    With enforce_sorted they have to come with the longest first; otherwise they are sorted. RuntimeError for lengths
    that are not in order, below 1, above T, or not N of them.
    """
    must_be_tensors("pack_padded_sequence", input=input)
    bool_argument("pack_padded_sequence", "batch_first", batch_first)
    if not isinstance(lengths, Tensor):
        if isinstance(lengths, str):
            raise TypeError("pack_padded_sequence(): argument 'lengths' must be ints, not str")
        lengths = tensor([int(n) for n in lengths])
    lengths = lengths.to(dtypes.int64)
    if input.ndim < 2:
        raise RuntimeError(
            f"pack_padded_sequence: expected at least 2 dims, got {list(input.shape)}"
        )
    if batch_first:
        input = input.transpose(0, 1)
    if lengths.ndim != 1 or lengths.shape[0] != input.shape[1]:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {list(lengths.shape)} "
            f"(batch_size={input.shape[1]})"
        )
    order = None
    if not enforce_sorted:
        lengths, order = ops.sort(lengths, descending=True)
        input = input.index_select(1, order)
    numbers = lengths.tolist()
    if not numbers or numbers[-1] < 1 or min(numbers) < 1:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if any(a < b for a, b in zip(numbers, numbers[1:])):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement."
        )
    longest = numbers[0]
    if longest > input.shape[0]:
        raise RuntimeError(
            f"Expected lengths of at most {input.shape[0]}, the padded length, but got {longest}"
        )
    present = _present(lengths, longest)
    return PackedSequence(input[:longest][present], present.sum(1), order)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Returns [T, N, ...] ([N, T, ...] if batch_first), padded to the longest or to total_length, and the lengths.

    The inverse of pack_padded_sequence(). ValueError for a total_length below the longest.
    """
    if not isinstance(sequence, PackedSequence):
        raise TypeError(
            "pad_packed_sequence(): argument 'sequence' must be PackedSequence, not "
            f"{type(sequence).__name__}"
        )
    bool_argument("pad_packed_sequence", "batch_first", batch_first)
    if total_length is not None:
        total_length = int_argument("pad_packed_sequence", "total_length", total_length)
    lengths = tensor(sequence.lengths())
    longest = sequence.batch_sizes.shape[0]
    if total_length is not None and total_length < longest:
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but got "
            f"total_length={total_length} and max sequence length being {longest}"
        )
    data, count = sequence.data, len(lengths)
    present = _present(lengths, total_length or longest)
    padded = full((*present.shape, *data.shape[1:]), padding_value, dtype=data.dtype)
    padded = padded.index_put((present,), data)
    if sequence.unsorted_indices is not None and count:
        padded = padded.index_select(1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices]
    return padded.transpose(0, 1) if batch_first else padded, lengths


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Packs sequences [length, ...], which with enforce_sorted have to come with the longest first."""
    lengths = [len(entry) for entry in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Returns the sequences that pack_sequence() has packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
