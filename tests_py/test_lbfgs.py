"""L-BFGS: PyTorch's path, its state, and the end of its steps."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

import autograd as ag


def problem(lib, dtype="float64", seed=0):
    """Parameters, one without a gradient, and the loss of a small regression."""
    numbers = np.random.default_rng(seed)
    kind = getattr(lib, dtype)

    def tensor(*shape):
        return lib.from_numpy(numbers.standard_normal(shape)).to(kind)

    params = [tensor(4, 5), tensor(4), tensor(3), tensor(1, 4)]
    for param in params:
        param.requires_grad_()
    x, y = tensor(30, 5), tensor(30, 1)

    def loss():
        hidden = lib.tanh(x @ params[0].t() + params[1])
        return ((hidden @ params[3].t() - y) ** 2).mean() + 0.01 * (params[0] ** 2).sum()

    return params, loss


def rosenbrock(lib):
    p = lib.tensor([-1.5, 2.0], dtype=lib.float64, requires_grad=True)
    return [p], lambda: (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


def walk(lib, make, steps, **options):
    params, loss_of = make(lib)
    optimizer = lib.optim.LBFGS(params, **options)
    losses, calls = [], []

    def closure():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        calls.append(1)
        return loss

    for _ in range(steps):
        losses.append(optimizer.step(closure).item())
    state = optimizer.state[params[0]]
    counts = (len(calls), state["func_evals"], state["n_iter"], len(state.get("old_dirs", [])))
    return [p.detach().numpy().copy() for p in params], losses, counts, optimizer


OPTIONS = [
    {"lr": 0.1},
    {"lr": 0.1, "max_iter": 3},
    {"lr": 0.1, "max_iter": 3, "max_eval": 2},
    {"lr": 0.2, "history_size": 2},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "max_iter": 4},
    {"line_search_fn": "strong_wolfe", "lr": 5.0, "max_iter": 6},
    {"line_search_fn": "strong_wolfe", "history_size": 3, "max_eval": 9},
    {"lr": 0.1, "tolerance_grad": 0.05},
    {"lr": 0.1, "tolerance_change": 1e-2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("make", [problem, rosenbrock], ids=["regression", "rosenbrock"])
def test_path_equals_torch(make, options):
    if make is rosenbrock and "line_search_fn" not in options:
        options = {**options, "lr": 1e-3}
    ours, theirs = (walk(lib, make, 3, **options) for lib in (ag, torch))
    # Quotients of small differences make roundings grow.
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-8)
    for a, b in zip(ours[0], theirs[0]):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)
    assert ours[2] == theirs[2]
    mine, torchs = (each[3].state_dict() for each in (ours, theirs))
    assert set(mine["state"][0]) == set(torchs["state"][0])
    assert mine["param_groups"] == torchs["param_groups"]


def test_line_search_reaches_the_minimum():
    params, losses, _, _ = walk(ag, rosenbrock, 4, line_search_fn="strong_wolfe", max_iter=30)
    np.testing.assert_allclose(params[0], [1, 1], atol=1e-5)
    assert losses[-1] < 1e-8


def test_float32_converges_as_torch_does():
    finals = []
    for lib in (ag, torch):
        params, losses, _, _ = walk(
            lib, lambda lib: problem(lib, "float32"), 6, line_search_fn="strong_wolfe"
        )
        finals.append(losses[-1])
        assert params[0].dtype == np.float32
    assert finals[0] < 1.05 * finals[1]


def continued(optimizer, params, loss_of):
    def closure():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        return loss

    optimizer.step(closure)
    return [p.detach().numpy().copy() for p in params]


def converted(value):
    if isinstance(value, torch.Tensor):
        return ag.from_numpy(value.detach().clone().numpy())
    if isinstance(value, dict):
        return {key: converted(each) for key, each in value.items()}
    return [converted(each) for each in value] if isinstance(value, list) else value


def test_state_dicts_continue():
    options = {"max_iter": 5, "line_search_fn": "strong_wolfe"}
    straight, _, _, _ = walk(ag, problem, 4, **options)
    for lib in (ag, torch):
        values, _, _, optimizer = walk(lib, problem, 3, **options)
        params, loss_of = problem(ag)
        with ag.no_grad():
            for param, value in zip(params, values):
                param.copy_(ag.from_numpy(value))
        state = optimizer.state_dict()
        state = pickle.loads(pickle.dumps(state)) if lib is ag else converted(state)
        other = ag.optim.LBFGS(params)
        other.load_state_dict(state)
        for a, b in zip(continued(other, params, loss_of), straight):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


def test_copies_work_on():
    params, loss_of = problem(ag)
    optimizer = ag.optim.LBFGS(params, lr=0.1)
    continued(optimizer, params, loss_of)
    twin = copy.deepcopy(optimizer)
    assert twin.state_dict()["state"][0]["n_iter"] == optimizer.state_dict()["state"][0]["n_iter"]
    assert twin.param_groups[0]["params"][0] is not params[0]


def test_wrong_arguments():
    for lib in (ag, torch):
        a, b = (lib.ones(1, requires_grad=True) for _ in range(2))
        with pytest.raises(ValueError, match="doesn't support per-parameter options"):
            lib.optim.LBFGS([{"params": [a]}, {"params": [b]}])
        with pytest.raises(ValueError, match="Invalid learning rate: -1"):
            lib.optim.LBFGS([a], lr=-1)
        optimizer = lib.optim.LBFGS([a], line_search_fn="guess")

        def closure(a=a):
            a.grad = None
            (a * a).sum().backward()
            return (a * a).sum()

        with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
            optimizer.step(closure)
        with pytest.raises(TypeError):
            optimizer.step()
