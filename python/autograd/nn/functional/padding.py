"""Padding."""

from __future__ import annotations

from collections.abc import Sequence

from ..._capi import call, constants, lib, listed
from ...tensor import Tensor

__all__ = ["pad"]

_MODES = {
    mode: constants[f"AG_PAD_{mode.upper()}"]
    for mode in ("constant", "reflect", "replicate", "circular")
}


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Returns input with elements added before and after its last dims.

    pad lists pairs (before, after), from the last dim on; negative numbers cut off. mode "constant" adds value (0
    unless given), "reflect" what lies inside of the edge, "replicate" the edge, "circular" what lies at the other end;
    these three take [C, ...] or [N, C, ...] and pad the last 1 to 3 dims.
    """
    code = _MODES.get(mode)
    if code is None:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if value is None:
        value = 0.0
    elif code and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    return call(lib.ag_pad, input, *listed(pad), code, value)
