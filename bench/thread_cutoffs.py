"""Shows from which size on two threads pay, and that smaller work is no slower with two than with one.

The cut-offs in lib/core/parallel.hpp and lib/ops/matmul.cpp come from this table. Rounds with one and with two threads
take turns; the medians and their ratio are printed (above 1: two threads are faster).
"""

from __future__ import annotations

import argparse
import statistics
import time

import autograd as ag


def seconds(call, repeats: int) -> float:
    """Time of one call, averaged over repeats."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def compare(name: str, size: int, call, rounds: int) -> None:
    """Prints one line: the medians with one and two threads and their ratio."""
    call()
    repeats = max(1, int(2e-3 / max(seconds(call, 3), 1e-7)))
    times: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for threads, taken in times.items():
            ag.set_num_threads(threads)
            taken.append(seconds(call, repeats))
    one, two = (statistics.median(times[threads]) * 1e6 for threads in (1, 2))
    print(f"{name:8} {size:>9} {one:12.1f} {two:12.1f} {one / two:8.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(f"{'op':8} {'size':>9} {'1 thread us':>12} {'2 threads':>12} {'ratio':>8}")
    for exponent in range(14, 23):
        size = 1 << exponent
        x, y = ag.randn(size), ag.randn(size)
        compare("add", size, lambda x=x, y=y: x + y, rounds)
        compare("sigmoid", size, lambda x=x: x.sigmoid(), rounds)
        compare("sum", size, lambda x=x: x.sum(), rounds)
    for size in (64, 96, 128, 160, 192, 256, 384, 512, 1024):
        x, y = ag.randn(size, size), ag.randn(size, size)
        compare("mm", size, lambda x=x, y=y: x @ y, rounds)


if __name__ == "__main__":
    main()
