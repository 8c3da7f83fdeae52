"""What the rows of the op table cannot say of gather, scatter, masks and embeddings."""

import numpy as np
import pytest
import torch
from compare import outcome, same, same_outcome
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd as ag

# ---- random index expressions ----------------------------------------------------------------------------


@st.composite
def expressions(draw):
    """A shape and an index that mostly fits it."""
    shape = tuple(draw(st.lists(st.integers(0, 4), min_size=1, max_size=4)))
    items, d = [], 0
    while d < len(shape) and draw(st.booleans() | st.just(True)):
        n = shape[d]
        kind = draw(st.sampled_from(["int", "slice", "none", "ints", "mask", "bool", "wide"]))
        if kind == "none":
            items.append(None)
            continue
        if kind == "bool":
            items.append(draw(st.booleans()))
            continue
        d += 1
        position = st.integers(-n, n) if draw(st.integers(0, 9)) == 0 else st.integers(-n, n - 1)
        if kind == "int" and n:
            items.append(draw(position))
        elif kind == "ints" and n:
            items.append(draw(st.lists(position, min_size=1, max_size=2)))
        elif kind == "wide" and n:
            items.append([draw(st.lists(position, min_size=2, max_size=2)) for _ in range(2)])
        elif kind == "mask":
            items.append(np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool))
        else:
            bound = st.none() | st.integers(-5, 5)
            step = draw(st.none() | st.integers(1, 3))
            items.append(slice(draw(bound), draw(bound), step))
    if draw(st.integers(0, 3)) == 0:
        items.insert(draw(st.integers(0, len(items))), Ellipsis)
    return shape, tuple(items)


def made(lib, item):
    if isinstance(item, (np.ndarray, list)):
        return lib.tensor(item.tolist() if isinstance(item, np.ndarray) else item)
    return item


def read_and_differentiate(lib, shape, index):
    """x[index] of a transposed x, and the gradient of a weighted sum of it."""
    n = int(np.prod(shape))
    base = lib.arange(n, dtype=lib.float64).reshape(shape[::-1]).requires_grad_()
    x = base.permute(tuple(reversed(range(len(shape)))))
    y = x[tuple(made(lib, item) for item in index)]
    weights = lib.arange(y.numel(), dtype=lib.float64).reshape(y.shape) + 1
    return y, lib.autograd.grad((y * weights).sum(), base)


def write(lib, shape, index, kind):
    """x with x[index] replaced: by a number, by as many numbers as are read, or increased in place."""
    n = int(np.prod(shape))
    x = lib.arange(n, dtype=lib.float64).reshape(shape).clone()
    index = tuple(made(lib, item) for item in index)
    if kind == "number":
        x[index] = -1.5
    elif kind == "same":
        part = x[index]
        x[index] = lib.arange(part.numel(), dtype=lib.float64).reshape(part.shape)
    else:
        x[index] += 1
    return x


@given(expressions())
@settings(max_examples=300, deadline=None)
def test_any_index_reads_as_in_torch(case):
    expected = outcome(read_and_differentiate, torch, *case)
    same_outcome(outcome(read_and_differentiate, ag, *case), expected)


@given(expressions(), st.sampled_from(["number", "same", "more"]))
@settings(max_examples=300, deadline=None)
def test_any_index_writes_as_in_torch(case, kind):
    expected = outcome(write, torch, *case, kind)
    same_outcome(outcome(write, ag, *case, kind), expected)


# ---- writing and autograd --------------------------------------------------------------------------------


def test_assignments_by_masks_and_positions_are_differentiated():
    def run(lib):
        x, v = (lib.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True) for _ in "xv")
        y = x * 2
        version = y._version
        y[y > 4] = 10.0
        y[lib.tensor([0, 1])] = v[:2] * 3
        y[lib.tensor([True, False, False, True])] = v[2:]
        y[[0, 2]] *= 2
        return y, lib.autograd.grad((y * y).sum(), [x, v]), y._version - version

    same(run(ag)[:2], run(torch)[:2])
    assert run(ag)[2] >= 4


def test_leaves_and_overwritten_values_are_guarded():
    x = ag.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf Variable"):
        x[ag.tensor([True, False, True])] = 0
    index = ag.tensor([0, 1])
    y = (x * x).gather(0, index)
    index[0] = 2
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_a_mask_of_itself_and_overlapping_sources():
    x = ag.arange(6.0)
    x[x > 2] = x[x > 2] * 10
    assert x.tolist() == [0, 1, 2, 30, 40, 50]
    x[1:] = x[:-1]
    assert x.tolist() == [0, 0, 1, 2, 30, 40]


# ---- scatter ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["scatter", "scatter_add", "sum", "prod", "mean", "amax"])
def test_a_source_larger_than_the_index(name):
    """PyTorch computes no gradient here: it is that of the part that is used."""
    index = ag.tensor([[0, 2], [1, 0]])
    x, src = ag.randn(3, 3, requires_grad=True), ag.randn(4, 3, requires_grad=True)

    def run(source):
        if name.startswith("scatter"):
            return getattr(ag, name)(x, 0, index, source)
        return ag.scatter_reduce(x, 0, index, source, name)

    weights = ag.randn(3, 3)
    whole = ag.autograd.grad((run(src) * weights).sum(), [x, src])
    part = src.detach()[:2, :2].requires_grad_()
    expected = ag.autograd.grad((run(part) * weights).sum(), [x, part])
    assert whole[0].tolist() == expected[0].tolist()
    assert whole[1][:2, :2].tolist() == expected[1].tolist()
    assert whole[1][2:].abs().sum() == 0 and whole[1][:, 2].abs().sum() == 0


def test_old_reductions_of_scatter():
    index = [[0, 0, 1]]
    for reduce in ("add", "multiply"):
        found, expected = (
            lib.full((2, 3), 3.0).scatter_(0, lib.tensor(index), 2.0, reduce=reduce)
            for lib in (ag, torch)
        )
        same(found, expected)
    with pytest.raises(RuntimeError, match="must be either add or multiply"):
        ag.ones(2).scatter(0, ag.tensor([0]), 1.0, reduce="mean")
    with pytest.raises(TypeError, match="missing"):
        ag.ones(2).scatter(0, ag.tensor([0]))


def test_integer_means_round_down_and_extremes_of_integers():
    x, index = [[-7, 5, 2**62]], [[0, 0, 0]]
    src = [[2, -8, -(2**62)]]
    for reduce in ("mean", "amax", "amin", "prod", "sum"):
        for include_self in (True, False):
            found, expected = (
                lib.tensor(x).scatter_reduce(
                    0, lib.tensor(index), lib.tensor(src), reduce, include_self=include_self
                )
                for lib in (ag, torch)
            )
            same(found, expected)


def test_take_along_dim_counts_modulo_and_flat():
    x = ag.arange(12.0).reshape(3, 4).T
    assert x.take_along_dim(ag.tensor([1, 5])).tolist() == [4.0, 9.0]
    assert ag.arange(4.0).take_along_dim(ag.tensor([-1, 4]), 0).tolist() == [3.0, 0.0]


# ---- parts replaced --------------------------------------------------------------------------------------

PARTS = {
    "select": ((2, 4), lambda lib, x, src: lib.select_scatter(x, src, 1, -2)),
    "slice": ((2, 3, 2), lambda lib, x, src: lib.slice_scatter(x, src, -1, 1, 4, 2)),
    "diagonal": ((4, 2), lambda lib, x, src: lib.diagonal_scatter(x, src, -1, 1, 0)),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kinds", [("float32", "float64"), ("int32", "float32"), ("bool", "int64")])
def test_a_part_is_converted_and_may_be_strided(part, kinds):
    sizes, replace = PARTS[part]

    def run(lib):
        numbers = lib.arange(24.0).reshape(4, 3, 2).permute(2, 1, 0) / 2
        x = numbers.to(getattr(lib, kinds[0]))
        src = -lib.arange(64.0)[: 2 * int(np.prod(sizes)) : 2].reshape(sizes[::-1])
        src = src.permute(*range(len(sizes))[::-1]).to(getattr(lib, kinds[1]))
        return replace(lib, x, src), x

    same(run(ag), run(torch))


@pytest.mark.parametrize("part", PARTS)
def test_gradients_of_a_part_of_another_dtype(part):
    sizes, replace = PARTS[part]

    def run(lib):
        x = (lib.arange(24.0, dtype=lib.float64).reshape(2, 3, 4) / 8 - 1).requires_grad_()
        src = (lib.arange(float(np.prod(sizes))).reshape(sizes) / 4 - 1).requires_grad_()
        y = replace(lib, x, src)
        first = lib.autograd.grad((y**3).sum(), (x, src), create_graph=True)
        return y, first, lib.autograd.grad(sum((g**2).sum() for g in first), (x, src))

    same(run(ag), run(torch))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("dims", [(0, 0), (0, None), (None, 0)])
def test_a_part_in_vmap(part, dims):
    """The tensor, its part, or both differ from example to example."""
    sizes, replace = PARTS[part]

    def run(lib):
        x = lib.arange(72.0).reshape(3, 2, 3, 4)
        src = -lib.arange(3.0 * np.prod(sizes)).reshape(3, *sizes)
        inputs = [t if d == 0 else t[0] for t, d in zip((x, src), dims)]
        return lib.func.vmap(lambda a, b: replace(lib, a, b), in_dims=dims)(*inputs)

    same(run(ag), run(torch))


@pytest.mark.filterwarnings("ignore:index_reduce")
def test_index_reduce_refuses_what_pytorch_refuses():
    def run(lib, x, source, dim, position):
        index = lib.tensor([position])
        return lib.zeros(x).index_reduce(dim, index, lib.ones(source), "amax")

    sizes = [((3, 4), ()), ((3,), ()), ((), (1,)), ((2, 3), (2, 3)), ((2, 3), (1, 3))]
    places = [((3,), (1,), 0, 3), ((3,), (1,), 0, -1), ((3,), (1,), 1, 0), ((2, 1), (2, 1), -1, 0)]
    for arguments in [(*two, 0, 0) for two in sizes] + places:
        same_outcome(*(outcome(run, lib, *arguments) for lib in (ag, torch)))


# ---- histograms ------------------------------------------------------------------------------------------


def test_histograms_of_narrow_wide_and_broken_data():
    nan, inf = float("nan"), float("inf")
    for data, bins, low, high in [
        ([0.0, nan, 1.0, inf, -inf], 3, 0, 2),
        ([1.0, 1.0], 2, 0, 0),
        ([1.0, -3.0, 2.0], 4, 5, 5),
        ([0.1 * i for i in range(11)], 10, 0, 1),
        ([16777216.0] * 2, 2, 16777216.2, 16777216.4),  # no range in float32
        ([-1.0, 0.0, 1.0], 2, -1, 1),
    ]:
        same(*(lib.histc(lib.tensor(data), bins, low, high) for lib in (ag, torch)))
    assert ag.histc(ag.tensor([3e38, -3e38, 1.0]), 2).sum().item() == 3


# ---- embeddings ------------------------------------------------------------------------------------------


def test_embedding_module():
    for options in ({}, {"padding_idx": -1}, {"max_norm": 1.5, "norm_type": 1.0, "sparse": True}):
        ours, theirs = ag.nn.Embedding(5, 3, **options), torch.nn.Embedding(5, 3, **options)
        assert repr(ours) == repr(theirs)
        assert ours.padding_idx == theirs.padding_idx
    assert ag.nn.Embedding(5, 3, padding_idx=2).weight[2].tolist() == [0, 0, 0]
    table = ag.arange(6.0).reshape(3, 2)
    frozen = ag.nn.Embedding.from_pretrained(table)
    assert not frozen.weight.requires_grad
    assert ag.nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad
    assert frozen(ag.tensor([[2, 0]])).tolist() == [[[4, 5], [0, 1]]]
    assert frozen(ag.tensor([], dtype=ag.int64)).shape == (0, 2)
    for wrong in (3, -4):
        with pytest.raises(AssertionError, match="Padding_idx"):
            ag.nn.Embedding(3, 4, padding_idx=wrong)
    with pytest.raises(AssertionError, match="Shape of weight"):
        ag.nn.Embedding(3, 4, _weight=ag.ones(2, 4))
    with pytest.raises(AssertionError, match="2-dimensional"):
        ag.nn.Embedding.from_pretrained(ag.ones(3))


def test_gradient_of_an_embedding_by_frequency():
    index = [[0, 1, 1], [1, 2, 0]]

    def run(lib, **options):
        weight = (lib.arange(8.0).reshape(4, 2) / 4).requires_grad_()
        y = lib.nn.functional.embedding(lib.tensor(index), weight, **options)
        y.pow(2).sum().backward()
        return y, weight.grad, weight.detach()

    for options in ({}, {"scale_grad_by_freq": True}, {"padding_idx": 1}, {"max_norm": 1.0}):
        same(run(ag, **options), run(torch, **options))


def test_empty_embedding_gets_a_gradient_of_zeros():
    weight = ag.ones(3, 4, requires_grad=True)
    ag.nn.functional.embedding(ag.tensor([], dtype=ag.int64), weight).sum().backward()
    assert weight.grad.tolist() == [[0.0] * 4] * 3
