"""RNN, LSTM, GRU and their cells as modules: PyTorch's weights give PyTorch's results and gradients."""

import itertools

import numpy as np
import pytest
import torch
from compare import make, outcome, same, same_outcome, vs_torch

import autograd as ag

LAYERS = ("RNN", "LSTM", "GRU")
CELLS = ("RNNCell", "LSTMCell", "GRUCell")


def numbers(lib, *shape, seed=0, requires_grad=False):
    values = np.random.default_rng(seed).standard_normal(shape)
    return make(lib, values, "float64", requires_grad=requires_grad)


def pair(name, *args, **kwargs):
    """The same module in both libraries, with the same weights."""
    theirs = getattr(torch.nn, name)(*args, **kwargs).double()
    mine = getattr(ag.nn, name)(*args, **kwargs).double()
    state = {k: ag.tensor(v.tolist(), dtype=ag.float64) for k, v in theirs.state_dict().items()}
    assert list(mine.state_dict()) == list(state)
    mine.load_state_dict(state)
    assert repr(mine) == repr(theirs)
    return mine, theirs


def flat(result):
    """Nested results as one list."""
    if isinstance(result, (tuple, list)):
        return [t for part in result for t in flat(part)]
    return [result]


def check(mine, theirs, *shapes, states=()):
    """Results and gradients of inputs and weights agree."""
    found = []
    for lib, module in ((ag, mine), (torch, theirs)):
        x = [numbers(lib, *s, seed=i, requires_grad=True) for i, s in enumerate(shapes)]
        h = [numbers(lib, *s, seed=9 + i, requires_grad=True) for i, s in enumerate(states)]
        hx = () if not h else (tuple(h),) if len(h) > 1 else (h[0],)
        out = flat(module(*x, *hx))
        total = sum(((i + 1) * (y * y).sum() for i, y in enumerate(out)))
        total.backward()
        found.append((out, [t.grad for t in (*x, *h, *module.parameters())]))
    same(found[0], found[1])


@pytest.mark.parametrize(
    "name, bidirectional, batch_first, bias",
    list(itertools.product(LAYERS, (False, True), (False, True), (True, False))),
)
def test_layers(name, bidirectional, batch_first, bias):
    modules = pair(name, 3, 4, 2, bidirectional=bidirectional, batch_first=batch_first, bias=bias)
    sizes = (4 if bidirectional else 2, 2, 4)
    check(*modules, (5, 2, 3) if not batch_first else (2, 5, 3))
    states = [sizes] * (2 if name == "LSTM" else 1)
    check(*modules, (5, 2, 3) if not batch_first else (2, 5, 3), states=states)


@pytest.mark.parametrize("name", LAYERS)
def test_single_sequences(name):
    states = [(2, 4)] * (2 if name == "LSTM" else 1)
    for batch_first in (False, True):
        modules = pair(name, 3, 4, 2, batch_first=batch_first)
        check(*modules, (5, 3))
        check(*modules, (5, 3), states=states)


def test_projections():
    modules = pair("LSTM", 3, 5, 2, proj_size=2, bidirectional=True)
    check(*modules, (4, 2, 3))
    check(*modules, (4, 2, 3), states=[(4, 2, 2), (4, 2, 5)])


def test_relu():
    check(*pair("RNN", 3, 4, 2, "relu"), (5, 2, 3))
    check(*pair("RNN", 3, 4, nonlinearity="relu"), (5, 2, 3))
    check(*pair("RNNCell", 3, 4, nonlinearity="relu"), (2, 3))


@pytest.mark.parametrize("name, bias", list(itertools.product(CELLS, (True, False))))
def test_cells(name, bias):
    modules = pair(name, 3, 4, bias=bias)
    n = 2 if name == "LSTMCell" else 1
    check(*modules, (2, 3))
    check(*modules, (2, 3), states=[(2, 4)] * n)
    check(*modules, (3,), states=[(4,)] * n)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_draw_as_pytorch(name):
    """The weights lie in PyTorch's interval, and both biases are drawn."""
    layer = getattr(ag.nn, name)(3, 16)
    for weight in layer.parameters():
        values = np.array(weight.tolist())
        assert np.abs(values).max() <= 0.25 and np.abs(values).max() > 0.1
    assert [[tuple(w.shape) for w in one] for one in layer.all_weights] == [
        [tuple(w.shape) for w in one] for one in getattr(torch.nn, name)(3, 16).all_weights
    ]
    layer.flatten_parameters()


def test_dropout_between_layers():
    layer = ag.nn.LSTM(3, 4, 2, dropout=1.0)
    x = numbers(ag, 5, 2, 3).float()
    trained = layer(x)[1][0][1]
    layer.eval()
    assert not np.allclose(trained.tolist(), layer(x)[1][0][1].tolist())
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last"):
        ag.nn.GRU(3, 4, dropout=0.5)


CALLS = {
    "width": lambda lib: lib.nn.LSTM(3, 4)(lib.ones(5, 2, 4)),
    "one dim": lambda lib: lib.nn.LSTM(3, 4)(lib.ones(5)),
    "four dims": lambda lib: lib.nn.GRU(3, 4)(lib.ones(5, 2, 3, 4)),
    "batched state": lambda lib: lib.nn.GRU(3, 4)(lib.ones(5, 3), lib.ones(1, 1, 4)),
    "single state": lambda lib: lib.nn.GRU(3, 4)(lib.ones(5, 2, 3), lib.ones(1, 4)),
    "single states": lambda lib: lib.nn.LSTM(3, 4)(
        lib.ones(5, 2, 3), (lib.ones(1, 4), lib.ones(1, 4))
    ),
    "state": lambda lib: lib.nn.RNN(3, 4)(lib.ones(5, 2, 3), lib.ones(1, 3, 4)),
    "h": lambda lib: lib.nn.LSTM(3, 4)(lib.ones(5, 2, 3), (lib.ones(1, 3, 4), lib.ones(1, 2, 4))),
    "c": lambda lib: lib.nn.LSTM(3, 4)(lib.ones(5, 2, 3), (lib.ones(1, 2, 4), lib.ones(1, 3, 4))),
    "dtype": lambda lib: lib.nn.LSTM(3, 4)(lib.ones(5, 2, 3).double()),
    "no steps": lambda lib: lib.nn.LSTM(3, 4)(lib.ones(0, 2, 3)),
    "hidden_size": lambda lib: lib.nn.LSTM(3, 0),
    "float size": lambda lib: lib.nn.LSTM(3, 4.0),
    "num_layers": lambda lib: lib.nn.LSTM(3, 4, num_layers=0),
    "dropout": lambda lib: lib.nn.LSTM(3, 4, dropout=2),
    "proj_size": lambda lib: lib.nn.LSTM(3, 4, proj_size=5),
    "negative proj_size": lambda lib: lib.nn.LSTM(3, 4, proj_size=-1),
    "GRU proj_size": lambda lib: lib.nn.GRU(3, 4, proj_size=2),
    "nonlinearity": lambda lib: lib.nn.RNN(3, 4, nonlinearity="x"),
    "cell nonlinearity": lambda lib: lib.nn.RNNCell(3, 4, nonlinearity="x")(lib.ones(2, 3)),
    "bias": lambda lib: lib.nn.LSTM(3, 4, bias=3),
    "cell width": lambda lib: lib.nn.LSTMCell(3, 4)(lib.ones(2, 4)),
    "cell dims": lambda lib: lib.nn.LSTMCell(3, 4)(lib.ones(2, 2, 3)),
    "cell rows": lambda lib: lib.nn.GRUCell(3, 4)(lib.ones(2, 3), lib.ones(3, 4)),
    "cell hidden": lambda lib: lib.nn.RNNCell(3, 4)(lib.ones(2, 3), lib.ones(2, 5)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_bad_calls(call):
    """PyTorch's class of error, and how its text begins."""
    expected, actual = outcome(call, torch), outcome(call, ag)
    assert isinstance(expected, Exception)
    same_outcome(actual, expected)
    start = str(expected)[:32].split("torch.")[0]
    assert start in str(actual), f"{start!r} is not in {str(actual)!r}"


@vs_torch
def test_empty_batch(lib):
    layer = lib.nn.LSTM(3, 4, 2, bidirectional=True)
    return [t.detach() for t in flat(layer(lib.ones(5, 0, 3)))]


def test_the_input_may_have_any_layout():
    mine, theirs = pair("LSTM", 3, 4)
    x, y = numbers(ag, 2, 3, 5), numbers(torch, 2, 3, 5)
    same(flat(mine(x.permute(2, 0, 1))), flat(theirs(y.permute(2, 0, 1))))
    same(
        flat(mine(x[:, :, :1].permute(2, 0, 1).expand(4, 2, 3))),
        flat(theirs(y[:, :, :1].permute(2, 0, 1).expand(4, 2, 3))),
    )
