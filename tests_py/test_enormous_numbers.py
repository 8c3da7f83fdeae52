"""Numbers beyond any memory are errors at once: no overflow, no long loop, no memory taken piece by piece."""

from __future__ import annotations

from typing import Any, Callable

import pytest
import torch

import autograd as ag

ENORMOUS = [2**31, 2**40, 2**62, 2**63 - 1]

CALLS: dict[str, Callable[[int], Any]] = {
    "tensor_split": lambda n: ag.ones(5).tensor_split(n),
    "tensor_split empty": lambda n: ag.ones(2, 0).tensor_split(n, 1),
    "hsplit": lambda n: ag.ones(2, 0).hsplit(n),
    "chunk": lambda n: ag.ones(1).expand(2**50).chunk(n),
    "split": lambda n: ag.ones(1).expand(2**50).split(n // n),
    "unbind": lambda n: ag.ones(0).expand(2**50, 0).unbind(n - n),
    "combinations": lambda n: ag.combinations(ag.ones(3), n, True),
    "interpolate": lambda n: ag.nn.functional.interpolate(ag.ones(0, 1, 2), size=n),
    "repeat": lambda n: ag.ones(2).repeat(n, n),
    "repeat_interleave": lambda n: ag.ones(2, 2).repeat_interleave(n),
    "one_hot": lambda n: ag.nn.functional.one_hot(ag.tensor([1]), n),
    "bincount": lambda n: ag.bincount(ag.tensor([1]), minlength=n),
    "LSTM": lambda n: ag.nn.LSTM(1, 1, n),
    "TransformerEncoder": lambda n: ag.nn.TransformerEncoder(
        ag.nn.TransformerEncoderLayer(4, 1, 4), n
    ),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("n", ENORMOUS)
def test_enormous_numbers_are_errors(name: str, n: int) -> None:
    if n == 2**31 and name in ("repeat_interleave", "one_hot", "bincount"):
        n = 2**45  # a result that some machines have the memory for
    with pytest.raises((RuntimeError, ValueError, OverflowError, MemoryError)):
        CALLS[name](n)


def test_combinations_of_many_elements_are_counted_before_they_are_made() -> None:
    with pytest.raises(RuntimeError, match="too many combinations"):
        ag.combinations(ag.ones(200), 100)
    assert ag.combinations(ag.ones(70), 69).shape == (70, 69)


def test_joined_sizes_do_not_overflow() -> None:
    many = [ag.ones(1).expand(2**57)] * 130
    with pytest.raises(RuntimeError, match="overflow"):
        ag.cat(many)
    with pytest.raises(RuntimeError, match="overflow"):
        ag.block_diag(*many)


@pytest.mark.parametrize("mean, value", [(-(2.0**63), -2.0), (2.0**63, 2.0)])
@pytest.mark.filterwarnings("ignore:mean is more than 2 std")
def test_trunc_normal_ends_with_a_mean_far_away(mean: float, value: float) -> None:
    assert ag.nn.init.trunc_normal_(ag.empty(3), mean, 0.5).tolist() == [value] * 3


OVERFLOWS = {
    "unsqueeze": lambda lib, x, n: x.unsqueeze(n),
    "softmax": lambda lib, x, n: x.softmax(n),
    "narrow": lambda lib, x, n: x.narrow(0, n, 1),
    "transpose": lambda lib, x, n: x.transpose(n, 1),
    "select": lambda lib, x, n: x.select(0, n),
    "zeros": lambda lib, x, n: lib.zeros(n),
    "repeat": lambda lib, x, n: x.repeat(n, 1),
    "reshape": lambda lib, x, n: x.reshape(n),
}


@pytest.mark.parametrize("name", OVERFLOWS)
@pytest.mark.parametrize("number", [2**63, 2**64, 2**64 + 1, 2**70, -(2**63) - 1])
def test_ints_beyond_64_bits_are_refused(name, number):
    """With PyTorch's class of error, never as the number that is left of them."""
    errors = []
    for lib in (torch, ag):
        with pytest.raises((TypeError, ValueError, RuntimeError)) as caught:
            OVERFLOWS[name](lib, lib.ones(2, 3), number)
        errors.append(caught.type)
    assert errors[0] is errors[1]
