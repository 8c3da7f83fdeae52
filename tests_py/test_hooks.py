"""Hooks on tensors and modules: PyTorch says when they run, what they see and what their results do."""

import copy
import gc
import pickle
import weakref

import pytest
from both_libraries import agree

import autograd as ag
from autograd import nn

# ---- tensors -------------------------------------------------------------------------------------


def hook_of_a_leaf(lib, nn):
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    seen = []
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * x + 3 * x).sum().backward()
    return seen, x.grad


def hook_of_an_intermediate(lib, nn):
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    (y * y + y).sum().backward()
    return seen, x.grad


def hooks_replace_in_order(lib, nn):
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: g * 2)
    y.register_hook(lambda g: g + 1)
    y.retain_grad()
    y.sum().backward()
    return y.grad, x.grad


def hook_of_the_root(lib, nn):
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    y = (x * 2).sum()
    y.register_hook(lambda g: g * 5)
    y.backward()
    return x.grad


def hook_and_captured_gradient(lib, nn):
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: g + 1)
    return list(lib.autograd.grad((y * y).sum(), [x, y]))


def hook_twice_differentiable(lib, nn):
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    y.register_hook(lambda g: g * g)
    (first,) = lib.autograd.grad((y * y).sum(), x, create_graph=True)
    (second,) = lib.autograd.grad(first.sum(), x)
    return first.detach(), second


def removed_hooks_do_not_run(lib, nn):
    x = lib.tensor([1.0], requires_grad=True)
    handle = x.register_hook(lambda g: g * 2)
    handle.remove()
    handle.remove()
    with x.register_hook(lambda g: g * 3):
        (x * 1).sum().backward()
    (x * 1).sum().backward()
    return x.grad


def hook_before_a_change_in_place(lib, nn):
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(("before", g.tolist())))
    y.mul_(3)
    y.register_hook(lambda g: seen.append(("after", g.tolist())))
    y.sum().backward()
    return sorted(seen), x.grad


def hook_of_a_tensor_without_grad(lib, nn):
    return lib.ones(1).register_hook(lambda g: g)


def hook_returns_a_number(lib, nn):
    x = lib.ones(1, requires_grad=True)
    x.register_hook(lambda g: 3)
    x.sum().backward()


def hook_returns_other_sizes(lib, nn):
    x = lib.ones(2, requires_grad=True)
    x.register_hook(lambda g: lib.ones(3))
    x.sum().backward()


def hook_raises(lib, nn):
    x = lib.ones(1, requires_grad=True)
    x.register_hook(lambda g: {}["missing"])
    x.sum().backward()


def hook_survives_new_data(lib, nn):
    x = lib.ones(2, requires_grad=True)
    x.register_hook(lambda g: g * 4)
    x.data = lib.zeros(2)
    (x * 2).sum().backward()
    return x.grad


def backward_inside_a_hook(lib, nn):
    x = lib.ones(2, requires_grad=True)
    other = lib.ones(2, requires_grad=True)

    def hook(g):
        with lib.enable_grad():
            (other * g.detach()).sum().backward()

    y = x * 3
    y.register_hook(hook)
    y.sum().backward()
    return x.grad, other.grad


TENSOR_SCENARIOS = [
    hook_of_a_leaf,
    hook_of_an_intermediate,
    hooks_replace_in_order,
    hook_of_the_root,
    hook_and_captured_gradient,
    hook_twice_differentiable,
    removed_hooks_do_not_run,
    hook_before_a_change_in_place,
    hook_of_a_tensor_without_grad,
    hook_returns_a_number,
    hook_returns_other_sizes,
    hook_raises,
    hook_survives_new_data,
    backward_inside_a_hook,
]


@pytest.mark.parametrize("scenario", TENSOR_SCENARIOS, ids=lambda f: f.__name__)
def test_tensor_hooks(scenario):
    agree(scenario)


def test_errors_of_hooks_keep_their_text():
    x = ag.ones(1, requires_grad=True)
    handle = x.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        x.sum().backward()
    handle.remove()
    x.register_hook(lambda g: ag.ones(3))
    with pytest.raises(RuntimeError, match=r"changed the size of value.*\[1\].*\[3\]"):
        x.sum().backward()
    with pytest.raises(RuntimeError, match="doesn't require gradient"):
        ag.ones(1).register_hook(print)
    # An error that Python code raised is not seen by later calls.
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        ag.ones(2, 3) @ ag.ones(2, 3)


def test_hooks_go_when_their_tensors_go():
    class Callback:
        def __call__(self, grad):
            return None

    callback = Callback()
    gone = weakref.ref(callback)
    x = ag.ones(1, requires_grad=True)
    y = x * 2
    y.register_hook(callback)
    x.register_hook(callback)
    y.sum().backward()
    del x, y, callback
    gc.collect()
    assert gone() is None


def test_gradient_seen_by_a_hook_is_not_written_to():
    x = ag.ones(3, requires_grad=True)
    y = x * 2
    seen = []
    y.register_hook(seen.append)
    x.register_hook(seen.append)
    for _ in range(2):
        (y * 1).sum().backward(retain_graph=True)
    assert [g.tolist() for g in seen] == [[1, 1, 1], [2, 2, 2], [1, 1, 1], [2, 2, 2]]
    assert x.grad.tolist() == [4, 4, 4]


# ---- modules: forward ----------------------------------------------------------------------------


def make(nn):
    class Net(nn.Module):
        def forward(self, x, scale=1.0):
            return x * scale

    return Net()


def forward_hooks(lib, nn):
    net = make(nn)
    seen = []
    net.register_forward_pre_hook(lambda m, args: seen.append(("pre", args)))
    net.register_forward_hook(lambda m, args, out: seen.append(("post", args, out)))
    return net(lib.ones(2), scale=3.0), seen


def forward_hooks_replace(lib, nn):
    net = make(nn)
    net.register_forward_pre_hook(lambda m, args: args[0] + 1)
    net.register_forward_pre_hook(lambda m, args: (args[0] * 2, 5.0))
    net.register_forward_hook(lambda m, args, out: out + 100)
    return net(lib.ones(2))


def forward_hooks_with_kwargs(lib, nn):
    net = make(nn)
    net.register_forward_pre_hook(
        lambda m, args, kwargs: (args, {"scale": kwargs["scale"] * 2}), with_kwargs=True
    )
    seen = []
    net.register_forward_hook(
        lambda m, args, kwargs, out: seen.append((kwargs, out)), with_kwargs=True
    )
    return net(lib.ones(2), scale=3.0), seen


def forward_hooks_in_order(lib, nn):
    net = make(nn)
    seen = []
    net.register_forward_hook(lambda *_: seen.append(1))
    net.register_forward_hook(lambda *_: seen.append(2), prepend=True)
    handle = net.register_forward_hook(lambda *_: seen.append(3))
    net.register_forward_pre_hook(lambda *_: seen.append(4))
    net.register_forward_pre_hook(lambda *_: seen.append(5), prepend=True)
    net(lib.ones(1))
    handle.remove()
    net(lib.ones(1))
    return seen


def forward_pre_hook_with_a_bad_result(lib, nn):
    net = make(nn)
    net.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
    net(lib.ones(1))


def always_called_hook(lib, nn):
    class Broken(nn.Module):
        def forward(self, x):
            raise ValueError("broken")

    net = Broken()
    seen = []
    net.register_forward_hook(lambda *_: seen.append("always"), always_call=True)
    net.register_forward_hook(lambda *_: seen.append("never"))
    try:
        net(lib.ones(1))
    except ValueError as error:
        seen.append(str(error))
    return seen


def forward_is_called_directly(lib, nn):
    net = make(nn)
    seen = []
    net.register_forward_hook(lambda *_: seen.append(1))
    net.forward(lib.ones(1))
    net.forward = lambda x: x + 1
    return net(lib.ones(1)), seen


def hooks_of_all_modules(lib, nn):
    modules = nn if lib is ag else nn.modules.module
    seen = []
    model = nn.Sequential(nn.ReLU(), nn.Tanh())
    first = modules.register_module_forward_hook(lambda m, *_: seen.append(type(m).__name__))
    second = modules.register_module_forward_pre_hook(
        lambda m, *_: seen.append("pre " + type(m).__name__)
    )
    model(lib.ones(1))
    first.remove()
    second.remove()
    model(lib.ones(1))
    return seen


def hooks_of_a_deepcopy(lib, nn):
    net = make_relu(nn)
    net.register_forward_hook(double)
    return copy.deepcopy(net)(lib.ones(1)), pickle.loads(pickle.dumps(net))(lib.ones(1))


def make_relu(nn):
    return nn.ReLU()


def double(module, args, out):
    return out * 2


# ---- modules: backward ---------------------------------------------------------------------------


def backward_hooks(lib, nn):
    layer = nn.Linear(2, 1)
    with lib.no_grad():
        layer.weight.copy_(lib.tensor([[2.0, 3.0]]))
    seen = []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    x = lib.tensor([[1.0, 2.0]], requires_grad=True)
    (layer(x) * 5).sum().backward()
    return seen, x.grad, layer.weight.grad


def backward_hooks_replace(lib, nn):
    net = make(nn)
    net.register_full_backward_pre_hook(lambda m, go: (go[0] * 10,))
    net.register_full_backward_pre_hook(lambda m, go: go[0] + 1)
    net.register_full_backward_hook(lambda m, gi, go: (gi[0] + go[0],))
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    net(x, 3.0).sum().backward()
    return x.grad


def backward_hooks_of_several_values(lib, nn):
    class Pair(nn.Module):
        def forward(self, a, b, c):
            return a * b, c + 1, "text"

    net = Pair()
    seen = []
    net.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    a = lib.ones(2, requires_grad=True)
    b = lib.full((2,), 3.0)
    c = lib.ones(2, requires_grad=True)
    out = net(a, b, c)
    out[0].sum().backward()
    return seen, a.grad, c.grad


def backward_hook_with_a_wrong_number(lib, nn):
    net = make(nn)
    net.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    net(lib.ones(1, requires_grad=True)).sum().backward()


def backward_pre_hook_with_a_wrong_number(lib, nn):
    net = make(nn)
    net.register_full_backward_pre_hook(lambda m, go: (go[0], go[0]))
    net(lib.ones(1, requires_grad=True)).sum().backward()


def backward_hooks_in_a_second_backward(lib, nn):
    net = nn.Sequential(nn.Tanh())
    seen = []
    net.register_full_backward_hook(lambda m, gi, go: seen.append((gi[0].detach(), go[0].detach())))
    x = lib.tensor([0.5, 1.0], requires_grad=True)
    (first,) = lib.autograd.grad(net(x).sum(), x, create_graph=True)
    (second,) = lib.autograd.grad(first.sum(), x)
    return seen, first.detach(), second


def backward_hooks_without_grad(lib, nn):
    net = make(nn)
    net.register_full_backward_hook(lambda m, gi, go: 1 / 0)
    with lib.no_grad():
        return net(lib.ones(1, requires_grad=True))


def input_with_a_backward_hook_changed_in_place(lib, nn):
    net = nn.ReLU(inplace=True)
    net.register_full_backward_hook(lambda m, gi, go: None)
    x = lib.ones(2, requires_grad=True)
    return net(x * 2)


MODULE_SCENARIOS = [
    forward_hooks,
    forward_hooks_replace,
    forward_hooks_with_kwargs,
    forward_hooks_in_order,
    forward_pre_hook_with_a_bad_result,
    always_called_hook,
    forward_is_called_directly,
    hooks_of_all_modules,
    hooks_of_a_deepcopy,
    backward_hooks,
    backward_hooks_replace,
    backward_hooks_of_several_values,
    backward_hook_with_a_wrong_number,
    backward_pre_hook_with_a_wrong_number,
    backward_hooks_in_a_second_backward,
    backward_hooks_without_grad,
    input_with_a_backward_hook_changed_in_place,
]


@pytest.mark.parametrize("scenario", MODULE_SCENARIOS, ids=lambda f: f.__name__)
def test_module_hooks(scenario):
    agree(scenario)


def test_backward_hook_without_inputs_that_need_grad():
    layer = nn.Linear(1, 1)
    seen = []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].tolist())))
    with pytest.warns(UserWarning, match="no inputs require gradients"):
        layer(ag.ones(1, 1)).sum().backward()
    assert seen == [((None,), [[1.0]])]


@pytest.fixture
def no_hooks(monkeypatch):
    """Modules of other tests, which have hooks and are not freed yet, do not count."""
    gc.collect()
    calls = nn.module_hooks._Calls
    monkeypatch.setattr(calls, "hooked", {})
    calls.choose()


def test_calls_are_plain_again_when_the_last_hook_is_gone(no_hooks):
    plain = nn.Module.__call__
    net = make(nn)
    handles = [net.register_forward_hook(print), nn.ReLU().register_forward_pre_hook(print)]
    assert nn.Module.__call__ is not plain
    for handle in [*handles, *handles]:
        handle.remove()
    assert nn.Module.__call__ is plain
    assert nn.Module.__call__(net, ag.ones(1)).tolist() == [1]


def test_calls_are_plain_again_when_modules_with_hooks_are_gone(no_hooks):
    plain = nn.Module.__call__
    net = nn.Sequential(nn.ReLU())
    seen = []
    first = net[0].register_forward_hook(lambda *_: seen.append("forward"))
    net[0].register_forward_hook(lambda *_: seen.append("again"))
    copied, shared = copy.deepcopy(net), copy.copy(net[0])
    first.remove()
    del net
    gc.collect()
    shared(ag.ones(1))
    assert seen == ["again"]
    del shared
    gc.collect()
    copied(ag.ones(1))
    assert seen == ["again", "forward", "again"]
    del copied
    gc.collect()
    assert nn.Module.__call__ is plain
