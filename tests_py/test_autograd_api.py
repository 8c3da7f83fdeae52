"""backward, grad, the grad modes, gradcheck; and the faults of earlier systems, one test each."""

import gc
import threading
import weakref

import pytest
import torch

import autograd as ag
from autograd.nn import functional as F

# ---- backward ------------------------------------------------------------------------------------


def test_backward_accumulates_into_leaves():
    x = ag.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    assert x.grad.tolist() == [2, 4]
    (x * 3).sum().backward()
    assert x.grad.tolist() == [5, 7]


def test_backward_takes_a_gradient():
    x = ag.tensor([1.0, 2.0], requires_grad=True)
    (x * 2).backward(ag.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [2, 20]
    with pytest.raises(
        RuntimeError, match="grad can be implicitly created only for scalar outputs"
    ):
        (x * 2).backward()
    with pytest.raises(RuntimeError):
        (x * 2).backward(ag.ones(3))
    with pytest.raises((TypeError, RuntimeError)):
        (x * 2).backward("a")


def test_backward_of_several_tensors():
    x = ag.tensor([1.0, 2.0], requires_grad=True)
    a, b = (x * 2).sum(), x * 3
    ag.backward([a, b], [None, ag.tensor([1.0, 2.0])])
    assert x.grad.tolist() == [5, 8]
    ag.autograd.backward((x * x).sum())
    assert x.grad.tolist() == [7, 12]
    with pytest.raises(RuntimeError, match="2 tensors and 1 gradients"):
        ag.backward([x.sum(), x.sum()], [None])
    with pytest.raises(TypeError, match="must be Tensor or tuple of Tensors, not int"):
        ag.backward(3)
    with pytest.raises(TypeError, match="expected Tensor as element 0"):
        ag.backward([3])


def test_backward_into_chosen_inputs():
    x = ag.ones(2, requires_grad=True)
    w = ag.ones(2, requires_grad=True)
    (x * w).sum().backward(inputs=[w])
    assert w.grad.tolist() == [1, 1]
    assert x.grad is None
    (x * w).sum().backward(inputs=x)
    assert x.grad.tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="cannot be empty"):
        (x * w).sum().backward(inputs=[])


def test_backward_without_history_is_refused():
    with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn"):
        ag.ones(1).backward()
    with ag.no_grad():
        y = ag.ones(1, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="does not require grad"):
        y.backward()


def test_second_backward_needs_retain_graph():
    x = ag.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4, 4]
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        y.backward()
    assert x.grad.tolist() == [4, 4]


def test_gradient_of_a_non_leaf_is_kept_on_request():
    x = ag.ones(2, requires_grad=True)
    y, z = x * 2, x * 3
    y.retain_grad()
    assert y.retains_grad
    (y * z).sum().backward()
    assert y.grad.tolist() == [3, 3]
    assert z.grad is None


def test_grad_attribute():
    x = ag.ones(2, requires_grad=True)
    assert x.grad is None
    (x * 2).sum().backward()
    assert x.grad is x.grad
    held = x.grad
    assert x.grad is held
    x.grad = ag.tensor([5.0, 6.0])
    assert x.grad.tolist() == [5, 6]
    assert held.tolist() == [2, 2]
    x.grad = None
    assert x.grad is None
    x.sum().backward()
    del x.grad
    assert x.grad is None
    with pytest.raises(TypeError, match="expected to be a Tensor or None"):
        x.grad = 3
    with pytest.raises(RuntimeError):
        x.grad = ag.ones(3)


def test_requires_grad_follows_torchs_rules():
    x = ag.ones(2)
    assert x.requires_grad_() is x
    assert x.is_leaf
    y = x * 2
    assert y.requires_grad
    assert not y.is_leaf
    assert not y.detach().requires_grad
    x.requires_grad = False
    assert not (x * 2).requires_grad
    with pytest.raises(RuntimeError, match="leaf"):
        y.requires_grad = False
    with pytest.raises(RuntimeError, match="floating point"):
        ag.ones(2, dtype=ag.int64).requires_grad_()
    with pytest.raises(RuntimeError, match="floating point"):
        ag.ones(2, dtype=ag.int64, requires_grad=True)


# ---- grad ----------------------------------------------------------------------------------------


def test_grad_returns_and_accumulates_nothing():
    x = ag.tensor([1.0, 2.0], requires_grad=True)
    w = ag.tensor(3.0, requires_grad=True)
    gx, gw = ag.grad((x * w).sum(), (x, w))
    assert (gx.tolist(), gw.item()) == ([3, 3], 3)
    assert x.grad is None
    assert ag.autograd.grad((x * x).sum(), x)[0].tolist() == [2, 4]
    assert ag.grad(x * 2, x, ag.tensor([1.0, 2.0]))[0].tolist() == [2, 4]
    assert ag.grad([x * 2, x * 3], [x], [ag.ones(2), ag.ones(2)])[0].tolist() == [5, 5]


def test_grad_to_higher_orders():
    x = ag.tensor(2.0, requires_grad=True, dtype=ag.float64)
    y, expected = x**5, [80.0, 160.0, 240.0, 240.0, 120.0]
    for value in expected:
        (y,) = ag.grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(value)
    x.grad = None
    (x * x * x).backward(create_graph=True)
    (second,) = ag.grad(x.grad, x)
    assert second.item() == 12


def test_grad_of_an_unused_input():
    x, w = ag.ones(2, requires_grad=True), ag.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        ag.grad(x.sum(), [x, w])
    assert ag.grad(x.sum(), [x, w], allow_unused=True)[1] is None
    assert ag.grad(x.sum(), [x, w], materialize_grads=True)[1].tolist() == [0, 0]
    with pytest.raises(ValueError, match="allow_unused"):
        ag.grad(x.sum(), [x, w], allow_unused=False, materialize_grads=True)


def test_grad_refuses_wrong_arguments():
    x = ag.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="only for scalar outputs"):
        ag.grad(x * 2, x)
    with pytest.raises(RuntimeError, match="does not require grad|not require"):
        ag.grad((x * 2).sum(), ag.ones(2))
    with pytest.raises(TypeError):
        ag.grad(x.sum(), "ab")
    with pytest.raises(TypeError):
        ag.grad(x.sum(), 3)


# ---- modes ---------------------------------------------------------------------------------------


def test_modes_as_context():
    x = ag.ones(2, requires_grad=True)
    assert ag.is_grad_enabled()
    with ag.no_grad():
        assert not ag.is_grad_enabled()
        assert not (x * 2).requires_grad
        with ag.enable_grad():
            assert (x * 2).requires_grad
        assert not ag.is_grad_enabled()
    assert (x * 2).requires_grad
    with pytest.raises(ZeroDivisionError), ag.no_grad():
        1 / 0  # noqa: B018
    assert ag.is_grad_enabled()
    mode = ag.no_grad()
    with mode, mode:
        pass
    assert ag.is_grad_enabled()


def test_set_grad_enabled_acts_at_once():
    try:
        ag.set_grad_enabled(False)
        assert not ag.is_grad_enabled()
        with ag.set_grad_enabled(True):
            assert ag.is_grad_enabled()
        assert not ag.is_grad_enabled()
    finally:
        ag.set_grad_enabled(True)
    with ag.set_grad_enabled(False):
        assert not ag.is_grad_enabled()
    assert ag.is_grad_enabled()

    @ag.set_grad_enabled(False)
    def inside():
        return ag.is_grad_enabled()

    assert ag.is_grad_enabled()
    assert not inside()


@pytest.mark.parametrize("decorate", [ag.no_grad(), ag.no_grad])
def test_modes_as_decorator(decorate):
    @decorate
    def function(a, b=2):
        """Its doc."""
        return a + b, ag.is_grad_enabled()

    assert function(1) == (3, False)
    assert function.__name__ == "function"
    assert function.__doc__ == "Its doc."
    assert ag.is_grad_enabled()


def test_modes_as_decorator_of_a_generator():
    @ag.no_grad()
    def generate():
        received = []
        try:
            for _ in range(3):
                assert not ag.is_grad_enabled()
                try:
                    received.append((yield ag.is_grad_enabled()))
                except KeyError:
                    received.append("error")
        finally:
            received.append(ag.is_grad_enabled())
        return received

    generator = generate()
    assert next(generator) is False
    assert ag.is_grad_enabled()
    assert generator.send("a") is False
    assert generator.throw(KeyError()) is False
    assert ag.is_grad_enabled()
    with pytest.raises(StopIteration) as stop:
        generator.send("b")
    assert stop.value.value == ["a", "error", "b", False]
    stopped = generate()
    next(stopped)
    stopped.close()
    assert ag.is_grad_enabled()


def test_modes_belong_to_the_thread():
    seen = []
    with ag.no_grad():
        thread = threading.Thread(target=lambda: seen.append(ag.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


# ---- in place ------------------------------------------------------------------------------------


def test_in_place_on_a_leaf_is_refused_and_changes_nothing():
    x = ag.ones(2, requires_grad=True)
    for change in (
        lambda: x.add_(1),
        lambda: x.zero_(),
        lambda: x.__iadd__(1),
        lambda: x.__setitem__(0, 5),
        lambda: x.fill_(3),
        lambda: x.exp_(),
    ):
        with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
            change()
    assert x.tolist() == [1, 1]
    with ag.no_grad():
        x.add_(1)
    assert x.tolist() == [2, 2]


def test_in_place_on_a_saved_tensor_is_noticed():
    x = ag.ones(2, requires_grad=True)
    y = x * 2
    z = (y * y).sum()
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()


def test_in_place_takes_part_in_the_gradient():
    x = ag.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 2
    y.mul_(3)
    y += x
    y[0] = 10.0
    y[1:] *= x[:2]
    y.sum().backward()
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    b = a * 2
    b.mul_(3)
    b += a
    b[0] = 10.0
    b[1:] *= a[:2]
    b.sum().backward()
    assert x.grad.tolist() == a.grad.tolist()


# ---- gradcheck -----------------------------------------------------------------------------------


def leaf(*shape):
    return ag.randn(*shape, dtype=ag.float64, requires_grad=True)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_gradcheck_accepts_right_gradients(fast_mode):
    x, w = leaf(2, 3), leaf(3, 2)
    assert ag.autograd.gradcheck(lambda a, b: (a @ b).tanh(), (x, w), fast_mode=fast_mode)
    assert ag.autograd.gradcheck(lambda a: (a.exp(), a.sum(0)), x, fast_mode=fast_mode)
    assert ag.autograd.gradgradcheck(lambda a, b: (a @ b).sigmoid(), (x, w), fast_mode=fast_mode)
    assert x.grad is None
    assert ag.is_grad_enabled()


@pytest.mark.parametrize("fast_mode", [False, True])
def test_gradcheck_finds_wrong_gradients(fast_mode):
    x = leaf(3)

    def wrong(a):
        return a * a.detach()

    with pytest.raises(ag.autograd.GradcheckError, match="Jacobian mismatch"):
        ag.autograd.gradcheck(wrong, x, fast_mode=fast_mode)
    assert not ag.autograd.gradcheck(wrong, x, raise_exception=False, fast_mode=fast_mode)

    def wrong_second(a):
        return a.detach() * a.detach() * a

    assert not ag.autograd.gradgradcheck(
        wrong_second, x, raise_exception=False, fast_mode=fast_mode
    )


def test_gradcheck_refuses_unfit_inputs():
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        ag.autograd.gradcheck(lambda a: a, ag.ones(2, dtype=ag.float64))
    with pytest.warns(UserWarning, match="not a double precision floating point"):
        ag.autograd.gradcheck(lambda a: a, ag.ones(2, requires_grad=True), raise_exception=False)


# ---- faults of earlier systems -------------------------------------------------------------------


def test_chained_residuals_visit_each_node_once():
    x = ag.tensor(0.5, requires_grad=True, dtype=ag.float64)
    y = x
    for _ in range(40):
        y = y + y.tanh()
    y.backward()
    a = torch.tensor(0.5, requires_grad=True, dtype=torch.float64)
    b = a
    for _ in range(40):
        b = b + b.tanh()
    b.backward()
    assert x.grad.item() == pytest.approx(a.grad.item(), rel=1e-12)


def test_very_deep_chain_needs_no_deep_stack():
    x = ag.ones(1, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1
    y = x
    for _ in range(100_000):
        y = y * 1.0
    del y
    gc.collect()


def test_held_gradients_and_outputs_survive_the_next_step():
    model = ag.nn.Sequential(ag.nn.Linear(3, 4), ag.nn.Sigmoid(), ag.nn.Linear(4, 2))
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    held = []
    for _ in range(5):
        out = model(ag.randn(6, 3))
        loss = (out * out).mean()
        optimizer.zero_grad()
        loss.backward()
        gradients = [p.grad for p in model.parameters()]
        held.append([(t, t.tolist()) for t in (out, loss, *gradients)])
        optimizer.step()
    for step in held:
        for tensor, before in step:
            assert tensor.tolist() == before


def test_backward_does_not_write_into_the_callers_gradient():
    x = ag.ones(3, requires_grad=True)
    gradient = ag.tensor([1.0, 2.0, 3.0])
    (x + 0).backward(gradient)
    x.sum().backward()
    (x * 2).backward(gradient)
    assert gradient.tolist() == [1, 2, 3]
    assert x.grad.tolist() == [4, 7, 10]
    y = ag.ones(3, requires_grad=True)
    y.backward(gradient)
    y.backward(gradient)
    assert gradient.tolist() == [1, 2, 3]
    assert y.grad.tolist() == [2, 4, 6]


def test_gradients_of_two_leaves_do_not_share_memory():
    a, b = ag.ones(2, requires_grad=True), ag.ones(2, requires_grad=True)
    (a + b).sum().backward()
    with ag.no_grad():
        a.grad.add_(5)
    assert b.grad.tolist() == [1, 1]


def test_loss_of_extreme_logits_is_no_nan():
    logits = ag.tensor([[0.0, 200.0]], requires_grad=True)
    loss = F.cross_entropy(logits, ag.tensor([[0.0, 1.0]]))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.tolist() == [[0, 0]]


def test_negative_dims_count_from_the_end():
    x = ag.arange(24.0).reshape(2, 3, 4)
    for dim in (-1, -2, -3):
        positive = dim + 3
        assert ag.equal(x.sum(dim), x.sum(positive))
        assert ag.equal(x.softmax(dim), x.softmax(positive))
        assert ag.equal(x.transpose(dim, 0), x.transpose(positive, 0))
        assert ag.equal(ag.cat([x, x], dim), ag.cat([x, x], positive))


def test_nothing_is_recorded_where_nothing_requires_grad():
    x = ag.ones(2)
    y = (x * 2).sigmoid() + x
    assert not y.requires_grad
    assert y.is_leaf
    assert y.grad_fn is None
    assert not ag.nn.Linear(2, 2).requires_grad_(False)(x).requires_grad


def test_graph_does_not_outlive_its_result():
    def build():
        x = ag.ones(100, requires_grad=True)
        return (x * 2).exp().sum()

    build()
    before = ag.memory_allocated()
    held = build()
    assert ag.memory_allocated() > before
    del held
    assert ag.memory_allocated() == before


def test_wrappers_of_intermediate_results_are_freed():
    x = ag.ones(2, requires_grad=True)
    y = x * 2
    watch = weakref.ref(y)
    z = y * y
    del y
    assert watch() is None
    z.sum().backward()
    assert x.grad.tolist() == [8, 8]


# ---- the graph -----------------------------------------------------------------------------------


def test_graph_of_a_loss_names_the_parameters(tmp_path):
    model = ag.nn.Sequential(ag.nn.Linear(3, 2), ag.nn.ReLU())
    loss = model(ag.ones(4, 3)).sum()
    graph = ag.graph.from_tensor(loss, model)
    dot = graph.dot()
    assert dot.startswith("digraph")
    assert "0.weight" in dot
    assert "0.bias" in dot
    assert "relu" in dot
    assert dot == ag.graph.from_tensor(loss, model).dot()
    assert graph.num_ops >= 3
    assert graph.num_values > graph.num_ops
    assert len(str(graph).splitlines()) >= graph.num_ops
    assert "Graph with" in repr(graph)
    graph.save(tmp_path / "g.dot")
    assert (tmp_path / "g.dot").read_text() == dot
    named = ag.graph.from_tensor(loss, {"W": model[0].weight})
    assert "W" in named.dot()
    with pytest.raises(ValueError, match="unknown suffix"):
        graph.save(tmp_path / "g.xyz")
    with pytest.raises(TypeError, match="must be a Module or a dict"):
        ag.graph.from_tensor(loss, 3)
    with pytest.raises(TypeError, match="must be Tensor, not int"):
        ag.graph.from_tensor(3)
