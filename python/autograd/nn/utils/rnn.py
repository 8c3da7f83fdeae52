"""Sequences of different lengths in one tensor, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ... import ops
from ...creation import full
from ...tensor import Tensor

__all__ = ["pad_sequence", "unpad_sequence"]


def pad_sequence(
    sequences: Sequence[Tensor] | Tensor,
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Returns [L, B, ...], or [B, L, ...] if batch_first: B sequences [length, ...], padded to the longest, L.

    Raises RuntimeError for an unknown padding_side or sequences whose other sizes differ.
    """
    if padding_side not in ("left", "right"):
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
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [row[: int(length)] for row, length in zip(padded_sequences, lengths.tolist())]
