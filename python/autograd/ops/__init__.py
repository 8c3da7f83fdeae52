"""The operations on tensors, one file per family. Public names are ``autograd.<name>`` and ``Tensor.<name>``."""

from . import (
    activations,
    arranging,
    converting,
    distances,
    drawing,
    gathering,
    indexing,
    joining,
    kinds,
    matrices,
    pointwise,
    probabilities,
    products,
    recurrent,
    reductions,
    scans,
    shaping,
    sorting,
    statistics,
    windows,
)
from .activations import *  # noqa: F403
from .arranging import *  # noqa: F403
from .converting import *  # noqa: F403
from .distances import *  # noqa: F403
from .drawing import *  # noqa: F403
from .gathering import *  # noqa: F403
from .indexing import *  # noqa: F403
from .joining import *  # noqa: F403
from .kinds import *  # noqa: F403
from .matrices import *  # noqa: F403
from .pointwise import *  # noqa: F403
from .probabilities import *  # noqa: F403
from .products import *  # noqa: F403
from .recurrent import *  # noqa: F403
from .reductions import *  # noqa: F403
from .scans import *  # noqa: F403
from .shaping import *  # noqa: F403
from .sorting import *  # noqa: F403
from .statistics import *  # noqa: F403
from .windows import *  # noqa: F403

__all__: list[str] = []
__all__ += activations.__all__
__all__ += arranging.__all__
__all__ += converting.__all__
__all__ += distances.__all__
__all__ += drawing.__all__
__all__ += gathering.__all__
__all__ += indexing.__all__
__all__ += joining.__all__
__all__ += kinds.__all__
__all__ += matrices.__all__
__all__ += pointwise.__all__
__all__ += products.__all__
__all__ += recurrent.__all__
__all__ += reductions.__all__
__all__ += scans.__all__
__all__ += shaping.__all__
__all__ += sorting.__all__
__all__ += statistics.__all__
__all__ += windows.__all__
__all__ += probabilities.__all__
