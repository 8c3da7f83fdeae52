"""Jacobians, Hessians and their products with vectors, computed at once: ``torch.autograd.functional``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from .._capi import call, lib
from ..creation import zeros_like
from ..func.differentials import gradients
from ..func.jacobians import cut, mapped, unit_vectors
from ..grad_mode import enable_grad, is_grad_enabled, set_grad_enabled
from ..ops import movedim, reshape, stack
from ..tensor import Tensor

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = tuple[Tensor, ...]
STRICT = "This is not allowed in strict mode"


def _tuple(value: Any, what: str, function: str) -> Tensors:
    entries = value if isinstance(value, tuple) else (value,)
    for i, entry in enumerate(entries):
        if not isinstance(entry, Tensor):
            which = f"value at index {i}" if isinstance(value, tuple) else f"given {what}"
            raise TypeError(
                f"The {what} given to {function} must be either a Tensor or a tuple of Tensors but the "
                f"{which} has type {type(entry)}."
            )
    return entries


def _like(value: Any, results: Sequence[Any]) -> Any:
    """The results as a tuple if value is one, else the only one."""
    return tuple(results) if isinstance(value, tuple) else results[0]


class _Call:
    """A function of tensors, called with inputs of its own, and what is asked of its derivatives."""

    def __init__(self, name: str, func: Any, inputs: Any, create_graph: bool, strict: bool) -> None:
        self.name, self.func, self.create, self.strict = name, func, create_graph, strict
        self.inputs = [self._fresh(x) for x in _tuple(inputs, "inputs", name)]

    def run(self) -> _Call:
        """Calls the function."""
        with enable_grad():
            self.result = self.func(*self.inputs)
        self.outputs = _tuple(self.result, "outputs of the user-provided function", self.name)
        if self.strict:
            for i, y in enumerate(self.outputs):
                if not y.requires_grad:
                    raise RuntimeError(
                        f"Output {i} of the user-provided function does not require gradients. The outputs must be "
                        "computed in a differentiable manner from the input when running in strict mode."
                    )
        return self

    def _fresh(self, x: Tensor) -> Tensor:
        # With create_graph gradients go on to what the caller gave.
        with set_grad_enabled(self.create):
            return call(lib.ag_transform_input, x)

    def vector(self, v: Any, like: Sequence[Tensor], of: Any, none_is: str) -> list[Tensor] | None:
        """v as a list that fits the tensors of `like`, None for 1 where there is only one number."""
        if v is None:
            if len(like) != 1 or like[0].numel() != 1:
                raise RuntimeError(f"The vector v can only be None if {none_is}.")
            return None
        vectors = _tuple(v, "v", self.name)
        if len(vectors) != len(like):
            if isinstance(of, tuple):
                raise RuntimeError(
                    f"v is a tuple of invalid length: should be {len(like)} but got {len(vectors)}."
                )
            raise RuntimeError("The given v should contain a single Tensor.")
        for i, (one, other) in enumerate(zip(vectors, like)):
            if one.shape != other.shape:
                entry = f"Entry {i} in " if isinstance(of, tuple) else ""
                raise RuntimeError(
                    f"{entry}v has invalid size: should be {other.shape} but got {one.shape}."
                )
        return [one if self.create else one.detach() for one in vectors]

    def only_number(self) -> None:
        """Raises RuntimeError unless the result is one tensor of one element."""
        if isinstance(self.result, tuple):
            raise RuntimeError(f"The function given to {self.name} should return a single Tensor")
        if self.result.numel() != 1:
            raise RuntimeError(
                f"The Tensor returned by the function given to {self.name} should contain a single element"
            )

    def pulled(
        self, outputs: Sequence[Tensor], vectors: Sequence[Tensor], create: bool, what: str
    ) -> list[Tensor]:
        """The gradients of <vectors, outputs> with zeros for None; what: what strict mode complains of."""
        with set_grad_enabled(create or is_grad_enabled()):
            found = gradients(outputs, self.inputs, vectors, True, create)
        for i, gradient in enumerate(found):
            self.check_dependence(
                gradient, f"The {what} of the user-provided function is independent of input {i}."
            )
        self.check_second_order(found, "jacobian" if what == "output" else "hessian")
        return self.filled(found, self.inputs)

    def check_second_order(self, found: Sequence[Tensor | None], what: str, first: int = 0) -> None:
        """Raises RuntimeError in strict mode if derivatives can't be differentiated again as create_graph asks."""
        for i, one in enumerate(found if self.strict and self.create else (), first):
            if one is not None and not one.requires_grad:
                raise RuntimeError(
                    f"The {what} of the user-provided function is independent of input {i}. {STRICT} when "
                    "create_graph=True."
                )

    def check_dependence(self, found: Tensor | None, text: str) -> None:
        """Raises RuntimeError in strict mode if nothing was found."""
        if found is None and self.strict:
            raise RuntimeError(f"{text} {STRICT}.")

    def check_first_order(self, found: Sequence[Tensor | None]) -> None:
        """The same for the gradients that a second order is computed from."""
        for i, gradient in enumerate(found):
            self.check_dependence(
                gradient, f"The output of the user-provided function is independent of input {i}."
            )
            if self.strict and gradient is not None and not gradient.requires_grad:
                raise RuntimeError(
                    "While computing the hessian, found that the jacobian of the user-provided function with respect "
                    f"to input {i} is independent of the input. {STRICT}. You should ensure that your function is "
                    "twice differentiable and that the jacobian depends on the inputs (this would be violated by a "
                    "linear function for example)."
                )

    def filled(self, found: Sequence[Tensor | None], like: Sequence[Tensor]) -> list[Tensor]:
        """The tensors with zeros for None."""
        return [zeros_like(x) if t is None else t for t, x in zip(found, like)]

    def free(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The tensors without history unless create_graph was asked for."""
        return list(tensors) if self.create else [t.detach() for t in tensors]

    def answer(self, results: Sequence[Tensor], of: Any) -> tuple[Any, Any]:
        """What the products return: the function's result and the product."""
        return _like(self.result, self.free(self.outputs)), _like(of, self.free(results))


def _ones(outputs: Sequence[Tensor]) -> list[Tensor]:
    return [zeros_like(y) + 1 for y in outputs]


def vjp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Returns (func(*inputs), v J) for the Jacobian J of func at inputs, a tensor or a tuple of them.

    v has the sizes of the result and may be left out if that is one number. create_graph: the results are
    differentiable. strict: raise RuntimeError where a result does not depend on an input, instead of returning zeros.
    """
    made = _Call("vjp", func, inputs, create_graph, strict).run()
    vectors = made.vector(
        v,
        made.outputs,
        made.result,
        "the user-provided function returns a single Tensor with a single element",
    )
    found = made.pulled(made.outputs, vectors or _ones(made.outputs), create_graph, "output")
    return made.answer(found, inputs)


_ONE_INPUT = "the input to the user-provided function is a single Tensor with a single element"


def jvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Returns (func(*inputs), J v) for the Jacobian J of func at inputs; v has the sizes of inputs.

    The other arguments are those of :func:`vjp`.
    """
    made = _Call("jvp", func, inputs, create_graph, strict)
    vectors = made.vector(v, made.inputs, inputs, _ONE_INPUT) or _ones(made.inputs)
    made.run()
    with enable_grad():
        dummies = [zeros_like(y).requires_grad_() for y in made.outputs]
        moving = [(y, u) for y, u in zip(made.outputs, dummies) if y.requires_grad]
        pulled = gradients(made.outputs, made.inputs, dummies, True, True)
        for i, gradient in enumerate(pulled):
            made.check_dependence(
                gradient, f"The output of the user-provided function is independent of input {i}."
            )
        rows = [(g, t) for g, t in zip(pulled, vectors) if g is not None]
        moved = gradients(
            [g for g, _ in rows],
            [u for _, u in moving],
            [t for _, t in rows],
            True,
            create_graph,
        )
        made.check_second_order(moved, "jacobian")
        found = iter(moved)
    results = made.filled(
        [next(found) if y.requires_grad else None for y in made.outputs], made.outputs
    )
    return made.answer(results, made.result)


def _hessian_product(
    name: str, func: Any, inputs: Any, v: Any, create_graph: bool, strict: bool
) -> tuple[Any, Any]:
    made = _Call(name, func, inputs, create_graph, strict)
    vectors = made.vector(v, made.inputs, inputs, _ONE_INPUT) or _ones(made.inputs)
    made.run()
    made.only_number()
    with enable_grad():
        first = gradients(made.outputs, made.inputs, _ones(made.outputs), True, True)
    made.check_first_order(first)
    pairs = [(g, t) for g, t in zip(first, vectors) if g is not None]
    found = made.pulled([g for g, _ in pairs], [t for _, t in pairs], create_graph, "jacobian")
    return made.answer(found, inputs)


def vhp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Returns (func(*inputs), v H) for the Hessian H of func, whose result is one number; v has the sizes of inputs."""
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def hvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Returns (func(*inputs), H v); as the Hessian is symmetric, it is computed as :func:`vhp` is."""
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


# ---- whole Jacobians -------------------------------------------------------------------------------------


def _rows_one_by_one(made: _Call, output: Tensor, number: int) -> list[Tensor]:
    """The Jacobian of one output by each input, a row at a time."""
    with enable_grad():
        flat = reshape(output, (-1,))
    rows: list[list[Tensor]] = [[] for _ in made.inputs]
    for j in range(flat.numel()):
        with enable_grad():
            element = flat[j]
        one = [zeros_like(element) + 1]
        for k, g in enumerate(gradients([element], made.inputs, one, True, made.create)):
            made.check_dependence(
                g, f"Output {number} of the user-provided function is independent of input {k}."
            )
            made.check_second_order([g], "jacobian", k)
            rows[k].append(zeros_like(made.inputs[k]) if g is None else g)
    return [
        reshape(stack(each), (*output.shape, *x.shape))
        if each
        else zeros_like(x).expand(0, *x.shape).reshape((*output.shape, *x.shape))
        for each, x in zip(rows, made.inputs)
    ]


def _rows_at_once(made: _Call) -> list[list[Tensor]]:
    def pull(vectors: list[Tensor]) -> list[Tensor]:
        found = gradients(made.outputs, made.inputs, vectors, True, made.create)
        return made.filled(found, made.inputs)

    per_input = [cut(rows, made.outputs, 0) for rows in mapped(pull, unit_vectors(made.outputs))]
    return [[parts[i] for parts in per_input] for i in range(len(made.outputs))]


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Returns the Jacobian of func at inputs: of sizes [*output sizes, *input sizes].

    If inputs is a tuple, so is the Jacobian, an entry per input; if the result of func is one, a tuple per output
    around it. vectorize: all rows in one vmapped backward pass. strategy "forward-mode" (with vectorize) computes it
    by columns. create_graph, strict: as for :func:`vjp`.
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs '
            'than inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode":
        return _by_columns(func, inputs, create_graph, strict, vectorize)
    made = _Call("jacobian", func, inputs, create_graph, strict).run()
    if vectorize and strict:
        raise RuntimeError(
            "autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. "
            "Please either set `strict=False` or `vectorize=False`."
        )
    with set_grad_enabled(create_graph or is_grad_enabled()):
        rows = (
            _rows_at_once(made)
            if vectorize
            else [_rows_one_by_one(made, y, i) for i, y in enumerate(made.outputs)]
        )
    return _like(made.result, [_like(inputs, made.free(row)) for row in rows])


def _by_columns(func: Any, inputs: Any, create_graph: bool, strict: bool, vectorize: bool) -> Any:
    if create_graph:
        raise NotImplementedError(
            'autograd.functional.jacobian: `create_graph=True` and `strategy="forward-mode"` are not supported '
            'together (yet). Please either set `create_graph=False` or `strategy="reverse-mode"`.'
        )
    if strict:
        raise RuntimeError(
            'autograd.functional.jacobian: `strict=True` and `strategy="forward-mode"` are not supported together '
            '(yet). Please either set `strict=False` or `strategy="reverse-mode"`.'
        )
    if not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian is only implemented for "
            "`vectorize=True`."
        )
    from ..func.differentials import trace_all
    from ..func.transforms import Pushforward

    traced = trace_all(func, _tuple(inputs, "inputs", "jacobian"))
    outputs = _tuple(traced.result, "outputs of the user-provided function", "jacobian")
    columns = mapped(Pushforward(traced, outputs), unit_vectors(traced.inputs))
    blocks = [cut(movedim(column, 0, -1), traced.inputs, -1) for column in columns]
    return _like(traced.result, [_like(inputs, [b.detach() for b in row]) for row in blocks])


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Returns the Hessian of func, whose result is one number, at inputs; for a tuple a tuple of tuples of blocks.

    The other arguments are those of :func:`jacobian`, which computes it from the gradient.
    """
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')
    entries = _tuple(inputs, "inputs", "hessian")

    def gradient(*args: Tensor) -> tuple[Tensor, ...]:
        made = _Call("hessian", func, args, True, strict).run()
        made.only_number()
        found = gradients(made.outputs, made.inputs, _ones(made.outputs), True, True)
        first = made.filled(found, made.inputs)
        made.check_first_order(first)
        return tuple(first)

    blocks = jacobian(gradient, entries, create_graph, strict, vectorize, outer_jacobian_strategy)
    return _like(inputs, [_like(inputs, row) for row in blocks])
