"""vmap: a function of one example applied to many, every op working on all of them at once."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from typing import Any, Callable, NamedTuple

from .._capi import call, check, lib, raise_last_error
from ..ops import cat, narrow, stack
from ..tensor import Tensor
from .pytree import Spec, broadcast, flatten, unflatten

__all__ = ["vmap"]

_RANDOMNESS = {"error": 0, "same": 1, "different": 2}


def _name(func: Any) -> str:
    return getattr(func, "__name__", None) or repr(func)


def check_randomness(randomness: str) -> int:
    """What the library calls it; RuntimeError for an unknown word."""
    if randomness not in _RANDOMNESS:
        raise RuntimeError(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}"
        )
    return _RANDOMNESS[randomness]


_active = threading.local()


def active_levels() -> list[Level]:
    """The levels that the calling thread is in, outermost first."""
    return _active.__dict__.setdefault("levels", [])


class Level:
    """A ``with`` block in which tensors may stand for one of `size` examples."""

    __slots__ = ("number", "randomness", "size")

    def __init__(self, size: int, randomness: int = 0) -> None:
        self.size, self.randomness = size, randomness

    def __enter__(self) -> Level:
        self.number = lib.ag_vmap_begin(self.size, self.randomness)
        if self.number < 0:
            raise_last_error()
        active_levels().append(self)
        return self

    def __exit__(self, *exception: Any) -> None:
        active_levels().pop()
        check(lib.ag_vmap_end(self.number))

    def example(self, tensor: Tensor, dim: int = 0) -> Tensor:
        """One example of a tensor whose dim counts them."""
        return call(lib.ag_vmap_example, tensor, dim, self.number)

    def all(self, tensor: Tensor, dim: int = 0) -> Tensor:
        """All examples of a tensor, counted by dim."""
        return call(lib.ag_vmap_all, tensor, dim, self.number)

    def varies(self, tensor: Tensor) -> bool:
        """True if the tensor differs from example to example."""
        return lib.ag_vmap_varies(tensor, self.number) == 1


# ---- functions with gradients of their own ---------------------------------------------------------------


class VmapInfo(NamedTuple):
    """What the vmap of a Function is told: the number of examples, and what random ops have to do."""

    batch_size: int
    randomness: str


def level_of(args: Sequence[Any]) -> Level | None:
    """The innermost level that one of the tensors among args is an example of."""
    levels = active_levels()
    depths = (
        [lib.ag_vmap_depth_of(each) for each in args if isinstance(each, Tensor)] if levels else []
    )
    return levels[max(depths) - 1] if depths and max(depths) > 0 else None


def map_function(function: Any, level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of a Function for examples of a level: by its vmap, or one example at a time."""
    from ..autograd.function import Function

    name, own = function.__name__, function.vmap is not Function.vmap
    if own and function.generate_vmap_rule:
        raise RuntimeError(
            f"You tried to vmap over {name}, but it has both generate_vmap_rule=True and an overridden vmap "
            "staticmethod. Please set generate_vmap_rule=False or delete the overridden vmap staticmethod to avoid "
            "ambiguity."
        )
    if not own and not function.generate_vmap_rule:
        raise RuntimeError(
            f"You tried to vmap over {name}, but it does not have vmap support. Please override and implement the vmap "
            "staticmethod or set generate_vmap_rule=True."
        )
    varying = [isinstance(each, Tensor) and level.varies(each) for each in args]
    whole = [level.all(each) if varies else each for each, varies in zip(args, varying)]
    if own:
        word = {number: word for word, number in _RANDOMNESS.items()}[level.randomness]
        in_dims = tuple(0 if varies else None for varies in varying)
        returned = function.vmap(VmapInfo(level.size, word), in_dims, *whole, **kwargs)
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise RuntimeError(
                "Expected the vmap staticmethod to have two returns, an output and out_dims with pytree structure "
                f"compatible with the output. Got a {type(returned)} instead"
            )
        output, out_dims = returned
        leaves, spec = flatten(output)
        dims = _out_dims(function, out_dims, spec)
    else:
        each_example = [
            function.apply(*[x[i] if varies else x for x, varies in zip(whole, varying)], **kwargs)
            for i in range(level.size)
        ]
        flat = [flatten(result) for result in each_example]
        spec = flat[0][1]
        leaves = [stack(parts) for parts in zip(*[results for results, _ in flat])]
        dims = [0] * len(leaves)
    examples = [x if dim is None else level.example(x, dim) for x, dim in zip(leaves, dims)]
    return unflatten(examples, spec)


class _Mapped:
    """The arguments of a mapped function: leaves, which dim of each counts examples, and how many there are."""

    def __init__(self, func: Any, in_dims: Any, arguments: tuple[Any, ...]) -> None:
        self.where = f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>)"
        if not isinstance(in_dims, (int, list, tuple)):
            raise ValueError(
                f"{self.where}: expected `in_dims` to be int or a (potentially nested) tuple matching the structure "
                f"of inputs, got: {type(in_dims)}."
            )
        if not arguments:
            raise ValueError(
                f"vmap({_name(func)})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to "
                "vmap over a function with no inputs. The latter is unsupported."
            )
        self.leaves, self.spec = flatten(arguments)
        if isinstance(in_dims, list):
            in_dims = tuple(in_dims)
        dims = broadcast(in_dims, self.spec)
        if dims is None:
            raise ValueError(
                f"{self.where}: in_dims is not compatible with the structure of `inputs`. in_dims has structure "
                f"{flatten(in_dims)[1]!r} but inputs has structure {self.spec!r}."
            )
        self.dims = [self._checked(leaf, dim) for leaf, dim in zip(self.leaves, dims)]
        self.size = self._size(func)

    def _checked(self, leaf: Any, dim: Any) -> int | None:
        """The dim, made non-negative."""
        if dim is None:
            return None
        if not isinstance(dim, int):
            raise ValueError(
                f"{self.where}: Got in_dim={dim} for an input but in_dim must be either an integer dimension or None."
            )
        if not isinstance(leaf, Tensor):
            raise ValueError(
                f"{self.where}: Got in_dim={dim} for an input but the input is of type {type(leaf)}. We cannot vmap "
                "over non-Tensor arguments, please use None as the respective in_dim"
            )
        ndim = leaf.dim()
        if not -ndim <= dim < ndim:
            raise ValueError(
                f"{self.where}: Got in_dim={dim} for some input, but that input is a Tensor of dimensionality {ndim} "
                f"so expected in_dim to satisfy -{ndim} <= in_dim < {ndim}."
            )
        return dim % ndim

    def _size(self, func: Any) -> int:
        sizes = [leaf.shape[dim] for leaf, dim in zip(self.leaves, self.dims) if dim is not None]
        if not sizes:
            raise ValueError(
                f"{self.where}: at least one input must have a dim that counts examples: all in_dims are None"
            )
        if any(size != sizes[0] for size in sizes):
            raise ValueError(
                "vmap: Expected all tensors to have the same size in the mapped dimension, "
                f"got sizes {sizes} for the mapped dimension"
            )
        return sizes[0]

    def part(self, start: int, length: int) -> list[Any]:
        """The leaves with some of the examples."""
        if length == self.size:
            return self.leaves
        return [
            leaf if dim is None else narrow(leaf, dim, start, length)
            for leaf, dim in zip(self.leaves, self.dims)
        ]


def _check_outputs(func: Any, leaves: Sequence[Any], dims: Sequence[Any]) -> None:
    for leaf, dim in zip(leaves, dims):
        if isinstance(leaf, Tensor) or dim is None:
            continue
        raise ValueError(
            f"vmap({_name(func)}, ...): `{_name(func)}` must only return Tensors, got type {type(leaf)}. "
            "Did you mean to set out_dims= to None for output?"
        )


def _out_dims(func: Any, out_dims: Any, spec: Spec) -> list[Any]:
    dims = broadcast(out_dims, spec)
    if dims is None and spec.kind is None and type(out_dims) is tuple and len(out_dims) == 1:
        dims = list(out_dims)
    if dims is None or not all(dim is None or isinstance(dim, int) for dim in dims):
        raise ValueError(
            f"vmap({_name(func)}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure "
            f"of `outputs`. out_dims has structure {flatten(out_dims)[1]!r} but outputs has structure {spec!r}."
        )
    return dims


def _unwrapped(func: Any, level: Level, leaf: Any, dim: int | None) -> Any:
    if dim is not None:
        return level.all(leaf, dim)
    if isinstance(leaf, Tensor) and level.varies(leaf):
        raise ValueError(
            f"vmap({_name(func)}, ...): `{_name(func)}` can not return a BatchedTensor when out_dim is None"
        )
    return leaf


def _run(
    func: Any,
    mapped: _Mapped,
    leaves: Sequence[Any],
    size: int,
    out_dims: Any,
    randomness: int,
    kwargs: dict[str, Any],
) -> tuple[list[Any], list[Any], Spec]:
    """The results for some examples: leaves, the dims that count examples, structure."""
    with Level(size, randomness) as level:
        examples = [
            leaf if dim is None else level.example(leaf, dim)
            for leaf, dim in zip(leaves, mapped.dims)
        ]
        results, spec = flatten(func(*unflatten(examples, mapped.spec), **kwargs))
        dims = _out_dims(func, out_dims, spec)
        _check_outputs(func, results, dims)
        results = [_unwrapped(func, level, leaf, dim) for leaf, dim in zip(results, dims)]
    return results, dims, spec


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Returns a function that applies func, written for one example, to many at once.

    in_dims: which dim of an argument counts the examples, None for one that all share; an int for all arguments, or
    a tuple with the structure of the arguments. out_dims: where that dim goes in the results. Inside, tensors have
    the sizes of one example, and every op works on all of them. randomness: whether random ops raise ("error"), draw
    the same numbers for every example ("same") or other ones ("different"). chunk_size: at most so many examples at
    a time.

    Raises ValueError for dims that don't fit; RuntimeError where an op needs the elements of one example: item(),
    if, results whose sizes depend on elements, writing a varying value into a tensor that all share.
    """
    random = check_randomness(randomness)
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        mapped = _Mapped(func, in_dims, args)
        step = mapped.size if chunk_size is None else min(chunk_size, mapped.size)
        starts = range(0, mapped.size, step) if step else (0,)
        chunks = []
        for start in starts:
            length = min(step, mapped.size - start)
            chunks.append(
                _run(func, mapped, mapped.part(start, length), length, out_dims, random, kwargs)
            )
        results, dims, spec = chunks[0]
        if len(chunks) > 1:
            results = [
                first if dim is None else cat([chunk[0][i] for chunk in chunks], dim)
                for i, (first, dim) in enumerate(zip(results, dims))
            ]
        return unflatten(results, spec)

    return wrapped
