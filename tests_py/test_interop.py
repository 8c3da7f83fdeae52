"""Memory shared with NumPy, PyTorch and buffers: both sides see the changes, and nothing is freed too early."""

import array
import copy
import gc
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from both_libraries import agree

import autograd as ag
from autograd import nn

DTYPES = ["float32", "float64", "int32", "int64", "uint8", "bool"]


def sample(dtype, sizes=(3, 4)):
    return (torch.randn(sizes) * 3).to(getattr(torch, dtype))


LAYOUTS = {
    "plain": lambda t: t,
    "transposed": lambda t: t.T,
    "strided": lambda t: t[::2, 1:3],
    "row": lambda t: t[1],
    "scalar": lambda t: t[1, 2],
    "empty": lambda t: t[:0],
    "one": lambda t: t[:1, :1],
}


# ---- DLPack --------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dlpack_from_torch(dtype, layout):
    theirs = LAYOUTS[layout](sample(dtype))
    ours = ag.from_dlpack(theirs)
    assert str(ours.dtype).split(".")[1] == dtype
    assert ours.tolist() == theirs.tolist()
    assert tuple(ours.shape) == tuple(theirs.shape)
    if theirs.numel():
        assert ours.data_ptr() == theirs.data_ptr()
        theirs.fill_(1)
        assert ours.tolist() == theirs.tolist()
        ours.zero_()
        assert not theirs.any()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("other", [torch.from_dlpack, np.from_dlpack])
def test_dlpack_to_others(dtype, layout, other):
    ours = LAYOUTS[layout](ag.tensor(sample(dtype).numpy()))
    theirs = other(ours)
    assert str(theirs.dtype).split(".")[-1] == dtype
    assert tuple(theirs.shape) == tuple(ours.shape)
    assert theirs.tolist() == ours.tolist()
    ours.fill_(1)
    assert theirs.tolist() == ours.tolist()


def test_dlpack_from_numpy():
    a = np.arange(6.0).reshape(2, 3)
    ours = ag.from_dlpack(a)
    a[0, 0] = 7
    assert ours.tolist() == a.tolist()
    assert ag.from_dlpack(a, copy=True).data_ptr() != ours.data_ptr()
    a.flags.writeable = False
    with pytest.warns(UserWarning, match="not writable"):
        ag.from_dlpack(a)
    with pytest.raises(ValueError, match="negative"):
        ag.from_dlpack(np.arange(3.0)[::-1])


def test_dlpack_keeps_memory_alive():
    theirs = torch.arange(1000.0)
    ours = ag.from_dlpack(theirs)
    expected = theirs.tolist()
    del theirs
    gc.collect()
    torch.zeros(1000)
    assert ours.tolist() == expected
    mine = ag.arange(1000.0)
    view = torch.from_dlpack(mine)
    # The tensor gets other memory; the lent one stays.
    mine.data = ag.zeros(1000)
    gc.collect()
    ag.zeros(1000)
    assert view.tolist() == expected


def test_dlpack_memory_is_given_back():
    before = ag.memory_allocated()
    for _ in range(3):
        torch.from_dlpack(ag.zeros(1 << 16))
        np.from_dlpack(ag.zeros(1 << 16))
        ag.zeros(1 << 16).__dlpack__()
        ag.zeros(1 << 16).__dlpack__(max_version=(1, 0))
        ag.from_dlpack(ag.zeros(1 << 16))
    gc.collect()
    assert ag.memory_allocated() - before < 1 << 16


def test_dlpack_capsules_are_used_once():
    for options in ({}, {"max_version": (1, 0)}):
        capsule = ag.ones(2).__dlpack__(**options)
        assert ag.from_dlpack(capsule).tolist() == [1, 1]
        with pytest.raises(RuntimeError, match="invalid capsule"):
            ag.from_dlpack(capsule)
    assert "dltensor_versioned" in repr(ag.ones(1).__dlpack__(max_version=(1, 2)))
    assert '"dltensor"' in repr(ag.ones(1).__dlpack__(max_version=(0, 8)))
    # The type is refused before the capsule is used up: it can go elsewhere.
    capsule = torch.ones(2, dtype=torch.complex64).__dlpack__()
    with pytest.raises(TypeError, match="not supported"):
        ag.from_dlpack(capsule)
    assert torch.from_dlpack(capsule).numel() == 2


def test_dlpack_errors():
    with pytest.raises(BufferError, match="require gradient"):
        ag.ones(1, requires_grad=True).__dlpack__()
    with pytest.raises(AssertionError, match="stream"):
        ag.ones(1).__dlpack__(stream=1)
    with pytest.raises(BufferError, match="not on device"):
        ag.ones(1).__dlpack__(dl_device=(2, 0))
    for wrong in (3, "x", None, object(), ag.ones):
        with pytest.raises(RuntimeError, match="invalid capsule"):
            ag.from_dlpack(wrong)
    with pytest.raises(TypeError, match="16 bits are not supported"):
        ag.from_dlpack(torch.ones(1, dtype=torch.float16))
    with pytest.raises(RuntimeError, match="not available"):
        ag.from_dlpack(torch.ones(1), device="cuda")
    assert ag.ones(1).__dlpack_device__() == (1, 0)
    assert ag.ones(2).__dlpack__(copy=True) is not None


def test_torch_tensors_as_data():
    theirs = torch.randn(3, 2, requires_grad=True)
    copied = ag.tensor(theirs)
    assert copied.tolist() == theirs.tolist()
    assert not copied.requires_grad
    assert copied.data_ptr() != theirs.data_ptr()
    assert ag.tensor(theirs.T, dtype=ag.float64).tolist() == theirs.T.double().tolist()
    assert ag.as_tensor(theirs).data_ptr() == theirs.data_ptr()
    assert ag.as_tensor(theirs, dtype=ag.int64).dtype is ag.int64
    assert ag.tensor([theirs[0, 0].detach(), 2.0]).shape == (2,)


# ---- NumPy and buffers ---------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_both_ways(dtype, layout):
    ours = LAYOUTS[layout](ag.tensor(sample(dtype).numpy()))
    a = np.asarray(ours)
    assert a.dtype == dtype
    assert a.tolist() == ours.tolist()
    back = ag.from_numpy(a)
    back.fill_(1)
    assert ours.tolist() == back.tolist()


def test_buffers():
    data = array.array("f", [1.5, 2.0, 3.0])
    ours = ag.frombuffer(data, dtype=ag.float32)
    data[0] = 9
    ours[1] = 4
    assert ours.tolist() == data.tolist() == [9, 4, 3]
    assert ag.frombuffer(data, dtype=ag.float32, count=1, offset=4).tolist() == [4]
    assert ag.frombuffer(bytearray(8), dtype=ag.float64, requires_grad=True).requires_grad
    with pytest.warns(UserWarning, match="not writable"):
        constant = ag.frombuffer(b"\1\2", dtype=ag.uint8)
    gc.collect()
    assert constant.tolist() == [1, 2]
    for mine, options in (
        (bytearray(7), {}),
        (bytearray(8), {"count": 3}),
        (bytearray(8), {"offset": 8}),
        (bytearray(8), {"offset": -1}),
        (bytearray(8), {"count": 0}),
        (bytearray(8), {"offset": 3}),
        (b"", {}),
        ("text", {}),
        (3, {}),
    ):
        with pytest.raises(ValueError):
            ag.frombuffer(mine, dtype=ag.int32, **options)
        with pytest.raises(ValueError):
            torch.frombuffer(mine, dtype=torch.int32, **options)
    with pytest.raises(TypeError, match="'dtype' must be"):
        ag.frombuffer(bytearray(8), dtype=3)
    assert ag.tensor(array.array("d", [1, 2])).dtype is ag.float32
    assert ag.tensor(bytearray(b"ab")).tolist() == [97, 98]
    assert ag.tensor(memoryview(b"ab")).dtype is ag.int64
    with pytest.raises(TypeError):
        ag.tensor(b"ab")


# ---- copies --------------------------------------------------------------------------------------


def copies(value):
    return [copy.deepcopy(value), *(pickle.loads(pickle.dumps(value, p)) for p in range(2, 6))]


def test_copies_of_tensors():
    x = ag.randn(3, 2).t().requires_grad_()
    p = nn.Parameter(ag.ones(2), requires_grad=False)
    for one, two, three in copies((x, p, x)):
        assert one is three
        assert one.tolist() == x.tolist()
        assert one.requires_grad
        assert isinstance(two, nn.Parameter)
        assert not two.requires_grad
    y = x * 2
    for function in (copy.deepcopy, pickle.dumps):
        with pytest.raises(RuntimeError):
            function(y)
    theirs = torch.ones(1, requires_grad=True) * 2
    with pytest.raises(RuntimeError):
        copy.deepcopy(theirs)
    assert copy.copy(x).data_ptr() == x.data_ptr()


def test_copies_of_gradients():
    """deepcopy of a tensor takes the gradient along, that of a Parameter does not; as in PyTorch."""
    for lib in (ag, torch):
        x = lib.ones(2, requires_grad=True)
        p = lib.nn.Parameter(lib.ones(2))
        (x * p).sum().backward()
        assert copy.deepcopy(x).grad.tolist() == [1, 1]
        assert copy.deepcopy(p).grad is None


def test_copies_of_optimizers():
    model = nn.Linear(2, 1)
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(model, optimizer):
        optimizer.zero_grad()
        model(ag.ones(1, 2)).sum().backward()
        optimizer.step()
        return model.weight.tolist()

    step(model, optimizer)
    others = copies((model, optimizer))
    expected = step(model, optimizer)
    for other, its_optimizer in others:
        assert its_optimizer.param_groups[0]["params"][0] is other.weight
        assert step(other, its_optimizer) == expected


# ---- the array interface


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8", "bool"])
def test_array_interface_shares_memory(dtype):
    x = ag.arange(12).reshape(3, 4).to(getattr(ag, dtype))
    for part in (x, x.T, x[1:, ::2], x[1], x[1, 2], x[:0]):
        array = np.asarray(SimpleNamespace(__array_interface__=part.__array_interface__))
        assert array.dtype == dtype and array.tolist() == part.tolist()
    array = np.asarray(x.T)
    array[1, 0] = 0
    assert x[0, 1].item() == 0


def test_array_interface_outlives_the_tensor_and_its_data():
    x = ag.ones(1000)
    array = np.asarray(SimpleNamespace(__array_interface__=x.__array_interface__))
    x.data = ag.zeros(1000)
    ag.release_memory()
    more = [ag.full((1000,), 7.0) for _ in range(10)]
    assert array.sum() == 1000 and len(more) == 10


def test_array_interface_of_what_requires_grad_is_refused():
    x = ag.ones(2, requires_grad=True)
    assert not hasattr(x, "__array_interface__")
    with pytest.raises(RuntimeError, match="detach"):
        np.asarray(x)


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0), (0, 2), (2, 1, 3), (7, 300)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8", "bool"])
def test_tolist(dtype, shape):
    values = (np.arange(np.prod(shape)) * 0.7 - 1.3).reshape(shape).astype(dtype)
    ours, theirs = ag.from_numpy(values).tolist(), torch.from_numpy(values).tolist()
    assert repr(ours) == repr(theirs)


def test_tolist_of_views_parameters_and_odd_calls():
    x = ag.arange(12.0).reshape(3, 4)
    assert x.T[1:, ::2].tolist() == [[1.0, 9.0], [2.0, 10.0], [3.0, 11.0]]
    assert x[0].expand(2, 4).tolist() == [[0.0, 1.0, 2.0, 3.0]] * 2
    assert ag.nn.Parameter(ag.ones(2)).tolist() == [1.0, 1.0]
    assert ag.tensor([float("nan"), float("-inf")]).tolist()[1] == float("-inf")
    with pytest.raises(TypeError):
        x.tolist(1)
    with pytest.raises(TypeError):
        ag.Tensor.tolist(3)


@pytest.mark.parametrize(
    "name, call",
    {
        "sin": lambda lib, x: np.sin(x),
        "isnan": lambda lib, x: np.isnan(x),
        "reduce": lambda lib, x: np.add.reduce(x),
        "argmax": lambda lib, x: np.argmax(x),
        "two tensors": lambda lib, x: np.maximum(x, x),
        "array first": lambda lib, x: np.multiply(np.ones(3), x),
        "operator": lambda lib, x: x * np.ones(3, dtype=np.float32),
        "wider operator": lambda lib, x: x / np.ones((2, 3)),
        "several results": lambda lib, x: np.frexp(x),
        "concatenate": lambda lib, x: lib.tensor(np.concatenate([x, x])),
        "number": lambda lib, x: np.float64(2) * x,
        "array operator": lambda lib, x: np.ones(3) * x,
        "requires grad": lambda lib, x: np.sin(x.requires_grad_()),
    }.items(),
)
@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
def test_numpy_functions_give_tensors(name, call):
    agree(lambda lib, nn: call(lib, lib.tensor([1.0, -2.0, 0.5])))
