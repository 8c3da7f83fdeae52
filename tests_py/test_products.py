"""Products beyond the op table: forms of arguments, views, many operands, Bilinear."""

import numpy as np
import pytest
import torch
from compare import make, same, vs_torch

import autograd as ag


def numbers(lib, *shape, seed=0, requires_grad=False):
    values = np.random.default_rng(seed).standard_normal(shape)
    return make(lib, values, "float64", requires_grad=requires_grad)


@vs_torch
def test_einsum_of_lists(lib):
    """Operands and subscripts in turn, with and without output, with an ellipsis."""
    a, b = numbers(lib, 2, 3), numbers(lib, 3, 4)
    return (
        lib.einsum(a, [0, 1], b, [1, 2]),
        lib.einsum(a, [0, 30], b, [30, 2], [2, 0]),
        lib.einsum(a, [..., 1], [1, ...]),
        lib.einsum("ij,jk", [a, b]),
    )


@vs_torch(raises="subscript list is not within the valid range")
def test_einsum_subscript_out_of_range(lib):
    return lib.einsum(numbers(lib, 2, 3), [0, 52])


@vs_torch(raises="must specify the equation string")
def test_einsum_needs_operands(lib):
    return lib.einsum("ij")


@pytest.mark.parametrize("equation", ["ba", "bA", "aB", "ij->ji", "i j->j i"])
def test_einsum_of_one_operand_is_a_view(equation):
    a, b = (lib.einsum(equation, numbers(lib, 2, 3)) for lib in (ag, torch))
    same(a, b)
    x = numbers(ag, 2, 3)
    assert lib_shares(ag.einsum(equation, x), x)


def lib_shares(a, b):
    return a.data_ptr() == b.data_ptr()


def test_einsum_of_integers_and_mixed_outer_products():
    for lib in (ag, torch):
        i, f = lib.arange(6).reshape(2, 3), lib.ones(3)
        assert str(lib.einsum("ij->j", i).dtype).endswith("int64")
        assert str(lib.einsum("ij,j->ij", i, f).dtype).endswith("float32")
        assert lib.einsum("ij,ij->", i, i).item() == 55


@vs_torch
def test_many_operands(lib):
    parts = [numbers(lib, 2, 2, seed=i) for i in range(9)]
    letters = "abcdefghij"
    terms = ",".join(letters[i : i + 2] for i in range(9))
    return lib.einsum(f"{terms}->ja", *parts), lib.einsum(f"{terms}->e", *parts)


@vs_torch
def test_chain_matmul(lib):
    return lib.chain_matmul(numbers(lib, 2, 3), numbers(lib, 3, 4), numbers(lib, 4, 5))


def test_operators_refuse_numbers():
    x = ag.ones(2, 3)
    for wrong in (lambda: x @ 3, lambda: 3 @ x, lambda: x @ None):
        with pytest.raises(TypeError, match="unsupported operand"):
            wrong()
    same((x @ x.transpose(0, 1)), torch.ones(2, 3) @ torch.ones(3, 2))


def test_beta_zero_does_not_read_the_input():
    for lib in (ag, torch):
        nan = lib.tensor(float("nan"))
        out = lib.baddbmm(nan, lib.ones(2, 2, 2), lib.ones(2, 2, 2), beta=0)
        assert out.sum().item() == 16
        assert lib.addr(nan, lib.ones(2), lib.ones(3), beta=0).sum().item() == 6


def test_integers_take_whole_factors_only():
    x = ag.ones(2, 2).to(ag.int64)
    for alpha in (0.5, float("nan"), float("inf"), 1e300):
        with pytest.raises(RuntimeError, match="must not be a floating point number"):
            ag.addmm(x, x, x, alpha=alpha)


def test_bilinear_layer():
    layer, other = ag.nn.Bilinear(3, 4, 5), torch.nn.Bilinear(3, 4, 5)
    assert repr(layer) == repr(other)
    assert {k: tuple(v.shape) for k, v in layer.state_dict().items()} == {
        k: tuple(v.shape) for k, v in other.state_dict().items()
    }
    layer.load_state_dict({k: ag.tensor(v.tolist()) for k, v in other.state_dict().items()})
    a, b = numbers(ag, 2, 3).float(), numbers(ag, 2, 4).float()
    c, d = numbers(torch, 2, 3).float(), numbers(torch, 2, 4).float()
    same(layer(a, b), other(c, d))
    assert ag.nn.Bilinear(3, 4, 5, bias=False).bias is None
    assert layer.weight.abs().max().item() <= 3**-0.5
    with pytest.raises(ValueError, match="in1_features must be > 0"):
        ag.nn.Bilinear(0, 4, 5)


@vs_torch
def test_kron_of_other_ranks(lib):
    return lib.kron(numbers(lib, 2), numbers(lib, 3, 2)), lib.kron(
        numbers(lib, 2, 1, 2), numbers(lib, 3)
    )


@vs_torch
def test_added_products_in_place(lib):
    x = numbers(lib, 2, 4, requires_grad=True)
    a, b = numbers(lib, 2, 3, seed=1), numbers(lib, 3, 4, seed=2)
    y = x * 1
    same_object = y.addmm_(a, b, beta=0.5, alpha=2) is y
    y.addr_(a[:, 0], b[0])
    (y * y).sum().backward()
    z = numbers(lib, 2, 2, 2)
    z.baddbmm_(z.clone(), z.clone())
    z[0].addbmm_(z.clone(), z.clone())
    z[0, 0].addmv_(z[1].clone(), z[1, 0].clone())
    return same_object, y.detach(), x.grad, z


@vs_torch(raises="must match|doesn't match|output with shape|expanded|should match")
def test_added_product_in_place_keeps_the_shape(lib):
    return lib.ones(4).addmm_(lib.ones(2, 3), lib.ones(3, 4))
