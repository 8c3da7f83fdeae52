"""axis and keepdims, as NumPy calls them, for dim and keepdim."""

import pytest
import torch
from compare import outcome, same, same_outcome

import autograd as ag

VALUES = [[3.0, 1.0, 2.0], [0.5, -4.0, 2.5]]
# Calls of a library with a tensor of it.
CALLS = {
    **{
        name: lambda lib, x, name=name: getattr(x, name)(axis=1)
        for name in """all any amax amin argmax argmin argsort count_nonzero cummax cummin cumprod cumsum diff
        log_softmax logcumsumexp logsumexp max mean median min mode nanmean nanmedian nansum prod softmax sort squeeze
        std sum unbind var""".split()
    },
    **{
        f"{name} kept": lambda lib, x, name=name: getattr(lib, name)(x, axis=0, keepdims=True)
        for name in "sum mean var std_mean var_mean amax max nanmedian argmin all prod aminmax logsumexp".split()
    },
    "two axes": lambda lib, x: x.sum(axis=(0, 1)),
    "cat": lambda lib, x: lib.cat([x, x], axis=1),
    "stack": lambda lib, x: lib.stack([x, x], axis=1),
    "chunk": lambda lib, x: x.chunk(2, axis=1),
    "topk": lambda lib, x: x.topk(2, axis=1),
    "quantile": lambda lib, x: x.quantile(0.5, axis=1),
    "gather": lambda lib, x: lib.gather(x, axis=1, index=lib.tensor([[0], [2]])),
    "index_select": lambda lib, x: x.index_select(axis=1, index=lib.tensor([0, 2])),
    "take_along_dim": lambda lib, x: x.take_along_dim(lib.tensor([[0], [2]]), axis=1),
}
BAD = {
    "an unknown name": lambda lib, x: x.amax(axes=1),
    "a name of others": lambda lib, x: x.cumsum(axis=1, keepdims=True),
    "both names": lambda lib, x: x.std(0, axis=1),
    "sum by both names": lambda lib, x: x.sum(0, axis=1),
    "no dim": lambda lib, x: lib.cumsum(x),
    "no index": lambda lib, x: lib.gather(x, axis=0),
    "too many": lambda lib, x: x.sort(0, False, False, False),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_axis_is_dim(call):
    same(call(ag, ag.tensor(VALUES)), call(torch, torch.tensor(VALUES)))


@pytest.mark.parametrize("call", BAD.values(), ids=BAD)
def test_names_that_are_wrong(call):
    ours = outcome(lambda: call(ag, ag.tensor(VALUES)))
    assert isinstance(ours, TypeError)
    same_outcome(ours, outcome(lambda: call(torch, torch.tensor(VALUES))))
