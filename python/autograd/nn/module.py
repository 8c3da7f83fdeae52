"""Module: the base of all layers and models."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from typing import (
    Any,
    Callable,
    NamedTuple,
    TypeVar,
)

from ..dtypes import dtype as DType
from ..dtypes import float32, float64
from ..grad_mode import no_grad
from ..tensor import Tensor, replace
from .parameter import Parameter

Self = TypeVar("Self", bound="Module")


class IncompatibleKeys(NamedTuple):
    """What load_state_dict(strict=False) could not match."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Module:
    """The base of all layers and models.

    A subclass assigns Parameters and Modules to attributes in ``__init__`` and computes in ``forward``. Parameters,
    buffers and children are plain attributes, so reading one costs nothing extra; which attribute is what is
    told by its type, and for buffers by the names in ``_buffer_names``.
    """

    training: bool

    def __init__(self) -> None:
        # name -> whether it is part of state_dict()
        self._buffer_names: dict[str, bool] = {}
        # Parameters and children registered as None: names that take a Parameter or Module later.
        self._absent: set[str] = set()
        self.training = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the output. Every subclass defines it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    # module(x) is module.forward(x). As a property it is found and called without a Python frame of its own.
    __call__: Callable[..., Any] = property(operator.attrgetter("forward"))  # type: ignore[assignment]

    # ---- attributes ----

    def __setattr__(self, name: str, value: Any) -> None:
        attributes = self.__dict__
        if isinstance(value, (Parameter, Module)):
            if "_buffer_names" not in attributes:
                what = "parameters" if isinstance(value, Parameter) else "module"
                raise AttributeError(f"cannot assign {what} before Module.__init__() call")
            self._buffer_names.pop(name, None)
        else:
            known = attributes.get(name)
            if value is None:
                if isinstance(known, (Parameter, Module)):
                    self._absent.add(name)
            elif isinstance(known, Parameter):
                raise TypeError(
                    f"cannot assign '{type(value).__name__}' as parameter '{name}' (nn.Parameter or None expected)"
                )
            elif isinstance(known, Module):
                raise TypeError(
                    f"cannot assign '{type(value).__name__}' as child module '{name}' (nn.Module or None expected)"
                )
            elif name in attributes.get("_buffer_names", ()) and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{type(value).__name__}' as buffer '{name}' (Tensor or None expected)"
                )
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self._buffer_names.pop(name, None)

    def _register(self, kind: str, name: str, value: Any, taken: type) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type(name).__name__}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if (
            hasattr(self, name)
            and not isinstance(self.__dict__.get(name), taken)
            and name not in self._absent
        ):
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter under a name; None keeps the name for one."""
        self._register("parameter", name, param, Parameter)
        if param is None:
            self._absent.add(name)
        elif not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{type(param).__name__}' object to parameter '{name}' (nn.Parameter or None required)"
            )
        elif not param.is_leaf:
            raise ValueError(f"Cannot assign non-leaf Tensor to parameter '{name}'.")
        setattr(self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that is state, but not trained; one that is not persistent stays out of state_dict()."""
        if "_buffer_names" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        if name in self._buffer_names:
            object.__delattr__(self, name)
        self._register("buffer", name, tensor, Tensor)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{type(tensor).__name__}' object to buffer '{name}' (Tensor or None required)"
            )
        setattr(self, name, tensor)
        self._buffer_names[name] = persistent

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a child under a name; None keeps the name for one."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        self._register("module", name, module, Module)
        if module is None:
            self._absent.add(name)
        setattr(self, name, module)

    register_module = add_module

    # ---- walking the tree ----

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct children with their names."""
        seen: set[int] = set()
        for name, value in self.__dict__.items():
            if isinstance(value, Module) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def children(self) -> Iterator[Module]:
        """The direct children."""
        return (module for _, module in self.named_children())

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, with dotted names; each once unless remove_duplicate is False."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, value in self.__dict__.items():
            if isinstance(value, Module):
                yield from value.named_modules(
                    memo, prefix + ("." if prefix else "") + name, remove_duplicate
                )

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        return (module for _, module in self.named_modules())

    def _named_members(
        self,
        own: Callable[[Module], Iterator[tuple[str, Tensor]]],
        prefix: str,
        recurse: bool,
        remove_duplicate: bool,
    ) -> Iterator[tuple[str, Tensor]]:
        seen: set[int] = set()
        modules = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for path, module in modules:
            for name, value in own(module):
                if remove_duplicate:
                    if id(value) in seen:
                        continue
                    seen.add(id(value))
                yield path + ("." if path else "") + name, value

    def _own_parameters(self) -> Iterator[tuple[str, Tensor]]:
        return (
            (name, value) for name, value in self.__dict__.items() if isinstance(value, Parameter)
        )

    def _own_buffers(self) -> Iterator[tuple[str, Tensor]]:
        own = ((name, self.__dict__.get(name)) for name in self._buffer_names)
        return ((name, value) for name, value in own if value is not None)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters with dotted names; each once unless remove_duplicate is False."""
        return self._named_members(Module._own_parameters, prefix, recurse, remove_duplicate)  # type: ignore

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers with dotted names; each once unless remove_duplicate is False."""
        return self._named_members(Module._own_buffers, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module with a dotted name. Raises AttributeError if there is none."""
        module: Any = self
        for name in target.split(".") if target else ():
            child = module.__dict__.get(name)
            if not isinstance(child, Module):
                raise AttributeError(f"{type(module).__name__} has no child module `{name}`")
            module = child
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with a dotted name. Raises AttributeError if there is none."""
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path).__dict__.get(name)
        if not isinstance(found, Parameter):
            raise AttributeError(f"`{target}` is not an nn.Parameter of {type(self).__name__}")
        return found

    def apply(self: Self, fn: Callable[[Module], Any]) -> Self:
        """Calls fn on every module below and then on this one, which is returned."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # ---- modes and gradients ----

    def train(self: Self, mode: bool = True) -> Self:
        """Sets training mode here and in all modules below, and returns this module."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: Self) -> Self:
        """Sets evaluation mode, as train(False)."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Sets requires_grad of all parameters and returns this module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Removes the gradients of all parameters, or fills them with 0."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad = parameter.grad.detach().zero_()

    # ---- element type ----

    def _convert(self: Self, dtype: DType) -> Self:
        for tensor in [*self.parameters(), *self.buffers()]:
            if tensor.is_floating_point() and tensor.dtype is not dtype:
                replace(tensor, tensor.detach().to(dtype))
        return self

    def to(self: Self, *args: Any, **kwargs: Any) -> Self:
        """Converts all floating-point parameters and buffers to a dtype, in place, and returns this module."""
        for argument in (*args, *kwargs.values()):
            dtype = argument.dtype if isinstance(argument, Tensor) else argument
            if isinstance(dtype, DType):
                if not dtype.is_floating_point:
                    raise TypeError(
                        f"nn.Module.to only accepts floating point dtypes, but got desired dtype={dtype}"
                    )
                self._convert(dtype)
            elif not isinstance(argument, bool) and str(argument) != "cpu":
                raise RuntimeError(
                    f"nn.Module.to expects a floating point dtype or the device 'cpu', got {argument!r}"
                )
        return self

    def float(self: Self) -> Self:
        """Converts all floating-point parameters and buffers to float32."""
        return self._convert(float32)

    def double(self: Self) -> Self:
        """Converts all floating-point parameters and buffers to float64."""
        return self._convert(float64)

    # ---- state ----

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> dict[str, Tensor]:
        """All parameters and persistent buffers by dotted name. The tensors share the module's memory."""
        state: dict[str, Tensor] = {}
        for name, value in self._named_state(prefix):
            state[name] = value if keep_vars else value.detach()
        return state

    def _named_state(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        yield from ((prefix + name, value) for name, value in self._own_parameters())
        yield from (
            (prefix + name, value)
            for name, value in self._own_buffers()
            if self._buffer_names[name]
        )
        for name, value in self.__dict__.items():
            if isinstance(value, Module):
                yield from value._named_state(f"{prefix}{name}.")

    def load_state_dict(
        self, state_dict: Mapping[str, Tensor], strict: bool = True
    ) -> IncompatibleKeys:
        """Copies the values of a state_dict() into parameters and buffers; returns the keys that did not match.

        Raises RuntimeError with all problems if sizes differ or, when strict, if keys are missing or unexpected; then
        nothing has been copied.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        own = dict(self._named_state())
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        problems = []
        if strict and unexpected:
            names = ", ".join(f'"{name}"' for name in unexpected)
            problems.append(f"Unexpected key(s) in state_dict: {names}. ")
        if strict and missing:
            names = ", ".join(f'"{name}"' for name in missing)
            problems.append(f"Missing key(s) in state_dict: {names}. ")
        for name, target in own.items():
            source = state_dict.get(name, target)
            if not isinstance(source, Tensor):
                problems.append(
                    f'While copying the parameter named "{name}", expected Tensor, got {type(source)}.'
                )
            elif source.shape != target.shape:
                problems.append(
                    f"size mismatch for {name}: copying a param with shape {source.shape} from checkpoint, "
                    f"the shape in current model is {target.shape}."
                )
        if problems:
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t"
                + "\n\t".join(problems)
            )
        with no_grad():
            for name, target in own.items():
                if name in state_dict:
                    target.copy_(state_dict[name])
        return IncompatibleKeys(missing, unexpected)

    # ---- printing ----

    def extra_repr(self) -> str:
        """What repr() shows of this module's own settings."""
        return ""

    def __repr__(self) -> str:
        lines = []
        for name, value in self.__dict__.items():
            if isinstance(value, Module):
                first, *rest = repr(value).split("\n")
                lines.append("\n  ".join([f"({name}): {first}", *rest]))
        extra = self.extra_repr().split("\n") if self.extra_repr() else []
        if not lines and len(extra) <= 1:
            return f"{type(self).__name__}({''.join(extra)})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(extra + lines) + "\n)"
