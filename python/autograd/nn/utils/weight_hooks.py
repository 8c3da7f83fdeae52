"""The older weight_norm and spectral_norm: the weight is computed by a hook before each forward."""

from __future__ import annotations

from typing import Any

from ...grad_mode import no_grad
from ...tensor import Tensor
from ..module import Module, must_be_module
from ..parameter import Parameter
from .parametrizations import PowerIteration, checked_dim, norm_except, rows_of, scaled

__all__ = ["remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]


class _Hook:
    """Computes a weight from tensors of the module and sets it, before each forward."""

    def __init__(self, name: str) -> None:
        self.name = name

    def compute(self, module: Module) -> Tensor:
        raise NotImplementedError

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute(module))


class WeightNorm(_Hook):
    """weight = weight_g * weight_v / |weight_v|"""

    def __init__(self, name: str, dim: int | None) -> None:
        super().__init__(name)
        self.dim = dim

    def compute(self, module: Module) -> Tensor:
        magnitude, direction = (getattr(module, f"{self.name}_{part}") for part in ("g", "v"))
        return scaled(magnitude, direction, self.dim)


class SpectralNorm(_Hook):
    """weight = weight_orig / u^T weight_orig v"""

    def __init__(self, name: str, power: PowerIteration) -> None:
        super().__init__(name)
        self.power = power

    def compute(self, module: Module) -> Tensor:
        weight, u, v = (getattr(module, f"{self.name}_{part}") for part in ("orig", "u", "v"))
        matrix = self.power.matrix(weight)
        if module.training:
            # In the order of this older form: the right vector moves first.
            self.power.improve(matrix.t(), v, u, self.power.steps)
        return weight / u.clone().dot(matrix.mv(v.clone()))


def _hook_of(module: Module, kind: type, name: str) -> int | None:
    """The place of a module's hook of that kind for the weight of that name; TypeError for what is no module."""
    must_be_module("weight_norm" if kind is WeightNorm else "spectral_norm", module)
    for place, hook in module._forward_pre_hooks.items():
        if isinstance(hook, kind) and hook.name == name:  # type: ignore[attr-defined]
            return place
    return None


def _attach(module: Module, hook: _Hook, value: Tensor) -> Module:
    """Takes the parameter away, whose place a value takes until the hook computes one, and returns the module."""
    delattr(module, hook.name)
    setattr(module, hook.name, value)
    module.register_forward_pre_hook(hook)
    return module


def _weight_of(module: Module, kind: type, name: str, what: str) -> Tensor:
    """The tensor to be computed from now on; RuntimeError if it is already, ValueError if it is no parameter."""
    if _hook_of(module, kind, name) is not None:
        raise RuntimeError(f"Cannot register two {what} hooks on the same parameter {name}")
    weight = module._parameters.get(name)
    if weight is None:
        raise ValueError(f"Module '{module}' has no parameter with name '{name}'")
    return weight


def _detach_hook(
    module: Module, kind: type, name: str, what: str, parts: tuple[str, ...]
) -> Module:
    """Makes the weight a parameter again, with its present value, and returns the module."""
    place = _hook_of(module, kind, name)
    if place is None:
        raise ValueError(f"{what} of '{name}' not found in {module}")
    hook: Any = module._forward_pre_hooks[place]
    with no_grad():
        weight = hook.compute(module)
    for part in parts:
        delattr(module, f"{name}_{part}")
    delattr(module, name)
    module.register_parameter(name, Parameter(weight.detach()))
    del module._forward_pre_hooks[place]
    return module


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Computes a weight as g v / |v| before each forward, from parameters weight_g and weight_v; returns the module.

    The norm is taken for each position along dim, over all elements if dim is None.
    :func:`nn.utils.parametrizations.weight_norm` is its successor.
    Raises RuntimeError if the weight is computed so already, ValueError if there is no such parameter.
    """
    weight = _weight_of(module, WeightNorm, name, "weight_norm")
    hook = WeightNorm(name, checked_dim(weight, dim))
    module.register_parameter(f"{name}_g", Parameter(norm_except(weight.detach(), dim)))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    return _attach(module, hook, hook.compute(module))


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Makes the weight a parameter again, with its present value. Raises ValueError where weight_norm() was not."""
    return _detach_hook(module, WeightNorm, name, "weight_norm", ("g", "v"))


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Computes a weight as weight_orig divided by its largest singular value, before each forward; returns the module.

    :func:`nn.utils.parametrizations.spectral_norm` is its successor, with the same arguments.
    Raises RuntimeError if the weight is computed so already, ValueError if there is no such parameter.
    """
    weight = _weight_of(module, SpectralNorm, name, "spectral_norm")
    hook = SpectralNorm(name, PowerIteration(rows_of(module, dim), n_power_iterations, eps))
    with no_grad():
        u, v = hook.power.start(hook.power.matrix(weight))
    module.register_parameter(f"{name}_orig", weight)
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)
    return _attach(module, hook, weight.detach())


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Makes the weight a parameter again, with its present value. Raises ValueError where spectral_norm() was not."""
    return _detach_hook(module, SpectralNorm, name, "spectral_norm", ("orig", "u", "v"))
