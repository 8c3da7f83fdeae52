"""DataLoader: batches of a data set, in order or shuffled."""

from __future__ import annotations

import ctypes
import warnings
from array import array
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Callable, Generic, TypeVar

from ..._capi import call, check, lib, pack, raise_last_error
from ...creation import randperm
from ...dtypes import int64
from ...random import Generator
from ...tensor import NO_TENSOR, Tensor
from .collate import default_collate, default_convert
from .dataset import Dataset, IterableDataset, Subset, TensorDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler

Sample = TypeVar("Sample", covariant=True)

_FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


def get_worker_info() -> None:
    """Returns None: samples are always fetched by the process that asks for them."""


class DataLoader(Generic[Sample]):
    """An iterable over batches of a data set; each ``for`` loop over it is an epoch.

    batch_size=None gives single samples. sampler, or batch_sampler, chooses the samples instead of shuffle.
    collate_fn makes a batch of a list of samples. Everything runs in the calling thread, whatever num_workers is: the
    options about workers and pinned memory are accepted for compatibility, and worker_init_fn is not called.

    The batches of a TensorDataset, or of a Subset of one, are copied by one native call each.
    """

    def __init__(
        self,
        dataset: Dataset[Sample] | Iterable[Sample],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if generator is not None and not isinstance(generator, Generator):
            raise TypeError(f"generator must be a Generator, not {type(generator).__name__}")
        if multiprocessing_context is not None and not num_workers:
            raise ValueError(
                "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got "
                f"num_workers={num_workers}"
            )
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self.dataset: Any = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers > 0 and prefetch_factor is None else prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order
        self._is_iterable = isinstance(dataset, IterableDataset)
        if self._is_iterable:
            _check_iterable(shuffle, sampler, batch_sampler)
        _check_exclusive(batch_size, shuffle, sampler, batch_sampler, drop_last)
        if batch_sampler is not None:
            batch_size = None
        if sampler is None:
            if self._is_iterable:
                sampler = _Endless()
            elif shuffle:
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)  # type: ignore[arg-type]
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.generator = generator
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        self.collate_fn = collate_fn
        self.persistent_workers = persistent_workers
        self._reported_length: int | None = None
        self._complete = True

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and "_complete" in self.__dict__:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized"
            )
        super().__setattr__(name, value)

    def __len__(self) -> int:
        if not self._is_iterable:
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore
        length = self._reported_length = len(self.dataset)
        if self.batch_size is None:
            return length
        return (length if self.drop_last else length + self.batch_size - 1) // self.batch_size

    def __iter__(self) -> Iterator[Any]:
        if self._is_iterable:
            return self._iterable_batches()
        if self.batch_sampler is None:
            return (self.collate_fn(self.dataset[index]) for index in self.sampler)  # type: ignore
        rows = _rows_of(self.dataset) if self.collate_fn is default_collate else None
        if rows is None:
            return self._map_batches()
        return _native_batches(self, *rows)

    def _map_batches(self) -> Iterator[Any]:
        dataset, collate = self.dataset, self.collate_fn
        fetch = getattr(dataset, "__getitems__", None)
        for indices in self.batch_sampler:  # type: ignore[union-attr]
            yield collate(fetch(indices) if fetch else [dataset[index] for index in indices])

    def _iterable_batches(self) -> Iterator[Any]:
        samples, size, fetched = iter(self.dataset), self.batch_size, 0
        while True:
            part = list(islice(samples, 1 if size is None else size))
            if not part or (size is not None and self.drop_last and len(part) < size):
                return
            yield self.collate_fn(part[0] if size is None else part)
            fetched += 1
            if self._reported_length is not None and fetched > len(self):
                warnings.warn(
                    f"Length of IterableDataset {self.dataset} was reported to be {self._reported_length} (when "
                    f"accessing len(dataloader)), but {fetched} samples have been fetched.",
                    stacklevel=2,
                )


class _Endless:
    """The sampler of iterable data sets, whose samples have no numbers."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


# ---- batches of tensors in memory ------------------------------------------------------------------------


def _rows_of(dataset: Any) -> tuple[list[Tensor], Tensor | None] | None:
    """The tensors whose rows are the samples, and the rows' numbers if not all in order; None for other data sets.

    Only where rows of tensors are what the samples are: subclasses may change that.
    """
    numbers = None
    if type(dataset) is Subset and type(dataset.dataset) is TensorDataset:
        try:
            numbers = _positions(dataset.indices, len(dataset.dataset))
        except (TypeError, ValueError, IndexError, OverflowError):
            return None  # the samples themselves say what is wrong with an index, if anything is
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset:
        return None
    tensors = list(dataset.tensors)
    if not all(type(each) is Tensor and not each.requires_grad for each in tensors):
        return None
    return tensors, numbers


def _positions(indices: Any, rows: int) -> Tensor:
    """Numbers of rows as a tensor, negative ones counted from the end. IndexError for those beyond it."""
    numbers = array("q", indices)
    if numbers and min(numbers) < 0:
        if min(numbers) < -rows:
            raise IndexError(
                f"index {min(numbers)} is out of bounds for dimension 0 with size {rows}"
            )
        numbers = array("q", [number + rows if number < 0 else number for number in numbers])
    return call(
        lib.ag_tensor_from_data, numbers.buffer_info()[0], int64.code, *pack((len(numbers),))
    )


def _native_batches(
    loader: DataLoader[Any], tensors: list[Tensor], numbers: Tensor | None
) -> Iterator[list[Tensor]]:
    """The batches of these rows. Nothing is copied ahead: a batch shows its rows as they are when it is asked for."""
    # Aliases keep the memory, whatever becomes of the data set's own tensors meanwhile.
    take = _Taker([call(lib.ag_detach, each) for each in tensors], numbers)
    batches, sampler = loader.batch_sampler, loader.sampler
    if type(batches) is not BatchSampler or batches.sampler is not sampler:
        return take.listed(batches, loader.dataset)
    size, drop_last = batches.batch_size, batches.drop_last
    if type(sampler) is SequentialSampler and sampler.data_source is loader.dataset:
        return take.ordered(len(sampler), size, drop_last)
    if (
        type(sampler) is RandomSampler
        and sampler.data_source is loader.dataset
        and not sampler.replacement
        and sampler._num_samples is None
    ):
        return take.shuffled(sampler.generator, size, drop_last)
    return take.listed(batches, loader.dataset)


class _Taker:
    """Copies the same rows of several tensors."""

    def __init__(self, tensors: list[Tensor], numbers: Tensor | None) -> None:
        self.tensors = tensors
        self.numbers = numbers
        self.count = len(tensors)
        self.sources = (ctypes.c_void_p * self.count)(*tensors)
        self.rows = tensors[0].size(0) if numbers is None else numbers.size(0)

    def shuffled(
        self, generator: Generator | None, size: int, drop_last: bool
    ) -> Iterator[list[Tensor]]:
        order = randperm(self.rows, generator=generator)
        if self.numbers is not None:
            order = call(lib.ag_index_select, self.numbers, 0, order)
        return self._consecutive(order, self.rows, size, drop_last)

    def ordered(self, total: int, size: int, drop_last: bool) -> Iterator[list[Tensor]]:
        order = NO_TENSOR if self.numbers is None else self.numbers
        return self._consecutive(order, total, size, drop_last)

    def _consecutive(
        self, order: Tensor, total: int, size: int, drop_last: bool
    ) -> Iterator[list[Tensor]]:
        """Batches of `size` consecutive places in the order."""
        take, sources, count = lib.ag_take_batch, self.sources, ctypes.c_int64(self.count)
        # The array's items are the tensors: making them costs no call of Python code.
        handles, full = Tensor * self.count, ctypes.c_int64(size)
        whole = total - total % size
        for start in range(0, whole, size):
            batch = handles()
            if take(sources, count, order, start, full, batch):
                raise_last_error()
            yield batch[:]
        if whole < total and not drop_last:
            yield self._take(order, whole, total - whole)

    def _take(self, order: Tensor, start: int, count: int) -> list[Tensor]:
        batch = (Tensor * self.count)()
        check(lib.ag_take_batch(self.sources, self.count, order, start, count, batch))
        return batch[:]

    def listed(self, batches: Iterable[Any], dataset: Any) -> Iterator[list[Tensor]]:
        """Batches of the samples whose numbers are listed."""
        for indices in batches:
            try:
                order = _positions(indices, self.rows)
            except TypeError:
                for index in indices:
                    dataset[index]  # says what is wrong with it
                raise
            if self.numbers is not None:
                order = call(lib.ag_index_select, self.numbers, 0, order)
            yield self._take(order, 0, order.numel())


# ---- checks ----------------------------------------------------------------------------------------------


def _check_workers(workers: int, timeout: float, prefetch: int | None, persistent: bool) -> None:
    if isinstance(workers, float):
        raise TypeError(f"num_workers must be int, not float: {workers}")
    if workers < 0:
        raise ValueError(
            "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing."
        )
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if timeout != 0 and workers == 0:
        raise ValueError("timeout option needs num_workers > 0")
    if workers == 0 and prefetch is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing. Let num_workers > 0 to enable "
            "multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch is not None and prefetch < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent and workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _check_iterable(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
    given = {
        "shuffle": None if shuffle in {None, False} else shuffle,
        "sampler": sampler,
        "batch_sampler": batch_sampler,
    }
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
            )


def _check_exclusive(
    batch_size: Any, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: bool
) -> None:
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None:
        if batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise ValueError(
                "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
            )
    elif batch_size is None and drop_last:
        raise ValueError(
            "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
        )
