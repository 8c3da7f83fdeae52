"""Trains a small network on real handwritten digits: ``python -m autograd.demo``.

Shows the progress, the accuracy on images the network never saw and the time per step, and writes
the graph of one training step and the learning curves as pictures.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import autograd as ag
from autograd._chart import Panel, Series, line_chart
from autograd.datasets import Digits, load_digits

_BAR = 28


class Epoch(NamedTuple):
    """What one pass over the training images came to."""

    loss: float
    train_accuracy: float
    test_accuracy: float
    seconds: float


class Failure(Exception):
    """A mistake that the user can put right; its text says how."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demo; returns the exit status."""
    options = _parse(arguments)
    try:
        _run(options)
    except Failure as failure:
        print(f"autograd.demo: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nautograd.demo: stopped", file=sys.stderr)
        return 130
    return 0


def _run(options: argparse.Namespace) -> None:
    out = _output_folder(options.out)
    ag.manual_seed(options.seed)
    train, test = load_digits().split(seed=options.seed)
    model = ag.nn.Sequential(
        ag.nn.Linear(64, options.hidden), ag.nn.ReLU(), ag.nn.Linear(options.hidden, 10)
    )
    weights = sum(p.numel() for p in model.parameters())
    shape = f"64-{options.hidden}-10"
    print(f"autograd {ag.__version__} learns to read 8 x 8 handwritten digits")
    print(f"{_count(train)} images to learn from, {_count(test)} held out for the test")
    print(f"network {shape} with relu, {weights:,} weights, SGD with learning rate {options.lr:g}")

    epochs = []
    for epoch in _train(model, train, test, options):
        epochs.append(epoch)
        if not options.no_progress:
            _show_progress(epochs, options.epochs)
    last = epochs[-1]
    steps = options.epochs * math.ceil(_count(train) / options.batch_size)
    seconds = sum(epoch.seconds for epoch in epochs)
    pace = f"{steps:,} steps in {seconds:.2f} s, {1e6 * seconds / steps:.0f} us a step"
    right = round(last.test_accuracy * _count(test))
    print(f"test accuracy {last.test_accuracy:.3f} ({right} of {_count(test)} held-out images)")
    print(pace)
    if last.test_accuracy < 0.5:
        print("(that is little better than guessing: try a smaller --lr, or more --epochs)")

    title = f"Learning to read {_count(train):,} handwritten digits"
    note = f"network {shape}, {weights:,} weights, test accuracy {last.test_accuracy:.3f}; {pace}"
    written = _write_graph(out, model, train, options.batch_size)
    curves = out / "curves.svg"
    curves.write_text(_curves(title, note, epochs), encoding="utf-8")
    print("written: " + ", ".join(str(path) for path in [*written, curves]))


def _train(model: ag.nn.Module, train: Digits, test: Digits, options: argparse.Namespace):
    """Yields an Epoch after each pass; its seconds are those of the training steps alone."""
    loss_of = ag.nn.CrossEntropyLoss()
    optimizer = ag.optim.SGD(model.parameters(), lr=options.lr, momentum=0.9)
    size, count = options.batch_size, _count(train)
    for _ in range(options.epochs):
        losses = []
        started = perf_counter()
        order = ag.randperm(count)
        images, digits = train.data.index_select(0, order), train.target.index_select(0, order)
        for start in range(0, count, size):
            loss = loss_of(model(images[start : start + size]), digits[start : start + size])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        seconds = perf_counter() - started
        mean = sum(losses) / len(losses)
        if not math.isfinite(mean):
            raise Failure("the loss became infinite: the steps are too long, try a smaller --lr")
        yield Epoch(mean, _accuracy(model, train), _accuracy(model, test), seconds)


def _accuracy(model: ag.nn.Module, digits: Digits) -> float:
    with ag.no_grad():
        return (model(digits.data).argmax(1) == digits.target).sum().item() / _count(digits)


def _count(digits: Digits) -> int:
    return digits.data.shape[0]


def _show_progress(epochs: list[Epoch], total: int) -> None:
    """One line that redraws itself on a terminal; ten lines in all where the output is a file."""
    done, last = len(epochs), epochs[-1]
    terminal = sys.stdout.isatty()
    if not terminal and done != total and done * 10 // total == (done - 1) * 10 // total:
        return
    full, empty = _bar_characters()
    filled = _BAR * done // total
    line = (
        f"epoch {done:{len(str(total))}}/{total} {full * filled}{empty * (_BAR - filled)} "
        f"loss {last.loss:.4f}  train {100 * last.train_accuracy:5.1f} %  "
        f"test {100 * last.test_accuracy:5.1f} %"
    )
    end = "" if terminal and done < total else "\n"
    print(f"\r{line}" if terminal else line, end=end, flush=True)


def _bar_characters() -> tuple[str, str]:
    try:
        "█░".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return "#", "."
    return "█", "░"


def _write_graph(out: Path, model: ag.nn.Module, train: Digits, size: int) -> list[Path]:
    """The graph of one training step's loss: as DOT, as a picture, and as a page to explore it with."""
    images, digits = train.data[:size], train.target[:size]
    loss = ag.nn.functional.cross_entropy(model(images), digits)
    named = {"images": images, "digits": digits, **dict(model.named_parameters())}
    graph = ag.graph.from_tensor(loss, named)
    paths = [out / "graph.dot", out / "graph.svg", out / "graph.html"]
    for path in paths:
        graph.save(path)
    return paths


def _curves(title: str, note: str, epochs: list[Epoch]) -> str:
    losses = [epoch.loss for epoch in epochs]
    log = min(losses) > 0 and max(losses) > 20 * min(losses)
    panels = [
        Panel("Loss (log scale)" if log else "Loss", [Series("train", losses, 0)], log=log),
        Panel(
            "Accuracy",
            [
                Series("train", [epoch.train_accuracy for epoch in epochs], 1),
                Series("test", [epoch.test_accuracy for epoch in epochs], 2),
            ],
            percent=True,
        ),
    ]
    return line_chart(title, note, panels, "epoch")


def _output_folder(name: str) -> Path:
    """The folder, made and tried before any work is done."""
    out = Path(name)
    probe = out / ".writable"
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        reason = error.strerror or error
        raise Failure(f"cannot write to {out} ({reason}); choose a folder with --out") from error
    return out


def _positive_int(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return value


def _positive_float(text: str) -> float:
    value = float(text)
    if not (value > 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text}")
    return value


_positive_int.__name__ = "whole number"
_positive_float.__name__ = "number"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m autograd.demo", description="Trains a small network on handwritten digits."
    )
    add = parser.add_argument
    add("--epochs", type=_positive_int, default=60, help="passes over the images (60)")
    add("--lr", type=_positive_float, default=0.05, help="learning rate (0.05)")
    add("--batch-size", type=_positive_int, default=32, help="images per step (32)")
    add("--hidden", type=_positive_int, default=64, help="width of the hidden layer (64)")
    add("--seed", type=int, default=0, help="of the split, the weights and the order (0)")
    add("--out", default="autograd-demo", help="folder for the pictures (./autograd-demo)")
    add("--no-progress", action="store_true", help="do not show the progress bar")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
