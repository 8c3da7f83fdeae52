"""The normal distribution of vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..creation import randn
from ..linalg import cholesky, inv, solve_triangular
from ..ops import broadcast_tensors
from ..tensor import Tensor
from .distribution import REAL, Distribution

__all__ = ["MultivariateNormal", "half_log_det", "squared_distance"]


def squared_distance(scale_tril: Tensor, x: Tensor) -> Tensor:
    """|L^-1 x|^2 for L [..., n, n] and x [..., n]."""
    n = x.shape[-1]
    batch = broadcast_tensors(scale_tril[..., 0], x)[0].shape[:-1]
    solved = solve_triangular(
        scale_tril.expand(*batch, n, n), x.expand(*batch, n).unsqueeze(-1), upper=False
    )
    return solved.squeeze(-1).square().sum(-1)


def half_log_det(scale_tril: Tensor) -> Tensor:
    """log det L, half the logarithm of the determinant of L L^T."""
    return scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)


class MultivariateNormal(Distribution):
    """The normal distribution of vectors of n numbers with mean loc, [..., n].

    One of covariance_matrix, precision_matrix (its inverse) and scale_tril (lower triangular L with L L^T the
    covariance), each [..., n, n], says how they scatter. ValueError for none or several, or no matrix.
    """

    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        named = [(name, matrix) for name, matrix in given.items() if matrix is not None]
        if len(named) != 1:
            raise ValueError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified."
            )
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        name, matrix = named[0]
        n = loc.shape[-1]
        if matrix.dim() < 2 or tuple(matrix.shape[-2:]) != (n, n):
            raise ValueError(
                f"{name} must end in the sizes [{n}, {n}] for loc of sizes {list(loc.shape)}, "
                f"got {list(matrix.shape)}"
            )
        batch = broadcast_tensors(matrix[..., 0], loc)[0].shape[:-1]
        self.loc = loc.expand(*batch, n)
        matrix = matrix.expand(*batch, n, n)
        if name == "scale_tril":
            self.scale_tril = matrix
        else:
            self.scale_tril = cholesky(matrix if name == "covariance_matrix" else inv(matrix))
        super().__init__(batch, (n,), validate_args)

    def _conditions(self) -> dict[str, tuple[str, Any]]:
        return {
            "loc": REAL,
            "scale_tril": (
                "lower triangular with a positive diagonal",
                lambda x: (x.tril() == x).all(-1).logical_and(x.diagonal(dim1=-2, dim2=-1) > 0),
            ),
        }

    def _support(self) -> tuple[str, Any]:
        return REAL

    @property
    def covariance_matrix(self) -> Tensor:
        """L L^T."""
        return self.scale_tril @ self.scale_tril.mT

    @property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        return inv(self.covariance_matrix)

    @property
    def mean(self) -> Tensor:
        """loc."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """loc."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The diagonal of the covariance."""
        return self.scale_tril.square().sum(-1)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """loc + L e, where e is drawn from the standard normal distribution."""
        noise = randn(self._extended_shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + (self.scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """-|L^-1 (value - loc)|^2 / 2 - log det L - n log(sqrt(2 pi))."""
        self._validate_sample(value)
        distance = squared_distance(self.scale_tril, value - self.loc)
        constant = self.event_shape[0] * math.log(2 * math.pi)
        return -0.5 * (constant + distance) - half_log_det(self.scale_tril)

    def entropy(self) -> Tensor:
        """n (1 + log(2 pi)) / 2 + log det L."""
        return 0.5 * self.event_shape[0] * (1 + math.log(2 * math.pi)) + half_log_det(
            self.scale_tril
        )
