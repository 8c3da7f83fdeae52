"""Matrix products."""

from .row import Row, bad, case, cases, normal

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
EINSUMS = [
    *[
        ("ij,jk->ik", (2, 3), (3, 4)),
        ("ij,jk", (2, 3), (3, 4)),
        ("bij,bjk->bik", (2, 2, 3), (2, 3, 2)),
    ],
    *[("i,i->", (3,), (3,)), ("i,j->ij", (2,), (3,)), ("ij,ij->ij", (2, 3), (2, 3))],
    *[("...ij,...jk->...ik", (3, 1, 2, 3), (2, 3, 2)), ("...ij,...jk", (2, 3), (2, 3, 2))],
    *[("ij->i", (2, 3)), ("ij->", (2, 3)), ("ii", (3, 3)), ("i...->...", (2, 3))],
    *[("bn,anm,bm->ba", (2, 3), (2, 3, 4), (2, 4)), (" i j , j -> i ", (2, 3), (3,))],
    *[("iij,jk->ik", (2, 2, 3), (3, 2)), ("ab,cb,db->acd", (2, 3), (2, 3), (2, 3))],
    *[
        ("ij,jk", (2, 1), (3, 4)),
        ("ijk,jil->kl", (3, 4, 5), (4, 3, 2)),
        ("ij,kj->ik", (2, 0), (3, 0)),
    ],
    *[
        ("aB,Bc->ac", (2, 3), (3, 2)),
        ("i,->i", (2,), ()),
        (",", (), ()),
        ("bij,jk->bk", (2, 3, 2), (2, 4)),
    ],
    *[
        ("...,...->...", (2, 3), (3,)),
        ("...i,i->...", (2, 1, 3), (3,)),
        ("bi,bi->b", (2, 3), (1, 3)),
    ],
    *[("ij,ij->", (2, 3), (2, 1)), ("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 3, 4))],
]
BAD_EINSUMS = [
    ("ij,jk->ik", "does not broadcast with previously seen size 3", (2, 3), (4, 5)),
    ("ij,jk->ik", "fewer operands were provided", (2, 3)),
    ("ij", "more operands were provided", (2, 3), (2,)),
    ("ij->ik", "output subscript k does not appear", (2, 3)),
    ("ij->ii", "output subscript i appears more than once", (2, 3)),
    ("ijk->i", "does not match the number of dimensions", (2, 3)),
    ("i.j", "found '.' for operand 0 that is not part of any ellipsis", (2, 3)),
    ("i...j...", "for which an ellipsis was already found", (2, 3)),
    ("...->......", "an ellipsis \\(...\\) was already found", (2, 3)),
    ("ij->i.j", "found '.' for output that is not part", (2, 3)),
    ("1j", "invalid subscript given at index 0", (2, 3)),
    ("ij->i->j", "invalid subscript given at index 5", (2, 3)),
    ("...ijk", "is more than the number of dimensions", (2, 3)),
    ("ii->i", "is repeated for operand 0 but the sizes don't match", (2, 3)),
    ("...ij,...jk", "covered by ellipsis", (5, 2, 2, 3), (4, 3, 7)),
]


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
    Row(
        "mv",
        (normal, normal),
        cases([((2, 3), (3,)), ((0, 3), (3,)), ((2, 0), (0,)), ((17, 33), (33,)), ((1, 1), (1,))]),
        mixed=True,
        errors=(
            bad((2, 3), (2,), says="size mismatch"),
            bad((2,), (2,), says="vector \\+ matrix @ vector expected"),
            bad((2, 3), (3, 1), says="vector \\+ matrix @ vector expected"),
        ),
    ),
    Row(
        "dot",
        (normal, normal),
        cases([((3,), (3,)), ((0,), (0,)), ((1,), (1,)), ((70,), (70,))]),
        mixed=True,
        errors=(
            bad((2, 3), (3,), says="1D tensors expected"),
            bad((2,), (3,), says="inconsistent tensor size"),
            bad((2,), 3, says="must be Tensor, not int", shows=()),
        ),
    ),
    Row(
        "vdot",
        (normal, normal),
        cases([((3,), (3,)), ((0,), (0,))]),
        errors=(bad((2,), (3,), says="inconsistent tensor size"),),
    ),
    Row(
        "outer",
        (normal, normal),
        cases([((3,), (4,)), ((0,), (2,)), ((1,), (1,)), ((16,), (33,))]),
        mixed=True,
        errors=(bad((2, 3), (3,), says="Expected 1-D argument self", shows=((2, 3),)),),
    ),
    Row(
        "inner",
        (normal, normal),
        cases(
            [((3,), (3,)), ((2, 3), (3,)), ((2, 3), (4, 3)), ((2, 1, 3), (4, 3)), ((), (3,))]
            + [((2, 3), ()), ((2, 0), (3, 0)), ((0, 3), (2, 3))]
        ),
        errors=(bad((2, 3), (2,), says="the last dimension must match"),),
    ),
    Row(
        "baddbmm",
        (normal,),
        cases(
            [((2, 2, 5), (2, 2, 3), (2, 3, 5)), ((5,), (2, 2, 3), (2, 3, 5))]
            + [((), (1, 2, 3), (1, 3, 5)), ((2, 2, 5), (2, 2, 0), (2, 0, 5))],
            *[{}, {"beta": 0.5, "alpha": -2}, {"beta": 0}],
        ),
        dtypes=("float32", "float64", "int64"),
        errors=(
            bad((2,), (2, 3, 4), (2, 4, 5), says="The expanded size of the tensor", shows=((2,),)),
            bad((5,), (2, 3, 4), (2, 5, 5), says="Expected size for first two", shows=((2, 5, 5),)),
            bad((5,), (2, 4), (2, 5, 5), says="batch1 must be a 3D tensor", shows=((2, 4),)),
            bad((1, 2, 3, 5), (2, 3, 4), (2, 4, 5), says="must be greater or equal", shows=()),
        ),
    ),
    Row(
        "addbmm",
        (normal,),
        cases(
            [((2, 5), (3, 2, 4), (3, 4, 5)), ((5,), (1, 2, 3), (1, 3, 5))]
            + [((), (0, 2, 3), (0, 3, 5))],
            *[{}, {"beta": 0.5, "alpha": -2}],
        ),
        dtypes=("float32", "float64", "int64"),
        errors=(
            bad((3,), (2, 3, 4), (2, 4, 5), says="The expanded size", shows=((3,),)),
            bad((5,), (3, 3, 4), (2, 4, 5), says="size", shows=((3, 3, 4),)),
        ),
    ),
    Row(
        "addmv",
        (normal,),
        cases(
            [((2,), (2, 3), (3,)), ((), (2, 3), (3,)), ((2,), (2, 0), (0,)), ((0,), (0, 3), (3,))],
            *[{}, {"beta": 0.5, "alpha": -2}, {"beta": 0}],
        ),
        dtypes=("float32", "float64", "int64"),
        errors=(
            bad((5,), (2, 3), (3,), says="size mismatch, got input"),
            bad((2,), (2, 3), (4,), says="size mismatch, got input"),
            bad((2,), (2, 3, 4), (4,), says="vector \\+ matrix @ vector expected"),
        ),
    ),
    Row(
        "addr",
        (normal,),
        cases(
            [((2, 3), (2,), (3,)), ((3,), (2,), (3,)), ((), (2,), (3,)), ((3,), (0,), (3,))],
            *[{}, {"beta": 0.5, "alpha": -2}, {"beta": 0}],
        ),
        dtypes=("float32", "float64", "int64"),
        errors=(
            bad((4,), (2,), (3,), says="The expanded size of the tensor", shows=((4,),)),
            bad((4,), (2, 2), (3,), says="Expected 1-D argument vec1", shows=((2, 2),)),
            bad((2, 2, 3), (2,), (3,), says="must be greater or equal|expand", shows=()),
        ),
    ),
    Row(
        "einsum",
        (normal,),
        tuple(case(*shapes, equation=equation) for equation, *shapes in EINSUMS),
        call=lambda lib, *tensors, equation: lib.einsum(equation, *tensors),
        method=False,
        dtypes=("float32", "float64", "int32", "int64", "bool"),
        errors=tuple(
            bad(*shapes, says=says, shows=(), equation=equation)
            for equation, says, *shapes in BAD_EINSUMS
        ),
    ),
    Row(
        "tensordot",
        (normal, normal),
        cases([((2, 3, 4), (3, 4, 5))], {}, {"dims": 2}, {"dims": [[1, 2], [0, 1]]})
        + cases([((2, 3, 4), (4, 3, 5))], {"dims": ([2, 1], [0, 1])}, {"dims": [[-1], [-3]]})
        + cases([((2, 1, 4), (3, 4, 5))], {"dims": ([1, 2], [0, 1])}, {"dims": ([1, 2], [0, -2])})
        + cases([((2, 3), (4,)), ((0, 3), (2,)), ((), (2,))], {"dims": 0})
        + cases([((2, 0), (0, 4))], {"dims": 1}),
        method=False,
        dtypes=("float32", "float64", "int64"),
        errors=(
            bad((2, 3, 4), (3, 4, 5), 3, says="contracted dimensions need to match", shows=()),
            bad((2, 3), (3, 4), -1, says="expects dims >= 0", shows=()),
            bad((2, 3), (3, 4), 4, says="expects dims < ndim_a or ndim_b", shows=()),
            bad((2, 3), (3, 4), dims=([0, 1], [0]), says="should have same length", shows=()),
            bad((3, 3), (3, 3), dims=([0, 0], [0, 1]), says="multiple times", shows=()),
            bad((2, 3), (3, 4), dims=([7], [0]), says="Dimension out of range", shows=()),
        ),
    ),
    Row(
        "kron",
        (normal, normal),
        cases(
            [((2, 3), (4, 1)), ((2,), (3,)), ((), (3,)), ((2, 0), (1, 3)), ((2, 2, 2), (3, 3, 2))]
        ),
        mixed=True,
        errors=(bad((2, 3), "text", says="must be Tensor, not str", shows=()),),
    ),
    Row(
        "trace",
        (normal,),
        cases([(3, 3), (2, 3), (3, 2), (0, 3), (1, 1), (17, 33)]),
        errors=(
            bad((2, 3, 3), says="expected a matrix"),
            bad((3,), says="expected a matrix"),
        ),
    ),
    Row(
        "multi_dot",
        (normal,),
        cases(
            [((2, 3), (3, 4)), ((5, 2), (2, 7), (7, 3)), ((3,), (3, 4), (4,)), ((3,), (3, 2))]
            + [((2, 3), (3, 1), (1, 5), (5, 2)), ((2, 3), (3,)), ((0, 3), (3, 2), (2, 2))]
        ),
        call=lambda lib, *tensors: lib.linalg.multi_dot(list(tensors)),
        method=False,
        dtypes=("float32", "float64", "int64"),
        errors=(
            bad((3,), says="expected at least 2 tensors", shows=()),
            bad((3, 3), (4, 3), says="cannot be multiplied"),
            bad((3, 3), (4, 3, 3), (3, 2), says="must be 2D", shows=((4, 3, 3),)),
        ),
    ),
    Row(
        "bilinear",
        (normal,),
        cases(
            [
                ((2, 3), (2, 4), (5, 3, 4)),
                ((2, 3), (2, 4), (5, 3, 4), (5,)),
                ((3,), (4,), (2, 3, 4)),
            ]
            + [((2, 2, 3), (2, 2, 4), (1, 3, 4), (1,)), ((0, 3), (0, 4), (5, 3, 4), (5,))]
        ),
        path="nn.functional.bilinear",
        method=False,
        dtypes=("float32", "float64"),
        errors=(
            bad((2, 3), (3, 4), (5, 3, 4), says="batch dimensions do not match", shows=()),
            bad((2, 3), (2, 4), (5, 4, 4), says="input1 size does not match", shows=()),
            bad((2, 3), (2, 5), (5, 3, 4), says="input2 size does not match", shows=()),
            bad((2, 3), (2, 4), (5, 3, 4), (4,), says="bias size does not match", shows=()),
            bad((2, 3), (2, 4), (5, 3), says="Dimension out of range", shows=()),
        ),
    ),
)
