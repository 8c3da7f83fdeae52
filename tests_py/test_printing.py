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
