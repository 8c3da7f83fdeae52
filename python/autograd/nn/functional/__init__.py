"""What layers and losses compute, as functions; one file per family."""

from ...ops.arranging import channel_shuffle, pixel_shuffle, pixel_unshuffle
from ...ops.distances import cosine_similarity, normalize, pairwise_distance, pdist
from . import (
    activations,
    affine,
    attention,
    convolution,
    losses,
    normalization,
    padding,
    pooling,
    regularization,
    resizing,
    softmaxes,
    sparse,
)
from .activations import *  # noqa: F403
from .affine import *  # noqa: F403
from .attention import *  # noqa: F403
from .convolution import *  # noqa: F403
from .losses import *  # noqa: F403
from .normalization import *  # noqa: F403
from .padding import *  # noqa: F403
from .pooling import *  # noqa: F403
from .regularization import *  # noqa: F403
from .resizing import *  # noqa: F403
from .softmaxes import *  # noqa: F403
from .sparse import *  # noqa: F403

__all__: list[str] = [
    "cosine_similarity",
    "normalize",
    "pairwise_distance",
    "pdist",
    "channel_shuffle",
    "pixel_shuffle",
    "pixel_unshuffle",
]
__all__ += activations.__all__
__all__ += affine.__all__
__all__ += attention.__all__
__all__ += convolution.__all__
__all__ += losses.__all__
__all__ += normalization.__all__
__all__ += padding.__all__
__all__ += pooling.__all__
__all__ += regularization.__all__
__all__ += softmaxes.__all__
__all__ += sparse.__all__
__all__ += resizing.__all__
