"""Layers made or called wrongly: PyTorch's class of exception for mistakes that people make, a clear one for any."""

import numpy as np
import pytest
import torch
from call_differences import unexplained_of_layers
from compare import outcome, same_outcome
from mutated_layers import (
    LAYERS,
    bad_constructions,
    bad_inputs,
    construct,
    forward,
    good_arguments,
    good_inputs,
)
from wrong_things import CLEAR

import autograd as ag


@pytest.mark.parametrize("name", LAYERS)
def test_bad_arguments_have_clear_errors(name):
    unclear = set()
    for call in bad_constructions(name):
        layer = construct(ag, name, call)
        result = layer if isinstance(layer, Exception) else forward(ag, layer, good_inputs(name))
        if isinstance(result, Exception) and not isinstance(result, CLEAR):
            unclear.add(f"{call}: {result!r}")
    assert not unclear, "\n".join(sorted(unclear)[:10])


@pytest.mark.parametrize("name", LAYERS)
def test_bad_inputs_have_clear_errors(name):
    unclear = set()
    layer = construct(ag, name, good_arguments(name))
    for call in bad_inputs(name):
        result = forward(ag, layer, call)
        if isinstance(result, Exception) and not isinstance(result, CLEAR):
            unclear.add(f"{call}: {result!r}")
    assert not unclear, "\n".join(sorted(unclear)[:10])


def test_bad_calls_of_layers_end_as_pytorchs_do():
    """One of thirty; call_differences.py, run as a program, goes through all."""
    differing = list(unexplained_of_layers(share=30))
    assert not differing, "\n".join(differing[:10])


def _f(lib, *shape):
    return lib.ones(*shape)


BAD = {
    "groups that do not divide": lambda lib: lib.nn.Conv2d(3, 4, 3, groups=2),
    "no groups": lambda lib: lib.nn.Conv2d(3, 4, 3, groups=0),
    "an unknown padding": lambda lib: lib.nn.Conv2d(3, 4, 3, padding="full"),
    "an unknown padding mode": lambda lib: lib.nn.Conv2d(3, 4, 3, padding_mode="wrap"),
    "same padding with a stride": lambda lib: lib.nn.Conv2d(3, 4, 3, stride=2, padding="same"),
    "a float as a size": lambda lib: lib.nn.Linear(3.0, 4),
    "a negative size": lambda lib: lib.nn.Linear(3, -4),
    "an unknown keyword": lambda lib: lib.nn.Linear(3, 4, biased=True),
    "too few arguments": lambda lib: lib.nn.Linear(3),
    "a tensor as a device": lambda lib: lib.nn.Linear(3, 4, device=lib.zeros(2)),
    "an unknown device of slopes": lambda lib: lib.nn.PReLU(3, 0.25, "text"),
    "heads that do not divide": lambda lib: lib.nn.MultiheadAttention(5, 2),
    "groups of a norm that do not divide": lambda lib: lib.nn.GroupNorm(3, 4),
    "a probability of 2": lambda lib: lib.nn.Dropout(2.0),
    "a NaN as a probability": lambda lib: lib.nn.Dropout(float("nan")).eval()(_f(lib, 2)),
    "delta is a text": lambda lib: lib.nn.HuberLoss("mean", "big"),
    "sizes of unflatten are a text": lambda lib: lib.nn.Unflatten(1, "text"),
    "a size of unflatten is a float": lambda lib: lib.nn.Unflatten(1, (2.0, 2)),
    "dropout between layers is None": lambda lib: lib.nn.LSTM(3, 4, dropout=None),
    "an unknown function of an RNN": lambda lib: lib.nn.RNN(3, 4, nonlinearity=["tanh"]),
    "an unknown function of a cell": lambda lib: lib.nn.RNNCell(3, 4, nonlinearity=[])(
        _f(lib, 2, 3)
    ),
    "a projection as large as the state": lambda lib: lib.nn.LSTM(3, 4, proj_size=4),
    "a projection of a GRU": lambda lib: lib.nn.GRU(3, 4, proj_size=2),
    "padding row True": lambda lib: lib.nn.functional.embedding(
        lib.tensor([1]), _f(lib, 5, 3), padding_idx=True
    ),
    "sparse gradients are None": lambda lib: lib.nn.Embedding(5, 3, sparse=None)(lib.tensor([1])),
    "the padding row is no row": lambda lib: lib.nn.Embedding(5, 3, 5),
    "smoothing is None": lambda lib: lib.nn.CrossEntropyLoss(label_smoothing=None)(
        _f(lib, 2, 3), lib.tensor([0, 1])
    ),
    "a tensor as the ignored class": lambda lib: lib.nn.CrossEntropyLoss(ignore_index=_f(lib, 2))(
        _f(lib, 2, 3), lib.tensor([0, 1])
    ),
    "weights with more dims than the loss": lambda lib: lib.nn.BCELoss(_f(lib, 2, 3))(
        lib.zeros(3), lib.zeros(3)
    ),
    "weights of logits with more dims": lambda lib: lib.nn.BCEWithLogitsLoss(_f(lib, 2, 3))(
        lib.zeros(3), lib.zeros(3)
    ),
    "more targets than inputs": lambda lib: lib.nn.SoftMarginLoss()(_f(lib), _f(lib, 3)),
    "integers as log probabilities": lambda lib: lib.nn.KLDivLoss(reduction="sum")(
        lib.ones(2, 3, dtype=lib.int64), _f(lib, 2, 3)
    ),
    "a negative eps of a cosine": lambda lib: lib.nn.CosineSimilarity(eps=-1.0)(
        _f(lib, 2, 3), _f(lib, 2, 3)
    ),
    "a negative eps of a norm": lambda lib: lib.nn.BatchNorm1d(3, eps=-1.0).eval()(_f(lib, 2, 3)),
    "no eps in training": lambda lib: lib.nn.BatchNorm1d(3, eps=0.0)(_f(lib, 2, 3)),
    "two dtypes of a bilinear map": lambda lib: lib.nn.Bilinear(3, 4, 2)(
        _f(lib, 2, 3), lib.ones(2, 4, dtype=lib.float64)
    ),
    "an int as a mask": lambda lib: lib.nn.MultiheadAttention(4, 2)(*[_f(lib, 3, 2, 4)] * 3, 1),
    "an int as the mask of a decoder": lambda lib: lib.nn.TransformerDecoderLayer(4, 2)(
        _f(lib, 3, 2, 4), _f(lib, 3, 2, 4), 1
    ),
    "three states of an LSTM": lambda lib: lib.nn.LSTM(3, 4)(
        _f(lib, 5, 2, 3), [_f(lib, 1, 2, 4)] * 3
    ),
    "circular padding of no dims": lambda lib: lib.nn.CircularPad1d(1)(_f(lib)),
    "circular padding of too many dims": lambda lib: lib.nn.CircularPad2d(1)(
        _f(lib, 1, 1, 1, 2, 2)
    ),
    "sizes to keep that are not there": lambda lib: lib.nn.AdaptiveAvgPool2d((2, None))(_f(lib, 4)),
    "an input by another name": lambda lib: lib.nn.RMSNorm(3)(input=_f(lib, 2, 3)),
    "other channels": lambda lib: lib.nn.Conv2d(3, 4, 3)(_f(lib, 1, 2, 8, 8)),
    "too few dims": lambda lib: lib.nn.Conv2d(3, 4, 3)(_f(lib, 8, 8)),
    "an image smaller than the kernel": lambda lib: lib.nn.Conv2d(3, 4, 3)(_f(lib, 1, 3, 2, 2)),
    "integers in a linear map": lambda lib: lib.nn.Linear(3, 4)(lib.ones(2, 3, dtype=lib.int64)),
    "features that do not fit": lambda lib: lib.nn.Linear(3, 4)(_f(lib, 2, 5)),
    "a list as an input": lambda lib: lib.nn.Linear(3, 4)([1.0, 2.0, 3.0]),
    "floats as rows": lambda lib: lib.nn.Embedding(5, 3)(_f(lib, 2)),
    "a row that is not there": lambda lib: lib.nn.Embedding(5, 3)(lib.tensor([7])),
    "one value per channel": lambda lib: lib.nn.BatchNorm1d(3)(_f(lib, 1, 3)),
    "a class that is not there": lambda lib: lib.nn.CrossEntropyLoss()(
        _f(lib, 2, 3), lib.tensor([0, 3])
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_refused_as_pytorch_refuses(name):
    expected = outcome(BAD[name], torch)
    assert isinstance(expected, Exception), "PyTorch raises nothing"
    same_outcome(outcome(BAD[name], ag), expected)


@pytest.mark.parametrize("name", LAYERS)
def test_the_good_ones_are_good(name):
    for lib in (torch, ag):
        layer = construct(lib, name, good_arguments(name))
        result = forward(lib, layer, good_inputs(name))
        assert not isinstance(result, Exception), result


def test_layers_with_modules_of_their_own_print_them():
    def shown(lib):
        return repr(lib.nn.TripletMarginWithDistanceLoss())

    assert outcome(shown, ag) == outcome(shown, torch)


def test_numpys_numbers_are_sizes():
    for lib in (torch, ag):
        assert tuple(lib.nn.LayerNorm(np.int64(3)).weight.shape) == (3,)
    assert tuple(ag.nn.Conv2d(1, 1, np.array([2, 3])).kernel_size) == (2, 3)
