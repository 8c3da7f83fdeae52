"""Covariances, a histogram, and functions made of reductions."""

from .row import DIM, FLOATS, Row, Values, bad, case, cases, integers, normal, positive

# Weights are given by position in the tests, and have no gradient.
counts = Values(lambda rng, shape: rng.integers(1, 4, shape), "int64")
steps = Values(lambda rng, shape: rng.integers(0, 9, shape) / 4 - 1)


def cov(lib, x, *weights, kinds="", **kwargs):
    """cov with the weights of these kinds behind the input."""
    names = {"f": "fweights", "a": "aweights"}
    given = {names[kind]: w for kind, w in zip(kinds, weights)}
    return lib.cov(x, **given, **kwargs)


def histogram(lib, x, edges=None, weighted=False, **kwargs):
    """With the edges of bins in the place of their number, or with weights that follow from the elements."""
    if edges is not None:
        kwargs["bins"] = lib.tensor(edges, dtype=x.dtype)
    if weighted:
        kwargs["weight"] = x * x + 1
    return lib.histogram(x, **kwargs)


ROWS = (
    Row(
        "cov",
        (normal,),
        (
            *cases([(3, 4), (4,), (2, 7)], {}, {"correction": 0}),
            *cases([((3, 4), (4,))], {"kinds": "f"}, inputs=(normal, counts)),
            *cases(
                [((3, 4), (4,), (4,))],
                {"kinds": "fa"},
                {"kinds": "fa", "correction": 0},
                inputs=(normal, counts, positive),
            ),
        ),
        call=cov,
        dtypes=FLOATS,
        python_only=True,
        method=False,
        errors=(
            bad((1, 2, 3), says="two or fewer dimensions", shows=()),
            bad([True, False], says="bool dtype is not supported", shows=()),
            bad((2, 3), (3,), says="integral dtype", shows=(), kinds="f"),
            bad((2, 3), [1, 1, 1], says="floating point dtype", shows=(), kinds="a"),
            bad((2, 3), [1, 1], says="same numel", shows=(), kinds="f"),
            bad((2, 3), [1, -1, 1], says="cannot be negative", shows=(), kinds="f"),
            bad((2, 3), [0, 0, 0], says="sum to zero", shows=(), kinds="f"),
            bad((2, 3), [[1, 1, 1]], says="one or fewer dimensions", shows=(), kinds="f"),
            bad("text", says="must be Tensor, not str|no attribute", shows=()),
        ),
    ),
    Row(
        "corrcoef",
        (normal,),
        cases([(3, 4), (4,), (2, 7)]),
        dtypes=FLOATS,
        python_only=True,
        errors=(
            bad((1, 2, 3), says="two or fewer dimensions", shows=()),
            bad([True, False], says="bool dtype is not supported", shows=()),
        ),
    ),
    Row(
        "histc",
        (steps,),
        (
            *cases([(37,), (2, 3, 4)], {"bins": 5}, {"bins": 4, "min": -0.5, "max": 0.5}),
            case((7,)),
            case((0,), bins=3),
            case((5,), bins=3, min=2, max=4),
        ),
        order=0,
        dtypes=FLOATS,
        errors=(
            bad((3,), says="bins must be > 0", shows=(), bins=0),
            bad((3,), says="max must be larger than min", shows=(), bins=2, min=3, max=2),
            bad((3,), says="not finite", shows=(), bins=2, max=float("inf")),
            bad((3,), says="must be int, not float", shows=(), bins=2.5),
            bad((3,), says="not implemented", shows=(), bins=2, dtype="int64"),
        ),
    ),
    Row(
        "histogram",
        (normal,),  # and no numbers at the edges, which depend on how these are rounded
        (
            *cases([(37,), (2, 3, 4)], {"bins": 5}, {"bins": 4, "range": (-0.5, 0.5)}),
            *cases([(0,), (1,)], {"bins": 3}, {"bins": 3, "range": (2, 2)}),
            case((37,), bins=6, density=True),
            case((37,), edges=(-1.0, -0.25, 0.0, 0.5)),
            case((37,), weighted=True, bins=3, density=True),
        ),
        call=histogram,
        method=False,
        order=0,
        dtypes=FLOATS,
        errors=(
            bad((3,), says="bins must be > 0", shows=(), bins=0),
            bad((3,), says="min should not exceed max", shows=(), bins=2, range=(3, 2)),
            bad((3,), says="not finite", shows=(), bins=2, range=(0, float("inf"))),
            bad((3,), says="should have one dimension", shows=(), edges=((0.0, 1.0),)),
            bad((3,), says="bins must be > 0", shows=(), edges=(0.0,)),
            bad((3,), says="not implemented", shows=(), bins=2, dtype="int64"),
        ),
    ),
    Row(
        "mvlgamma",
        (Values(lambda rng, shape: rng.uniform(1.6, 4, shape)),),
        cases([(3,), (2, 3), (), (0,)], {"p": 1}, {"p": 3}),
        python_only=True,
        inplace=True,
        errors=(
            bad((3,), says="greater than or equal to 1", shows=(), p=0),
            bad("text", says="must be Tensor, not str", shows=(), p=2),
        ),
    ),
    Row(
        "renorm",
        (normal,),
        cases(
            [(3, 4), (2, 3, 4), (0, 3)],
            *({"p": p, "dim": dim, "maxnorm": 1.2} for p in (2, 1, 3.0) for dim in (0, -1)),
        )
        + (case((3, 4), p=float("inf"), dim=1, maxnorm=1.0),),
        inplace=True,
        dtypes=FLOATS,
        errors=(
            bad((3,), says="at least 2 dimensions", shows=(), p=2, dim=0, maxnorm=1),
            bad((2, 3), says="non-positive-norm", shows=(), p=0, dim=0, maxnorm=1),
            bad((2, 3), says="maxnorm to be >= 0", shows=(), p=2, dim=0, maxnorm=-1),
            bad((2, 3), says=DIM, shows=(), p=2, dim=2, maxnorm=1),
            bad((2, 3), says="", shows=(), p=2, dim=0, maxnorm=1, dtype="int64"),
        ),
    ),
    Row(
        "ldexp",
        (normal, integers(5)),
        cases([((3,), (3,)), ((2, 3), (3,)), ((), ()), ((0,), (1,)), ((3, 1), (2,))]),
        inplace=True,
        dtypes=FLOATS,
        errors=(
            bad((3,), (2,), says="must match the size", shows=((3,), (2,))),
            bad((3,), 2, says="must be Tensor, not int", shows=()),
        ),
    ),
)
