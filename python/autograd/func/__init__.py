"""Transforms of functions, as in ``torch.func``: derivatives of functions as functions, and functions of many examples.

They nest in any order: ``grad(grad(f))``, ``vmap(grad(f))``, ``jacfwd(jacrev(f))``.
"""

from .jacobians import hessian, jacfwd, jacrev
from .mapping import vmap
from .stateless import functional_call, stack_module_state
from .transforms import grad, grad_and_value, hvp, jvp, linearize, value_and_grad, vjp

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "hvp",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "stack_module_state",
    "value_and_grad",
    "vjp",
    "vmap",
]
