"""repr() of tensors is PyTorch's."""

import pytest
import torch

import autograd as ag

# ---- printing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda m: m.tensor(3.14159),
        lambda m: m.tensor([1.0, 2.5, -3.0]),
        lambda m: m.tensor([1.0, 2.0, 3.0]),
        lambda m: m.tensor([1e-5, 1.0]),
        lambda m: m.tensor([1e10, 1.0]),
        lambda m: m.tensor([1000000.0, 2.0]),
        lambda m: m.tensor([0.0, 0.0]),
        lambda m: m.tensor([float("nan"), float("inf"), 1.0]),
        lambda m: m.tensor([float("nan"), 1.5]),
        lambda m: m.tensor([float("nan")]),
        lambda m: m.tensor([]),
        lambda m: m.zeros(0, 3),
        lambda m: m.zeros(0, dtype=m.int64),
        lambda m: m.tensor([1, 22, -333]),
        lambda m: m.tensor([True, False]),
        lambda m: m.tensor(7),
        lambda m: m.tensor([1, 2], dtype=m.uint8),
        lambda m: m.tensor([1.5], dtype=m.float64),
        lambda m: m.arange(24).reshape(2, 3, 4),
        lambda m: m.arange(24.0).reshape(2, 3, 4) / 7,
        lambda m: m.arange(40.0) / 3,
        lambda m: m.arange(2000),
        lambda m: m.arange(2000.0).reshape(20, 100),
        lambda m: m.arange(2000.0).reshape(2, 10, 100) / 10,
        lambda m: m.ones(2, requires_grad=True),
        lambda m: m.ones(2, dtype=m.float64, requires_grad=True),
        lambda m: m.ones(2, requires_grad=True) + 1,
        lambda m: m.arange(13.0).mul(1.5).requires_grad_(),
        lambda m: m.zeros(0, 2, requires_grad=True),
    ],
)
def test_repr_equals_torch(make):
    assert repr(make(ag)) == repr(make(torch)).replace("torch.", "autograd.")


def test_repr_of_parameter_and_of_grad_fn():
    assert (
        repr(ag.nn.Parameter(ag.ones(1)))
        == "Parameter containing:\ntensor([1.], requires_grad=True)"
    )
    y = ag.ones(2, requires_grad=True).sigmoid()
    assert y.grad_fn.name() == "SigmoidBackward0"
    assert "grad_fn=<SigmoidBackward0>" in repr(y)
    assert ag.ones(2).grad_fn is None


@pytest.fixture
def options_restored():
    yield
    for library in (ag, torch):
        library.set_printoptions(profile="default")


@pytest.mark.parametrize(
    "options",
    [
        {"precision": 2},
        {"threshold": 10},
        {"threshold": 10, "edgeitems": 1},
        {"linewidth": 40},
        {"profile": "short"},
        {"profile": "full"},
        {"profile": "short", "precision": 6},
        {"sci_mode": True},
        {"sci_mode": False},
    ],
)
@pytest.mark.parametrize(
    "make",
    [
        lambda m: m.arange(30.0) / 7,
        lambda m: m.arange(40.0).reshape(4, 10),
        lambda m: m.arange(2000).reshape(40, 50),
        lambda m: m.tensor([1e-6, 1.0, float("inf")]),
        lambda m: m.tensor([1000000.0, 2.0]),
        lambda m: m.tensor([[1, -20], [300, 4]]),
    ],
)
def test_options_of_printing(options, make, options_restored):
    for library in (ag, torch):
        library.set_printoptions(**options)
    assert repr(make(ag)) == repr(make(torch)).replace("torch.", "autograd.")


def test_an_unknown_profile(options_restored):
    with pytest.raises(ValueError, match="default, short, full, not 'long'"):
        ag.set_printoptions(profile="long")
