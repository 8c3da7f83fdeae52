"""Order among equal elements and NaN, positions, and searching in other orders."""

import itertools

import numpy as np
import pytest
import torch
from compare import same

import autograd as ag

NAN, INF = float("nan"), float("inf")
ODD = [NAN, 1.0, -0.0, INF, 0.0, -INF, 1.0, NAN, -1.0]


def both(values, **options):
    return ag.tensor(values, **options), torch.tensor(values)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("n", [9, 90])
def test_odd_numbers_sort_as_in_torch(n, descending):
    ours, theirs = both(ODD * (n // 9))
    for convert in ("float", "double"):
        x, y = getattr(ours, convert)(), getattr(theirs, convert)()
        expected = torch.sort(y, stable=True, descending=descending)
        found = ag.sort(x, descending=descending)
        assert found.indices.tolist() == expected.indices.tolist()
        assert str(found.values.tolist()) == str(expected.values.tolist())


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8", "bool"])
def test_long_rows_are_stable(dtype):
    rng = np.random.default_rng(0)
    data = rng.integers(-5 if dtype in ("int32", "int64") else 0, 6, (3, 700)).tolist()
    x, y = (lib.tensor(data).to(getattr(lib, dtype)) for lib in (ag, torch))
    for dim, descending in itertools.product((0, 1), (False, True)):
        expected = torch.sort(y, dim=dim, stable=True, descending=descending)
        same(tuple(ag.sort(x, dim=dim, descending=descending)), tuple(expected))


def test_extreme_integers():
    data = [2**63 - 1, -(2**63), 0, -1, 1, 2**31, -(2**31)]
    assert ag.sort(ag.tensor(data)).values.tolist() == sorted(data)
    assert ag.topk(ag.tensor(data), 2).values.tolist() == sorted(data)[:-3:-1]


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("k", [1, 3, 60])
def test_positions_of_topk_and_kthvalue(k, largest):
    x = ag.randn(5, 120)
    found = ag.topk(x, k, largest=largest)
    assert x.gather(1, found.indices).tolist() == found.values.tolist()
    expected = torch.topk(torch.tensor(x.tolist()), k, largest=largest)
    assert found.indices.tolist() == expected.indices.tolist()
    values, indices = ag.kthvalue(x, k)
    assert x.gather(1, indices.unsqueeze(1)).squeeze(1).tolist() == values.tolist()
    assert values.tolist() == torch.kthvalue(torch.tensor(x.tolist()), k).values.tolist()


def test_nan_in_topk_kthvalue_unique_isin():
    x, y = both(ODD)
    assert str(ag.topk(x, 4).values.tolist()) == str(torch.topk(y, 4).values.tolist())
    assert str(ag.kthvalue(x, 8).values.tolist()) == "nan"
    found = ag.unique(x, return_inverse=True, return_counts=True)
    expected = torch.unique(y, return_inverse=True, return_counts=True)
    assert str([t.tolist() for t in found[::2]]) == str([t.tolist() for t in expected[::2]])
    assert found[1].tolist() == expected[1].tolist()
    assert (
        ag.isin(x, ag.tensor([NAN, 1.0])).tolist()
        == torch.isin(y, torch.tensor([NAN, 1.0])).tolist()
    )


def test_slices_with_nan_are_put_in_some_order():
    table = ag.tensor([[NAN, 1.0], [0.0, NAN], [NAN, 1.0], [0.0, 2.0]])
    assert ag.unique(table, dim=0).shape == (4, 2)


def test_searching_with_a_sorter():
    x, order = ag.tensor([5, 1, 3]), ag.tensor([1, 2, 0])
    assert ag.searchsorted(x, ag.tensor([3, 6]), sorter=order).tolist() == [1, 3]
    for wrong in (ag.tensor([1, 2, 7]), ag.tensor([1, 2]), ag.tensor([1.0, 2.0, 0.0])):
        with pytest.raises(RuntimeError, match="sorter"):
            ag.searchsorted(x, ag.tensor([3]), sorter=wrong)
    nan = ag.tensor([1.0, NAN])
    expected = torch.searchsorted(torch.tensor([1.0, NAN]), torch.tensor([NAN, 0.0]))
    assert ag.searchsorted(nan, ag.tensor([NAN, 0.0])).tolist() == expected.tolist()
    assert ag.bucketize(ag.tensor([1.0, 2.5]), ag.tensor([1.0, 2.0]), right=True).tolist() == [1, 2]
    with pytest.raises(RuntimeError, match="must be 1 dimension"):
        ag.bucketize(x, ag.ones(1, 2))


def test_names_of_results():
    x = ag.randn(3)
    for result in (ag.sort(x), ag.topk(x, 1), ag.kthvalue(x, 1)):
        assert result._fields == ("values", "indices")
    assert ag.msort(ag.tensor([[2, 1], [1, 2]])).tolist() == [[1, 1], [2, 2]]
    assert ag.isin(ag.tensor([1, 2]), 2).tolist() == [False, True]
    assert ag.isin(ag.tensor([[1, 2], [3, 4]]).T, ag.tensor([[3, 1]])).tolist() == [
        [True, True],
        [False] * 2,
    ]
    assert ag.isin(2, ag.tensor([1, 2])).item() is True
    with pytest.raises(TypeError):
        ag.isin(1, 2)
