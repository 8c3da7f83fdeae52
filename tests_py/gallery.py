"""The graphs of the gallery: small computations that between them have everything a drawing has to show."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import autograd as ag
from autograd import nn
from autograd.graph import Graph

F = nn.functional


@dataclass(frozen=True)
class Picture:
    """One entry: its function makes the graph; options are those of the drawing."""

    name: str
    title: str
    text: str
    make: Callable[[], Graph]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Drawing:
    """What the gallery shows of a graph."""

    name: str
    title: str
    text: str
    dot: str
    svg: str


PICTURES: list[Picture] = []


def picture(title: str, text: str, **options: Any) -> Callable[[Callable[[], Graph]], Any]:
    def add(make: Callable[[], Graph]) -> Callable[[], Graph]:
        name = make.__name__
        PICTURES.append(Picture(name, title, text, make, options))
        return make

    return add


def drawings() -> Iterator[Drawing]:
    """Every picture, as recorded and as it is executed when compiled."""
    for entry in PICTURES:
        graph = entry.make()
        yield drawing(entry, graph, entry.name, entry.title, entry.text)
        fused = graph.fuse()
        report = "\n".join(f"- {line}" for line in str(fused.report).splitlines())
        yield drawing(entry, fused, f"{entry.name}_fused", f"{entry.title}: fused", report + "\n")


def drawing(entry: Picture, graph: Graph, name: str, title: str, text: str) -> Drawing:
    # Lines of the program would change with every change of this file.
    svg = re.sub(r"\ncalled at: [^\n<]*", "", graph.svg(**entry.options))
    return Drawing(name, title, text, graph.dot(**entry.options), svg)


def parameter(*sizes: int) -> ag.Tensor:
    return ag.rand(*sizes).requires_grad_()


@picture(
    "Reuse",
    "`x` and `N` need no gradient, `P` and `p` do. One view feeds three operations, and its way back is drawn "
    "from a given gradient.",
)
def reuse() -> Graph:
    x, N = ag.rand(8, 16, 16), ag.rand(32, 32)
    P, p = parameter(16, 64), parameter(64)
    gradient = ag.rand(128, 32)
    with ag.graph.record() as graph:
        x1 = x.view(128, 16)
        r = x1.view(64, 32)
        a = x1 @ P + p.sigmoid()
        b = (x.view(64, 32) @ N).relu() + r
        y = a @ b
        y.backward(gradient)
    return graph


def branch(x: ag.Tensor) -> Graph:
    P, p = parameter(16, 64), parameter(64)
    with ag.graph.record() as graph:
        y = x.view(128, 16) @ P
        y = (y + p).relu() if y.max() > 0 else y.sigmoid()
        y = y.sum((0, 1))
    return graph


@picture(
    "A branch on data, one way",
    "The program decides by what it has computed. A recording holds what was done: here `relu(y + p)`,",
)
def branch_relu() -> Graph:
    return branch(ag.rand(8, 16, 16))


@picture("A branch on data, the other way", "and here `sigmoid(y)`.")
def branch_sigmoid() -> Graph:
    return branch(-ag.rand(8, 16, 16))


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for name, sizes in {"A": (8, 16), "a": (16,), "B": (16, 16), "b": (16,)}.items():
            self.register_parameter(name, nn.Parameter(ag.rand(*sizes)))
        self.C, self.c = nn.Parameter(ag.rand(16, 8)), nn.Parameter(ag.rand(8))

    def forward(self, x: ag.Tensor) -> ag.Tensor:
        r = x @ self.A
        h = (r + self.a).relu()
        h = (h @ self.B + r + self.b).sigmoid()
        return (h @ self.C + self.c).sigmoid()


@picture(
    "Shared weights",
    "One layer, called three times, each time added to its input; the weights are the same three times.",
)
def shared_weights() -> Graph:
    layer, D = Shared(), parameter(8, 2)
    x, target = ag.rand(2, 8), ag.tensor([0, 1])
    with ag.graph.record() as graph:
        for _ in range(3):
            x = x + layer(x)
        loss = F.cross_entropy(x @ D, target)
    assert loss.requires_grad
    return graph


class Twice(nn.Module):
    """A layer that is applied twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 64), nn.Linear(64, 64)
        self.third = nn.Linear(64, 4, bias=False)

    def forward(self, x: ag.Tensor) -> ag.Tensor:
        return self.third(self.second(self.first(x).sigmoid()).relu())


class SeedForward:
    """Two calls of the layer and the loss, on weights that need no transposition."""

    def __init__(self) -> None:
        sizes = {"A": (4, 64), "a": (64,), "B": (64, 64), "b": (64,), "C": (64, 4)}
        self.weights = {name: nn.Parameter(ag.rand(*size) - 0.5) for name, size in sizes.items()}
        self.x, self.classes = ag.rand(16, 4), ag.tensor([0, 1, 2, 3] * 4)

    def loss(self) -> ag.Tensor:
        A, a, B, b, C = self.weights.values()
        x = self.x
        for _ in range(2):
            x = ((x @ A + a).sigmoid() @ B + b).relu() @ C
        return F.cross_entropy(x, self.classes)


@picture(
    "A network applied twice, forward",
    "Every product and every sum is written out; fused, an operation holds one product and all that follows it.",
)
def seed_forward() -> Graph:
    seed = SeedForward()
    with ag.graph.record({**seed.weights, "x": seed.x, "classes": seed.classes}) as graph:
        loss = seed.loss()
    assert loss.requires_grad
    return graph


@picture(
    "A whole training step",
    "Forward, backward and the optimizer. Every tensor is drawn once; what one part makes and another reads has a "
    "thin line. The optimizer does the same to all parameters, which is drawn once, too.",
)
def training_step() -> Graph:
    layer = Twice()
    optimizer = ag.optim.SGD(layer.parameters(), lr=0.05)
    x, classes = ag.rand(16, 4), ag.tensor([0, 1, 2, 3] * 4)
    with ag.graph.record() as graph:
        loss = F.cross_entropy(layer(layer(x)), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return graph


@picture("A convolutional network", "Modules are boxes; what `Sequential` holds is inside.")
def convolutional_network() -> Graph:
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    x, classes = ag.rand(4, 1, 8, 8), ag.tensor([3, 1, 4, 1])
    with ag.graph.record() as graph:
        F.cross_entropy(model(x), classes)
    return graph


@picture("An LSTM", "A recurrent layer over a sequence, and a layer that reads its last output.")
def lstm() -> Graph:
    model, head = nn.LSTM(8, 16, batch_first=True), nn.Linear(16, 2)
    x = ag.rand(4, 5, 8)
    with ag.graph.record() as graph:
        output, _ = model(x)
        F.cross_entropy(head(output[:, -1]), ag.tensor([0, 1, 1, 0]))
    return graph


class Encoder(nn.Module):
    def __init__(self, layers: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 16)
        self.layers = nn.Sequential(
            *[
                nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
                for _ in range(layers)
            ]
        )
        self.head = nn.Linear(16, 10)

    def forward(self, tokens: ag.Tensor) -> ag.Tensor:
        return self.head(self.layers(self.embed(tokens)))


def encoder(layers: int) -> Graph:
    model, tokens = Encoder(layers), ag.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
    with ag.graph.record() as graph:
        model(tokens)
    return graph


@picture("A transformer of twelve equal layers", "Equal modules in a row are drawn once.")
def transformer() -> Graph:
    return encoder(12)


@picture(
    "The same with its modules closed",
    "`depth=2`, and from left to right.",
    depth=2,
    direction="LR",
)
def transformer_closed() -> Graph:
    return encoder(2)


@picture(
    "A double backward",
    "The gradient of a gradient's length: a graph whose backward pass was recorded itself.",
)
def double_backward() -> Graph:
    x, w = parameter(4, 3), parameter(3)
    with ag.graph.record() as graph:
        y = (x @ w).tanh().sum()
        (gradient,) = ag.autograd.grad(y, [x], create_graph=True)
        (gradient**2).sum().backward()
    return graph
