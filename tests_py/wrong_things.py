"""Things of all kinds, to be given where something else is expected, and what is right about the outcome."""

import numpy as np
import torch
from compare import outcome, same_outcome

import autograd as ag

THINGS = {
    "None": lambda lib: None,
    "an int": lambda lib: 1,
    "a float": lambda lib: 1.5,
    "a bool": lambda lib: True,
    "a negative int": lambda lib: -1,
    "a text": lambda lib: "x",
    "an empty text": lambda lib: "",
    "a dotted text": lambda lib: "a.b",
    "a name that is taken": lambda lib: "weight",
    "a list": lambda lib: [lib.nn.ReLU()],
    "a list of None": lambda lib: [None],
    "a tuple": lambda lib: (1, 2),
    "a dict": lambda lib: {},
    "a set": lambda lib: {1},
    "a slice": lambda lib: slice(0, 1),
    "an object": lambda lib: object(),
    "a function": lambda lib: lambda *args: None,
    "an array": lambda lib: np.ones(2),
    "a tensor": lambda lib: lib.zeros(2),
    "a parameter": lambda lib: lib.nn.Parameter(lib.zeros(2)),
    "a buffer": lambda lib: lib.nn.Buffer(lib.zeros(2)),
    "a result": lambda lib: lib.zeros(2, requires_grad=True) * 2,
    "a module": lambda lib: lib.nn.ReLU(),
    "a class": lambda lib: lib.nn.ReLU,
    "a dtype": lambda lib: lib.int64,
}
# What Python code stumbles over, where a class that tells what is wrong is as good.
STUMBLES = (AttributeError, KeyError, AssertionError)

# Classes that Python and PyTorch raise for bad arguments.
CLEAR = (TypeError, ValueError, RuntimeError, LookupError, ArithmeticError, AssertionError)


def agrees(function, *, length=False):
    """What is wrong with the outcome in this package, "" if nothing is."""
    expected, actual = outcome(function, torch), outcome(function, ag)
    if isinstance(expected, STUMBLES) and isinstance(actual, (TypeError, ValueError)):
        return ""
    if not isinstance(expected, Exception):
        if isinstance(actual, Exception):
            return f"raised {actual!r}, PyTorch has a result"
        return "" if not length or actual == expected else f"{actual}, PyTorch has {expected}"
    try:
        same_outcome(actual, expected)
    except AssertionError as error:
        return str(error)
    return ""


def check(cases, **options):
    wrong = [f"{name}: {fault}" for name, one in cases if (fault := agrees(one, **options))]
    assert not wrong, "\n".join(wrong[:20])
