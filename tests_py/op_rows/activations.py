"""Activations."""

from .row import EXTREMES, NUMBERS, SHAPES, Row, bad, cases, nonzero, normal, positive, unary

NOT_A_TENSOR = bad("text", says="must be Tensor, not str")


def activation(name, *variants, path="", **options):
    """An activation of nn.functional; with `inplace` it has the argument of that name."""
    options.setdefault("special", NUMBERS + EXTREMES)
    path = f"nn.functional.{path or name}"
    if options.get("inplace"):
        function = path.rpartition(".")[2]
        options["inplace"] = lambda lib, x, **kwargs: getattr(lib.nn.functional, function)(
            x, inplace=True, **kwargs
        )
    # PyTorch names no argument where it is written in Python, and another where there are more.
    refusal = () if name in ("softsign", "tanhshrink", "threshold") else (NOT_A_TENSOR,)
    errors = (*refusal, *options.pop("errors", ()))
    return Row(
        name,
        (options.pop("values", normal),),
        cases(SHAPES, *variants),
        path=path,
        pointwise=True,
        method=False,
        errors=errors,
        **options,
    )


def prelu(lib, x, weight):
    """The function of nn.functional, which PyTorch documents without names of its arguments."""
    return lib.nn.functional.prelu(x, weight)


# Where PyTorch's own formula cancels or overflows, its float64 is no measure.
# What its backward makes of NaN depends on the dtype.
NO_NAN = {"special": tuple(value for value in NUMBERS + EXTREMES if value == value)}
# Its gradient of softsign is a difference, of which little is right where both are nearly alike.
APART = tuple(value for value in NUMBERS + EXTREMES if not 50 < abs(value) < 1e301)
# Its backward of hardsigmoid has 1/6 in float32, and no derivative.
UNMEASURED = {"ulps": float("inf")}

ROWS = (
    unary("relu", inplace=True),
    activation("leaky_relu", {}, {"negative_slope": 0.2}, inplace=True),
    Row(
        "prelu",
        (normal, positive),
        cases(
            [
                ((2, 3), (1,)),
                ((2, 3), (3,)),
                ((2, 3, 4), (3,)),
                ((3,), (1,)),
                ((0, 3), (3,)),
                ((2, 3), ()),
            ]
            + [((), (1,))]
        ),
        mixed=True,
        errors=(
            bad((2, 3), (2,), says="parameter numbers = 2 and channel size = 3", shows=((2, 3),)),
            bad((3,), (3,), says="channel size = 1", shows=()),
            bad((2, 3), (1, 3), says="scalar or 1D", shows=((1, 3),)),
            bad((2, 3), 0.5, says="must be Tensor, not float", shows=()),
        ),
    ),
    activation("rrelu", {}, {"lower": 0.1, "upper": 0.5}, inplace=True),
    activation("elu", {}, {"alpha": 0.3}, inplace=True, **NO_NAN),
    activation("selu", inplace=True, **NO_NAN),
    activation(
        "celu",
        {},
        {"alpha": 0.5},
        inplace=True,
        **NO_NAN,
        errors=(bad((2,), says="alpha cannot be 0", shows=(), alpha=0.0),),
    ),
    activation(
        # PyTorch's float32 gives NaN for infinity.
        "gelu",
        special=tuple(value for value in NUMBERS + EXTREMES if abs(value) < 1e38),
        **UNMEASURED,
        errors=(bad((2,), says="must be either none or tanh", shows=(), approximate="x"),),
        differs="exact for large negative x, where PyTorch cancels",
    ),
    activation("gelu_tanh", {"approximate": "tanh"}, path="gelu", **UNMEASURED),
    activation("silu", inplace=True, **UNMEASURED),
    activation("mish", inplace=True),
    activation("softplus", {}, {"beta": 2.0}, {"beta": 0.5, "threshold": 1.0}),
    activation("softsign", special=APART),
    activation("logsigmoid"),
    activation(
        "hardtanh",
        {},
        {"min_val": -0.5, "max_val": 2.0},
        inplace=True,
        errors=(bad((2,), 2.0, 1.0, says="min_val cannot be greater than max_val", shows=()),),
    ),
    activation("hardsigmoid", order=1, inplace=True, rtol={"float64": 1e-7}),
    activation("hardswish", inplace=True, **NO_NAN),
    activation("tanhshrink", **UNMEASURED),
    activation(
        "softshrink",
        {},
        {"lambd": 0.1},
        errors=(bad((2,), says="lambda must be in range", shows=(), lambd=-1.0),),
    ),
    activation("hardshrink", {}, {"lambd": 0.1}),
    activation("threshold", {"threshold": 0.1, "value": 0.7}, inplace=True, careless=True),
    Row(
        "glu",
        (nonzero,),
        cases([(2,), (4, 3, 2), (2, 0), (6, 4)], {})
        + cases([(4, 2, 2), (2, 3), (6, 4)], {"dim": 0}, {"dim": -2}),
        path="nn.functional.glu",
        method=False,
        errors=(
            bad((2, 3), says="Halving dimension must be even, but dimension 1 is size 3"),
            bad((), says="does not support scalars"),
            bad((2, 2), says="Dimension out of range", shows=(), dim=5),
        ),
    ),
)
