"""Schedules of learning rates and momenta equal PyTorch's, step by step."""

from __future__ import annotations

import math
import pickle
import warnings

import pytest
import torch

import autograd as ag

# Name, arguments after the optimizer; functions are the same objects on both sides.
TABLE = [
    ("LambdaLR", (lambda epoch: 0.95**epoch,), {}),
    ("LambdaLR", ([lambda epoch: 1 / (epoch + 1), lambda epoch: math.sqrt(epoch)],), {}),
    ("MultiplicativeLR", (lambda epoch: 0.9 + 0.001 * epoch,), {}),
    ("StepLR", (7,), {}),
    ("StepLR", (), {"step_size": 10, "gamma": 0.7}),
    ("MultiStepLR", ([3, 20, 20, 50],), {"gamma": 0.5}),
    ("ConstantLR", (), {}),
    ("ConstantLR", (), {"factor": 0.25, "total_iters": 30}),
    ("LinearLR", (), {}),
    ("LinearLR", (0.1, 0.5, 60), {}),
    ("ExponentialLR", (0.93,), {}),
    ("PolynomialLR", (), {"total_iters": 40, "power": 2.0}),
    ("PolynomialLR", (), {}),
    ("CosineAnnealingLR", (30,), {}),
    ("CosineAnnealingLR", (), {"T_max": 7, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", (10,), {}),
    ("CosineAnnealingWarmRestarts", (5, 2), {"eta_min": 0.001}),
    ("OneCycleLR", (0.5,), {"total_steps": 101}),
    ("OneCycleLR", ([0.5, 0.2],), {"epochs": 11, "steps_per_epoch": 10, "three_phase": True}),
    ("OneCycleLR", (1.0, 120), {"anneal_strategy": "linear", "cycle_momentum": False}),
    ("CyclicLR", (0.01, 0.5), {"step_size_up": 8}),
    ("CyclicLR", (0.01, 0.5, 8, 4, "triangular2"), {}),
    ("CyclicLR", ([0.01, 0.02], 0.5, 10), {"mode": "exp_range", "gamma": 0.99}),
    ("CyclicLR", (0.01, 0.5, 10), {"scale_fn": lambda x: 0.9**x, "scale_mode": "iterations"}),
    ("CyclicLR", (0.01, 0.5, 9), {"scale_fn": lambda x: 1 / x, "cycle_momentum": False}),
]
IDS = [f"{name}-{place}" for place, (name, _, _) in enumerate(TABLE)]
STEPS = 100


def make_optimizer(lib, kind="SGD", lr=0.3):
    a, b = (lib.tensor([1.0], requires_grad=True) for _ in range(2))
    options = {"momentum": 0.9} if kind == "SGD" else {}
    groups = [{"params": [a]}, {"params": [b], "lr": 0.1}]
    return getattr(lib.optim, kind)(groups, lr=lr, **options)


def make(lib, row, optimizer, **more):
    name, args, kwargs = row
    return getattr(lib.optim.lr_scheduler, name)(optimizer, *args, **{**kwargs, **more})


def numbers(optimizer):
    """The learning rate and momentum of each group."""
    found = []
    for group in optimizer.param_groups:
        momentum = group["momentum"] if "momentum" in group else group["betas"][0]
        found.append((float(group["lr"]), momentum))
    return found


def walk(lib, row, steps=STEPS, kind="SGD"):
    optimizer = make_optimizer(lib, kind)
    scheduler = make(lib, row, optimizer)
    found = [numbers(optimizer)]
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
        found.append((numbers(optimizer), [float(lr) for lr in scheduler.get_last_lr()]))
    return found


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_schedule_equals_torch(row, kind):
    assert walk(ag, row, kind=kind) == walk(torch, row, kind=kind)


@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_closed_form_equals_torch(row):
    found = []
    for lib in (ag, torch):
        optimizer = make_optimizer(lib)
        scheduler = make(lib, row, optimizer)
        rates = []
        for epoch in (3, 40, 7, 0, 21):
            optimizer.step()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                scheduler.step(epoch)
            rates.append((numbers(optimizer), len(caught)))
        found.append(rates)
    assert found[0] == found[1]


@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_state_dict_continues(row):
    straight = walk(ag, row)[-1][0]
    optimizer = make_optimizer(ag)
    scheduler = make(ag, row, optimizer)
    for _ in range(40):
        optimizer.step()
        scheduler.step()
    saved = pickle.loads(pickle.dumps((optimizer.state_dict(), scheduler.state_dict())))
    other = make_optimizer(ag)
    again = make(ag, row, other)
    other.load_state_dict(saved[0])
    again.load_state_dict(saved[1])
    assert again.last_epoch == 40
    for _ in range(60):
        other.step()
        again.step()
    assert numbers(other) == straight


@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_state_dict_has_torchs_names_and_loads_torchs(row):
    theirs_optimizer, ours_optimizer = make_optimizer(torch), make_optimizer(ag)
    theirs, ours = make(torch, row, theirs_optimizer), make(ag, row, ours_optimizer)
    assert set(ours.state_dict()) == set(theirs.state_dict())
    for _ in range(9):
        theirs_optimizer.step()
        theirs.step()
    ours.load_state_dict(theirs.state_dict())
    for ours_group, theirs_group in zip(ours_optimizer.param_groups, theirs_optimizer.param_groups):
        ours_group["lr"] = theirs_group["lr"]
    ours_optimizer.step()
    theirs_optimizer.step()
    ours.step()
    theirs.step()
    assert numbers(ours_optimizer) == numbers(theirs_optimizer)


@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_resuming_by_last_epoch_equals_torch(row):
    found = []
    for lib in (ag, torch):
        optimizer = make_optimizer(lib)
        make(lib, row, optimizer)
        scheduler = make(lib, row, optimizer, last_epoch=4)
        rates = [numbers(optimizer)]
        for _ in range(10):
            optimizer.step()
            scheduler.step()
            rates.append(numbers(optimizer))
        found.append(rates)
    assert found[0] == found[1]
    with pytest.raises(KeyError, match="param 'initial_lr' is not specified in param_groups"):
        make(ag, row, make_optimizer(ag), last_epoch=4)


def sequence(lib, optimizer):
    s = lib.optim.lr_scheduler
    warm = s.LinearLR(optimizer, 0.1, total_iters=10)
    cosine = s.CosineAnnealingLR(optimizer, T_max=30)
    decay = s.ExponentialLR(optimizer, 0.9)
    return s.SequentialLR(optimizer, [warm, cosine, decay], milestones=[10, 40])


def chain(lib, optimizer):
    s = lib.optim.lr_scheduler
    parts = [
        s.ConstantLR(optimizer, 0.1, 2),
        s.ExponentialLR(optimizer, 0.9),
        s.StepLR(optimizer, 9),
    ]
    return s.ChainedScheduler(parts)


def restarts(lib, optimizer):
    s = lib.optim.lr_scheduler
    parts = [s.LinearLR(optimizer), s.CosineAnnealingWarmRestarts(optimizer, 10)]
    return s.SequentialLR(optimizer, parts, milestones=[5])


@pytest.mark.parametrize("composed", [sequence, chain, restarts], ids=lambda f: f.__name__)
def test_composed_schedules_equal_torch(composed):
    found, states = [], []
    for lib in (ag, torch):
        optimizer = make_optimizer(lib)
        scheduler = composed(lib, optimizer)
        rates = [(numbers(optimizer), scheduler.get_last_lr())]
        for _ in range(STEPS):
            optimizer.step()
            scheduler.step()
            rates.append((numbers(optimizer), scheduler.get_last_lr()))
        found.append(rates)
        states.append(scheduler.state_dict())
    assert found[0] == found[1]
    assert set(states[0]) == set(states[1])
    other = make_optimizer(ag)
    again = composed(ag, other)
    again.load_state_dict(states[0])
    assert again.state_dict() == states[0]


@pytest.mark.parametrize("part", [sequence, chain], ids=lambda f: f.__name__)
def test_sequences_in_sequences(part):
    found = []
    for lib in (ag, torch):
        s = lib.optim.lr_scheduler
        optimizer = make_optimizer(lib)
        inner = s.SequentialLR(
            optimizer, [s.ConstantLR(optimizer, 0.5, 3), s.StepLR(optimizer, 5)], milestones=[6]
        )
        scheduler = s.ChainedScheduler([inner, part(lib, optimizer)])
        rates = []
        for _ in range(STEPS):
            optimizer.step()
            scheduler.step()
            rates.append(numbers(optimizer))
        found.append(rates)
    assert found[0] == found[1]


METRICS = [
    5,
    4,
    4,
    4,
    4,
    3.9999,
    4,
    4,
    4,
    2,
    2,
    2,
    2,
    2,
    2,
    2,
    2,
    2,
    math.nan,
    1,
    3,
    3,
    3,
    3,
    3,
    3,
    3,
]


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 2},
        {"patience": 1, "mode": "max", "factor": 0.5},
        {"patience": 2, "cooldown": 3, "min_lr": [0.01, 0.05]},
        {"patience": 0, "threshold": 0.5, "threshold_mode": "abs", "min_lr": 1e-3},
        {"patience": 0, "mode": "max", "threshold": 0.5, "threshold_mode": "abs", "eps": 0.02},
    ],
    ids=str,
)
def test_plateau_equals_torch(options):
    found = []
    for lib in (ag, torch):
        optimizer = make_optimizer(lib)
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        rates = []
        for place, metric in enumerate(METRICS):
            scheduler.step(lib.tensor(float(metric)) if place % 2 else metric)
            rates.append((numbers(optimizer), scheduler.get_last_lr(), scheduler.num_bad_epochs))
        found.append((rates, set(scheduler.state_dict())))
        again = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
        again.load_state_dict(scheduler.state_dict())
        assert again.best == scheduler.best
    assert found[0] == found[1]


@pytest.mark.parametrize("row", TABLE[:4] + TABLE[8:15], ids=IDS[:4] + IDS[8:15])
def test_lr_may_be_a_tensor(row):
    found = []
    for lib in (ag, torch):
        optimizer = make_optimizer(lib, lr=lib.tensor(0.25, dtype=lib.float64))
        lr = optimizer.param_groups[0]["lr"]
        scheduler = make(lib, row, optimizer)
        rates = []
        for _ in range(20):
            optimizer.step()
            scheduler.step()
            rates.append(optimizer.param_groups[0]["lr"].item())
        assert optimizer.param_groups[0]["lr"] is lr
        found.append(rates)
    assert found[0] == pytest.approx(found[1], rel=1e-14)


def test_fractions_of_epochs():
    found = []
    for lib in (ag, torch):
        optimizer = make_optimizer(lib)
        scheduler = lib.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, 2)
        rates = []
        for step in range(100):
            scheduler.step(step / 7)
            rates.append(numbers(optimizer))
        found.append(rates)
    assert found[0] == found[1]


def test_warnings():
    for lib in (ag, torch):
        s = lib.optim.lr_scheduler
        optimizer = make_optimizer(lib)
        scheduler = s.StepLR(optimizer, 3)
        with pytest.warns(
            UserWarning, match=r"`lr_scheduler.step\(\)` before `optimizer.step\(\)`"
        ):
            scheduler.step()
        with pytest.warns(UserWarning, match=r"please use `get_last_lr\(\)`"):
            scheduler.get_lr()
        with pytest.warns(UserWarning, match="The epoch parameter in"):
            scheduler.step(3)
        optimizer = make_optimizer(lib)
        scheduler = s.StepLR(optimizer, 3)
        optimizer.step = lambda: None
        with pytest.warns(UserWarning, match="has been overridden"):
            scheduler.step()
        optimizer = make_optimizer(lib)
        scheduler = s.StepLR(optimizer, 3)
        optimizer.step()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            scheduler.step()


def adagrad(lib):
    return lib.optim.Adagrad([lib.ones(1, requires_grad=True)])


@pytest.mark.parametrize(
    ("name", "args", "error"),
    [
        ("StepLR", (3, 3), TypeError),
        ("LambdaLR", ("sgd", [len]), ValueError),
        ("MultiplicativeLR", ("sgd", 3), TypeError),
        ("ConstantLR", ("sgd", 1.5), ValueError),
        ("LinearLR", ("sgd", 0), ValueError),
        ("LinearLR", ("sgd", 0.5, 2), ValueError),
        ("CosineAnnealingWarmRestarts", ("sgd", 0), ValueError),
        ("CosineAnnealingWarmRestarts", ("sgd", 3, 0), ValueError),
        ("CosineAnnealingWarmRestarts", ("sgd", 3, 1, "a"), ValueError),
        ("OneCycleLR", (3, 0.1), TypeError),
        ("OneCycleLR", ("sgd", 0.1), ValueError),
        ("OneCycleLR", ("sgd", 0.1, 0), ValueError),
        ("OneCycleLR", ("sgd", 0.1, None, 3, 0), ValueError),
        ("OneCycleLR", ("sgd", 0.1, 10, None, None, 2.0), ValueError),
        ("OneCycleLR", ("sgd", 0.1, 10, None, None, 0.3, "up"), ValueError),
        ("OneCycleLR", ("sgd", [0.1], 10), ValueError),
        ("OneCycleLR", ("adagrad", 0.1, 10), ValueError),
        ("CyclicLR", ("sgd", 0.1, 0.2, 3, 3, "square"), ValueError),
        ("CyclicLR", ("adagrad", 0.1, 0.2), ValueError),
        ("CyclicLR", ("sgd", [0.1], 0.2), ValueError),
        ("ReduceLROnPlateau", ("sgd", "middle"), ValueError),
        ("ReduceLROnPlateau", ("sgd", "min", 1.0), ValueError),
        ("ReduceLROnPlateau", ("sgd", "min", 0.1, 1, 0.1, "up"), ValueError),
        ("ReduceLROnPlateau", ("sgd", "min", 0.1, 1, 0.1, "abs", 0, [1]), ValueError),
        ("SequentialLR", ("sgd", [], []), ValueError),
        ("ChainedScheduler", ([],), ValueError),
    ],
)
def test_wrong_arguments(name, args, error):
    texts = []
    for lib in (ag, torch):
        makers = {"sgd": make_optimizer, "adagrad": adagrad}
        first = makers[args[0]](lib) if isinstance(args[0], str) else args[0]
        with pytest.raises(error) as caught:
            getattr(lib.optim.lr_scheduler, name)(first, *args[1:])
        texts.append(str(caught.value))
    assert texts[0] == texts[1]


def test_wrong_parts():
    for lib in (ag, torch):
        s = lib.optim.lr_scheduler
        optimizer = make_optimizer(lib)
        step, other = s.StepLR(optimizer, 3), s.StepLR(make_optimizer(lib), 3)
        plateau = s.ReduceLROnPlateau(optimizer)
        with pytest.raises(
            ValueError, match="expects all schedulers to belong to the same optimizer"
        ):
            s.SequentialLR(optimizer, [step, other], [3])
        with pytest.raises(ValueError, match="does not support `ReduceLROnPlateau`"):
            s.SequentialLR(optimizer, [step, plateau], [3])
        with pytest.raises(ValueError, match="one more than the number of milestone points"):
            s.SequentialLR(optimizer, [step], [3])
        with pytest.raises(ValueError, match="does not support `ReduceLROnPlateau`"):
            s.ChainedScheduler([step, plateau])
        with pytest.raises(TypeError, match="should have `optimizer` as its attribute"):
            s.ChainedScheduler([step, 3])
        one = s.OneCycleLR(optimizer, 0.1, 2)
        optimizer.step()
        one.step()
        one.step()
        with pytest.raises(ValueError, match="Tried to step 3 times"):
            one.step()


def test_a_schedule_of_ones_own():
    class Halves(ag.optim.lr_scheduler.LRScheduler):
        def get_lr(self):
            return [base / 2**self.last_epoch for base in self.base_lrs]

    optimizer = make_optimizer(ag)
    scheduler = Halves(optimizer)
    optimizer.step()
    scheduler.step()
    scheduler.step()
    assert scheduler.get_last_lr() == [0.3 / 4, 0.1 / 4]
    with pytest.raises(NotImplementedError):
        ag.optim.lr_scheduler.LRScheduler(optimizer)
