"""autograd.distributions against torch.distributions: values, gradients, draws, divergences, errors."""

import itertools
from functools import partial

import numpy as np
import pytest
import torch
import torch.distributions as T

import autograd as ag
import autograd.distributions as D

RNG = np.random.default_rng(11)


def normals(*shape):
    return RNG.normal(size=shape)


def positive(*shape):
    return RNG.uniform(0.3, 2.5, size=shape)


def shares(*shape):
    return RNG.uniform(0.05, 0.95, size=shape)


TRIANGLE = np.tril(normals(2, 3, 3), -1) + np.eye(3) * positive(2, 1, 3)
COVARIANCE = TRIANGLE @ np.swapaxes(TRIANGLE, -1, -2)


def simplex(*shape):
    x = positive(*shape)
    return x / x.sum(-1, keepdims=True)


def counts(*shape):
    return RNG.integers(0, 5, size=shape) * 1.0


KINDS = np.eye(5)[[[0, 4], [2, 2]]]

# Name, parameters, and values to take log_prob of.
CASES = {
    "normal": ("Normal", {"loc": normals(2, 3), "scale": positive(3)}, normals(4, 2, 3)),
    "log-normal": ("LogNormal", {"loc": normals(3), "scale": positive(2, 1)}, positive(2, 3)),
    "uniform": ("Uniform", {"low": -positive(3), "high": positive(2, 3)}, shares(2, 3) * 0.2),
    "exponential": ("Exponential", {"rate": positive(2, 3)}, positive(4, 1, 3)),
    "laplace": ("Laplace", {"loc": normals(2, 3), "scale": positive(2, 3)}, normals(2, 3)),
    "bernoulli probs": ("Bernoulli", {"probs": shares(2, 3)}, (normals(4, 2, 3) > 0) * 1.0),
    "bernoulli logits": ("Bernoulli", {"logits": normals(2, 3)}, (normals(2, 3) > 0) * 1.0),
    "categorical probs": ("Categorical", {"probs": positive(2, 5)}, np.array([[0], [4]])),
    "categorical logits": ("Categorical", {"logits": normals(2, 5)}, np.array([3, 1])),
    "half-normal": ("HalfNormal", {"scale": positive(2, 3)}, positive(2, 3)),
    "half-cauchy": ("HalfCauchy", {"scale": positive(2, 3)}, positive(2, 3)),
    "cauchy": ("Cauchy", {"loc": normals(3), "scale": positive(2, 3)}, normals(2, 3)),
    "gumbel": ("Gumbel", {"loc": normals(3), "scale": positive(2, 3)}, normals(2, 3)),
    "pareto": (
        "Pareto",
        {"scale": positive(2, 3), "alpha": positive(3) + 4},
        positive(2, 3) + 3,
    ),
    "weibull": (
        "Weibull",
        {"scale": positive(2, 3), "concentration": positive(3) + 0.8},
        positive(4, 2, 3),
    ),
    "gamma": ("Gamma", {"concentration": positive(2, 3), "rate": positive(3)}, positive(4, 2, 3)),
    "chi-squared": ("Chi2", {"df": positive(2, 3) * 3}, positive(2, 3)),
    "inverse gamma": (
        "InverseGamma",
        {"concentration": positive(2, 3) + 5, "rate": positive(3)},
        positive(2, 3),
    ),
    "beta": (
        "Beta",
        {"concentration1": positive(2, 3), "concentration0": positive(3)},
        shares(4, 2, 3),
    ),
    "dirichlet": ("Dirichlet", {"concentration": positive(2, 4)}, simplex(3, 2, 4)),
    "student": (
        "StudentT",
        {"df": positive(2, 3) + 6, "loc": normals(3), "scale": positive(2, 3)},
        normals(2, 3),
    ),
    "poisson": ("Poisson", {"rate": positive(2, 3) * 8}, counts(4, 2, 3)),
    "geometric probs": ("Geometric", {"probs": shares(2, 3)}, counts(2, 3)),
    "geometric logits": ("Geometric", {"logits": normals(2, 3)}, counts(2, 3)),
    "binomial probs": ("Binomial", {"total_count": 7, "probs": shares(2, 3)}, counts(4, 2, 3)),
    "binomial logits": ("Binomial", {"total_count": 90, "logits": normals(2, 3)}, counts(2, 3)),
    "negative binomial": (
        "NegativeBinomial",
        {"total_count": 4, "logits": normals(2, 3)},
        counts(2, 3),
    ),
    "multinomial": (
        "Multinomial",
        {"total_count": 4, "probs": positive(2, 3)},
        np.array([[4.0, 0, 0], [1, 2, 1]]),
    ),
    "one-hot probs": ("OneHotCategorical", {"probs": positive(2, 5)}, KINDS),
    "one-hot logits": ("OneHotCategorical", {"logits": normals(5)}, KINDS),
    "straight-through": ("OneHotCategoricalStraightThrough", {"probs": positive(2, 5)}, KINDS),
    "relaxed": (
        "RelaxedBernoulli",
        {"temperature": positive(1), "logits": normals(2, 3)},
        shares(2, 3),
    ),
    "relaxed one-hot": (
        "RelaxedOneHotCategorical",
        {"temperature": positive(1), "logits": normals(2, 4)},
        simplex(2, 4),
    ),
    "covariance": (
        "MultivariateNormal",
        {"loc": normals(3), "covariance_matrix": COVARIANCE},
        normals(4, 2, 3),
    ),
    "precision": (
        "MultivariateNormal",
        {"loc": normals(2, 3), "precision_matrix": COVARIANCE},
        normals(2, 3),
    ),
    "scale_tril": (
        "MultivariateNormal",
        {"loc": normals(2, 3), "scale_tril": TRIANGLE[0]},
        normals(1, 3),
    ),
}


def made(case):
    """The distribution of both libraries, and its parameters, which are leaves."""
    name, parameters, _ = CASES[case]
    fixed = {k: v for k, v in parameters.items() if isinstance(v, int)}
    leaves = {k: v for k, v in parameters.items() if k not in fixed}
    ours = {k: ag.tensor(v, requires_grad=True) for k, v in leaves.items()}
    theirs = {k: torch.tensor(v, requires_grad=True) for k, v in leaves.items()}
    return getattr(D, name)(**ours, **fixed), getattr(T, name)(**theirs, **fixed), ours, theirs


def both_or_neither(ours, theirs):
    """The results of two functions, or None where the second has not got the method: then neither has the first."""
    try:
        expected = theirs()
    except NotImplementedError:
        with pytest.raises(NotImplementedError):
            ours()
        return None
    return ours(), expected


def close(ours, theirs, rtol=1e-9):
    assert tuple(ours.shape) == tuple(theirs.shape)
    np.testing.assert_allclose(
        np.asarray(ours.detach()), theirs.detach().numpy(), rtol=rtol, atol=1e-12
    )


def check(ours, theirs, leaves, their_leaves):
    """Values, and gradients of the sum of their sines to every leaf."""
    close(ours, theirs)
    if not theirs.requires_grad:
        assert not ours.requires_grad
        return
    found = ag.autograd.grad(
        ours.sin().sum(), list(leaves.values()), retain_graph=True, allow_unused=True
    )
    expected = torch.autograd.grad(
        theirs.sin().sum(), list(their_leaves.values()), retain_graph=True, allow_unused=True
    )
    for mine, its in zip(found, expected):
        assert (mine is None) == (its is None)
        if its is not None:
            close(mine, its, 1e-7)


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case):
    ours, theirs, leaves, their_leaves = made(case)
    assert tuple(ours.batch_shape) == tuple(theirs.batch_shape)
    assert tuple(ours.event_shape) == tuple(theirs.event_shape)
    value = CASES[case][2]
    check(
        ours.log_prob(ag.tensor(value)), theirs.log_prob(torch.tensor(value)), leaves, their_leaves
    )
    for name in ("entropy", "perplexity"):
        pair = both_or_neither(getattr(ours, name), getattr(theirs, name))
        if pair and case == "multinomial":  # PyTorch's has a part in float32
            close(*pair, 1e-6)
        elif pair:
            check(*pair, leaves, their_leaves)
    for name in ("mean", "variance", "stddev", "mode"):
        pair = both_or_neither(*(partial(getattr, d, name) for d in (ours, theirs)))
        if pair:
            check(*pair, leaves, their_leaves)


WITH_CDF = (
    "normal",
    "log-normal",
    "uniform",
    "exponential",
    "laplace",
    "half-normal",
    "half-cauchy",
)
WITH_CDF += ("cauchy", "gumbel", "pareto", "weibull")


@pytest.mark.parametrize("case", WITH_CDF)
def test_distribution_functions(case):
    ours, theirs, leaves, their_leaves = made(case)
    value = CASES[case][2]
    check(ours.cdf(ag.tensor(value)), theirs.cdf(torch.tensor(value)), leaves, their_leaves)
    p = shares(2, 3)
    check(ours.icdf(ag.tensor(p)), theirs.icdf(torch.tensor(p)), leaves, their_leaves)


@pytest.mark.parametrize("case", ["gamma", "chi-squared"])
def test_gamma_distribution_functions(case):
    ours, theirs, _, _ = made(case)
    value = CASES[case][2]
    close(ours.cdf(ag.tensor(value)), theirs.cdf(torch.tensor(value)))


@pytest.mark.parametrize("case", CASES)
def test_a_batch_expanded(case):
    ours, theirs, leaves, their_leaves = made(case)
    batch = (4, *theirs.batch_shape)
    wider, their_wider = ours.expand(batch), theirs.expand(batch)
    assert type(wider) is type(ours)
    assert tuple(wider.batch_shape) == tuple(their_wider.batch_shape)
    assert tuple(wider.event_shape) == tuple(their_wider.event_shape)
    assert tuple(wider.sample((2,)).shape) == tuple(their_wider.sample((2,)).shape)
    value = np.asarray(ours.sample())
    check(
        wider.log_prob(ag.tensor(value)),
        their_wider.log_prob(torch.tensor(value)),
        leaves,
        their_leaves,
    )
    assert tuple(ours.batch_shape) == tuple(theirs.batch_shape)


def check_shares(drawn, theirs):
    """The shares of draws below some numbers agree with those of many of PyTorch's draws."""
    torch.manual_seed(1)
    expected = theirs.sample((20_000,)).numpy()
    for point in np.quantile(expected, [0.05, 0.3, 0.5, 0.8, 0.95]):
        below = (expected < point).mean(0)
        np.testing.assert_allclose((drawn < point).mean(0), below, atol=0.022)


@pytest.mark.parametrize("case", CASES)
def test_draws_have_the_moments_of_the_distribution(case):
    ours, theirs, _, _ = made(case)
    ag.manual_seed(5)
    draws = ours.sample((20_000,))
    assert not draws.requires_grad
    assert tuple(draws.shape) == tuple(theirs.sample((20_000,)).shape)
    assert str(draws.dtype).split(".")[1] == str(theirs.sample().dtype).split(".")[1]
    drawn = np.asarray(draws)
    if case.startswith("categorical"):
        found = np.stack([(drawn == k).mean(0) for k in range(5)], -1)
        np.testing.assert_allclose(found, theirs.probs.detach().numpy(), atol=0.02)
        return
    if case.startswith("relaxed") or "cauchy" in case:
        return check_shares(drawn, theirs)
    spread = theirs.stddev.detach().numpy()
    mean = theirs.mean.detach().numpy()
    assert (np.abs(drawn.mean(0) - mean) < 0.06 * spread).all()
    # Those with a fourth moment too large for this number of draws apart.
    if case not in ("log-normal", "pareto", "inverse gamma", "student"):
        np.testing.assert_allclose(drawn.std(0), np.broadcast_to(spread, mean.shape), rtol=0.06)


# A small change of the parameters changes which numbers are rejected: their gradients are right on the average.
WITH_IMPLICIT_GRADIENTS = ("gamma", "chi-squared", "inverse gamma", "beta", "dirichlet", "student")


def check_mean_gradients(ours, theirs, leaves):
    """The gradients of the mean of many draws are those of the mean."""
    ag.manual_seed(8)
    weights = RNG.uniform(0.5, 1.5, size=theirs.mean.shape)
    draws = ours.rsample((40_000,)).mean(0) * ag.tensor(weights)
    found = ag.autograd.grad(draws.sum(), list(leaves.values()), retain_graph=True)
    mean = ours.mean * ag.tensor(weights)
    expected = ag.autograd.grad(
        mean.sum(), list(leaves.values()), allow_unused=True, materialize_grads=True
    )
    for mine, its in zip(found, expected):
        np.testing.assert_allclose(np.asarray(mine), np.asarray(its), atol=0.03, rtol=0.06)


@pytest.mark.parametrize("case", CASES)
def test_gradients_flow_through_draws(case):
    ours, theirs, leaves, _ = made(case)
    assert ours.has_rsample == theirs.has_rsample
    if not theirs.has_rsample:
        with pytest.raises(NotImplementedError):
            theirs.rsample()
        with pytest.raises(NotImplementedError, match="sample"):
            ours.rsample()
        return
    if case in WITH_IMPLICIT_GRADIENTS or case == "straight-through":
        return check_mean_gradients(ours, theirs, leaves)
    ag.manual_seed(8)
    draw = ours.rsample((2,))
    draw.sum().backward()
    found = {k: leaf.grad for k, leaf in leaves.items()}
    # The same numbers again, from parameters that differ a little along the diagonal.
    step = 1e-6
    for name, leaf in leaves.items():
        change = ag.tensor(np.eye(4)[: leaf.shape[-2] if leaf.dim() > 1 else 1, : leaf.shape[-1]])
        change = change.reshape(leaf.shape[-2:]).expand(leaf.shape)
        ag.manual_seed(8)
        other = getattr(D, CASES[case][0])(**{**leaves, name: leaf.detach() + step * change})
        difference = (other.rsample((2,)) - draw).sum() / step
        expected = (found[name] * change).sum()
        np.testing.assert_allclose(difference.item(), expected.item(), rtol=1e-4, atol=1e-5)


# PyTorch has no formula for Weibull, but takes equal ones for distributions of equal transforms.
PAIRS = [
    (a, b)
    for a, b in itertools.product(CASES, CASES)
    if CASES[a][0] == CASES[b][0] and a != "weibull"
]


@pytest.mark.parametrize("p,q", PAIRS)
def test_divergences(p, q):
    ours_p, theirs_p, leaves, their_leaves = made(p)
    ours_q, theirs_q, _, _ = made(q)
    if CASES[p][0] == "Uniform":
        ours_q = D.Uniform(ours_q.low - 1, ours_q.high + 1)
        theirs_q = T.Uniform(theirs_q.low - 1, theirs_q.high + 1)
    pair = both_or_neither(
        partial(D.kl_divergence, ours_p, ours_q), partial(T.kl_divergence, theirs_p, theirs_q)
    )
    if pair:
        check(*pair, leaves, their_leaves)


def test_divergences_at_the_borders():
    def both(name, **kwargs):
        of = [
            getattr(lib, name)(**{k: kind(v) for k, v in kwargs.items()})
            for lib, kind in ((D, ag.tensor), (T, torch.tensor))
        ]
        return of

    p, their_p = both("Categorical", probs=[0.0, 0.5, 0.5])
    q, their_q = both("Categorical", probs=[0.5, 0.0, 0.5])
    close(D.kl_divergence(p, q), T.kl_divergence(their_p, their_q))
    close(D.kl_divergence(p, p), T.kl_divergence(their_p, their_p), 1e-6)
    p, their_p = both("Uniform", low=0.0, high=2.0)
    q, their_q = both("Uniform", low=0.0, high=1.0)
    close(D.kl_divergence(p, q), T.kl_divergence(their_p, their_q))
    p, their_p = both("Bernoulli", probs=[0.0, 1.0, 0.5])
    close(p.log_prob(ag.tensor([0.0, 1.0, 1.0])), their_p.log_prob(torch.tensor([0.0, 1.0, 1.0])))
    close(p.entropy(), their_p.entropy(), 1e-5)


def test_last_dims_of_a_batch_as_one_draw():
    ours, theirs, leaves, their_leaves = made("normal")
    ours, theirs = D.Independent(ours, 1), T.Independent(theirs, 1)
    assert tuple(ours.batch_shape) == (2,) and tuple(ours.event_shape) == (3,)
    value = CASES["normal"][2]
    check(
        ours.log_prob(ag.tensor(value)), theirs.log_prob(torch.tensor(value)), leaves, their_leaves
    )
    check(ours.entropy(), theirs.entropy(), leaves, their_leaves)
    close(D.kl_divergence(ours, ours), T.kl_divergence(theirs, theirs))
    assert tuple(ours.rsample((5,)).shape) == (5, 2, 3) and ours.has_rsample
    with pytest.raises(ValueError, match="reinterpreted_batch_ndims"):
        D.Independent(ours, 2)


def test_divergence_of_weibull_distributions():
    p, q = D.Weibull(1.2, 1.7), D.Weibull(ag.tensor(0.8), ag.tensor(1.4))
    ag.manual_seed(3)
    draws = p.sample((100_000,))
    close(
        D.kl_divergence(p, q),
        torch.tensor((p.log_prob(draws) - q.log_prob(draws)).mean().item()),
        0.02,
    )


def test_all_values_of_discrete_distributions():
    for case in ("bernoulli probs", "categorical logits", "one-hot probs", "binomial probs"):
        ours, theirs, _, _ = made(case)
        for expand in (True, False):
            close(ours.enumerate_support(expand), theirs.enumerate_support(expand))


WRONG = [
    lambda lib, t: lib.Normal(t(0.0), t(-1.0)),
    lambda lib, t: lib.Normal(t([0.0, float("nan")]), t(1.0)),
    lambda lib, t: lib.Normal("0", 1.0),
    lambda lib, t: lib.Normal(t(0.0), t(1.0)).log_prob(t(float("nan"))),
    lambda lib, t: lib.Normal(t([0.0, 1.0]), 1.0).log_prob(t([0.0, 1.0, 2.0])),
    lambda lib, t: lib.Normal(0.0, 1.0).log_prob(1.0),
    lambda lib, t: lib.Uniform(1.0, 0.0),
    lambda lib, t: lib.Uniform(0.0, 1.0).log_prob(t(2.0)),
    lambda lib, t: lib.Exponential(t(0.0)),
    lambda lib, t: lib.Exponential(1.0).log_prob(t(-1.0)),
    lambda lib, t: lib.Laplace(0.0, 0.0),
    lambda lib, t: lib.Bernoulli(t(1.5)),
    lambda lib, t: lib.Bernoulli(),
    lambda lib, t: lib.Bernoulli(t(0.5), t(0.5)),
    lambda lib, t: lib.Bernoulli(t(0.5)).log_prob(t(0.5)),
    lambda lib, t: lib.Categorical(t(0.5)),
    lambda lib, t: lib.Categorical(t([0.5, -0.5])),
    lambda lib, t: lib.Categorical(t([0.5, 0.5])).log_prob(t(2)),
    lambda lib, t: lib.Categorical(t([0.5, 0.5])).log_prob(t(-1)),
    lambda lib, t: lib.Categorical(logits=t([float("nan"), 0.0])),
    lambda lib, t: lib.MultivariateNormal(t([0.0, 0.0])),
    lambda lib, t: lib.MultivariateNormal(t(0.0), t([[1.0]])),
    lambda lib, t: lib.MultivariateNormal(t([0.0, 0.0]), scale_tril=t([[1.0, 1.0], [0.0, 1.0]])),
    lambda lib, t: lib.Gamma(t(-1.0), t(1.0)),
    lambda lib, t: lib.Gamma(t(1.0), t(1.0)).log_prob(t(-1.0)),
    lambda lib, t: lib.Dirichlet(t(1.0)),
    lambda lib, t: lib.Dirichlet(t([1.0, 2.0])).log_prob(t([0.5, 0.6])),
    lambda lib, t: lib.Beta(t(1.0), t(2.0)).log_prob(t(1.5)),
    lambda lib, t: lib.StudentT(t(-1.0)),
    lambda lib, t: lib.Pareto(t(1.0), t(1.0)).log_prob(t(0.5)),
    lambda lib, t: lib.HalfNormal(t(1.0)).log_prob(t(-0.5)),
    lambda lib, t: lib.Poisson(t(-1.0)),
    lambda lib, t: lib.Poisson(t(1.0)).log_prob(t(0.5)),
    lambda lib, t: lib.Binomial(5, t(0.5)).log_prob(t(6.0)),
    lambda lib, t: lib.Binomial(-1, t(0.5)),
    lambda lib, t: lib.Binomial(t([3, 5]), t(0.5)).enumerate_support(),
    lambda lib, t: lib.Geometric(t(0.0)),
    lambda lib, t: lib.Geometric(),
    lambda lib, t: lib.NegativeBinomial(t(3.0), t(0.5)).log_prob(t(-1.0)),
    lambda lib, t: lib.Multinomial(t([3, 5]), t([0.5, 0.5])),
    lambda lib, t: lib.Multinomial(3, t([0.5, 0.5])).log_prob(t([3.0, 1.0])),
    lambda lib, t: lib.OneHotCategorical(t([0.5, 0.5])).log_prob(t([1.0, 1.0])),
    lambda lib, t: lib.TransformedDistribution(lib.Normal(0.0, 1.0), "tanh"),
    lambda lib, t: lib.TransformedDistribution(lib.Normal(t(0.0), 1.0), lib.SoftmaxTransform()),
    lambda lib, t: lib.TanhTransform(cache_size=2),
    lambda lib, t: lib.AbsTransform().sign,
    lambda lib, t: lib.MixtureSameFamily(lib.Normal(0.0, 1.0), lib.Normal(t([0.0]), 1.0)),
    lambda lib, t: lib.MixtureSameFamily(lib.Categorical(t([0.5, 0.5])), lib.Normal(t([0.0]), 1.0)),
    lambda lib, t: lib.MixtureSameFamily(lib.Categorical(t([0.5, 0.5])), "normal"),
    lambda lib, t: lib.Distribution.set_default_validate_args("yes"),
    lambda lib, t: lib.kl_divergence(lib.Normal(0.0, 1.0), lib.Bernoulli(t(0.5))),
    lambda lib, t: lib.Categorical(t([0.5, 0.5])).cdf(t(0)),
]


@pytest.mark.parametrize("call", WRONG)
def test_errors(call):
    with pytest.raises(Exception) as theirs:
        call(T, torch.tensor)
    with pytest.raises(type(theirs.value)):
        call(D, ag.tensor)


def test_checks_can_be_left_out():
    assert D.Normal(0.0, -1.0, validate_args=False).log_prob(ag.tensor(0.0)).isnan().item()
    D.Distribution.set_default_validate_args(False)
    try:
        D.Exponential(-1.0)
    finally:
        D.Distribution.set_default_validate_args(True)
    with pytest.raises(ValueError, match="greater than 0"):
        D.Exponential(-1.0)


def test_policy_gradient_steps_can_be_compiled():
    """Parameters are not read for checks while a step is captured."""
    weight = ag.zeros(4, 3, requires_grad=True)
    optimizer = ag.optim.SGD([weight], lr=0.1)

    @ag.compile
    def step(x, action, gain):
        policy = D.Categorical(logits=x @ weight)
        loss = -(policy.log_prob(action) * gain).mean() - 0.01 * policy.entropy().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    x, action = ag.tensor(normals(8, 4), dtype=ag.float32), ag.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    gain = ag.tensor(normals(8), dtype=ag.float32)
    losses = [step(x, action, gain).item() for _ in range(6)]
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0]
    assert "1 plans" in step.explain()


def test_text():
    assert repr(D.Normal(0.0, 1.0)) == repr(T.Normal(0.0, 1.0))
    assert repr(D.Normal(ag.zeros(3), 1.0)).startswith("Normal(loc: ")


def test_another_formula_for_a_divergence():
    class Mine(D.Normal):
        pass

    @D.register_kl(Mine, Mine)
    def formula(p, q):
        return ag.tensor(7.0)

    assert D.kl_divergence(Mine(0.0, 1.0), Mine(0.0, 1.0)).item() == 7
    with pytest.raises(TypeError, match="subclass of Distribution"):
        D.register_kl(int, Mine)


@pytest.mark.parametrize("name", ["Categorical", "Bernoulli", "OneHotCategoricalStraightThrough"])
def test_what_sample_computes_has_its_gradient(name):
    """probs, made of logits, are kept by the first who asks, which may be sample() with its gradients off."""
    found = []
    for lib, module in ((ag, D), (torch, T)):
        logits = lib.tensor([0.1, 0.9, -1.0], requires_grad=True)
        distribution = getattr(module, name)(logits=logits)
        distribution.sample()
        found.append(lib.autograd.grad((distribution.probs**2).sum(), logits)[0].tolist())
    np.testing.assert_allclose(*found, rtol=1e-5)
