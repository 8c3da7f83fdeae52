"""autograd.distributions against torch.distributions: values, gradients, draws, divergences, errors."""

import itertools

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
    ours = {k: ag.tensor(v, requires_grad=True) for k, v in parameters.items()}
    theirs = {k: torch.tensor(v, requires_grad=True) for k, v in parameters.items()}
    return getattr(D, name)(**ours), getattr(T, name)(**theirs), ours, theirs


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
    check(ours.entropy(), theirs.entropy(), leaves, their_leaves)
    check(ours.perplexity(), theirs.perplexity(), leaves, their_leaves)
    for name in ("mean", "variance", "stddev", "mode"):
        check(getattr(ours, name), getattr(theirs, name), leaves, their_leaves)


@pytest.mark.parametrize("case", ["normal", "log-normal", "uniform", "exponential", "laplace"])
def test_distribution_functions(case):
    ours, theirs, leaves, their_leaves = made(case)
    value = CASES[case][2]
    check(ours.cdf(ag.tensor(value)), theirs.cdf(torch.tensor(value)), leaves, their_leaves)
    p = shares(2, 3)
    check(ours.icdf(ag.tensor(p)), theirs.icdf(torch.tensor(p)), leaves, their_leaves)


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
    spread = theirs.stddev.detach().numpy()
    mean = theirs.mean.detach().numpy()
    assert (np.abs(drawn.mean(0) - mean) < 0.06 * spread).all()
    if case != "log-normal":  # whose fourth moment is too large for this number of draws
        np.testing.assert_allclose(drawn.std(0), np.broadcast_to(spread, mean.shape), rtol=0.06)


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
    ag.manual_seed(8)
    draw = ours.rsample((2,))
    draw.sum().backward()
    found = {k: leaf.grad for k, leaf in leaves.items()}
    # The same numbers again, from parameters that differ a little along the diagonal.
    step = 1e-6
    for name, leaf in leaves.items():
        change = ag.tensor(np.eye(3)[: leaf.shape[-2] if leaf.dim() > 1 else 1, : leaf.shape[-1]])
        change = change.reshape(leaf.shape[-2:]).expand(leaf.shape)
        ag.manual_seed(8)
        other = getattr(D, CASES[case][0])(**{**leaves, name: leaf.detach() + step * change})
        difference = (other.rsample((2,)) - draw).sum() / step
        expected = (found[name] * change).sum()
        np.testing.assert_allclose(difference.item(), expected.item(), rtol=1e-4, atol=1e-5)


PAIRS = [(a, b) for a, b in itertools.product(CASES, CASES) if CASES[a][0] == CASES[b][0]]


@pytest.mark.parametrize("p,q", PAIRS)
def test_divergences(p, q):
    ours_p, theirs_p, leaves, their_leaves = made(p)
    ours_q, theirs_q, _, _ = made(q)
    if CASES[p][0] == "Uniform":
        ours_q = D.Uniform(ours_q.low - 1, ours_q.high + 1)
        theirs_q = T.Uniform(theirs_q.low - 1, theirs_q.high + 1)
    check(
        D.kl_divergence(ours_p, ours_q),
        T.kl_divergence(theirs_p, theirs_q),
        leaves,
        their_leaves,
    )


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


def test_all_values_of_discrete_distributions():
    for case in ("bernoulli probs", "categorical logits"):
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
