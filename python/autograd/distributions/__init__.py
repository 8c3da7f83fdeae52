"""Probability distributions over tensors, with PyTorch's interface: ``sample``, ``rsample``, ``log_prob``, ``entropy``.

Parameters are tensors or numbers that broadcast together to ``batch_shape``; one draw has ``event_shape``. A result of
``log_prob`` has a number for each draw. Gradients flow to the parameters, by ``rsample`` through the draws as well.
"""

from .bernoulli import Bernoulli
from .categorical import Categorical
from .continuous import Exponential, Laplace, Uniform
from .distribution import Distribution
from .divergence import kl_divergence, register_kl
from .independent import Independent
from .multivariate_normal import MultivariateNormal
from .normal import LogNormal, Normal

__all__ = [
    "Bernoulli",
    "Categorical",
    "Distribution",
    "Exponential",
    "Independent",
    "Laplace",
    "LogNormal",
    "MultivariateNormal",
    "Normal",
    "Uniform",
    "kl_divergence",
    "register_kl",
]
