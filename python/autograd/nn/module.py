"""Module: the base of all layers and models."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from typing import Any, Callable, TypeVar

from .. import changes
from .._capi import lib, raise_last_error
from ..creation import empty_like
from ..dtypes import dtype as DType
from ..dtypes import float32, float64
from ..ops.converting import conversion_of
from ..tensor import Tensor, replace
from ..tensor_types import dtype_of
from .members import BUFFER, MODULE, PARAMETER, Members, NotInitialized
from .module_hooks import Forward, ModuleHooks, follow_hooks
from .module_state import IncompatibleKeys, ModuleState
from .parameter import Buffer, Parameter

__all__ = ["IncompatibleKeys", "Module"]

Self = TypeVar("Self", bound="Module")


class Module(ModuleHooks, ModuleState):
    """The base of all layers and models.

    A subclass assigns Parameters, Buffers and Modules to attributes in ``__init__`` and computes in ``forward``.
    """

    training: bool
    # Part of the metadata of state_dict(); a subclass that changes its keys counts up.
    _version: int = 1

    # Instead of it, where __init__ was not called.
    _kinds: dict[str, str] = NotInitialized()  # type: ignore[assignment]

    def __init__(self) -> None:
        attributes = self.__dict__
        # Name -> kind of member. The values are plain attributes, so reading one costs nothing extra.
        attributes["_kinds"] = {}
        attributes["_non_persistent_buffers_set"] = set()
        attributes["training"] = True
        self._init_hooks(attributes)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the output. Every subclass defines it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    # As long as no module has a hook; see follow_hooks.
    __call__: Callable[..., Any] = Forward()  # type: ignore[assignment]

    # ---- members ----

    @property
    def _parameters(self) -> Members:
        return Members(self, PARAMETER)

    @property
    def _buffers(self) -> Members:
        return Members(self, BUFFER)

    @property
    def _modules(self) -> Members:
        return Members(self, MODULE)

    def _set_member(self, kind: str, name: str, value: Any) -> None:
        """Makes value the member of that name; one of another kind gives way."""
        kinds = self.__dict__["_kinds"]
        old = kinds.get(name)
        if old is not None:
            changes.note()
        if old != kind:
            kinds.pop(name, None)
            kinds[name] = kind
            self._non_persistent_buffers_set.discard(name)
        self.__dict__[name] = value
        if MODULE in (old, kind):
            self._modules_changed()

    def _drop_member(self, name: str) -> None:
        kind = self.__dict__["_kinds"].pop(name)
        changes.note()
        self.__dict__.pop(name, None)
        self._non_persistent_buffers_set.discard(name)
        if kind == MODULE:
            self._modules_changed()

    def _modules_changed(self) -> None:
        """Called after a child was set or removed: containers forget what they know of their children."""

    def _own(self, kind: str) -> list[tuple[str, Any]]:
        """This module's members of one kind, those that are None left out."""
        attributes = self.__dict__
        return [
            (name, attributes[name])
            for name, each in self._kinds.items()
            if each == kind and attributes[name] is not None
        ]

    def __setattr__(self, name: str, value: Any) -> None:
        attributes = self.__dict__
        kinds = attributes.get("_kinds")
        kind = None if kinds is None else kinds.get(name)
        if isinstance(value, Parameter):
            if kinds is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            if kind != PARAMETER:
                self._make_room(name, kind)
            self.register_parameter(name, value)
        elif kind == PARAMETER:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_name_of(value)}' as parameter '{name}' (nn.Parameter or None expected)"
                )
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            if kinds is None:
                raise AttributeError("cannot assign module before Module.__init__() call")
            if kind != MODULE:
                self._make_room(name, kind)
            self._set_member(MODULE, name, value)
        elif kind == MODULE:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_name_of(value)}' as child module '{name}' (nn.Module or None expected)"
                )
            self._set_member(MODULE, name, value)
        elif kind == BUFFER or isinstance(value, Buffer):
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{_name_of(value)}' as buffer '{name}' "
                    "(nn.Buffer, Tensor or None expected)"
                )
            persistent = name not in attributes.get("_non_persistent_buffers_set", ())
            if isinstance(value, Buffer):
                persistent = value.persistent
            self.register_buffer(name, value, persistent)
        else:
            # A setting that a compiled function may have read, such as `training`. Tensors are looked at elsewhere.
            if name in attributes and not isinstance(value, Tensor):
                old = attributes[name]
                if old is not value and (type(old) is not type(value) or old != value):
                    changes.note() if name != "training" else changes.toggle(self)
            object.__setattr__(self, name, value)

    def _make_room(self, name: str, kind: str | None) -> None:
        """Removes an attribute, or a member of another kind, that a new member replaces."""
        if kind is None:
            self.__dict__.pop(name, None)
        else:
            self._drop_member(name)

    def __delattr__(self, name: str) -> None:
        if name in self.__dict__.get("_kinds", ()):
            self._drop_member(name)
        else:
            object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        # Names that are no identifiers, such as a list's "0", are left out.
        return sorted(name for name in set(object.__dir__(self)) if not name[0].isdigit())

    def _check_name(self, kind: str, name: Any) -> None:
        if "_kinds" not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {_name_of(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if self.__dict__["_kinds"].get(name) != kind and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter under a name; None keeps the name for one.

        Raises KeyError for a name that is taken, empty or has a dot, TypeError for what is no Parameter,
        ValueError for a tensor with history.
        """
        self._check_name(PARAMETER, name)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{_name_of(param)}' object to parameter '{name}' "
                    "(nn.Parameter or None required)"
                )
            if not param.is_leaf:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created "
                    f"explicitly. To express '{name}' as a function of another Tensor, compute the value in the "
                    "forward() method."
                )
        self._set_member(PARAMETER, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that is state, but not trained; one that is not persistent stays out of state_dict()."""
        self._check_name(BUFFER, name)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{_name_of(tensor)}' object to buffer '{name}' (Tensor or None required)"
            )
        self._set_member(BUFFER, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a child under a name; None keeps the name for one."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{_name_of(module)} is not a Module subclass")
        self._check_name(MODULE, name)
        self._set_member(MODULE, name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """Adds a child under a name, as add_module()."""
        self.add_module(name, module)

    # ---- walking the tree ----

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct children with their names, each once."""
        seen: set[Module] = set()
        for name, module in self._own(MODULE):
            if module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The direct children, each once."""
        return (module for _, module in self.named_children())

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, with dotted names; each once unless remove_duplicate is False."""
        _check_prefix(prefix)
        found: list[tuple[str, Module]] = []
        self._collect_modules(set() if memo is None else memo, prefix, remove_duplicate, found)
        return iter(found)

    def _collect_modules(
        self, memo: set[Module], prefix: str, remove_duplicate: bool, found: list[Any]
    ) -> None:
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        found.append((prefix, self))
        attributes = self.__dict__
        for name, kind in self._kinds.items():
            if kind == MODULE and attributes[name] is not None:
                below = f"{prefix}.{name}" if prefix else name
                attributes[name]._collect_modules(memo, below, remove_duplicate, found)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it."""
        return (module for _, module in self.named_modules(remove_duplicate=remove_duplicate))

    def _named_members(
        self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        """The members of one kind of this module and, if recurse, of all below it, with dotted names."""
        _check_prefix(prefix)
        found = []
        seen: set[int] = set()
        modules: Iterable[tuple[str, Module]] = [(prefix, self)]
        if recurse:
            modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in modules:
            attributes = module.__dict__
            for name, each in module._kinds.items():
                if each != kind:
                    continue
                value = attributes[name]
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                found.append((f"{path}.{name}" if path else name, value))
        return iter(found)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters with dotted names; each once unless remove_duplicate is False."""
        return self._named_members(PARAMETER, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers with dotted names; each once unless remove_duplicate is False."""
        return self._named_members(BUFFER, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module with a dotted name, this one for "". Raises AttributeError if there is none."""
        module: Any = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Puts a module under a dotted name; if strict, in the place of one that is there."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def _get_member(self, target: str, kind: str, what: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        value = getattr(module, name)
        if not isinstance(value, Parameter if kind == PARAMETER else Tensor) or (
            kind == BUFFER and module._kinds.get(name) != BUFFER
        ):
            raise AttributeError(f"`{name}` is not {what}")
        return value

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with a dotted name. Raises AttributeError if there is none."""
        return self._get_member(target, PARAMETER, "an nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer with a dotted name. Raises AttributeError if there is none."""
        return self._get_member(target, BUFFER, "a buffer")

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
        self.training = mode
        for module in self.children():
            module.train(mode)
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
        """Removes the gradients of all parameters, or fills them with 0, in one native call."""
        parameters = list(self.parameters())
        handles = (ctypes.c_void_p * len(parameters))(*parameters)
        if lib.ag_zero_grad(handles, len(parameters), bool(set_to_none)):
            raise_last_error()

    # ---- element type ----

    def _apply(self: Self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replaces the values of all parameters, their gradients, and all buffers by fn of them."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for _, parameter in self._own(PARAMETER):
            before = parameter.detach()
            after = fn(before)
            if after is not before:
                grad = parameter.grad
                parameter.grad = None
                replace(parameter, after)
                if grad is not None:
                    requires_grad = grad.requires_grad
                    parameter.grad = fn(grad.detach()).requires_grad_(requires_grad)
        for name, buffer in self._own(BUFFER):
            self.__dict__[name] = fn(buffer)
        return self

    def to(self: Self, *args: Any, **kwargs: Any) -> Self:
        """Converts all floating-point parameters and buffers to a dtype, in place, and returns this module.

        to(dtype), to(device), to(device, dtype) or to(tensor), whose dtype is taken. Raises TypeError for a
        dtype that is no float, RuntimeError for a device other than the CPU.
        """
        dtype, copy = conversion_of(args, kwargs)
        if copy:
            raise RuntimeError(".to() does not accept copy argument")
        if dtype is None:
            return self
        if not dtype.is_floating_point:
            raise TypeError(
                f"nn.Module.to only accepts floating point dtypes, but got desired dtype={dtype}"
            )
        return self._to_float(dtype)

    def _to_float(self: Self, dtype: DType) -> Self:
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def type(self: Self, dst_type: Any) -> Self:
        """Converts all parameters and buffers to a dtype, also given by the name of its type of tensor."""
        dtype = dtype_of(dst_type)
        return self._apply(lambda t: t.to(dtype))

    def float(self: Self) -> Self:
        """Converts all floating-point parameters and buffers to float32."""
        return self._to_float(float32)

    def double(self: Self) -> Self:
        """Converts all floating-point parameters and buffers to float64."""
        return self._to_float(float64)

    def to_empty(self: Self, *, device: Any, recurse: bool = True) -> Self:
        """Gives all parameters and buffers new memory on a device, without their values, in place."""
        return self._apply(lambda t: empty_like(t, device=device), recurse=recurse)

    def cpu(self: Self) -> Self:
        """This module: there is only the CPU."""
        return self

    def cuda(self: Self, device: Any = None) -> Self:
        """Raises RuntimeError: there is only the CPU."""
        return self.to("cuda")

    def half(self: Self) -> Self:
        """Raises RuntimeError: there is no float16."""
        raise RuntimeError("half(): there is no float16; use float32 or float64")

    def bfloat16(self: Self) -> Self:
        """Raises RuntimeError: there is no bfloat16."""
        raise RuntimeError("bfloat16(): there is no bfloat16; use float32 or float64")

    # ---- printing and pickling ----

    def _get_name(self) -> str:
        return self.__class__.__name__

    def extra_repr(self) -> str:
        """What repr() shows of this module's own settings."""
        return ""

    def __repr__(self) -> str:
        lines = []
        for name, value in self._modules.items():
            first, *rest = repr(value).split("\n")
            lines.append("\n  ".join([f"({name}): {first}", *rest]))
        extra = self.extra_repr()
        before = extra.split("\n") if extra else []
        if not lines and len(before) <= 1:
            return f"{self._get_name()}({''.join(before)})"
        return f"{self._get_name()}(\n  " + "\n  ".join(before + lines) + "\n)"

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        # A shallow copy gets members of its own.
        state["_kinds"] = dict(state["_kinds"])
        state["_non_persistent_buffers_set"] = set(state["_non_persistent_buffers_set"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._restore_hooks()


def must_be_module(function: str, module: Any) -> None:
    """Raises TypeError for what is no Module."""
    if not isinstance(module, Module):
        raise TypeError(f"{function}(): argument 'module' must be Module, not {_name_of(module)}")


def _check_prefix(prefix: Any) -> None:
    if not isinstance(prefix, str):
        raise TypeError(f"a prefix of names must be str, not {_name_of(prefix)}")


def _name_of(value: Any) -> str:
    return type(value).__name__


follow_hooks(Module)
