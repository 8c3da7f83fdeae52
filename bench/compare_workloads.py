"""The models of bench/compare.py, written once for this library and PyTorch: their code is the same.

Each workload makes its model, its data and one training step from `lib`, which is autograd or torch. Weights come from
Python's own random numbers, so that every side starts from the same.
"""

from __future__ import annotations

import math
import random
from types import ModuleType
from typing import Any, Callable, NamedTuple


class Workload(NamedTuple):
    """A training step, the tensors of one epoch whose rows are taken batch by batch, and its parameters."""

    step: Callable[..., Any]
    data: tuple[Any, ...]
    batch: int
    parameters: list[Any]


def numbers(rng: random.Random, count: int, scale: float = 1.0) -> list[float]:
    return [rng.uniform(-scale, scale) for _ in range(count)]


def values(lib: ModuleType, rng: random.Random, *shape: int, scale: float = 1.0) -> Any:
    return lib.tensor(numbers(rng, math.prod(shape), scale)).reshape(*shape)


def fill(lib: ModuleType, module: Any, rng: random.Random) -> list[Any]:
    """Gives all parameters numbers within 1 / sqrt(inputs), as PyTorch does for linear layers."""
    parameters = list(module.parameters())
    with lib.no_grad():
        for p in parameters:
            fan = math.prod(p.shape[1:]) if len(p.shape) > 1 else p.shape[0]
            p.copy_(values(lib, rng, *p.shape, scale=1 / math.sqrt(fan)))
    return parameters


def trained(lib: ModuleType, optimizer: Any, loss_of: Callable[..., Any]) -> Callable[..., Any]:
    def step(*batch: Any) -> Any:
        loss = loss_of(*batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def classes(lib: ModuleType, rng: random.Random, rows: int, count: int) -> Any:
    return lib.tensor([rng.randrange(count) for _ in range(rows)])


def seed(lib: ModuleType) -> Workload:
    """The layer 4-64-64-4 applied twice, softmax cross entropy, SGD; batch 16."""
    rng, nn = random.Random(0), lib.nn
    layer = nn.Sequential(
        nn.Linear(4, 64), nn.Sigmoid(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4, bias=False)
    )
    parameters = fill(lib, layer, rng)
    loss_of = nn.CrossEntropyLoss()
    x = values(lib, rng, 640, 4)
    one_hot = lib.eye(4)[classes(lib, rng, 640, 4)]
    optimizer = lib.optim.SGD(parameters, lr=0.05)
    step = trained(lib, optimizer, lambda x, y: loss_of(layer(layer(x)), y))
    return Workload(step, (x, one_hot), 16, parameters)


def digits(lib: ModuleType) -> Workload:
    """The MLP 64-32-10 with Adam; batch 32."""
    rng, nn = random.Random(1), lib.nn
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    parameters = fill(lib, model, rng)
    loss_of = nn.CrossEntropyLoss()
    data = values(lib, rng, 640, 64), classes(lib, rng, 640, 10)
    optimizer = lib.optim.Adam(parameters, lr=1e-3)
    return Workload(
        trained(lib, optimizer, lambda x, y: loss_of(model(x), y)), data, 32, parameters
    )


def cnn(lib: ModuleType) -> Workload:
    """LeNet on 28 x 28 images: two convolutions with max pooling, three linear layers, SGD with momentum; batch 8."""
    rng, nn = random.Random(2), lib.nn
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    parameters = fill(lib, model, rng)
    loss_of = nn.CrossEntropyLoss()
    data = values(lib, rng, 64, 1, 28, 28), classes(lib, rng, 64, 10)
    optimizer = lib.optim.SGD(parameters, lr=0.01, momentum=0.9)
    return Workload(trained(lib, optimizer, lambda x, y: loss_of(model(x), y)), data, 8, parameters)


def lstm(lib: ModuleType) -> Workload:
    """An LSTM of 32 units over 20 steps of 8 features, a linear layer on the last, Adam; batch 16."""
    rng, nn = random.Random(3), lib.nn
    cells, head = nn.LSTM(8, 32, batch_first=True), nn.Linear(32, 4)
    parameters = fill(lib, cells, rng) + fill(lib, head, rng)
    loss_of = nn.CrossEntropyLoss()
    data = values(lib, rng, 128, 20, 8), classes(lib, rng, 128, 4)
    optimizer = lib.optim.Adam(parameters, lr=1e-3)
    return Workload(
        trained(lib, optimizer, lambda x, y: loss_of(head(cells(x)[0][:, -1]), y)),
        data,
        16,
        parameters,
    )


def transformer(lib: ModuleType) -> Workload:
    """One block: layer norm, attention with 4 heads, layer norm, 64-128-64 with GELU; 16 tokens of 64; batch 4."""
    rng, nn, f = random.Random(4), lib.nn, lib.nn.functional
    parts = nn.ModuleList(
        [nn.LayerNorm(64), nn.Linear(64, 192), nn.Linear(64, 64),
         nn.LayerNorm(64), nn.Linear(64, 128), nn.Linear(128, 64)]
    )  # fmt: skip
    parameters = fill(lib, parts, rng)
    norm1, qkv, out, norm2, up, down = parts

    def block(x: Any) -> Any:
        n, t, d = x.shape
        q, k, v = qkv(norm1(x)).reshape(n, t, 3, 4, d // 4).permute(2, 0, 3, 1, 4)
        mixed = f.scaled_dot_product_attention(q, k, v)
        x = x + out(mixed.transpose(1, 2).reshape(n, t, d))
        return x + down(f.gelu(up(norm2(x))))

    data = values(lib, rng, 32, 16, 64), values(lib, rng, 32, 16, 64)
    optimizer = lib.optim.AdamW(parameters, lr=1e-3)
    return Workload(
        trained(lib, optimizer, lambda x, y: f.mse_loss(block(x), y)), data, 4, parameters
    )


def pinn(lib: ModuleType) -> Workload:
    """u'' = -sin x with u from a tanh network 1-32-32-1, by second derivatives; 32 points; Adam."""
    rng, nn = random.Random(5), lib.nn
    model = nn.Sequential(
        nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
    )
    parameters = fill(lib, model, rng)
    grad = lib.autograd.grad

    def loss_of(points: Any) -> Any:
        x = points.detach().clone().requires_grad_()
        u = model(x)
        (du,) = grad(u.sum(), x, create_graph=True)
        (ddu,) = grad(du.sum(), x, create_graph=True)
        return ((ddu + lib.sin(x)) ** 2).mean()

    data = (values(lib, rng, 256, 1, scale=3.0),)
    optimizer = lib.optim.Adam(parameters, lr=1e-3)
    return Workload(trained(lib, optimizer, loss_of), data, 32, parameters)


def deep(lib: ModuleType) -> Workload:
    """50 linear layers of width 16 with tanh, SGD; batch 16."""
    rng, nn = random.Random(6), lib.nn
    layers = [each for _ in range(50) for each in (nn.Linear(16, 16), nn.Tanh())]
    model = nn.Sequential(*layers)
    parameters = fill(lib, model, rng)
    data = values(lib, rng, 128, 16), values(lib, rng, 128, 16)
    optimizer = lib.optim.SGD(parameters, lr=0.01)
    return Workload(
        trained(lib, optimizer, lambda x, y: lib.nn.functional.mse_loss(model(x), y)),
        data,
        16,
        parameters,
    )


WORKLOADS = {
    "seed": seed,
    "digits": digits,
    "cnn": cnn,
    "lstm": lstm,
    "transformer": transformer,
    "pinn": pinn,
    "deep": deep,
}
