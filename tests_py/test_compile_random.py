"""Random programs: compiled and not, forward, backward and update give the same, bit for bit."""

import random

import pytest

import autograd as ag
from autograd import nn

UNARY = ["tanh", "sigmoid", "relu", "exp", "sin", "abs", "square", "neg", "sqrt_abs", "softmax"]
BINARY = ["add", "sub", "mul", "div", "maximum"]


def unary(name, x):
    if name == "sqrt_abs":
        return (x.abs() + 0.1).sqrt()
    if name == "exp":
        return (x * 0.1).exp()
    return x.softmax(-1) if name == "softmax" else getattr(x, name)()


def binary(name, x, y):
    return x / (y.abs() + 1.0) if name == "div" else getattr(ag, name)(x, y)


def program(rng, length):
    """A list of instructions over a growing list of values, all of sizes [4, 6] but those that are noted."""
    steps = []
    for _ in range(length):
        kind = rng.choice(["unary", "binary", "broadcast", "matmul", "reduce", "number", "view",
                           "in_place", "cat", "where", "dropout", "detach"])  # fmt: skip
        steps.append((kind, rng.random(), rng.random(), rng.random()))
    return steps


def pick(values, share):
    return values[int(share * len(values))]


def run(steps, x, weights):
    """Runs the program on x; the sum of a few of its values."""
    values = [x, *weights]
    for kind, a, b, c in steps:
        p, q = pick(values, a), pick(values, b)
        if kind == "unary":
            r = unary(UNARY[int(c * len(UNARY))], p)
        elif kind == "binary":
            r = binary(BINARY[int(c * len(BINARY))], p, q)
        elif kind == "broadcast":
            r = p + q[:1] if c < 0.5 else p * q[:, :1]
        elif kind == "matmul":
            r = (p @ q.transpose(0, 1)) @ p * 0.1
        elif kind == "reduce":
            r = p - p.mean(1, keepdim=True) if c < 0.5 else p + q.sum(0)
        elif kind == "number":
            r = p * (2 * c - 1) + 0.5
        elif kind == "view":
            r = p.reshape(6, 4).transpose(0, 1) if c < 0.5 else p.flatten()[: 4 * 6].view(4, 6)
        elif kind == "in_place":
            r = p * 1.0
            part = r[1:3] if c < 0.5 else r.transpose(0, 1)
            part.mul_(0.5)
            r.add_(q.detach() if c < 0.7 else q)
        elif kind == "cat":
            r = ag.cat([p[:2], q[2:]], 0)
        elif kind == "where":
            r = ag.where(p > 0, q, p * 0.3)
        elif kind == "dropout":
            r = nn.functional.dropout(p, 0.25)
        else:
            r = p.detach() * q
        values.append(r.tanh() if c > 0.8 else r)
    return sum((v * 0.1).mean() for v in values[-4:])


def trained(seed):
    """A training function made of a random program, with its parameters and optimizer."""
    rng = random.Random(seed)
    steps = program(rng, rng.randint(3, 14))
    ag.manual_seed(seed)
    weights = [nn.Parameter(ag.randn(4, 6)) for _ in range(rng.randint(1, 4))]
    make = rng.choice([
        lambda p: ag.optim.SGD(p, lr=0.05),
        lambda p: ag.optim.SGD(p, lr=0.05, momentum=0.9),
        lambda p: ag.optim.Adam(p, lr=0.01),
        lambda p: ag.optim.RMSprop(p, lr=0.01),
    ])  # fmt: skip
    optimizer = make(weights)
    early, clips, twice = rng.random() < 0.5, rng.random() < 0.3, rng.random() < 0.3

    def step(x):
        if early:
            optimizer.zero_grad()
        loss = run(steps, x, weights) + sum((w * w).sum() for w in weights) * 1e-3
        if not early:
            optimizer.zero_grad()
        loss.backward(retain_graph=twice)
        if twice:
            loss.backward()
        if clips:
            nn.utils.clip_grad_norm_(weights, 0.5)
        optimizer.step()
        return loss

    return step, weights


@pytest.mark.parametrize("passes", [False, True])
@pytest.mark.parametrize("seed", range(150))
def test_random_programs(seed, passes):
    eager, eager_weights = trained(seed)
    function, weights = trained(seed)
    compiled = ag.compile(function, passes=passes)
    for i in range(7):
        ag.manual_seed(1000 + i)
        x = ag.randn(4, 6)
        ag.manual_seed(i)
        wanted = eager(x)
        ag.manual_seed(i)
        got = compiled(x)
        assert repr(got.item()) == repr(wanted.item()), i
        for p, q in zip(weights, eager_weights):
            assert repr(p.tolist()) == repr(q.tolist()), i
            assert repr(p.grad.tolist()) == repr(q.grad.tolist()), i
    assert "1 plans" in compiled.explain()
