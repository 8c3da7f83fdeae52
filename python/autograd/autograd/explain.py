"""Why a gradient is missing or zero, and where numbers turn non-finite."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from .._arguments import kind_of
from .._capi import lib, text_once
from ..location import SourceLocation, location
from ..tensor import Tensor

__all__ = ["GradExplanation", "NonfiniteExplanation", "explain_grad", "explain_nonfinite"]


class PathStep(NamedTuple):
    """An operation on the way from the loss: its name and its line, None where it is unknown."""

    op: str
    location: SourceLocation | None


class GradExplanation:
    """What became of a gradient. Its text is a sentence with lines and what to do.

    reason: ``"healthy"`` if the gradient arrives and is not zero, or one of ``"not_reached"``, ``"detached"``,
    ``"no_grad"``, ``"integer"``, ``"no_rule"``, ``"non_leaf"``, ``"requires_grad_off"``, ``"zero_factor"``,
    ``"dead"``, ``"flat"``, ``"overwritten"``, ``"custom_function"``, ``"not_used"``, ``"cancelled"``, ``"freed"``,
    ``"hook"``.
    """

    def __init__(
        self,
        reason: str,
        sentence: str,
        location: SourceLocation | None,
        path: tuple[PathStep, ...],
    ) -> None:
        self.reason = reason
        self.sentence = sentence
        #: The line to look at.
        self.location = location
        #: The operations from the loss to where the gradient ends, or to the tensor.
        self.path = path

    def __bool__(self) -> bool:
        """True if the gradient is healthy."""
        return self.reason == "healthy"

    def __str__(self) -> str:
        return self.sentence

    def __repr__(self) -> str:
        return f"<GradExplanation {self.reason}: {self.sentence}>"


def explain_grad(p: Tensor, loss: Tensor) -> GradExplanation:
    """Says why p has no gradient of loss, or one of zeros; or that all is well.

    Ask before ``loss.backward()``, which frees the graph. A backward runs that accumulates and frees nothing; hooks are
    called. Raises TypeError if an argument is not a Tensor, RuntimeError if loss has more than one element.
    """
    for name, value in (("p", p), ("loss", loss)):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"explain_grad(): argument '{name}' must be Tensor, not {kind_of(value)}"
            )
    reason, where, sentence, *steps = text_once(lib.ag_explain_grad, p, loss).split("\n")
    return GradExplanation(reason, sentence, location(int(where)), _path(steps))


def _path(lines: list[str]) -> tuple[PathStep, ...]:
    steps = [line.split(" ", 1) for line in lines]
    return tuple(PathStep(op, location(int(number))) for number, op in steps)


class NonfiniteInput(NamedTuple):
    """An input of the operation that made the first bad value.

    op made it: a name, ``"leaf"`` or ``"constant"``. low and high are its least and greatest element, None if its
    values were not kept; value is the element that was used, None if there were several.
    """

    op: str
    location: SourceLocation | None
    shape: tuple[int, ...]
    low: float | None
    high: float | None
    value: float | None


class NonfiniteExplanation:
    """Where a loss, or a gradient, turned infinite or into no number. Its text is a sentence with lines and what to do.

    reason: ``"healthy"``, or one of ``"leaf"``, ``"constant"``, ``"overflow"``, ``"singular"``, ``"undefined"``,
    ``"infinities"``, ``"custom_function"``, ``"unknown_input"``, ``"derivative"``, ``"gradient_overflow"``,
    ``"hook"``, ``"freed"``, ``"not_recorded"``.
    """

    def __init__(self, lines: list[str]) -> None:
        self.reason = lines[0]
        #: ``"forward"``: the value is in the loss's history; ``"backward"``: it is that of a gradient.
        self.phase = lines[1]
        #: The line to look at.
        self.location = location(int(lines[2]))
        self.sentence = lines[3]
        #: The operation that made the first bad value or, if it was there from the start, changed its tensor last,
        #: such as an optimizer's step; "" if none did.
        self.op = lines[4]
        #: The first bad value.
        self.value = float(lines[5])
        #: Its place in the operation's result or, in backward, in the operation's input; None if unknown.
        self.element = None if lines[6] == "-" else _numbers(lines[6])
        #: The name of the parameter that it comes from or, in backward, flows to; "" if it has none.
        self.parameter = lines[7]
        #: Where that parameter was made.
        self.parameter_made_at = location(int(lines[8]))
        n = int(lines[9])
        self.inputs = tuple(_input(line.split("\t")) for line in lines[10 : 10 + n])
        #: The operations from the loss to this one.
        self.path = _path(lines[10 + n :])

    def __bool__(self) -> bool:
        """True if the loss and all gradients are finite."""
        return self.reason == "healthy"

    def __str__(self) -> str:
        return self.sentence

    def __repr__(self) -> str:
        return f"<NonfiniteExplanation {self.reason}: {self.sentence}>"


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)


def _input(fields: list[str]) -> NonfiniteInput:
    where, op, shape, *values = fields
    low, high, value = [*map(float, values), None, None, None][:3]
    return NonfiniteInput(op, location(int(where)), _numbers(shape), low, high, value)


def explain_nonfinite(loss: Tensor, params: Any | None = None) -> NonfiniteExplanation:
    """Says where loss, or a gradient of it, turned infinite or into no number: the first bad value.

    params names the leaves, as for graph.from_tensor: a Module, a dict, or pairs. Other leaves get the names of the
    caller's variables. Ask before ``loss.backward()``, which frees the graph, and before the optimizer's step, which
    changes the leaves. What the graph has not kept is computed again from what it has, and from data that are still
    there, unchanged; a backward runs that
    accumulates and frees nothing; hooks are called. Raises TypeError if loss is not a Tensor.
    """
    from ..graph.names import Names

    if not isinstance(loss, Tensor):
        raise TypeError(f"explain_nonfinite(): argument 'loss' must be Tensor, not {kind_of(loss)}")
    names = Names("explain_nonfinite", params)
    names.look_at_frame(sys._getframe(1))
    text = text_once(lib.ag_explain_nonfinite, loss, *names.native())
    if text.startswith("unknown_input"):
        names.look_at_living()
        text = text_once(lib.ag_explain_nonfinite, loss, *names.native())
    return NonfiniteExplanation(text.split("\n"))
