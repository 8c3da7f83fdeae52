"""Attention."""

import contextlib

import torch

from .row import Row, Values, bad, cases, flags, normal

SELF = [((2, 2, 5, 4),) * 3, ((3, 4), (5, 4), (5, 6)), ((2, 3, 1), (2, 1, 1), (2, 1, 2))]
PAIRS = [
    ((2, 3, 4), (1, 5, 4), (2, 5, 6)),
    ((2, 1, 3, 4), (2, 5, 4), (5, 3)),
    ((2, 7, 4), (2, 3, 4), (2, 3, 4)),
]
EMPTY = [
    ((2, 0, 4), (2, 5, 4), (2, 5, 3)),
    ((2, 3, 4), (2, 0, 4), (2, 0, 3)),
    ((2, 3, 0), (2, 5, 0), (2, 5, 4)),
]
MASKS = [(3, 5), (5,), (1, 5), (3, 1), (2, 1, 3, 5), (2, 2, 3, 5)]
THREE = ((2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 6))

# Some rows hide every key.
blind = Values(
    lambda rng, shape: rng.integers(0, 2, shape) * (rng.integers(0, 3, shape[:-1] + (1,)) > 0),
    "bool",
)


def attention(lib, query, key, value, mask=None, **kwargs):
    """PyTorch's fused kernels have no second order and refuse masks of one dim; its formula has both.

    Of equal keys the query's gradient is rounding alone, which grows with their number: many are made to differ.
    """
    if not isinstance(key, str) and key.ndim > 1 and key.shape[-2] > 100 and 0 in key.stride():
        key = key * (1 + lib.arange(key.shape[-2], dtype=key.dtype)[:, None] / key.shape[-2])
    backend = torch.nn.attention.SDPBackend.MATH
    formula = torch.nn.attention.sdpa_kernel(backend) if lib is torch else contextlib.nullcontext()
    with formula:
        return lib.nn.functional.scaled_dot_product_attention(query, key, value, mask, **kwargs)


ROWS = (
    Row(
        "scaled_dot_product_attention",
        (normal,),
        cases(SELF + PAIRS + EMPTY)
        + cases([SELF[0], PAIRS[2]], {"is_causal": True}, {"scale": 0.3})
        + cases([(*THREE, mask) for mask in MASKS])
        + cases(
            [(*THREE, mask) for mask in MASKS],
            {"scale": 0.4},
            inputs=(normal, normal, normal, flags),
        )
        + cases([(*THREE, (3, 5))], {"scale": -1.0}, inputs=(normal, normal, normal, blind))
        + cases(
            [((2, 4, 3, 4), (2, 2, 5, 4), (2, 2, 5, 6)), ((4, 3, 2), (1, 2, 2), (1, 2, 3))],
            *[{"enable_gqa": True}, {"enable_gqa": True, "is_causal": True}],
        )
        + cases([((300, 3), (530, 3), (530, 2))], {}, {"is_causal": True}),
        call=attention,
        method=False,
        dtypes=("float32", "float64"),
        errors=(
            bad((4,), (5, 4), (5, 6), says="at least 2 dimensional", shows=()),
            bad((3, 4), (5, 3), (5, 6), says="cannot be multiplied"),
            bad((3, 4), (5, 4), (6, 6), says="cannot be multiplied"),
            bad((2, 3, 4), (3, 5, 4), (3, 5, 6), says="must match", shows=()),
            bad((3, 4), (5, 4), (5, 6), (3, 5), says="should not be set", shows=(), is_causal=True),
            bad((3, 4), (5, 4), (5, 6), (3, 4), says="must match", shows=((3, 4),)),
            bad((3, 4), (5, 4), (5, 6), says="has to be between 0 and 1", shows=(), dropout_p=1.5),
            bad((2, 8, 3, 4), (2, 3, 5, 4), (2, 3, 5, 4), says="must divide", enable_gqa=True),
            bad((3, 4), (5, 4), (5, 6), says="Dimension out of range", shows=(), enable_gqa=True),
            bad((3, 4), "text", (5, 6), says="must be Tensor, not str", shows=()),
        ),
        differs="has a second order, also where the fused kernel runs",
    ),
)
