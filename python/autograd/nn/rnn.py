"""Recurrent layers and cells: RNN, LSTM, GRU and one step of each."""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any

from .._arguments import kind_of
from ..creation import empty
from ..dtypes import dtype as DType
from ..grad_mode import no_grad
from ..operands import must_be_tensors
from ..ops import cat, recurrent
from ..ops.shaping import squeeze, unsqueeze
from ..tensor import Tensor
from .functional.padding import pad
from .module import Module
from .parameter import Parameter
from .utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
_FUNCTIONS = {
    "LSTM": recurrent.lstm,
    "GRU": recurrent.gru,
    "RNN_TANH": recurrent.rnn_tanh,
    "RNN_RELU": recurrent.rnn_relu,
}


def _draw(module: Module, hidden_size: int) -> None:
    bound = 1 / math.sqrt(hidden_size) if hidden_size > 0 else 0.0
    with no_grad():
        for weight in module.parameters():
            weight.uniform_(-bound, bound)


_MOST_LAYERS = 1 << 16  # more are a mistake, which would take all memory layer by layer


def _check_whole(name: str, value: Any) -> None:
    if not isinstance(value, int):
        raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
    if value <= 0:
        raise ValueError(f"{name} must be greater than zero")


class RNNBase(Module):
    """What RNN, LSTM and GRU have in common: weights by PyTorch's names, checks, initial states.

    Layer k has weight_ih_lk, weight_hh_lk and, with bias, bias_ih_lk, bias_hh_lk; the other direction has the same
    with _reverse. All start uniform in [-1/sqrt(hidden_size), 1/sqrt(hidden_size)).
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(dropout, numbers.Number):
            raise TypeError(f"dropout should be a number, not {type(dropout).__name__}")
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:  # type: ignore[operator]
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
            )
        for name, value in (("bias", bias), ("batch_first", batch_first)):
            if not isinstance(value, bool):
                raise TypeError(f"{name} should be of type bool, got: {type(value).__name__}")
        _check_whole("input_size", input_size)
        _check_whole("hidden_size", hidden_size)
        if num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if num_layers > _MOST_LAYERS:
            raise ValueError(f"num_layers must be at most {_MOST_LAYERS}, got {num_layers}")
        if proj_size < 0:
            raise ValueError(
                "proj_size should be a positive integer or zero to disable projections"
            )
        if proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if mode not in _GATES:
            raise ValueError(f"Unrecognized RNN mode: {mode}")
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}",
                stacklevel=3,
            )
        self.mode = mode
        self.input_size, self.hidden_size = input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional = float(dropout), bidirectional
        self.proj_size = proj_size
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse") if bidirectional else ("",):
                self._add_weights(layer, suffix, dtype, device)
        self._flat_names = tuple(name for names in self._all_weights for name in names)
        self.reset_parameters()

    def _add_weights(self, layer: int, suffix: str, dtype: DType | None, device: Any) -> None:
        rows, out = _GATES[self.mode] * self.hidden_size, self.proj_size or self.hidden_size
        width = out * (2 if self.bidirectional else 1) if layer else self.input_size
        sizes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, width), "weight_hh": (rows, out)}
        if self.bias:
            sizes.update(bias_ih=(rows,), bias_hh=(rows,))
        if self.proj_size:
            sizes["weight_hr"] = (out, self.hidden_size)
        names = []
        for name, size in sizes.items():
            names.append(f"{name}_l{layer}{suffix}")
            setattr(self, names[-1], Parameter(empty(size, dtype=dtype, device=device)))
        self._all_weights.append(names)

    def reset_parameters(self) -> None:
        """Draws all weights anew."""
        _draw(self, self.hidden_size)

    def flatten_parameters(self) -> None:
        """Does nothing: weights need no particular place in memory."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The weights by layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def _batched(self, input: Tensor) -> bool:
        """Checks an input; True unless it is a single sequence."""
        if not isinstance(input, Tensor):
            raise TypeError(
                f"{type(self).__name__}: argument 'input' must be Tensor, not {kind_of(input)}"
            )
        ndim = input.ndim
        if ndim not in (2, 3):
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 2D or 3D, got {ndim}D instead"
            )
        dtype = self.__dict__[self._flat_names[0]].dtype
        if input.dtype is not dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). "
                f"Convert input: input.to({dtype}), or convert model: model.to({input.dtype})"
            )
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. "
                f"Expected {self.input_size}, got {input.shape[-1]}"
            )
        return ndim == 3

    def _check_state(self, state: Tensor, rows: int, width: int, what: str) -> None:
        wanted = (self.num_layers * (2 if self.bidirectional else 1), rows, width)
        if tuple(state.shape) != wanted:
            raise RuntimeError(f"Expected {what} size {wanted}, got {list(state.shape)}")

    def _run(self, input: Tensor, hx: Any) -> tuple[Tensor, ...]:
        attributes = self.__dict__
        return _FUNCTIONS[self.mode](
            input,
            hx,
            [attributes[name] for name in self._flat_names],
            self.bias,
            self.num_layers,
            self.dropout,
            self.training,
            self.bidirectional,
            self.batch_first,
        )

    def _run_packed(
        self, packed: PackedSequence, hx: tuple[Tensor, ...] | None
    ) -> tuple[PackedSequence, tuple[Tensor, ...]]:
        """Outputs, packed, and last states; sequences of the same length are run together."""
        rows, order = packed.batch_sizes[0].item(), packed.sorted_indices
        if packed.data.ndim != 2:
            raise ValueError(f"RNN: Expected packed data to be 2D, got {packed.data.ndim}D instead")
        self._batched(packed.data.unsqueeze(1))
        if hx is not None:
            widths = (self.proj_size or self.hidden_size, self.hidden_size)
            for state, width in zip(hx, widths):
                self._check_state(state, rows, width, "hidden")
            if order is not None:
                hx = tuple(state.index_select(1, order) for state in hx)
        padded, _ = pad_packed_sequence(packed._replace(sorted_indices=None, unsorted_indices=None))
        lengths = packed.lengths()
        starts = [i for i in range(rows) if i == 0 or lengths[i] != lengths[i - 1]]
        outputs, states = [], []
        for start, end in zip(starts, [*starts[1:], rows]):
            part = padded[: lengths[start], start:end]
            given = None if hx is None else tuple(state[:, start:end] for state in hx)
            output, *last = self._run(
                part.transpose(0, 1) if self.batch_first else part,
                given if given is None or self.mode == "LSTM" else given[0],
            )
            output = output.transpose(0, 1) if self.batch_first else output
            outputs.append(pad(output, (0, 0, 0, 0, 0, lengths[0] - lengths[start])))
            states.append(last)
        last_states = tuple(cat(parts, 1) for parts in zip(*states))
        if packed.unsorted_indices is not None:
            last_states = tuple(
                state.index_select(1, packed.unsorted_indices) for state in last_states
            )
        data = pack_padded_sequence(cat(outputs, 1), lengths).data
        return packed._replace(data=data), last_states

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """Outputs [L, N, directions * H] of the last layer and last states [layers * directions, N, H].

        input is [L, N, in] ([N, L, in] if batch_first), a PackedSequence, with outputs packed alike, or one sequence
        [L, in], whose results have no batch dim; hx holds the initial states, zeros if None.
        """
        if type(input) is PackedSequence:
            packed, (last,) = self._run_packed(input, None if hx is None else (hx,))
            return packed, last
        is_batched = self._batched(input)
        if hx is not None and type(hx) is not Tensor:
            must_be_tensors(type(self).__name__, hx=hx)
        if hx is not None and hx.ndim != (3 if is_batched else 2):
            kind, ndim = ("batched 3-D", 3) if is_batched else ("unbatched 2-D", 2)
            raise RuntimeError(
                f"For {kind} input, hx should also be {ndim}-D but got {hx.ndim}-D tensor"
            )
        batch_dim = 0 if self.batch_first else 1
        if not is_batched:
            input = unsqueeze(input, batch_dim)
            hx = None if hx is None else unsqueeze(hx, 1)
        if hx is not None:
            self._check_state(hx, input.shape[batch_dim], self.hidden_size, "hidden")
        output, h_n = self._run(input, hx)
        if is_batched:
            return output, h_n
        return squeeze(output, batch_dim), squeeze(h_n, 1)

    def extra_repr(self) -> str:
        shown = [f"{self.input_size}, {self.hidden_size}"]
        defaults = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False}
        defaults.update(dropout=0, bidirectional=False)
        for name, default in defaults.items():
            value = getattr(self, name)
            shown += [f"{name}={value}"] if value != default else []
        return ", ".join(shown)


def _refuse_projection(options: dict[str, Any]) -> None:
    if "proj_size" in options:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class RNN(RNNBase):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), or relu of it, in num_layers layers.

    Arguments: input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False, dropout=0.0
    (between layers), bidirectional=False, device=None, dtype=None.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        if len(args) > 3:
            self_nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            self_nonlinearity = kwargs.pop("nonlinearity", "tanh")
        modes = {"tanh": "RNN_TANH", "relu": "RNN_RELU"}
        if not isinstance(self_nonlinearity, str) or self_nonlinearity not in modes:
            raise ValueError(
                f"Unknown nonlinearity '{self_nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__(modes[self_nonlinearity], *args, **kwargs)
        self.nonlinearity = self_nonlinearity


class GRU(RNNBase):
    """r, z = sigmoid(...), n = tanh(W_in x + b_in + r * (W_hn h + b_hn)), h_t = (1 - z) * n + z * h_(t-1).

    Arguments: input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0 (between layers),
    bidirectional=False, device=None, dtype=None. The rows of the weights are r, z, n.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)


class LSTM(RNNBase):
    """i, f, o = sigmoid(...), g = tanh(...), c_t = f * c_(t-1) + i * g, h_t = o * tanh(c_t).

    Arguments: input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0 (between layers),
    bidirectional=False, proj_size=0 (outputs are W_hr h of that size), device=None, dtype=None. The rows of the
    weights are i, f, g, o.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def forward(  # type: ignore[override]
        self, input: Any, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        """Outputs of the last layer, and (h_n, c_n), the last hidden and cell states; hx is (h_0, c_0).

        input is [L, N, in] ([N, L, in] if batch_first), a PackedSequence, with outputs packed alike, or one sequence
        [L, in], whose results have no batch dim.
        """
        if type(input) is PackedSequence:
            packed, (last, cells) = self._run_packed(input, hx)
            return packed, (last, cells)
        is_batched = self._batched(input)
        batch_dim = 0 if self.batch_first else 1
        if not is_batched:
            input = unsqueeze(input, batch_dim)
        if hx is not None:
            if len(hx) != 2:
                raise RuntimeError(f"lstm expects two hidden states, got {len(hx)}")
            h, c = hx
            must_be_tensors("LSTM", hx=h, cx=c)
            ndim = 3 if is_batched else 2
            if h.ndim != ndim or c.ndim != ndim:
                kind = "batched 3-D" if is_batched else "unbatched 2-D"
                raise RuntimeError(
                    f"For {kind} input, hx and cx should also be {ndim}-D "
                    f"but got ({h.ndim}-D, {c.ndim}-D) tensors"
                )
            if not is_batched:
                h, c = unsqueeze(h, 1), unsqueeze(c, 1)
            rows = input.shape[batch_dim]
            self._check_state(h, rows, self.proj_size or self.hidden_size, "hidden[0]")
            self._check_state(c, rows, self.hidden_size, "hidden[1]")
            hx = (h, c)
        output, h_n, c_n = self._run(input, hx)
        if is_batched:
            return output, (h_n, c_n)
        return squeeze(output, batch_dim), (squeeze(h_n, 1), squeeze(c_n, 1))


class RNNCellBase(Module):
    """What the cells have in common: weight_ih, weight_hh and, with bias, bias_ih, bias_hh."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(empty(rows, input_size, dtype=dtype, device=device))
        self.weight_hh = Parameter(empty(rows, hidden_size, dtype=dtype, device=device))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(
                name, Parameter(empty(rows, dtype=dtype, device=device)) if bias else None
            )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all weights anew, uniform in [-1/sqrt(hidden_size), 1/sqrt(hidden_size))."""
        _draw(self, self.hidden_size)

    def _check(self, what: str, tensor: Tensor) -> None:
        if type(tensor) is not Tensor:
            must_be_tensors(type(self).__name__, **{what: tensor})
        if tensor.ndim not in (1, 2):
            raise ValueError(
                f"{type(self).__name__}: Expected {what} to be 1D or 2D, got {tensor.ndim}D instead"
            )

    def _step(self, function: Any, input: Tensor, hx: Any) -> Any:
        return function(input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)

    def extra_repr(self) -> str:
        bias = "" if self.bias is True else f", bias={self.bias}"
        return f"{self.input_size}, {self.hidden_size}{bias}"


class RNNCell(RNNCellBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu of it."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The new state [N, H] for input [N, in], or [H] for [in]; hx is zeros if None."""
        self._check("input", input)
        if hx is not None:
            self._check("hidden", hx)
        functions = {"tanh": recurrent.rnn_tanh_cell, "relu": recurrent.rnn_relu_cell}
        if not isinstance(self.nonlinearity, str) or self.nonlinearity not in functions:
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(functions[self.nonlinearity], input, hx)

    def extra_repr(self) -> str:
        shown = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}"
        return super().extra_repr() + shown


class GRUCell(RNNCellBase):
    """One step of a GRU; see GRU."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The new state [N, H] for input [N, in], or [H] for [in]; hx is zeros if None."""
        self._check("input", input)
        if hx is not None:
            self._check("hidden", hx)
        return self._step(recurrent.gru_cell, input, hx)


class LSTMCell(RNNCellBase):
    """One step of an LSTM; see LSTM."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """The new hidden and cell state [N, H] for input [N, in], or [H] for [in]; hx is (h, c), zeros if None."""
        self._check("input", input)
        if hx is not None:
            for i, state in enumerate(hx):
                self._check(f"hx[{i}]", state)
        return self._step(recurrent.lstm_cell, input, hx)
