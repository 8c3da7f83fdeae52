"""What it costs an operation to know the line of the user's program it was called from, in nanoseconds.

The cost grows with the frames of the package that lie between the two: for each number of them the same calls are timed
with lines and without, in turns, and the median of the differences is printed.

    PYTHONPATH=python python bench/locations.py [--rounds 400] [--calls 500] [--deepest 12] [--thread]
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from typing import Any, Callable

import autograd as ag
from autograd import location
from autograd._capi import CODE_RESOLVER, PACKAGE, lib


def chain(n_frames: int) -> Callable[[Any], Any]:
    """A function of an operation's input, called through so many functions that lie in the package's folder."""
    space = {"f0": lib.ag_neg}
    source = "".join(f"def f{i + 1}(x): return f{i}(x)\n" for i in range(n_frames))
    exec(compile(source, str(PACKAGE / "frames.py"), "exec"), space)
    return space[f"f{n_frames}"]


def nested(n_containers: int) -> Callable[[Any], Any]:
    """A ReLU inside of so many containers."""
    module: ag.nn.Module = ag.nn.ReLU()
    for _ in range(n_containers):
        module = ag.nn.Sequential(module)
    return module


def follow(on: bool) -> None:
    """Switches lines on or off."""
    lib.ag_location_follow_python(location._resolve if on else CODE_RESOLVER())


def nanoseconds_per_call(call: Callable[[Any], Any], x: ag.Tensor, calls: int) -> float:
    """Of one loop over calls."""
    numbers = range(calls)
    start = time.perf_counter_ns()
    for _ in numbers:
        call(x)
    return (time.perf_counter_ns() - start) / calls


def measure(options: argparse.Namespace) -> None:
    """Prints a row for each number of frames."""
    x = ag.ones(4)
    rows = {f"{n} frames of the package": chain(n) for n in range(options.deepest + 1)}
    rows.update({f"ReLU in {n} Sequentials": nested(n) for n in (1, 4, 8, 12)})
    differences: dict[str, list[float]] = {name: [] for name in rows}
    plain: dict[str, list[float]] = {name: [] for name in rows}
    for round_ in range(options.rounds):
        for name, call in rows.items():
            times = {}
            for on in (True, False) if round_ % 2 else (False, True):
                follow(on)
                times[on] = nanoseconds_per_call(call, x, options.calls)
            differences[name].append(times[True] - times[False])
            plain[name].append(times[False])
    follow(True)
    print(f"{'a call':25}{'without lines':>16}{'lines cost':>14}")
    for name in rows:
        without, cost = statistics.median(plain[name]), statistics.median(differences[name])
        print(f"{name:25}{without:13.1f} ns{cost:11.1f} ns")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--deepest", type=int, default=12)
    parser.add_argument("--thread", action="store_true", help="in another thread than the main one")
    options = parser.parse_args()
    follow(False)
    if options.thread:
        thread = threading.Thread(target=measure, args=[options])
        thread.start()
        thread.join()
    else:
        measure(options)


if __name__ == "__main__":
    main()
