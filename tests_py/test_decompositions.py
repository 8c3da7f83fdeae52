"""Decompositions: the parts put together, matrices of a lower rank, extreme numbers, what is not finite."""

import numpy as np
import pytest
import torch
from compare import same

import autograd as ag

SHAPES = [(5, 5), (7, 3), (3, 7), (2, 4, 3), (40, 40), (1, 6), (6, 1), (3, 0), (0, 3)]


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def assert_near(actual, expected, tolerance=1e-12):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max(initial=0) < tolerance


def assert_orthonormal(columns):
    n = columns.shape[-1]
    product = np.swapaxes(columns, -1, -2) @ columns
    assert_near(product, np.broadcast_to(np.eye(n), product.shape))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("full", [False, True])
def test_singular_values(shape, full):
    a = numbers(*shape)
    u, s, vh = (part.numpy() for part in ag.linalg.svd(ag.tensor(a), full_matrices=full))
    expected = torch.linalg.svd(torch.tensor(a), full_matrices=full)
    assert u.shape == expected.U.shape
    assert vh.shape == expected.Vh.shape
    assert_near(s, expected.S)
    assert_orthonormal(u)
    assert_orthonormal(np.swapaxes(vh, -1, -2))
    k = s.shape[-1]
    assert_near((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], a)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("mode", ["reduced", "complete"])
def test_orthonormal_columns(shape, mode):
    a = numbers(*shape)
    q, r = (part.numpy() for part in ag.linalg.qr(ag.tensor(a), mode))
    assert_orthonormal(q)
    assert_near(q @ r, a)
    assert_near(r, np.triu(r), 1e-300)
    empty, alone = ag.linalg.qr(ag.tensor(a), "r")
    assert empty.shape == (0,)
    assert_near(alone, np.linalg.qr(a)[1])


@pytest.mark.parametrize("n", [1, 2, 3, 10, 60])
def test_eigenvalues(n):
    a = numbers(2, n, n)
    lower, upper = np.tril(a), np.triu(a)
    for uplo, half in (
        ("L", lower + np.tril(a, -1).swapaxes(1, 2)),
        ("U", upper + np.triu(a, 1).swapaxes(1, 2)),
    ):
        w, v = (part.numpy() for part in ag.linalg.eigh(ag.tensor(a), uplo))
        assert_near(w, np.linalg.eigvalsh(half))
        assert_orthonormal(v)
        assert_near((v * w[:, None, :]) @ v.swapaxes(1, 2), half)
    assert_near(
        ag.linalg.eigvalsh(ag.tensor(a)), np.linalg.eigvalsh(lower + np.tril(a, -1).swapaxes(1, 2))
    )


def test_equal_eigenvalues():
    for a in (np.eye(4), np.zeros((3, 3)), np.diag([2.0, 1.0, 2.0]), np.ones((5, 5))):
        w, v = (part.numpy() for part in ag.linalg.eigh(ag.tensor(a)))
        assert_near((v * w) @ v.T, a)
        x = ag.tensor(a, requires_grad=True)
        ag.linalg.eigvalsh(x).square().sum().backward()
        assert_near(x.grad, 2 * a)


def test_lower_ranks():
    a = numbers(6, 2) @ numbers(2, 5)
    u, s, vh = (part.numpy() for part in ag.linalg.svd(ag.tensor(a)))
    assert_orthonormal(u)
    assert_orthonormal(vh.T)
    assert_near((u[:, :5] * s) @ vh, a)
    assert_near(ag.linalg.pinv(ag.tensor(a)), np.linalg.pinv(a, 1e-15 * 6))
    batch = ag.tensor(np.stack([a, np.zeros((6, 5)), numbers(6, 5)]))
    assert ag.linalg.matrix_rank(batch).tolist() == [2, 0, 5]
    assert ag.linalg.matrix_rank(batch, atol=1e9).tolist() == [0, 0, 0]
    assert ag.linalg.matrix_rank(batch, rtol=1.0).tolist() == [0, 0, 0]


def singular(kind):
    if kind == "columns again":
        return np.tile(numbers(37, 16), 3)
    if kind == "rows again":
        return np.tile(numbers(16, 37), (3, 1))
    if kind == "few in many":
        return numbers(150, 3) @ numbers(3, 120)
    if kind == "whole numbers":
        return np.round(2 * numbers(56, 12)) @ np.round(2 * numbers(12, 57))
    if kind == "zeros and ones":
        return (numbers(59, 59) > 1).astype(float)
    if kind == "powers":
        return np.vander(np.linspace(0, 1, 55), 40)
    return numbers(51, 20) @ (numbers(20, 57) * 10.0 ** np.linspace(-12, 0, 57))


SINGULAR = ["columns again", "rows again", "few in many", "whole numbers", "zeros and ones"]


@pytest.mark.parametrize("kind", [*SINGULAR, "powers", "columns of all sizes"])
def test_singular_matrices(kind):
    a = singular(kind)
    a /= np.linalg.norm(a)
    u, s, vh = (part.numpy() for part in ag.linalg.svd(ag.tensor(a)))
    assert_near(s, np.linalg.svd(a, compute_uv=False))
    assert_orthonormal(u)
    assert_orthonormal(vh.T)
    k = len(s)
    assert_near((u[:, :k] * s) @ vh[:k], a)
    for square in (a.T @ a, a @ a.T):
        w, v = (part.numpy() for part in ag.linalg.eigh(ag.tensor(square)))
        assert_near(w, np.linalg.eigvalsh(square))
        assert_orthonormal(v)
        assert_near((v * w) @ v.T, square)


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e-30, 1e30, 1e200, 1e300])
def test_numbers_whose_squares_overflow(scale):
    a = numbers(5, 4)
    assert_near(ag.linalg.svdvals(ag.tensor(a * scale)) / scale, np.linalg.svd(a)[1])
    assert_near(ag.linalg.qr(ag.tensor(a * scale)).R / scale, np.linalg.qr(a)[1])
    assert_near(ag.linalg.eigvalsh(ag.tensor(a[:4] * scale)) / scale, np.linalg.eigvalsh(a[:4]))
    assert_near(ag.linalg.pinv(ag.tensor(a * scale)) * scale, np.linalg.pinv(a))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["svd", "svdvals", "eigh", "eigvalsh", "pinv"])
def test_what_is_not_finite_is_an_error(name, bad):
    """PyTorch's answer depends on the place: an error, or NaN, or numbers."""
    for place in ((0, 0), (2, 0), (2, 1), (2, 2)):
        a = np.eye(3)
        a[place] = bad
        for matrices in (a, np.stack([np.eye(3), a])):
            with pytest.raises(ag.linalg.LinAlgError, match=r"finite.*3, 3\]"):
                getattr(ag.linalg, name)(ag.tensor(matrices))


LEAST_SQUARES = {
    "tall": ((6, 3), (6, 2), {}),
    "wide": ((3, 6), (3, 2), {}),
    "square": ((4, 4), (4, 1), {}),
    "batch": ((2, 6, 3), (2, 6, 2), {}),
    "vectors": ((2, 6, 3), (2, 6), {}),
    "no rank": ((6, 3), (6, 2), {"driver": "gels"}),
    "vectors and residuals": ((2, 6, 3), (2, 6), {"driver": "gels"}),
    "singular values": ((6, 3), (6, 2), {"driver": "gelsd"}),
}


@pytest.mark.parametrize("case", LEAST_SQUARES.values(), ids=LEAST_SQUARES)
def test_least_squares(case):
    a, b, options = numbers(*case[0]), numbers(*case[1], seed=1), case[2]
    ours = ag.linalg.lstsq(ag.tensor(a), ag.tensor(b), **options)
    same(tuple(ours), tuple(torch.linalg.lstsq(torch.tensor(a), torch.tensor(b), **options)))


def test_norms_of_singular_values():
    a = numbers(2, 3, 4)
    for order in (2, -2, "nuc"):
        for options in ({}, {"keepdim": True}, {"dim": (0, 2)}, {"dim": (2, 0), "keepdim": True}):
            same(
                ag.linalg.matrix_norm(ag.tensor(a), order, **options),
                torch.linalg.matrix_norm(torch.tensor(a), order, **options),
            )


@pytest.mark.parametrize("order", [None, 2, -2, "fro", "nuc", 1, -1, float("inf")])
def test_condition_numbers(order):
    a = numbers(2, 3, 3)
    same(ag.linalg.cond(ag.tensor(a), order), torch.linalg.cond(torch.tensor(a), order))


def test_the_gradient_of_a_tall_complete_q_is_refused():
    x = ag.tensor(numbers(4, 2), requires_grad=True)
    with pytest.raises(RuntimeError, match=r"not differentiable when mode='complete'.*\[4, 4\]"):
        ag.linalg.qr(x, "complete").R.sum().backward()
    ag.linalg.qr(x).R.sum().backward()
    assert x.grad.isfinite().all()
