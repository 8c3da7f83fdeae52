"""Writes files of plans for the fuzzer: python tests_py/plan_examples.py FOLDER.

One for every operation of the table with its gradient, and a few training steps.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any, Callable

from op_table import ROWS
from test_compile import OPTIMIZERS, batches, mlp, training_step
from test_compile_ops import arguments, function_of

import autograd as ag
from autograd import nn

CASES = 3  # of a row


def saved(step: Any, path: Path) -> None:
    try:
        step.save(path)
    except RuntimeError as error:  # no plan, or operations that are not written
        print(f"{path.stem}: {error}", file=sys.stderr)


def operations(folder: Path) -> None:
    for row in ROWS:
        cases = [one for one in row.cases if all(n <= 6 for x in row.fill(one) for n in x.shape)]
        for i, one in enumerate(cases[:CASES]):
            dtype = "float32" if i != 1 else "float64"
            step = ag.compile(function_of(row, one))
            try:
                for _ in range(3):
                    step(*arguments(row, one, dtype))
            except (RuntimeError, ValueError, IndexError, NotImplementedError):
                continue  # what is refused is tested elsewhere
            if "1 plans" in step.explain():
                saved(step, folder / f"op-{row.name}-{i}.plan")


def classifying_step(model: Any, optimizer: Any) -> Callable[..., Any]:
    def step(x: Any, classes: Any) -> Any:
        loss = nn.functional.cross_entropy(model(x), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def training_steps(folder: Path) -> None:
    def trained(name: str, make: Callable[[Any], Any], *layers: Any) -> None:
        model = mlp(extra=layers)
        step = ag.compile(training_step(model, make(model.parameters())))
        for batch in batches(5):
            step(*batch)
        for batch in batches(3, rows=2):
            step(*batch)
        saved(step, folder / f"train-{name}.plan")

    for name, make in OPTIMIZERS.items():
        trained(name, make)
    for layer in (nn.BatchNorm1d(8), nn.Dropout(0.2), nn.LayerNorm(8)):
        trained(type(layer).__name__, OPTIMIZERS["adam"], layer)
    model = mlp()
    optimizer = OPTIMIZERS["sgd"](model.parameters())
    step = ag.compile(classifying_step(model, optimizer))
    for x, _ in batches(5):
        step(x, ag.randint(0, 2, (len(x),)))
    saved(step, folder / "train-classes.plan")
    images(folder)
    weight = ag.randn(3, 4)
    row = weight[1]  # shares its memory
    step = ag.compile(lambda x: (row.add_(x.sum(0)[:4]), weight * 2)[1])
    for _ in range(4):
        step(ag.ones(2, 4))
    saved(step, folder / "shared-memory.plan")


def images(folder: Path) -> None:
    """Large enough for convolutions and norm layers to take in what stands around them; two structures of arguments."""
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.GroupNorm(2, 8), nn.GELU(), nn.Flatten(), nn.Linear(8 * 11 * 11, 3),
    )  # fmt: skip
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1)

    @ag.compile
    def step(x: Any, y: Any = None) -> Any:
        if y is None:
            return {"classes": model(x).detach()}
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(4):
        step(ag.randn(5, 1, 24, 24), ag.randint(0, 3, (5,))), step(ag.randn(5, 1, 24, 24))
    assert "pieces: " in step.explain()
    saved(step, folder / "train-images.plan")


def main() -> None:
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    training_steps(folder)
    operations(folder)


if __name__ == "__main__":
    main()
