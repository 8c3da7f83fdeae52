"""A softmax over many classes that takes the rare ones in clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..creation import tensor
from ..operands import must_be_tensors
from ..ops.joining import cat
from ..ops.pointwise import where
from ..ops.sorting import searchsorted
from ..tensor import Tensor
from .containers import ModuleList, Sequential
from .functional import log_softmax
from .layers import Linear
from .module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class _Output(NamedTuple):
    """The logarithm of each target's probability, and their mean, negated."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """log softmax over n_classes classes, the frequent ones first, and its loss.

    The head gives logits of the classes below cutoffs[0] and of each cluster of classes between two cutoffs. Within
    cluster i, from 0, a class has the softmax of two linear layers, in_features // div_value^(i + 1) wide between them.
    So a batch computes only the clusters that its targets are in (Grave et al., arXiv 1609.04309).
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        bounds = list(cutoffs)
        if not bounds:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        rising = all(low < high for low, high in zip([0, *bounds], [*bounds, n_classes]))
        if not rising or any(int(bound) != bound for bound in bounds):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
                f"value is between 1 and n_classes-1, got {bounds} for {n_classes} classes"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*bounds, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = bounds[0]
        self.n_clusters = len(bounds)
        self.head_size = self.shortlist_size + self.n_clusters
        kind = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **kind)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(zip(self.cutoffs, self.cutoffs[1:])):
            width = int(in_features // div_value ** (i + 1))
            self.tail.append(
                Sequential(
                    Linear(in_features, width, bias=False, **kind),
                    Linear(width, high - low, bias=False, **kind),
                )
            )

    def reset_parameters(self) -> None:
        """Draws the weights anew."""
        self.head.reset_parameters()
        for cluster in self.tail:
            for layer in cluster:
                layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _Output:
        """The log probabilities of the targets [N] or [], given inputs [N, in_features] or [in_features], and the loss.

        Raises RuntimeError for other sizes and for a target that is no class.
        """
        must_be_tensors("AdaptiveLogSoftmaxWithLoss", input_=input_, target_=target_)
        if target_.dim() > 1:
            raise RuntimeError(
                f"0D or 1D target tensor expected, multi-target not supported, got {list(target_.shape)}"
            )
        if input_.dim() != target_.dim() + 1 or input_.shape[:-1] != target_.shape:
            raise RuntimeError(
                "Input and target should have the same size in the batch dimension, with features in one more, got "
                f"{list(input_.shape)} and {list(target_.shape)}"
            )
        input, target = input_.reshape(-1, input_.size(-1)), target_.reshape(-1)
        if bool(((target < 0) | (target >= self.n_classes)).any()):
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{target.min().item()}, {target.max().item()}] were found"
            )
        cluster = searchsorted(tensor(self.cutoffs, dtype=target.dtype), target, right=True)
        place = where(cluster == 0, target, self.shortlist_size - 1 + cluster)
        output = log_softmax(self.head(input), 1).gather(1, place.unsqueeze(1)).squeeze(1)
        for i, (low, layers) in enumerate(zip(self.cutoffs, self.tail)):
            rows = (cluster == i + 1).nonzero().squeeze(1)
            if rows.numel():
                inner = log_softmax(layers(input.index_select(0, rows)), 1)
                own = (target.index_select(0, rows) - low).unsqueeze(1)
                output = output.index_add(0, rows, inner.gather(1, own).squeeze(1))
        return _Output(output.reshape(target_.shape), -output.mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """The log probabilities [N, n_classes] of all classes."""
        head = log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for i, layers in enumerate(self.tail, self.shortlist_size):
            parts.append(log_softmax(layers(input), 1) + head[:, i : i + 1])
        return cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each row; clusters are computed for rows only whose head names one."""
        best = self.head(input).argmax(1)
        rows = (best >= self.shortlist_size).nonzero().squeeze(1)
        if rows.numel():
            best[rows] = self.log_prob(input.index_select(0, rows)).argmax(1)
        return best
