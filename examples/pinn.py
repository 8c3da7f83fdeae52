"""A network solves a differential equation: u'' = -pi^2 sin(pi x) with u(0) = u(1) = 0, so u = sin(pi x).

The loss holds second derivatives of the network in x, and training takes their gradients in the weights.

python examples/pinn.py [--torch | --compare]
"""

import math

from either_library import Task, main

POINTS = 32


def make(ag):
    nn = ag.nn
    model = nn.Sequential(
        nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
    )
    inside = ag.tensor([[(i + 0.5) / POINTS] for i in range(POINTS)], requires_grad=True)
    ends = ag.tensor([[0.0], [1.0]])
    right_side = ag.tensor(
        [[-(math.pi**2) * math.sin(math.pi * (i + 0.5) / POINTS)] for i in range(POINTS)]
    )

    def loss_of(step):
        u = model(inside)
        (slope,) = ag.autograd.grad(u.sum(), inside, create_graph=True)
        (curvature,) = ag.autograd.grad(slope.sum(), inside, create_graph=True)
        return ((curvature - right_side) ** 2).mean() + 100 * (model(ends) ** 2).mean()

    def report():
        x = [i / 50 for i in range(51)]
        with ag.no_grad():
            u = model(ag.tensor(x).reshape(-1, 1)).reshape(-1).tolist()
        error = max(abs(a - math.sin(math.pi * b)) for a, b in zip(u, x))
        return f"largest error of u on [0, 1]: {error:.4f}", error < 0.05

    return Task(model, loss_of, report)


if __name__ == "__main__":
    main(make, steps=800, lr=5e-3)
