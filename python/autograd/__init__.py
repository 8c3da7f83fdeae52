"""Automatic differentiation for small models: PyTorch's interface at a fraction of its overhead.

``import autograd as ag``; then ``ag.tensor``, ``ag.nn``, ``ag.optim``, ``ag.no_grad`` as in PyTorch.
"""

from math import e, inf, nan, pi

from . import (
    accelerator,
    autograd,
    backends,
    creation,
    cuda,
    datasets,
    distributions,
    func,
    graph,
    library,
    linalg,
    nn,
    ops,
    optim,
    random,
    ranges,
    reproducibility,
    special,
    tensor_types,
    testing,
    utils,
)
from ._capi import lib as _lib
from .autograd import backward, grad
from .autograd.anomaly_mode import (
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    set_anomaly_enabled,
)
from .compiled import CompiledFunction, CompileError, LoadedPlan, compile, load_plan
from .creation import *  # noqa: F403
from .devices import device
from .dtypes import bool_ as bool
from .dtypes import bool_ as bool_
from .dtypes import (
    dtype,
    finfo,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int32,
    int64,
    set_default_dtype,
    uint8,
)
from .dtypes import float32 as float
from .dtypes import float64 as double
from .dtypes import int32 as int
from .dtypes import int64 as long
from .formatting import set_printoptions
from .func import vmap
from .grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .library import *  # noqa: F403
from .location import SourceLocation
from .nn.functional.convolution import *  # noqa: F403
from .nn.functional.pooling import (
    adaptive_avg_pool1d,
    adaptive_max_pool1d,
    avg_pool1d,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool3d,
)
from .ops import *  # noqa: F403
from .random import *  # noqa: F403
from .ranges import *  # noqa: F403
from .reproducibility import *  # noqa: F403
from .serialization import load, save
from .tensor import Size, Tensor
from .tensor_types import *  # noqa: F403

newaxis = None

__version__: str = _lib.ag_version().decode()

__all__ = [
    "CompileError",
    "CompiledFunction",
    "LoadedPlan",
    "compile",
    "load_plan",
    "Size",
    "SourceLocation",
    "Tensor",
    "accelerator",
    "adaptive_avg_pool1d",
    "adaptive_max_pool1d",
    "avg_pool1d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool3d",
    "__version__",
    "autograd",
    "backends",
    "backward",
    "bool",
    "bool_",
    "cuda",
    "datasets",
    "device",
    "distributions",
    "double",
    "dtype",
    "enable_grad",
    "finfo",
    "float",
    "float32",
    "float64",
    "func",
    "get_default_dtype",
    "grad",
    "graph",
    "iinfo",
    "int",
    "int32",
    "int64",
    "inference_mode",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "load",
    "linalg",
    "long",
    "nn",
    "no_grad",
    "optim",
    "random",
    "save",
    "set_anomaly_enabled",
    "set_default_dtype",
    "set_grad_enabled",
    "set_printoptions",
    "special",
    "testing",
    "uint8",
    "e",
    "inf",
    "nan",
    "newaxis",
    "pi",
    "vmap",
    "utils",
]
__all__ += creation.__all__
__all__ += ranges.__all__
__all__ += library.__all__
__all__ += nn.functional.convolution.__all__
__all__ += ops.__all__
__all__ += random.__all__
__all__ += reproducibility.__all__
__all__ += tensor_types.__all__
