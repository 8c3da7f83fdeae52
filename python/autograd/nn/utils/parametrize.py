"""Parameters that are functions of others: ``module.weight`` is computed, what it is computed from is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from ...grad_mode import no_grad
from ...tensor import Tensor
from ..containers import ModuleDict, ModuleList
from ..module import Module, must_be_module
from ..parameter import Parameter

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "type_before_parametrizations",
]

_cache_depth = 0
_cache: dict[tuple[int, str], Tensor] = {}


@contextmanager
def cached() -> Iterator[None]:
    """Within the block each parametrized tensor is computed once, at its first use."""
    global _cache_depth
    _cache_depth += 1
    try:
        yield
    finally:
        _cache_depth -= 1
        if not _cache_depth:
            _cache.clear()


def _shown(value: Any) -> str:
    """The type of a value, and the dtype and sizes of a tensor, for errors."""
    if isinstance(value, Tensor):
        return f"a tensor of {value.dtype} {tuple(value.shape)}"
    return type(value).__name__


class ParametrizationList(ModuleList):
    """The modules that compute one tensor, one after the other, and what the first one starts from.

    That is ``original``, or ``original0``, ``original1``, ... where the first module takes several tensors.
    Calling the list computes the tensor.
    """

    def __init__(
        self, modules: Sequence[Module], original: Tensor | Parameter, unsafe: bool = False
    ) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        start = self._start_from(original)
        self.is_tensor = isinstance(start, Tensor)
        self.ntensors = 1 if isinstance(start, Tensor) else len(start)
        if isinstance(start, Tensor):
            if start is not original:
                original.data = start  # the same object: optimizers may hold it
            self._keep("original", original, original)
        else:
            for i, tensor in enumerate(start):
                self._keep(f"original{i}", tensor, original)
        if not unsafe:
            with no_grad():
                _check_same("A parametrization", original, self())

    def _keep(self, name: str, tensor: Tensor, like: Tensor) -> None:
        """Makes a tensor a parameter if like is one, a buffer otherwise."""
        if isinstance(like, Parameter) and not isinstance(tensor, Parameter):
            tensor = Parameter(tensor, like.requires_grad and tensor.dtype.is_floating_point)
        if isinstance(like, Parameter):
            self.register_parameter(name, tensor)
        else:
            self.register_buffer(name, tensor)

    def _start_from(self, value: Tensor) -> Any:
        """What the modules, run backwards, make of a value: a tensor, or a sequence of them."""
        found: Any = value
        with no_grad():
            for module in reversed(self):
                if not hasattr(module, "right_inverse"):
                    return found
                found = module.right_inverse(found)
        if not isinstance(found, (Tensor, Sequence)):
            raise ValueError(
                f"'right_inverse' must return a Tensor or a Sequence of tensors, not {_shown(found)}"
            )
        if not isinstance(found, Tensor):
            for i, entry in enumerate(found):
                if not isinstance(entry, Tensor):
                    raise ValueError(
                        f"'right_inverse' must return tensors; entry {i} is {_shown(entry)}"
                    )
        return found

    def right_inverse(self, value: Tensor) -> None:
        """Sets the originals so that the list computes value, by the modules' right_inverse() from last to first.

        Raises RuntimeError for a module that has none, ValueError for other numbers, dtypes or sizes of tensors.
        """
        with no_grad():
            for module in self:
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse, which is needed to "
                        "assign to the tensor that it computes"
                    )
            start = self._start_from(value)
            found = [start] if isinstance(start, Tensor) else list(start)
            if len(found) != self.ntensors:
                raise ValueError(
                    f"'right_inverse' must return {self.ntensors} tensors, got {len(found)}"
                )
            for original, tensor in zip(self._originals(), found):
                if tensor.dtype is not original.dtype:
                    raise ValueError(
                        f"The tensor returned by 'right_inverse' has dtype {tensor.dtype}, expected {original.dtype}"
                    )
                if tensor.shape == original.shape:
                    original.copy_(tensor)
                else:
                    original.data = tensor

    def _originals(self) -> list[Tensor]:
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def forward(self) -> Tensor:
        """The tensor, computed."""
        modules = iter(self)
        result = next(modules)(*self._originals())
        for module in modules:
            result = module(result)
        return result


class _Parametrized:
    """What the class of a parametrized module has besides its own base."""

    _before: type

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        known = memo.get(id(self))
        if known is None:
            known = memo[id(self)] = self.__class__.__new__(self.__class__)
            known.__setstate__(deepcopy(self.__getstate__(), memo))
        return known

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through state_dict(): save that, and register the "
            "parametrizations again before loading it"
        )


def _make_parametrized(module: Module) -> None:
    """Gives the module a class of its own, to which computed tensors can be added as properties."""
    before = type(module)
    if "parametrizations" not in module.__dict__:
        module.parametrizations = ModuleDict()
    namespace = {"_before": before, "__module__": __name__}
    module.__class__ = type(f"Parametrized{before.__name__}", (_Parametrized, before), namespace)


def _add_property(module: Module, name: str) -> None:
    def compute(self: Any) -> Tensor:
        if not _cache_depth:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    def assign(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(compute, assign))


def _check_further(value: Tensor, parametrization: Module) -> None:
    """Raises ValueError unless parametrization, and its inverse, give tensors of value's dtype and shape."""
    with no_grad():
        results = [("A parametrization", parametrization(value))]
        if hasattr(parametrization, "right_inverse"):
            results.append(("'right_inverse'", parametrization.right_inverse(value)))
    for what, result in results:
        _check_same(what, value, result)


def _check_same(what: str, before: Tensor, result: Any) -> None:
    if not isinstance(result, Tensor):
        raise ValueError(f"{what} must return a tensor. Got {_shown(result)}")
    if result.dtype is not before.dtype or result.shape != before.shape:
        raise ValueError(
            f"{what} may not change the dtype or the shape of the tensor, unless unsafe=True is given: it was "
            f"{_shown(before)} and would be {_shown(result)}"
        )


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Makes a parameter or buffer of module the result of parametrization, and returns the module.

    From then on ``module.<tensor_name>`` is ``parametrization(original)``, where
    ``module.parametrizations.<tensor_name>.original`` is what is trained and saved. A further parametrization of the
    same tensor is applied to the result of those before. If the first parametrization has a method right_inverse(), the
    tensor's value is passed through it, so that it stays; it may return several tensors, which parametrization is then
    called with. If all have one, the tensor can be assigned to. The class of module becomes ``Parametrized<its name>``.

    Raises ValueError if there is no such tensor, and if the result has another dtype or shape, unless unsafe.
    """
    must_be_module("register_parametrization", module)
    must_be_module("register_parametrization", parametrization)
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        chain = module.parametrizations[tensor_name]
        if not unsafe:
            _check_further(getattr(module, tensor_name).detach(), parametrization)
        chain.append(parametrization)
        chain.unsafe = chain.unsafe or unsafe
        return module
    kinds = (module._parameters, module._buffers)
    if not any(tensor_name in members for members in kinds):
        raise ValueError(
            f"Module {module} does not have a parameter, a buffer, or a parametrized element with name '{tensor_name}'"
        )
    original = getattr(module, tensor_name)
    chain = ParametrizationList([parametrization], original, unsafe=unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        _make_parametrized(module)
    module.parametrizations[tensor_name] = chain
    _add_property(module, tensor_name)
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Returns True if the tensor of that name, or any tensor if None, of the module is computed."""
    lists = module.__dict__.get("parametrizations") if isinstance(module, Module) else None
    if not isinstance(lists, ModuleDict):
        return False
    return len(lists) > 0 if tensor_name is None else tensor_name in lists


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Makes a computed tensor a parameter or buffer again, and returns the module.

    It keeps its present value; with leave_parametrized=False it becomes the original one again.
    Raises ValueError if the tensor is not parametrized, or if it has several originals that would be left.
    """
    must_be_module("remove_parametrizations", module)
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    chain = module.parametrizations[tensor_name]
    if not chain.is_tensor and not leave_parametrized:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a "
            "sequence of tensors"
        )
    first = chain._originals()[0]
    if leave_parametrized:
        with no_grad():
            value = getattr(module, tensor_name).detach()
        if chain.is_tensor and value.shape == first.shape and value.dtype is first.dtype:
            with no_grad():
                first.copy_(value)
        else:
            first = Parameter(value, first.requires_grad) if isinstance(first, Parameter) else value
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if not len(module.parametrizations):
        del module.parametrizations
        module.__class__ = type(module)._before
    if isinstance(first, Parameter):
        module.register_parameter(tensor_name, first)
    else:
        module.register_buffer(tensor_name, first)
    return module


def type_before_parametrizations(module: Module) -> type:
    """Returns the class that the module had before its first parametrization."""
    return type(module)._before if is_parametrized(module) else type(module)
