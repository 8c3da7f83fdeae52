"""Kinds of numbers: what is asked about them, what two become together, old names of tensors by type; as in PyTorch."""

import math

import pytest
import torch
from both_libraries import agree, outcome

import autograd as ag

NAMES = ("float32", "float64", "int32", "int64", "uint8", "bool")
OLD_NAMES = ("FloatTensor", "DoubleTensor", "IntTensor", "LongTensor", "ByteTensor", "BoolTensor")


@pytest.mark.parametrize("name", NAMES)
def test_questions(name):
    def ask(lib, nn):
        x, one = lib.zeros(2, dtype=getattr(lib, name)), lib.ones(1, dtype=getattr(lib, name))
        asked = [lib.is_floating_point, lib.is_signed, lib.is_complex]
        return [
            *[question(x) for question in asked],
            *[x.is_floating_point(), x.is_signed(), x.is_complex()],
            *[lib.is_nonzero(one), one.is_nonzero(), lib.is_nonzero(x[:1])],
            *[lib.is_same_size(x, one), x.is_same_size(lib.ones(2))],
        ]

    agree(ask)


def test_is_nonzero_of_several():
    assert agree(lambda lib, nn: lib.is_nonzero(lib.ones(2))) == ("raises", "RuntimeError")


@pytest.mark.parametrize("first", NAMES)
@pytest.mark.parametrize("second", NAMES)
def test_types_that_meet(first, second):
    def meet(lib, nn):
        a, b = getattr(lib, first), getattr(lib, second)
        many, single = lib.ones(2, dtype=a), lib.ones((), dtype=b)
        return [
            *[str(lib.promote_types(a, b)), lib.can_cast(a, b)],
            *[str(lib.result_type(many, lib.ones(2, dtype=b))), str(lib.result_type(many, single))],
            *[str(lib.result_type(single, many)), str((many + single).dtype)],
            *[str(lib.result_type(many, number)) for number in (True, 2, 2.5)],
            *[str(lib.result_type(number, single)) for number in (True, 2, 2.5)],
        ]

    agree(meet)


def test_types_that_meet_badly():
    for bad in (
        lambda lib, nn: lib.promote_types(3, lib.int32),
        lambda lib, nn: lib.can_cast("float32", lib.int32),
        lambda lib, nn: lib.result_type(lib.ones(2), "a"),
    ):
        assert agree(bad) == ("raises", "TypeError")


@pytest.mark.parametrize("name", OLD_NAMES)
@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (3,),
        (2, 3),
        ([1, 2],),
        ([[1], [0]],),
        ((2, 3),),
        ([],),
        (2.5,),
        ("a",),
        (-1,),
        ((2,), 3),
    ],
)
def test_old_constructors(name, arguments):
    def make(lib, nn):
        made = getattr(lib, name)(*arguments)
        has_data = arguments and isinstance(arguments[0], (list, tuple))
        return [made.dtype, list(made.shape), made if has_data else None]

    agree(make)


def test_constructors_take_tensors_of_their_type_and_sizes():
    for name in ("Tensor", *OLD_NAMES):
        make = getattr(ag, name)
        kind = ag.float32 if name == "Tensor" else make.dtype
        x = ag.ones(2, dtype=kind)
        assert make(x).data_ptr() == x.data_ptr()
        assert make(x.shape).shape == (2,)
        other = ag.ones(2, dtype=ag.int32 if kind is ag.float32 else ag.float32)
        with pytest.raises(TypeError, match=r"got one of .*use to\(\)"):
            make(other)
    assert agree(lambda lib, nn: lib.Tensor(2, 3).shape) == "Size([2, 3])"


@pytest.mark.parametrize("name", OLD_NAMES)
def test_type(name):
    def ask(lib, nn):
        old = getattr(lib, name)
        x = lib.tensor([0.0, 1.0]).type(old)
        prefix = lib.__name__
        return [
            *[x, x.type() == f"{prefix}.{name}", isinstance(x, old), isinstance(3, old)],
            *[isinstance(x, lib.FloatTensor), x.type(f"{prefix}.LongTensor"), x.type(lib.float64)],
        ]

    agree(ask)


def test_type_badly():
    assert agree(lambda lib, nn: lib.ones(2).type("lib.NoTensor")) == ("raises", "ValueError")
    assert outcome(lambda lib, nn: lib.ones(2).type(3), ag) == ("raises", "TypeError")


def test_constants():
    for name in ("pi", "e", "inf"):
        assert getattr(ag, name) == getattr(torch, name)
    assert math.isnan(ag.nan) and ag.newaxis is None
    assert ag.zeros(2)[:, ag.newaxis].shape == (2, 1)
    assert ag.vmap is ag.func.vmap


# ---- in place --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", [(3, 3), (2, 5), (7, 3), (6, 2), (2, 2, 2), (0, 3), (3,), (2, 3, 3)]
)
@pytest.mark.parametrize("wrap", [False, True])
def test_fill_diagonal(shape, wrap):
    agree(lambda lib, nn: lib.zeros(shape).fill_diagonal_(5, wrap))


def test_detach_in_place():
    def cut(lib, nn):
        x = lib.ones(3, requires_grad=True)
        y = x * 2
        z = y.detach_()
        return [z is y, y.requires_grad, y.is_leaf, x.detach_().requires_grad, y]

    agree(cut)


@pytest.mark.parametrize("shape", [(2, 3), (3,), (1, 3), (2, 1), (), (1,), (5,), (4, 2, 3)])
def test_sum_to_size(shape):
    def fold(lib, nn):
        x = lib.arange(6.0).reshape(2, 3)
        return [x.sum_to_size(shape), x.sum_to_size(*shape)]

    agree(fold)
