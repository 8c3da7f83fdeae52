"""Times second-order training and the transforms of func against PyTorch, eager, one thread.

The first row is a physics-informed network: 1-32-32-1 with tanh, 64 points of [0, 1], trained with Adam to solve
u'' = -pi^2 sin(pi x) with u(0) = u(1) = 0; u'' comes from autograd.grad with create_graph, twice. The others are a
Hessian, gradients for each sample, a Jacobian and a product of Hessian and vector of small networks. Both sides start
from the same numbers; their results are compared before anything is timed. They take turns, and medians are reported.

    python bench/second_order.py [--rounds 40]
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
from time import perf_counter_ns
from types import ModuleType
from typing import Any, Callable

import autograd as ag

try:
    import torch
except ImportError:
    torch = None

POINTS, HIDDEN = 64, 32
CHECKED_STEPS = 25


def numbers(count: int, scale: float, seed: int) -> list[float]:
    """The same numbers for every side."""
    rng = random.Random(seed)
    return [rng.uniform(-scale, scale) for _ in range(count)]


def filled(lib: ModuleType, *sizes: int, scale: float = 1.0, seed: int = 0) -> Any:
    """A tensor of the numbers."""
    return lib.tensor(numbers(math.prod(sizes), scale, seed)).reshape(sizes)


def network(lib: ModuleType, *widths: int) -> Any:
    """An MLP with tanh."""
    layers = []
    for i, (n_in, n_out) in enumerate(zip(widths, widths[1:])):
        layer = lib.nn.Linear(n_in, n_out)
        with lib.no_grad():
            bound = 1 / math.sqrt(n_in)
            layer.weight.copy_(filled(lib, n_out, n_in, scale=bound, seed=2 * i))
            layer.bias.copy_(filled(lib, n_out, scale=bound, seed=2 * i + 1))
        layers += [layer, lib.nn.Tanh()]
    return lib.nn.Sequential(*layers[:-1])


class Pinn:
    """Training of the physics-informed network; a call makes one step and returns the loss."""

    def __init__(self, lib: ModuleType) -> None:
        self.lib, self.model = lib, network(lib, 1, HIDDEN, HIDDEN, 1)
        self.x = lib.tensor([[i / (POINTS - 1)] for i in range(POINTS)]).requires_grad_()
        self.ends = lib.tensor([[0.0], [1.0]])
        self.source = -(math.pi**2) * lib.sin(math.pi * self.x.detach())
        self.optimizer = lib.optim.Adam(self.model.parameters(), lr=1e-3)

    def __call__(self) -> Any:
        grad = self.lib.autograd.grad
        u = self.model(self.x)
        (u_x,) = grad(u.sum(), self.x, create_graph=True)
        (u_xx,) = grad(u_x.sum(), self.x, create_graph=True)
        loss = ((u_xx - self.source) ** 2).mean() + (self.model(self.ends) ** 2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss


def per_sample_gradients(lib: ModuleType) -> Callable[[], Any]:
    """The gradient of the loss of each of 64 samples by all parameters of an MLP 16-64-64-4."""
    model = network(lib, 16, 64, 64, 4)
    params = {name: p.detach() for name, p in model.named_parameters()}
    x, y = filled(lib, 64, 16), filled(lib, 64, 4, seed=1)

    def loss(params: Any, x: Any, y: Any) -> Any:
        return ((lib.func.functional_call(model, params, (x,)) - y) ** 2).mean()

    each = lib.func.vmap(lib.func.grad(loss), in_dims=(None, 0, 0))
    return lambda: each(params, x, y)


def hessian(lib: ModuleType) -> Callable[[], Any]:
    """The Hessian of an MLP 8-16-1 by its input."""
    model = network(lib, 8, 16, 1)
    x = filled(lib, 8)
    second = lib.func.hessian(lambda x: model(x).sum())
    return lambda: second(x)


def jacobian(lib: ModuleType) -> Callable[[], Any]:
    """The Jacobian of an MLP 8-32-8 by its input, in reverse mode."""
    model = network(lib, 8, 32, 8)
    x = filled(lib, 8)
    first = lib.func.jacrev(model)
    return lambda: first(x)


def hessian_product(lib: ModuleType) -> Callable[[], Any]:
    """A Hessian of an MLP 16-32-1 by its input times a vector."""
    model = network(lib, 16, 32, 1)
    x, v = filled(lib, 16), filled(lib, 16, seed=1)
    return lambda: lib.autograd.functional.hvp(lambda x: model(x).sum(), x, v)[1]


TASKS = {
    "train a PINN 1-32-32-1, 64 points": Pinn,
    "64 per-sample gradients, MLP 16-64-64-4": per_sample_gradients,
    "Hessian, MLP 8-16-1": hessian,
    "Jacobian, MLP 8-32-8": jacobian,
    "Hessian times vector, MLP 16-32-1": hessian_product,
}


def flat(result: Any) -> list[float]:
    """All elements of a tensor or a dict of tensors."""
    if isinstance(result, dict):
        return [x for value in result.values() for x in flat(value)]
    return result.detach().reshape(-1).tolist()


def check(name: str, sides: dict[str, Callable[[], Any]]) -> None:
    """Both sides compute the same, over several steps where there is something to train."""
    for _ in range(CHECKED_STEPS):
        results = [flat(step()) for step in sides.values()]
        for ours, theirs in zip(results[0], results[-1]):
            if not math.isclose(ours, theirs, rel_tol=2e-3, abs_tol=1e-4):
                raise SystemExit(f"{name}: the sides differ, {ours} against {theirs}")


def microseconds(step: Callable[[], Any], repeats: int) -> float:
    """Of one call."""
    start = perf_counter_ns()
    for _ in range(repeats):
        step()
    return (perf_counter_ns() - start) / repeats / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    libraries = {"autograd": ag}
    if torch is not None:
        torch.set_num_threads(1)
        libraries["torch"] = torch
    print(f"{'':42}" + "".join(f"{name:>12}" for name in libraries) + "   us, median")
    for name, make in TASKS.items():
        sides = {side: make(lib) for side, lib in libraries.items()}
        check(name, sides)
        times: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(options.rounds):
            for side, step in sides.items():
                times[side].append(microseconds(step, options.repeats))
        medians = [statistics.median(each) for each in times.values()]
        ratio = f"{medians[-1] / medians[0]:8.1f}x" if len(medians) > 1 else ""
        print(f"{name:42}" + "".join(f"{m:12.1f}" for m in medians) + ratio)


if __name__ == "__main__":
    main()
