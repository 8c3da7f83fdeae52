"""Optimizers, schedules, initial values, utilities and data sets given anything: clear errors, and PyTorch's."""

import inspect
import math
import re
import warnings
import zlib

import numpy as np
import pytest
import torch
from compare import outcome, same_outcome
from wrong_things import CLEAR, STUMBLES, THINGS

import autograd as ag

MORE = {
    **THINGS,
    "0": lambda lib: 0,
    "infinity": lambda lib: math.inf,
    "NaN": lambda lib: math.nan,
    "a complex number": lambda lib: 1j,
    "a huge int": lambda lib: 10**30,
    "one number": lambda lib: lib.tensor(0.1),
    "two numbers": lambda lib: (0.9, 0.99),
    "a list of one number": lambda lib: [0.9],
    "numbers out of range": lambda lib: (-0.1, 1.2),
    "a generator": lambda lib: (each for each in [1]),
}
OPTIMIZERS = [name for name in ag.optim.__all__ if name not in ("Optimizer", "lr_scheduler")]
OPTIMIZERS = [name for name in OPTIMIZERS if isinstance(getattr(ag.optim, name), type)]
SCHEDULES = {
    "StepLR": {"step_size": 1},
    "MultiStepLR": {"milestones": [1, 2]},
    "ExponentialLR": {"gamma": 0.9},
    "CosineAnnealingLR": {"T_max": 3},
    "CosineAnnealingWarmRestarts": {"T_0": 2},
    "LinearLR": {},
    "ConstantLR": {},
    "PolynomialLR": {},
    "LambdaLR": {"lr_lambda": lambda epoch: 0.5},
    "MultiplicativeLR": {"lr_lambda": lambda epoch: 0.5},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 10},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1},
    "ReduceLROnPlateau": {},
}


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def must_be_clear(function):
    result = outcome(function, ag)
    assert not isinstance(result, Exception) or isinstance(result, CLEAR), repr(result)


def parameter(lib):
    made = lib.nn.Parameter(lib.tensor([1.0, 2.0]))
    made.grad = lib.tensor([0.5, -1.0])
    return made


def stepped(lib, name="Adam", **options):
    """An optimizer after a step."""
    optimizer = getattr(lib.optim, name)([parameter(lib)], **options)
    step(lib, optimizer)
    return optimizer


def step(lib, optimizer):
    return optimizer.step(lambda: lib.tensor(1.0))


def scheduled(lib, name, options):
    """A schedule after three steps."""
    optimizer = lib.optim.SGD([parameter(lib)], lr=0.1, momentum=0.9)
    made = getattr(lib.optim.lr_scheduler, name)(
        **{"optimizer": optimizer, **SCHEDULES[name], **options}
    )
    for _ in range(3):
        optimizer.step()
        made.step(*((1.0,) if name == "ReduceLROnPlateau" else ()))
    return made


def arguments_of(cls):
    return list(inspect.signature(cls.__init__).parameters)[1:]


@pytest.mark.parametrize("thing", MORE)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_arguments_of_optimizers(name, thing):
    cls = getattr(ag.optim, name)
    for argument in arguments_of(cls):
        options = {"params": [parameter(ag)], argument: MORE[thing](ag)}
        must_be_clear(lambda lib, o=options: step(lib, cls(**o)))


@pytest.mark.parametrize("thing", MORE)
@pytest.mark.parametrize("name", ["SGD", "Adam", "Rprop", "LBFGS"])
def test_states_of_optimizers(name, thing):
    make = MORE[thing]

    def load(lib, change):
        optimizer = stepped(lib, name)
        state = optimizer.state_dict()
        change(state)
        optimizer.load_state_dict(state)
        step(lib, optimizer)

    must_be_clear(lambda lib: stepped(lib, name).load_state_dict(make(lib)))
    places = {"state": None, "param_groups": None}
    for place in places:
        must_be_clear(lambda lib, p=place: load(lib, lambda s: s.update({p: make(lib)})))
    must_be_clear(lambda lib: load(lib, lambda s: s["state"].update({0: make(lib)})))
    for state in stepped(ag, name).state_dict()["state"].get(0, {}):
        must_be_clear(
            lambda lib, k=state: load(lib, lambda s: s["state"][0].update({k: make(lib)}))
        )
    for option in stepped(ag, name).state_dict()["param_groups"][0]:
        must_be_clear(
            lambda lib, k=option: load(lib, lambda s: s["param_groups"][0].update({k: make(lib)}))
        )
    must_be_clear(lambda lib: stepped(lib, name).add_param_group(make(lib)))
    must_be_clear(lambda lib: stepped(lib, name).add_param_group({"params": make(lib)}))


@pytest.mark.parametrize("thing", MORE)
@pytest.mark.parametrize("name", SCHEDULES)
def test_arguments_of_schedules(name, thing):
    for argument in arguments_of(getattr(ag.optim.lr_scheduler, name)):
        must_be_clear(lambda lib, a=argument: scheduled(lib, name, {a: MORE[thing](ag)}))
    must_be_clear(lambda lib: scheduled(lib, name, {}).step(MORE[thing](ag)))
    must_be_clear(lambda lib: scheduled(lib, name, {}).load_state_dict(MORE[thing](ag)))


INIT = {
    "uniform_": (0.0, 1.0),
    "normal_": (0.0, 1.0),
    "trunc_normal_": (0.0, 1.0, -2.0, 2.0),
    "constant_": (0.5,),
    "ones_": (),
    "zeros_": (),
    "eye_": (),
    "dirac_": (1,),
    "xavier_uniform_": (1.0,),
    "xavier_normal_": (1.0,),
    "kaiming_uniform_": (0.0, "fan_in", "leaky_relu"),
    "kaiming_normal_": (0.0, "fan_out", "relu"),
    "orthogonal_": (1.0,),
    "sparse_": (0.5, 0.01),
}


@pytest.mark.parametrize("thing", MORE)
@pytest.mark.parametrize("name", INIT)
def test_initial_values(name, thing):
    function, good = getattr(ag.nn.init, name), INIT[name]
    shape = (4, 2, 3) if name == "dirac_" else (4, 3)
    must_be_clear(lambda lib: function(MORE[thing](lib), *good))
    for i in range(len(good)):
        args = (*good[:i], MORE[thing](ag), *good[i + 1 :])
        must_be_clear(lambda lib, a=args: function(lib.ones(*shape), *a))


def _utilities(lib, x):
    """Calls that are wrong for most x."""
    utils, data = lib.nn.utils, lib.utils.data
    rnn, rows = utils.rnn, data.TensorDataset(lib.ones(5, 2), lib.ones(5))
    padded = lib.ones(3, 2, 4)
    packed = rnn.pack_padded_sequence(padded, [3, 2])

    def linear():
        return lib.nn.Linear(3, 2)

    yield from (
        lambda: utils.clip_grad_norm_(x, 1.0),
        lambda: utils.clip_grad_norm_([parameter(lib)], x),
        lambda: utils.clip_grad_norm_([parameter(lib)], 1.0, x),
        lambda: utils.clip_grad_norm_([parameter(lib), x], 1.0),
        lambda: utils.clip_grad_value_([parameter(lib)], x),
        lambda: utils.clip_grads_with_norm_([parameter(lib)], 1.0, x),
        lambda: utils.get_total_norm([lib.ones(2)], x),
        lambda: utils.parameters_to_vector([parameter(lib), x]),
        lambda: utils.vector_to_parameters(x, [parameter(lib)]),
        lambda: utils.vector_to_parameters(lib.ones(6), x),
        lambda: rnn.pack_padded_sequence(x, [3, 2]),
        lambda: rnn.pack_padded_sequence(padded, x),
        lambda: rnn.pack_padded_sequence(padded, [3, 2], x),
        lambda: rnn.pad_packed_sequence(x),
        lambda: rnn.pad_packed_sequence(packed, x),
        lambda: rnn.pad_packed_sequence(packed, total_length=x),
        lambda: rnn.pad_sequence(x),
        lambda: rnn.pad_sequence([lib.ones(2), lib.ones(3)], padding_side=x),
        lambda: rnn.unpad_sequence(padded, x),
        lambda: utils.parametrize.register_parametrization(x, "weight", lib.nn.Identity()),
        lambda: utils.parametrize.register_parametrization(linear(), x, lib.nn.Identity()),
        lambda: utils.parametrize.register_parametrization(linear(), "weight", x),
        lambda: utils.parametrize.remove_parametrizations(x, "weight"),
        lambda: utils.parametrize.is_parametrized(x) and None,
        lambda: data.TensorDataset(x),
        lambda: data.random_split(rows, x),
        lambda: list(data.DataLoader(rows, batch_size=x))[:1] and None,
        lambda: list(data.DataLoader(rows, batch_sampler=x))[:1] and None,
        lambda: list(data.DataLoader(rows, collate_fn=x))[:1] and None,
        lambda: data.default_collate([x, x]) and None,
        lambda: len(list(data.WeightedRandomSampler(x, 2))),
    )
    for weight_norm in (utils.weight_norm, utils.parametrizations.weight_norm):
        yield from (
            lambda f=weight_norm: f(x),
            lambda f=weight_norm: f(linear(), x),
            lambda f=weight_norm: f(linear(), dim=x),
        )
    for spectral_norm in (utils.spectral_norm, utils.parametrizations.spectral_norm):
        yield from (lambda f=spectral_norm: f(x), lambda f=spectral_norm: f(linear(), x))


@pytest.mark.parametrize("thing", MORE)
def test_utilities_and_data(thing):
    for i, call in enumerate(_utilities(ag, MORE[thing](ag))):
        result = outcome(call)
        assert not isinstance(result, Exception) or isinstance(result, CLEAR), (i, result)


# Why some calls end otherwise than in PyTorch: patterns of the call, of what comes of it here, and in PyTorch.
_PYTHON = (
    r"'.*' not supported|unsupported operand|can only concatenate|unhashable|cannot unpack|'.*' object|iteration over|"
    "attribute name must be string|'slice' object|must be real number"
)
_ANY, _ERROR = ".*", r"\w+Error"
MEANT = {
    "options that say how PyTorch computes": (
        r"\w+\((foreach|capturable|differentiable)=",
        _ANY,
        _ANY,
    ),
    "an operator or a place in PyTorch's code": (
        _ANY,
        _ERROR,
        f"(TypeError: ({_PYTHON})|IndexError)",
    ),
    "the truth of a tensor or an array": (_ANY, _ANY, ".*Error: (Boolean value|The truth value)"),
    "the same of ours, where PyTorch ends in add_ or mul_": (
        _ANY,
        _ERROR,
        r"TypeError: (add_|mul_)\(\)",
    ),
    "a tensor of two numbers": (_ANY, "RuntimeError: a Tensor with 2", ".*Error: only one element"),
    "numbers beyond 64 bits": (".*huge int", _ANY, _ANY),
    "no complex numbers": (".*complex", "(TypeError|RuntimeError): ", _ERROR),
    "pairs are pairs of numbers": (_ANY, "ValueError: .*must be two numbers", _ANY),
    "without momentum PyTorch does not look at it": (
        r"SGD\(dampening",
        "(TypeError|RuntimeError): ",
        "ok",
    ),
    "nor at the first step's rate": (r"ASGD\(alpha", "TypeError: .*must be a number", _ANY),
    "a bool as a factor": (r"\w+\(weight_decay=a bool", "ok", "RuntimeError: Boolean alpha"),
    "the truth of ours": (r"\w+\(decoupled_weight_decay", "(ValueError|RuntimeError): ", "ok"),
    "a number of rounds is an int": (r"LBFGS\(max_iter", "TypeError: ", _ANY),
    "a tensor in place of a number of steps": (r"OneCycleLR\(total_steps", "ValueError: ", _ERROR),
    "a tensor whose history is kept": ("utility 9 ", "RuntimeError: cannot set .data", "ok"),
    "sequences without a batch": ("utility 10 ", "RuntimeError: ", "IndexError: "),
    "lengths that are no list": ("utility 11 ", "TypeError: .*not iterable", _ERROR),
    "a length that is no int": ("utility (15|18) ", "TypeError: ", _ANY),
    "a tensor without rows": ("utility 16 ", "TypeError: len", "RuntimeError: "),
    "what is no module": ("utility 22 ", "TypeError: ", "ValueError: "),
    "weights that are no numbers": ("utility 30 ", "RuntimeError: Could not infer", "TypeError: "),
    "a name that is no text": ("utility 35 ", "TypeError: attribute name", "ValueError: "),
}


def _calls(lib, thing):
    """All that the tests above call with one thing, by what they are."""
    make = MORE[thing]
    for name in filter(lambda name: hasattr(torch.optim, name), OPTIMIZERS):
        for argument in arguments_of(getattr(ag.optim, name)):
            options = {"params": [parameter(lib)], argument: make(lib)}
            yield (
                f"{name}({argument}={thing})",
                lambda n=name, o=options: step(lib, getattr(lib.optim, n)(**o)),
            )
    for name in SCHEDULES:
        for argument in arguments_of(getattr(ag.optim.lr_scheduler, name)):
            yield (
                f"{name}({argument}={thing})",
                lambda n=name, a=argument: scheduled(lib, n, {a: make(lib)}),
            )
    for name, good in INIT.items():
        function, shape = getattr(lib.nn.init, name), (4, 2, 3) if name == "dirac_" else (4, 3)
        yield f"{name}({thing})", lambda f=function, g=good: f(make(lib), *g)
        for i in range(len(good)):
            args = (*good[:i], make(lib), *good[i + 1 :])
            yield (
                f"{name}(..., {i}: {thing})",
                lambda f=function, s=shape, a=args: f(lib.ones(*s), *a),
            )
    for i, call in enumerate(_utilities(lib, make(lib))):
        yield f"utility {i} {thing}", call


def _class_and_text(result):
    kind = type(result).__name__.lstrip("_")
    return f"{kind}: {result}" if isinstance(result, Exception) else "ok"


def _differences(thing, share=1):
    """Among one of so many calls: those that end in another class than PyTorch's, without a reason."""
    for (name, ours), (_, theirs) in zip(_calls(ag, thing), _calls(torch, thing)):
        if zlib.crc32(name.encode()) % share:
            continue
        expected, actual = outcome(theirs), outcome(ours)
        if isinstance(expected, STUMBLES) and isinstance(actual, (TypeError, ValueError)):
            continue
        texts = _class_and_text(actual), _class_and_text(expected)
        if texts[0].partition(":")[0] == texts[1].partition(":")[0]:
            continue
        if not any(
            all(re.match(p, text, re.DOTALL) for p, text in zip(patterns, (name, *texts)))
            for patterns in MEANT.values()
        ):
            yield f"{name}: {texts[0][:120]} | PyTorch: {texts[1][:120]}"


@pytest.mark.parametrize("thing", MORE)
def test_they_end_as_pytorchs_do(thing):
    differing = list(_differences(thing, share=8))
    assert not differing, "\n".join(differing)


def test_options_do_not_slip_into_each_others_places():
    """A pair where a number belongs is an error, and not the number and the next option."""
    for bad in ((0.1, 0.2), [0.1], "0.1"):
        for name in ("Adam", "SGD", "Rprop", "ASGD"):
            optimizer = stepped(ag, name)
            optimizer.param_groups[0]["lr"] = bad
            with pytest.raises(TypeError, match="must be a number"):
                optimizer.step()
    for bad in (0.9, (0.9,), (0.9, 0.99, 0.999)):
        optimizer = stepped(ag)
        optimizer.param_groups[0]["betas"] = bad
        with pytest.raises(ValueError, match="betas must be two numbers"):
            optimizer.step()


def test_parameters_replaced_by_anything():
    for bad in ([1], ["a"], [None], [object()]):
        for method in ("step", "zero_grad"):
            optimizer = stepped(ag, "SGD")
            optimizer.param_groups[0]["params"] = bad
            with pytest.raises(TypeError, match="can only optimize Tensors"):
                getattr(optimizer, method)()


BAD = {
    "a negative rate": lambda lib: lib.optim.SGD([parameter(lib)], lr=-1.0),
    "a beta of 1": lambda lib: lib.optim.Adam([parameter(lib)], betas=(1.0, 0.9)),
    "nesterov without momentum": lambda lib: lib.optim.SGD([parameter(lib)], 0.1, nesterov=True),
    "no parameters": lambda lib: lib.optim.SGD([], lr=0.1),
    "a parameter of a text": lambda lib: lib.optim.SGD(["x"], lr=0.1),
    "a schedule of no optimizer": lambda lib: lib.optim.lr_scheduler.LambdaLR(1, lambda e: 1.0),
    "a state of a list": lambda lib: stepped(lib).load_state_dict([1]),
    "a mean that is an int": lambda lib: _loaded(lib, exp_avg=1),
    "splits that don't add up": lambda lib: lib.utils.data.random_split(range(5), [2, 2]),
    "fractions that don't add up": lambda lib: lib.utils.data.random_split(range(5), [0.5, 0.4]),
    "a fraction below 0": lambda lib: lib.utils.data.random_split(range(5), [1.5, -0.5]),
    "rows that don't match": lambda lib: lib.utils.data.TensorDataset(lib.ones(3), lib.ones(4)),
    "batches of 0": lambda lib: lib.utils.data.DataLoader(range(5), batch_size=0),
    "a sampler and shuffle": lambda lib: lib.utils.data.DataLoader(
        range(5), shuffle=True, sampler=range(5)
    ),
    "a norm that is not finite": lambda lib: lib.nn.utils.clip_grad_norm_(
        _with_grad(lib, math.inf), 1.0, error_if_nonfinite=True
    ),
    "a vector that is too short": lambda lib: lib.nn.utils.vector_to_parameters(
        lib.ones(1), [parameter(lib)]
    ),
    "a dim that is not there": lambda lib: lib.nn.utils.parametrizations.weight_norm(
        lib.nn.Linear(3, 2), dim=2
    ),
    "batch_first is an int": lambda lib: lib.nn.utils.rnn.pad_sequence([lib.ones(2)], 1),
    "an unknown gain": lambda lib: lib.nn.init.calculate_gain(["relu"]),
    "an unknown fan": lambda lib: lib.nn.init.kaiming_uniform_(lib.ones(2, 2), mode="fan"),
    "eye_ of 3 dims": lambda lib: lib.nn.init.eye_(lib.ones(1, 2, 3)),
}


def _loaded(lib, **state):
    optimizer = stepped(lib)
    loaded = optimizer.state_dict()
    loaded["state"][0].update(state)
    optimizer.load_state_dict(loaded)
    optimizer.step()


def _with_grad(lib, value):
    made = parameter(lib)
    made.grad.fill_(value)
    return [made]


@pytest.mark.parametrize("name", BAD)
def test_refused_as_pytorch_refuses(name):
    expected, actual = outcome(BAD[name], torch), outcome(BAD[name], ag)
    assert isinstance(expected, Exception), "PyTorch raises nothing"
    if isinstance(expected, AttributeError):
        assert isinstance(actual, TypeError), actual
    else:
        same_outcome(actual, expected)


def test_weights_of_a_norm_along_dims_from_the_end():
    def shape(lib, dim):
        layer = lib.nn.utils.parametrizations.weight_norm(lib.nn.Conv1d(3, 2, 4), dim=dim)
        return tuple(layer.parametrizations.weight.original0.shape)

    for dim in (None, 0, 1, 2, -1, -2, -3):
        assert shape(ag, dim) == shape(torch, dim), dim


def test_parameters_of_one_number():
    def run(lib):
        number = lib.nn.Parameter(lib.tensor(3.0))
        vector = lib.nn.utils.parameters_to_vector([number, parameter(lib)])
        lib.nn.utils.vector_to_parameters(vector * 2, [number])
        return tuple(number.shape), number.item(), vector.tolist()

    assert run(ag) == run(torch)
    assert np.shape(run(ag)[2]) == (3,)
