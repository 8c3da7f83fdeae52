"""Functions and mixtures of random numbers against torch.distributions, and how gamma numbers move."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.distributions as T
from test_probability import both_or_neither, close, normals, positive, shares

import autograd as ag
import autograd.distributions as D


@pytest.mark.parametrize("name", ["standard", "of a rate"])
def test_numbers_of_gamma_distributions_move_with_their_shapes(name):
    """Where the probability of a draw is kept."""
    c = ag.tensor([0.02, 0.3, 1.0, 2.5, 40.0, 3e4], dtype=ag.float64, requires_grad=True)
    ag.manual_seed(2)
    x = (
        ag.standard_gamma(c.expand(50, 6))
        if name == "standard"
        else D.Gamma(c, 0.5).rsample((50,)) / 2
    )
    share = ag.igamma(c.detach(), x.detach())
    slopes = ag.stack([ag.autograd.grad(row.sum(), c, retain_graph=True)[0] for row in x])
    step = 1e-6 * c.detach()
    moved = ag.igamma(c.detach() + step, x.detach() + slopes * step)
    np.testing.assert_allclose(np.asarray(moved), np.asarray(share), rtol=1e-7, atol=1e-9)
    with pytest.raises(NotImplementedError):
        ag.standard_gamma(ag.tensor([1, 2]))


@pytest.mark.parametrize("name", ["igamma", "igammac"])
def test_gradients_of_incomplete_gamma_functions(name):
    shapes, numbers = positive(2, 3) * 4, positive(3) * 4
    a = ag.tensor(shapes, requires_grad=True)
    x = ag.tensor(numbers, requires_grad=True)
    assert ag.autograd.gradcheck(getattr(ag, name), (a, x))
    b, y = torch.tensor(shapes), torch.tensor(numbers, requires_grad=True)
    (mine,) = ag.autograd.grad(getattr(ag, name)(a, x).sin().sum(), x)
    (its,) = torch.autograd.grad(getattr(torch, name)(b, y).sin().sum(), y)
    close(mine, its)


def squashed(lib, t, **kwargs):
    base = lib.Normal(t([[0.1, -0.4, 0.9]]).double(), t([0.5, 1.2, 0.8]).double())
    return lib.TransformedDistribution(lib.Independent(base, 1), [lib.TanhTransform(**kwargs)])


TRANSFORMED = [
    squashed,
    partial(squashed, cache_size=1),
    lambda lib, t: lib.TransformedDistribution(
        lib.Normal(t([0.1, -0.4]).double(), 0.5),
        [lib.AffineTransform(1.0, -2.0), lib.ExpTransform()],
    ),
    lambda lib, t: lib.TransformedDistribution(
        lib.Uniform(t([0.1, 0.2]).double(), 0.9), lib.SigmoidTransform().inv
    ),
    lambda lib, t: lib.TransformedDistribution(
        lib.Normal(t(0.0).double(), 1.0), lib.AffineTransform(t([1.0, 2.0, 3.0]).double(), 0.5)
    ),
    lambda lib, t: lib.TransformedDistribution(
        lib.Normal(t([[0.3, 0.1]]).double(), 1.0),
        [
            lib.SoftplusTransform(),
            lib.AffineTransform(0.5, 2.0, event_dim=1),
            lib.PowerTransform(2.0),
        ],
    ),
    lambda lib, t: lib.TransformedDistribution(
        lib.Exponential(t([0.3, 0.1]).double()),
        lib.ComposeTransform([lib.PowerTransform(t(-0.5).double()), lib.AffineTransform(1.0, 3.0)]),
    ),
    lambda lib, t: lib.TransformedDistribution(
        lib.Normal(t([[0.3, 0.1]]).double(), 1.0), lib.IndependentTransform(lib.ExpTransform(), 1)
    ),
]


@pytest.mark.parametrize("make", TRANSFORMED)
def test_transformed_distributions(make):
    ours, theirs = make(D, ag.tensor), make(T, torch.tensor)
    assert tuple(ours.batch_shape) == tuple(theirs.batch_shape)
    assert tuple(ours.event_shape) == tuple(theirs.event_shape)
    ag.manual_seed(4)
    value = ours.sample((7,))
    theirs_value = torch.tensor(np.asarray(value))
    close(ours.log_prob(value), theirs.log_prob(theirs_value))
    close(ours.log_prob(value * 1), theirs.log_prob(theirs_value), 1e-6)
    for name in ("cdf", "icdf"):
        given = (value, theirs_value)
        if name == "icdf":
            p = shares(*value.shape)
            given = (ag.tensor(p), torch.tensor(p))
        pair = both_or_neither(
            *(partial(getattr(d, name), g) for d, g in zip((ours, theirs), given))
        )
        if pair:
            close(*pair)
    drawn, expected = np.asarray(ours.sample((20_000,))), theirs.sample((20_000,)).numpy()
    assert drawn.shape == expected.shape
    for point in np.quantile(expected, [0.05, 0.5, 0.9]):
        np.testing.assert_allclose((drawn < point).mean(0), (expected < point).mean(0), atol=0.03)
    wider = ours.expand((2, *ours.batch_shape))
    assert tuple(wider.sample((3,)).shape) == tuple(
        theirs.expand((2, *theirs.batch_shape)).sample((3,)).shape
    )
    assert D.kl_divergence(ours, ours).abs().max().item() < 1e-12


def test_a_draw_squashed_to_the_border_keeps_its_probability():
    loc = ag.tensor([20.0, 30.0], requires_grad=True)
    base = D.Normal(loc, 1.0)
    policy = D.TransformedDistribution(base, D.TanhTransform(cache_size=1))
    action = policy.rsample()
    assert action.tolist() == [1, 1]
    log_prob = policy.log_prob(action)
    assert log_prob.isfinite().all() and not policy.log_prob(action.clone()).isfinite().any()
    log_prob.sum().backward()
    assert loc.grad.isfinite().all()


def mixture(lib, t, events):
    probs = t([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]]).double()
    loc = t(np.arange(6.0).reshape(2, 3) if not events else np.arange(12.0).reshape(2, 3, 2))
    component = lib.Normal(loc, t(0.7).double())
    if events:
        component = lib.Independent(component, 1)
    return lib.MixtureSameFamily(lib.Categorical(probs), component)


@pytest.mark.parametrize("events", [0, 1])
def test_mixtures(events):
    ours, theirs = mixture(D, ag.tensor, events), mixture(T, torch.tensor, events)
    value = normals(4, 2, *(2,) * events)
    close(ours.log_prob(ag.tensor(value)), theirs.log_prob(torch.tensor(value)))
    close(ours.mean, theirs.mean)
    close(ours.variance, theirs.variance)
    if not events:
        close(ours.cdf(ag.tensor(value)), theirs.cdf(torch.tensor(value)))
    ag.manual_seed(1)
    drawn = np.asarray(ours.sample((40_000,)))
    np.testing.assert_allclose(drawn.mean(0), theirs.mean.numpy(), rtol=0.04)
    np.testing.assert_allclose(drawn.var(0), theirs.variance.numpy(), rtol=0.04)


@pytest.mark.parametrize("sign", [1, -1])
def test_transforms_say_what_they_are(sign):
    affine = D.AffineTransform(1.0, 2.0 * sign)
    assert affine.sign == T.AffineTransform(1.0, 2.0 * sign).sign and affine.inv.inv is affine
    assert D.ComposeTransform([affine, affine]).sign == 1 and D.identity_transform.sign == 1
    assert affine == D.AffineTransform(1.0, 2.0 * sign) != D.AffineTransform(1.0, 3.0)
    assert D.TanhTransform() == D.TanhTransform() != D.ExpTransform()
    assert "scale" in repr(affine) and "AffineTransform" in repr(affine.inv)
    x = ag.linspace(-1, 1, 5)
    close(D.identity_transform(x), torch.linspace(-1, 1, 5))
    close(D.SoftmaxTransform()(x), T.SoftmaxTransform()(torch.linspace(-1, 1, 5)), 1e-6)
    close(D.AbsTransform()(x), torch.linspace(-1, 1, 5).abs())
