"""Class Tensor as Python sees it: properties, numbers, operators, shapes, copies."""

import copy
import math
import pickle
import threading
import weakref

import pytest
import torch
from pairs import both, same

import autograd as ag

DTYPES = ["float32", "float64", "int32", "int64", "uint8", "bool"]


# ---- properties ----------------------------------------------------------------------------------


def test_properties():
    x = ag.zeros(2, 3, 4)
    assert x.shape == x.size() == (2, 3, 4)
    assert isinstance(x.shape, ag.Size)
    assert repr(x.shape) == "Size([2, 3, 4])"
    assert repr(x.shape[1:]) == "Size([3, 4])"
    assert x.shape.numel() == x.numel() == x.nelement() == 24
    assert (x.size(0), x.size(-1)) == (2, 4)
    assert x.ndim == x.dim() == 3
    assert x.stride() == (12, 4, 1)
    assert x.stride(1) == 4
    assert (x.element_size(), x.itemsize, x.nbytes) == (4, 4, 96)
    assert x.is_contiguous()
    assert not x.T.is_contiguous()
    assert x[1].storage_offset() == 12
    assert x[1].data_ptr() == x.data_ptr() + 48
    assert x.dtype is ag.float32
    assert str(x.device) == "cpu"
    assert x.device.type == "cpu"
    assert x.is_floating_point()
    assert len(x) == 2
    assert ag.zeros(*[1] * 12).shape == (1,) * 12


@pytest.mark.parametrize("dim", [3, -4])
def test_dims_out_of_range_are_refused(dim):
    with pytest.raises(
        IndexError, match=r"Dimension out of range \(expected to be in range of \[-3, 2\]"
    ):
        ag.zeros(2, 3, 4).size(dim)


def test_dtype_objects():
    assert repr(ag.float32) == "autograd.float32"
    assert ag.float is ag.float32
    assert ag.double is ag.float64
    assert (ag.int, ag.long, ag.bool) == (ag.int32, ag.int64, ag.bool_)
    assert repr(ag.bool) == "autograd.bool"
    assert ag.float64.itemsize == 8
    assert ag.float64.is_floating_point
    assert pickle.loads(pickle.dumps([ag.float32, ag.bool])) == [ag.float32, ag.bool]
    assert pickle.loads(pickle.dumps(ag.int64)) is ag.int64


def test_attributes_may_be_set_and_objects_watched():
    x = ag.zeros(2)
    x.tag = "mine"
    assert x.tag == "mine"
    watch = weakref.ref(x)
    assert watch() is x
    del x
    assert watch() is None
    with pytest.raises(AttributeError):
        _ = ag.zeros(1).no_such_thing


def test_dir_lists_ops_and_hides_ctypes():
    names = dir(ag.zeros(1))
    assert {"sigmoid", "reshape", "backward", "grad", "T"} <= set(names)
    assert not {"value", "_objects", "_b_base_"} & set(names)
    with pytest.raises(AttributeError):
        _ = ag.zeros(1).value


def test_identity_is_the_hash():
    x, y = ag.ones(2), ag.ones(2)
    assert len({x, y, x}) == 2
    assert {x: 1}[x] == 1


def test_constructor_copies_data():
    assert ag.Tensor([1, 2]).tolist() == [1.0, 2.0]
    assert ag.Tensor([1, 2]).dtype is ag.float32
    assert ag.Tensor().shape == (0,)


# ---- one element ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_item_gives_a_python_number(dtype):
    ours, theirs = both([[1]], dtype=getattr(ag, dtype))
    assert ours.item() == theirs.item()
    assert type(ours.item()) is type(theirs.item())
    assert type(ours.tolist()[0][0]) is type(theirs.tolist()[0][0])


def test_numbers_from_tensors():
    x = ag.tensor(2.75)
    assert (float(x), int(x), bool(x)) == (2.75, 2, True)
    assert f"{x:.1f}" == "2.8"
    assert [10, 20, 30][ag.tensor(1)] == 20
    assert list(range(ag.tensor(3))) == [0, 1, 2]
    assert math.isclose(math.sqrt(ag.tensor(4.0)), 2)
    assert not ag.tensor(0.0)
    assert ag.tensor([[0.5]])


def test_numbers_from_tensors_of_other_sizes_are_refused():
    for x in (ag.zeros(2), ag.zeros(0)):
        with pytest.raises(RuntimeError, match=r"cannot be converted to Scalar|numel|one element"):
            x.item()
        with pytest.raises(RuntimeError, match="ambiguous"):
            bool(x)
    with pytest.raises(TypeError, match="only integer tensors of a single element"):
        _ = [1, 2][ag.tensor(1.0)]
    with pytest.raises(TypeError, match="0-d"):
        len(ag.tensor(1.0))
    with pytest.raises(TypeError, match="iteration over a 0-d tensor"):
        iter(ag.tensor(1.0))


def test_iteration_and_containment():
    x = ag.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert [row.tolist() for row in x] == [[1, 2], [3, 4]]
    a, b = x
    assert b.tolist() == [3, 4]
    assert 3 in x
    assert 5 not in x


@pytest.mark.parametrize(
    "shape", [(), (0,), (1,), (3,), (2, 3), (0, 2), (2, 0), (2, 0, 3), (2, 1, 2)]
)
def test_tolist_equals_torch(shape):
    count = math.prod(shape)
    assert ag.arange(count).reshape(shape).tolist() == torch.arange(count).reshape(shape).tolist()
    theirs = torch.arange(count).reshape(shape)
    assert ag.arange(count).reshape(shape).T.tolist() == theirs.numpy().T.tolist()


# ---- operators -----------------------------------------------------------------------------------

OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@pytest.mark.parametrize("symbol", OPERATORS)
@pytest.mark.parametrize("other", [2, 2.5, 0.0, -1.0, True, [3.0, 4.0, 5.0], [[1.0], [2.0]]])
def test_operators_equal_torch(symbol, other):
    operate = OPERATORS[symbol]
    x, y = both([1.0, 2.0, 3.0])
    if symbol == "-" and other is True:
        for refused in (lambda: x - True, lambda: True - x):
            with pytest.raises(RuntimeError, match="with a bool tensor is not supported"):
                refused()
        return
    a, b = (other, other) if not isinstance(other, list) else both(other)
    assert same(operate(x, a), operate(y, b))
    assert same(operate(a, x), operate(b, y))


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "=="])
def test_operators_promote_numbers_as_torch_does(symbol):
    for dtype in DTYPES:
        for number in (2, 2.5, True):
            if symbol == "-" and dtype == "bool":
                continue
            if symbol == "-" and number is True:
                continue
            ours, theirs = both([1, 0], dtype=getattr(ag, dtype))
            assert same(OPERATORS[symbol](ours, number), OPERATORS[symbol](theirs, number)), (
                dtype,
                number,
            )


def test_unary_operators_and_matmul():
    x, y = both([[1.0, -2.0], [3.0, 4.0]])
    assert same(-x, -y)
    assert same(abs(x), abs(y))
    assert same(x @ x, y @ y)
    assert same(x.T, y.T)
    assert same(x.mT, y.mT)


def test_operators_leave_other_types_to_python():
    x = ag.ones(2)
    for wrong in ("a", None, [1, 2], object()):
        with pytest.raises(TypeError, match="unsupported operand"):
            x + wrong
        with pytest.raises(TypeError):
            wrong + x
        assert (x == wrong) is False
        assert (x != wrong) is True
        with pytest.raises(TypeError):
            x < wrong  # noqa: B015
    with pytest.raises(TypeError):
        x @ 2
    with pytest.raises(TypeError):
        x += "a"


def test_functions_name_the_wrong_argument():
    x = ag.ones(2)
    with pytest.raises(
        TypeError, match=r"add\(\): argument 'other' must be Tensor or number, not str"
    ):
        ag.add(x, "a")
    with pytest.raises(TypeError, match=r"mul\(\): argument 'input' must be Tensor"):
        ag.mul("a", x)
    with pytest.raises(TypeError, match=r"matmul\(\): argument 'other' must be Tensor, not list"):
        ag.matmul(x, [1])
    with pytest.raises(
        TypeError, match=r"mul_\(\): argument 'other' must be Tensor or number, not NoneType"
    ):
        x.mul_(None)
    with pytest.raises(TypeError, match=r"transpose\(\): argument 'dim0' must be int, not str"):
        x.transpose("a", 0)
    with pytest.raises(
        TypeError, match=r"cat\(\): expected Tensor as element 1 in argument 'tensors', but got int"
    ):
        ag.cat([x, 3])
    with pytest.raises(
        TypeError, match=r"where\(\): argument 'condition' must be Tensor, not bool"
    ):
        ag.where(True, x, x)


@pytest.mark.parametrize("first", [0.0, -0.0, 1, 1.0, True, False, float("nan"), float("inf")])
def test_wrapped_numbers_are_never_mixed_up(first):
    for number in (first, 0.0, -0.0, 0, False, 1, 1.0, True, float("nan")):
        one, other = ag.ones(1, dtype=ag.int64), torch.ones(1, dtype=torch.int64)
        assert same(one * number, other * number)
    assert math.copysign(1, (ag.ones(1) * -0.0).item()) == -1
    assert math.copysign(1, (ag.ones(1) * 0.0).item()) == 1


def test_store_of_wrapped_numbers_is_bounded():
    from autograd import operands

    x = ag.ones(1)
    for i in range(3000):
        assert (x + float(i)).item() == i + 1
        assert (x + i).item() == i + 1
    assert all(len(known) <= operands._LIMIT for known in operands._numbers.values())


def test_in_place_operators_keep_the_object():
    x = ag.ones(3)
    same_object = x
    x += 1
    x *= ag.tensor([1.0, 2.0, 3.0])
    x -= 0.5
    x /= 2
    x **= 2
    assert x is same_object
    assert x.tolist() == [0.5625, 3.0625, 7.5625]
    assert x.zero_() is x
    assert x.fill_(3).copy_(ag.tensor([1, 2, 3])).tolist() == [1, 2, 3]
    assert x.add_(ag.ones(3), alpha=2).sub_(1, alpha=2).tolist() == [1, 2, 3]
    with pytest.raises(RuntimeError):
        x += ag.ones(2, 3)
    with pytest.raises(RuntimeError, match="can't be cast|cannot be cast"):
        ag.ones(2, dtype=ag.int64).add_(0.5)


def test_clamp_bounds():
    x, y = both([-2.0, 0.5, 3.0])
    assert same(x.clamp(-1, 1), y.clamp(-1, 1))
    assert same(x.clamp(min=0), y.clamp(min=0))
    assert same(
        ag.clamp(x, max=ag.tensor([0.0, 0.0, 5.0])),
        torch.clamp(y, max=torch.tensor([0.0, 0.0, 5.0])),
    )
    with pytest.raises((RuntimeError, ValueError)):
        x.clamp()


def test_max_and_min_have_three_forms():
    x, y = both([[1.0, 5.0], [7.0, 2.0]])
    assert x.max().item() == 7
    values, indices = x.max(1)
    assert (values.tolist(), indices.tolist()) == ([5, 7], [1, 0])
    assert x.min(dim=0, keepdim=True).values.shape == (1, 2)
    assert same(x.max(ag.ones(2)), y.max(torch.ones(2)))
    assert same(ag.min(x, ag.ones(2)), torch.min(y, torch.ones(2)))


def test_comparison_helpers():
    x = ag.tensor([1.0, 2.0])
    assert ag.equal(x, x.clone())
    assert not ag.equal(x, ag.ones(2))
    assert not ag.equal(x, ag.ones(3))
    assert ag.allclose(x, x + 1e-7)
    assert not ag.allclose(x, x + 1)
    assert (x > 0).all()
    assert not (x > 1).all()
    assert (x > 1).any()
    assert (x > 1).any(0).item() is True
    nan = ag.tensor(float("nan"))
    assert not ag.allclose(nan, nan)
    assert ag.allclose(nan, nan, equal_nan=True)
    assert ag.allclose(ag.tensor(float("inf")), ag.tensor(float("inf")))


# ---- shapes --------------------------------------------------------------------------------------


def test_shape_functions_take_numbers_or_a_sequence():
    x = ag.arange(6)
    for made in (
        x.reshape(2, 3),
        x.reshape((2, 3)),
        x.view(2, -1),
        x.view([2, 3]),
        ag.reshape(x, (2, 3)),
    ):
        assert made.tolist() == [[0, 1, 2], [3, 4, 5]]
    y = x.reshape(1, 2, 3)
    for made in (y.permute(2, 0, 1), y.permute((2, 0, 1)), ag.permute(y, (2, 0, 1))):
        assert made.shape == (3, 1, 2)
    assert x.expand(2, -1).shape == x.expand((2, 6)).shape == (2, 6)
    assert y.flatten().shape == (6,)
    assert y.squeeze().shape == y.squeeze(0).shape == y.squeeze((0,)).shape == (2, 3)
    assert y.squeeze(()).shape == (1, 2, 3)
    assert y.unsqueeze(-1).shape == (1, 2, 3, 1)
    assert x.view_as(y).shape == y.shape
    assert len(ag.zeros(200).split(1)) == 200
    assert [part.tolist() for part in x.split(4)] == [[0, 1, 2, 3], [4, 5]]
    assert [part.tolist() for part in x.split([1, 2, 3])] == [[0], [1, 2], [3, 4, 5]]
    assert [part.tolist() for part in ag.chunk(x, 4)] == [
        part.tolist() for part in torch.arange(6).chunk(4)
    ]
    assert [part.tolist() for part in y.unbind(1)] == [[[0, 1, 2]], [[3, 4, 5]]]
    assert x.narrow(0, 1, 3).tolist() == [1, 2, 3]
    assert ag.stack([x, x], dim=1).shape == (6, 2)
    assert ag.cat((x, x)).shape == (12,)


def test_shape_functions_refuse_wrong_sizes():
    x = ag.arange(6)
    with pytest.raises(RuntimeError, match="invalid for input of size 6"):
        x.reshape(4, 2)
    with pytest.raises(TypeError):
        x.reshape(2.0, 3)
    with pytest.raises(TypeError):
        x.reshape("2", 3)
    with pytest.raises(RuntimeError):
        x.reshape(2, 3).T.view(6)
    with pytest.raises(RuntimeError):
        x.split(-1)
    with pytest.raises(RuntimeError):
        x.chunk(0)
    with pytest.raises((RuntimeError, ValueError)):
        ag.cat([])
    with pytest.raises(TypeError):
        ag.cat(5)
    with pytest.raises(RuntimeError, match="t\\(\\) expects a tensor with <= 2 dimensions"):
        ag.zeros(2, 2, 2).t()


def test_conversions():
    x = ag.tensor([1.7, 0.0])
    for name in ("float", "double", "int", "long", "bool"):
        assert same(getattr(x, name)(), getattr(torch.tensor([1.7, 0.0]), name)())
    assert x.to(ag.float32) is x
    assert x.to("cpu") is x
    assert x.to(x.device, ag.float64).dtype is ag.float64
    assert x.to(ag.zeros(1, dtype=ag.int32)).dtype is ag.int32
    assert x.type_as(ag.zeros(1, dtype=ag.float64)).dtype is ag.float64
    assert x.to(dtype=ag.float32, copy=True) is not x
    with pytest.raises(RuntimeError, match="not available"):
        x.to("cuda")
    with pytest.raises(RuntimeError, match="not available"):
        x.to(3)  # the number of a device


# ---- copies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_pickle_keeps_everything(dtype):
    x = ag.tensor([[0, 1], [1, 0]], dtype=getattr(ag, dtype))
    y = pickle.loads(pickle.dumps(x.T))
    assert y.tolist() == x.T.tolist()
    assert y.dtype is x.dtype
    leaf = ag.ones(2, requires_grad=True)
    leaf.tag = 5
    copied = pickle.loads(pickle.dumps(leaf))
    assert copied.requires_grad
    assert copied.tag == 5
    assert type(pickle.loads(pickle.dumps(ag.nn.Parameter(leaf)))) is ag.nn.Parameter
    with pytest.raises(RuntimeError, match="history"):
        pickle.dumps(leaf * 2)


def test_copies():
    x = ag.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    deep = copy.deepcopy(x)
    assert deep.requires_grad
    assert deep.grad.tolist() == [2, 2]
    with ag.no_grad():
        deep.add_(1)
    assert x.tolist() == [1, 1]
    shallow = copy.copy(x)
    assert shallow.data_ptr() == x.data_ptr()
    assert shallow.requires_grad
    a, b = copy.deepcopy([x, x])
    assert a is b
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(x * 2)
    assert type(copy.deepcopy(ag.nn.Parameter(x))) is ag.nn.Parameter


def test_data_shares_memory_and_can_be_set():
    x = ag.ones(2, requires_grad=True)
    x.data -= 0.5
    assert x.tolist() == [0.5, 0.5]
    assert x.requires_grad
    assert not x.data.requires_grad
    x.data = ag.zeros(3, dtype=ag.float64)
    assert x.tolist() == [0, 0, 0]
    assert x.dtype is ag.float64
    assert x.is_leaf
    assert x.requires_grad
    with pytest.raises(TypeError):
        x.data = 5


# ---- threads -------------------------------------------------------------------------------------


def test_threads_work_side_by_side():
    failures = []

    def work(seed):
        try:
            x = ag.full((32, 32), 0.01 * (seed + 1))
            for _ in range(50):
                y = (x @ x).sum() + 1.5
            assert math.isclose(y.item(), (x.numpy() @ x.numpy()).sum() + 1.5, rel_tol=1e-4)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


SHAPES_OF_EVERY_KIND = [(), (0,), (1,), (2, 3), (3, 2), (0, 3), (1,) * 12, (31,) * 3, (2**20, 0)]


def test_shapes_are_told_apart():
    """Sizes near the limits of the number by which shapes are known."""
    limits = [2**bits + more for bits in (4, 9, 14, 19, 29, 31) for more in (-1, 0, 1)]
    shapes = SHAPES_OF_EVERY_KIND + [(size,) * n for n in (1, 2, 3, 4, 6) for size in limits]
    for shape in shapes + [(0, *shape[1:]) for shape in shapes if shape]:
        if math.prod(max(size, 1) for size in shape) < 2**57:
            for _ in range(2):
                tensor = ag.empty(shape) if 0 in shape else ag.empty(()).expand(shape)
                assert tensor.shape == shape
