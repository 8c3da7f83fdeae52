"""Captured calls of a compiled function, and the plans that were made of them."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

from . import changes
from . import tensor as _tensor
from ._capi import as_method, call, check, hide_buffer, lib, set_handle_class
from .python_state import Guard, PythonState, what_changed
from .tensor import Tensor

NO_PLAN = -2


class Handle(ctypes.c_void_p):
    """Owns one native compiled function."""

    __del__ = as_method(lib.ag_compiled_free)


hide_buffer(Handle)
set_handle_class("ag_compiled", Handle)


class CompileError(RuntimeError):
    """A function does something that cannot be captured, or not the same in each call."""


class Step:
    """One step of an optimizer's group in a captured call: its options are read anew before each run."""

    __slots__ = (
        "count",
        "group",
        "groups",
        "moves",
        "number",
        "optimizer",
        "owned",
        "position",
        "shape",
        "values",
    )

    def __init__(self, position: int, optimizer: Any, number: int) -> None:
        self.position, self.optimizer, self.number = position, optimizer, number
        self.group = optimizer.param_groups[number]
        self.groups = len(optimizer.param_groups)
        self.count = len(self.group["params"])
        self.values = self.now()
        self.shape = self.shape_of(self.values)
        # What these hold may change without the values becoming other objects.
        self.moves = any(isinstance(value, (Tensor, list)) for value in self._listed(self.values))
        self.owned: Any = None

    def now(self) -> Any:
        """The values of the group's options."""
        return type(self.optimizer)._values(self.group)

    def remember_states(self) -> None:
        """The states that the step wrote to, once it has made those that were missing."""
        self.owned = self.optimizer._owned.get(self.number)

    @staticmethod
    def _listed(values: Any) -> tuple[Any, ...]:
        return values if isinstance(values, tuple) else (values,)

    @classmethod
    def shape_of(cls, values: Any) -> tuple[bool, ...]:
        """Which options are on: a change of these is another computation."""
        return tuple(isinstance(v, Tensor) or bool(v) for v in cls._listed(values)[1:])

    def same_states(self) -> bool:
        """True if the optimizer still has the group and the states that the plans write to."""
        optimizer = self.optimizer
        groups = optimizer.param_groups
        if len(groups) != self.groups or groups[self.number] is not self.group:
            return False
        if len(self.group["params"]) != self.count:
            return False
        owned = self.owned
        if owned is None or optimizer._owned.get(self.number) is not owned:
            return False
        return owned.fit(owned.handles, optimizer.state)

    def numbers(self) -> list[float]:
        return [
            float(getattr(number, "value", number))
            for number in self.optimizer._native_options(self.number, self.group)
        ]


class CapturedCall:
    """What the Python code of a call does while it is captured."""

    def __init__(self, function: Any, fallback: bool, known: Sequence[Step]) -> None:
        self.thread = threading.get_ident()
        self.fallback = fallback
        self.obstacle = ""
        self.actions: dict[str, str] = {}  # by place: what Python code did that is seen outside
        self.steps: list[Step] = []
        self.schedulers: list[Any] = []
        self._in_scheduler = False
        self._steps_then = 0  # when a scheduler ran last
        self._state = PythonState(function)
        self._before = self._state.taken()
        self._hooks: dict[int, tuple[Any, PythonState, Any]] = {}
        # The options of optimizers that are known from earlier calls, at the begin of this one.
        self._options = {(id(s.optimizer), s.number): (s.optimizer, s.now()) for s in known}

    def refuse(self, what: str) -> None:
        """Raises RuntimeError, or remembers why the function can only run without compiling."""
        if self.fallback:
            self.obstacle = self.obstacle or f"compile: {what}"
            return
        raise RuntimeError(
            f"compile: {what}: it would run in captured calls only. Do it outside of the compiled function"
        )

    def acts(self, what: str, place: str) -> None:
        """Python code does something that can be seen outside of it."""
        if self.fallback:
            self.obstacle = (
                self.obstacle or f"compile: {what} would happen in captured calls only ({place})"
            )
        elif len(self.actions) < 8:
            self.actions.setdefault(place, what)

    def stepped(self, optimizer: Any, number: int) -> None:
        """A step of a group of an optimizer is about to run."""
        step = Step(len(self.steps), optimizer, number)
        _, then = self._options.get((id(optimizer), number), (None, step.values))
        if then != step.values:
            self.refuse(f"the function itself sets options of {type(optimizer).__name__}")
        self.steps.append(step)

    def enter_schedule(self, scheduler: Any, args: Any, kwargs: Any) -> bool:
        """A learning rate schedule goes on: so it does after each run of the plan. False within another one."""
        if self._in_scheduler:
            return False
        if args or kwargs:
            self.refuse(f"step() of {type(scheduler).__name__} is called with an argument")
        self._in_scheduler = True
        return True

    def leave_schedule(self, scheduler: Any) -> None:
        self._in_scheduler = False
        self.schedulers.append(scheduler)
        self._steps_then = len(self.steps)

    def watch(self, hook: Any) -> None:
        """A hook of the user's is about to run."""
        if id(hook) not in self._hooks:
            state = PythonState(hook)
            self._hooks[id(hook)] = (hook, state, state.taken())

    def finish(self) -> None:
        """To be called after the function."""
        for step in self.steps:
            step.remember_states()
            if not self.schedulers and step.now() != step.values:
                self.refuse(f"the function itself sets options of {type(step.optimizer).__name__}")
        if self.schedulers and self._steps_then != len(self.steps):
            name = type(self.schedulers[-1]).__name__
            self.refuse(f"step() of {name} is called before the step of an optimizer")

    def changed(self) -> str:
        """The name of a variable that the function's Python code has changed, "" if there is none."""
        for hook, state, before in self._hooks.values():
            name = what_changed(before, state.taken())
            if name:
                return f"{name} in the hook {changes.place_of(hook)}"
        return what_changed(self._before, self._state.taken())

    def guard(self) -> Guard:
        return self._state.guard()


class Variant:
    """The plans for one structure of arguments in one mode of the modules."""

    def __init__(self, owner: Any) -> None:
        self.handle = call(
            lib.ag_compiled_create,
            owner.max_plans,
            0,
            not owner.fallback,
            owner.passes,
        )
        self.result: Any = None  # the structure of the results
        self.n_results = 0
        self.steps: list[Step] = []
        self.schedulers: list[Any] = []  # that go on after each run
        self.changed = ""  # what the last captured call changed in Python
        self.seen = (-1, 0, -1)
        self.plain: int | None = None  # how many tensors, if calls have nothing else
        self.is_eager = False
        self.guard: Guard | None = None
        self.broken = ""  # the name whose change led to the last captured call

    def ready(self) -> bool:
        """Brings the options of optimizers up to date; False if something the plans depend on may have changed."""
        if self.seen != (changes.count, changes.modes, _tensor.handle_changes):
            return False
        guard = self.guard
        if guard is None:
            return False
        if not (guard.same() or guard.holds()):
            self.broken = guard.broken
            return False
        for step in self.steps:
            if step.moves or type(step.optimizer)._values(step.group) != step.values:
                if not self._read_options(step):
                    return False
            if not step.same_states():
                return False
        return True

    def may_change_back(self) -> bool:
        """True if nothing has changed but what names stand for."""
        now = (changes.count, changes.modes, _tensor.handle_changes)
        return self.seen == now and all(step.same_states() for step in self.steps)

    def _read_options(self, step: Step) -> bool:
        values = step.now()
        # Not remembered: the next look has to find the same, until a captured call has seen it.
        if step.shape_of(values) != step.shape:
            return False
        step.values = values
        numbers = step.numbers()
        array = (ctypes.c_double * len(numbers))(*numbers)
        check(lib.ag_compiled_set_options(self.handle, step.position, array, len(numbers)))
        return True

    def go_on(self) -> None:
        """What Python does after each run of a plan."""
        for scheduler in self.schedulers:
            scheduler.step()

    def take(self, captured: CapturedCall) -> str:
        """Notes what a captured call did besides tensors; returns why that cannot be repeated, "" if it can."""
        is_first = lib.ag_compiled_num_captures(self.handle) <= 1
        others = [] if is_first else self.schedulers
        changed, before = captured.changed(), self.changed
        self.steps, self.schedulers, self.changed = captured.steps, captured.schedulers, changed
        self.guard = captured.guard()
        if not is_first and list(map(id, others)) != list(map(id, captured.schedulers)):
            return "the step() of a learning rate schedule is called in some calls only"
        if changed and before:
            return (
                f"Python code changes {changed} in each call; it would run in captured calls only. Keep the "
                "tensors that go on from call to call and change them with copy_(); do the rest outside"
            )
        return ""


class Variants:
    """The plans for one structure of arguments: those of each mode that modules were in, training or evaluation.

    The modes are those of all modules: which of them a function depends on is not known. A few are remembered.
    """

    MOST = 4

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        self._by_modes: dict[int, Variant] = {}  # the one used last stands last
        self._last: Variant | None = None
        self._last_modes = 0

    def current(self) -> Variant:
        """That for the modes that modules are in now."""
        modes = changes.modes
        if self._last is not None and modes == self._last_modes:
            return self._last
        variant = self._by_modes.pop(modes, None)
        if variant is None:
            if len(self._by_modes) >= self.MOST:
                self._by_modes.pop(next(iter(self._by_modes)))
            variant = Variant(self._owner)
            variant.is_eager = any(each.is_eager for each in self.all())
        self._by_modes[modes] = self._last = variant
        self._last_modes = modes
        return variant

    def all(self) -> list[Variant]:
        """All of them; the one used last stands last."""
        return list(self._by_modes.values())

    def planned(self) -> Variant | None:
        """That for the modes that modules are in, if it has plans, or else the last one that does."""
        having = [v for v in self.all() if lib.ag_compiled_num_plans(v.handle) > 0]
        now = self._by_modes.get(changes.modes)
        return now if now in having else having[-1] if having else None
