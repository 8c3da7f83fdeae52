"""Linear algebra beyond the op table: PyTorch's other names, singular matrices, results of several parts."""

import numpy as np
import pytest
import torch
from compare import make, same, vs_torch

import autograd as ag


def numbers(lib, *shape, seed=0, **options):
    return make(lib, np.random.default_rng(seed).standard_normal(shape), "float64", **options)


def singular(lib, **options):
    return make(lib, np.array([[1.0, 2, 3], [2, 4, 6], [1, 0, 1]]), "float64", **options)


@vs_torch
def test_names_outside_of_linalg(lib):
    x, y = numbers(lib, 3, 3), numbers(lib, 3, 3, seed=1)
    definite = x @ x.transpose(0, 1) + lib.eye(3, dtype=lib.float64)
    return (
        *(lib.inverse(x), x.inverse(), lib.det(x), x.det(), tuple(lib.slogdet(x))),
        *(lib.logdet(definite), lib.cholesky(definite), definite.cholesky(True)),
        *(lib.matrix_power(x, 0), x.matrix_power(3), lib.cross(x, y, dim=1), x.cross(y, 1)),
    )


@vs_torch
def test_logdet_of_other_matrices(lib):
    return lib.logdet(-lib.eye(3)), lib.logdet(lib.zeros(2, 2)), lib.logdet(lib.eye(2))


@vs_torch
def test_determinants_of_singular_matrices(lib):
    return lib.linalg.det(singular(lib)), tuple(lib.linalg.slogdet(singular(lib)))


def test_gradient_of_a_determinant_of_0():
    """It is the matrix of cofactors, as finite differences find; PyTorch gives 0."""
    x = singular(ag, requires_grad=True)
    ag.linalg.det(x).backward()
    base, step = np.array(singular(ag).tolist()), 1e-6
    for i, j in np.ndindex(3, 3):
        moved = [base.copy(), base.copy()]
        moved[0][i, j] += step
        moved[1][i, j] -= step
        slope = (np.linalg.det(moved[0]) - np.linalg.det(moved[1])) / (2 * step)
        assert abs(x.grad[i, j].item() - slope) < 1e-6


@vs_torch
def test_second_order_of_a_determinant_of_0(lib):
    x = lib.tensor(
        [[1.0, 2, 3, 0, 1], [2, 4, 6, 0, 2], [1, 0, 1, 2, 0], [0, 1, 1, 1, 3], [2, 1, 0, 1, 1]],
        dtype=lib.float64,
    )
    found = []
    for matrix in (x[:1, :1] * 0, x[:2, :2], x[:3, :3], x, lib.stack([x, x + lib.eye(5)])):
        matrix = matrix.clone().requires_grad_()
        det = lib.linalg.det(matrix)
        (first,) = lib.autograd.grad(det.sum(), matrix, create_graph=True)
        found.append(first)
        if len(matrix) > 1:
            found += lib.autograd.grad((first**2).sum(), matrix)
    return found


@vs_torch
def test_parts_have_names(lib):
    x = numbers(lib, 2, 3, 3)
    a, b = lib.linalg.slogdet(x), lib.linalg.inv_ex(x)
    return a.sign, a.logabsdet, b.inverse, b.info


def test_inv_ex_reports_singular_matrices():
    info = ag.linalg.inv_ex(singular(ag)).info
    assert info.item() == 3 and str(info.dtype).endswith("int32")
    with pytest.raises(ag.linalg.LinAlgError, match="diagonal element 3 is zero"):
        ag.linalg.inv_ex(singular(ag), check_errors=True)
    assert issubclass(ag.linalg.LinAlgError, RuntimeError)


@vs_torch(raises="leading minor of order 2 is not positive-definite")
def test_matrix_that_is_not_positive_definite(lib):
    return lib.linalg.cholesky(lib.tensor([[1.0, 2], [2, 1]]))


@vs_torch(raises=r"\(Batch element 1\): The factorization could not be completed")
def test_batch_that_is_not_positive_definite(lib):
    return lib.linalg.cholesky(lib.stack([lib.eye(3), -lib.eye(3)]))


def test_nothing_is_positive_about_nan():
    with pytest.raises(ag.linalg.LinAlgError, match="leading minor of order 1"):
        ag.linalg.cholesky(ag.tensor([[float("nan"), 0], [0, 1]]))


def test_cholesky_reads_one_half():
    x = np.array([[4.0, -1, 1], [1, 5, 2], [2, 1, 6]])
    for upper in (False, True):
        a, b = (lib.linalg.cholesky(make(lib, x, "float64"), upper=upper) for lib in (ag, torch))
        same(a, b)


@vs_torch
def test_large_matrices(lib):
    x = numbers(lib, 60, 60) + 20 * lib.eye(60, dtype=lib.float64)
    return lib.linalg.inv(x), lib.linalg.solve(x, numbers(lib, 60, 7)), lib.linalg.det(x / 20)


@vs_torch(raises="no dimension of size 3 in input")
def test_cross_without_a_dim_of_three(lib):
    return lib.cross(lib.ones(2, 2), lib.ones(2, 2))


def test_small_systems_in_float32():
    rng = np.random.default_rng(3)
    for n in (1, 2, 5, 16):
        x = rng.standard_normal((n, n)) + 4 * np.eye(n)
        a, b = (lib.linalg.solve(make(lib, x), make(lib, x[:, 0])) for lib in (ag, torch))
        same(a, b)


@vs_torch
def test_unpacking_a_part(lib):
    LU, pivots = lib.linalg.lu_factor(lib.tensor([[0.0, 2.0], [4.0, 1.0]]))
    return (
        *lib.lu_unpack(LU, pivots),
        *lib.lu_unpack(LU, pivots, unpack_data=False),
        *lib.lu_unpack(LU, pivots, unpack_pivots=False),
    )


@pytest.mark.parametrize("upper", [False, True])
@vs_torch(raises="(?s)diagonal element 1 is zero.*singular")
def test_an_inverse_of_a_singular_factor(lib, upper):
    lib.cholesky_inverse(lib.tensor([[0.0, 3.0], [2.0, 1.0]]), upper)


@vs_torch(raises=r"cholesky_inverse: \(Batch element 1\): The diagonal element 2 is zero")
def test_an_inverse_of_singular_factors(lib):
    lib.cholesky_inverse(lib.tensor([[[1.0, 0.0], [2.0, 1.0]], [[1.0, 0.0], [2.0, 0.0]]]))


@pytest.mark.parametrize("shape", [(2, 200_000, 2), (2, 2, 200_000)])
def test_gradients_of_high_and_wide_matrices_square_none(shape):
    def gradient(lib):
        a = make(lib, np.sin(np.arange(800_000.0)).reshape(shape), requires_grad=True)
        lib.linalg.pinv(a).square().sum().backward()
        return a.grad[:, :2, :2] * 1e6

    small = make(torch, np.sin(np.arange(800_000.0)).reshape(shape), "float64")
    inverse = torch.linalg.pinv(small)
    # Of a full rank, the gradient of the sum of squares is -2 (A^+ A^+^T A^+)^T.
    high = shape[1] > shape[2]
    cube = inverse @ inverse.mT @ inverse if high else inverse @ (inverse.mT @ inverse)
    wanted = -2e6 * cube.mT
    same(gradient(ag), wanted[:, :2, :2].float())
