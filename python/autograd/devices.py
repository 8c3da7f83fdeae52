"""Where a tensor's memory is."""

from __future__ import annotations

__all__ = ["CPU", "device"]


class device:
    """Where a tensor's memory is: always ``device(type='cpu')``."""

    __slots__ = ("index", "type")

    def __init__(self, type: str | int | device = "cpu", index: int | None = None) -> None:
        if not isinstance(type, (str, int, device)) or isinstance(type, bool):
            raise TypeError(f"a device must be str or device, not {type.__class__.__name__}")
        if index is not None and not isinstance(index, int):
            raise TypeError(f"device(): index must be int, not {index.__class__.__name__}")
        kind, colon, number = str(type).partition(":")
        if kind != "cpu" or (colon and (index is not None or not number.isdigit())):
            raise RuntimeError(
                f"device {str(type)!r} is not available: this build of autograd computes on 'cpu'"
            )
        self.type = kind
        self.index = int(number) if colon else index

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and str(other) == str(self)

    def __hash__(self) -> int:
        return hash(str(self))


CPU = device()
