"""Networks of convolutions, norm layers, pooling and activations: compiled and not, they give the same bits."""

import random

import pytest

import autograd as ag
from autograd import nn

ACTIVATIONS = [nn.ReLU, nn.GELU, nn.Sigmoid, nn.SiLU, nn.Tanh, nn.LeakyReLU, nn.ELU]


class Residual(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return x + self.inner(x) * 0.5


def norm_of(rng, channels):
    kind = rng.choice(["batch", "two groups", "groups of one", "instance", "none"])
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "instance":
        return nn.InstanceNorm2d(channels)
    if kind == "none":
        return nn.Identity()
    return nn.GroupNorm(2 if kind == "two groups" else channels, channels)


def conv_of(rng, channels, filters):
    size = rng.choice([1, 3])
    return rng.choice(
        [nn.Conv2d(channels, filters, size, padding=size // 2, groups=rng.choice([1, 2])),
         nn.Conv2d(channels, filters, 3, padding=2, dilation=2, bias=False),
         nn.ConvTranspose2d(channels, filters, 3, padding=1)]
    )  # fmt: skip


def network(seed):
    """A random network for images [n, 4, 18, 18]."""
    rng = random.Random(seed)
    layers, channels = [], 4
    for _ in range(rng.randint(2, 5)):
        filters = rng.choice([4, 6, 8])
        block = [conv_of(rng, channels, filters), norm_of(rng, filters), rng.choice(ACTIVATIONS)()]
        rng.shuffle(block[1:])
        if filters == channels and rng.random() < 0.5:
            block = [Residual(nn.Sequential(*block))]
        layers += block
        channels = filters
        if rng.random() < 0.3:
            layers.append(rng.choice([nn.MaxPool2d(2), nn.MaxPool2d(3, 1), nn.AvgPool2d(2)]))
        if rng.random() < 0.2:
            layers.append(nn.Dropout(0.2))
    model = nn.Sequential(*layers)
    size = model(ag.zeros(2, 4, 18, 18)).flatten(1).shape[1]
    head = [
        nn.Flatten(),
        nn.Linear(size, 64),
        nn.LayerNorm(64),
        rng.choice(ACTIVATIONS)(),
        nn.Linear(64, 3),
    ]
    return nn.Sequential(model, *head)  # fmt: skip


def trained(seed, kind):
    ag.manual_seed(seed)
    model = network(seed)
    optimizer = kind(model.parameters(), lr=0.01)
    loss_of = nn.CrossEntropyLoss()

    def step(x, y):
        loss = loss_of(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


def batches(seed):
    ag.manual_seed(1000 + seed)
    n = 3 + seed % 6
    return [(ag.randn(n, 4, 18, 18), ag.randint(0, 3, (n,))) for _ in range(5)]


def bits(model):
    return {name: t.tolist() for name, t in model.state_dict().items()}


@pytest.mark.parametrize("seed", range(24))
def test_random_networks(seed):
    kind = [ag.optim.SGD, ag.optim.Adam][seed % 2]
    found = []
    for wrap in (lambda f: f, ag.compile):
        model, step = trained(seed, kind)
        step = wrap(step)
        ag.manual_seed(7)
        losses = [step(x, y).item() for x, y in batches(seed)]
        found.append((losses, bits(model)))
    assert found[0] == found[1]
    # What stands around convolutions and norm layers of this size is a part of them.
    assert " x pieces: " in step.explain()


def test_what_explain_says(tmp_path):
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(8), nn.GELU(), nn.Flatten()
    )
    head = nn.Linear(8 * 9 * 9, 2)
    optimizer = ag.optim.SGD([*model.parameters(), *head.parameters()], lr=0.1, momentum=0.9)

    @ag.compile
    def step(x, y):
        loss = nn.functional.cross_entropy(head(model(x)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    x, y = ag.randn(16, 3, 20, 20), ag.randint(0, 2, (16,))
    for _ in range(4):
        step(x, y)
    said = step.explain()
    for part in (
        "1 x pieces: convolution + relu\n",
        "1 x pieces: batch_norm + gelu\n",
        "1 x pools: relu_backward(pool_scatter(g), y) = pool_scatter(relu_backward(g, max y))\n",
        "1 x pieces: gelu_backward + batch_norm_backward",
        "1 x updates: sgd_step of 6 parameters\n",
        "by themselves: ",
        "convolution_weight",
    ):
        assert part in said, said
    step.explain(tmp_path / "step.svg")
    svg = (tmp_path / "step.svg").read_text()
    assert "convolution" in svg and "relu" in svg and "batch_norm" in svg
    step(x[:4], y[:4]), step(x[:4], y[:4])
    assert step.explain(tmp_path / "step.html").count("plan ") == 2
    assert {path.name for path in tmp_path.iterdir()} == {"step.svg", "step.0.html", "step.1.html"}


def test_a_small_one_says_why_it_is_left():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())

    @ag.compile
    def predict(x):
        with ag.no_grad():
            return model(x)

    for _ in range(3):
        predict(ag.ones(1, 1, 8, 8))
    assert (
        "not fused: convolution + relu, because it is so small that it stays in the cache"
        in predict.explain()
    )


def test_threads_give_the_same(tmp_path):
    before = ag.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            ag.set_num_threads(threads)
            model, step = trained(3, ag.optim.SGD)
            step = ag.compile(step)
            found.append([step(x, y).item() for x, y in batches(3)])
    finally:
        ag.set_num_threads(before)
    assert found[0] == found[1]


def test_files_hold_them(tmp_path):
    model, step = trained(5, ag.optim.Adam)
    step = ag.compile(step)
    all_batches = batches(5)
    for x, y in all_batches:
        step(x, y)
    step.save(tmp_path / "step.plan", model)
    plan = ag.load_plan(tmp_path / "step.plan")
    ag.manual_seed(3)
    expected = [step(x, y).item() for x, y in all_batches]
    ag.manual_seed(3)
    assert [plan(x, y).item() for x, y in all_batches] == expected


def test_norm_layers_that_stand_alone_say_so():
    norm = nn.LayerNorm(64)

    @ag.compile
    def f(x):
        with ag.no_grad():
            return norm(x @ x)

    x = ag.ones(64, 64)
    for _ in range(3):
        f(x)
    assert (
        "not fused: layer_norm, because no pointwise operation of its shape stands next to it"
        in f.explain()
    )
