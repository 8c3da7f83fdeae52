"""Training scripts as people write them: each with and without compile, equal call by call."""

import copy

import pytest
from test_compile import same

import autograd as ag
from autograd import nn
from autograd.nn import functional as F


def trained(parameters, optimizer, loss_of):
    def step(*batch):
        loss = loss_of(*batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, parameters


def policy_gradient(compiled):
    """Episodes of changing lengths."""
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    optimizer = ag.optim.Adam(model.parameters(), lr=0.01)

    def step(x, y):
        actions = y[:, 0].gt(0).long()
        chosen = F.log_softmax(model(x), -1).gather(1, actions.unsqueeze(1)).squeeze(1)
        reward = y[:, 1]
        loss = -(chosen * (reward - reward.mean())).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    return compiled(step), list(model.parameters())


def gan(compiled):
    generator = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    critic = nn.Sequential(nn.Linear(3, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    first = ag.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.999))
    second = ag.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.999))
    loss_of = nn.BCEWithLogitsLoss()

    def step(x, y):
        fake = generator(ag.randn(x.shape[0], 4))
        real, false = ag.ones(x.shape[0], 1), ag.zeros(x.shape[0], 1)
        loss = loss_of(critic(x), real) + loss_of(critic(fake.detach()), false)
        second.zero_grad()
        loss.backward()
        second.step()
        fooled = loss_of(critic(fake), real)
        first.zero_grad()
        fooled.backward()
        first.step()
        return loss + fooled.detach()

    return compiled(step), [*generator.parameters(), *critic.parameters()]


def autoencoder(compiled):
    encoder, decoder = nn.Linear(3, 4), nn.Linear(2, 3)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = ag.optim.Adam(parameters, lr=0.01)

    def loss_of(x, y):
        mean, log_var = encoder(x).chunk(2, 1)
        z = mean + (0.5 * log_var).exp() * ag.randn_like(mean)
        divergence = -0.5 * (1 + log_var - mean**2 - log_var.exp()).sum()
        return F.mse_loss(decoder(z), x, reduction="sum") + divergence

    step, parameters = trained(parameters, optimizer, loss_of)
    return compiled(step), parameters


def recurrent(compiled, in_place):
    """The hidden state goes on from call to call: as arguments and results, or changed in place."""
    lstm, head = nn.LSTM(3, 5), nn.Linear(5, 2)
    parameters = [*lstm.parameters(), *head.parameters()]
    optimizer = ag.optim.SGD(parameters, lr=0.1)
    state = [ag.zeros(1, 5), ag.zeros(1, 5)]

    def step(x, y, h, c):
        out, (h, c) = lstm(x, (h, c))
        loss = F.mse_loss(head(out), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, h.detach(), c.detach()

    def kept(x, y):
        loss, h, c = step(x, y, *state)
        state[0].copy_(h)
        state[1].copy_(c)
        return loss

    function = compiled(kept if in_place else step)

    def call(x, y):
        if in_place:
            return function(x, y)
        loss, state[0], state[1] = function(x, y, *state)
        return loss

    return call, parameters


def accumulation(compiled):
    model = nn.Linear(3, 2)
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def accumulate(x, y):
        loss = F.mse_loss(model(x), y) / 4
        loss.backward()
        return loss

    function, calls = compiled(accumulate), iter(range(1, 100))

    def call(x, y):
        loss = function(x, y)
        if next(calls) % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()
        return loss

    return call, list(model.parameters())


def moving_average(compiled):
    model = nn.Linear(3, 2)
    average = copy.deepcopy(model)
    optimizer = ag.optim.AdamW(model.parameters(), lr=0.01)
    inner, _ = trained([], optimizer, lambda x, y: F.mse_loss(model(x), y))

    def step(x, y):
        loss = inner(x, y)
        with ag.no_grad():
            for old, new in zip(average.parameters(), model.parameters()):
                old.mul_(0.99).add_(new, alpha=0.01)
        return loss

    return compiled(step), [*model.parameters(), *average.parameters()]


def train_and_eval(compiled, one_function):
    """Training and evaluation take turns; evaluation within no_grad()."""
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 2))
    optimizer = ag.optim.Adam(model.parameters(), lr=0.01)
    step, _ = trained([], optimizer, lambda x, y: F.mse_loss(model(x), y))
    train = compiled(step)
    evaluate = compiled(lambda x, y: F.mse_loss(model(x), y).detach())
    predict = compiled(lambda x: model(x).detach())

    def call(x, y):
        if one_function:
            model.train()
            first = predict(x).sum()
            model.eval()
            return first + predict(x).sum()
        model.train()
        loss = train(x, y)
        model.eval()
        with ag.no_grad():
            return loss.detach() + evaluate(x, y)

    return call, list(model.parameters())


def early_stopping(compiled):
    """The best weights are kept, and come back when the loss grows."""
    model = nn.Linear(3, 2)
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1)
    function = compiled(trained([], optimizer, lambda x, y: F.mse_loss(model(x), y))[0])
    best = [float("inf"), {}]

    def call(x, y):
        loss = function(x, y)
        if loss.item() < best[0]:
            best[:] = [loss.item(), {k: v.clone() for k, v in model.state_dict().items()}]
        elif loss.item() > 1.5 * best[0]:
            model.load_state_dict(best[1])
        return loss

    return call, list(model.parameters())


def schedule(compiled):
    model = nn.Linear(3, 2)
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    cycle = ag.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.2, total_steps=50)
    inner, _ = trained([], optimizer, lambda x, y: F.mse_loss(model(x), y))

    def step(x, y):
        loss = inner(x, y)
        cycle.step()
        return loss

    return compiled(step), list(model.parameters())


def q_learning(compiled):
    """A second network that takes over the weights of the first every few calls."""
    model = nn.Linear(3, 4)
    target = copy.deepcopy(model)
    optimizer = ag.optim.RMSprop(model.parameters(), lr=0.01)

    def loss_of(x, y):
        with ag.no_grad():
            wanted = target(x * 1.1).max(1)[0] * 0.9
        return F.smooth_l1_loss(model(x).max(1)[0], wanted)

    function, calls = compiled(trained([], optimizer, loss_of)[0]), iter(range(1, 100))

    def call(x, y):
        if next(calls) % 5 == 0:
            target.load_state_dict(model.state_dict())
        return function(x, y)

    return call, [*model.parameters(), *target.parameters()]


SCRIPTS = {
    "policy_gradient": policy_gradient,
    "gan": gan,
    "autoencoder": autoencoder,
    "recurrent": lambda compiled: recurrent(compiled, False),
    "recurrent_in_place": lambda compiled: recurrent(compiled, True),
    "accumulation": accumulation,
    "moving_average": moving_average,
    "train_and_eval": lambda compiled: train_and_eval(compiled, False),
    "train_and_eval_in_one": lambda compiled: train_and_eval(compiled, True),
    "early_stopping": early_stopping,
    "schedule": schedule,
    "q_learning": q_learning,
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts(name):
    rows = [5, 7, 5, 7] * 5 if name == "policy_gradient" else [6] * 20
    ag.manual_seed(1)
    data = [(ag.randn(n, 3), ag.randn(n, 2)) for n in rows]
    results = []
    for compiled in (lambda function: function, ag.compile):
        ag.manual_seed(0)
        call, parameters = SCRIPTS[name](compiled)
        losses = [call(*batch) for batch in data]
        results.append((losses, parameters))
    (wanted, eager), (got, mine) = results
    assert all(map(same, got, wanted))
    assert all(map(same, mine, eager))
