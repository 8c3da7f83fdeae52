"""One scenario, run with this library and with PyTorch: what it returns, and what it raises, has to be equal."""

import re

import numpy as np
import torch

import autograd as ag

# Words that name the libraries themselves.
_NAMES = re.compile(r"\b(torch|autograd)\.(nn\.)?|FloatTensor|nn\.")


def plain(value):
    """value as nested Python data that can be compared."""
    if isinstance(value, (ag.Tensor, torch.Tensor)):
        dtype = str(value.dtype).split(".")[1]
        return ("tensor", dtype, tuple(value.shape), np.asarray(value.detach()).tolist())
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)) and type(value).__name__ not in ("Size",):
        return [plain(entry) for entry in value]
    if isinstance(value, (bool, int, float, type(None))):
        return value
    return _NAMES.sub("", str(value))


def outcome(scenario, library):
    """What the scenario returns, or the class of what it raises."""
    try:
        return plain(scenario(library, library.nn))
    except Exception as error:
        return ("raises", type(error).__name__)


def agree(scenario):
    """Runs the scenario with both libraries and compares."""
    ours, theirs = outcome(scenario, ag), outcome(scenario, torch)
    _compare(ours, theirs)
    return ours


def _compare(ours, theirs, path="result"):
    assert type(ours) is type(theirs), f"{path}: {ours!r} against {theirs!r}"
    if isinstance(ours, dict):
        assert list(ours) == list(theirs), f"{path}: keys {list(ours)} against {list(theirs)}"
        for key in ours:
            _compare(ours[key], theirs[key], f"{path}[{key!r}]")
    elif isinstance(ours, (list, tuple)):
        assert len(ours) == len(theirs), f"{path}: {ours!r} against {theirs!r}"
        for i, (a, b) in enumerate(zip(ours, theirs)):
            _compare(a, b, f"{path}[{i}]")
    elif isinstance(ours, float):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-6, err_msg=path)
    else:
        assert ours == theirs, f"{path}: {ours!r} against {theirs!r}"
