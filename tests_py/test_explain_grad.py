"""autograd.autograd.explain_grad: why a gradient is missing or zero, and no false reasons."""

from __future__ import annotations

import linecache
import textwrap

import numpy as np
import pytest
import torch

import autograd as ag

FILE = "<program>"


def run(program, lib=ag):
    """Runs a program that leaves p and loss, as if it came from a file."""
    source = textwrap.dedent(program)
    linecache.cache[FILE] = (len(source), None, source.splitlines(True), FILE)
    space = {"ag": lib, "F": lib.nn.functional}
    exec(compile(source, FILE, "exec"), space)
    return space["p"], space["loss"]


# A program, the reason, the line that is named, and the ops on the path.
CAUSES = {
    "healthy": (
        """
        p = ag.ones(3, requires_grad=True)
        loss = (p * p).sum()
        """,
        ("healthy", 2, ["sum", "mul"]),
    ),
    "not used": (
        """
        p = ag.ones(3, requires_grad=True)
        q = ag.ones(3, requires_grad=True)
        loss = (q * 2).sum()
        """,
        ("not_reached", 2, []),
    ),
    "detached": (
        """
        p = ag.ones(3, requires_grad=True)
        q = ag.ones(3, requires_grad=True)
        h = (p * 2).tanh()
        h = h.detach()
        loss = (h * q).sum()
        """,
        ("detached", 5, ["sum", "mul"]),
    ),
    "detached, then computed with": (
        """
        p = ag.ones(3, requires_grad=True)
        q = ag.ones(3, requires_grad=True)
        h = (p * 2).data
        h = h.exp() + 1
        h = h.reshape(3, 1)
        loss = (h @ q.reshape(1, 3)).sum()
        """,
        ("detached", 4, ["sum", "mm"]),
    ),
    "detached, and a leaf again": (
        """
        p = ag.ones(3, requires_grad=True)
        h = (p * 2).detach().requires_grad_()
        loss = h.exp().sum()
        """,
        ("detached", 3, ["sum", "exp"]),
    ),
    "the loss itself is detached": (
        """
        p = ag.ones(3, requires_grad=True)
        loss = (p * 2).sum().detach()
        """,
        ("detached", 3, []),
    ),
    "made under no_grad": (
        """
        p = ag.ones(3, requires_grad=True)
        q = ag.ones(3, requires_grad=True)
        with ag.no_grad():
            h = p * 2
        loss = (h * q).sum()
        """,
        ("no_grad", 5, ["sum", "mul"]),
    ),
    "written under no_grad": (
        """
        p = ag.ones(3, requires_grad=True)
        q = ag.ones(3, requires_grad=True)
        h = ag.zeros(3)
        with ag.no_grad():
            h += p
        loss = (h * q).sum()
        """,
        ("no_grad", 6, ["sum", "mul"]),
    ),
    "integers on the way": (
        """
        p = ag.ones(3, requires_grad=True)
        q = ag.ones(3, requires_grad=True)
        h = (p * 3).long()
        loss = (h * q).sum()
        """,
        ("integer", 4, ["sum", "mul"]),
    ),
    "comparison on the way": (
        """
        p = ag.ones(3, requires_grad=True)
        q = ag.ones(3, requires_grad=True)
        accuracy = (p > q).float()
        loss = (accuracy * q).mean()
        """,
        ("integer", 4, ["mean", "mul"]),
    ),
    "a tensor of integers": (
        """
        p = ag.ones(3, dtype=ag.int64)
        q = ag.ones(3, requires_grad=True)
        loss = (p * q).sum()
        """,
        ("integer", 2, []),
    ),
    "no leaf": (
        """
        w = ag.ones(3, requires_grad=True)
        p = w * 0.1
        loss = (p * p).sum()
        """,
        ("non_leaf", 3, ["sum", "mul"]),
    ),
    "multiplied by zero": (
        """
        p = ag.ones(3, requires_grad=True)
        mask = ag.zeros(3)
        h = p.exp()
        loss = (h * mask).sum()
        """,
        ("zero_factor", 5, ["sum", "mul"]),
    ),
    "weights of zero": (
        """
        p = ag.ones(2, 3, requires_grad=True)
        w = ag.zeros(4, 3, requires_grad=True)
        h = F.linear(p, w)
        loss = h.tanh().sum()
        """,
        ("zero_factor", 4, ["sum", "tanh", "linear"]),
    ),
    "dead relu": (
        """
        p = ag.ones(3, requires_grad=True)
        h = (p - 5).relu()
        loss = (h + 1).square().sum()
        """,
        ("dead", 3, ["sum", "square", "add", "relu"]),
    ),
    "rounded": (
        """
        p = ag.ones(3, requires_grad=True)
        h = (p * 1.5).round()
        loss = h.square().sum()
        """,
        ("flat", 3, ["sum", "square", "round"]),
    ),
    "overwritten": (
        """
        p = ag.ones(3, requires_grad=True)
        h = p * 2
        h.zero_()
        loss = (h + 1).square().sum()
        """,
        ("overwritten", 4, ["sum", "square", "add", "copy_"]),
    ),
    "not selected": (
        """
        p = ag.ones(3, requires_grad=True)
        q = ag.ones(3, requires_grad=True)
        both = ag.cat([p, q])
        loss = both[4:].sum()
        """,
        ("not_used", 4, ["sum", "slice", "cat"]),
    ),
    "contributions that cancel": (
        """
        p = ag.ones(3, requires_grad=True)
        loss = (p * 2 - p * 2).sum()
        """,
        ("cancelled", 2, ["sum", "sub", "mul"]),
    ),
    "requires_grad is off": (
        """
        p = ag.ones(3)
        q = ag.ones(3, requires_grad=True)
        loss = (p * q).sum()
        """,
        ("requires_grad_off", 2, []),
    ),
    "freed": (
        """
        p = ag.ones(3, requires_grad=True)
        loss = (p * p).sum()
        loss.backward()
        p.grad = None
        """,
        ("freed", 3, ["sum", "mul"]),
    ),
    "replaced parameter": (
        """
        layer = ag.nn.Linear(3, 1)
        p = layer.weight
        layer.weight = ag.nn.Parameter(ag.ones(1, 3))
        loss = layer(ag.ones(2, 3)).sum()
        """,
        ("not_reached", 2, []),
    ),
}


@pytest.mark.parametrize("name", CAUSES)
def test_cause(name):
    program, (reason, line, path) = CAUSES[name]
    p, loss = run(program)
    found = ag.autograd.explain_grad(p, loss)
    assert found.reason == reason, found
    assert (found.location.file, found.location.line) == (FILE, line), found
    assert [step.op for step in found.path] == path
    assert bool(found) == (reason == "healthy")
    if reason != "healthy":
        assert f"{FILE}:{line}" in str(found)


@pytest.mark.parametrize("name", [name for name in CAUSES if name != "freed"])
def test_cause_is_one_in_pytorch(name):
    """The gradient is missing, or zero, in PyTorch as well."""
    p, loss = run(CAUSES[name][0], torch)
    if loss.requires_grad:
        loss.backward()
    absent = not p.is_leaf or p.grad is None or not p.grad.any()
    assert absent == (name != "healthy")


def test_nothing_is_changed():
    p, loss = run(CAUSES["healthy"][0])
    for _ in range(2):
        assert ag.autograd.explain_grad(p, loss)
        assert p.grad is None
    loss.backward()
    assert p.grad.tolist() == [2.0] * 3
    assert ag.autograd.explain_grad(p, loss).reason == "healthy"  # freed, but there it is


def test_sentence_for_a_value_that_is_no_leaf():
    p, loss = run(CAUSES["no leaf"][0])
    text = str(ag.autograd.explain_grad(p, loss))
    assert f"the leaf of sizes [3] made at {FILE}:2" in text
    assert "retain_grad()" in text
    p.retain_grad()
    assert ag.autograd.explain_grad(p, loss).reason == "healthy"


def test_function_that_returns_none():
    from autograd.hooks import record_function

    p = ag.ones(3, requires_grad=True)
    q = ag.ones(3, requires_grad=True)
    (h,) = record_function([p, q], [p.detach() * 2], lambda grads, node: [None, grads[0]])
    loss = (h * h).sum()
    found = ag.autograd.explain_grad(p, loss)
    assert found.reason == "custom_function"
    assert found.location.line == h.made_at.line
    assert "returned no gradient for its first input" in str(found)
    assert ag.autograd.explain_grad(q, loss)


def test_cuts_keep_nothing_alive():
    p = ag.ones(1 << 16, requires_grad=True)
    h = (p * 2).detach()[:1].clone()
    before = ag.memory_allocated()
    kept = [(p * 2).detach()[:1].clone() for _ in range(10)]
    assert ag.memory_allocated() - before < 10 * 4096
    assert kept[0].item() == h.item()


def test_the_right_cut_is_named_among_many():
    """Each of 30 parameters is cut off on a line of its own."""
    lines = [
        "q = ag.ones(3, requires_grad=True)",
        "ps = [ag.ones(3, requires_grad=True) for _ in range(30)]",
    ]
    lines.append("total = q")
    lines += [f"total = total + q * (ps[{i}] * 2).detach()" for i in range(30)]
    space = {"ag": ag}
    exec(compile("\n".join(lines), FILE, "exec"), space)
    loss = space["total"].sum()
    for i, p in enumerate(space["ps"]):
        found = ag.autograd.explain_grad(p, loss)
        assert (found.reason, found.location.line) == ("detached", i + 4)


@pytest.mark.parametrize("args", [(1, 2), (None, None)])
def test_arguments(args):
    with pytest.raises(TypeError, match="argument 'p' must be Tensor"):
        ag.autograd.explain_grad(*args)


def test_loss_of_several_elements():
    p = ag.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="one element"):
        ag.autograd.explain_grad(p, p * 2)


# ---- no false reasons


UNARY = ["tanh", "sigmoid", "exp", "sin", "cos", "relu", "abs", "square", "softplus"]
BINARY = ["add", "sub", "mul", "maximum"]


def random_loss(lib, seed):
    """A random graph over four leaves with views, changes in place, constants, and detached and unused branches."""
    rng = np.random.default_rng(seed)
    leaves = [
        lib.tensor(rng.normal(size=(3, 4)).tolist(), dtype=lib.float64).requires_grad_()
        for _ in range(4)
    ]
    values = [leaf * 1 for leaf in leaves]
    for _ in range(int(rng.integers(3, 25))):
        kind = int(rng.integers(0, 8))
        a, b = (values[int(i)] for i in rng.integers(0, len(values), 2))
        if kind < 2:
            name = str(rng.choice(UNARY))
            scaled = a * 0.3
            new = (
                lib.nn.functional.softplus(scaled)
                if name == "softplus"
                else getattr(scaled, name)()
            )
        elif kind < 5:
            new = getattr(lib, str(rng.choice(BINARY)))(a, b)
        elif kind == 5:
            new = (a @ b.t()).reshape(9)[:4].expand(3, 4) * 0.2
        elif kind == 6:
            new = a.clone()
            new[int(rng.integers(0, 3))] *= 0.5
        else:
            with lib.no_grad():
                noise = b.tanh()
            new = a + noise + b.detach() * 0.1
        values.append(new)
    return leaves, (values[-1] * values[-1].detach().sigmoid() + 0.1 * values[-2].square()).mean()


@pytest.mark.parametrize("seed", range(200))
def test_no_false_reason(seed):
    """The gradient is called healthy if, and only if, PyTorch's is there and not zero."""
    expected, loss = random_loss(torch, seed)
    loss.backward()
    leaves, loss = random_loss(ag, seed)
    for leaf, other in zip(leaves, expected):
        found = ag.autograd.explain_grad(leaf, loss)
        arrives = other.grad is not None and bool(other.grad.any())
        assert bool(found) == arrives, (found, other.grad)
        if other.grad is None:
            assert found.reason in ("not_reached", "detached", "no_grad")
