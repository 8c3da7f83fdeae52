"""What a row of the op table says, and the values that its inputs are filled with."""

import itertools
import zlib
from dataclasses import dataclass, field
from typing import Any, Callable, NamedTuple, Optional

import numpy as np

FLOATS = ("float32", "float64")
DTYPES = ("float32", "float64", "int32", "int64", "uint8", "bool")


class Values(NamedTuple):
    """How one input is filled; an input with a dtype of its own keeps it and gets no gradient."""

    fill: Callable[[np.random.Generator, tuple], np.ndarray]
    dtype: Optional[str] = None


normal = Values(lambda rng, shape: rng.standard_normal(shape))
positive = Values(lambda rng, shape: rng.uniform(0.5, 2.5, shape))
nonzero = Values(lambda rng, shape: rng.choice([-1.0, 1.0], shape) * rng.uniform(0.3, 2, shape))
flags = Values(lambda rng, shape: rng.integers(0, 2, shape), "bool")


def integers(end: int) -> Values:
    """int64 numbers in [0, end): classes or positions."""
    return Values(lambda rng, shape: rng.integers(0, end, shape), "int64")


@dataclass(frozen=True)
class Case:
    """One call: a shape per tensor, and the arguments that are not tensors."""

    shapes: tuple
    kwargs: dict = field(default_factory=dict)
    inputs: tuple = ()  # Values that take the place of the row's

    def __str__(self) -> str:
        named = [f"{key}={value!r}" for key, value in self.kwargs.items()]
        return ", ".join([str(list(shape)) for shape in self.shapes] + named)


def case(*shapes: tuple, **kwargs: Any) -> Case:
    """case((2, 3), (3,), dim=1)."""
    return Case(shapes, kwargs)


def cases(shapes: list, *variants: dict, inputs: tuple = ()) -> tuple:
    """Every shape (or tuple of shapes) with every variant of the other arguments."""
    many = [shape if shape and isinstance(shape[0], tuple) else (shape,) for shape in shapes]
    return tuple(Case(shape, kwargs, inputs) for shape in many for kwargs in variants or ({},))


@dataclass(frozen=True)
class Bad:
    """A call that has to fail as it fails in PyTorch.

    A tuple of ints in args stands for a tensor of ones of that shape, a list for a tensor of those numbers, anything
    else for itself. The text has to match `says` and to show the shapes of the tensors in `shows`.
    """

    args: tuple
    says: str
    shows: tuple = ()
    kwargs: dict = field(default_factory=dict)
    dtype: str = "float32"


def bad(
    *args: Any, says: str, shows: Optional[tuple] = None, dtype: str = "float32", **kwargs: Any
) -> Bad:
    """bad((2, 3), (4,), says="must match"); shows is the shapes of all tensors unless given."""
    shapes = tuple(arg for arg in args if isinstance(arg, tuple) and arg)
    return Bad(args, says, shapes if shows is None else shows, kwargs, dtype)


DIM = "Dimension out of range"


def with_dtype(lib: Any, kwargs: dict) -> dict:
    """The arguments with the name of a dtype replaced by the library's object."""
    return {key: getattr(lib, v) if key == "dtype" else v for key, v in kwargs.items()}


_filled: dict = {}  # what Row.fill has made so far


@dataclass(frozen=True)
class Row:
    """An op: how it is called, with what, and what else is true of it. The tests are derived from this."""

    name: str
    inputs: tuple = (normal,)  # Values of the tensors; the last one serves all further tensors
    cases: tuple = ()
    path: str = ""  # dotted name in both libraries; the op's name if empty
    call: Optional[Callable] = None  # call(lib, *tensors, **kwargs) where the names do not agree
    order: int = 2  # gradients are checked to this order
    dtypes: tuple = DTYPES  # inputs tried; PyTorch's result or error is what has to come out
    mixed: bool = False  # tensors of different dtypes are tried together
    integral: bool = (
        False  # floats are refused: int32 and int64 take their place in the tests of values
    )
    pointwise: bool = False
    special: tuple = ()  # values tried in all combinations
    operator: str = ""  # name of the Python operator, "add" for __add__
    method: bool = True  # Tensor.<name> is the same function
    inplace: Any = (
        False  # True: Tensor.<name>_ exists; or a function of (lib, tensors...) that works in place
    )
    careless: bool = False  # PyTorch changes tensors in place whose elements share memory
    view: bool = False  # shares storage where PyTorch does
    random: bool = False  # only shape and dtype are compared
    rtol: dict = field(default_factory=dict)  # by dtype, where the default does not do
    ulps: float = 8  # of pointwise ops: the error allowed over many magnitudes, infinite where PyTorch's is larger
    errors: tuple = ()
    python_only: bool = False  # a composite without a function of its own in C and C++
    differs: str = ""  # what a user of PyTorch has to know, for docs/support.md

    def __call__(self, lib: Any, *tensors: Any, **kwargs: Any) -> Any:
        """The op of one of the libraries, applied."""
        kwargs = with_dtype(lib, kwargs)
        if self.call is not None:
            return self.call(lib, *tensors, **kwargs)
        return self.function(lib)(*tensors, **kwargs)

    @property
    def main_dtypes(self) -> tuple:
        """The narrow and the wide dtype that most tests use."""
        return ("int32", "int64") if self.integral else FLOATS

    def change(self, lib: Any, first: Any, *rest: Any, **kwargs: Any) -> Any:
        """The op applied in place to the first tensor."""
        if callable(self.inplace):
            return self.inplace(lib, first, *rest, **kwargs)
        return getattr(first, f"{self.name}_")(*rest, **kwargs)

    def run(self, lib: Any, tensors: list, one: Case) -> Any:
        """The op applied to the tensors of a case."""
        return self(lib, *tensors, **one.kwargs)

    def function(self, lib: Any) -> Callable:
        """What path names in one of the libraries."""
        for name in (self.path or self.name).split("."):
            lib = getattr(lib, name)
        return lib

    def fill(self, one: Case, seed: str = "") -> list:
        """An array per tensor of the case, always the same ones for the same row, case and seed."""
        key = self.name, id(one), seed
        if key not in _filled:
            rng = np.random.default_rng(zlib.crc32(f"{self.name} {one} {seed}".encode()))
            pairs = zip(self.values(one), one.shapes)
            arrays = [np.asarray(values.fill(rng, shape)) for values, shape in pairs]
            for array in arrays:
                array.flags.writeable = False
            _filled[key] = arrays, one  # the case lives on, so that no other one gets its id
        return list(_filled[key][0])

    def values(self, one: Case) -> list:
        """How each tensor of the case is filled."""
        inputs = one.inputs or self.inputs
        return [inputs[min(i, len(inputs) - 1)] for i in range(len(one.shapes))]

    def dtypes_of(self, one: Case, *dtypes: str) -> list:
        """The dtype of each tensor of the case: its own, or the next of `dtypes`, the last of which repeats."""
        found, rest = [], list(dtypes)
        for values in self.values(one):
            found.append(values.dtype or (rest.pop(0) if len(rest) > 1 else rest[0]))
        return found


SHAPES = [(), (0,), (1,), (3,), (37,), (2, 3), (2, 0, 3), (2, 3, 4)]
PAIRS = [
    *[(shape, shape) for shape in SHAPES],
    *[
        ((2, 3), ()),
        ((), (2, 3)),
        ((2, 3), (3,)),
        ((3,), (2, 3)),
        ((2, 3), (2, 1)),
        ((2, 1), (1, 3)),
    ],
    *[((1,), (4,)), ((2, 1, 3), (4, 1)), ((0,), (1,)), ((2, 0, 3), (1, 3)), ((5, 1), (5, 18))],
]
NUMBERS = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, float("inf"), float("-inf"), float("nan"))
EXTREMES = (1e30, -1e30, 1e-30, 1e-40, -1e-40, 88.5, -87.0, -104.0, 709.5, -745.0, 1e300)


def unary(name: str, values: Values = normal, *variants: dict, **options: Any) -> Row:
    """A pointwise op of one tensor."""
    options.setdefault("special", () if options.get("integral") else NUMBERS + EXTREMES)
    errors = (bad("text", says="must be Tensor, not str"), *options.pop("errors", ()))
    return Row(name, (values,), cases(SHAPES, *variants), pointwise=True, errors=errors, **options)


def binary(name: str, a: Values = normal, b: Values = normal, **options: Any) -> Row:
    """A pointwise op of two tensors that broadcast."""
    options.setdefault("special", () if options.get("integral") else NUMBERS + EXTREMES[:4])
    errors = (
        bad(
            (2, 3),
            (4,),
            says="must match the size of tensor b",
            dtype="int64" if options.get("integral") else "float32",
        ),
        bad((2, 3), "text", says="must be (a )?Tensor.*str|not str", shows=()),
        *options.pop("errors", ()),
    )
    options = {"mixed": True, **options}
    return Row(name, (a, b), cases(PAIRS), pointwise=True, errors=errors, **options)


def reductions(*shapes: tuple, keepdim: bool = True) -> tuple:
    """Cases over no dim, each dim and pairs of dims of the shapes, with and without keepdim."""
    found = []
    for shape in shapes:
        dims: list = [None, *range(-len(shape), len(shape))]
        dims += list(itertools.combinations(range(len(shape)), 2))
        dims += [(-1, 0)] if len(shape) > 1 else []
        found += [case(shape)] + [case(shape, dim=dim) for dim in dims[1:]]
        found += [case(shape, dim=dim, keepdim=True) for dim in dims[1:] if keepdim]
    return tuple(found)
