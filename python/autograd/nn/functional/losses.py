"""Losses.

``reduction`` is "mean", "sum" or "none". ``size_average`` and ``reduce`` are its older forms: where one is given, it
counts instead.
"""

from __future__ import annotations

import ctypes
import warnings
from typing import Any, Callable

from ..._arguments import int_argument
from ..._capi import (
    ArgumentError,
    argument_error,
    call,
    constants,
    lib,
    not_null,
    raise_last_error,
)
from ...creation import tensor
from ...dtypes import int64
from ...operands import must_be_sequence, must_be_tensors
from ...ops.distances import pairwise_distance
from ...ops.pointwise import clamp, minimum
from ...ops.reductions import mean, sum
from ...tensor import NO_TENSOR, Tensor

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "cross_entropy",
    "ctc_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "margin_ranking_loss",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]

_REDUCTIONS = {name: constants[f"AG_REDUCTION_{name.upper()}"] for name in ("none", "mean", "sum")}
_MEAN = _REDUCTIONS["mean"]
_MINUS_100, _NO_SMOOTHING = ctypes.c_int64(-100), ctypes.c_double(0)


def reduction_code(
    reduction: str, size_average: bool | None = None, reduce: bool | None = None
) -> int:
    """The ag_reduction value of 'none', 'mean' or 'sum'; ValueError for anything else."""
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce)
    code = _REDUCTIONS.get(reduction) if isinstance(reduction, str) else None
    if code is None:
        raise ValueError(
            f"{reduction} is not a valid value for reduction: use 'none', 'mean' or 'sum'"
        )
    return code


def legacy_reduction(size_average: bool | None, reduce: bool | None) -> str:
    """The reduction that the older arguments stand for, after a warning."""
    averages = size_average is None or size_average
    reduces = reduce is None or reduce
    reduction = "mean" if averages and reduces else "sum" if reduces else "none"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.",
        stacklevel=4,
    )
    return reduction


def _or_null(tensor: Tensor | None) -> Tensor:
    return NO_TENSOR if tensor is None else tensor


def _pair(native: Any, input: Tensor, target: Tensor, code: int, *numbers: Any) -> Tensor:
    try:
        result = native(input, target, code, *numbers)
    except ArgumentError as error:
        raise argument_error(native, (input, target, code, *numbers), error) from None
    if not_null(result):
        return result
    raise_last_error()


def _warn_if_sizes_differ(loss: str, input: Tensor, target: Tensor) -> None:
    must_be_tensors(loss, input=input, target=target)
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will "
            "likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=3,
        )


def _weighted(loss: Tensor, weight: Tensor, input: Tensor, reduction: str, divide: bool) -> Tensor:
    """The loss of each pair times its weight, reduced; the mean may be one over the weights."""
    if weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")
    code = reduction_code(reduction)
    loss = loss * weight
    if code == _MEAN:
        return sum(loss) / sum(weight) if divide else mean(loss)
    return sum(loss) if code else loss


# ---- of classes --------------------------------------------------------------------------------------------


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Returns the softmax cross entropy of logits, -weight[t] log softmax(input)[t], reduced; stable for any logits.

    input is [N, C], [C] or [N, C, d1, ...]; target holds class indices (int64, the sizes without C) or
    probabilities (the sizes of input). weight is [C], and the mean is one over the weights. Targets equal to
    ignore_index count for nothing. label_smoothing s mixes s / C of every class into the target.
    """
    native = lib.ag_cross_entropy
    code = None
    if type(reduction) is str and size_average is None and reduce is None:
        code = _REDUCTIONS.get(reduction)
    if code is None:
        code = reduction_code(reduction, size_average, reduce)
    arguments = (
        input,
        target,
        NO_TENSOR if weight is None else weight,
        code,
        _MINUS_100 if type(ignore_index) is int and ignore_index == -100 else ignore_index,
        _NO_SMOOTHING
        if type(label_smoothing) is float and not label_smoothing
        else label_smoothing,
    )
    try:
        result = native(*arguments)
    except ArgumentError as error:
        raise argument_error(native, arguments, error) from None
    if not_null(result):
        return result
    raise_last_error()


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns -weight[t] input[t] for log probabilities [N, C], [C] or [N, C, d1, ...], reduced.

    target, weight and ignore_index are as in :func:`cross_entropy`.
    """
    code = reduction_code(reduction, size_average, reduce)
    return call(lib.ag_nll_loss, input, target, _or_null(weight), code, ignore_index)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns sum_j max(0, margin - x[t] + x[j])^p weight[t] / C over the classes j other than t, reduced."""
    code = reduction_code(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    return call(lib.ag_multi_margin_loss, input, target, p, margin, _or_null(weight), code)


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns the sum of max(0, 1 - x[t] + x[j]) / C over a row's classes t and all others j, reduced over rows.

    x and target are [N, C] or one row [C]; a row's classes stand in target before the first -1.
    """
    code = reduction_code(reduction, size_average, reduce)
    return call(lib.ag_multilabel_margin_loss, input, target, code)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns the mean over the classes, the last dim, of the binary cross entropies of logits, reduced."""
    code = reduction_code(reduction, size_average, reduce)
    return call(lib.ag_multilabel_soft_margin_loss, input, target, _or_null(weight), code)


def _lengths(argument: str, value: Any) -> Tensor:
    """Lengths given as a tensor or as a sequence of ints."""
    if isinstance(value, Tensor):
        return value
    must_be_sequence("ctc_loss", argument, value)
    return tensor([int_argument("ctc_loss", argument, n) for n in value], dtype=int64)


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Returns -log of the probability that targets are what is left of sequences without repetitions and blanks.

    log_probs [T, N, C], or [T, C] for one sequence, come out of log_softmax; targets are [N, S], padded, or one behind
    the other in one row. input_lengths and target_lengths, [N] or as many ints, count the steps and classes that
    matter. The mean is one of loss / length of the target. A target that is too long for its sequence costs infinity,
    or, with zero_infinity, nothing. There are first-order gradients (Graves et al., 2006).
    Raises RuntimeError for sizes, lengths and classes that do not fit.
    """
    must_be_tensors("ctc_loss", log_probs=log_probs, targets=targets)
    code = reduction_code(reduction)
    if isinstance(input_lengths, Tensor) != isinstance(target_lengths, Tensor):
        raise TypeError("ctc_loss(): lengths must be two tensors or two tuples of ints")
    return call(
        lib.ag_ctc_loss,
        log_probs,
        targets,
        _lengths("input_lengths", input_lengths),
        _lengths("target_lengths", target_lengths),
        blank,
        code,
        zero_infinity,
    )


# ---- of pairs ----------------------------------------------------------------------------------------------


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Returns (input - target)^2, reduced; with weights, the mean is one over them."""
    _warn_if_sizes_differ("mse_loss", input, target)
    code = reduction_code(reduction, size_average, reduce)
    if weight is None:
        return _pair(lib.ag_mse_loss, input, target, code)
    loss = _pair(lib.ag_mse_loss, input, target, _REDUCTIONS["none"])
    return _weighted(loss, weight, input, reduction, divide=True)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Returns |input - target|, reduced; with weights, the mean is one over them."""
    _warn_if_sizes_differ("l1_loss", input, target)
    code = reduction_code(reduction, size_average, reduce)
    if weight is None:
        return _pair(lib.ag_l1_loss, input, target, code)
    loss = _pair(lib.ag_l1_loss, input, target, _REDUCTIONS["none"])
    return _weighted(loss, weight, input, reduction, divide=True)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Returns d^2 / (2 beta) where |d| < beta and |d| - beta / 2 elsewhere, d = input - target, reduced."""
    _warn_if_sizes_differ("smooth_l1_loss", input, target)
    code = reduction_code(reduction, size_average, reduce)
    return _pair(lib.ag_smooth_l1_loss, input, target, code, beta)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Returns d^2 / 2 where |d| <= delta and delta (|d| - delta / 2) elsewhere, d = input - target, reduced."""
    _warn_if_sizes_differ("huber_loss", input, target)
    code = reduction_code(reduction)
    if weight is None:
        return _pair(lib.ag_huber_loss, input, target, code, delta)
    loss = _pair(lib.ag_huber_loss, input, target, _REDUCTIONS["none"], delta)
    return _weighted(loss, weight, input, reduction, divide=False)


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns log(1 + exp(-target * input)), for targets of 1 and -1, reduced."""
    code = reduction_code(reduction, size_average, reduce)
    return _pair(lib.ag_soft_margin_loss, input, target, code)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns -(target log(input) + (1 - target) log(1 - input)) weight, logarithms of at least -100, reduced.

    Raises ValueError if the sizes differ, RuntimeError for elements outside of [0, 1].
    """
    code = reduction_code(reduction, size_average, reduce)
    return call(lib.ag_binary_cross_entropy, input, target, _or_null(weight), code)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Returns the binary cross entropy of sigmoid(input), stable for any logits, reduced.

    pos_weight multiplies the term of target. Raises ValueError if the sizes differ.
    """
    code = reduction_code(reduction, size_average, reduce)
    return call(
        lib.ag_binary_cross_entropy_with_logits,
        input,
        target,
        NO_TENSOR if weight is None else weight,
        NO_TENSOR if pos_weight is None else pos_weight,
        code,
    )


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Returns target (log(target) - input), or exp(target) (target - input) if log_target, reduced.

    reduction "batchmean" divides the sum by the size of dim 0.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce)
    elif reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
            "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
            stacklevel=2,
        )
    by_batch = reduction == "batchmean"
    code = reduction_code("sum" if by_batch else reduction)
    loss = _pair(lib.ag_kl_div, input, target, code, log_target)
    return loss / input.shape[0] if by_batch and input.dim() else loss


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns exp(input) - target input, or input - target log(input + eps) if not log_input, reduced.

    full adds Stirling's approximation of log(target!) where target > 1.
    """
    code = reduction_code(reduction, size_average, reduce)
    return call(lib.ag_poisson_nll_loss, input, target, log_input, full, eps, code)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Returns (log v + (input - target)^2 / v) / 2 with v = max(var, eps), reduced; full adds log(2 pi) / 2.

    var is a number, or has the sizes of input, or these with the last one 1 or left out.
    """
    if isinstance(var, float):
        var = input.detach() * 0 + var
    if reduction not in _REDUCTIONS:
        raise ValueError(f"{reduction} is not valid")
    return call(lib.ag_gaussian_nll_loss, input, target, var, full, eps, reduction_code(reduction))


# ---- of distances and margins ------------------------------------------------------------------------------


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns input where target is 1, max(0, margin - input) where it is -1, reduced."""
    code = reduction_code(reduction, size_average, reduce)
    return call(lib.ag_hinge_embedding_loss, input, target, margin, code)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns max(0, -target (input1 - input2) + margin), reduced."""
    code = reduction_code(reduction, size_average, reduce)
    return call(lib.ag_margin_ranking_loss, input1, input2, target, margin, code)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns 1 - cos where target is 1 and max(0, cos - margin) where it is -1, reduced.

    cos is the cosine of the angle between the rows of input1 and input2, [N, D] or [D].
    """
    code = reduction_code(reduction, size_average, reduce)
    return call(lib.ag_cosine_embedding_loss, input1, input2, target, margin, code)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Returns max(0, d(anchor, positive) - d(anchor, negative) + margin), reduced, d being pairwise_distance.

    swap takes d(positive, negative) in place of d(anchor, negative) where it is smaller.
    """
    code = reduction_code(reduction, size_average, reduce)
    return call(lib.ag_triplet_margin_loss, anchor, positive, negative, margin, p, eps, swap, code)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """As :func:`triplet_margin_loss`, with a distance function of one's own."""
    code = reduction_code(reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    must_be_tensors(
        "triplet_margin_with_distance_loss", anchor=anchor, positive=positive, negative=negative
    )
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but "
            f"got: anchor {anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs"
        )
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    loss = clamp(margin + near - far, min=0)
    return mean(loss) if code == _MEAN else sum(loss) if code else loss
