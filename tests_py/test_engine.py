"""The engine: what backward visits, keeps, accumulates and refuses, as in PyTorch."""

import gc
import threading
import time

import numpy as np
import pytest
import torch
from compare import make, same, vs_torch

import autograd as ag

pytestmark = pytest.mark.alone


def leaf(lib, *shape, seed=0, requires_grad=True, dtype="float64"):
    """A leaf of normal numbers."""
    values = np.random.default_rng(seed).standard_normal(shape)
    return make(lib, values, dtype, requires_grad=requires_grad)


def in_small_stack(function):
    """Runs a function in a thread with a stack of 256 KiB, where deep recursion would crash."""
    failures = []

    def guarded():
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            failures.append(error)

    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=guarded)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    if failures:
        raise failures[0]


# ---- walking -------------------------------------------------------------------------------------


@vs_torch
def test_chained_residuals_visit_each_node_once(lib):
    """2^40 paths, 80 nodes."""
    x = leaf(lib, 3)
    y = x
    for _ in range(40):
        y = y + (y * 0.1).tanh()
    y.sum().backward()
    return y, x.grad


def test_time_grows_with_nodes_not_paths():
    def seconds(depth):
        x = leaf(ag, 3)
        y = x
        for _ in range(depth):
            y = y + y.tanh() * y
        started = time.perf_counter()
        y.sum().backward()
        return time.perf_counter() - started

    seconds(10)
    assert min(seconds(400) for _ in range(3)) < 200 * max(min(seconds(20) for _ in range(3)), 1e-4)


@pytest.mark.parametrize("kind", ["add", "in place", "views"])
def test_chain_of_100000_ops(kind):
    """Backward and dropping go without recursion."""
    steps = {
        "add": lambda y: y + 1.0,
        "in place": lambda y: y.mul_(1.0),
        "views": lambda y: y.reshape((2, 1) if y.ndim == 1 else (2,)),
    }

    def run():
        x = leaf(ag, 2)
        y = x * 1
        for _ in range(100_000):
            y = steps[kind](y)
        y.sum().backward()
        assert x.grad.tolist() == [1.0, 1.0]
        del y
        z = x * 1
        for _ in range(100_000):
            z = steps[kind](z)
        del z  # never differentiated

    in_small_stack(run)


def test_many_users_of_one_tensor():
    x = leaf(ag, 2)
    parts = [x * float(i) for i in range(2000)]
    ag.cat(parts).sum().backward()
    assert x.grad.tolist() == [sum(range(2000))] * 2


def test_graph_is_freed():
    """Neither a result nor its graph outlives its last reference."""
    x = leaf(ag, 64, 64)

    def step():
        (x @ x).tanh().sum().backward()
        x.grad = None

    for _ in range(3):
        step()
    gc.collect()
    before = ag._capi.lib.ag_memory_allocated()
    for _ in range(20):
        step()
    kept = (x @ x).tanh()
    del kept
    assert ag._capi.lib.ag_memory_allocated() <= before


# ---- backward ------------------------------------------------------------------------------------


@vs_torch
def test_accumulates(lib):
    x = leaf(lib, 3)
    (x * x).sum().backward()
    held = x.grad
    first = held.clone()
    (x * 3).sum().backward()
    return first, x.grad, held


@vs_torch
def test_accumulates_within_one_pass(lib):
    x, y = leaf(lib, 3), leaf(lib, 3, seed=1)
    (x * y + x + x.exp() - y * y * x).sum().backward()
    return x.grad, y.grad


@vs_torch
def test_retain_graph(lib):
    x = leaf(lib, 3)
    total = (x * x).exp().sum()
    total.backward(retain_graph=True)
    total.backward(retain_graph=True)
    total.backward()
    return x.grad


@vs_torch(raises="Trying to backward through the graph a second time")
def test_second_backward(lib):
    x = leaf(lib, 3)
    total = (x * x).sum()
    total.backward()
    total.backward()


@vs_torch(raises="Trying to backward through the graph a second time")
def test_second_backward_through_a_shared_part(lib):
    x = leaf(lib, 3)
    shared = x.exp()
    shared.sum().backward()
    (shared * 2).sum().backward()


@vs_torch
def test_second_backward_where_nothing_was_saved(lib):
    x = leaf(lib, 3)
    total = (x + 1).sum()
    total.backward()
    total.backward()
    return x.grad


@vs_torch(raises="grad can be implicitly created only for scalar outputs")
def test_backward_of_several_elements(lib):
    (leaf(lib, 3) * 2).backward()


@vs_torch(raises="does not require grad and does not have a grad_fn")
def test_backward_without_history(lib):
    leaf(lib, 3, requires_grad=False).sum().backward()


@vs_torch(raises="does not require grad and does not have a grad_fn")
def test_backward_of_a_detached_tensor(lib):
    leaf(lib, 3).sum().detach().backward()


@vs_torch(raises="(?i)mismatch in shape")
@pytest.mark.parametrize("shape", [(2,), (), (3, 1), (1, 3)])
def test_cotangent_of_another_shape(lib, shape):
    (leaf(lib, 3) * 2).backward(leaf(lib, *shape, requires_grad=False))


@vs_torch
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_backward_of_one_element(lib, shape):
    x = leaf(lib, *shape)
    (x * x).backward()
    return x.grad


@vs_torch
def test_backward_of_a_leaf(lib):
    x = leaf(lib)
    x.backward()
    x.backward(x.detach() * 2)
    return x.grad


@vs_torch
def test_backward_of_several_tensors(lib):
    x, y = leaf(lib, 3), leaf(lib, 3, seed=1)
    z = x * y
    lib.autograd.backward([z, z.sum(), x], [x.detach(), None, y.detach()])
    return x.grad, y.grad


@vs_torch
def test_backward_into_some_inputs(lib):
    x, y = leaf(lib, 3), leaf(lib, 3, seed=1)
    (x * y).sum().backward(inputs=[y])
    return x.grad, y.grad


@vs_torch
def test_retain_grad(lib):
    x = leaf(lib, 3)
    middle = x * 2
    other = middle.exp()
    middle.retain_grad()
    x.retain_grad()
    flags = middle.retains_grad, other.retains_grad, x.retains_grad
    other.sum().backward()
    return flags, middle.grad, x.grad


@vs_torch
def test_retained_gradient_accumulates(lib):
    x = leaf(lib, 3)
    middle = x * 2
    middle.retain_grad()
    total = (middle * middle).sum()
    total.backward(retain_graph=True)
    total.backward()
    return middle.grad, x.grad


@vs_torch(raises="can't retain_grad")
def test_retain_grad_needs_a_history(lib):
    leaf(lib, 3, requires_grad=False).retain_grad()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_gradient_of_a_non_leaf_is_not_kept():
    x = leaf(ag, 3)
    middle = x * 2
    middle.sum().backward()
    assert x.grad is not None
    assert middle.grad is None


@pytest.mark.filterwarnings("ignore:Using backward:UserWarning")
@vs_torch
def test_create_graph_gives_gradients_with_a_history(lib):
    x = leaf(lib, 3)
    (x * x * x).sum().backward(create_graph=True)
    first = x.grad
    requires = first.requires_grad
    x.grad = None
    first.sum().backward()
    return requires, first, x.grad


@vs_torch
def test_gradient_has_no_history_by_default(lib):
    x = leaf(lib, 3)
    (x * x).sum().backward()
    return x.grad.requires_grad, x.grad.is_leaf


# ---- what belongs to the caller ------------------------------------------------------------------


@pytest.mark.parametrize("make_result", [lambda x: x + 0, lambda x: x * 1, lambda x: x.view(3)])
def test_caller_keeps_its_cotangent(make_result):
    x, cotangent = leaf(ag, 3), leaf(ag, 3, seed=1, requires_grad=False)
    before = cotangent.tolist()
    result = make_result(x)
    result.backward(cotangent, retain_graph=True)
    result.backward(cotangent)
    x.grad.mul_(5)
    assert cotangent.tolist() == before
    assert cotangent._version == 0


def test_leaves_do_not_share_a_gradient():
    a, b = leaf(ag, 3), leaf(ag, 3, seed=1)
    (a + b).sum().backward()
    a.grad.zero_()
    assert b.grad.tolist() == [1.0] * 3


def test_results_of_grad_do_not_share_memory_with_the_cotangent():
    a, b = leaf(ag, 3), leaf(ag, 3, seed=1)
    cotangent = leaf(ag, 3, seed=2, requires_grad=False)
    before = cotangent.tolist()
    a.sub(b).backward(cotangent)
    a.grad.zero_()
    b.grad.zero_()
    assert cotangent.tolist() == before


def test_next_step_does_not_overwrite_what_is_held():
    """Outputs, gradients and losses of a step stay what they were during later steps."""
    weight = leaf(ag, 8, 8, dtype="float32")
    held = []
    for step in range(5):
        x = leaf(ag, 4, 8, seed=step, requires_grad=False, dtype="float32")
        hidden = (x @ weight).tanh()
        loss = (hidden * hidden).mean()
        weight.grad = None
        loss.backward()
        for t in (hidden, loss, weight.grad):
            held.append((t, t.tolist()))
    for tensor, values in held:
        assert tensor.tolist() == values


@vs_torch
@pytest.mark.parametrize("set_to_none", [True, False])
def test_zero_grad(lib, set_to_none):
    x, y = leaf(lib, 3), leaf(lib, 2)
    (x * x).sum().backward()
    held = x.grad
    optimizer = lib.optim.SGD([x, y], lr=0.5)
    optimizer.zero_grad(set_to_none=set_to_none)
    return x.grad, y.grad, held


@vs_torch
def test_grad_can_be_replaced(lib):
    x = leaf(lib, 3)
    x.grad = leaf(lib, 3, seed=1, requires_grad=False)
    (x * x).sum().backward()
    total = x.grad.clone()
    x.grad = None
    return total, x.grad


@vs_torch(raises="(?i)size|shape")
def test_grad_of_another_shape(lib):
    leaf(lib, 3).grad = leaf(lib, 2, requires_grad=False)


@vs_torch(raises="(?i)type")
def test_grad_of_another_dtype(lib):
    leaf(lib, 3).grad = leaf(lib, 3, requires_grad=False, dtype="float32")


@vs_torch
def test_view_of_a_parameter_is_no_parameter(lib):
    parameter = lib.nn.Parameter(leaf(lib, 4, 3, requires_grad=False))
    views = [parameter[0], parameter.t(), parameter.view(12), parameter.detach()]
    module = lib.nn.Linear(2, 2)
    module.part = module.weight[0]
    return (
        [isinstance(v, lib.nn.Parameter) for v in views],
        [(v.is_leaf, v.requires_grad) for v in views],
        [name for name, _ in module.named_parameters()],
        list(module.state_dict()),
    )


@vs_torch(raises="can't optimize a non-leaf Tensor")
def test_optimizer_refuses_a_view_of_a_parameter(lib):
    lib.optim.SGD([lib.nn.Parameter(leaf(lib, 4, 3, requires_grad=False))[0]], lr=0.1)


# ---- grad ----------------------------------------------------------------------------------------


@vs_torch
def test_grad_accumulates_nothing(lib):
    x, y = leaf(lib, 3), leaf(lib, 3, seed=1)
    found = lib.autograd.grad((x * y).sum(), [x, y])
    return found, x.grad, y.grad


@vs_torch
def test_grad_of_a_single_tensor(lib):
    x = leaf(lib, 3)
    return lib.autograd.grad((x * x).sum(), x)


@vs_torch
def test_grad_of_the_same_input_twice(lib):
    x = leaf(lib, 3)
    return lib.autograd.grad((x * x).sum(), [x, x])


@vs_torch
def test_grad_of_itself(lib):
    x = leaf(lib)
    y = x * 2
    return lib.autograd.grad(x, x), lib.autograd.grad(y, [y, x])


@vs_torch
def test_grad_of_non_leaves(lib):
    x = leaf(lib, 3)
    middle = x.exp()
    total = (middle * middle * x).sum()
    return lib.autograd.grad(total, [middle, x], retain_graph=True), lib.autograd.grad(
        total, [middle]
    )


@vs_torch
def test_grad_of_views_of_what_was_used(lib):
    """A view taken afterwards is not what the result was made from."""
    x = leaf(lib, 2, 3)
    total = (x * x).sum()
    return lib.autograd.grad(total, [x[0], x], allow_unused=True)


@vs_torch(raises="(?i)appears to not have been used in the graph")
def test_unused_input(lib):
    x, y = leaf(lib, 3), leaf(lib, 3)
    lib.autograd.grad((x * x).sum(), [x, y])


@vs_torch
def test_unused_input_allowed(lib):
    x, y = leaf(lib, 3), leaf(lib, 3)
    return lib.autograd.grad((x * x).sum(), [y, x], allow_unused=True)


@vs_torch(raises="(?i)does not require grad")
def test_input_that_does_not_require_grad(lib):
    x, y = leaf(lib, 3), leaf(lib, 3, requires_grad=False)
    lib.autograd.grad((x * y).sum(), [x, y])


@vs_torch
def test_grad_of_several_outputs(lib):
    x = leaf(lib, 3)
    outputs = [x * x, x.sum(), x.exp()]
    cotangents = [leaf(lib, 3, seed=1), None, leaf(lib, 3, seed=2)]
    return lib.autograd.grad(outputs, [x], cotangents)


@vs_torch(raises="Trying to backward through the graph a second time")
def test_grad_frees_the_graph(lib):
    x = leaf(lib, 3)
    total = (x * x).sum()
    lib.autograd.grad(total, [x])
    lib.autograd.grad(total, [x])


@vs_torch
@pytest.mark.parametrize("used", [[0], [1], [0, 1], [1, 1]])
@pytest.mark.parametrize("op", ["max", "split", "chunk", "min"])
def test_some_of_several_outputs(lib, op, used):
    x = leaf(lib, 4, 3)
    arguments = {"max": (0,), "min": (1, True), "split": ([1, 3],), "chunk": (2, 0)}
    results = getattr(x, op)(*arguments[op])
    picked = [results[0] if op in ("max", "min") else results[i] for i in used]
    total = sum((y * y * float(i + 1)).sum() for i, y in enumerate(picked))
    return list(results), lib.autograd.grad(total, [x])


# ---- recording -----------------------------------------------------------------------------------


@vs_torch
def test_nothing_is_recorded_if_nothing_requires_grad(lib):
    x = leaf(lib, 3, requires_grad=False)
    results = [x * 2, x.exp(), x.sum(), x[0], x.view(3, 1), lib.cat([x, x]), x @ x]
    return [(y.requires_grad, y.grad_fn is None, y.is_leaf) for y in results]


@vs_torch
def test_integers_and_comparisons_have_no_history(lib):
    x = leaf(lib, 3)
    results = [x > 0, x.argmax(), x.max(0)[1], x.to(lib.int64), x == x]
    return [(y.requires_grad, y.is_leaf, y.dtype) for y in results]


@vs_torch(raises="(?i)only Tensors of floating point.* can require gradients")
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
def test_only_floats_require_grad(lib, dtype):
    make(lib, [1, 0], dtype).requires_grad_()


@vs_torch(raises="you can only change requires_grad flags of leaf variables")
def test_requires_grad_of_a_non_leaf(lib):
    (leaf(lib, 3) * 2).requires_grad_(False)


@vs_torch
def test_grad_modes(lib):
    x = leaf(lib, 3)
    seen = []

    @lib.no_grad()
    def silent(t):
        seen.append(lib.is_grad_enabled())
        return t * 2

    with lib.no_grad():
        seen.append((x * 2).requires_grad)
        with lib.enable_grad():
            seen.append((x * 2).requires_grad)
        seen.append(lib.is_grad_enabled())
    with lib.set_grad_enabled(False):
        seen.append((x * 2).requires_grad)
    seen.append(silent(x).requires_grad)
    try:
        with lib.no_grad():
            raise KeyError("left by an error")
    except KeyError:
        seen.append(lib.is_grad_enabled())
    return seen, silent.__name__


def test_grad_mode_belongs_to_a_thread():
    seen = []
    x = leaf(ag, 3)

    def look():
        seen.append((x * 2).requires_grad)

    with ag.no_grad():
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == [True]


def test_backward_in_several_threads():
    """Each thread differentiates a graph of its own."""
    leaves = [leaf(ag, 16, 16, seed=i) for i in range(4)]

    def work(x):
        for _ in range(50):
            x.grad = None
            (x @ x).tanh().sum().backward()

    threads = [threading.Thread(target=work, args=(x,)) for x in leaves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, x in enumerate(leaves):
        expected = leaf(torch, 16, 16, seed=i)
        (expected @ expected).tanh().sum().backward()
        same(x.grad, expected.grad)
