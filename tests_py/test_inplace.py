"""In-place changes, views and their gradients, case by case as in PyTorch."""

import numpy as np
import pytest
import torch
from compare import make, vs_torch

import autograd as ag

SAVED = "modified by an inplace operation"
LEAF = "leaf Variable that requires grad is being used in an in-place operation"
OVERLAP = "more than one element of the written-to tensor refers to a single memory location"


def leaf(lib, *shape, seed=0, requires_grad=True):
    """A float64 leaf of normal numbers."""
    values = np.random.default_rng(seed).standard_normal(shape)
    return make(lib, values, "float64", requires_grad=requires_grad)


def gradient(lib, x, *results):
    """The gradient of the sum of the results' squares, with everything that is worth comparing."""
    total = sum((y * y).sum() for y in results)
    total.backward()
    return x.grad, [(y, y._version, y.requires_grad) for y in results]


@vs_torch
def test_write_through_a_row(lib):
    x = leaf(lib, 3, 2)
    y = x * 1
    y[0].mul_(2)
    return gradient(lib, x, y)


@vs_torch
def test_base_written_after_the_view_was_taken(lib):
    x = leaf(lib, 3, 2)
    y = x * 1
    view = y[1]
    y.mul_(3)
    return gradient(lib, x, view, y)


@vs_torch
def test_chain_of_views(lib):
    x = leaf(lib, 3, 4)
    y = x * 1
    first = y.transpose(0, 1)
    second = first[1:]
    third = second[1]
    third.mul_(5)
    return gradient(lib, x, y, first, second, third)


@vs_torch
def test_views_and_base_written_in_turn(lib):
    x = leaf(lib, 3, 4)
    y = x * 1
    column, row = y[:, 1], y[2]
    column.mul_(2)
    row.add_(column[0])
    y.mul_(y[0].sum())
    column.sub_(1)
    y[1:, :2].zero_()
    return gradient(lib, x, y, column, row)


@vs_torch
def test_sibling_views_see_each_other(lib):
    x = leaf(lib, 4)
    y = x * 1
    left, right = y[:3], y[1:]
    left.mul_(2)
    return gradient(lib, x, right)


@pytest.mark.parametrize("step", [1, 2])
def test_written_through_windows_that_overlap(step):
    found = []
    for lib in (ag, torch):
        x = lib.ones(6, requires_grad=True)
        y = x * 2
        y.unfold(0, 3, step).fill_(3.0)
        (y * y * lib.tensor([1.0, 2, 3, 4, 5, 6])).sum().backward()
        found.append(x.grad.tolist())
    assert found[0] == found[1]


@vs_torch
def test_view_taken_before_the_history(lib):
    x, buffer = leaf(lib, 3), leaf(lib, 2, 3, requires_grad=False)
    row = buffer[1]
    row.copy_(x)
    row.mul_(2)
    return gradient(lib, x, buffer, row, buffer[0])


@vs_torch
def test_buffer_takes_part_after_it_was_written(lib):
    x, buffer = leaf(lib, 2, 3), leaf(lib, 2, 3, requires_grad=False)
    before = buffer.requires_grad, buffer.is_leaf
    buffer.add_(x)
    return before, buffer.is_leaf, gradient(lib, x, buffer)


@vs_torch
@pytest.mark.parametrize("shape", [(2, 3), (3,), (2, 1), ()])
def test_copy_broadcasts_its_gradient(lib, shape):
    x, source = leaf(lib, 2, 3), leaf(lib, *shape, seed=1)
    y = x * 1
    y.copy_(source)
    return gradient(lib, source, y), x.grad


@vs_torch
def test_copy_converts(lib):
    source = make(lib, [1.5, -2.5], "float32", requires_grad=True)
    y = leaf(lib, 2, requires_grad=False)
    y.copy_(source)
    integers = make(lib, [1, 2], "int64")
    integers.copy_(source.detach())
    return integers, gradient(lib, source, y)


@vs_torch
@pytest.mark.parametrize(
    "item", [0, slice(1, 3), (slice(None), 1), (..., slice(None, None, 2)), ()]
)
def test_setitem(lib, item):
    x, value = leaf(lib, 3, 4), leaf(lib, seed=1)
    y = x * 1
    y[item] = value * 2
    y[2, 2] = 7.0
    found = gradient(lib, x, y)
    return found, value.grad


@vs_torch
def test_setitem_reads_what_it_writes(lib):
    x = leaf(lib, 4)
    y = x * 1
    y[1:3] = y[1:3].clone() * y[0].clone() + y[3]
    y[0] += y[1]
    y[2:] *= 2
    return gradient(lib, x, y)


@vs_torch
def test_recurrence_written_into_a_buffer(lib):
    x = leaf(lib, 5)
    out = lib.zeros(5, dtype=lib.float64)
    for i in range(5):
        out[i] = x[i] * 2 if i == 0 else x[i] + out[i - 1].tanh().clone()
    return gradient(lib, x, out)


@vs_torch
@pytest.mark.parametrize("name", ["add_", "sub_", "copy_"])
def test_operand_is_the_tensor_itself(lib, name):
    x = leaf(lib, 2, 3)
    y = x * 1
    getattr(y, name)(y)
    return gradient(lib, x, y)


@pytest.mark.parametrize("name", ["mul", "div"])
def test_operand_is_the_tensor_itself_and_saved(name):
    """PyTorch refuses y.mul_(y) in backward; here it is y * y."""
    found = []
    for suffix in ("", "_"):
        x = leaf(ag, 2, 3)
        y = x * 1
        y = getattr(y, name + suffix)(y)
        y.sum().backward()
        found.append((y.tolist(), x.grad.tolist()))
    assert found[0] == found[1]


@vs_torch
def test_augmented_assignment(lib):
    x = leaf(lib, 2, 3)
    y = kept = x * 1
    y += x
    y -= 2
    y *= x[0]
    y /= 3.0
    return y is kept, gradient(lib, x, y)


@vs_torch
def test_second_order_through_writes(lib):
    x = leaf(lib, 3)
    y = x * 1
    y[1:].mul_(x[:2])
    (first,) = lib.autograd.grad((y * y * y).sum(), [x], create_graph=True)
    (second,) = lib.autograd.grad((first * first).sum(), [x])
    return first, second


@vs_torch
@pytest.mark.parametrize("name", ["zero_", "fill_"])
def test_overwriting_stops_the_gradient(lib, name):
    x = leaf(lib, 2, 3)
    y = x * 1
    getattr(y[0], name)(*[2.0][: name == "fill_"])
    return gradient(lib, x, y)


@vs_torch
def test_no_history_under_no_grad(lib):
    x = leaf(lib, 2, 3)
    y = x * 1
    with lib.no_grad():
        y[0].zero_()
        x.add_(1)
        x[1].mul_(2)
        x.view(-1)[0] = 5
    return x, x._version, x.is_leaf, x.requires_grad, gradient(lib, x, y)


@vs_torch
def test_versions_are_those_of_the_storage(lib):
    x = leaf(lib, 4, requires_grad=False)
    row, detached, copy = x[1:], x.detach(), x.clone()
    seen = []
    for change in (
        lambda: x.add_(1),
        lambda: row.mul_(2),
        lambda: detached.zero_(),
        lambda: copy.exp_(),
    ):
        change()
        seen.append([t._version for t in (x, row, detached, copy)])
    return seen, x, copy


@vs_torch
def test_what_no_gradient_reads_may_change(lib):
    x = leaf(lib, 3)
    y = x * 1
    z = y + 2
    total = z.sum() + y.relu().sum()
    y.add_(1)
    z.mul_(4)
    total.backward()
    return x.grad


@vs_torch
def test_cotangents_may_change_after_backward(lib):
    x = leaf(lib, 3)
    cotangent = leaf(lib, 3, seed=1, requires_grad=False)
    (x * 1).backward(cotangent)
    held = x.grad
    cotangent.zero_()
    return held, x.grad


# ---- errors --------------------------------------------------------------------------------------


@vs_torch(raises=LEAF)
@pytest.mark.parametrize("name", ["add_", "mul_", "copy_", "sub_", "div_", "pow_"])
def test_leaf_that_requires_grad(lib, name):
    getattr(leaf(lib, 3), name)(leaf(lib, 3, requires_grad=False))


@vs_torch(raises=LEAF)
@pytest.mark.parametrize(
    "name", ["zero_", "exp_", "relu_", "neg_", "sigmoid_", "uniform_", "normal_"]
)
def test_leaf_that_requires_grad_alone(lib, name):
    getattr(leaf(lib, 3), name)()


@vs_torch(raises=LEAF)
@pytest.mark.parametrize("item", [0, slice(0, 2), ...])
def test_setitem_on_a_leaf(lib, item):
    leaf(lib, 3)[item] = 1.0


@vs_torch(raises=f"view of a {LEAF}")
@pytest.mark.parametrize("view", ["select", "view", "deep"])
def test_view_of_a_leaf(lib, view):
    x = leaf(lib, 3, 2)
    {"select": lambda: x[0], "view": lambda: x.view(6), "deep": lambda: x.t()[1][:2]}[view]().mul_(
        2
    )


def test_refused_change_leaves_everything_as_it_was():
    x = leaf(ag, 2, 3)
    before = x.tolist()
    for change in (lambda: x.add_(1), lambda: x[0].mul_(2), lambda: x.detach().add_(leaf(ag, 4))):
        with pytest.raises(RuntimeError):
            change()
    assert x.tolist() == before
    assert x._version == 0


@vs_torch(raises=SAVED)
@pytest.mark.parametrize(
    "name", ["exp", "tanh", "sigmoid", "sqrt", "relu", "softmax", "log_softmax"]
)
def test_saved_output_changed(lib, name):
    y = leaf(lib, 3).abs()
    z = getattr(y, name)(*([-1] if "softmax" in name else []))
    total = z.sum()
    z.add_(1)
    total.backward()


@vs_torch(raises=SAVED)
@pytest.mark.parametrize("name", ["log", "abs", "square", "matmul", "var", "clamp", "maximum"])
def test_saved_input_changed(lib, name):
    y = leaf(lib, 3) * 1
    call = {
        "square": lambda: y * y,
        "matmul": lambda: y.reshape(1, 3) @ y.reshape(3, 1),
        "clamp": lambda: y.clamp(-0.5, 0.5),
        "maximum": lambda: lib.maximum(y, leaf(lib, 3, seed=1)),
    }
    z = call.get(name, lambda: getattr(y, name)())()
    y.add_(1)
    z.sum().backward()


CHANGES = {
    "in place": lambda lib, y: y.mul_(2),
    "row": lambda lib, y: y[0].mul_(2),
    "setitem": lambda lib, y: y.__setitem__(0, 1.0),
    "detached": lambda lib, y: y.detach().zero_(),
    "deep view": lambda lib, y: y.t()[1:].add_(1),
    "augmented": lambda lib, y: y.__iadd__(1),
}


@vs_torch(raises=SAVED)
@pytest.mark.parametrize("under_no_grad", [False, True], ids=["recorded", "no_grad"])
@pytest.mark.parametrize("change", CHANGES)
def test_saved_tensor_changed_in_any_way(lib, change, under_no_grad):
    y = leaf(lib, 2, 3) * 1
    total = (y * y).sum()
    with lib.set_grad_enabled(not under_no_grad):
        CHANGES[change](lib, y)
    total.backward()


@vs_torch(raises=SAVED)
def test_saved_constant_changed(lib):
    x, constant = leaf(lib, 3), leaf(lib, 3, requires_grad=False)
    total = (x * constant).sum()
    constant.add_(1)
    total.backward()


@vs_torch(raises=SAVED)
def test_saved_view_changed_through_its_base(lib):
    y = leaf(lib, 2, 3) * 1
    total = (y[0] * y[0]).sum()
    y.mul_(2)
    total.backward()


def test_changed_tensor_is_named():
    """The text says which op saved it, its shape and what to do."""
    y = leaf(ag, 2, 3).exp()
    total = y.sum()
    y.add_(1)
    with pytest.raises(RuntimeError, match=SAVED) as error:
        total.backward()
    assert "exp" in str(error.value)
    assert "[2, 3]" in str(error.value)


@vs_torch(raises="can't be cast to")
@pytest.mark.parametrize("name", ["add_", "mul_", "div_", "sub_", "pow_"])
def test_integers_cannot_become_floats(lib, name):
    getattr(make(lib, [1, 2], "int64"), name)(make(lib, [1.5, 2.5], "float32"))


@vs_torch(raises=r"\[3\] doesn't match the broadcast shape \[2, 3\]")
@pytest.mark.parametrize("name", ["add_", "mul_", "div_", "sub_", "pow_"])
def test_result_must_fit(lib, name):
    getattr(leaf(lib, 3, requires_grad=False), name)(leaf(lib, 2, 3))


@vs_torch(raises=OVERLAP)
@pytest.mark.parametrize("name", ["add_", "mul_", "exp_", "relu_"])
def test_expanded_tensor_cannot_be_written(lib, name):
    x = leaf(lib, 1, 3, requires_grad=False).expand(2, 3)
    getattr(x, name)(*[1.0][: name in ("add_", "mul_")])


@pytest.mark.parametrize("name", ["split", "chunk"])
def test_one_of_several_views_can_be_written(name):
    """PyTorch refuses; here it is what writing to the slice is."""
    x = leaf(ag, 4)
    y, expected = x * 1, x * 1
    getattr(y, name)(2)[1].mul_(2)
    expected[2:].mul_(2)
    gradients = [ag.autograd.grad((z * z).sum(), x)[0].tolist() for z in (y, expected)]
    assert gradients[0] == gradients[1]
    assert y.tolist() == expected.tolist()


@vs_torch
def test_one_of_several_views_without_history_can_be_written(lib):
    y = leaf(lib, 4, requires_grad=False)
    first, second = y.split(2)
    first.mul_(2)
    second.zero_()
    return y


@pytest.mark.parametrize("name", ["cumsum_", "cumprod_"])
def test_scans_in_place(name):
    results = []
    for lib in (ag, torch):
        x = lib.tensor([[1.0, 2.0, 3.0], [0.5, -1.0, 4.0]], requires_grad=True)
        y = x * 2
        part = y[:, 1:]
        assert getattr(part, name)(1) is part
        (y * lib.tensor([[1.0, 2.0, 3.0]])).sum().backward()
        whole = getattr(lib.arange(4), name)(0)
        with pytest.raises(IndexError):
            getattr(whole, name)(2)
        results.append([y.tolist(), x.grad.tolist(), whole.tolist(), str(whole.dtype)[-5:]])
    assert results[0] == results[1]


# ---- other sizes over the same storage ---------------------------------------------------------------------


@vs_torch
def test_resized_within_the_storage(lib):
    x = lib.arange(6.0).reshape(2, 3)
    found = [x.resize_(2, 2).clone(), x.resize_(6).clone(), x.resize_((3, 1)).clone()]
    x.mul_(10)  # seen through x.view(-1) as well
    turned = lib.arange(6.0).reshape(2, 3).t().resize_(2, 2)
    return found, x, x.resize_as_(lib.ones(2, 3)), lib.arange(6.0)[2:].resize_(2), turned


@vs_torch
def test_resized_beyond_the_storage(lib):
    x = lib.arange(4.0).reshape(2, 2)
    view = x.view(-1)
    assert x.resize_(3, 2) is x
    turned = lib.arange(6.0).reshape(2, 3).t().resize_(2, 5)
    return x[:2], list(x.shape), view, turned.flatten()[:6], list(lib.ones(0).resize_(3).shape)


@pytest.mark.parametrize("sizes", [(3,), (1,), (-1,), ("a",), ()])
def test_what_cannot_be_resized(sizes):
    for leaf_ in (True, False) if sizes in ((3,), (1,)) else (False,):
        kinds = set()
        for lib in (ag, torch):
            with pytest.raises((RuntimeError, TypeError)) as caught:
                lib.ones(2, requires_grad=leaf_ or sizes in ((3,), (1,))).resize_(*sizes)
            kinds.add(caught.type)
        assert len(kinds) == 1
