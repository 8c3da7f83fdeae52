"""The comparison with PyTorch can fail: what it would have to find is planted here."""

import dataclasses

import pytest
import test_ops
import test_ops_grad
import torch
from compare import Report, same, same_outcome, vs_torch
from op_table import BY_NAME

import autograd as ag


def only_here(row, wrong):
    """The row with another function for this library, but not for PyTorch."""
    right = row.function

    def call(lib, *tensors, **kwargs):
        return (right(torch) if lib is torch else wrong)(*tensors, **kwargs)

    return dataclasses.replace(row, call=call)


WRONG = {
    "value": lambda x: ag.exp(x) * (1 + 1e-4),
    "dtype": lambda x: ag.exp(x).to(ag.float64),
    "shape": lambda x: ag.exp(x).unsqueeze(0),
    "layout": lambda x: ag.exp(ag.tensor(x.numpy().ravel(order="K")).reshape(x.shape)),
    "gradient": lambda x: ag.exp(-x).pow(-1) + (x.exp() - x.exp().detach()) * 1e-3,
    "second gradient": lambda x: x.exp().detach() * (x - x.detach() + 1),
    "no gradient": lambda x: ag.exp(x).detach(),
    "NaN": lambda x: ag.exp(ag.where(x == x, x, 0.0)),
}


def checks_of(row):
    """The tests that a wrong exp has to trip, by what is wrong."""
    values = lambda: test_ops.test_values(row, "float32", "transposed")  # noqa: E731
    gradients = lambda: test_ops_grad.test_gradients(row, "float64", "contiguous")  # noqa: E731
    return {
        "value": values,
        "dtype": values,
        "shape": values,
        "layout": values,
        "gradient": gradients,
        "second gradient": gradients,
        "no gradient": gradients,
        "NaN": lambda: test_ops.test_special_values(row, "float32"),
    }


@pytest.mark.parametrize("what", WRONG)
def test_wrong_op_is_found(what):
    with pytest.raises(AssertionError):
        checks_of(only_here(BY_NAME["exp"], WRONG[what]))[what]()
    checks_of(BY_NAME["exp"])[what]()


def test_errors_are_compared():
    for actual in (ag.ones(2), ValueError("x"), NotImplementedError("x")):
        with pytest.raises(AssertionError):
            same_outcome(actual, IndexError("x"))
    same_outcome(NotImplementedError("x"), RuntimeError("y"))
    with pytest.raises(KeyError):
        same_outcome(KeyError("unexpected"), torch.ones(2))


def test_structures_are_compared():
    with pytest.raises(AssertionError):
        same([ag.ones(2)], [torch.ones(2), torch.ones(2)])
    with pytest.raises(AssertionError):
        same((ag.ones(2), None), (torch.ones(2), torch.ones(2)))
    with pytest.raises(AssertionError):
        same(1.0, 1.001)
    same({"a": (ag.ones(2), None, 1.0)}, {"a": [torch.ones(2), None, 1.0]})


def test_report_collects_all_cases():
    report = Report()
    for i in range(3):
        with report.case("case", i):
            assert i == 1
    with pytest.raises(AssertionError, match="(?s)2 cases fail.*case; 0.*case; 2"):
        report.finish()


def test_scenario_has_to_raise_in_both():
    @vs_torch(raises="planted")
    def only_torch(lib):
        if lib is torch:
            raise RuntimeError("planted")

    @vs_torch(raises="planted")
    def other_text(lib):
        raise RuntimeError("planted" if lib is torch else "something else")

    for test in (only_torch, other_text):
        with pytest.raises(AssertionError):
            test()
