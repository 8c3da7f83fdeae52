"""Shows from which size on two threads pay, and that smaller work is no slower with two than with one.

The cut-offs in lib/core/parallel.* and lib/ops/matmul.cpp come from this table. Rounds with one and with two threads
take turns; the medians and their ratio are printed (above 1: two threads are faster), of calls in a row, and of calls
after a pause in which the workers fall asleep.

    python bench/thread_cutoffs.py --pause 0       # calls in a row
    python bench/thread_cutoffs.py --only sum mm
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import autograd as ag

F = ag.nn.functional
ROWS = (64, 128, 256, 512, 1024, 4096)  # of 1024 columns
SQUARES = (64, 96, 128, 160, 192, 256, 384, 512, 1024)
PAUSE = 300e-6
ELEMENTWISE: dict[str, Callable] = {
    "neg": lambda x, y: -x,
    "add": lambda x, y: x + y,
    "sigmoid": lambda x, y: x.sigmoid(),
    "sum": lambda x, y: x.sum(),
    "sum dim=1": lambda x, y: x.sum(1),
    "var": lambda x, y: x.var(),
    "softmax": lambda x, y: F.softmax(x, 1),
    "layer_norm": lambda x, y: F.layer_norm(x, (1024,)),
    "dropout": lambda x, y: F.dropout(x, 0.5, True),
    "t copied": lambda x, y: x.t().contiguous(),
}
PRODUCTS: dict[str, Callable] = {"mm": lambda x, y: x @ y, "mm t": lambda x, y: x @ y.t()}


def seconds(call: Callable, repeats: int, pause: float) -> float:
    """Time of one call, averaged over repeats; with a pause, the median of calls after one."""
    if not pause:
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        return (time.perf_counter() - start) / repeats
    taken = []
    for _ in range(5):
        end = time.perf_counter() + pause
        while time.perf_counter() < end:
            pass
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def compare(call: Callable, rounds: int, pause: float) -> tuple[float, float]:
    """Medians with one and with two threads, in microseconds."""
    call()
    repeats = max(1, int(2e-3 / max(seconds(call, 3, 0), 1e-7)))
    times: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for threads, taken in times.items():
            ag.set_num_threads(threads)
            call()
            taken.append(seconds(call, repeats, pause))
    one, two = (statistics.median(times[threads]) * 1e6 for threads in (1, 2))
    return one, two


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", nargs="+", help="these ops")
    parser.add_argument("--pause", type=float, nargs="+", default=[0, PAUSE], help="seconds")
    options = parser.parse_args()
    rows = [(name, call, (n, 1024)) for name, call in ELEMENTWISE.items() for n in ROWS]
    rows += [(name, call, (n, n)) for name, call in PRODUCTS.items() for n in SQUARES]
    print(
        f"{'op':10} {'size':>9} {'pause us':>8} {'1 thread us':>12} {'2 threads':>12} {'ratio':>8}"
    )
    for name, op, size in rows:
        if options.only and name not in options.only:
            continue
        x, y = ag.randn(*size), ag.randn(*size)
        for pause in options.pause:
            one, two = compare(lambda op=op, x=x, y=y: op(x, y), options.rounds, pause)
            label = "x".join(map(str, size))
            print(
                f"{name:10} {label:>9} {pause * 1e6:8.0f} {one:12.1f} {two:12.1f} {one / two:8.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
