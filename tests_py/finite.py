"""Gradients against finite differences along random directions: two calls, not one per element."""

import numpy as np
from compare import array, as_tuple, make

EPS = 1e-5


def check(lib, function, arrays, order, rng, number=1):
    """Asserts <w, df(d)> = <gradient(w), d> for random d and w; for order 2 then the same of the gradient itself.

    function maps float64 tensors to a tensor or a tuple of them.
    """
    inputs = leaves(lib, arrays)
    outputs = as_tuple(function(*inputs))
    weights = [rng.standard_normal(tuple(y.shape)) for y in outputs]
    directions = [rng.standard_normal(x.shape) for x in arrays]

    above, below = (
        function(*leaves(lib, [x + step * d for x, d in zip(arrays, directions)]))
        for step in (EPS, -EPS)
    )
    ends = [product(weights, map(array, as_tuple(values))) for values in (above, below)]
    expected = (ends[0] - ends[1]) / (2 * EPS)
    if not np.isfinite(expected):
        return  # there is no derivative where the values are infinite or NaN

    found = gradients(lib, outputs, inputs, leaves(lib, weights))
    actual = product(directions, [0.0 if g is None else array(g) for g in found])
    np.testing.assert_allclose(
        actual, expected, rtol=1e-6, atol=1e-7, err_msg=f"derivative {number}"
    )
    if order > number:
        n = len(arrays)

        def gradient(*args):
            results = as_tuple(function(*args[:n]))
            made = gradients(lib, results, args[:n], args[n:], create_graph=True)
            return tuple(g for g in made if g is not None)

        # The differentiable gradient may have code of its own.
        again = gradient(*inputs, *leaves(lib, weights))
        for one, other in zip([g for g in found if g is not None], again):
            np.testing.assert_allclose(array(other), array(one), rtol=1e-9, atol=1e-14)
        check(lib, gradient, [*arrays, *weights], order, rng, number + 1)


def leaves(lib, arrays):
    """A float64 tensor that requires grad for every array."""
    return [make(lib, x, "float64", requires_grad=True) for x in arrays]


def product(weights, values):
    """sum_i <weights[i], values[i]>."""
    with np.errstate(invalid="ignore"):
        return sum(float(np.sum(w * v)) for w, v in zip(weights, values))


def gradients(lib, outputs, inputs, cotangents, create_graph=False):
    """Gradients of the outputs that have a history; None where there is none."""
    pairs = [(y, w) for y, w in zip(outputs, cotangents) if y.requires_grad]
    if not pairs:
        return [None] * len(inputs)
    return lib.autograd.grad(
        [y for y, _ in pairs],
        inputs,
        [w for _, w in pairs],
        create_graph=create_graph,
        allow_unused=True,
    )
