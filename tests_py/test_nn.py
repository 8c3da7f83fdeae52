"""Modules: attributes, walking, state, printing, layers and losses. PyTorch is the oracle."""

import copy
import pickle
from collections import OrderedDict

import pytest
import torch

import autograd as ag
from autograd import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 3)
        self.act = nn.Tanh()
        self.tail = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2, bias=False))
        self.scale = nn.Parameter(ag.ones(2))
        self.register_buffer("count", ag.zeros(1))
        self.register_buffer("scratch", ag.zeros(1), persistent=False)

    def forward(self, x):
        return self.tail(self.act(self.first(x))) * self.scale


class TorchNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        n = torch.nn
        self.first = n.Linear(4, 3)
        self.act = n.Tanh()
        self.tail = n.Sequential(n.Linear(3, 3), n.ReLU(), n.Linear(3, 2, bias=False))
        self.scale = n.Parameter(torch.ones(2))
        self.register_buffer("count", torch.zeros(1))
        self.register_buffer("scratch", torch.zeros(1), persistent=False)

    def forward(self, x):
        return self.tail(self.act(self.first(x))) * self.scale


def as_ag(state):
    return {name: ag.tensor(value.numpy()) for name, value in state.items()}


# ---- the tree ------------------------------------------------------------------------------------


def test_names_equal_torch():
    ours, theirs = Net(), TorchNet()
    assert [n for n, _ in ours.named_parameters()] != []
    assert {n for n, _ in ours.named_parameters()} == {n for n, _ in theirs.named_parameters()}
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]
    assert [n for n, _ in ours.named_children()] == [n for n, _ in theirs.named_children()]
    assert [n for n, _ in ours.named_buffers()] == [n for n, _ in theirs.named_buffers()]
    assert set(ours.state_dict()) == set(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.tail.named_parameters("x")] == [
        n for n, _ in theirs.tail.named_parameters("x")
    ]
    assert len(list(ours.parameters(recurse=False))) == 1
    assert len(list(ours.modules())) == 7
    assert len(list(ours.children())) == 3


def test_repr_equals_torch():
    assert repr(Net()).replace("Net", "TorchNet") == repr(TorchNet())
    for make in (
        lambda n: n.Sequential(),
        lambda n: n.Linear(2, 3),
        lambda n: n.Sequential(OrderedDict(a=n.Flatten(), b=n.Identity())),
        lambda n: n.Softmax(dim=-1),
        lambda n: n.LeakyReLU(0.2),
        lambda n: n.ReLU(inplace=True),
        lambda n: n.CrossEntropyLoss(),
    ):
        assert repr(make(nn)) == repr(make(torch.nn))


def test_shared_modules_and_parameters_are_listed_once():
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    assert len(list(model.parameters())) == 2
    assert len(list(model.modules())) == 3
    assert len(list(model.named_parameters(remove_duplicate=False))) == 4
    assert set(model.state_dict()) == {"0.weight", "0.bias", "2.weight", "2.bias"}


def test_attributes_are_registered_and_guarded():
    layer = nn.Linear(2, 2)
    weight = layer.weight
    with pytest.raises(TypeError, match="cannot assign 'Tensor' as parameter 'weight'"):
        layer.weight = ag.ones(2, 2)
    assert layer.weight is weight
    layer.bias = None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    assert layer(ag.ones(1, 2)).shape == (1, 2)
    layer.bias = nn.Parameter(ag.ones(2))
    assert len(list(layer.parameters())) == 2
    del layer.bias
    with pytest.raises(AttributeError):
        _ = layer.bias
    layer.bias = None
    layer.note = ag.ones(2)
    assert set(layer.state_dict()) == {"weight"}
    net = Net()
    with pytest.raises(TypeError, match="cannot assign 'int' as child module 'act'"):
        net.act = 3
    with pytest.raises(TypeError, match="cannot assign 'int' as buffer 'count'"):
        net.count = 3
    net.count = ag.ones(1)
    assert net.state_dict()["count"].item() == 1
    with pytest.raises(AttributeError, match="no_such"):
        _ = net.no_such


def test_registration_refuses_bad_names():
    net = nn.Module()
    net.x = 5
    with pytest.raises(KeyError, match="attribute 'x' already exists"):
        net.register_parameter("x", nn.Parameter(ag.ones(1)))
    with pytest.raises(KeyError, match="name can.*t contain"):
        net.add_module("a.b", nn.ReLU())
    with pytest.raises(KeyError, match="empty string"):
        net.register_buffer("", ag.ones(1))
    with pytest.raises(TypeError, match="is not a Module subclass"):
        net.add_module("a", 3)
    with pytest.raises(TypeError, match="cannot assign 'Tensor' object to parameter"):
        net.register_parameter("p", ag.ones(1))
    with pytest.raises(TypeError, match="string"):
        net.register_buffer(3, ag.ones(1))


def test_init_must_be_called_first():
    class Forgetful(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"before Module.__init__\(\) call"):
        Forgetful()
    with pytest.raises(NotImplementedError, match='missing the required "forward" function'):
        nn.Module()(1)


def test_modes_and_gradients():
    net = Net()
    assert net.training
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    net.train()
    assert net.tail[0].training
    with pytest.raises(ValueError, match="boolean"):
        net.train("yes")
    net(ag.ones(1, 4)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad(set_to_none=False)
    assert net.scale.grad.tolist() == [0, 0]
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.requires_grad_(False)
    assert not net(ag.ones(1, 4)).requires_grad
    seen = []
    net.apply(lambda module: seen.append(type(module).__name__))
    assert seen[-1] == "Net"
    assert len(seen) == 7


def test_conversion_keeps_the_parameters():
    net = Net()
    before = list(net.parameters())
    assert net.double() is net
    assert [a is b for a, b in zip(before, net.parameters())] == [True] * len(before)
    assert {p.dtype for p in net.parameters()} == {ag.float64}
    assert net.count.dtype is ag.float64
    out = net(ag.ones(1, 4, dtype=ag.float64))
    out.sum().backward()
    assert net.scale.grad.dtype is ag.float64
    assert net.to(ag.float32).scale.dtype is ag.float32
    assert net.scale.grad.dtype is ag.float32
    with pytest.raises(TypeError, match="floating point"):
        net.to(ag.int64)


def test_submodules_by_name():
    net = Net()
    assert net.get_submodule("tail.0") is net.tail[0]
    assert net.get_parameter("tail.0.weight") is net.tail[0].weight
    with pytest.raises(AttributeError, match="has no attribute `9`"):
        net.get_submodule("tail.9")
    with pytest.raises(AttributeError):
        net.get_parameter("act.weight")


# ---- state ---------------------------------------------------------------------------------------


def test_state_of_torch_gives_the_same_outputs():
    ours, theirs = Net(), TorchNet()
    result = ours.load_state_dict(as_ag(theirs.state_dict()))
    assert repr(result) == "<All keys matched successfully>"
    x = torch.randn(5, 4)
    assert torch.allclose(torch.tensor(ours(ag.tensor(x.numpy())).tolist()), theirs(x), atol=1e-6)


def test_state_is_detached_and_shares_memory():
    net = Net()
    state = net.state_dict()
    assert not any(value.requires_grad for value in state.values())
    assert state["scale"].data_ptr() == net.scale.data_ptr()
    assert net.state_dict(keep_vars=True)["scale"] is net.scale


def test_wrong_state_is_refused():
    net = Net()
    state = {name: value.clone() + 1 for name, value in net.state_dict().items()}
    del state["scale"]
    state["other"] = ag.ones(1)
    state["first.bias"] = ag.ones(7)
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    text = str(caught.value)
    assert "Error(s) in loading state_dict for Net" in text
    assert 'Missing key(s) in state_dict: "scale". ' in text
    assert 'Unexpected key(s) in state_dict: "other". ' in text
    assert (
        "size mismatch for first.bias: copying a param with shape Size([7]) from checkpoint" in text
    )
    del state["first.bias"]
    result = net.load_state_dict(state, strict=False)
    assert result.missing_keys == ["first.bias", "scale"] or set(result.missing_keys) == {
        "first.bias",
        "scale",
    }
    assert result.unexpected_keys == ["other"]
    assert net.count.item() == 1
    with pytest.raises(TypeError, match="dict-like"):
        net.load_state_dict([1])


def test_copies_and_pickles():
    net = Net()
    x = ag.randn(2, 4)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert ag.allclose(other(x), net(x))
        assert other.scale is not net.scale
        assert isinstance(other.scale, nn.Parameter)
        with ag.no_grad():
            other.scale.add_(1)
        assert net.scale.tolist() == [1, 1]


# ---- parameters ----------------------------------------------------------------------------------


def test_parameter_is_a_leaf_over_the_same_storage():
    data = ag.ones(2)
    p = nn.Parameter(data)
    assert isinstance(p, ag.Tensor)
    assert p.is_leaf
    assert p.requires_grad
    assert p.data_ptr() == data.data_ptr()
    assert not data.requires_grad
    assert nn.Parameter(data, requires_grad=False).requires_grad is False
    assert type(p * 2) is ag.Tensor
    assert nn.Parameter().shape == (0,)
    assert nn.Parameter(p * 2).is_leaf
    with pytest.raises(TypeError, match="must be Tensor, not list"):
        nn.Parameter([1.0])
    with pytest.raises(RuntimeError):
        nn.Parameter(ag.ones(2, dtype=ag.int64))


def test_view_of_a_parameter_is_no_parameter():
    class Module(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(ag.ones(2, 2))
            self.row = self.weight[0]
            self.transposed = self.weight.T

    module = Module()
    assert [name for name, _ in module.named_parameters()] == ["weight"]
    assert set(module.state_dict()) == {"weight"}
    (module.row.sum() + module.transposed.sum()).backward()
    assert module.weight.grad.tolist() == [[2, 2], [1, 1]]


# ---- containers and layers -----------------------------------------------------------------------


def test_sequential_is_a_list_of_modules():
    a, b, c = nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)
    model = nn.Sequential(a, b)
    assert model.append(c) is model
    assert (len(model), model[0], model[-1], list(model)) == (3, a, c, [a, b, c])
    assert isinstance(model[1:], nn.Sequential)
    assert list(model[1:]) == [b, c]
    x = ag.ones(4, 2)
    assert ag.allclose(model(x), c(b(a(x))))
    model[1] = nn.Tanh()
    assert ag.allclose(model(x), c(ag.tanh(a(x))))
    del model[1]
    assert list(model) == [a, c]
    assert [name for name, _ in model.named_children()] == ["0", "1"]
    with pytest.raises(IndexError, match="index 5 is out of range"):
        model[5]
    named = nn.Sequential(OrderedDict(first=a, last=c))
    assert named.first is a
    assert named[1] is c
    with pytest.raises(TypeError, match="is not a Module subclass"):
        nn.Sequential(3)


def test_linear_starts_as_in_torch():
    ag.manual_seed(0)
    layer = nn.Linear(100, 50)
    for p, near in ((layer.weight, 0.099), (layer.bias, 0.07)):
        assert -0.1 <= p.min().item() < -near
        assert near < p.max().item() <= 0.1
        assert p.requires_grad
    assert layer.weight.shape == (50, 100)
    assert nn.Linear(2, 3, bias=False).bias is None
    assert nn.Linear(2, 3, dtype=ag.float64).weight.dtype is ag.float64
    ag.manual_seed(0)
    assert ag.equal(nn.Linear(100, 50).weight, layer.weight)


def test_linear_refuses_wrong_inputs():
    layer = nn.Linear(2, 3)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        layer(ag.ones(4, 5))
    with pytest.raises(TypeError, match=r"linear\(\): argument 'input' must be Tensor, not list"):
        layer([1.0, 2.0])


SHAPE_KEEPERS = [
    lambda n: n.Identity(1, a=2),
    lambda n: n.Flatten(),
    lambda n: n.Flatten(0, 1),
]


@pytest.mark.parametrize("make", SHAPE_KEEPERS)
def test_identity_and_flatten_equal_torch(make):
    x = torch.randn(2, 3, 4)
    ours = make(nn)(ag.tensor(x.numpy()))
    theirs = make(torch.nn)(x)
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert torch.allclose(torch.tensor(ours.tolist()), theirs, atol=1e-6)


def test_relu_in_place():
    x = ag.tensor([-1.0, 1.0])
    assert nn.ReLU(inplace=True)(x) is x
    assert x.tolist() == [0, 1]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses_equal_torch(reduction):
    logits, target = torch.randn(5, 3), torch.tensor([0, 2, 1, 1, 0])
    theirs = torch.nn.CrossEntropyLoss(reduction=reduction)(logits, target)
    ours = nn.CrossEntropyLoss(reduction=reduction)(
        ag.tensor(logits.numpy()), ag.tensor(target.numpy())
    )
    assert torch.allclose(torch.tensor(ours.tolist()), theirs, atol=1e-6)
    probabilities = torch.softmax(torch.randn(5, 3), 1)
    theirs = torch.nn.functional.cross_entropy(logits, probabilities, reduction=reduction)
    ours = nn.functional.cross_entropy(
        ag.tensor(logits.numpy()), ag.tensor(probabilities.numpy()), reduction=reduction
    )
    assert torch.allclose(torch.tensor(ours.tolist()), theirs, atol=1e-6)
    other = torch.randn(5, 3)
    theirs = torch.nn.MSELoss(reduction=reduction)(logits, other)
    ours = nn.MSELoss(reduction=reduction)(ag.tensor(logits.numpy()), ag.tensor(other.numpy()))
    assert torch.allclose(torch.tensor(ours.tolist()), theirs, atol=1e-6)


def test_losses_refuse_wrong_arguments():
    for make in (nn.CrossEntropyLoss, nn.MSELoss):
        with pytest.raises(ValueError, match="is not a valid value for reduction"):
            make(reduction="max")(ag.zeros(2, 3), ag.zeros(2, 3))
    logits = ag.zeros(2, 3, requires_grad=True)
    with pytest.raises(IndexError, match="out of bounds"):
        nn.functional.cross_entropy(logits, ag.tensor([0, 3]))
    with pytest.raises(IndexError, match="out of bounds"):
        nn.functional.cross_entropy(logits, ag.tensor([0, -1]))
    with pytest.raises((RuntimeError, ValueError)):
        nn.functional.cross_entropy(logits, ag.tensor([0, 1, 2]))
    with pytest.raises(
        TypeError, match=r"cross_entropy\(\): argument 'target' must be Tensor, not list"
    ):
        nn.functional.cross_entropy(logits, [0, 1])
    with pytest.raises(TypeError, match="dim"):
        ag.softmax(logits)
    with pytest.raises(IndexError):
        nn.functional.softmax(logits, 5)


def test_cross_entropy_of_extreme_logits_is_finite():
    logits = ag.tensor([[0.0, 200.0], [1000.0, -1000.0]], requires_grad=True)
    for target in (ag.tensor([1, 0]), ag.tensor([[0.0, 1.0], [1.0, 0.0]])):
        loss = nn.functional.cross_entropy(logits, target)
        loss.backward()
        assert loss.item() == 0
        assert logits.grad.tolist() == [[0, 0], [0, 0]]


def test_small_model_learns():
    ag.manual_seed(1)
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    optimizer = ag.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    x = ag.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    target = ag.tensor([0, 1, 1, 0])
    for _ in range(200):
        loss = nn.functional.cross_entropy(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    assert model(x).argmax(1).tolist() == [0, 1, 1, 0]
