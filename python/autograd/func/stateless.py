"""Modules as functions of their parameters: functional_call, and the parameters of several models as one batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..ops import stack
from ..tensor import Tensor

if TYPE_CHECKING:
    from ..nn import Module

__all__ = ["functional_call", "stack_module_state"]

Tensors = dict[str, Tensor]


def _owners(module: Module) -> dict[str, tuple[Module, str]]:
    """The module and attribute behind each full name of a parameter or buffer."""
    found: dict[str, tuple[Module, str]] = {}
    for prefix, owner in module.named_modules(remove_duplicate=False):
        dotted = f"{prefix}." if prefix else ""
        for members in (owner._parameters, owner._buffers):
            found.update({dotted + name: (owner, name) for name in members})
    return found


def _with_tied(values: Tensors, owners: dict[str, tuple[Module, str]]) -> Tensors:
    """The values under all names of the tensors they replace."""
    names: dict[int, list[str]] = {}
    for full, (owner, name) in owners.items():
        names.setdefault(id(owner.__dict__[name]), []).append(full)
    spread = dict(values)
    for full, value in values.items():
        if full not in owners:
            continue
        owner, name = owners[full]
        if owner.__dict__[name] is None:
            continue
        tied = names[id(owner.__dict__[name])]
        given = {id(values[other]) for other in tied if other in values}
        if len(given) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(set(tied) & set(values))}, which are tied. "
                "Consider using tie_weights=False"
            )
        spread.update(dict.fromkeys(tied, value))
    return spread


def _check_names(values: Tensors, owners: dict[str, Any], strict: bool) -> None:
    unexpected = [name for name in values if name not in owners]
    missing = [name for name in owners if name not in values]
    if strict and (unexpected or missing):
        texts = []
        if unexpected:
            texts.append("Unexpected key(s): " + ", ".join(map(repr, unexpected)) + ".")
        if missing:
            texts.append("Missing key(s): " + ", ".join(map(repr, missing)) + ".")
        raise RuntimeError("Error(s) in reparametrizing:\n\t" + "\n\t".join(texts))


@contextmanager
def _replaced(module: Module, values: Tensors, tie_weights: bool, strict: bool) -> Iterator[None]:
    owners = _owners(module)
    if tie_weights:
        values = _with_tied(values, owners)
    _check_names(values, owners, strict)
    before = []
    try:
        for full, value in values.items():
            if full not in owners:
                raise AttributeError(
                    f"functional_call: {type(module).__name__} has no parameter or buffer {full!r}"
                )
            if not isinstance(value, Tensor):
                raise TypeError(f"{value!r} is not an instance of Tensor (for {full!r})")
            owner, name = owners[full]
            before.append((owner.__dict__, name, owner.__dict__[name]))
            owner.__dict__[name] = value
        yield
    finally:
        for attributes, name, value in reversed(before):
            attributes[name] = value


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Tensors | Sequence[Tensors],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Returns module(*args, **kwargs), computed with these tensors in the place of its parameters and buffers.

    The dicts go from full names, as in named_parameters(), to tensors; what they don't name stays. An args that is no
    tuple is the only argument. tie_weights: what several names share is replaced under all of them. strict: exactly
    the module's names have to be given.

    Raises RuntimeError for missing or unexpected names if strict, AttributeError for unknown ones, ValueError for
    names given twice.
    """
    if isinstance(parameter_and_buffer_dicts, dict):
        values = parameter_and_buffer_dicts
    elif isinstance(parameter_and_buffer_dicts, (list, tuple)):
        if not all(isinstance(each, dict) for each in parameter_and_buffer_dicts):
            raise ValueError(
                "Expected all elements of parameter_and_buffer_dicts to be dictionaries"
            )
        values = {}
        for each in parameter_and_buffer_dicts:
            repeated = sorted(set(each) & set(values))
            if repeated:
                raise ValueError(
                    f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous"
                )
            values.update(each)
    else:
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, "
            f"but got {type(parameter_and_buffer_dicts)}"
        )
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    with _replaced(module, values, tie_weights, strict):
        return module(*arguments, **(kwargs or {}))


def _stacked(dicts: Sequence[Tensors]) -> Tensors:
    result = {}
    for name, first in dicts[0].items():
        stacked = stack([each[name].detach() for each in dicts], 0)
        result[name] = stacked.requires_grad_() if first.requires_grad else stacked
    return result


def stack_module_state(models: Sequence[Module]) -> tuple[Tensors, Tensors]:
    """Returns (parameters, buffers) of models of the same kind: dicts of their tensors, stacked along a dim in front.

    With :func:`functional_call` and vmap the models run as one. The stacked parameters are leaves of their own.

    Raises RuntimeError for no models, or models of different classes or modes.
    """
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if any(model.training != models[0].training for model in models):
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    if any(type(model) is not type(models[0]) for model in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = _stacked([dict(model.named_parameters()) for model in models])
    return parameters, _stacked([dict(model.named_buffers()) for model in models])
