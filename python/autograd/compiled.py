"""compile: a function of tensors, such as a whole training step, captured as it runs and then repeated natively."""

from __future__ import annotations

import ctypes
import functools
import linecache
import warnings
from pathlib import Path
from typing import Any, Callable

from . import changes
from . import tensor as _tensor
from ._capi import PACKAGE, ArgumentError, call, check, lib, not_null, pack, raise_last_error, text
from .captured import NO_PLAN, CapturedCall, CompileError, Handle, Variant, Variants
from .creation import randperm
from .dtypes import float64, get_default_dtype
from .graph import Graph
from .graph.looks import is_module
from .graph.names import Names, texts
from .loaded_plan import LoadedPlan, load_plan
from .operands import handles, room_for
from .python_state import PythonState
from .random import Generator
from .side_effects import Watch
from .structures import Leaf, flatten, leaf_names, to_text, unflatten
from .tensor import NO_TENSOR, Tensor

__all__ = ["CompiledFunction", "CompileError", "LoadedPlan", "compile", "load_plan"]

# For ag_compiled_call: what stands behind one to four arguments.
_PADDING = [(NO_TENSOR,) * (4 - n) for n in range(5)]


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
        self._variants: dict[Any, Variants] = {}
        # The variant of calls with up to four tensors and nothing else, and one tensor as the result.
        self._plain: dict[int, Variant] = {}
        self._warned: set[str] = set()  # places
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
                if variant.schedulers:
                    variant.go_on()
                return result
            if lib.ag_last_status():
                raise_last_error()
        return self._call(args, kwargs)

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        tensors: list[Tensor] = []
        variant = self._variant(flatten((args, kwargs), tensors))
        if variant.is_eager:
            return self.function(*args, **kwargs)
        inputs = handles("compile", "inputs", tensors)
        if variant.ready():
            room = room_for(variant.n_results)
            count = lib.ag_compiled_run(
                variant.handle, inputs, len(inputs), room, variant.n_results
            )
            if count >= 0:
                variant.go_on()
                return unflatten(variant.result, list(room))
            if count != NO_PLAN:
                raise_last_error()
        elif lib.ag_compiled_num_captures(variant.handle):
            check(lib.ag_compiled_doubt(variant.handle, variant.may_change_back()))
        return self._capture(variant, inputs, args, kwargs)

    def _variant(self, structure: Any) -> Variant:
        try:
            variants = self._variants.get(structure)
        except TypeError as error:
            raise TypeError(
                f"compile: arguments must be tensors, tuples, lists and dicts of them, or values that can be keys: "
                f"{error}. Arrays: pass autograd.from_numpy(array)"
            ) from None
        if variants is None:
            if len(self._variants) >= 4 * self.max_plans:
                raise CompileError(
                    f"compile: {self._name} was called with {len(self._variants)} different combinations of arguments "
                    "that are no tensors; pass what changes as tensors"
                )
            variants = self._variants[structure] = Variants(self)
        variant = variants.current()
        # From now on the short way goes to this one.
        if variant.plain is not None:
            self._plain[variant.plain] = variant
        return variant

    @property
    def _name(self) -> str:
        return getattr(self.function, "__qualname__", repr(self.function))

    # ---- captured calls ----

    def _capture(
        self, variant: Variant, inputs: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        began = lib.ag_compiled_begin(variant.handle, inputs, len(inputs))
        if began < 0:
            if not self.fallback:
                self._fail(_last_error_text())
            self._give_up(variant, _last_error_text(), None)
            return self.function(*args, **kwargs)
        if began == 0:
            return self.function(*args, **kwargs)
        captured = CapturedCall(self.function, self.fallback, variant.steps)
        changes.captures.append(captured)
        try:
            with Watch():
                value = self.function(*args, **kwargs)
            captured.finish()
        except BaseException as error:
            lib.ag_compiled_cancel(variant.handle)
            if isinstance(error, RuntimeError) and str(error).startswith("compile: "):
                self._fail(str(error), error)
            raise
        finally:
            changes.captures.remove(captured)
        return self._finish(variant, captured, value)

    def _finish(self, variant: Variant, captured: CapturedCall, value: Any) -> Any:
        tensors: list[Tensor] = []
        structure = flatten(value, tensors)
        results = handles("compile", "results", tensors)
        if captured.obstacle:
            lib.ag_compiled_cancel(variant.handle)
            return self._give_up(variant, captured.obstacle, value)
        if lib.ag_compiled_end(variant.handle, results, len(results)):
            message = _last_error_text()
            return self._give_up(variant, message, value) if self.fallback else self._fail(message)
        planned = lib.ag_compiled_num_plans(variant.handle) > 0
        problem = variant.take(captured)
        if not problem and planned and variant.result is not None and structure != variant.result:
            problem = "the results have another structure, or other values that are no tensors, than in the last call"
        if problem:
            check(lib.ag_compiled_clear(variant.handle))
            message = f"compile: {problem}"
            return self._give_up(variant, message, value) if self.fallback else self._fail(message)
        self._warn_of(captured.actions)
        variant.result, variant.n_results = structure, len(tensors)
        variant.seen = (changes.count, changes.modes, _tensor.handle_changes)
        if structure == Leaf(0):
            for count in range(5):
                variants = self._variants.get(_plain_structure(count))
                if variants is not None and variant in variants.all():
                    self._plain[count] = variant
                    variant.plain = count
        return value

    def _give_up(self, variant: Variant, message: str, value: Any) -> Any:
        self._warn(message)
        variant.is_eager = True
        return value

    def _warn_of(self, actions: dict[str, str]) -> None:
        """Says once for each place what happens in captured calls only."""
        for place, what in actions.items():
            if place in self._warned:
                continue
            self._warned.add(place)
            warnings.warn(
                f"compile: {what} happens in the first calls of {self._name} only, which are captured; later ones run "
                f"without Python ({place})",
                stacklevel=5,
            )

    def _warn(self, message: str) -> None:
        warnings.warn(f"{message}. {self._name} runs without compiling from now on", stacklevel=5)

    def _fail(self, message: str, cause: BaseException | None = None) -> Any:
        place = _place_of(cause) if cause is not None else ""
        raise CompileError(
            f"{message} (in {self._name}{place}). With fallback=True it runs without compiling"
        ) from cause

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
        sources = handles("run", "tensors", tensors)
        for epoch in range(epochs):
            order = randperm(rows, generator=generator) if shuffle else NO_TENSOR
            self._run_epoch(sources, order, rows, batch_size, drop_last, losses, epoch * batches)
            if after_epoch is not None:
                after_epoch(epoch)
        found = call(lib.ag_tensor_from_data, losses, float64.code, *pack((epochs, batches)))
        return call(lib.ag_to_dtype, found, get_default_dtype().code)

    def _run_epoch(
        self,
        sources: Any,
        order: Tensor,
        rows: int,
        batch_size: int,
        drop_last: bool,
        losses: Any,
        first: int,
    ) -> None:
        n = len(sources)
        variant = self._plain.get(n)
        if variant is None or not variant.ready():
            variant = self._variant(_plain_structure(n))
        at, done = 0, 0
        while at < rows and not (drop_last and rows - at < batch_size):
            place: Any = losses
            if first + done:
                address = ctypes.addressof(losses) + 8 * (first + done)
                place = ctypes.cast(address, ctypes.POINTER(ctypes.c_double))
            count = 0
            if not variant.schedulers and variant.ready():
                count = lib.ag_compiled_run_batches(
                    variant.handle,
                    sources,
                    n,
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
            room = room_for(n)
            check(lib.ag_take_batch(sources, n, order, at, size, room))
            losses[first + done] = _loss_of(self._call(tuple(room), {}))
            at, done = at + size, done + 1

    # ---- what was made of it ----

    def graph(self, plan: int = 0, captured: bool = False, params: Any | None = None) -> Graph:
        """The graph of a plan as it runs, or as it was captured. Raises IndexError if there is no such plan yet.

        Names come from the arguments of the function, and from the variables that it reads and the modules, lists and
        dicts in them. params, a Module or a dict of name and tensor or module, gives others, which come first.
        """
        for structure, variants in self._variants.items():
            for variant in variants.all():
                count = lib.ag_compiled_num_plans(variant.handle)
                if plan < count:
                    return self._graph(structure, variant, plan, captured, params)
                plan -= count
        raise IndexError(
            f"{self._name} has no plan {plan} yet: a plan is made of the second call that does the same"
        )

    def _graph(
        self, structure: Any, variant: Variant, plan: int, captured: bool, params: Any
    ) -> Graph:
        names = Names("graph", params)
        for held in PythonState(self.function).held():
            names.look_at(held)
        takes = self.function.forward if is_module(self.function) else self.function
        inputs = leaf_names(structure, takes)
        native = call(
            lib.ag_compiled_graph,
            variant.handle,
            plan,
            captured,
            *names.native(),
            texts(inputs),
            len(inputs),
        )
        return Graph(native)

    def explain(self, picture: str | Path | None = None) -> str:
        """What was made of the function: its plans, what was fused in them, what was not and why, and why calls were
        captured.

        picture, if given, is a file for a drawing of what runs, of any kind that ``Graph.save`` knows; where there are
        several plans, each goes to a file of its own, with its number before the suffix. Raises IndexError if there is
        no plan to draw yet.
        """
        if picture is not None:
            plans = sum(lib.ag_compiled_num_plans(variant.handle) for variant in self._all())
            for plan in range(max(1, plans)):
                path = Path(picture)
                self.graph(plan).save(
                    path if plans <= 1 else path.with_suffix(f".{plan}{path.suffix}")
                )
        lines = []
        for variant in self._all():
            count = lib.ag_compiled_num_plans(variant.handle)
            captures = lib.ag_compiled_num_captures(variant.handle)
            lines.append(f"{self._name}: {count} plans from {captures} captured calls")
            for plan in range(count):
                lines.append(f"plan {plan}: {text(lib.ag_compiled_explain, variant.handle, plan)}")
            if variant.broken:
                lines.append(
                    f"calls were captured anew because {variant.broken} is another one than before"
                )
            difference = text(lib.ag_compiled_difference, variant.handle)
            if difference:
                lines.append(f"the last captured call gave no plan: {difference}")
        return "\n".join(lines) or f"{self._name} was not called yet"

    def misfit(self, *args: Any, **kwargs: Any) -> str:
        """Why none of the plans fits a call with these arguments; "" if one does, or if there is none."""
        tensors: list[Tensor] = []
        variants = self._variants.get(flatten((args, kwargs), tensors))
        if variants is None:
            return ""
        variant = variants.current()
        return text(
            lib.ag_compiled_misfit,
            variant.handle,
            handles("misfit", "inputs", tensors),
            len(tensors),
        )

    def save(self, path: str | Path, params: Any | None = None) -> None:
        """Writes all plans to a file, with the tensors they use as they are now; :func:`load_plan` reads it.

        Those of all shapes and of all structures of arguments; where there are plans for training and for evaluation,
        those for the mode that the modules are in. params, a Module or a dict of name and tensor, names tensors, under
        which they are found again. Raises RuntimeError if there is no plan yet.
        """
        found = [(key, each.planned()) for key, each in self._variants.items()]
        parts = [(key, variant) for key, variant in found if variant is not None]
        if not parts:
            raise RuntimeError(
                f"{self._name} has no plan to save yet: a plan is made of the second call that does the same"
            )
        functions = (Handle * len(parts))()
        labels = (ctypes.c_char_p * len(parts))()
        for i, (structure, variant) in enumerate(parts):
            variant.ready()
            functions[i] = variant.handle
            labels[i] = to_text(structure, variant.result).encode()
        array, names, count, _ = Names("save", params).native()
        check(
            lib.ag_compiled_save_all(
                functions, labels, len(parts), str(path).encode(), array, names, count
            )
        )

    def _all(self) -> list[Variant]:
        return [variant for variants in self._variants.values() for variant in variants.all()]

    def clear(self) -> None:
        """Forgets all plans."""
        self._variants.clear()
        self._plain.clear()

    def __repr__(self) -> str:
        return f"<compiled function {self._name}>"


def _plain_structure(n: int) -> Any:
    """The structure of a call with n tensors and nothing else."""
    return (tuple, ((tuple, tuple(map(Leaf, range(n)))), (dict, ())))


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
    shapes = [each.shape for each in tensors]
    if not all(shapes):
        raise ValueError("run(): a 0-d tensor has no rows")
    sizes = [shape[0] for shape in shapes]
    if sizes.count(sizes[0]) != len(sizes):
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
