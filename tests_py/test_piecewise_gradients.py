"""Gradients that are constant but for jumps: their own gradients are zeros, as in PyTorch, and not missing."""

import pytest
from both_libraries import agree

PIECEWISE = {
    "relu": lambda nn, x: nn.functional.relu(x),
    "relu6": lambda nn, x: nn.functional.relu6(x),
    "leaky_relu": lambda nn, x: nn.functional.leaky_relu(x, 0.1),
    "rrelu": lambda nn, x: nn.functional.rrelu(x, 0.2, 0.4),
    "hardtanh": lambda nn, x: nn.functional.hardtanh(x),
    "threshold": lambda nn, x: nn.functional.threshold(x, 0.1, 0.7),
    "softshrink": lambda nn, x: nn.functional.softshrink(x),
    "hardshrink": lambda nn, x: nn.functional.hardshrink(x),
    "max_pool1d": lambda nn, x: nn.functional.max_pool1d(x, 2),
    "max_pool2d": lambda nn, x: nn.functional.max_pool2d(x, 2),
    "avg_pool2d": lambda nn, x: nn.functional.avg_pool2d(x, 2),
    "adaptive_max_pool2d": lambda nn, x: nn.functional.adaptive_max_pool2d(x, (1, 2)),
    "pad_reflect": lambda nn, x: nn.functional.pad(x, (1, 2), mode="reflect"),
    "pad_replicate": lambda nn, x: nn.functional.pad(x, (1, 2), mode="replicate"),
    "interpolate_area": lambda nn, x: nn.functional.interpolate(x, 3, mode="area"),
    "prelu": lambda nn, x: nn.functional.prelu(x, nn.functional.relu(x[0, 0, 1:2]).detach()),
    "adaptive_avg_pool2d": lambda nn, x: nn.functional.adaptive_avg_pool2d(x, (1, 2)),
}
each = pytest.mark.parametrize("name", sorted(PIECEWISE))


def leaf(lib):
    return lib.tensor([[[-1.5, 0.3, 2.0, -0.2], [0.0, 1.0, -3.0, 0.7]]], requires_grad=True)


@each
def test_second_gradient_of_a_leaf(name):
    def scenario(lib, nn):
        x = leaf(lib)
        (g,) = lib.autograd.grad(PIECEWISE[name](nn, x).sum(), x, create_graph=True)
        return g.requires_grad, g, lib.autograd.grad(g.sum(), x)

    assert agree(scenario)[0] is True


@each
def test_backward_of_a_gradient_fills_grad_with_zeros(name):
    def scenario(lib, nn):
        x = leaf(lib)
        w = lib.full((1, 2, 4), 2.0).requires_grad_()
        (g,) = lib.autograd.grad(PIECEWISE[name](nn, x * w).sum(), x, create_graph=True)
        g.square().sum().backward()
        return x.grad, w.grad

    agree(scenario)


def test_zeros_reach_what_lies_behind_other_ops():
    def scenario(lib, nn):
        x, w, b = leaf(lib), lib.ones(3, 4).requires_grad_(), lib.zeros(3).requires_grad_()
        hidden = nn.functional.linear(x, w, b).tanh()
        (g,) = lib.autograd.grad(nn.functional.relu(hidden).sum(), hidden, create_graph=True)
        return lib.autograd.grad(g.sum(), [hidden, b, x, w], allow_unused=True)

    agree(scenario)


def test_a_gradient_of_its_own_is_not_replaced():
    def scenario(lib, nn):
        x = leaf(lib)
        (g,) = lib.autograd.grad(nn.functional.relu(x * x).sum(), x, create_graph=True)
        x.grad = lib.full((1, 2, 4), 3.0)
        g.sum().backward()
        return x.grad

    agree(scenario)


def test_unused_inputs_stay_unused():
    def scenario(lib, nn):
        x, other = leaf(lib), leaf(lib)
        (g,) = lib.autograd.grad(nn.functional.relu(x).sum(), x, create_graph=True)
        return lib.autograd.grad(g.sum(), [x, other], allow_unused=True)

    agree(scenario)

    def without_leave(lib, nn):
        x, other = leaf(lib), leaf(lib)
        (g,) = lib.autograd.grad(nn.functional.relu(x).sum(), x, create_graph=True)
        return lib.autograd.grad(g.sum(), [x, other])

    assert agree(without_leave)[0] == "raises"


def test_nll_loss_of_log_probabilities():
    def scenario(lib, nn):
        x = lib.tensor([[0.1, -0.3, 2.0], [1.0, 0.5, 0.2]], requires_grad=True)
        loss = nn.functional.nll_loss(x, lib.tensor([2, 0]))
        (g,) = lib.autograd.grad(loss, x, create_graph=True)
        return lib.autograd.grad(g.sum(), x)

    agree(scenario)


def test_third_gradients():
    def scenario(lib, nn):
        x = leaf(lib)
        y = (nn.functional.relu(x) * x.square()).sum()
        found = []
        for _ in range(3):
            (y,) = lib.autograd.grad(y.sum(), x, create_graph=True)
            found.append(y)
        return found

    agree(scenario)


def test_pad_around_has_no_second_gradient():
    def scenario(lib, nn):
        x = leaf(lib)
        (g,) = lib.autograd.grad(
            nn.functional.pad(x, (1, 2), mode="circular").sum(), x, create_graph=True
        )
        return g, g.requires_grad

    agree(scenario)


def test_the_slope_of_prelu():
    def scenario(lib, nn):
        x = (leaf(lib).detach() + 0.05).requires_grad_()  # PyTorch is of two minds about 0
        w = lib.tensor([0.25], requires_grad=True)
        c = lib.full((1, 2, 4), 2.0).requires_grad_()
        first = lib.autograd.grad(nn.functional.prelu(x, w), [x, w], c, create_graph=True)
        return [lib.autograd.grad(g.sum(), [x, w, c], retain_graph=True) for g in first]

    agree(scenario)


def test_what_is_counted_with_beta_0_gets_zeros():
    def scenario(lib, nn):
        bias = lib.full((2, 3), float("nan")).requires_grad_()
        a, b = lib.ones(2, 4), lib.ones(4, 3)
        y = lib.addmm(bias, a, b, beta=0)
        return y, lib.autograd.grad(y.sum(), bias)

    agree(scenario)


def test_targets_that_are_all_ignored():
    def scenario(lib, nn):
        x = lib.tensor([[0.1, -0.3, 2.0], [1.0, 0.5, 0.2]], requires_grad=True)
        target = lib.tensor([1, 1])
        losses = [
            nn.functional.cross_entropy(x, target, ignore_index=1),
            nn.functional.cross_entropy(x, target, ignore_index=1, label_smoothing=0.1),
            nn.functional.nll_loss(x, target, ignore_index=1),
        ]
        return losses, [lib.autograd.grad(y, x, create_graph=True) for y in losses]

    agree(scenario)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "kl_div", "soft_margin_loss", "mean"])
def test_means_of_nothing(name):
    def scenario(lib, nn):
        x, t = lib.zeros(0, 3).requires_grad_(), lib.zeros(0, 3)
        c = lib.ones(()).requires_grad_()
        y = x.mean() if name == "mean" else getattr(nn.functional, name)(x, t)
        (g,) = lib.autograd.grad(y, x, c, create_graph=True)
        return y, g, lib.autograd.grad(g.sum(), c)

    agree(scenario)


def test_variances_without_degrees_of_freedom():
    def scenario(lib, nn):
        x = lib.tensor([1.0, 2.0, 3.0], requires_grad=True)
        return [lib.autograd.grad(x.var(correction=n), x) for n in (2, 3, 4)]

    agree(scenario)
