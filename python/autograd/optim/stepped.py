"""SteppedOptimizer: optimizers whose step is one native call per parameter group."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Callable, ClassVar

from .. import changes, dtypes
from .._capi import check, declaration_of, fast, lib, raise_last_error
from ..creation import tensor
from ..grad_mode import enable_grad
from ..identity import GET, ITEM, LENGTH, same_objects
from ..tensor import Tensor, adopt
from .optimizer import Handles, Optimizer, Params, must_be_dict


def check_not_negative(what: str, value: Any) -> None:
    """Raises ValueError, worded as PyTorch words it, unless value >= 0."""
    if not 0.0 <= value:
        raise ValueError(f"Invalid {what}: {value}")


def check_lr(lr: Any) -> None:
    """Raises ValueError unless lr is a number, or a tensor of one, >= 0."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    check_not_negative("learning rate", lr)


def check_betas(betas: Sequence[Any]) -> None:
    """Raises ValueError unless there are two numbers in [0, 1)."""
    if len(betas) > 2:
        raise ValueError(f"betas must be two numbers, got {tuple(betas)}")
    for place, beta in enumerate(betas[:2]):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {place}: {beta}")


def several(count: int) -> Callable[[str, Any], Sequence[Any]]:
    """A function that takes the name and the value of an option of so many numbers, and returns them."""
    word = {2: "two", 3: "three"}[count]

    def numbers(name: str, value: Any) -> Sequence[Any]:
        if not isinstance(value, (tuple, list)) or len(value) != count:
            raise ValueError(f"{name} must be {word} numbers, got {value!r}")
        return value

    return numbers


class SteppedOptimizer(Optimizer):
    """An optimizer of the library: a subclass names the native step, its options and its states.

    native: the function of autograd.h. options: the names of the group's options in the order of its arguments.
    spread: of options that are no single numbers, how they are passed: function(name, value) returns the arguments.
    states: the names of its states. later: options that old state dicts lack.
    """

    native: ClassVar[Any]
    options: ClassVar[tuple[str, ...]]
    states: ClassVar[tuple[str, ...]]
    later: ClassVar[dict[str, Any]] = {}
    spread: ClassVar[dict[str, Callable[[str, Any], Sequence[Any]]]] = dict.fromkeys(
        ("betas", "etas", "step_sizes"), several(2)
    )
    _kinds: ClassVar[list[type]]
    _values: ClassVar[Callable[[dict[str, Any]], tuple[Any, ...]]]

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "native" in cls.__dict__:
            parameters = declaration_of(cls.native).parameters[3:]
            cls._kinds = [_KINDS.get(kind, int) for kind, _ in parameters]
            cls._values = staticmethod(itemgetter(*cls.options))

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        if defaults.get("differentiable"):
            raise NotImplementedError(
                f"{type(self).__name__}: differentiable=True is not supported; gradients through steps need an update "
                "written with operations on tensors"
            )
        if defaults.get("fused") and defaults.get("foreach"):
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
        super().__init__(params, defaults)

    def _prepare(self) -> None:
        super()._prepare()
        self._owned: dict[int, _States] = {}
        self._numbers: dict[int, tuple[Any, tuple[Any, ...]]] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self.later.items():
                group.setdefault(name, value)
        for values in self.state.values():
            for name in ("step", "mu_product", "eta", "mu"):
                value = values.get(name)
                if name in self.states and isinstance(value, (int, float)):
                    values[name] = tensor(float(value), dtype=dtypes.get_default_dtype())

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates all parameters that have a gradient, in one native call per group.

        closure, if given, computes the loss again with gradients on; its result is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for number, group in enumerate(self.param_groups):
            handles = self._group_handles(number)
            owned = self._owned.get(number)
            if owned is None or not owned.fit(handles, self.state):
                owned = self._owned[number] = _States(handles, self.states, self.state)
            if changes.captures:
                captured = changes.capture()
                if captured is not None:
                    captured.stepped(self, number)
            status = self.native(
                handles.array, owned.array, handles.count, *self._native_options(number, group)
            )
            if owned.missing and bytes(owned.array) != owned.image:
                owned.take_new(self.state)
            if status:
                raise_last_error()
        return loss

    def _native_options(self, number: int, group: dict[str, Any]) -> tuple[Any, ...]:
        """The options of a group as native numbers, made anew only when an option changes."""
        values = self._values(group)
        known = self._numbers.get(number)
        if known is None or known[0] != values:
            flat: list[Any] = []
            for name, value in zip(self.options, values):
                flat += self.spread[name](name, value) if name in self.spread else (value,)
            numbers = tuple(
                kind(value)
                if kind is not float
                else _number(value)
                if fast
                else ctypes.c_double(_number(value))
                for kind, value in zip(self._kinds, flat)
            )
            # A tensor or a list may change its numbers without becoming another object.
            fixed = not any(isinstance(value, (Tensor, list)) for value in (*values, *flat))
            known = self._numbers[number] = (values if fixed else None, numbers)
        return known[1]


# What the native step's parameters are; all others are ints.
_KINDS: dict[str, type] = {"double": float, "int32_t": bool}


def _number(value: Any) -> float:
    """An option as a number; of a tensor, without a captured call taking it for a read value."""
    if not isinstance(value, Tensor):
        if not hasattr(type(value), "__float__") or getattr(value, "ndim", 0):
            raise TypeError(f"an option of an optimizer must be a number, not {value!r}")
        return float(value)
    number = ctypes.c_double()
    check(lib.ag_optim_number(value, ctypes.byref(number)))
    return number.value


def _state(held: Any, name: str) -> Tensor | None:
    """A state of a parameter by name, None if there is none yet."""
    must_be_dict("the state of a parameter", held)
    value = held.get(name)
    if value is not None and not isinstance(value, Tensor):
        raise TypeError(
            f"the state '{name}' of a parameter must be Tensor, not {type(value).__name__}"
        )
    return value


class _States:
    """The states of one group's parameters as a native array; NULL where no step has made one yet.

    The dicts in optimizer.state own the tensors. Whether they still hold the same ones is looked at before each step.
    """

    __slots__ = ("array", "handles", "image", "is_filled", "missing", "names", "same", "state")

    def __init__(
        self, handles: Handles, names: tuple[str, ...], state: dict[Tensor, dict[str, Any]]
    ) -> None:
        self.handles = handles
        self.names = names
        rows = [
            [_state(state[p], name) if p in state else None for p in handles.tensors]
            for name in names
        ]
        self.array = (ctypes.c_void_p * (len(names) * len(handles.tensors)))(*chain(*rows))
        self._remember(state)

    def _remember(self, state: dict[Tensor, dict[str, Any]]) -> None:
        self.missing = not all(self.array)
        self.image = bytes(self.array)
        # Each parameter has the dict that it had, or none, and each dict has what it had.
        self.state, self.is_filled = state, bool(state)
        reads: list[tuple[str, Any, Any]] = []
        values: list[Any] = []
        for p in self.handles.tensors:
            held = state.get(p)
            reads.append((GET, state, p))
            values.append(held)
            if held is not None:
                reads += ((LENGTH, held, None), *((ITEM, held, name) for name in held))
                values += (len(held), *held.values())
        self.same = same_objects(reads, values)

    def fit(self, handles: Handles, state: dict[Tensor, dict[str, Any]]) -> bool:
        """True if the array holds what the state of these parameters holds."""
        if self.handles is not handles or self.state is not state:
            return False
        return self.same() if state else not self.is_filled

    def take_new(self, state: dict[Tensor, dict[str, Any]]) -> None:
        """Puts the states that the last step made into the dicts, which own them from now on."""
        count = len(self.handles.tensors)
        changed = False
        for i, param in enumerate(self.handles.tensors):
            for k, name in enumerate(self.names):
                address = self.array[k * count + i]
                if address is not None and state[param].get(name) is None:
                    state[param][name] = adopt(address)
                    changed = True
        if changed:
            self._remember(state)
