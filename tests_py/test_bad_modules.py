"""Modules, containers and hooks used wrongly: every method with every kind of thing, against PyTorch."""

import numpy as np
import pytest
import torch
from compare import outcome, same_outcome
from wrong_things import THINGS, check

import autograd as ag

NAMES = ("a", "", "a.b", "weight", "bias", "forward", "training", None, 1, b"x", (1,), "0")


def _linear(lib):
    return lib.nn.Linear(3, 2)


def _made(lib):
    """One container of each kind, by name."""
    return {
        "ModuleList": lib.nn.ModuleList([lib.nn.ReLU(), lib.nn.Tanh()]),
        "Sequential": lib.nn.Sequential(lib.nn.ReLU(), lib.nn.Tanh()),
        "ModuleDict": lib.nn.ModuleDict({"a": lib.nn.ReLU(), "b": lib.nn.Tanh()}),
        "ParameterList": lib.nn.ParameterList([lib.zeros(2), lib.ones(2)]),
        "ParameterDict": lib.nn.ParameterDict({"a": lib.zeros(2), "b": lib.zeros(3)}),
    }


CONTAINERS = tuple(_made(ag))


@pytest.mark.parametrize(
    "method", ["register_buffer", "register_parameter", "add_module", "__setattr__"]
)
def test_members(method):
    check(
        (f"{name!r} = {thing}", lambda lib, n=name, m=make: getattr(_linear(lib), method)(n, m(lib)))
        for name in NAMES
        for thing, make in THINGS.items()
    )  # fmt: skip


@pytest.mark.parametrize("method", ["get_parameter", "get_buffer", "get_submodule", "__delattr__"])
def test_names(method):
    paths = ("weight", "a", "", "a.b", "0.weight", "0", "0.", ".0", "0..weight", "0.weight.x", 1)
    for build in (_linear, lambda lib: lib.nn.Sequential(_linear(lib), lib.nn.BatchNorm1d(2))):
        check(
            (repr(path), lambda lib, b=build, p=path: getattr(b(lib), method)(p) and None)
            for path in paths
        )


@pytest.mark.parametrize(
    "method",
    ["apply", "train", "requires_grad_", "load_state_dict", "eval", "float", "double", "__call__"],
)
def test_arguments_of_methods(method):
    check(
        (thing, lambda lib, m=make: getattr(_linear(lib), method)(m(lib)) and None)
        for thing, make in THINGS.items()
    )


TO = {
    "a device and a dtype": lambda lib, x: x.to("cpu", lib.float64),
    "all by place": lambda lib, x: x.to("cpu", lib.float64, True),
    "a tensor": lambda lib, x: x.to(lib.zeros(1, dtype=lib.float64)),
    "a tensor by name": lambda lib, x: x.to(tensor=lib.zeros(1, dtype=lib.float64)),
    "nothing": lambda lib, x: x.to(),
    "a device with a number": lambda lib, x: x.to(lib.device("cpu", 0)),
    "a format": lambda lib, x: x.to(memory_format=lib.contiguous_format),
    "a number of a device": lambda lib, x: x.to(0),
    "two devices": lambda lib, x: x.to("cpu", "cpu"),
    "two dtypes": lambda lib, x: x.to(lib.float64, lib.float32),
    "a dtype twice": lambda lib, x: x.to(lib.float64, dtype=lib.float32),
    "a flag in the place of a dtype": lambda lib, x: x.to("cpu", True),
    "a flag that is None": lambda lib, x: x.to("cpu", non_blocking=None),
    "a tensor as a dtype": lambda lib, x: x.to(dtype=lib.zeros(1)),
    "a text as a dtype": lambda lib, x: x.to(dtype="float64"),
    "a number as a format": lambda lib, x: x.to(memory_format=1),
    "an unknown option": lambda lib, x: x.to(type=lib.float64),
    "an unknown device": lambda lib, x: x.to("gpu"),
    "a class": lambda lib, x: x.to(str),
    "five": lambda lib, x: x.to("cpu", lib.float64, True, False, True),
}


@pytest.mark.parametrize("made", [lambda lib: lib.ones(2), _linear], ids=["Tensor", "Module"])
def test_arguments_of_to(made):
    def dtype(lib, call):
        moved = call(lib, made(lib))
        return str(getattr(moved, "weight", moved).dtype).rpartition(".")[2]

    check(((name, lambda lib, c=call: dtype(lib, c)) for name, call in TO.items()), length=True)


def test_other_conversions():
    calls = {
        "to integers": lambda lib: _linear(lib).to(lib.int64) and None,
        "a copy": lambda lib: _linear(lib).to("cpu", copy=True) and None,
        "a name of a type": lambda lib: _linear(lib).type("x") and None,
        "a number as a type": lambda lib: _linear(lib).type(1) and None,
        "empty by place": lambda lib: _linear(lib).to_empty("cpu") and None,
        "empty": lambda lib: tuple(_linear(lib).to_empty(device="cpu").weight.shape),
        "recurse in the place of a prefix": lambda lib: list(_linear(lib).named_parameters(False)),
        "a device without a number": lambda lib: lib.device("cpu:x"),
        "two numbers of a device": lambda lib: lib.device("cpu:0", 1),
        "a text as a number of a device": lambda lib: lib.device("cpu", "0"),
        "a number of a device": lambda lib: (str(lib.device("cpu", 1)), lib.device("cpu:1").index),
        "a bool as a device": lambda lib: lib.device(True),
        "None as a number": lambda lib: lib.tensor([1.0, None], dtype=lib.float32),
        "a dict as a number": lambda lib: lib.tensor({}, dtype=lib.int64),
        "None as a tensor": lambda lib: lib.tensor(None),
        "texts as a tensor": lambda lib: lib.tensor(["a", "b"]),
        "a text as a tensor": lambda lib: lib.tensor("a"),
        "numbers and a text": lambda lib: lib.tensor([1, "a"]),
    }
    check(calls.items(), length=True)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_containers_made_of_anything(kind):
    check(
        (thing, lambda lib, m=make: len(getattr(lib.nn, kind)(m(lib))))
        for thing, make in THINGS.items()
    )


@pytest.mark.parametrize("kind", CONTAINERS)
def test_methods_of_containers(kind):
    def call(lib, method, make):
        container = _made(lib)[kind]
        getattr(container, method)(make(lib))
        return len(container)

    methods = ("__getitem__", "__delitem__", "append", "extend", "pop", "update", "get", "insert")
    operators = ("setdefault", "__contains__", "__add__", "__iadd__", "fromkeys", "copy")
    check(
        (f"{method} {thing}", lambda lib, n=method, m=make: call(lib, n, m))
        for method in (*methods, *operators)
        for thing, make in THINGS.items()
    )


@pytest.mark.parametrize("kind", ["ModuleList", "Sequential", "ParameterList"])
def test_places_in_containers(kind):
    def one_more(lib):
        return lib.nn.Parameter(lib.zeros(3)) if kind == "ParameterList" else lib.nn.ReLU()

    def call(lib, method, *args):
        container = _made(lib)[kind]
        getattr(container, method)(*args)
        return [type(each).__name__ for each in container]

    places = (0, 1, 2, -1, -2, -3, 5, True, 1.0, "0", None, slice(0, 1), slice(5, 9), (0,), 10**30)
    check(
        (
            (f"{method}({place!r})", lambda lib, n=method, p=place: call(lib, n, p))
            for method in ("__getitem__", "__delitem__", "pop")
            for place in places
        ),
        length=True,
    )
    check(
        (
            (f"{method}({place!r})", lambda lib, n=method, p=place: call(lib, n, p, one_more(lib)))
            for method in ("__setitem__", "insert")
            for place in places
        ),
        length=True,
    )


@pytest.mark.parametrize(
    "register",
    [
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
    ],
)
def test_hooks_that_return_anything(register):
    def run(lib, make):
        layer = _linear(lib)
        getattr(layer, register)(lambda *args: make(lib))
        x = lib.ones(1, 3, requires_grad=True)
        layer(x).sum().backward()
        # Usable afterwards.
        plain = _linear(lib)
        plain(x).sum().backward()

    # PyTorch takes the letters of a text, and the elements of an array, for gradients.
    lengths = {"a text", "an empty text", "a dotted text", "a name that is taken", "a dict"}
    lengths |= {"an array", "a list of None"}
    check(
        (thing, lambda lib, m=make: run(lib, m))
        for thing, make in THINGS.items()
        if not ("backward" in register and thing in lengths)
    )


def test_backward_hooks_that_return_no_gradients():
    for thing in ("text", {}, np.ones(1), 1.5):
        layer = _linear(ag)
        layer.register_full_backward_hook(lambda *args, thing=thing: thing)
        with pytest.raises(TypeError, match="expected Tensor, but hook returned"):
            layer(ag.ones(1, 3, requires_grad=True)).sum().backward()


@pytest.mark.parametrize("assign", [False, True])
def test_anything_as_a_value_of_a_state(assign):
    def load(lib, make):
        layer = _linear(lib)
        layer.load_state_dict({**layer.state_dict(), "weight": make(lib)}, assign=assign)

    check((thing, lambda lib, m=make: load(lib, m)) for thing, make in THINGS.items())


def test_a_module_whose_init_was_not_called():
    class Forgetful(ag.nn.Module):
        def __init__(self):
            pass

    for use in (list, repr, lambda m: m.eval(), lambda m: m.state_dict(), lambda m: m.parameters()):
        with pytest.raises(AttributeError, match=r"super\(\).__init__\(\)|has no attribute"):
            use(Forgetful()) if use is not list else list(Forgetful().parameters())
    with pytest.raises(AttributeError, match="before Module.__init__"):
        Forgetful().weight = ag.nn.Parameter(ag.zeros(1))


@pytest.mark.parametrize("plain", [False, True])
def test_states_without_a_number_of_batches(plain):
    """States that don't say their version are those of version 1, which had none."""

    def load(lib):
        layer = lib.nn.BatchNorm1d(2)
        state = layer.state_dict()
        del state["num_batches_tracked"]
        return [list(keys) for keys in layer.load_state_dict(dict(state) if plain else state)]

    same_outcome(outcome(load, ag), outcome(load, torch))


def test_requires_grad_is_a_bool():
    for set_it in (
        lambda lib: lib.zeros(2).requires_grad_(1),
        lambda lib: setattr(lib.zeros(2), "requires_grad", 1),
        lambda lib: lib.nn.Parameter(lib.zeros(2), 1),
    ):
        expected = outcome(set_it, torch)
        assert isinstance(expected, Exception)
        same_outcome(outcome(set_it, ag), expected)
