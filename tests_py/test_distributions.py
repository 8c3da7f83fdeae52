"""Random numbers of many distributions, and the softmax family of nn.functional."""

import math

import numpy as np
import pytest
import torch
from compare import make, same, vs_torch

import autograd as ag

N = 100_000


def drawn(name, *arguments, dtype=ag.float64):
    """Numbers of a distribution, of a fixed seed."""
    ag.manual_seed(4)
    return np.array(getattr(ag.empty(N, dtype=dtype), name)(*arguments).tolist())


# The share of numbers below some points, from the distribution function.
SHARES = [
    ("exponential_", (1.0,), lambda x: 1 - math.exp(-x), (0.1, 0.7, 2.0)),
    ("exponential_", (3.0,), lambda x: 1 - math.exp(-3 * x), (0.1, 0.7)),
    (
        "log_normal_",
        (0.5, 2.0),
        lambda x: 0.5 * math.erfc((0.5 - math.log(x)) / (2 * 2**0.5)),
        (1, 9),
    ),
    ("cauchy_", (1.0, 2.0), lambda x: 0.5 + math.atan((x - 1) / 2) / math.pi, (-3, 1, 6)),
    ("geometric_", (0.3,), lambda x: 1 - 0.7 ** math.floor(x), (1.5, 2.5, 6.5)),
    ("random_", (2, 7), lambda x: (math.ceil(x) - 2) / 5, (2.5, 4.5, 5.5)),
    ("bernoulli_", (0.2,), lambda x: 0.8, (0.5,)),
]


@pytest.mark.parametrize("dtype", [ag.float32, ag.float64])
@pytest.mark.parametrize("name, arguments, share, points", SHARES)
def test_distribution(name, arguments, share, points, dtype):
    values = drawn(name, *arguments, dtype=dtype)
    for point in points:
        p = share(point)
        assert abs((values < point).mean() - p) < 5 * math.sqrt(p * (1 - p) / N)
    assert (drawn(name, *arguments, dtype=dtype) == values).all()


def test_exponential_is_never_zero():
    assert ag.empty(1 << 20).exponential_().min().item() > 0


def test_random_without_bounds():
    assert set(ag.empty(200, dtype=ag.bool).random_().tolist()) == {True, False}
    x = ag.empty(2000, dtype=ag.uint8).random_()
    assert x.min().item() < 10 and x.max().item() > 245
    assert ag.empty(100).random_().max().item() > 2**20
    assert ag.empty(100, dtype=ag.int64).random_().max().item() > 2**50


def test_bernoulli_follows_its_tensor():
    p = ag.tensor([0.0, 1.0, 0.25]).expand(N, 3)
    share = ag.bernoulli(p).mean(0).tolist()
    assert share[:2] == [0, 1] and abs(share[2] - 0.25) < 0.007
    x = ag.zeros(4, dtype=ag.int64).bernoulli_(ag.tensor([0.0, 1.0, 1.0, 0.0]))
    assert x.tolist() == [0, 1, 1, 0] and x.dtype is ag.int64
    q = ag.tensor([0.5], requires_grad=True)
    ag.bernoulli(q).sum().backward()
    assert q.grad.tolist() == [0]


def test_multinomial_with_replacement():
    ag.manual_seed(2)
    found = np.array(
        ag.multinomial(ag.tensor([[1.0, 0.0, 3.0], [2.0, 2.0, 0.0]]), N, True).tolist()
    )
    for row, weights in zip(found, ([0.25, 0, 0.75], [0.5, 0.5, 0])):
        assert np.abs(np.bincount(row, minlength=3) / N - weights).max() < 0.008


def test_multinomial_without_replacement():
    ag.manual_seed(2)
    weights = ag.tensor([1.0, 2.0, 0.0, 1.0]).expand(40_000, 4)
    found = np.array(ag.multinomial(weights, 2).tolist())
    assert (found[:, 0] != found[:, 1]).all() and not (found == 2).any()
    first = np.bincount(found[:, 0], minlength=4) / len(found)
    assert np.abs(first - [0.25, 0.5, 0, 0.25]).max() < 0.013
    # Behind position 1 (half of the first draws) the other two are equally likely.
    second = np.bincount(found[found[:, 0] == 0][:, 1], minlength=4)
    assert abs(second[1] / second.sum() - 2 / 3) < 0.03
    everything = ag.multinomial(ag.tensor([1.0, 0.0, 0.0]), 3)
    assert sorted(everything.tolist()) == [0, 1, 2] and everything.tolist()[0] == 0


def test_normal():
    ag.manual_seed(1)
    mean, std = ag.tensor([[-5.0], [5.0]]).expand(2, N), ag.tensor(2.0)
    x = ag.normal(mean, std)
    assert x.shape == (2, N) and abs(x.mean(1) - ag.tensor([-5.0, 5.0])).max().item() < 0.04
    assert abs(x.std(1) - 2).max().item() < 0.03
    assert ag.normal(0.0, 1.0, (2, 3)).shape == (2, 3)
    assert ag.normal(mean, 0.5).shape == ag.normal(1.0, mean * 0 + 1).shape == (2, N)


@vs_torch(raises="std")
@pytest.mark.parametrize("kind", range(3))
def test_normal_refuses_negative_deviations(lib, kind):
    mean, std = [(lib.ones(2), -lib.ones(2)), (lib.ones(2), -1.0), (0.0, -1.0)][kind]
    lib.normal(mean, std, *([(2,)] if kind == 2 else []))


def test_randint_like():
    x = ag.randint_like(ag.ones(3, 400), 2, 5)
    assert x.shape == (3, 400) and x.dtype is ag.float32 and set(x.ravel().tolist()) == {2, 3, 4}
    assert set(ag.randint_like(ag.ones(400, dtype=ag.int32), 2).tolist()) == {0, 1}


# ---- softmax family


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
@pytest.mark.parametrize("shape", [(), (4,), (2, 4), (2, 3, 4), (2, 1, 2, 3)])
@vs_torch
def test_implicit_dim(lib, name, shape):
    x = make(lib, np.arange(np.prod(shape)).reshape(shape) % 5, "float64")
    with pytest.warns(UserWarning, match="Implicit dimension"):
        y = getattr(lib.nn.functional, name)(x)
    return [y, getattr(lib.nn.functional, name)(x, dim=-1, dtype=lib.float32)]


@pytest.mark.parametrize(
    "name, shape", [("Softmin", (2, 3)), ("Softmax2d", (2, 3, 4)), ("Softmax2d", (2, 3, 4, 5))]
)
@vs_torch
def test_softmax_modules(lib, name, shape):
    layer = getattr(lib.nn, name)(*([1] if name == "Softmin" else []))
    x = make(lib, np.arange(np.prod(shape)).reshape(shape) % 7, "float64", requires_grad=True)
    y = layer(x)
    return y, *lib.autograd.grad((y * y).sum(), x), repr(layer)


@vs_torch(raises="3D or 4D")
def test_softmax2d_dims(lib):
    lib.nn.Softmax2d()(lib.ones(2, 3))


@vs_torch(raises="dim")
def test_softmax_needs_a_dim(lib):
    lib.softmax(lib.ones(2, 3))


def test_gumbel_softmax():
    logits = ag.tensor([0.0, math.log(2.0), math.log(5.0)], requires_grad=True)
    ag.manual_seed(0)
    many = logits.expand(40_000, 3)
    soft = ag.nn.functional.gumbel_softmax(many, tau=0.5)
    assert abs(soft.sum(1) - 1).max().item() < 1e-5
    shares = np.bincount(np.array(soft.argmax(1).tolist()), minlength=3) / 40_000
    assert np.abs(shares - np.array([1, 2, 5]) / 8).max() < 0.013
    hard = ag.nn.functional.gumbel_softmax(many, hard=True)
    same(hard.detach().sum(1), torch.ones(40_000))
    assert set(np.round(hard.detach().ravel().tolist(), 5)) == {0, 1}
    assert abs(ag.autograd.grad(hard[:, 0].sum(), logits)[0]).min().item() > 0
