"""What scripts ask before they choose a device, and what dtypes can represent, against PyTorch."""

import pytest
import torch

import autograd as ag
import autograd.backends.cudnn as cudnn


def test_a_script_that_chooses_its_device():
    for lib in (ag, torch):
        chosen = lib.device("cuda" if lib.cuda.is_available() else "cpu")
        assert chosen.type == "cpu"
        assert lib.zeros(2, device=chosen).device == chosen
        assert lib.cuda.device_count() == lib.accelerator.device_count() == 0
        assert not lib.backends.mps.is_available() and not lib.backends.mps.is_built()
        assert not lib.backends.cudnn.is_available()
        assert not lib.accelerator.is_available() and lib.accelerator.current_accelerator() is None
        lib.cuda.manual_seed(0)
        lib.cuda.manual_seed_all(0)
        lib.cuda.empty_cache()
    cudnn.deterministic, cudnn.benchmark = True, False
    assert ag.backends.cudnn.deterministic


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_limits_of_floats(name):
    ours, theirs = ag.finfo(getattr(ag, name)), torch.finfo(getattr(torch, name))
    for limit in ("bits", "dtype", "eps", "max", "min", "resolution", "smallest_normal", "tiny"):
        assert getattr(ours, limit) == getattr(theirs, limit), limit
    assert repr(ours) == repr(theirs)


def test_limits_of_the_default_dtype():
    assert ag.finfo().dtype == torch.finfo().dtype == "float32"


@pytest.mark.parametrize("name", ["int32", "int64", "uint8"])
def test_limits_of_integers(name):
    ours, theirs = ag.iinfo(getattr(ag, name)), torch.iinfo(getattr(torch, name))
    for limit in ("bits", "dtype", "max", "min"):
        assert getattr(ours, limit) == getattr(theirs, limit), limit
    assert repr(ours) == f"iinfo(min={theirs.min}, max={theirs.max}, dtype={name})"


def test_limits_of_the_wrong_kind():
    for call in (
        lambda lib: lib.finfo(lib.int64),
        lambda lib: lib.iinfo(lib.float32),
        lambda lib: lib.iinfo(3),
    ):
        with pytest.raises(TypeError):
            call(torch)
        with pytest.raises(TypeError):
            call(ag)
