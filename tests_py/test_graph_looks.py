"""What a recording sees of modules and variables at the end of its block, natively and in Python."""

import gc
import json
import sys
import threading
import weakref

import numpy as np
import pytest
import torch
from test_graph_looked_at_later import LikeAModule, Renaming

import autograd as ag

nn = ag.nn
recording = sys.modules["autograd.graph.recording"]


class Leaf(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = nn.Parameter(ag.tensor(scale))
        self.register_buffer("count", ag.zeros(1))
        self.register_parameter("bias", None)
        self.register_buffer("nothing", None)

    def forward(self, x):
        return x * self.scale + self.count


class Tree(nn.Module):
    def __init__(self, depth, shared):
        super().__init__()
        self.shared = shared
        self.parts = nn.ModuleList([Leaf(2.0), nn.Linear(2, 2), nn.Dropout()])
        self.below = Tree(depth - 1, shared) if depth else None

    def forward(self, x):
        for part in (self.shared, *self.parts):
            x = part(x)
        return x if self.below is None else self.below(x)


class Own(ag.Tensor):
    pass


def a_tree():
    model, x = Tree(30, Leaf(0.5)), ag.ones(1, 2)
    with ag.graph.record() as g:
        y = model(x)
        y.sum().backward()
    return g


def a_cycle():
    inner, x = nn.Sequential(nn.Linear(2, 2)), ag.ones(2)
    outer = nn.Sequential(inner)
    inner.outer = outer
    with ag.graph.record() as g:
        outer[0][0](x)
    return g


def several_models():
    first, second, _hidden, x = Leaf(1.0), Leaf(2.0), Leaf(3.0), ag.ones(2)
    with ag.graph.record() as g:
        x = first(x) + second(x) + _hidden.scale
    return g


def variables_of_all_kinds():
    theirs, array, text, number = torch.nn.Linear(2, 2), np.ones(2), "x", 3
    parameter, own, _private = nn.Parameter(ag.ones(2)), Own([1.0, 2.0]), ag.ones(2)
    listed, pair, by_key = [0.5, ag.ones(2), None], (ag.ones(2),), {"a": ag.ones(2), 7: ag.ones(2)}
    many = [ag.ones(2) for _ in range(300)]
    odd = {(1, 2): ag.ones(2), True: ag.ones(2)}
    optimizer, nothing, empty = ag.optim.SGD([parameter], lr=0.1), None, [[], (), {}]

    def inner():
        return own

    with ag.graph.record() as g:
        y = parameter + own + _private + listed[1] + pair[0] + by_key["a"] + by_key[7]
        y = y + many[99] + many[100] + odd[(1, 2)] + odd[True] + inner()
    assert all(each is not None for each in (theirs, array, text, number, optimizer, empty))
    assert nothing is None
    return g


def modules_that_name_themselves():
    renaming, like, plain, x = Renaming(2, 2), LikeAModule(), Leaf(1.0), ag.ones(1, 2)
    unset, below = nn.Module.__new__(nn.Linear), nn.Sequential(Renaming(2, 2))
    with ag.graph.record() as g:
        y = below(plain(renaming(x))) * like.kept
    assert y is not None and unset is not None
    return g


def names_that_are_given():
    w, model = ag.ones(2), nn.Sequential(Leaf(1.0))
    with ag.graph.record({"given": w, "net": model}) as g:
        y = model(w)
    del y
    return g


def of_a_module():
    variables = {"ag": ag, "x": ag.ones(2), 3: "no name", "leaf": Leaf(1.0)}
    exec("with ag.graph.record() as g:\n    y = leaf(x)", variables)
    assert variables["y"] is not None
    return variables["g"]


def of_a_class():
    class Block:
        x = ag.ones(2)
        with ag.graph.record() as g:
            y = x * 2

    assert Block.y is not None and Block.x is not None
    return Block.g


def of_a_cell():
    x = ag.ones(2)
    with ag.graph.record() as g:
        y = (lambda: x * 2)()
    assert y is not None
    return g


def of_a_generator():
    def steps(x):
        with ag.graph.record() as g:
            y = x + 1
            yield g
            y = y + x
        yield y

    running = steps(ag.ones(2))
    g = next(running)
    next(running)
    return g


WAYS = {
    a_tree: {"shared.scale", "parts.1.weight.grad", "below.below.parts.0.count", "x", "y"},
    a_cycle: {"weight", "bias", "x"},
    several_models: {"first.scale", "second.count"},
    variables_of_all_kinds: {
        *("parameter", "own", "listed[1]", "pair[0]", "by_key['a']", "by_key[7]", "many[99]", "y"),
    },
    modules_that_name_themselves: {"renaming.my_weight", "like.kept", "plain.scale"},
    names_that_are_given: {"given", "net.0.scale"},
    of_a_module: {"x", "y", "scale"},
    of_a_class: {"x", "y"},
    of_a_cell: {"x", "y"},
    of_a_generator: {"x", "y"},
}


def content(graph):
    read = json.loads(graph.json())
    del read["totals"]["measured_seconds"]
    return read


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_python_sees_what_the_library_sees(way, monkeypatch):
    expected = content(way())
    for name in "enter", "exit":
        in_python = getattr(recording.record, f"_{name}_in_python")
        monkeypatch.setattr(recording.record, f"__{name}__", in_python)
    assert content(way()) == expected
    names = {value["name"] for value in expected["values"]}
    assert names >= WAYS[way], names
    assert not [n for n in names if n.startswith(("_", "odd", "many[100]", "theirs"))]


def test_nothing_is_kept_or_lost():
    model, x, listed, by_key = Tree(2, Leaf(0.5)), ag.ones(1, 2), [ag.ones(2)], {"key": ag.ones(2)}
    renaming = Renaming(2, 2)
    watched = [model, model.below.parts, model.shared.scale, x, listed[0], by_key["key"], renaming]
    watched += [list(model._kinds)[0], "variable of a long name", Tree.__name__, *by_key, Leaf]

    def run(times):
        for _ in range(times):
            with ag.graph.record() as g:
                model(x)
            assert g.num_ops
            with ag.graph.record():
                renaming(x)

    run(3)
    gc.collect()
    before = [sys.getrefcount(each) for each in watched]
    run(20)
    gc.collect()
    assert [sys.getrefcount(each) for each in watched] == before


def test_what_locals_has_given_stays_as_it_is():
    def run():
        x, y = ag.ones(2), 3
        mine = locals()
        with ag.graph.record() as g:
            x + y
        return g, mine

    g, mine = run()
    assert mine["x"].tolist() == [1, 1] and mine["y"] == 3
    assert [n.name for n in g.nodes if n.kind == "input"] == ["x"]


def test_a_variable_that_is_deleted_after_the_block_is_freed():
    x = ag.ones(2)
    freed = weakref.ref(x)
    with ag.graph.record() as g:
        x * 2
    del x
    assert freed() is None and g.nodes[0].name == "x"


def test_an_exception_while_names_are_asked_for_leaves_the_thread_usable():
    class Failing(nn.Linear):
        def named_buffers(self, *args):
            raise KeyError("no")

    failing, usual, x = Failing(2, 2), nn.Linear(2, 2), ag.ones(2)
    with pytest.raises(KeyError), ag.graph.record():
        failing(x)
    del failing
    with ag.graph.record() as g:
        usual(x)
    assert [n.module_type for n in g.ops] == ["Linear"]


def test_threads_record_at_a_time():
    def work(number, seen):
        model, x = Tree(number % 3, Leaf(0.5)), ag.ones(1, 2)
        for _ in range(30):
            with ag.graph.record() as g:
                y = model(x)
            seen.add(tuple(n.name for n in g.nodes if n.name) + (str(y is None),))

    found = [set() for _ in range(4)]
    threads = [threading.Thread(target=work, args=(i, found[i])) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(each) for each in found] == [1] * 4 and found[0] == found[3] != found[1]
