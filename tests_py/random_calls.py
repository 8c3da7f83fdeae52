"""Calls functions of the user's and of the package's in random order, in several threads, and compares lines.

The line that the library finds must be the one that Python's frames say. Code objects are freed and made all the while,
and functions are alike, so that frames and code lie again and again where others lay before.

    PYTHONPATH=python python tests_py/random_calls.py [seed]
"""

from __future__ import annotations

import random
import sys
import threading
from types import FrameType
from typing import Any, Callable

from autograd import location
from autograd._capi import PACKAGE, lib

BODY = """\
def probe(found):
    found((here(), expected(frame())))
def call(plan, found):
    if not plan:
        return probe(found)
    {locals}kind, function, *rest = plan[0]
    plan = plan[1:]
    if kind == 0:
        return function(plan, found)
    if kind == 1:
        function(plan, found)
        return function(plan, found)
    if kind == 2:
        return list(map(function, [plan], [found]))
    if kind == 3:
        return [function(plan, found) for _ in range(2)]
    if kind == 4:
        return list(steps(function, plan, found))
    return sorted([1], key=lambda _: function(plan, found))
def steps(function, plan, found):
    yield function(plan, found)
    yield function(plan,
                   found)
"""
KINDS = 6


def expected(frame: FrameType | None) -> tuple[str, int] | None:
    """The innermost line outside of the package, by Python's own account."""
    while frame is not None and frame.f_code.co_filename.startswith(str(PACKAGE)):
        frame = frame.f_back
    return frame and (frame.f_code.co_filename, frame.f_lineno)


def make(draw: random.Random) -> Callable[..., Any]:
    """A function at a random line of a file of the user's or of the package's."""
    number = draw.randrange(5)
    file = f"<cell {number}>" if draw.random() < 0.4 else str(PACKAGE / f"part{number}.py")
    body = BODY.format(locals=draw.choice(["", "a = b = c = plan; "]))
    space = {"here": lib.ag_location_here, "expected": expected, "frame": sys._getframe}
    exec(compile("\n" * draw.randrange(7) + body, file, "exec"), space)
    return space["call"]


def run(seed: int, rounds: int, wrong: list[Any], counts: list[int]) -> None:
    draw = random.Random(seed)
    functions = [make(draw) for _ in range(12)]
    plans: list[list[Any]] = []
    for i in range(rounds):
        if i % 40 == 0:
            plans = []  # holds functions
            functions[draw.randrange(12)] = make(draw)
        if i % 4 == 0 or not plans:
            depth = draw.choice([0, 1, 2, 3, 5, 8, 20])
            kinds = [draw.randrange(KINDS) if draw.random() < 0.4 else 0 for _ in range(depth)]
            if depth > 8:
                kinds = [0] * depth
            plans.append([(kind, draw.choice(functions)) for kind in kinds])
        plan = draw.choice(plans[-5:])
        found: list[Any] = []
        draw.choice(functions)(plan, found.append)
        counts.append(len(found))
        for number, known in found:
            at = location.location(number)
            if (at and (at.file, at.line)) != known:
                wrong.append((at, known))


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    wrong: list[Any] = []
    counts: list[int] = []
    run(seed, 2000, wrong, counts)
    threads = [threading.Thread(target=run, args=(seed + i, 600, wrong, counts)) for i in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{len(wrong)} wrong of {sum(counts)}", *wrong[:3])


if __name__ == "__main__":
    main()
