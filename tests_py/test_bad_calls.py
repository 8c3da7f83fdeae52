"""Calls that are wrong in an unusual way: the class of the exception is PyTorch's."""

import pytest
import torch
from compare import outcome, same_outcome

import autograd as ag

BAD = {
    "max of no rows": lambda lib: lib.zeros(0, 3).max(0),
    "min of nothing": lambda lib: lib.zeros(0).min(0),
    "median of no rows": lambda lib: lib.zeros(0, 3).median(0),
    "mode of nothing": lambda lib: lib.zeros(0).mode(0),
    "max of all of nothing": lambda lib: lib.zeros(0).max(),
    "logits of one row, targets of many": lambda lib: lib.nn.functional.cross_entropy(
        lib.zeros(3), lib.tensor([1, 2, 1, 2])
    ),
    "one target for many rows": lambda lib: lib.nn.functional.cross_entropy(
        lib.zeros(4, 3), lib.tensor(1)
    ),
    "classes in the place of probabilities": lambda lib: lib.nn.functional.cross_entropy(
        lib.zeros(4), lib.tensor([1, 2, 3, 0])
    ),
    "probabilities of another batch": lambda lib: lib.nn.functional.cross_entropy(
        lib.zeros(4, 3), lib.zeros(5, 3)
    ),
    "one probability": lambda lib: lib.nn.functional.cross_entropy(lib.zeros(4, 3), lib.zeros(())),
    "targets of another kind": lambda lib: lib.nn.functional.nll_loss(
        lib.zeros(4, 3), lib.zeros(4)
    ),
    "a list as the reduction of logits": lambda lib: lib.nn.functional.cross_entropy(
        lib.zeros(4, 3), lib.tensor([0, 1, 2, 0]), reduction=[1]
    ),
    "modes of no name": lambda lib: lib.nn.functional.interpolate(
        lib.zeros(1, 2, 4), scale_factor=2.0, mode=["nearest"]
    ),
    "an unknown mode with aligned corners": lambda lib: lib.nn.functional.interpolate(
        lib.zeros(1, 2, 4), scale_factor=2.0, mode="text", align_corners=True
    ),
    "a dim twice": lambda lib: lib.zeros(1, 2).squeeze((0, 0)),
    "cat along None": lambda lib: lib.cat([lib.zeros(2)], None),
    "stack along a text": lambda lib: lib.stack([lib.zeros(2)], "a"),
    "at least of a text": lambda lib: lib.atleast_2d("text"),
    "chunks of a number": lambda lib: lib.chunk(3, 2),
    "rows of a text": lambda lib: lib.unbind("text"),
    "a list as a reduction": lambda lib: lib.nn.functional.mse_loss(
        lib.zeros(2), lib.zeros(2), reduction=[1]
    ),
    "a bool as a dim": lambda lib: lib.zeros(2, 3).cumsum(True),
    "a bool as a position": lambda lib: lib.zeros(2, 3).select(0, True),
    "randint without a size": lambda lib: lib.randint(5),
}


@pytest.mark.parametrize("name", BAD)
def test_refused_as_pytorch_refuses(name):
    expected = outcome(BAD[name], torch)
    assert isinstance(expected, Exception), "PyTorch raises nothing"
    same_outcome(outcome(BAD[name], ag), expected)


GOOD = {
    "copy_ of a number": lambda lib: lib.zeros(2).copy_(3.0),
    "randint(high, size=)": lambda lib: lib.randint(1, size=(2,)),
    "randint(high=, size=)": lambda lib: lib.randint(high=1, size=(2,)),
    "randint(low, high, size)": lambda lib: lib.randint(3, 4, (2,)),
    "randint(high, size)": lambda lib: lib.randint(1, (2,)),
}


@pytest.mark.parametrize("name", GOOD)
def test_taken_as_pytorch_takes_it(name):
    same_outcome(outcome(GOOD[name], ag), outcome(GOOD[name], torch))


def test_memory_that_is_not_there():
    """PyTorch raises a RuntimeError, Python a MemoryError: this is both."""
    for kind in (RuntimeError, MemoryError):
        with pytest.raises(kind, match="out of memory"):
            ag.zeros(10**13)
