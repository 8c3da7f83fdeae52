"""Times a step of every optimizer, and an epoch of the DataLoader, against PyTorch, both called from Python.

Small: the six tensors of an MLP 4-64-64-4, 4,736 parameters. Large: one matrix of 1,048,576. PyTorch runs its default
loop, foreach and, where it has one, the fused step; the fastest counts. Both take turns, round by round; medians.
The loader shuffles 1,797 rows of 64 float32 and a label. Steps are compared before anything is timed.

    python bench/optim.py                  # small and large, one thread
    python bench/optim.py --threads 2
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any, Callable

import numpy as np
import torch
import torch.utils.data as torch_data

import autograd as ag
from autograd.utils import data as ag_data

SMALL = [(64, 4), (64,), (64, 64), (64,), (4, 64), (4,)]
LARGE = [(1024, 1024)]
NAMES = ["SGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta"]
NAMES += ["Rprop", "ASGD"]
FUSED = {"SGD", "Adam", "AdamW", "Adagrad"}
ROUNDS = 15


def make(lib: Any, name: str, shapes: list[tuple[int, ...]], **options: Any) -> Any:
    """An optimizer whose parameters have gradients, in memory of the library's own."""
    numbers = np.random.default_rng(0)
    params = []
    for shape in shapes:
        param, grad = (
            lib.from_numpy(numbers.standard_normal(shape).astype("float32")).clone()
            for _ in range(2)
        )
        param.requires_grad_()
        param.grad = grad
        params.append(param)
    return getattr(lib.optim, name)(params, **options)


def check(ours: Any, theirs: Any) -> None:
    """Both make the same step."""
    ours.step()
    theirs.step()
    for a, b in zip(ours.param_groups[0]["params"], theirs.param_groups[0]["params"]):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-6)


def medians(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Microseconds per call of each, taking turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, function in calls.items():
            start = time.perf_counter()
            for _ in range(repeats):
                function()
            times[name].append((time.perf_counter() - start) / repeats * 1e6)
    return {name: statistics.median(each) for name, each in times.items()}


def bench_steps(shapes: list[tuple[int, ...]], repeats: int) -> None:
    """One line per optimizer."""
    for name in NAMES:
        ours = make(ag, name, shapes)
        rivals = {
            "loop": make(torch, name, shapes),
            "foreach": make(torch, name, shapes, foreach=True),
        }
        if name in FUSED:
            rivals["fused"] = make(torch, name, shapes, fused=True)
        check(ours, rivals["loop"])
        times = medians({"ours": ours.step} | {k: v.step for k, v in rivals.items()}, repeats)
        own = times.pop("ours")
        best = min(times, key=times.__getitem__)
        print(
            f"{name:10s} {own:10.1f} us   torch {times[best]:10.1f} us ({best})   x{times[best] / own:.1f}"
        )


def bench_loader() -> None:
    """Microseconds per batch of a shuffled epoch."""
    x, y = np.zeros((1797, 64), "float32"), np.zeros(1797, "int64")

    def epoch(lib: Any, data: Any, size: int) -> Callable[[], Any]:
        dataset = data.TensorDataset(lib.from_numpy(x).clone(), lib.from_numpy(y).clone())
        loader = data.DataLoader(dataset, batch_size=size, shuffle=True)

        def run() -> None:
            for _ in loader:
                pass

        return run

    for size in (16, 32):
        batches = -(-1797 // size)
        sides = {"ours": epoch(ag, ag_data, size), "torch": epoch(torch, torch_data, size)}
        times = medians(sides, 1)
        own, other = times["ours"] / batches, times["torch"] / batches
        print(f"batches of {size}: {own:.2f} us   torch {other:.1f} us   x{other / own:.0f}")


def main() -> None:
    """Runs all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    threads = parser.parse_args().threads
    torch.set_num_threads(threads)
    ag.set_num_threads(threads)
    print(f"4,736 parameters, {threads} threads")
    bench_steps(SMALL, 30)
    print(f"1,048,576 parameters, {threads} threads")
    bench_steps(LARGE, 1)
    print("DataLoader")
    bench_loader()


if __name__ == "__main__":
    main()
