"""Functions that do what they must not: PyTorch's class of error and its words."""

import pytest
from custom_functions import cube, leaf, make

import autograd as ag


def identity(ctx, x, *rest):
    return x * 1


def passing(ctx, g):
    return g


def run(f, *args):
    def scenario(lib):
        made = f(lib)
        inputs = args or (None,)
        values = [leaf(lib, 1, 2) if each is None else each for each in inputs]
        out = made.apply(*values)
        (out if not isinstance(out, tuple) else out[0]).sum().backward()

    return scenario


def saving(value):
    def forward(ctx, x):
        ctx.save_for_backward(value, x)
        return x * 1

    return lambda lib: make(lib, forward, passing)


def marking(name, value):
    def forward(ctx, x):
        getattr(ctx, name)(value)
        return x * 1

    return lambda lib: make(lib, forward, passing)


def dirty(returned, source=lambda x: x):
    def scenario(lib):
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return returned(x)

        make(lib, forward, passing).apply(source(leaf(lib, 1, 2)))

    return scenario


def backward_twice(lib):
    y = cube(lib).apply(leaf(lib, 1)).sum()
    y.backward()
    y.backward()


def change_a_saved_tensor(lib):
    h = leaf(lib, 1) * 1
    y = cube(lib).apply(h)
    h.mul_(2)
    y.sum().backward()


def change_an_output(forward):
    def scenario(lib):
        y = make(lib, lambda ctx, x: forward(x), passing).apply(leaf(lib, 1, 2) * 1)
        y.mul_(2)

    return scenario


def change_the_base_of_an_output(lib):
    h = leaf(lib, 1, 2) * 1
    y = make(lib, lambda ctx, x: x.view(2), passing).apply(h)
    h.mul_(2)
    (y * 1).sum().backward()


def both_rules(lib):
    f = make(lib, identity, passing)
    f.vjp = staticmethod(passing)
    f.apply(leaf(lib, 1)).sum().backward()


def called_as_an_object(lib):
    make(lib, identity, passing)()(leaf(lib, 1))


def raising(ctx, g):
    return [][1]


ERRORS = {
    "too_few_gradients": (
        run(lambda lib: make(lib, identity, passing), None, None),
        r"function FBackward returned an incorrect number of gradients \(expected 2, got 1\)",
    ),
    "too_many_gradients": (
        run(lambda lib: make(lib, identity, lambda ctx, g: (g, g))),
        r"function FBackward returned an incorrect number of gradients \(expected 1, got 2\)",
    ),
    "wrong_sizes": (
        run(lambda lib: make(lib, identity, lambda ctx, g: lib.ones(3))),
        r"Function FBackward returned an invalid gradient at index 0 - got \[3\] but expected shape compatible with "
        r"\[2\]",
    ),
    "smaller_sizes": (
        run(lambda lib: make(lib, identity, lambda ctx, g: lib.ones(()))),
        r"returned an invalid gradient at index 0 - got \[\] but expected shape compatible with \[2\]",
    ),
    "a_number": (
        run(lambda lib: make(lib, identity, lambda ctx, g: 3.0)),
        r"expected Variable or None \(got float\)",
    ),
    "a_list": (
        run(lambda lib: make(lib, identity, lambda ctx, g: [g])),
        r"expected Variable or None \(got list\)",
    ),
    "a_gradient_of_a_number": (
        run(lambda lib: make(lib, identity, lambda ctx, g: (g, g)), None, 3),
        "returned a gradient different than None at position 2, but the corresponding forward input was not a "
        "Variable",
    ),
    "saved_number": (
        run(saving(3)),
        "save_for_backward can only save variables, but argument 0 is of type int",
    ),
    "saved_list": (run(saving([])), "save_for_backward can only save variables"),
    "dirty_number": (run(marking("mark_dirty", 3)), "mark_dirty can only accept variables"),
    "non_differentiable_number": (
        run(marking("mark_non_differentiable", 3)),
        "mark_non_differentiable only accepts variable arguments",
    ),
    "dirty_leaf": (
        dirty(lambda x: x),
        "a leaf Variable that requires grad has been used in an in-place operation",
    ),
    "dirty_view_of_a_leaf": (
        dirty(lambda x: x, lambda x: x[:1]),
        "a view of a leaf Variable that requires grad is being used in an in-place operation",
    ),
    "dirty_not_returned": (
        dirty(lambda x: x * 1, lambda x: x * 1),
        "Some elements marked as dirty during the forward method were not returned as output",
    ),
    "dirty_view_of_two_outputs": (
        dirty(lambda x: (x, x * 1), lambda x: (x * 1)[:1]),
        "If your Function modifies inplace an input that is a view of another Tensor, your Function cannot return "
        "more than one Tensor",
    ),
    "freed": (backward_twice, "Trying to backward through the graph a second time"),
    "changed_saved_tensor": (change_a_saved_tensor, "modified by an inplace operation"),
    "changed_view_output": (
        change_an_output(lambda x: x.view(2)),
        "Output 0 of F is a view and is being modified inplace",
    ),
    "changed_input_output": (
        change_an_output(lambda x: x),
        "Output 0 of F is a view and is being modified inplace",
    ),
    "changed_base": (
        change_the_base_of_an_output,
        "Output 0 of F is a view and its base or another view of its base has been modified inplace",
    ),
    "no_forward": (
        run(lambda lib: type("F", (lib.autograd.Function,), {})),
        "You must implement the forward function for custom autograd.Function",
    ),
    "no_backward": (
        run(lambda lib: make(lib, identity)),
        "You must implement either the backward or vjp method",
    ),
    "both_rules": (both_rules, "Implementing both 'backward' and 'vjp'"),
    "object_called": (
        called_as_an_object,
        "Legacy autograd function with non-static forward method is deprecated",
    ),
    "raises": (run(lambda lib: make(lib, identity, raising)), "list index out of range"),
}


@pytest.mark.filterwarnings("ignore:.*should not be instantiated")
@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    import torch

    scenario, words = ERRORS[name]
    with pytest.raises(Exception, match=words) as theirs:
        scenario(torch)
    with pytest.raises(Exception, match=words) as ours:
        scenario(ag)
    assert type(ours.value) is type(theirs.value)
    # The library goes on as if nothing had happened.
    x = leaf(ag, 2)
    cube(ag).apply(x).sum().backward()
    assert x.grad.tolist() == [12]
