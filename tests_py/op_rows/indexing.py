"""Parts of tensors by positions and masks: slices by number, gather and scatter."""

import numpy as np

from .row import DIM, Case, Row, Values, bad, case, cases, flags, integers, normal


def distinct(size: int, axis: int = 0, dtype: str = "int64") -> Values:
    """Positions in [0, size), none twice along the axis."""

    def fill(rng, shape):
        if not shape:
            return rng.integers(0, size, shape)
        longer = [size if d == axis % len(shape) else n for d, n in enumerate(shape)]
        return np.take(rng.random(longer).argsort(axis), range(shape[axis]), axis)

    return Values(fill, dtype)


def unequal(size: int) -> Values:
    """Positions in [0, size), all different."""
    return Values(
        lambda rng, shape: rng.permutation(size)[: int(np.prod(shape))].reshape(shape), "int64"
    )


some_zeros = Values(lambda rng, shape: rng.integers(-1, 2, shape))


def along(name):
    """function(x, dim, index, *more) called with the dim last."""
    return lambda lib, x, index, *more, dim, **kwargs: getattr(lib, name)(
        x, dim, index, *more, **kwargs
    )


def along_in_place(name):
    """The same of x.<name>_."""
    return lambda lib, x, index, *more, dim, **kwargs: getattr(x, f"{name}_")(
        dim, index, *more, **kwargs
    )


def positions(name, inputs, found, errors, **options):
    """A row of an op that takes a dim and a tensor of positions."""
    if options.pop("inplace", False):
        options["inplace"] = along_in_place(name)
    return Row(
        name,
        inputs,
        found,
        call=along(name),
        method=False,
        errors=errors,
        **options,
    )


BAD_GATHER = (
    bad((2, 3), [[2]], says="index 2 is out of bounds for dimension 0 with size 2", dim=0),
    bad((2, 3), [[-1]], says="index -1 is out of bounds for dimension 0 with size 2", dim=0),
    bad((2, 3), [[0]], says=DIM, shows=(), dim=2),
    bad((2, 3), [[0.5]], says="Expected dtype int32/int64", shows=(), dim=0),
    bad((2, 3), [0], says="same number of dimensions", dim=0),
)
GATHERED = (
    *[case((3, 4), (2, 4), dim=0), case((3, 4), (5, 2), dim=0), case((3, 4), (3, 7), dim=1)],
    *[
        case((3, 4, 2), (3, 3, 2), dim=1),
        case((3, 4, 2), (1, 3, 2), dim=-2),
        case((3,), (5,), dim=0),
    ],
    *[case((), (), dim=0), case((3,), (), dim=0), case((3, 4), (0, 4), dim=0)],
    *[case((3, 4), (0,), dim=1), case((3, 0), (2, 0), dim=0), case((4, 3, 2), (4, 3, 5), dim=2)],
)


def scattered(axis_of_case, *more):
    """Cases with distinct positions along each case's dim."""
    found = []
    for shapes, dim in axis_of_case:
        size = shapes[0][dim] if shapes[0] else 1
        inputs = (normal, distinct(size, dim), normal)
        found.append(Case(shapes, {"dim": dim}, inputs))
    return tuple(found) + more


TARGETS = [
    (((4, 3), (2, 3), (2, 3)), 0),
    (((4, 3), (4, 2), (4, 2)), 1),
    (((3, 4, 2), (3, 3, 2), (3, 3, 2)), 1),
    (((3, 4, 2), (2, 3, 1), (2, 3, 1)), -2),
    (((3,), (3,), (3,)), 0),
    (((), (), ()), 0),
    (((4, 3), (0, 3), (0, 3)), 0),
    (((3, 0), (2, 0), (2, 0)), 0),
]
BAD_SCATTER = (
    bad((2, 3), [[2]], (1, 1), says="index 2 is out of bounds", shows=((2, 3),), dim=0),
    bad((2, 3), [[0]], (1, 1), says=DIM, shows=(), dim=2),
    bad((2, 3), [[0, 0, 0, 0]], (1, 4), says="to be no larger than self", dim=0),
    bad((2, 3), [[0, 0]], (1, 1), says="to be no larger size than src", dim=0),
    bad((2, 3), [0], (1,), says="same number of dimensions as self", dim=0),
    bad((2, 3), [[0.5]], (1, 1), says="Expected dtype int32/int64", shows=(), dim=0),
    bad((2, 3), [[0]], [[1]], says="self.dtype to be equal to src.dtype", shows=(), dim=0),
)
MET = (
    *[((4, 3), (6, 3), (6, 3)), ((4, 3), (2, 2), (2, 2)), ((4, 3), (4, 5), (4, 5))],
    *[
        ((), (), ()),
        ((4,), (9,), (9,)),
        ((4, 3), (0, 3), (0, 3)),
        ((4, 2, 3), (5, 2, 3), (5, 2, 3)),
    ],
)
ADDED = tuple(case(*shapes, dim=1 if shapes[1] == (4, 5) else 0) for shapes in MET)


def reduced(**kwargs):
    """The cases of scatter_reduce for one reduction."""
    return tuple(
        Case(
            one.shapes,
            {**one.kwargs, **kwargs},
            (normal, integers(1 if not one.shapes[0] else 3), normal),
        )
        for one in ADDED
    )


REDUCED = tuple(
    one
    for reduce in ("sum", "prod", "mean", "amax", "amin")
    for include_self in (True, False)
    for one in reduced(reduce=reduce, include_self=include_self)
)
BAD_SLICES = (
    bad((2, 3), [2], (1, 3), says="index 2 is out of bounds", shows=(), dim=0),
    bad((2, 3), [-1], (1, 3), says="index -1 is out of bounds", shows=(), dim=0),
    bad((2, 3), [0], (1, 3), says=DIM, shows=(), dim=2),
    bad((2, 3), [0.5], (1, 3), says="(?i)int|long", shows=(), dim=0),
    bad((2, 3), [0], (1, 4), says="shape", dim=0),
    bad((2, 3), [0, 1], (1, 3), says="Number of indices", shows=(), dim=0),
)
SLICES = [
    (((4, 3), (2,), (2, 3)), 0),
    (((4, 3), (3,), (4, 3)), 1),
    (((2, 3, 4), (2,), (2, 2, 4)), -2),
    (((4, 3), (0,), (0, 3)), 0),
    (((3, 0), (2,), (2, 0)), 0),
    (((4,), (2,), (2,)), 0),
    (((4, 3), (), (1, 3)), 0),
]


def by_slices(**kwargs):
    """Cases with distinct slices."""
    return tuple(
        Case(shapes, {"dim": dim, **kwargs}, (normal, distinct(shapes[0][dim]), normal))
        for shapes, dim in SLICES
    )


MASKED = [((4, 3), (4, 3)), ((4, 3), (3,)), ((4, 3), (4, 1)), ((2, 3, 4), (3, 1)), ((), ())]
MASKED += [((0, 3), (0, 3)), ((2, 0, 3), (2, 0, 3)), ((37,), (37,))]
WIDER = [((3,), (4, 3)), ((4, 1), (4, 3)), ((), (3,))]


def filled(lib, x, mask, value=None, **kwargs):
    """masked_fill with the value as a tensor or a keyword."""
    return lib.masked_fill(x, mask, kwargs["number"] if value is None else value)


def filled_in_place(lib, x, mask, value=None, **kwargs):
    """The same of masked_fill_."""
    return x.masked_fill_(mask, kwargs["number"] if value is None else value)


def index_filled(lib, x, index, value=None, *, dim, **kwargs):
    """index_fill with the value as a tensor or a keyword."""
    return lib.index_fill(x, dim, index, kwargs["number"] if value is None else value)


def index_filled_in_place(lib, x, index, value=None, *, dim, **kwargs):
    """The same of index_fill_."""
    return x.index_fill_(dim, index, kwargs["number"] if value is None else value)


ROWS = (
    Row(
        "index_put",
        (normal, unequal(4), normal),
        (
            *[case((4, 3), (2,), (3,)), case((4, 3), (2,), ()), case((4,), (3,), (3,))],
            *[case((4, 3), (2, 2), (2, 1, 3)), case((4, 3), (0,), (3,)), case((4, 0), (2,), ())],
            Case(((4, 3), (6,), (6, 3)), {"accumulate": True}, (normal, integers(4), normal)),
            Case(((4, 2, 3), (5,), ()), {"accumulate": True}, (normal, integers(4), normal)),
        ),
        call=lambda lib, x, index, values, **k: lib.index_put(x, (index,), values, **k),
        method=False,
        inplace=lambda lib, x, index, values, **k: x.index_put_((index,), values, **k),
        careless=True,
        errors=(
            bad((2, 3), [2], (3,), says="index 2 is out of bounds", shows=()),
            bad((2, 3), [0], (4,), says="cannot be broadcast to indexing result"),
            bad((2, 3), [0], [1], says="dtypes match", shows=()),
            bad((2, 3), [0.5], (3,), says="must be long", shows=()),
        ),
        differs="in place: expanded memory is an error, where PyTorch warns",
    ),
    positions(
        "index_select",
        (normal, integers(3)),
        tuple(case((3, 4), (n,), dim=0) for n in (1, 3, 7, 0))
        + (
            case((4, 3), (5,), dim=1),
            case((2, 3, 4), (2,), dim=-2),
            case((3, 0), (2,), dim=0),
            case((3,), (), dim=0),
            Case(((), (1,)), {"dim": 0}, (normal, integers(1))),
        ),
        (
            bad((2, 3), [3], says="out of range", shows=(), dim=0),
            bad((2, 3), [-1], says="out of range", shows=(), dim=0),
            bad((2, 3), [0], says=DIM, shows=(), dim=2),
            bad((2, 3), [0.5], says="(?i)int", shows=(), dim=0),
            bad((2, 3), [[0, 1]], says="1-?[dD]|vector|one", shows=(), dim=0),
        ),
    ),
    positions(
        "index_add",
        (normal, integers(3), normal),
        tuple(Case(s, {"dim": d}, (normal, integers(s[0][d]), normal)) for s, d in SLICES)
        + (
            case((3, 2), (5,), (5, 2), dim=0),
            case((3, 2), (5,), (5, 2), dim=0, alpha=2),
            case((2, 3), (4,), (2, 4), dim=-1, alpha=-1),
        ),
        BAD_SLICES,
        inplace=True,
    ),
    positions("index_copy", (normal, distinct(3), normal), by_slices(), BAD_SLICES, inplace=True),
    Row(
        "index_fill",
        (normal, integers(2), normal),
        tuple(
            case(shape, (n,), *value, dim=dim, **({} if value else {"number": 2}))
            for shape, n, dim in [
                ((3, 2), 2, 0),
                ((4, 3), 5, 1),
                ((2, 3, 2), 1, -2),
                ((3, 2), 0, 0),
            ]
            for value in ((), ((),))
        ),
        call=index_filled,
        method=False,
        inplace=index_filled_in_place,
        careless=True,
        errors=(
            bad((2, 3), [2], says="index 2 is out of bounds", shows=(), dim=0, number=1),
            bad((2, 3), [[0]], says="vector", shows=(), dim=0, number=1),
            bad((2, 3), [0.5], says="int64", shows=(), dim=0, number=1),
            bad((2, 3), [0], (2,), says="0-dimensional value", shows=((2,),), dim=0),
        ),
        differs="in place: expanded memory is an error, where PyTorch warns",
    ),
    Row(
        "take",
        (normal, integers(6)),
        cases([((2, 3), (4,)), ((2, 3), (2, 2)), ((2, 3), ()), ((6,), (0,)), ((3, 1, 2), (7,))]),
        errors=(
            bad((2, 3), [6], says="out of range: tried to access index 6", shows=()),
            bad((2, 3), [-7], says="out of range", shows=()),
            bad((2, 3), [0.5], says="Expected a long tensor", shows=()),
            bad((0,), [0], says="empty tensor", shows=()),
        ),
    ),
    Row(
        "put",
        (normal, unequal(6), normal),
        (
            *cases([((2, 3), (4,), (4,)), ((2, 3), (2, 2), (4,)), ((2, 3), (0,), (0,))]),
            *cases(
                [((2, 3), (9,), (9,)), ((3, 1, 2), (2, 2), (2, 2))],
                {"accumulate": True},
                inputs=(normal, integers(6), normal),
            ),
        ),
        inplace=True,
        errors=(
            bad((2, 3), [6], (1,), says="out of range: tried to access index 6", shows=()),
            bad((2, 3), [0], (2,), says="same number of elements", shows=()),
            bad((2, 3), [0], [1], says="same dtype", shows=()),
        ),
    ),
    Row(
        "nonzero",
        (some_zeros,),
        cases([(), (0,), (1,), (37,), (4, 3), (2, 3, 4), (2, 0, 3)])
        + (case((4, 3), as_tuple=True), case((), as_tuple=True), case((5,), as_tuple=True)),
        order=0,
    ),
    Row(
        "masked_fill",
        (normal, flags, normal),
        tuple(
            case(*shapes, *value, **({} if value else {"number": 2.5}))
            for shapes in MASKED
            for value in ((), ((),))
        ),
        call=filled,
        method=False,
        inplace=filled_in_place,
        careless=True,
        errors=(
            bad((2, 3), [0, 1, 0], says="only supports boolean masks", shows=(), number=1),
            bad((2, 3), [True, False], says="must match the size of tensor b", number=1),
            bad((2, 3), [True], (2,), says="0-dimensional value tensor", shows=((2,),)),
        ),
        differs="in place: expanded memory is an error, where PyTorch warns",
    ),
    Row(
        "masked_select",
        (normal, flags),
        cases(MASKED + WIDER),
        errors=(
            bad((2, 3), [0, 1, 0], says="expected BoolTensor", shows=()),
            bad((2, 3), [True, False], says="must match the size of tensor b"),
        ),
    ),
    Row(
        "masked_scatter",
        (normal, flags, normal),
        cases([(x, mask, (6, 7)) for x, mask in MASKED]),
        inplace=True,
        errors=(
            bad((2, 3), [0, 1, 0], (6,), says="only supports boolean masks", shows=()),
            bad(
                (2, 3), [True, True, True], (3,), says="Number of elements of source", shows=((3,),)
            ),
            bad((2, 3), [True, True, True], [1, 2], says="same dtypes", shows=()),
        ),
    ),
    positions(
        "gather",
        (normal, integers(3)),
        tuple(
            Case(one.shapes, one.kwargs, (normal, integers(1))) if one.shapes[0] == () else one
            for one in GATHERED[:-1]
        )
        + (Case(((4, 3, 2), (4, 3, 5)), {"dim": 2}, (normal, integers(2))),),
        (
            *BAD_GATHER,
            bad((2, 3), [[0, 0, 0, 0]], says="to be no larger than self", dim=0),
        ),
    ),
    Row(
        "take_along_dim",
        (normal, integers(3)),
        (
            *[
                case((3, 4), (2, 4), dim=0),
                case((3, 4), (2, 1), dim=0),
                case((3, 1), (2, 4), dim=0),
            ],
            *[case((2, 3, 4), (2, 1, 1), dim=-2)],
        ),
        errors=(
            bad((2, 3), [0], says="same number of dimensions", dim=0),
            bad((2, 3), [[0.5]], says="should be (Long|int64)", shows=(), dim=0),
            bad((2, 3), [[0, 0]], says="must match the size of tensor b", dim=0),
            bad((2, 3), [[0]], says=DIM, shows=(), dim=2),
        ),
    ),
    positions(
        "scatter",
        (normal, integers(3), normal),
        scattered(
            TARGETS,
            Case(((4, 3), (2, 3)), {"dim": 0, "value": 2.5}, (normal, integers(4))),
            Case(((4, 3), (4, 5)), {"dim": 1, "value": -1}, (normal, integers(3))),
        ),
        BAD_SCATTER,
        inplace=True,
        differs="differentiable with reduce as well",
    ),
    positions(
        "scatter_add",
        (normal, integers(3), normal),
        tuple(
            Case(one.shapes, one.kwargs, (normal, integers(1), normal))
            if not one.shapes[0]
            else one
            for one in ADDED
        ),
        (*BAD_SCATTER, bad((2, 3), [[0]], 1.0, says="must be Tensor, not float", shows=(), dim=0)),
        inplace=True,
        differs="a src larger than index gets its gradient in the part that is used",
    ),
    positions(
        "scatter_reduce",
        (normal, integers(3), normal),
        REDUCED,
        (bad((2, 3), [[0]], (1, 1), says="got other", shows=(), dim=0, reduce="other"),),
        inplace=True,
    ),
    Row(
        "select_scatter",
        (normal,),
        (
            case((3, 4), (4,), dim=0, index=1),
            case((3, 4), (3,), dim=-1, index=-2),
            case((3,), (), dim=0, index=2),
            case((2, 3, 4), (2, 4), dim=1, index=0),
            case((2, 0, 4), (2, 0), dim=2, index=0),
        ),
        errors=(
            bad((3, 4), (3,), says="size equal to the slice", shows=((3,),), dim=0, index=1),
            bad((3, 4), (4,), says="out of range", shows=(), dim=0, index=3),
            bad((3, 4), (4,), says=DIM, shows=(), dim=2, index=0),
        ),
    ),
    Row(
        "slice_scatter",
        (normal,),
        (
            case((3, 4), (2, 4), dim=0, start=1, end=3),
            case((3, 4), (3, 2), dim=-1, start=0, step=2),
            case((7,), (2,), start=-3, end=-1),
            case((7,), (0,), start=4, end=2),
            case((3, 4), (3, 4)),
            case((2, 0, 4), (2, 0, 4), dim=1),
        ),
        errors=(
            bad((3, 4), (3, 4), says="size equal to the slice", shows=(), dim=0, start=1),
            bad((3, 4), (3, 4), says="step must be positive", shows=(), dim=0, step=0),
            bad((3, 4), (3, 4), says=DIM, shows=(), dim=2),
        ),
    ),
    Row(
        "diagonal_scatter",
        (normal,),
        (
            case((3, 4), (3,)),
            case((3, 4), (2,), offset=2),
            case((2, 3, 4), (3, 2), offset=-1, dim1=2, dim2=0),
            case((0, 3), (0,)),
        ),
        errors=(
            bad((3, 4), (4,), says="size equal to the slice", shows=((4,),)),
            bad((3, 4), (3,), says="cannot be identical", shows=(), dim1=1),
            bad((3,), (3,), says=DIM, shows=()),
        ),
    ),
    positions(
        "index_reduce",
        (normal, integers(3), normal),
        tuple(
            Case(shapes, {"dim": dim, "reduce": reduce, "include_self": include}, inputs)
            for shapes, dim, inputs in (
                (((3, 4), (5,), (5, 4)), 0, ()),
                (((2, 3, 2), (4,), (2, 4, 2)), -2, ()),
                (((3,), (0,), (0,)), 0, ()),
                (((), (1,), ()), 0, (normal, integers(1), normal)),
            )
            for reduce in ("prod", "mean", "amax", "amin")
            for include in (True, False)
        ),
        (
            bad((3, 4), [0], (1, 4), says="reduce to be one of", shows=(), dim=0, reduce="sum"),
            bad((3, 4), [3], (1, 4), says="out of (range|bounds)", shows=(), dim=0, reduce="amax"),
            bad((3, 4), [0], (1, 3), says="must match self tensor", dim=0, reduce="amax"),
            bad((3, 4), [0, 1], (1, 4), says="Number of indices", shows=(), dim=0, reduce="amax"),
            bad(
                (3, 4),
                [[0]],
                (1, 4),
                says="supposed to be a vector",
                shows=(),
                dim=0,
                reduce="amax",
            ),
            bad((3, 4), [0.5], (1, 4), says="int32/int64", shows=(), dim=0, reduce="amax"),
            bad((3,), [0], [1], says="same scalar type", shows=(), dim=0, reduce="amax"),
        ),
        inplace=True,
    ),
    Row(
        "unravel_index",
        (integers(20),),
        cases([(), (3,), (0,), (2, 4)], *({"shape": shape} for shape in (20, (4, 5), (2, 5, 2)))),
        order=0,
        method=False,
        python_only=True,
        errors=(
            bad((2,), says="integer dtype", shows=(), shape=(4, 5)),
            bad([1], says="negative values", shows=(), shape=(4, -5)),
            bad([1], says="int", shows=(), shape=2.5),
        ),
    ),
)
