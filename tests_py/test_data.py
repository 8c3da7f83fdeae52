"""Data sets, samplers and DataLoader: what PyTorch's give, and batches that stay what they were."""

from __future__ import annotations

import pickle
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import torch
import torch.utils.data as torch_data

import autograd as ag
from autograd.utils import data as ag_data

LIBS = [(ag, ag_data), (torch, torch_data)]
Point = namedtuple("Point", "x y")


def plain(value):
    """A batch as plain Python, with the names of dtypes."""
    if isinstance(value, (ag.Tensor, torch.Tensor)):
        return str(value.dtype).split(".")[-1], tuple(value.shape), value.tolist()
    if isinstance(value, dict):
        return type(value).__name__, {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(item) for item in value]
    return value


def tensors(lib, n=10):
    x = lib.arange(n * 3, dtype=lib.float32).reshape(n, 3)
    return x, lib.arange(n) * 10


class Squares:
    """A data set of a user, without a base class."""

    def __init__(self, n=7):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        if not -self.n <= index < self.n:
            raise IndexError(index)
        return {"number": index, "square": float(index * index), "name": f"n{index}"}


def numbers_of(data, n=7):
    class Numbers(data.IterableDataset):
        def __iter__(self):
            return iter(range(n))

        def __len__(self):
            return n

    return Numbers()


# ---- loaders without chance ----

LOADERS = {
    "default": lambda lib, d: d.DataLoader(d.TensorDataset(*tensors(lib))),
    "batches": lambda lib, d: d.DataLoader(d.TensorDataset(*tensors(lib)), batch_size=4),
    "drop last": lambda lib, d: d.DataLoader(d.TensorDataset(*tensors(lib)), 4, drop_last=True),
    "one big batch": lambda lib, d: d.DataLoader(d.TensorDataset(*tensors(lib)), 100),
    "none left": lambda lib, d: d.DataLoader(d.TensorDataset(*tensors(lib)), 100, drop_last=True),
    "no batches": lambda lib, d: d.DataLoader(d.TensorDataset(*tensors(lib)), batch_size=None),
    "one tensor": lambda lib, d: d.DataLoader(d.TensorDataset(lib.arange(5)), 2),
    "sampler": lambda lib, d: d.DataLoader(
        d.TensorDataset(*tensors(lib)), 3, sampler=[5, 2, -1, 2, 0]
    ),
    "batch sampler": lambda lib, d: d.DataLoader(
        d.TensorDataset(*tensors(lib)), batch_sampler=[[1], [2, 3], [-1, 0, 0]]
    ),
    "sampler without batches": lambda lib, d: d.DataLoader(
        d.TensorDataset(*tensors(lib)), None, sampler=[5, 2]
    ),
    "subset": lambda lib, d: d.DataLoader(
        d.Subset(d.TensorDataset(*tensors(lib)), [9, 1, -2, 4, 4]), 2
    ),
    "subset of a range": lambda lib, d: d.DataLoader(
        d.Subset(d.TensorDataset(*tensors(lib)), range(2, 8)), 4
    ),
    "subset with a sampler": lambda lib, d: d.DataLoader(
        d.Subset(d.TensorDataset(*tensors(lib)), [9, 1, 5]), 2, sampler=[2, 0, -1]
    ),
    "subset of a subset": lambda lib, d: d.DataLoader(
        d.Subset(d.Subset(d.TensorDataset(*tensors(lib)), [9, 1, 5]), [2, 0]), 2
    ),
    "transposed": lambda lib, d: d.DataLoader(
        d.TensorDataset(lib.arange(12).reshape(3, 4).t(), tensors(lib, 8)[0][::2]), 3
    ),
    "whole numbers": lambda lib, d: d.DataLoader(
        d.TensorDataset(lib.zeros(4, 0), lib.ones(4, dtype=lib.bool)), 3
    ),
    "sizes": lambda lib, d: d.DataLoader(
        d.TensorDataset(lib.arange(24, dtype=lib.int32).reshape(4, 2, 3)), 3
    ),
    "collate": lambda lib, d: d.DataLoader(
        d.TensorDataset(*tensors(lib)), 4, collate_fn=lambda samples: len(samples)
    ),
    "own": lambda lib, d: d.DataLoader(Squares(), 3),
    "own without batches": lambda lib, d: d.DataLoader(Squares(), None),
    "list": lambda lib, d: d.DataLoader([3, 1, 4, 1, 5], 2),
    "list of tuples": lambda lib, d: d.DataLoader([(1, 2.0, "a"), (3, 4.0, "b")], 2),
    "list of arrays": lambda lib, d: d.DataLoader([np.ones(2), np.zeros(2)], 2),
    "concat": lambda lib, d: d.DataLoader(d.ConcatDataset([Squares(2), Squares(3)]), 2),
    "stack": lambda lib, d: d.DataLoader(d.StackDataset(Squares(4), [1, 2, 3, 4]), 3),
    "stack by name": lambda lib, d: d.DataLoader(
        d.StackDataset(a=[1, 2, 3], b=d.Subset([5, 6, 7], [0, 1, 2])), 2
    ),
    "iterable": lambda lib, d: d.DataLoader(numbers_of(d), 3),
    "iterable, drop last": lambda lib, d: d.DataLoader(numbers_of(d), 3, drop_last=True),
    "iterable without batches": lambda lib, d: d.DataLoader(numbers_of(d), None),
    "chain": lambda lib, d: d.DataLoader(d.ChainDataset([numbers_of(d, 2), numbers_of(d, 3)]), 2),
    "sum": lambda lib, d: d.DataLoader(numbers_of(d, 2) + numbers_of(d, 3), 2),
    "sum of maps": lambda lib, d: d.DataLoader(d.TensorDataset(*tensors(lib)) + [(1, 2)], None),
}


@pytest.mark.parametrize("name", LOADERS)
def test_loader_equals_torch(name):
    found = []
    for lib, data in LIBS:
        loader = LOADERS[name](lib, data)
        epochs = [[plain(batch) for batch in loader] for _ in range(2)]
        found.append((epochs, len(loader)))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["default", "batches", "own", "list of tuples"])
def test_workers_change_nothing(name):
    loader = LOADERS[name](ag, ag_data)
    other = ag_data.DataLoader(
        loader.dataset,
        loader.batch_size,
        num_workers=2,
        pin_memory=True,
        timeout=3,
        worker_init_fn=print,
        persistent_workers=True,
        prefetch_factor=4,
    )
    assert [plain(batch) for batch in other] == [plain(batch) for batch in loader]
    assert ag_data.get_worker_info() is None


# ---- shuffling ----


def small_loader(**options):
    x, y = tensors(ag, 50)
    return ag_data.DataLoader(ag_data.TensorDataset(x, y), shuffle=True, **options)


@pytest.mark.parametrize("size", [1, 7, 50, 64])
@pytest.mark.parametrize("kind", ["tensors", "subset", "own"])
def test_an_epoch_has_each_sample_once(kind, size):
    x, y = tensors(ag, 50)
    dataset = ag_data.TensorDataset(x, y)
    expected = list(range(50))
    if kind == "subset":
        expected = list(range(0, 50, 3))
        dataset = ag_data.Subset(dataset, expected)
    if kind == "own":
        dataset = [(x[i], y[i]) for i in range(50)]
    loader = ag_data.DataLoader(dataset, size, shuffle=True)
    orders = []
    for _ in range(2):
        batches = list(loader)
        assert len(batches) == len(loader)
        assert [len(batch[0]) for batch in batches[:-1]] == [size] * (len(batches) - 1)
        rows = ag.cat([batch[0] for batch in batches])
        labels = ag.cat([batch[1] for batch in batches])
        order = [label // 10 for label in labels.tolist()]
        assert rows.tolist() == x[order].tolist()
        assert sorted(order) == expected
        orders.append(order)
    assert orders[0] != orders[1]
    assert orders[0] != expected


def test_shuffling_follows_the_seed_and_the_generator():
    def order(loader):
        return [batch[1].tolist() for batch in loader]

    ag.manual_seed(3)
    first = order(small_loader(batch_size=8))
    assert order(small_loader(batch_size=8)) != first
    ag.manual_seed(3)
    assert order(small_loader(batch_size=8)) == first
    generator = ag.Generator().manual_seed(5)
    before = ag.get_rng_state().tolist()
    second = order(small_loader(batch_size=8, generator=generator))
    assert ag.get_rng_state().tolist() == before
    assert order(small_loader(batch_size=8, generator=generator)) != second
    generator.manual_seed(5)
    assert order(small_loader(batch_size=8, generator=generator)) == second


def test_shuffling_is_uniform():
    """Each of the 24 orders of 4 samples is as likely: a chi-squared test at 23 degrees of freedom."""
    loader = ag_data.DataLoader(ag_data.TensorDataset(ag.arange(4)), 4, shuffle=True)
    ag.manual_seed(0)
    counts = {}
    for _ in range(4800):
        order = tuple(next(iter(loader))[0].tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    assert sum((count - 200) ** 2 / 200 for count in counts.values()) < 49.7  # p = 0.001


def test_batches_stay_what_they_were():
    loader = small_loader(batch_size=16)
    kept, copies = [], []
    for _ in range(3):
        for batch in loader:
            kept.append(batch)
            copies.append([each.tolist() for each in batch])
    assert [[each.tolist() for each in batch] for batch in kept] == copies
    first, second = kept[0], kept[1]
    first[0].zero_()
    assert second[0].tolist() == copies[1][0]
    assert loader.dataset.tensors[0].tolist() == tensors(ag, 50)[0].tolist()
    # A batch is a tensor like any other.
    x = second[0]
    x.requires_grad_()
    (x * x).sum().backward()
    assert x.grad.tolist() == (second[0].detach() * 2).tolist()
    assert pickle.loads(pickle.dumps(first[1])).tolist() == first[1].tolist()
    assert x._version == 0


def test_batches_show_the_data_as_it_is():
    x, y = tensors(ag, 6)
    loader = ag_data.DataLoader(ag_data.TensorDataset(x, y), 2)
    batches = iter(loader)
    next(batches)
    y[2:4] = 7
    assert next(batches)[1].tolist() == [7, 7]
    x.data = ag.zeros(6, 3)
    y.data = ag.zeros(6, dtype=ag.int64)
    del x, y
    ag.release_memory()
    assert next(batches)[1].tolist() == [40, 50]
    assert next(iter(loader))[1].tolist() == [0, 0]


def test_gradients_flow_through_batches():
    for lib, data in LIBS:
        x = lib.ones(4, 2, requires_grad=True)
        for (batch,) in data.DataLoader(data.TensorDataset(x), 2):
            (batch * 3).sum().backward()
        assert x.grad.tolist() == [[3, 3]] * 4


def test_many_epochs_keep_no_memory():
    loader = small_loader(batch_size=8)
    list(loader)
    before = ag.memory_allocated()
    for _ in range(20):
        assert len(list(loader)) == 7
        next(iter(loader))
    assert ag.memory_allocated() == before


# ---- data sets ----


def test_datasets():
    for lib, data in LIBS:
        x, y = tensors(lib)
        dataset = data.TensorDataset(x, y)
        assert len(dataset) == 10
        assert dataset[3][1].item() == 30
        assert plain(dataset[2:4])[1][1] == ("int64", (2,), [20, 30])
        both = dataset + dataset
        assert isinstance(both, data.ConcatDataset)
        assert len(both) == 20
        assert both[-1][1].item() == both[9][1].item() == 90
        assert both.cumulative_sizes == [10, 20]
        subset = data.Subset(dataset, [4, 5])
        assert len(subset) == 2
        assert subset[1][1].item() == 50
        assert subset[[0, 1]][1].tolist() == [40, 50]
        assert isinstance(data.Dataset[int], object)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda lib, d: d.TensorDataset(lib.ones(2), lib.ones(3)),
        lambda lib, d: d.ConcatDataset([]),
        lambda lib, d: d.ConcatDataset([numbers_of(d)]),
        lambda lib, d: d.ConcatDataset([[1, 2]])[-3],
        lambda lib, d: d.Dataset()[0],
        lambda lib, d: d.StackDataset(),
        lambda lib, d: d.StackDataset([1], [1, 2]),
        lambda lib, d: d.StackDataset(a=[1], b=[1, 2]),
        lambda lib, d: list(d.ChainDataset([[1, 2]])),
        lambda lib, d: d.random_split([1, 2, 3], [1, 1]),
        lambda lib, d: d.random_split([1, 2, 3], [1.5, -0.5]),
        lambda lib, d: d.RandomSampler([]),
        lambda lib, d: d.RandomSampler([1], replacement=1),
        lambda lib, d: d.RandomSampler([1], num_samples=0),
        lambda lib, d: d.WeightedRandomSampler([1.0], 0),
        lambda lib, d: d.WeightedRandomSampler([1.0], True),
        lambda lib, d: d.WeightedRandomSampler([1.0], 1, replacement=0),
        lambda lib, d: d.WeightedRandomSampler([[1.0]], 1),
        lambda lib, d: list(d.WeightedRandomSampler([1.0, -1.0], 1)),
        lambda lib, d: list(d.WeightedRandomSampler([0.0, 0.0], 1)),
        lambda lib, d: list(d.WeightedRandomSampler([1.0, 0.0], 3, False)),
        lambda lib, d: d.BatchSampler([1], 0, False),
        lambda lib, d: d.BatchSampler([1], 1.5, False),
        lambda lib, d: d.BatchSampler([1], 1, 0),
        lambda lib, d: iter(d.Sampler()),
        lambda lib, d: d.DataLoader([1], num_workers=-1),
        lambda lib, d: d.DataLoader([1], timeout=-1),
        lambda lib, d: d.DataLoader([1], prefetch_factor=2),
        lambda lib, d: d.DataLoader([1], num_workers=1, prefetch_factor=-2),
        lambda lib, d: d.DataLoader([1], persistent_workers=True),
        lambda lib, d: d.DataLoader([1], batch_size=0),
        lambda lib, d: d.DataLoader([1], batch_size=None, drop_last=True),
        lambda lib, d: d.DataLoader([1], shuffle=True, sampler=[0]),
        lambda lib, d: d.DataLoader([1], batch_sampler=[[0]], batch_size=2),
        lambda lib, d: d.DataLoader([], shuffle=True),
        lambda lib, d: d.DataLoader(numbers_of(d), shuffle=True),
        lambda lib, d: d.DataLoader(numbers_of(d), sampler=[0]),
        lambda lib, d: d.DataLoader(numbers_of(d), batch_sampler=[[0]]),
        lambda lib, d: setattr(d.DataLoader([1]), "batch_size", 3),
        lambda lib, d: next(iter(d.DataLoader(d.TensorDataset(lib.ones(2)), sampler=[2]))),
        lambda lib, d: next(iter(d.DataLoader(d.TensorDataset(lib.ones(2)), sampler=[-3]))),
        lambda lib, d: next(iter(d.DataLoader(d.Subset(d.TensorDataset(lib.ones(2)), [2])))),
        lambda lib, d: next(iter(d.DataLoader([1, "a"], 2))),
        lambda lib, d: next(iter(d.DataLoader([[1, 2], [3]], 2))),
        lambda lib, d: d.default_collate([{1}, {2}]),
        lambda lib, d: d.default_collate([None]),
        lambda lib, d: d.default_collate([np.array(["a"])]),
        lambda lib, d: d.default_collate([lib.ones(2), lib.ones(3)]),
    ],
)
def test_wrong_calls(wrong):
    errors = []
    for lib, data in LIBS:
        with pytest.raises(Exception) as caught:  # noqa: B017, PT011
            wrong(lib, data)
        errors.append(caught.value)
    assert type(errors[0]) is type(errors[1]), errors


def test_subset_subclasses_say_how_lists_are_fetched():
    for _, data in LIBS:

        class Own(data.Subset):
            def __getitem__(self, index):
                return 1

        with pytest.raises(NotImplementedError, match="overrides __getitem__ but not __getitems__"):
            Own([1], [0])


# ---- splits and samplers ----


@pytest.mark.parametrize("lengths", [[7, 3], [0.7, 0.3], [0.5, 0.25, 0.25], [1.0], [10, 0]])
def test_random_split(lengths):
    found = []
    for lib, data in LIBS:
        generator = lib.Generator().manual_seed(1)
        parts = data.random_split(range(10), lengths, generator)
        assert sorted(index for part in parts for index in part.indices) == list(range(10))
        found.append([len(part) for part in parts])
        generator.manual_seed(1)
        again = data.random_split(range(10), lengths, generator)
        assert [part.indices for part in again] == [part.indices for part in parts]
    assert found[0] == found[1]


def test_an_empty_split_is_warned_of():
    for _, data in LIBS:
        with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
            data.random_split(range(2), [0.95, 0.05])


def test_samplers():
    for lib, data in LIBS:
        generator = lib.Generator().manual_seed(2)
        assert list(data.SequentialSampler("abc")) == [0, 1, 2]
        order = list(data.RandomSampler(range(20), generator=generator))
        assert sorted(order) == list(range(20))
        assert order != sorted(order)
        more = list(data.RandomSampler(range(4), num_samples=10, generator=generator))
        assert sorted(more[:4]) == sorted(more[4:8]) == [0, 1, 2, 3]
        assert len(more) == len(data.RandomSampler(range(4), num_samples=10)) == 10
        drawn = list(data.RandomSampler(range(5), replacement=True, num_samples=200))
        assert set(drawn) == set(range(5))
        assert sorted(data.SubsetRandomSampler([3, 5, 9], generator)) == [3, 5, 9]
        assert list(data.BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
        assert list(data.BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
        assert len(data.BatchSampler(range(5), 2, False)) == 3
        assert len(data.BatchSampler(range(5), 2, True)) == 2


def test_weighted_sampling():
    weights = [1.0, 0.0, 3.0, 6.0]
    generator = ag.Generator().manual_seed(4)
    sampler = ag_data.WeightedRandomSampler(weights, 20000, generator=generator)
    drawn = list(sampler)
    assert len(drawn) == len(sampler) == 20000
    shares = np.bincount(drawn, minlength=4) / 20000
    np.testing.assert_allclose(shares, [0.1, 0, 0.3, 0.6], atol=0.015)
    firsts = []
    for _ in range(4000):
        order = list(ag_data.WeightedRandomSampler(weights, 3, False, generator))
        assert sorted(order) == [0, 2, 3]
        firsts.append(order[0])
    shares = np.bincount(firsts, minlength=4) / 4000
    np.testing.assert_allclose(shares, [0.1, 0, 0.3, 0.6], atol=0.03)


# ---- collating ----

BATCHES = [
    lambda lib: [lib.ones(2), lib.zeros(2)],
    lambda lib: [1, 2],
    lambda lib: [1.5, 2],
    lambda lib: [True, False],
    lambda lib: ["a", "b"],
    lambda lib: [b"a", b"b"],
    lambda lib: [(1, 2.0), (3, 4.0)],
    lambda lib: [[1, 2.0], [3, 4.0]],
    lambda lib: [{"a": 1, "b": [2, 3]}, {"a": 4, "b": [5, 6]}],
    lambda lib: [OrderedDict(z=1, a=2.0), OrderedDict(z=3, a=4.0)],
    lambda lib: [Point(1, lib.ones(1)), Point(2, lib.zeros(1))],
    lambda lib: [np.float32(1), np.float32(2)],
    lambda lib: [np.int64(1), np.int64(2)],
    lambda lib: [np.bool_(True), np.bool_(False)],
    lambda lib: [np.ones((2, 2), "float32"), np.zeros((2, 2), "float32")],
    lambda lib: [np.array(1.5), np.array(2.5)],
    lambda lib: [((1, 2), {"x": "y"}), ((3, 4), {"x": "z"})],
    lambda lib: (lib.arange(3), lib.arange(3)),
    lambda lib: [range(2), range(2, 4)],
]


@pytest.mark.parametrize("place", range(len(BATCHES)))
def test_collate_equals_torch(place):
    ours = ag_data.default_collate(BATCHES[place](ag))
    theirs = torch_data.default_collate(BATCHES[place](torch))
    assert plain(ours) == plain(theirs)
    ours = ag_data.default_convert(BATCHES[place](ag))
    theirs = torch_data.default_convert(BATCHES[place](torch))
    assert plain(ours) == plain(theirs)
