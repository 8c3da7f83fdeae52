"""Probability distributions over tensors, with PyTorch's interface: ``sample``, ``rsample``, ``log_prob``, ``entropy``.

Parameters are tensors or numbers that broadcast together to ``batch_shape``; one draw has ``event_shape``. A result of
``log_prob`` has a number for each draw. Gradients flow to the parameters, by ``rsample`` through the draws as well.
"""

from .bernoulli import (
    Bernoulli,
)
from .categorical import (
    Categorical,
)
from .continuous import (
    Exponential,
    Laplace,
    Uniform,
)
from .counts import (
    Binomial,
    Geometric,
    Multinomial,
    NegativeBinomial,
    Poisson,
)
from .distribution import (
    Distribution,
)
from .divergence import (
    kl_divergence,
    register_kl,
)
from .gamma import (
    Beta,
    Chi2,
    Dirichlet,
    Gamma,
    InverseGamma,
    StudentT,
)
from .independent import (
    Independent,
)
from .mixture import (
    MixtureSameFamily,
)
from .multivariate_normal import (
    MultivariateNormal,
)
from .normal import (
    LogNormal,
    Normal,
)
from .one_hot import (
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
)
from .tails import (
    Cauchy,
    Gumbel,
    HalfCauchy,
    HalfNormal,
    Pareto,
    Weibull,
)
from .transformed import (
    TransformedDistribution,
)
from .transforms import (
    AbsTransform,
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    IndependentTransform,
    PowerTransform,
    SigmoidTransform,
    SoftmaxTransform,
    SoftplusTransform,
    TanhTransform,
    Transform,
    identity_transform,
)

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Chi2",
    "ComposeTransform",
    "Dirichlet",
    "Distribution",
    "ExpTransform",
    "Exponential",
    "Gamma",
    "Geometric",
    "Gumbel",
    "HalfCauchy",
    "HalfNormal",
    "Independent",
    "IndependentTransform",
    "InverseGamma",
    "Laplace",
    "LogNormal",
    "MixtureSameFamily",
    "Multinomial",
    "MultivariateNormal",
    "NegativeBinomial",
    "Normal",
    "OneHotCategorical",
    "OneHotCategoricalStraightThrough",
    "Pareto",
    "Poisson",
    "PowerTransform",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
    "SigmoidTransform",
    "SoftmaxTransform",
    "SoftplusTransform",
    "StudentT",
    "TanhTransform",
    "Transform",
    "TransformedDistribution",
    "Uniform",
    "Weibull",
    "identity_transform",
    "kl_divergence",
    "register_kl",
]
