"""A recording that is looked at later shows what was at the end of its block, and keeps nothing alive until then."""

import copy
import gc
import json
import os
import pickle
import threading
import weakref

import pytest

import autograd as ag

nn, F = ag.nn, ag.nn.functional


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(4, 2))

    def forward(self, x):
        return self.rest(self.norm(self.first(x)))


class Scene:
    """What a program holds around a recording, and may change before it looks at the graph."""

    def __init__(self):
        ag.manual_seed(0)
        self.model = Model()
        self.optimizer = ag.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.x, self.target = ag.randn(5, 3), ag.randn(5, 2)
        self.graph = self.record()

    def record(self):
        model, x, target, outputs, numbers = (
            self.model,
            self.x,
            self.target,
            [],
            {"scale": ag.tensor(2.0)},
        )
        with ag.graph.record() as g:
            outputs.append(model(x))
            loss = F.mse_loss(outputs[0] * numbers["scale"], target)
            loss.backward()
            self.optimizer.step()
            shifted = x[1:].add_(1)
        self.loss, self.outputs, self.numbers, self.shifted = loss, outputs, numbers, shifted
        loss = outputs = x = None
        return g


def content(graph):
    """All that is known of a graph but the times, which no two recordings share."""
    read = json.loads(graph.json())
    del read["totals"]["measured_seconds"]
    return read


def change_values(scene):
    scene.x.zero_()
    scene.numbers["scale"].fill_(7.0)
    with ag.no_grad():
        for parameter in scene.model.parameters():
            parameter.add_(1)


def drop_gradients(scene):
    scene.optimizer.zero_grad()


def change_containers(scene):
    scene.outputs.clear()
    scene.numbers["factor"] = scene.numbers.pop("scale")


def change_modules(scene):
    model = scene.model
    model.second = model.first
    del model.first
    model.rest[1] = nn.Linear(4, 2)
    model.second.weight = nn.Parameter(ag.zeros(4, 3))
    model.norm.running_mean = ag.ones(4)


def change_tensors(scene):
    scene.x.data = ag.ones(2, 2)
    scene.model.first.weight.data = ag.ones(1)
    scene.model.rest[1].weight.requires_grad_(False)


def rename_classes(scene):
    scene.old, Model.__name__ = Model.__name__, "Other"


def run_and_record_more(scene):
    for _ in range(5):
        scene.record()
    with ag.graph.record():
        for _ in range(2000):
            scene.x + 1


def free_everything(scene):
    freed = [weakref.ref(each) for each in (scene.model, scene.model.rest[1], scene.x, scene.loss)]
    freed += [weakref.ref(each) for each in scene.model.parameters()]
    vars(scene).clear()
    gc.collect()
    assert not [ref() for ref in freed if ref() is not None]
    scene.others = [ag.ones(*sizes) for sizes in [(5, 3), (5, 2), (4, 3), (4,), (2, 4), (2,)] * 9]


CHANGES = [
    change_values,
    drop_gradients,
    change_containers,
    change_modules,
    change_tensors,
    rename_classes,
    run_and_record_more,
    free_everything,
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_comes_after_the_block_is_not_in_the_graph(change):
    at_once, later = Scene(), Scene()
    expected = content(at_once.graph)
    graph, table = later.graph, str(at_once.graph)
    change(later)
    try:
        assert content(graph) == expected
    finally:
        Model.__name__ = "Model"
    assert str(graph).splitlines()[:-1] == table.splitlines()[:-1]
    names = {value["name"] for value in expected["values"]}
    assert names >= {
        *("first.weight", "first.weight.grad", "first.weight.momentum_buffer", "norm.running_mean"),
        *("rest.1.bias", "x", "target", "loss", "outputs[0]", "numbers['scale']", "shifted"),
    }
    scopes = [(scope["name"], scope["type"]) for scope in expected["scopes"]]
    assert ("", "Model") in scopes and ("first", "Linear") in scopes and ("1", "Linear") in scopes


def test_looking_again_after_a_change_gives_the_same():
    scene = Scene()
    copies = [copy.copy(scene.graph), copy.deepcopy(scene.graph)]
    with pytest.raises(TypeError, match="cannot pickle a Graph"):
        pickle.dumps(scene.graph)
    first = content(scene.graph)
    change_values(scene)
    change_modules(scene)
    assert content(scene.graph) == first and all(content(each) == first for each in copies)


LOOKS = {
    "nodes": lambda g: len(g.nodes),
    "num_ops": lambda g: g.num_ops,
    "repr": repr,
    "str": lambda g: str(g).splitlines()[0],
    "dot": lambda g: g.dot(),
    "summary": lambda g: g.summary(),
    "fuse": lambda g: g.fuse().dot(),
    "profile": lambda g: len(g.profile()),
    "diff": lambda g: bool(g.diff(g)),
    "html": lambda g: len(g.html(others={"same": g})) > 1000,
    "notebook": lambda g: sorted(g._repr_mimebundle_()),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_every_first_look_makes_the_graph(look):
    at_once, later = Scene(), Scene()
    content(at_once.graph)
    graph = later.graph
    free_everything(later)
    assert look(graph) == look(at_once.graph)
    assert len(graph.ops) == len(at_once.graph.ops)


def test_other_threads_look_first():
    expected, scene = content(Scene().graph), Scene()
    seen, start = [], threading.Barrier(4)

    def look():
        start.wait()
        seen.append(content(scene.graph))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [expected] * 4


def test_a_child_looks_first():
    scene = Scene()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with open(writing, "w") as out:
            change_values(scene)
            json.dump(content(scene.graph), out)
        os._exit(0)
    os.close(writing)
    with open(reading) as said:
        assert json.load(said) == content(scene.graph)
    assert os.waitpid(child, 0)[1] == 0


def test_what_a_graph_takes_that_nobody_looks_at():
    scene = Scene()
    gc.collect()
    before = ag.memory_allocated()
    graphs = [scene.record() for _ in range(50)]
    scene.loss = scene.outputs = scene.numbers = scene.shifted = None
    gc.collect()
    assert ag.memory_allocated() <= before
    assert [n.op for n in graphs[0].ops] == [n.op for n in graphs[-1].ops]


class Renaming(nn.Linear):
    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        for name, parameter in super().named_parameters(prefix, recurse, remove_duplicate):
            yield f"my_{name}", parameter


class LikeAModule:
    def __init__(self):
        self.kept = ag.ones(1, requires_grad=True)

    def named_parameters(self):
        return [("kept", self.kept)]

    def named_buffers(self):
        return [("seen", 3)]


def test_classes_that_name_their_parameters_themselves():
    renaming, like, unset, x = (
        Renaming(3, 3),
        LikeAModule(),
        nn.Module.__new__(nn.Linear),
        ag.ones(2, 3),
    )
    with ag.graph.record() as g:
        y = renaming(x) * like.kept
    del renaming.weight, like.kept
    assert {n.name for n in g.nodes if n.kind == "parameter"} == {
        *("my_weight", "my_bias", "like.kept")
    }
    assert y is not None and unset is not None


def test_variables_of_other_kinds_name_nothing():
    losses, floats, _hidden = [0.5] * 1000, {"a": 1.0}, ag.ones(2)
    many, by_key = [ag.ones(2) for _ in range(200)], {(1, 2): ag.ones(2), "b": ag.ones(2)}
    with ag.graph.record() as g:
        y = _hidden + many[99] + many[100] + by_key[(1, 2)] + by_key["b"]
    many.clear()
    assert [n.name for n in g.nodes if not n.op] == ["", "many[99]", "", "", "by_key['b']"]
    assert g.ops[-1].name == "y" and losses and floats
    del y
