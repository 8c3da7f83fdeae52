"""The same tensors in both libraries, and comparison of what comes out. PyTorch is the oracle."""

import functools
import inspect
import re

import numpy as np
import torch

import autograd as ag
from autograd.linalg import LinAlgError

torch.set_num_threads(1)

RTOL = {"float64": 1e-9, "float32": 2e-5}
LAYOUTS = ("contiguous", "transposed", "strided", "expanded")


# ---- in ------------------------------------------------------------------------------------------


def as_dtype(values, dtype):
    """Real numbers made fit for a dtype: integers are the numbers times 3, bool is their sign."""
    values = np.asarray(values)
    if dtype == "bool":
        return values > 0
    if dtype in ("int32", "int64", "uint8") and values.dtype.kind == "f":
        values = np.trunc(values * 3)
        return (np.abs(values) if dtype == "uint8" else values).astype(dtype)
    return values.astype(dtype)


def spread_out(values, layout):
    """The values that a tensor of this layout can hold: an expanded one repeats its first row."""
    values = np.asarray(values)
    if layout == "expanded" and values.ndim and values.shape[0]:
        return np.broadcast_to(values[:1], values.shape)
    return values


def make(lib, values, dtype="float32", layout="contiguous", requires_grad=False):
    """A leaf with these values; not contiguous if the layout says so and the shape allows it."""
    values = as_dtype(spread_out(values, layout), dtype)

    def dense(array):
        if lib is torch:
            return torch.tensor(array.ravel()).reshape(array.shape)
        return lib.tensor(array.ravel().tolist(), dtype=getattr(lib, dtype)).reshape(array.shape)

    if layout == "transposed" and values.ndim > 1:
        made = dense(values.T).permute(tuple(reversed(range(values.ndim))))
    elif layout == "strided" and values.ndim:
        made = dense(np.repeat(values, 2, axis=-1))[..., 1::2]
    elif layout == "expanded" and values.ndim and values.shape[0]:
        made = dense(values[:1]).expand(values.shape)
    else:
        made = dense(values)
    made = made.detach()
    return made.requires_grad_() if requires_grad else made


def is_float(dtype):
    """True for the dtypes that can require grad."""
    return dtype in RTOL


# ---- out -----------------------------------------------------------------------------------------


def name_of(dtype):
    """float32, whichever library's it is."""
    return str(dtype).rpartition(".")[2]


def is_tensor(value):
    """True for a tensor of one of the libraries."""
    return isinstance(value, (torch.Tensor, ag.Tensor))


def array(tensor):
    """The elements as an array."""
    tensor = tensor.detach()
    if isinstance(tensor, torch.Tensor):
        return (
            tensor.clone().numpy()
        )  # a copy gives memory to a gradient that PyTorch knows to be zero
    return np.array(tensor.tolist(), dtype=name_of(tensor.dtype)).reshape(tuple(tensor.shape))


def as_tuple(result):
    """A single result as a tuple of one, a list or named tuple as a tuple."""
    return tuple(result) if isinstance(result, (tuple, list)) else (result,)


def within(got, want, rtol, atol):
    """True where assert_allclose finds nothing, in a fraction of its time."""
    with np.errstate(all="ignore"):
        near = np.abs(got - want) <= atol + rtol * np.abs(want)
    near &= np.isfinite(want)  # else infinity would be near to everything
    return bool((near | (got == want) | (np.isnan(got) & np.isnan(want))).all())


def same_values(actual, expected, rtol=None, exact=False):
    """Asserts equal shape, dtype and elements.

    Rounding is relative to the largest element and to 1, the order of all inputs; exact: to each element.
    """
    got, want = array(actual), array(expected)
    assert got.shape == want.shape, f"shape {got.shape}, PyTorch has {want.shape}"
    assert name_of(actual.dtype) == name_of(expected.dtype), (
        f"dtype {actual.dtype}, PyTorch has {expected.dtype}"
    )
    if want.dtype.kind != "f":
        np.testing.assert_array_equal(got, want)
        return
    rtol = (rtol or {}).get(want.dtype.name, RTOL[want.dtype.name])
    limits = np.finfo(want.dtype)
    largest = float(np.abs(want[np.isfinite(want)]).max(initial=0))
    atol = limits.tiny if exact else max(rtol * largest, 16 * limits.eps)
    if not within(got, want, rtol, atol):
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(got, want, rtol=rtol, atol=atol)
        raise AssertionError(f"{got} is not {want}")


def same(actual, expected, **options):
    """Asserts that nested tuples of tensors, numbers, None and texts are equal."""
    if is_tensor(expected):
        assert is_tensor(actual), f"got {actual!r}, PyTorch has a tensor"
        same_values(actual, expected, **options)
    elif isinstance(expected, dict):
        assert list(actual) == list(expected)
        same(tuple(actual.values()), tuple(expected.values()), **options)
    elif isinstance(expected, (tuple, list)):
        assert isinstance(actual, (tuple, list)), f"got {actual!r}, PyTorch has {expected!r}"
        assert len(actual) == len(expected), f"{len(actual)} results, PyTorch has {len(expected)}"
        for one, other in zip(actual, expected):
            same(one, other, **options)
    elif isinstance(expected, float):
        np.testing.assert_allclose(actual, expected, rtol=1e-6)
    elif isinstance(expected, torch.dtype):
        assert name_of(actual) == name_of(expected)
    else:
        alike = actual is expected or actual == expected
        assert alike, f"got {actual!r}, PyTorch has {expected!r}"


def shown(shape, text):
    """True if a text names a shape, as [2, 3], (2, 3) or 2x3."""
    sizes = [str(size) for size in shape]
    return any(
        form in text for form in (f"[{', '.join(sizes)}]", str(tuple(shape)), "x".join(sizes))
    )


# ---- both ----------------------------------------------------------------------------------------


def outcome(function, *args):
    """The result of a call, or the exception that it raised."""
    try:
        return function(*args)
    except Exception as error:  # noqa: BLE001 - the error is the result
        return error


def same_outcome(actual, expected, **options):
    """As same(), where PyTorch's exception has to be met by one of the same class."""
    if isinstance(expected, Exception):
        assert isinstance(actual, Exception), f"no error, PyTorch raises {expected!r}"
        # PyTorch is loose about which of these two a missing kernel raises.
        kinds = {NotImplementedError: RuntimeError, torch.linalg.LinAlgError: LinAlgError}
        got, want = (kinds.get(type(error), type(error)) for error in (actual, expected))
        assert got is want, f"raised {actual!r}, PyTorch raises {expected!r}"
    else:
        if isinstance(actual, Exception):
            raise actual
        same(actual, expected, **options)


class Report:
    """Runs many cases of one test and fails once, with all of those that failed."""

    def __init__(self):
        self.failed = []
        self.labels = ()

    def case(self, *labels):
        """with report.case(...): what fails inside is noted under the labels."""
        self.labels = labels
        return self

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is not None and isinstance(error, Exception):
            text = " ".join(str(error).split()) or "assertion failed"
            label = "; ".join(str(label) for label in self.labels)
            self.failed.append(f"{label}: {kind.__name__}: {text[:400]}")
            return True
        return False

    def finish(self):
        """Fails if any case did."""
        shown = "\n".join(self.failed[:20])
        assert not self.failed, f"{len(self.failed)} cases fail:\n{shown}"


def vs_torch(function=None, *, raises=None, **options):
    """Makes function(lib, ...) a test: both libraries give the same, or raise the same, saying `raises`."""
    if function is None:
        return functools.partial(vs_torch, raises=raises, **options)

    @functools.wraps(function)
    def test(*args, **kwargs):
        expected = outcome(functools.partial(function, torch, *args, **kwargs))
        actual = outcome(functools.partial(function, ag, *args, **kwargs))
        if raises is None and isinstance(expected, Exception):
            raise expected
        same_outcome(actual, expected, **options)
        if raises is not None:
            assert isinstance(expected, Exception), "PyTorch raises nothing"
            for text in (str(expected), str(actual)):
                assert re.search(raises, text), f"{raises!r} is not in {text!r}"

    signature = inspect.signature(function)
    test.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])
    return test
