"""Pointwise ops."""

from .row import (
    DTYPES,
    PAIRS,
    SHAPES,
    Row,
    bad,
    binary,
    case,
    cases,
    flags,
    nonzero,
    normal,
    positive,
    unary,
)


def converted(lib, x, to):
    """The elements in another dtype."""
    return x.to(getattr(lib, to))


def overwritten(lib, x, source):
    """A copy of x that was then overwritten."""
    return x.clone().copy_(source)


NEGATIVE_BOOL = bad((2, 3), says="bool", shows=(), dtype="bool")
SUBTRACT_BOOL = bad((2,), (2,), says="bool", shows=(), dtype="bool")

ROWS = (
    unary("neg", inplace=True, operator="neg", errors=(NEGATIVE_BOOL,)),
    unary("abs", inplace=True, operator="abs"),
    unary("sign", order=1),
    unary("exp", inplace=True),
    unary("log", positive, inplace=True),
    unary("sqrt", positive, inplace=True),
    unary("tanh", inplace=True),
    unary("sigmoid", inplace=True),
    unary("relu", inplace=True),
    unary(
        "leaky_relu",
        normal,
        {},
        {"negative_slope": 0.2},
        path="nn.functional.leaky_relu",
        method=False,
    ),
    Row(
        "clamp",
        (normal,),
        cases(
            SHAPES,
            {"min": -0.3},
            {"max": 0.4},
            {"min": -0.3, "max": 0.4},
            {"min": 0.5, "max": -0.5},
        )
        + cases(PAIRS)
        + cases([((2, 3), (3,), (2, 1)), ((2, 3), (), (3,)), ((4,), (1,), (4,))]),
        inplace=True,
        errors=(
            bad((2, 3), says="At least one of 'min' or 'max' must not be None", shows=()),
            bad((2, 3), (4,), says="must match"),
        ),
    ),
    Row(
        "to_dtype",
        (normal,),
        cases(SHAPES, {"to": "float64"}, {"to": "float32"}),
        call=converted,
        method=False,
        view=True,
    ),
    binary("add", operator="add", inplace=True),
    binary("sub", operator="sub", inplace=True, errors=(SUBTRACT_BOOL,)),
    binary("mul", operator="mul", inplace=True),
    binary("div", normal, nonzero, operator="truediv", inplace=True),
    # Whether PyTorch takes the power of a bool depends on the exponent's value.
    binary("pow", positive, normal, operator="pow", inplace=True, dtypes=DTYPES[:-1]),
    binary("maximum"),
    binary("minimum"),
    binary("eq", order=0, operator="eq"),
    binary("ne", order=0, operator="ne"),
    binary("lt", order=0, operator="lt"),
    binary("le", order=0, operator="le"),
    binary("gt", order=0, operator="gt"),
    binary("ge", order=0, operator="ge"),
    Row(
        "where",
        (flags, normal, normal),
        cases([(shape,) * 3 for shape in SHAPES])
        + cases([((2, 1), (3,), ()), ((), (2, 3), (3,)), ((3,), (2, 1), (2, 3)), ((1,), (0,), ())]),
        mixed=True,
        method=False,
        errors=(
            bad((2,), (2,), (2,), says="expected condition to be a bool", shows=()),
            bad((2, 3), (2, 3), (4,), says="must match", dtype="bool"),
        ),
    ),
    Row(
        "copy_",
        (normal, normal),
        cases([((2, 3), (2, 3)), ((2, 3), (3,)), ((3,), ()), ((2, 0, 3), (3,)), ((), ())]),
        call=overwritten,
        mixed=True,
        method=False,
        errors=(bad((2, 3), (4,), says="must match"),),
    ),
    Row("zero_", (normal,), cases(SHAPES), call=lambda lib, x: x.clone().zero_(), method=False),
    Row(
        "fill_",
        (normal,),
        cases(SHAPES, {"value": 2.5}, {"value": -1}, {"value": True}) + (case((2, 3), ()),),
        call=lambda lib, x, value: x.clone().fill_(value),
        method=False,
        errors=(bad((2, 3), (4,), says="0-dimension|one element|1 element", shows=((4,),)),),
    ),
)
