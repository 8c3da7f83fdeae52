"""Reductions where PyTorch's result is a matter of detail: ties, zeros, NaN, named results, long rows."""

import itertools

import numpy as np
import pytest
import torch
from compare import make, same, vs_torch

import autograd as ag

RNG = np.random.default_rng(11)
TIES = RNG.integers(-2, 3, (4, 9)).astype(float)
WITH_ZEROS = [[2.0, 0.0, 3.0, -1.0], [0.0, 0.0, 3.0, 5.0], [1.5, 2.0, -3.0, 0.5]]


@pytest.mark.parametrize("name", ["cummax", "cummin", "mode"])
@pytest.mark.parametrize("dtype", ["float64", "int32", "uint8", "bool"])
@vs_torch
def test_ties(lib, name, dtype):
    found = getattr(lib, name)(make(lib, TIES, dtype), 1)
    return found.values, found.indices


@pytest.mark.parametrize("edge_order", [1, 2])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
@vs_torch
def test_slopes_at_coordinates(lib, edge_order, dtype):
    x = make(lib, TIES[:, :5], dtype)
    if x.is_floating_point():
        x.requires_grad_()
    rows, columns = lib.tensor([0.0, 1.0, 3.0, 3.5]), lib.tensor([-2, 1, 2, 5, 6])
    slopes = [
        *lib.gradient(x, spacing=(rows, columns), edge_order=edge_order),
        *lib.gradient(x, spacing=[columns], dim=1, edge_order=edge_order),
    ]
    if not x.requires_grad:
        return slopes
    return slopes, lib.autograd.grad(sum((s * s).sum() for s in slopes), x)[0]


def test_coordinates_are_one_for_each_sample():
    for spacing in ([ag.ones(2), ag.ones(3)], [ag.ones(2, 1), ag.ones(3)]):
        with pytest.raises(RuntimeError, match="one dimension and a coordinate for each"):
            ag.gradient(ag.ones(3, 3), spacing=spacing)
    with pytest.raises(TypeError, match=r"spacing\[0\]"):
        ag.gradient(ag.ones(3, 3), spacing=[1, ag.ones(3)])


@pytest.mark.parametrize("name", ["cummax", "cummin"])
@vs_torch
def test_gradients_at_ties_and_nan(lib, name):
    x = make(lib, [[1.0, 1.0, float("nan"), 2.0, 2.0], [3.0, 1.0, 1.0, 3.0, 0.0]], "float64")
    x.requires_grad_()
    values = getattr(lib, name)(x, 1).values
    weights = make(lib, [[1.0, 2.0, 3.0, 4.0, 5.0]] * 2, "float64")
    return values, *lib.autograd.grad((values * weights).sum(), x)


@pytest.mark.parametrize("function", ["prod", "prod_all", "cumprod"])
@vs_torch
def test_products_of_zeros_to_second_order(lib, function):
    x = make(lib, WITH_ZEROS, "float64", requires_grad=True)
    y = {"prod": lambda: x.prod(1), "prod_all": x.prod, "cumprod": lambda: x.cumprod(1)}[function]()
    (first,) = lib.autograd.grad((y * y + y).sum(), x, create_graph=True)
    weights = make(lib, RNG.standard_normal((3, 4)) * 0 + np.arange(12).reshape(3, 4), "float64")
    return y, first, *lib.autograd.grad((first * weights).sum(), x)


@vs_torch
def test_third_order_of_a_product(lib):
    x = make(lib, [2.0, 0.0, 3.0, -1.0], "float64", requires_grad=True)
    first = lib.autograd.grad(x.prod(), x, create_graph=True)[0]
    second = lib.autograd.grad((first * first).sum(), x, create_graph=True)[0]
    return lib.autograd.grad(second.sum(), x)


@pytest.mark.parametrize("ord", [1, 1.5, 2, 3, float("inf")])
@vs_torch
def test_norm_of_zeros_has_no_slope(lib, ord):
    x = make(lib, [[0.0, 0.0], [0.0, -2.0]], "float64", requires_grad=True)
    y = lib.linalg.vector_norm(x, ord, dim=1)
    return y, *lib.autograd.grad(y.sum(), x)


@vs_torch
def test_deviation_of_equal_numbers_has_no_slope(lib):
    x = make(lib, [[1.0, 1.0], [1.0, 3.0]], "float64", requires_grad=True)
    return lib.autograd.grad(x.std(1).sum(), x)


@pytest.mark.parametrize("p", [None, "fro", 1, 2, 0, float("inf")])
@vs_torch
def test_norm(lib, p):
    x = make(lib, TIES, "float32")
    forms = [lib.norm(x, p), x.norm(p), lib.norm(x, p, 1), lib.norm(x, p, (0, 1), True)]
    return forms + [lib.norm(x, p, dim=0, dtype=lib.float64)]


@pytest.mark.parametrize("ord", ["fro", 1, -1, float("inf"), float("-inf")])
@vs_torch
def test_matrix_norm(lib, ord):
    x = make(
        lib, RNG.standard_normal((2, 3, 4)) * 0 + np.arange(24).reshape(2, 3, 4) - 7, "float64"
    )
    found = [lib.linalg.matrix_norm(x, ord), lib.linalg.matrix_norm(x, ord, (0, 1), True)]
    return [*found, lib.linalg.norm(x[0], ord), lib.linalg.norm(x)]


@vs_torch(raises="floating point")
def test_norm_of_integers(lib):
    lib.norm(lib.tensor([1, 2]))


@vs_torch(raises="not supported")
def test_unknown_norm(lib):
    lib.norm(lib.ones(2, 3), "abc")


@pytest.mark.parametrize("name", ["any", "all"])
@vs_torch
def test_truth_of_nothing_and_everything(lib, name):
    function = getattr(lib, name)
    empty = lib.ones(0, 3)
    number = lib.tensor([0.0, float("nan"), -0.0])
    return [
        function(empty), function(empty, 0), function(number), function(number, keepdim=True),
        function(lib.tensor([0, 3], dtype=lib.uint8)), lib.tensor([[True, False]]).any(1),
    ]  # fmt: skip


@vs_torch
def test_logsumexp_of_infinities(lib):
    inf = float("inf")
    rows = [[inf, 1.0], [-inf, -inf], [-inf, 2.0], [float("nan"), inf], [inf, -inf], [1e30, 1e30]]
    x = lib.tensor(rows)
    return [lib.logsumexp(x, 1), lib.logsumexp(lib.ones(0, 3), 0), lib.logcumsumexp(x, 1)]


def test_logsumexp_and_its_scan_do_not_overflow():
    x = torch.tensor(RNG.standard_normal((3, 50)) * 400, requires_grad=True)
    y = ag.tensor(x.tolist(), dtype=ag.float64, requires_grad=True)
    for name, dim in (("logsumexp", 1), ("logcumsumexp", 1), ("logcumsumexp", 0)):
        theirs, ours = getattr(x, name)(dim), getattr(y, name)(dim)
        same(ours, theirs)
        same(
            ag.autograd.grad(ours.sum(), y)[0].detach(),
            torch.autograd.grad(theirs.sum(), x)[0],
            rtol={"float64": 1e-8},
        )


LONG = RNG.standard_normal(300_000).astype("float32")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "name", ["sum", "mean", "max", "min", "argmax", "var", "norm", "count_nonzero", "any", "all"]
)
def test_long_rows(name, threads):
    """Rows that are reduced in pieces."""
    x, y = ag.tensor(LONG.tolist()), torch.tensor(LONG.tolist())
    before = ag.get_num_threads()
    ag.set_num_threads(threads)
    try:
        same(getattr(x, name)(), getattr(y, name)(), rtol={"float32": 1e-4})
    finally:
        ag.set_num_threads(before)


def test_nan_in_a_long_row():
    data = LONG.copy()
    data[250_000] = np.nan
    x = ag.tensor(data.tolist())
    assert np.isnan(x.max().item()) and np.isnan(x.min().item())
    assert x.argmax().item() == x.argmin().item() == 250_000


def test_a_product_within_range_of_parts_that_are_not():
    """Each half lies far outside of float32, in one part of the work; the whole does not."""
    data = np.repeat([1.0009765625, 1 / 1.0009765625], 150_000).astype("float32")
    expected = np.exp(np.log(data.astype("float64")).sum())
    for x in (data, data.reshape(3000, 100)):
        assert np.allclose(ag.tensor(x).prod().item(), expected, rtol=1e-3)


def test_product_of_a_long_row():
    data = 1 + RNG.standard_normal(200_001) * 1e-3
    x = ag.tensor(data.tolist(), dtype=ag.float64, requires_grad=True)
    assert np.allclose(x.prod().item(), np.prod(data))
    x.prod().backward()
    assert np.allclose(x.grad.tolist(), np.prod(data) / data)


def test_results_have_names():
    x = ag.tensor([[3.0, 1.0, 2.0]])
    for name in ("max", "min", "median", "nanmedian", "mode", "cummax", "cummin"):
        found = getattr(x, name)(1)
        assert found._fields == ("values", "indices") and found[0] is found.values
    assert x.aminmax().min.item() == 1 and x.aminmax(dim=1).max.tolist() == [3]


@vs_torch
def test_median_of_nan(lib):
    x = lib.tensor([[float("nan"), 1.0, 2.0], [3.0, 1.0, 2.0]])
    return [lib.median(x), lib.nanmedian(x), *lib.median(x, 1), *lib.nanmedian(x, 1)]


@pytest.mark.parametrize("ord", [0.5, 0.8])
@vs_torch(rtol={"float64": 1e-6})
def test_norms_below_one(lib, ord):
    x = make(lib, [[0.5, -2.0, 3.0], [1.0, 0.25, -1.5]], "float64", requires_grad=True)
    y = lib.linalg.vector_norm(x, ord, dim=1)
    return y, *lib.autograd.grad(y.sum(), x)


EVERY_DIMS = [
    dims for n in range(1, 5) for dims in itertools.combinations(range(4), n)
]  # of four dims


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (0, 2, 1, 3), (2, 3, 0, 1)])
@pytest.mark.parametrize(
    "shape", [(3, 4, 5, 6), (2, 1, 3, 1), (1, 17, 1, 20), (3, 0, 2, 2)], ids=str
)
@vs_torch
def test_dims_that_lie_apart(lib, order, shape):
    """Dims side by side or not, in every order in memory."""
    rng = np.random.default_rng(3)
    x = make(lib, rng.integers(-4, 5, shape).astype(float), "float64").permute(order)
    whole = x.to(lib.int64)
    found = []
    for dims in EVERY_DIMS:
        found += [x.sum(dims), x.mean(dims, True), whole.sum(dims), x.var(dims)]
        found.append(lib.linalg.vector_norm(x, 1, dims))
        if 0 not in shape:
            found += [x.amax(dims), whole.amin(dims, True), lib.linalg.vector_norm(x, 2, dims)]
    if 0 not in shape:
        found += [x.argmax(), x.argmin(1), x.max(2).indices]
    return [f.clone() for f in found]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bool"])
@vs_torch
def test_counts_of_a_mask(lib, dtype):
    x = make(lib, np.arange(3000.0).reshape(30, 100) % 7 == 0, dtype)
    return x.sum(), x[:, 1:].sum(), lib.count_nonzero(x), x.sum(dtype=lib.int32), x.sum(1)


@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
@pytest.mark.parametrize("kind", ["linear", "lower", "higher", "midpoint", "nearest"])
@pytest.mark.parametrize("q", [0.0, 0.25, 0.5, 1.0, [0.1, 0.9, 0.5]])
def test_quantiles_with_nan(name, kind, q):
    results = []
    for lib in (ag, torch):
        nan = float("nan")
        x = lib.tensor([[3.0, 1.0, 2.0, 5.0, 4.0], [nan, 2.0, 1.0, nan, 0.0], [nan] * 5])
        places = lib.tensor(q) if isinstance(q, list) else q
        results.append(getattr(lib, name)(x, places, 1, interpolation=kind).tolist())
    np.testing.assert_allclose(*results, rtol=1e-6)


@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
@pytest.mark.parametrize("q", [1.5, -0.1, [0.5, 1.5], "half", None])
def test_quantiles_that_are_none(name, q):
    errors = []
    for lib in (ag, torch):
        places = lib.tensor(q) if isinstance(q, list) else q
        with pytest.raises((RuntimeError, TypeError)) as told:
            getattr(lib, name)(lib.ones(3), places)
        errors.append(told.type)
    assert errors[0] is errors[1]
