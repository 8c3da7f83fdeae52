"""optim.swa_utils against PyTorch's: averages of parameters, statistics of batch norms, the schedule."""

import numpy as np
import pytest
import torch
from compare import same, vs_torch

import autograd as ag

AVERAGES = {
    "mean": lambda lib: {},
    "ema": lambda lib: {"multi_avg_fn": lib.optim.swa_utils.get_ema_multi_avg_fn(0.9)},
    "ema, one by one": lambda lib: {"avg_fn": lib.optim.swa_utils.get_ema_avg_fn(0.9)},
    "mean, one by one": lambda lib: {"avg_fn": lib.optim.swa_utils.get_swa_avg_fn()},
    "with buffers": lambda lib: {"use_buffers": True},
    "ema with buffers": lambda lib: {
        "multi_avg_fn": lib.optim.swa_utils.get_ema_multi_avg_fn(0.9),
        "use_buffers": True,
    },
}


def numbers(lib, *shape, seed=0):
    """Normal numbers as a tensor."""
    return lib.tensor(np.random.default_rng(seed).standard_normal(shape).astype("float32"))


def network(lib):
    """A small network with batch norm and parameters that are the same for both libraries."""
    model = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.BatchNorm1d(4), lib.nn.Linear(4, 2))
    with lib.no_grad():
        for seed, p in enumerate(model.parameters()):
            p.copy_(numbers(lib, *p.shape, seed=seed))
    return model


def trained(lib, options, epochs=4):
    """(model, averages) after some steps, averaged after each."""
    model = network(lib)
    averages = lib.optim.swa_utils.AveragedModel(model, **options)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.05)
    for seed in range(epochs):
        optimizer.zero_grad()
        model(numbers(lib, 8, 3, seed=seed)).square().mean().backward()
        optimizer.step()
        averages.update_parameters(model)
    return model, averages


@pytest.mark.parametrize("kind", AVERAGES)
def test_averages(kind):
    def run(lib):
        _, averages = trained(lib, AVERAGES[kind](lib))
        averages.eval()
        state = averages.state_dict()
        return list(state), list(state.values()), averages(numbers(lib, 2, 3))

    (our_names, *ours), (their_names, *theirs) = run(ag), run(torch)
    assert our_names == their_names
    same(ours, theirs)


@vs_torch
def test_statistics_of_batch_norms(lib):
    model, averages = trained(lib, {})
    batches = [(numbers(lib, 5, 3, seed=seed), 0) for seed in range(3)]
    averages.eval()
    lib.optim.swa_utils.update_bn(batches, averages)
    assert not averages.training and averages.module[1].momentum == 0.1
    lib.optim.swa_utils.update_bn([batch for batch, _ in batches], model)
    return list(averages.buffers()), list(model.buffers())


def test_statistics_are_left_as_they_were_set_after_an_error():
    model, _ = trained(ag, {})
    with pytest.raises(RuntimeError):
        ag.optim.swa_utils.update_bn([ag.ones(2, 7)], model)
    assert model[1].momentum == 0.1 and model.training


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("epochs", [0, 1, 5])
def test_schedule(strategy, epochs):
    def run(lib):
        a, b = (lib.ones(1, requires_grad=True) for _ in range(2))
        optimizer = lib.optim.SGD([{"params": [a], "lr": 0.5}, {"params": [b]}], lr=0.1)
        schedule = lib.optim.swa_utils.SWALR(
            optimizer, [0.05, 0.2], anneal_epochs=epochs, anneal_strategy=strategy
        )
        rates = []
        for _ in range(8):
            optimizer.step()
            schedule.step()
            rates.append(schedule.get_last_lr())
        return rates

    assert np.asarray(run(ag)) == pytest.approx(np.asarray(run(torch)), rel=1e-12)


def test_bad_arguments():
    utils = ag.optim.swa_utils
    model = network(ag)
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1)
    for decay in (-0.1, 1.5):
        for make in (utils.get_ema_avg_fn, utils.get_ema_multi_avg_fn):
            with pytest.raises(ValueError, match=r"\[0,1\]"):
                make(decay)
    with pytest.raises(ValueError, match="Only one of avg_fn"):
        utils.AveragedModel(
            model, avg_fn=utils.get_swa_avg_fn(), multi_avg_fn=utils.get_swa_multi_avg_fn()
        )
    with pytest.raises(ValueError, match="has 2 parameters, the averaged one 6"):
        utils.AveragedModel(model).update_parameters(ag.nn.Linear(3, 4))
    for options in ({"anneal_strategy": "sin"}, {"anneal_epochs": -1}, {"anneal_epochs": 1.5}):
        with pytest.raises(ValueError, match="anneal_"):
            utils.SWALR(optimizer, 0.05, **options)
    with pytest.raises(ValueError, match="swa_lr"):
        utils.SWALR(optimizer, [0.05, 0.1])
