"""Times training steps of small models: this library eager, compiled and by epochs, PyTorch, and JAX.

    python bench/compare.py                              # all workloads, the table, and compare.json
    python bench/compare.py seed digits --rounds 5
    python bench/compare.py --jax path/to/python         # an environment that has JAX
    python bench/compare.py --torch-compile              # and torch.compile, which needs a C++ compiler and minutes

All sides start from the same weights and see the same batches; the losses of the first steps have to agree before
anything is timed. Then the sides take turns, round by round, one thread each, and medians are reported, so that a busy
machine slows all of them alike. `plan` is what making a plan takes: the calls until there is one, less the same calls
without compiling. `peak` is this core's rate of multiply-adds, measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any, Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

from compare_workloads import WORKLOADS, Workload  # noqa: E402

import autograd as ag  # noqa: E402

try:
    import torch
except ImportError:
    torch = None

ROOT = Path(__file__).resolve().parent.parent
CHECKED = 8
TOLERANCE = 2e-3
JAX_ENVIRONMENT = {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "OMP_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
}


def batches_of(work: Workload) -> list[list[Any]]:
    rows = work.data[0].shape[0]
    return [[d[i : i + work.batch] for d in work.data] for i in range(0, rows, work.batch)]


class StepSide:
    """A step that Python calls batch by batch."""

    def __init__(self, name: str, work: Workload, wrap: Callable[[Any], Any]) -> None:
        self.name, self.step = name, wrap(work.step)
        self.batches = batches_of(work)

    def losses(self, steps: int) -> list[float]:
        return [float(self.step(*self.batches[i % len(self.batches)])) for i in range(steps)]

    def time(self, steps: int) -> float:
        step, batches = self.step, self.batches
        times = []
        for i in range(3):
            step(*batches[i % len(batches)])
        for i in range(steps):
            batch = batches[i % len(batches)]
            began = perf_counter()
            step(*batch)
            times.append(perf_counter() - began)
        return statistics.median(times)


class EpochSide:
    """A compiled step that runs whole epochs with one call."""

    def __init__(self, name: str, work: Workload) -> None:
        self.name, self.work = name, work
        self.step = ag.compile(work.step)
        self.batches = -(-work.data[0].shape[0] // work.batch)

    def losses(self, steps: int) -> list[float]:
        epochs = -(-steps // self.batches)
        found = self.step.run(*self.work.data, batch_size=self.work.batch, epochs=epochs)
        return found.reshape(-1).tolist()[:steps]

    def time(self, steps: int) -> float:
        times = []
        self.step.run(*self.work.data, batch_size=self.work.batch)  # as JAX's side does
        for _ in range(max(3, steps // self.batches)):
            began = perf_counter()
            self.step.run(*self.work.data, batch_size=self.work.batch)
            times.append((perf_counter() - began) / self.batches)
        return statistics.median(times)


class JaxProcess:
    """bench/compare_jax.py in an environment of its own."""

    def __init__(self, python: str) -> None:
        self.process = subprocess.Popen(
            [python, str(ROOT / "bench" / "compare_jax.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **JAX_ENVIRONMENT},
        )

    def ask(self, command: dict[str, Any]) -> Any:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit("compare: the JAX side ended without an answer")
        return json.loads(answer)

    def load(self, name: str, work: Workload) -> str:
        stacked = list(zip(*batches_of(work)))
        task = {
            "name": name,
            "parameters": [p.tolist() for p in work.parameters],
            "batches": [[part.tolist() for part in parts] for parts in stacked],
        }
        return self.ask({"task": task})


class JaxSide:
    def __init__(self, name: str, process: JaxProcess, call: str) -> None:
        self.name, self.process, self.call = name, process, call

    def losses(self, steps: int) -> list[float]:
        return self.process.ask({"call": "losses", "steps": steps})

    def time(self, steps: int) -> float:
        return self.process.ask({"call": self.call, "steps": steps})


def sides_of(name: str, options: argparse.Namespace, jax: JaxProcess | None) -> list[Any]:
    make = WORKLOADS[name]
    sides: list[Any] = [
        StepSide("eager", make(ag), lambda step: step),
        StepSide("compiled", make(ag), ag.compile),
        EpochSide("epochs", make(ag)),
    ]
    if torch is not None:
        sides.append(StepSide("torch", make(torch), lambda step: step))
        if options.torch_compile:
            # The whole step: forward and loss, backward and the optimizer's update become a graph each.
            sides.append(StepSide("torch.compile", make(torch), torch.compile))
    if jax is not None:
        jax.load(name, make(ag))
        sides.append(JaxSide("jax.jit", jax, "time_steps"))
        sides.append(JaxSide("jax.scan", jax, "time_epochs"))
    return sides


def check(name: str, sides: list[Any]) -> float:
    """The largest difference of the first losses from those of the first side; ends the program if it is too large.

    torch.compile's side is taken out if it cannot run the step: it refuses gradients of gradients.
    """
    wanted, largest = sides[0].losses(CHECKED), 0.0
    for side in sides[1:]:
        if side.name == "jax.scan":
            continue
        try:
            got = side.losses(CHECKED)
        except RuntimeError as error:
            if side.name != "torch.compile":
                raise
            print(f"{name}: torch.compile fails: {str(error).splitlines()[0]}", flush=True)
            sides.remove(side)
            continue
        for a, b in zip(got, wanted):
            largest = max(largest, abs(a - b) / max(1e-6, abs(b)))
        if not largest < TOLERANCE:
            sys.exit(
                f"compare: {name}: {side.name} computes other losses than {sides[0].name}: {got} and {wanted}; "
                "nothing is timed"
            )
    return largest


def plan_time(name: str, tries: int = 9) -> float:
    """Microseconds that it takes to capture a step, compare the calls, run the passes and lay the plan out."""
    times = []
    for _ in range(tries):
        spent = []
        for wrap in (ag.compile, lambda step: step):
            work = WORKLOADS[name](ag)
            step, batches = wrap(work.step), batches_of(work)
            began = perf_counter()
            for i in range(3):
                step(*batches[i % len(batches)])
            spent.append(perf_counter() - began)
            if wrap is ag.compile and "1 plans" not in step.explain():
                sys.exit(f"compare: {name}: no plan after three calls: {step.explain()}")
        times.append(spent[0] - spent[1])
    return 1e6 * statistics.median(times)


def fma_peak() -> float | None:
    """GFLOP/s of this core, measured by bench/gemm_bench.cpp; None if it is not built."""
    program = ROOT / "build" / "bench_gemm_bench"
    if not program.is_file():
        return None
    done = subprocess.run([str(program), "--peak"], capture_output=True, text=True, check=False)
    try:
        return float(done.stdout.split()[0])
    except (IndexError, ValueError):
        return None


def measure(name: str, options: argparse.Namespace, jax: JaxProcess | None) -> dict[str, Any]:
    sides = sides_of(name, options, jax)
    difference = check(name, sides)
    rounds = [[side.time(options.steps) for side in sides] for _ in range(options.rounds)]
    times = {
        side.name: 1e6 * statistics.median(r[i] for r in rounds) for i, side in enumerate(sides)
    }
    plan = plan_time(name)
    shown = [f"{times[head]:.1f}" if head in times else "-" for head in heads_of(options)[:-1]]
    print(f"{name:12}" + "".join(f"{each:>14}" for each in [*shown, f"{plan:.1f}"]), flush=True)
    result = {"name": name, "largest_relative_difference_of_losses": difference, "us": times}
    return {**result, "plan_us": plan}


def summary(results: list[dict[str, Any]]) -> None:
    """How many times faster each of our sides is than each of theirs: geometric means and the worst case."""
    ours = [("eager", "torch"), ("compiled", "torch"), ("compiled", "torch.compile"),
            ("compiled", "jax.jit"), ("epochs", "jax.scan")]  # fmt: skip
    for mine, theirs in ours:
        ratios = [
            (r["us"][theirs] / r["us"][mine], r["name"]) for r in results if theirs in r["us"]
        ]
        if ratios:
            mean = math.exp(statistics.fmean(math.log(ratio) for ratio, _ in ratios))
            worst, where = min(ratios)
            print(
                f"{mine} against {theirs}: {mean:.1f}x in the geometric mean, worst {worst:.1f}x ({where})"
            )
    for theirs in ("torch.compile", "jax.jit"):
        compared = [r for r in results if theirs in r["us"]]
        slower = [r["name"] for r in compared if r["us"]["compiled"] > r["us"][theirs]]
        if compared:
            print(
                f"compiled is slower than {theirs} on {', '.join(slower) or 'none'} of {len(compared)}"
            )
    slowest = max(results, key=lambda r: r["plan_us"])
    print(f"a plan takes at most {slowest['plan_us'] / 1000:.1f} ms to make ({slowest['name']})")


def heads_of(options: argparse.Namespace) -> list[str]:
    heads = ["eager", "compiled", "epochs"] + (["torch"] if torch else [])
    heads += ["torch.compile"] if options.torch_compile and torch else []
    heads += ["jax.jit", "jax.scan"] if options.jax else []
    return [*heads, "plan"]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workloads", nargs="*", choices=[*WORKLOADS, []], help="all, unless named")
    parser.add_argument("--rounds", type=int, default=7, help="turns each side takes (7)")
    parser.add_argument("--steps", type=int, default=200, help="timed steps a turn (200)")
    parser.add_argument("--jax", metavar="PYTHON", help="a Python that has JAX")
    parser.add_argument("--torch-compile", action="store_true", help="time torch.compile too")
    parser.add_argument("--json", metavar="PATH", default="compare.json", help="result file")
    return parser.parse_args()


def main() -> int:
    options = parse()
    ag.set_num_threads(1)
    if torch is not None:
        torch.set_num_threads(1)
    jax = JaxProcess(options.jax) if options.jax else None
    peak = fma_peak()
    if peak:
        print(
            f"peak: {peak:.0f} GFLOP/s; the seed step's 0.885 MFLOP take {885.0 / peak:.1f} us at best"
        )
    names = options.workloads or list(WORKLOADS)
    results = []
    print(f"{'us a step':12}" + "".join(f"{head:>14}" for head in heads_of(options)), flush=True)
    for name in names:
        results.append(measure(name, options, jax))
    summary(results)
    Path(options.json).write_text(
        json.dumps({"peak_gflops": peak, "results": results}, indent=2) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
