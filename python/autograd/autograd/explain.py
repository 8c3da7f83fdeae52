"""Why a gradient is missing or zero: ``explain_grad``."""

from __future__ import annotations

from typing import NamedTuple

from .._capi import lib, text_once
from ..location import SourceLocation, location
from ..tensor import Tensor

__all__ = ["GradExplanation", "explain_grad"]


class PathStep(NamedTuple):
    """An operation on the way from the loss: its name and its line, None where it is unknown."""

    op: str
    location: SourceLocation | None


class GradExplanation:
    """What became of a gradient. Its text is a sentence with lines and what to do.

    reason: ``"healthy"`` if the gradient arrives and is not zero, or one of ``"not_reached"``, ``"detached"``,
    ``"no_grad"``, ``"integer"``, ``"no_rule"``, ``"non_leaf"``, ``"requires_grad_off"``, ``"zero_factor"``,
    ``"dead"``, ``"flat"``, ``"overwritten"``, ``"custom_function"``, ``"not_used"``, ``"cancelled"``, ``"freed"``.
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
                f"explain_grad(): argument '{name}' must be Tensor, not {type(value).__name__}"
            )
    reason, where, sentence, *steps = text_once(lib.ag_explain_grad, p, loss).split("\n")
    path = []
    for step in steps:
        number, op = step.split(" ", 1)
        path.append(PathStep(op, location(int(number))))
    return GradExplanation(reason, sentence, location(int(where)), tuple(path))
