"""Matrix products."""

from .row import Row, bad, cases, normal

MATRICES = [
    ((2, 3), (3, 4)),
    ((1, 1), (1, 1)),
    ((0, 3), (3, 4)),
    ((2, 0), (0, 3)),
    ((2, 3), (3, 0)),
]
LARGER = [((17, 33), (33, 19)), ((16, 64), (64, 64)), ((1, 70), (70, 5)), ((70, 3), (3, 1))]
BATCHES = [
    ((2, 3, 4), (2, 4, 5)),
    ((0, 2, 3), (0, 3, 4)),
    ((2, 0, 3), (2, 3, 4)),
    ((3, 2, 0), (3, 0, 2)),
]
VECTORS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((0,), (0,)),
    ((2, 0), (0,)),
    ((33,), (33,)),
]
BROADCAST = [
    *[((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((2, 3, 4), (4,)), ((4,), (2, 4, 3))],
    *[((2, 1, 3, 4), (5, 4, 2)), ((1, 2, 3), (4, 3, 2)), ((2, 0, 3, 4), (4, 5))],
]
ADDED = [
    ((2, 4), (2, 3), (3, 4)),
    ((4,), (2, 3), (3, 4)),
    ((), (2, 3), (3, 4)),
    ((2, 1), (2, 0), (0, 3)),
]
CANNOT = "mat1 and mat2 shapes cannot be multiplied"


ROWS = (
    Row(
        "mm",
        (normal, normal),
        cases(MATRICES + LARGER),
        mixed=True,
        errors=(
            bad((2, 3), (2, 3), says=CANNOT, shows=()),
            bad((3,), (3, 2), says="matrix", shows=((3,),)),
            bad((2, 3), "text", says="must be Tensor, not str", shows=()),
        ),
    ),
    Row(
        "bmm",
        (normal, normal),
        cases(BATCHES),
        errors=(
            bad((2, 3, 4), (3, 4, 5), says="batch"),
            bad((2, 3, 4), (2, 3, 4), says="batch|mat1 and mat2"),
            bad((2, 3), (2, 3, 4), says="3D"),
        ),
    ),
    Row(
        "matmul",
        (normal, normal),
        cases(MATRICES + LARGER[:2] + BATCHES + VECTORS + BROADCAST),
        operator="matmul",
        errors=(
            bad((2, 3), (2, 3), says=CANNOT, shows=()),
            bad((), (3,), says="at least 1D|at least 1-d", shows=()),
            bad((2, 3), (2,), says="size mismatch|cannot be multiplied"),
            bad((2,), (3,), says="size|cannot be multiplied"),
            bad((2, 3, 2), (3, 2, 2), says="must match|batch"),
            bad((2, 3, 4), (2, 3, 4), says="batch|cannot be multiplied"),
        ),
    ),
    Row(
        "addmm",
        (normal,),
        cases(ADDED, {}, {"beta": 0.5, "alpha": -2}, {"beta": 0})
        + cases([((4,), (16, 64), (64, 4))]),
        dtypes=("float32", "float64", "int64"),
        errors=(
            bad((5,), (2, 3), (3, 4), says="must match|cannot be expanded", shows=()),
            bad((4,), (2, 3), (2, 4), says=CANNOT, shows=()),
        ),
    ),
    Row(
        "linear",
        (normal,),
        cases(
            [
                ((2, 3), (4, 3)),
                ((3,), (4, 3)),
                ((2, 5, 3), (4, 3)),
                ((0, 3), (4, 3)),
                ((2, 0), (4, 0)),
            ]
        )
        + cases([((2, 3), (4, 3), (4,)), ((3,), (4, 3), (4,)), ((2, 5, 3), (4, 3), (4,))])
        + cases([((16, 64), (64, 64), (64,)), ((1, 33), (17, 33), (17,)), ((0, 3), (4, 3), (4,))]),
        path="nn.functional.linear",
        method=False,
        dtypes=("float32", "float64", "int64"),
        errors=(
            bad((2, 3), (4, 5), says="cannot be multiplied", shows=()),
            bad((2, 3), (4, 3), (5,), says="must match|bias|cannot be expanded", shows=((5,),)),
        ),
    ),
)
