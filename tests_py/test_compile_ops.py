"""Every op of the table, compiled: values and gradients are the uncompiled op's, bit for bit."""

import functools
import re

import pytest
from compare import as_tuple, is_float, make
from op_rows.row import with_dtype
from op_table import ROWS

import autograd as ag

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

# Ops whose results have a shape, or a path, that depends on values, and those that are none: a capture refuses them.
DEPEND_ON_VALUES = {
    "argwhere",
    "bincount",
    "histc",
    "histogram",
    "index_bool",
    "index_tensors",
    "isin",
    "masked_scatter",
    "masked_select",
    "nonzero",
    "one_hot",
    "repeat_interleave",
    "take_along_dim",
    "view_dtype",
    "unique",
    "unique_consecutive",
}


# What they hold is whatever was in memory before.
UNINITIALISED = {"empty", "empty_like"}
CASES = [row for row in ROWS if row.name not in UNINITIALISED]


def arguments(row, one, dtype):
    """New tensors of a case, as an argument of the compiled function, and which of them want gradients."""
    kinds = row.dtypes_of(one, dtype)
    return [make(ag, v, kind, "contiguous", False) for v, kind in zip(row.fill(one), kinds)]


def function_of(row, one):
    """Values and, where there are any, gradients of a case, with cotangents of ones."""
    # compile() looks through all that the function refers to, after each call: not through rows and cases.
    op = functools.partial(row.call, ag) if row.call else row.function(ag)
    kwargs, differentiable = with_dtype(ag, one.kwargs), row.order > 0

    def f(*tensors):
        wanted = [is_float(str(t.dtype).split(".")[-1]) and differentiable for t in tensors]
        given = [t.clone().requires_grad_(w) for t, w in zip(tensors, wanted)]
        outputs = as_tuple(op(*given, **kwargs))
        outputs = [y for y in outputs if isinstance(y, ag.Tensor)]
        results = [y.detach().clone() for y in outputs]
        roots = [y for y in outputs if y.requires_grad]
        inputs = [x for x in given if x.requires_grad]
        if roots:
            ones = [ag.ones_like(y) for y in roots]
            found = ag.grad(roots, inputs, ones, allow_unused=True)
            results += [g.detach() for g in found if g is not None]
        return results

    return f


def bits(t):
    """What a tensor is, exactly: NaN and the signs of zeros as well."""
    return t.dtype, tuple(t.shape), t.contiguous().numpy().tobytes()


@pytest.mark.parametrize("passes", [False, True])
@pytest.mark.parametrize("row", CASES, ids=[row.name for row in CASES])
def test_compiled_is_eager(row, passes):
    refused = 0
    for one in row.cases:
        f = function_of(row, one)
        compiled = ag.compile(f, passes=passes)
        for i in range(4):
            tensors = arguments(row, one, "float32")
            if i == 3:
                tensors = [
                    t.neg().abs() if is_float(str(t.dtype).split(".")[-1]) else t for t in tensors
                ]
            ag.manual_seed(i)
            try:
                wanted = f(*[t.clone() for t in tensors])
            except (RuntimeError, ValueError, IndexError, NotImplementedError):
                break  # what the op refuses is tested elsewhere
            ag.manual_seed(i)
            try:
                got = compiled(*tensors)
            except ag.CompileError as error:
                if "uses no tensors" not in str(error):
                    assert re.search("reads (elements|the bytes) of", str(error)), error
                    refused += 1
                break
            assert list(map(bits, got)) == list(map(bits, wanted)), (one, i, compiled.explain())
    assert not refused or row.name in DEPEND_ON_VALUES, f"{row.name} is refused {refused} times"
