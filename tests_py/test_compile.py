"""Compiled functions do what the function itself does, bit for bit, step after step."""

import pytest

import autograd as ag
from autograd import nn
from autograd.nn import functional as F
from autograd.utils.data import DataLoader, TensorDataset


def mlp(seed=0, extra=()):
    ag.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 8), *extra, nn.Tanh(), nn.Linear(8, 2))


def training_step(model, optimizer):
    def step(x, y):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def batches(n, rows=5, seed=7):
    ag.manual_seed(seed)
    return [(ag.randn(rows, 3), ag.randn(rows, 2)) for _ in range(n)]


def same(a, b):
    """Equal bit for bit, NaN being equal to NaN."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tolist() == b.tolist()


def assert_same_models(a, b):
    for (name, p), (_, q) in zip(a.state_dict().items(), b.state_dict().items()):
        assert same(p, q), name
    for p, q in zip(a.parameters(), b.parameters()):
        assert (p.grad is None) == (q.grad is None)
        assert p.grad is None or same(p.grad, q.grad)


def assert_same_training(make, data, between=lambda i, model, optimizer: None, plans=1):
    """Trains two models made alike, one compiled, and compares after each step."""
    eager_model, eager_optimizer, eager = make()
    model, optimizer, function = make()
    compiled = ag.compile(function)
    for i, batch in enumerate(data):
        between(i, eager_model, eager_optimizer)
        between(i, model, optimizer)
        ag.manual_seed(100 + i)
        wanted = eager(*batch)
        after = ag.random.get_rng_state().tolist()
        ag.manual_seed(100 + i)
        got = compiled(*batch)
        assert ag.random.get_rng_state().tolist() == after
        assert same(got, wanted), i
        assert_same_models(model, eager_model)
    assert compiled.explain().count("plan ") == plans, compiled.explain()
    return compiled


OPTIMIZERS = {
    "sgd": lambda p: ag.optim.SGD(p, lr=0.1),
    "sgd_momentum": lambda p: ag.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "sgd_nesterov": lambda p: ag.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, maximize=True),
    "adam": lambda p: ag.optim.Adam(p, lr=0.05),
    "adam_amsgrad": lambda p: ag.optim.Adam(p, lr=0.05, amsgrad=True, weight_decay=0.1),
    "adamw": lambda p: ag.optim.AdamW(p, lr=0.05),
    "adamax": lambda p: ag.optim.Adamax(p),
    "nadam": lambda p: ag.optim.NAdam(p),
    "radam": lambda p: ag.optim.RAdam(p, lr=0.05),
    "rmsprop": lambda p: ag.optim.RMSprop(p),
    "rmsprop_centered": lambda p: ag.optim.RMSprop(p, momentum=0.5, centered=True),
    "adagrad": lambda p: ag.optim.Adagrad(p, lr_decay=0.1),
    "adadelta": lambda p: ag.optim.Adadelta(p),
    "adafactor": lambda p: ag.optim.Adafactor(p),
    "rprop": lambda p: ag.optim.Rprop(p),
    "asgd": lambda p: ag.optim.ASGD(p, t0=3),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer(name):
    def make():
        model = mlp()
        optimizer = OPTIMIZERS[name](model.parameters())
        return model, optimizer, training_step(model, optimizer)

    assert_same_training(make, batches(12))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_learning_rate_schedules(name):
    def make():
        model = mlp()
        optimizer = OPTIMIZERS[name](model.parameters())
        return model, optimizer, training_step(model, optimizer)

    def between(i, model, optimizer):
        optimizer.param_groups[0]["lr"] = 0.1 / (i + 1)

    assert_same_training(make, batches(10), between)


def test_groups_with_options_of_their_own():
    def make():
        model = mlp()
        optimizer = ag.optim.Adam(
            [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[2].parameters()}],
            lr=0.01,
        )
        return model, optimizer, training_step(model, optimizer)

    def between(i, model, optimizer):
        optimizer.param_groups[1]["lr"] = 0.01 * (i + 1)

    assert_same_training(make, batches(10), between)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: nn.Dropout(0.3),
        lambda: nn.AlphaDropout(0.3),
        lambda: nn.BatchNorm1d(8),
        lambda: nn.BatchNorm1d(8, momentum=None),
        lambda: nn.LayerNorm(8),
        lambda: nn.GELU(),
        lambda: nn.Softmax(1),
        lambda: nn.RReLU(),
        lambda: nn.PReLU(),
    ],
)
def test_layers_that_draw_numbers_or_keep_statistics(layer):
    def make():
        model = mlp(extra=[layer()])
        optimizer = ag.optim.SGD(model.parameters(), lr=0.1)
        return model, optimizer, training_step(model, optimizer)

    assert_same_training(make, batches(8))


def test_train_and_eval_mode():
    def make():
        model = mlp(extra=[nn.Dropout(0.5), nn.BatchNorm1d(8)])
        optimizer = ag.optim.SGD(model.parameters(), lr=0.1)
        return model, optimizer, training_step(model, optimizer)

    def between(i, model, optimizer):
        model.train(i % 6 < 3)

    assert_same_training(make, batches(24), between, plans=2)


@pytest.mark.parametrize("clip", ["norm", "norm_inf", "value"])
def test_gradient_clipping(clip):
    def make():
        model = mlp()
        optimizer = ag.optim.SGD(model.parameters(), lr=0.1)

        def step(x, y):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y) * 10
            loss.backward()
            if clip == "norm":
                return nn.utils.clip_grad_norm_(model.parameters(), 0.5), optimizer.step()
            if clip == "norm_inf":
                nn.utils.clip_grad_norm_(model.parameters(), 100.0, norm_type=float("inf"))
            else:
                nn.utils.clip_grad_value_(model.parameters(), 0.05)
            optimizer.step()
            return loss, None

        return model, optimizer, lambda x, y: step(x, y)[0]

    assert_same_training(make, batches(8))


def test_accumulation_over_several_calls():
    def make():
        model = mlp()
        optimizer = ag.optim.SGD(model.parameters(), lr=0.1)

        def accumulate(x, y):
            loss = F.mse_loss(model(x), y)
            loss.backward()
            return loss

        return model, optimizer, accumulate

    def between(i, model, optimizer):
        if i % 4 == 0 and i:
            optimizer.step()
            optimizer.zero_grad()

    assert_same_training(make, batches(16), between, plans=2)


@pytest.mark.parametrize("set_to_none", [True, False])
def test_gradients_removed_at_the_end(set_to_none):
    def make():
        model = mlp()
        optimizer = ag.optim.Adam(model.parameters(), lr=0.1)

        def step(x, y):
            loss = F.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=set_to_none)
            return loss

        return model, optimizer, step

    assert_same_training(make, batches(8))


def test_parameters_changed_from_outside():
    def make():
        model = mlp()
        optimizer = ag.optim.Adam(model.parameters(), lr=0.1)
        return model, optimizer, training_step(model, optimizer)

    def between(i, model, optimizer):
        if i == 4:
            with ag.no_grad():
                model[0].weight.mul_(0.5)
        if i == 6:
            model.load_state_dict({k: v * 0.9 for k, v in model.state_dict().items()})
        if i == 8:
            optimizer.load_state_dict(optimizer.state_dict())
        if i == 11:
            model[0].bias.requires_grad_(False)

    assert_same_training(make, batches(18), between, plans=3)


def test_replaced_parameter():
    def make():
        model = mlp()
        optimizer = ag.optim.SGD(model.parameters(), lr=0.1)
        return model, optimizer, training_step(model, optimizer)

    def between(i, model, optimizer):
        if i == 4:
            model[0].weight.data = model[0].weight.data * 2
        if i == 8:
            model[2].bias = nn.Parameter(ag.ones(2))

    assert_same_training(make, batches(12), between, plans=3)


def test_last_batch_is_shorter():
    def make():
        model = mlp()
        optimizer = ag.optim.Adam(model.parameters(), lr=0.1)
        return model, optimizer, training_step(model, optimizer)

    data = [b for _ in range(4) for b in (*batches(3), *batches(1, rows=2))]
    assert_same_training(make, data, plans=2)


def test_a_step_written_by_hand():
    def make():
        ag.manual_seed(0)
        w = nn.Parameter(ag.randn(3, 2))
        model = nn.ParameterList([w])

        def step(x, y):
            w.grad = None
            loss = ((x @ w - y) ** 2).mean()
            loss.backward()
            with ag.no_grad():
                w.sub_(0.1 * w.grad)
            return loss

        return model, None, step

    assert_same_training(make, batches(8))


def test_second_order():
    def make():
        model = mlp()
        optimizer = ag.optim.Adam(model.parameters(), lr=0.01)

        def step(x, y):
            x = x.clone().requires_grad_()
            u = model(x).sum()
            (du,) = ag.grad(u, x, create_graph=True)
            loss = (du**2).mean() + F.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return model, optimizer, step

    assert_same_training(make, batches(8))


def test_views_and_changes_in_place():
    def f(x):
        y = x * 2
        row = y[0]
        row.add_(1)
        y[:, 1] = 7
        z = ag.zeros(3)
        z += y.sum(0)
        y.mul_(z)
        return y, row, z

    compiled = ag.compile(f)
    for i in range(6):
        x = ag.full((2, 3), float(i))
        for got, wanted in zip(compiled(x), f(x)):
            assert same(got, wanted)


def test_results_keep_their_values():
    compiled = ag.compile(lambda x: (x * 2, x))
    held = []
    for i in range(5):
        x = ag.full((3,), float(i))
        y, itself = compiled(x)
        assert itself is x or same(itself, x)
        held.append(y)
    assert [y.tolist() for y in held] == [[2.0 * i] * 3 for i in range(5)]


@pytest.mark.parametrize("passes", [False, True])
def test_copies_have_memory_of_their_own(passes):
    outside = ag.ones(3)

    def f(x):
        y = x * 2
        return x.clone(), y, y.clone(), outside.clone()

    compiled = ag.compile(f, passes=passes)
    for _ in range(5):
        x = ag.ones(3)
        of_input, y, copy, of_outside = compiled(x)
        for each in (of_input, copy, of_outside):
            each.add_(1)
        assert x.tolist() == outside.tolist() == [1, 1, 1]
        assert y.tolist() == [2, 2, 2]


def test_aliases_of_what_is_outside_stand_for_it():
    w = nn.Parameter(ag.ones(3))

    def f(x):
        return x.detach() * w.detach() + w.data

    compiled = ag.compile(f)
    for i in range(5):
        with ag.no_grad():
            w.fill_(float(i))
        assert compiled(ag.full((3,), 2.0)).tolist() == [3.0 * i] * 3


def test_held_gradients_keep_their_values():
    model = mlp()
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1)
    step = ag.compile(training_step(model, optimizer))
    held, values = [], []
    for x, y in batches(6):
        step(x, y)
        held.append(model[0].weight.grad)
        values.append(held[-1].tolist())
    assert [g.tolist() for g in held] == values
    assert values[3] != values[4]


def test_structures_of_arguments_and_results():
    def f(pair, scale, *, shift=None):
        a, b = pair["a"], pair["b"]
        result = a * scale + b
        return {"sum": result if shift is None else result + shift, "pair": (a + b, 3)}

    compiled = ag.compile(f)
    for i in range(5):
        pair = {"a": ag.full((2,), float(i)), "b": ag.ones(2)}
        for arguments in (({}, 2.0), ({"shift": ag.ones(2)}, 2.0), ({}, 3.0)):
            got = compiled(pair, arguments[1], **arguments[0])
            wanted = f(pair, arguments[1], **arguments[0])
            assert same(got["sum"], wanted["sum"])
            assert same(got["pair"][0], wanted["pair"][0])
            assert got["pair"][1] == 3


def test_grad_mode_is_part_of_what_fits():
    model = mlp()
    predict = ag.compile(lambda x: model(x).detach())
    x = ag.randn(4, 3)
    for _ in range(3):
        with ag.no_grad():
            a = predict(x)
        assert same(a, predict(x))


def test_decorator_and_method():
    class Trainer:
        def __init__(self, scale):
            self.scale = scale

        @ag.compile
        def scaled(self, x):
            return x * self.scale

    @ag.compile(max_plans=2)
    def doubled(x):
        """Twice x."""
        return x * 2

    assert doubled.__doc__ == "Twice x."
    two, three = Trainer(2.0), Trainer(3.0)
    for _ in range(4):
        assert two.scaled(ag.ones(2)).tolist() == [2, 2]
        assert three.scaled(ag.ones(2)).tolist() == [3, 3]
        assert doubled(ag.ones(2)).tolist() == [2, 2]


def test_nested():
    inner = ag.compile(lambda x: x * 2)
    outer = ag.compile(lambda x: inner(x) + 1)
    for i in range(5):
        assert inner(ag.full((2,), float(i))).tolist() == [2 * i] * 2
        assert outer(ag.full((2,), float(i))).tolist() == [2 * i + 1] * 2


# ---- epochs ----


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("drop_last", [False, True])
def test_run_is_a_loop_over_a_data_loader(shuffle, drop_last):
    def make():
        model = mlp(extra=[nn.Dropout(0.2)])
        optimizer = ag.optim.Adam(model.parameters(), lr=0.05)
        return model, optimizer, training_step(model, optimizer)

    ag.manual_seed(1)
    x, y = ag.randn(23, 3), ag.randn(23, 2)
    eager_model, _, eager = make()
    model, _, function = make()
    ag.manual_seed(5)
    loader = DataLoader(TensorDataset(x, y), 5, shuffle=shuffle, drop_last=drop_last)
    wanted = [[eager(*batch).item() for batch in loader] for _ in range(4)]
    ag.manual_seed(5)
    compiled = ag.compile(function)
    losses = compiled.run(x, y, batch_size=5, shuffle=shuffle, epochs=4, drop_last=drop_last)
    assert losses.tolist() == wanted
    assert_same_models(model, eager_model)


def test_run_with_a_schedule():
    def train(step_of):
        model = mlp()
        optimizer = ag.optim.SGD(model.parameters(), lr=0.2)
        schedule = ag.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
        step_of(training_step(model, optimizer), schedule)
        return model

    x, y = batches(1, rows=12)[0]

    def by_hand(step, schedule):
        for _ in range(5):
            for i in range(0, 12, 4):
                step(x[i : i + 4], y[i : i + 4])
            schedule.step()

    def by_run(step, schedule):
        ag.compile(step).run(x, y, batch_size=4, epochs=5, after_epoch=lambda _: schedule.step())

    assert_same_models(train(by_hand), train(by_run))


def test_run_checks_its_arguments():
    step = ag.compile(lambda x, y: (x * y).sum())
    x = ag.ones(4, 2)
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        step.run(x, x, batch_size=0)
    with pytest.raises(ValueError, match="Size mismatch between tensors"):
        step.run(x, ag.ones(3, 2), batch_size=2)
    with pytest.raises(ValueError, match="0-d tensor"):
        step.run(ag.ones(()), batch_size=2)
    with pytest.raises(ValueError, match="no tensors"):
        step.run(batch_size=2)
    with pytest.raises(RuntimeError, match="one number"):
        ag.compile(lambda x: x * 2).run(x, batch_size=2)


# ---- what is said about it ----


def test_graph_and_explanation():
    model = mlp()
    optimizer = ag.optim.Adam(model.parameters())
    step = ag.compile(training_step(model, optimizer))
    assert "not called yet" in step.explain()
    with pytest.raises(IndexError, match="no plan 0 yet"):
        step.graph()
    for x, y in batches(5):
        step(x, y)
    assert "adam_step" in step.graph(captured=True).text()
    assert "operations captured" in step.explain()
    assert step.misfit(x, y) == ""
    assert step.misfit(x[:2], y) == "argument 0 is float32 [2, 3] instead of float32 [5, 3]"
    assert repr(step) == "<compiled function training_step.<locals>.step>"


def test_products_of_no_depth():
    """A layer without inputs is its bias."""
    weight, bias = ag.zeros(5, 0), ag.arange(5.0) - 2
    step = ag.compile(lambda x: ag.nn.functional.linear(x, weight, bias).relu() * 2)
    for rows in [3] * 4 + [1] * 4:
        found = step(ag.zeros(rows, 0))
        assert found.tolist() == [[0.0, 0.0, 0.0, 2.0, 4.0]] * rows
    assert "linear + relu + mul" in step.explain()


def test_options_that_ask_for_a_state():
    """Momentum that comes later finds no state in the plan: the step is captured again."""
    p = ag.ones(3, requires_grad=True)
    optimizer = ag.optim.SGD([p], lr=0.1)

    @ag.compile
    def step(x):
        optimizer.zero_grad()
        loss = (p * x).sum()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(4):
        step(ag.ones(3))
    optimizer.param_groups[0]["momentum"] = 0.9
    for _ in range(4):
        step(ag.ones(3))
    assert p.tolist() == pytest.approx([1 - 0.4 - 0.1 * (1 + 1.9 + 2.71 + 3.439)] * 3)
