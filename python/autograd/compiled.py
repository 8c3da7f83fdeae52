"""compile: a function of tensors, such as a whole training step, captured as it runs and then repeated natively."""

from __future__ import annotations

import ctypes
import functools
import linecache
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

from . import changes
from . import tensor as _tensor
from ._capi import (
    PACKAGE,
    ArgumentError,
    as_method,
    call,
    check,
    hide_buffer,
    lib,
    not_null,
    raise_last_error,
    set_handle_class,
    text,
)
from .creation import randperm
from .graph import Graph
from .graph.names import Names
from .operands import handles, room_for
from .optim.stepped import step_watchers
from .random import Generator
from .tensor import NO_TENSOR, Tensor

__all__ = ["CompiledFunction", "CompileError", "LoadedPlan", "compile", "load_plan"]

_NO_PLAN = -2
# For ag_compiled_call: what stands behind one to four arguments.
_PADDING = [(NO_TENSOR,) * (4 - n) for n in range(5)]


class CompileError(RuntimeError):
    """A function does something that cannot be captured, or not the same in each call."""


class _Handle(ctypes.c_void_p):
    """Owns one native compiled function."""

    __del__ = as_method(lib.ag_compiled_free)


hide_buffer(_Handle)
set_handle_class("ag_compiled", _Handle)


class _Leaf:
    """Stands for a tensor in the structure of arguments or results."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Leaf) and other.number == self.number

    def __hash__(self) -> int:
        return hash((_Leaf, self.number))


def _flatten(value: Any, tensors: list[Tensor]) -> Any:
    """The structure of a value, with its tensors put into the list; hashable if all other parts are."""
    if isinstance(value, Tensor):
        for number, known in enumerate(tensors):
            if known is value:
                return _Leaf(number)
        tensors.append(value)
        return _Leaf(len(tensors) - 1)
    if isinstance(value, (tuple, list)):
        return (type(value), tuple(_flatten(each, tensors) for each in value))
    if isinstance(value, dict):
        return (dict, tuple((key, _flatten(each, tensors)) for key, each in value.items()))
    # 1, 1.0 and True are equal keys, but not the same arguments.
    return (type(value), value)


def _unflatten(structure: Any, tensors: Sequence[Tensor]) -> Any:
    if isinstance(structure, _Leaf):
        return tensors[structure.number]
    kind, parts = structure
    if isinstance(kind, type) and issubclass(kind, dict):
        return {key: _unflatten(each, tensors) for key, each in parts}
    if isinstance(kind, type) and issubclass(kind, (tuple, list)):
        values = [_unflatten(each, tensors) for each in parts]
        return kind(*values) if hasattr(kind, "_fields") else kind(values)
    return parts


class _Step:
    """One step of an optimizer's group in the captured calls: its options are read anew before each run."""

    __slots__ = ("count", "group", "number", "optimizer", "owned", "position", "shape", "values")

    def __init__(self, position: int, optimizer: Any, number: int) -> None:
        self.position, self.optimizer, self.number = position, optimizer, number
        self.group = optimizer.param_groups[number]
        self.count = len(self.group["params"])
        self.remember()

    def remember(self) -> None:
        self.values = type(self.optimizer)._values(self.group)
        self.shape = self.shape_of(self.values)
        self.owned = self.optimizer._owned.get(self.number)

    @staticmethod
    def shape_of(values: Any) -> tuple[bool, ...]:
        """Which options are on: a change of these is another computation."""
        return tuple(map(bool, values[1:] if isinstance(values, tuple) else ()))

    def same_states(self) -> bool:
        """True if the optimizer still has the group and the states that the plans write to."""
        optimizer = self.optimizer
        groups = optimizer.param_groups
        if self.number >= len(groups) or groups[self.number] is not self.group:
            return False
        if len(self.group["params"]) != self.count:
            return False
        owned = self.owned
        if owned is None or optimizer._owned.get(self.number) is not owned:
            return False
        return not optimizer.state or owned.fit(owned.handles, optimizer.state)

    def numbers(self) -> list[float]:
        return [
            float(getattr(number, "value", number))
            for number in self.optimizer._native_options(self.number, self.group)
        ]


class _Variant:
    """The plans for one structure of arguments."""

    def __init__(self, owner: CompiledFunction) -> None:
        self.handle = call(
            lib.ag_compiled_create,
            owner.max_plans,
            0,
            not owner.fallback,
            owner.passes,
        )
        self.result: Any = None  # the structure of the results
        self.n_results = 0
        self.steps: list[_Step] = []
        self.seen = (-1, -1)
        self.is_eager = False

    def ready(self) -> bool:
        """Brings the options of optimizers up to date; False if something the plans depend on may have changed."""
        if self.seen != (changes.count, _tensor.handle_changes):
            return False
        for step in self.steps:
            if type(step.optimizer)._values(step.group) != step.values:
                if not self._read_options(step):
                    return False
            if not step.same_states():
                return False
        return True

    def _read_options(self, step: _Step) -> bool:
        values = type(step.optimizer)._values(step.group)
        # Not remembered: the next look has to find the same, until a captured call has seen it.
        if step.shape_of(values) != step.shape:
            return False
        step.values = values
        numbers = step.numbers()
        array = (ctypes.c_double * len(numbers))(*numbers)
        check(lib.ag_compiled_set_options(self.handle, step.position, array, len(numbers)))
        return True


class CompiledFunction:
    """What :func:`compile` returns: called like the function, and natively from the second or third call on."""

    def __init__(
        self, function: Callable[..., Any], fallback: bool, max_plans: int, passes: bool
    ) -> None:
        if not callable(function):
            raise TypeError(f"compile(): expected a function, got {type(function).__name__}")
        if max_plans < 1:
            raise ValueError(f"compile(): max_plans must be at least 1, got {max_plans}")
        self.function = function
        self.fallback = fallback
        self.max_plans = max_plans
        self.passes = passes
        self._variants: dict[Any, _Variant] = {}
        # The variant of calls with up to four tensors and nothing else, and one tensor as the result.
        self._plain: dict[int, _Variant] = {}
        functools.update_wrapper(self, function)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        # In a class body it is a method: each instance gets plans of its own.
        if instance is None:
            return self
        bound = CompiledFunction(
            self.function.__get__(instance, owner), self.fallback, self.max_plans, self.passes
        )
        instance.__dict__[self.function.__name__] = bound
        return bound

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        variant = self._plain.get(len(args))
        if variant is not None and not kwargs and variant.ready():
            try:
                result = lib.ag_compiled_call(variant.handle, *args, *_PADDING[len(args)])
            except ArgumentError:
                return self._call(args, kwargs)
            if not_null(result):
                return result
            if lib.ag_last_status():
                raise_last_error()
        return self._call(args, kwargs)

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        tensors: list[Tensor] = []
        variant = self._variant(_flatten((args, kwargs), tensors))
        if variant.is_eager:
            return self.function(*args, **kwargs)
        inputs = handles("compile", "inputs", tensors)
        if variant.ready():
            room = room_for(variant.n_results)
            count = lib.ag_compiled_run(
                variant.handle, inputs, len(inputs), room, variant.n_results
            )
            if count >= 0:
                return _unflatten(variant.result, list(room))
            if count != _NO_PLAN:
                raise_last_error()
        elif lib.ag_compiled_num_captures(variant.handle):
            check(lib.ag_compiled_doubt(variant.handle))
        return self._capture(variant, inputs, args, kwargs)

    def _variant(self, structure: Any) -> _Variant:
        try:
            variant = self._variants.get(structure)
        except TypeError as error:
            raise TypeError(
                f"compile: arguments must be tensors, tuples, lists and dicts of them, or values that can be keys: "
                f"{error}. Arrays: pass autograd.from_numpy(array)"
            ) from None
        if variant is None:
            if len(self._variants) >= 4 * self.max_plans:
                raise CompileError(
                    f"compile: {self._name} was called with {len(self._variants)} different combinations of arguments "
                    "that are no tensors; pass what changes as tensors"
                )
            variant = self._variants[structure] = _Variant(self)
        return variant

    @property
    def _name(self) -> str:
        return getattr(self.function, "__qualname__", repr(self.function))

    # ---- captured calls ----

    def _capture(
        self, variant: _Variant, inputs: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        began = lib.ag_compiled_begin(variant.handle, inputs, len(inputs))
        if began < 0:
            if self.fallback:
                return self._give_up(variant, lib.ag_last_error().decode(), args, kwargs)
            self._fail(_last_error_text())
        if began == 0:
            return self.function(*args, **kwargs)
        steps: list[_Step] = []
        thread = threading.get_ident()

        def watch(optimizer: Any, number: int) -> None:
            if threading.get_ident() == thread:
                steps.append(_Step(len(steps), optimizer, number))

        step_watchers.append(watch)
        try:
            value = self.function(*args, **kwargs)
        except BaseException as error:
            lib.ag_compiled_cancel(variant.handle)
            if isinstance(error, RuntimeError) and str(error).startswith("compile: "):
                self._fail(str(error), error)
            raise
        finally:
            step_watchers.remove(watch)
        return self._finish(variant, steps, value)

    def _finish(self, variant: _Variant, steps: list[_Step], value: Any) -> Any:
        tensors: list[Tensor] = []
        structure = _flatten(value, tensors)
        results = handles("compile", "results", tensors)
        for step in steps:
            step.remember()
        if lib.ag_compiled_end(variant.handle, results, len(results)):
            message = _last_error_text()
            if not self.fallback:
                self._fail(message)
            self._warn(message)
            variant.is_eager = True
            return value
        planned = lib.ag_compiled_num_plans(variant.handle) > 0
        if planned and variant.result is not None and structure != variant.result:
            check(lib.ag_compiled_clear(variant.handle))
            if not self.fallback:
                self._fail(
                    "compile: the results have another structure, or other values that are no tensors, "
                    "than in the last call"
                )
        variant.result, variant.n_results, variant.steps = structure, len(tensors), steps
        variant.seen = (changes.count, _tensor.handle_changes)
        is_plain = structure == _Leaf(0)
        for count in range(5):
            plain = ((tuple, tuple(map(_Leaf, range(count)))), (dict, ()))
            if is_plain and self._variants.get((tuple, plain)) is variant:
                self._plain[count] = variant
        return value

    def _give_up(
        self, variant: _Variant, message: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        self._warn(message)
        variant.is_eager = True
        return self.function(*args, **kwargs)

    def _warn(self, message: str) -> None:
        warnings.warn(f"{message}. {self._name} runs without compiling from now on", stacklevel=5)

    def _fail(self, message: str, cause: BaseException | None = None) -> Any:
        place = _place_of(cause) if cause is not None else ""
        raise CompileError(f"{message} (in {self._name}{place})") from cause

    # ---- epochs ----

    def run(
        self,
        *tensors: Tensor,
        batch_size: int,
        shuffle: bool = False,
        epochs: int = 1,
        drop_last: bool = False,
        generator: Generator | None = None,
        after_epoch: Callable[[int], Any] | None = None,
    ) -> Tensor:
        """Calls the function with batches of rows of the tensors, epoch by epoch, each epoch natively.

        Batches and their order are those of ``DataLoader(TensorDataset(*tensors), batch_size, shuffle)``. The
        function's first result is one number, the loss. Returns the losses, [epochs, batches]. after_epoch(number),
        if given, is called between epochs: the place for learning rate schedules. Raises ValueError for sizes that do
        not fit.
        """
        rows = _rows(tensors, batch_size, epochs)
        batches = rows // batch_size if drop_last else -(-rows // batch_size)
        losses = (ctypes.c_double * max(1, epochs * batches))()
        for epoch in range(epochs):
            order = randperm(rows, generator=generator) if shuffle else NO_TENSOR
            self._run_epoch(tensors, order, rows, batch_size, drop_last, losses, epoch * batches)
            if after_epoch is not None:
                after_epoch(epoch)
        from .creation import tensor

        return tensor(losses[: epochs * batches]).reshape(epochs, batches)

    def _run_epoch(
        self,
        tensors: tuple[Tensor, ...],
        order: Tensor,
        rows: int,
        batch_size: int,
        drop_last: bool,
        losses: Any,
        first: int,
    ) -> None:
        structure = (tuple, ((tuple, tuple(map(_Leaf, range(len(tensors))))), (dict, ())))
        variant = self._variant(structure)
        sources = handles("run", "tensors", tensors)
        at, done = 0, 0
        while at < rows and not (drop_last and rows - at < batch_size):
            place = ctypes.cast(
                ctypes.addressof(losses) + 8 * (first + done), ctypes.POINTER(ctypes.c_double)
            )
            count = 0
            if variant.ready():
                count = lib.ag_compiled_run_batches(
                    variant.handle,
                    sources,
                    len(sources),
                    order,
                    at,
                    rows,
                    batch_size,
                    drop_last,
                    place,
                )
                if count < 0:
                    raise_last_error()
            at, done = at + count * batch_size, done + count
            if count or at >= rows:
                continue
            size = min(batch_size, rows - at)
            room = room_for(len(tensors))
            check(lib.ag_take_batch(sources, len(sources), order, at, size, room))
            losses[first + done] = _loss_of(self._call(tuple(room), {}))
            at, done = at + size, done + 1

    # ---- what was made of it ----

    def graph(self, plan: int = 0, captured: bool = False) -> Graph:
        """The graph of a plan as it runs, or as it was captured. Raises IndexError if there is no such plan yet."""
        for variant in self._variants.values():
            count = lib.ag_compiled_num_plans(variant.handle)
            if plan < count:
                return Graph(call(lib.ag_compiled_graph, variant.handle, plan, captured))
            plan -= count
        raise IndexError(
            f"{self._name} has no plan {plan} yet: a plan is made of the second call that does the same"
        )

    def explain(self) -> str:
        """What was made of the function: its plans, what was fused in them, and why calls were captured."""
        lines = []
        for variant in self._variants.values():
            count = lib.ag_compiled_num_plans(variant.handle)
            captures = lib.ag_compiled_num_captures(variant.handle)
            lines.append(f"{self._name}: {count} plans from {captures} captured calls")
            for plan in range(count):
                lines.append(f"plan {plan}: {text(lib.ag_compiled_explain, variant.handle, plan)}")
            difference = text(lib.ag_compiled_difference, variant.handle)
            if difference:
                lines.append(f"the last captured call gave no plan: {difference}")
        return "\n".join(lines) or f"{self._name} was not called yet"

    def misfit(self, *args: Any, **kwargs: Any) -> str:
        """Why none of the plans fits a call with these arguments; "" if one does, or if there is none."""
        tensors: list[Tensor] = []
        variant = self._variants.get(_flatten((args, kwargs), tensors))
        if variant is None:
            return ""
        return text(
            lib.ag_compiled_misfit,
            variant.handle,
            handles("misfit", "inputs", tensors),
            len(tensors),
        )

    def save(self, path: str | Path, params: Any | None = None) -> None:
        """Writes the plans to a file, with the tensors they use as they are now; :func:`load_plan` reads it.

        params, a Module or a dict of name and tensor, names tensors, under which they are found again. Plans of one
        structure of arguments are saved: those of the last call. Raises RuntimeError if there is no plan yet.
        """
        variants = [v for v in self._variants.values() if lib.ag_compiled_num_plans(v.handle) > 0]
        if not variants:
            raise RuntimeError(
                f"{self._name} has no plan to save yet: a plan is made of the second call that does the same"
            )
        for variant in variants:
            variant.ready()
        array, names, count, _ = Names("save", params).native()
        check(lib.ag_compiled_save(variants[-1].handle, str(path).encode(), array, names, count))

    def clear(self) -> None:
        """Forgets all plans."""
        self._variants.clear()
        self._plain.clear()

    def __repr__(self) -> str:
        return f"<compiled function {self._name}>"


class LoadedPlan:
    """Plans from a file: called with tensors, they run without the function that they were made of."""

    def __init__(self, path: str | Path, max_bytes: int = 1 << 32) -> None:
        self._handle = call(lib.ag_compiled_load, str(path).encode(), max_bytes)
        #: The tensors that the plans read and change, by name; those without a name under their number.
        self.tensors: dict[str, Tensor] = {}
        for i in range(lib.ag_compiled_num_tensors(self._handle)):
            name = text(lib.ag_compiled_tensor_name, self._handle, i) or str(i)
            self.tensors[name] = call(lib.ag_compiled_tensor, self._handle, i)

    def __call__(self, *inputs: Tensor) -> Any:
        """The result, or a tuple of the results. Raises RuntimeError if no plan fits the inputs."""
        array = handles("plan", "inputs", inputs)
        room = room_for(_MOST_RESULTS)
        count = lib.ag_compiled_run(self._handle, array, len(inputs), room, _MOST_RESULTS)
        if count == _NO_PLAN:
            reason = text(lib.ag_compiled_misfit, self._handle, array, len(inputs))
            raise RuntimeError(f"no plan of the file fits: {reason or 'a capture is going on'}")
        if count < 0:
            raise_last_error()
        results = tuple(room[i] for i in range(count))
        return results[0] if count == 1 else results

    def options(self, step: int = 0) -> list[float]:
        """The options of an optimizer's step, in the order of its arguments: the learning rate is the first."""
        numbers = (ctypes.c_double * 16)()
        count = lib.ag_compiled_options(self._handle, step, numbers, 16)
        if count < 0:
            raise_last_error()
        return numbers[:count]

    def set_options(self, numbers: Sequence[float], step: int = 0) -> None:
        """Sets the options of an optimizer's step, all of them."""
        array = (ctypes.c_double * len(numbers))(*numbers)
        check(lib.ag_compiled_set_options(self._handle, step, array, len(numbers)))

    def graph(self, plan: int = 0) -> Graph:
        """The graph of a plan. Raises IndexError if there is none."""
        return Graph(call(lib.ag_compiled_graph, self._handle, plan, False))


def load_plan(path: str | Path, *, max_bytes: int = 1 << 32) -> LoadedPlan:
    """Returns the plans in a file that ``save()`` of a compiled function wrote, for predictions and further training.

    Nothing in the file is trusted: raises ValueError if it is damaged, no file of plans, one that no compiled function
    could have written, or if the results of its operations take more than max_bytes. Raises RuntimeError if it cannot
    be read.
    """
    return LoadedPlan(path, max_bytes)


_MOST_RESULTS = 64


def _last_error_text() -> str:
    return lib.ag_last_error().decode("utf-8", "replace")


def _place_of(error: BaseException) -> str:
    """The user's line that the error came through."""
    place = ""
    traceback = error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if PACKAGE not in Path(file).parents:
            line = linecache.getline(file, traceback.tb_lineno).strip()
            place = f", {file}:{traceback.tb_lineno}: {line}"
        traceback = traceback.tb_next
    return place


def _rows(tensors: tuple[Tensor, ...], batch_size: int, epochs: int) -> int:
    if not tensors:
        raise ValueError("run(): there are no tensors to take batches of")
    if batch_size < 1 or epochs < 0:
        raise ValueError(
            f"run(): batch_size must be at least 1 and epochs at least 0, got {batch_size} and {epochs}"
        )
    for each in tensors:
        if not isinstance(each, Tensor):
            raise TypeError(f"run(): expected tensors, got {type(each).__name__}")
        if each.ndim == 0:
            raise ValueError("run(): a 0-d tensor has no rows")
    sizes = [each.shape[0] for each in tensors]
    if len(set(sizes)) != 1:
        raise ValueError(f"Size mismatch between tensors: run() got tensors of {sizes} rows")
    return sizes[0]


def _loss_of(value: Any) -> float:
    while isinstance(value, (tuple, list)) and value:
        value = value[0]
    if not isinstance(value, Tensor) or value.numel() != 1:
        raise RuntimeError("run() wants a function whose first result is one number, the loss")
    return float(value)


def compile(
    function: Callable[..., Any] | None = None,
    *,
    fallback: bool = False,
    max_plans: int = 8,
    passes: bool = True,
) -> Any:
    """Returns the function compiled; also a decorator, with or without arguments.

    The first calls run as usual and are captured, each of them counts; as soon as two were alike (mostly the second
    or third), calls are repeated natively, with the same results. Captured is everything that is done with tensors:
    forward, backward, gradients, clipping, steps of optimizers, random numbers. Python code runs in captured calls
    only. Another shape, dtype or mode makes another plan.

    Reading a value (``item()``, ``if loss > 1``, ``print``) and numbers that change from call to call raise
    CompileError naming the line; with fallback=True the function then runs as if it were not compiled, with one
    warning. At most max_plans plans are kept. With passes=False the operations run as they were captured, none of them
    fused or left out.
    """
    if function is None:
        return lambda each: CompiledFunction(each, fallback, max_plans, passes)
    return CompiledFunction(function, fallback, max_plans, passes)
