"""Tensors whose elements follow a rule, and other ways to make tensors."""

import pytest
from compare import make, vs_torch

import autograd as ag


@pytest.mark.parametrize(
    "numbers, options",
    [
        ((0, 2, 3), {}),
        ((0, 3, 4), {"base": 2.0}),
        ((-1.0, 1.0, 5), {"dtype": "float64"}),
        ((0, 1, 0), {}),
        ((2, 3, 1), {}),
    ],
)
@vs_torch
def test_logspace(lib, numbers, options):
    if "dtype" in options:
        options = {**options, "dtype": getattr(lib, options["dtype"])}
    return lib.logspace(*numbers, **options)


@vs_torch
def test_vander(lib):
    x = make(lib, [1, 2, 3], "int64")
    return lib.vander(x), lib.vander(x, 2, True), lib.vander(make(lib, [0.5, 2], "float32"), N=4)


@vs_torch
def test_large_integers_are_exact(lib):
    big = 2**53
    return lib.arange(big, big + 3), lib.arange(big + 5, big, -2), lib.arange(-big - 3, -big)


@vs_torch
def test_arange_by_keyword(lib):
    return lib.arange(end=5), lib.arange(1, end=5, step=2), lib.arange(start=1, end=3)


@vs_torch
def test_new_tensors_of_a_tensors_kind(lib):
    x = make(lib, [1.0, 2.0], "float64")
    return (
        x.new_full((2, 3), 3),
        x.new_full((), 1, dtype=lib.int64),
        tuple(x.new_empty(2, 3).shape),
        tuple(x.new_empty((2,)).shape),
        x.new_zeros(2, requires_grad=True).requires_grad,
        lib.scalar_tensor(3),
        lib.scalar_tensor(True, dtype=lib.bool),
        lib.asarray([1, 2]),
        lib.asarray(3.0),
    )


@vs_torch
def test_frombuffer(lib):
    data = bytearray(range(16))
    return (
        lib.frombuffer(data, dtype=lib.int32),
        lib.frombuffer(data, dtype=lib.uint8, count=3, offset=5),
    )


@pytest.mark.parametrize("options", [{"offset": 16}, {"count": 5}, {"offset": 1}, {"offset": -1}])
@vs_torch(raises="buffer|offset")
def test_frombuffer_refuses(lib, options):
    return lib.frombuffer(bytearray(16), dtype=lib.int32, **options)


@vs_torch
def test_in_place_views(lib):
    x = make(lib, [[[1.0, 2.0, 3.0]]], "float64") * 1
    found = [x.squeeze_(0), x.unsqueeze_(-1), x.transpose_(0, 1), x.squeeze_(), x.t_()]
    assert all(one is x for one in found)
    return x


def test_in_place_views_of_leaves_are_refused():
    x = ag.ones(2, 1, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf Variable"):
        x.squeeze_()


@vs_torch
def test_gradients_through_in_place_views(lib):
    x = make(lib, [[1.0, 2.0], [3.0, 4.0]], "float64", requires_grad=True)
    y = x * 2
    y.t_().unsqueeze_(0)
    (y * make(lib, [[[1.0, 2.0], [3.0, 4.0]]], "float64")).sum().backward()
    return x.grad


@vs_torch
def test_splits_along_fixed_dims(lib):
    x = make(lib, range(24), "int64").reshape(2, 4, 3)
    return (
        lib.hsplit(x, 2),
        x.vsplit(2),
        lib.dsplit(x, (1, 2)),
        make(lib, range(4), "int64").hsplit((1,)),
    )


@pytest.mark.parametrize(
    "name, shape, where", [("hsplit", (2, 3), 2), ("vsplit", (2,), 1), ("dsplit", (2, 2), 1)]
)
@vs_torch(raises="split")
def test_splits_along_fixed_dims_refuse(lib, name, shape, where):
    return getattr(lib, name)(lib.ones(shape), where)


@vs_torch
def test_broadcast_shapes(lib):
    shapes = [((2, 1), (3,)), ((), (2, 3)), ((1,), (0,)), ((5, 1, 4), (3, 1))]
    return [tuple(lib.broadcast_shapes(*pair)) for pair in shapes]


@pytest.mark.parametrize("shapes", [((2,), (3,)), ((2, -1), (2, 1))])
@vs_torch(raises="(?i)shape|dimension|negative")
def test_broadcast_shapes_refuses(lib, shapes):
    return tuple(lib.broadcast_shapes(*shapes))


@vs_torch
def test_memory_formats_are_accepted(lib):
    x = make(lib, range(16), "float32").reshape(1, 2, 2, 4)
    return (
        x.clone(memory_format=lib.preserve_format),
        x.contiguous(memory_format=lib.contiguous_format).is_contiguous(),
        x.to(memory_format=lib.channels_last),
        x.is_same_size(x + 1),
        lib.numel(x),
    )
