"""Softmax and cross entropy where care is needed: large logits, hard probabilities, bad classes."""

import numpy as np
import pytest
from compare import array, make, vs_torch

import autograd as ag

HARD_LOGITS = {
    "0 and 200": [[0.0, 200.0], [200.0, 0.0]],
    "huge": [[1e30, -1e30, 0.0], [1e4, 1e4, -1e4]],
    "equal": [[5e3, 5e3, 5e3], [-5e3, -5e3, -5e3]],
    "minus infinity": [[float("-inf"), 0.0, 1.0], [0.0, float("-inf"), float("-inf")]],
    "tiny": [[1e-40, 0.0, -1e-40], [1e-30, 1e-20, 0.0]],
}


def backward_of_loss(lib, logits, target, dtype, **kwargs):
    """The loss and the gradient of its sum."""
    x = make(lib, logits, dtype, requires_grad=True)
    loss = lib.nn.functional.cross_entropy(x, target, **kwargs)
    loss.sum().backward()
    return loss, x.grad


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("which", HARD_LOGITS)
@vs_torch
def test_cross_entropy_of_hard_logits(lib, which, reduction, dtype):
    logits = HARD_LOGITS[which]
    return [
        backward_of_loss(lib, logits, make(lib, target, "int64"), dtype, reduction=reduction)
        for target in ([0, 0], [1, 0], [1, 1])
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("which", [which for which in HARD_LOGITS if which != "minus infinity"])
@vs_torch
def test_cross_entropy_of_hard_logits_with_probabilities(lib, which, dtype):
    """0 * log 0 is 0."""
    logits = HARD_LOGITS[which]
    n = len(logits[0])
    targets = np.eye(n)[[0, n - 1]], np.eye(n)[[1, 1]], np.full((2, n), 1 / n)
    return [backward_of_loss(lib, logits, make(lib, t, dtype), dtype) for t in targets]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_nan_where_the_answer_is_sure(dtype):
    for target in (make(ag, [1, 0], "int64"), make(ag, [[0.0, 1.0], [1.0, 0.0]], dtype)):
        loss, grad = backward_of_loss(ag, HARD_LOGITS["0 and 200"], target, dtype)
        assert loss.item() == pytest.approx(0, abs=1e-30)
        assert np.isfinite(array(grad)).all()


@vs_torch
def test_cross_entropy_of_a_single_class(lib):
    return backward_of_loss(lib, [[3.0], [-1.0]], make(lib, [0, 0], "int64"), "float64")


@vs_torch
def test_cross_entropy_of_nothing(lib):
    """The mean of no losses is NaN."""
    x = make(lib, np.zeros((0, 3)), "float32", requires_grad=True)
    loss = lib.nn.functional.cross_entropy(x, make(lib, np.zeros(0, int), "int64"))
    loss.backward()
    return loss, x.grad


@vs_torch
def test_cross_entropy_of_one_sample_without_a_batch(lib):
    return backward_of_loss(lib, [1.0, 2.0, 0.5], make(lib, 2, "int64"), "float64")


@vs_torch
def test_one_hot_probabilities_are_classes(lib):
    logits = np.random.default_rng(0).standard_normal((4, 3))
    classes = make(lib, [0, 2, 1, 2], "int64")
    weights = make(lib, np.eye(3)[[0, 2, 1, 2]], "float64")
    by_class = backward_of_loss(lib, logits, classes, "float64")
    by_weight = backward_of_loss(lib, logits, weights, "float64")
    np.testing.assert_allclose(array(by_class[1]), array(by_weight[1]), rtol=1e-12)
    return by_class, by_weight


@vs_torch(raises="Target 3 is out of bounds")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_class_out_of_range(lib, reduction):
    x = make(lib, np.zeros((2, 3)), requires_grad=True)
    lib.nn.functional.cross_entropy(x, make(lib, [0, 3], "int64"), reduction=reduction)


@vs_torch(raises="(?i)not a valid value for reduction")
def test_unknown_reduction(lib):
    x = make(lib, np.zeros((2, 3)))
    lib.nn.functional.cross_entropy(x, make(lib, [0, 1], "int64"), reduction="median")


@vs_torch
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("which", HARD_LOGITS)
def test_softmax_of_hard_rows(lib, which, name, dtype):
    x = make(lib, HARD_LOGITS[which], dtype, requires_grad=True)
    y = getattr(lib, name)(x, dim=1)
    weights = make(lib, [[1.0, -2.0, 3.0][: x.shape[1]]] * 2, dtype)
    # A log of zero has an infinite value, whose cotangent has to stay out.
    y.backward(weights)
    return y, x.grad


@vs_torch
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_rows_without_an_answer(lib, name):
    inf, nan = float("inf"), float("nan")
    rows = [[-inf, -inf, -inf], [inf, 0, 0], [inf, inf, 0], [nan, 0, 1], [-inf, nan, inf]]
    return getattr(lib, name)(make(lib, rows), dim=1)


@pytest.mark.parametrize("size", [1, 2, 7, 16, 17, 1000])
def test_softmax_sums_to_one(size):
    x = make(ag, np.random.default_rng(size).standard_normal((3, size)) * 20)
    np.testing.assert_allclose(array(ag.softmax(x, 1)).sum(1), 1, rtol=1e-5)


@vs_torch(raises="(?i)implicit|dim")
def test_softmax_needs_its_dim(lib):
    lib.softmax(make(lib, np.zeros((2, 3))))
