"""Small real data sets that ship with the package."""

from __future__ import annotations

import gzip
import random
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .. import Tensor

__all__ = ["Digits", "load_digits"]

_DIGITS = Path(__file__).with_name("digits.bin.gz")
_COUNT, _PIXELS, _CLASSES = 1797, 64, 10


class Digits(NamedTuple):
    """Images of handwritten digits and what they show.

    data: float32 ``[n, 64]``, the pixels of the 8 x 8 images row by row, 0 (paper) to 1 (ink).
    target: int64 ``[n]``, the digit each image shows, 0 to 9.
    """

    data: Tensor
    target: Tensor

    def split(self, test_fraction: float = 1 / 3, seed: int = 0) -> tuple[Digits, Digits]:
        """``(train, test)``: the same for the same seed, on every machine.

        Of each digit, ``round(test_fraction * count)`` images drawn at random are held out. Writers
        are not told apart in the data, so both parts hold images by the same hands.

        Raises:
            ValueError: if test_fraction is not between 0 and 1.
        """
        if not 0 < test_fraction < 1:
            raise ValueError(f"split: test_fraction must lie between 0 and 1, got {test_fraction}")
        rng = random.Random(seed)
        by_digit: list[list[int]] = [[] for _ in range(_CLASSES)]
        for position, digit in enumerate(self.target.tolist()):
            by_digit[digit].append(position)
        train: list[int] = []
        test: list[int] = []
        for positions in by_digit:
            # Sorting by random keys, because random() is the one generator call whose numbers
            # Python promises to keep.
            shuffled = sorted(positions, key=lambda _: rng.random())
            held_out = round(test_fraction * len(positions))
            test += shuffled[:held_out]
            train += shuffled[held_out:]
        return self._rows(sorted(train)), self._rows(sorted(test))

    def _rows(self, positions: list[int]) -> Digits:
        from .. import int64, tensor

        rows = tensor(positions, dtype=int64)
        return Digits(self.data.index_select(0, rows), self.target.index_select(0, rows))


def load_digits() -> Digits:
    """The 1,797 images of the UCI set "Optical Recognition of Handwritten Digits" (its test part).

    >>> data, target = autograd.datasets.load_digits()
    >>> train, test = autograd.datasets.load_digits().split()

    E. Alpaydin, C. Kaynak, UCI Machine Learning Repository, doi 10.24432/C50P49, CC BY 4.0;
    digits.txt beside this file says more.

    Raises:
        RuntimeError: if the data file is missing or damaged.
    """
    from .. import float32, int64, tensor

    raw = _read(_DIGITS)
    pixels, digits = raw[: _COUNT * _PIXELS], raw[_COUNT * _PIXELS :]
    levels = [level / 16 for level in range(17)]
    data = tensor([levels[pixel] for pixel in pixels], dtype=float32).reshape(_COUNT, _PIXELS)
    return Digits(data, tensor(list(digits), dtype=int64))


def _read(path: Path) -> bytes:
    """The checked contents of the digits file."""
    try:
        raw = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise RuntimeError(
            f"load_digits: cannot read {path} ({error}); reinstall the package to restore it"
        ) from error
    pixels, digits = raw[: _COUNT * _PIXELS], raw[_COUNT * _PIXELS :]
    if len(digits) != _COUNT or max(pixels) > 16 or max(digits) >= _CLASSES:
        raise RuntimeError(
            f"load_digits: {path} is damaged: expected {_COUNT} images of {_PIXELS} pixels 0 to 16 "
            f"and their digits 0 to 9; reinstall the package to restore it"
        )
    return raw
