"""What graphs say of costs, and how they are compared: flops, bytes, live memory, times, tables, diffs, goldens."""

import json
import time

import pytest

import autograd as ag

nn, F = ag.nn, ag.nn.functional

pytestmark = pytest.mark.alone


def one_op(run):
    with ag.graph.record() as g:
        run()
    return [node for node in g.ops if node.kind != "view"][-1]


def test_flops_of_products_are_the_known_formulas():
    a, b = ag.randn(3, 5), ag.randn(5, 7)
    assert one_op(lambda: a @ b).flops == 2 * 3 * 5 * 7
    assert one_op(lambda: ag.randn(4, 3, 5) @ ag.randn(4, 5, 7)).flops == 2 * 4 * 3 * 5 * 7
    assert one_op(lambda: F.linear(a, ag.randn(7, 5), ag.randn(7))).flops == 2 * 3 * 5 * 7 + 3 * 7
    assert one_op(lambda: ag.dot(ag.randn(9), ag.randn(9))).flops == 18
    image, weight = ag.randn(2, 4, 9, 9), ag.randn(6, 2, 3, 3)
    conv = one_op(lambda: F.conv2d(image, weight, ag.randn(6), padding=1, groups=2))
    assert conv.flops == 2 * (2 * 6 * 9 * 9) * (2 * 3 * 3) + 2 * 6 * 9 * 9


def test_flops_of_products_equal_torch_counts():
    """PyTorch counts products, forward and backward, with the same convention."""
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    def run(lib):
        x = lib.ones(2, 4, 8, 8, requires_grad=True)
        w = lib.ones(6, 4, 3, 3, requires_grad=True)
        m = lib.ones(384, 5, requires_grad=True)
        y = lib.nn.functional.conv2d(x, w, padding=1)
        (y.reshape(2, 384) @ m).sum().backward()

    with FlopCounterMode(display=False) as counter:
        run(torch)
    with ag.graph.record() as g:
        run(ag)
    assert sum(n.flops for n in g.ops if n.kind == "product") == counter.get_total_flops()


def test_attention_and_recurrence_count_their_products():
    q = ag.randn(2, 6, 8)
    attention = one_op(lambda: F.scaled_dot_product_attention(q, q, q))
    assert attention.flops == 2 * 6 * 6 * (4 * 8 + 5)
    with ag.graph.record() as g:
        nn.LSTM(3, 4)(ag.randn(7, 2, 3))
    layer = next(n for n in g.ops if n.op == "lstm_layer")
    assert layer.flops == 7 * 2 * 16 * (2 * 4 + 5)


def test_views_cost_nothing_and_bytes_are_those_of_the_tensors():
    x, y = ag.randn(4, 8), ag.randn(8)
    with ag.graph.record() as g:
        z = x.t() + y.reshape(8, 1)
        z.sum()
    view, reshape, add, total = g.ops
    assert view.cost.bytes == reshape.cost.bytes == view.flops == 0
    assert (add.flops, add.bytes_read, add.bytes_written) == (32, 4 * 40, 4 * 32)
    assert (total.bytes_read, total.bytes_written) == (128, 4)
    assert g.cost.flops == 64
    assert g.cost.bytes == sum(n.cost.bytes for n in g.ops)


def test_a_value_read_twice_or_expanded_is_counted_once():
    x = ag.randn(6)
    assert one_op(lambda: x * x).bytes_read == 24
    wide = x.expand(10, 6)
    assert one_op(lambda: wide + 1).bytes_read == 24 + 8


def test_peak_of_a_chain_is_two_results():
    x = ag.randn(100)
    with ag.graph.record() as g:
        y = x
        for _ in range(5):
            y = y.exp()
    assert g.peak_bytes == 2 * 400
    with ag.graph.record() as g:
        y = x.exp()
        for _ in range(5):
            y.mul_(2.0)
    assert g.peak_bytes == 400


def test_peak_holds_what_is_saved_for_backward():
    x = ag.randn(100, requires_grad=True)
    with ag.graph.record() as g:
        y = x
        for _ in range(5):
            y = y.exp()
        y.sum().backward()
    assert 5 * 400 <= g.peak_bytes <= 8 * 400


def test_times_sum_to_the_step():
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 8))
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1)
    x = ag.randn(64, 32)

    def step():
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()

    def shares():
        step()
        with ag.graph.record(profile=True) as g:
            start = time.perf_counter()
            for _ in range(20):
                step()
            measured = time.perf_counter() - start
        return g, sum(node.seconds for node in g.ops) / measured

    found = [shares() for _ in range(5)]
    g = found[0][0]
    # Of five, so that a busy machine's pause at the very end does not count.
    assert sorted(abs(share - 1) for _, share in found)[2] < 0.05
    assert g.cost.seconds == pytest.approx(sum(node.seconds for node in g.ops))
    times = [node.seconds for node in g.profile()]
    assert times == sorted(times, reverse=True) and len(times) == len(g.ops)
    assert " us" in str(g) and "time" in g.summary()


def test_the_end_of_the_last_graph_is_no_part_of_the_next_one():
    model = nn.Sequential(*[nn.Linear(4, 4) for _ in range(20)])
    x = ag.randn(2, 4)
    shares = []
    for _ in range(15):
        with ag.graph.record(profile=True) as g:  # the last g goes here, with its nodes
            start = time.perf_counter()
            model(x)
            measured = time.perf_counter() - start
        shares.append(sum(node.seconds for node in g.ops) / measured)
    assert sorted(shares)[7] < 1.1


def test_every_recording_can_be_profiled_afterwards():
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 8))
    x = ag.randn(64, 32)

    def share():
        start = time.perf_counter()
        with ag.graph.record() as g:
            began = time.perf_counter()
            for _ in range(300):
                model(x).square().mean().backward()
            measured = time.perf_counter() - began
        assert time.perf_counter() - start >= measured
        assert g.cost.seconds is None and "time" not in g.summary()
        return g, sum(node.seconds for node in g.profile()) / measured

    found = [share() for _ in range(5)]
    assert sorted(abs(share - 1) for _, share in found)[2] < 0.05
    g = sorted(found, key=lambda one: abs(one[1] - 1))[0][0]
    times = [node.seconds for node in g.profile()]
    assert times == sorted(times, reverse=True)
    assert g.cost.seconds == pytest.approx(sum(times))
    assert "time" in g.summary() and " us" in str(g)
    assert json.loads(g.json())["totals"]["measured_seconds"] == pytest.approx(sum(times), rel=0.05)


def test_what_follows_the_last_operation_is_no_part_of_the_time():
    x = ag.ones(4)
    with ag.graph.record(profile=True) as g:
        x.exp().sum()
        time.sleep(0.05)
    total = json.loads(g.json())["totals"]["measured_seconds"]
    assert total == pytest.approx(sum(node.seconds for node in g.ops)) and total < 0.05


def test_all_operations_of_a_plan_are_measured():
    model, x = nn.Linear(4, 2), ag.randn(3, 4)
    first, second = (
        ag.optim.Adam([p], lr=0.1, amsgrad=i == 1) for i, p in enumerate(model.parameters())
    )

    @ag.compile
    def step(x):
        loss = model(x).square().sum()
        loss.backward()
        first.step()
        second.step()
        return loss

    for _ in range(4):
        step(x)
    weights = [p.tolist() for p in model.parameters()]
    for captured in (False, True):
        graph = step.graph(captured=captured)
        top = graph.profile()
        assert sum(node.op == "adam_step" for node in top) == 2
        assert all(node.seconds is not None for node in top), [n.op for n in top if not n.seconds]
        assert graph.cost.seconds == pytest.approx(sum(node.seconds for node in top))
        assert graph.fuse().num_ops <= graph.num_ops
    assert [p.tolist() for p in model.parameters()] == weights


@pytest.mark.parametrize("optimizer", [ag.optim.SGD, ag.optim.Adam, ag.optim.RMSprop])
def test_graphs_without_times_are_executed_to_measure_them(optimizer):
    model = nn.Sequential(nn.Embedding(9, 16), nn.Linear(16, 16), nn.Dropout(0.5), nn.LayerNorm(16))
    optimizer = optimizer(model.parameters(), lr=0.1)
    tokens, classes = ag.tensor([[1, 8], [3, 0]]), ag.tensor([3, 1])
    with ag.graph.record() as g:
        F.cross_entropy(model(tokens).flatten(1), classes).backward()
        optimizer.step()
    state = ag.get_rng_state().tolist() if hasattr(ag, "get_rng_state") else None
    weights = [p.tolist() for p in model.parameters()]
    for graph in (g.fuse(), g):
        assert graph.cost.seconds is None
        top = graph.profile(runs=9)
        assert all(node.seconds is not None for node in top), [n.op for n in top if not n.seconds]
        assert graph.cost.seconds == pytest.approx(sum(node.seconds for node in top))
        total = json.loads(graph.json())["totals"]["measured_seconds"]
        assert abs(graph.cost.seconds / total - 1) < 0.05
    assert [p.tolist() for p in model.parameters()] == weights, "made-up data, not the program's"
    assert state is None or ag.get_rng_state().tolist() == state
    history = ag.graph.from_tensor(model(tokens).sum())
    assert history.profile()[0].seconds > 0
    assert ag.graph.from_tensor(ag.ones(2)).profile() == []


def test_profiling_takes_what_depends_on_the_numbers():
    x = ag.tensor([0.0, 3.0, 0.0, 5.0])
    with ag.graph.record() as g:
        places = x.nonzero()
        x[places.flatten()].add_(1.0).sum()
        x.unsqueeze(1).expand(4, 5).cumsum(0)
        ag.linalg.inv(ag.eye(3))
    assert len(g.profile(runs=2)) == len(g.ops)
    for runs in (-1, 1 << 40):
        with pytest.raises(ValueError, match="runs must be"):
            g.profile(runs=runs)


def test_print_is_a_table_of_ops():
    model = nn.Linear(3, 2)
    x = ag.randn(4, 3)
    with ag.graph.record() as g:
        loss = model(x).sum()
        loss.backward()
    lines = str(g).splitlines()
    assert lines[0].split() == ["result", "op", "shape", "inputs", "FLOP", "bytes", "line"]
    assert lines[1].startswith("-- forward -") and any(s.startswith("-- backward") for s in lines)
    assert "linear" in lines[2] and "x, weight, bias" in lines[2] and "[4, 2]" in lines[2]
    assert lines[3].startswith("loss")
    assert lines[-1].startswith(f"{len(g.ops)} ops, 2 parameters with 8 elements; ")


def test_summary_counts_parameters_as_the_model_does():
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
    text = ag.graph.summary(model, (2, 3, 8))
    count = sum(p.numel() for p in model.parameters())
    assert f"parameters: {count:,} in {len(list(model.parameters()))} tensors" in text
    rows = [line for line in text.splitlines() if "Linear" in line]
    assert len(rows) == 4 and all("[2, 3, " in row for row in rows)
    assert "layers.1: TransformerEncoderLayer" in text
    shared = nn.Linear(3, 3)
    again = ag.graph.summary(nn.Sequential(shared, shared), ag.ones(1, 3))
    assert again.count("12") >= 2 and "(again)" in again and "parameters: 12 in 2" in again


def test_summary_takes_inputs_of_several_kinds():
    bilinear = nn.Bilinear(2, 3, 4)
    text = ag.graph.summary(bilinear, (ag.ones(5, 2), ag.ones(5, 3)))
    assert "[5, 4]" in text
    assert "[5, 4]" in ag.graph.summary(
        bilinear, {"input1": ag.ones(5, 2), "input2": ag.ones(5, 3)}
    )
    with pytest.raises(TypeError, match="must be a Tensor, a shape"):
        ag.graph.summary(bilinear, 3)
    assert "[2, 2]" in ag.graph.summary(lambda x: nn.Linear(3, 2)(x), (2, 3))


def test_history_knows_modules_from_names():
    model = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), 2
    )
    loss = model(ag.randn(2, 3, 8)).sum()
    g = ag.graph.from_tensor(loss, model)
    modules = {node.module for node in g.ops}
    assert {"layers.0.linear1", "layers.1.norm2", "layers.0.self_attn"} <= modules
    # What stands between two parts of a layer belongs to the layer.
    assert [n.module for n in g.ops if n.op == "relu"] == ["layers.0", "layers.1"]


def test_history_names_its_parts():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    x = ag.randn(5, 3)
    hidden = model(x)
    loss = hidden.exp().mean()
    g = ag.graph.from_tensor(loss)
    kinds = {node.name: node.kind for node in g.nodes}
    assert kinds["0.weight"] == kinds["1.bias"] == "parameter"
    assert kinds["x"] == "input"
    assert "hidden" in kinds and "loss" in kinds
    exp = next(node for node in g.ops if node.op == "exp")
    assert exp.saved == (exp.key,)
    other = ag.graph.from_tensor(loss, {"a": model[0].weight, "m": model[1]})
    assert {"a", "m.weight"} <= {node.name for node in other.nodes}


def test_history_of_a_tensor_without_one():
    x = ag.ones(3)
    g = ag.graph.from_tensor(x)
    assert g.ops == [] and [n.name for n in g.nodes] == ["x"]
    assert g.cost.flops == 0 and g.peak_bytes == 0
    assert "0 ops" in str(g) and "no modules are known" in g.summary()
    with pytest.raises(TypeError):
        ag.graph.from_tensor(3)


def test_history_in_place_and_views_share_memory():
    w = ag.randn(4, requires_grad=True)
    y = w * 2
    y[:2].mul_(3.0)
    g = ag.graph.from_tensor(y.sum())
    by_op = {node.op: node for node in g.ops}
    assert by_op["view_assign"].in_place
    first = g.ops[0]
    assert by_op["slice"].storage == by_op["view_assign"].storage == first.storage


# ---- comparison


def history(run, **named):
    return ag.graph.from_tensor(run(), named)


def test_equal_computations_do_not_differ():
    w = ag.ones(3, requires_grad=True)
    first, second = history(lambda: (w * 2).sum(), w=w), history(lambda: (w * 2).sum(), w=w)
    diff = first.diff(second)
    assert not diff and str(diff) == "the graphs compute the same"
    assert [n.id for n in first.ops] == [n.id for n in second.ops]


def test_diff_tells_added_removed_and_changed_apart():
    w = ag.ones(3, 4, requires_grad=True)
    before = history(lambda: (w * 2).sum(0).exp().sum(), w=w)
    more = before.diff(history(lambda: (w * 2).relu().sum(0).exp().sum(), w=w))
    assert [n.op for n in more.added] == ["relu"] and not more.removed
    # Only the op that reads it has changed, not all that follow.
    assert [(c.after.op, c.what) for c in more.changed] == [("sum", "reads other values")]
    less = before.diff(history(lambda: (w * 2).sum(0).sum(), w=w))
    assert [n.op for n in less.removed] == ["exp"] and not less.added
    other = before.diff(history(lambda: (w * 2).sum(0, keepdim=True).exp().sum(), w=w))
    (change, *_) = other.changed
    assert change.before.op == change.after.op == "sum"
    assert change.what == "{dims=[0]} became {dims=[0], keepdim=true}"
    assert not other.added and not other.removed
    assert "1 added, 0 removed, 1 changed" in repr(more)
    assert str(more).splitlines()[0].startswith("+ relu [3, 4] at test_graph_analysis.py:")


def test_diff_sees_swapped_and_renamed_inputs_and_numbers():
    a, b = ag.ones(3, requires_grad=True), ag.ones(3, requires_grad=True)
    base = history(lambda: (a - b).sum(), a=a, b=b)
    assert base.diff(history(lambda: (b - a).sum(), a=a, b=b)).changed
    assert base.diff(history(lambda: (a - b).sum(), a=a, c=b)).changed
    assert history(lambda: a * 2, a=a).diff(history(lambda: a * 3, a=a)).changed
    assert not history(lambda: a * 2, a=a).diff(history(lambda: a * 2, a=a))
    with pytest.raises(TypeError, match="must be a Graph"):
        base.diff("other")


def test_fused_graph_says_what_was_done():
    model = nn.Sequential(nn.Linear(8, 8), nn.Sigmoid(), nn.Linear(8, 8), nn.ReLU())
    x = ag.randn(4, 8)
    with ag.graph.record() as g:
        loss = model(x).sum()
        loss.backward()
    fused = g.fuse()
    report = fused.report
    assert g.report is None
    assert report.before.ops == len(g.ops) and report.after.ops == len(fused.ops) < len(g.ops)
    assert report.before.edges == sum(not e.order for e in g.edges)
    assert report.bytes_saved > 0
    assert any("linear + sigmoid" in what for _, _, what in report.changes)
    assert f"{len(g.ops)} ops became {len(fused.ops)}" in str(report)
    holding = [node for node in fused.ops if node.body]
    assert [inner.op for inner in holding[0].body][:2] == ["linear", "sigmoid"]
    assert "linear + sigmoid" in str(fused)
    diff = g.diff(fused)
    assert diff and any(node.op == "sigmoid" for node in diff.removed)
    # Work is what it was, only memory traffic is less.
    assert fused.cost.flops == pytest.approx(g.cost.flops, rel=0.05)
    assert fused.cost.bytes < g.cost.bytes


def test_assert_graph_writes_compares_and_explains(tmp_path):
    golden = tmp_path / "new" / "g.dot"
    w = ag.ones(3, requires_grad=True)
    graph = history(lambda: (w * 2).sum(), w=w)
    ag.graph.assert_graph(graph, golden)
    assert golden.read_text() == graph.dot()
    ag.graph.assert_graph(graph, golden)
    other = history(lambda: (w * 2).exp().sum(), w=w)
    with pytest.raises(AssertionError, match=r"(?s)\+.*exp.*AUTOGRAD_UPDATE_GRAPHS=1"):
        ag.graph.assert_graph(other, golden)
    ag.graph.assert_graph(other, golden, update=True)
    ag.graph.assert_graph(other, str(golden))
    with pytest.raises(AssertionError):
        ag.graph.assert_graph(other, golden, direction="LR")
    with pytest.raises(OSError):
        ag.graph.assert_graph(graph, tmp_path / "new" / "g.dot" / "below", update=True)


def test_assert_graph_can_be_told_to_update(tmp_path, monkeypatch):
    golden = tmp_path / "g.dot"
    golden.write_text("old")
    monkeypatch.setenv("AUTOGRAD_UPDATE_GRAPHS", "1")
    ag.graph.assert_graph(ag.graph.from_tensor(ag.ones(1)), golden)
    assert golden.read_text() != "old"


def test_json_holds_what_the_objects_say():
    x = ag.randn(2, 3, requires_grad=True)
    with ag.graph.record() as g:
        x.to(ag.float64).sum(1).norm(p=float("inf"))
    content = json.loads(g.json())
    assert content["schema"] == 1
    assert {"totals", "scopes", "values", "ops", "outputs"} <= set(content)
    assert [op["op"] for op in content["ops"]] == [node.op for node in g.ops]
    assert content["ops"][0]["attrs"] == {"dtype": "float64"}
    assert content["ops"][1]["attrs"] == {"dims": [1]}
    assert content["values"][0]["shape"] == [2, 3] and content["values"][0]["op"] is None
    assert g.ops[0].dtype is ag.float64


def test_edges_join_nodes():
    model = nn.LSTM(3, 4, batch_first=True)
    with ag.graph.record() as g:
        out, _ = model(ag.randn(2, 5, 3))
        out.sum().backward()
    keys = {node.key for node in g.nodes}
    assert len(keys) == len(g.nodes)
    assert {e.source for e in g.edges} | {e.target for e in g.edges} <= keys
    by_key = {node.key: node for node in g.nodes}
    for edge in g.edges:
        if not edge.order:
            assert by_key[edge.source].shapes[edge.output] == edge.shape
            assert by_key[edge.target].inputs[edge.input] == edge.source


def test_a_deep_graph_is_read():
    x = ag.ones(1, requires_grad=True)
    for _ in range(3000):
        x = x + 1
    g = ag.graph.from_tensor(x)
    assert len(g.ops) == 3000 and len(g.edges) == 6000
    assert not g.diff(g)


def test_a_graph_is_copied_by_reference_and_not_pickled():
    import copy
    import pickle

    g = ag.graph.from_tensor(ag.ones(2, requires_grad=True) * 2)
    assert copy.copy(g) is g and copy.deepcopy([g])[0] is g
    with pytest.raises(TypeError, match="cannot pickle a Graph"):
        pickle.dumps(g)
    recording = ag.graph.record()
    with recording, pytest.raises(TypeError, match="cannot pickle"):
        copy.copy(recording._handle)


def test_summary_shows_what_modules_return_and_parameters_that_changed():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1)
    with ag.graph.record() as g:
        for _ in range(2):
            model(ag.randn(5, 3)).sum().backward()
            optimizer.step()
    rows = [line for line in g.summary().splitlines() if "BatchNorm" in line]
    assert len(rows) == 2 and all("[5, 4]" in row for row in rows)
    assert g.summary().count("(again)") == 2
    assert "parameters: 24 in 4 tensors" in g.summary()


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 3)
    )  # fmt: skip


MODELS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 3)), (5, 3)),
    "cnn": (convolutional, (2, 1, 8, 8)),
    "transformer": (lambda: nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), (2, 3, 8)),
    "gru": (lambda: nn.GRU(3, 4), (5, 2, 3)),
}
OPTIMIZERS = {
    "sgd": lambda p: ag.optim.SGD(p, lr=0.1),
    "momentum": lambda p: ag.optim.SGD(p, lr=0.1, momentum=0.9),
    "adam": lambda p: ag.optim.Adam(p, lr=0.1),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
def test_what_fuse_shows_is_what_compile_executes(model, optimizer):
    make, shape = MODELS[model]
    model = make()
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    x = ag.randn(*shape)

    def step(x):
        out = model(x)
        # All of it: a recording takes for a result what nothing reads.
        parts = out if isinstance(out, tuple) else (out,)
        loss = sum(part.square().sum() for part in parts)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    compiled = ag.compile(step)
    for _ in range(3):
        compiled(x)
    with ag.graph.record() as g:
        step(x)

    def content(graph):
        """Ops with what they hold. Gradients that outlive the step are copies of their own where it is compiled."""
        return [
            (node.op, [inner.op for inner in node.body]) for node in graph.ops if node.op != "copy"
        ]

    assert content(g.fuse()) == content(compiled.graph())


def test_results_that_nobody_holds_are_not_wanted():
    gru, x, kept = nn.GRU(3, 4), ag.ones(5, 2, 3), []
    with ag.graph.record() as g:
        out, _ = gru(x)
    assert [n.op for n in g.ops].count("cat") == 1
    fused = g.fuse()
    assert "cat" not in [n.op for n in fused.ops] and "gru_layer" in [n.op for n in fused.ops]
    assert "unused results: nobody holds that of cat" in str(fused.report)
    with ag.graph.record() as g:
        gru(x)
    assert "cat" in [n.op for n in g.fuse().ops], "nothing is held, so that all is wanted"
    with ag.graph.record() as g:
        kept.append(x.exp())
        out, _ = gru(x)
        x.cos()
        F.mse_loss(out, out.detach())
    assert {n.name for n in g.ops} >= {"kept[0]", "out"}
    ops = [n.op for n in g.fuse().ops]
    assert {"exp", "cos", "mse_loss"} <= set(ops) and "cat" not in ops, (
        "only modules make more than is wanted"
    )
    del out
