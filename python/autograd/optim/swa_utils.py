"""Averages of a model's parameters along its training: plain ones (SWA) and exponential ones (EMA).

P. Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from copy import deepcopy
from typing import Any, Callable

from ..creation import tensor
from ..dtypes import int64
from ..grad_mode import no_grad
from ..nn.module import Module
from ..nn.normalization import _BatchNorm
from ..tensor import Tensor
from .lr_scheduler.schedule import LRScheduler, one_per_group
from .optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

Average = Callable[[Tensor, Tensor, Any], Any]
ManyAverages = Callable[[list[Tensor], list[Tensor], Any], Any]


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """Returns an avg_fn for :class:`AveragedModel`: decay * average + (1 - decay) * parameter.

    Raises ValueError unless decay is in [0, 1]; so do the others.
    """
    _check_decay(decay)

    def average(ema_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        with no_grad():
            return decay * ema_param + (1 - decay) * current_param

    return average


def get_ema_multi_avg_fn(decay: float = 0.999) -> ManyAverages:
    """Returns a multi_avg_fn for :class:`AveragedModel`, which moves all averages in place."""
    _check_decay(decay)

    def average(averages: list[Tensor], parameters: list[Tensor], num_averaged: Any) -> None:
        with no_grad():
            for ema, current in zip(averages, parameters):
                if ema.dtype.is_floating_point:
                    ema.lerp_(current, 1 - decay)
                else:
                    ema.copy_(ema * decay + current * (1 - decay))

    return average


def get_swa_avg_fn() -> Average:
    """Returns an avg_fn for :class:`AveragedModel`: the mean of all parameters so far."""

    def average(averaged_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        with no_grad():
            return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return average


def get_swa_multi_avg_fn() -> ManyAverages:
    """Returns a multi_avg_fn for :class:`AveragedModel`, which moves all means in place."""

    def average(averages: list[Tensor], parameters: list[Tensor], num_averaged: Any) -> None:
        mean = get_swa_avg_fn()
        for averaged, current in zip(averages, parameters):
            averaged.copy_(mean(averaged, current, num_averaged))

    return average


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of the model's: ``update_parameters(model)`` adds to them.

    module is the copy, and forward() calls it; n_averaged counts the updates. avg_fn(average, parameter, n_averaged)
    returns an average, multi_avg_fn(averages, parameters, n_averaged) changes lists of them in place; the mean by
    default. use_buffers averages buffers too; else they are copied. Raises ValueError if both functions are given.
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: ManyAverages | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=int64))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model makes of the arguments."""
        return self.module(*args, **kwargs)

    def _averaged(self, model: Module) -> list[Tensor]:
        found = list(model.parameters())
        return [t.detach() for t in (*found, *(model.buffers() if self.use_buffers else ()))]

    def update_parameters(self, model: Module) -> None:
        """Adds the parameters of model to the averages; the first time they are copied."""
        averages, parameters = self._averaged(self.module), self._averaged(model)
        if len(averages) != len(parameters):
            raise ValueError(
                f"the model has {len(parameters)} parameters, the averaged one {len(averages)}"
            )
        if int(self.n_averaged) == 0:
            for average, parameter in zip(averages, parameters):
                average.copy_(parameter)
        elif self.avg_fn is not None:
            for average, parameter in zip(averages, parameters):
                average.copy_(self.avg_fn(average, parameter, self.n_averaged))
        else:
            (self.multi_avg_fn or get_swa_multi_avg_fn())(averages, parameters, self.n_averaged)
        if not self.use_buffers:
            for ours, theirs in zip(self.module.buffers(), model.buffers()):
                ours.detach().copy_(theirs.detach())
        self.n_averaged.add_(1)


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Sets the running statistics of the batch norms in model to the averages over the batches of loader.

    A batch is a tensor, or a list or tuple whose first entry is one; model is called with it in training mode.
    """
    layers = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    was_training = model.training
    model.train()
    try:
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None
        with no_grad():
            for batch in loader:
                batch = batch[0] if isinstance(batch, (list, tuple)) else batch
                model(batch if device is None else batch.to(device))
    finally:
        for layer, momentum in zip(layers, momenta):
            layer.momentum = momentum
        model.train(was_training)


class SWALR(LRScheduler):
    """Moves the learning rates to swa_lr within anneal_epochs, along half a cosine or a line, and keeps them there.

    swa_lr is one value, or a list of one per group. Raises ValueError for a strategy that is neither "cos" nor
    "linear", and for anneal_epochs that is no integer >= 0.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: Any,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        for group, value in zip(optimizer.param_groups, one_per_group("swa_lr", optimizer, swa_lr)):
            group["swa_lr"] = value
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must by one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs, self._strategy = anneal_epochs, anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _share(self, epoch: int) -> float:
        """How far from its first value to swa_lr a learning rate is, 0 to 1."""
        t = max(0.0, min(1.0, epoch / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self._strategy == "cos" else t

    def get_lr(self) -> list[Any]:
        """The learning rates for last_epoch, computed from the present ones."""
        self._warn_outside_step()
        epoch = max(1, self.last_epoch) if self.anneal_epochs == 0 else self.last_epoch
        before, now = self._share(epoch - 1), self._share(epoch)
        rates = []
        for group in self.optimizer.param_groups:
            target, rate = group["swa_lr"], group["lr"]
            first = target if before == 1 else (rate - before * target) / (1 - before)
            rates.append(target * now + first * (1 - now))
        return rates
