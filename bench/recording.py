"""What recording costs a small training step: blocks of a few steps, recorded and not, in turns; medians.

PYTHONPATH=python .venv/bin/python bench/recording.py [steps of a block]
"""

from __future__ import annotations

import statistics
import sys
import time

import autograd as ag

nn, F = ag.nn, ag.nn.functional


class Twice(nn.Module):
    """The layer of the seed workload."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 64), nn.Linear(64, 64)
        self.third = nn.Linear(64, 4, bias=False)

    def forward(self, x: ag.Tensor) -> ag.Tensor:
        return self.third(self.second(self.first(x).sigmoid()).relu())


def main() -> None:
    layer = Twice()
    optimizer = ag.optim.SGD(layer.parameters(), lr=0.05)
    x, classes = ag.rand(16, 4), ag.tensor([0, 1, 2, 3] * 4)

    def seconds(steps: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            loss = F.cross_entropy(layer(layer(x)), classes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
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
