"""Creation: no tensors go in, or only their shape counts."""

from .row import SHAPES, Row, bad, case, cases, normal

SIZES = tuple({"size": size} for size in [(), (0,), (3,), (2, 3), (2, 0, 3)])
KINDS = tuple(
    {"size": (2, 3), "dtype": kind} for kind in ("float64", "int64", "int32", "uint8", "bool")
)
FLOAT_KINDS = KINDS[:1]
NEGATIVE_SIZE = bad(says="(?i)negative", size=(2, -1))
OVERFLOW = bad(says="(?i)overflow", size=(2**62, 2**62))
SIZE_ERRORS = (NEGATIVE_SIZE, OVERFLOW)


def of_size(name):
    """Calls the function, which takes the sizes first."""
    return lambda lib, size, **options: getattr(lib, name)(size, **options)


def made(name, variants, **options):
    """A row of a function without tensors."""
    found = tuple(case(**variant) for variant in variants)
    return Row(name, (), found, order=0, method=False, **options)


def sized(name, variants, errors=(), **options):
    """A row of a function of sizes."""
    return made(name, variants, call=of_size(name), errors=SIZE_ERRORS + errors, **options)


def like(name, **options):
    """A row of a function of a tensor's shape and dtype."""
    variants = ({}, {"dtype": "float64"}, {"dtype": "int64"})
    return Row(name, (normal,), cases(SHAPES, *variants), order=0, method=False, **options)


def spread(name):
    """Calls the function with its numbers by position."""
    return lambda lib, numbers, **options: getattr(lib, name)(*numbers, **options)


def numbers(*many, dtype=None):
    """One set of arguments per tuple."""
    return [{"numbers": one, **({"dtype": dtype} if dtype else {})} for one in many]


def window(name, *more, python_only=True):
    """A row of <name>_window, with further numbers behind its length and whether it is periodic.

    Those that are sums of cosines have one function in C.
    """
    return made(
        f"{name}_window",
        numbers(*((n, periodic) for n in (0, 1, 2, 5, 8) for periodic in (True, False)), (7,))
        + numbers((9,), *((7, True, *one) for one in more), dtype="float64"),
        call=spread(f"{name}_window"),
        python_only=python_only,
        rtol={"float32": 1e-5},
        errors=(
            bad(says="non-negative window_length", numbers=(-1,)),
            bad(says="must be int, not float", numbers=(2.5,)),
            bad(says="must be int, not str", numbers=("a",)),
        ),
    )


ROWS = (
    *[
        made(
            name,
            [
                {"row": r, "col": c, "offset": n}
                for r, c in ((3, 3), (2, 4), (4, 2), (0, 3), (3, 0))
                for n in (0, 1, -1, 2, -3, 9, -9)
            ]
            + [{"row": 3, "col": 3, "offset": 0, "dtype": "int32"}],
            errors=(
                bad(says="non-negative", row=-1, col=2),
                bad(says="non-negative", row=1, col=-2),
            ),
        )
        for name in ("tril_indices", "triu_indices")
    ],
    sized("empty", SIZES + KINDS, random=True),
    sized("zeros", SIZES + KINDS),
    sized("ones", SIZES + KINDS),
    sized("rand", SIZES + FLOAT_KINDS, random=True),
    sized("randn", SIZES + FLOAT_KINDS, random=True),
    made(
        "full",
        [{**size, "fill_value": value} for size in SIZES for value in (2.5, -3, True)]
        + [{**kind, "fill_value": 1.0} for kind in KINDS],
        errors=(bad(says="(?i)negative", size=(-1,), fill_value=1.0),),
    ),
    made(
        "randint",
        [{"low": -3, "high": 9, "size": size["size"]} for size in SIZES]
        + [
            {"low": 0, "high": 2, "size": (3,), "dtype": kind}
            for kind in ("float32", "int32", "uint8")
        ],
        random=True,
        errors=(
            bad(says="(?i)from.*to|low.*high", low=3, high=3, size=(2,)),
            bad(says="(?i)negative", low=0, high=3, size=(-2,)),
        ),
    ),
    made(
        "arange",
        numbers(
            (5,),
            (0,),
            (2, 7),
            (0, 10, 3),
            (7, 2, -2),
            (5.0,),
            (0, 1, 0.25),
            (1.5, 4),
            (0, 0.3, 0.1),
            (3, 3),
        )
        + numbers((5,), (1, 2, 0.3), dtype="float64")
        + numbers((5,), (0, 9, 2), dtype="int32"),
        call=spread("arange"),
        errors=(
            bad(says="step must be nonzero", numbers=(0, 3, 0)),
            bad(says="bounds? .*inconsistent", numbers=(0, 3, -1)),
            bad(says="(?i)unsupported range|finite|inf", numbers=(0, float("inf"))),
            bad(says="(?i)unsupported range|finite|nan", numbers=(0, float("nan"))),
        ),
    ),
    made(
        "linspace",
        numbers((0, 1, 5), (2, -2, 4), (3, 4, 1), (0, 1, 0), (0, 1, 100))
        + numbers((0, 1, 7), dtype="float64"),
        call=spread("linspace"),
        errors=(bad(says="number of steps must be non-negative", numbers=(0, 1, -1)),),
    ),
    made(
        "eye",
        numbers((3,), (2, 3), (0,), (3, 0))
        + numbers((2,), dtype="int64")
        + numbers((2, 3), dtype="bool"),
        call=spread("eye"),
        errors=(bad(says="greater or equal to 0|(?i:negative)", numbers=(-1,)),),
    ),
    *[window(name) for name in ("hann", "blackman")],
    window("bartlett", python_only=False),
    window("hamming", (0.5,), (0.5, 0.3)),
    window("kaiser", (3.0,), (0.0,), python_only=False),
    made(
        "randperm",
        [{"n": 0}, {"n": 1}, {"n": 9}],
        random=True,
        errors=(bad(says="(?i)non-negative|negative", n=-1),),
    ),
    like("empty_like", random=True),
    like("zeros_like"),
    like("ones_like"),
    Row(
        "uniform_",
        (normal,),
        cases(SHAPES),
        call=lambda lib, x, a=0.0, b=1.0: x.clone().uniform_(a, b),
        order=0,
        method=False,
        random=True,
        errors=(bad((2,), says="(?i)from|to|low|range", a=2.0, b=1.0, shows=()),),
    ),
    Row(
        "normal_",
        (normal,),
        cases(SHAPES),
        call=lambda lib, x, mean=0.0, std=1.0: x.clone().normal_(mean, std),
        order=0,
        method=False,
        random=True,
        errors=(bad((2,), says="(?i)std", std=-1.0, shows=()),),
    ),
)
