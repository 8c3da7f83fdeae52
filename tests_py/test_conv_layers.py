"""Convolution layers: PyTorch's parameters, text, start and results."""

import itertools
import math

import numpy as np
import pytest
import torch
from compare import make, same, vs_torch

import autograd as ag

LAYERS = [
    ("Conv1d", (4, 6, 3), {"padding": 1}, (2, 4, 7)),
    ("Conv2d", (4, 6, 3), {}, (2, 4, 5, 6)),
    ("Conv2d", (4, 6, (3, 2)), {"stride": (2, 1), "padding": (0, 1), "dilation": 2}, (4, 6, 7)),
    ("Conv2d", (4, 6, 3), {"groups": 2, "bias": False, "padding": "same"}, (2, 4, 5, 6)),
    ("Conv2d", (4, 6, 3), {"padding": "valid"}, (2, 4, 5, 6)),
    ("Conv3d", (2, 3, 2), {"padding": 1}, (1, 2, 3, 4, 3)),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2}, (2, 4, 5)),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2, "padding": 1, "output_padding": 1}, (2, 4, 3, 4)),
    ("ConvTranspose2d", (4, 6, 3), {"groups": 2, "dilation": 2, "bias": False}, (2, 4, 3, 4)),
    ("ConvTranspose3d", (2, 3, 2), {"stride": (1, 2, 3)}, (1, 2, 2, 3, 2)),
]
IDS = [f"{name}-{i}" for i, (name, *_) in enumerate(LAYERS)]


def pair(name, args, kwargs):
    """The layer of both libraries, with the same parameters."""
    theirs = getattr(torch.nn, name)(*args, **kwargs)
    mine = getattr(ag.nn, name)(*args, **kwargs)
    state = {key: ag.tensor(value.tolist()) for key, value in theirs.state_dict().items()}
    mine.load_state_dict(state)
    return mine, theirs


@pytest.mark.parametrize("name, args, kwargs, shape", LAYERS, ids=IDS)
def test_layer(name, args, kwargs, shape):
    """Text, names and shapes of parameters, result and gradients."""
    mine, theirs = pair(name, args, kwargs)
    assert repr(mine) == repr(theirs)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    values = np.random.default_rng(0).standard_normal(shape)
    results = []
    for lib, layer in ((torch, theirs), (ag, mine)):
        x = make(lib, values, "float32", requires_grad=True)
        y = layer(x)
        (y * y).sum().backward()
        results.append((y, x.grad, *(p.grad for p in layer.parameters())))
    same(results[1], results[0])


@pytest.mark.parametrize("name", ["Conv2d", "ConvTranspose2d"])
def test_start(name):
    """Parameters start uniform between the bounds that PyTorch draws them from."""
    layer = getattr(ag.nn, name)(8, 12, 5, groups=2)
    bound = 1 / math.sqrt(layer.weight[0].numel())
    theirs = getattr(torch.nn, name)(8, 12, 5, groups=2)
    for drawn, other in zip(layer.parameters(), theirs.parameters()):
        values = np.array(drawn.tolist())
        assert np.abs(values).max() <= bound and other.abs().max().item() <= bound
    weight = np.array(layer.weight.tolist())
    assert abs(weight.std() - bound / math.sqrt(3)) < 0.05 * bound
    assert np.abs(weight).max() > 0.98 * bound


def test_changed_attributes_are_seen():
    """A stride or padding set later is used."""
    mine, theirs = pair("Conv2d", (2, 3, 3), {})
    values = np.random.default_rng(0).standard_normal((1, 2, 7, 7))
    for attribute, value in (("stride", (2, 2)), ("padding", (1, 1)), ("dilation", (2, 2))):
        results = []
        for lib, layer in ((torch, theirs), (ag, mine)):
            setattr(layer, attribute, value)
            results.append(layer(make(lib, values, "float32")))
        same(results[1], results[0])


def test_output_size():
    """output_size chooses among the sizes that a stride leaves open, or is refused."""
    mine, theirs = pair("ConvTranspose2d", (2, 3, 3), {"stride": 3})
    values = np.random.default_rng(0).standard_normal((1, 2, 4, 4))
    for size in ((12, 13), (14, 12), (1, 3, 13, 13)):
        same(
            mine(make(ag, values), output_size=size), theirs(make(torch, values), output_size=size)
        )
    for size in ((11, 12), (12, 15), (12,)):
        for lib, layer in ((torch, theirs), (ag, mine)):
            with pytest.raises(ValueError):
                layer(make(lib, values), output_size=size)


BAD_LAYERS = [
    {"groups": 3},
    {"groups": 0},
    {"padding": "foo"},
    {"padding": "same", "stride": 2},
    {"padding_mode": "foo"},
]


@pytest.mark.parametrize("kwargs", BAD_LAYERS, ids=str)
def test_bad_layers(kwargs):
    for lib in (torch, ag):
        with pytest.raises(ValueError):
            lib.nn.Conv2d(4, 6, 3, **kwargs)
    with pytest.raises(ValueError):
        ag.nn.ConvTranspose2d(4, 6, 3, padding_mode="circular")


@vs_torch(raises="to have 4 channels, but got 3 channels instead")
def test_wrong_channels(lib):
    lib.nn.Conv2d(4, 6, 3)(lib.ones(1, 3, 8, 8))


def test_top_level_names():
    """conv2d is also a function of the package, as in PyTorch."""
    for n, kind in itertools.product((1, 2, 3), ("conv", "conv_transpose")):
        assert getattr(ag, f"{kind}{n}d") is getattr(ag.nn.functional, f"{kind}{n}d")


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [1, (2, 1), "same"])
def test_padding_modes(mode, padding):
    """Padding with elements of the input."""
    mine, theirs = pair("Conv2d", (2, 3, 3), {"padding": padding, "padding_mode": mode})
    assert repr(mine) == repr(theirs)
    values = np.random.default_rng(0).standard_normal((1, 2, 5, 6))
    same(mine(make(ag, values)), theirs(make(torch, values)))


@pytest.mark.parametrize("threads", [1, 2])
def test_threads(threads):
    """Work that is shared out to threads, over images or within one, gives the same."""
    before = ag.get_num_threads()
    ag.set_num_threads(threads)
    try:
        for batch, groups, stride in itertools.product((1, 9), (1, 2), (1, 2)):
            options = {"padding": 1, "groups": groups, "stride": stride}
            mine, theirs = pair("Conv2d", (16, 18, 3), options)
            values = np.random.default_rng(0).standard_normal((batch, 16, 40, 41))
            results = []
            for lib, layer in ((torch, theirs), (ag, mine)):
                x = make(lib, values, requires_grad=True)
                y = layer(x)
                (y * y).mean().backward()
                results.append((y, x.grad, *(p.grad for p in layer.parameters())))
            same(results[1], results[0])
    finally:
        ag.set_num_threads(before)


# Batch, channels, filters, spatial sizes, padding: 3 x 3 filters over many channels, which float32
# takes by Winograd's way.
MANY = [
    (3, 32, 33, (20, 21), 1),
    (2, 40, 32, (27, 30), 0),
    (2, 35, 48, (19, 16), 2),
    (2, 64, 33, (20, 20), 3),
]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("batch, channels, filters, sizes, padding", MANY)
def test_many_channels(batch, channels, filters, sizes, padding, threads):
    """As near to float64 as PyTorch's float32, and the same for the gradients and the transposed map."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((batch, channels, *sizes))
    weight = rng.standard_normal((filters, channels, 3, 3)) / math.sqrt(9 * channels)
    out = [n + 2 * padding - 2 for n in sizes]
    values = (
        image,
        weight,
        rng.standard_normal(filters),
        rng.standard_normal((batch, filters, *out)),
    )

    def results(lib, dtype):
        x, w, b, g = (make(lib, v, dtype=dtype, requires_grad=True) for v in values)
        y = lib.nn.functional.conv2d(x, w, b, padding=padding)
        back = lib.nn.functional.conv_transpose2d(
            g, w, b.sum() * lib.ones_like(x[0, :, 0, 0]), padding=padding
        )
        grads = lib.autograd.grad((y * g).sum() + (back * x).sum(), (x, w, b, g))
        return [lib.asarray(r.detach()).numpy() for r in (y, back, *grads)]

    before = ag.get_num_threads()
    ag.set_num_threads(threads)
    try:
        mine = results(ag, "float32")
    finally:
        ag.set_num_threads(before)
    for found, theirs, exact in zip(mine, results(torch, "float32"), results(torch, "float64")):
        error = np.abs(found - exact).max()
        assert error <= max(2 * np.abs(theirs - exact).max(), 1e-6 * np.abs(exact).max())


@pytest.mark.parametrize("threads", [1, 2])
def test_many_channels_within_a_fused_op(threads):
    """Steps behind a convolution run image by image, or once all threads are done with one."""
    layer = ag.nn.Conv2d(32, 32, 3, padding=1)
    layer.requires_grad_(False)

    def work(x):
        return (layer(x).relu() * 2).sigmoid()

    x = ag.randn(3, 32, 20, 22)
    before = ag.get_num_threads()
    ag.set_num_threads(threads)
    try:
        compiled = ag.compile(work)
        for _ in range(3):
            found = compiled(x)
        assert "convolution + relu + mul + sigmoid" in str(compiled.graph())
        same(found, torch.tensor(work(x).numpy()))
    finally:
        ag.set_num_threads(before)
