"""autograd.testing.assert_close against PyTorch's: the same verdicts, and the same words up to digits."""

import re

import pytest
import torch

import autograd as ag

NAN = float("nan")


def verdict(lib, make, options):
    """(class, text) of what assert_close() raises, None if nothing."""
    try:
        lib.testing.assert_close(*make(lib), **options)
    except Exception as error:
        text = str(error).replace("torch.", "autograd.").replace("autograd.Size", "Size")
        return type(error).__name__, re.sub(r"\d+\.\d+(e-\d+)?", "#", text)
    return None


SAME = [
    lambda m: (m.ones(2), m.ones(2)),
    lambda m: (m.ones(2), m.ones(2) + 1e-6),
    lambda m: (m.ones(2, dtype=m.float64), m.ones(2, dtype=m.float64) + 0.5e-7),
    lambda m: (m.zeros(0, 2), m.zeros(0, 2)),
    lambda m: (m.tensor([1, 2]), m.tensor([1, 2])),
    lambda m: (m.tensor([True]), m.tensor([True])),
    lambda m: ([m.ones(1), 2.0, (3, True)], (m.ones(1), 2.0 + 1e-8, [3, True])),
    lambda m: ({"a": m.ones(1), "b": {"c": 1}}, {"b": {"c": 1}, "a": m.ones(1)}),
    lambda m: (None, None),
    lambda m: (m.tensor(float("inf")), m.tensor(float("inf"))),
    lambda m: (m.ones(2, requires_grad=True), m.ones(2)),
]
DIFFERENT = [
    lambda m: (m.ones(2), m.zeros(2)),
    lambda m: (m.ones(2), m.ones(2) + 1e-4),
    lambda m: (m.ones(2, 3), m.ones(2, 3) + m.tensor([0.0, 1.0, 2.0])),
    lambda m: (m.ones(2), m.ones(3)),
    lambda m: (m.ones(2), m.ones(2, dtype=m.float64)),
    lambda m: (m.tensor([1, 2, 3]), m.tensor([1, 2, 4])),
    lambda m: (m.tensor(1.0), m.tensor(2.0)),
    lambda m: ([m.ones(1), 3.0], [m.ones(1), 4.0]),
    lambda m: ([1], [1, 2]),
    lambda m: ({"a": 1}, {"b": 1}),
    lambda m: ({"a": m.ones(1)}, {"a": m.zeros(1)}),
    lambda m: (1.0, 1),
    lambda m: (NAN, NAN),
    lambda m: (m.tensor([NAN]), m.tensor([NAN])),
    lambda m: (3, 4),
    lambda m: (None, 3),
]
REFUSED = [
    lambda m: ("a", "a"),
    lambda m: (m.ones(1), 1.0),
]


@pytest.mark.parametrize("make", SAME)
def test_equal_values_pass(make):
    assert verdict(ag, make, {}) is None
    assert verdict(torch, make, {}) is None


@pytest.mark.parametrize("make", DIFFERENT)
def test_what_differs_is_said(make):
    ours = verdict(ag, make, {})
    assert ours[0] == "AssertionError"
    assert ours == verdict(torch, make, {})


@pytest.mark.parametrize("make", REFUSED)
def test_other_kinds_are_refused(make):
    assert verdict(ag, make, {})[0] == verdict(torch, make, {})[0] == "TypeError"


@pytest.mark.parametrize(
    ("options", "make"),
    [
        ({"rtol": 0, "atol": 0.5}, DIFFERENT[1]),
        ({"rtol": 1e-7, "atol": 0}, SAME[1]),
        ({"rtol": 1e-3}, SAME[0]),
        ({"atol": 1e-3}, SAME[0]),
        ({"equal_nan": True}, DIFFERENT[13]),
        ({"equal_nan": True}, DIFFERENT[12]),
        ({"check_dtype": False}, DIFFERENT[4]),
        ({"check_dtype": False}, DIFFERENT[11]),
        ({"check_stride": True}, lambda m: (m.ones(2, 3).t(), m.ones(3, 2))),
        ({"msg": "look here"}, DIFFERENT[0]),
        ({"msg": lambda text: "before\n" + text}, DIFFERENT[0]),
    ],
)
def test_options(options, make):
    assert verdict(ag, make, options) == verdict(torch, make, options)
