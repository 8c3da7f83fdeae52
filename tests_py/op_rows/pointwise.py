"""Pointwise ops."""

from .row import (
    DTYPES,
    NUMBERS,
    PAIRS,
    SHAPES,
    Row,
    Values,
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


def numbered(name):
    """An op whose first argument is a number: f(n, x)."""
    return lambda lib, x, n: getattr(lib, name)(n, x)


# Rounding before the last step shows in the result, in PyTorch as here.
UNMEASURED = {"ulps": float("inf")}
BY_SHAPE = "has a gradient by the first input as well; exact for tiny first inputs"


def incomplete_gamma(name):
    """A row without gradients, which have tests of their own: PyTorch has those by the second input only."""

    def call(lib, a, x):
        with lib.no_grad():
            return getattr(lib, name)(a, x)

    return binary(
        name,
        positive,
        positive,
        call=call,
        order=0,
        inplace=lambda lib, a, x: getattr(a, name + "_")(x),
        special=NUMBERS,
        differs=BY_SHAPE,
        **UNMEASURED,
    )


def gamma_number_slope(lib, a, x):
    """Of PyTorch, whose own is an approximation: minus the slope of igamma by a, divided by the density."""
    if hasattr(lib, "gamma_number_slope"):
        return lib.gamma_number_slope(a, x)
    with lib.no_grad():
        dtype = lib.igamma(a, x).dtype
    a, x = a.detach(), x.detach()
    a, x = a.double(), x.double()
    step = 1e-5 * a
    difference = (lib.igamma(a - step, x) - lib.igamma(a + step, x)) / (2 * step)
    return (difference / ((a - 1) * x.log() - x - lib.lgamma(a)).exp()).to(dtype)


# Where PyTorch does not lose digits of y / x.
away_from_0 = Values(
    lambda rng, shape: rng.choice([-1.0, 1.0], shape) * rng.uniform(0.3, 12, shape)
)
# Between -1 and 1, and where a logarithm or root is defined.
inside = Values(lambda rng, shape: rng.uniform(-0.95, 0.95, shape))
open_unit = Values(lambda rng, shape: rng.uniform(0.05, 0.95, shape))
above_one = Values(lambda rng, shape: rng.uniform(1.05, 4, shape))
# Far enough from whole numbers for finite differences.
between = Values(lambda rng, shape: rng.integers(-4, 4, shape) + rng.uniform(0.1, 0.4, shape))
# PyTorch's polygamma counts up to its argument, and rounds the poles away.
AWAY_FROM_POLES = (0.5, 3.0, -2.5, 88.5, 1e30, float("inf"), float("nan"))


def rounded(mode):
    """How a row of div() with a rounding mode is called."""
    return {
        "call": lambda lib, a, b: lib.div(a, b, rounding_mode=mode),
        "method": False,
        "inplace": lambda lib, a, b: a.div_(b, rounding_mode=mode),
    }


DIVIDE_BY_ZERO = bad([1, 2], [0, 1], says="ZeroDivisionError", shows=())
REMAINDER = {"errors": (DIVIDE_BY_ZERO,), "special": NUMBERS}
NEGATIVE_BOOL = bad((2, 3), says="bool", shows=(), dtype="bool")
SUBTRACT_BOOL = bad((2,), (2,), says="bool", shows=(), dtype="bool")

UNARY_ROWS = (
    unary("neg", inplace=True, operator="neg", errors=(NEGATIVE_BOOL,)),
    unary("abs", inplace=True, operator="abs"),
    unary("sign", order=1, inplace=True),
    unary("floor", between, order=1, inplace=True),
    unary("ceil", between, order=1, inplace=True),
    unary("trunc", between, order=1, inplace=True),
    unary("round", between, order=1, inplace=True),
    Row(
        "round_decimals",
        (between,),
        cases(SHAPES, {"decimals": 1}, {"decimals": 3}, {"decimals": -1}),
        path="round",
        order=1,
        method=False,
        inplace=lambda lib, x, **options: x.round_(**options),
    ),
    unary("frac", between, order=1, inplace=True),
    unary("square", inplace=True),
    unary("sqrt", positive, inplace=True),
    unary("rsqrt", positive, inplace=True),
    unary("reciprocal", nonzero, inplace=True),
    unary("exp", inplace=True),
    unary("exp2", inplace=True),
    unary("expm1", inplace=True),
    unary("log", positive, inplace=True),
    unary("log2", positive, inplace=True),
    unary("log10", positive, inplace=True),
    unary("log1p", positive, inplace=True),
    unary("sin", inplace=True),
    unary("cos", inplace=True),
    unary("tan", inplace=True),
    unary("asin", inside, inplace=True),
    unary("acos", inside, inplace=True),
    unary("atan", inplace=True),
    unary("sinh", inplace=True),
    unary("cosh", inplace=True),
    unary("tanh", inplace=True),
    unary("asinh", inplace=True),
    unary("acosh", above_one, inplace=True),
    unary("atanh", inside, inplace=True),
    unary("sinc", nonzero, inplace=True, special=NUMBERS, **UNMEASURED),
    unary("sigmoid", inplace=True),
    unary("erf", inplace=True),
    unary("erfc", inplace=True),
    unary("erfinv", inside, inplace=True),
    unary("lgamma", positive, inplace=True, ulps=16),
    unary(
        "digamma",
        positive,
        inplace=True,
        special=AWAY_FROM_POLES,
        **UNMEASURED,
        differs="the gradient at poles is inf",
    ),
    *(
        unary(
            name,
            away_from_0,
            path=f"special.{name}",
            method=name == "i0",
            special=(0.0, -0.0, 1.0, -2.5, 4.99, 5.01, 7.99, 8.01, -25.0, 80.0, 1e-30),
            differs="right at infinity, where PyTorch has NaN" + at_nan,
        )
        for name, at_nan in zip(
            ("i0", "i0e", "i1", "i1e"), ("", "") + 2 * ("; the gradient at NaN is NaN",)
        )
    ),
    unary("entr", positive, path="special.entr", method=False),
    *(
        Row(
            name,
            values,
            cases(shapes),
            path=f"special.{name}",
            method=False,
            python_only=True,
            errors=(bad("text", says="must be Tensor, not str"),) if len(values) == 1 else (),
        )
        for name, values, shapes in (
            ("ndtr", (normal,), SHAPES),
            ("xlog1py", (normal, positive), PAIRS),
        )
    ),
    unary("deg2rad", inplace=True),
    unary("rad2deg", inplace=True),
    Row(
        "polygamma",
        (positive,),
        cases(SHAPES, {"n": 0}, {"n": 1}, {"n": 2}, {"n": 5}),
        call=numbered("polygamma"),
        special=AWAY_FROM_POLES,
        inplace=lambda lib, x, n: x.polygamma_(n),
        errors=(bad((2,), says="does not support negative n", shows=(), n=-1),),
    ),
    Row(
        "logit",
        (open_unit,),
        cases(SHAPES, {}, {"eps": 0.3}, {"eps": 1e-6}),
        inplace=True,
        special=NUMBERS,
    ),
    Row(
        "nan_to_num",
        (normal,),
        cases(SHAPES, {}, {"nan": 2.0}, {"nan": 1.5, "posinf": 7.0, "neginf": -3.0}),
        inplace=True,
        careless=True,
        special=NUMBERS,
        errors=(bad((2,), "text", says="must be float|must be Number|not str", shows=()),),
    ),
    unary("bitwise_not", order=0, integral=True, inplace=True),
    unary("isnan", order=0),
    unary("isinf", order=0),
    unary("isposinf", order=0),
    unary("isneginf", order=0),
    unary("isfinite", order=0),
    unary("signbit", order=0),
    unary("logical_not", order=0, inplace=True),
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
            bad((2, 3), says="At least one of 'min' or 'max' must", shows=()),
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
)

BINARY_ROWS = (
    binary("add", operator="add", inplace=True),
    binary("sub", operator="sub", inplace=True, errors=(SUBTRACT_BOOL,)),
    binary("mul", operator="mul", inplace=True),
    binary("div", normal, nonzero, operator="truediv", inplace=True),
    binary("div_floor", between, nonzero, order=1, **rounded("floor")),
    binary("div_trunc", between, nonzero, order=1, **rounded("trunc"), **UNMEASURED),
    binary("floor_divide", between, nonzero, order=0, operator="floordiv", inplace=True),
    # PyTorch's float32 gives NaN where the quotient is out of its range.
    binary(
        "remainder",
        between,
        nonzero,
        operator="mod",
        inplace=True,
        **REMAINDER,
        differs="exact where PyTorch's float32 gives NaN for huge quotients",
    ),
    binary(
        "fmod",
        between,
        nonzero,
        inplace=True,
        **REMAINDER,
        differs="exact where PyTorch's float32 gives NaN for huge quotients",
    ),
    # Whether PyTorch takes the power of a bool depends on the exponent's value.
    binary("pow", positive, normal, operator="pow", inplace=True, dtypes=DTYPES[:-1]),
    binary("float_power", positive, normal, inplace=True, **UNMEASURED),
    binary("maximum"),
    binary("minimum"),
    binary("fmax"),
    binary("fmin"),
    binary("atan2", nonzero, nonzero, inplace=True),
    binary("hypot", nonzero, nonzero, inplace=True),
    binary("xlogy", nonzero, positive, inplace=True),
    incomplete_gamma("igamma"),
    incomplete_gamma("igammac"),
    binary(
        "gamma_number_slope",
        positive,
        positive,
        call=gamma_number_slope,
        order=0,
        method=False,
        special=(),
        rtol={"float64": 1e-7},
        **UNMEASURED,
    ),
    binary("logaddexp", **UNMEASURED),
    binary("logaddexp2", **UNMEASURED),
    binary("copysign", nonzero, nonzero, order=2, inplace=True),
    binary("heaviside", order=0, inplace=True),
    binary("bitwise_and", order=0, integral=True, operator="and_", inplace=True),
    binary("bitwise_or", order=0, integral=True, operator="or_", inplace=True),
    binary("bitwise_xor", order=0, integral=True, operator="xor", inplace=True),
    binary("bitwise_left_shift", order=0, integral=True, operator="lshift", inplace=True),
    binary("bitwise_right_shift", order=0, integral=True, operator="rshift", inplace=True),
    Row(
        "frexp",
        (normal,),
        cases(SHAPES),
        special=(*NUMBERS, 1e-40, -1e-45, 1e30, 0.75, -(2.0**60)),
        order=1,
        errors=(bad("text", says="must be Tensor, not str"),),
    ),
    binary("nextafter", special=(*NUMBERS, 1e-45, 3e38), inplace=True),
    binary("gcd", order=0, integral=True, inplace=True),
    binary("lcm", order=0, integral=True, inplace=True),
    *(binary(name, order=0, operator=name, inplace=True) for name in ("eq", "ne", "lt", "le")),
    *(binary(name, order=0, operator=name, inplace=True) for name in ("gt", "ge")),
    binary("logical_and", order=0, inplace=True),
    binary("logical_or", order=0, inplace=True),
    binary("logical_xor", order=0, inplace=True),
    Row(
        "isclose",
        (normal, normal),
        cases(
            [((2, 3), (2, 3)), ((2, 3), (3,)), ((), ()), ((0,), (1,))],
            {},
            {"rtol": 0.5, "atol": 0.1},
        )
        + cases([((2, 3), (2, 3))], {"rtol": 0.0, "atol": 0.0}, {"equal_nan": True}),
        order=0,
        mixed=True,
        errors=(
            bad((2,), (2,), says="rtol must be greater than or equal to zero", shows=(), rtol=-1.0),
            bad((2,), (2,), says="atol must be greater than or equal to zero", shows=(), atol=-1.0),
            bad((2, 3), (4,), says="must match"),
        ),
    ),
)

TRIPLES = [
    *[(shape,) * 3 for shape in SHAPES],
    *[((2, 3), (3,), (2, 1)), ((), (2, 3), (3,)), ((3,), (2, 1), (2, 3)), ((1,), (0,), ())],
]
CANNOT_BROADCAST = bad((2, 3), (2, 3), (4,), says="must match")

TERNARY_ROWS = (
    Row(
        "addcmul",
        (normal, normal, normal),
        cases(TRIPLES, {}, {"value": -2.5}),
        mixed=True,
        inplace=True,
        errors=(CANNOT_BROADCAST,),
    ),
    Row(
        "addcdiv",
        (normal, normal, nonzero),
        cases(TRIPLES, {}, {"value": -2.5}),
        mixed=True,
        inplace=True,
        errors=(
            CANNOT_BROADCAST,
            bad((2,), (2,), (2,), says="Integer division", shows=(), dtype="int64"),
        ),
    ),
    Row(
        "lerp",
        (normal, normal, normal),
        cases(TRIPLES) + cases([((2, 3), (3,)), ((), ())], {"weight": 0.3}, {"weight": 2}),
        mixed=True,
        inplace=True,
        errors=(
            CANNOT_BROADCAST,
            bad((2,), (2,), says="not implemented", shows=(), dtype="int64", weight=0.5),
        ),
    ),
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

ROWS = (*UNARY_ROWS, *BINARY_ROWS, *TERNARY_ROWS)
