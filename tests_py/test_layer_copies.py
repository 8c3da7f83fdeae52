"""Every layer can be copied and pickled after it was called, and the copy computes the same."""

import copy
import inspect
import pickle

import pytest

import autograd as ag
from autograd import nn

# What cannot be made, or called with one tensor [2, 4, 6, 6], without more being said.
ARGUMENTS = {
    "AdaptiveLogSoftmaxWithLoss": (6, 8, [3, 5]),
    "Bilinear": (3, 3, 2),
    "BatchNorm1d": (4,),
    "BatchNorm2d": (4,),
    "BatchNorm3d": (4,),
    "ConstantPad1d": (1, 2.0),
    "ConstantPad2d": (1, 2.0),
    "ConstantPad3d": (1, 2.0),
    "Embedding": (4, 3),
    "EmbeddingBag": (4, 3),
    "Fold": ((4, 4), 2),
    "GroupNorm": (2, 4),
    "InstanceNorm1d": (4,),
    "InstanceNorm2d": (4,),
    "InstanceNorm3d": (4,),
    "LayerNorm": (6,),
    "Linear": (6, 3),
    **{f"LPPool{d}d": (2, 2) for d in (1, 2, 3)},
    "LocalResponseNorm": (2,),
    **{f"MaxUnpool{d}d": (2,) for d in (1, 2, 3)},
    "MultiheadAttention": (6, 2),
    "RMSNorm": (6,),
    "LogSoftmax": (1,),
    "Softmax": (1,),
    "Softmin": (1,),
    "Threshold": (0.1, 2.0),
    "Transformer": (6, 2, 1, 1, 8),
    "TransformerDecoderLayer": (6, 2, 8),
    "TransformerEncoderLayer": (6, 2, 8),
    "Unflatten": (1, (2, 2)),
    "PixelShuffle": (2,),
    "PixelUnshuffle": (2,),
    "ChannelShuffle": (2,),
    "Upsample": (None, 2),
    "UpsamplingBilinear2d": (None, 2),
    "UpsamplingNearest2d": (None, 2),
}
RECURRENT = {"LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"}
MODULES = {
    "ModuleDict": ({"a": nn.Linear(2, 2)},),
    "ModuleList": ([nn.Linear(2, 2)],),
    "ParameterDict": ({"a": nn.Parameter(ag.ones(2))},),
    "ParameterList": ([nn.Parameter(ag.ones(2))],),
    "Sequential": (nn.Conv2d(4, 2, 3), nn.ReLU()),
    "TransformerDecoder": (nn.TransformerDecoderLayer(6, 2, 8), 1),
    "TransformerEncoder": (nn.TransformerEncoderLayer(6, 2, 8), 1),
}
ABSTRACT = {"Module", "RNNBase", "RNNCellBase"}
NAMES = sorted(
    name
    for name, value in vars(nn).items()
    if inspect.isclass(value) and issubclass(value, nn.Module) and name not in ABSTRACT
)


def arguments_of(name):
    """What a layer is made with."""
    if name in RECURRENT:
        return (6, 3)
    if "Conv" in name:
        return (2, 2) if "Lazy" in name else (4, 2, 2)
    if name in MODULES or name in ARGUMENTS:
        return MODULES.get(name, ARGUMENTS.get(name))
    if name == "LazyLinear" or "Pool" in name or name == "Unfold":
        return (2,)
    return (1,) if "Pad" in name else ()


def inputs_of(name, layer):
    """Tensors that a layer can be called with; None for those that are not called."""
    if isinstance(layer, (nn.ModuleDict, nn.ModuleList, nn.ParameterDict, nn.ParameterList)):
        return None
    if "Loss" in name or name in ("CosineSimilarity", "PairwiseDistance"):
        return None
    if name == "Bilinear":
        return ag.ones(2, 3), ag.ones(2, 3)
    if name.startswith("Embedding"):
        return (ag.zeros(2, 1, dtype=ag.int64),)
    if name.endswith("Cell"):
        return (ag.ones(2, 6),)
    if name in RECURRENT or name.startswith(("Transformer", "Multihead")):
        count = (
            3
            if name == "MultiheadAttention"
            else 1
            if "Encoder" in name or name in RECURRENT
            else 2
        )
        return tuple(ag.ones(4, 2, 6) for _ in range(count))
    if name == "Fold":
        return (ag.ones(1, 4, 9),)
    if name.startswith("MaxUnpool"):
        pooled = ag.arange(48.0).reshape(2, 3, *(2,) * (int(name[9]) - 1), -1)
        return pooled, ag.zeros(pooled.shape, dtype=ag.int64)
    dims = next((int(d) for d in "123" if f"{d}d" in name), 2)
    return (ag.arange(float(8 * 6**dims)).reshape(2, 4, *(6,) * dims) / 100,)


def first(result):
    """The tensor, or the first of a nest of tuples."""
    while isinstance(result, tuple):
        result = result[0]
    return result


@pytest.mark.parametrize("name", NAMES)
def test_copies_compute_the_same(name):
    layer = getattr(nn, name)(*arguments_of(name))
    inputs = inputs_of(name, layer)
    if inputs is not None:
        layer(*inputs)
    layer.eval()
    for other in (copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert type(other) is type(layer) and repr(other) == repr(layer)
        assert list(other.state_dict()) == list(layer.state_dict())
        if inputs is not None:
            assert ag.equal(first(other(*inputs)), first(layer(*inputs)))
