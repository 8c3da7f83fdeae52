"""What cannot be compiled is refused with its line, or runs as it is; nothing is lost on the way."""

import gc
import inspect
import random
import signal
import threading
import time
import warnings
import weakref

import pytest
from test_compile import batches, mlp, same, training_step

import autograd as ag
from autograd.identity import ITEM, same_objects
from autograd.nn import functional as F


def reads_item(x):
    if x.sum().item() > 0:
        return x * 2
    return x


def reads_bool(x):
    return x * 2 if (x > 0).all() else x


def prints(x):
    print(x * 1)
    return x * 2


def to_list(x):
    return x * (x * 1).tolist()[0]


def as_array(x):
    return x * (x * 1).numpy().sum()


@pytest.mark.parametrize("function", [reads_item, reads_bool, prints, to_list, as_array])
def test_reading_a_value_names_the_line(function):
    x = ag.ones(3)
    with pytest.raises(
        ag.CompileError, match=r"reads elements of a tensor.*test_compile_errors\.py:\d+: "
    ):
        ag.compile(function)(x)
    with pytest.warns(UserWarning, match="runs without compiling"):
        compiled = ag.compile(function, fallback=True)
        first = compiled(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(compiled(x), first)
        assert same(compiled(-x), function(-x))


def test_a_number_that_changes_is_named():
    count = iter(range(2, 100))

    def f(x):
        return x * next(count)

    compiled = ag.compile(f)
    compiled(ag.ones(2))
    with pytest.raises(
        ag.CompileError, match=r"a number in .*mul.* is 2 in one call and 3 in the next"
    ):
        compiled(ag.ones(2))
    with pytest.warns(UserWarning, match="runs without compiling"):
        compiled = ag.compile(f, fallback=True)
        assert compiled(ag.ones(2)).tolist() == [4, 4]
        assert compiled(ag.ones(2)).tolist() == [5, 5]
    assert compiled(ag.ones(2)).tolist() == [6, 6]


def test_an_argument_that_changes_is_named():
    count = iter(range(100))
    compiled = ag.compile(lambda x: x.roll(next(count)))
    compiled(ag.ones(2))
    with pytest.raises(ag.CompileError, match="other arguments in the next call"):
        compiled(ag.ones(2))


def test_a_function_that_never_does_the_same():
    draw = random.Random(0).randint

    def f(x):
        for _ in range(draw(1, 1000)):
            x = x * 2
        return x

    compiled = ag.compile(f)
    with pytest.raises(ag.CompileError, match="captured in a row and no two did the same"):
        for _ in range(20):
            compiled(ag.ones(2))


def test_too_many_shapes():
    compiled = ag.compile(lambda x: x * 2, max_plans=3)
    with pytest.raises(ag.CompileError, match=r"3 plans already.*argument 0 is float32 \[4\]"):
        for n in range(1, 20):
            for _ in range(3):
                assert compiled(ag.ones(n)).shape == (n,)
    # Those that are there still work.
    assert compiled(ag.ones(2)).tolist() == [2, 2]


def test_no_tensors():
    with pytest.raises(ag.CompileError, match="uses no tensors"):
        ag.compile(lambda: 3)()


def test_exceptions_go_through_and_nothing_is_lost():
    model = mlp()
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1)
    fails = True

    def step(x, y):
        loss = training_step(model, optimizer)(x, y)
        if fails:
            raise KeyError("mine")
        return loss

    compiled = ag.compile(step)
    x, y = batches(1)[0]
    for _ in range(3):
        with pytest.raises(KeyError, match="mine"):
            compiled(x, y)
    assert (x * 2).shape == (5, 3)
    fails = False
    losses = [compiled(x, y).item() for _ in range(5)]
    assert losses == sorted(losses, reverse=True)


def test_errors_of_operations_in_a_plan():
    table = ag.randn(4, 2)
    look_up = ag.compile(lambda i: F.embedding(i, table))
    for _ in range(4):
        look_up(ag.tensor([0, 3]))
    with pytest.raises(IndexError):
        look_up(ag.tensor([0, 4]))
    assert look_up(ag.tensor([1, 2])).shape == (2, 2)


def test_results_that_await_backward_are_refused():
    model = mlp()
    with pytest.raises(ag.CompileError, match="a result requires grad"):
        ag.compile(lambda x: model(x))(ag.ones(1, 3))


def test_arguments_with_history_are_refused():
    w = ag.ones(2, requires_grad=True)
    with pytest.raises(ag.CompileError, match="has a history"):
        compiled = ag.compile(lambda x: (x * 2).detach())
        for _ in range(3):
            compiled(w * 2)


def test_tensors_kept_between_calls_are_named():
    state = [ag.zeros(2)]

    def f(x):
        state[0] = state[0] + x
        return state[0] * 1

    compiled = ag.compile(f)
    with pytest.raises(
        ag.CompileError, match=r"changes state in each call.*change them with copy_\(\)"
    ):
        for _ in range(20):
            compiled(ag.ones(2))


def test_state_changed_in_place_is_kept():
    state = ag.zeros(2)

    def f(x):
        state.mul_(0.5).add_(x)
        return state.clone()

    compiled = ag.compile(f)
    values = [compiled(ag.ones(2)).tolist()[0] for _ in range(6)]
    wanted, v = [], 0.0
    for _ in range(6):
        v = v * 0.5 + 1
        wanted.append(v)
    assert values == wanted
    assert state.tolist()[0] == wanted[-1]


def test_arguments_that_share_memory():
    compiled = ag.compile(lambda a, b: a.add_(b))
    for _ in range(4):
        x = ag.ones(3)
        assert compiled(x, ag.ones(3)).tolist() == [2, 2, 2]
    x = ag.ones(4)
    with pytest.raises(ag.CompileError, match="share memory"):
        for _ in range(3):
            compiled(x[:3], x[1:])


@pytest.mark.parametrize("rows", [1, 100])
def test_threads_take_turns_at_a_compiled_function(rows):
    """Whether or not a call gives up the interpreter's lock."""
    model = mlp()
    optimizer = ag.optim.SGD(model.parameters(), lr=0.0)
    step = ag.compile(training_step(model, optimizer))
    x, y = (t.repeat(rows, *[1] * (t.dim() - 1)) for t in batches(1)[0])
    wanted = [step(x, y).item() for _ in range(3)][0]
    problems = []

    def work():
        try:
            for _ in range(300):
                assert step(x, y).item() == wanted
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert step(x, y).item() == wanted


def test_a_signal_handler_cannot_call_the_function_that_it_interrupts():
    model = mlp()
    step = ag.compile(training_step(model, ag.optim.SGD(model.parameters(), lr=0.0)))
    x, y = batches(1)[0]
    for _ in range(3):
        step(x, y)
    # An epoch takes a tenth of a second: the signal comes in the middle of one native call.
    many = [t.repeat(400_000, *[1] * (t.dim() - 1)) for t in (x, y)]
    problems = []

    def handler(number, frame):
        try:
            step(x, y)
        except RuntimeError as error:
            problems.append(str(error))

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        end = time.monotonic() + 60
        while not problems and time.monotonic() < end:
            step.run(*many, batch_size=10)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert "further up in this thread" in problems[0]
    step(x, y)


def test_wrong_arguments_of_compile():
    with pytest.raises(TypeError, match="expected a function, got int"):
        ag.compile(3)
    with pytest.raises(ValueError, match="max_plans must be at least 1"):
        ag.compile(lambda x: x, max_plans=0)
    with pytest.raises(TypeError, match="arguments must be tensors"):
        ag.compile(lambda x: ag.ones(1))({1, 2})


@pytest.mark.parametrize("fallback", [False, True])
def test_parameters_of_another_size(fallback):
    model = ag.nn.Linear(3, 2)
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1)
    step = ag.compile(training_step(model, optimizer), fallback=fallback)
    x, y = ag.randn(4, 3), ag.randn(4, 2)
    for _ in range(4):
        step(x, y)
    kept = model.weight.data
    model.weight.data = ag.randn(2, 5)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        step(x, y)
    model.weight.data = kept
    twin = ag.nn.Linear(3, 2)
    twin.load_state_dict(model.state_dict())
    wanted = training_step(twin, ag.optim.SGD(twin.parameters(), lr=0.1))
    for _ in range(4):
        assert same(step(x, y), wanted(x, y))
    assert_same(model, twin)


def assert_same(model, twin):
    assert all(map(same, model.parameters(), twin.parameters()))


def test_parameters_that_are_freed_outside_live_on_in_the_plan():
    def made():
        ag.manual_seed(1)
        model = ag.nn.Linear(3, 2)
        return ag.compile(lambda x: model(x).detach()), weakref.ref(model), model(ag.ones(1, 3))

    compiled, model, wanted = made()
    gc.collect()
    for _ in range(4):
        assert same(compiled(ag.ones(1, 3)), wanted.detach())
    assert model() is not None
    compiled.clear()
    del compiled
    gc.collect()
    assert model() is None


def test_checks_are_functions_that_every_interpreter_frees():
    """Free-threaded ones keep functions that are not nested, with all that they hold, once a second thread ran."""
    same_as_before = same_objects([(ITEM, {"a": gc}, "a")], [gc])
    assert same_as_before()
    assert same_as_before.__code__.co_flags & inspect.CO_NESTED


def test_a_parameter_that_is_deleted_is_an_error_of_the_function():
    model = ag.nn.Linear(3, 2)
    compiled = ag.compile(lambda x: model(x).detach())
    for _ in range(3):
        compiled(ag.ones(1, 3))
    del model.weight
    with pytest.raises(AttributeError, match="weight"):
        compiled(ag.ones(1, 3))
    model.weight = ag.nn.Parameter(ag.ones(2, 3))
    for _ in range(3):
        assert same(compiled(ag.ones(1, 3)), model(ag.ones(1, 3)).detach())
