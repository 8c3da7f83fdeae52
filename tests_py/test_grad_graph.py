"""Nodes, hooks on nodes, leaves and saved values: PyTorch says when they run and what they see."""

import gc
import sys
import weakref

import pytest
from both_libraries import agree

import autograd as ag


def leaf(lib, *values):
    return lib.tensor([float(v) for v in values], requires_grad=True)


# ---- nodes ---------------------------------------------------------------------------------------


def names(lib, nn):
    x = leaf(lib, 1, 2)
    y = (x * 2).exp()
    steps = [y.grad_fn.name()]
    node = y.grad_fn.next_functions[0][0]
    steps += [node.name(), node.next_functions[0][1], node.next_functions[1]]
    end = node.next_functions[0][0]
    return steps, end.variable.detach(), end.next_functions, x.grad_fn


def identity_of_nodes(lib, nn):
    x = leaf(lib, 1)
    h = x * 2
    y, z = h.exp(), h.sin()
    return (
        y.grad_fn is y.grad_fn,
        y.grad_fn.next_functions[0][0] is z.grad_fn.next_functions[0][0],
        h.grad_fn.next_functions[0][0] is (x * 3).grad_fn.next_functions[0][0],
        y.grad_fn.metadata,
    )


def output_numbers(lib, nn):
    x = lib.ones(4, requires_grad=True)
    first, second = x.split(2)
    edge = lib.autograd.graph.get_gradient_edge(second)
    return (second * 1).grad_fn.next_functions[0][1] == edge.output_nr


def node_hooks(lib, nn):
    x = leaf(lib, 1, 2)
    y = x * 3
    seen = []
    node = y.grad_fn
    node.register_hook(lambda gi, go: seen.append(("post", gi[0], go)))
    node.register_prehook(lambda go: seen.append(("pre", go)))
    y.sum().backward()
    return seen, x.grad


def node_hooks_replace(lib, nn):
    x = leaf(lib, 1, 2)
    y = x.exp()
    y.grad_fn.register_prehook(lambda go: (go[0] * 2,))
    y.grad_fn.register_hook(lambda gi, go: (gi[0] + go[0],))
    y.grad_fn.register_hook(lambda gi, go: (gi[0] * 10,))
    gone = y.grad_fn.register_hook(lambda gi, go: (gi[0] * 0,))
    gone.remove()
    y.sum().backward()
    return x.grad


def hooks_on_the_end_of_a_path(lib, nn):
    x = leaf(lib, 1)
    y = x * 2
    end = y.grad_fn.next_functions[0][0]
    seen = []
    end.register_prehook(lambda go: seen.append(go[0].tolist()))
    end.register_hook(lambda gi, go: seen.append((len(gi), len(go), x.grad.tolist())))
    y.sum().backward()
    return seen


def node_hook_with_a_wrong_number(lib, nn):
    y = leaf(lib, 1).exp()
    y.grad_fn.register_hook(lambda gi, go: (gi[0], gi[0]))
    y.sum().backward()


def node_hook_that_raises(lib, nn):
    y = leaf(lib, 1).exp()
    y.grad_fn.register_prehook(lambda go: {}["missing"])
    y.sum().backward()


def hooks_of_nodes_and_tensors_in_order(lib, nn):
    x = leaf(lib, 1)
    y = x * 2
    seen = []
    y.grad_fn.register_prehook(lambda go: seen.append(("node", go[0].tolist())))
    y.register_hook(lambda g: g * 5)
    y.retain_grad()
    y.sum().backward()
    return seen, y.grad, y.retains_grad, x.retains_grad


# ---- leaves --------------------------------------------------------------------------------------


def hook_after_accumulation(lib, nn):
    x = leaf(lib, 1, 2)
    seen = []
    x.register_hook(lambda g: seen.append("tensor"))
    x.register_post_accumulate_grad_hook(lambda p: seen.append((p is x, p.grad.tolist())))
    handle = x.register_post_accumulate_grad_hook(lambda p: seen.append("second"))
    (x * 2).sum().backward()
    handle.remove()
    (x * 2).sum().backward()
    lib.autograd.grad((x * 2).sum(), x)
    (x * 2).sum().backward(inputs=[x])
    return seen


def step_inside_of_backward(lib, nn):
    x = leaf(lib, 1, 2)

    def step(p):
        with lib.no_grad():
            p.sub_(p.grad)
        p.grad = None

    x.register_post_accumulate_grad_hook(step)
    (x * 2).sum().backward()
    return x.detach(), x.grad


def hook_after_accumulation_of_a_value(lib, nn):
    (leaf(lib, 1) * 2).register_post_accumulate_grad_hook(print)


def hook_after_accumulation_without_grad(lib, nn):
    lib.ones(1).register_post_accumulate_grad_hook(print)


def hook_after_accumulation_that_raises(lib, nn):
    x = leaf(lib, 1)
    x.register_post_accumulate_grad_hook(lambda p: [][1])
    x.sum().backward()


def hooks_on_several_tensors(lib, nn):
    a, b, c = leaf(lib, 1), leaf(lib, 2), leaf(lib, 3)
    seen = []
    register = lib.autograd.graph.register_multi_grad_hook
    register([a, b], lambda grads: seen.append(("all", [g.tolist() for g in grads])))
    register([a, c], lambda g: seen.append(("any", g.tolist())), mode="any")
    (a * 2 + b * 3).sum().backward()
    (a * 4 + b * 5).sum().backward()
    return sorted(seen, key=str)


def hooks_on_several_tensors_of_which_some_are_reached(lib, nn):
    a, b, c = leaf(lib, 1), leaf(lib, 2), leaf(lib, 3)
    y = c * 2
    seen = []
    lib.autograd.graph.register_multi_grad_hook([a, b, y], lambda grads: seen.append(list(grads)))
    (a * b).sum().backward()
    (a * y).sum().backward(retain_graph=True)
    (a * b * y).sum().backward(retain_graph=True)
    (a * b * y).sum().backward(inputs=[a, c])
    return seen


def hooks_on_several_tensors_within_each_other(lib, nn):
    a, b = leaf(lib, 1), leaf(lib, 2)
    seen, inside = [], []

    def again(grad):
        if not inside:
            inside.append(1)
            (a * b * 10).sum().backward()

    a.register_hook(again)
    lib.autograd.graph.register_multi_grad_hook([a, b], lambda grads: seen.append(list(grads)))
    (a * b).sum().backward()
    return seen


def retained_gradients_of_grad(lib, nn):
    x = leaf(lib, 1)
    y = x * 2
    z = y * 3
    y.retain_grad()
    z.retain_grad()
    found = lib.autograd.grad(z.sum(), y)
    return found, y.grad, z.grad, x.grad


def retained_gradient_of_a_chosen_input(lib, nn):
    y = leaf(lib, 1) * 2
    y.retain_grad()
    (y * 3).sum().backward(inputs=[y])
    return y.grad


def hook_of_the_last_captured_gradient(lib, nn):
    x = leaf(lib, 1)
    y = x * 2
    y.register_hook(lambda g: g * 5)
    z = (y * 3).sum()
    ends_here = lib.autograd.grad(z, y, retain_graph=True)
    return ends_here, lib.autograd.grad(z, (y, x))


def node_hook_returns_a_number(lib, nn):
    y = leaf(lib, 1) * 2
    y.grad_fn.register_hook(lambda grad_inputs, grad_outputs: 3)
    y.sum().backward()


# ---- saved values --------------------------------------------------------------------------------


def pack_hook_changes_its_argument(lib, nn):
    """An error, and the numbers of the program are what they were."""
    x = leaf(lib, 2)
    try:
        with lib.autograd.graph.saved_tensors_hooks(lambda t: t.mul_(2), lambda t: t):
            (x * 1.5).exp()
    except RuntimeError as error:
        assert "pack hook is modifying its input in place" in str(error)
        return x.detach() * 1.5
    return "no error"


def numbers_are_not_packed(lib, nn):
    x = leaf(lib, 2)
    seen = []
    with lib.autograd.graph.saved_tensors_hooks(lambda t: (seen.append(1), t)[1], lambda t: t):
        y = x * 3 + x / 2
    y.sum().backward()
    return len(seen), x.grad


def saved_values_of_ops(lib, nn):
    seen = []

    def pack(t):
        seen.append((t.detach().clone(), t.requires_grad, t.is_leaf))
        return t.detach() * 1

    def unpack(t):
        seen.append("unpack")
        return t

    a = leaf(lib, 2, 3)
    b = lib.tensor([5.0, 7.0])
    with lib.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = a * b
    y.sum().backward()
    return len([s for s in seen if s == "unpack"]) > 0, seen[0], a.grad


def saved_values_as_text(lib, nn):
    x = leaf(lib, 0.5, 2)
    with lib.autograd.graph.saved_tensors_hooks(
        lambda t: repr(t.tolist()), lambda text: lib.tensor(eval(text))
    ):
        y = (x.exp() * x).sin().sum()
    y.backward()
    return x.grad


def saved_values_to_higher_orders(lib, nn):
    x = leaf(lib, 0.5, 2)
    with lib.autograd.graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: t):
        y = (x.exp() * x * x.sigmoid()).sum()
        (first,) = lib.autograd.grad(y, x, create_graph=True)
    (second,) = lib.autograd.grad(first.sum(), x, create_graph=True)
    (third,) = lib.autograd.grad(second.sum(), x)
    return first.detach(), second.detach(), third


def saved_values_of_functions(lib, nn):
    class F(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(x, None, y)
            return y

        @staticmethod
        def backward(ctx, g):
            x, nothing, y = ctx.saved_tensors
            return g * y * x / x

    x = leaf(lib, 0.5, 2)
    packed = []
    with lib.autograd.graph.saved_tensors_hooks(
        lambda t: (packed.append(1), t.detach())[1], lambda t: t * 1
    ):
        y = F.apply(x)
    (first,) = lib.autograd.grad(y.sum(), x, create_graph=True)
    return len(packed), first.detach(), lib.autograd.grad(first.sum(), x)


def innermost_hooks(lib, nn):
    x = leaf(lib, 2)
    seen = []
    hooks = lib.autograd.graph.saved_tensors_hooks
    with hooks(lambda t: seen.append("outer") or t.detach(), lambda t: t):
        with hooks(lambda t: seen.append("inner") or t.detach(), lambda t: t):
            x.exp()
        x.exp()
    x.exp()
    return seen


def on_cpu(lib, nn):
    x = leaf(lib, 2)
    with lib.autograd.graph.save_on_cpu():
        y = x.exp() * x
    y.sum().backward()
    return x.grad


def disabled_hooks(lib, nn):
    with lib.autograd.graph.disable_saved_tensors_hooks("not here"):
        with lib.autograd.graph.save_on_cpu():
            pass


def changed_saved_values_are_the_hooks_business(lib, nn):
    x = leaf(lib, 2)
    h = x * 1
    with lib.autograd.graph.saved_tensors_hooks(lambda t: t.detach() * 1, lambda t: t):
        y = h * h
    h.mul_(0)
    y.sum().backward()
    return x.grad


def hook_that_changes_its_argument(lib, nn):
    with lib.autograd.graph.saved_tensors_hooks(lambda t: t.mul_(2), lambda t: t):
        leaf(lib, 2).exp()


def pack_hook_that_raises(lib, nn):
    with lib.autograd.graph.saved_tensors_hooks(lambda t: [][1], lambda t: t):
        leaf(lib, 2).exp()


def unpack_hook_that_raises(lib, nn):
    with lib.autograd.graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: [][1]):
        y = leaf(lib, 2).exp()
    y.sum().backward()


def unpack_hook_that_returns_a_number(lib, nn):
    with lib.autograd.graph.saved_tensors_hooks(lambda t: 3, lambda t: t):
        y = leaf(lib, 2).exp()
    y.sum().backward()


def version_is_incremented(lib, nn):
    x = leaf(lib, 2)
    h = x * 1
    y = h * h
    lib.autograd.graph.increment_version(h)
    y.sum().backward()


# ---- inference mode ------------------------------------------------------------------------------


def inference(lib, nn):
    x = leaf(lib, 1, 2)
    with lib.inference_mode():
        y = x * 2
        y.mul_(2)
        seen = [lib.is_inference_mode_enabled(), lib.is_grad_enabled(), y.is_inference()]
        with lib.enable_grad():
            seen += [lib.is_grad_enabled(), (x * 2).requires_grad]
        with lib.inference_mode(False):
            seen += [(x * 2).requires_grad, (x * 2).is_inference()]
        seen.append(x[0].is_inference())
    seen += [lib.is_inference_mode_enabled(), lib.is_grad_enabled()]
    seen += [y.requires_grad, y[0].is_inference(), y.clone().is_inference(), (x + y).requires_grad]
    return seen


def inference_as_decorator(lib, nn):
    @lib.inference_mode()
    def first():
        return lib.ones(1).is_inference()

    @lib.inference_mode
    def second():
        return lib.ones(1).is_inference()

    @lib.inference_mode()
    def numbers():
        for _ in range(2):
            yield lib.ones(1).is_inference()

    found = [first(), second()]
    for number in numbers():
        found += [number, lib.is_inference_mode_enabled()]
    return found


def inference_tensor_changed_outside(lib, nn):
    with lib.inference_mode():
        x = lib.ones(2)
    x.add_(1)


def inference_tensor_saved(lib, nn):
    with lib.inference_mode():
        x = lib.ones(2)
    leaf(lib, 1, 2) * x


def inference_tensor_requires_grad(lib, nn):
    with lib.inference_mode():
        x = lib.ones(2)
    x.requires_grad_()


def inference_tensor_version(lib, nn):
    with lib.inference_mode():
        return lib.ones(2)._version


def normal_tensor_changed_in_inference_mode(lib, nn):
    x = lib.ones(2)
    before = x._version
    with lib.inference_mode():
        x.add_(1)
        view = x[:1]
        view.add_(1)
    return x, x.is_inference(), view.is_inference(), x._version > before


def numbers_of_inference_mode_are_normal(lib, nn):
    x = leaf(lib, 1, 2)
    with lib.inference_mode():
        x * 1.375
    (x * 1.375).sum().backward()
    return x.grad


# ---- anomaly mode --------------------------------------------------------------------------------


def nan_in_backward(lib, nn):
    x = leaf(lib, -1)
    with lib.autograd.set_detect_anomaly(True):
        (x.sqrt() * 2).sum().backward()


def nan_unseen(lib, nn):
    x = leaf(lib, -1)
    x.sqrt().sum().backward()
    with lib.autograd.set_detect_anomaly(True, check_nan=False):
        x.sqrt().sum().backward()
    return lib.is_anomaly_enabled(), lib.is_anomaly_check_nan_enabled()


AGREE = [value for value in list(globals().values()) if getattr(value, "__code__", None)]
AGREE = [f for f in AGREE if f.__code__.co_varnames[:2] == ("lib", "nn")]


@pytest.mark.filterwarnings("ignore:Error detected in")
@pytest.mark.parametrize("scenario", AGREE, ids=lambda f: f.__name__)
def test_agrees(scenario):
    agree(scenario)


def words(scenario):
    with pytest.raises(Exception) as caught:
        scenario(ag, ag.nn)
    return str(caught.value)


def test_words_of_errors():
    assert "cannot be saved for backward" in words(inference_tensor_saved)
    assert "Inplace update to inference tensor outside InferenceMode" in words(
        inference_tensor_changed_outside
    )
    assert "Inference tensors do not track version counter" in words(inference_tensor_version)
    assert "Setting requires_grad=True on inference tensor outside InferenceMode" in words(
        inference_tensor_requires_grad
    )
    assert words(disabled_hooks) == "not here"
    assert "modifying its input in place" in words(hook_that_changes_its_argument)
    assert "unpack_hook expected to be a Tensor but got result of type int" in words(
        unpack_hook_that_returns_a_number
    )
    assert "non-leaf" in words(hook_after_accumulation_of_a_value)
    assert "modified by an inplace operation" in words(version_is_incremented)
    assert "Function 'SqrtBackward0' returned nan values in its 0th output." in words(
        nan_in_backward
    )


def test_anomaly_mode_names_the_line_of_the_forward_operation():
    x = leaf(ag, -1)
    y = x.sqrt()
    loss = (y * 2).sum()
    with ag.autograd.set_detect_anomaly(True), pytest.raises(RuntimeError) as caught:
        loss.backward()
    assert f"It is the gradient of 'sqrt' at {__file__}:{y.made_at.line}." in str(caught.value)


def test_anomaly_mode_names_the_line_of_a_rule_that_fails():
    class Wrong(ag.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return ag.ones(3)

    y = Wrong.apply(leaf(ag, 2, 3))
    line = sys._getframe().f_lineno - 1
    with ag.autograd.set_detect_anomaly(True), pytest.raises(RuntimeError) as caught:
        y.sum().backward()
    assert "returned an invalid gradient" in str(caught.value)
    assert f"(in the gradient of 'Wrong' at {__file__}:{line})" in str(caught.value)


def test_anomaly_mode_warns_and_ends():
    with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"):
        mode = ag.autograd.detect_anomaly()
    with mode:
        assert ag.is_anomaly_enabled()
        leaf(ag, 4).sqrt().sum().backward()
    assert not ag.is_anomaly_enabled()


def test_packed_values_go_with_the_graph():
    class Packed:
        def __init__(self, tensor):
            self.tensor = tensor.detach()

    kept = []

    def pack(tensor):
        packed = Packed(tensor)
        kept.append(weakref.ref(packed))
        return packed

    x = leaf(ag, 2)
    with ag.autograd.graph.saved_tensors_hooks(pack, lambda packed: packed.tensor):
        y = x.exp() * x
        z = x.exp() * x
    assert all(each() is not None for each in kept)
    y.sum().backward()
    del z
    gc.collect()
    assert all(each() is None for each in kept)
    with pytest.raises(RuntimeError, match="second time"):
        y.sum().backward()


def test_a_walk_over_a_long_graph():
    x = leaf(ag, 1)
    y = x
    for _ in range(3000):
        y = y + 1
    node, steps = y.grad_fn, 0
    while node.next_functions:
        node, steps = node.next_functions[0][0], steps + 1
    assert steps == 3000
    assert node.variable.tolist() == [1]


def test_nodes_keep_the_graph_alive():
    x = leaf(ag, 3)
    node = (x * x).grad_fn
    gc.collect()
    assert node.name() == "MulBackward0"
    assert node.next_functions[0][0].variable.tolist() == [3]
