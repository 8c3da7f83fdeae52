"""nn.init: the same distributions as PyTorch's, told by samples of both; fixed values and errors are equal."""

import numpy as np
import pytest
import torch
from both_libraries import agree

import autograd as ag

SIZES = (200, 150)


def largest_gap(a, b):
    """The Kolmogorov-Smirnov statistic of two samples."""
    a, b = np.sort(np.ravel(a)), np.sort(np.ravel(b))
    points = np.concatenate([a, b])
    return np.abs(
        np.searchsorted(a, points, "right") / a.size - np.searchsorted(b, points, "right") / b.size
    ).max()


RANDOM = {
    "uniform_": {"a": -1.0, "b": 3.0},
    "normal_": {"mean": 2.0, "std": 0.5},
    "xavier_uniform_": {"gain": 2.0},
    "xavier_normal_": {"gain": 0.5},
    "kaiming_uniform_": {"a": 0.3, "mode": "fan_out"},
    "kaiming_normal_": {"nonlinearity": "relu"},
    "trunc_normal_": {"mean": 0.5, "std": 1.5, "a": -1.0, "b": 1.0},
    "trunc_normal_ ": {"std": 1.0, "a": 1.5, "b": 1.8},
    "trunc_normal_  ": {"mean": 1.0, "std": 0.1},
    "sparse_": {"sparsity": 0.3, "std": 1.0},
    "orthogonal_": {"gain": 2.0},
}


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("sizes", [SIZES, (150, 8, 5, 5)])
def test_distributions(name, sizes):
    if name == "sparse_" and len(sizes) > 2:
        sizes = (300, 100)
    ag.manual_seed(3)
    torch.manual_seed(3)
    options = RANDOM[name]
    name = name.strip()
    ours, theirs = ag.empty(*sizes), torch.empty(*sizes)
    assert getattr(ag.nn.init, name)(ours, **options) is ours
    getattr(torch.nn.init, name)(theirs, **options)
    a, b = np.asarray(ours), theirs.numpy()
    # The gap of two samples of 30,000 exceeds 0.0166 once in a thousand times.
    assert largest_gap(a, b) < 0.0166
    assert a.mean() == pytest.approx(b.mean(), abs=5 * b.std() / np.sqrt(b.size))
    assert not ours.requires_grad


@pytest.mark.parametrize("sizes", [(20, 50), (50, 20), (4, 3, 2), (1, 1), (3, 3)])
def test_orthogonal(sizes):
    w = ag.nn.init.orthogonal_(ag.empty(*sizes), gain=3.0).reshape(sizes[0], -1)
    square = w @ w.t() if w.shape[0] <= w.shape[1] else w.t() @ w
    np.testing.assert_allclose(np.asarray(square), 9 * np.eye(square.shape[0]), atol=1e-5)
    # Columns have no preferred sign or direction.
    signs = [ag.nn.init.orthogonal_(ag.empty(2, 2))[0, 0].item() > 0 for _ in range(200)]
    assert 60 < sum(signs) < 140


def test_sparse_columns():
    w = np.asarray(ag.nn.init.sparse_(ag.empty(50, 30), 0.21))
    assert ((w == 0).sum(0) == 11).all()
    assert len({tuple(column) for column in (w == 0).T}) > 20


def test_parameters_are_filled_without_history():
    layer = ag.nn.Linear(3, 2)
    for name in ("ones_", "zeros_", "eye_", "uniform_", "orthogonal_", "trunc_normal_"):
        assert getattr(ag.nn.init, name)(layer.weight) is layer.weight
        assert layer.weight.is_leaf
        assert layer.weight.requires_grad


FIXED = {
    "constant": lambda lib, nn: nn.init.constant_(lib.empty(2, 3), 1.5),
    "ones": lambda lib, nn: nn.init.ones_(lib.empty(2)),
    "zeros": lambda lib, nn: nn.init.zeros_(lib.empty(2)),
    "eye": lambda lib, nn: nn.init.eye_(lib.empty(2, 3)),
    "eye not contiguous": lambda lib, nn: nn.init.eye_(lib.empty(2, 3).t()),
    "dirac 1d": lambda lib, nn: nn.init.dirac_(lib.empty(4, 2, 3)),
    "dirac 2d in groups": lambda lib, nn: nn.init.dirac_(lib.empty(4, 2, 3, 2), 2),
    "dirac 3d": lambda lib, nn: nn.init.dirac_(lib.empty(2, 2, 3, 1, 2)),
    "gains": lambda lib, nn: [
        nn.init.calculate_gain(name)
        for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "selu", "leaky_relu")
    ],
    "gain of a slope": lambda lib, nn: nn.init.calculate_gain("leaky_relu", 0.3),
    "fans": lambda lib, nn: nn.init._calculate_fan_in_and_fan_out(lib.empty(6, 5, 3, 2)),
    "no elements": lambda lib, nn: nn.init.orthogonal_(lib.empty(0, 3)),
    "unknown gain": lambda lib, nn: nn.init.calculate_gain("swish"),
    "gain of True": lambda lib, nn: nn.init.calculate_gain("leaky_relu", True),
    "eye 1d": lambda lib, nn: nn.init.eye_(lib.empty(3)),
    "dirac of a matrix": lambda lib, nn: nn.init.dirac_(lib.empty(3, 3)),
    "dirac of wrong groups": lambda lib, nn: nn.init.dirac_(lib.empty(3, 3, 3), 2),
    "fans of a vector": lambda lib, nn: nn.init.xavier_uniform_(lib.empty(3)),
    "unknown mode": lambda lib, nn: nn.init.kaiming_uniform_(lib.empty(3, 3), mode="x"),
    "orthogonal vector": lambda lib, nn: nn.init.orthogonal_(lib.empty(3)),
    "sparse vector": lambda lib, nn: nn.init.sparse_(lib.empty(3), 0.1),
    "low above high": lambda lib, nn: nn.init.uniform_(lib.empty(3), 2.0, 1.0),
    "negative std": lambda lib, nn: nn.init.normal_(lib.empty(3), 0.0, -1.0),
}


@pytest.mark.parametrize("name", FIXED)
def test_fixed_values_and_errors(name):
    agree(FIXED[name])


@pytest.mark.parametrize("name", sorted({name.strip() for name in RANDOM}))
def test_generators(name):
    fill = getattr(ag.nn.init, name)
    options = {"sparsity": 0.5} if name == "sparse_" else {}

    def draw():
        return fill(ag.empty(4, 5), generator=ag.Generator().manual_seed(7), **options).tolist()

    assert draw() == draw()
    assert fill(ag.empty(4, 5), **options).tolist() != draw()


def test_warnings():
    with pytest.warns(UserWarning, match="no-op"):
        ag.nn.init.kaiming_uniform_(ag.empty(0, 3))
    with pytest.warns(UserWarning, match="more than 2 std"):
        ag.nn.init.trunc_normal_(ag.empty(3), mean=9.0)
