"""Data sets, samplers and loaders made of anything: what PyTorch makes of it, or a difference that is meant."""

import itertools
import re

import pytest
import torch
from compare import outcome
from test_bad_optimizers import MORE
from wrong_things import STUMBLES

import autograd as ag


def _good(lib):
    """Each class with arguments that are right; of a DataLoader also the options of which PyTorch starts processes."""
    data = lib.utils.data
    rows = data.TensorDataset(lib.arange(10.0).reshape(5, 2), lib.arange(5))

    class Numbers(data.IterableDataset):
        def __iter__(self):
            return iter(range(4))

    class Squares(data.Dataset):
        def __getitem__(self, index):
            return [1, 4, 9][index]

        def __len__(self):
            return 3

    choice = {"batch_size": 1, "shuffle": None, "sampler": None, "batch_sampler": None}
    choice["drop_last"] = False
    more = {"collate_fn": None, "timeout": 0, "generator": None, "prefetch_factor": None}
    more |= {"persistent_workers": False, "in_order": True, "worker_init_fn": None}
    return {
        "DataLoader": {"dataset": rows, **choice, **more},
        "DataLoader of numbers": {"dataset": Numbers(), **choice},
        "DataLoader of squares": {"dataset": Squares(), **choice},
        "TensorDataset": {},
        "Subset": {"dataset": rows, "indices": [0, 1]},
        "ConcatDataset": {"datasets": [rows, rows]},
        "ChainDataset": {"datasets": [Numbers()]},
        "StackDataset": {"a": rows, "b": rows},
        "BatchSampler": {"sampler": range(5), "batch_size": 2, "drop_last": False},
        "RandomSampler": {"data_source": range(5), "replacement": True, "num_samples": 3},
        "SequentialSampler": {"data_source": range(5)},
        "SubsetRandomSampler": {"indices": [0, 1], "generator": None},
        "WeightedRandomSampler": {"weights": [0.1, 0.2], "num_samples": 2, "replacement": True},
        "random_split": {"dataset": range(5), "lengths": [2, 3]},
        "default_collate": {"batch": [1, 2]},
        "default_convert": {"data": [1, 2]},
    }


MEANT = [
    # why, the call, here, PyTorch
    ("an operator or a place in PyTorch's code", ".*", "TypeError|ValueError", "AttributeError"),
    ("a size beyond 64 bits", r"DataLoader\(batch_size=a huge int", "ok", "ValueError"),
    ("None is no row", r"DataLoader\(sampler=a list of None", "TypeError", "ok"),
    ("seen at once", r"DataLoader\(timeout=", "ValueError", "AssertionError"),
    ("a bool is no number of samples", r"RandomSampler\(num_samples=a bool", "ValueError", "ok"),
]


def _made(lib, name, **changed):
    """What comes of it: the length and the first batches are looked at."""
    made = getattr(lib.utils.data, name.split()[0])(**{**_good(lib)[name], **changed})
    if hasattr(made, "__len__"):
        len(made)
    if hasattr(made, "__iter__"):
        list(itertools.islice(iter(made), 5))


def _ending(result):
    return type(result).__name__ if isinstance(result, Exception) else "ok"


@pytest.mark.parametrize("name", _good(ag))
def test_they_end_as_pytorchs_do(name):
    differing = []
    for argument, thing in itertools.product((*_good(ag)[name], "unknown"), MORE):
        call = f"{name}({argument}={thing})"
        theirs, ours = (
            outcome(lambda lib: _made(lib, name, **{argument: MORE[thing](lib)}), lib)  # noqa: B023
            for lib in (torch, ag)
        )
        endings = call, _ending(ours), _ending(theirs)
        if endings[1] == endings[2] or (
            isinstance(theirs, STUMBLES) and isinstance(ours, (TypeError, ValueError))
        ):
            continue
        if not any(all(map(re.match, patterns, endings)) for _, *patterns in MEANT):
            differing.append(f"{call}: {ours!r} | PyTorch: {theirs!r}"[:200])
    assert not differing, "\n".join(differing)
