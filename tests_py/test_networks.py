"""Whole networks: first, second and third derivatives, training steps, and random programs, against PyTorch."""

import numpy as np
import pytest
import torch
from compare import array, make, same, vs_torch
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd as ag

ACTIVATIONS = {
    "sigmoid": lambda lib, x: lib.sigmoid(x),
    "tanh": lambda lib, x: x.tanh(),
    "relu": lambda lib, x: lib.nn.functional.relu(x),
    "leaky_relu": lambda lib, x: lib.nn.functional.leaky_relu(x, 0.1),
    "softmax": lambda lib, x: lib.softmax(x, dim=-1),
    "mixed": lambda lib, x: lib.relu(lib.sigmoid(x) - 0.5) + x.abs().sqrt().clamp(max=1.5),
}


def parameters(lib, *shapes, seed=0, dtype="float64"):
    """Leaves of normal numbers."""
    rng = np.random.default_rng(seed)
    return [make(lib, rng.standard_normal(s), dtype, requires_grad=True) for s in shapes]


def network_loss(lib, activation, dtype="float64"):
    """The loss of a small network with a layer that is used twice, and its parameters."""
    first, bias, shared, last = weights = parameters(lib, (5, 4), (5,), (5, 5), (3, 5), dtype=dtype)
    (x,) = parameters(lib, (6, 4), seed=1, dtype=dtype)
    target = make(lib, np.arange(6) % 3, "int64")
    act = ACTIVATIONS[activation]
    hidden = act(lib, lib.nn.functional.linear(x, first, bias))
    hidden = act(lib, hidden @ shared.t())
    hidden = act(lib, hidden @ shared.t())
    logits = lib.nn.functional.linear(hidden, last)
    return lib.nn.functional.cross_entropy(logits, target), [*weights, x]


@vs_torch
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_double_backward_of_a_network(lib, activation, dtype):
    """The gradient of the gradients' squared length, as for a gradient penalty."""
    loss, weights = network_loss(lib, activation, dtype)
    first = lib.autograd.grad(loss, weights, create_graph=True)
    penalty = sum((g * g).sum() for g in first)
    (loss + 0.5 * penalty).backward()
    return loss, first, [w.grad for w in weights]


@vs_torch
@pytest.mark.parametrize(
    "name", ["exp", "tanh", "sigmoid", "log", "sqrt", "softmax", "log_softmax"]
)
def test_third_derivative(lib, name):
    x = make(lib, [0.5, 1.2, 2.3], "float64", requires_grad=True)
    y = getattr(lib, name)(x, *([-1] if "softmax" in name else []))
    weights = make(lib, [1.0, -2.0, 0.5], "float64")
    found = [y]
    for _ in range(3):
        y = lib.autograd.grad((y * weights * y).sum(), x, create_graph=True)[0]
        found.append(y)
    return found


@vs_torch
def test_hessian_row_by_row(lib):
    (x,) = parameters(lib, (4,))
    total = (x[0] * x[1]).exp() + (x * x).sum() * x[2].tanh() + lib.where(x > 0, x**3, -x).sum()
    (first,) = lib.autograd.grad(total, x, create_graph=True)
    rows = [lib.autograd.grad(first[i], x, retain_graph=True)[0] for i in range(4)]
    return lib.stack(rows)


@vs_torch
@pytest.mark.parametrize("nesterov", [False, True], ids=["plain", "nesterov"])
def test_training_steps(lib, nesterov):
    """Twenty steps of momentum SGD give the same parameters and losses."""
    first, bias, last = weights = parameters(lib, (8, 4), (8,), (3, 8))
    optimizer = lib.optim.SGD(weights, lr=0.1, momentum=0.9, nesterov=nesterov, weight_decay=0.01)
    losses = []
    for step in range(20):
        rng = np.random.default_rng(step)
        x = make(lib, rng.standard_normal((16, 4)), "float64")
        target = make(lib, rng.integers(0, 3, 16), "int64")
        hidden = lib.tanh(lib.nn.functional.linear(x, first, bias))
        loss = lib.nn.functional.cross_entropy(hidden @ last.t(), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [w.detach() for w in weights]


# ---- random programs -----------------------------------------------------------------------------
# A program is a list of steps (op, i, j); each takes two earlier values, all of shape [3, 3], and appends one.


def written(lib, a, b):
    """A copy of a into a row of which b was written."""
    a = a.clone()
    a[1] = b[0] * a[1].clone()
    return a


def written_through(lib, a, b):
    """A copy of a that was changed through a transposed part."""
    a = a * 1
    part = a.t()[1:]
    part.mul_(b[1:].tanh())
    part[0].add_(b[2])
    return a


STEPS = [
    lambda lib, a, b: a + b,
    lambda lib, a, b: a - b * 0.5,
    lambda lib, a, b: a.tanh() * b,
    lambda lib, a, b: a.sigmoid() / (1 + b * b),
    lambda lib, a, b: lib.maximum(a, b),
    lambda lib, a, b: lib.where(a > b, a * 2, b),
    lambda lib, a, b: (a @ b).tanh(),
    lambda lib, a, b: a.softmax(1) + b.log_softmax(0),
    lambda lib, a, b: a.sum(0, keepdim=True).tanh() + b,
    lambda lib, a, b: a.mean(1, keepdim=True) * b.tanh().expand(3, 3),
    lambda lib, a, b: a.max(1, keepdim=True)[0] - b,
    lambda lib, a, b: a.var(0) + b.t(),
    lambda lib, a, b: lib.cat([a[:1], b[1:]]),
    lambda lib, a, b: lib.stack([a[0], b[:, 1], a[2]], 1),
    lambda lib, a, b: lib.cat(a.split([1, 2], 1)[::-1], 1) + b.reshape(9).view(3, 3),
    lambda lib, a, b: a.clamp(-1, 1) + (b * b + 1).log().sqrt(),
    lambda lib, a, b: (a.tanh() + 2) ** b.sigmoid(),
    lambda lib, a, b: a.relu() + b[:, None].squeeze(1).abs(),
    lambda lib, a, b: a.unsqueeze(0).expand(2, 3, 3).sum(0) - b.permute(1, 0).exp().clamp(max=3),
    written,
    written_through,
]
PROGRAMS = st.lists(
    st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 30), st.integers(0, 30)),
    min_size=5,
    max_size=30,
)


def run(lib, program, seed):
    """Values, gradients of the leaves and of a value in the middle, and one second derivative."""
    leaves = parameters(lib, (3, 3), (3, 3), seed=seed)
    values = list(leaves)
    for op, i, j in program:
        values.append(STEPS[op](lib, values[i % len(values)], values[j % len(values)]))
    middle = values[len(values) // 2]
    total = (values[-1] * values[-2]).mean()
    inputs = [*leaves, middle]
    first = lib.autograd.grad(total, inputs, create_graph=True, allow_unused=True)
    length = sum((g * g).sum() for g in first if g is not None)
    total.backward(retain_graph=True)
    second = [None, None]
    if length.requires_grad:
        second = lib.autograd.grad(length, leaves, allow_unused=True)
    return values[-1], [zeros_for_none(g) for g in (*first, *[x.grad for x in leaves], *second)]


def zeros_for_none(gradient):
    """An array: PyTorch's None may be zeros here and the other way round."""
    return np.zeros((3, 3)) if gradient is None else array(gradient)


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(PROGRAMS, st.integers(0, 1000))
def test_random_programs(program, seed):
    value, found = run(ag, program, seed)
    expected_value, expected = run(torch, program, seed)
    same(value, expected_value)
    for actual, wanted in zip(found, expected):
        scale = np.abs(wanted).max(initial=0)
        np.testing.assert_allclose(actual, wanted, rtol=1e-7, atol=1e-9 * max(scale, 1e-3))
