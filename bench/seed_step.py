"""Times one training step of the seed workload: this library from Python and C++, and PyTorch.

The model is one layer applied twice, layer(layer(x)): Linear 4-64, sigmoid, Linear 64-64, relu,
Linear 64-4 without bias (4,736 parameters); batch 16, mean softmax cross entropy against one-hot
targets, SGD with learning rate 0.05. Every side starts from the same weights and reads the same
batches; losses and gradients are compared before anything is timed. The sides then take turns,
round by round, and medians are reported, so that a busy machine slows all of them alike.

    python bench/seed_step.py                 # the table, and seed_step.json
    python bench/seed_step.py --epochs 2000   # trains to the end as well and reports test accuracy
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path
from time import perf_counter, perf_counter_ns
from types import ModuleType

import autograd

try:
    import torch
except ImportError:
    torch = None

ROOT = Path(__file__).resolve().parent.parent
FEATURES, CLASSES, HIDDEN, BATCH = 4, 4, 64, 16
SAMPLES, TRAIN_SHARE, LEARNING_RATE = 1000, 0.7, 0.05
CHECKED_STEPS, WARMUP_STEPS = 20, 20
WEIGHT_SHAPES = [(HIDDEN, FEATURES), (HIDDEN,), (HIDDEN, HIDDEN), (HIDDEN,), (CLASSES, HIDDEN)]


class Task:
    """Samples, their classes and the starting weights, as plain lists: the same for every side."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        row1 = [rng.random() for _ in range(FEATURES)]
        row2 = [rng.random() for _ in range(FEATURES)]
        self.x = [[rng.random() for _ in range(FEATURES)] for _ in range(SAMPLES)]
        self.classes = [classify(sample, row1, row2) for sample in self.x]
        self.one_hot = [[float(c == k) for k in range(CLASSES)] for c in self.classes]
        self.train = int(SAMPLES * TRAIN_SHARE)
        self.batches = self.train // BATCH
        # PyTorch's default for Linear: uniform within 1 / sqrt(inputs).
        fans = [FEATURES, FEATURES, HIDDEN, HIDDEN, HIDDEN]
        self.weights = [
            [rng.uniform(-1, 1) / math.sqrt(fan) for _ in range(math.prod(shape))]
            for shape, fan in zip(WEIGHT_SHAPES, fans)
        ]

    def write(self, path: Path) -> None:
        """The batches and weights as raw float32, for the C++ side."""
        used = self.batches * BATCH
        numbers = array("f")
        for rows in (self.x[:used], self.one_hot[:used], self.weights):
            for row in rows:
                numbers.extend(row)
        path.write_bytes(numbers.tobytes())


def classify(x: list[float], row1: list[float], row2: list[float]) -> int:
    """One of four classes, by two nonlinear functions of the features and a threshold on each."""
    y1 = sum(w * f(v) for w, f, v in zip(row1, (math.sin, math.cos, math.asin, math.acos), x))
    y2 = sum(w * f(v) for w, f, v in zip(row2, (math.exp, math.exp, math.cosh, math.sinh), x))
    return 2 * (y1 < 1.6) + (y2 < 2.7)


class PythonSide:
    """The step as a user writes it; `lib` is autograd or torch, the code is the same."""

    def __init__(self, name: str, lib: ModuleType, task: Task, threads: int | None = None) -> None:
        self.name, self.lib, self.threads = name, lib, threads
        nn = lib.nn
        self.layer = nn.Sequential(
            nn.Linear(FEATURES, HIDDEN),
            nn.Sigmoid(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, CLASSES, bias=False),
        )
        self.parameters = list(self.layer.parameters())
        with lib.no_grad():
            for parameter, shape, values in zip(self.parameters, WEIGHT_SHAPES, task.weights):
                parameter.copy_(lib.tensor(values).reshape(*shape))
        self.loss_of = nn.CrossEntropyLoss()
        self.optimizer = lib.optim.SGD(self.parameters, lr=LEARNING_RATE)
        used = task.batches * BATCH
        x, target = lib.tensor(task.x[:used]), lib.tensor(task.one_hot[:used])
        self.batches = [(x[i : i + BATCH], target[i : i + BATCH]) for i in range(0, used, BATCH)]
        self.position = 0

    def next_batch(self):
        self.position = (self.position + 1) % len(self.batches)
        return self.batches[self.position - 1]

    def step(self) -> tuple[int, int, int]:
        """One training step; the clock before it, after forward, after the update."""
        x, target = self.next_batch()
        start = perf_counter_ns()
        loss = self.loss_of(self.layer(self.layer(x)), target)
        middle = perf_counter_ns()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        del loss  # dropping the graph is part of the step
        return start, middle, perf_counter_ns()

    def time(self, steps: int) -> tuple[float, float, float]:
        """Medians over the steps in microseconds: forward, backward and update, total."""
        if self.threads:
            self.lib.set_num_threads(self.threads)
        for _ in range(WARMUP_STEPS):
            self.step()
        clock = [self.step() for _ in range(steps)]
        parts = [(m - s, e - m, e - s) for s, m, e in clock]
        return tuple(statistics.median(part) / 1000 for part in zip(*parts))

    def losses(self, steps: int) -> list[float]:
        """Trains for some steps and returns the loss of each."""
        values = []
        for _ in range(steps):
            x, target = self.next_batch()
            loss = self.loss_of(self.layer(self.layer(x)), target)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            values.append(loss.item())
        return values

    def first_gradients(self) -> list[list[float]]:
        """Gradients of the first batch's loss; the weights stay as they are."""
        x, target = self.batches[0]
        self.loss_of(self.layer(self.layer(x)), target).backward()
        gradients = [p.grad.reshape(-1).tolist() for p in self.parameters]
        self.optimizer.zero_grad()
        return gradients


class CppSide:
    """The same step in bench/seed_step.cpp, a process that answers one line per command."""

    def __init__(self, program: Path, task: Task, folder: Path) -> None:
        self.name = "autograd, C++"
        task.write(folder / "task.bin")
        self.process = subprocess.Popen(
            [str(program), str(folder / "task.bin"), str(task.batches)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, command: str) -> list[float]:
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"seed_step: {self.process.args[0]} ended without an answer to '{command}'")
        return [float(word) for word in answer.split()]

    def time(self, steps: int) -> tuple[float, float, float]:
        return tuple(self.ask(f"time {steps}"))

    def losses(self, steps: int) -> list[float]:
        return self.ask(f"losses {steps}")

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def find_program(given: str | None) -> Path | None:
    """The built C++ side: the one that was named, or the usual build folder's."""
    if given:
        path = Path(given)
        if not path.is_file():
            sys.exit(f"seed_step: {path} does not exist; build it with AUTOGRAD_BUILD_BENCH=ON")
        return path
    path = ROOT / "build" / "bench_seed_step"
    return path if path.is_file() else None


def largest_difference(a: list[float], b: list[float]) -> float:
    """Largest difference of two lists relative to the largest number in them."""
    scale = max(map(abs, a + b))
    return max(abs(p - q) for p, q in zip(a, b)) / scale


def check(sides: list) -> dict[str, float]:
    """Relative differences of every side's losses and gradients from the last side's."""
    reference = sides[-1]
    wanted_losses = reference.losses(CHECKED_STEPS)
    found = {}
    for side in sides[:-1]:
        found[f"{side.name}: losses"] = largest_difference(
            side.losses(CHECKED_STEPS), wanted_losses
        )
    return found


def check_gradients(ours: PythonSide, theirs: PythonSide) -> float:
    pairs = zip(ours.first_gradients(), theirs.first_gradients())
    return max(largest_difference(a, b) for a, b in pairs)


def machine() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor() or platform.machine()
    return {
        "cpu": cpu,
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "autograd": autograd.__version__,
        "torch": torch.__version__ if torch else "not installed",
    }


def print_table(rows: list[dict]) -> None:
    print(f"\n{'us per step (median)':34}{'forward':>9}{'backward':>10}{'total':>9}{'speed':>9}")
    for row in rows:
        speed = f"{row['speedup']:.1f}x" if row["speedup"] else ""
        print(
            f"{row['name']:34}{row['forward_us']:9.1f}{row['backward_and_step_us']:10.1f}"
            f"{row['total_us']:9.1f}{speed:>9}"
        )
    print(
        "backward holds zero_grad, backward and the SGD update; speed is against PyTorch, 1 thread"
    )


def train_fully(task: Task, epochs: int) -> dict[str, float]:
    """Trains from the starting weights and reports the accuracy on the samples left out."""
    side = PythonSide("", autograd, task)
    started = perf_counter()
    for _ in range(epochs * task.batches):
        side.step()
    seconds = perf_counter() - started
    x, wanted = autograd.tensor(task.x[task.train :]), task.classes[task.train :]
    with autograd.no_grad():
        answers = side.layer(side.layer(x)).argmax(1).tolist()
    right = sum(a == w for a, w in zip(answers, wanted))
    return {"epochs": epochs, "seconds": seconds, "test_accuracy": right / len(wanted)}


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=positive, default=15, help="turns each side takes (15)")
    parser.add_argument("--steps", type=positive, default=200, help="timed steps a turn (200)")
    parser.add_argument("--epochs", type=positive, help="also train this long and test")
    parser.add_argument("--seed", type=int, default=0, help="of the samples and weights (0)")
    parser.add_argument("--cpp", metavar="PATH", help="the C++ side (build/bench_seed_step)")
    parser.add_argument("--json", metavar="PATH", default="seed_step.json", help="result file")
    return parser.parse_args()


def main() -> int:
    options = parse()
    task = Task(options.seed)
    report = {"machine": machine(), "rounds": options.rounds, "steps": options.steps}
    print(", ".join(f"{key} {value}" for key, value in report["machine"].items()))

    with tempfile.TemporaryDirectory() as folder:
        sides: list = [PythonSide("autograd, Python", autograd, task)]
        program = find_program(options.cpp)
        if program:
            sides.append(CppSide(program, task, Path(folder)))
        else:
            print("C++ side left out: not built (cmake --preset release; cmake --build build)")
        if torch:
            default = torch.get_num_threads()
            sides.append(PythonSide(f"PyTorch, {default} threads (default)", torch, task, default))
            sides.append(PythonSide("PyTorch, 1 thread", torch, task, 1))
        else:
            print("PyTorch sides left out: not installed (pip install torch==2.13.0)")

        if torch:
            differences = {"gradients": check_gradients(sides[0], sides[-1]), **check(sides)}
            report["relative_differences"] = differences
            for what, difference in differences.items():
                print(f"differs from PyTorch by {difference:.1e} of the largest value: {what}")
            if not max(differences.values()) < 1e-4:
                print("seed_step: the sides do not compute the same thing; nothing is timed")
                return 1

        rounds = [[side.time(options.steps) for side in sides] for _ in range(options.rounds)]
        for side in sides:
            if isinstance(side, CppSide):
                side.close()

    rows = []
    for index, side in enumerate(sides):
        forward, update, total = (statistics.median(p) for p in zip(*(r[index] for r in rounds)))
        # Of each round's own ratio: the sides of one round met the same disturbances.
        ratios = [r[-1][2] / r[index][2] for r in rounds] if torch else []
        rows.append(
            {
                "name": side.name,
                "forward_us": forward,
                "backward_and_step_us": update,
                "total_us": total,
                "speedup": statistics.median(ratios) if ratios else None,
            }
        )
    report["results"] = rows
    print_table(rows)
    for row in rows:
        if row["name"].startswith("autograd") and row["speedup"] and row["speedup"] <= 1:
            print(f"{row['name']} is NOT FASTER than PyTorch here ({row['speedup']:.2f}x)")

    if options.epochs:
        report["training"] = train_fully(task, options.epochs)
        print(
            f"\n{options.epochs} epochs in {report['training']['seconds']:.1f} s: "
            f"test accuracy {report['training']['test_accuracy']:.3f}"
        )
    Path(options.json).write_text(json.dumps(report, indent=2) + "\n")
    print(f"written: {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
