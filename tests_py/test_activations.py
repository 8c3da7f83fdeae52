"""Activation layers and what the op table does not reach of the activations, against PyTorch."""

import pytest
import torch
from compare import make, vs_torch

import autograd as ag
from autograd import nn

X = [
    [[-7.5, -2.0, -0.4, 0.0], [0.3, 0.9, 2.5, 25.0]],
    [[1.0, -1.0, 3.0, -3.0], [6.0, 6.5, -0.1, 0.1]],
]

LAYERS = {
    "ReLU": [{}, {"inplace": True}],
    "ReLU6": [{}, {"inplace": True}],
    "LeakyReLU": [{}, {"negative_slope": 0.3, "inplace": True}],
    "PReLU": [{}, {"num_parameters": 2, "init": 0.1}],
    "RReLU": [{}, {"lower": 0.1, "upper": 0.3, "inplace": True}],
    "ELU": [{}, {"alpha": 0.5, "inplace": True}],
    "SELU": [{}, {"inplace": True}],
    "CELU": [{}, {"alpha": 0.5, "inplace": True}],
    "GELU": [{}, {"approximate": "tanh"}],
    "SiLU": [{}, {"inplace": True}],
    "Mish": [{}, {"inplace": True}],
    "Hardtanh": [{}, {"min_val": -2.0, "max_val": 0.5, "inplace": True}],
    "Hardswish": [{}, {"inplace": True}],
    "Hardsigmoid": [{}, {"inplace": True}],
    "Softplus": [{}, {"beta": 2, "threshold": 3}],
    "Softsign": [{}],
    "Tanhshrink": [{}],
    "Softshrink": [{}, {"lambd": 1.0}],
    "Hardshrink": [{}, {"lambd": 1.0}],
    "Threshold": [
        {"threshold": 0.2, "value": 7.0},
        {"threshold": 0.2, "value": 7.0, "inplace": True},
    ],
    "LogSigmoid": [{}],
    "GLU": [{}, {"dim": 1}],
    "Tanh": [{}],
    "Sigmoid": [{}],
    "Softmax": [{"dim": 1}, {"dim": -1}],
    "LogSoftmax": [{"dim": 1}],
    "Softmin": [{"dim": 1}],
    "Softmax2d": [{}],
}
CASES = [(name, options) for name, variants in LAYERS.items() for options in variants]


def layer(lib, name, options):
    """The layer in evaluation mode: RReLU draws no slopes then."""
    return getattr(lib.nn, name)(**options).eval()


@pytest.mark.parametrize("name, options", CASES)
@vs_torch
def test_values_and_gradients(lib, name, options):
    x = make(lib, X, "float32", requires_grad=True)
    module = layer(lib, name, options)
    argument = x * 1
    y = module(argument)
    weights = make(lib, [[[0.5, -1.0, 2.0, 1.5]] * 2] * 2, "float32")[
        : y.shape[0], : y.shape[1], : y.shape[2]
    ]
    (y * weights).sum().backward()
    learnt = [p.grad for p in module.parameters()]
    return y, x.grad, learnt, y is argument


@pytest.mark.parametrize("name, options", CASES)
def test_texts(name, options):
    assert repr(layer(ag, name, options)) == repr(layer(torch, name, options))


@vs_torch
def test_softmax2d_of_an_image_without_batch(lib):
    return lib.nn.Softmax2d()(make(lib, X, "float32"))


@vs_torch(raises="3D or 4D")
def test_softmax2d_refuses_other_dims(lib):
    lib.nn.Softmax2d()(make(lib, [1.0, 2.0], "float32"))


@vs_torch(raises="must be greater than")
def test_hardtanh_refuses_wrong_limits(lib):
    lib.nn.Hardtanh(1.0, -1.0)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("inplace", [False, True])
def test_rrelu(training, inplace):
    """Positive elements stay, negative ones shrink by slopes of the range; the gradient has the same slopes."""
    x = ag.randn(64, 64).requires_grad_()
    y = nn.functional.rrelu(x * 1, 0.25, 0.5, training, inplace)
    (y.sum()).backward()
    slopes = torch.tensor((y / x).tolist())
    positive = torch.tensor((x > 0).tolist())
    assert torch.allclose(slopes[positive], torch.tensor(1.0))
    negative = slopes[~positive]
    assert negative.min() >= 0.2499
    assert negative.max() <= 0.5001
    assert (negative.std() > 0.05) == training
    assert torch.allclose(torch.tensor(x.grad.tolist()), slopes, atol=1e-4)


@pytest.mark.parametrize("name", ["relu_", "selu_", "celu_", "elu_", "leaky_relu_", "hardtanh_"])
@vs_torch
def test_functions_in_place(lib, name):
    x = make(lib, X, "float32")
    y = getattr(lib.nn.functional, name)(x)
    return y, y is x


@vs_torch
def test_functions_at_top_level(lib):
    x = make(lib, X, "float32")
    return lib.selu(x), lib.celu(x), lib.relu(x), lib.hardshrink(x), lib.threshold(x, 0.5, 1.5)


@vs_torch(raises="lower|Lower")
def test_rrelu_refuses_wrong_limits(lib):
    lib.nn.functional.rrelu(make(lib, X, "float32"), 0.5, 0.1, True)


@pytest.mark.parametrize("value", [-100.0, -20.0, -5.0, -1e-3])
def test_gelu_of_negative_numbers_is_exact(value):
    """x Phi(x) without the cancellation of 1 + erf(x / sqrt 2)."""
    x = torch.tensor(value, dtype=torch.float64)
    exact = x * 0.5 * torch.special.erfc(-x * 0.5**0.5)
    for dtype, rtol in (("float64", 1e-12), ("float32", 1e-6)):
        found = nn.functional.gelu(make(ag, value, dtype)).item()
        assert found == pytest.approx(
            exact.item(), rel=rtol, abs=1e-38 if dtype == "float32" else 0
        )


@pytest.mark.parametrize("dtype", ["int64", "bool"])
@pytest.mark.parametrize(
    "name",
    [
        "gelu",
        "silu",
        "mish",
        "elu",
        "softplus",
        "logsigmoid",
        "hardtanh",
        "relu",
        "relu6",
        "softsign",
    ],
)
@vs_torch
def test_dtypes(lib, name, dtype):
    return outcome_of(getattr(lib.nn.functional, name), make(lib, [1, 0, 1], dtype))


def outcome_of(function, x):
    """The result, or whether it was refused."""
    try:
        return function(x)
    except (RuntimeError, NotImplementedError):
        return "refused"
