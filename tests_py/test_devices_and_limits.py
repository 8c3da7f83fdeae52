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


def test_a_tensor_knows_that_it_is_on_the_cpu():
    for lib in (ag, torch):
        x = lib.ones(2)
        assert not (x.is_cuda or x.is_sparse or x.is_meta or x.is_quantized)
        assert x.get_device() == -1
        with pytest.raises((RuntimeError, AssertionError)):
            x.cuda()
    assert ag.ones(2).pin_memory().tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="'cuda' is not available"):
        ag.ones(2).cuda()


def test_what_scripts_set_to_get_the_same_results_again():
    for lib in (ag, torch):
        assert not lib.are_deterministic_algorithms_enabled()
        lib.use_deterministic_algorithms(True, warn_only=True)
        assert lib.are_deterministic_algorithms_enabled()
        assert lib.is_deterministic_algorithms_warn_only_enabled()
        lib.use_deterministic_algorithms(False)
        assert not lib.are_deterministic_algorithms_enabled()
        assert not lib.is_deterministic_algorithms_warn_only_enabled()
        assert lib.get_float32_matmul_precision() == "highest"
        lib.set_float32_matmul_precision("high")
        assert lib.get_float32_matmul_precision() == "high"
        with pytest.warns(UserWarning, match="not one of"):
            lib.set_float32_matmul_precision("low")
        assert lib.get_float32_matmul_precision() == "high"
        lib.set_float32_matmul_precision("highest")
