"""The protocol of modules: each scenario runs with this library and with PyTorch and has to come out the same."""

import copy
import pickle
from collections import OrderedDict

import pytest
from both_libraries import agree

import autograd as ag


def net(lib, nn):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(2, 3)
            self.b = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Tanh()))
            self.w = nn.Parameter(lib.ones(2))
            self.register_buffer("count", lib.zeros(1))
            self.register_buffer("hidden", lib.zeros(1), persistent=False)
            self.register_parameter("none", None)
            self.shared = self.a

        def forward(self, x):
            return self.b(self.a(x))

    return Net()


def names(lib, nn):
    m = net(lib, nn)
    return [
        [n for n, _ in m.named_parameters()],
        [n for n, _ in m.named_parameters("p", recurse=False)],
        [n for n, _ in m.named_parameters(remove_duplicate=False)],
        [n for n, _ in m.named_buffers("q")],
        [n for n, _ in m.named_modules(prefix="r")],
        [n for n, _ in m.named_modules(remove_duplicate=False)],
        [n for n, _ in m.named_children()],
        list(m._parameters),
        list(m._buffers),
        list(m._modules),
        list(m.state_dict(prefix="s.")),
    ]


def printed(lib, nn):
    m = net(lib, nn)
    m.empty = None
    m.add_module("nothing", None)
    m.list = nn.ModuleList([nn.Tanh(), nn.Tanh(), nn.Linear(1, 1), nn.Sequential(nn.Tanh())])
    m.dict = nn.ModuleDict({"x": nn.Tanh(), "y": nn.ModuleList()})
    m.parameter_list = nn.ParameterList([lib.ones(2, 3), 5])
    return repr(m)


def attributes(lib, nn):
    m = net(lib, nn)
    seen = []
    m.w = None
    seen.append([n for n, _ in m.named_parameters()])
    m.w = nn.Parameter(lib.zeros(1))
    m.extra = 5
    m.extra = nn.Parameter(lib.zeros(1))
    m.count = lib.ones(3)
    m.plain = lib.ones(2)
    m.buffer = nn.Buffer(lib.ones(1))
    m.unsaved = nn.Buffer(lib.ones(1), persistent=False)
    del m.b
    seen.append(list(m.state_dict()))
    m.a = nn.Tanh()
    m.hidden = None
    seen.append([list(m.state_dict()), [n for n, _ in m.named_buffers()]])
    seen.append([isinstance(m.buffer, nn.Buffer), isinstance(m.plain, nn.Buffer)])
    seen.append([hasattr(m, "b"), "a" in dir(m), "0" in dir(nn.Sequential(nn.Tanh()))])
    return seen


def private_dicts(lib, nn):
    m = net(lib, nn)
    m._parameters["w"] = nn.Parameter(lib.full((1,), 7.0))
    m._modules["c"] = nn.Tanh()
    del m._modules["b"]
    m._buffers.pop("count")
    return m.w, list(m._modules), list(m.state_dict()), "b" in m._modules, len(m._parameters)


def by_name(lib, nn):
    m = net(lib, nn)
    m.set_submodule("b.1.0", nn.ReLU())
    return [
        type(m.get_submodule("b.1.0")).__name__,
        m.get_submodule("") is m,
        m.get_parameter("b.0.weight") is m.b[0].weight,
        m.get_buffer("count"),
    ]


def modes(lib, nn):
    m = net(lib, nn)
    m.eval()
    seen = [x.training for x in m.modules()]
    m.b.train()
    seen += [x.training for x in m.modules()]
    m.requires_grad_(False)
    return seen, [p.requires_grad for p in m.parameters()]


def conversions(lib, nn):
    m = net(lib, nn)
    m.register_buffer("steps", lib.zeros(1, dtype=lib.int64))
    w = m.w
    (m.w * 2).sum().backward()
    m.double()
    seen = [str(t.dtype) for t in (*m.parameters(), *m.buffers(), w.grad)]
    m.to(lib.float32)
    m.to("cpu", lib.float64)
    m.to(lib.ones(1))
    seen += [str(t.dtype) for t in (*m.parameters(), *m.buffers())]
    return seen, m.w is w


def extra_state(lib, nn):
    class Counter(nn.Module):
        _version = 3

        def __init__(self):
            super().__init__()
            self.n = 0

        def get_extra_state(self):
            return {"n": self.n}

        def set_extra_state(self, state):
            self.n = state["n"]

    m = nn.Sequential(Counter(), nn.Tanh())
    m[0].n = 5
    other = nn.Sequential(Counter(), nn.Tanh())
    state = m.state_dict()
    other.load_state_dict(state)
    return list(state.items()), dict(state._metadata), other[0].n


def loading(lib, nn):
    m, other = net(lib, nn), net(lib, nn)
    state = OrderedDict((k, lib.ones_like(v)) for k, v in m.state_dict().items())
    seen = [list(other.load_state_dict(state))]
    before = other.w
    other.load_state_dict(state, assign=True)
    seen += [other.w is before, other.w.data_ptr() == state["w"].data_ptr(), other.w.requires_grad]
    del state["w"]
    state["new"] = lib.ones(1)
    state["a.new.x"] = lib.ones(1)
    seen.append(list(other.load_state_dict(state, strict=False)))
    state["a.bias"] = lib.ones(1)
    state["count"] = 3
    try:
        other.load_state_dict(state)
    except RuntimeError as error:
        seen += [
            line.replace("Tensor or Tensor-like", "T").replace("torch.", "")
            for line in str(error).split("\n")
        ]
    return seen


def loading_a_scalar_from_one_element(lib, nn):
    m = nn.Module()
    m.p = nn.Parameter(lib.tensor(1.0))
    m.load_state_dict({"p": lib.tensor([5.0])})
    return m.p


def state_hooks(lib, nn):
    m = net(lib, nn)
    seen = []
    m.register_state_dict_pre_hook(lambda mod, prefix, keep: seen.append((prefix, keep)))
    m.register_state_dict_post_hook(lambda mod, state, prefix, meta: state.update(more=1))
    m.register_load_state_dict_pre_hook(lambda mod, state, *rest: state.pop("more"))
    m.register_load_state_dict_post_hook(lambda mod, keys: keys.missing_keys.clear())
    state = m.state_dict(keep_vars=True)
    del state["w"]
    m.load_state_dict(state)
    return seen, list(state), state["count"].requires_grad, state["a.weight"].requires_grad


def state_into_a_dict(lib, nn):
    found = {}
    nn.Linear(1, 1).state_dict(destination=found, prefix="x.")
    return list(found)


def sequential(lib, nn):
    def kinds(m):
        return [(n, type(c).__name__) for n, c in m.named_children()]

    m = nn.Sequential(nn.Tanh(), nn.ReLU())
    seen = [kinds(m + m), kinds(2 * m), kinds(m[:1]), kinds(m[-1:])]
    m += nn.Sequential(nn.Sigmoid())
    m *= 2
    m.insert(1, nn.Identity())
    m.insert(-1, nn.Flatten())
    m.extend([nn.Tanh()])
    m[0] = nn.Identity()
    seen += [kinds(m), type(m.pop(2)).__name__, kinds(m)]
    del m[1:3]
    del m[-1]
    named = nn.Sequential(OrderedDict(x=nn.Tanh(), y=nn.ReLU()))
    return seen, kinds(m), len(m), kinds(named), kinds(named[1:]), type(named[-1]).__name__


def module_list(lib, nn):
    m = nn.ModuleList([nn.Tanh()])
    m.append(nn.ReLU()).extend([nn.Sigmoid(), nn.Identity()])
    m.insert(1, nn.Flatten())
    m += [nn.Tanh()]
    popped = type(m.pop(-2)).__name__
    del m[0]
    m[1] = nn.Identity()
    both = m + [nn.Tanh()]
    return [type(c).__name__ for c in both], popped, len(m[1:]), type(m[-1]).__name__, repr(m)


def module_dict(lib, nn):
    m = nn.ModuleDict({"a": nn.Tanh(), "b": nn.ReLU()})
    m.update([("c", nn.Linear(1, 1)), ("a", nn.Sigmoid())])
    m["d"] = nn.Identity()
    popped = type(m.pop("b")).__name__
    seen = [list(m), list(m.keys()), [type(v).__name__ for v in m.values()], "a" in m, len(m)]
    del m["a"]
    return seen, popped, list(m.items())[0][0], list(m.state_dict())


def parameter_list(lib, nn):
    m = nn.ParameterList([lib.ones(1), nn.Parameter(lib.ones(2), requires_grad=False), "text"])
    m.append(lib.zeros(3)).extend([lib.zeros(1)])
    m[0] = lib.zeros(4)
    m += [nn.Parameter(lib.ones(5))]
    return [n for n, _ in m.named_parameters()], len(m), m[2], len(m[1:3]), m[-1], repr(m[:2])


def parameter_dict(lib, nn):
    m = nn.ParameterDict({"b": lib.ones(1), "a": nn.Parameter(lib.ones(2))})
    m["c"] = "text"
    m.setdefault("d", lib.zeros(1))
    seen = [list(m), list(m.state_dict()), m.get("none", 3), "c" in m, list(reversed(m))]
    other = m | nn.ParameterDict({"z": lib.ones(1)})
    m |= nn.ParameterDict({"y": lib.ones(1)})
    seen += [list(other.keys()), list(m), m.popitem()[0], m.pop("a"), len(m.copy())]
    m.clear()
    return seen, len(m), list(m.fromkeys(["p", "q"], 1).items())


def shallow_copy(lib, nn):
    m = nn.Linear(1, 1)
    other = copy.copy(m)
    return other.weight is m.weight, other.training


SCENARIOS = [
    names,
    printed,
    attributes,
    private_dicts,
    by_name,
    modes,
    conversions,
    extra_state,
    loading,
    loading_a_scalar_from_one_element,
    state_hooks,
    state_into_a_dict,
    sequential,
    module_list,
    module_dict,
    parameter_list,
    parameter_dict,
    shallow_copy,
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda f: f.__name__)
def test_protocol(scenario):
    result = agree(scenario)
    assert result[0] != "raises", result


WRONG = {
    "parameter from a tensor": lambda lib, nn: setattr(nn.Linear(1, 1), "weight", lib.ones(1)),
    "child from a number": lambda lib, nn: setattr(nn.Sequential(nn.Tanh()), "0", 3),
    "buffer from a number": lambda lib, nn: setattr(nn.BatchNorm1d(1), "running_mean", 3),
    "delete what is not there": lambda lib, nn: delattr(nn.Tanh(), "x"),
    "read what is not there": lambda lib, nn: nn.Tanh().weight,
    "dotted parameter": lambda lib, nn: nn.Tanh().register_parameter("a.b", None),
    "empty buffer name": lambda lib, nn: nn.Tanh().register_buffer("", None),
    "name no text": lambda lib, nn: nn.Tanh().register_buffer(1, None),
    "name taken": lambda lib, nn: nn.Tanh().register_buffer("training", None),
    "name of a method": lambda lib, nn: nn.Tanh().add_module("forward", nn.Tanh()),
    "non-leaf": lambda lib, nn: nn.Tanh().register_parameter("a", nn.Parameter(lib.ones(1)) * 2),
    "buffer no tensor": lambda lib, nn: nn.Tanh().register_buffer("a", [1]),
    "child no module": lambda lib, nn: nn.Tanh().add_module("a", 3),
    "no submodule": lambda lib, nn: nn.Tanh().get_submodule("a.b"),
    "submodule is a number": lambda lib, nn: nn.Tanh().get_submodule("training"),
    "no parameter": lambda lib, nn: nn.Linear(1, 1).get_parameter("x"),
    "parameter is a number": lambda lib, nn: nn.Linear(1, 1).get_parameter("in_features"),
    "buffer is a parameter": lambda lib, nn: nn.Linear(1, 1).get_buffer("weight"),
    "empty target": lambda lib, nn: nn.Tanh().set_submodule("", nn.Tanh()),
    "mode no bool": lambda lib, nn: nn.Tanh().train(1),
    "to an integer type": lambda lib, nn: nn.Linear(1, 1).to(lib.int32),
    "to nonsense": lambda lib, nn: nn.Linear(1, 1).to(object()),
    "no forward": lambda lib, nn: nn.Module()(1),
    "call a list": lambda lib, nn: nn.ModuleList()(1),
    "call a parameter list": lambda lib, nn: nn.ParameterList()(1),
    "state no dict": lambda lib, nn: nn.Tanh().load_state_dict([]),
    "state with nothing": lambda lib, nn: nn.Linear(1, 1).load_state_dict({}),
    "sequential index": lambda lib, nn: nn.Sequential(nn.Tanh())[1],
    "sequential of a number": lambda lib, nn: nn.Sequential(3),
    "sequential plus a list": lambda lib, nn: nn.Sequential() + [nn.Tanh()],
    "sequential times 0": lambda lib, nn: nn.Sequential() * 0,
    "sequential times text": lambda lib, nn: nn.Sequential() * "x",
    "sequential insert far": lambda lib, nn: nn.Sequential().insert(3, nn.Tanh()),
    "list of a number": lambda lib, nn: nn.ModuleList([3]),
    "list from a number": lambda lib, nn: nn.ModuleList().extend(3),
    "dict key": lambda lib, nn: nn.ModuleDict()["a"],
    "dict name taken": lambda lib, nn: nn.ModuleDict({"keys": nn.Tanh()}),
    "dict pairs": lambda lib, nn: nn.ModuleDict([("a", nn.Tanh(), 3)]),
    "dict from a number": lambda lib, nn: nn.ModuleDict().update(3),
    "parameter list from a tensor": lambda lib, nn: nn.ParameterList().extend(lib.ones(2)),
    "parameter dict key": lambda lib, nn: nn.ParameterDict({"a": lib.ones(1)})[3],
    "parameter of ints": lambda lib, nn: nn.Parameter(lib.ones(1, dtype=lib.int64)),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(name):
    assert agree(WRONG[name])[0] == "raises"


def test_unavailable_places_and_types():
    for call in (
        lambda m: m.cuda(),
        lambda m: m.to("cuda"),
        lambda m: m.half(),
        lambda m: m.bfloat16(),
    ):
        with pytest.raises(RuntimeError):
            call(ag.nn.Linear(1, 1))
    layer = ag.nn.Linear(1, 1)
    assert layer.cpu() is layer


class Wrapper(ag.nn.Module):
    """Passes on what it does not have itself: a common pattern."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.inner, name)


def test_wrappers():
    wrapped = Wrapper(ag.nn.Linear(2, 3))
    assert wrapped.in_features == 2
    assert [name for name, _ in wrapped.named_parameters()] == ["inner.weight", "inner.bias"]


def test_copies_are_apart_and_keep_ties():
    layer = ag.nn.Linear(2, 2)
    model = ag.nn.Sequential(layer, ag.nn.Tanh(), layer)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other[0] is other[2]
        assert other[0] is not layer
        assert repr(other) == repr(model)
        other.append(ag.nn.ReLU())
        assert (len(other), len(model)) == (4, 3)
        x = ag.ones(1, 2)
        assert other[:3](x).tolist() == model(x).tolist()
    shallow = copy.copy(layer)
    shallow.more = ag.nn.Parameter(ag.ones(1))
    assert len(list(layer.parameters())) == 2
