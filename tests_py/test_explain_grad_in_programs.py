"""explain_grad in programs of several files: causes deep inside modules, and random healthy graphs of many kinds."""

from __future__ import annotations

import inspect
import linecache
import textwrap
from collections import defaultdict

import numpy as np
import pytest

import autograd as ag

F = ag.nn.functional
FILE = "<blocks>"

# The forward of a block with a layer `fc` of 4 features, the reason, and what its line contains.
CAUSES = {
    "frozen": (
        """
        with ag.no_grad():
            return self.fc(x)
        """,
        ("no_grad", "self.fc(x)"),
    ),
    "inference": (
        """
        with ag.inference_mode():
            h = self.fc(x)
        return h.clone()
        """,
        ("no_grad", "self.fc(x)"),
    ),
    "detached in a loop": (
        """
        h = self.fc(x)
        for step in range(3):
            if step == 1:
                h = h.detach()
            h = h * 1.5
        return h
        """,
        ("detached", "h.detach()"),
    ),
    "a copy": (
        """
        h = self.fc(x)
        return ag.tensor(h)
        """,
        ("detached", "ag.tensor(h)"),
    ),
    "rebuilt from numbers": (
        """
        return ag.tensor(self.fc(x).tolist())
        """,
        ("not_reached", None),
    ),
    "compared": (
        """
        chosen = self.fc(x) > 0
        return chosen.float() * x
        """,
        ("integer", "> 0"),
    ),
    "compared, then used under no_grad": (
        """
        mask = (self.fc(x) > 0) * x
        with ag.no_grad():
            mask = mask.exp()
        return mask + x
        """,
        ("no_grad", "mask.exp()"),
    ),
    "best class": (
        """
        best = self.fc(x).argmax(-1)
        return best[:, None] * x
        """,
        ("integer", "argmax"),
    ),
    "a gate of zeros": (
        """
        gate = ag.zeros(4)
        return self.fc(x) * gate
        """,
        ("zero_factor", "* gate"),
    ),
    "times the number 0": (
        """
        return self.fc(x) * 0
        """,
        ("zero_factor", "* 0"),
    ),
    "a mask of False": (
        """
        return self.fc(x) * (ag.ones(4) > 2)
        """,
        ("zero_factor", "> 2"),
    ),
    "filled": (
        """
        return self.fc(x).masked_fill(ag.ones(4) > 0, -1.0)
        """,
        ("not_used", "masked_fill"),
    ),
    "the other place is used": (
        """
        out = ag.zeros(2, 2, 4)
        out[0] = self.fc(x)
        return out[1]
        """,
        ("not_used", "out[0]"),
    ),
    "overwritten": (
        """
        h = self.fc(x)
        h[:] = 0.5
        return h
        """,
        ("overwritten", "h[:]"),
    ),
    "dead": (
        """
        return F.relu(self.fc(x) - 100)
        """,
        ("dead", "F.relu"),
    ),
    "saturated": (
        """
        h = self.fc(x) + 50
        return h.clamp(-1, 1)
        """,
        ("dead", "clamp"),
    ),
    "rounded": (
        """
        return self.fc(x).floor()
        """,
        ("flat", "floor"),
    ),
    "no derivative": (
        """
        return self.fc(x) // 1
        """,
        ("no_rule", "// 1"),
    ),
    "zeros from a Function": (
        """
        class Rounded(ag.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x.round()
            @staticmethod
            def backward(ctx, g):
                return ag.zeros_like(g)
        return Rounded.apply(self.fc(x))
        """,
        ("custom_function", "Rounded.apply"),
    ),
    "a hook": (
        """
        h = self.fc(x)
        h.register_hook(lambda g: g * 0)
        return h
        """,
        ("hook", "h = self.fc(x)"),
    ),
    "a softmax of one": (
        """
        return ag.softmax(self.fc(x).reshape(-1, 1), -1).reshape(2, 4)
        """,
        ("not_used", "softmax"),
    ),
}


def block(forward):
    """A module with this forward, from a file of its own."""
    body = textwrap.indent(textwrap.dedent(forward).strip("\n"), " " * 8)
    source = (
        "class Block(ag.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.fc = ag.nn.Linear(4, 4)\n    def forward(self, x):\n{body}\n"
    )
    linecache.cache[FILE] = (len(source), None, source.splitlines(True), FILE)
    space = {"ag": ag, "F": F}
    exec(compile(source, FILE, "exec"), space)
    return space["Block"]()


@pytest.mark.parametrize("name", CAUSES)
def test_cause_inside_a_module(name):
    forward, (reason, part) = CAUSES[name]
    ag.manual_seed(0)
    inner = block(forward)
    net = ag.nn.Sequential(ag.nn.Linear(4, 4), ag.nn.Sequential(ag.nn.Tanh(), inner))
    loss = ag.nn.Linear(4, 4)(net(ag.randn(2, 4))).square().sum()
    found = ag.autograd.explain_grad(inner.fc.weight, loss)
    assert found.reason == reason, found
    assert found.location.file == FILE
    line = linecache.getline(FILE, found.location.line)
    assert (part or "Linear") in line, (found, line)


def test_a_hook_on_the_parameter_itself():
    p = ag.ones(3, requires_grad=True)
    p.register_hook(lambda g: g * 0)
    assert ag.autograd.explain_grad(p, (p * 2).sum()).reason == "hook"


def test_steps_that_are_compiled():
    """What a plan makes is explained like what the captured calls made, and like what the function makes itself."""
    w, v, unused = (ag.ones(3, requires_grad=True) for _ in range(3))

    def step(x):
        loss = (w * x).sum()
        loss.backward()
        with ag.no_grad():
            norm = v.norm()
        return loss.detach(), norm, x * 2

    compiled = ag.compile(step)

    def found(results):
        pairs = [(t, y.sum()) for t in (w, v, unused) for y in results]
        found = [ag.autograd.explain_grad(*pair) for pair in pairs]
        return [(each.reason, each.location.line, str(each)) for each in found]

    expected = found(step(ag.ones(3)))
    assert [reason for reason, *_ in expected] == [
        *("detached", "not_reached", "not_reached"),
        *("not_reached", "no_grad", "not_reached"),
        *("not_reached", "not_reached", "not_reached"),
    ]
    for _ in range(4):
        lines = [(reason, line) for reason, line, _ in found(compiled(ag.ones(3)))]
        assert lines == [(reason, line) for reason, line, _ in expected]


def test_statistics_of_an_earlier_call_are_no_way_of_a_gradient():
    norm, p = ag.nn.BatchNorm1d(3), ag.ones(2, 3, requires_grad=True)
    norm(p * 2)
    q = ag.randn(2, 3, requires_grad=True)
    assert ag.autograd.explain_grad(p, norm(q).square().sum()).reason == "not_reached"


# ---- random graphs -------------------------------------------------------------------------------


class Twice(ag.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


class Value:
    """A tensor; the leaves that its gradient reaches, and where others behind it were cut off."""

    def __init__(self, tensor, reach=(), cuts=None):
        self.tensor, self.reach, self.cuts = tensor, set(reach), cuts or {}

    def behind(self):
        return self.reach | set(self.cuts)

    def cut(self, kind, line):
        """The cuts of a value computed from this one where its gradient ends."""
        return {leaf: self.cuts.get(leaf, set()) | {(kind, line)} for leaf in self.behind()}


def merged(*values):
    """The leaves that values reach, and all cuts behind them."""
    cuts = defaultdict(set)
    for value in values:
        for leaf, places in value.cuts.items():
            cuts[leaf] |= places
    return set().union(*(value.reach for value in values)), cuts


def changed(a, b):
    a = a.clone()
    a[0] = b[1]
    return a


def scaled(a, b):
    a = a.clone()
    a[:, 1:3].mul_(b[:, :2].sigmoid())
    return a


def slope(a, b):
    if not a.requires_grad:
        return a
    return ag.autograd.grad((a.sin() * a).sum(), a, create_graph=True)[0] + b * 0.1


def again(a, b):
    return ag.utils.checkpoint.checkpoint(lambda x, y: (x * y).sin(), a, b, use_reentrant=False)


OPS = [
    lambda a, b: a.tanh() + b * 0.3,
    lambda a, b: ag.where(ag.tensor([True, False, True, False]), a, b),
    lambda a, b: (a * 1.5).relu() + 0.1 * a + b,
    lambda a, b: a[ag.tensor([2, 0, 1])] + b.index_select(0, ag.tensor([0, 0, 1])),
    lambda a, b: ag.gather(a, 1, ag.tensor([[0, 1, 1, 3]] * 3)) * b.exp().clamp(max=3),
    lambda a, b: Twice.apply(a) + b,
    lambda a, b: ag.func.vmap(lambda x, y: (x * y).cumsum(0) * 0.3)(a, b),
    lambda a, b: (a.view(12).view(3, 4).transpose(0, 1) @ b)[:3],
    lambda a, b: F.dropout(a, 0.3) + 0.1 * a + b,
    lambda a, b: ag.stack([a, b]).mean(0),
    changed,
    scaled,
    slope,
    again,
]
LAYERS = [
    (lambda: ag.nn.Linear(4, 4), lambda m, a: m(a)),
    (lambda: ag.nn.LayerNorm(4), lambda m, a: m(a)),
    (lambda: ag.nn.GRU(4, 4, batch_first=True), lambda m, a: m(a[None])[0][0]),
    (lambda: ag.nn.Conv1d(3, 3, 3, padding=1), lambda m, a: m(a[None])[0]),
    (lambda: ag.nn.Embedding(5, 4), lambda m, a: m(ag.tensor([0, 2, 2])) * a),
    (lambda: ag.nn.BatchNorm1d(3), lambda m, a: m(a[None])[0]),
    (
        lambda: ag.nn.MultiheadAttention(4, 2, batch_first=True),
        lambda m, a: m(a[None], a[None], a[None])[0][0],
    ),
]


def cut_off(kind, a, b):
    """A value computed from b, and from a where its gradient ends; and the line of that."""
    if kind == "detached":
        line = inspect.currentframe().f_lineno + 1
        return a.detach() * b, line
    if kind == "integer":
        line = inspect.currentframe().f_lineno + 1
        return (a > 0).float() * b, line
    with ag.no_grad():
        line = inspect.currentframe().f_lineno + 1
        gate = a.sigmoid()
    return gate + b, line


def compiled(b):
    """A value of b and, in a compiled function, of a layer of its own; that layer, and the line of its cut."""
    layer, x = ag.nn.Linear(4, 4), ag.ones(3, 4)
    line = inspect.currentframe().f_lineno + 1
    call = ag.compile(lambda x: layer(x).detach())
    for _ in range(4):
        gate = call(x)
    return b * gate, layer, line


def random_program(seed):
    """Leaves, a loss, the leaves that it reaches, and the cuts in front of others."""
    rng = np.random.default_rng(seed)
    ag.manual_seed(seed)
    leaves = [ag.randn(3, 4, requires_grad=True) for _ in range(3)]
    values = [Value(leaf * 1.0, {i}) for i, leaf in enumerate(leaves)]
    layers = []
    for make, call in LAYERS:
        module = make()
        own = range(len(leaves), len(leaves) + len(list(module.parameters())))
        leaves += module.parameters()
        layers.append((module, call, set(own)))
    for _ in range(int(rng.integers(4, 22))):
        a, b = (values[int(i)] for i in rng.integers(0, len(values), 2))
        choice = rng.random()
        if choice < 0.05:
            tensor, layer, line = compiled(b.tensor)
            own = range(len(leaves), len(leaves) + 2)
            leaves += layer.parameters()
            hidden = Value(None, (), {i: {("detached", line)} for i in own})
            reach, cuts = merged(b, hidden)
        elif choice < 0.15:
            kind = str(rng.choice(["detached", "integer", "no_grad"]))
            tensor, line = cut_off(kind, a.tensor, b.tensor)
            reach, cuts = merged(b, Value(None, (), a.cut(kind, line)))
        elif choice < 0.45:
            module, call, own = layers[int(rng.integers(0, len(layers)))]
            tensor, (reach, cuts) = call(module, a.tensor), merged(a)
            reach = reach | own
        else:
            op = OPS[int(rng.integers(0, len(OPS)))]
            tensor, (reach, cuts) = op(a.tensor, b.tensor), merged(a, b)
        values.append(Value(tensor, reach, cuts))
    chosen = [values[-1], *(values[int(i)] for i in rng.integers(0, len(values), 2))]
    weights = ag.randn(3, 4)
    loss = sum((value.tensor * weights * (i + 0.7)).sum() for i, value in enumerate(chosen))
    return leaves, loss + (values[-1].tensor ** 2).mean(), *merged(*chosen)


@pytest.mark.parametrize("chunk", range(8))
def test_no_false_reason_in_random_programs(chunk):
    """Healthy if, and only if, a gradient arrives; else a reason that is one, with its line."""
    for seed in range(50 * chunk, 50 * chunk + 50):
        leaves, loss, reach, cuts = random_program(seed)
        if not loss.requires_grad:
            continue
        gradients = ag.autograd.grad(loss, leaves, retain_graph=True, allow_unused=True)
        for i, (leaf, gradient) in enumerate(zip(leaves, gradients)):
            found = ag.autograd.explain_grad(leaf, loss)
            assert bool(found) == (gradient is not None and bool(gradient.any())), (seed, found)
            if gradient is not None or i in reach:
                continue
            if cuts.get(i):
                assert (found.reason, found.location.line) in cuts[i], (seed, found)
            else:
                assert found.reason == "not_reached", (seed, found)
