"""Functions with gradients of their own, written in Python."""

from __future__ import annotations

import contextlib
import functools
import inspect
import warnings
from collections.abc import Sequence
from itertools import compress
from typing import Any, Callable, TypeVar

from .._capi import DELETER, get_address, handle_exists, lasting, lib
from ..func.mapping import active_levels, level_of, map_function
from ..grad_mode import is_grad_enabled, no_grad
from ..hooks import (
    CONSTANT,
    DIRTY,
    VALUE,
    lent,
    native_function,
    record_call,
    record_function,
    take_back,
)
from ..nodes import saved_by
from ..tensor import Tensor

__all__ = ["Function", "FunctionCtx", "once_differentiable"]

Wrapped = TypeVar("Wrapped", bound=Callable[..., Any])


class FunctionCtx:
    """What the forward and the backward of one call of a Function share: saved tensors, marks, own attributes."""

    to_save: tuple[Any, ...] = ()
    dirty_tensors: tuple[Any, ...] = ()
    non_differentiable: tuple[Any, ...] = ()
    saved_for_forward: tuple[Any, ...] = ()
    materialize_grads: bool = True
    needs_input_grad: tuple[bool, ...] = ()
    _address: int | None = None  # of the node, as long as there is one
    _n_saved = 0

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps tensors (or None) for backward, which finds them in :attr:`saved_tensors`.

        Changing them in place afterwards is an error in backward. Other objects become attributes of ctx instead.
        """
        self.to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keeps tensors for jvp."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, Tensor):
                raise AssertionError(
                    "save_for_forward expects all arguments to be tensors; you should save non-tensors as "
                    "attributes on ctx."
                )
        self.saved_for_forward = tensors

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """The tensors that save_for_backward() was given; none while forward runs.

        Raises RuntimeError if one was changed in place since, or an earlier backward has freed them.
        """
        return () if self._address is None else saved_by(self._address, self._n_saved)

    def mark_dirty(self, *args: Tensor) -> None:
        """Says that forward has changed inputs in place; they have to be returned."""
        self.dirty_tensors = args

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Says that no gradient goes through these outputs. backward gets zeros for them."""
        self.non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """If False, backward gets None instead of zeros for outputs that no gradient has reached."""
        self.materialize_grads = value


class BackwardCFunction(FunctionCtx):
    """The ctx of one call. Each Function has a subclass of its own, called <name>Backward."""

    _forward_cls: Any
    _native: Any  # what the library knows of the function
    _inputs: tuple[bool, ...]  # by argument: is it a tensor?
    _outputs: tuple[bool, ...]

    @classmethod
    def _user_rule(cls) -> Any:
        backward, vjp = cls._forward_cls.backward, cls._forward_cls.vjp
        if backward is not Function.backward and vjp is not Function.vjp:
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only "
                "implement one of them."
            )
        return backward if vjp is Function.vjp else vjp

    def name(self) -> str:
        """``<name>Backward``."""
        return type(self).__name__

    def apply(self, *grads: Any) -> Any:
        """What the function's backward returns for gradients of its outputs."""
        return self._user_rule()(self, *grads)

    def _gradients(self, grads: list[Tensor | None], node: int) -> list[Tensor | None]:
        """The gradients of the inputs that are tensors, from those of the outputs that are."""
        self._address = node
        given = iter(grads)
        results = self.apply(*[next(given) if is_tensor else None for is_tensor in self._outputs])
        if not isinstance(results, tuple):
            results = (results,)
        expected, got = len(self._inputs), len(results)
        if got < expected or any(result is not None for result in results[expected:]):
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients "
                f"(expected {expected}, got {got})"
            )
        found = []
        for position, (result, is_tensor) in enumerate(zip(results, self._inputs), 1):
            if is_tensor:
                if result is not None and not isinstance(result, Tensor):
                    raise RuntimeError(
                        f"expected Variable or None (got {type(result).__name__}) as gradient {position - 1} "
                        f"of {self.name()}"
                    )
                found.append(result)
            elif result is not None:
                raise RuntimeError(
                    f"function {self.name()} returned a gradient different than None at position {position}, "
                    f"but the corresponding forward input was not a Variable"
                )
        return found

    def _finish(self, inputs: tuple[Any, ...], output: Any, recorded: bool) -> Any:
        """output, whose tensors get their history."""
        outputs = output if isinstance(output, tuple) else (output,)
        self._inputs = tuple([isinstance(each, Tensor) for each in inputs])
        self._outputs = tuple([isinstance(each, Tensor) for each in outputs])
        tensors: Any = outputs if all(self._outputs) else list(compress(outputs, self._outputs))
        sources: Any = inputs if all(self._inputs) else list(compress(inputs, self._inputs))
        if not tensors:
            return output
        marked = self.dirty_tensors or self.non_differentiable
        if marked:
            _only_tensors("mark_dirty can only accept variables", self.dirty_tensors)
            _only_tensors(
                "mark_non_differentiable only accepts variable arguments", self.non_differentiable
            )
        if not recorded and not self.dirty_tensors and not _overlap(tensors, sources):
            return output
        saved: tuple[Any, ...] = ()
        if recorded:
            saved = self.to_save or ()
            for position, each in enumerate(saved):
                if each is not None and not isinstance(each, Tensor):
                    raise TypeError(
                        f"save_for_backward can only save variables, but argument {position} is of type "
                        f"{type(each).__name__}"
                    )
        self.to_save = ()
        self._n_saved = len(saved)
        kinds = None
        if marked:
            self._check_dirty(tensors, sources)
            kinds = [self._kind(each) for each in tensors]
        results = record_call(
            self._native,
            sources,
            tensors,
            self._gradients,
            kinds=kinds,
            saved=saved,
            zeros=bool(self.materialize_grads),
        )
        if recorded:
            self._remember_node(results)
        self.dirty_tensors = self.non_differentiable = ()
        if not isinstance(output, tuple):
            return results[0]
        made = iter(results)
        return tuple(
            next(made) if is_tensor else each for each, is_tensor in zip(outputs, self._outputs)
        )

    def _remember_node(self, results: list[Tensor]) -> None:
        for result in results:
            # The address is all that is kept: _forget takes it back when the node goes.
            node = lib.ag_tensor_node(result)
            # A view that was changed in place has been taken anew: its node is another one.
            if handle_exists(node) and (not self.dirty_tensors or self._is_call(node)):
                self._address = get_address(node)
                return

    def _is_call(self, node: Any) -> bool:
        ticket = lib.ag_node_context(node)
        return ticket is not None and lent(ticket).__self__ is self

    def _check_dirty(self, tensors: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
        if not all(_holds(tensors, each) for each in self.dirty_tensors):
            raise RuntimeError(
                "Some elements marked as dirty during the forward method were not returned as output. The inputs "
                "that are modified inplace must all be outputs of the Function."
            )
        if not all(_holds(sources, each) for each in self.dirty_tensors):
            warnings.warn(
                "ctx.mark_dirty() received a tensor that was not an input. Only input Tensors that have been "
                "mutated should be passed to ctx.mark_dirty().",
                stacklevel=5,
            )

    def _kind(self, tensor: Tensor) -> int:
        if _holds(self.dirty_tensors, tensor):
            return DIRTY
        return CONSTANT if _holds(self.non_differentiable, tensor) else VALUE


@lasting
@DELETER
def _forget(ticket: int, take_back: Any = take_back) -> None:
    """The node of a call is gone, and its ctx, if somebody holds it, must not ask it for anything."""
    rule = take_back(ticket, None)
    if rule is not None:
        rule.__self__._address = None


def _holds(tensors: Any, tensor: Tensor) -> bool:
    return any(each is tensor for each in tensors)


def _overlap(tensors: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return any(_holds(others, each) for each in tensors)


def _only_tensors(complaint: str, arguments: tuple[Any, ...]) -> None:
    for position, argument in enumerate(arguments):
        if not isinstance(argument, Tensor):
            raise RuntimeError(
                f"{complaint}, but argument {position} is of type {type(argument).__name__}"
            )


class _FunctionMeta(type):
    """Gives each Function the class of its calls."""

    def __init__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]) -> None:
        super().__init__(name, bases, attributes)
        cls._backward_cls = type(
            f"{name}Backward",
            (BackwardCFunction,),
            {
                "_forward_cls": cls,
                "_native": native_function(name, _forget),
                "__module__": cls.__module__,
            },
        )


class Function(metaclass=_FunctionMeta):
    """Base of functions with a gradient of their own: a subclass has a forward and a backward, both static.

    >>> class Cube(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return grad * 3 * x**2
    >>> y = Cube.apply(x)

    forward runs without recording. backward gets one gradient per output and returns one per argument of forward,
    None for those that are no tensors or need none; written with operations of the library it can be
    differentiated again.
    """

    _backward_cls: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you "
            "should invoke them on the class itself.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd "
            "function with static forward method: call <class>.apply(...)"
        )

    # For transforms over batches, as in PyTorch.
    generate_vmap_rule = False

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The values. ``forward(ctx, *args)``, or ``forward(*args)`` together with setup_context()."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Prepares ctx after a forward that has no ctx."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradients of the arguments of forward, from those of its outputs. vjp is another name for it."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it "
            "with backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """The derivatives of the outputs along those of the inputs."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        """The function over a batch: (output, out_dims)."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or set "
            "generate_vmap_rule=True."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Calls forward, and records the call if an argument requires grad.

        Raises TypeError if something else than a tensor was saved for backward, RuntimeError for wrong marks.
        """
        sets_up = cls.setup_context is not Function.setup_context
        if sets_up:
            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        level = level_of(args) if active_levels() else None
        if level is not None:
            return map_function(cls, level, args, kwargs)
        inputs = (*args, *kwargs.values()) if kwargs else args
        ctx = cls._backward_cls()
        ctx.needs_input_grad = tuple(
            [isinstance(each, Tensor) and each.requires_grad for each in inputs]
        )
        recording = lib.ag_set_grad_enabled(0)
        try:
            if sets_up:
                output = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, inputs, output)
            else:
                output = cls.forward(ctx, *args, **kwargs)
        finally:
            lib.ag_set_grad_enabled(recording)
        recorded = recording != 0 and True in ctx.needs_input_grad and not lib.ag_inference_mode()
        return ctx._finish(inputs, output, recorded)


def once_differentiable(fn: Wrapped) -> Wrapped:
    """Decorates a backward whose result can't be differentiated again: doing so is an error, not a wrong gradient."""

    @functools.wraps(fn)
    def wrapper(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        with no_grad():
            outputs = fn(ctx, *args, **kwargs)
        if not is_grad_enabled():
            return outputs
        found = outputs if isinstance(outputs, tuple) else (outputs,)
        values = [*args]
        with contextlib.suppress(RuntimeError):  # freed: then fn has not used them
            values += ctx.saved_tensors
        sources = [each for each in values if isinstance(each, Tensor) and each.requires_grad]
        tensors = [each for each in found if isinstance(each, Tensor)]
        if not sources or not tensors:
            return outputs
        made = iter(record_function(sources, tensors, _refuse, "OnceDifferentiable"))
        guarded = tuple([next(made) if isinstance(each, Tensor) else each for each in found])
        return guarded if isinstance(outputs, tuple) else guarded[0]

    return wrapper  # type: ignore[return-value]


def _refuse(grads: Any, node: int) -> Any:
    raise RuntimeError(
        "trying to differentiate twice a function that was marked with @once_differentiable"
    )
