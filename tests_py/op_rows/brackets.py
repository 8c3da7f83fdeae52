"""x[...] and x[...] = y."""

import numpy as np

from .row import Row, bad, case, normal

EVERY = slice(None)
ITEMS = {
    (4, 3): [
        *[
            0,
            -1,
            3,
            slice(1, 3),
            slice(None, None, 2),
            slice(-3, None),
            slice(3, 1),
            slice(-9, 9),
            ...,
        ],
        *[
            None,
            (0, 1),
            (-1, -1),
            (EVERY, 1),
            (EVERY, None),
            (None, 0),
            (..., 0),
            (0, ...),
            (..., None),
        ],
        *[
            (slice(1, None, 2), slice(0, 2)),
            (EVERY, slice(None, None, 5)),
            (None, EVERY, None, 1),
            (),
        ],
        *[
            (None, ..., None),
            (slice(4, None),),
            (slice(2**62, None),),
            (EVERY, EVERY, None),
            (..., EVERY, 2),
        ],
    ],
    (2, 3, 4): [
        (0, 1, 2),
        (1, ..., -1),
        (EVERY, 1),
        (..., slice(None, None, 3)),
        (0, EVERY, 1),
        (..., 1, None),
    ],
    (): [(), ..., None, (None, ..., None)],
    (0,): [EVERY, slice(0, 5), None],
    (2, 0, 3): [0, (EVERY, EVERY, 1), (..., slice(1, 2)), (EVERY, slice(0, 4))],
}
TAKEN = tuple(case(shape, item=item) for shape, items in ITEMS.items() for item in items)
WRITTEN = (
    *[
        case((4, 3), value, item=item)
        for item in (0, -1, (slice(1, 2),))
        for value in ((3,), (), (1, 3), (1,))
    ],
    *[case((4, 3), (), item=item) for item in ITEMS[4, 3] if item not in (0, -1)],
    *[case((4, 3), (4, 1), item=item) for item in (EVERY, ..., ())],
    *[
        case((4, 3), (2, 3), item=slice(None, None, 2)),
        case((4, 3), (2, 1), item=(slice(2), slice(1, 3))),
    ],
    *[
        case((), (), item=()),
        case((), (), item=...),
        case((0,), (), item=EVERY),
        case((2, 0, 3), (3,), item=0),
    ],
    *[case((4, 3), (4,), item=(EVERY, 1)), case((4, 3), (1, 4, 1), item=(None, EVERY, slice(1)))],
)
BAD_ITEMS = (
    bad((4,), says="index 5 is out of bounds for dimension 0 with size 4", shows=(), item=5),
    bad((4,), says="index -5 is out of bounds for dimension 0 with size 4", shows=(), item=-5),
    bad((2, 3), says="index 3 is out of bounds for dimension 1 with size 3", shows=(), item=(0, 3)),
    bad((4,), says="too many indices", item=(0, 0)),
    bad((), says="0-dim|too many indices", shows=(), item=0),
    bad((4,), says="step must be greater than zero", shows=(), item=slice(None, None, -1)),
    bad((4,), says="step", shows=(), item=slice(None, None, 0)),
    bad((2, 3), says="(?i)slice", shows=(), item=slice(0.5, 1)),
)


ROWS_OF_4, ROWS_OF_3 = np.array([3, 0, 0, -1]), np.array([[1, -2], [0, 1]])
MASK_4, MASK_3 = np.array([True, False, True, True]), np.array([False, True, True])
MASK_43 = np.arange(12).reshape(4, 3) % 3 != 1
CHOSEN = {
    (4, 3): [
        *[ROWS_OF_4, ROWS_OF_3, [0, 2], [[0, 1], [1, 2]], [], np.array([], dtype="int64")],
        *[np.array(2), (EVERY, np.array([2, 0])), (..., [1, 1]), (None, [1, 1]), ([1, 0], None)],
        *[(ROWS_OF_4, 1), (1, [0, 2]), (slice(1, 4, 2), [0, 2]), ([0, 1], slice(0, 2))],
        *[MASK_4, (EVERY, MASK_3), MASK_43, MASK_4 & False, (MASK_4, 1), (MASK_4, [0, 1, 2])],
        *[True, False, (True, [0, 1]), np.array(True), (0, True), MASK_4.astype("uint8"), range(2)],
        *[([0, 1], [1, 2]), ([[0], [3]], [0, 2]), (MASK_4, MASK_3 | True), (np.array(1), [0, 2])],
    ],
    (2, 3, 4): [
        *[([0, 1], EVERY, [1, 3]), (EVERY, [0, 2], [1, 3]), (0, EVERY, [1, 2]), (..., [0, 1], 1)],
        *[([[0], [1]], [0, 2], [1, 1]), ([0, 1], None, [1, 0]), (EVERY, MASK_43.T, None)],
        *[(MASK_43[:2], EVERY), (MASK_43[:2], [0, 1, 2, 3]), (EVERY, EVERY, MASK_4), ROWS_OF_3],
    ],
    (): [True, False, np.array(True)],
    (0,): [[], np.array([], dtype=bool)],
    (2, 0, 3): [[1, 1], (EVERY, EVERY, [0, 2]), (EVERY, []), np.zeros((2, 0), dtype=bool)],
}
PICKED = tuple(case(shape, item=item) for shape, items in CHOSEN.items() for item in items)
REPEATED = [ROWS_OF_4, ROWS_OF_3, (ROWS_OF_4, 1), (..., [1, 1]), (None, [1, 1])]
ONCE = [
    (shape, item)
    for shape, items in CHOSEN.items()
    for item in items
    if not any(item is one or repr(item) == repr(one) for one in REPEATED)
]
REPLACED = tuple(case(shape, (), item=item) for shape, item in ONCE[:44]) + (
    *[case((4, 3), (3, 3), item=MASK_4), case((4, 3), (3,), item=MASK_4)],
    *[case((4, 3), (2, 1), item=[0, 2]), case((4, 3), (1, 1, 2, 3), item=[0, 2])],
    *[case((2, 3, 4), (2, 3), item=([0, 1], EVERY, [1, 3])), case((4, 3), (8,), item=MASK_43)],
    *[case((2, 3, 4), (2, 1), item=(EVERY, [0, 2], [1, 3])), case((4, 3), (2,), item=(1, [0, 2]))],
)
BAD_CHOICES = (
    bad((4,), says="index 4 is out of bounds for dimension 0 with size 4", shows=(), item=[0, 4]),
    bad((4,), says="index -5 is out of bounds for dimension 0 with size 4", shows=(), item=[-5]),
    bad((2, 3), says="index 7 is out of bounds for dimension 1", shows=(), item=([0, 1], [0, 7])),
    bad(
        (2, 3),
        says=r"broadcast together with shapes \[2\], \[3\]",
        shows=(),
        item=([0, 1], [0, 1, 0]),
    ),
    bad((4, 3), says=r"shape of the mask \[3\] at index 0 does not match", item=MASK_3),
    bad((4, 3), says="too many indices", item=([0], [0], [0])),
    bad((4,), says="must be long, int, byte or bool", shows=(), item=np.array([0.5])),
    bad((0, 3), says="out of bounds for dimension", shows=(), item=[0]),
    bad((), says="too many indices", shows=(), item=[0]),
    bad((4,), says="valid indices", shows=(), item=1.5),
    bad((4,), says="invalid data type", shows=(), item="a"),
)


def of(lib, item):
    """The item with the arrays in it made tensors of the library."""
    if isinstance(item, tuple):
        return tuple(of(lib, one) for one in item)
    if isinstance(item, np.ndarray):
        return lib.tensor(item.tolist(), dtype=getattr(lib, item.dtype.name))
    return item


def at(lib, x, item):
    """x[item]."""
    return x[of(lib, item)]


def with_item(lib, x, value=1.0, *, item):
    """A copy of x in which x[item] was replaced."""
    x = x.clone()
    x[of(lib, item)] = value
    return x


ROWS = (
    Row("index", (normal,), TAKEN, call=at, method=False, view=True, errors=BAD_ITEMS),
    Row("index_tensors", (normal,), PICKED, call=at, method=False, view=True, errors=BAD_CHOICES),
    Row(
        "index_assign_",
        (normal, normal),
        WRITTEN,
        call=with_item,
        method=False,
        mixed=True,
        errors=(
            *BAD_ITEMS,
            *BAD_CHOICES,
            bad((4, 3), (2,), says="shape mismatch|must match|expanded size", item=0),
            bad(
                (4, 3), (2, 3), says="shape mismatch|must match|expanded size|[nN]umber of", item=0
            ),
            bad((4, 3), (2,), says="shape mismatch", item=[0, 1]),
            bad((4, 3), [1, 2, 3], says="source and destination dtypes match", shows=(), item=[0]),
            bad((4, 3), None, says="assign|must be Tensor or number", shows=(), item=[0]),
        ),
        differs="`x[...] = y`: lists and arrays are accepted as well",
    ),
)
