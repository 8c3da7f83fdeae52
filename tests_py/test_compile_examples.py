"""Every example and every model of bench/compare.py, compiled: training is the same, call by call."""

import importlib
import random
import sys
from pathlib import Path

import pytest
from test_compile import same

import autograd as ag

ROOT = Path(__file__).resolve().parent.parent
WORKLOADS = ["seed", "digits", "cnn", "lstm", "transformer", "pinn", "deep"]
EXAMPLES = sorted(
    path.stem
    for path in (ROOT / "examples").glob("*.py")
    if "def make(ag)" in path.read_text(encoding="utf-8")
)


@pytest.fixture
def module(monkeypatch):
    def load(folder, name):
        monkeypatch.syspath_prepend(str(ROOT / folder))
        for old in (name, "either_library"):
            sys.modules.pop(old, None)
        return importlib.import_module(name)

    return load


def reached(function):
    """What a function's closure holds, and those of the functions in it."""
    for cell in getattr(function, "__closure__", None) or ():
        yield cell.cell_contents
        yield from reached(cell.cell_contents)


def assert_same_training(make, batches):
    """make() returns a step and its parameters."""
    (eager, theirs), (function, mine) = make(), make()
    compiled = ag.compile(function)
    for i, batch in enumerate(batches):
        ag.manual_seed(i)
        wanted = eager(*batch)
        ag.manual_seed(i)
        assert same(compiled(*batch), wanted), i
        assert all(map(same, mine, theirs)), i
    assert "1 plans" in compiled.explain() and "left out" not in compiled.explain()


@pytest.mark.parametrize("name", WORKLOADS)
def test_models_of_the_benchmark(name, module):
    make = module("bench", "compare_workloads").WORKLOADS[name]

    def trained():
        work = make(ag)
        return work.step, work.parameters

    work = make(ag)
    parts = [
        [d[i : i + work.batch] for d in work.data] for i in range(0, 6 * work.batch, work.batch)
    ]
    rows = work.data[0].shape[0]
    batches = [part for part in parts if part[0].shape[0] == work.batch and rows >= work.batch]
    assert_same_training(trained, (batches * 6)[:6])


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name, module):
    make = module("examples", name).make

    def trained():
        ag.manual_seed(0)
        task = make(ag)
        optimizer = ag.optim.Adam(task.model.parameters(), lr=1e-3)
        draws = [each for each in reached(task.loss_of) if isinstance(each, random.Random)]

        def step():
            for each in draws:  # the same batch in every call: it is chosen in Python
                each.seed(7)
            loss = task.loss_of(0)
            optimizer.zero_grad()
            loss.backward()
            ag.nn.utils.clip_grad_norm_(task.model.parameters(), 10.0)
            optimizer.step()
            return loss

        return step, list(task.model.parameters())

    assert_same_training(trained, [()] * 6)
