"""Every function that draws numbers: generators, vmap, compiled functions, checkpoints, threads and forks."""

import os
import threading

import pytest
import torch

import autograd as ag

BOTH = pytest.mark.parametrize("lib", [ag, torch], ids=["autograd", "torch"])

# Of the library, a tensor of six ones, and a generator by its keyword or nothing.
TAKE_GENERATORS = {
    "rand": lambda lib, x, **g: lib.rand(3, **g),
    "randn": lambda lib, x, **g: lib.randn(3, **g),
    "randint": lambda lib, x, **g: lib.randint(0, 100000, (9,), **g),
    "randperm": lambda lib, x, **g: lib.randperm(50, **g),
    "rand_like": lambda lib, x, **g: lib.rand_like(x, **g),
    "randn_like": lambda lib, x, **g: lib.randn_like(x, **g),
    "randint_like": lambda lib, x, **g: lib.randint_like(x, 0, 100000, **g),
    "normal of numbers": lambda lib, x, **g: lib.normal(0.0, 1.0, (3,), **g),
    "normal of means": lambda lib, x, **g: lib.normal(x, 1.0, **g),
    "normal of deviations": lambda lib, x, **g: lib.normal(0.0, x, **g),
    "normal": lambda lib, x, **g: lib.normal(x, x, **g),
    "bernoulli": lambda lib, x, **g: lib.bernoulli(x.repeat(20) * 0.5, **g),
    "bernoulli of a number": lambda lib, x, **g: x.repeat(20).bernoulli(0.5, **g),
    "bernoulli_": lambda lib, x, **g: x.repeat(20).bernoulli_(0.5, **g),
    "multinomial": lambda lib, x, **g: lib.multinomial(x, 40, replacement=True, **g),
    "poisson": lambda lib, x, **g: lib.poisson(x * 3000, **g),
    "binomial": lambda lib, x, **g: lib.binomial(x * 3000, x * 0.5, **g),
    "uniform_": lambda lib, x, **g: x.clone().uniform_(**g),
    "normal_": lambda lib, x, **g: x.clone().normal_(**g),
    "exponential_": lambda lib, x, **g: x.clone().exponential_(**g),
    "random_": lambda lib, x, **g: x.clone().random_(**g),
    "cauchy_": lambda lib, x, **g: x.clone().cauchy_(**g),
    "log_normal_": lambda lib, x, **g: x.clone().log_normal_(**g),
    "geometric_": lambda lib, x, **g: x.clone().geometric_(0.001, **g),
}


def functional(name, *args, **kwargs):
    return lambda lib, x: getattr(lib.nn.functional, name)(
        x.repeat(30).reshape(1, 180, *(1,) * kwargs.get("dims", 0)),
        *args,
        **{key: value for key, value in kwargs.items() if key != "dims"},
    )


DRAWS = {
    **TAKE_GENERATORS,
    "dropout": functional("dropout", 0.5),
    "alpha_dropout": functional("alpha_dropout", 0.5, True),
    "dropout1d": functional("dropout1d", 0.5, dims=1),
    "dropout2d": functional("dropout2d", 0.5, dims=2),
    "dropout3d": functional("dropout3d", 0.5, dims=3),
    "feature_alpha_dropout": functional("feature_alpha_dropout", 0.5, True, dims=1),
    "gumbel_softmax": functional("gumbel_softmax"),
    "Gamma": lambda lib, x: lib.distributions.Gamma(x, x).sample(),
    "Normal": lambda lib, x: lib.distributions.Normal(x, x).sample(),
    "Categorical": lambda lib, x: lib.distributions.Categorical(x).sample((40,)),
}
# Draw nothing, or are not random.
QUIET = {
    "dropout of nothing": functional("dropout", 0.0),
    "dropout in evaluation": functional("dropout", 0.5, False),
}


@BOTH
@pytest.mark.parametrize("name", TAKE_GENERATORS)
def test_generators(lib, name):
    x, draw = lib.ones(6), TAKE_GENERATORS[name]
    generator = lib.Generator().manual_seed(3)
    lib.manual_seed(0)
    first, second = (draw(lib, x, generator=generator).tolist() for _ in range(2))
    after = lib.rand(3).tolist()
    lib.manual_seed(0)
    assert lib.rand(3).tolist() == after
    assert first != second
    again = lib.Generator().manual_seed(3)
    assert draw(lib, x, generator=again).tolist() == first
    assert draw(lib, x, generator=None).shape == draw(lib, x).shape
    with pytest.raises(TypeError):
        draw(lib, x, generator=3)


def modes(lib, draw, x):
    """What each mode of vmap does with a function: the kind of its error, or whether all examples got the same."""
    found = []
    for mode in ("error", "same", "different"):
        try:
            rows = lib.func.vmap(draw, randomness=mode)(x).reshape(4, -1)
        except RuntimeError as error:
            found.append(str(error).split(".")[0])
        else:
            found.append(bool((rows == rows[:1]).all()))
    return found


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("shared", [False, True], ids=["of examples", "shared"])
@pytest.mark.parametrize("name", [*DRAWS, *QUIET])
def test_vmap(name, shared):
    def found(lib):
        draw, one = {**DRAWS, **QUIET}[name], lib.ones(6)
        call = lambda x: draw(lib, one if shared else x) + 0 * x.sum()  # noqa: E731
        return modes(lib, call, lib.ones(4, 6))

    expected = found(torch)
    if "does not currently support same" in str(expected[1]):
        expected[1] = True
    if "Cannot ask for different inplace randomness" in str(expected[2]) and name == "Normal":
        expected[2] = False
    assert found(ag) == expected


@pytest.mark.parametrize("passes", [True, False])
@pytest.mark.parametrize("name", [*DRAWS, *QUIET])
def test_compiled_functions_draw_what_plain_ones_do(name, passes):
    x = ag.ones(6)
    compiled = ag.compile(lambda x: DRAWS.get(name, QUIET.get(name))(ag, x), passes=passes)

    def numbers(function):
        ag.manual_seed(1)
        return [function(x).tolist() for _ in range(5)] + [ag.rand(1).item()]

    expected = numbers(compiled.function)
    for _ in range(2):
        assert numbers(compiled) == expected


@pytest.mark.parametrize("name", DRAWS)
def test_checkpoints_draw_the_same_again(name):
    def step(w):
        drawn = DRAWS[name](ag, w).to(ag.float64)
        return (drawn * w.sum()).sum() + drawn.detach().square().sum() * w.sum()

    found = []
    for call in (step, lambda w: ag.utils.checkpoint.checkpoint(step, w, use_reentrant=False)):
        ag.manual_seed(2)
        w = ag.ones(6, requires_grad=True)
        y = call(w)
        between = ag.rand(5).tolist()
        y.backward()
        found.append((y.item(), w.grad.tolist(), between, ag.rand(1).item()))
    assert found[0] == found[1]


def test_threads_share_the_stream_of_a_compiled_function():
    draw = ag.compile(lambda x: ag.nn.functional.dropout(x, 0.5))
    x, drawn = ag.ones(300), []
    for _ in range(3):
        draw(x)
    ag.manual_seed(0)
    work = lambda: drawn.extend([draw(x).tolist() for _ in range(100)])  # noqa: E731
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ag.manual_seed(0)
    assert sorted(drawn) == sorted(draw.function(x).tolist() for _ in range(400))


@BOTH
def test_a_forked_child_goes_on_with_the_stream(lib):
    lib.manual_seed(0)
    lib.rand(3)
    end, child_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(child_end, repr(lib.rand(4).tolist()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    drawn = os.read(end, 1000).decode()
    os.close(end)
    os.close(child_end)
    assert drawn == repr(lib.rand(4).tolist())
