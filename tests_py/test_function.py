"""Functions with gradients written in Python: PyTorch says what they give and what they refuse."""

import gc
import re
import threading
import traceback
import weakref

import pytest
from both_libraries import agree
from custom_functions import cube, leaf, make

import autograd as ag
from autograd.autograd.function import once_differentiable

# ---- values and gradients ------------------------------------------------------------------------


def higher_orders(lib, nn):
    x = leaf(lib, 2, 3)
    found, d = [], cube(lib).apply(x).sum()
    for _ in range(3):
        (d,) = lib.autograd.grad(d.sum(), x, create_graph=True)
        found.append(d.detach())
    return found


def saved_output(lib, nn):
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    exp = make(lib, forward, lambda ctx, g: g * ctx.saved_tensors[0])
    x = leaf(lib, 0.5, 1)
    (first,) = lib.autograd.grad(exp.apply(x).sum(), x, create_graph=True)
    return first.detach(), lib.autograd.grad(first.sum(), x)


def setup_context(lib, nn):
    def setup(ctx, inputs, output):
        ctx.factor, ctx.shape = inputs[1], tuple(output.shape)

    scale = make(
        lib, lambda x, factor=2.0: x * factor, lambda ctx, g: (g * ctx.factor, None), setup
    )
    x = leaf(lib, 1, 2)
    (scale.apply(x) + scale.apply(x, 5.0) + scale.apply(x, factor=7.0)).sum().backward()
    return x.grad


def keyword_arguments(lib, nn):
    double = make(lib, lambda ctx, x: x * 2, lambda ctx, g: g * 2)
    x = leaf(lib, 1)
    double.apply(x=x).sum().backward()
    return x.grad


def several_outputs(lib, nn):
    seen = []

    def forward(ctx, a, b):
        return a * 2, "text", b * 3, 4

    def backward(ctx, *grads):
        seen.append(grads)
        return grads[0] * 2, grads[2] * 3

    a, b = leaf(lib, 1, 2), leaf(lib, 3, 4)
    out = make(lib, forward, backward).apply(a, b)
    out[2].sum().backward()
    return [o for o in out if not hasattr(o, "grad")], type(out).__name__, seen, a.grad, b.grad


def without_materialized_grads(lib, nn):
    seen = []

    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2, x * 3

    def backward(ctx, first, second):
        seen.append((first, second))
        return second * 3

    x = leaf(lib, 1)
    make(lib, forward, backward).apply(x)[1].sum().backward()
    return seen, x.grad


def non_differentiable(lib, nn):
    seen = []

    def forward(ctx, x):
        y, index = x * 2, x * 0 + 7
        ctx.mark_non_differentiable(index)
        return y, index, x.long()

    def backward(ctx, *grads):
        seen.append(grads)
        return grads[0]

    x = leaf(lib, 1, 2)
    out = make(lib, forward, backward).apply(x)
    out[0].sum().backward()
    return [(o.requires_grad, o.grad_fn is None) for o in out], seen


def gradients_of_none(lib, nn):
    f = make(lib, lambda ctx, a, b: a * b, lambda ctx, g: (None, g))
    a, b = leaf(lib, 1), leaf(lib, 2)
    f.apply(a, b).sum().backward()
    return a.grad, b.grad


def needs_input_grad(lib, nn):
    seen = []

    def forward(ctx, *args):
        seen.append(ctx.needs_input_grad)
        return args[0] * args[1]

    def backward(ctx, g):
        seen.append(ctx.needs_input_grad)
        return g, g, None

    f = make(lib, forward, backward)
    a, b = leaf(lib, 1), leaf(lib, 2)
    f.apply(a, b.detach(), 3).sum().backward()
    with lib.no_grad():
        f.apply(a, b, "x")
    return seen


def nested(lib, nn):
    inner = cube(lib)

    def forward(ctx, x):
        ctx.save_for_backward(x)
        return inner.apply(x)

    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        with lib.enable_grad():
            y = x.detach().requires_grad_()
            (d,) = lib.autograd.grad(inner.apply(y).sum(), y)
        return g * d

    x = leaf(lib, 2)
    make(lib, forward, backward).apply(x).sum().backward()
    return x.grad


def reentrant_to_a_depth(lib, nn):
    def make_level(level):
        def backward(ctx, g):
            if level:
                with lib.enable_grad():
                    x = leaf(lib, 1)
                    make_level(level - 1).apply(x).sum().backward()
                return g + x.grad
            return g

        return make(lib, lambda ctx, x: x * 1, backward)

    x = leaf(lib, 1)
    make_level(20).apply(x).sum().backward()
    return x.grad


def gradients_that_are_converted(lib, nn):
    found = []
    for grad in (
        lambda: lib.ones(4, 2),
        lambda: lib.ones(2, dtype=lib.float64),
        lambda: lib.ones(2, dtype=lib.int64),
    ):
        x = leaf(lib, 1, 2)
        make(lib, lambda ctx, x: x * 1, lambda ctx, g, grad=grad: grad()).apply(x).sum().backward()
        found.append(x.grad)
    return found


def further_gradients_of_none(lib, nn):
    x = leaf(lib, 1)
    make(lib, lambda ctx, x: x * 1, lambda ctx, g: (g, None, None)).apply(x).sum().backward()
    return x.grad


def changed_in_place(lib, nn):
    def forward(ctx, x):
        x.mul_(3)
        ctx.mark_dirty(x)
        return x

    x = leaf(lib, 1, 2)
    h = x * 2
    f = make(lib, forward, lambda ctx, g: g * 3)
    y = f.apply(h)
    y.sum().backward()
    base = leaf(lib, 1, 2, 3, 4) * 1
    whole = base * 1
    f.apply(whole[:2])
    return y is h, y.detach(), x.grad, whole.detach()


def changed_view_in_place(lib, nn):
    def forward(ctx, x):
        x.mul_(3)
        ctx.mark_dirty(x)
        return x

    x = leaf(lib, 1, 2, 3, 4)
    whole = x * 2
    make(lib, forward, lambda ctx, g: g * 3).apply(whole[1:3])
    (whole * whole).sum().backward()
    return x.grad


def changed_view_that_is_saved(lib, nn):
    def forward(ctx, x):
        x.exp_()
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    exp = make(lib, forward, lambda ctx, g: g * ctx.saved_tensors[0])
    x = leaf(lib, 0.5, 1, 2)
    whole = x * 1
    exp.apply(whole[1:][:1])
    (whole * 2).sum().backward()
    return x.grad


def nothing_flows_into_it(lib, nn):
    seen = []
    ends = make(lib, lambda ctx, x: x * 1, lambda ctx, g: None)

    def backward(ctx, g):
        seen.append(g)
        return g + 5

    x = leaf(lib, 1)
    ends.apply(make(lib, lambda ctx, x: x * 2, backward).apply(x)).sum().backward()
    return seen, x.grad


def input_as_it_is(lib, nn):
    same = make(lib, lambda ctx, x: x, lambda ctx, g: g * 10)
    x = leaf(lib, 1)
    y, z = same.apply(x), same.apply(x.detach())
    y.sum().backward()
    return y is x, z.requires_grad, x.grad


def view_of_an_input(lib, nn):
    flat = make(lib, lambda ctx, x: x.view(4), lambda ctx, g: g.view(2, 2) * 10)
    x = lib.ones(2, 2, requires_grad=True)
    (flat.apply(x * 2) * 3).sum().backward()
    return x.grad


def same_output_twice(lib, nn):
    def forward(ctx, x):
        y = x * 2
        return y, y

    x = leaf(lib, 1)
    first, second = make(lib, forward, lambda ctx, a, b: a + b).apply(x)
    (first + 2 * second).sum().backward()
    return x.grad


def context_outlives_the_graph(lib, nn):
    kept = []

    def forward(ctx, x):
        kept.append(ctx)
        ctx.save_for_backward(x)
        ctx.note = "kept"
        return x * 2

    f = make(lib, forward, lambda ctx, g: g)
    y = f.apply(leaf(lib, 1))
    seen = [len(kept[0].saved_tensors), y.grad_fn.note, y.grad_fn.needs_input_grad]
    del y
    return seen, kept[0].note


def vjp_is_backward(lib, nn):
    f = type(
        "F",
        (lib.autograd.Function,),
        {
            "forward": staticmethod(lambda ctx, x: x * 2),
            "vjp": staticmethod(lambda ctx, g: g * 7),
        },
    )
    x = leaf(lib, 1)
    return lib.autograd.grad(f.apply(x).sum(), x)


def arguments_without_tensors(lib, nn):
    return make(lib, lambda ctx, *args: args).apply(1, "x"), make(lib, lambda ctx: None).apply()


def once(lib, nn):
    from torch.autograd.function import once_differentiable as theirs

    decorate = once_differentiable if lib is ag else theirs

    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    f = make(lib, forward, decorate(lambda ctx, g: 2 * ctx.saved_tensors[0] * g))
    x = leaf(lib, 3)
    f.apply(x).sum().backward()
    return x.grad


AGREE = [
    higher_orders,
    saved_output,
    setup_context,
    keyword_arguments,
    several_outputs,
    without_materialized_grads,
    non_differentiable,
    gradients_of_none,
    needs_input_grad,
    nested,
    reentrant_to_a_depth,
    gradients_that_are_converted,
    further_gradients_of_none,
    changed_in_place,
    changed_view_in_place,
    changed_view_that_is_saved,
    nothing_flows_into_it,
    input_as_it_is,
    view_of_an_input,
    same_output_twice,
    context_outlives_the_graph,
    vjp_is_backward,
    arguments_without_tensors,
    once,
]


@pytest.mark.parametrize("scenario", AGREE, ids=lambda f: f.__name__)
def test_functions(scenario):
    result = agree(scenario)
    assert not (isinstance(result, tuple) and result[:1] == ("raises",)), result


def test_double_backward_through_once_differentiable():
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    f = make(ag, forward, once_differentiable(lambda ctx, g: 2 * ctx.saved_tensors[0] * g))
    x = leaf(ag, 3)
    (first,) = ag.autograd.grad(f.apply(x).sum(), x, create_graph=True)
    assert first.tolist() == [6]
    with pytest.raises(RuntimeError, match="trying to differentiate twice.*once_differentiable"):
        ag.autograd.grad(first.sum(), x)
    with pytest.raises(RuntimeError, match="trying to differentiate twice"):
        first.sum().backward()


def test_exceptions_arrive_with_their_traceback():
    class Own(Exception):
        pass

    def breaks_here(ctx, g):
        raise Own("in backward")

    y = make(ag, lambda ctx, x: x * 1, breaks_here).apply(leaf(ag, 1)).sum()
    with pytest.raises(Own, match="in backward") as caught:
        y.backward()
    assert "breaks_here" in "".join(traceback.format_tb(caught.value.__traceback__))


def test_interrupt_in_backward_arrives():
    def interrupted(ctx, g):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(ag, lambda ctx, x: x * 1, interrupted).apply(leaf(ag, 1)).sum().backward()


def test_endless_backward_is_an_error():
    def forever(ctx, g):
        with ag.enable_grad():
            f.apply(leaf(ag, 1)).sum().backward()
        return g

    f = make(ag, lambda ctx, x: x * 1, forever)
    with pytest.raises(RecursionError):
        f.apply(leaf(ag, 1)).sum().backward()
    assert cube(ag).apply(leaf(ag, 1)).sum().item() == 1


def test_nothing_is_left_of_a_call():
    class Note:
        pass

    notes = []

    def forward(ctx, x):
        ctx.note = Note()
        notes.append(weakref.ref(ctx.note))
        y = x * 2
        ctx.save_for_backward(x, y)
        return y

    f = make(ag, forward, lambda ctx, g: g)
    from autograd import hooks

    gc.collect()
    before = len(hooks._lent)
    y = f.apply(leaf(ag, 1))
    assert len(hooks._lent) == before + 1
    y.sum().backward()
    del y
    gc.collect()
    assert notes[0]() is None
    with ag.no_grad():
        f.apply(leaf(ag, 1))
    assert notes[1]() is None
    assert len(hooks._lent) == before


def test_functions_in_many_threads():
    f, failures = cube(ag), []

    def work(k):
        for _ in range(50):
            x = leaf(ag, k)
            f.apply(x).sum().backward()
            if x.grad.tolist() != [3 * k * k]:
                failures.append(x.grad)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_gradcheck_of_a_function():
    x = ag.rand(3, dtype=ag.float64).requires_grad_()
    assert ag.autograd.gradcheck(cube(ag).apply, (x,))
    assert ag.autograd.gradgradcheck(cube(ag).apply, (x,))
    wrong = make(ag, lambda ctx, x: x * 2, lambda ctx, g: g)
    with pytest.raises(RuntimeError):
        ag.autograd.gradcheck(wrong.apply, (x,))


def test_graphs_and_texts_show_the_name():
    y = cube(ag).apply(leaf(ag, 1))
    assert "grad_fn=<FBackward>" in repr(y)
    assert re.search(r"= F\(", ag.graph.from_tensor(y).text())
