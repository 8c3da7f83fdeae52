"""autograd.autograd.explain_nonfinite: the first bad value of a loss or gradient, and no false alarms."""

from __future__ import annotations

import linecache
import math
import textwrap

import numpy as np
import pytest
import torch

import autograd as ag

FILE = "<nonfinite program>"


def run(program, lib=ag):
    """Runs a program that leaves a loss, as if it came from a file; returns its variables."""
    source = textwrap.dedent(program)
    linecache.cache[FILE] = (len(source), None, source.splitlines(True), FILE)
    space = {"ag": lib, "F": lib.nn.functional, "inf": math.inf, "nan": math.nan}
    exec(compile(source, FILE, "exec"), space)
    return space


def explain(space):
    """The explanation, with the program's tensors as names."""
    names = {name: v for name, v in space.items() if isinstance(v, (ag.Tensor, ag.nn.Module))}
    return ag.autograd.explain_nonfinite(space["loss"], names)


# A program; reason, phase, op, element, line and parameter.
CAUSES = {
    "logarithm of zero": (
        """
        w = ag.tensor([1.0, -1.0, 2.0], requires_grad=True)
        h = w.relu() * 1.0
        loss = h.log().sum()
        """,
        ("singular", "forward", "log", (1,), 4, "w"),
    ),
    "logarithm of zero, times zero": (
        """
        w = ag.tensor([[1.0, 0.5], [2.0, 0.0]], requires_grad=True)
        h = w.log()
        h = h + 1
        h = h * w
        loss = h.mean()
        """,
        ("singular", "forward", "log", (1, 1), 3, "w"),
    ),
    "root of a negative number": (
        """
        w = ag.tensor([4.0, 1.0], requires_grad=True)
        h = w - 3
        h = h.sqrt()
        loss = (h * 2).sum()
        """,
        ("undefined", "forward", "sqrt", (1,), 4, "w"),
    ),
    "root of a slightly negative number": (
        """
        w = ag.tensor([1.0, -1e-9], requires_grad=True)
        loss = w.sqrt().sum()
        """,
        ("undefined", "forward", "sqrt", (1,), 3, "w"),
    ),
    "zero divided by zero": (
        """
        w = ag.zeros(3, requires_grad=True)
        length = w.norm()
        unit = w / length
        loss = unit.sum()
        """,
        ("singular", "forward", "div", (0,), 4, "w"),
    ),
    "divided by zero in one column": (
        """
        w = ag.ones(2, 3, requires_grad=True)
        scale = ag.tensor([1.0, 0.0, 2.0])
        loss = (w / scale).tanh().sum() + (w / scale).sum()
        """,
        ("singular", "forward", "div", (0, 1), 4, "w"),
    ),
    "overflow of exp": (
        """
        w = ag.tensor([[1.0, 2.0], [3.0, 100.0]], requires_grad=True)
        h = w.exp()
        p = h / h.sum()
        loss = p.log().mean()
        """,
        ("overflow", "forward", "exp", (1, 1), 3, "w"),
    ),
    "overflow of a product": (
        """
        w = ag.tensor([1.0, 1e30], requires_grad=True)
        h = w * w
        loss = h.sum()
        """,
        ("overflow", "forward", "mul", (1,), 3, "w"),
    ),
    "overflow of a matrix product": (
        """
        w = ag.full((2, 2), 1e20, requires_grad=True)
        x = ag.tensor([[0.0, 1.0], [1e20, 0.0]])
        h = F.linear(x, w)
        loss = h.tanh().sum() + h.mean()
        """,
        ("overflow", "forward", "linear", (1, 0), 4, "w"),
    ),
    "overflow of a sum": (
        """
        w = ag.full((3,), 2e38, requires_grad=True)
        loss = w.sum()
        """,
        ("overflow", "forward", "sum", (), 3, "w"),
    ),
    "softmax of a row that is masked out": (
        """
        w = ag.zeros(2, 3, requires_grad=True)
        mask = ag.tensor([[True, False, True], [True, True, True]])
        h = w.masked_fill(mask, -inf)
        p = h.softmax(1)
        loss = p.square().sum()
        """,
        ("infinities", "forward", "softmax", (1, 0), 5, "w"),
    ),
    "softmax with a mask that is added": (
        """
        w = ag.zeros(2, 2, requires_grad=True)
        mask = ag.tensor([[0.0, -inf], [-inf, -inf]])
        h = w + mask
        loss = h.softmax(-1).square().sum()
        """,
        ("infinities", "forward", "softmax", (1, 0), 5, "w"),
    ),
    "infinity minus infinity": (
        """
        w = ag.tensor([1.0, 100.0], requires_grad=True)
        a = w.exp()
        b = (w + 1).exp()
        loss = (a - b).sum()
        """,
        ("overflow", "forward", "exp", (1,), 3, "w"),
    ),
    "a parameter that has diverged": (
        """
        w = ag.tensor([1.0, nan, 2.0], requires_grad=True)
        loss = (w * 2).relu().sum()
        """,
        ("leaf", "forward", "", (1,), 2, "w"),
    ),
    "bad data": (
        """
        w = ag.ones(1, 2, requires_grad=True)
        x = ag.tensor([[1.0, 2.0], [3.0, nan]])
        loss = F.linear(x, w).square().mean()
        """,
        ("constant", "forward", "", (1, 1), 3, ""),
    ),
    "bad data that is only added": (
        """
        w = ag.ones(2, requires_grad=True)
        x = ag.tensor([1.0, inf])
        h = w + x
        loss = h.sum()
        """,
        ("constant", "forward", "", (1,), 4, ""),
    ),
    "infinity filled in": (
        """
        w = ag.ones(3, requires_grad=True)
        h = w * 2
        h = h.masked_fill(ag.tensor([False, True, False]), inf)
        loss = h.sum()
        """,
        ("constant", "forward", "", (), 4, ""),
    ),
    "changed in place": (
        """
        w = ag.tensor([1.0, 2.0], requires_grad=True)
        h = w * 2
        h -= 4
        h.reciprocal_()
        loss = h.sum()
        """,
        ("singular", "forward", "reciprocal", (1,), 5, "w"),
    ),
    "through views and copies": (
        """
        w = ag.tensor([[1.0, 2.0, 0.0], [4.0, 5.0, 6.0]], requires_grad=True)
        h = w.log()
        h = ag.cat([h.t()[1:], ag.ones(1, 2)])
        loss = h.reshape(-1)[1:4].sum()
        """,
        ("singular", "forward", "log", (0, 2), 3, "w"),
    ),
    "of two, the first": (
        """
        w = ag.tensor([0.0, 1.0], requires_grad=True)
        a = (w - 2).sqrt()
        b = w.log()
        loss = (b + a).sum()
        """,
        ("undefined", "forward", "sqrt", (0,), 3, "w"),
    ),
    "derivative of a root at zero": (
        """
        w = ag.tensor([4.0, 0.0], requires_grad=True)
        h = w.sqrt()
        loss = h.sum()
        """,
        ("derivative", "backward", "sqrt", (1,), 3, "w"),
    ),
    "a root behind where()": (
        """
        w = ag.tensor([4.0, 0.0], requires_grad=True)
        h = w.sqrt()
        loss = ag.where(w > 0, h, w).sum()
        """,
        ("derivative", "backward", "sqrt", (1,), 3, "w"),
    ),
    "derivative of a power at zero": (
        """
        w = ag.tensor([[0.0, 1.0]], requires_grad=True)
        loss = (w ** 0.5).sum()
        """,
        ("derivative", "backward", "pow", (0, 0), 3, "w"),
    ),
    "derivative of arccos at one": (
        """
        w = ag.tensor([0.5, 1.0], requires_grad=True)
        h = ag.acos(w)
        loss = h.square().sum() + h.sum()
        """,
        ("derivative", "backward", "acos", (1,), 3, "w"),
    ),
    "overflow of a gradient": (
        """
        w = ag.tensor([1e-30, 2e-30], requires_grad=True)
        h = w * 1e25
        h = h * 1e25
        loss = (h * 1e-20).sum()
        loss = loss * 1e15
        """,
        ("gradient_overflow", "backward", "mul", (0,), 3, "w"),
    ),
}


@pytest.mark.parametrize("name", CAUSES)
def test_cause(name):
    program, (reason, phase, op, element, line, parameter) = CAUSES[name]
    found = explain(run(program))
    assert (found.reason, found.phase, found.op) == (reason, phase, op), found
    assert (found.location.file, found.location.line) == (FILE, line), found
    assert found.element == element, found
    assert found.parameter == parameter
    assert not found
    assert not math.isfinite(found.value)
    if op:
        assert f"'{op}' at {FILE}:{line}" in str(found)
        assert [step.op for step in found.path][-1] == op
    if parameter:
        assert f"the parameter '{parameter}'" in str(found)


@pytest.mark.parametrize("name", CAUSES)
def test_cause_is_one_in_pytorch(name):
    """The loss, or a gradient, is not finite in PyTorch as well."""
    space = run(CAUSES[name][0], torch)
    phase = CAUSES[name][1][1]
    assert math.isfinite(space["loss"].item()) == (phase == "backward")
    space["loss"].backward()
    if phase == "backward":
        assert not space["w"].grad.isfinite().all()


def test_inputs_of_the_operation():
    found = explain(run(CAUSES["divided by zero in one column"][0]))
    w, scale = found.inputs
    assert (w.op, w.shape, w.value) == ("leaf", (2, 3), 1.0)
    assert (scale.op, scale.shape, scale.value) == ("constant", (3,), 0.0)
    assert (scale.low, scale.high) == (0.0, 2.0)
    assert "from 1 and 0" in str(found)
    found = explain(run(CAUSES["logarithm of zero"][0]))
    (h,) = found.inputs
    assert (h.op, h.location.line, h.value) == ("mul", 3, 0.0)


def test_parameters_of_a_model_are_named():
    model = ag.nn.Sequential(ag.nn.Linear(2, 3), ag.nn.ReLU(), ag.nn.Linear(3, 1))
    with ag.no_grad():
        model[2].weight[0, 1] = math.nan
    loss = model(ag.ones(4, 2)).mean()
    found = ag.autograd.explain_nonfinite(loss)
    assert (found.reason, found.parameter, found.element) == ("leaf", "2.weight", (0, 1))
    assert "last changed" in str(found)
    found = ag.autograd.explain_nonfinite(loss, {"net": model})
    assert found.parameter == "net.2.weight"


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_the_step_of_an_optimizer_that_spoils_a_parameter_is_named(name, compiled):
    """In the middle of a program: its op, its line, and whether it had a bad gradient."""
    space = run(
        f"""
        model = ag.nn.Linear(2, 1)
        optimizer = ag.optim.{name}(model.parameters(), lr=0.1)

        def step(x):
            loss = model(x).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.detach()
        """
    )
    step, x = space["step"], ag.ones(3, 2)
    step = ag.compile(step) if compiled else step
    for _ in range(4):
        step(x)
    space["loss"] = space["model"](x).sum()
    assert explain(space)
    step(x * 1e30)  # its gradient is infinite
    space["loss"] = space["model"](x).sum()
    found = explain(space)
    assert (found.reason, found.op) == ("leaf", f"{name.lower()}_step"), found
    assert found.parameter in ("model.weight", "model.bias")
    assert found.parameter_made_at.line == 2
    assert (found.location.file, found.location.line) == (FILE, 9)
    assert f"last changed by the optimizer's '{found.op}' at {FILE}:9" in str(found)
    assert "whose gradient is not finite" in str(found)


def test_a_step_that_is_too_long():
    """The gradient was finite: the step itself is to blame."""
    w = ag.ones(2, requires_grad=True)
    optimizer = ag.optim.SGD([w], lr=1e38)
    (w * 1e30).sum().backward()
    optimizer.step()
    found = ag.autograd.explain_nonfinite((w * 2).sum())
    assert (found.reason, found.op, found.location) == ("leaf", "sgd_step", w.changed_at)
    assert "or take smaller ones" in str(found)


def test_the_change_that_spoils_data_is_named():
    w, x = ag.ones(3, requires_grad=True), ag.zeros(3)
    x.sub_(1).sqrt_()
    found = ag.autograd.explain_nonfinite((w * x).sum())
    assert (found.reason, found.op, found.location) == ("constant", "sqrt", x.changed_at)
    assert f", last changed by 'sqrt' at {__file__}:{x.made_at.line + 1}" in str(found)


def test_training_that_diverges():
    """The step before the loss turns bad is healthy; the one at which it does names the op."""
    w = ag.tensor([3.0], requires_grad=True)
    for _ in range(50):
        loss = ((w * w).exp() - 1).square().sum()
        found = ag.autograd.explain_nonfinite(loss)
        if not found:
            break
        (g,) = ag.autograd.grad(loss, w)
        with ag.no_grad():
            w += 1e-9 * g
    assert found.reason in ("overflow", "gradient_overflow")
    assert found.location.line == loss.made_at.line


def test_custom_function():
    class Bad(ag.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x / 0

        @staticmethod
        def backward(ctx, grad):
            return grad

    class BadGradient(ag.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad / 0

    w = ag.ones(2, requires_grad=True)
    found = ag.autograd.explain_nonfinite((Bad.apply(w * 2) + 1).sum())
    assert (found.reason, found.op, found.phase) == ("custom_function", "Bad", "forward")
    found = ag.autograd.explain_nonfinite((BadGradient.apply(w * 2) + 1).sum())
    assert (found.reason, found.op, found.phase) == ("custom_function", "BadGradient", "backward")
    assert found.parameter == "w"


def test_hook_that_returns_nan():
    w = ag.ones(2, requires_grad=True)
    h = w * 3
    h.register_hook(lambda g: g * math.nan)
    found = ag.autograd.explain_nonfinite(h.sum())
    assert (found.reason, found.op, found.location.line) == ("hook", "mul", h.made_at.line)
    v = ag.ones(2, requires_grad=True)
    v.register_hook(lambda g: g * math.nan)
    assert ag.autograd.explain_nonfinite((v * 2).sum()).reason == "hook"


def test_gradients_that_overflow_when_they_are_added():
    w = ag.ones(2, requires_grad=True)
    loss = (w * 3e38 - 3e38).sum() + (w * 3e38 - 3e38).sum()
    found = ag.autograd.explain_nonfinite(loss)
    assert (found.reason, found.phase, found.parameter) == ("gradient_overflow", "backward", "w")
    assert "their sum is too large" in str(found)


def test_what_was_not_kept():
    """A constant that no gradient needs and no variable holds is gone; what is known is said."""
    w = ag.ones(2, requires_grad=True)
    losses = {
        "add": (w + ag.tensor([math.nan, 0.0])).sum(),
        "sub": (w * 2 - ag.tensor([100.0, -100.0])).exp().sum(),
        "cat": ag.cat([w, ag.tensor([math.inf])]).sum(),
    }
    for op, loss in losses.items():
        found = ag.autograd.explain_nonfinite(loss)
        assert (found.reason, found.op, found.element) == ("unknown_input", op, None)
        sizes = "[1]" if op == "cat" else "[2]"
        told = f"the data without gradient, of sizes {sizes}, that '{op}' at {found.location} was"
        assert told in str(found)
        assert "hold it or lead to it" in str(found)
        assert found.location.file == __file__


def test_data_that_were_not_kept_of_a_result_that_was():
    w = ag.ones(2, requires_grad=True)
    loss = (ag.where(ag.tensor([True, False]), ag.tensor([math.inf, 0.0]), w) * w).sum()
    found = ag.autograd.explain_nonfinite(loss)
    assert (found.reason, found.op, found.element) == ("unknown_input", "where", (0,))
    assert "inf, is element [0] of what was made by 'where' at" in str(found)
    assert "the data without gradient, of sizes [2], that it was called with, hold it" in str(found)


def test_two_that_were_not_kept():
    w = ag.ones(2, requires_grad=True)
    loss = ((w + ag.tensor([3e38, 0.0])) - ag.tensor([-3e38, 0.0])).sum()
    found = ag.autograd.explain_nonfinite(loss)
    assert (found.reason, found.op) == ("unknown_input", "add")
    assert f"or those of 'sub' at {found.location}" in str(found)


def test_what_a_variable_keeps():
    w = ag.ones(2, requires_grad=True)
    kept = ag.tensor([0.0, math.nan])
    found = ag.autograd.explain_nonfinite((w * 2 + kept).sum())
    assert (found.reason, found.element) == ("constant", (1,))
    assert "the data without gradient that 'add' at" in str(found)


def test_nothing_is_changed():
    w = ag.tensor([0.0], requires_grad=True)
    loss = w.sqrt().sum()
    for _ in range(2):
        assert ag.autograd.explain_nonfinite(loss).reason == "derivative"
        assert w.grad is None
    loss.backward()
    assert w.grad.tolist() == [math.inf]
    assert ag.autograd.explain_nonfinite(loss).reason == "freed"


def test_without_history():
    assert ag.autograd.explain_nonfinite(ag.ones(1))
    assert ag.autograd.explain_nonfinite(ag.tensor(math.nan)).reason == "not_recorded"
    with pytest.raises(TypeError, match="argument 'loss' must be Tensor, not float"):
        ag.autograd.explain_nonfinite(1.0)
    with pytest.raises(TypeError, match="argument 'params'"):
        ag.autograd.explain_nonfinite(ag.ones(1), 3)


def test_values_that_hooks_keep():
    from autograd.utils.checkpoint import checkpoint

    w = ag.tensor([1.0, 0.0], requires_grad=True)
    found = ag.autograd.explain_nonfinite(checkpoint(lambda x: x.log().exp(), w).log().sum())
    assert (found.reason, found.op, found.element) == ("singular", "log", (1,))
    found = ag.autograd.explain_nonfinite(checkpoint(lambda x: x.sqrt(), w).sum())
    assert (found.reason, found.op) == ("derivative", "sqrt")


def test_gradients_that_are_smaller_than_their_inputs():
    """Rules may leave it to the engine to repeat a gradient."""
    w = ag.tensor([[4.0, 0.0]], requires_grad=True)
    for loss in (w.sum().sqrt() * 0 + (w.sum() - 4).sqrt(), (w.mean() - 2).sqrt(), w.prod().sqrt()):
        found = ag.autograd.explain_nonfinite(loss)
        assert (found.reason, found.op, found.phase) == ("derivative", "sqrt", "backward")


def test_losses_of_several_elements():
    w = ag.tensor([1.0, 0.0], requires_grad=True)
    assert ag.autograd.explain_nonfinite(w.log()).element == (1,)
    assert ag.autograd.explain_nonfinite(w.sqrt()).reason == "derivative"
    assert ag.autograd.explain_nonfinite(w * 2)


# ---- random graphs


def random_graph(lib, seed, planted=None):
    """A loss of a random graph with masks of -inf, views, constants and changes in place; all of it is finite.

    planted: what is done to one value on the way.
    """
    rng = np.random.default_rng(seed)
    leaves = [
        lib.tensor(rng.normal(size=(3, 4)).tolist(), dtype=lib.float64).requires_grad_()
        for _ in range(3)
    ]
    values = [leaf * 1 for leaf in leaves]
    steps = int(rng.integers(4, 20))
    at = int(rng.integers(1, steps))
    for step in range(steps):
        kind = int(rng.integers(0, 8))
        a, b = (values[int(i)] for i in rng.integers(0, len(values), 2))
        name = str(rng.choice(["tanh", "sigmoid", "sin", "cos", "relu", "abs"]))
        if kind < 2:
            new = getattr(a, name)()
        elif kind == 2:
            new = (a * b).tanh()
        elif kind == 3:
            mask = lib.tensor(rng.normal(size=(3, 4)).tolist()) > 0.5
            new = a.masked_fill(mask, -math.inf).softmax(0).nan_to_num(0.0)
            new = a.masked_fill(mask & ~mask[:, :1], -math.inf).softmax(1)
        elif kind == 4:
            allowed = lib.tensor(np.triu(np.full((3, 4), -math.inf), 1).tolist())
            new = (a + allowed).exp().clamp(max=2.0)
        elif kind == 5:
            new = (a @ b.t()).reshape(9)[:4].expand(3, 4).tanh()
        elif kind == 6:
            new = a.clone()
            new[int(rng.integers(0, 3))] *= 0.5
        else:
            new = lib.where(a > 0.1, (a.abs() + 0.1).log(), a - 1.0)
        if planted is not None and step == at:
            new = planted(new)
        values.append(new)
    # What came last is used, and so is all that it was made of.
    total = values[-1].tanh() if planted is None else sum(values[len(leaves) + at :])
    return leaves, total.mean() + sum((leaf * 0.1).sum() for leaf in leaves)


@pytest.mark.parametrize("seed", range(120))
def test_no_false_alarm(seed):
    """A graph is called healthy if, and only if, PyTorch finds its loss and all of its gradients finite."""
    expected, loss = random_graph(torch, seed)
    loss.backward()
    finite = math.isfinite(loss.item()) and all(leaf.grad.isfinite().all() for leaf in expected)
    _, loss = random_graph(ag, seed)
    assert bool(ag.autograd.explain_nonfinite(loss)) == finite


PLANTED_LINE = (lambda h: (h - h.detach()).log()).__code__.co_firstlineno + 4


def plant(h):
    return (h - h.detach()).log()


@pytest.mark.parametrize("seed", range(60))
def test_a_planted_fault_is_found(seed):
    _, loss = random_graph(ag, seed, plant)
    found = ag.autograd.explain_nonfinite(loss)
    assert (found.reason, found.op, found.phase) == ("singular", "log", "forward"), found
    assert (found.location.file, found.location.line) == (__file__, PLANTED_LINE)
