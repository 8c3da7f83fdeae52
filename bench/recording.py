"""What recording costs a small training step: blocks of a few steps, recorded and not, in turns; medians.

A second process that never records takes its turns, too: steps that are not recorded now are compared with its steps.
The first step of a block follows on other code, which the caches hold then: it is compared with steps that follow on a
block that recorded nothing, too.

PYTHONPATH=python .venv/bin/python bench/recording.py [steps of a block]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from compare_workloads import seed

import autograd as ag

# What the check "does anybody watch?" costs, counted with callgrind against a build without it.
CHECK = "7 of the 1,162 instructions of an addition of 4 numbers, 370 of the 352,000 of a step"


WARM = 20  # steps until the caches are this process's own again


class Steps:
    def __init__(self) -> None:
        self.workload = seed(ag)
        self.batch = [rows[: self.workload.batch] for rows in self.workload.data]
        self.seconds(2000)

    def seconds(self, steps: int) -> float:
        """Of one step."""
        start = time.perf_counter()
        for _ in range(steps):
            self.workload.step(*self.batch)
        return (time.perf_counter() - start) / steps


def answer() -> None:
    """The process that never records: a line with a number of steps in, a line with their time out."""
    steps = Steps()
    for line in sys.stdin:
        steps.seconds(WARM)
        print(steps.seconds(int(line)), flush=True)


def main() -> None:
    steps = Steps()
    command = [sys.executable, __file__, "--never"]
    never = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds_of_other(n: int) -> float:
        print(n, file=never.stdin, flush=True)
        return float(never.stdout.readline())

    seconds_of_other(100)
    for n in [int(text) for text in sys.argv[1:]] or [1, 20, 200]:
        plain, recorded, other, behind = [], [], [], []
        for _ in range(max(20, 4000 // n)):
            other.append(seconds_of_other(n))
            steps.seconds(WARM)
            plain.append(steps.seconds(n))
            with ag.graph.record():
                pass
            behind.append(steps.seconds(n))
            steps.seconds(WARM)
            with ag.graph.record():
                recorded.append(steps.seconds(n))
        a, b, c, d = (statistics.median(times) for times in (plain, recorded, other, behind))
        print(
            f"blocks of {n:4} steps: never recording {c * 1e6:.1f} us, not recording now {a * 1e6:.1f} us, behind an "
            f"empty block {d * 1e6:.1f} us, recorded {b * 1e6:.1f} us ({b / a - 1:+.1%}, {b / d - 1:+.1%})"
        )
    never.stdin.close()
    never.wait()
    print(f"not recording costs a comparison per operation: {CHECK}")


if __name__ == "__main__":
    answer() if "--never" in sys.argv else main()
