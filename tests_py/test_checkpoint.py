"""checkpoint(): the same gradients as without, from values computed again."""

import gc

import pytest
from both_libraries import agree

import autograd as ag
from autograd import nn
from autograd.utils.checkpoint import checkpoint, checkpoint_sequential


def of(lib):
    if lib is ag:
        return checkpoint
    from torch.utils.checkpoint import checkpoint as theirs

    return theirs


def leaf(lib, *values):
    return lib.tensor([float(v) for v in values], requires_grad=True)


def plain(lib, nn, reentrant=False):
    x = leaf(lib, 0.5, 2)
    runs = []

    def f(t):
        runs.append(1)
        return (t.exp() * t).sin()

    of(lib)(f, x, use_reentrant=reentrant).sum().backward()
    return x.grad, len(runs)


def reentrant(lib, nn):
    return plain(lib, nn, reentrant=True)


def several_values_and_keywords(lib, nn):
    def f(a, b, scale, offset=1.0):
        return a * b * scale, "text", (a + offset).exp()

    a, b = leaf(lib, 1, 2), leaf(lib, 3, 4)
    x, text, y = of(lib)(f, a, b, 2.0, offset=b, use_reentrant=False)
    (x.sum() + y.sum()).backward()
    return a.grad, b.grad, text


def nested(lib, nn):
    x = leaf(lib, 0.5, 2)
    run = of(lib)

    def inner(t):
        return t.exp().sin()

    def middle(t):
        return run(inner, t, use_reentrant=False) * t

    run(
        lambda t: run(middle, t, use_reentrant=False).tanh(), x, use_reentrant=False
    ).sum().backward()
    return x.grad


def kept_graph(lib, nn):
    x = leaf(lib, 0.5)
    runs = []

    def f(t):
        runs.append(1)
        return t.exp().sin()

    y = of(lib)(f, x, use_reentrant=False)
    y.backward(retain_graph=True)
    y.backward()
    return x.grad, len(runs)


def second_order(lib, nn):
    x = leaf(lib, 0.5, 2)
    y = of(lib)(lambda t: (t.exp() * t).sin(), x, use_reentrant=False)
    (first,) = lib.autograd.grad(y.sum(), x, create_graph=True)
    (second,) = lib.autograd.grad(first.sum(), x)
    return first.detach(), second


def part_of_the_graph(lib, nn):
    x, w = leaf(lib, 0.5, 2), leaf(lib, 3, 4)
    y = of(lib)(lambda t: (t * w).exp(), x * 2, use_reentrant=False)
    return lib.autograd.grad(y.sum(), w)


def without_recording(lib, nn):
    x = leaf(lib, 1)
    with lib.no_grad():
        return of(lib)(lambda t: t * 2, x, use_reentrant=False).requires_grad


def other_sizes_the_second_time(lib, nn):
    sizes = iter([2, 3])

    def f(t):
        return (t[:1] * lib.ones(next(sizes))).exp()

    of(lib)(f, leaf(lib, 1, 2), use_reentrant=False).sum().backward()


def fewer_values_the_second_time(lib, nn):
    runs = []

    def f(t):
        runs.append(1)
        t = t.exp()
        return t if len(runs) > 1 else t.exp().exp()

    of(lib)(f, leaf(lib, 0.1), use_reentrant=False).sum().backward()


def gradient_inside(lib, nn):
    x = leaf(lib, 2)

    def f(t):
        (slope,) = lib.autograd.grad((t**3).sum(), t, create_graph=True)
        return slope * t

    of(lib)(f, x, use_reentrant=False).sum().backward()
    return x.grad


def second_run_to_its_end(lib, nn):
    import importlib

    package = "autograd.utils" if lib is ag else "torch.utils"
    module = importlib.import_module(f"{package}.checkpoint")
    x = leaf(lib, 2)
    seen = []

    def f(t):
        y = t.exp()
        seen.append(1)
        return y + 1

    def runs(**options):
        seen.clear()
        module.checkpoint(f, x, use_reentrant=False, **options).sum().backward()
        return len(seen)

    found = [runs(), runs(early_stop=False)]
    with module.set_checkpoint_early_stop(False):
        found.append(runs())
    return found, runs()


def raises_the_second_time(lib, nn):
    runs = []

    def f(t):
        runs.append(1)
        return t.exp() if len(runs) == 1 else [][1]

    of(lib)(f, leaf(lib, 0.1), use_reentrant=False).sum().backward()


def unknown_check(lib, nn):
    of(lib)(lambda t: t, leaf(lib, 1), use_reentrant=False, determinism_check="x")


def reentrant_with_keywords(lib, nn):
    of(lib)(lambda t, k=0: t, leaf(lib, 1), use_reentrant=True, k=3)


SCENARIOS = [
    plain,
    reentrant,
    several_values_and_keywords,
    nested,
    kept_graph,
    second_order,
    part_of_the_graph,
    without_recording,
    other_sizes_the_second_time,
    fewer_values_the_second_time,
    gradient_inside,
    second_run_to_its_end,
    raises_the_second_time,
    unknown_check,
    reentrant_with_keywords,
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda f: f.__name__)
def test_agrees(scenario):
    agree(scenario)


def network():
    ag.manual_seed(3)
    return nn.Sequential(
        nn.Linear(8, 16),
        nn.Tanh(),
        nn.Dropout(0.5),
        nn.Linear(16, 16),
        nn.Dropout(0.5),
        nn.Linear(16, 3),
    )


@pytest.mark.parametrize("options", [{}, {"use_reentrant": False}, {"use_reentrant": True}])
def test_dropout_draws_the_same_numbers(options):
    net = network()
    x = ag.rand(4, 8).requires_grad_()

    def gradients(run):
        ag.manual_seed(7)
        net.zero_grad()
        x.grad = None
        run(x).square().sum().backward()
        after = ag.rand(3).tolist()
        return [x.grad.tolist(), *[p.grad.tolist() for p in net.parameters()], after]

    expected = gradients(net)
    assert gradients(lambda t: checkpoint(net, t, **options)) == expected
    assert gradients(lambda t: checkpoint_sequential(net, 3, t, **options)) == expected
    assert gradients(lambda t: checkpoint(net, t, preserve_rng_state=False, **options)) != expected


def test_memory_of_intermediate_values_is_not_kept():
    x = ag.rand(64, 256).requires_grad_()

    def f(t):
        for _ in range(20):
            t = t.sin()
        return t

    def held(run):
        gc.collect()
        before = ag.memory_allocated()
        y = run()
        kept = ag.memory_allocated() - before
        del y
        return kept

    one = 64 * 256 * 4
    assert held(lambda: f(x)) > 18 * one
    assert held(lambda: checkpoint(f, x)) < 3 * one
    y = checkpoint(f, x).sum()
    before = ag.memory_allocated()
    y.backward()
    del y
    assert ag.memory_allocated() - before < 3 * one


def test_changed_argument_is_an_error():
    x = ag.ones(2, requires_grad=True)
    h = x * 1
    y = checkpoint(lambda t: t.exp(), h)
    h.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_words_of_errors():
    with pytest.raises(RuntimeError, match="have different metadata than during the forward pass"):
        other_sizes_the_second_time(ag, nn)
    with pytest.raises(RuntimeError, match="saved fewer values"):
        fewer_values_the_second_time(ag, nn)
    with pytest.raises(ValueError, match="segments"):
        checkpoint_sequential(network(), 7, ag.ones(1, 8))


def test_contexts_of_both_runs():
    seen = []

    class Context:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            seen.append(self.name)

        def __exit__(self, *exception):
            seen.append(f"end of {self.name}")

    x = ag.ones(1, requires_grad=True)
    y = checkpoint(lambda t: t.exp(), x, context_fn=lambda: (Context("first"), Context("second")))
    y.backward()
    assert seen == ["first", "end of first", "second", "end of second"]
