"""Times every op of the test table, forward and with its gradient, against PyTorch eager, both called from Python.

Small: every row at 16x64, or at its largest case where that shape makes no sense. Large (--large): elementwise
ops, reductions, softmax, norms, convolution, batched products and attention at sizes where big frameworks are at
home. Each library runs in a process of its own, so that the waiting threads of one do not hold the cores of the
other; the two take turns, round by round, and medians are reported. Results and gradients are compared before
anything is timed. The ratio is PyTorch's time over ours: above 1 we are faster. Each line goes to stderr as it is
measured; the table on stdout has the worst first.

    python bench/ops.py                          # small, one thread
    python bench/ops.py --large --threads 1 2    # large, with one and with two threads
    python bench/ops.py --only softmax gelu      # ops whose names contain one of these
    python bench/ops.py --large --part 0 4       # the first quarter of all
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests_py"))

from op_rows.row import Case, Row, with_dtype  # noqa: E402
from op_table import BY_NAME, ROWS  # noqa: E402

SMALL = (16, 64)
LARGE = (4096, 1024)
# A round of long calls is long enough for the first one, whose caches the other side has emptied, not to count.
ROUNDS, ROUND_SECONDS, LONG_ROUND_SECONDS = 15, 1e-3, 1e-2
PAUSE = 0.02  # the threads of one side spin for a while before they leave their cores to the other
DIFFERENCE = 1e-3  # of the largest element: another op, not another rounding
MODES = ("forward", "gradient")


class Entry(NamedTuple):
    """A row with the shapes it is timed with, and the other arguments: those of one of its cases, or its own."""

    row: str
    shapes: tuple
    number: int = -1  # of the case
    kwargs: dict = {}

    @property
    def case(self) -> Case:
        """What is called. A case may hold functions, which cannot be sent to another process; its number can."""
        if self.number < 0:
            return Case(self.shapes, self.kwargs)
        known = BY_NAME[self.row].cases[self.number]
        return Case(self.shapes, known.kwargs, known.inputs)

    def __str__(self) -> str:
        shapes = " ".join("x".join(map(str, shape)) or "()" for shape in self.shapes)
        named = [f"{key}={value}" for key, value in self.case.kwargs.items()]
        return f"{self.row} {shapes} {', '.join(named)}".strip()


# Rows of several tensors whose shapes differ; all others are derived.
SMALL_SHAPES = {
    "mm": ((16, 64), (64, 64)),
    "matmul": ((16, 64), (64, 64)),
    "bmm": ((4, 16, 64), (4, 64, 16)),
    "addmm": ((64,), (16, 64), (64, 64)),
    "linear": ((16, 64), (64, 64), (64,)),
    "cross_entropy": ((16, 64), (16,)),
}


def large_entries() -> list[Entry]:
    """Elementwise, rows and columns at 4096x1024; convolution, products and attention at sizes of their own."""
    entries = []
    for row in ROWS:
        if row.pointwise and "float32" in row.dtypes:
            entries.append(uniform(row, LARGE))
    along = [{"dim": 1}, {"dim": 0}]
    everything: list[dict[str, Any]] = [{}, *along]
    for names, variants in (
        (("sum", "mean", "amax", "var", "std", "argmax", "max", "prod", "logsumexp"), everything),
        (("softmax", "log_softmax", "cumsum", "max_dim"), along),
        (("layer_norm", "rms_norm"), [{"normalized_shape": (1024,)}]),
    ):
        for name in names:
            if name in BY_NAME:
                found = [v for v in variants if v or name != "logsumexp"]
                entries += [Entry(name, (LARGE,), kwargs=kwargs) for kwargs in found]
    for name, shapes, kwargs in (
        ("conv2d", ((16, 64, 56, 56), (64, 64, 3, 3)), {"padding": 1}),
        ("bmm", ((32, 256, 64), (32, 64, 256)), {}),
        ("bmm", ((8, 512, 512), (8, 512, 512)), {}),
        ("matmul", ((1024, 1024), (1024, 1024)), {}),
        ("scaled_dot_product_attention", ((4, 8, 256, 64),) * 3, {}),
        ("scaled_dot_product_attention", ((4, 8, 256, 64),) * 3, {"is_causal": True}),
    ):
        if name in BY_NAME:
            entries.append(Entry(name, shapes, kwargs=kwargs))
    return entries


def uniform(row: Row, shape: tuple = SMALL) -> Entry:
    """The entry of a row: all tensors of one shape if PyTorch takes that, else the row's largest case."""
    import torch

    if row.name in SMALL_SHAPES:
        return Entry(row.name, SMALL_SHAPES[row.name])
    count = len(row.cases[0].shapes)
    order = sorted(range(1, len(row.cases)), key=lambda i: -len(row.cases[i].kwargs))
    for i in [0, *order][: 40 if count else 0]:
        if len(row.cases[i].shapes) != count:
            continue
        found = Entry(row.name, (shape,) * count, i)
        try:
            call = bound(torch, row, inputs(torch, row, found.case, False), found.case)
            results = tensors_of(torch, call())
        except Exception:  # noqa: BLE001 - this shape does not fit these arguments
            continue
        if results:
            return found
    sizes = [sum(math.prod(s) for s in one.shapes) for one in row.cases]
    largest = sizes.index(max(sizes))
    return Entry(row.name, row.cases[largest].shapes, largest)


# ---- one library --------------------------------------------------------------------------------


def inputs(lib: Any, row: Row, one: Case, gradient: bool) -> list:
    """The tensors of a case as float32 (of ops on integers: int32), leaves that require grad if wanted."""
    made = []
    for values, kind in zip(row.fill(one), row.dtypes_of(one, row.main_dtypes[0])):
        tensor = lib.from_numpy(
            np.ascontiguousarray(values.astype(kind)).reshape(values.shape)
        ).clone()
        floats = kind.startswith("float")
        made.append(tensor.requires_grad_() if gradient and floats else tensor)
    return made


def bound(lib: Any, row: Row, tensors: list, one: Case) -> Any:
    """The call with everything looked up beforehand, as a script would make it."""
    kwargs = with_dtype(lib, one.kwargs)
    if row.call is None:
        function = row.function(lib)
        return lambda: function(*tensors, **kwargs)
    function = row.call
    return lambda: function(lib, *tensors, **kwargs)


def tensors_of(lib: Any, result: Any) -> list:
    """The tensors among the results of a call."""
    results = result if isinstance(result, (tuple, list)) else (result,)
    return [r for r in results if isinstance(r, lib.Tensor)]


class Side:
    """One library, in a process of its own: prepares an entry, gives its results, and times it."""

    def __init__(self, name: str, threads: int) -> None:
        self.lib = __import__(name)
        self.lib.set_num_threads(threads)
        self.call: Any = None

    def prepare(self, entry: Entry, mode: str) -> list:
        """Sets up the call to be timed and returns what it computes; [] if there is no gradient."""
        row, lib, gradient = BY_NAME[entry.row], self.lib, mode == "gradient"
        tensors = inputs(lib, row, entry.case, gradient)
        leaves = [t for t in tensors if t.requires_grad]
        forward = bound(lib, row, tensors, entry.case)
        if not gradient:
            self.call = forward
            return [np.asarray(t) for t in tensors_of(lib, forward())]
        places = [i for i, t in enumerate(tensors_of(lib, forward())) if t.requires_grad]
        if not places:
            return []
        results = [tensors_of(lib, forward())[i] for i in places]
        weights = [lib.ones_like(t) for t in results]
        grad, single = lib.autograd.grad, isinstance(forward(), lib.Tensor)

        def call() -> Any:
            result = forward()
            outputs = (result,) if single else [result[i] for i in places]
            return grad(outputs, leaves, weights, allow_unused=True)

        self.call = call
        return [np.asarray(g) for g in call() if g is not None]

    def time(self, repeats: int) -> float:
        """Seconds of one call, averaged over repeats."""
        call = self.call
        call()  # wakes threads, and fetches what the other side has thrown out of the caches
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        return (time.perf_counter() - start) / repeats


def serve(pipe: Any, name: str, threads: int) -> None:
    """The loop of a side's process: answers method calls until told to stop."""
    side = Side(name, threads)
    while True:
        method, arguments = pipe.recv()
        if method == "stop":
            return
        try:
            pipe.send(getattr(side, method)(*arguments))
        except Exception as error:  # noqa: BLE001 - the error is the answer
            pipe.send(RuntimeError(f"{name}: {type(error).__name__}: {error}"))


class Process:
    """A side in another process, called like the side itself."""

    def __init__(self, name: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, name, threads), daemon=True)
        self.process.start()

    def __call__(self, method: str, *arguments: Any) -> Any:
        self.pipe.send((method, arguments))
        answer = self.pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stop(self) -> None:
        self.pipe.send(("stop", ()))
        self.process.join()


# ---- both libraries -----------------------------------------------------------------------------


def check_equal(ours: list, theirs: list, random: bool) -> None:
    """Raises ValueError unless both sides computed the same."""
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} results, PyTorch has {len(theirs)}")
    for one, other in zip(ours, theirs):
        if one.shape != other.shape or one.dtype != other.dtype:
            raise ValueError(f"{one.dtype}{one.shape}, PyTorch has {other.dtype}{other.shape}")
        if random:
            continue
        one, other = one.astype(float), other.astype(float)
        finite = np.isfinite(other)
        largest = np.abs(other[finite]).max(initial=1)
        error = np.abs(one[finite] - other[finite]).max(initial=0) / largest
        if error > DIFFERENCE or (np.isfinite(one) != finite).any():
            raise ValueError(f"results differ by {error:.1e} of the largest element")


class Line(NamedTuple):
    """A measured call."""

    label: str
    mode: str
    threads: int
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """PyTorch's time over ours."""
        return self.theirs / self.ours

    def __str__(self) -> str:
        return (
            f"{self.ratio:6.2f} {self.ours * 1e6:10.2f} {self.theirs * 1e6:10.2f}  {self.threads:7}  "
            f"{self.mode:8} {self.label}"
        )


def measure(
    sides: list[Process], entry: Entry, mode: str, threads: int, rounds: int
) -> Line | None:
    """Medians of both sides, or None if the entry has no gradient."""
    results = [side("prepare", entry, mode) for side in sides]
    if not results[1]:
        return None
    check_equal(*results, random=BY_NAME[entry.row].random)
    for side in sides:
        side("time", 5)
    once = [max(side("time", 3), 1e-7) for side in sides]
    seconds = LONG_ROUND_SECONDS if min(once) > 1e-4 else ROUND_SECONDS
    repeats = [max(1, min(2000, int(seconds / each))) for each in once]
    times: list[list[float]] = [[], []]
    for _ in range(rounds):
        for side, count, taken in zip(sides, repeats, times):
            if threads > 1:
                time.sleep(PAUSE)
            taken.append(side("time", count))
    return Line(str(entry), mode, threads, *(statistics.median(taken) for taken in times))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", help="time ops whose names contain one of these")
    parser.add_argument(
        "--part", type=int, nargs=2, metavar=("I", "N"), help="the I-th, from 0, of N parts"
    )
    parser.add_argument("--large", action="store_true", help="large sizes instead of small ones")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, help="write all figures to this file as well")
    options = parser.parse_args()
    if options.large:
        entries = large_entries()
    else:
        entries = [uniform(row) for row in ROWS if "float32" in row.dtypes]
    if options.only:
        entries = [e for e in entries if any(part in e.row for part in options.only)]
    if options.part:
        first, count = options.part
        entries = entries[first::count]

    lines, failed = [], []
    for threads in options.threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        sides = [Process("autograd", threads), Process("torch", threads)]
        for entry in entries:
            for mode in MODES:
                try:
                    line = measure(sides, entry, mode, threads, options.rounds)
                except (RuntimeError, ValueError) as error:
                    failed.append(f"{entry} ({mode}): {error}")
                    continue
                if line is not None:
                    lines.append(line)
                    print(line, file=sys.stderr, flush=True)
        for side in sides:
            side.stop()

    lines.sort(key=lambda line: line.ratio)
    print(f"{'ratio':>6} {'ours us':>10} {'torch us':>10}  threads  op")
    for line in lines:
        print(line)
    if lines:
        mean = math.exp(statistics.fmean(math.log(line.ratio) for line in lines))
        slower = sum(line.ratio < 1 for line in lines)
        print(f"{len(lines)} calls, geometric mean {mean:.2f}, {slower} slower than PyTorch")
    for text in failed:
        print(f"not timed: {text}")
    if options.json:
        options.json.write_text(json.dumps([line._asdict() for line in lines], indent=1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
