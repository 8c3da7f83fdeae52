"""Ints, bools and numbers as arguments: what stands for one is taken, all else is refused as PyTorch refuses it."""

import numpy as np
import pytest
import torch
from compare import outcome, same_outcome

import autograd as ag

TAKEN = {
    "NumPy's int as a dim": lambda lib: lib.ones(2, 3).cumsum(np.int64(1)),
    "a tensor as a dim": lambda lib: lib.ones(2, 3).cumsum(lib.tensor(1)),
    "a tensor as a number of chunks": lambda lib: lib.ones(4, 3).chunk(lib.tensor(2)),
    "NumPy's int as a number of chunks": lambda lib: lib.ones(4, 3).chunk(np.int64(2)),
    "NumPy's int as an end": lambda lib: lib.arange(np.int64(4)),
    "NumPy's float as an end": lambda lib: lib.arange(np.float32(2.5)),
    "NumPy's float as a factor": lambda lib: lib.addcmul(
        lib.ones(2), lib.ones(2), lib.ones(2), value=np.float32(2.5)
    ),
    "NumPy's int as a place": lambda lib: lib.ones(4).quantile(np.int64(1)),
    "a bool behind an int": lambda lib: lib.ones(2, 3).permute((1, False)),
    "a bool behind an int, as a size": lambda lib: lib.zeros(2, True),
    "two numbers": lambda lib: lib.add(1, 2.5),
    "a number first": lambda lib: lib.mul(2, lib.ones(2)),
}
REFUSED = {
    "an int as keepdim": lambda lib: lib.ones(2, 3).sum(0, keepdim=1),
    "None as keepdim": lambda lib: lib.ones(2, 3).sum(0, keepdim=None),
    "a tensor as keepdim": lambda lib: lib.ones(2, 3).sum(0, keepdim=lib.tensor(True)),
    "NumPy's bool as keepdim": lambda lib: lib.ones(2, 3).amax(0, np.bool_(True)),
    "an int as training": lambda lib: lib.nn.functional.dropout(lib.ones(2), 0.5, 1),
    "an int as not training": lambda lib: lib.nn.functional.dropout(lib.ones(2), 0.5, 0),
    "an int as stable": lambda lib: lib.ones(2, 3).sort(stable=1),
    "an int as sorted": lambda lib: lib.ones(2, 3).unique(sorted=1),
    "a bool as dims": lambda lib: lib.ones(2, 3).amax(dim=True),
    "a bool as the first size": lambda lib: lib.zeros((True, 2)),
    "a bool as kernel size": lambda lib: lib.nn.functional.max_pool1d(lib.ones(1, 4), True),
    "a tensor of floats as a dim": lambda lib: lib.ones(2, 3).cumsum(lib.tensor(1.0)),
    "a tensor of bools as a dim": lambda lib: lib.ones(2, 3).cumsum(lib.tensor(True)),
    "a vector as a dim": lambda lib: lib.ones(2, 3).cumsum(lib.tensor([1])),
    "a float as a dim": lambda lib: lib.ones(2, 3).unbind(1.0),
    "two dims of argmax": lambda lib: lib.ones(2, 3).argmax((0, 1)),
    "a dim beyond 64 bits": lambda lib: lib.ones(2, 3).sum(2**63),
    "a size beyond 64 bits": lambda lib: lib.zeros(2**63),
    "a number beyond 64 bits": lambda lib: lib.ones(2) * 2**64,
    "a text as an end": lambda lib: lib.arange("4"),
    "a text as a sequence of tensors": lambda lib: lib.stack(""),
    "a list as a rounding": lambda lib: lib.div(lib.ones(2), 2, rounding_mode=["floor"]),
    "a number as a reduction": lambda lib: lib.ones(2).scatter_reduce(
        0, lib.tensor([0]), lib.ones(1), 2
    ),
    "a number in the place of a tensor": lambda lib: lib.igamma(lib.ones(2), 2.0),
    "a number in the place of a tensor, in place": lambda lib: lib.ones(2).nextafter_(2.0),
    "half a worker": lambda lib: list(lib.utils.data.DataLoader([1, 2], num_workers=0.5)),
    "a number as a generator": lambda lib: list(
        lib.utils.data.DataLoader([1, 2], shuffle=True, generator=1)
    ),
    "a context without workers": lambda lib: lib.utils.data.DataLoader(
        [1, 2], multiprocessing_context="fork"
    ),
    "a range of another name": lambda lib: lib.ones(2).uniform_(until=2),
    "two places to split": lambda lib: lib.ones(2, 4).hsplit(2, sections=2),
    "no place to split": lambda lib: lib.ones(2, 4).vsplit(),
    "a number before a comparison": lambda lib: lib.eq(2, lib.ones(2)),
}


@pytest.mark.parametrize("name", TAKEN)
def test_taken_as_pytorch_takes_it(name):
    same_outcome(outcome(TAKEN[name], ag), outcome(TAKEN[name], torch))


@pytest.mark.parametrize("name", REFUSED)
def test_refused_as_pytorch_refuses_it(name):
    expected = outcome(REFUSED[name], torch)
    assert isinstance(expected, Exception), "PyTorch raises nothing"
    same_outcome(outcome(REFUSED[name], ag), expected)


@pytest.mark.parametrize(
    "kind, options", [("Adam", {"betas": (0.9,) * 3}), ("Rprop", {"step_sizes": (1.0,)})]
)
def test_pairs_of_options_are_pairs(kind, options):
    """PyTorch finds out in the first step."""
    with pytest.raises(ValueError, match="two numbers"):
        getattr(ag.optim, kind)([ag.ones(2)], **options)


FOREIGN = {
    "a layer": lambda x: ag.nn.Linear(2, 2)(x),
    "a function": lambda x: ag.sin(x),
    "a loss": lambda x: ag.nn.functional.mse_loss(x, x),
    "a list": lambda x: ag.cat([x]),
    "a product": lambda x: ag.matmul(ag.ones(2, 2), x),
    "a parameter": lambda x: ag.nn.Parameter(x),
    "a file": lambda x: ag.save({"w": x}, "unwritten"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_tensor_of_pytorch_is_named_with_the_way_to_convert_it(name):
    with pytest.raises(TypeError, match=r"torch\.Tensor; autograd\.from_dlpack\(") as told:
        FOREIGN[name](torch.ones(2, 2))
    assert "loss()" not in str(told.value) or "mse_loss()" in str(told.value)
    assert ag.nn.Linear(2, 2)(ag.from_dlpack(torch.ones(2, 2).detach())).shape == (2, 2)


def test_a_model_in_place_of_what_is_in_it():
    model = ag.nn.Linear(2, 2)
    with pytest.raises(TypeError, match=r"pass its parameters\(\)"):
        ag.optim.SGD(model, lr=0.1)
    with pytest.raises(TypeError, match=r"store its state_dict\(\)"):
        ag.save(model, "unwritten")
