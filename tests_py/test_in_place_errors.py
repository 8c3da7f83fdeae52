"""The text of "modified by an inplace operation", whole, for the ways in which that happens.

Each case is a program for both libraries: PyTorch must raise its error for it, and the text of ours names the op that
saved the tensor, the line that saved it, the line that changed it, and what to write instead.
"""

from __future__ import annotations

import linecache
import textwrap

import pytest
import torch

import autograd as ag

START = "one of the variables needed for gradient computation has been modified by an inplace operation: "
FILE = "<program>"


def run(program, lib):
    """Runs a program as if it came from a file, and returns the text of its error."""
    source = textwrap.dedent(program)
    linecache.cache[FILE] = (len(source), None, source.splitlines(True), FILE)
    space = {"ag": lib, "F": lib.nn.functional, "x": lib.ones(2, 3, requires_grad=True)}
    with pytest.raises(RuntimeError) as error:
        exec(compile(source, FILE, "exec"), space)
    return str(error.value)


def saved(what, op, line, by, at, advice, shape="[2, 3]", versions=(1, 0)):
    now, then = versions
    return (
        f"{START}the {what} of '{op}' (float32 {shape}) is at version {now}; expected version {then} instead. "
        f"It was saved by '{op}' at {FILE}:{line} and changed in place by '{by}' at {FILE}:{at}. {advice}"
    )


PATTERNS = {
    "augmented addition": (
        """
        y = x.exp()
        loss = y.sum()
        y += 1
        loss.backward()
        """,
        saved("output", "exp", 2, "add", 4, "Write `y = y + 1` instead of `y += 1`"),
    ),
    "augmented product of a sum": (
        """
        y = x * 1
        loss = (y * y).sum()
        y *= x + 1
        loss.backward()
        """,
        saved(
            "second input", "mul", 3, "mul", 4, "Write `y = y * (x + 1)` instead of `y *= x + 1`"
        ),
    ),
    "augmented power in a loop": (
        """
        y = x * 1
        loss = y.square().sum()
        for k in range(3): y **= 2
        loss.backward()
        """,
        saved(
            "first input",
            "square",
            3,
            "pow",
            4,
            "Write `y = y ** 2` instead of `y **= 2`",
            versions=(3, 0),
        ),
    ),
    "method": (
        """
        y = x.sigmoid()
        z = y * 2
        y.mul_(2)
        z.sum().backward()
        """,
        saved("output", "sigmoid", 2, "mul", 4, "Write `y = y.mul(2)` instead of `y.mul_(2)`"),
    ),
    "method within an expression": (
        """
        y = x.tanh()
        z = y.clamp_(0, 1) * 2
        z.sum().backward()
        """,
        saved("output", "tanh", 2, "clamp", 3, "Write `y.clamp(0, 1)` instead of `y.clamp_(0, 1)`"),
    ),
    "method over several lines": (
        """
        y = x.exp()
        loss = y.sum()
        y.addcmul_(
            x,
            x,
        )
        loss.backward()
        """,
        saved(
            "output",
            "exp",
            2,
            "addcmul",
            4,
            "Use the out-of-place form of that change, or clone() the tensor before it",
        ),
    ),
    "zeroed": (
        """
        y = x * 1
        loss = (y * y).sum()
        y.zero_()
        loss.backward()
        """,
        saved(
            "second input",
            "mul",
            3,
            "copy_",
            4,
            "Write `y = ag.zeros_like(y)` instead of `y.zero_()`",
        ),
    ),
    "copied over": (
        """
        y = x.exp()
        loss = y.sum()
        y.copy_(x)
        loss.backward()
        """,
        saved("output", "exp", 2, "copy_", 4, "Write `y = x.clone()` instead of `y.copy_(x)`"),
    ),
    "element assigned": (
        """
        y = x.exp()
        loss = y.sum()
        y[0, 1] = 5.0
        loss.backward()
        """,
        saved(
            "output", "exp", 2, "slice_assign_", 4, "Write `y = y.clone()` before `y[0, 1] = 5.0`"
        ),
    ),
    "row scaled": (
        """
        y = x.exp()
        loss = y.sum()
        y[0] *= 2
        loss.backward()
        """,
        saved(
            "output",
            "exp",
            2,
            "slice_assign_",
            4,
            "Write `y = y.clone()` before `y[0] *= 2`",
            versions=(2, 0),
        ),
    ),
    "view of a view": (
        """
        y = x.exp()
        loss = y.sum()
        y.t()[1:].add_(1)
        loss.backward()
        """,
        saved("output", "exp", 2, "add", 4, "Write `y = y.clone()` before `y.t()[1:].add_(1)`"),
    ),
    "view with a name": (
        """
        y = x.exp()
        row = y[0]
        loss = y.sum()
        row.neg_()
        loss.backward()
        """,
        saved("output", "exp", 2, "neg", 5, "Write `row = row.neg()` instead of `row.neg_()`"),
    ),
    "detached": (
        """
        y = x.exp()
        loss = y.sum()
        y.detach().add_(1)
        loss.backward()
        """,
        saved("output", "exp", 2, "add", 4, "Write `y = y.clone()` before `y.detach().add_(1)`"),
    ),
    "without recording": (
        """
        w = x * 1
        loss = (w ** 3).sum()
        with ag.no_grad():
            w -= 0.1 * w
        loss.backward()
        """,
        saved(
            "first input", "pow", 3, "sub", 5, "Write `w = w - (0.1 * w)` instead of `w -= 0.1 * w`"
        ),
    ),
    "activation in place": (
        """
        y = x.exp()
        z = F.relu(y, inplace=True)
        z.sum().backward()
        """,
        saved(
            "output",
            "exp",
            2,
            "relu",
            3,
            "Write `inplace=False` instead of `inplace=True` in `F.relu(y, inplace=True)`",
        ),
    ),
    "activation layer in place": (
        """
        layer = ag.nn.ReLU(inplace=True)
        y = x.exp()
        z = layer(y)
        z.sum().backward()
        """,
        saved(
            "output",
            "exp",
            3,
            "relu",
            4,
            "Use the out-of-place form of that change, or clone() the tensor before it",
        ),
    ),
    "constant": (
        """
        scale = ag.full((3,), 2.0)
        loss = (x * scale).sum()
        scale /= 2
        loss.backward()
        """,
        saved(
            "second input",
            "mul",
            3,
            "div",
            4,
            "Write `scale = scale / 2` instead of `scale /= 2`",
            "[3]",
        ),
    ),
    "state of an object": (
        """
        class Mean: value = ag.ones(3)
        loss = (x * Mean.value).sum()
        Mean.value.mul_(0.9)
        loss.backward()
        """,
        saved(
            "second input",
            "mul",
            3,
            "mul",
            4,
            "Write `Mean.value = Mean.value.mul(0.9)` instead of `Mean.value.mul_(0.9)`",
            "[3]",
        ),
    ),
    "step before backward": (
        """
        w = ag.ones(3, requires_grad=True)
        sgd = ag.optim.SGD([w], lr=0.1)
        w.grad = ag.ones(3)
        loss = (w * w).sum()
        sgd.step()
        loss.backward()
        """,
        saved(
            "second input",
            "mul",
            5,
            "sgd_step",
            6,
            "Call backward() before the optimizer's step(), or compute the loss anew after it",
            "[3]",
        ),
    ),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_pattern(name):
    program, expected = PATTERNS[name]
    assert "has been modified by an inplace operation" in run(program, torch)
    assert run(program, ag) == expected


def test_lines_that_cannot_be_read():
    """Without the program's text the advice is a general one."""
    space = {"ag": ag}
    program = "y = ag.ones(2, requires_grad=True).exp()\nloss = y.sum()\ny += 1\nloss.backward()"
    with pytest.raises(RuntimeError, match="Use the out-of-place form of that change, or clone"):
        exec(compile(program, "<nowhere>", "exec"), space)


@pytest.mark.parametrize(
    "text", ["y = = 1", "", "\0", "if y.add_(1): pass", "(y\n", "y +=", "lambda: (yield)"]
)
def test_lines_of_any_kind(text):
    from autograd.in_place_errors import with_fix

    linecache.cache["<odd>"] = (len(text), None, [text], "<odd>")
    message = "changed in place by 'add' at <odd>:1. Use something"
    assert with_fix(message).startswith("changed in place by 'add' at <odd>:1. ")


def test_freed_graph_names_the_line():
    x = ag.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(
        RuntimeError, match=r"second time .* at op 'mul' at .*test_in_place_errors.py:\d+\. "
    ):
        y.backward()
