"""What layers and losses compute, as functions; one file per family."""

from . import activations, affine, losses, normalization, regularization
from .activations import *  # noqa: F403
from .affine import *  # noqa: F403
from .losses import *  # noqa: F403
from .normalization import *  # noqa: F403
from .regularization import *  # noqa: F403

__all__: list[str] = []
__all__ += activations.__all__
__all__ += affine.__all__
__all__ += losses.__all__
__all__ += normalization.__all__
__all__ += regularization.__all__
