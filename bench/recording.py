"""What recording costs a small training step: blocks of a few steps, recorded and not, in turns; medians.

PYTHONPATH=python .venv/bin/python bench/recording.py [steps of a block]
"""

from __future__ import annotations

import statistics
import sys
import time

from compare_workloads import seed

import autograd as ag


def main() -> None:
    workload = seed(ag)
    batch = [rows[: workload.batch] for rows in workload.data]

    def seconds(steps: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            workload.step(*batch)
        return (time.perf_counter() - start) / steps

    seconds(2000)
    for steps in [int(n) for n in sys.argv[1:]] or [1, 20, 200]:
        plain, recorded = [], []
        for _ in range(max(20, 4000 // steps)):
            plain.append(seconds(steps))
            with ag.graph.record():
                recorded.append(seconds(steps))
        a, b = statistics.median(plain), statistics.median(recorded)
        print(
            f"blocks of {steps:4} steps: {a * 1e6:.1f} us, recorded {b * 1e6:.1f} us ({b / a - 1:+.1%})"
        )


if __name__ == "__main__":
    main()
