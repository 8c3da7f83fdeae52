"""Optimizers: the same path as PyTorch's, groups, state, and refused arguments."""

import copy
import importlib
import pickle

import numpy as np
import pytest
import torch

import autograd as ag
import autograd.optim.optimizer

BASES = {ag: ag.optim.optimizer, torch: importlib.import_module("torch.optim.optimizer")}
OPTIONS = [
    {},
    {"lr": 0},
    {"weight_decay": 0.1},
    {"momentum": 0.9},
    {"momentum": 0.9, "dampening": 0.3},
    {"momentum": 0.9, "nesterov": True},
    {"momentum": 0.9, "weight_decay": 0.05, "nesterov": True},
    {"maximize": True},
    {"momentum": 0.5, "maximize": True, "weight_decay": 0.01},
]


def leaves(lib, arrays, requires_grad=True):
    return [
        lib.tensor(array.tolist(), dtype=lib.float64).requires_grad_(requires_grad)
        for array in arrays
    ]


def start(seed=0):
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(shape) for shape in ((3, 2), (3,), ())]


def loss_of(params):
    matrix, vector, number = params
    return (
        (matrix * matrix).sum() * 0.5 + (matrix[:, 0] * vector).sum() + (vector * number).sum()
    ) + number * number


def values(params):
    return [np.array(p.detach().tolist()) for p in params]


def run(lib, steps, params=None, **options):
    params = params or leaves(lib, start())
    optimizer = lib.optim.SGD(params, **{"lr": 0.05, **options})
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(params).backward()
        optimizer.step()
    return params, optimizer


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_path_equals_torch(options):
    for ours, theirs in zip(
        values(run(ag, 10, **options)[0]), values(run(torch, 10, **options)[0])
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_groups_have_their_own_options():
    results = []
    for lib in (ag, torch):
        params = leaves(lib, start())
        groups = [{"params": params[:1], "momentum": 0.9}, {"params": params[1], "lr": 0.01}]
        optimizer = lib.optim.SGD(groups, lr=0.05)
        optimizer.add_param_group({"params": [params[2]], "weight_decay": 0.1})
        for step in range(6):
            optimizer.zero_grad()
            loss_of(params).backward()
            optimizer.step()
            if step == 2:
                optimizer.param_groups[0]["lr"] = 0.001
        results.append(values(params))
    for ours, theirs in zip(*results):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_parameters_without_gradient_are_passed_over():
    results = []
    for lib in (ag, torch):
        params = leaves(lib, start())
        optimizer = lib.optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.1)
        for step in range(4):
            optimizer.zero_grad()
            (params[0].sum() if step < 2 else loss_of(params)).backward()
            optimizer.step()
        results.append(values(params))
    for ours, theirs in zip(*results):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_state_dict_continues_the_path():
    for lib in (ag, torch):
        straight = values(run(lib, 8, momentum=0.9)[0])
        params, optimizer = run(lib, 4, momentum=0.9)
        state = pickle.loads(pickle.dumps(optimizer.state_dict()))
        params = [p.detach().clone().requires_grad_() for p in params]
        other = lib.optim.SGD(params, lr=1.0)
        other.load_state_dict(state)
        assert other.param_groups[0]["lr"] == 0.05
        for _ in range(4):
            other.zero_grad()
            loss_of(params).backward()
            other.step()
        for a, b in zip(values(params), straight):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_state_dict_has_torchs_shape():
    ours, theirs = (
        run(ag, 2, momentum=0.9)[1].state_dict(),
        run(torch, 2, momentum=0.9)[1].state_dict(),
    )
    assert ours["state"].keys() == theirs["state"].keys()
    assert set(ours["state"][0]) == {"momentum_buffer"}
    for i in range(3):
        a, b = ours["state"][i]["momentum_buffer"], theirs["state"][i]["momentum_buffer"]
        np.testing.assert_allclose(a.tolist(), b.tolist(), rtol=1e-12)
    assert ours["param_groups"][0]["params"] == [0, 1, 2]
    for name in ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize"):
        assert ours["param_groups"][0][name] == theirs["param_groups"][0][name]


def test_pickled_optimizer_works_on():
    params, optimizer = run(ag, 3, momentum=0.9)
    other = pickle.loads(pickle.dumps(optimizer))
    copied = other.param_groups[0]["params"]
    for target, each in ((params, optimizer), (copied, other)):
        each.zero_grad()
        loss_of(target).backward()
        each.step()
    for a, b in zip(values(params), values(copied)):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_copied_optimizer_has_parameters_and_state_of_its_own():
    params, optimizer = run(ag, 3, momentum=0.9)
    before = values(params)
    twin = copy.deepcopy(optimizer)
    copied = twin.param_groups[0]["params"]
    for param, other in zip(params, copied):
        assert other.grad.tolist() == param.grad.tolist()
        assert other.grad is not param.grad
    twin.step()
    for a, b in zip(values(params), before):
        np.testing.assert_array_equal(a, b)
    optimizer.step()
    for a, b in zip(values(params), values(copied)):
        np.testing.assert_array_equal(a, b)


def test_state_that_the_user_changes_is_used():
    for lib in (ag, torch):
        p = lib.ones(1, dtype=lib.float64, requires_grad=True)
        optimizer = lib.optim.Adam([p], lr=0.1)
        p.grad = lib.ones(1, dtype=lib.float64)
        optimizer.step()
        optimizer.step()
        first = p.item()
        optimizer.state[p]["exp_avg"] = lib.full((1,), -1.0, dtype=lib.float64)
        optimizer.step()
        assert p.item() > first
        optimizer.state.clear()
        optimizer.step()
        assert optimizer.state[p]["step"].item() == 1
        optimizer.state[p].clear()
        optimizer.step()
        assert optimizer.state[p]["step"].item() == 1
        optimizer.param_groups[0]["betas"] = [0.5, 0.9]
        optimizer.step()
        optimizer.param_groups[0]["betas"][0] = 0.1
        before = optimizer.state[p]["exp_avg"].item()
        optimizer.step()
        assert optimizer.state[p]["exp_avg"].item() == pytest.approx(0.1 * before + 0.9)


def hooked_steps(lib):
    """What all kinds of hooks see, in order."""
    seen = []
    base = BASES[lib]
    optimizer = lib.optim.SGD(leaves(lib, start()), lr=0.1)
    first = base.register_optimizer_step_pre_hook(
        lambda o, args, kwargs: seen.append(("global", type(o).__name__, len(args)))
    )
    last = base.register_optimizer_step_post_hook(
        lambda o, args, kwargs: seen.append(("global after", len(args), dict(kwargs)))
    )
    pre = optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append("pre"))
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append("post"))
    optimizer.step()
    optimizer.step(closure=None)
    pre.remove()
    first.remove()
    last.remove()
    optimizer.step()
    with optimizer.register_step_pre_hook(lambda o, args, kwargs: (args, {"closure": lambda: 5})):
        seen.append(optimizer.step())
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("dict"))
    optimizer.register_state_dict_post_hook(lambda o, d: {**d, "more": 1})
    state = optimizer.state_dict()
    assert state["more"] == 1
    optimizer.register_load_state_dict_pre_hook(lambda o, d: seen.append("load"))
    optimizer.register_load_state_dict_pre_hook(lambda o, d: seen.append("first"), prepend=True)
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))
    optimizer.load_state_dict(state)
    wrong = optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(RuntimeError, match="must return None or a tuple of"):
        optimizer.step()
    wrong.remove()
    return seen


def test_hooks():
    seen = hooked_steps(ag)
    assert seen == hooked_steps(torch)
    assert seen[:4] == [("global", "SGD", 1), "pre", "post", ("global after", 1, {})]


def own_optimizer(lib):
    """An optimizer as a user writes one."""
    base = BASES[lib]

    class Signs(base.Optimizer):
        def __init__(self, params, lr=base.required):
            super().__init__(params, {"lr": lr})

        def step(self, closure=None):
            for group in self.param_groups:
                for param in group["params"]:
                    param.data.add_(param.grad.sign(), alpha=-group["lr"])
            return 5

    return Signs


def test_an_optimizer_of_ones_own():
    for lib in (ag, torch):
        kind = own_optimizer(lib)
        p = lib.ones(2, requires_grad=True)
        with pytest.raises(ValueError, match="didn't specify a value of required"):
            kind([p])
        optimizer = kind([p], lr=0.5)
        seen = []
        optimizer.register_step_post_hook(lambda o, args, kwargs, seen=seen: seen.append(1))
        p.grad = lib.ones(2)
        assert optimizer.step() == 5
        assert p.tolist() == [0.5, 0.5]
        assert seen == [1]


def test_named_parameters():
    for lib in (ag, torch):
        model = lib.nn.Linear(2, 1)
        optimizer = lib.optim.Adam(model.named_parameters(), lr=0.1)
        assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
        assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
        extra = lib.ones(1, requires_grad=True)
        with pytest.raises(ValueError, match="cannot add param group without names"):
            optimizer.add_param_group({"params": [extra]})
        optimizer.add_param_group({"params": [("extra", extra)]})
        with pytest.raises(ValueError, match="Some param names are missing"):
            lib.optim.SGD([("a", extra), lib.ones(1, requires_grad=True)])
        other = lib.optim.Adam([{"params": list(model.parameters())}, {"params": extra}])
        other.load_state_dict(optimizer.state_dict())
        assert other.param_groups[1]["param_names"] == ["extra"]


def test_step_runs_a_closure_with_gradients_on():
    params = leaves(ag, start())
    optimizer = ag.optim.SGD(params, lr=0.05)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(params)
        loss.backward()
        return loss

    with ag.no_grad():
        first = optimizer.step(closure)
    assert optimizer.step(closure).item() < first.item()


def test_zero_grad():
    params, optimizer = run(ag, 1)
    loss_of(params).backward()
    kept = params[0].grad
    optimizer.zero_grad(set_to_none=False)
    assert params[0].grad.tolist() == [[0, 0]] * 3
    optimizer.zero_grad()
    assert params[0].grad is None
    assert kept is not None


def test_handles_follow_parameters_whose_memory_changes():
    params = leaves(ag, start())
    optimizer = ag.optim.SGD(params, lr=1.0)
    for new in (ag.ones(3, 2, dtype=ag.float64), ag.zeros(3, 2, dtype=ag.float64)):
        loss_of(params).backward()
        optimizer.step()
        params[0].data = new
        optimizer.zero_grad()
        assert params[0].grad is None
        params[0].sum().backward()
        before = params[0].detach().clone()
        optimizer.step()
        assert ag.allclose(params[0], before - 1)
        optimizer.zero_grad()
    optimizer.param_groups[0]["params"].pop()
    optimizer.step()


def test_module_converted_after_the_optimizer_was_made_still_trains():
    model = ag.nn.Linear(2, 1)
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1)
    model(ag.ones(1, 2)).sum().backward()
    optimizer.step()
    model.double()
    optimizer.zero_grad()
    model(ag.ones(1, 2, dtype=ag.float64)).sum().backward()
    before = model.bias.item()
    optimizer.step()
    assert abs(model.bias.item() - (before - 0.1)) < 1e-12


def test_step_does_not_change_gradients_or_history():
    params, optimizer = run(ag, 1, weight_decay=0.1)
    optimizer.zero_grad()
    loss_of(params).backward()
    before = params[0].grad.tolist()
    optimizer.step()
    assert params[0].grad.tolist() == before
    assert params[0].is_leaf
    assert params[0].requires_grad
    stale = loss_of(params)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        stale.backward()


def test_repr_shows_the_groups():
    text = repr(run(ag, 1)[1])
    assert text.startswith("SGD (\nParameter Group 0\n")
    assert "    lr: 0.05\n" in text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lr": -1}, "Invalid learning rate: -1"),
        ({"momentum": -0.5}, "Invalid momentum value: -0.5"),
        ({"weight_decay": -0.1}, "Invalid weight_decay value: -0.1"),
        ({"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
        ({"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "Nesterov momentum requires"),
    ],
)
def test_wrong_options_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        ag.optim.SGD(leaves(ag, start()), **options)
    with pytest.raises(ValueError, match=text):
        torch.optim.SGD(leaves(torch, start()), **options)


def test_wrong_parameters_are_refused():
    p = ag.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="optimizer got an empty parameter list"):
        ag.optim.SGD([], lr=0.1)
    with pytest.raises(TypeError, match="should be an iterable of Tensors or dicts, but got"):
        ag.optim.SGD(p, lr=0.1)
    with pytest.raises(TypeError, match="can only optimize Tensors, but one of the params is"):
        ag.optim.SGD([1.0], lr=0.1)
    with pytest.raises(ValueError, match="can't optimize a non-leaf Tensor"):
        ag.optim.SGD([p * 2], lr=0.1)
    with pytest.warns(UserWarning, match="duplicate parameters"):
        ag.optim.SGD([p, p], lr=0.1)
    with pytest.raises(ValueError, match="some parameters appear in more than one parameter group"):
        ag.optim.SGD([{"params": [p]}, {"params": [p]}], lr=0.1)
    with pytest.raises(TypeError, match="ordered collections"):
        ag.optim.SGD([{"params": {p}}], lr=0.1)
    with pytest.raises(NotImplementedError):
        ag.optim.Optimizer([p], {}).step()


def test_wrong_state_is_refused():
    _, optimizer = run(ag, 1, momentum=0.9)
    state = optimizer.state_dict()
    single = ag.optim.SGD([ag.ones(1, requires_grad=True)], lr=0.1)
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        single.load_state_dict(state)
    single.add_param_group({"params": [ag.ones(1, requires_grad=True)]})
    with pytest.raises(ValueError, match="different number of parameter groups"):
        single.load_state_dict(state)
