"""Layers that learn the size of their input from the first one, against PyTorch's."""

import copy

import pytest
import torch
from both_libraries import agree

import autograd as ag
from autograd import nn

LAYERS = {
    "LazyLinear": ((4,), {}, (2, 3)),
    "LazyConv1d": ((4, 3), {"padding": 1}, (2, 3, 7)),
    "LazyConv2d": ((4, (3, 2)), {"groups": 2, "bias": False}, (2, 6, 7, 8)),
    "LazyConv3d": ((4, 2), {}, (1, 3, 4, 5, 6)),
    "LazyConvTranspose1d": ((4, 3), {"stride": 2}, (2, 3, 7)),
    "LazyConvTranspose2d": ((4, 3), {"groups": 2}, (2, 6, 4, 5)),
    "LazyConvTranspose3d": ((4, 2), {}, (1, 3, 2, 3, 4)),
    "LazyBatchNorm1d": ((), {}, (2, 3)),
    "LazyBatchNorm2d": ((), {"affine": False}, (2, 3, 4, 5)),
    "LazyBatchNorm3d": ((), {"momentum": 0.5}, (2, 3, 2, 2, 2)),
    "LazyInstanceNorm1d": ((), {"affine": True, "track_running_stats": True}, (2, 3, 7)),
    "LazyInstanceNorm2d": ((), {}, (2, 3, 4, 5)),
    "LazyInstanceNorm3d": ((), {"affine": True}, (2, 3, 2, 2, 2)),
}


def network(lib):
    """Lazy layers of three kinds in a row."""
    nn = lib.nn
    layers = (nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))
    return nn.Sequential(*layers)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_becomes_another(name):
    arguments, options, shape = LAYERS[name]

    def run(lib, nn):
        layer = getattr(nn, name)(*arguments, **options)
        before = repr(layer), list(layer.state_dict()), layer.has_uninitialized_params()
        result = layer(lib.ones(shape))
        shapes = [list(value.shape) for value in layer.state_dict().values()]
        with lib.no_grad():
            for p in layer.parameters():
                p.copy_(lib.arange(float(p.numel())).reshape(p.shape) / p.numel())
        named = [n for n, _ in layer.named_parameters()]
        x = lib.arange(float(lib.ones(shape).numel())).reshape(shape) / 100
        return [*before, list(result.shape), repr(layer), shapes, named, layer(x)]

    agree(run)


def test_a_network_is_trained_by_an_optimizer_made_before():
    ag.manual_seed(0)
    model = network(ag)
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1)
    kept = list(model.parameters())
    x = ag.randn(2, 3, 5, 5)
    losses = []
    for _ in range(5):
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert all(a is b and type(a) is nn.Parameter for a, b in zip(kept, model.parameters()))
    assert [type(layer) for layer in model] == [
        nn.Conv2d,
        nn.BatchNorm2d,
        nn.ReLU,
        nn.Flatten,
        nn.Linear,
    ]


def test_the_start_is_that_of_the_layer_it_becomes():
    ag.manual_seed(3)
    lazy = nn.LazyConv2d(4, 3)
    ag.manual_seed(5)
    lazy(ag.ones(1, 2, 5, 5))
    ag.manual_seed(5)
    assert ag.equal(lazy.weight, nn.Conv2d(2, 4, 3).weight)


def test_states():
    def run(lib, nn):
        source, fresh, other = network(lib), network(lib), network(lib)
        fresh.load_state_dict(source.state_dict())
        still = fresh[0].has_uninitialized_params()
        x = lib.ones(2, 3, 5, 5)
        expected = source(x)
        fresh.load_state_dict(source.state_dict())
        other(x)
        other.load_state_dict(source.state_dict())
        same = [lib.allclose(model(x), expected) for model in (fresh, other)]
        return [still, same, list(fresh.state_dict())]

    agree(run)
    model = network(ag)
    model(ag.ones(2, 3, 5, 5))
    with pytest.raises(RuntimeError, match="size mismatch for 0.weight"):
        model.load_state_dict(network(ag).state_dict())


def test_copies_and_dtypes():
    model = network(ag).double()
    copied = copy.deepcopy(model)
    assert copied(ag.ones(2, 3, 5, 5, dtype=ag.float64)).dtype is ag.float64
    assert isinstance(model[0], nn.LazyConv2d) and type(copied[0]) is nn.Conv2d
    assert copied[1].running_mean.dtype is ag.float64


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (lambda lib, nn: nn.LazyLinear(3).weight.shape, "RuntimeError"),
        (lambda lib, nn: nn.LazyLinear(3).weight.numel(), "ValueError"),
        (lambda lib, nn: nn.LazyConv1d(2, 3)(lib.ones(3)), "RuntimeError"),
        (lambda lib, nn: nn.LazyConv2d(4, 3, groups=2)(lib.ones(1, 3, 5, 5)), "ValueError"),
        (lambda lib, nn: nn.LazyLinear(), "TypeError"),
    ],
)
def test_bad_calls(bad, error):
    assert agree(bad) == ("raises", error)


def test_a_refused_input_leaves_the_layer_lazy():
    layer = nn.LazyConv2d(4, 3, groups=2)
    with pytest.raises(ValueError, match="divisible by groups, got 3 and 2"):
        layer(ag.ones(1, 3, 5, 5))
    assert layer(ag.ones(1, 4, 5, 5)).shape == (1, 4, 3, 3)


def test_compiling_asks_for_a_first_call():
    model = network(ag)
    x = ag.ones(2, 3, 5, 5)
    compiled = ag.compile(lambda x: model(x).detach().sum())
    with pytest.raises(RuntimeError, match="LazyConv2d has not seen an input yet"):
        compiled(x)
    model(x)
    assert compiled(x).item() == pytest.approx(model(x).sum().item(), rel=1e-5)
    assert repr(nn.LazyLinear(2).weight) == repr(torch.nn.LazyLinear(2).weight)
