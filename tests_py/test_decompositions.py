"""Decompositions: the parts put together, matrices of a lower rank, extreme numbers, what is not finite."""

import numpy as np
import pytest
import torch
from compare import same

import autograd as ag

SHAPES = [(5, 5), (7, 3), (3, 7), (2, 4, 3), (40, 40), (40, 29), (1, 6), (6, 1), (3, 0), (0, 3)]


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
@pytest.mark.parametrize("name", ["svd", "svdvals", "eigh", "eigvalsh", "pinv", "matrix_rank"])
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
    # PyTorch's gelsy, the default, reads pivots that nothing wrote and is wrong now and then: its
    # solution and rank are gelsd's, and it has neither residuals nor singular values.
    theirs = torch.linalg.lstsq(torch.tensor(a), torch.tensor(b), **{"driver": "gelsd", **options})
    nothing = torch.empty(0, dtype=torch.float64)
    same(tuple(ours), theirs if options else (theirs.solution, nothing, theirs.rank, nothing))


@pytest.mark.parametrize("shape", [(9, 5), (5, 9), (7, 7), (2, 30, 11)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rank", [0, 1, 3])
def test_least_squares_of_a_lower_rank(shape, dtype, rank):
    """Whole numbers, so that PyTorch sees the rank in float32, too; its gelsy may find one less."""
    left = np.round(3 * numbers(*shape[:-1], rank))
    right = np.round(3 * numbers(*shape[:-2], rank, shape[-1], seed=1))
    a, b = (left @ right).astype(dtype), numbers(*shape[:-1], 2, seed=2).astype(dtype)
    for driver in ("gelsy", "gelsd"):
        ours = ag.linalg.lstsq(ag.tensor(a), ag.tensor(b), rcond=1e-5, driver=driver)
        theirs = torch.linalg.lstsq(torch.tensor(a), torch.tensor(b), rcond=1e-5, driver="gelsd")
        assert ours.rank.tolist() == theirs.rank.tolist()
        assert_near(ours.solution, theirs.solution, 1e-4 if dtype == "float32" else 1e-12)
    x = ours.solution.numpy().astype(float)
    assert_near(x, np.linalg.pinv(a.astype(float), 1e-5) @ b, 1e-6 if dtype == "float32" else 1e-12)


def test_least_squares_counts_singular_values_where_the_rank_is_in_doubt():
    """From a matrix of full rank to one without: the numbers are those of the pseudoinverse."""
    u, v = np.linalg.qr(numbers(8, 5))[0], np.linalg.qr(numbers(5, 5, seed=1))[0]
    b = numbers(8, 3, seed=2)
    for least in (1e-1, 1e-5, 1.1e-6, 0.9e-6, 1e-9, 1e-17, 0.0):
        a = (u * [1, 0.5, 0.1, 0.01, least]) @ v
        for matrix, side in ((a, b), (a.T.copy(), numbers(5, 3))):
            ours = ag.linalg.lstsq(ag.tensor(matrix), ag.tensor(side), rcond=1e-6)
            expected = np.linalg.pinv(matrix, 1e-6)
            assert ours.rank.item() == 4 + (least > 1e-6)
            condition = 1 / least if least > 1e-6 else 100
            near = 1e-14 * condition**2  # what the last digit of the matrix is worth
            assert_near(ours.solution, expected @ side, near)
            inverse = ag.linalg.pinv(ag.tensor(matrix), rtol=1e-6)
            assert_near(inverse, expected, near)


def test_least_squares_of_other_batches_and_bad_sizes():
    a, b = numbers(2, 1, 5, 3), numbers(4, 5, 2, seed=1)
    ours = ag.linalg.lstsq(ag.tensor(a), ag.tensor(b))
    assert ours.rank.tolist() == [[3] * 4] * 2
    assert_near(ours.solution, np.linalg.pinv(a) @ b)
    with pytest.raises(RuntimeError, match="must match the size"):
        ag.linalg.lstsq(ag.tensor(numbers(2, 5, 3)), ag.tensor(numbers(3, 5, 2)))
    for bad in (float("nan"), float("inf")):
        a[1, 0, 2, 2] = bad
        with pytest.raises(ag.linalg.LinAlgError, match="finite"):
            ag.linalg.lstsq(ag.tensor(a), ag.tensor(b))


@pytest.mark.parametrize("shape", [(30, 30), (90, 20), (20, 90), (120, 100), (200, 170)], ids=str)
def test_singular_values_of_any_size_alone_and_with_vectors(shape):
    """Values from 1 to 1e-15, some of them equal."""
    k = min(shape)
    values = np.sort(10.0 ** -np.round(np.linspace(0, 15, k)))[::-1]
    left, right = (np.linalg.qr(numbers(n, k, seed=n))[0] for n in shape)
    a = (left * values) @ right.T
    alone = ag.linalg.svdvals(ag.tensor(a)).numpy()
    u, s, vh = (part.numpy() for part in ag.linalg.svd(ag.tensor(a)))
    assert_near(alone, np.linalg.svd(a, compute_uv=False), 1e-14)
    assert_near(s, alone, 1e-14)
    assert_orthonormal(u)
    assert_orthonormal(vh.T)
    assert_near((u[:, :k] * s) @ vh[:k], a, 1e-14)


def test_small_singular_values_of_a_bidiagonal_matrix_keep_their_digits():
    d = 10.0 ** np.arange(-14, 0)
    for a in (np.diag(d), np.diag(d[::-1]), np.diag(d) + np.diag(d[1:] / 4, 1)):
        expected = np.linalg.svd(a, compute_uv=False)
        found = ag.linalg.svdvals(ag.tensor(a)).numpy()
        assert (np.abs(found - expected) <= 1e-12 * expected).all()


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
