"""The library as a whole: threads, memory, the ops it knows."""

from __future__ import annotations

from ._capi import check, lib, text
from .binding import function_only as function
from .binding import public_names


@function
def get_num_threads() -> int:
    """Returns the number of threads used for large work, the caller's included."""
    return lib.ag_num_threads()


@function
def set_num_threads(n: int) -> None:
    """Sets the number of threads used for large work. Raises an error unless n >= 1."""
    if not isinstance(n, int):
        raise TypeError(f"set_num_threads expects an int, but got {type(n).__name__}")
    check(lib.ag_set_num_threads(max(0, min(n, 1 << 20))))


@function
def memory_allocated() -> int:
    """Returns the number of bytes that live tensors hold."""
    return lib.ag_memory_allocated()


@function
def memory_reserved() -> int:
    """Returns the number of bytes taken from the system and not given back."""
    return lib.ag_memory_reserved()


@function
def release_memory() -> None:
    """Gives memory that no tensor holds back to the system."""
    lib.ag_memory_release()


@function
def op_names() -> list[str]:
    """Returns the names of all operations of the library."""
    return text(lib.ag_op_names).split()


@function
def op_doc(name: str) -> str:
    """Returns what an operation computes, and its traits. Raises an error for a name that is not in op_names()."""
    return text(lib.ag_op_doc, name.encode())


__all__ = public_names(globals())
