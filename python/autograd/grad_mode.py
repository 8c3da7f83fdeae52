"""Switches the recording of gradients on and off: no_grad, enable_grad, set_grad_enabled, inference_mode."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Callable, TypeVar, cast, overload

from ._capi import lib

Function = TypeVar("Function", bound=Callable[..., Any])

__all__ = [
    "enable_grad",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_grad_enabled",
]


def is_grad_enabled() -> bool:
    """True if operations of this thread are recorded for backward()."""
    return lib.ag_grad_enabled() != 0


def is_inference_mode_enabled() -> bool:
    """True if tensors that this thread makes can take no part in gradients."""
    return lib.ag_inference_mode() != 0


class _GradMode:
    """A context manager and decorator under which recording is on or off in the calling thread."""

    _enabled = 1

    def __init__(self) -> None:
        # A stack, so that one object can be entered again inside itself.
        self._before: list[int] = []

    def __enter__(self) -> None:
        self._before.append(lib.ag_set_grad_enabled(self._enabled))

    def __exit__(self, *exception: Any) -> None:
        lib.ag_set_grad_enabled(self._before.pop())

    def _fresh(self) -> _GradMode:
        return type(self)()

    def __call__(self, function: Function) -> Function:
        if inspect.isgeneratorfunction(function):
            return cast(Function, self._wrap_generator(function))

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self._fresh():
                return function(*args, **kwargs)

        return cast(Function, wrapper)

    def _wrap_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The generator function with the mode set while its own code runs, and the caller's while it waits."""

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            generator = function(*args, **kwargs)
            resume, value = generator.send, None
            while True:
                try:
                    with self._fresh():
                        item = resume(value)
                except StopIteration as stop:
                    return stop.value
                try:
                    resume, value = generator.send, (yield item)
                except GeneratorExit:
                    with self._fresh():
                        generator.close()
                    raise
                except BaseException as error:
                    resume, value = generator.throw, error

        return wrapper


class no_grad(_GradMode):
    """Within it nothing is recorded: results don't require grad and hold no history.

    Use as ``with no_grad():``, or as a decorator ``@no_grad()`` or ``@no_grad``.
    """

    _enabled = 0

    @overload
    def __new__(cls, function: None = None) -> no_grad: ...

    @overload
    def __new__(cls, function: Function) -> Function: ...  # type: ignore[misc]

    def __new__(cls, function: Any = None) -> Any:
        instance = super().__new__(cls)
        if function is None:
            return instance
        instance.__init__()  # type: ignore[misc]
        return instance(function)


class enable_grad(_GradMode):
    """Within it operations are recorded, also inside no_grad().

    Use as ``with enable_grad():``, or as a decorator ``@enable_grad()`` or ``@enable_grad``.
    """

    @overload
    def __new__(cls, function: None = None) -> enable_grad: ...

    @overload
    def __new__(cls, function: Function) -> Function: ...  # type: ignore[misc]

    def __new__(cls, function: Any = None) -> Any:
        instance = super().__new__(cls)
        if function is None:
            return instance
        instance.__init__()  # type: ignore[misc]
        return instance(function)


class set_grad_enabled(_GradMode):
    """Switches recording at once; as a context manager it switches back at the end, as a decorator it acts in calls."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self._enabled = int(bool(mode))
        self._called_before = lib.ag_set_grad_enabled(self._enabled)
        self._pending = True

    def __enter__(self) -> None:
        before = lib.ag_set_grad_enabled(self._enabled)
        # The switch was made when the object was: leaving undoes that.
        self._before.append(self._called_before if self._pending else before)
        self._pending = False

    def _fresh(self) -> _GradMode:
        return enable_grad() if self._enabled else no_grad()

    def __call__(self, function: Function) -> Function:
        lib.ag_set_grad_enabled(self._called_before)
        return super().__call__(function)


class inference_mode(_GradMode):
    """Within it nothing is recorded, and the tensors that are made can take no part in gradients later on either.

    They can't be changed in place outside, nor be saved for a gradient: clone() gives a normal tensor. With mode=False
    recording is on again inside another inference_mode(). Use as ``with inference_mode():``, or as a decorator
    ``@inference_mode()`` or ``@inference_mode``.
    """

    @overload
    def __new__(cls, mode: bool = True) -> inference_mode: ...

    @overload
    def __new__(cls, mode: Function) -> Function: ...  # type: ignore[misc]

    def __new__(cls, mode: Any = True) -> Any:
        if isinstance(mode, bool):
            return super().__new__(cls)
        return cls(True)(mode)

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.mode = mode
        self._outside: list[tuple[int, int]] = []

    def __enter__(self) -> None:
        self._outside.append(
            (lib.ag_set_grad_enabled(not self.mode), lib.ag_set_inference_mode(self.mode))
        )

    def __exit__(self, *exception: Any) -> None:
        grad, inference = self._outside.pop()
        lib.ag_set_inference_mode(inference)
        lib.ag_set_grad_enabled(grad)

    def _fresh(self) -> inference_mode:
        return inference_mode(self.mode)
