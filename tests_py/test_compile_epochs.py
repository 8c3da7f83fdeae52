"""Epochs in one native call: the same as calls one by one, whatever becomes of the gradients."""

import signal

import pytest

import autograd as ag
from autograd import nn
from autograd.nn import functional as F


def model_of():
    ag.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 8), nn.Sigmoid(), nn.Linear(8, 2))


def cleared_first(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def cleared_last(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss


def zeroed(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    return loss


def piled_up(model, optimizer, x, y):
    loss = F.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def gradient_of_inputs(model, optimizer, x, y):
    x.requires_grad_()
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss + x.grad.sum()


def some_without(model, optimizer, x, y):
    loss = F.mse_loss(model[:3](x), ag.cat([y, y, y, y], 1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def twice(model, optimizer, x, y):
    for _ in range(2):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss


STEPS = [
    cleared_first,
    cleared_last,
    zeroed,
    piled_up,
    gradient_of_inputs,
    some_without,
    twice,
]


def start(step, momentum=0.0):
    model = model_of()
    optimizer = ag.optim.SGD(model.parameters(), lr=0.05, momentum=momentum)
    return model, optimizer, lambda x, y: step(model, optimizer, x, y).detach()


def data(rows):
    ag.manual_seed(8)
    return ag.randn(rows, 3), ag.randn(rows, 2)


def state_of(model):
    grads = [None if p.grad is None else p.grad.tolist() for p in model.parameters()]
    return [p.tolist() for p in model.parameters()], grads


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("step", STEPS)
def test_epochs_are_calls_one_by_one(step, momentum):
    x, y = data(27)
    eager_model, _, eager = start(step, momentum)
    model, _, function = start(step, momentum)
    compiled = ag.compile(function)
    held = []
    for _ in range(4):
        wanted = [
            [eager(x[i : i + 4].detach(), y[i : i + 4]).item() for i in range(0, 27, 4)]
            for _ in range(2)
        ]
        assert compiled.run(x, y, batch_size=4, epochs=2).tolist() == wanted
        assert state_of(model) == state_of(eager_model)
        held += [(p.grad, p.grad.tolist()) for p in model.parameters() if p.grad is not None]
        if step not in (piled_up, zeroed):  # in eager, too, those change under the holder's hands
            assert all(grad.tolist() == values for grad, values in held)


def test_options_change_between_epochs():
    x, y = data(24)
    eager_model, eager_optimizer, eager = start(cleared_first)
    model, optimizer, function = start(cleared_first)
    compiled = ag.compile(function)
    for lr in (0.05, 0.1, 0.01):
        for each in (eager_optimizer, optimizer):
            each.param_groups[0]["lr"] = lr
        for _ in range(3):
            for i in range(0, 24, 4):
                eager(x[i : i + 4], y[i : i + 4])
        compiled.run(x, y, batch_size=4, epochs=3)
        assert state_of(model) == state_of(eager_model)


@pytest.mark.parametrize("takes", [True, False])
def test_a_signal_handler_that_takes_or_removes_gradients(takes):
    x, y = data(200_000)  # long enough for several looks at signals within an epoch
    undisturbed, _, function = start(cleared_first)
    other = ag.compile(function)
    model, _, function = start(cleared_first)
    compiled = ag.compile(function)
    held = []

    def handler(number, frame):
        grad = model[2].weight.grad
        if takes:
            held.append((grad, grad.tolist()))
        else:
            model[0].weight.grad = None

    for each in (compiled, other):
        each.run(x[:20], y[:20], batch_size=2)  # makes the plan: captured calls read nothing
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        compiled.run(x, y, batch_size=2)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert all(grad.tolist() == values for grad, values in held)
    other.run(x, y, batch_size=2)
    assert state_of(model)[0] == state_of(undisturbed)[0]


def test_indices_out_of_range_end_an_epoch():
    model = nn.Linear(3, 4)
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1)

    @ag.compile
    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    x, y = ag.randn(40, 3), ag.randint(0, 4, (40,))
    step.run(x, y, batch_size=4, epochs=2)
    y[30] = 4
    with pytest.raises(IndexError):
        step.run(x, y, batch_size=4)
    y[30] = 1
    assert step.run(x, y, batch_size=4).isfinite().all().item()
