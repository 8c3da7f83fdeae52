"""Every row of the op table: gradients of first and second order against PyTorch and finite differences."""

import functools
import itertools
import zlib

import numpy as np
import pytest
import torch
from compare import (
    LAYOUTS,
    Report,
    as_dtype,
    as_tuple,
    is_float,
    make,
    name_of,
    outcome,
    same,
    same_outcome,
)
from finite import check, gradients
from op_rows.row import FLOATS
from op_table import ROWS

import autograd as ag

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def of(condition=lambda row: True):
    """Parametrizes a test over the differentiable rows that fulfil a condition."""
    rows = [row for row in ROWS if row.order and condition(row)]
    return pytest.mark.parametrize("row", rows, ids=[row.name for row in rows])


def leaves(lib, row, one, dtype, layout="contiguous", wanted=None):
    """The tensors of a case; those at the wanted positions (None: all) that can require grad do."""
    made = []
    kinds = row.dtypes_of(one, dtype)
    for i, (values, kind) in enumerate(zip(row.fill(one), kinds)):
        requires_grad = is_float(kind) and (wanted is None or i in wanted)
        made.append(make(lib, values, kind, layout, requires_grad))
    return made


@functools.cache
def normal(label, shape):
    """Normal numbers that depend on the label and the shape only."""
    rng = np.random.default_rng(zlib.crc32(f"{label} {tuple(shape)}".encode()))
    values = np.asarray(rng.standard_normal(tuple(shape)))
    values.flags.writeable = False
    return values


def like(lib, tensors, label, layout="contiguous", requires_grad=False):
    """A random tensor, the same in both libraries, for each of the tensors."""
    return [
        make(
            lib,
            normal(f"{label}{i}", t.shape),
            name_of(t.dtype),
            layout,
            requires_grad,
        )
        for i, t in enumerate(tensors)
    ]


def zero_for_none(found, inputs):
    """None says what zeros say."""
    return [x.detach() * 0 if g is None else g for g, x in zip(found, inputs)]


def differentiate(
    lib, row, one, dtype, layout="contiguous", order=1, wanted=None, cotangent="contiguous"
):
    """Gradients of <cotangent, op>; for order 2 those of <weights, gradients> with respect to inputs and cotangents."""
    given = leaves(lib, row, one, dtype, layout, wanted)
    inputs = [x for x in given if x.requires_grad]
    outputs = [y for y in as_tuple(row(lib, *given, **one.kwargs)) if y.requires_grad]
    cotangents = like(lib, outputs, "cotangent", cotangent, requires_grad=order > 1)
    first = gradients(lib, outputs, inputs, cotangents, create_graph=order > 1)
    if order == 1:
        return zero_for_none(first, inputs)
    weights = like(lib, inputs, "weight")
    pairs = [(g, w) for g, w in zip(first, weights) if g is not None]
    second = gradients(lib, [g for g, _ in pairs], inputs + cotangents, [w for _, w in pairs])
    return zero_for_none(first, inputs) + zero_for_none(second, inputs + cotangents)


_smooth: dict = {}  # what smooth_cases has found so far, by the name of the row


def smooth_cases(row):
    """The cases with finite values: there is no derivative where a mean of nothing is NaN."""
    if row.name not in _smooth:
        _smooth[row.name] = [
            one
            for one in row.cases
            for values in [as_tuple(row(torch, *leaves(torch, row, one, "float64"), **one.kwargs))]
            if all(torch.isfinite(value).all() for value in values)
        ]
    return _smooth[row.name]


_expected: dict = {}  # PyTorch's gradients so far, by row, case and dtype


def expected_gradients(row, one, dtype, layout="contiguous"):
    """PyTorch's gradients of a case: found once for the layouts with the same values, but for views."""
    find = functools.partial(outcome, differentiate, torch, row, one, dtype, layout, row.order)
    if layout == "expanded" or (row.view and layout != "contiguous"):
        return find()
    key = row.name, id(one), dtype
    if key not in _expected:
        _expected[key] = find()
    return _expected[key]


KINDS = [("float32", "contiguous"), *(("float64", layout) for layout in LAYOUTS)]


@pytest.mark.parametrize("dtype, layout", KINDS, ids=["-".join(kind) for kind in KINDS])
@of()
def test_gradients(row, dtype, layout):
    """Gradients to the row's order, with a random cotangent and, for the second, random weights."""
    report = Report()
    for one in smooth_cases(row):
        with report.case(one):
            expected = expected_gradients(row, one, dtype, layout)
            assert row.view or not isinstance(expected, Exception), repr(expected)
            actual = outcome(differentiate, ag, row, one, dtype, layout, row.order)
            same_outcome(actual, expected, rtol=row.rtol)
    report.finish()


@of()
def test_finite_differences(row):
    """Gradients to the row's order, for all cases of up to 40 elements."""
    report = Report()
    rng = np.random.default_rng(0)
    for one in row.cases:
        kinds = row.dtypes_of(one, "float64")
        arrays = row.fill(one)
        if sum(np.prod(x.shape) for x in arrays) <= 40:
            with report.case(one):
                moving = [x for x, kind in zip(arrays, kinds) if is_float(kind)]
                check(ag, placed(row, one, arrays, kinds), moving, row.order, rng)
    report.finish()


def placed(row, one, arrays, kinds):
    """The row as a function of its float tensors only."""

    def function(*moving):
        moving = iter(moving)
        args = [next(moving) if is_float(k) else make(ag, x, k) for x, k in zip(arrays, kinds)]
        results = as_tuple(row(ag, *args, **one.kwargs))
        return tuple(y for y in results if name_of(y.dtype) == "float64")

    return function


def verdict(row, one):
    """What gradgradcheck says of the row: True, or its error."""
    inputs = leaves(ag, row, one, "float64")

    def function(*inputs):
        return tuple(
            y for y in as_tuple(row(ag, *inputs, **one.kwargs)) if is_float(name_of(y.dtype))
        )

    ag.manual_seed(0)
    try:
        many = sum(x.numel() for x in inputs) > 40
        return ag.autograd.gradgradcheck(function, inputs, fast_mode=many)
    except (RuntimeError, NotImplementedError) as error:
        return error


@of(lambda row: row.order == 2 and not row.random)
def test_gradgradcheck(row):
    """Of one small case: true, whatever PyTorch says, which has no second derivatives of some."""

    def elements(one):
        return sum(int(np.prod(shape)) for shape in one.shapes)

    some = sorted((one for one in smooth_cases(row) if elements(one) > 0), key=elements)
    one = some[max(sum(elements(one) <= 24 for one in some), 1) - 1]
    if one.kwargs.get("to") == "float32":  # too narrow for finite differences
        one = next(one for one in some if one.kwargs["to"] == "float64")
    assert verdict(row, one) is True


def test_finite_differences_find_a_wrong_gradient():
    """The check above can fail, at both orders."""
    rng = np.random.default_rng(0)
    with pytest.raises(AssertionError, match="derivative 1"):
        check(ag, lambda x: x * x.detach(), [np.array([1.0, 2.0])], 1, rng)
    with pytest.raises(AssertionError, match="derivative 2"):
        # x^2, whose first gradient is right but taken for a constant.
        check(ag, lambda x: 2 * x * x.detach() - (x * x).detach(), [np.array([2.0])], 2, rng)


@of(lambda row: len(row.inputs) > 1 or any(len(one.shapes) > 1 for one in row.cases))
def test_gradients_of_some_inputs(row):
    """Any subset of the inputs may require grad; the others get none."""
    report = Report()
    for one in row.cases:
        kinds = row.dtypes_of(one, "float64")
        floats = [i for i, kind in enumerate(kinds) if is_float(kind)]
        # Of many inputs each alone, and all but one: their subsets are too many.
        counts = range(1, len(floats)) if len(floats) <= 6 else (1, len(floats) - 1)
        for n in counts:
            for wanted in itertools.combinations(floats, n):
                with report.case(one, "only", wanted):
                    actual = differentiate(ag, row, one, "float64", wanted=wanted)
                    same(actual, differentiate(torch, row, one, "float64", wanted=wanted))
    report.finish()


@pytest.mark.parametrize("cotangent", LAYOUTS[1:])
@of()
def test_cotangents_of_any_layout(row, cotangent):
    """The cotangent may be transposed, strided or expanded."""
    report = Report()
    for one in smooth_cases(row):
        with report.case(one):
            if cotangent == "expanded":
                expected = differentiate(torch, row, one, "float64", cotangent=cotangent)
            else:
                expected = expected_gradients(row, one, "float64")
            actual = differentiate(ag, row, one, "float64", cotangent=cotangent)
            same(actual, expected[: len(actual)], rtol=row.rtol)
    report.finish()


@pytest.mark.parametrize("dtype", FLOATS)
@of(lambda row: row.pointwise)
def test_gradients_at_special_values(row, dtype):
    """First gradients at zeros of both signs, infinities, NaN, huge and denormal numbers."""

    def run(lib, columns, kwargs):
        inputs = [make(lib, column, dtype, requires_grad=True) for column in columns]
        output = row(lib, *inputs, **kwargs)
        return lib.autograd.grad(output, inputs, make(lib, np.ones(output.shape), dtype))

    with np.errstate(all="ignore"):
        grid = zip(*itertools.product(row.special, repeat=len(row.inputs)))
        columns = [as_dtype(column, dtype) for column in grid]
    for kwargs in {str(one.kwargs): one.kwargs for one in row.cases}.values():
        expected = run(torch, columns, kwargs)
        same(run(ag, columns, kwargs), expected, exact=True, rtol=row.rtol)


@of(lambda row: row.inplace)
def test_in_place_gradients(row):
    """The in-place form on a non-leaf has the gradient of PyTorch's, whatever is broadcast into it."""

    def run(lib, one, wanted):
        given = leaves(lib, row, one, "float64", wanted=wanted)
        changed = given[0] * 1
        if lib is torch and row.name in ("asinh", "acosh", "atanh"):
            changed = row(
                lib, *given, **one.kwargs
            )  # PyTorch differentiates these out of place only
        else:
            row.change(lib, changed, *given[1:], **one.kwargs)
        total = (changed * make(lib, normal("w", changed.shape), "float64")).sum()
        inputs = [x for x in given if x.requires_grad]
        return lib.autograd.grad(total, inputs)

    report = Report()
    for one in row.cases:
        everything = range(len(one.shapes))
        for n in range(1, len(one.shapes) + 1):
            for wanted in itertools.combinations(everything, n):
                with report.case(one, "gradients of", wanted):
                    expected, actual = (outcome(run, lib, one, wanted) for lib in (torch, ag))
                    same_outcome(actual, expected, rtol=row.rtol)
    report.finish()


def overlaps(row, one):
    """True if elements of the view share memory in a way that PyTorch does not see: by strides other than 0."""
    (base,) = leaves(torch, row, one, "float64")
    places = torch.arange(base.numel()).reshape(base.shape)
    views = as_tuple(row(torch, places, **one.kwargs))
    return any(len(v.unique()) < v.numel() and 0 not in v.stride() for v in views)


@of(lambda row: row.view and all(len(one.shapes) == 1 for one in row.cases))
def test_writing_through_a_view(row):
    """A change of the view is one of its base, in elements, versions and gradients."""

    def run(lib, one, position):
        (leaf,) = leaves(lib, row, one, "float64")
        base = leaf * 1
        views = row(lib, base, **one.kwargs)
        view = as_tuple(views)[position]
        if lib is torch and isinstance(views, tuple):
            # PyTorch refuses to write to one of several views, but not to the same memory by another name.
            view = torch.as_strided(base, view.shape, view.stride(), view.storage_offset())
        view.mul_(3.0)
        total = (base * base * make(lib, normal("w", base.shape), "float64")).sum()
        found = lib.autograd.grad(total, [leaf])
        return base, view, found, base._version, view._version

    report = Report()
    for one in row.cases:
        for position in (0, -1) if not overlaps(row, one) else ():
            with report.case(one, position):
                expected, actual = (outcome(run, lib, one, position) for lib in (torch, ag))
                same_outcome(actual, expected)
    report.finish()


@of(lambda row: not row.random)
def test_nothing_is_recorded_without_need(row):
    """No history under no_grad, nor if no input requires grad; a history if one does."""

    def results(wanted):
        given = leaves(ag, row, row.cases[-1], "float32", wanted=wanted)
        found = as_tuple(row(ag, *given, **row.cases[-1].kwargs))
        return [y for y in found if not any(y is x for x in given)]

    with ag.no_grad():
        unrecorded = results(None)
    for result in unrecorded + results(()):
        assert not result.requires_grad and result.grad_fn is None and result.is_leaf
    for result in results(None)[:1]:
        assert result.requires_grad and result.grad_fn is not None and not result.is_leaf


def test_order_of_a_row_is_true():
    """A row of order 0 has no gradient in PyTorch either, and one of another order has."""
    for row in ROWS:
        one = row.cases[0]
        if one.shapes and not row.random and not row.integral:
            first = as_tuple(row(torch, *leaves(torch, row, one, "float64"), **one.kwargs))[0]
            differentiable = first.requires_grad and "NotImplemented" not in repr(first.grad_fn)
            assert differentiable == (row.order > 0), row.name
