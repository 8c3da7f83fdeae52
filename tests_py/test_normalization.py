"""Normalization layers and dropout: statistics, buffers, modules, randomness. PyTorch is the oracle."""

import numpy as np
import pytest
import torch
from compare import make, same, vs_torch

import autograd as ag

RNG = np.random.default_rng(7)
X = {shape: RNG.standard_normal(shape) * 3 + 1 for shape in [(20, 37), (6, 4, 5), (3, 4, 5, 6)]}
LARGE = RNG.standard_normal((300, 130)) + 5


def run_layer(lib, name, arguments, options, x, training=True, times=2, dtype="float64"):
    """Outputs, gradients and state of a layer after a few batches, then its output in evaluation."""
    layer = getattr(lib.nn, name)(*arguments, **options, dtype=getattr(lib, dtype))
    layer.train(training)
    found = []
    for i in range(times):
        given = make(lib, x * (i + 1), dtype, requires_grad=True)
        y = layer(given)
        wanted = [given, *layer.parameters()]
        found += [y, *lib.autograd.grad((y * y * y).sum(), wanted, retain_graph=True)]
    layer.eval()
    found.append(layer(make(lib, x, dtype)))
    return found, dict(layer.state_dict()), repr(layer)


LAYERS = [
    ("BatchNorm1d", (37,), {}, (20, 37)),
    ("BatchNorm1d", (37,), {"momentum": None}, (20, 37)),
    ("BatchNorm1d", (4,), {"affine": False, "momentum": 0.5}, (6, 4, 5)),
    ("BatchNorm1d", (4,), {"track_running_stats": False, "bias": False}, (6, 4, 5)),
    ("BatchNorm2d", (4,), {"eps": 0.5}, (3, 4, 5, 6)),
    ("InstanceNorm1d", (4,), {}, (6, 4, 5)),
    ("InstanceNorm1d", (6,), {"affine": True}, (6, 4)),
    ("InstanceNorm2d", (4,), {"affine": True, "track_running_stats": True}, (3, 4, 5, 6)),
    ("GroupNorm", (2, 4), {}, (3, 4, 5, 6)),
    ("GroupNorm", (4, 4), {"affine": False}, (6, 4, 5)),
    ("LayerNorm", (5,), {}, (6, 4, 5)),
    ("LayerNorm", ((4, 5),), {"bias": False}, (6, 4, 5)),
    ("LayerNorm", ([4, 5],), {"elementwise_affine": False}, (6, 4, 5)),
    ("RMSNorm", (5,), {}, (6, 4, 5)),
    ("RMSNorm", ((4, 5),), {"eps": 0.1, "elementwise_affine": False}, (6, 4, 5)),
]


@pytest.mark.parametrize("name, arguments, options, shape", LAYERS)
@vs_torch
def test_layers(lib, name, arguments, options, shape):
    x = X.get(shape)
    if x is None:
        x = X[(6, 4, 5)][..., 0]
    return run_layer(lib, name, arguments, options, x)


@pytest.mark.parametrize("name, size", [("BatchNorm1d", 130), ("LayerNorm", 130), ("RMSNorm", 130)])
@pytest.mark.parametrize("threads", [1, 2])
def test_many_rows(name, size, threads):
    """More rows than one chunk of sums takes, on one and two threads."""
    expected = run_layer(torch, name, (size,), {}, LARGE, times=1)
    before = ag.get_num_threads()
    ag.set_num_threads(threads)
    try:
        actual = run_layer(ag, name, (size,), {}, LARGE, times=1)
    finally:
        ag.set_num_threads(before)
    same(actual, expected)


@pytest.mark.parametrize("offset", [1e4, -1e4])
@pytest.mark.parametrize("name", ["layer_norm", "batch_norm", "group_norm"])
def test_large_means_cost_few_digits(name, offset):
    """float32 rows far from zero: as good as exact statistics of the rounded numbers allow."""
    x = (RNG.standard_normal((64, 48)) + offset).astype("float32")
    arguments = {
        "layer_norm": ((48,),),
        "batch_norm": (None, None, None, None, True),
        "group_norm": (1,),
    }[name]
    exact = getattr(torch.nn.functional, name)(torch.tensor(x).double(), *arguments)
    ours = getattr(ag.nn.functional, name)(ag.tensor(x.tolist()), *arguments)
    assert np.abs(np.array(ours.tolist()) - exact.numpy()).max() < 4e-3


def test_statistics_follow_training_only():
    layer = ag.nn.BatchNorm1d(3)
    layer.eval()
    layer(ag.randn(5, 3))
    assert layer.running_mean.tolist() == [0, 0, 0] and layer.num_batches_tracked.item() == 0
    layer.train()
    layer(ag.randn(5, 3))
    assert layer.running_mean.tolist() != [0, 0, 0] and layer.num_batches_tracked.item() == 1
    layer.reset_running_stats()
    assert layer.running_var.tolist() == [1, 1, 1] and layer.num_batches_tracked.item() == 0


def test_two_batches_before_backward():
    """The running statistics that a second batch changes are not what the first one's gradient reads."""
    layer = ag.nn.BatchNorm1d(3)
    (layer(ag.randn(5, 3)).sum() + layer(ag.randn(5, 3)).sum()).backward()


def test_frozen_statistics_are_safe():
    """A gradient in evaluation is that of the statistics used, even if they change before backward."""
    layer = ag.nn.BatchNorm1d(2).eval()
    x = ag.tensor([[1.0, 2.0]], requires_grad=True)
    y = layer(x)
    layer.running_var.fill_(4.0)
    y.sum().backward()
    assert np.allclose(x.grad.tolist(), 1 / np.sqrt(1 + 1e-5))


BAD_INPUTS = [
    ("BatchNorm1d", (3,), (3,)),
    ("BatchNorm2d", (3,), (2, 3)),
    ("BatchNorm3d", (3,), (2, 3, 4, 5)),
    ("BatchNorm1d", (4,), (2, 3)),
    ("InstanceNorm1d", (3,), (3,)),
    ("InstanceNorm2d", (3,), (2, 3)),
    ("InstanceNorm3d", (3,), (2, 3)),
    ("LayerNorm", (4,), (2, 3)),
    ("RMSNorm", (4,), (2, 3)),
    ("GroupNorm", (1, 4), (2, 3)),
]


@pytest.mark.parametrize("name, arguments, shape", BAD_INPUTS)
@vs_torch(raises="(?i)expect|contain|should")
def test_bad_inputs(lib, name, arguments, shape):
    getattr(lib.nn, name)(*arguments)(lib.ones(shape))


@vs_torch(raises="match num_features")
def test_instance_norm_checks_affine_channels(lib):
    lib.nn.InstanceNorm1d(4, affine=True)(lib.ones(2, 3, 5))


@vs_torch(raises="must be divisible")
def test_groups_have_to_divide(lib):
    lib.nn.GroupNorm(2, 3)


# ---- dropout

DROPOUTS = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"]


@pytest.mark.parametrize("name", DROPOUTS)
def test_dropout_modules(name):
    x = ag.randn(4, 3, 2, 2, 2) if name == "Dropout3d" else ag.randn(4, 3, 2)
    layer = getattr(ag.nn, name)(0.25)
    assert repr(layer) == f"{name}(p=0.25, inplace=False)"
    assert layer.eval()(x) is x
    assert layer.train()(x).tolist() != x.tolist()
    for p in (-0.1, 1.1):
        with pytest.raises(ValueError, match="between 0 and 1"):
            getattr(ag.nn, name)(p)


def test_dropout_is_reproducible_and_scaled():
    x = ag.ones(400, 500)
    ag.manual_seed(3)
    first = ag.nn.functional.dropout(x, 0.3)
    ag.manual_seed(3)
    second = ag.nn.functional.dropout(x, 0.3)
    third = ag.nn.functional.dropout(x, 0.3)
    assert first.tolist() == second.tolist() != third.tolist()
    values = np.array(first.tolist())
    assert np.allclose(np.unique(values), [0, 1 / 0.7])
    # 200,000 draws: five standard deviations are 0.005
    assert abs((values == 0).mean() - 0.3) < 0.0052
    assert abs((values[:, ::7] == 0).mean() - 0.3) < 0.014


def test_dropout_does_not_depend_on_threads():
    x, seen = ag.ones(600, 700), []
    before = ag.get_num_threads()
    for threads in (1, 2):
        ag.set_num_threads(threads)
        ag.manual_seed(5)
        seen.append(ag.nn.functional.dropout(x, 0.5).tolist())
    ag.set_num_threads(before)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", ["dropout", "dropout2d", "alpha_dropout", "feature_alpha_dropout"])
def test_dropout_gradients(name):
    """The gradient uses the mask of the forward pass, to every order."""
    function = getattr(ag.nn.functional, name)
    x = ag.randn(6, 5, 4, 3, dtype=ag.float64, requires_grad=True)
    g = ag.randn(6, 5, 4, 3, dtype=ag.float64, requires_grad=True)
    ag.manual_seed(1)
    y = function(x, 0.4, True)
    ag.manual_seed(1)
    slope = function(x.detach() + 1, 0.4, True) - y.detach()  # y is affine in x
    (dx,) = ag.autograd.grad(y, x, g, create_graph=True)
    same(dx.detach(), torch.tensor((slope * g).tolist(), dtype=torch.float64))
    (dg,) = ag.autograd.grad(dx.sum(), g)
    same(dg, torch.tensor(slope.tolist(), dtype=torch.float64))


def test_channel_dropout_drops_channels():
    for name, shape in (("dropout1d", (50, 40, 7)), ("dropout2d", (50, 40, 2, 3))):
        y = np.array(getattr(ag.nn.functional, name)(ag.ones(shape), 0.5).tolist())
        flat = y.reshape(50, 40, -1)
        assert (flat == flat[:, :, :1]).all()
        assert 0.4 < (flat == 0).mean() < 0.6


@vs_torch
def test_rms_norm_with_an_eps_that_is_no_number(lib):
    x = make(lib, X[6, 4, 5], "float64", requires_grad=True)
    y = lib.nn.functional.rms_norm(x, (5,), eps=float("nan"))
    return y, lib.autograd.grad(y.sum(), x)[0]


def test_alpha_dropout_keeps_mean_and_variance():
    y = ag.nn.functional.alpha_dropout(ag.randn(400, 500), 0.3, True)
    assert abs(y.mean().item()) < 0.02 and abs(y.var().item() - 1) < 0.03


def test_dropout_in_place():
    x = ag.ones(1000)
    y = ag.nn.functional.dropout(x, 0.5, inplace=True)
    assert y is x and set(x.tolist()) == {0.0, 2.0}
    leaf = ag.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        ag.nn.functional.dropout(leaf, 0.5, inplace=True)


@vs_torch(raises="between 0 and 1")
@pytest.mark.parametrize("p", [-0.5, 1.5])
def test_bad_probability(lib, p):
    lib.nn.functional.dropout(lib.ones(3), p)


@vs_torch(raises="can't be cast")
def test_dropout_of_integers(lib):
    lib.nn.functional.dropout(lib.ones(3).to(lib.int64), 0.5)


@vs_torch(raises="2D or 3D input")
def test_dropout1d_dims(lib):
    lib.nn.functional.dropout1d(lib.ones(3), 0.5)
