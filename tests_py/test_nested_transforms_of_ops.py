"""Every row of the op table under transforms of transforms; PyTorch, one example at a time, is the oracle."""

import functools
from collections import Counter

import numpy as np
import pytest
import torch
from compare import Report, as_tuple, is_float, make, name_of, same
from op_table import ROWS
from test_transforms_of_ops import EXAMPLES, batched, chosen, of, parts, stacked, weights

import autograd as ag

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

# The first changes one table of rows after the other; PyTorch has no rule for it either. One number has no
# variance, and gradients that are not those of a row of one.
LOOPS = ("embedding_renorm_", ("var", ((),)))
# The sizes of the result depend on the elements, or no op stands for the call.
NEED_ELEMENTS = ("bincount", "masked_select", "nonzero", "one_hot", "unique", "unique_consecutive")
NEED_ELEMENTS += ("histogram", "view_dtype")
# It reads memory, in which the examples of two levels lie in another way than those of one.
READS_MEMORY = "as_strided"
# Examples would change statistics that all of them share: PyTorch refuses that too.
SHARED_STATISTICS = ("batch_norm", "instance_norm")


def total(lib, row, one, *args):
    """A weighted sum of the float64 results."""
    outputs = [y for y in as_tuple(row(lib, *args, **one.kwargs)) if name_of(y.dtype) == "float64"]
    terms = [(y * lib.tensor(w)).sum() for y, w in zip(outputs, weights(outputs, "sum"))]
    return sum(terms, lib.zeros((), dtype=lib.float64))


def is_refused(row, one):
    """True for what can't be mapped, in PyTorch neither."""
    if row.name in SHARED_STATISTICS:
        return bool(one.kwargs.get("training") or one.kwargs.get("tracked"))
    return row.name in NEED_ELEMENTS


# ---- one call for all examples -------------------------------------------------------------------


def ops_of(row, one, dtype, count):
    """How often each op is called for so many examples; with gradients if there are any."""
    kinds = row.dtypes_of(one, dtype)
    filled = [row.fill(one, seed=str(e)) for e in range(count)]
    tensors = [make(ag, np.stack([each[i] for each in filled]), k) for i, k in enumerate(kinds)]
    function = functools.partial(row, ag, **one.kwargs)
    floats = tuple(i for i, kind in enumerate(kinds) if is_float(kind))
    if row.order and floats and not row.random:
        function = ag.func.grad(functools.partial(total, ag, row, one), floats)
    with ag.graph.record() as g:
        ag.func.vmap(function, randomness="different")(*tensors)
    return Counter(node.op for node in g.nodes)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_no_op_is_called_for_each_example(row):
    """Twice as many examples take as many calls."""
    report = Report()
    for one in chosen(row, 60):
        if is_refused(row, one) or row.name in LOOPS or (row.name, one.shapes) in LOOPS:
            continue
        with report.case(one, "calls"):
            few, many = (ops_of(row, one, row.main_dtypes[-1], count) for count in (2, 4))
            assert few == many, f"called for each example: {many - few}"
    report.finish()


def test_a_loop_is_found():
    row = next(row for row in ROWS if row.name in LOOPS)
    one = chosen(row, 60)[0]
    assert ops_of(row, one, "float64", 2) != ops_of(row, one, "float64", 4)


# ---- vmap of vmap, dims of results, in place -----------------------------------------------------


@of(lambda row: row.name != READS_MEMORY)
def test_vmap_of_vmap(row):
    """Both levels vary together, or each in arguments of its own; the examples come last in the results."""
    report = Report()
    dtype = row.main_dtypes[-1]
    for one in chosen(row, 30):
        n = len(one.shapes)
        if is_refused(row, one) or row.name in LOOPS:
            continue
        function = functools.partial(row, ag, **one.kwargs)
        theirs = batched(torch, row, one, dtype, [True] * n, [0] * n)
        ours = batched(ag, row, one, dtype, [True] * n, [0] * n)

        def expected(*examples, row=row, one=one, theirs=theirs):
            args = [x.select(0, e) for x, e in zip(theirs, examples)]
            return as_tuple(row(torch, *args, **one.kwargs))

        try:
            want = stacked([expected(*[e] * n) for e in range(EXAMPLES)])
        except Exception:
            continue
        with report.case(one, "both"):
            twice = [ag.stack([x, x.flip(0)], -1) for x in ours]
            found = as_tuple(ag.func.vmap(ag.func.vmap(function), in_dims=-1)(*twice))
            same(tuple(y[0] for y in found), want, rtol=row.rtol)
            same(tuple(y[1] for y in found), [y.flip(0) for y in want], rtol=row.rtol)
        with report.case(one, "out_dims"):
            found = ag.func.vmap(function, out_dims=-1)(*ours)
            same(as_tuple(found), [y.movedim(0, -1) for y in want], rtol=row.rtol)
        if n < 2 or writes_to_first(row):
            continue
        with report.case(one, "one each"):
            inner = ag.func.vmap(function, (0, *[None] * (n - 1)))
            found = ag.func.vmap(inner, (None, *[0] * (n - 1)))(*ours)
            rows = [
                stacked([expected(k, *[e] * (n - 1)) for k in range(EXAMPLES)])
                for e in range(EXAMPLES)
            ]
            same(as_tuple(found), stacked(rows), rtol=row.rtol)
    report.finish()


def writes_to_first(row):
    """True for ops in place, which can't write what differs into what all share."""
    return row.name.endswith("_")


@of(lambda row: bool(row.inplace))
def test_vmap_in_place(row):
    report = Report()
    dtype = row.main_dtypes[-1]
    for one in chosen(row, 30):
        n = len(one.shapes)
        for varying in ([True] * n, [i == 0 for i in range(n)]):
            theirs = batched(torch, row, one, dtype, varying, [0] * n)
            try:
                want = torch.stack(
                    [
                        row.change(
                            torch,
                            *[x.clone() for x in parts(theirs, varying, [0] * n, e)],
                            **one.kwargs,
                        )
                        for e in range(EXAMPLES)
                    ]
                )
            except Exception:
                continue
            with report.case(one, varying):
                ours = batched(ag, row, one, dtype, varying, [0] * n)
                in_dims = tuple(0 if varies else None for varies in varying)
                change = functools.partial(row.change, ag, **one.kwargs)
                same(ag.func.vmap(change, in_dims)(*ours), want, rtol=row.rtol)
                same(ours[0], want, rtol=row.rtol)
    report.finish()


# ---- derivatives ---------------------------------------------------------------------------------


class Derivatives:
    """A weighted sum of an op's results for some examples: its derivatives by all float tensors, in PyTorch."""

    def __init__(self, row, one):
        self.row, self.one = row, one
        kinds, n = row.dtypes_of(one, "float64"), len(one.shapes)
        self.floats = [i for i, kind in enumerate(kinds) if is_float(kind)]
        self.theirs = batched(torch, row, one, "float64", [True] * n, [0] * n)
        self.ours = batched(ag, row, one, "float64", [True] * n, [0] * n)
        rng = np.random.default_rng(n)
        self.tangents = [rng.standard_normal(tuple(self.theirs[i].shape)) for i in self.floats]

    def of_example(self, e):
        """Gradients, and those of <gradients, tangents>, which None stands for at order 1."""
        args = [
            x.select(0, e).clone().requires_grad_(i in self.floats)
            for i, x in enumerate(self.theirs)
        ]
        inputs = [args[i] for i in self.floats]
        again = self.row.order > 1
        value = total(torch, self.row, self.one, *args)
        first = torch.autograd.grad(value, inputs, materialize_grads=True, create_graph=again)
        if not again:
            return first, None
        moved = sum((g * torch.tensor(t[e])).sum() for g, t in zip(first, self.tangents))
        if not moved.requires_grad:
            return first, [torch.zeros_like(x) for x in inputs]
        return first, torch.autograd.grad(moved, inputs, materialize_grads=True)

    def along(self, gradients):
        """<gradients, tangents> of each example."""
        pairs = zip(gradients, self.tangents)
        return sum((g.detach() * torch.tensor(t)).reshape(EXAMPLES, -1).sum(1) for g, t in pairs)

    def function(self, rest):
        """The sum as a function of the float tensors among the tensors of one example."""

        def call(*moving):
            args = list(rest)
            for i, x in zip(self.floats, moving):
                args[i] = x
            return total(ag, self.row, self.one, *args)

        return call

    def moving(self):
        return tuple(self.ours[i] for i in self.floats)

    def mapped(self, transform):
        """vmap of transform(function, float tensors, tangents)."""
        tangents = tuple(ag.tensor(t) for t in self.tangents)
        return ag.func.vmap(
            lambda rest, at, along: transform(self.function(rest), tuple(at), tuple(along))
        )(tuple(self.ours), self.moving(), tangents)


@of(lambda row: row.order > 0)
def test_derivatives_of_and_under_vmap(row):
    """grad and jvp of vmap, vmap of jvp; hvp, jvp of grad and jvp of jvp under vmap."""
    report = Report()
    for one in chosen(row, 30):
        if is_refused(row, one):
            continue
        case = Derivatives(row, one)
        if not case.floats:
            continue
        try:
            firsts, seconds = zip(*[case.of_example(e) for e in range(EXAMPLES)])
        except Exception:
            continue
        first = stacked(firsts)
        every, numbers = tuple(range(len(case.floats))), case.along(first)

        def over_examples(*moving, case=case):
            rest = list(case.ours)
            for i, x in zip(case.floats, moving):
                rest[i] = x
            return ag.func.vmap(functools.partial(total, ag, case.row, case.one))(*rest)

        with report.case(one, "grad of vmap"):
            found = ag.func.grad(lambda *x, f=over_examples: f(*x).sum(), every)(*case.moving())
            same(as_tuple(found), first, rtol=row.rtol)
        with report.case(one, "jvp of vmap"):
            along = tuple(ag.tensor(t) for t in case.tangents)
            same(ag.func.jvp(over_examples, case.moving(), along)[1], numbers, rtol=row.rtol)
        with report.case(one, "vmap of jvp"):
            same(case.mapped(lambda f, x, t: ag.func.jvp(f, x, t)[1]), numbers, rtol=row.rtol)
        if seconds[0] is None:
            continue
        second = stacked(seconds)
        with report.case(one, "vmap of hvp"):
            same(as_tuple(case.mapped(ag.func.hvp)), second, rtol=row.rtol)
        with report.case(one, "vmap of jvp of grad"):
            found = case.mapped(
                lambda f, x, t, every=every: ag.func.jvp(ag.func.grad(f, every), x, t)[1]
            )
            same(as_tuple(found), second, rtol=row.rtol)
        with report.case(one, "vmap of jvp of jvp"):
            found = case.mapped(
                lambda f, x, t: ag.func.jvp(lambda *y: ag.func.jvp(f, y, t)[1], x, t)[1]
            )
            same(found, case.along(second), rtol=row.rtol)
    report.finish()


# as_strided reads memory, in which each example has a place of its own; within one, all is as in PyTorch.
STRIDED = {
    "contiguous": ({}, {}, {"size": (2, 3), "stride": (6, 1)}),
    "an offset": ({}, {}, {"size": (2, 3), "stride": (6, 1), "storage_offset": 1}),
    "inner turned": ({}, {"in_dims": 1}, {"size": (2, 4), "stride": (30, 1)}),
    "both turned": ({"in_dims": 2}, {"in_dims": 1}, {"size": (3, 4), "stride": (120, 1)}),
    "read twice": ({"in_dims": 2}, {}, {"size": (2, 3, 3), "stride": (30, 1, 1)}),
}


@pytest.mark.parametrize("name", STRIDED)
def test_memory_of_examples_of_examples(name):
    outer, inner, arguments = STRIDED[name]
    values = np.random.default_rng(0).standard_normal((3, 4, 5, 6))

    def results(lib):
        def of_example(x):
            return (x.as_strided(**arguments) ** 2).sum()

        x = lib.from_numpy(values)
        for function in (of_example, lib.func.grad(of_example)):
            yield lib.func.vmap(lib.func.vmap(function, **inner), **outer)(x)

    same(tuple(results(ag)), tuple(results(torch)))
