"""Reading and writing parts of a tensor with brackets."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs import same

import autograd as ag

# ---- indexing ------------------------------------------------------------------------------------

INDICES = [
    0,
    -1,
    slice(None),
    slice(1, None),
    slice(None, -1),
    slice(0, 10),
    slice(5, 2),
    slice(None, None, 2),
    slice(1, 4, 3),
    slice(-100, 100),
    None,
    Ellipsis,
    (0, 1),
    (slice(None), 0),
    (Ellipsis, 0),
    (0, Ellipsis, 1),
    (None, 0, Ellipsis, None),
    (slice(None), None, slice(1, 2)),
    (1, 2, 3),
    (),
    [0, 2, 0],
    [-1],
    [],
    (slice(None), [0, 1, 0]),
    (Ellipsis, [0, -1]),
    (0, [0, 1]),
    (None, [1, 1]),
    ([1, 0], slice(None), 1),
    ([[0, 1], [1, 0]],),
]


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_indexing_equals_torch(index):
    x, y = ag.arange(60).reshape(3, 4, 5), torch.arange(60).reshape(3, 4, 5)
    ours, theirs = x[index], y[index]
    assert same(ours, theirs)


def test_indexing_with_tensors():
    x, y = ag.arange(12).reshape(4, 3), torch.arange(12).reshape(4, 3)
    for positions in ([0, 3], [-1, 0], [[0, 1], [2, 3]], []):
        chosen = torch.tensor(positions, dtype=torch.int64)
        assert same(x[ag.tensor(positions, dtype=ag.int64)], y[chosen])
        assert same(x[ag.tensor(positions, dtype=ag.int32)], y[chosen])
    assert same(x[ag.tensor(2)], y[2])
    assert same(x[:, ag.tensor([0, 2])], y[:, torch.tensor([0, 2])])
    assert same(x[np.array([1, 2])], y[np.array([1, 2])])
    assert same(x[np.int64(1)], y[1])


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_slice_equals_torch(data):
    n = data.draw(st.integers(0, 6))
    bound = st.none() | st.integers(-9, 9)
    part = slice(data.draw(bound), data.draw(bound), data.draw(st.none() | st.integers(1, 4)))
    assert ag.arange(n)[part].tolist() == torch.arange(n)[part].tolist()


def test_wrong_indices_are_refused():
    x = ag.arange(12).reshape(4, 3)
    for index in (4, -5, (0, 3), 2**40):
        with pytest.raises(IndexError):
            x[index]
    for index in (2**70, (0, 2**70), -(2**64)):
        with pytest.raises(ValueError, match="Overflow"):
            x[index]
    with pytest.raises(IndexError, match="too many indices"):
        x[0, 0, 0]
    with pytest.raises(IndexError, match="0-dim"):
        ag.tensor(1.0)[0]
    with pytest.raises(ValueError, match="step must be greater than zero"):
        x[::-1]
    with pytest.raises(TypeError, match="invalid data type"):
        x["a"]
    with pytest.raises(IndexError, match="valid indices"):
        x[{}]
    with pytest.raises(TypeError, match="does not support deleting"):
        del x[0]
    with pytest.raises(IndexError):
        x[1.5]
    with pytest.raises(TypeError, match="slice indices must be integers"):
        x[1.5:]
    with pytest.raises(IndexError):
        x[ag.tensor([4])]
    with pytest.raises(IndexError):
        x[ag.tensor([-5])]
    with pytest.raises(IndexError, match="tensors used as indices must be long"):
        x[ag.tensor([1.0])]


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_assigning_equals_torch(index):
    x, y = ag.zeros(3, 4, 5), torch.zeros(3, 4, 5)
    x[index] = 7
    y[index] = 7
    x[index] += 1
    y[index] += 1
    assert same(x, y)


def test_assigning_broadcasts_and_converts():
    x = ag.zeros(2, 3)
    x[0] = ag.tensor([1, 2, 3])
    x[:, 1] = [8.0, 9.0]
    x[1, 2] = ag.tensor(5.5)
    assert x.tolist() == [[1, 8, 3], [0, 9, 5.5]]
    x[...] = np.float32(2)
    assert x.tolist() == [[2, 2, 2], [2, 2, 2]]
    with pytest.raises(RuntimeError):
        x[0] = ag.ones(2)
    with pytest.raises(TypeError, match="must be Tensor or number, not str"):
        x[0] = "a"
    x[[0, 1], [2, 0]] = ag.tensor([3.0, 4.0])
    assert x.tolist() == [[2, 2, 3], [4, 2, 2]]
    with pytest.raises(IndexError):
        x[5] = 1
