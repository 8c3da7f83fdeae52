"""explain_nonfinite of a loss made by every row of the op table, whose inputs hold nan, inf, 0 and large numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from compare import as_tuple, is_float, make
from op_table import ROWS

import autograd as ag

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
POISONS = [math.nan, math.inf, -math.inf, 0.0, -1.0, 1e200]
CONSTANTS = {"entr"}  # are made of others, with an infinite number among them
FLOATS = [row for row in ROWS if row.order > 0 and not row.random]


def finite(t):
    return t is None or bool(ag.isfinite(t).all().item())


def loss_of(row, one, poison):
    """The sum of all results of an op, some elements of whose first float input are replaced; and its leaves."""
    kinds, arrays = row.dtypes_of(one, "float64"), row.fill(one)
    first = next((i for i, kind in enumerate(kinds) if is_float(kind)), None)
    if first is None or arrays[first].size == 0:
        return None
    arrays[first] = np.array(arrays[first], copy=True)
    arrays[first].reshape(-1)[:: max(1, arrays[first].size // 2)] = poison
    tensors = [make(ag, x, k) for x, k in zip(arrays, kinds)]
    leaves = [t.requires_grad_() for t, k in zip(tensors, kinds) if is_float(k)]
    try:
        results = as_tuple(
            row(ag, *[t * 1 if t.requires_grad else t for t in tensors], **one.kwargs)
        )
    except (RuntimeError, ValueError, IndexError):
        return None  # the op refuses such numbers
    parts = [y.sum() for y in results if y.requires_grad]
    return (sum(parts[1:], parts[0]), leaves) if parts else None


@pytest.mark.parametrize("row", FLOATS, ids=[row.name for row in FLOATS])
def test_it_says_healthy_where_everything_is_finite_and_only_there(row):
    for one in [one for one in row.cases if one.shapes][:2]:
        for poison in POISONS:
            made = loss_of(row, one, poison)
            if made is None:
                continue
            loss, leaves = made
            found = ag.autograd.explain_nonfinite(loss)
            if math.isfinite(loss.item()):
                grads = ag.autograd.grad(loss, leaves, retain_graph=True, allow_unused=True)
                assert bool(found) == all(map(finite, grads)), (poison, one, found)
                assert found or found.phase == "backward"
                continue
            assert found.phase == "forward" and not found, (poison, one, found)
            if not math.isfinite(poison) and any(not finite(leaf) for leaf in leaves):
                # What was there from the start is what is named, unless the op makes such numbers by itself.
                assert found.reason in (
                    "leaf",
                    "singular",
                    "undefined",
                    "overflow",
                    "infinities",
                    *(["constant"] if row.name in CONSTANTS else []),
                ), found
            assert not math.isfinite(found.value) or found.reason in ("unknown_input",), found
