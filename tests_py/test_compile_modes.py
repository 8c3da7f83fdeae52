"""Functions that are called in training and in evaluation by turns: plans for each, none captured anew."""

import re

import autograd as ag
from autograd import nn


def captured_calls(step):
    """How many calls were captured so far."""
    return sum(int(n) for n in re.findall(r"from (\d+) captured calls", step.explain()))


def model_of():
    ag.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))


def test_turns_are_captured_once_each():
    model = model_of()
    predict = ag.compile(lambda x: model(x).detach())
    x = ag.randn(4, 3)
    for _ in range(4):
        model.train(), predict(x)
        model.eval(), predict(x)
    settled = captured_calls(predict)
    assert settled == 4  # two for each mode
    for _ in range(10):
        model.train(), predict(x), predict(x)
        model.eval()
        assert predict(x).tolist() == model(x).tolist()
    assert captured_calls(predict) == settled


def test_a_step_that_does_more_in_training():
    def run(wrap):
        model = model_of()
        optimizer = ag.optim.Adam(model.parameters(), lr=0.01)

        def step(x, y):
            loss = nn.functional.mse_loss(model(x), y)
            if not model.training:
                return loss.detach(), x * 1
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        ag.manual_seed(5)
        x, y = ag.randn(4, 3), ag.randn(4, 2)
        found = []
        for turn in range(12):
            model.train()
            optimizer.param_groups[0]["lr"] = 0.01 / (turn + 1)
            found += [step(x, y).item(), step(x, y).item()]
            model.eval()
            found.append(step(x, y)[0].item())
        return found, step

    wanted, _ = run(lambda f: f)
    found, step = run(ag.compile)
    assert found == wanted
    assert captured_calls(step) <= 6


def test_epochs_and_evaluation_by_turns():
    def run(wrap):
        model = model_of()
        optimizer = ag.optim.SGD(model.parameters(), lr=0.1)

        def step(x, y):
            loss = nn.functional.mse_loss(model(x), y)
            if model.training:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            return loss.detach()

        ag.manual_seed(5)
        x, y = ag.randn(12, 3), ag.randn(12, 2)
        compiled, losses = ag.compile(step), []
        for _ in range(5):
            for mode in (True, False):
                model.train(mode)
                if wrap:
                    losses += compiled.run(x, y, batch_size=4).reshape(-1).tolist()
                else:
                    losses += [step(x[i : i + 4], y[i : i + 4]).item() for i in range(0, 12, 4)]
        return losses, compiled

    found, compiled = run(True)
    assert found == run(False)[0]
    assert captured_calls(compiled) <= 5


def test_other_changes_are_captured_again():
    model = model_of()
    predict = ag.compile(lambda x: model(x).detach())
    x = ag.randn(4, 3)
    for _ in range(3):
        model.train(), predict(x)
        model.eval(), predict(x)
    before = captured_calls(predict)
    model[2] = nn.Identity()  # in both modes
    for mode in (True, False):
        model.train(mode)
        for _ in range(3):
            predict(x)
    assert captured_calls(predict) == before + 4
    assert predict(x).tolist() == model(x).tolist()


def test_few_modes_are_remembered():
    model = model_of()
    predict = ag.compile(lambda x: model(x).detach())
    x = ag.randn(4, 3)
    model.eval()
    wanted = model(x).tolist()
    others = [nn.Linear(1, 1) for _ in range(20)]
    for other in others:
        for _ in range(3):
            assert predict(x).tolist() == wanted
        other.eval()
    assert predict.explain().count("captured calls") <= 4


def test_a_function_that_sets_the_mode_itself():
    model = model_of()

    def both(x):
        model.eval()
        first = model(x)
        model.train()
        return (first + model(x)).detach()

    compiled = ag.compile(both)
    x = ag.randn(4, 3)
    for _ in range(6):
        ag.manual_seed(1)
        found = compiled(x)
        ag.manual_seed(1)
        again = both(x)
        assert found.shape == again.shape and model.training
