"""Computed weights against PyTorch's: nn.utils.parametrize, weight and spectral norms, old and new."""

import copy
import pickle

import numpy as np
import pytest
import torch
import torch.nn.utils.parametrize
from both_libraries import agree
from compare import same

import autograd as ag

NORMS = {
    "weight_norm": lambda lib, m, **o: lib.nn.utils.parametrizations.weight_norm(m, **o),
    "spectral_norm": lambda lib, m, **o: lib.nn.utils.parametrizations.spectral_norm(m, **o),
    "old weight_norm": lambda lib, m, **o: lib.nn.utils.weight_norm(m, **o),
    "old spectral_norm": lambda lib, m, **o: lib.nn.utils.spectral_norm(m, **o),
}
LAYERS = {
    "linear": (lambda nn: nn.Linear(3, 4), (5, 3)),
    "conv": (lambda nn: nn.Conv2d(2, 4, 3), (2, 2, 5, 5)),
    "transposed": (lambda nn: nn.ConvTranspose1d(2, 3, 2), (2, 2, 5)),
}
OPTIONS = {
    "weight_norm": [{}, {"dim": 1}, {"dim": None}],
    "spectral_norm": [{}, {"n_power_iterations": 3}, {"dim": 1}],
}
CASES = [
    (norm, layer, options)
    for norm in NORMS
    for layer in LAYERS
    for options in OPTIONS[norm.replace("old ", "")]
]


def numbers(lib, *shape, seed=0):
    """Normal numbers in float64."""
    return lib.tensor(np.random.default_rng(seed).standard_normal(shape))


def fill(lib, module):
    """Gives a module's state numbers that are the same in both libraries; vectors of power iterations length 1."""
    state = module.state_dict()
    for place, (name, value) in enumerate(state.items()):
        values = numbers(lib, *value.shape, seed=place)
        state[name] = (
            values / values.norm() if name[-2:] in ("_u", "_v") and "g" not in name else values
        )
    module.load_state_dict(state)
    return module


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(("norm", "layer", "options"), CASES)
def test_norms(norm, layer, options):
    make, shape = LAYERS[layer]

    def run(lib):
        module = fill(lib, NORMS[norm](lib, make(lib.nn).to(lib.float64), **options))
        optimizer = lib.optim.SGD(module.parameters(), lr=0.1)
        outputs = []
        for seed in range(3):
            optimizer.zero_grad()
            outputs.append(module(numbers(lib, *shape, seed=seed)))
            outputs[-1].square().mean().backward()
            optimizer.step()
        module.eval()
        outputs.append(module(numbers(lib, *shape)))
        names = [name for name, _ in module.named_parameters()], list(module.state_dict())
        return repr(module), names, outputs, list(module.state_dict().values())

    ours, theirs = run(ag), run(torch)
    assert ours[:2] == theirs[:2]
    same(ours[2], theirs[2])
    same(ours[3], theirs[3])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_removal_keeps_the_value(norm):
    utils = ag.nn.utils
    remove = {
        "old weight_norm": utils.remove_weight_norm,
        "old spectral_norm": utils.remove_spectral_norm,
    }.get(norm, lambda m: utils.parametrize.remove_parametrizations(m, "weight"))
    module = NORMS[norm](ag, ag.nn.Linear(3, 4)).eval()
    before = module(ag.ones(2, 3))
    assert remove(module) is module
    assert type(module) is ag.nn.Linear
    assert sorted(module.state_dict()) == ["bias", "weight"]
    assert isinstance(module.weight, ag.nn.Parameter) and module.weight.requires_grad
    same([module(ag.ones(2, 3))], [before])
    with pytest.raises(ValueError):
        remove(module)


def test_states_of_the_older_weight_norm_can_be_loaded():
    old = ag.nn.utils.weight_norm(ag.nn.Linear(3, 4))
    new = ag.nn.utils.parametrizations.weight_norm(ag.nn.Linear(3, 4))
    new.load_state_dict(old.state_dict())
    same([new(ag.ones(1, 3))], [old(ag.ones(1, 3))])


def test_a_norm_is_compiled():
    """The power iteration's vectors move in a captured step as in an eager one."""
    results = []
    for wrap in (lambda f: f, ag.compile):
        ag.manual_seed(0)
        layer = ag.nn.utils.parametrizations.spectral_norm(ag.nn.Linear(3, 4))
        optimizer = ag.optim.SGD(layer.parameters(), lr=0.1)

        @wrap
        def step(x, layer=layer, optimizer=optimizer):
            loss = layer(x).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        results.append([step(ag.ones(2, 3)).item() for _ in range(5)])
    assert results[0] == pytest.approx(results[1], rel=1e-6)


# ---- parametrizations of one's own -----------------------------------------------------------------------


def modules(lib):
    """Parametrizations to try, by name."""
    nn = lib.nn

    class Symmetric(nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).t()

    class Doubled(nn.Module):
        def forward(self, x):
            return x * 2

        def right_inverse(self, y):
            return y / 2

    class Product(nn.Module):
        def forward(self, a, b):
            return a * b

        def right_inverse(self, w):
            return w, w * 0 + 1

    class Longer(nn.Module):
        def forward(self, x):
            return lib.cat([x, x])

    class Wider(nn.Module):
        def forward(self, x):
            return x.to(lib.float64)

    class Number(nn.Module):
        def forward(self, x):
            return 3

    class NumberBack(Doubled):
        def right_inverse(self, y):
            return 3

    found = (Symmetric, Doubled, Product, Longer, Wider, Number, NumberBack)
    return {module.__name__: module for module in found}


def linear(lib):
    """A Linear layer, 3 to 3, with numbers that are the same in both libraries."""
    layer = lib.nn.Linear(3, 3)
    with lib.no_grad():
        layer.weight.copy_(lib.arange(9.0).reshape(3, 3))
        layer.bias.copy_(lib.arange(3.0))
    return layer


@pytest.mark.parametrize(
    "chain",
    [("Symmetric",), ("Doubled",), ("Product",), ("Doubled", "Symmetric"), ("Symmetric", "Doubled")]
    + [("Product", "Doubled"), ("Doubled", "Doubled")],
)
def test_chains(chain):
    def run(lib, nn):
        layer, tools = linear(lib), nn.utils.parametrize
        first = layer.weight
        for name in chain:
            assert tools.register_parametrization(layer, "weight", modules(lib)[name]()) is layer
        asked = [tools.is_parametrized(layer, name) for name in (None, "weight", "bias")]
        loss = layer(lib.ones(2, 3)).square().sum()
        loss.backward()
        grads = [p.grad for p in layer.parameters()]
        kept = getattr(layer.parametrizations.weight, "original", None) is first
        with tools.cached():
            once = [layer.weight is layer.weight, layer.weight]
        again = layer.weight is layer.weight
        texts = [repr(layer), str(tools.type_before_parametrizations(layer) is nn.Linear)]
        copied = copy.deepcopy(layer)
        with lib.no_grad():
            copied.bias.zero_()
        return [
            asked,
            loss,
            grads,
            kept,
            once,
            again,
            texts,
            copied.bias,
            copied.weight,
            layer.bias,
        ]

    agree(run)


@pytest.mark.parametrize("leave", [True, False])
@pytest.mark.parametrize("name", ["Symmetric", "Doubled", "Product"])
def test_removal(name, leave):
    def run(lib, nn):
        layer, tools = linear(lib), nn.utils.parametrize
        first = layer.weight
        tools.register_parametrization(layer, "weight", modules(lib)[name]())
        tools.register_parametrization(layer, "bias", modules(lib)["Doubled"]())
        tools.remove_parametrizations(layer, "weight", leave_parametrized=leave)
        half = type(layer).__name__, list(layer.state_dict())
        tools.remove_parametrizations(layer, "bias")
        return [
            half,
            list(layer.state_dict()),
            type(layer).__name__,
            *layer.parameters(),
            layer.weight is first,
        ]

    agree(run)


@pytest.mark.parametrize("name", ["Symmetric", "Doubled", "Product"])
def test_assignment(name):
    def run(lib, nn):
        layer = linear(lib)
        nn.utils.parametrize.register_parametrization(layer, "weight", modules(lib)[name]())
        layer.weight = lib.ones(3, 3)
        return [layer.weight, list(layer.state_dict().values())]

    agree(run)


def test_a_buffer_is_parametrized():
    def run(lib, nn):
        layer = nn.BatchNorm1d(3)
        nn.utils.parametrize.register_parametrization(
            layer, "running_var", modules(lib)["Doubled"]()
        )
        names = [name for name, _ in layer.named_buffers()]
        return [sorted(layer.state_dict()), sorted(names), layer.running_var]

    agree(run)


@pytest.mark.parametrize("name", ["Longer", "Wider", "Number", "NumberBack", "Product"])
@pytest.mark.parametrize("unsafe", [False, True])
@pytest.mark.parametrize("after", [False, True])
def test_bad_parametrizations(name, unsafe, after):
    def run(lib, nn):
        layer, register = linear(lib), nn.utils.parametrize.register_parametrization
        if after:
            register(layer, "weight", modules(lib)["Doubled"]())
        register(layer, "weight", modules(lib)[name](), unsafe=unsafe)
        return layer.weight

    agree(run)


def test_a_parametrization_that_was_refused_leaves_the_layer_as_it_was():
    layer, register = linear(ag), ag.nn.utils.parametrize.register_parametrization
    with pytest.raises(ValueError, match=r"\(3, 3\) and would be .*\(6, 3\)"):
        register(layer, "weight", modules(ag)["Longer"]())
    assert type(layer) is ag.nn.Linear and isinstance(layer.weight, ag.nn.Parameter)
    register(layer, "weight", modules(ag)["Doubled"]())
    with pytest.raises(ValueError, match="must return a tensor. Got int"):
        register(layer, "weight", modules(ag)["Number"]())
    assert len(layer.parametrizations.weight) == 1
    same([layer.weight], [ag.arange(9.0).reshape(3, 3)])


def test_a_refused_first_one_leaves_the_value():
    layer = linear(ag)
    with pytest.raises(ValueError, match="must return a Tensor or a Sequence"):
        ag.nn.utils.parametrize.register_parametrization(
            layer, "weight", modules(ag)["NumberBack"]()
        )
    same([layer.weight], [ag.arange(9.0).reshape(3, 3)])


def test_bad_calls():
    for bad in (
        lambda lib, nn: nn.utils.parametrize.register_parametrization(
            linear(lib), "none", nn.Identity()
        ),
        lambda lib, nn: nn.utils.parametrize.remove_parametrizations(linear(lib), "weight"),
        lambda lib, nn: nn.utils.parametrizations.spectral_norm(linear(lib), "none"),
        lambda lib, nn: nn.utils.parametrizations.spectral_norm(linear(lib), n_power_iterations=0),
    ):
        assert agree(bad) == ("raises", "ValueError")
    assert agree(lambda lib, nn: nn.utils.parametrizations.spectral_norm(linear(lib), dim=2)) == (
        "raises",
        "IndexError",
    )
    layer = ag.nn.utils.weight_norm(linear(ag))
    with pytest.raises(RuntimeError, match="two weight_norm hooks on the same parameter weight"):
        ag.nn.utils.weight_norm(layer)
    layer = ag.nn.utils.parametrizations.weight_norm(linear(ag))
    with pytest.raises(RuntimeError, match=r"only supported through state_dict\(\)"):
        pickle.dumps(layer)
