"""One bad value in a long random program with modules, loops and changes in place: it is found where it began."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

import autograd as ag

nn = ag.nn
WIDTH, ROWS = 4, 3


class Scaled(ag.autograd.Function):
    """A healthy function of one's own."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x * factor

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor, None


class Broken(ag.autograd.Function):
    """One that divides by zero in one place."""

    @staticmethod
    def forward(ctx, x):
        y = x.clone()
        y[1, 2] = math.nan
        return y

    @staticmethod
    def backward(ctx, g):
        return g


# Each plants one bad value, in one line, after which `y` has it: a function, the operation, the reason.
def _log(h, k):
    at_zero = h - h.detach() + k.hot
    return at_zero.log()


def _sqrt(h, k):
    below = h * 0 + k.hot - 0.5
    return below.sqrt()


def _division(h, k):
    return h.exp() / (h * 0 + k.hot)


def _reciprocal(h, k):
    return (h * 0 + k.hot).reciprocal()


def _overflow(h, k):
    return (k.far + h).exp()


def _product(h, k):
    large = (1 - k.hot) * 1e200 + h.sigmoid() * 0
    return large * large


def _power(h, k):
    return (h * 0 - 1 + 2 * k.hot) ** 0.5


def _constant(h, k):
    return h + k.bad


def _in_place(h, k):
    y = h * 1
    y[1, 2] = math.inf
    return y


def _function(h, k):
    return Broken.apply(h)


def _acos(h, k):
    return (h * 0 + 2 - 2 * k.hot).acos()


PLANTS = {
    "log": (_log, "log", "singular"),
    "sqrt": (_sqrt, "sqrt", "undefined"),
    "division": (_division, "div", "singular"),
    "reciprocal": (_reciprocal, "reciprocal", "singular"),
    "overflow": (_overflow, "exp", "overflow"),
    "product": (_product, "mul", "overflow"),
    "power": (_power, "pow", "undefined"),
    "constant": (_constant, "", "constant"),
    "in place": (_in_place, "", "constant"),
    "function": (_function, "Broken", "custom_function"),
    "acos": (_acos, "acos", "undefined"),
}


class Known:
    """Constants that stay: 1 but for 0 at element [1, 2], and 0 but for inf there."""

    def __init__(self):
        place = ag.arange(ROWS * WIDTH).reshape(ROWS, WIDTH) == WIDTH + 2
        self.hot = ag.where(place, 0.0, ag.ones(ROWS, WIDTH, dtype=ag.float64))
        self.far = ag.where(place, 2000.0, ag.zeros(ROWS, WIDTH, dtype=ag.float64))
        self.bad = ag.where(place, math.inf, ag.zeros(ROWS, WIDTH, dtype=ag.float64))


class Block(nn.Module):
    """A residual block."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(WIDTH, 6), nn.Tanh(), nn.Linear(6, WIDTH))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x):
        return self.norm(x + self.inner(x))


def _looped(h, rng):
    for _ in range(int(rng.integers(2, 5))):
        h = h + 0.1 * h.sin()
    return h


def _changed(h, rng):
    y = h.clone()
    y[int(rng.integers(ROWS))] *= 0.5
    y.mul_(0.9).add_(0.01)
    return y


def _through_parts(h, rng):
    a, b = h.chunk(2, dim=1)
    return ag.cat([b.tanh(), a], dim=1).t().contiguous().t()


class Helpers:
    """What the programs have compiled: data that a plan makes, states that it changes, a model that it trains."""

    def __init__(self):
        self.average = ag.zeros(WIDTH, dtype=ag.float64)
        self.model = nn.Linear(WIDTH, 1).double()
        optimizer = ag.optim.SGD(self.model.parameters(), lr=0.1)

        @ag.compile
        def features(h):
            return (h * 2).sin().softmax(1)

        @ag.compile
        def follow(h):
            self.average.mul_(0.9).add_(h.mean(0), alpha=0.1)
            return self.average + 0

        @ag.compile
        def train(h):
            loss = (self.model(h).tanh() - 0.5).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        self.functions = {"features": features, "follow": follow, "train": train}
        h = ag.ones(ROWS, WIDTH, dtype=ag.float64)
        for function in self.functions.values():
            for _ in range(4):  # until there is a plan
                function(h)
        self.start = [t.detach().clone() for t in self._state()]

    def _state(self):
        return [self.average, *self.model.parameters()]

    def begin(self, compiled):
        """Each program finds the same state; its calls run the plans or the functions themselves."""
        self.kept = []
        with ag.no_grad():
            for t, start in zip(self._state(), self.start):
                t.copy_(start)
        for name, function in self.functions.items():
            setattr(self, name, function if compiled else function.function)


helpers = Helpers()


# Data that compiled calls have made from the values so far.
DATA = (
    lambda h, rng: helpers.features(h),
    lambda h, rng: helpers.follow(h),
    lambda h, rng: (helpers.follow(h), helpers.average * 0.5)[1],
    lambda h, rng: helpers.train(_batch(rng)).detach(),
    lambda h, rng: (helpers.train(_batch(rng)), helpers.model(h).detach().tanh())[1],
)


def _batch(rng):
    return ag.tensor(rng.normal(size=(ROWS, WIDTH)).tolist(), dtype=ag.float64)


def _with_data(h, rng):
    data = DATA[int(rng.integers(len(DATA)))](h.detach(), rng) * 0.1
    helpers.kept.append(data)
    return h + data


STEPS = (
    _with_data,
    _with_data,
    _with_data,
    lambda h, rng: h.tanh(),
    lambda h, rng: h.sigmoid() * 2 - 1,
    lambda h, rng: (h @ h.t() @ h).tanh(),
    lambda h, rng: h.softmax(int(rng.integers(2))),
    lambda h, rng: nn.functional.gelu(h) + 0.1 * h,
    lambda h, rng: h - h.mean(0, keepdim=True),
    lambda h, rng: ag.where(h > 0, h, 0.1 * h),
    lambda h, rng: Scaled.apply(h, 1.4).tanh(),  # which keeps the value
    lambda h, rng: h.unsqueeze(0).expand(2, ROWS, WIDTH).sum(0).reshape(ROWS, WIDTH) * 0.5,
    lambda h, rng: h.clamp(-3, 3),
    _looped,
    _changed,
    _through_parts,
)


def program(seed, plant=None, compiled=True):
    """The loss of 30 to 100 steps, the model, the result that has the bad value, and the constants."""
    ag.manual_seed(seed)
    helpers.begin(compiled)
    rng = np.random.default_rng(seed)
    model = nn.ModuleList([Block() for _ in range(3)]).double()
    known, planted = Known(), None
    h = ag.tensor(rng.normal(size=(ROWS, WIDTH)).tolist(), dtype=ag.float64)
    h, steps = model[0](h), int(rng.integers(30, 100))
    at = int(rng.integers(steps))
    for step in range(steps):
        if rng.random() < 0.1:
            h = model[int(rng.integers(3))](h)
        else:
            h = STEPS[int(rng.integers(len(STEPS)))](h, rng)
        if step == at and plant is not None:
            h = planted = plant(h, known)
    return (h * h).mean(), model, planted, known


def line_of(function):
    """The last line of a function, or that which plants the value in place."""
    lines, start = inspect.getsourcelines(function)
    marked = [i for i, line in enumerate(lines) if "= math.inf" in line]
    return start + (marked[0] if marked else len(lines) - 1)


@pytest.mark.parametrize("seed", range(40))
def test_healthy_programs(seed):
    loss, model, *_ = program(seed)
    assert math.isfinite(loss.item())
    found = ag.autograd.explain_nonfinite(loss, model)
    assert found, found


@pytest.mark.parametrize("name", PLANTS)
def test_the_first_bad_value_is_found(name):
    plant, op, reason = PLANTS[name]
    for seed in range(5):
        loss, model, planted, known = program(seed, plant)
        if math.isfinite(loss.item()):
            continue  # what came later has hidden it
        assert [
            (i, k)
            for i in range(ROWS)
            for k in range(WIDTH)
            if not math.isfinite(planted[i, k].item())
        ] == [(1, 2)], "the replay has another bad value"
        found = ag.autograd.explain_nonfinite(loss, model)
        assert (found.reason, found.phase, found.op) == (reason, "forward", op), (seed, found)
        assert (found.location.file, found.location.line) == (__file__, line_of(plant)), found
        if reason not in ("custom_function", "constant"):
            assert found.element == (1, 2), (seed, found)
        assert str(found.location) in str(found)


@pytest.mark.parametrize("seed", range(8))
def test_a_parameter_that_is_bad(seed):
    ag.manual_seed(seed)
    _, model, *_ = program(seed)
    with ag.no_grad():
        model[0].inner[0].weight[2, 1] = math.nan
    x = ag.ones(ROWS, WIDTH, dtype=ag.float64)
    found = ag.autograd.explain_nonfinite(model[2](model[0](x)).square().sum(), model)
    assert (found.reason, found.parameter) == ("leaf", "0.inner.0.weight"), found
    assert found.element == (2, 1)


def summary(found):
    return found.reason, found.phase, found.op, found.element, found.parameter


@pytest.mark.parametrize("name", PLANTS)
def test_plans_change_nothing(name):
    """The explanation is the same whether calls run their plans or are made in Python."""
    found = []
    for compiled in (True, False):
        loss, model, *_ = program(1, PLANTS[name][0], compiled)
        found.append(ag.autograd.explain_nonfinite(loss, model))
    assert summary(found[0]) == summary(found[1]), found


def test_a_state_that_a_plan_has_changed_since_is_not_taken_for_what_it_was():
    helpers.begin(compiled=True)
    w = ag.ones(ROWS, WIDTH, dtype=ag.float64, requires_grad=True)
    loss = (w + helpers.average).log().sum()
    assert ag.autograd.explain_nonfinite(loss)
    bad = ag.full((ROWS, WIDTH), math.nan, dtype=ag.float64)
    helpers.follow(bad)
    assert helpers.average.isnan().all() and ag.autograd.explain_nonfinite(loss)
    found = ag.autograd.explain_nonfinite((w + helpers.average).sum())
    assert found.reason == "unknown_input", found


def test_a_parameter_that_a_plan_has_made_bad():
    """What docs/debugging.md says of compiled steps: the plain function is asked."""
    model = nn.Linear(WIDTH, 1).double()
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1)

    @ag.compile
    def step(x):
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    x = ag.ones(ROWS, WIDTH, dtype=ag.float64)
    for _ in range(4):
        step(x)
    before = [p.grad.clone() for p in model.parameters()]
    assert ag.autograd.explain_nonfinite(model(x).square().mean(), model)
    assert all(ag.equal(p.grad, g) for p, g in zip(model.parameters(), before))
    step(x * 1e160)  # the gradient is infinite
    found = ag.autograd.explain_nonfinite(step(x), model)
    assert found.reason == "not_recorded", found
    found = ag.autograd.explain_nonfinite(step.function(x), model)
    assert found.reason == "leaf" and found.parameter in ("weight", "bias"), found


def test_what_a_plan_makes_and_changes_has_the_line_in_the_function():
    @ag.compile
    def step(x, state):
        bad = x.log()
        state.mul_(0)
        state.div_(0)
        return x + 1, bad

    first = step.function.__code__.co_firstlineno + 2  # the decorator's, that of def
    x, state = ag.tensor([1.0, -1.0]), ag.ones(2)
    for _ in range(4):
        good, bad = step(x, state)
    assert (bad.made_at.line, good.made_at.line) == (first, first + 3)
    assert (state.changed_at.line, state.changed_by) == (first + 2, "div")
    w = ag.ones(2, requires_grad=True)
    found = ag.autograd.explain_nonfinite((w * bad).sum())
    assert (found.reason, found.location.line) == ("constant", first), found
    assert f"made at {__file__}:{first}" in str(found)
    found = ag.autograd.explain_nonfinite((w * state).sum())
    assert (found.reason, found.op, found.location.line) == ("constant", "div", first + 2), found


def test_some_are_seen():
    """Most of the planted values reach the loss."""
    seen = sum(
        not math.isfinite(program(seed, plant)[0].item())
        for seed in range(8)
        for plant, *_ in PLANTS.values()
    )
    assert seen > 45, seen
