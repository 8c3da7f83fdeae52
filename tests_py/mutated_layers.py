"""Bad arguments and bad inputs of every layer, made from good ones as in mutated_calls.py."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from mutated_calls import Array, Call, Kind, bad_calls, made


class Layer(NamedTuple):
    """What a layer is made of, and the arguments of its forward."""

    args: tuple
    kwargs: dict
    inputs: tuple


@functools.cache
def _f(*shape: int) -> Array:
    """Some numbers, the same for the same shape."""
    n = int(np.prod(shape))
    return Array((np.arange(n) * 7 % 11 / 5 - 1).reshape(shape))


def _row(*args: Any, inputs: Any = None, **kwargs: Any) -> Layer:
    return Layer(args, kwargs, tuple(inputs) if isinstance(inputs, list) else (inputs,))


def _like(names: str, layer: Layer) -> dict[str, Layer]:
    return dict.fromkeys(names.split(), layer)


_MOST_FILLED = 10_000
_SPATIAL = {1: (2, 4, 8), 2: (2, 4, 6, 6), 3: (1, 4, 4, 4, 4)}
_TARGETS = Array([1, 0, 2], "int64")
_SIGNS = Array([1.0, -1.0, 1.0])

LAYERS: dict[str, Layer] = {
    "Linear": _row(3, 4, bias=True, dtype=Kind("float32"), inputs=_f(2, 3)),
    "Bilinear": _row(3, 4, 2, True, inputs=[_f(2, 3), _f(2, 4)]),
    "Flatten": _row(1, -1, inputs=_f(2, 3, 4)),
    "Unflatten": _row(1, (2, 2), inputs=_f(2, 4)),
    "Identity": _row(3, inputs=_f(2, 3)),
    "Embedding": _row(*(5, 3, 1, 2.0, 2.0, False, False), inputs=Array([[1, 0], [2, 4]], "int64")),
    "EmbeddingBag": _row(
        *(5, 3, None, 2.0, False, "sum", False), inputs=Array([[1, 0], [2, 4]], "int64")
    ),
    "MultiheadAttention": _row(
        *(4, 2, 0.0, True, False, False),
        kdim=None,
        vdim=None,
        batch_first=True,
        inputs=[_f(2, 3, 4), _f(2, 3, 4), _f(2, 3, 4)],
    ),
    "TransformerEncoderLayer": _row(4, 2, 8, 0.0, "relu", batch_first=True, inputs=_f(2, 3, 4)),
    "TransformerDecoderLayer": _row(
        *(4, 2, 8, 0.0, "gelu"), norm_first=True, inputs=[_f(3, 2, 4), _f(3, 2, 4)]
    ),
    "Transformer": _row(4, 2, 1, 1, 8, 0.0, "relu", inputs=[_f(3, 2, 4), _f(3, 2, 4)]),
    "CosineSimilarity": _row(1, 1e-8, inputs=[_f(3, 4), _f(3, 4)]),
    "PairwiseDistance": _row(2.0, 1e-6, False, inputs=[_f(3, 4), _f(3, 4)]),
    "GLU": _row(-1, inputs=_f(2, 4)),
    "LocalResponseNorm": _row(2, 1e-4, 0.75, 1.0, inputs=_f(2, 3, 4)),
    "GELU": _row("tanh", inputs=_f(2, 3)),
    "PReLU": _row(3, 0.25, inputs=_f(2, 3)),
    "RReLU": _row(0.1, 0.3, False, inputs=_f(2, 3)),
    "Hardtanh": _row(-1.0, 1.0, False, inputs=_f(2, 3)),
    "Softplus": _row(1.0, 20.0, inputs=_f(2, 3)),
    "Threshold": _row(0.1, 2.0, False, inputs=_f(2, 3)),
    "LeakyReLU": _row(0.1, False, inputs=_f(2, 3)),
    "Softmax2d": _row(inputs=_f(3, 2, 2)),
    "PixelShuffle": _row(2, inputs=_f(1, 4, 2, 2)),
    "ChannelShuffle": _row(2, inputs=_f(1, 4, 2)),
    "PixelUnshuffle": _row(2, inputs=_f(1, 1, 4, 4)),
    "Upsample": _row(None, 2.0, "nearest", None, inputs=_f(1, 2, 4)),
    "UpsamplingBilinear2d": _row(None, 2.0, inputs=_f(1, 2, 4, 4)),
    "UpsamplingNearest2d": _row((3, 3), inputs=_f(1, 2, 4, 4)),
    "Fold": _row((4, 4), (2, 2), 1, 0, 2, inputs=_f(1, 8, 4)),
    "Unfold": _row((2, 2), 1, 0, 2, inputs=_f(1, 2, 4, 4)),
    "GroupNorm": _row(2, 4, 1e-5, True, inputs=_f(2, 4, 3)),
    "LayerNorm": _row((3,), 1e-5, True, True, inputs=_f(2, 3)),
    "RMSNorm": _row(3, 1e-5, True, inputs=_f(2, 3)),
    "CrossEntropyLoss": _row(
        *(Array([1.0, 2.0, 0.5]), None, -100, None, "mean", 0.1), inputs=[_f(3, 3), _TARGETS]
    ),
    "NLLLoss": _row(Array([1.0, 2.0, 0.5]), None, -100, None, "mean", inputs=[_f(3, 3), _TARGETS]),
    "MultiMarginLoss": _row(1, 1.0, None, None, None, "mean", inputs=[_f(3, 3), _TARGETS]),
    "AdaptiveLogSoftmaxWithLoss": _row(
        *(4, 6, [2, 4], 2.0, True), inputs=[_f(3, 4), Array([0, 3, 5], "int64")]
    ),
    "MultiLabelMarginLoss": _row(
        *(None, None, "mean"), inputs=[_f(2, 3), Array([[1, -1, 0], [2, 0, -1]], "int64")]
    ),
    "BCELoss": _row(
        None, None, None, "mean", inputs=[Array([0.1, 0.5, 0.9]), Array([0.0, 1.0, 1.0])]
    ),
    "BCEWithLogitsLoss": _row(
        None, None, None, "mean", pos_weight=Array([1.0, 2.0, 0.5]), inputs=[_f(3), _f(3)]
    ),
    "CTCLoss": _row(
        *(0, "mean", False),
        inputs=[
            *(_f(4, 2, 3), Array([[1, 2], [2, 1]], "int64")),
            *(Array([4, 3], "int64"), Array([2, 1], "int64")),
        ],
    ),
    "KLDivLoss": _row(None, None, "batchmean", False, inputs=[_f(3, 3), _f(3, 3)]),
    "PoissonNLLLoss": _row(True, False, None, 1e-8, None, "mean", inputs=[_f(3), _f(3)]),
    "GaussianNLLLoss": _row(
        full=False, eps=1e-6, reduction="mean", inputs=[_f(3), _f(3), Array([0.5, 1.0, 2.0])]
    ),
    "HuberLoss": _row("mean", 1.0, inputs=[_f(3), _f(3)]),
    "SmoothL1Loss": _row(None, None, "mean", 1.0, inputs=[_f(3), _f(3)]),
    "HingeEmbeddingLoss": _row(1.0, None, None, "mean", inputs=[_f(3), _SIGNS]),
    "CosineEmbeddingLoss": _row(0.0, None, None, "mean", inputs=[_f(3, 4), _f(3, 4), _SIGNS]),
    "MarginRankingLoss": _row(0.0, None, None, "mean", inputs=[_f(3), _f(3), _SIGNS]),
    "MultiLabelSoftMarginLoss": _row(
        None, None, None, "mean", inputs=[_f(2, 3), Array(np.eye(3)[:2])]
    ),
    "TripletMarginLoss": _row(
        *(1.0, 2.0, 1e-6, False, None, None, "mean"), inputs=[_f(3, 4), _f(3, 4), _f(3, 4)]
    ),
    "TripletMarginWithDistanceLoss": _row(
        distance_function=None, margin=1.0, swap=False, inputs=[_f(3, 4), _f(3, 4), _f(3, 4)]
    ),
    "RNN": _row(3, 2, 2, "relu", True, True, 0.0, False, inputs=[_f(2, 4, 3), _f(2, 2, 2)]),
    "GRU": _row(3, 2, 1, True, False, 0.0, True, inputs=[_f(4, 2, 3), _f(2, 2, 2)]),
    "LSTM": _row(
        *(3, 4, 1, True, False, 0.0, False, 2), inputs=[_f(4, 2, 3), (_f(1, 2, 2), _f(1, 2, 4))]
    ),
    "RNNCell": _row(3, 2, True, "tanh", inputs=[_f(4, 3), _f(4, 2)]),
    "GRUCell": _row(3, 2, True, inputs=[_f(4, 3), _f(4, 2)]),
    "LSTMCell": _row(3, 2, True, inputs=[_f(4, 3), (_f(4, 2), _f(4, 2))]),
    "LazyLinear": _row(4, True, inputs=_f(2, 3)),
    **_like("ReLU ReLU6 SELU SiLU Mish Hardsigmoid Hardswish", _row(False, inputs=_f(2, 3))),
    **_like("ELU CELU", _row(1.0, False, inputs=_f(2, 3))),
    **_like("LogSigmoid Sigmoid Softsign Tanh Tanhshrink", _row(inputs=_f(2, 3))),
    **_like("Hardshrink Softshrink", _row(0.5, inputs=_f(2, 3))),
    **_like("Softmax LogSoftmax Softmin", _row(1, inputs=_f(2, 3))),
    **_like("Dropout AlphaDropout", _row(0.5, False, inputs=_f(2, 3))),
    "FeatureAlphaDropout": _row(0.5, False, inputs=_f(2, 3, 4)),
    **_like("L1Loss MSELoss SoftMarginLoss", _row(None, None, "mean", inputs=[_f(3), _f(3)])),
}
for _d, _shape in _SPATIAL.items():
    _x = _f(*_shape)
    _pair, _zero = (2,) * _d, (0,) * _d
    LAYERS.update(
        {
            f"Conv{_d}d": _row(4, 2, _pair, 1, _zero, 1, 2, True, "zeros", inputs=_x),
            f"ConvTranspose{_d}d": _row(4, 2, 2, _pair, 0, 1, 1, True, 1, "zeros", inputs=_x),
            f"MaxPool{_d}d": _row(2, 1, 0, 1, False, False, inputs=_x),
            f"AvgPool{_d}d": _row(_pair, 2, 0, False, True, inputs=_x),
            f"AdaptiveAvgPool{_d}d": _row(2 if _d == 1 else (2, None, 1)[:_d], inputs=_x),
            f"AdaptiveMaxPool{_d}d": _row(2, False, inputs=_x),
            f"LPPool{_d}d": _row(2, 2, 1, False, inputs=_x),
            f"MaxUnpool{_d}d": _row(2, 2, 0, inputs=[_x, Array(np.zeros(_shape), "int64")]),
            f"BatchNorm{_d}d": _row(4, 1e-5, 0.1, True, True, inputs=_x),
            f"InstanceNorm{_d}d": _row(4, 1e-5, 0.1, True, False, inputs=_x),
            f"LazyConv{_d}d": _row(4, 2, 1, 0, inputs=_x),
            f"LazyConvTranspose{_d}d": _row(3, 2, 2, 1, inputs=_x),
            f"LazyBatchNorm{_d}d": _row(1e-5, 0.1, inputs=_x),
            f"LazyInstanceNorm{_d}d": _row(1e-5, 0.1, True, inputs=_x),
            f"Dropout{_d}d": _row(0.5, False, inputs=_x),
            f"ConstantPad{_d}d": _row((1, 0) * _d, 2.0, inputs=_x),
            f"ZeroPad{_d}d": _row((1, 2) * _d, inputs=_x),
            **_like(f"ReflectionPad{_d}d ReplicationPad{_d}d CircularPad{_d}d", _row(1, inputs=_x)),
        }
    )


def _outcome(function: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - the error is the result
        return error


def construct(lib: Any, name: str, call: Call) -> Any:
    """The layer in evaluation mode, with parameters that are the same in both libraries, or the error."""
    built = _outcome(getattr(lib.nn, name), *made(lib, call.args), **made(lib, call.kwargs))
    return built if isinstance(built, Exception) else _filled(lib, built.eval())


def _filled(lib: Any, layer: Any) -> Any:
    with lib.no_grad():
        for parameter in [] if "Lazy" in type(layer).__name__ else layer.parameters():
            if 0 < parameter.numel() <= _MOST_FILLED and parameter.is_floating_point():
                parameter.copy_(made(lib, _f(*parameter.shape)))
    return layer


def forward(lib: Any, layer: Any, call: Call) -> Any:
    """What a call of the layer gives or raises."""
    return _outcome(layer, *made(lib, call.args), **made(lib, call.kwargs))


def good_arguments(name: str) -> Call:
    """The call that makes the layer."""
    return Call(f"nn.{name}", LAYERS[name].args, LAYERS[name].kwargs)


def good_inputs(name: str) -> Call:
    """The call of the layer."""
    return Call(f"nn.{name}.forward", LAYERS[name].inputs, {})


def bad_constructions(name: str) -> Iterator[Call]:
    """Calls of the class, each wrong in one way."""
    return bad_calls(good_arguments(name))


def endless_in_pytorch(call: Call) -> bool:
    """True for layers that PyTorch would make one by one until there is no memory left."""
    stacked = call.path in ("nn.Transformer", "nn.RNN", "nn.GRU", "nn.LSTM")
    return stacked and any(
        type(v) is int and v > 2**60 for v in (*call.args, *call.kwargs.values())
    )


def bad_inputs(name: str) -> Iterator[Call]:
    """Calls of the layer, each wrong in one way."""
    return bad_calls(good_inputs(name))
