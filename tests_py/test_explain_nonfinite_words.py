"""explain_nonfinite() in whole sentences: one golden text for each thing that it says."""

from __future__ import annotations

import re

import pytest

import autograd as ag
from autograd.autograd import explain_nonfinite


def leaf(*values):
    return ag.tensor([float(v) for v in values], requires_grad=True)


def overflow():
    w = leaf(1, 100)
    return (w.exp() * 2).sum()


def singular():
    w = leaf(1.25, 0)
    return w.log().sum()


def undefined():
    w = leaf(4, -1.23456789)
    return w.sqrt().sum()


def over_dims():
    w = leaf(3e38, 2e38, -1)
    return w.sum()


MASK = None


@pytest.fixture(autouse=True)
def mask(monkeypatch):
    """Made when a test begins: of what was there before, frozen by the collector, Python tells nobody."""
    monkeypatch.setitem(globals(), "MASK", ag.full((2,), float("-inf")))


def infinities():
    w = leaf(1, 2)
    return (w + MASK).softmax(0).sum()


def leaf_of_data():
    w = leaf(1, float("nan"))
    return (w * 2).sum()


def constant():
    w = leaf(1, 2)
    x = ag.tensor([float("inf"), 1.0])
    x += 1
    return (w * x).sum()


def constant_made_elsewhere():
    w = leaf(1, 2)
    return (w * MASK).sum()


class Double(ag.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x * 2 if factor == factor else x / 0

    @staticmethod
    def backward(ctx, grad):
        return grad / 0, None


def function():
    w = leaf(1, 2)
    return Double.apply(w, float("nan")).sum()


def after_a_step():
    w = leaf(1, 2)
    optimizer = ag.optim.SGD([w], lr=1e30)
    w.grad = ag.full((2,), 1e30)
    optimizer.step()
    return (w * w).sum()


def after_a_step_of_nan():
    w = leaf(1, 2)
    optimizer = ag.optim.SGD([w], lr=0.1)
    w.grad = ag.full((2,), float("nan"))
    optimizer.step()
    return (w * w).sum()


def gone():
    w = leaf(1, 2)
    return (w + ag.tensor([float("nan"), 1.0])).sum()


def changed_since():
    w = leaf(-1, 2)
    y = (w + 1).log().sum()
    with ag.no_grad():
        w += 5
    return y


def no_history():
    return ag.tensor([float("nan")]).sum()


def derivative():
    w = leaf(0, 4)
    return w.sqrt().sum()


def not_used():
    w = leaf(0, 4)
    return ag.where(w > 0, w.sqrt(), 0.0).sum()


def large_gradient():
    w = leaf(1e-30, 2e-30)
    return ((w * 1e25) * 1e25).sum()


def rule():
    w = leaf(1, 2)
    return Double.apply(w, 1.0).sum()


def hook():
    w = leaf(1, 2)
    y = w * 3
    y.register_hook(lambda grad: grad / 0)
    return y.sum()


def hook_of_a_leaf():
    w = leaf(1, 2)
    w.register_hook(lambda grad: grad / 0)
    return (w * 3).sum()


def sum_of_gradients():
    w = leaf(1e-30, 1e-30)
    return (w * 3e38 + w * 2e38).sum()


def healthy():
    w = leaf(1, 2)
    return (w * w).sum()


def freed():
    w = leaf(0, 4)
    loss = w.sqrt().sum()
    loss.backward()
    return loss


SENTENCES = {
    "overflow": (
        "The loss made at line 2 is not finite: the first bad value, inf, is element [1] of what "
        "was made by 'exp' at line 2 from 100, which is too large for float32. Keep the values "
        "smaller: scale them, subtract their maximum, or work with logarithms. It was computed "
        "from the leaf of sizes [2] made at another line"
    ),
    "singular": (
        "The loss made at line 2 is not finite: the first bad value, -inf, is element [1] of what"
        " was made by 'log' at line 2 from 0, where the operation has no finite value. Keep its "
        "input away from there: add a small number, clamp() it, or choose another value with "
        "where() before the operation. It was computed from the leaf of sizes [2] made at another"
        " line"
    ),
    "undefined": (
        "The loss made at line 2 is not finite: the first bad value, nan, is element [1] of what "
        "was made by 'sqrt' at line 2 from -1.23457, where the operation is not defined. Keep its"
        " input inside of the domain, as by clamp(), or choose another value with where() before "
        "it. It was computed from the leaf of sizes [2] made at another line"
    ),
    "over_dims": (
        "The loss made at line 2 is not finite: the first bad value, inf, is what was made by "
        "'sum' at line 2 from values from -1 to 3e+38, which is too large for float32. Keep the "
        "values smaller: scale them, subtract their maximum, or work with logarithms. It was "
        "computed from the leaf of sizes [3] made at another line"
    ),
    "infinities": (
        "The loss made at line 2 is not finite: the first bad value, nan, is element [0] of what "
        "was made by 'softmax' at line 2 from values from -inf to -inf: infinities, put there by "
        "a constant, meet. Leave at least one finite value, or fill in a large finite number in "
        "place of infinity. It was computed from the leaf of sizes [2] made at another line"
    ),
    "leaf_of_data": (
        "The loss made at line 2 is not finite: the first bad value, nan, is element [1] of the "
        "leaf of sizes [2] made at another line. It was so before this loss was computed: look at"
        " what was done before"
    ),
    "constant": (
        "The loss made at line 4 is not finite: the first bad value, inf, is element [0] of the "
        "data without gradient that 'mul' at line 4 was called with, made at line 2, last changed"
        " by 'add' at line 3. Check it before it is used"
    ),
    "constant_made_elsewhere": (
        "The loss made at line 2 is not finite: the first bad value, -inf, is element [0] of the "
        "data without gradient that 'mul' at line 2 was called with, made at another line. Check "
        "it before it is used"
    ),
    "function": (
        "The loss made at line 2 is not finite: the first bad value, which was not kept, is in "
        "what was made by the function 'Double' at line 2, called with values from 1 to 2. It was"
        " computed from the leaf of sizes [2] made at another line"
    ),
    "after_a_step": (
        "The loss made at line 5 is not finite: the first bad value, -inf, is element [0] of the "
        "leaf of sizes [2] made at another line, last changed by the optimizer's 'sgd_step' at "
        "line 4. It was so before this loss was computed: ask about the loss of that step, or "
        "take smaller ones"
    ),
    "after_a_step_of_nan": (
        "The loss made at line 5 is not finite: the first bad value, nan, is element [0] of the "
        "leaf of sizes [2] made at another line, last changed by the optimizer's 'sgd_step' at "
        "line 4. It was so before this loss was computed: ask about the loss of that step, whose "
        "gradient is not finite"
    ),
    "gone": (
        "The loss made at line 2 is not finite: the first bad value was not kept: the data "
        "without gradient, of sizes [2], that 'add' at line 2 was called with, hold it or lead to"
        " it. Keep them, unchanged, and they are looked at, too"
    ),
    "changed_since": (
        "The loss made at line 2 is not finite: the first bad value, -inf, is element [0] of what"
        " was made by 'log' at line 2 from 0, where the operation has no finite value. Keep its "
        "input away from there: add a small number, clamp() it, or choose another value with "
        "where() before the operation. It was computed from the leaf of sizes [2] made at another"
        " line"
    ),
    "no_history": (
        "The loss made at line 1 is not finite, and has no history: compute it with gradients"
    ),
    "derivative": (
        "The loss is finite, the gradient of the leaf of sizes [2] made at another line is not: "
        "the first bad gradient, inf, is that of element [0] of input 0 of 'sqrt' at line 2, "
        "called with 0: the derivative is not finite there. Keep the input away from there: add a"
        " small number, or clamp() it"
    ),
    "not_used": (
        "The loss is finite, the gradient of the leaf of sizes [2] made at another line is not: "
        "the first bad gradient, nan, is that of element [0] of input 0 of 'sqrt' at line 2, "
        "called with 0: the value is not even used, its gradient is 0, but 0 times an infinite "
        "derivative is nan. Choose a harmless input with where() before the operation, not after "
        "it"
    ),
    "large_gradient": (
        "The loss is finite, the gradient of the leaf of sizes [2] made at another line is not: "
        "the first bad gradient, inf, is that of element [0] of input 0 of 'mul' at line 2, "
        "called with 1e-30 and 1e+25: the gradient is too large for the dtype. Scale the loss or "
        "the values down"
    ),
    "rule": (
        "The loss is finite, the gradient of the leaf of sizes [2] made at another line is not: "
        "the first bad gradient, inf, is that of element [0] of input 0 of 'Double' at line 2, "
        "called with values from 1 to 2: the backward of this function returned it"
    ),
    "hook": (
        "The loss is finite, the gradient of the leaf of sizes [2] made at another line is not: a"
        " hook on the output of 'mul' at line 2 returned the first bad gradient"
    ),
    "hook_of_a_leaf": (
        "The loss is finite, the gradient of the leaf of sizes [2] made at another line is not: a"
        " hook on the leaf of sizes [2] made at another line returned the first bad gradient"
    ),
    "sum_of_gradients": (
        "The loss is finite, the gradient of the leaf of sizes [2] made at another line is not: "
        "the gradients of the leaf of sizes [2] made at another line are finite, but their sum is"
        " too large for the dtype. Scale the loss or the values down"
    ),
    "healthy": ("The loss and the gradients of its leaves are finite"),
    "freed": (
        "A gradient is not finite, but the graph of the loss made at line 2 was freed by "
        "backward(): ask before it, or call backward(retain_graph=True)"
    ),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_sentences(name):
    scenario = globals()[name]
    found = str(explain_nonfinite(scenario()))
    first = scenario.__code__.co_firstlineno

    def line(match):
        number = int(match[1]) - first
        return f"line {number}" if number >= 0 else "another line"

    assert re.sub(r"\S*test_explain_nonfinite_words\.py:(\d+)", line, found) == SENTENCES[name]
