"""Compiled training follows what is done to optimizers between calls: schedules, options, groups, states."""

import pytest
from test_compile import assert_same_models, assert_same_training, batches, mlp, same, training_step

import autograd as ag
from autograd.nn import functional as F

S = ag.optim.lr_scheduler


def sgd(p, **options):
    return ag.optim.SGD(p, **{"lr": 0.1, "momentum": 0.9, **options})


def adam(p, **options):
    return ag.optim.Adam(p, **{"lr": 0.05, **options})


SCHEDULES = {
    "LambdaLR": lambda o: S.LambdaLR(o, lambda epoch: 0.9**epoch),
    "MultiplicativeLR": lambda o: S.MultiplicativeLR(o, lambda epoch: 0.9),
    "StepLR": lambda o: S.StepLR(o, 2, gamma=0.5),
    "MultiStepLR": lambda o: S.MultiStepLR(o, [2, 5], gamma=0.5),
    "ConstantLR": lambda o: S.ConstantLR(o, factor=0.5, total_iters=4),
    "LinearLR": lambda o: S.LinearLR(o, total_iters=4),
    "ExponentialLR": lambda o: S.ExponentialLR(o, 0.8),
    "PolynomialLR": lambda o: S.PolynomialLR(o, total_iters=6),
    "CosineAnnealingLR": lambda o: S.CosineAnnealingLR(o, 5),
    "CosineAnnealingWarmRestarts": lambda o: S.CosineAnnealingWarmRestarts(o, 3),
    "CyclicLR": lambda o: S.CyclicLR(o, 0.01, 0.1, step_size_up=3),
    "OneCycleLR": lambda o: S.OneCycleLR(o, max_lr=0.1, total_steps=20),
    "ChainedScheduler": lambda o: S.ChainedScheduler([S.ExponentialLR(o, 0.9), S.StepLR(o, 3)]),
    "SequentialLR": lambda o: S.SequentialLR(
        o, [S.ConstantLR(o, 0.1, total_iters=3), S.ExponentialLR(o, 0.9)], milestones=[3]
    ),
}


def test_every_schedule_is_here():
    missing = set(S.__all__) - set(SCHEDULES) - {"LRScheduler", "ReduceLROnPlateau"}
    assert not missing


@pytest.mark.parametrize("make", [sgd, adam], ids=["sgd", "adam"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_between_calls(name, make):
    def trained():
        model = mlp()
        optimizer = make(model.parameters())
        optimizer.schedule = SCHEDULES[name](optimizer)
        return model, optimizer, training_step(model, optimizer)

    def between(i, model, optimizer):
        if i:
            optimizer.schedule.step()

    assert_same_training(trained, batches(12), between)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_within_the_function(name):
    """step() of a schedule at the end of the function goes on after each run of the plan."""

    def trained():
        model = mlp()
        optimizer = sgd(model.parameters())
        schedule = SCHEDULES[name](optimizer)
        inner = training_step(model, optimizer)

        def step(x, y):
            loss = inner(x, y)
            schedule.step()
            return loss

        return model, optimizer, step

    assert_same_training(trained, batches(12))


def test_schedules_within_the_function_in_epochs():
    def trained():
        model = mlp()
        optimizer = sgd(model.parameters())
        schedule = S.ExponentialLR(optimizer, 0.9)
        inner = training_step(model, optimizer)

        def step(x, y):
            loss = inner(x, y)
            schedule.step()
            return loss

        return model, step

    x, y = batches(1, rows=20)[0]
    (eager_model, eager), (model, function) = trained(), trained()
    wanted = [[eager(x[i : i + 4], y[i : i + 4]).item() for i in range(0, 20, 4)] for _ in range(3)]
    assert ag.compile(function).run(x, y, batch_size=4, epochs=3).tolist() == wanted
    assert_same_models(model, eager_model)


def test_a_schedule_that_goes_on_in_some_calls_only():
    model = mlp()
    optimizer = sgd(model.parameters())
    schedule = S.ExponentialLR(optimizer, 0.9)
    inner, calls = training_step(model, optimizer), iter(range(100))

    def step(x, y):
        loss = inner(x, y)
        if next(calls) % 2:
            schedule.step()
        return loss

    with pytest.raises(ag.CompileError, match="in some calls only"):
        compiled = ag.compile(step)
        for batch in batches(4):
            compiled(*batch)


def test_plateau_between_calls():
    def trained():
        model = mlp()
        optimizer = sgd(model.parameters())
        optimizer.schedule = S.ReduceLROnPlateau(optimizer, patience=0)
        return model, optimizer, training_step(model, optimizer)

    def between(i, model, optimizer):
        optimizer.schedule.step(float(i % 3))

    assert_same_training(trained, batches(12), between)


OPTIONS = {
    "sgd": (sgd, [("lr", 0.3), ("momentum", 0.5), ("weight_decay", 0.2), ("dampening", 0.1)]),
    "adam": (adam, [("lr", 0.3), ("betas", (0.5, 0.9)), ("eps", 1e-3), ("weight_decay", 0.2)]),
    "adamw": (
        lambda p: ag.optim.AdamW(p, lr=0.05),
        [("weight_decay", 0.5), ("betas", (0.5, 0.9))],
    ),
    "rmsprop": (lambda p: ag.optim.RMSprop(p, lr=0.05), [("alpha", 0.5), ("weight_decay", 0.2)]),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_may_change(name):
    make, values = OPTIONS[name]

    def trained():
        model = mlp()
        optimizer = make(model.parameters())
        return model, optimizer, training_step(model, optimizer)

    def between(i, model, optimizer):
        if i and i % 4 == 0:
            option, value = values[(i // 4 - 1) % len(values)]
            optimizer.param_groups[0][option] = value

    assert_compiled(trained, between, 4 * len(values) + 4)


def assert_compiled(trained, between, steps, plans=(1, 2, 3)):
    """Equal to eager training; an option that is switched on makes another plan."""
    (eager_model, eager_optimizer, eager), (model, optimizer, function) = trained(), trained()
    compiled = ag.compile(function)
    for i, batch in enumerate(batches(steps)):
        between(i, eager_model, eager_optimizer)
        between(i, model, optimizer)
        assert same(compiled(*batch), eager(*batch)), i
        assert_same_models(model, eager_model)
    assert compiled.explain().count("plan ") in plans, compiled.explain()
    return compiled


@pytest.mark.parametrize("make", [sgd, adam], ids=["sgd", "adam"])
def test_a_tensor_as_learning_rate(make):
    def trained():
        model = mlp()
        optimizer = make(model.parameters(), lr=ag.tensor(0.1))
        return model, optimizer, training_step(model, optimizer)

    def between(i, model, optimizer):
        if i > 3:
            optimizer.param_groups[0]["lr"].mul_(0.8)
        if i == 7:
            optimizer.param_groups[0]["lr"] = ag.tensor(0.01)

    assert_same_training(trained, batches(12), between)


def test_a_schedule_of_a_tensor():
    def trained():
        model = mlp()
        optimizer = adam(model.parameters(), lr=ag.tensor(0.1))
        optimizer.schedule = S.ExponentialLR(optimizer, 0.9)
        return model, optimizer, training_step(model, optimizer)

    def between(i, model, optimizer):
        if i:
            optimizer.schedule.step()

    assert_same_training(trained, batches(10), between)


def test_groups_that_are_added():
    def trained():
        model = mlp()
        optimizer = adam(model[0].parameters())
        return model, optimizer, training_step(model, optimizer)

    def between(i, model, optimizer):
        if i == 5:
            optimizer.add_param_group({"params": list(model[2].parameters()), "lr": 0.01})

    assert_compiled(trained, between, 14)


def test_states_that_are_loaded():
    def trained():
        model = mlp()
        optimizer = adam(model.parameters())
        optimizer.kept = {}
        return model, optimizer, training_step(model, optimizer)

    def between(i, model, optimizer):
        if i == 4:
            optimizer.kept["model"] = {k: v.clone() for k, v in model.state_dict().items()}
            optimizer.kept["optimizer"] = ag_copy(optimizer.state_dict())
        if i == 8:
            model.load_state_dict(optimizer.kept["model"])
            optimizer.load_state_dict(optimizer.kept["optimizer"])

    assert_compiled(trained, between, 16)


def ag_copy(value):
    if isinstance(value, dict):
        return {k: ag_copy(v) for k, v in value.items()}
    if isinstance(value, list):
        return [ag_copy(v) for v in value]
    return value.clone() if isinstance(value, ag.Tensor) else value


def test_states_that_are_replaced_or_dropped():
    def trained():
        model = mlp()
        optimizer = adam(model.parameters())
        return model, optimizer, training_step(model, optimizer)

    def between(i, model, optimizer):
        if i == 5:
            state = optimizer.state[model[0].weight]
            state["exp_avg"] = state["exp_avg"] * 0.5
        if i == 9:
            optimizer.state.clear()

    assert_compiled(trained, between, 16)


def test_parameters_that_are_frozen_in_the_middle():
    def trained():
        model = mlp()
        optimizer = sgd(model.parameters())
        return model, optimizer, training_step(model, optimizer)

    def between(i, model, optimizer):
        if i in (4, 12):
            model[0].requires_grad_(False)
        if i == 8:
            model[0].requires_grad_(True)

    assert_compiled(trained, between, 20)


def test_two_optimizers_and_a_loop_of_two():
    def trained():
        model = mlp()
        first, second = sgd(model[0].parameters()), adam(model[2].parameters())

        def step(x, y):
            for _ in range(2):
                loss = F.mse_loss(model(x), y)
                first.zero_grad()
                second.zero_grad()
                loss.backward()
                first.step()
                second.step()
            return loss

        first.other = second
        return model, first, step

    def between(i, model, optimizer):
        optimizer.param_groups[0]["lr"] = 0.1 / (i + 1)
        optimizer.other.param_groups[0]["lr"] = 0.02 / (i + 1)

    assert_compiled(trained, between, 10)
