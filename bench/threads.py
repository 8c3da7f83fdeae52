"""Times two threads that train two models against one thread that trains one, and against PyTorch's.

Each thread has a model, data and an optimizer of its own; nothing is shared but the library. What is measured is
throughput: steps a second of all threads together. The library's own threads are off (one per operation), and so are
PyTorch's. Rows: an eager step of a network whose products let the interpreter's lock go, a compiled step, and whole
epochs in one call; bench/threads.cpp is the same in C++. Sides take turns, and medians are reported.

    python bench/threads.py [--rounds 7] [--seconds 0.4]
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from types import ModuleType
from typing import Any, Callable

from compare_workloads import seed

import autograd as ag

try:
    import torch
except ImportError:
    torch = None


def trainer(lib: ModuleType, width: int, batch: int) -> Callable[[Any, Any], Any]:
    """A step of SGD for an MLP of three layers; and its data."""
    model = lib.nn.Sequential(
        lib.nn.Linear(width, width),
        lib.nn.Tanh(),
        lib.nn.Linear(width, width),
        lib.nn.Tanh(),
        lib.nn.Linear(width, 10),
    )
    optimizer = lib.optim.SGD(model.parameters(), lr=0.01)

    def step(x: Any, y: Any) -> Any:
        loss = ((model(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def eager(lib: ModuleType, width: int, batch: int) -> Callable[[], int]:
    """A function that makes one step and returns how many that are."""
    step = trainer(lib, width, batch)
    x, y = lib.randn(batch, width), lib.randn(batch, 10)

    def run() -> int:
        step(x, y)
        return 1

    return run


def compiled(lib: ModuleType, width: int, batch: int) -> Callable[[], int]:
    """The same, compiled."""
    step = ag.compile(trainer(ag, width, batch))
    x, y = ag.randn(batch, width), ag.randn(batch, 10)

    def run() -> int:
        step(x, y)
        return 1

    return run


def compiled_seed(lib: ModuleType, width: int, batch: int) -> Callable[[], int]:
    """A compiled step of the network of seed_step.py."""
    workload = seed(ag)
    step = ag.compile(workload.step)
    batches = [rows[: workload.batch] for rows in workload.data]

    def run() -> int:
        step(*batches)
        return 1

    return run


def epochs(lib: ModuleType, width: int, batch: int) -> Callable[[], int]:
    """100 compiled steps in one call."""
    step = ag.compile(trainer(ag, width, batch))
    x, y = ag.randn(batch * 100, width), ag.randn(batch * 100, 10)

    def run() -> int:
        step.run(x, y, batch_size=batch)
        return 100

    return run


def steps_a_second(works: list[Callable[[], int]], seconds: float) -> float:
    """Of all threads together, one for each of the works."""
    counts = [0] * len(works)
    begin = threading.Barrier(len(works) + 1)

    def serve(i: int) -> None:
        begin.wait()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            counts[i] += works[i]()

    threads = [threading.Thread(target=serve, args=[i]) for i in range(len(works))]
    for thread in threads:
        thread.start()
    begin.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


ROWS = [
    ("eager, MLP of width 256, batch 256", eager, 256, 256),
    ("eager, MLP of width 64, batch 64", eager, 64, 64),
    ("compiled, MLP of width 256, batch 256", compiled, 256, 256),
    ("compiled, MLP of width 64, batch 64", compiled, 64, 64),
    ("compiled, MLP of width 32, batch 32", compiled, 32, 32),
    ("compiled, the network of seed_step.py", compiled_seed, 64, 16),
    ("epochs in one call, MLP of width 64, batch 64", epochs, 64, 64),
    ("epochs in one call, MLP of width 8, batch 16", epochs, 8, 16),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.4)
    options = parser.parse_args()
    ag.set_num_threads(1)
    if torch is not None:
        torch.set_num_threads(1)
    print(f"{'steps a second':47}{'one thread':>12}{'two':>12}{'ratio':>8}")
    for name, make, width, batch in ROWS:
        sides = [("", ag)]
        if torch is not None and make is eager:
            sides.append(("  PyTorch", torch))
        for label, lib in sides:
            works = [make(lib, width, batch) for _ in range(2)]
            for work in works:
                for _ in range(3):
                    work()
            one, two, ratios = [], [], []
            for _ in range(options.rounds):
                one.append(steps_a_second(works[:1], options.seconds))
                two.append(steps_a_second(works, options.seconds))
                ratios.append(two[-1] / one[-1])
            print(
                f"{label or name:47}{statistics.median(one):12.0f}{statistics.median(two):12.0f}"
                f"{statistics.median(ratios):8.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
