"""Every row of the op table against PyTorch: values, dtypes, promotion, special values, views, errors."""

import itertools
import math
import operator
import re

import numpy as np
import pytest
import torch
from compare import (
    LAYOUTS,
    Report,
    as_dtype,
    as_tuple,
    is_tensor,
    make,
    name_of,
    outcome,
    same,
    same_outcome,
    same_values,
    shown,
)
from op_rows.row import FLOATS, with_dtype
from op_table import ROWS

import autograd as ag

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def of(condition=lambda row: True):
    """Parametrizes a test over the rows that fulfil a condition."""
    rows = [row for row in ROWS if condition(row)]
    return pytest.mark.parametrize("row", rows, ids=[row.name for row in rows])


def tensors(lib, row, one, *dtypes, layout="contiguous"):
    """The tensors of a case; a last dtype serves all further ones."""
    kinds = row.dtypes_of(one, *dtypes)
    return [make(lib, values, kind, layout) for values, kind in zip(row.fill(one), kinds)]


def results(row, one, *dtypes, layout="contiguous"):
    """What PyTorch gives for a case, and what this library gives; errors are results."""
    return [
        outcome(row.run, lib, tensors(lib, row, one, *dtypes, layout=layout), one)
        for lib in (torch, ag)
    ]


def typical(row):
    """The first case in which every tensor has several elements."""
    several = [one for one in row.cases if all(np.prod(shape) > 1 for shape in one.shapes)]
    return (several or row.cases)[0]


def same_results(row, actual, expected, **options):
    """As same_outcome, but random elements count as equal."""
    if row.random and is_tensor(expected) and is_tensor(actual):
        actual, expected = ((tuple(t.shape), name_of(t.dtype)) for t in (actual, expected))
    same_outcome(actual, expected, **options)


VALUES = [
    (row, dtype, layout)
    for row in ROWS
    for dtype in (row.main_dtypes if row.inputs else FLOATS[:1])
    for layout in (LAYOUTS if row.inputs else LAYOUTS[:1])
]


@pytest.mark.parametrize(
    "row, dtype, layout",
    VALUES,
    ids=[f"{row.name}-{dtype}-{layout}" for row, dtype, layout in VALUES],
)
def test_values(row, dtype, layout):
    """Shape, dtype and elements of the results."""
    report = Report()
    for one in row.cases:
        with report.case(one):
            expected, actual = results(row, one, dtype, layout=layout)
            # PyTorch's own refusal counts as a result only where a view cannot be had.
            assert row.view or not isinstance(expected, Exception), repr(expected)
            same_results(row, actual, expected, rtol=row.rtol)
    report.finish()


@of(lambda row: row.inputs)
def test_dtypes(row):
    """Promotion and result dtype, or PyTorch's error, for tensors of all dtypes and their mixtures."""
    report = Report()
    mixes = [(dtype,) for dtype in row.dtypes]
    chosen = [typical(row)]
    if row.mixed:
        mixes = list(itertools.product(row.dtypes, repeat=2))
        with_0d = [one for one in row.cases if () in one.shapes and {(2, 3), (3,)} & {*one.shapes}]
        chosen += with_0d[:3]
    for one, mix in itertools.product(chosen, mixes):
        with report.case(one, *mix):
            expected, actual = results(row, one, *mix)
            same_results(row, actual, expected, rtol=row.rtol)
    report.finish()


@of(lambda row: row.pointwise and row.operator and len(row.inputs) == 2)
def test_numbers_on_either_side(row):
    """tensor <op> number, number <op> tensor, tensor <op>= number and the function with a number."""
    report = Report()
    apply, update = getattr(operator, row.operator), getattr(operator, f"i{row.operator}", None)
    forms = {
        "tensor op number": lambda lib, x, n: apply(x, n),
        "number op tensor": lambda lib, x, n: apply(n, x),
        "function": lambda lib, x, n: row(lib, x, n),
    }
    if update is not None:
        forms["in place"] = lambda lib, x, n: update(x, n)
    shapes = ((2, 3), ())
    for dtype, shape, number in itertools.product(row.dtypes, shapes, (2, -1, 2.5, True, 0)):
        for form, call in forms.items():
            with report.case(form, dtype, shape, number):
                values = np.linspace(1, 2.5, int(np.prod(shape))).reshape(shape)
                expected = outcome(call, torch, make(torch, values, dtype), number)
                actual = outcome(call, ag, make(ag, values, dtype), number)
                same_outcome(actual, expected)
    report.finish()


@of(lambda row: row.pointwise and row.operator)
def test_operator_is_the_function(row):
    """The Python operator gives what the function gives, and refuses what is no number."""
    one = typical(row)
    args = tensors(ag, row, one, row.main_dtypes[0])
    apply = getattr(operator, row.operator)
    assert apply(*args).tolist() == row(ag, *args).tolist()
    if len(args) == 2 and row.name not in ("eq", "ne"):
        with pytest.raises(TypeError):
            apply(args[0], "text")
        with pytest.raises(TypeError):
            apply(None, args[0])


@pytest.mark.parametrize("dtype", FLOATS)
@of(lambda row: row.special)
def test_special_values(row, dtype):
    """Zeros of both signs, infinities, NaN, huge and denormal numbers."""
    if not row.pointwise:
        return check_special_triples(row, dtype)
    with np.errstate(all="ignore"):
        grid = list(zip(*itertools.product(row.special, repeat=len(row.inputs))))
        values = [as_dtype(column, dtype) for column in grid]
    for kwargs in {str(one.kwargs): one.kwargs for one in row.cases}.values():
        actual = row(ag, *[make(ag, column, dtype) for column in values], **kwargs)
        expected = row(torch, *[make(torch, column, dtype) for column in values], **kwargs)
        same(actual, expected, exact=True)


def check_special_triples(row, dtype):
    """All triples of special values as a vector."""
    report = Report()
    kwargs = next(one.kwargs for one in row.cases if one.shapes == ((3,),))
    for triple in itertools.product(row.special, repeat=3):
        with report.case(triple):
            actual = row(ag, make(ag, triple, dtype), **kwargs)
            same(actual, row(torch, make(torch, triple, dtype), **kwargs), exact=True)
    report.finish()


@pytest.mark.parametrize("dtype", FLOATS)
@of(lambda row: row.pointwise and math.isfinite(row.ulps) and not row.integral)
def test_accuracy(row, dtype):
    """A few units in the last place over many magnitudes."""
    rng = np.random.default_rng(0)
    size = 4000
    magnitudes = 10.0 ** rng.uniform(-6, 2, (len(row.inputs), size))
    signs = np.stack([np.sign(values.fill(rng, (size,))) for values in row.inputs])
    values = [as_dtype(column, dtype) for column in magnitudes * signs]
    kwargs = row.cases[0].kwargs
    actual = row(ag, *[make(ag, column, dtype) for column in values], **kwargs)
    exact = row(torch, *[make(torch, column, dtype).double() for column in values], **kwargs)
    expected = exact if exact.dtype == torch.bool else exact.to(getattr(torch, dtype))
    same_values(actual, expected, rtol={dtype: row.ulps * float(np.finfo(dtype).eps)}, exact=True)


def sharing(output, inputs):
    """For each input None if the output does not lie in it, else where it starts and its strides.

    The stride of a dim of size 1 has no meaning and counts as 0.
    """
    strides = tuple(s if n > 1 else 0 for n, s in zip(output.shape, output.stride()))
    found = []
    for x in inputs:
        reach = 1 + sum((n - 1) * s for n, s in zip(x.shape, x.stride()))
        start = (output.data_ptr() - x.data_ptr()) // x.element_size()
        found.append((start, strides) if 0 <= start < reach else None)
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
@of(lambda row: row.inputs and not row.random)
def test_views(row, layout):
    """Results share memory with the inputs where PyTorch's do, with the same strides; a row knows if it is a view."""
    report = Report()
    some_share = False
    for one in row.cases:
        with report.case(one):
            wanted = tensors(torch, row, one, row.main_dtypes[1], layout=layout)
            given = tensors(ag, row, one, row.main_dtypes[1], layout=layout)
            expected = outcome(row.run, torch, wanted, one)
            actual = outcome(row.run, ag, given, one)
            if isinstance(expected, Exception):
                same_outcome(actual, expected)
                continue
            for mine, theirs in zip(as_tuple(actual), as_tuple(expected)):
                if theirs.numel():
                    shares = sharing(theirs, wanted)
                    some_share |= any(shares)
                    assert sharing(mine, given) == shares
    report.finish()
    if layout == "contiguous":
        assert some_share == row.view


@of(lambda row: row.method and row.inputs)
def test_method_is_the_function(row):
    """Tensor.<name> gives what the function gives."""
    report = Report()
    for one in row.cases:
        with report.case(one):
            first, *rest = tensors(ag, row, one, row.main_dtypes[1])
            result = getattr(first, row.name)(*rest, **with_dtype(ag, one.kwargs))
            expected = row(ag, *tensors(ag, row, one, row.main_dtypes[1]), **one.kwargs)
            for mine, theirs in zip(as_tuple(result), as_tuple(expected)):
                assert mine.dtype == theirs.dtype
                assert str(mine.tolist()) == str(theirs.tolist())
    report.finish()


@pytest.mark.parametrize("layout", LAYOUTS)
@of(lambda row: row.inplace)
def test_in_place_values(row, layout):
    """The in-place form returns the tensor itself, changes its elements, counts the change; or fails as PyTorch."""

    def run(lib, one, mix):
        first, *rest = tensors(lib, row, one, *mix, layout=layout)
        before = first._version
        result = row.change(lib, first, *rest, **one.kwargs)
        return first, result is first, first._version - before

    report = Report()
    mixes = list(itertools.product(row.dtypes, repeat=len(row.inputs)))
    for one in row.cases:
        for mix in mixes if one is typical(row) else [(dtype,) for dtype in row.main_dtypes]:
            with report.case(one, *mix):
                expected, actual = outcome(run, torch, one, mix), outcome(run, ag, one, mix)
                if (
                    row.careless
                    and layout == "expanded"
                    and one.shapes[0][:1] > (1,)
                    and 0 not in one.shapes[0]
                ):
                    expected = RuntimeError(
                        "more than one element refers to a single memory location"
                    )
                same_outcome(actual, expected, rtol=row.rtol)
    report.finish()


def bad_arguments(lib, wrong):
    """The arguments of a bad call: tuples become tensors of ones, lists tensors of their numbers."""
    for value in wrong.args:
        if isinstance(value, tuple):
            yield lib.ones(value).to(getattr(lib, wrong.dtype))
        else:
            yield lib.tensor(value) if isinstance(value, list) else value


ERRORS = [(row, wrong) for row in ROWS for wrong in row.errors]


@pytest.mark.parametrize(
    "row, wrong", ERRORS, ids=[f"{row.name}-{row.errors.index(wrong)}" for row, wrong in ERRORS]
)
def test_errors(row, wrong):
    """PyTorch's exception class, its key phrase, and the shapes that do not fit."""
    expected = outcome(lambda: row(torch, *bad_arguments(torch, wrong), **wrong.kwargs))
    actual = outcome(lambda: row(ag, *bad_arguments(ag, wrong), **wrong.kwargs))
    assert isinstance(expected, Exception), "PyTorch raises nothing"
    same_outcome(actual, expected)
    assert re.search(wrong.says, str(actual)), f"{wrong.says!r} is not in {str(actual)!r}"
    for shape in wrong.shows:
        assert shown(shape, str(actual)), f"the shape {shape} is not in {str(actual)!r}"
