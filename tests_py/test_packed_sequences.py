"""Packed sequences, and recurrent layers of them, against PyTorch."""

import pytest
import torch
from compare import same, vs_torch
from test_recurrent import numbers, pair

import autograd as ag

LENGTHS = {"equal": [4, 4, 4], "sorted": [5, 3, 3, 1], "unsorted": [2, 5, 1, 5, 3]}


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("batch_first", [False, True])
@vs_torch
def test_packing_and_padding(lib, lengths, batch_first):
    rnn, sizes = lib.nn.utils.rnn, LENGTHS[lengths]
    x = numbers(lib, len(sizes), 6, 3, requires_grad=True)
    given = x if batch_first else x.transpose(0, 1)
    packed = rnn.pack_padded_sequence(
        given, sizes, batch_first, enforce_sorted=lengths != "unsorted"
    )
    padded, found = rnn.pad_packed_sequence(packed, batch_first, -2.0, 7)
    (gradient,) = lib.autograd.grad((padded * padded).sum(), x)
    rows = [row[:n] for row, n in zip(x.detach(), sizes)]
    again = rnn.pack_sequence(rows, enforce_sorted=lengths != "unsorted")
    order = (
        [] if packed.sorted_indices is None else [packed.sorted_indices, packed.unsorted_indices]
    )
    return [packed.data, packed.batch_sizes, *order, padded, found, gradient, again.data] + (
        rnn.unpack_sequence(again)
    )


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize(
    "name, options",
    [
        ("RNN", {"nonlinearity": "relu"}),
        ("GRU", {"num_layers": 2, "bidirectional": True}),
        ("LSTM", {"batch_first": True}),
        ("LSTM", {"num_layers": 2, "bidirectional": True, "proj_size": 2}),
    ],
)
def test_layers_of_packed_sequences(name, options, given, lengths):
    sizes, results = LENGTHS[lengths], []
    for lib, layer in zip((ag, torch), pair(name, 3, 4, **options)):
        x = numbers(lib, len(sizes), 6, 3, requires_grad=True)
        packed = lib.nn.utils.rnn.pack_padded_sequence(
            x, sizes, batch_first=True, enforce_sorted=lengths != "unsorted"
        )
        hx = None
        if given:
            layers = layer.num_layers * (2 if layer.bidirectional else 1)
            width = layer.proj_size or 4
            hx = numbers(lib, layers, len(sizes), width, seed=1)
            if name == "LSTM":
                hx = hx, numbers(lib, layers, len(sizes), 4, seed=2)
        output, last = layer(packed, hx)
        assert type(output) is type(packed)
        lasts = list(last) if name == "LSTM" else [last]
        loss = (output.data * output.data).sum() + sum(state.sin().sum() for state in lasts)
        leaves = [x, *layer.parameters()]
        results.append([output.data, *lasts, *lib.autograd.grad(loss, leaves)])
    same(*results)


@pytest.mark.parametrize(
    "call",
    [
        lambda rnn, x: rnn.pack_padded_sequence(x, [3, 5]),
        lambda rnn, x: rnn.pack_padded_sequence(x, [5, 0]),
        lambda rnn, x: rnn.pack_padded_sequence(x, [5]),
        lambda rnn, x: rnn.pad_packed_sequence(rnn.pack_padded_sequence(x, [5, 2]), total_length=3),
    ],
)
@vs_torch(raises="[Ll]ength|must be sorted|total_length")
def test_bad_packing(lib, call):
    call(lib.nn.utils.rnn, lib.ones(5, 2, 3))


def test_lengths_beyond_the_padding_are_refused():
    """PyTorch makes a sequence of which a part is missing."""
    with pytest.raises(RuntimeError, match="at most 5"):
        ag.nn.utils.rnn.pack_padded_sequence(ag.ones(5, 2, 3), [9, 2])


@vs_torch
def test_packed_numbers_of_other_dtypes(lib):
    packed = lib.nn.utils.rnn.pack_sequence([lib.ones(3, 2), lib.ones(1, 2)])
    return packed.double().data, packed.double().float().data, packed.to(lib.int64).data
