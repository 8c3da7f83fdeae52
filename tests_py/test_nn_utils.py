"""nn.utils: gradient clipping, parameters as vectors, padded sequences. PyTorch is the oracle."""

import math
import timeit

import pytest
import torch
from both_libraries import agree

import autograd as ag


def parameters(lib, values=((1.0, -2.0), (3.0,), None, (-4.0, 0.0, 0.5)), dtype="float32"):
    made = []
    for value in values:
        p = lib.zeros(1 if value is None else len(value), dtype=getattr(lib, dtype))
        p.requires_grad_()
        if value is not None:
            p.grad = lib.tensor(value, dtype=getattr(lib, dtype))
        made.append(p)
    return made


def grads(params):
    return [p.grad for p in params]


@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.0, 0.5, math.inf, -math.inf, 0.0])
@pytest.mark.parametrize("max_norm", [0.5, 1e-3, 100.0, 0.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clip_grad_norm(norm_type, max_norm, dtype):
    def scenario(lib, nn):
        params = parameters(lib, dtype=dtype)
        norm = nn.utils.clip_grad_norm_(params, max_norm, norm_type=norm_type)
        return norm, grads(params)

    agree(scenario)


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("norm_type", [2.0, 1.0, math.inf])
@pytest.mark.parametrize("refuse", [False, True])
def test_clip_grad_norm_of_bad_numbers(bad, norm_type, refuse):
    def scenario(lib, nn):
        params = parameters(lib, ((1.0, bad), (2.0,)))
        norm = nn.utils.clip_grad_norm_(params, 1.0, norm_type, error_if_nonfinite=refuse)
        return str(norm.item()), [str(g.tolist()) for g in grads(params)]

    agree(scenario)


def test_clip_other_inputs():
    def scenario(lib, nn):
        (p,) = parameters(lib, ((3.0, 4.0),))
        weight = nn.Linear(3, 2).weight
        weight.grad = lib.ones(3, 2).t()
        mixed = [*parameters(lib, ((3.0,),), "float64"), *parameters(lib, ((4.0,),))]
        return [
            nn.utils.clip_grad_norm_(p, 1),
            p.grad,
            nn.utils.clip_grad_norm_([], 1.0),
            nn.utils.clip_grad_norm_(weight, 1.0),
            weight.grad,
            nn.utils.clip_grad_norm_(mixed, 1.0),
            grads(mixed),
            nn.utils.get_total_norm(lib.tensor([3.0, 4.0])),
            nn.utils.get_total_norm([lib.ones(2), lib.ones(7)], norm_type=1),
        ]

    agree(scenario)
    with pytest.warns(UserWarning, match="empty generator"):
        ag.nn.utils.clip_grad_norm_((p for p in ()), 1.0)
    with pytest.raises(TypeError, match="expected Tensor as element 0"):
        ag.nn.utils.clip_grad_norm_([3], 1.0)
    with pytest.raises(RuntimeError, match="non-finite, so it cannot be clipped"):
        ag.nn.utils.get_total_norm([ag.tensor([math.inf])], error_if_nonfinite=True)


def test_clip_with_norm_and_by_value():
    def scenario(lib, nn):
        params = parameters(lib)
        norm = nn.utils.get_total_norm([g for g in grads(params) if g is not None])
        nn.utils.clip_grads_with_norm_(params, 1.0, norm)
        first = [None if g is None else g.clone() for g in grads(params)]
        nn.utils.clip_grad_value_(params, 0.25)
        return norm, first, grads(params)

    agree(scenario)


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 4096, 4097, 300_001])
def test_norm_of_long_vectors(n):
    x = torch.randn(n)
    for p in (1.0, 2.0, math.inf):
        ours = ag.nn.utils.get_total_norm([ag.tensor(x.numpy())], p).item()
        exact = torch.linalg.vector_norm(x.double(), p).item() if n else 0.0
        assert ours == pytest.approx(exact, rel=1e-6)


def test_gradients_keep_their_tensors():
    (p,) = parameters(ag, ((3.0, 4.0),))
    grad, version = p.grad, p.grad._version
    ag.nn.utils.clip_grad_norm_([p], 1.0)
    assert p.grad is grad
    assert grad._version > version


def test_clipping_is_faster_than_torch():
    def time_of(lib):
        params = [lib.ones(16, 16, requires_grad=True) for _ in range(8)]
        for p in params:
            p.grad = lib.ones(16, 16)
        clip = lib.nn.utils.clip_grad_norm_
        return min(timeit.repeat(lambda: clip(params, 1.0), number=200, repeat=5))

    assert time_of(ag) < time_of(torch)


def test_vectors():
    def scenario(lib, nn):
        layer = nn.Linear(2, 2)
        vector = lib.arange(6.0)
        nn.utils.vector_to_parameters(vector, layer.parameters())
        out = nn.utils.parameters_to_vector(layer.parameters())
        (out * out).sum().backward()
        vector.mul_(2)
        return out.detach(), layer.weight, layer.bias, layer.weight.grad

    agree(scenario)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda lib, nn: nn.utils.vector_to_parameters([1.0], nn.Linear(1, 1).parameters()),
        lambda lib, nn: nn.utils.vector_to_parameters(lib.ones(1), nn.Linear(1, 1).parameters()),
    ],
)
def test_vectors_refuse(wrong):
    assert agree(wrong)[0] == "raises"


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("side", ["right", "left"])
def test_pad_sequence(batch_first, side):
    def scenario(lib, nn):
        x = lib.arange(6.0).reshape(3, 2).requires_grad_()
        rows = [x[:1], x, x[:2]]
        padded = nn.utils.rnn.pad_sequence(rows, batch_first, -1.0, side)
        (padded * padded).sum().backward()
        return padded.detach(), x.grad

    agree(scenario)


def test_unpad_sequence():
    def scenario(lib, nn):
        rows = [lib.arange(3), lib.arange(1), lib.arange(2)]
        padded = nn.utils.rnn.pad_sequence(rows)
        return nn.utils.rnn.unpad_sequence(padded, lib.tensor([3, 1, 2]))

    agree(scenario)
    with pytest.raises(RuntimeError, match="padding_side should be one of"):
        ag.nn.utils.rnn.pad_sequence([ag.ones(1)], padding_side="up")
