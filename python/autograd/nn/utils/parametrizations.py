"""Weights with a norm of their own, or with a largest singular value of 1, as parametrizations."""

from __future__ import annotations

from typing import Any

from ..._arguments import int_argument
from ...grad_mode import no_grad
from ...linalg import vector_norm
from ...tensor import Tensor
from .. import functional
from ..conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..module import Module, must_be_module
from .parametrize import register_parametrization

__all__ = ["spectral_norm", "weight_norm"]


def norm_except(weight: Tensor, dim: int | None) -> Tensor:
    """The norms of the slices of weight along dim, which stays; of all elements if dim is None."""
    if dim is None:
        return vector_norm(weight)
    return vector_norm(weight, dim=[d for d in range(weight.ndim) if d != dim], keepdim=True)


def checked_dim(weight: Tensor, dim: int | None) -> int | None:
    """dim, counted from the front; None and -1 stand for all elements. IndexError for a dim that is not there."""
    if dim is None:
        return None
    dim, ndim = int_argument("weight_norm", "dim", dim), weight.ndim
    if dim == -1:
        return None
    if not -ndim <= dim < ndim:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but got {dim})"
        )
    return dim % ndim


def scaled(magnitude: Tensor, direction: Tensor, dim: int | None) -> Tensor:
    """direction, with slices along dim of the norms in magnitude."""
    return direction * (magnitude / norm_except(direction, dim))


class _WeightNorm(Module):
    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return scaled(weight_g, weight_v, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Makes a weight g v / |v|, whose magnitude g and direction v are trained instead, and returns the module.

    g, ``parametrizations.weight.original0``, has one number for each position along dim, or one in all if dim is None;
    v, ``original1``, has the weight's shape. States saved with the older :func:`nn.utils.weight_norm` can be loaded.
    T. Salimans, D. P. Kingma, "Weight Normalization", 2016.
    """
    must_be_module("weight_norm", module)
    weight = getattr(module, name, None)
    if isinstance(weight, Tensor):
        dim = checked_dim(weight, dim)
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename(module: Any, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        for place, suffix in enumerate(("g", "v")):
            old = f"{prefix}{name}_{suffix}"
            if old in state:
                state[f"{prefix}parametrizations.{name}.original{place}"] = state.pop(old)

    module.register_load_state_dict_pre_hook(rename)
    return module


class PowerIteration:
    """Estimates the largest singular value of a weight by power iteration, with vectors that it keeps.

    T. Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018.
    """

    def __init__(self, dim: int, steps: int, eps: float) -> None:
        if steps <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={steps}"
            )
        self.dim, self.steps, self.eps = dim, steps, eps

    def matrix(self, weight: Tensor) -> Tensor:
        """The weight with dim as rows and all others as columns."""
        order = [self.dim, *(d for d in range(weight.ndim) if d != self.dim)]
        return weight.permute(*order).flatten(1)

    def start(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Random left and right vectors of length 1."""
        rows, columns = matrix.shape
        u, v = (matrix.new_empty(size).normal_(0, 1) for size in (rows, columns))
        return self.unit(u), self.unit(v)

    def unit(self, vector: Tensor) -> Tensor:
        """The vector with length 1."""
        return functional.normalize(vector, dim=0, eps=self.eps)

    def improve(self, matrix: Tensor, u: Tensor, v: Tensor, steps: int) -> None:
        """Moves u and v, in place, towards the singular vectors of the largest value."""
        with no_grad():
            for _ in range(steps):
                u.copy_(self.unit(matrix.mv(v)))
                v.copy_(self.unit(matrix.t().mv(u)))


class _SpectralNorm(Module):
    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{weight.ndim}, {weight.ndim - 1}] but got {dim})"
            )
        self.power = PowerIteration(dim % weight.ndim, n_power_iterations, eps)
        if weight.ndim > 1:
            with no_grad():
                matrix = self.power.matrix(weight)
                u, v = self.power.start(matrix)
                self.register_buffer("_u", u)
                self.register_buffer("_v", v)
                self.power.improve(matrix, u, v, 15)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return self.power.unit(weight)
        matrix = self.power.matrix(weight)
        if self.training:
            self.power.improve(matrix, self._u, self._v, self.power.steps)
        # Copies: the vectors may move again before backward() needs them.
        return weight / self._u.clone().dot(matrix.mv(self._v.clone()))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def rows_of(module: Module, dim: int | None) -> int:
    """The dim of a weight that counts outputs, unless another is given."""
    transposed = isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d))
    return (1 if transposed else 0) if dim is None else dim


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divides a weight by its largest singular value, estimated by power iteration, and returns the module.

    The weight is seen as a matrix whose rows are its positions along dim: by default 0, and 1 for transposed
    convolutions. Each use in training makes n_power_iterations steps; eps keeps lengths from 0.
    T. Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018.
    Raises ValueError if there is no tensor of that name, and unless n_power_iterations is positive.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    parametrization = _SpectralNorm(weight, n_power_iterations, rows_of(module, dim), eps)
    return register_parametrization(module, name, parametrization)
