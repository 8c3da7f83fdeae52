"""Tensors from data, from NumPy arrays and back, and the functions that make new ones."""

import gc
import weakref

import numpy as np
import pytest
import torch
from both_libraries import agree
from pairs import both, same

import autograd as ag

DTYPES = ["float32", "float64", "int32", "int64", "uint8", "bool"]


# ---- creation from data --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        1,
        1.5,
        True,
        [],
        [[]],
        [[], []],
        [1, 2, 3],
        [1, 2.5],
        [True, False],
        [True, 2],
        (1.0, 2.0),
        [[1, 2], [3, 4]],
        [[[1.0]], [[2.0]]],
        range(5),
        [float("nan"), float("inf"), -float("inf")],
        1e40,
        2**40,
    ],
)
def test_tensor_infers_sizes_and_dtype(data):
    assert same(*both(list(data) if isinstance(data, range) else data))
    assert same(ag.tensor(data), torch.tensor(data))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("data", [[0, 1, 2], [0.0, 1.75, 2.5], [True, False], 3])
def test_tensor_converts_to_dtype(data, dtype):
    assert same(*both(data, dtype=getattr(ag, dtype)))


@pytest.mark.parametrize("kind", [float, int, bool])
def test_pythons_types_are_dtypes(kind):
    def made(lib):
        x = lib.ones(2)
        yield from (lib.zeros(2, dtype=kind), lib.tensor([1], dtype=kind), x.to(kind))
        yield from (x.to(dtype=kind), lib.zeros_like(x, dtype=kind), x.sum(dtype=kind))

    assert all(same(ours, theirs) for ours, theirs in zip(made(ag), made(torch)))
    assert ag.promote_types(kind, ag.uint8) is ag.promote_types(
        ag.zeros(0, dtype=kind).dtype, ag.uint8
    )
    for other in (str, object, "float"):
        with pytest.raises(TypeError, match="dtype"):
            ag.zeros(2, dtype=other)


@pytest.mark.parametrize("kind", ["f4", "f8", "i4", "i8", "u1", "?"])
def test_tensor_copies_arrays(kind):
    array = np.arange(6).reshape(2, 3).astype(kind)
    x = ag.tensor(array)
    assert same(x, torch.tensor(array))
    assert same(ag.tensor(array.T), torch.tensor(array.T))
    assert same(ag.tensor(array[:, ::-1]), torch.tensor(array[:, ::-1].copy()))
    assert same(ag.tensor(array[1:1]), torch.tensor(array[1:1]))
    array[0, 0] = 7
    assert int(x[0, 0]) == 0


def test_tensor_takes_array_scalars_and_lists_of_arrays():
    assert same(ag.tensor(np.float64(1.5)), torch.tensor(np.float64(1.5)))
    assert same(ag.tensor(np.array(2)), torch.tensor(np.array(2)))
    rows = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]
    assert ag.tensor(rows).tolist() == [[1, 2], [3, 4]]
    assert ag.tensor([ag.tensor(1.0), ag.tensor(2.0)]).tolist() == [1, 2]


def test_tensor_copies_tensors_without_history():
    x = ag.ones(2, requires_grad=True)
    y = ag.tensor(x * 2)
    assert y.is_leaf
    assert not y.requires_grad
    assert ag.tensor(x, dtype=ag.float64).dtype is ag.float64


def test_ragged_lists_are_refused_as_in_torch():
    for data in ([[1, 2], [1, 2, 3]], [[1], []], [[[1, 2]], [[1, 2], [3, 4]]]):
        with pytest.raises(ValueError, match="expected sequence of length") as theirs:
            torch.tensor(data)
        with pytest.raises(ValueError, match="expected sequence of length") as ours:
            ag.tensor(data)
        assert str(ours.value) == str(theirs.value)
    with pytest.raises(TypeError):
        ag.tensor([[1, 2], 3])
    with pytest.raises((TypeError, ValueError)):
        ag.tensor([3, [1, 2]])


@pytest.mark.parametrize(
    "data", ["text", ["a"], [None], None, {}, [{}], object(), b"bytes", 1j, [1j]]
)
def test_data_that_is_no_number_is_refused(data):
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        ag.tensor(data)


def test_numbers_that_do_not_fit_are_refused():
    for data, dtype in ((2**70, None), (-1, ag.uint8), (300, ag.uint8), (2**40, ag.int32)):
        with pytest.raises(RuntimeError, match="overflow"):
            ag.tensor(data, dtype=dtype)
    with pytest.raises(RuntimeError, match="overflow|convert"):
        ag.tensor(float("nan"), dtype=ag.int64)


def test_wrong_sizes_are_refused():
    for size in ((-1,), (2, -3)):
        with pytest.raises((RuntimeError, ValueError)):
            ag.zeros(*size)
    for size in ((2.5,), ("a",), (None,), (2**70,)):
        with pytest.raises(TypeError):
            ag.zeros(*size)
    for size in ((2**62, 2**62), (2**40, 2**40)):
        with pytest.raises((RuntimeError, MemoryError)):
            ag.empty(*size)
    with pytest.raises((RuntimeError, MemoryError)):
        ag.empty(2**50)


def test_sizes_come_as_numbers_or_as_one_sequence():
    for made in (ag.zeros(2, 3), ag.zeros((2, 3)), ag.zeros([2, 3]), ag.zeros(ag.Size((2, 3)))):
        assert made.shape == (2, 3)
    assert ag.zeros(()).shape == ()
    assert ag.zeros(np.int64(2)).shape == (2,)
    assert ag.zeros(ag.tensor(2)).shape == (2,)


def test_creation_functions_equal_torch():
    for ours, theirs in [
        (ag.arange(5), torch.arange(5)),
        (ag.arange(1, 7, 2), torch.arange(1, 7, 2)),
        (ag.arange(0, 1, 0.25), torch.arange(0, 1, 0.25)),
        (ag.arange(5, 0, -2), torch.arange(5, 0, -2)),
        (ag.arange(3.0), torch.arange(3.0)),
        (ag.linspace(0, 1, 5), torch.linspace(0, 1, 5)),
        (ag.eye(3), torch.eye(3)),
        (ag.eye(2, 3), torch.eye(2, 3)),
        (ag.full((2, 2), 7), torch.full((2, 2), 7)),
        (ag.full((2,), 1.5), torch.full((2,), 1.5)),
        (ag.full((), True), torch.full((), True)),
        (
            ag.zeros_like(ag.ones(2, dtype=ag.int64)),
            torch.zeros_like(torch.ones(2, dtype=torch.int64)),
        ),
        (ag.full_like(ag.ones(2), 3), torch.full_like(torch.ones(2), 3)),
        (ag.ones(2, dtype=ag.bool), torch.ones(2, dtype=torch.bool)),
    ]:
        assert same(ours, theirs)


def test_random_numbers_follow_the_seed():
    def draw():
        ag.manual_seed(3)
        return [
            t.tolist() for t in (ag.rand(3), ag.randn(3), ag.randint(0, 9, (3,)), ag.randperm(5))
        ]

    assert draw() == draw()
    many = ag.randint(2, 5, (1000,))
    assert set(many.tolist()) == {2, 3, 4}
    assert many.dtype is ag.int64
    assert sorted(ag.randperm(50).tolist()) == list(range(50))
    uniform = ag.rand(10000)
    assert 0 <= uniform.min().item() <= uniform.max().item() < 1
    assert abs(uniform.mean().item() - 0.5) < 0.02
    normal = ag.randn(10000)
    assert abs(normal.mean().item()) < 0.05
    assert abs(normal.std().item() - 1) < 0.05


def test_default_dtype_is_used():
    try:
        ag.set_default_dtype(ag.float64)
        assert ag.tensor(1.5).dtype is ag.zeros(1).dtype is ag.float64
    finally:
        ag.set_default_dtype(ag.float32)
    assert ag.get_default_dtype() is ag.float32
    with pytest.raises(TypeError, match="floating-point"):
        ag.set_default_dtype(ag.int64)


# ---- NumPy ---------------------------------------------------------------------------------------


def test_numpy_shares_memory_and_keeps_it_alive():
    x = ag.arange(6, dtype=ag.float32).reshape(2, 3)
    array = x.numpy()
    x[0, 0] = 9
    array[1, 2] = 7
    assert x.tolist() == [[9, 1, 2], [3, 4, 7]]
    assert x.T.numpy().strides == (4, 12)
    del x
    gc.collect()
    ag.zeros(6)
    assert array.tolist() == [[9, 1, 2], [3, 4, 7]]


def test_from_numpy_shares_memory_and_keeps_it_alive():
    array = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    x, view = ag.from_numpy(array), ag.from_numpy(array.T)
    array[0, 1] = 10
    x[1, 0] = 20
    assert x.tolist() == [[0, 10, 2], [20, 4, 5]]
    assert view.stride() == (1, 3)
    assert view[1, 0].item() == 10
    watch = weakref.ref(array)
    del array, x
    gc.collect()
    assert watch() is not None
    del view
    gc.collect()
    assert watch() is None


def test_from_numpy_refuses_what_cannot_be_shared():
    with pytest.raises(TypeError, match="expected np.ndarray"):
        ag.from_numpy([1, 2])
    with pytest.raises(TypeError, match="can't convert np.ndarray"):
        ag.from_numpy(np.zeros(2, np.float16))
    with pytest.raises(ValueError, match="negative"):
        ag.from_numpy(np.zeros(3)[::-1])
    with pytest.raises(ValueError, match="byte order"):
        ag.from_numpy(np.zeros(2, ">f4"))
    read_only = np.zeros(2)
    read_only.flags.writeable = False
    with pytest.warns(UserWarning, match="not writable"):
        ag.from_numpy(read_only)


def test_numpy_of_a_tensor_that_requires_grad_is_refused():
    x = ag.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"Can't call numpy\(\) on Tensor that requires grad"):
        x.numpy()
    assert x.detach().numpy().tolist() == [1, 1]
    assert x.numpy(force=True).tolist() == [1, 1]


def test_numpy_functions_take_tensors():
    x = ag.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert np.asarray(x).tolist() == [[1, 2], [3, 4]]
    assert np.exp(x)[0, 0] == np.exp(np.float32(1))
    assert np.array(x, dtype=np.float64).dtype == np.float64
    assert np.asarray(ag.nn.Parameter(x).detach()).tolist() == [[1, 2], [3, 4]]
    assert np.asarray(ag.zeros(0, 3)).shape == (0, 3)
    assert np.asarray(ag.tensor(True)).dtype == np.bool_
    for view in (memoryview, bytearray):
        with pytest.raises((TypeError, BufferError)):
            view(ag.nn.Parameter(ag.tensor(1.0)))


def test_array_scalars_are_operands():
    x = ag.tensor([1.0, 2.0])
    assert (x * np.float64(2)).tolist() == [2, 4]
    assert (x + np.float32(0.5)).tolist() == [1.5, 2.5]
    assert (x + np.int64(1)).tolist() == [2, 3]
    assert (x + np.int64(1)).dtype is ag.float32


def test_sizes_and_strides_are_chosen():
    def scenario(lib, nn):
        x = lib.empty_strided((2, 3), (1, 2), dtype=lib.float64, requires_grad=True)
        others = [
            lib.empty_strided(size, stride)
            for size, stride in (((0, 3), (5, 5)), ((), ()), ([2, 2], [0, 0]), ((3,), (4,)))
        ]
        made = [x, *others, x.new_empty_strided((2,), (3,))]
        return [(list(t.shape), list(t.stride()), t.requires_grad, t.is_leaf) for t in made]

    agree(scenario)


@pytest.mark.parametrize("size, stride", [((2,), (1, 2)), ((-1,), (1,)), ((2,), (-1,)), (2, 1)])
def test_sizes_and_strides_that_make_no_tensor(size, stride):
    assert agree(lambda lib, nn: lib.empty_strided(size, stride))[0] == "raises"
