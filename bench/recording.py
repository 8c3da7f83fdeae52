"""What recording costs a training step of a small model, of many tiny layers and of a larger model.

A step is recorded in a block of its own, and in one of several.

Blocks that are recorded, steps that are not, and steps that follow on a block that recorded nothing take turns; medians
are shown. So do loops of steps, and of blocks that hold one each, as somebody would write them who times
``with ag.graph.record(): step()`` against ``step()``. A second process that never records takes its turns, too, to see
what it costs that one could record.

PYTHONPATH=python .venv/bin/python bench/recording.py [tiny, or models of compare_workloads.py]
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from types import ModuleType

from compare_workloads import WORKLOADS, Workload, fill, trained, values

import autograd as ag

# What the check "does anybody watch?" costs, counted with callgrind against a build without it.
CHECK = "7 of the 1,162 instructions of an addition of 4 numbers, 370 of the 352,000 of a step"

WARM = 20  # steps until the caches are this process's own again
SIZES = [1, 20]  # steps of a block
SECONDS = 2.0  # for each model and size, roughly


def tiny(lib: ModuleType) -> Workload:
    """40 layers of 4 units in modules of their own, batch 2: nothing but calls."""
    rng, nn = random.Random(0), lib.nn
    model = nn.Sequential(*[nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(40)])
    parameters = fill(lib, model, rng)
    optimizer = lib.optim.SGD(parameters, lr=1e-3)
    step = trained(lib, optimizer, lambda x: model(x).sum())
    return Workload(step, (values(lib, rng, 2, 4),), 2, parameters)


MODELS = {**WORKLOADS, "tiny": tiny}


class Steps:
    def __init__(self, model: str) -> None:
        self.workload = MODELS[model](ag)
        self.batch = [rows[: self.workload.batch] for rows in self.workload.data]
        self.seconds(200)

    def seconds(self, steps: int) -> float:
        """Of all of them."""
        start = time.perf_counter()
        for _ in range(steps):
            self.workload.step(*self.batch)
        return time.perf_counter() - start

    def seconds_in_blocks(self, steps: int) -> float:
        """Each recorded in a block of its own, which nobody looks at."""
        start = time.perf_counter()
        for _ in range(steps):
            with ag.graph.record():
                self.workload.step(*self.batch)
        return time.perf_counter() - start

    def recorded(self, steps: int, times: dict[str, list[float]]) -> None:
        """A block of so many steps: what its parts take."""
        opened = time.perf_counter()
        with ag.graph.record() as graph:
            began = time.perf_counter()
            times["recorded"].append(self.seconds(steps))
            ended = time.perf_counter()
        closed = time.perf_counter()
        times["open"].append(began - opened)
        times["close"].append(closed - ended)
        times["block"].append(closed - opened)
        assert graph.num_ops >= steps
        times["first look"].append(time.perf_counter() - closed)


def answer(model: str) -> None:
    """The process that never records: a line with a number of steps in, a line with their time out."""
    steps = Steps(model)
    for line in sys.stdin:
        steps.seconds(WARM)
        print(steps.seconds(int(line)), flush=True)


def show(n: int, of: dict[str, float]) -> None:
    def each(name: str) -> str:
        """Of one step, beside one that is not recorded."""
        return f"{of[name] / n:.1f} us ({of[name] / of['plain'] - 1:+.1%})"

    print(
        f"  blocks of {n}: a step {of['plain'] / n:.1f} us, in a process that never records {each('never')}"
    )
    print(f"    behind an empty block {each('behind')}, recorded {each('recorded')}")
    print(
        f"    with its share of opening ({of['open']:.1f} us) and closing ({of['close']:.1f} us) the block: "
        f"{each('block')}; the first look at the graph takes {of['first look']:.1f} us"
    )


def compare(model: str) -> None:
    steps = Steps(model)
    command = [sys.executable, __file__, "--never", model]
    never = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds_of_other(n: int) -> float:
        print(n, file=never.stdin, flush=True)
        return float(never.stdout.readline())

    step = seconds_of_other(100) / 100
    print(f"{model}:")
    for n in SIZES:
        times: dict[str, list[float]] = defaultdict(list)
        for _ in range(max(20, int(SECONDS / step / (4 * n + 4 * WARM)))):
            times["never"].append(seconds_of_other(n))
            steps.seconds(WARM)
            times["plain"].append(steps.seconds(n))
            steps.seconds(WARM)
            with ag.graph.record():
                pass
            times["behind"].append(steps.seconds(n))
            steps.seconds(WARM)
            steps.recorded(n, times)
        show(n, {name: statistics.median(each) * 1e6 for name, each in times.items()})
    never.stdin.close()
    never.wait()
    plain, blocks = [], []
    for _ in range(max(20, int(SECONDS / step / (4 * WARM)))):
        steps.seconds(WARM)
        plain.append(steps.seconds(WARM) / WARM)
        steps.seconds_in_blocks(WARM)
        blocks.append(steps.seconds_in_blocks(WARM) / WARM)
    before, after = statistics.median(plain) * 1e6, statistics.median(blocks) * 1e6
    print(
        f"  in a loop: a step {before:.1f} us, a block of one {after:.1f} us ({after / before - 1:+.1%})"
    )


def main() -> None:
    for model in sys.argv[1:] or ["seed", "tiny", "transformer"]:
        compare(model)
    print(f"not recording costs a comparison per operation: {CHECK}")


if __name__ == "__main__":
    answer(sys.argv[2]) if sys.argv[1:2] == ["--never"] else main()
