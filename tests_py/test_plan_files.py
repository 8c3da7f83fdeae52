"""Plans in files: they run in a fresh process, train on, and damaged files are refused."""

import contextlib
import os
import random
import subprocess
import sys
from pathlib import Path

import plan_mutants
import pytest
from test_compile import batches, mlp, same, training_step
from test_compile_ops import CASES, arguments, bits, function_of

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


def test_a_loss_joined_with_its_product_travels(tmp_path):
    model = mlp()
    optimizer = ag.optim.SGD(model.parameters(), lr=0.05)

    @ag.compile
    def step(x, classes):
        loss = nn.functional.cross_entropy(model(x), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    data = [(x, ag.randint(0, 2, (5,))) for x, _ in batches(9)]
    for batch in data[:4]:
        step(*batch)
    step.save(tmp_path / "step.plan", model)
    plan = ag.load_plan(tmp_path / "step.plan")
    held = [[inner.op for inner in node.body] for node in plan.graph().ops]
    assert ["linear", "cross_entropy", "cross_entropy_backward"] in held
    for batch in data[4:]:
        assert same(plan(*batch), step(*batch))
    for key, value in model.state_dict().items():
        assert same(plan.tensors[key], value), key
    with pytest.raises(IndexError, match="Target 2 is out of bounds"):
        plan(data[0][0], ag.tensor([0, 1, 2, 0, 1]))


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


def test_files_that_cannot_be_read_or_written_are_named(tmp_path):
    with pytest.raises(RuntimeError, match=r"cannot read .*missing.plan: No such file"):
        ag.load_plan(tmp_path / "missing.plan")
    with pytest.raises(RuntimeError, match=r"cannot read /.*: Is a directory"):
        ag.load_plan(tmp_path)
    (tmp_path / "other.plan").write_text("something else")
    with pytest.raises(ValueError, match=r"other.plan: not a plan"):
        ag.load_plan(tmp_path / "other.plan")
    _, _, step = trained()
    with pytest.raises(RuntimeError, match=r"cannot write .*folder.plan: No such file"):
        step.save(tmp_path / "no" / "such" / "folder.plan")
    with pytest.raises(RuntimeError, match="cannot write /dev/full: No space left on device"):
        step.save("/dev/full")


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


def test_mutants_with_the_right_checksum_are_refused_or_run(good, tmp_path):
    """scripts/fuzz does the same at length, under sanitizers."""
    path, rng = tmp_path / "mutant.plan", random.Random(1)
    names = sorted({op["name"] for op in plan_mutants.captures(plan_mutants.parse(good))[0]["ops"]})
    assert plan_mutants.serialize(plan_mutants.parse(good)) == good
    loaded = 0
    for _ in range(400):
        path.write_bytes(plan_mutants.mutant(rng, good, [good], names))
        try:
            plan = ag.load_plan(path, max_bytes=1 << 20)
        except ValueError as error:
            assert "not a plan that can be used" in str(error)
            continue
        loaded += 1
        with contextlib.suppress(RuntimeError, IndexError, ValueError):
            plan(ag.ones(3, 2), ag.ones(3, 1))
    assert 0 < loaded < 400


def changed(good, change):
    parts = plan_mutants.parse(good)
    change(plan_mutants.captures(parts)[0])
    return plan_mutants.serialize(parts)


def first(capture, name):
    return next(op for op in capture["ops"] if op["name"] == name)


CRAFTED = {
    "wider than its weight": (lambda c: c["inputs"][0].update(sizes=[3, 5], strides=[5, 1]), "linear"),
    "strides beyond its memory": (lambda c: c["inputs"][0].update(strides=[2**40, 1]), "stride"),
    "an argument to come": (lambda c: first(c, b"linear").update(inputs=[0, 1, 999]), "argument 999"),
    "a missing argument": (lambda c: first(c, b"linear").update(inputs=[-1, 1, 2]), "is missing"),
    "one argument": (lambda c: first(c, b"linear").update(inputs=[0]), "number of arguments"),
    "more results": (lambda c: first(c, b"linear").update(outputs=[0, 0]), "number of results"),
    "another operation": (lambda c: first(c, b"linear").update(name=b"lstm_layer_backward"), "arguments"),
    "no operation": (lambda c: first(c, b"linear").update(name=b"system"), "unknown operation"),
    "no reduction": (lambda c: first(c, b"mse_loss").update(int0=77), "a number is out of range"),
    "a result that is not there": (lambda c: c.update(outputs=[10**6]), "result 1000000"),
    "a gradient that is not there": (lambda c: c["grads"][0].update(end_value=10**6), "gradient"),
    "an option too many": (lambda c: next(x for x in c["leaves"] if x["origin"] == 2).update(number=9**9),
                           "out of range"),
}  # fmt: skip


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_files_are_refused(good, tmp_path, name):
    change, message = CRAFTED[name]
    path = tmp_path / "crafted.plan"
    path.write_bytes(changed(good, change))
    with pytest.raises(ValueError, match=f"not a plan that can be used: .*{message}"):
        ag.load_plan(path)


def test_memory_has_a_limit(good, tmp_path):
    path = tmp_path / "good.plan"
    path.write_bytes(good)
    with pytest.raises(ValueError, match="more memory than is allowed"):
        ag.load_plan(path, max_bytes=16)


def test_tensors_that_share_memory_still_do(tmp_path):
    whole = ag.zeros(3, 4)
    row = whole[1]

    def f(x):
        row.add_(x)
        return whole * 2

    step = ag.compile(f)
    for _ in range(3):
        step(ag.ones(4))
    step.save(tmp_path / "shared.plan")
    plan = ag.load_plan(tmp_path / "shared.plan")
    for _ in range(3):
        assert same(plan(ag.ones(4)), step(ag.ones(4)))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("row", CASES, ids=[row.name for row in CASES])
def test_every_operation_goes_to_a_file_and_back(row, tmp_path):
    for one in row.cases[:2]:
        step = ag.compile(function_of(row, one))
        try:
            for _ in range(3):
                step(*arguments(row, one, "float32"))
        except (RuntimeError, ValueError, IndexError, NotImplementedError):
            continue  # what is refused is tested elsewhere
        if "1 plans" not in step.explain():
            continue
        step.save(tmp_path / "op.plan")
        plan = ag.load_plan(tmp_path / "op.plan")
        tensors = arguments(row, one, "float32")
        ag.manual_seed(0)
        wanted = step(*tensors)
        ag.manual_seed(0)
        got = plan(*tensors)
        assert list(map(bits, got)) == list(map(bits, wanted)), one


def test_all_structures_of_arguments_are_saved(tmp_path):
    weight = ag.ones(2)

    @ag.compile
    def step(x, factor=1.0, *, parts=None):
        with ag.no_grad():
            weight.mul_(2)
        total = x.sum(0) * weight * factor
        return {"total": total, "parts": (total + parts["a"], [parts["b"][0]])} if parts else total

    calls = [
        ((ag.ones(3, 2),), {}),
        ((ag.ones(4, 2),), {}),
        ((ag.ones(3, 2), 4.0), {}),
        ((ag.ones(3, 2),), {"parts": {"a": ag.ones(2), "b": [ag.zeros(2)]}}),
        ((ag.ones(3, 2),), {"factor": True}),
    ]
    for args, kwargs in calls * 3:
        step(*args, **kwargs)
    step.save(tmp_path / "step.plan", {"weight": weight})
    plan = ag.load_plan(tmp_path / "step.plan")
    assert list(plan.tensors) == ["weight"]  # the same for all of them
    for args, kwargs in calls * 2:
        wanted, got = step(*args, **kwargs), plan(*args, **kwargs)
        assert repr(got) == repr(wanted)
        assert plan.tensors["weight"].tolist() == weight.tolist()
    with pytest.raises(
        RuntimeError, match="plans for 4 structures of arguments, none of them that of this call"
    ):
        plan(ag.ones(3, 2), 5.0)
    with pytest.raises(RuntimeError, match=r"float32 \[9, 2\]"):
        plan(ag.ones(9, 2))
    assert plan.graph(4).num_ops > 0
    with pytest.raises(IndexError):
        plan.graph(5)


def test_options_reach_all_plans_of_a_file(tmp_path):
    model = nn.Linear(2, 1)
    optimizer = ag.optim.SGD(model.parameters(), lr=0.5)

    @ag.compile
    def step(x, twice):
        loss = model(x).sum() * (2 if twice else 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    x = ag.ones(3, 2)
    for _ in range(4):
        step(x, False), step(x, True)
    step.save(tmp_path / "step.plan", model)
    plan = ag.load_plan(tmp_path / "step.plan")
    assert plan.options()[0] == 0.5
    plan.set_options([0.0, *plan.options()[1:]])
    before = plan.tensors["weight"].tolist()
    plan(x, False), plan(x, True)
    assert plan.tensors["weight"].tolist() == before


def test_plans_of_the_mode_that_modules_are_in_are_saved(tmp_path):
    model = nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.5))

    @ag.compile
    def predict(x):
        return model(x).detach()

    x = ag.ones(3, 2)
    for _ in range(4):
        model.train(), predict(x)
        model.eval(), predict(x)
    predict.save(tmp_path / "eval.plan")
    assert ag.load_plan(tmp_path / "eval.plan")(x).tolist() == model(x).tolist()
    model.train()
    predict.save(tmp_path / "train.plan")
    assert "dropout" in ag.load_plan(tmp_path / "train.plan").graph().text()


def test_a_damaged_structure_is_refused(good, tmp_path):
    for label in (b"[", b"[1]", b"{}", b"[[1, 2], 3]", b"[0, -1]", b'[["dict", [[1, 0]]], 0]', b'[["float", 1], 0]',
                  b"[" * 5000, b"\xff\xfe", b'[["tuple", 7], 0]', b'[["Tensor", []], 0]', b"[0, 0, 0]"):  # fmt: skip
        parts = plan_mutants.parse(good)
        parts["parts"][0]["label"] = label
        (tmp_path / "bad.plan").write_bytes(plan_mutants.serialize(parts))
        with pytest.raises(ValueError, match="not a plan that can be used"):
            ag.load_plan(tmp_path / "bad.plan")
    parts["parts"][0]["label"] = b"[0, 7]"  # a result that no plan has
    (tmp_path / "bad.plan").write_bytes(plan_mutants.serialize(parts))
    with pytest.raises(ValueError, match="fewer results than it says"):
        ag.load_plan(tmp_path / "bad.plan")(ag.ones(3, 2), ag.ones(3, 1))


PROGRAM = r"""
#include <stdio.h>
#include "autograd.h"

/* Predicts, then trains three steps: prints what each gives. */
int main(int argc, char** argv) {
  ag_compiled* parts[8];
  const int64_t n = ag_compiled_load_all(argv[1], 1 << 24, parts, 8);
  const float xs[] = {0.5f, -1, 2, 0.25f, 1, -0.5f}, ys[] = {1, -1};
  const int64_t x_sizes[] = {2, 3}, y_sizes[] = {2, 1};
  ag_tensor* x = ag_tensor_from_data(xs, AG_FLOAT32, x_sizes, 2);
  ag_tensor* y = ag_tensor_from_data(ys, AG_FLOAT32, y_sizes, 2);
  const ag_tensor* inputs[] = {x, y};
  if (argc != 2 || n != 2) return printf("%s\n", ag_last_error()), 1;
  for (int step = 0; step < 4; ++step) {
    ag_tensor* out = NULL;
    double number;
    if (ag_compiled_run(parts[step == 0 ? 0 : 1], inputs, step == 0 ? 1 : 2, &out, 1) != 1)
      return printf("%s\n", ag_last_error()), 1;
    if (ag_tensor_item_double(out, &number)) return printf("%s\n", ag_last_error()), 1;
    printf("%.9g\n", number);
    ag_tensor_free(out);
  }
  return 0;
}
"""


def test_a_program_in_c_predicts_and_trains_on(tmp_path):
    ag.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = ag.optim.Adam(model.parameters(), lr=0.1)

    @ag.compile
    def step(x, y=None):
        if y is None:
            return model(x).sum().detach()
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    x = ag.tensor([[0.5, -1, 2], [0.25, 1, -0.5]])
    y = ag.tensor([[1.0], [-1.0]])
    for _ in range(4):
        step(x), step(x, y)
    step.save(tmp_path / "step.plan")
    wanted = [step(x).item(), *(step(x, y).item() for _ in range(3))]
    for name in ("libautograd.so", "libautograd.so.1"):  # its own name is one of them
        (tmp_path / name).symlink_to(ag._capi.library_path)
    (tmp_path / "program.c").write_text(PROGRAM)
    header = Path(__file__).resolve().parent.parent / "capi"
    subprocess.run(
        [
            "cc",
            "-std=c99",
            "-o",
            "program",
            "program.c",
            f"-I{header}",
            "libautograd.so",
            f"-Wl,-rpath,{tmp_path}",
        ],
        check=True,
        cwd=tmp_path,
    )
    done = subprocess.run(
        [tmp_path / "program", tmp_path / "step.plan"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [float(line) for line in done.stdout.split()] == pytest.approx(wanted, rel=1e-7)
