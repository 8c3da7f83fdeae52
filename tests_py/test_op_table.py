"""The op table is complete: every op of the library has a row, and every row an op."""

import re
from pathlib import Path

import pytest
from op_rows.row import DTYPES
from op_table import BY_NAME, ROWS

import autograd as ag
from autograd import _capi

ROOT = Path(__file__).resolve().parent.parent
# The sections of the header that declare ops.
SECTIONS = (
    "creation",
    "pointwise",
    "products",
    "linear algebra",
    "reductions",
    "shape",
    "indexing",
    "sorting",
    "softmax and losses",
    "convolution and pooling",
    "normalization and dropout",
    "attention and recurrence",
)
# Numbers as tensors: arguments of ops rather than ops.
NO_OPS = {"scalar_double", "scalar_int", "scalar_bool"}
# What several rows call: hann_window, hamming_window and blackman_window.
NO_OPS |= {"cosine_window"}


def declared():
    """Names, without ag_, of the functions in the header's sections of ops."""
    text = (ROOT / "capi" / "autograd.h").read_text(encoding="utf-8")
    parts = re.split(r"(?m)^/\* ---- ([a-z ]+?)(?::.*?)? -+ \*/$", text)
    sections = dict(zip(parts[1::2], parts[2::2]))
    missing = [name for name in SECTIONS if name not in sections]
    assert not missing, f"autograd.h has no section {missing}, only {list(sections)}"
    names = re.findall(r"\bag_(\w+)\(", "".join(sections[name] for name in SECTIONS))
    return [name for name in names if name not in NO_OPS]


def test_every_declared_op_has_a_row():
    in_place = {f"{row.name}_" for row in ROWS if row.inplace}
    forgotten = [name for name in declared() if name not in BY_NAME and name not in in_place]
    assert not forgotten, f"tests_py/op_rows/ lacks the rows {forgotten}"


def test_every_registered_op_that_is_public_has_a_row():
    """Ops that only gradients call have no function of their own in the header."""
    registered = _capi.text(_capi.lib.ag_op_names).split()
    assert len(registered) > 30
    public = [name for name in registered if f"ag_{name}" in _capi.header.functions]
    in_place = {f"{row.name}_" for row in ROWS if row.inplace}
    assert [name for name in public if name not in BY_NAME and name not in in_place] == []


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_row_is_an_op(row):
    """A row's name stands in the C and in the C++ header, and it says enough to test the op."""
    assert (f"ag_{row.name}" in _capi.header.functions) != row.python_only
    names = f"{row.name}|{re.sub('_dim$|_dtype$', '', row.name)}"  # overloads in C++
    headers = sorted((ROOT / "include/autograd").glob("*.hpp"))
    text = "".join(path.read_text(encoding="utf-8") for path in headers)
    if not row.python_only:
        assert re.search(rf"\b({names})\(", text), f"{row.name} is not in include/autograd"
    assert row.cases
    assert row.order in (0, 1, 2)
    assert set(row.dtypes) <= set(DTYPES)
    if row.method and row.inputs:
        assert callable(getattr(ag.Tensor, row.name))
    in_place = f"{row.name}_"
    known = (
        hasattr(ag.Tensor, in_place)
        if row.python_only
        else f"ag_{in_place}" in _capi.header.functions
    )
    assert bool(row.inplace) == known
    if row.inplace is True:
        assert hasattr(ag.Tensor, f"{row.name}_")


def test_names_are_unique():
    assert len(BY_NAME) == len(ROWS)
    for row in ROWS:
        ids = [str(one) for one in row.cases]
        twice = {one for one in ids if ids.count(one) > 1}
        assert not twice, f"{row.name} has these cases twice: {twice}"
