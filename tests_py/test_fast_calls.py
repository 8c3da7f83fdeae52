"""The functions in front of those of ctypes mean the same, whatever they are called with."""

import ctypes
import gc
import operator
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

import autograd as ag
from autograd import _capi
from autograd._capi import lib, of_ctypes
from autograd.tensor import NO_TENSOR

PACKAGE = Path(ag.__file__).parent


def result_of(function, arguments):
    """What a call gives, in a form that can be compared."""
    try:
        result = function(*arguments)
    except Exception as error:  # noqa: BLE001 - the error is compared
        return type(error), str(error)
    if isinstance(result, ag.Tensor):
        return repr(result) if _capi.not_null(result) else ("NULL", lib.ag_last_error())
    return type(result), result


def test_most_functions_have_one():
    assert _capi.fast
    plain = {name for name, native in vars(lib).items() if of_ctypes(native) is native}
    blocking = {name for name, d in _capi.header.functions.items() if d.blocking}
    assert blocking <= plain
    assert {"ag_add", "ag_reshape", "ag_cat", "ag_max_dim", "ag_conv2d"}.isdisjoint(plain)
    assert len(plain - blocking) < 150


class Sub(ag.Tensor):
    pass


class Indexed:
    def __index__(self):
        return 1


class Raises:
    def __index__(self):
        raise ZeroDivisionError("no index")


def name_of(value):
    """What a value looks like, without its address."""
    text = repr(value)
    return type(value).__name__ if " at 0x" in text else text


X = ag.arange(6.0).reshape(2, 3)
HANDLES = [X, ag.nn.Parameter(X), ag.nn.Buffer(X), Sub(X), ctypes.c_void_p(0), NO_TENSOR]
NUMBERS = [
    *(0, 1, -1, -2, 2, 5, -5, True, False, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**53 + 1),
    *(2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**30, 1.0, 1.5, float("nan"), float("inf")),
    *(None, "1", b"1", (1,), [1], {}, X, object(), Indexed(), Raises()),
    *(ctypes.c_int64(1), ctypes.c_int32(1), ctypes.c_int64(-1), ctypes.c_double(1.0), _capi.ZERO),
]
OTHERS = [None, 3, "x", b"abcdefgh", (), [X], object(), ctypes.c_int64(0), ag.float32, Raises()]


@pytest.mark.parametrize("value", [*HANDLES, *OTHERS], ids=lambda value: type(value).__name__)
def test_handles(value):
    for native in (lib.ag_neg, lib.ag_tensor_numel, lib.ag_tensor_id):
        assert result_of(native, (value,)) == result_of(of_ctypes(native), (value,))


@pytest.mark.parametrize("value", NUMBERS, ids=name_of)
@pytest.mark.parametrize(
    "native, before, after",
    [
        (lib.ag_unsqueeze, (X,), ()),  # int64_t
        (lib.ag_transpose, (X,), (0,)),
        (lib.ag_softmax, (X,), (-1,)),
        (lib.ag_to_dtype, (X,), ()),  # an enum
        (lib.ag_sum, (X, None, 0), (-1,)),  # int32_t
        (lib.ag_scalar_double, (), ()),  # double
        (lib.ag_leaky_relu, (X,), ()),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_numbers(native, before, after, value):
    arguments = (*before, value, *after)
    assert result_of(native, arguments) == result_of(of_ctypes(native), arguments)


ARRAYS = [b"\1" + bytes(15), None, {}, object(), X, (ctypes.c_int64 * 2)(1, 0), Raises()]


@pytest.mark.parametrize("value", ARRAYS, ids=lambda value: type(value).__name__)
def test_arrays(value):
    arguments = (X, value, 2)
    ours = result_of(lib.ag_permute, arguments)
    assert ours == result_of(of_ctypes(lib.ag_permute), arguments)


def test_sizes_and_dims_as_sequences():
    """What ctypes does not know: tuples, lists and Size as arrays."""
    ints = ((Indexed(), 6), (3, True), [ag.tensor(6)])
    for sizes in ((3, 2), [3, 2], ag.Size([3, 2]), [6], (), (1,) * 12, *ints):
        numel = 1
        for size in sizes:
            numel *= operator.index(size)
        x = ag.arange(float(numel))
        made = lib.ag_reshape(x, sizes, len(sizes))
        assert made.shape == tuple(map(operator.index, sizes))
    for wrong in (
        (3.0, 2),
        [None],
        ("a",),
        (2**64, 1),
        (1,) * 65,
        ((1, 2),),
        (True, 6),
        [ag.tensor(1.0), 6],
        [ag.tensor([6])],
        [ag.tensor(True), 6],
        {3: 2},
    ):
        with pytest.raises(ctypes.ArgumentError):
            lib.ag_reshape(X, wrong, len(wrong))
    moved = lib.ag_movedim(ag.zeros(2, 3, 4), (0, 1), 2, [2, 0], 2)
    assert moved.shape == (3, 4, 2)


def test_handles_as_sequences():
    for parts in ((X, X), [X, ag.nn.Parameter(X)], [X] * 40):
        joined = lib.ag_cat(parts, len(parts), 0)
        assert joined.shape == (2 * len(parts), 3)
    for wrong in ((X, None), [X, 1], (X, X.numpy()), [X] * 65, {X: X}):
        with pytest.raises(ctypes.ArgumentError):
            lib.ag_cat(wrong, len(wrong), 0)


@pytest.mark.parametrize("arguments", [(), (X,), (X, X, X), (X, X, None)], ids=len)
def test_numbers_of_arguments(arguments):
    ours, of = result_of(lib.ag_add, arguments), result_of(of_ctypes(lib.ag_add), arguments)
    assert ours == of


def test_keywords_are_refused():
    with pytest.raises(TypeError):
        lib.ag_neg(x=X)


def test_exceptions_of_arguments_go_on():
    assert result_of(lib.ag_unsqueeze, (X, Raises())) == result_of(
        of_ctypes(lib.ag_unsqueeze), (X, Raises())
    )


def test_results_are_freed():
    before = ag.memory_allocated()
    for _ in range(100):
        x = lib.ag_neg(X)
        gone = weakref.ref(x)
        assert x.shape == (2, 3)
        del x
        assert gone() is None
    gc.collect()
    assert ag.memory_allocated() <= before + 64


def test_references_are_balanced():
    values = (X, 7_000_001, -1.5, "text", (0, 1), b"0123456789abcdef", None, object())
    counts = [sys.getrefcount(value) for value in values]
    for _ in range(50):
        for value in values:
            result_of(lib.ag_unsqueeze, (X, value))
            if not isinstance(value, (int, str)):  # ctypes takes these for addresses
                result_of(lib.ag_permute, (X, value, 2))
            result_of(lib.ag_scalar_double, (value,))
            result_of(lib.ag_neg, (value,))
            lib.ag_last_status()
    assert [sys.getrefcount(value) for value in values] == pytest.approx(counts, abs=3)


def test_results_are_of_class_tensor():
    assert type(lib.ag_neg(ag.nn.Parameter(X))) is ag.Tensor
    assert type(lib.ag_tensor_numel(X)) is int
    assert lib.ag_tensor_requires_grad(X) == 0


def test_the_library_can_be_told_only_once():
    empty = (ctypes.c_void_p * 40)()
    assert lib.ag_python_start(empty, 20, empty, 12, 16) != 0
    assert lib.ag_python_classes(id(int), id(int), id(int)) != 0
    assert lib.ag_python_function(b"ag_nothing") is None
    assert lib.ag_python_function(b"ag_explain_grad") is None
    assert lib.ag_python_function(None) is None


def test_ctypes_alone_is_enough():
    """Of an interpreter that is not CPython only ctypes is used."""
    program = """
import sys
sys.implementation.name = "another"
import autograd as ag
from autograd import _capi
assert not _capi.fast
model = ag.nn.Sequential(ag.nn.Linear(4, 8), ag.nn.Tanh(), ag.nn.Linear(8, 2))
optimizer = ag.optim.Adam(model.parameters(), lr=1e-2)
x, y = ag.randn(16, 4), ag.randn(16, 2)
losses = []
for _ in range(50):
    optimizer.zero_grad()
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
assert losses[-1] < losses[0]
assert ag.cat((x, x), 1).view(4, -1).permute(1, 0).reshape([32, 4]).shape == (32, 4)
assert [tuple(p.shape) for p in x.split(6)] == [(6, 4), (6, 4), (4, 4)]
assert x.sum((0, 1)).shape == () and x.max(1)[1].shape == (16,)
rows = ag.tensor([1, 3])
assert x[rows].shape == (2, 4) and (x[x > 0] > 0).all() and x[rows, 1:].shape == (2, 3)
x[rows] = 0.0
x[x > 1] = 1.0
assert x[3].tolist() == [0, 0, 0, 0] and x.max() <= 1
assert ag.einsum("ij,ik->jk", x, y).shape == (4, 2) and ag.stack([x, x]).shape == (2, 16, 4)
try:
    x.view(3)
except RuntimeError:
    pass
else:
    raise AssertionError
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(PACKAGE.parent)},
    )
    assert done.returncode == 0, done.stderr
