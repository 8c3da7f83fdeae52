"""What the Python code of a compiled function does besides its tensors: it is named, whether deep or wide."""

import collections
import io
import itertools
import logging
import sys
import time
import types
import warnings

import numpy as np
import pytest

import autograd as ag
from autograd import nn

pytestmark = pytest.mark.alone


class Box:
    def __init__(self, **members):
        self.__dict__.update(members)


class Slotted:
    __slots__ = ("n",)

    def __init__(self):
        self.n = 0


class Class:
    count = 0


class Layer(nn.Module):
    calls = 0

    def __init__(self):
        super().__init__()
        self.log = {"losses": []}

    def forward(self, x):
        type(self).calls += 1
        return x * 2


def deep():
    a = Box(b=Box(c=Box(d=[Box(n=0)])))

    def act():
        a.b.c.d[0].n += 1

    return act, r"changes a\.b\.c\.d in each call"


def slots():
    s = Slotted()

    def act():
        s.n += 1

    return act, r"changes s\.n in"


def class_attribute():
    def act():
        Class.count += 1

    return act, r"changes Class\.count in"


def of_a_module_class():
    layer = Layer()
    return lambda: layer(ag.ones(1)), r"changes layer\.calls in"


def in_a_module():
    layer = Layer()
    return lambda: layer.log["losses"].append(1), r"changes layer\.log in"


def default_argument():
    def act(seen=[]):  # noqa: B006
        seen.append(1)

    return act, "changes a default argument in"


def function_attribute():
    def act():
        act.n = getattr(act, "n", 0) + 1

    return act, r"changes act(\.n)? in"


def middle_of_a_list():
    numbers = [0] * 900

    def act():
        numbers[450] += 1

    return act, "changes numbers in"


def array():
    a = np.zeros(3)

    def act():
        a[0] += 1

    return act, "changes a in"


def counter():
    c = collections.Counter()

    def act():
        c["x"] += 1

    return act, "changes c in"


def iterator():
    it = iter(range(100))
    return lambda: next(it), "changes it in"


def count():
    it = itertools.count()
    return lambda: next(it), "changes it in"


def generator():
    it = (n for n in range(100))
    return lambda: next(it), "changes it in"


def stream():
    out = io.StringIO()
    return lambda: out.write("x"), "changes out in"


other = types.ModuleType("other")
other.counter = 0


def module_global():
    def act():
        other.counter += 1

    return act, "changes counter in"


def same_names():
    """Two functions whose variables have one name."""

    def first():
        n = [0]
        return lambda: n.append(1)

    def second():
        n = [0]
        return lambda: n[0]

    one, two = first(), second()
    return lambda: (one(), two()), "changes n in"


ACTS = [deep, slots, class_attribute, of_a_module_class, in_a_module, default_argument, function_attribute,
        middle_of_a_list, array, counter, iterator, count, generator, stream, module_global, same_names]  # fmt: skip


@pytest.mark.parametrize("make", ACTS, ids=lambda make: make.__name__)
def test_what_changes_in_each_call_is_named(make):
    act, message = make()
    compiled = ag.compile(lambda x: (act(), x * 2)[1])
    with pytest.raises(ag.CompileError, match=message):
        for _ in range(4):
            compiled(ag.ones(2))


@pytest.mark.parametrize("make", ACTS, ids=lambda make: make.__name__)
def test_with_fallback_it_happens_in_each_call(make):
    act, _ = make()
    calls = []

    def f(x):
        calls.append(None)
        act()
        return x * 2

    with pytest.warns(UserWarning, match="runs without compiling") as caught:
        compiled = ag.compile(f, fallback=True)
        for _ in range(6):
            assert compiled(ag.ones(2)).tolist() == [2, 2]
    assert len(calls) == 6
    assert len([w for w in caught if "runs without compiling" in str(w.message)]) == 1


def test_much_data_is_looked_at_in_a_moment():
    big = [Box(row=[1.0] * 50, name=str(i)) for i in range(20000)]
    table = {i: [i] for i in range(200000)}
    arrays = [np.zeros(8000) for _ in range(500)]
    compiled = ag.compile(lambda x: x * len(big) + len(table) + len(arrays))
    began = time.perf_counter()
    for _ in range(3):
        compiled(ag.ones(2))
    assert time.perf_counter() - began < 1
    assert "1 plans" in compiled.explain()


def prints():
    print("hello")  # noqa: T201


def writes():
    sys.stdout.write("hello\n")


def logs():
    logging.getLogger("a name").warning("hello")


def opens():
    with open(__file__):
        pass


VISIBLE = {
    prints: r"print\(\)",
    writes: r"sys\.stdout\.write\(\)",
    logs: "logging",
    opens: r"open\(\)",
}


@pytest.mark.parametrize("act", VISIBLE, ids=lambda act: act.__name__)
def test_what_is_seen_outside_is_said_once(act, capsys):
    before = (print, open, sys.stdout, logging.Logger.handle)
    compiled = ag.compile(lambda x: (act(), x * 2)[1])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(6):
            assert compiled(ag.ones(2)).tolist() == [2, 2]
    said = [str(w.message) for w in caught if "compile:" in str(w.message)]
    assert len(said) == 1, said
    line = act.__code__.co_firstlineno + 1
    assert f"test_compile_effects.py:{line}: " in said[0]
    assert VISIBLE[act].replace("\\", "") in said[0] and "happens in the first calls" in said[0]
    assert (print, open, sys.stdout, logging.Logger.handle) == before
    if act in (prints, writes):
        assert capsys.readouterr().out.count("hello") == 2  # of the two captured calls


@pytest.mark.parametrize("act", VISIBLE, ids=lambda act: act.__name__)
def test_what_is_seen_outside_goes_on_with_fallback(act, capsys):
    compiled = ag.compile(lambda x: (act(), x * 2)[1], fallback=True)
    with pytest.warns(UserWarning, match=VISIBLE[act] + ".*runs without compiling"):
        for _ in range(6):
            compiled(ag.ones(2))
    if act in (prints, writes):
        assert capsys.readouterr().out.count("hello") == 6


def test_an_error_leaves_print_as_it_was():
    before = (print, sys.stdout)

    def f(x):
        raise KeyError("mine")

    compiled = ag.compile(f)
    with pytest.raises(KeyError):
        compiled(ag.ones(2))
    assert (print, sys.stdout) == before


# ---- what the function reads is another thing than before ----

scale = 2.0


def global_number():
    def change(n):
        global scale
        scale = float(n)

    return (lambda x: x * scale), change


def variable():
    factor = 1.0

    def change(n):
        nonlocal factor
        factor = float(n)

    return (lambda x: x * factor), change


def attribute():
    box = Box(scale=1.0, name="a")

    def change(n):
        box.scale = float(n)

    return (lambda x: x * box.scale), change


def item():
    config = {"scale": 1.0}
    return (lambda x: x * config["scale"]), lambda n: config.update(scale=float(n))


def list_item():
    config = [1.0, 2.0]

    def change(n):
        config[0] = float(n)

    return (lambda x: x * config[0]), change


def longer_list():
    config = [1.0]
    return (lambda x: x * sum(config)), lambda n: config.append(float(n))


def other_model():
    models = {"now": nn.Linear(2, 2)}

    def change(n):
        models["now"] = nn.Linear(2, 2)

    return (lambda x: models["now"](x).detach()), change


def helper():
    def inner(x):
        return x * 2.0

    def change(n):
        nonlocal inner

        def inner(x):
            return x * float(n)

    return (lambda x: inner(x)), change


def self_attribute():
    class Scaled:
        def __init__(self):
            self.scale = 1.0

        def step(self, x):
            return x * self.scale

    mine = Scaled()

    def change(n):
        mine.scale = float(n)

    return mine.step, change


@pytest.mark.parametrize(
    "make",
    [
        global_number,
        variable,
        attribute,
        item,
        list_item,
        longer_list,
        other_model,
        helper,
        self_attribute,
    ],
    ids=lambda make: make.__name__,
)
def test_what_a_function_reads_is_never_frozen(make):
    function, change = make()
    compiled, x = ag.compile(function), ag.randn(3, 2)
    for n in (3, 3, 5, 7):
        change(n)
        for _ in range(4):
            assert compiled(x).tolist() == function(x).tolist()
    assert "captured calls" in compiled.explain()


def test_equal_numbers_are_no_change():
    box = Box(scale=1.0)
    compiled = ag.compile(lambda x: x * box.scale)
    for _ in range(10):
        box.scale = float("1.5")  # another object each time
        compiled(ag.ones(2))
    assert "1 plans from 2 captured calls" in compiled.explain()
    box.scale = 1  # equal to neither
    assert compiled(ag.ones(2)).tolist() == [1, 1]
    assert "captured anew because box.scale is another one than before" in compiled.explain()


def test_a_variable_that_goes_is_an_error_of_the_function():
    holder = {"w": ag.ones(2)}
    compiled = ag.compile(lambda x: x * holder["w"])
    for _ in range(3):
        compiled(ag.ones(2))
    del holder["w"]
    with pytest.raises(KeyError):
        compiled(ag.ones(2))


def test_a_number_that_changes_in_each_call_is_named_in_the_end():
    beta = 0.0
    compiled = ag.compile(lambda x: x * beta)

    with pytest.raises(ag.CompileError, match="no two did the same.*a number in operation 1, mul"):
        for n in range(20):
            beta = float(n)
            assert compiled(ag.ones(2)).tolist() == [n, n]


def test_both_modes_fall_back_with_one_warning():
    model = nn.Dropout(0.0)

    def f(x):
        return x * 2 if model(x).sum().item() > 0 else x

    compiled = ag.compile(f, fallback=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for mode in (True, False) * 3:
            model.train(mode)
            assert compiled(ag.ones(2)).tolist() == [2, 2]
    assert len([w for w in caught if "runs without compiling" in str(w.message)]) == 1
