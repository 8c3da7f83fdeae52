"""Files that are written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO


@contextmanager
def written(path: Any) -> Iterator[BinaryIO]:
    """The file at a path, to be written anew; an error on the way, such as a full disk, names it."""
    try:
        with open(path, "wb") as file:
            yield file
    except OSError as error:
        if error.filename is None:
            error.filename = os.fsdecode(path)
        raise
