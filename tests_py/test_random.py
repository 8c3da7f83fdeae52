"""Random numbers: range, moments, distribution, independence and repeatability."""

import copy
import math
import pickle
import threading

import numpy as np
import pytest
import torch
from compare import array, outcome, same_outcome

import autograd as ag

SIZE = 200_000
NORMAL = [0, 1, 0, 3]  # moments 1 to 4 of the standard normal distribution
UNIFORM = [1 / 2, 1 / 3, 1 / 4, 1 / 5]


@pytest.fixture(autouse=True)
def seed():
    """Every test starts from the same state."""
    ag.manual_seed(1234)


def check_moments(values, wanted):
    """Asserts the first four raw moments within five standard errors."""
    values = np.asarray(values, dtype=np.float64).ravel()
    for order, expected in enumerate(wanted, 1):
        powers = values**order
        error = powers.std() / math.sqrt(len(values))
        assert abs(powers.mean() - expected) < 5 * error, f"moment {order} is {powers.mean()}"


def check_distribution(values, cumulative):
    """Asserts that the largest distance to the cumulative distribution is plausible."""
    values = np.sort(np.asarray(values, dtype=np.float64).ravel())
    steps = np.arange(len(values) + 1) / len(values)
    exact = np.array([cumulative(v) for v in values])
    distance = max(np.abs(exact - steps[:-1]).max(), np.abs(exact - steps[1:]).max())
    assert distance * math.sqrt(len(values)) < 2.2  # reached once in 8,000 seeds


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rand_is_uniform(dtype):
    values = array(ag.rand(SIZE, dtype=getattr(ag, dtype)))
    assert values.min() >= 0
    assert values.max() < 1
    check_moments(values, UNIFORM)
    check_distribution(values[:20_000], lambda v: v)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_randn_is_normal(dtype):
    values = array(ag.randn(SIZE, dtype=getattr(ag, dtype)))
    assert np.isfinite(values).all()
    check_moments(values, NORMAL)
    check_distribution(values[:20_000], lambda v: (1 + math.erf(v / math.sqrt(2))) / 2)
    assert 3.8 < np.abs(values).max() < 6.5


def test_float64_uses_more_than_32_bits():
    values = array(ag.rand(1000, dtype=ag.float64)) * 2.0**32
    assert (values != np.floor(values)).mean() > 0.99


def test_uniform_and_normal_in_place():
    x = ag.empty(SIZE)
    assert x.uniform_(-2, 3) is x
    values = array(x)
    assert values.min() >= -2
    assert values.max() <= 3
    check_moments((values + 2) / 5, UNIFORM)
    x.normal_(3, 2)
    check_moments((array(x) - 3) / 2, NORMAL)
    assert x._version == 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "low, high",
    [
        (0, math.inf),
        (-math.inf, 0),
        (math.nan, 1),
        (0, math.nan),
        (-1e39, 0),
        (0, 1e39),
        (-3e38, 3e38),
        (-1e308, 1e308),
    ],
)
def test_bounds_that_are_no_numbers_of_the_dtype(low, high, dtype):
    def draw(lib):
        return lib.zeros(2, dtype=getattr(lib, dtype)).uniform_(low, high) is None

    same_outcome(outcome(draw, ag), outcome(draw, torch))


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "float32"])
@pytest.mark.parametrize("low, high", [(0, 2), (0, 10), (3, 4), (0, 7)])
def test_randint_reaches_every_number_equally(low, high, dtype):
    n = 20_000
    values = array(ag.randint(low, high, (n,), dtype=getattr(ag, dtype)))
    found, counts = np.unique(values, return_counts=True)
    assert found.tolist() == list(range(low, high))
    expected = n / (high - low)
    assert (np.abs(counts - expected) < 5 * math.sqrt(expected)).all()


def test_randint_of_large_ranges():
    values = array(ag.randint(-(2**60), 2**60, (2000,)))
    assert abs(values.astype(np.float64).mean()) < 2**60 / 10
    assert values.min() < -(2**58)
    assert values.max() > 2**58
    assert len(np.unique(values)) == 2000


def test_randperm_is_a_fair_permutation():
    assert sorted(ag.randperm(1000).tolist()) == list(range(1000))
    first = [ag.randperm(5).tolist()[0] for _ in range(2000)]
    counts = np.bincount(first, minlength=5)
    assert (np.abs(counts - 400) < 5 * math.sqrt(400)).all()


DRAWS = {
    "rand": lambda: ag.rand(3, 5),
    "randn": lambda: ag.randn(3, 5),
    "randn64": lambda: ag.randn(3, 5, dtype=ag.float64),
    "randint": lambda: ag.randint(0, 1000, (3, 5)),
    "randperm": lambda: ag.randperm(15),
    "uniform_": lambda: ag.empty(3, 5).uniform_(),
    "normal_": lambda: ag.empty(3, 5).normal_(),
}


@pytest.mark.parametrize("draw", DRAWS)
def test_seed_repeats_the_sequence(draw):
    """The same seed gives the same two draws, which differ; another seed gives others."""

    def two(seed):
        ag.manual_seed(seed)
        return [DRAWS[draw]().tolist() for _ in range(2)]

    first = two(7)
    assert first[0] != first[1]
    assert two(7) == first
    assert two(8) != first


def test_a_program_is_repeated_as_a_whole():
    def run():
        ag.manual_seed(3)
        return [DRAWS[draw]().tolist() for draw in DRAWS for _ in range(3)]

    assert run() == run()


def test_draws_are_independent():
    """Neither neighbours, nor successive draws, nor neighbouring seeds are correlated."""
    n = 50_000
    first, second = array(ag.randn(n)), array(ag.randn(n))
    ag.manual_seed(1235)
    other = array(ag.randn(n))
    pairs = [(first[1:], first[:-1]), (first[4:], first[:-4]), (first, second), (first, other)]
    for a, b in pairs:
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / math.sqrt(n)


def test_numbers_do_not_depend_on_threads():
    before = ag.get_num_threads()
    try:
        drawn = []
        for threads in (1, 2):
            ag.set_num_threads(threads)
            ag.manual_seed(5)
            drawn.append([array(ag.randn(300_000)), array(ag.rand(7))])
        for one, other in zip(*drawn):
            np.testing.assert_array_equal(one, other)
    finally:
        ag.set_num_threads(before)


def test_filling_in_place_follows_the_rules_of_in_place():
    x = ag.randn(3).requires_grad_()
    with pytest.raises(RuntimeError, match="leaf Variable"):
        x.normal_()
    y = x * 1
    y.uniform_()
    y.sum().backward()
    assert x.grad.tolist() == [0.0] * 3


def test_views_are_filled_through():
    x = ag.zeros(4, 3)
    x[:, 1].uniform_(1, 2)
    values = array(x)
    assert (values[:, 1] >= 1).all()
    assert (values[:, [0, 2]] == 0).all()


# ---- generators ----


def draws(lib, generator):
    """What each function that takes a generator draws."""
    return [
        lib.rand(3, generator=generator).tolist(),
        lib.randn(2, 2, generator=generator).tolist(),
        lib.randint(0, 100, (4,), generator=generator).tolist(),
        lib.randint(100, (4,), generator=generator).tolist(),
        lib.randperm(9, generator=generator).tolist(),
        lib.empty(3).uniform_(2, 3, generator=generator).tolist(),
        lib.empty(3).normal_(generator=generator).tolist(),
    ]


def test_generators_have_streams_of_their_own():
    for lib in (ag, torch):
        generator, other = lib.Generator().manual_seed(7), lib.Generator()
        before = lib.get_rng_state().tolist()
        first = draws(lib, generator)
        assert lib.get_rng_state().tolist() == before
        assert draws(lib, generator) != first
        assert draws(lib, other.manual_seed(7)) == first
        assert generator.initial_seed() == 7
        assert lib.Generator().initial_seed() == torch.Generator().initial_seed()
        assert draws(lib, lib.Generator()) == draws(lib, lib.Generator())
        assert generator.seed() == generator.initial_seed()
        assert str(generator.device) == "cpu"


def test_the_default_generator_is_the_processs_stream():
    for lib in (ag, torch):
        generator = lib.manual_seed(11)
        assert generator is lib.default_generator
        assert lib.initial_seed() == 11
        first = lib.rand(5).tolist()
        assert lib.rand(5, generator=generator).tolist() != first
        lib.default_generator.manual_seed(11)
        assert lib.rand(5, generator=generator).tolist() == first
        assert lib.manual_seed(-1).initial_seed() == 2**64 - 1
        assert lib.manual_seed(2**64 - 1).initial_seed() == 2**64 - 1
        assert lib.seed() == lib.initial_seed()
        for wrong in (2**64, -(2**63) - 1):
            with pytest.raises(ValueError, match="Overflow when unpacking long"):
                lib.manual_seed(wrong)


def test_states_go_on_where_they_were_taken():
    for lib in (ag, torch):
        for generator in (lib.Generator().manual_seed(3), lib.default_generator):
            lib.rand(3, generator=generator)
            state = generator.get_state()
            assert state.dtype is lib.uint8
            first = draws(lib, generator)
            copied = generator.clone_state()
            generator.set_state(state)
            assert draws(lib, generator) == first
            assert draws(lib, copied) != first
            for wrong in (lib.zeros(3, dtype=lib.uint8), state[:-1]):
                with pytest.raises(RuntimeError, match="RNG state size to be"):
                    generator.set_state(wrong)
            with pytest.raises(TypeError):
                generator.set_state(lib.zeros(16))
            with pytest.raises(TypeError):
                generator.set_state([1, 2])
        lib.set_rng_state(lib.get_rng_state())


def test_fork_rng_gives_the_stream_back():
    for lib in (ag, torch):
        lib.manual_seed(1)
        first = lib.rand(3).tolist()
        lib.manual_seed(1)
        with lib.random.fork_rng():
            lib.manual_seed(9)
            lib.rand(2)
        assert lib.rand(3).tolist() == first
        lib.manual_seed(1)
        with lib.random.fork_rng(enabled=False):
            lib.rand(2)
        assert lib.rand(3).tolist() != first


def test_a_failed_draw_leaves_the_stream():
    generator = ag.Generator().manual_seed(1)
    before = ag.get_rng_state().tolist()
    with pytest.raises(RuntimeError):
        ag.randperm(-1, generator=generator)
    ag.rand(2, generator=generator)
    assert ag.get_rng_state().tolist() == before
    with pytest.raises(TypeError, match="'generator' must be Generator, not int"):
        ag.rand(2, generator=3)
    with pytest.raises(TypeError):
        torch.rand(2, generator=3)


def test_generators_can_be_copied():
    generator = ag.Generator().manual_seed(1)
    ag.rand(2, generator=generator)
    other, copied = pickle.loads(pickle.dumps(generator)), copy.deepcopy(generator)
    expected = ag.rand(2, generator=generator).tolist()
    assert ag.rand(2, generator=other).tolist() == expected
    assert ag.rand(2, generator=copied).tolist() == expected
    assert copy.deepcopy(ag.default_generator) is ag.default_generator


def test_threads_draw_from_their_own_generators():
    expected = ag.rand(1000, generator=ag.Generator().manual_seed(0)).tolist()
    results = [None] * 4

    def draw(place):
        generator = ag.Generator().manual_seed(0)
        parts = [ag.rand(100, generator=generator).tolist() for _ in range(10)]
        results[place] = sum(parts, [])

    threads = [threading.Thread(target=draw, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4
