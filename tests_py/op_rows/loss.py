"""Losses."""

from .row import FLOATS, Row, bad, cases, integers, normal, positive

REDUCTIONS = ({}, {"reduction": "sum"}, {"reduction": "none"})
BY_CLASS = [
    ((4, 3), (4,)),
    ((3,), ()),
    ((2, 3, 5), (2, 5)),
    ((2, 3, 2, 4), (2, 2, 4)),
    ((5, 70), (5,)),
]
BY_WEIGHT = [((4, 3), (4, 3)), ((3,), (3,)), ((2, 3, 5), (2, 3, 5))]
NOT_A_REDUCTION = bad(
    (2, 3), (2, 3), says="not a valid value for reduction", shows=(), reduction="avg"
)

ROWS = (
    Row(
        "cross_entropy",
        (normal, integers(3)),
        cases(BY_CLASS, *REDUCTIONS)
        + cases(BY_WEIGHT, *REDUCTIONS, inputs=(normal, positive))
        + cases([((0, 3), (0,))], *REDUCTIONS[1:]),
        path="nn.functional.cross_entropy",
        method=False,
        dtypes=FLOATS,
        errors=(
            bad((2, 3), [1, 3], says="Target 3 is out of bounds", shows=()),
            bad((2, 3), [1, -1], says="Target -1 is out of bounds", shows=()),
            bad(
                (2, 3),
                [1, 2, 0],
                says="Expected .*batch_size|Expected .*sizes",
                shows=(),
            ),
            bad((2, 3), (2, 4), says="(?i)size|shape"),
            bad((2, 3, 4), [[0, 1]], says="(?i)size|shape"),
            NOT_A_REDUCTION,
        ),
    ),
    Row(
        "mse_loss",
        (normal, normal),
        cases(
            [((2, 3), (2, 3)), ((), ()), ((0,), (0,)), ((2, 0, 3), (2, 0, 3)), ((1030,), (1030,))],
            *REDUCTIONS,
        ),
        path="nn.functional.mse_loss",
        method=False,
        mixed=True,
        errors=(bad((2, 3), (4,), says="must match"), NOT_A_REDUCTION),
    ),
)
