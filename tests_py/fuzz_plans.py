"""Loads files of plans that are wrong somewhere, and runs those that load: the fuzzer's target "plans"."""

from __future__ import annotations

import collections
import os
import random
import tempfile
from pathlib import Path
from typing import Any, Callable

import plan_mutants as files

# Operations that only passes make: no file has them, unless somebody writes them into it.
OF_PASSES = [
    b"mm_pair",
    b"cross_entropy_step",
    b"linear_cross_entropy",
    b"linear_cross_entropy_step",
]
DTYPES = ["float32", "float64", "int32", "int64", "uint8", "bool"]


class Plans:
    """Mutants of the files in the folder that PLAN_EXAMPLES names, and of files with one call of any operation."""

    def __init__(self, rng: random.Random) -> None:
        import autograd as ag

        self.rng, self.ag = rng, ag
        folder = Path(os.environ["PLAN_EXAMPLES"])
        self.originals = [path.read_bytes() for path in sorted(folder.glob("*.plan"))]
        assert self.originals, f"no plans in {folder}"
        self.functions = self.originals
        self.names = sorted({op["name"] for data in self.originals
                             for capture in files.captures(files.parse(data)) for op in capture["ops"]})  # fmt: skip
        self.names += OF_PASSES
        self.counts: collections.Counter[str] = collections.Counter()
        self.file = tempfile.NamedTemporaryFile(suffix=".plan", dir=shared_memory())  # noqa: SIM115
        for data in self.originals:
            assert files.serialize(files.parse(data)) == data
            self.write(data)
            ag.load_plan(self.file.name)

    def write(self, data: bytes) -> None:
        Path(self.file.name).write_bytes(data)

    def call(self, note: Callable[[str], None]) -> None:
        """One file: an error, or plans that run or raise."""
        rng, ag = self.rng, self.ag
        if rng.random() < 0.2:
            data = files.soup(rng, rng.choice(self.names))
        else:
            data = files.mutant(rng, rng.choice(self.originals), self.originals, self.names)
        note(f"load_plan(bytes.fromhex({data.hex()!r}))")
        self.write(data)
        try:
            plan = ag.load_plan(self.file.name, max_bytes=1 << 26)
        except ValueError as error:
            assert "not a plan that can be used: " in str(error), error
            self.counts["refused"] += 1
            return
        self.counts["loaded"] += 1
        for capture in files.captures(files.parse(data)):
            try:
                with ag.set_grad_enabled(bool(capture["grad_enabled"])):
                    inputs = [self.input(each) for each in capture["inputs"]]
                    for _ in range(2):
                        plan(*inputs)
            except (
                RuntimeError,
                ValueError,
                IndexError,
                TypeError,
                NotImplementedError,
                MemoryError,
            ):
                self.counts["raised"] += 1
            else:
                self.counts["ran"] += 1
        plan.graph().text()

    def input(self, given: dict[str, Any]) -> Any:
        """A tensor of the geometry that a plan expects, if it is a plain one."""
        rng, ag = self.rng, self.ag
        sizes = [min(size, 64) for size in given["sizes"]]
        dtype = DTYPES[given["dtype"]]
        values = ag.rand(sizes) * 4 if dtype.startswith("float") else ag.randint(-2, 6, sizes)
        return values.to(getattr(ag, dtype)).requires_grad_(
            bool(given["grad"]) and rng.random() < 0.9
        )

    def check(self) -> None:
        """The library still computes, and a good file still loads."""
        ag = self.ag
        assert ag.ones(2).sum().item() == 2
        self.write(self.originals[0])
        ag.load_plan(self.file.name)

    def report(self) -> str:
        return ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))


def shared_memory() -> str | None:
    """Where files cost least."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
