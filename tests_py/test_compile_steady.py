"""Plans in steady state ask the system for nothing: no memory, no lock, hence no text; making one is quick."""

import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pytest

import autograd as ag

pytestmark = pytest.mark.alone

BENCH = Path(__file__).resolve().parent.parent / "bench"

# Counts calls of the C library, which it stands in front of.
COUNTER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

static volatile int64_t memory, locks;
int64_t count_of_memory(void) { return memory; }
int64_t count_of_locks(void) { return locks; }

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);
void* malloc(size_t n) { return ++memory, __libc_malloc(n); }
void* calloc(size_t n, size_t size) { return ++memory, __libc_calloc(n, size); }
void* realloc(void* p, size_t n) { return ++memory, __libc_realloc(p, n); }
void* aligned_alloc(size_t to, size_t n) { return ++memory, __libc_memalign(to, n); }
int posix_memalign(void** p, size_t to, size_t n) {
  return ++memory, (*p = __libc_memalign(to, n)) ? 0 : 12;
}

int pthread_mutex_lock(pthread_mutex_t* m) {
  static int (*lock)(pthread_mutex_t*);
  if (!lock) lock = (int (*)(pthread_mutex_t*))dlsym(RTLD_NEXT, "pthread_mutex_lock");
  return ++locks, lock(m);
}
"""

PROGRAM = """
import ctypes, json, sys
sys.path.insert(0, {bench!r})
import autograd as ag
from compare_workloads import WORKLOADS
ag.set_num_threads(1)
counter = ctypes.CDLL(None)
counted = [counter.count_of_memory, counter.count_of_locks]
for each in counted:
    each.restype = ctypes.c_int64
found = {{}}
for name, make in WORKLOADS.items():
    work = make(ag)
    step = ag.compile(work.step)
    for _ in range(3):
        step.run(*work.data, batch_size=work.batch)
    # One epoch in one native call, of one batch or of all.
    few = [part[: work.batch] for part in work.data]
    rows = []
    for data in (few, list(work.data)):
        runs = []
        for _ in range(6):
            before = [each() for each in counted]
            step.run(*data, batch_size=work.batch)
            runs.append([each() - then for each, then in zip(counted, before)])
        rows.append([min(each) for each in zip(*runs)])
    found[name] = rows
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """By workload: memory and locks asked for by an epoch of one batch, and of many."""
    folder = tmp_path_factory.mktemp("counter")
    (folder / "counter.c").write_text(COUNTER)
    library = folder / "libcounter.so"
    subprocess.run(
        [
            "cc",
            "-O1",
            "-shared",
            "-fPIC",
            "-fno-builtin",
            "-o",
            library,
            folder / "counter.c",
            "-ldl",
        ],
        check=True,
    )
    before = os.environ.get("LD_PRELOAD", "")
    environment = {**os.environ, "LD_PRELOAD": f"{before}:{library}" if before else str(library)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(bench=str(BENCH))],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["seed", "digits", "cnn", "lstm", "transformer", "pinn", "deep"])
def test_steps_ask_for_no_memory_and_no_lock(counts, name):
    few, many = counts[name]
    assert few[0] > 0  # Python's own, so that something is counted
    assert many == few, f"{many[0] - few[0]} times memory, {many[1] - few[1]} locks"


def test_a_plan_of_a_small_step_is_made_in_less_than_20_milliseconds():
    sys.path.insert(0, str(BENCH))
    try:
        from compare_workloads import WORKLOADS
    finally:
        sys.path.remove(str(BENCH))
    work = WORKLOADS["seed"](ag)
    batch = [part[: work.batch] for part in work.data]

    def seconds(function, calls):
        began = perf_counter()
        for _ in range(calls):
            function(*batch)
        return perf_counter() - began

    work.step(*batch)
    taken = []
    for _ in range(5):
        step = ag.compile(work.step)
        calls = 0
        began = perf_counter()
        while "1 plans" not in step.explain():
            step(*batch)
            calls += 1
        taken.append(perf_counter() - began - seconds(work.step, calls))
    assert min(taken) < 0.02


def test_the_log_names_each_pass():
    program = (
        "import autograd as ag; x = ag.ones(64, 64)\n"
        "f = ag.compile(lambda x: ((x * 1 + 0.5).exp() @ x).relu())\n"
        "for _ in range(3): f(x)"
    )
    log = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "AUTOGRAD_LOG": "passes"},
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    lines = log.splitlines()
    assert "autograd passes: algebra: mul(x, 1) = x" in lines, log
    assert any(line.startswith("autograd passes: pointwise: add + exp") for line in lines), log
    assert any(line.startswith("autograd passes: pointwise: mm + relu") for line in lines), log
