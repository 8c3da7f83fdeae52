"""A line search with the strong Wolfe conditions: the step along a direction that lowers the loss enough."""

from __future__ import annotations

import math
from typing import Callable, NamedTuple

from ..tensor import Tensor


class Point(NamedTuple):
    """What is known at one step length: the loss, the flat gradient, and the slope along the direction."""

    step: float
    loss: float
    grad: Tensor
    slope: float


def cubic_minimum(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """The step at which the cubic through losses and slopes of two points is least, within the bounds."""
    low, high = bounds or (min(a.step, b.step), max(a.step, b.step))
    if a.step > b.step:
        a, b = b, a
    try:
        d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step)
        d2 = math.sqrt(d1 * d1 - a.slope * b.slope)
        share = (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2)
    except (ValueError, ZeroDivisionError):
        return (low + high) / 2.0  # there is no such cubic, or it has no minimum
    return min(max(b.step - (b.step - a.step) * share, low), high)


class StrongWolfe:
    """The search from `start` (step 0): loss <= start + c1 * step * slope, and |slope| <= c2 * |slope at start|.

    evaluate(step) gives the point at a step length. At most `limit` points are tried.
    """

    def __init__(
        self,
        evaluate: Callable[[float], Point],
        start: Point,
        direction_size: float,
        limit: int,
        tolerance_change: float = 1e-9,
        c1: float = 1e-4,
        c2: float = 0.9,
    ) -> None:
        self._evaluate = evaluate
        self.start = start
        self.direction_size = direction_size
        self.limit = limit
        self.tolerance_change = tolerance_change
        self.c1, self.c2 = c1, c2
        self.evaluations = 0
        self.iterations = 0

    def evaluate(self, step: float) -> Point:
        """The point at a step length, counted."""
        self.evaluations += 1
        return self._evaluate(step)

    def _is_too_high(self, point: Point) -> bool:
        return point.loss > self.start.loss + self.c1 * point.step * self.start.slope

    def _is_flat(self, point: Point) -> bool:
        return abs(point.slope) <= -self.c2 * self.start.slope

    def search(self, first_step: float) -> Point:
        """The best point that was found."""
        done, ends = self._bracket(first_step)
        if done:
            return ends[0]
        return self._zoom(ends)

    def _bracket(self, step: float) -> tuple[bool, list[Point]]:
        """Steps out until two points enclose one that fulfils the conditions, or a point does so itself."""
        previous, point = self.start, self.evaluate(step)
        while self.iterations < self.limit:
            if self._is_too_high(point) or (self.iterations > 1 and point.loss >= previous.loss):
                return False, [previous, point]
            if self._is_flat(point):
                return True, [point]
            if point.slope >= 0:
                return False, [previous, point]
            least, most = point.step + 0.01 * (point.step - previous.step), point.step * 10
            step = cubic_minimum(previous, point, (least, most))
            previous, point = point, self.evaluate(step)
            self.iterations += 1
        return False, [self.start, point]

    def _zoom(self, ends: list[Point]) -> Point:
        """Narrows the bracket until a point fulfils the conditions."""
        low, high = (0, 1) if ends[0].loss <= ends[1].loss else (1, 0)
        stuck = False
        while self.iterations < self.limit:
            if abs(ends[1].step - ends[0].step) * self.direction_size < self.tolerance_change:
                break
            step, stuck = self._inside(cubic_minimum(ends[0], ends[1]), ends, stuck)
            point = self.evaluate(step)
            self.iterations += 1
            if self._is_too_high(point) or point.loss >= ends[low].loss:
                ends[high] = point
                low, high = (0, 1) if ends[0].loss <= ends[1].loss else (1, 0)
                continue
            done = self._is_flat(point)
            if not done and point.slope * (ends[high].step - ends[low].step) >= 0:
                ends[high] = ends[low]
            ends[low] = point
            if done:
                break
        return ends[low]

    @staticmethod
    def _inside(step: float, ends: list[Point], stuck: bool) -> tuple[float, bool]:
        """The step, moved a tenth of the bracket inwards if it stays close to an end; and whether it is close."""
        least, most = sorted(end.step for end in ends)
        margin = 0.1 * (most - least)
        if not min(most - step, step - least) < margin:
            return step, False
        if not (stuck or step >= most or step <= least):
            return step, True
        return (most - margin if abs(step - most) < abs(step - least) else least + margin), False
