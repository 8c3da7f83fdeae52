"""Backward passes that misbehave: what they return or raise is PyTorch's, and the library goes on afterwards."""

from __future__ import annotations

import pytest
from both_libraries import agree

import autograd as ag


def leaf(lib, *values, **options):
    return lib.tensor([float(v) for v in values], requires_grad=True, **options)


def function(lib, rule, dtype=None):
    """y = 2 x, in another dtype if one is given, with a rule for its gradient."""

    class F(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2 if dtype is None else (x * 2).to(dtype)

        @staticmethod
        def backward(ctx, grad):
            return rule(ctx, grad)

    return F


def gradient(lib, rule, dtype=None):
    x = leaf(lib, 1, 2, 3)
    function(lib, rule, dtype).apply(x * 1).sum().backward()
    return x.grad


# ---- dtypes and sizes of what a rule returns


def gradient_of_double(lib, nn):
    return gradient(lib, lambda ctx, g: g.to(lib.float64) * 2)


def gradient_of_integers(lib, nn):
    return gradient(lib, lambda ctx, g: (g * 2).to(lib.int64))


def gradient_of_bools(lib, nn):
    return gradient(lib, lambda ctx, g: g > 0)


def output_of_double(lib, nn):
    seen = []

    def rule(ctx, g):
        seen.append(str(g.dtype).split(".")[-1])
        return g * 2

    return gradient(lib, rule, lib.float64), seen


def gradient_that_is_broadcast(lib, nn):
    return gradient(lib, lambda ctx, g: lib.ones(4, 3))


def gradient_too_small(lib, nn):
    return gradient(lib, lambda ctx, g: lib.ones(1))


def gradient_of_none(lib, nn):
    return gradient(lib, lambda ctx, g: None)


def gradient_of_a_text(lib, nn):
    return gradient(lib, lambda ctx, g: "x")


def gradient_in_a_dict(lib, nn):
    return gradient(lib, lambda ctx, g: {"grad": g})


def gradient_without_elements(lib, nn):
    return gradient(lib, lambda ctx, g: lib.ones(0))


def gradient_changed_in_place(lib, nn):
    return gradient(lib, lambda ctx, g: ctx.saved_tensors[0].mul_(2))


def gradient_that_requires_grad(lib, nn):
    w = leaf(lib, 1, 1, 1)
    return gradient(lib, lambda ctx, g: g * w), w.grad


# ---- hooks


def raising(*args):
    raise LookupError("from a hook")


def hook_on_a_value_raises(lib, nn):
    x = leaf(lib, 1)
    y = x * 2
    y.register_hook(raising)
    (y * y).sum().backward()


def hook_on_a_leaf_raises(lib, nn):
    x = leaf(lib, 1)
    x.register_hook(raising)
    (x * 2).sum().backward()


def hook_after_accumulation_raises(lib, nn):
    x = leaf(lib, 1)
    x.register_post_accumulate_grad_hook(raising)
    try:
        (x * 2).sum().backward()
    except LookupError:
        return x.grad
    return "no error"


def hook_on_a_node_raises(lib, nn):
    x = leaf(lib, 1)
    y = x * 2
    y.grad_fn.register_hook(raising)
    y.sum().backward()


def hook_before_a_node_raises(lib, nn):
    x = leaf(lib, 1)
    y = x * 2
    y.grad_fn.register_prehook(raising)
    y.sum().backward()


def hook_of_a_module_raises(lib, nn):
    layer = nn.Linear(1, 1)
    layer.register_full_backward_hook(raising)
    layer(leaf(lib, 1)).sum().backward()


def hook_when_packing_raises(lib, nn):
    with lib.autograd.graph.saved_tensors_hooks(raising, lambda t: t):
        leaf(lib, 1).exp()


def hook_when_unpacking_raises(lib, nn):
    with lib.autograd.graph.saved_tensors_hooks(lambda t: t, raising):
        y = leaf(lib, 1).exp()
    y.sum().backward()


def hook_returns_another_dtype(lib, nn):
    x = leaf(lib, 1)
    x.register_hook(lambda g: g.to(lib.float64))
    (x * 2).sum().backward()
    return x.grad


def hook_returns_a_text(lib, nn):
    x = leaf(lib, 1)
    x.register_hook(lambda g: "x")
    (x * 2).sum().backward()


# ---- reentrant backward


def backward_within_a_rule(lib, nn):
    def rule(ctx, g):
        with lib.enable_grad():
            x = ctx.saved_tensors[0].detach().requires_grad_()
            (x**3).sum().backward()
        return g * x.grad

    return gradient(lib, rule)


def backward_within_a_rule_raises(lib, nn):
    def rule(ctx, g):
        x = leaf(lib, 1)
        with lib.enable_grad():
            y = x.exp().sum()
        y.backward()
        y.backward()

    return gradient(lib, rule)


def backward_within_a_hook_on_the_same_graph(lib, nn):
    x = leaf(lib, 2)
    y = x * x
    z = (y * 3).sum()
    y.register_hook(lambda g: y.sum().backward(retain_graph=True))
    z.backward()
    return x.grad


def graph_freed_by_a_hook(lib, nn):
    x = leaf(lib, 2)
    y = x.exp()
    z = (y * y).sum()
    y.register_hook(lambda g: y.sum().backward())
    z.backward()


def rule_that_frees_its_own_graph(lib, nn):
    kept = []

    def rule(ctx, g):
        if len(kept) < 3:
            kept.append(1)
            kept_output[0].sum().backward()
        return g

    x = leaf(lib, 1)
    kept_output = [function(lib, rule).apply(x.exp())]
    kept_output[0].sum().backward()


# ---- a second order that must not be


def once(lib):
    from torch.autograd.function import once_differentiable as theirs

    from autograd.autograd.function import once_differentiable as ours

    return (ours if lib is ag else theirs)(lambda ctx, g: g * ctx.saved_tensors[0])


def second_order_of_a_once_differentiable_function(lib, nn):
    x = leaf(lib, 1, 2)
    (g,) = lib.autograd.grad(function(lib, once(lib)).apply(x).sum(), x, create_graph=True)
    g.sum().backward()


def first_order_of_a_once_differentiable_function(lib, nn):
    x = leaf(lib, 1, 2)
    return lib.autograd.grad(function(lib, once(lib)).apply(x).sum(), x, create_graph=True)[0]


SCENARIOS = [value for value in list(globals().values()) if getattr(value, "__code__", None)]
SCENARIOS = [f for f in SCENARIOS if f.__code__.co_varnames[:2] == ("lib", "nn")]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda f: f.__name__)
def test_agrees(scenario):
    agree(scenario)
    # The library goes on as if nothing had happened.
    x = leaf(ag, 3)
    (g,) = ag.autograd.grad((x**3).sum(), x, create_graph=True)
    g.sum().backward()
    assert (g.item(), x.grad.item()) == (27, 18)


def test_hessian_of_a_once_differentiable_function():
    """An error, where PyTorch returns zeros: the gradient depends on x through what was saved."""
    f = function(ag, once(ag))
    with pytest.raises(RuntimeError, match="trying to differentiate twice.*once_differentiable"):
        ag.autograd.functional.hessian(lambda x: f.apply(x).sum(), leaf(ag, 1, 2))
