"""Tables that are looked up: embedding, embedding_bag, one_hot."""

from .row import FLOATS, Row, bad, case, cases, integers, normal


def embedding(lib, weight, index, **kwargs):
    """nn.functional.embedding takes the positions first."""
    return lib.nn.functional.embedding(index, weight, **kwargs)


def renormed(lib, weight, index, **kwargs):
    """embedding with max_norm, which changes the table: both."""
    table = weight.detach().clone()
    return lib.nn.functional.embedding(index, table, **kwargs), table


BAGS = [((7, 4), (3, 5)), ((7, 1), (4, 1)), ((7, 3), (0, 2))]
BAG_MODES = ({}, {"mode": "sum"}, {"mode": "max"})


def embedding_bag(lib, weight, index, per_sample_weights=None, offsets=None, **kwargs):
    """embedding_bag with the table first, as the tensor that the gradient is of."""
    begins = None if offsets is None else lib.tensor(offsets)
    return lib.nn.functional.embedding_bag(
        index, weight, begins, per_sample_weights=per_sample_weights, **kwargs
    )


ROWS = (
    Row(
        "embedding",
        (normal, integers(3)),
        (
            *cases([((3, 4), (5,)), ((3, 4), (2, 3)), ((3, 4), ()), ((3, 0), (2,))]),
            *cases([((11, 4), (2, 3))], {"padding_idx": 1}, {"padding_idx": -10}),
        ),
        call=embedding,
        method=False,
        errors=(
            bad((3, 4), [3], says="index out of range in self", shows=()),
            bad((3, 4), [-1], says="index out of range in self", shows=()),
            bad((3, 4), [0.5], says="scalar types: Long, Int", shows=()),
            bad((3,), [0], says="'weight' must be 2-D"),
            bad((3, 4), [0], says="Padding_idx must be within", shows=(), padding_idx=3),
            bad((3, 4), [0], says="Padding_idx must be within", shows=(), padding_idx=-4),
        ),
        differs="sparse is accepted; gradients are dense",
    ),
    Row(
        "embedding_renorm_",
        (normal, integers(3)),
        cases(
            [((3, 4), (5,)), ((4, 40), (2,)), ((3, 4), (0,))],
            *(
                {"max_norm": n, "norm_type": p}
                for n in (1.0, 2)
                for p in (2.0, 1, 3.5, float("inf"))
            ),
        ),
        call=renormed,
        order=0,
        dtypes=("float32", "float64"),
        method=False,
    ),
    Row(
        "embedding_bag",
        (normal, integers(7), normal),
        (
            *cases(BAGS, *BAG_MODES),
            *cases(BAGS[:2], *({**mode, "padding_idx": n} for mode in BAG_MODES for n in (2, -5))),
            *cases(
                [((7, 4), (6,))],
                *(
                    {"offsets": (0, 2, 2, 5, 6), "include_last_offset": True, **m}
                    for m in BAG_MODES
                ),
                *({"offsets": (0, 0, 4, 4, 6), **m} for m in BAG_MODES),
                {"offsets": (0, 0, 4), "mode": "mean", "padding_idx": 3},
                {"offsets": (0, 3), "mode": "max", "padding_idx": 0},
            ),
            case((7, 4), (0,), offsets=(0, 0), mode="max"),
            case((7, 4), (3, 5), (3, 5), mode="sum"),
            case((7, 4), (5,), (5,), mode="sum", offsets=(0, 2), padding_idx=1),
        ),
        path="nn.functional.embedding_bag",
        call=embedding_bag,
        order=1,
        method=False,
        dtypes=FLOATS,
        errors=(
            bad((7, 4), [[1, 7]], says="out of range|Expected idx", shows=()),
            bad((7, 4), [[-1, 6]], says="out of range|Expected idx", shows=(), mode="sum"),
            bad((7, 4), [[0.5]], says="scalar types: Long, Int", shows=()),
            bad((7, 4), [1, 2], says="offsets has to be a 1D Tensor but got None", shows=()),
            bad((7, 4), [1, 2], says="offsets\\[0\\] has to be 0", shows=(), offsets=(1, 2)),
            bad((7, 4), [1, 2], says="greater than input's length", shows=(), offsets=(0, 3)),
            bad((7, 4), [[1, 2]], says="offsets has to be None", shows=(), offsets=(0, 1)),
            bad((7, 4), [[[1]]], says="1D or 2D Tensor", shows=()),
            bad((4,), [[1]], says="weight has to be a 2D Tensor", shows=()),
            bad((7, 4), [[1]], says="mode has to be one of", shows=(), mode="min"),
            bad((7, 4), [[1, 2]], (1, 1), says="same shape as the input", shows=(), mode="sum"),
            bad((7, 4), [[1, 2]], (1, 2), says="only supported for mode='sum'", shows=()),
            bad((7, 4), [[1]], [[2]], says="to have the same type", shows=(), mode="sum"),
            bad((7, 4), [[1]], says="padding_idx must be within", shows=(), padding_idx=7),
            bad(
                (7, 4),
                [[1]],
                says="max mode does not",
                shows=(),
                mode="max",
                scale_grad_by_freq=True,
            ),
        ),
        differs="sparse is accepted; gradients are dense, and of every order",
    ),
    Row(
        "one_hot",
        (integers(4),),
        cases([(5,), (2, 3), ()]) + cases([(5,), (0,), (2, 0)], {"num_classes": 6}),
        path="nn.functional.one_hot",
        order=0,
        method=False,
        errors=(
            bad([0, 4], says="smaller than num_classes", shows=(), num_classes=3),
            bad([-1], says="non-negative", shows=()),
            bad([0.5], says="LongTensor", shows=()),
            bad([], says="LongTensor", shows=()),
        ),
    ),
)
