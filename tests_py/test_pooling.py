"""Pooling: ties, NaN and infinities, layers."""

import itertools

import numpy as np
import pytest
import torch
from compare import make, same, vs_torch

import autograd as ag

NAN, INF = float("nan"), float("inf")
# Windows of 2 x 2 and larger ones, which run through different code.
WINDOWS = [{"kernel_size": 2}, {"kernel_size": 3, "stride": 1}, {"kernel_size": 3, "padding": 1}]


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_special_values(window):
    """Which element wins among equal ones, NaN, infinities and zeros of both signs, as in PyTorch."""
    rng = np.random.default_rng(0)
    values = rng.choice([NAN, INF, -INF, 0.0, -0.0, 1.0], (4, 3, 8, 8), p=[0.1] * 4 + [0.3] * 2)
    for dtype in ("float32", "float64"):
        results = [
            lib.nn.functional.max_pool2d(make(lib, values, dtype), **window, return_indices=True)
            for lib in (torch, ag)
        ]
        same(results[1], results[0])
        assert np.isnan(np.array(results[1][0].tolist())).any()


@vs_torch
def test_adaptive_special_values(lib):
    values = np.array([[[NAN, 1, 1, -INF, -INF, -INF, 0.0, INF]]])
    return lib.nn.functional.adaptive_max_pool1d(make(lib, values), 3, return_indices=True)


@vs_torch
def test_means_over_everything_of_any_rank(lib):
    """adaptive_avg_pool2d(x, 1) asks for no third dim, and knows tensors with five."""
    x = lib.arange(120.0).reshape(2, 3, 4, 5)
    pool = lib.nn.functional.adaptive_avg_pool2d
    return [pool(part, 1) for part in (x, x[0], x[0, 0], x.reshape(1, 2, 3, 4, 5))]


@vs_torch
def test_gradients_at_ties(lib):
    """One of several equal elements gets the whole gradient."""
    x = lib.zeros(1, 1, 4, 4).requires_grad_()
    y = lib.nn.functional.max_pool2d(x, 2) + lib.nn.functional.max_pool2d(x, 3, 1, 1).sum()
    return lib.autograd.grad(y.sum(), [x])


SHAPES = {"1d": (2, 4, 9), "2d": (2, 4, 9, 8), "3d": (1, 2, 5, 6, 7)}
LAYERS = [
    *[(f"MaxPool{n}", (3,), {"stride": 2, "padding": 1, "ceil_mode": True}, n) for n in SHAPES],
    *[(f"MaxPool{n}", (2,), {"return_indices": True}, n) for n in SHAPES],
    *[(f"AvgPool{n}", (3, 2), {"padding": 1, "count_include_pad": False}, n) for n in SHAPES],
    *[(f"AdaptiveAvgPool{n}", (3,), {}, n) for n in SHAPES],
    *[(f"AdaptiveMaxPool{n}", (2,), {"return_indices": True}, n) for n in SHAPES],
    ("AvgPool2d", (2,), {"divisor_override": 3}, "2d"),
    ("AdaptiveAvgPool2d", ((None, 2),), {}, "2d"),
    ("Unfold", ((2, 3),), {"padding": 1, "stride": 2}, "2d"),
    ("Fold", ((4, 4), 2), {}, None),
]


@pytest.mark.parametrize("name, args, kwargs, n", LAYERS, ids=lambda value: str(value))
def test_layer(name, args, kwargs, n):
    """Text and result of the layers."""
    values = np.random.default_rng(0).standard_normal(SHAPES[n] if n else (2, 8, 9))
    layers = [getattr(lib.nn, name)(*args, **kwargs) for lib in (torch, ag)]
    assert repr(layers[1]) == repr(layers[0])
    results = [layer(make(lib, values)) for lib, layer in zip((torch, ag), layers)]
    same(results[1], results[0])


def test_unfold_and_fold_are_transposed():
    """<unfold x, c> = <x, fold c>."""
    rng = np.random.default_rng(0)
    options = {"kernel_size": (2, 3), "dilation": 2, "padding": 1, "stride": (1, 2)}
    x = make(ag, rng.standard_normal((2, 3, 7, 8)), "float64")
    columns = ag.nn.functional.unfold(x, **options)
    c = make(ag, rng.standard_normal(tuple(columns.shape)), "float64")
    image = ag.nn.functional.fold(c, (7, 8), **options)
    assert abs(((columns * c).sum() - (x * image).sum()).item()) < 1e-9


def test_top_level_names():
    """These are also functions of the package, as in PyTorch."""
    names = [name for name in dir(torch) if "pool" in name and hasattr(ag.nn.functional, name)]
    assert len(names) >= 7
    for name in names:
        assert getattr(ag, name) is getattr(ag.nn.functional, name)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads(threads):
    """Work that is shared out to threads gives the same."""
    before = ag.get_num_threads()
    ag.set_num_threads(threads)
    try:
        values = np.random.default_rng(0).standard_normal((8, 16, 33, 34))
        for name, size in itertools.product(("max_pool2d", "avg_pool2d"), (2, 3)):
            results = []
            for lib in (torch, ag):
                x = make(lib, values, requires_grad=True)
                y = getattr(lib.nn.functional, name)(x, size, 2)
                (y * y).sum().backward()
                results.append((y, x.grad))
            same(results[1], results[0])
    finally:
        ag.set_num_threads(before)
