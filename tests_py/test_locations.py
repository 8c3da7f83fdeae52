"""Tensors know the line of the user's program that made them, and the one that changed them last."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from test_bare_python import find_python

import autograd as ag
from autograd import location as locations
from autograd._capi import PACKAGE, lib, library_path


def is_here(found, above=0):
    """True if a location is the line of the caller, or that many lines above it."""
    frame = sys._getframe(1)
    return (found.file, found.line) == (frame.f_code.co_filename, frame.f_lineno - above)


def test_the_line_is_found_on_this_interpreter():
    assert locations._is_right()
    assert is_here(locations.location(lib.ag_location_here()))


def test_results_of_operations():
    x = ag.randn(3, requires_grad=True)
    assert is_here(x.made_at, above=1)
    y = (x * 2).sum()
    assert is_here(y.made_at, above=1)
    assert y.made_at.function.endswith("test_results_of_operations")
    assert str(y.made_at) == f"{__file__}:{y.made_at.line}"


@pytest.mark.parametrize(
    "make",
    [
        lambda: ag.tensor([1.0]),
        lambda: ag.zeros(2),
        lambda: ag.arange(3),
        lambda: ag.from_numpy(np.ones(2)),
        lambda: ag.matmul(ag.ones(2, 2), ag.ones(2, 2)),  # lets go of the interpreter's lock
        lambda: ag.ones(2, 3).t()[0],
        lambda: ag.ones(2).detach(),
        lambda: ag.ones(2).data,
        lambda: ag.ones(4).split(2)[1],
        lambda: ag.nn.functional.softmax(ag.ones(2), dim=0),
        lambda: ag.ones(2).numpy() is None or ag.ones(2).clone(),
    ],
)
def test_everything_that_makes_a_tensor(make):
    found = make().made_at
    assert (found.file, found.line) == (__file__, make.__code__.co_firstlineno)


def test_frames_of_the_package_are_passed_by():
    class Net(ag.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = ag.nn.Sequential(ag.nn.Sequential(ag.nn.Linear(2, 3)), ag.nn.ReLU())

        def forward(self, x):
            return self.inner(x)

    net = Net()
    found = net(ag.ones(1, 2)).made_at
    assert found.line == Net.forward.__code__.co_firstlineno + 1
    assert found.function.endswith("Net.forward")


def test_code_that_a_call_calls_back_has_lines_of_its_own():
    inner = []

    def pack(t):
        inner.append(t.detach() * 2)
        assert is_here(inner[-1].made_at, above=1)
        assert is_here(locations.location(lib.ag_location_here()))
        return t

    x = ag.randn(4, 5, requires_grad=True)
    target = ag.ones(4, 5)
    with ag.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        y = ag.nn.functional.multilabel_soft_margin_loss(x, target)  # many operations in one call
    assert is_here(y.made_at, above=1)
    assert len(inner) > 1
    z = ag.nn.functional.multilabel_soft_margin_loss(x, target)
    assert is_here(z.made_at, above=1)


def test_the_same_call_from_two_lines():
    def call(x):
        return ag.nn.functional.multilabel_soft_margin_loss(x, ag.ones(1, 2))

    found = []
    for _ in range(3):
        found.append(ag.nn.functional.softplus(ag.nn.functional.gelu(call(ag.ones(1, 2)))).made_at)
        found.append(ag.nn.functional.softplus(ag.nn.functional.gelu(call(ag.ones(1, 2)))).made_at)
    first = found[0].line
    assert [each.line - first for each in found] == [0, 1] * 3


def test_lines_of_a_call_over_several_lines():
    x = ag.ones(2)
    y = ag.add(
        x,
        x,
    )
    assert is_here(y.made_at, above=4)


def test_generators_comprehensions_and_recursion():
    def steps(n):
        yield ag.ones(1)
        if n:
            yield from steps(n - 1)

    first = steps.__code__.co_firstlineno
    assert {t.made_at.line for t in steps(5)} == {first + 1}
    many = [ag.ones(1) for _ in range(3)]
    assert all(is_here(t.made_at, above=1) for t in many)


def test_changes_in_place():
    x = ag.zeros(4)
    assert x.changed_at is None
    x += 1
    assert is_here(x.changed_at, above=1)
    row = x[:2]
    row.mul_(3)
    assert is_here(x.changed_at, above=1)
    assert is_here(row.made_at, above=3)
    x[0] = 5.0
    assert is_here(row.changed_at, above=1)


def test_optimizer_steps():
    net = ag.nn.Linear(2, 1)
    optimizer = ag.optim.Adam(net.parameters())
    net(ag.ones(1, 2)).sum().backward()
    optimizer.step()
    assert is_here(net.weight.changed_at, above=1)
    assert is_here(net.bias.changed_at, above=2)


def test_gradients_have_the_line_of_the_forward_operation():
    x = ag.randn(3, requires_grad=True)
    y = x * x
    z = y.exp()
    (grad,) = ag.autograd.grad(z.sum(), x, create_graph=True)
    assert is_here(grad.made_at, above=3)


def test_hooks_are_where_they_are():
    seen = []
    x = ag.randn(3, requires_grad=True)
    y = x * 2
    y.register_hook(lambda grad: seen.append(grad * 1))
    y.sum().backward()
    assert is_here(seen[0].made_at, above=2)


def test_threads_have_lines_of_their_own():
    found = [None] * 4

    def work(i):
        for _ in range(200):
            t = ag.matmul(ag.ones(2, 2), ag.ones(2, 2)) if i % 2 else ag.ones(2) + 1
            found[i] = t.made_at

    threads = [threading.Thread(target=work, args=[i]) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert {f.line for f in found} == {work.__code__.co_firstlineno + 2}


@pytest.mark.parametrize("call", ["x + {}", "net(x + {})"])
def test_code_that_is_freed_leaves_no_wrong_lines(call):
    x = ag.ones(2)
    net = ag.nn.Sequential(ag.nn.Sequential(ag.nn.Linear(2, 2)))
    for i in range(500):
        space = {"x": x, "net": net}
        source = "\n" * (i % 7) + "y = " + call.format(i)
        exec(compile(source, f"<cell {i % 11}>", "exec"), space)
        assert (space["y"].made_at.file, space["y"].made_at.line) == (f"<cell {i % 11}>", i % 7 + 1)
    del space
    gc.collect()
    assert len([r for r in locations._codes.values() if r() is None]) == 0


def test_files_with_any_name():
    space = {"ag": ag}
    exec(compile("\ny = ag.ones(1)", "über/日本 \ud800.py", "exec"), space)
    assert space["y"].made_at.file == "über/日本 ?.py"
    assert space["y"].made_at.line == 2


def test_given_locations_go_before_found_ones():
    here = locations.at("model.txt", 17, "forward")
    with here, here, locations.at("model.txt", 18):
        x = ag.ones(2)
        with here:
            x += 1
    assert (x.made_at, x.changed_at) == (("model.txt", 18, ""), ("model.txt", 17, "forward"))
    assert x.changed_by == "add"
    assert is_here(ag.ones(2).made_at)


def test_numbers_that_nobody_gave_are_unknown():
    for number in (0, 1, -1, 2**31 - 1, -(2**31), 1 << 23):
        assert locations.location(number) is None
        before = lib.ag_location_set(number)
        found = ag.ones(1).made_at
        lib.ag_location_set(before)
        assert found is None or (number == 0 and is_here(found, above=2))


def test_a_second_resolver_is_refused():
    assert lib.ag_location_follow_python(locations._resolve) == 0
    assert is_here(ag.ones(1).made_at)


FOLDER = os.path.dirname(os.path.dirname(ag.__file__))
PROGRAM = """
import threading
import autograd as ag
def f(x):
    return x.exp()
y = f(ag.ones(2))
z = ag.matmul(ag.ones(2, 2), ag.ones(2, 2))
def late():
    import time
    while True:
        ag.matmul(ag.ones(2, 2), ag.ones(2, 2))
        exec(compile("ag.ones(1)", "<late>", "exec"))
threading.Thread(target=late, daemon=True).start()
print(y.made_at.line, z.made_at.line) if y.made_at else print("unknown")
"""


def run(program, python=sys.executable, **environment):
    done = subprocess.run(
        [python, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": FOLDER, **environment},
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


INTERPRETERS = list(
    filter(None, [sys.executable, *(find_python(f"3.{minor}") for minor in range(9, 14))])
)


@pytest.mark.parametrize("python", INTERPRETERS)
def test_other_interpreters(python):
    """A thread that is still at work when the program ends does no harm."""
    assert run(PROGRAM, python) == (0, "5 7", "")


@pytest.mark.parametrize("python", INTERPRETERS)
def test_calls_in_random_order(python):
    """Every frame counts on the way to the user's, whatever way was gone before."""
    program = os.path.join(os.path.dirname(__file__), "random_calls.py")
    done = subprocess.run(
        [python, program],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": FOLDER, "AUTOGRAD_LIBRARY": library_path},
    )
    assert (done.stdout, done.stderr) == ("0 wrong of 7329\n", "")


def test_package_behind_a_link(tmp_path):
    (tmp_path / "autograd").symlink_to(os.path.dirname(ag.__file__), target_is_directory=True)
    assert run(PROGRAM, PYTHONPATH=str(tmp_path), AUTOGRAD_LIBRARY=library_path)[:2] == (0, "5 7")


def test_switched_off():
    assert run(PROGRAM, AUTOGRAD_LOCATIONS="0") == (0, "unknown", "")


def test_after_a_fork():
    program = """
import os, threading
import autograd as ag
def work():
    while True:
        exec(compile("ag.ones(1)", "<cell>", "exec"))
for _ in range(2): threading.Thread(target=work, daemon=True).start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        exec(compile("\\nx = ag.ones(2)", "<child>", "exec"))
        os._exit(x.made_at.line)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
"""
    code, out, err = run(program)
    assert (code, out) == (0, ""), err


def test_another_interpreter_in_the_process_ends_it():
    """Nothing is claimed where frames of two interpreters may be mixed up."""
    program = """
import autograd as ag
assert ag.ones(1).made_at
try:
    import _xxsubinterpreters as sub
except ImportError:
    import _interpreters as sub
made = sub.create()
try:
    sub.run_string(made, "import autograd as ag; assert ag.ones(1).made_at is None")
except BaseException as error:
    print(type(error).__name__)
assert ag.ones(1).sum().item() == 1
"""
    code, _, err = run(program)
    assert code == 0, err


def test_frames_that_lie_where_others_lay():
    """Functions of the user's and of the package's that are alike, in turns at the same place in memory."""
    source = "def call(rest):\n    return rest[0](rest[1:]) if rest else here()\n"

    def make(file):
        space = {"here": lib.ag_location_here}
        exec(compile(source, file, "exec"), space)
        return space["call"]

    ours, users = make(str(PACKAGE / "between.py")), make("<between>")
    for depth in (1, 2, 5, 29, 30, 31, 32, 40):
        for place in [*range(-1, depth), *range(-1, depth)]:
            chain = [ours] * (depth + 1)
            if place >= 0:
                chain[place] = users
            found = locations.location(chain[0](chain[1:]))
            if place >= 0:
                assert (found.file, found.line) == ("<between>", 2), (depth, place)
            else:
                assert is_here(found, above=4), (depth, place)
