"""Every optimizer walks PyTorch's path: parameters and state over 50 steps, by one table of options."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import autograd as ag

# Optimizer, and the option sets that select each of its formulas.
DECAY, UP = {"weight_decay": 0.1}, {"maximize": True}
TABLE = {
    "SGD": [
        {"lr": 0.05},
        {"lr": 0.05, "momentum": 0.9},
        {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, **DECAY},
        {"lr": 0.05, "momentum": 0.9, "nesterov": True, **DECAY},
        {"lr": 0.001, "momentum": 0.5, **UP},
    ],
    "Adam": [
        {"lr": 0.02},
        {"lr": 0.02, **DECAY},
        {"lr": 0.02, "amsgrad": True, "betas": (0.5, 0.9)},
        {"lr": 0.02, "decoupled_weight_decay": True, **DECAY},
        {"lr": 0.002, "eps": 1e-3, **UP},
        {"lr": 0.02, "betas": (0.0, 0.99)},
    ],
    "AdamW": [
        {"lr": 0.02},
        {"lr": 0.02, "amsgrad": True, "weight_decay": 0.3},
        {"lr": 0.002, **UP},
    ],
    "Adamax": [{"lr": 0.02}, {"lr": 0.02, "betas": (0.8, 0.99), **DECAY}, {"lr": 0.002, **UP}],
    "NAdam": [
        {"lr": 0.02},
        {"lr": 0.02, "momentum_decay": 0.1, **DECAY},
        {"lr": 0.02, "decoupled_weight_decay": True, **DECAY},
        {"lr": 0.002, **UP},
    ],
    "RAdam": [
        {"lr": 0.02},
        {"lr": 0.02, "betas": (0.8, 0.95), **DECAY},
        {"lr": 0.02, "decoupled_weight_decay": True, **DECAY},
        {"lr": 0.002, **UP},
    ],
    "RMSprop": [
        {"lr": 0.01},
        {"lr": 0.002, "momentum": 0.9},
        {"lr": 0.01, "centered": True, "eps": 1e-3},
        {"lr": 0.01, "centered": True, "eps": 1e-3, "momentum": 0.5, **DECAY},
        {"lr": 0.001, "alpha": 0.8, **UP},
    ],
    "Adagrad": [
        {"lr": 0.05},
        {"lr": 0.05, "lr_decay": 0.1, "initial_accumulator_value": 0.5, **DECAY},
        {"lr": 0.005, **UP},
    ],
    "Adadelta": [{}, {"lr": 0.5, "rho": 0.8, "eps": 1e-4, **DECAY}, {"lr": 0.1, **UP}],
    "Rprop": [
        {"lr": 0.01},
        {"lr": 0.01, "etas": (0.3, 1.5), "step_sizes": (1e-3, 0.1)},
        {"lr": 0.001, **UP},
    ],
    "ASGD": [{"lr": 0.05}, {"lr": 0.05, "lambd": 0.1, "t0": 10, "alpha": 0.5, **DECAY}],
    "Adafactor": [
        {},
        {"lr": 0.3, "beta2_decay": -0.5, "eps": (1.5, 0.1), "d": 2.0, **DECAY},
        {"lr": 0.05, **UP},
    ],
    "Muon": [
        {"lr": 0.02},
        {"lr": 0.02, "nesterov": False, "momentum": 0.5, "weight_decay": 0.0},
        {"lr": 0.1, "adjust_lr_fn": "match_rms_adamw", "ns_steps": 2, "eps": 0.5},
        {"lr": 0.02, "ns_coefficients": (2.0, -1.5, 0.5), "ns_steps": 3},
    ],
}
CASES = [(name, options) for name, sets in TABLE.items() for options in sets]
SHAPES = [(5, 7), (7,), (), (0, 3), (2, 3, 4), (130,)]
# PyTorch's Adafactor divides by the number of elements, its Muon takes matrices only.
SHAPES_OF = {
    "Adafactor": [(5, 7), (7,), (), (1, 3), (2, 3, 4), (130,)],
    "Muon": [(5, 7), (7, 5), (1, 3), (0, 3), (40, 3), (3, 70)],
}
# float32 and float64: each step rounds a few times, and a step near 0 amplifies what the gradients differ by.
TOLERANCE = {"float64": (1e-12, 1e-13), "float32": (5e-6, 2e-6)}
STEPS = 50


class Run:
    """One library's side: parameters in two groups, whose gradients follow from the parameters and from noise."""

    def __init__(self, lib, dtype, name, options, seed=0):
        self.lib, self.dtype = lib, getattr(lib, dtype)
        numbers = np.random.default_rng(seed)
        shapes = SHAPES_OF.get(name, SHAPES)
        self.params = [self.tensor(numbers.standard_normal(shape)) for shape in shapes]
        # A parameter that no loss reaches, and one that is not contiguous.
        self.params.append(self.tensor(numbers.standard_normal((3, 1) if name == "Muon" else 3)))
        self.params.append(self.tensor(numbers.standard_normal((4, 6))).t())
        for param in self.params:
            param.requires_grad_()
        self.noise = np.random.default_rng(seed + 1)
        groups = [
            {"params": self.params[:3]},
            {"params": self.params[3:], "lr": 0.5 * options.get("lr", 1.0)},
        ]
        self.optimizer = getattr(lib.optim, name)(groups, **options)

    def tensor(self, array):
        return self.lib.from_numpy(np.array(array, dtype="float64")).to(self.dtype)

    def step(self, number):
        self.optimizer.zero_grad()
        for place, param in enumerate(self.params):
            noise = self.tensor(self.noise.standard_normal(tuple(param.shape)))
            # One never has a gradient, another only sometimes.
            if place == 6 or (place == 4 and number % 3 == 1):
                continue
            param.grad = (param.detach() * 1.5 + noise).reshape(param.shape)
        # A schedule of the learning rate.
        for group in self.optimizer.param_groups:
            group["lr"] *= 0.98
        self.optimizer.step()


def compare(ours, theirs, rtol, atol, what):
    theirs = theirs.detach().numpy()
    np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=rtol, atol=atol, err_msg=what)
    assert str(ours.dtype).split(".")[-1] == str(theirs.dtype), what


@pytest.fixture(autouse=True)
def _muon_without_bfloat16(monkeypatch):
    """PyTorch's Muon rounds its products to bfloat16; here they have the parameter's dtype."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{o}" for n, o in CASES])
def test_path_equals_torch(name, options, dtype):
    ours, theirs = Run(ag, dtype, name, options), Run(torch, dtype, name, options)
    rtol, atol = TOLERANCE[dtype]
    for number in range(STEPS):
        ours.step(number)
        theirs.step(number)
        if number > 2 and number % 7:
            continue
        for place, (a, b) in enumerate(zip(ours.params, theirs.params)):
            compare(a, b, rtol, atol, f"step {number}, parameter {place}")
            mine, torchs = ours.optimizer.state[a], theirs.optimizer.state[b]
            assert list(mine) == list(torchs), f"step {number}, parameter {place}"
            for key in torchs:
                compare(mine[key], torchs[key], rtol, atol, f"step {number}, {place}.{key}")
    assert [p.is_contiguous() for p in ours.params] == [p.is_contiguous() for p in theirs.params]


@pytest.mark.parametrize("name", TABLE)
def test_one_step_of_float32_differs_by_rounding_only(name):
    options = {"lr": 0.05}
    ours, theirs = Run(ag, "float32", name, options), Run(torch, "float32", name, options)
    ours.step(0)
    theirs.step(0)
    for a, b in zip(ours.params, theirs.params):
        a, b = a.detach().numpy(), b.detach().numpy()
        # 4 units in the last place of the parameter, or of the step where they cancel.
        np.testing.assert_allclose(a, b, rtol=4 * 2.0**-23, atol=4 * 2.0**-23 * 0.05)


def converted(value):
    """A PyTorch state dict with this library's tensors."""
    if isinstance(value, torch.Tensor):
        return ag.from_numpy(value.detach().clone().numpy())
    if isinstance(value, dict):
        return {key: converted(each) for key, each in value.items()}
    return [converted(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{o}" for n, o in CASES])
def test_a_state_dict_of_torch_continues(name, options):
    theirs = Run(torch, "float64", name, options)
    for number in range(10):
        theirs.step(number)
    ours = Run(ag, "float64", name, options)
    ours.noise = np.random.default_rng()
    ours.noise.bit_generator.state = theirs.noise.bit_generator.state
    with ag.no_grad():
        for a, b in zip(ours.params, theirs.params):
            a.copy_(ag.from_numpy(b.detach().clone().numpy()))
    state = theirs.optimizer.state_dict()
    ours.optimizer.load_state_dict(converted(state))
    # Loading gives all state but `step` the parameters' dtype, in PyTorch too.
    theirs.optimizer.load_state_dict(state)
    for number in range(10, 20):
        ours.step(number)
        theirs.step(number)
    for a, b in zip(ours.params, theirs.params):
        compare(a, b, 1e-12, 1e-13, name)
    saved, expected = ours.optimizer.state_dict(), theirs.optimizer.state_dict()
    assert saved["state"].keys() == expected["state"].keys()
    for mine, torchs in zip(saved["param_groups"], expected["param_groups"]):
        assert set(mine) == set(torchs)
        assert mine["params"] == torchs["params"]


def test_muon_is_next_to_pytorchs_in_bfloat16(monkeypatch):
    monkeypatch.undo()
    ours, theirs = (Run(lib, "float32", "Muon", {"lr": 0.02}) for lib in (ag, torch))
    for number in range(5):
        ours.step(number)
        theirs.step(number)
    for a, b in zip(ours.params, theirs.params):
        # 8 bits of a step, five times.
        compare(a, b, 0, 5 * 0.02 * 4 * 2.0**-8, "five steps")


def test_wrong_options_and_parameters_are_refused():
    def matrix(lib):
        return lib.ones(2, 2, requires_grad=True)

    def stepped(lib, **options):
        p = matrix(lib)
        p.grad = lib.ones(2, 2)
        lib.optim.Muon([p], **options).step()

    calls = {
        "Muon only supports 2D": lambda lib: lib.optim.Muon([lib.ones(3, requires_grad=True)]),
        "is not supported": lambda lib: lib.optim.Muon([matrix(lib)], adjust_lr_fn="mine"),
        "less than 100": lambda lib: stepped(lib, ns_steps=100),
        "exactly 3 values": lambda lib: stepped(lib, ns_coefficients=(1.0, 2.0)),
        "momentum should be >= 0": lambda lib: lib.optim.Muon([matrix(lib)], momentum=-1),
        "d should be >= 1": lambda lib: lib.optim.Adafactor([matrix(lib)], d=0.5),
        "epsilon1 should": lambda lib: lib.optim.Adafactor([matrix(lib)], eps=(-1, 0.1)),
        "beta2_decay should be <= 0": lambda lib: lib.optim.Adafactor(
            [matrix(lib)], beta2_decay=0.5
        ),
    }
    for says, call in calls.items():
        for lib in (ag, torch):
            with pytest.raises(ValueError, match=says):
                call(lib)


def test_a_state_of_other_sizes_is_refused():
    p = ag.ones(2, 3, requires_grad=True)
    optimizer = ag.optim.Adafactor([p])
    p.grad = ag.ones(2, 3)
    optimizer.step()
    optimizer.state[p]["row_var"] = ag.zeros(2, 3)
    before = p.tolist()
    with pytest.raises(RuntimeError, match="row_var .* does not fit the parameter"):
        optimizer.step()
    assert p.tolist() == before


def test_numbers_of_the_options_may_be_tensors():
    results = []
    for lib in (ag, torch):
        p = lib.tensor([1.0, -2.0], dtype=lib.float64, requires_grad=True)
        lr = lib.tensor(0.1, dtype=lib.float64)
        betas = (lib.tensor(0.5, dtype=lib.float64), lib.tensor([0.9], dtype=lib.float64))
        optimizer = lib.optim.Adam([p], lr=lr, betas=betas)
        for _ in range(6):
            p.grad = p.detach() * 2
            optimizer.step()
            lr.mul_(0.5)
        results.append(p.tolist())
    np.testing.assert_allclose(*results, rtol=1e-12)


def test_default_dtype_is_that_of_the_counters():
    ag.set_default_dtype(ag.float64)
    try:
        p = ag.ones(2, requires_grad=True)
        optimizer = ag.optim.NAdam([p])
        p.grad = ag.ones(2)
        optimizer.step()
        assert optimizer.state[p]["step"].dtype is ag.float64
        assert optimizer.state[p]["mu_product"].dtype is ag.float64
    finally:
        ag.set_default_dtype(ag.float32)
