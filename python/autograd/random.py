"""Random numbers: the process's stream, and streams of their own (Generator)."""

from __future__ import annotations

import ctypes
import functools
import inspect
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from random import SystemRandom
from typing import Any, Callable, Optional

from . import changes, dtypes
from ._capi import call, check, lib, pack
from .binding import function_only as function
from .binding import public_names
from .devices import CPU, device
from .tensor import Tensor

_LOWEST, _HIGHEST, _WORD = -(1 << 63), (1 << 64) - 1, 1 << 64
_STATE = struct.Struct("=QQ")
# A generator that was never seeded gives the same numbers in each run.
_FIXED_SEED = 67280421310721


def _unsigned(seed: int) -> int:
    """The seed as 64 bits without sign; ValueError for one that needs more."""
    if not _LOWEST <= seed <= _HIGHEST:
        raise ValueError(f"Overflow when unpacking long long: the seed {seed} does not fit 64 bits")
    return seed % _WORD


class Generator:
    """A stream of random numbers of its own: the same seed gives the same numbers.

    Functions that draw take one as ``generator=``.
    """

    def __init__(self, device: Any = "cpu") -> None:
        _check_device(device)
        self._position = (_FIXED_SEED, 0)

    def _get(self) -> tuple[int, int]:
        """The seed, and how many numbers have been drawn."""
        return self._position

    def _set(self, seed: int, offset: int) -> None:
        self._position = (seed, offset)

    @property
    def device(self) -> device:
        """Where the numbers are made: ``device(type='cpu')``."""
        return CPU

    def manual_seed(self, seed: int) -> Generator:
        """Starts the stream of a seed, and returns the generator."""
        if not isinstance(seed, int):
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        self._set(_unsigned(seed), 0)
        return self

    def seed(self) -> int:
        """Starts the stream of a seed from the operating system, and returns that seed."""
        number = SystemRandom().getrandbits(64)
        self._set(number, 0)
        return number

    def initial_seed(self) -> int:
        """The seed that the stream started from."""
        return self._get()[0]

    def get_state(self) -> Tensor:
        """Where the stream stands, as a tensor of bytes for set_state()."""
        data = _STATE.pack(*self._get())
        return call(lib.ag_tensor_from_data, data, dtypes.uint8.code, *pack((len(data),)))

    def set_state(self, new_state: Tensor) -> Generator:
        """Goes on from what get_state() returned. TypeError for what is no byte tensor, RuntimeError for its size."""
        if not isinstance(new_state, Tensor) or new_state.dtype is not dtypes.uint8:
            kind = new_state.dtype if isinstance(new_state, Tensor) else type(new_state).__name__
            raise TypeError(f"expected a ByteTensor as state of a generator, but got {kind}")
        data = bytes(new_state.tolist()) if new_state.ndim == 1 else b""
        if len(data) != _STATE.size:
            raise RuntimeError(
                f"Expected a generator state of size {_STATE.size} but found the input RNG state size to be "
                f"{new_state.numel()}"
            )
        self._set(*_STATE.unpack(data))
        return self

    def clone_state(self) -> Generator:
        """Another generator that stands where this one does."""
        other = Generator()
        other._set(*self._get())
        return other

    def __repr__(self) -> str:
        return f"<autograd.Generator seed={self.initial_seed()} drawn={self._get()[1]}>"


def _signed(word: int) -> int:
    """The int64 with the bits of an unsigned word."""
    return word - _WORD if word >> 63 else word


class _DefaultGenerator(Generator):
    """The process's stream, from which all draw that are given no generator."""

    def __init__(self) -> None:
        pass

    def _get(self) -> tuple[int, int]:
        seed, offset = ctypes.c_int64(), ctypes.c_int64()
        check(lib.ag_random_state(ctypes.byref(seed), ctypes.byref(offset)))
        return seed.value % _WORD, offset.value % _WORD

    def _set(self, seed: int, offset: int) -> None:
        if changes.captures:
            changes.refuse("the state of the random numbers is set")
        if offset == 0:
            lib.ag_manual_seed(_signed(seed))
        else:
            lib.ag_set_random_state(_signed(seed), _signed(offset))

    def __reduce__(self) -> tuple[Any, ...]:
        return _get_default_generator, ()


default_generator: Generator = _DefaultGenerator()


def _get_default_generator() -> Generator:
    return default_generator


def _check_device(name: Any) -> None:
    if name is not None and not isinstance(name, device):
        device(name)


class _Drawing:
    """While it is entered, the calling thread draws from a generator."""

    __slots__ = ("generator",)

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    def __enter__(self) -> None:
        if changes.captures:
            changes.refuse(
                "random numbers are drawn from a Generator, not from the process's stream"
            )
        lib.ag_begin_random_stream(*map(_signed, self.generator._get()))

    def __exit__(self, *failure: object) -> None:
        offset = ctypes.c_int64()
        check(lib.ag_end_random_stream(ctypes.byref(offset)))
        self.generator._set(self.generator.initial_seed(), offset.value)


def drawing(generator: Generator | None) -> AbstractContextManager[None]:
    """A context in which this thread draws from the generator; from the process's stream for None."""
    if generator is None or generator is default_generator:
        return nullcontext()
    if not isinstance(generator, Generator):
        raise TypeError(f"argument 'generator' must be Generator, not {type(generator).__name__}")
    return _Drawing(generator)  # type: ignore[return-value]


_GENERATOR = inspect.Parameter(
    "generator", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Optional[Generator]
)


def takes_generator(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with a further keyword, generator: the stream that it draws from."""

    @functools.wraps(function)
    def draw(*args: Any, generator: Generator | None = None, **kwargs: Any) -> Any:
        if generator is None:
            return function(*args, **kwargs)
        with drawing(generator):
            return function(*args, **kwargs)

    of = inspect.signature(function)
    named = [p for p in of.parameters.values() if p.kind != p.VAR_KEYWORD]
    others = [p for p in of.parameters.values() if p.kind == p.VAR_KEYWORD]
    draw.__signature__ = of.replace(parameters=[*named, _GENERATOR, *others])  # type: ignore[attr-defined]
    return draw


# ---- the process's stream --------------------------------------------------------------------------------


@function
def manual_seed(seed: int) -> Generator:
    """Seeds the process's stream and returns its generator; the same seed gives the same numbers with any threads."""
    return default_generator.manual_seed(int(seed))


@function
def seed() -> int:
    """Seeds the process's stream with a number from the operating system and returns that number."""
    return default_generator.seed()


@function
def initial_seed() -> int:
    """Returns the seed that the process's stream started from."""
    return default_generator.initial_seed()


@function
def get_rng_state() -> Tensor:
    """Returns where the process's stream stands, as a tensor of bytes."""
    return default_generator.get_state()


@function
def set_rng_state(new_state: Tensor) -> None:
    """Lets the process's stream go on from what get_rng_state() returned."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(
    devices: Any = None,
    enabled: bool = True,
    _caller: str = "",
    _devices_kw: str = "",
    device_type: str = "cpu",
) -> Iterator[None]:
    """A context at whose end the process's stream stands where it stood at its start."""
    if not enabled:
        yield
        return
    before = default_generator._get()
    try:
        yield
    finally:
        default_generator._set(*before)


__all__ = [*public_names(globals()), "Generator", "default_generator"]
