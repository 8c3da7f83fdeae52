"""Every row of the op table under the transforms of func; PyTorch's Jacobians and Hessians are the oracle."""

import functools

import numpy as np
import pytest
import torch
from compare import Report, array, as_tuple, is_float, make, name_of, same
from op_table import ROWS

import autograd as ag

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
EXAMPLES = 3
SMALL = 12  # elements of inputs and outputs of a whole Jacobian


def of(condition):
    """Parametrizes a test over the rows that fulfil a condition."""
    rows = [row for row in ROWS if not row.random and condition(row)]
    return pytest.mark.parametrize("row", rows, ids=[row.name for row in rows])


def size(one):
    return sum(int(np.prod(shape)) for shape in one.shapes)


def chosen(row, most):
    """Few cases of a row: small ones, of different ranks, options and numbers of tensors."""
    found = {}
    for one in row.cases:
        if one.shapes and 0 < size(one) <= most:
            key = (len(one.shapes), max(len(shape) for shape in one.shapes))
            found.setdefault(key, []).append(one)
    return [group[-1] for group in found.values()][-3:]


def weights(outputs, label):
    """The same random numbers in any library, of the outputs' sizes."""
    rng = np.random.default_rng(len(label))
    return [rng.standard_normal(tuple(y.shape)) for y in outputs]


class Subject:
    """A case of a row as a function of its float tensors, in both libraries."""

    def __init__(self, row, one):
        self.row, self.one = row, one
        self.kinds = row.dtypes_of(one, "float64")
        self.arrays = row.fill(one)
        self.floats = [i for i, kind in enumerate(self.kinds) if is_float(kind)]

    def function(self, lib):
        """The op of the float tensors; only its float results."""

        def call(*moving):
            given = [make(lib, x, k) for x, k in zip(self.arrays, self.kinds)]
            for i, x in zip(self.floats, moving):
                given[i] = x
            results = as_tuple(self.row(lib, *given, **self.one.kwargs))
            return tuple(y for y in results if name_of(y.dtype) == "float64")

        return call

    def inputs(self, lib):
        return tuple(make(lib, self.arrays[i], "float64") for i in self.floats)


def jacobian(subject):
    """PyTorch's Jacobian: an array per output and input; None where there is none, or too much of it."""
    inputs = subject.inputs(torch)
    outputs = subject.function(torch)(*inputs)
    if not outputs or not all(y.numel() for y in outputs):
        return None
    if sum(y.numel() for y in outputs) > SMALL or not all(torch.isfinite(y).all() for y in outputs):
        return None
    found = torch.autograd.functional.jacobian(subject.function(torch), inputs)
    return [[x.numpy() for x in row] for row in found]


def subjects(row):
    for one in chosen(row, SMALL):
        subject = Subject(row, one)
        if subject.floats:
            yield one, subject


@of(lambda row: row.order > 0)
def test_jacobians(row):
    """vjp, jvp, jacrev and jacfwd, and the linear function of linearize."""
    report = Report()
    for one, subject in subjects(row):
        expected = jacobian(subject)
        if expected is None:
            continue
        function, inputs = subject.function(ag), subject.inputs(ag)
        every = tuple(range(len(inputs)))
        with report.case(one, "vjp"):
            outputs, pull = ag.func.vjp(function, *inputs)
            left = weights(outputs, "left")
            found = as_tuple(pull(tuple(ag.tensor(w) for w in left)))
            for i, x in enumerate(inputs):
                want = sum(np.tensordot(w, blocks[i], w.ndim) for w, blocks in zip(left, expected))
                same(found[i], torch.tensor(want).reshape(tuple(x.shape)), rtol=row.rtol)
        right = weights(inputs, "right!")
        tangents = tuple(ag.tensor(t) for t in right)
        with report.case(one, "jvp"):
            _, found = ag.func.jvp(function, inputs, tangents)
            _, again = ag.func.linearize(function, *inputs)
            for blocks, y, z in zip(expected, found, again(*tangents)):
                want = sum(np.tensordot(b, t, t.ndim) for b, t in zip(blocks, right))
                same(y, torch.tensor(want).reshape(tuple(y.shape)), rtol=row.rtol)
                same(z, torch.tensor(want).reshape(tuple(y.shape)), rtol=row.rtol)
        for transform in (ag.func.jacrev, ag.func.jacfwd):
            with report.case(one, transform.__name__):
                found = transform(function, every)(*inputs)
                for blocks, row_of_blocks in zip(expected, found):
                    for want, block in zip(blocks, row_of_blocks):
                        same(block, torch.tensor(want), rtol=row.rtol)
    report.finish()


@of(lambda row: row.order > 1)
def test_hessians(row):
    """hessian, jacrev of jacrev and hvp, of a weighted sum of the results."""
    report = Report()
    for one, subject in subjects(row):
        if jacobian(subject) is None or not all(x.numel() for x in subject.inputs(torch)):
            continue
        label = weights(subject.function(torch)(*subject.inputs(torch)), "hessian")

        def total(lib, *args, subject=subject, label=label):
            outputs = subject.function(lib)(*args)
            return sum((y * lib.tensor(w)).sum() for y, w in zip(outputs, label))

        inputs = subject.inputs(ag)
        expected = torch.autograd.functional.hessian(
            functools.partial(total, torch), subject.inputs(torch)
        )
        function, every = functools.partial(total, ag), tuple(range(len(inputs)))
        with report.case(one, "hessian"):
            found = ag.func.hessian(function, every)(*inputs)
            for blocks, row_of_blocks in zip(expected, found):
                for want, block in zip(blocks, row_of_blocks):
                    same(block, want)
        with report.case(one, "hvp"):
            right = weights(inputs, "tangents")
            found = as_tuple(ag.func.hvp(function, inputs, tuple(ag.tensor(t) for t in right)))
            for blocks, y in zip(expected, found):
                want = sum(
                    torch.tensordot(b, torch.tensor(t), t.ndim) for b, t in zip(blocks, right)
                )
                same(y, want.reshape(tuple(y.shape)))
    report.finish()


# ---- vmap ----------------------------------------------------------------------------------------


def examples(row, one):
    """Arrays of the tensors of a case, for each of some examples."""
    return [row.fill(one, seed=str(e)) for e in range(EXAMPLES)]


def batched(lib, row, one, dtype, varying, dims):
    """The tensors of all examples: along dims[i] where varying[i], else the first example's."""
    kinds = row.dtypes_of(one, dtype)
    filled = examples(row, one)
    made = []
    for i, kind in enumerate(kinds):
        if varying[i]:
            made.append(make(lib, np.stack([each[i] for each in filled], dims[i]), kind))
        else:
            made.append(make(lib, filled[0][i], kind))
    return made


def ways(one):
    """Which tensors differ between examples, and the dims that count them."""
    n = len(one.shapes)
    yield [True] * n, [0] * n
    if n > 1:
        for only in (0, 1, n - 1) if n > 2 else (0, 1):
            yield [i == only for i in range(n)], [len(shape) for shape in one.shapes]
    else:
        yield [True], [len(one.shapes[0])]


def is_refused(error):
    """True for an error that says that an op can't be mapped."""
    return isinstance(error, RuntimeError) and "vmap" in str(error)


# PyTorch maps bincount one example after the other, and fails if the results' sizes happen to differ. What is
# differentiated by inside vmap counts as different for each example here: shared statistics can't take it in.
REFUSED = ("bincount", "batch_norm", "instance_norm", "histogram", "view_dtype")


def needs_elements(row, one, tensors, in_dims):
    """True if PyTorch can't map it either."""
    if row.name in REFUSED:
        return True
    try:
        torch.func.vmap(lambda *args: row(torch, *args, **one.kwargs), in_dims)(*tensors)
    except RuntimeError:
        return True
    except ValueError:
        return True
    return False


def parts(tensors, varying, dims, example):
    return [t.select(dims[i], example) if varying[i] else t for i, t in enumerate(tensors)]


def stacked(per_example):
    """The results of all examples, each output stacked."""
    return [torch.stack(ys) for ys in zip(*per_example)]


@of(lambda row: True)
def test_vmap(row):
    """Whichever tensors differ between examples: the stack of PyTorch's results for each."""
    report = Report()
    dtype = row.main_dtypes[-1]
    for one in chosen(row, 60):
        for varying, dims in ways(one):
            in_dims = tuple(d if v else None for v, d in zip(varying, dims))
            theirs = batched(torch, row, one, dtype, varying, dims)
            with report.case(one, in_dims):
                try:
                    expected = [
                        as_tuple(row(torch, *parts(theirs, varying, dims, e), **one.kwargs))
                        for e in range(EXAMPLES)
                    ]
                except Exception:
                    continue
                ours = batched(ag, row, one, dtype, varying, dims)
                try:
                    found = ag.func.vmap(functools.partial(row, ag, **one.kwargs), in_dims)(*ours)
                except RuntimeError as error:
                    if is_refused(error) and needs_elements(row, one, theirs, in_dims):
                        continue
                    raise
                same(as_tuple(found), stacked(expected), rtol=row.rtol)
    report.finish()


@of(lambda row: row.order > 0)
def test_vmap_of_grad(row):
    """Gradients of each example, of all that differ and of one that all share."""
    report = Report()
    for one in chosen(row, 30):
        kinds = row.dtypes_of(one, "float64")
        floats = tuple(i for i, kind in enumerate(kinds) if is_float(kind))
        n = len(kinds)
        for varying in ([True] * n, [i != floats[0] for i in range(n)] if floats else [True] * n):
            if not floats or not any(varying):
                continue
            dims = [0] * n
            in_dims = tuple(0 if v else None for v in varying)

            def total(lib, *args, one=one):
                outputs = as_tuple(row(lib, *args, **one.kwargs))
                outputs = [y for y in outputs if name_of(y.dtype) == "float64"]
                return sum(
                    (y * lib.tensor(w)).sum() for y, w in zip(outputs, weights(outputs, "grad"))
                )

            with report.case(one, in_dims):
                theirs = batched(torch, row, one, "float64", varying, dims)
                expected = []
                try:
                    for e in range(EXAMPLES):
                        args = [
                            x.clone().requires_grad_(i in floats)
                            for i, x in enumerate(parts(theirs, varying, dims, e))
                        ]
                        inputs = [args[i] for i in floats]
                        expected.append(
                            torch.autograd.grad(total(torch, *args), inputs, materialize_grads=True)
                        )
                except Exception:
                    continue
                function = ag.func.grad(functools.partial(total, ag), floats)
                ours = batched(ag, row, one, "float64", varying, dims)
                try:
                    found = ag.func.vmap(function, in_dims)(*ours)
                except RuntimeError as error:
                    if is_refused(error) and needs_elements(row, one, theirs, in_dims):
                        continue
                    raise
                same(as_tuple(found), stacked(expected), rtol=row.rtol)
    report.finish()


def test_the_oracle_can_fail():
    """A wrong derivative and a wrong batch are found."""
    with pytest.raises(AssertionError):
        same(
            ag.func.jacrev(lambda x: x * x.detach())(ag.tensor([1.0, 2.0])),
            torch.diag(torch.tensor([2.0, 4.0])),
        )
    wrong = ag.func.vmap(lambda x: x.sum())(ag.ones(2, 3))
    with pytest.raises(AssertionError):
        same(wrong, torch.ones(2))
    assert array(wrong).tolist() == [3.0, 3.0]
