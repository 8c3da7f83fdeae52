"""ag.graph.record: what a block executes, with names, modules, phases and lines; what stays as it is."""

import gc
import inspect
import json
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest
import torch

import autograd as ag

nn, F = ag.nn, ag.nn.functional


def two_layers():
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


class TakesMany(nn.Module):
    def forward(self, *args, a, b):
        return (*args, a + b)


def find(graph, op, **wanted):
    """The only operation of that name for which the given fields are these."""
    found = [
        node
        for node in graph.ops
        if node.op == op and all(getattr(node, k) == v for k, v in wanted.items())
    ]
    assert len(found) == 1, [node.op for node in graph.ops]
    return found[0]


def test_a_training_step_has_three_phases_and_real_names():
    model = two_layers()
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x, target = ag.randn(5, 3), ag.randn(5, 2)
    with ag.graph.record() as g:
        loss = F.mse_loss(model(x), target)
        loss.backward()
        optimizer.step()
    assert {node.phase for node in g.ops} == {"forward", "backward", "optimizer"}
    phases = [node.phase for node in g.ops]
    assert phases == sorted(phases, key=["forward", "backward", "optimizer"].index)
    kinds = {node.name: node.kind for node in g.nodes if not node.op}
    assert kinds["x"] == kinds["target"] == "input"
    for name, parameter in model.named_parameters():
        assert kinds[name] == "parameter"
        assert kinds[f"{name}.momentum_buffer"] == "buffer"
        assert any(node.name == f"{name}.grad" for node in g.ops)
        assert parameter.grad is not None
    assert sum(node.op == "sgd_step" for node in g.ops) == 4
    assert any(node.name == "loss" and node.phase == "forward" for node in g.ops)


def test_backward_operations_know_the_operation_they_belong_to():
    model = two_layers()
    with ag.graph.record() as g:
        model(ag.randn(5, 3)).sum().backward()
    by_key = {node.key: node for node in g.ops}
    gradient = find(g, "relu_backward")
    assert by_key[gradient.forward].op == "relu"
    assert gradient.module == by_key[gradient.forward].module == "1"
    of_layers = [n for n in g.ops if n.phase == "backward" and n.op == "mm"]
    assert {by_key[n.forward].module for n in of_layers} == {"0", "2"}


def test_operations_without_gradients_and_in_no_grad_are_recorded():
    x = ag.arange(6.0)
    with ag.graph.record() as g, ag.no_grad():
        y = x * 2 + 1
        positions = y.argmax()
    assert [node.op for node in g.ops] == ["mul", "add", "argmax"]
    assert not any(node.needs_grad for node in g.nodes)
    assert [node.number for node in g.nodes if node.kind == "constant"] == [2, 1]
    assert g.ops[-1].name == "positions" and positions.item() == 5


def test_modules_nest_as_they_are_called():
    model = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), 2
    )
    x = ag.randn(2, 3, 8)
    with ag.graph.record() as g:
        model(x)
    modules = {node.module for node in g.ops}
    assert {"layers.0.linear1", "layers.1.linear1", "layers.0.norm2"} <= modules
    assert find(g, "attention", module="layers.0.self_attn")
    types = {node.module: node.module_type for node in g.ops}
    assert types["layers.1.norm1"] == "LayerNorm"
    # The sums of the residuals belong to the layer, not to the module called before.
    assert [n.module for n in g.ops if n.op == "add"].count("layers.0") == 2


def test_each_call_of_a_module_is_a_scope():
    layer = nn.Linear(3, 3)
    x = ag.randn(2, 3)
    with ag.graph.record() as g:
        for _ in range(3):
            x = layer(x)
    scopes = json.loads(g.json())["scopes"]
    assert [scope["type"] for scope in scopes] == ["Linear"] * 3
    assert sum(node.name == "weight" for node in g.nodes) == 1


def test_modules_with_hooks_and_exceptions():
    model = two_layers()
    seen = []
    handle = model[0].register_forward_hook(lambda module, args, out: seen.append(module))

    def fail(module, args):
        raise KeyError("stop")

    with ag.graph.record() as g:
        model(ag.randn(1, 3))
        failing = model[1].register_forward_pre_hook(fail)
        with pytest.raises(KeyError):
            model(ag.randn(1, 3))
        failing.remove()
        ag.ones(2) + 1
    handle.remove()
    assert len(seen) == 2
    assert [n.module for n in g.ops if n.op == "linear"] == ["0", "2", "0"]
    assert find(g, "add").module == ""
    with ag.graph.record() as g, pytest.raises(RuntimeError):
        model(ag.randn(1, 7))
    with ag.graph.record() as g:
        ag.ones(2) + 1
        model(x := ag.randn(1, 3))
    assert [n.module for n in g.ops] == ["", "", "0", "1", "2"][-len(g.ops) :] or x is None


@pytest.fixture
def no_hooks(monkeypatch):
    """Modules of other tests, which have hooks and are not freed yet, do not count."""
    gc.collect()
    calls = ag.nn.module_hooks._Calls
    monkeypatch.setattr(calls, "hooked", {})
    calls.choose()


def test_calling_a_module_is_as_before_and_after(no_hooks):
    model = two_layers()
    call = nn.Module.__dict__["__call__"]
    plain, x, many = call.fget, ag.randn(1, 3), TakesMany()
    assert inspect.signature(model).parameters and model.__call__ == model.forward
    with ag.graph.record() as g:
        assert nn.Module.__dict__["__call__"] is call and call.fget is plain
        assert model.__call__ != model.forward
        assert inspect.signature(model).parameters
        with pytest.raises(TypeError):
            model()
        with pytest.raises(TypeError):
            nn.Module.__call__()
        assert model(input=x).shape == (1, 2)
        assert nn.Module.__call__(model, x).shape == (1, 2)
        assert many(x, *range(12), a=1, b=2) == (x, *range(12), 3)
        assert many(x, a=1, b=2) == (x, 3)
        later = model.__call__
        other = threading.Thread(target=later, args=(x,))
        other.start()
        other.join()
        assert later(x).shape == (1, 2)
        model[1].forward = lambda x: x.exp()
        model(x)
        del model[1].forward
    assert [n.module for n in g.ops] == ["0", "1", "2"] * 4
    assert [n.op for n in g.ops if n.module == "1"][-1] == "exp"
    assert nn.Module.__dict__["__call__"] is call and call.fget is plain
    assert model.__call__ == model.forward
    assert later(x).shape == (1, 2)


def test_calls_with_many_tensors_and_of_many_dims():
    parts = [ag.full((1, 3), float(i)) for i in range(5000)]
    x = ag.randn(2, 3, 1, 4, 5, requires_grad=True)
    with ag.graph.record() as g:
        for _ in range(3):
            ag.cat(parts).sum()
        y = x.permute(4, 0, 2, 1, 3).unsqueeze(0)
        for _ in range(1500):  # more than one block of the log
            y = y + 1
        y.transpose(1, -1)
    cats = [n for n in g.ops if n.op == "cat"]
    assert [len(set(n.inputs)) for n in cats] == [5000] * 3
    assert all(n.shape == (5000, 3) for n in cats)
    assert sum(n.op == "add" for n in g.ops) == 1500
    shapes = [n.shape for n in g.ops if n.op not in ("cat", "sum")]
    assert shapes[0] == (5, 2, 1, 3, 4)
    assert set(shapes[1:-1]) == {(1, 5, 2, 1, 3, 4)} and shapes[-1] == (1, 4, 2, 1, 3, 5)


def test_a_module_is_freed_after_the_recording_that_called_it():
    modules = [nn.Linear(2, 2) for _ in range(300)]
    x = ag.randn(1, 2)
    freed = [weakref.ref(module) for module in modules]
    with ag.graph.record() as g:
        for module in modules:
            module(x)
            module(x)
    assert len(g.ops) == 600
    del modules, module
    gc.collect()
    assert not any(ref() for ref in freed)


def test_lines_of_the_program():
    x = ag.ones(2, requires_grad=True)
    with ag.graph.record() as g:
        y = x.exp()
        y.sum().backward()
    line = find(g, "exp").line
    assert find(g, "exp").file == __file__
    assert find(g, "sum").line == line + 1
    assert {n.line for n in g.ops if n.phase == "backward"} <= {line, line + 1}
    assert find(ag.graph.from_tensor(y.sum()), "exp").line == line


def test_changes_in_place_are_new_values_of_the_same_memory():
    x = ag.zeros(4)
    with ag.graph.record() as g:
        first = x[:2]
        x.add_(1)
        z = first * 2
    change = find(g, "add")
    assert change.in_place
    view = find(g, "slice")
    assert view.storage == change.storage
    # `first` sees the change through another name: an edge of order says so.
    order = [edge for edge in g.edges if edge.order]
    assert [(e.source, e.target) for e in order] == [(change.key, find(g, "mul").key)]
    assert z.tolist() == [2, 2]
    assert {n.name: n.kind for n in g.nodes if not n.op}["x"] == "buffer"


def test_views_and_saved_values_are_drawn_once_with_their_memory():
    x = ag.randn(4, 4, requires_grad=True)
    with ag.graph.record() as g:
        y = x.sigmoid()
        y.t().detach().t().sum()
        y.sum().backward()
    leaves = [node for node in g.nodes if not node.op]
    assert [node.name for node in leaves] == ["x"] + [""] * (len(leaves) - 1)
    assert all(node.kind == "constant" for node in leaves[1:])
    sigmoid = find(g, "sigmoid")
    assert sigmoid.saved == (sigmoid.key,)
    backward = find(g, "sigmoid_backward")
    assert sigmoid.key in backward.inputs
    assert all(n.storage == sigmoid.storage for n in g.ops if n.op == "permute")


def test_updates_written_by_hand_are_the_optimizer():
    w = ag.randn(3, requires_grad=True)
    with ag.graph.record() as g:
        (w * w).sum().backward()
        with ag.no_grad():
            w -= 0.1 * w.grad
    last = g.ops[-2:]
    assert [(n.op, n.phase) for n in last] == [("mul", "optimizer"), ("sub", "optimizer")]


def test_double_backward_is_recorded():
    x = ag.randn(3, requires_grad=True)
    with ag.graph.record() as g:
        (first,) = ag.autograd.grad((x**3).sum(), x, create_graph=True)
        (second,) = ag.autograd.grad(first.sum(), x)
    named = {node.name for node in g.ops}
    assert {"first", "second"} <= named
    assert [n.phase for n in g.ops].count("backward") >= 4


def test_recording_changes_no_number():
    def train(recorded):
        ag.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 1))
        optimizer = ag.optim.Adam(model.parameters())
        x = ag.randn(6, 3)
        for _ in range(3):
            loss = model(x).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return [p.tolist() for p in model.parameters()]

    before = train(False)
    with ag.graph.record():
        during = train(True)
    with ag.graph.record(profile=True):
        assert train(True) == before
    assert during == before


def test_the_same_block_gives_the_same_text_in_another_process(tmp_path):
    script = tmp_path / "block.py"
    script.write_text(
        "import sys, autograd as ag\n"
        "junk = [ag.randn(i % 7 + 1) for i in range(int(sys.argv[1]))]\n"
        "model = ag.nn.Sequential(ag.nn.Linear(3, 4), ag.nn.Tanh(), ag.nn.Linear(4, 1))\n"
        "optimizer = ag.optim.Adam(model.parameters())\n"
        "x = ag.ones(2, 3)\n"
        "with ag.graph.record() as g:\n"
        "    loss = model(x).sum()\n"
        "    loss.backward()\n"
        "    optimizer.step()\n"
        "print(g.dot()); print(g.text()); print(g.json())\n"
    )
    place = str(Path(ag.__file__).resolve().parent.parent)
    texts = {
        subprocess.run(
            [sys.executable, str(script), n],
            capture_output=True,
            check=True,
            env={"PYTHONPATH": place, "PYTHONHASHSEED": n},
        ).stdout
        for n in ("0", "1000")
    }
    assert len(texts) == 1


def test_a_recording_belongs_to_its_thread():
    x = ag.ones(2)
    model = two_layers()
    with ag.graph.record() as g:
        worker = threading.Thread(target=lambda: model(ag.ones(1, 3)))
        worker.start()
        worker.join()
        x * 2
    assert [node.op for node in g.ops] == ["mul"]


def test_a_recording_ends_with_its_thread():
    """One that nobody has ended keeps nothing of what it has seen."""
    model = two_layers()
    gone = weakref.ref(model)
    left = []

    def leave_open(model, recording):
        recording.__enter__()
        model(ag.ones(1, 3))
        left.append(recording)

    for _ in range(2):
        worker = threading.Thread(target=leave_open, args=(model, ag.graph.record(model)))
        worker.start()
        worker.join()
        model(ag.ones(1, 3))
        del worker
    with pytest.raises(RuntimeError, match="thread"):
        left[0].__exit__(None, None, None)
    left.clear()
    del model
    gc.collect()
    assert gone() is None


def test_a_recording_that_nobody_holds_is_over():
    model, x = two_layers(), ag.ones(1, 3)
    gone = weakref.ref(model)
    ag.graph.record().__enter__()
    with ag.graph.record() as g:
        # Of two, the inner one is given up in another thread while the outer one goes on.
        inner = ag.graph.record()
        inner.__enter__()
        model(x)
        owned = [inner]
        del inner
        worker = threading.Thread(target=owned.clear)
        worker.start()
        worker.join()
        model(x)
    assert [n.module for n in g.ops] == ["0", "1", "2"] * 2
    del model
    gc.collect()
    assert gone() is None


def test_recordings_nest():
    x = ag.ones(2)
    with ag.graph.record() as outer:
        x * 2
        with ag.graph.record() as inner:
            x + 1
        x - 1
    assert [node.op for node in inner.ops] == ["add"]
    assert [node.op for node in outer.ops] == ["mul", "add", "sub"]


def test_misuse_says_what_is_wrong():
    recording = ag.graph.record()
    with recording as g:
        with pytest.raises(RuntimeError, match="still being recorded"):
            g.dot()
        assert "still being recorded" in repr(g)
    assert g.ops == [] and g.edges == [] and str(g).startswith("0 ops, 0 parameters")
    with pytest.raises(RuntimeError, match="can be used once"):
        recording.__enter__()
    for ended in (recording, ag.graph.record()):
        with pytest.raises(RuntimeError, match="has not begun, or has ended"):
            ended.__exit__(None, None, None)
    with pytest.raises(TypeError, match="must be a Module or a dict"):
        ag.graph.record(3)
    with pytest.raises(TypeError, match="names 'w'"):
        ag.graph.record({"w": 1.0})
    errors = []
    other = ag.graph.record()

    def end():
        try:
            other.__exit__(None, None, None)
        except RuntimeError as error:
            errors.append(str(error))

    other.__enter__()
    worker = threading.Thread(target=end)
    worker.start()
    worker.join()
    assert "in the thread in which it began" in errors[0]
    other = None
    gc.collect()
    ag.ones(2) + 1


def test_an_exception_in_the_block_leaves_what_was_recorded():
    with pytest.raises(ZeroDivisionError), ag.graph.record() as g:
        ag.ones(2) + 1
        1 / 0  # noqa: B018
    assert [node.op for node in g.ops] == ["add"]


def test_names_of_any_kind_are_escaped():
    name = 'a"b\\<script>&\n\u00e4\U0001f600\0'
    w = ag.ones(2, requires_grad=True)
    with ag.graph.record({name: w}) as g:
        w * 2
    assert json.loads(g.json())["values"][0]["name"] == name.replace("\0", " ")
    assert "<script>" not in g.dot() + g.svg() + g.json()
    assert len(str(g).splitlines()) == len(g.ops) + 4
    assert "\n" not in repr(g)


def test_cyclic_modules_are_recorded():
    class Cycle(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(2, 2)
            self.me = [self]
            self.inner.outer = self

        def forward(self, x, depth=0):
            x = self.inner(x)
            return self(x, depth + 1) if depth < 3 else x

    model = Cycle()
    with ag.graph.record() as g:
        model(ag.ones(1, 2))
    assert len(g.ops) == 4
    assert {node.name for node in g.nodes if node.kind == "parameter"} == {
        "inner.weight",
        "inner.bias",
    }
    g.svg()
    print(g.summary())


def test_graph_outlives_model_and_memory_returns():
    gc.collect()
    before = ag.memory_allocated() if hasattr(ag, "memory_allocated") else 0
    model = two_layers()
    with ag.graph.record() as g:
        model(ag.ones(1, 3)).sum().backward()
    del model
    gc.collect()
    if before:
        assert ag.memory_allocated() == before
    assert "0.weight" in g.dot()


def test_a_tensor_that_looks_otherwise_than_before_is_described_anew():
    x, y = ag.rand(2, 3), ag.rand(2, 3)
    with ag.graph.record() as g:
        x.exp()
        x.exp()
        x.data = x.data.view(3, 2)  # the same memory
        x.exp()
        y.sin()
        y.requires_grad_()
        y.sin()
        for _ in range(300):  # more than are remembered
            x = x.relu()
        y.sin()
    read = {node.key: [] for node in g.nodes}
    for edge in g.edges:
        read[edge.target].append(edge.shape)
    assert [read[op.key] for op in g.ops if op.op == "exp"] == [[(2, 3)], [(2, 3)], [(3, 2)]]
    assert [read[op.key] for op in g.ops if op.op == "sin"] == [[(2, 3)]] * 3
    assert len([op for op in g.ops if op.op == "relu"]) == 300


def test_several_models_are_told_apart_by_the_variables_that_hold_them():
    first, second, x = two_layers(), two_layers(), ag.ones(2, 3)
    pair = [two_layers(), two_layers()]
    with ag.graph.record() as g:
        y = first(x) + second(x)
    assert {"first.0.weight", "second.0.weight", "second.2.bias"} <= {n.name for n in g.nodes}
    assert "first: Sequential" in g.dot() and "second: Sequential" in g.dot()
    with ag.graph.record() as g:
        y = pair[0](x) + pair[1](x)
    assert {"Sequential.0.weight", "Sequential_2.0.weight"} <= {n.name for n in g.nodes}
    del y


def test_variables_that_hold_modules_of_other_packages():
    theirs = torch.nn.Linear(2, 2)
    with ag.graph.record() as graph:
        ag.ones(2).exp()
    assert "exp" in [op.op for op in graph.ops]
    assert theirs is not None


class Around(nn.Module):
    """Records its own body, while somebody may record it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
        self.last = nn.Linear(3, 1)
        self.recorded = []

    def forward(self, x):
        with ag.graph.record() as g:
            y = self.body(x) * 2
        self.recorded.append(g)
        return self.last(y)


@pytest.mark.parametrize("hooked", [False, True])
def test_a_recording_in_another_one_has_what_ran_in_it_and_the_outer_one_has_all(hooked):
    around, x = Around(), ag.ones(2, 3)
    if hooked:
        handle = around.last.register_forward_hook(lambda *_: None)
    with ag.graph.record() as outer:
        around(x) * 3
    if hooked:
        handle.remove()

    def seen(g):
        return [(node.op, node.module, node.module_type) for node in g.ops]

    # The module that was entered before the inner one opened is none of its own.
    assert seen(around.recorded[0]) == [
        ("linear", "0", "Linear"),
        ("relu", "1", "ReLU"),
        ("mul", "", ""),
    ]
    assert seen(outer) == [
        ("linear", "body.0", "Linear"),
        ("relu", "body.1", "ReLU"),
        ("mul", "", "Around"),
        ("linear", "last", "Linear"),
        ("mul", "", ""),
    ]


def test_recordings_that_end_in_another_order_see_their_modules():
    model, x = nn.Sequential(nn.Linear(3, 3), nn.ReLU()), ag.ones(2, 3)
    first, second = ag.graph.record(), ag.graph.record()
    a, b = first.__enter__(), second.__enter__()
    model(x)
    first.__exit__(None, None, None)
    model(x)
    second.__exit__(None, None, None)
    assert [node.module for node in a.ops] == ["0", "1"]
    assert [node.module for node in b.ops] == ["0", "1"] * 2
    with ag.graph.record() as after:
        model(x)
    assert [node.module for node in after.ops] == ["0", "1"]
