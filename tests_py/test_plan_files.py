"""Plans in files: they run in a fresh process, train on, and damaged files are refused."""

import os
import random
import subprocess
import sys

import pytest
from test_compile import batches, mlp, same, training_step

import autograd as ag
from autograd import nn


def trained(name="adam", steps=5):
    model = mlp(extra=[nn.BatchNorm1d(8)])
    make = {
        "adam": lambda p: ag.optim.Adam(p, lr=0.05),
        "sgd": lambda p: ag.optim.SGD(p, lr=0.05, momentum=0.9),
    }
    optimizer = make[name](model.parameters())
    step = ag.compile(training_step(model, optimizer))
    for batch in batches(steps):
        step(*batch)
    return model, optimizer, step


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_training_goes_on_from_a_file(name, tmp_path):
    model, _, step = trained(name)
    step.save(tmp_path / "step.plan", model)
    plan = ag.load_plan(tmp_path / "step.plan")
    for x, y in batches(6, seed=9):
        assert same(plan(x, y), step(x, y))
    for key, value in model.state_dict().items():
        if key in plan.tensors:
            assert same(plan.tensors[key], value), key
    assert {"0.weight", "0.bias", "1.running_mean"} <= set(plan.tensors)


def test_options_travel_and_change(tmp_path):
    model, optimizer, step = trained()
    optimizer.param_groups[0]["lr"] = 0.25
    step.save(tmp_path / "step.plan", model)
    plan = ag.load_plan(tmp_path / "step.plan")
    assert plan.options()[0] == 0.25
    plan.set_options([0.01, *plan.options()[1:]])
    optimizer.param_groups[0]["lr"] = 0.01
    for x, y in batches(3):
        assert same(plan(x, y), step(x, y))
    with pytest.raises(ValueError, match="8 options, got 1"):
        plan.set_options([1.0])
    with pytest.raises(IndexError, match="no step 3"):
        plan.options(3)


def test_predictions_in_a_fresh_process(tmp_path):
    model = mlp().eval()
    predict = ag.compile(lambda x: model(x))
    x = ag.randn(4, 3)
    with ag.no_grad():
        for _ in range(3):
            wanted = predict(x)
    predict.save(tmp_path / "predict.plan", dict(model.named_parameters()))
    ag.save({"x": x}, tmp_path / "x.safetensors")
    program = (
        "import autograd as ag\n"
        "plan = ag.load_plan('predict.plan')\n"
        "with ag.no_grad():\n"
        "    print(plan(ag.load('x.safetensors')['x']).tolist())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(wanted.tolist())


def test_what_does_not_fit_is_named(tmp_path):
    _, _, step = trained()
    step.save(tmp_path / "step.plan")
    plan = ag.load_plan(tmp_path / "step.plan")
    with pytest.raises(RuntimeError, match=r"argument 0 is float32 \[2, 3\] instead of"):
        plan(ag.ones(2, 3), ag.ones(2, 2))
    with pytest.raises(RuntimeError, match="1 arguments instead of 2"):
        plan(ag.ones(5, 3))
    assert "adam_step" in plan.graph().text() or plan.graph().num_ops > 0


def test_nothing_to_save(tmp_path):
    with pytest.raises(RuntimeError, match="no plan to save yet"):
        ag.compile(lambda x: x).save(tmp_path / "x.plan")
    with pytest.raises(RuntimeError, match="cannot read"):
        ag.load_plan(tmp_path / "missing.plan")
    _, _, step = trained()
    with pytest.raises(RuntimeError, match="cannot write"):
        step.save(tmp_path / "no" / "such" / "folder.plan")


def checksum(body):
    value = 14695981039346656037
    for byte in body:
        value = (value ^ byte) * 1099511628211 & (1 << 64) - 1
    return value.to_bytes(8, "little")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("plans") / "good.plan"
    ag.manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = ag.optim.Adam(model.parameters())
    step = ag.compile(training_step(model, optimizer))
    for _ in range(4):
        step(ag.ones(3, 2), ag.ones(3, 1))
    step.save(path, model)
    return path.read_bytes()


def test_damaged_files_are_refused(good, tmp_path):
    path = tmp_path / "bad.plan"
    rng = random.Random(0)
    cases = [b"", b"AGPLAN1\n", good[:-1], good + b"x", b"x" + good, good[: len(good) // 2]]
    for _ in range(200):
        at = rng.randrange(8, len(good))
        cases.append(good[:at] + bytes([good[at] ^ 1 << rng.randrange(8)]) + good[at + 1 :])
    for data in cases:
        path.write_bytes(data)
        with pytest.raises(ValueError, match="not a plan that can be used"):
            ag.load_plan(path)
