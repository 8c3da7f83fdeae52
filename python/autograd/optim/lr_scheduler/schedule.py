"""LRScheduler, the base of all schedules: counts epochs and writes learning rates into the optimizer."""

from __future__ import annotations

import functools
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

from ... import changes
from ...tensor import Tensor
from ..optimizer import Optimizer, must_be_dict

EPOCH_WARNING = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use "
    "`scheduler.step()` to step the scheduler. Where there is a closed form, a given epoch uses it instead of the "
    "chainable one."
)
_ORDER = "Call `optimizer.step()` before `lr_scheduler.step()`."


def check_optimizer(optimizer: Any) -> None:
    """Raises TypeError for what is not an optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def copied(value: Any) -> Any:
    """The value; a copy of a tensor, whose number may change."""
    return value.clone() if isinstance(value, Tensor) else value


def group_values(optimizer: Optimizer, name: str) -> list[Any]:
    """An option of all groups."""
    return [copied(group[name]) for group in optimizer.param_groups]


def set_group_value(group: dict[str, Any], name: str, value: Any) -> None:
    """Sets an option; one that is a tensor stays that tensor and gets the number."""
    if isinstance(group[name], Tensor):
        group[name].fill_(value.squeeze() if isinstance(value, Tensor) else value)
    else:
        group[name] = value


def one_per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """A value given once, or as a list of one per group; ValueError for a list of another length."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        value = [value] * count
    if len(value) != count:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, "
            f"param_groups has {count}."
        )
    return [copied(each) for each in value]


def own_state(function: Any) -> dict[str, Any] | None:
    """What a state dict keeps of a function: the attributes of a callable object, nothing of a plain function."""
    plain = isinstance(function, type(own_state)) or not hasattr(function, "__dict__")
    return None if plain else function.__dict__.copy()


def _seen_by_captures(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step() that captured calls repeat after each run."""

    @functools.wraps(step)
    def seen(self: LRScheduler, *args: Any, **kwargs: Any) -> Any:
        captured = changes.capture() if changes.captures else None
        if captured is None:
            return step(self, *args, **kwargs)
        is_outer = captured.enter_schedule(self, args, kwargs)
        try:
            return step(self, *args, **kwargs)
        finally:
            if is_outer:
                captured.leave_schedule(self)

    return seen


class LRScheduler:
    """The base of all schedules: ``step()`` counts ``last_epoch`` up and sets the groups' learning rates.

    A subclass has get_lr(), which returns the learning rates of all groups for last_epoch, computed from the current
    ones where it can be, so that schedules may be chained.
    """

    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for place, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{place}] when resuming scheduler with "
                    "last_epoch >= 0. Load the optimizer's state first, or start with last_epoch=-1"
                )
        self.base_lrs: list[Any] = group_values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        _watch_steps(optimizer)
        self._initial_step()

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "step" in cls.__dict__:
            cls.step = _seen_by_captures(cls.step)  # type: ignore[method-assign]

    def _initial_step(self) -> None:
        """Sets the learning rates of the first epoch."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_last_lr(self) -> list[Any]:
        """The learning rates of all groups that were set last."""
        return self._last_lr

    def get_lr(self) -> list[Any]:
        """The learning rates of all groups for last_epoch."""
        raise NotImplementedError

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
                UserWarning,
                stacklevel=3,
            )

    @contextmanager
    def _computing(self) -> Iterator[None]:
        self._get_lr_called_within_step = True
        try:
            yield
        finally:
            self._get_lr_called_within_step = False

    @_seen_by_captures
    def step(self, epoch: int | None = None) -> None:
        """Goes to the next epoch, or (deprecated) to the given one, and sets the learning rates."""
        if self._step_count == 1:
            self._check_order()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_WARNING, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _check_order(self) -> None:
        if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
            warnings.warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. "
                + _ORDER,
                UserWarning,
                stacklevel=3,
            )
        elif not getattr(self.optimizer, "_opt_called", False):
            warnings.warn(
                f"Detected call of `lr_scheduler.step()` before `optimizer.step()`. {_ORDER} Otherwise the first value "
                "of the learning rate schedule is skipped.",
                UserWarning,
                stacklevel=3,
            )

    def _update_lr(self, epoch: int | None = None) -> None:
        with self._computing():
            self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
            closed = getattr(self, "_get_closed_form_lr", None)
            values = self.get_lr() if epoch is None or closed is None else closed()
        self._write(values)

    def _write(self, values: list[Any]) -> None:
        groups = self.optimizer.param_groups
        if len(values) != len(groups):
            raise ValueError(
                f"{type(self).__name__} computed {len(values)} learning rates for {len(groups)} parameter groups"
            )
        for group, lr in zip(groups, values):
            set_group_value(group, "lr", lr)
        self._last_lr = group_values(self.optimizer, "lr")

    def state_dict(self) -> dict[str, Any]:
        """All that the schedule knows, but for the optimizer."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over the state of a state_dict()."""
        must_be_dict("state_dict", state_dict)
        self.__dict__.update(state_dict)


def _watch_steps(optimizer: Optimizer) -> None:
    """Makes the optimizer remember that step() was called, for the warning about the order of calls."""
    if hasattr(optimizer.step, "_wrapped_by_lr_sched"):
        return
    function: Callable[..., Any] = optimizer.step.__func__  # type: ignore[attr-defined]
    reference = weakref.ref(optimizer)

    @functools.wraps(function)
    def step(*args: Any, **kwargs: Any) -> Any:
        target = reference()
        target._opt_called = True  # type: ignore[union-attr]
        return function(target, *args, **kwargs)

    step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    optimizer.step = step  # type: ignore[method-assign]
