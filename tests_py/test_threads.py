"""Threads, signals and forks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

import autograd as ag

pytestmark = pytest.mark.alone

# Programs that a shell has started in the background ignore Ctrl-C unless they ask for it.
ASKS_FOR_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"


def run(program, timeout=120):
    folder = os.path.dirname(os.path.dirname(ag.__file__))
    done = subprocess.run(
        [sys.executable, "-c", ASKS_FOR_CTRL_C + program],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": folder},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_graphs_of_many_threads():
    """Each thread builds and differentiates graphs of its own, with the results of one alone."""

    def gradients(seed):
        w = ag.full((8, 8), 0.01 * (seed + 1)).requires_grad_()
        found = []
        for step in range(30):
            h = ag.ones(4, 8) * (step + 1)
            for _ in range(5):
                h = (h @ w).tanh() + h * 0.1
            (g,) = ag.autograd.grad(h.square().sum(), w)
            found.append(g.sum().item())
        return found

    expected = [gradients(seed) for seed in range(4)]
    found = [None] * 4

    def work(seed):
        found[seed] = gradients(seed)

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == expected


def test_ctrl_c_ends_a_long_backward():
    program = """
import os, signal, threading, time
import autograd as ag
x = ag.ones(256, 256, requires_grad=True)
y = x
start = time.process_time()
while time.process_time() - start < 0.3: y = (y * 1.0001).tanh() + 0.1
loss = y.sum()
start = time.perf_counter()
loss.backward(retain_graph=True)
whole = time.perf_counter() - start
reached = []
x.register_hook(lambda g: reached.append(1))
threading.Timer(0.1 * whole, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    loss.backward(retain_graph=True)
    print("finished")
except KeyboardInterrupt:
    print("interrupted", len(reached))
(x * 2).sum().backward()
print(len(reached))
"""
    assert run(program) == ["interrupted", "0", "1"]


def test_ctrl_c_ends_long_epochs():
    """Between two steps: what was done stays, and the function runs on afterwards."""
    program = """
import os, signal, threading
import autograd as ag
w = ag.zeros(())
@ag.compile
def step(x):
    with ag.no_grad():
        w.add_(1)
    return x.sum()
x = ag.ones(1000, 1)
step.run(x, batch_size=1)
before, many = w.item(), ag.ones(8_000_000, 1)
threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    step.run(many, batch_size=1)
    print("finished")
except KeyboardInterrupt:
    print("interrupted", before <= w.item() < 7e6)
done = w.item()
step.run(x, batch_size=1)
print(w.item() - done)
"""
    assert run(program) == ["interrupted", "True", "1000.0"]


ALONE = (
    *("sort", "kthvalue", "triangle", "image", "integers", "draws", "fills"),
    *("scattered", "indexed", "counted", "scan", "attention", "small_matrices", "special"),
    *("many_keys", "gradients_of_many_keys", "numbers"),
)


@pytest.mark.parametrize(
    ("call", "threads"),
    [(call, n) for call in ("matmul", "conv2d", "bmm") for n in (1, 2)]
    + [(call, 1) for call in ALONE],
)
def test_ctrl_c_ends_one_long_operation(call, threads):
    """In the middle: a call of half a second or more ends in a fraction of the time that it would take."""
    program = """
import os, signal, sys, threading, time
import autograd as ag
ag.set_num_threads(THREADS)
def matmul(n):
    a, b = ag.ones(n * 16, 4096), ag.ones(4096, 4096)
    return lambda: a @ b
def conv2d(n):
    x, w = ag.ones(n, 64, 32, 32), ag.ones(128, 64, 5, 5)
    return lambda: ag.nn.functional.conv2d(x, w)
def bmm(n):
    a = ag.ones(n, 512, 512)
    return lambda: a @ a
def sort(n):
    x = ag.rand(n << 16)
    return lambda: x.sort()
def kthvalue(n):
    x = ag.rand(n << 17)
    return lambda: x.kthvalue(n << 16)
def triangle(n):
    a, b = ag.eye(1024), ag.rand(1024, n * 16)
    return lambda: ag.linalg.solve_triangular(a, b, upper=True)
def image(n):
    x, w = ag.ones(1, 64, n * 8, 64), ag.ones(64, 64, 5, 5)
    return lambda: ag.nn.functional.conv2d(x, w)
def integers(n):
    a, b = ag.ones(n * 2, 512, dtype=ag.int64), ag.ones(512, 512, dtype=ag.int64)
    return lambda: a @ b
def draws(n):
    x = ag.rand(n << 11, dtype=ag.float64)
    return lambda: x.multinomial(n << 10)
def fills(n):
    x = ag.empty(n << 17)
    return lambda: x.exponential_()
def scattered(n):
    x, at = ag.zeros(100), ag.randint(0, 100, (n << 17,))
    values = ag.ones(n << 17)
    return lambda: x.scatter_add(0, at, values)
def indexed(n):
    x, at = ag.zeros(1 << 22, requires_grad=True), ag.randint(0, 1 << 22, (n << 15,))
    y, g = x[at], ag.ones(n << 15)
    return lambda: ag.autograd.grad(y, x, g, retain_graph=True)
def counted(n):
    x = ag.randint(0, n << 16, (n << 16,))
    return lambda: x.bincount()
def scan(n):
    x = ag.rand(n << 15)
    return lambda: x.logcumsumexp(0)
def attention(n):
    x, y = ag.rand(1, 4096, 64), ag.rand(1, n * 32, 64)
    return lambda: ag.nn.functional.scaled_dot_product_attention(x, y, y)
def keys(n):
    x, y = ag.rand(64, 2, requires_grad=True), ag.rand(n << 13, 2)
    return x, lambda: ag.nn.functional.scaled_dot_product_attention(x, y, y)
def many_keys(n):
    return keys(n)[1]
def gradients_of_many_keys(n):
    x, call = keys(n)
    y = call()
    return lambda: ag.autograd.grad(y.sum(), x, retain_graph=True)
def numbers(n):
    return lambda: ag.linspace(0, 1, n << 19, dtype=ag.uint8)
def small_matrices(n):
    x = ag.rand(n << 14, 2, 2) + ag.eye(2)
    return lambda: ag.linalg.inv(x)
def special(n):
    x = ag.rand(n << 11, dtype=ag.float64)
    return lambda: ag.igamma(x * 20, x)
def seconds(call):  # of processors, which other programs don't change
    start = time.process_time()
    call()
    return time.process_time() - start
n = 1
while (took := seconds(CALL(n))) < 0.06 and n < 96: n *= 2
call, whole = CALL(8 * n), 8 * took
threading.Timer(0.1 * whole, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
start = time.process_time()
try:
    call()
    print("finished", time.process_time() - start, whole)
except KeyboardInterrupt:
    took = time.process_time() - start
    print("interrupted", took < 0.7 * whole or (took, whole))
print((ag.ones(2, 2) @ ag.ones(2, 2)).sum().item())
"""
    program = program.replace("CALL", call).replace("THREADS", str(threads))
    assert run(program) == ["interrupted", "True", "8.0"]


def test_ctrl_c_waits_for_an_operation_in_place():
    """Half of it would do harm that nobody can undo."""
    program = """
import os, signal, threading, time
import autograd as ag
n = 1 << 24
x, at, values = ag.zeros(1000), ag.randint(0, 1000, (n,)), ag.ones(n, dtype=ag.int64)
x = x.to(ag.int64)
start = time.perf_counter()
x.index_add_(0, at, values)
threading.Timer(0.1 * (time.perf_counter() - start), lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    x.index_add_(0, at, values)
    time.sleep(5)
    print("finished")
except KeyboardInterrupt:
    print("interrupted", x.sum().item() == 2 * n)
"""
    assert run(program) == ["interrupted", "True"]


def test_handlers_of_the_program():
    program = """
import os, signal, threading, time
import autograd as ag
x = ag.ones(256, 256, requires_grad=True)
y = x
for _ in range(1000): y = (y * 1.0001).tanh() + 0.1
loss = y.sum()
seen = []
def raising(*_): raise LookupError("stop")
for handler in (lambda *_: seen.append(1), raising):
    signal.signal(signal.SIGINT, handler)
    threading.Timer(0.02, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    before, end = len(seen), time.monotonic() + 60
    try:
        while len(seen) == before and time.monotonic() < end: loss.backward(retain_graph=True)
        print("finished", len(seen))
    except LookupError as error:
        print(error)
"""
    assert run(program) == ["finished", "1", "stop"]


def test_workers_may_use_all_cores():
    """Whatever they are kept from while they sleep; and the only core where there is one."""
    program = """
import os, time
import autograd as ag
ag.set_num_threads(3)
x = ag.ones(1 << 21)
all_cores = os.sched_getaffinity(0)
def work():
    assert x.sum().item() == 1 << 21
    time.sleep(0.02)  # workers fall asleep
def cores():
    return [os.sched_getaffinity(int(task)) for task in os.listdir("/proc/self/task")]
for _ in range(10):
    work()
assert len(cores()) > 2
end = time.monotonic() + 60
while any(each != all_cores for each in cores()) and time.monotonic() < end:
    work()
print(all(each == all_cores for each in cores()))
one = {min(all_cores)}
for task in os.listdir("/proc/self/task"):
    os.sched_setaffinity(int(task), one)
for _ in range(5):
    work()
time.sleep(0.2)
print(all(each == one for each in cores()))
"""
    assert run(program) == ["True", "True"]


@pytest.mark.parametrize("attempt", range(6))  # what can go wrong goes wrong in a young process
def test_children_of_a_busy_process_train(attempt):
    """A fork in the middle of other threads' work: the child has its memory, its threads and its lines."""
    program = """
import os, threading
import autograd as ag
def train():
    net = ag.nn.Linear(64, 64)
    optimizer = ag.optim.Adam(net.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        net(ag.randn(256, 64)).square().mean().backward()
        optimizer.step()
def busy():
    while True: train()
for _ in range(3): threading.Thread(target=busy, daemon=True).start()
for _ in range(4):
    child = os.fork()
    if child == 0:
        train()
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
print("done")
"""
    assert run(program) == ["done"]


@pytest.mark.parametrize("n", [1, 4])
def test_one_graph_in_several_threads(n):
    """With retain_graph, several threads may differentiate one graph."""
    x = ag.full((50, 50), 0.01).requires_grad_()
    y = x
    for _ in range(20):
        y = (y @ x).tanh()
    loss = y.sum()
    (expected,) = ag.autograd.grad(loss, x, retain_graph=True)
    found = []

    def work():
        for _ in range(10):
            found.append(ag.autograd.grad(loss, x, retain_graph=True)[0])

    threads = [threading.Thread(target=work) for _ in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 10 * n
    assert all(ag.equal(g, expected) for g in found)
