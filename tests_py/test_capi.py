"""The binding: reading the header, finding the library, refusing a wrong one, and using all of it."""

import ast
import ctypes
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import autograd as ag
from autograd import _capi

pytestmark = pytest.mark.alone

PACKAGE = Path(ag.__file__).parent
HEADER = """
/* A file comment. */
#define AG_ABI_VERSION 7
typedef enum ag_kind { AG_A = 0, /* AG_NOT = 5 */ AG_B = -3 } ag_kind;
/* ---- a section ---- */

/* Adds two
 * tensors. */
AG_API ag_tensor* ag_add(const ag_tensor* a, const ag_tensor* b);
AG_API AG_BLOCKING ag_status ag_run(ag_tensor* const* tensors, int64_t n, const int64_t* dims,
                                    double eps, const char* name, ag_tensor** out);
AG_API const char* ag_version(void);
AG_API void ag_free(ag_tensor * t);
"""

# ---- reading the header --------------------------------------------------------------------------


def test_header_is_read():
    header = _capi.parse_header(HEADER)
    assert list(header.functions) == ["ag_add", "ag_run", "ag_version", "ag_free"]
    assert header.constants == {"AG_ABI_VERSION": 7, "AG_A": 0, "AG_B": -3}
    add, run, version, free = header.functions.values()
    assert add.result == "ag_tensor*"
    assert add.parameters == (("const ag_tensor*", "a"), ("const ag_tensor*", "b"))
    assert add.doc == "Adds two tensors."
    assert not add.blocking
    assert run.blocking
    assert run.doc == ""
    assert [c_type for c_type, _ in run.parameters] == [
        "ag_tensor* const*",
        "int64_t",
        "const int64_t*",
        "double",
        "const char*",
        "ag_tensor**",
    ]
    assert (version.result, version.parameters) == ("const char*", ())
    assert free.parameters == (("ag_tensor*", "t"),)


def test_declaration_that_cannot_be_read_is_named():
    with pytest.raises(ImportError, match="cannot read the declaration"):
        _capi.parse_header("AG_API int32_t;")


def test_every_declared_function_is_bound_with_its_types():
    text = re.sub(r"/\*.*?\*/", "", _capi.find_header().read_text(), flags=re.DOTALL)
    declared = re.findall(r"^AG_API .*?\b(ag_\w+)\(", text, flags=re.MULTILINE)
    assert len(declared) > 150
    assert set(declared) == set(vars(_capi.lib))
    for name, declaration in _capi.header.functions.items():
        native = getattr(_capi.lib, name)
        function = _capi.of_ctypes(native)
        assert len(function.argtypes) == len(declaration.parameters), name
        keeps_lock = bool(type(function)._flags_ & ctypes._FUNCFLAG_PYTHONAPI)
        assert keeps_lock != declaration.blocking, name
        assert (native.__doc__ or "") == declaration.doc


def test_results_have_the_types_of_the_header():
    lib, of_ctypes = _capi.lib, _capi.of_ctypes
    assert of_ctypes(lib.ag_add).restype is ag.Tensor
    assert of_ctypes(lib.ag_add_).restype is ctypes.c_int32
    assert of_ctypes(lib.ag_tensor_numel).restype is ctypes.c_int64
    assert of_ctypes(lib.ag_tensor_free).restype is None
    assert _capi.declaration_of(lib.ag_explain_grad).blocking
    assert not _capi.declaration_of(lib.ag_backward).blocking
    assert not _capi.declaration_of(lib.ag_matmul).blocking


class CountingLock:
    """An interpreter's lock that only counts how often it is given up and taken again, which may take a while."""

    def __init__(self):
        self.released = self.taken = 0
        self.seconds = 0.0
        self.thread = 1
        self.functions = (
            ctypes.PYFUNCTYPE(ctypes.c_void_p)(self.release),
            ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(self.take),
            ctypes.PYFUNCTYPE(ctypes.c_void_p)(lambda: 1),
            ctypes.PYFUNCTYPE(ctypes.c_void_p)(lambda: self.thread),
        )

    def release(self):
        self.released += 1
        return 77

    def take(self, state):
        assert state == 77
        self.taken += 1
        time.sleep(self.seconds)

    def __enter__(self):
        _capi.lib.ag_set_interpreter_lock(
            *(ctypes.cast(f, ctypes.c_void_p) for f in self.functions)
        )
        return self

    def __exit__(self, *error):
        _capi._share_lock()


def test_ops_on_many_elements_give_the_lock_up():
    many, few = ag.rand(1 << 16), ag.rand(1 << 10)
    far = ag.tensor([0, 1 << 20])
    with CountingLock() as lock:
        _ = few.cos(), few.sum(), few.mul_(2.0)
        assert (lock.released, lock.taken) == (0, 0)
        _ = many.cos(), many.sum(), many.mul_(2.0)
        assert (lock.released, lock.taken) == (3, 3)
        with pytest.raises(IndexError):  # found by the kernel
            many.index_select(0, far)
        assert lock.released == lock.taken == 4


def compiled_steps(width, n=3):
    """Steps of a compiled function, some of which have been made."""
    layers = [ag.nn.Linear(width, width) for _ in range(3)]
    step = ag.compile(lambda x: layers[2](layers[1](layers[0](x).relu()).relu()).sum().backward())
    x = ag.ones(16, width)

    def run(count):
        for _ in range(count):
            step(x)

    run(n)
    return run


# Where threads need no lock to run, brief work stays attached to the interpreter.
IS_FREE_THREADED = "free-threading" in sys.version


def in_another_thread(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    thread.join()


def test_compiled_steps_give_the_lock_up_where_another_thread_makes_some():
    small, tiny, large = compiled_steps(64), compiled_steps(4), compiled_steps(256)
    small(5001)
    with CountingLock() as lock:
        small(5)
        assert lock.released == 0
        large(5)
        assert lock.released == lock.taken == 5
        begin = time.monotonic()
        longest = 0.2 if IS_FREE_THREADED else 60
        while lock.released == 5 and time.monotonic() < begin + longest:
            in_another_thread(tiny, 1)
            tiny(1)
            assert lock.released == 5
            in_another_thread(small, 1)
            small(1)  # both ways are tried in turns
        assert lock.released == lock.taken
        assert (lock.released == 5) == IS_FREE_THREADED


def test_compiled_steps_keep_the_lock_where_it_comes_back_late():
    """Beside a thread that computes in Python, short steps would be one in five milliseconds."""
    small = compiled_steps(64)
    with CountingLock() as lock:
        lock.seconds = 0.02
        begin = time.monotonic()
        steps = 0
        while time.monotonic() < begin + 1:
            in_another_thread(small, 1)
            small(10)
            steps += 11
        assert lock.released < 20 < steps
        assert (lock.released == 0) == IS_FREE_THREADED


def test_other_threads_run_during_an_op_on_many_elements():
    x = ag.rand(1 << 21)
    span = []

    def run():
        span.append(time.perf_counter())
        ag.sort(x)
        span.append(time.perf_counter())

    worker = threading.Thread(target=run)
    ticks = []
    worker.start()
    while worker.is_alive():
        ticks.append(time.perf_counter())
    assert sum(span[0] < tick < span[1] for tick in ticks) > 1000


def test_the_lock_of_another_thread_is_left_alone():
    many = ag.rand(1 << 16)
    with CountingLock() as lock:
        for lock.thread in (2, None):
            many.cos()
        assert lock.released == 0


def test_threads_that_run_python_while_another_is_in_backward():
    """The lock that a backward finds held is another thread's."""
    program = """
import threading, autograd as ag
at_work, counts = True, {}
def count():
    n = 0
    while at_work:
        n += 1
        counts[n % 100] = [i for i in range(5)]
threads = [threading.Thread(target=count) for _ in range(2)]
for t in threads: t.start()
x = ag.randn(300, 300, requires_grad=True)
for i in range(30):
    y = x
    for _ in range(10): y = (y * 1.0001).tanh()
    y.sum().backward()
at_work = False
for t in threads: t.join()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_threads_at_work_when_the_program_ends():
    program = """
import threading, time, autograd as ag
x = ag.randn(400, 400, requires_grad=True)
x.register_hook(lambda g: g * 1)
def work():
    while True:
        (x @ x).tanh().sum().backward()
        x.detach().cos().sort()
for _ in range(4): threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
"""
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_lock_functions_come_all_or_none():
    with CountingLock() as lock:
        _capi.lib.ag_set_interpreter_lock(lock.functions[0], None, None, None)
        assert ag.rand(1 << 16).sum().item() > 0
        assert lock.released == 0


def strings_given_to(*makers):
    """The first arguments, as texts, of the calls of the given functions in the package."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in makers:
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    found.add(first.value)
    return found


# What C programs ask a graph for; Python reads the same from its JSON, and writes files itself. A program in C records
# its functions in one call, Python tells the library of each once, and decorates what is differentiated only once.
# Files of plans hold one compiled function there, in Python all structures of arguments.
FOR_C_PROGRAMS = {
    f"ag_graph_{name}"
    for name in ("num_nodes", "node", "num_edges", "edge", "cost", "save", "assert")
} | {
    "ag_function_record",
    "ag_node_mark_once_differentiable",
    "ag_compiled_save",
    "ag_compiled_load",
    "ag_recording_end",
    "ag_recording_enter",
    "ag_recording_leave",
}


def test_every_function_of_the_library_is_used():
    texts = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    used = set(re.findall(r"\.(ag_\w+)", "\n".join(texts)))
    for name in strings_given_to("unary", "binary", "_filled"):
        used |= {f"ag_{name}", f"ag_{name}_"}
    used |= {f"ag_{name}_like" for name in strings_given_to("_like")}
    assert set(_capi.header.functions) - used == FOR_C_PROGRAMS


# ---- finding and checking the library ------------------------------------------------------------


def import_with(library, *lines):
    """Runs a fresh interpreter that imports the package with AUTOGRAD_LIBRARY set."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    environment.pop("AUTOGRAD_LIBRARY", None)
    if library is not None:
        environment["AUTOGRAD_LIBRARY"] = str(library)
    program = "\n".join(["import autograd", *lines])
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def compile_library(folder, source):
    file = folder / "other.c"
    file.write_text(source)
    library = folder / "libother.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, file], check=True)
    return library


def test_missing_library_says_where_it_was_looked_for(tmp_path):
    code, output = import_with(tmp_path / "nowhere.so")
    assert code != 0
    assert "ImportError: autograd: the native library was not found" in output
    assert "AUTOGRAD_LIBRARY" in output
    assert str(tmp_path / "nowhere.so") in output
    assert "pip install" in output


def test_library_of_another_abi_is_refused(tmp_path):
    library = compile_library(tmp_path, "int ag_abi_version(void) { return 999; }\n")
    code, output = import_with(library)
    assert code != 0
    expected = _capi.constants["AG_ABI_VERSION"]
    assert f"has ABI version 999, but this package needs version {expected}" in output
    assert str(library) in output


def test_library_without_abi_number_is_refused(tmp_path):
    code, output = import_with(compile_library(tmp_path, "int other;\n"))
    assert code != 0
    assert "is not the autograd library" in output


def test_library_that_lacks_a_function_is_refused(tmp_path):
    number = _capi.constants["AG_ABI_VERSION"]
    library = compile_library(tmp_path, f"int ag_abi_version(void) {{ return {number}; }}\n")
    code, output = import_with(library)
    assert code != 0
    assert "lacks the function ag_version" in output


def test_file_that_is_no_library_is_refused(tmp_path):
    file = tmp_path / "libautograd.so"
    file.write_text("not a library")
    code, output = import_with(file)
    assert code != 0
    assert "ImportError: autograd: cannot load the native library" in output


def test_import_loads_nothing_else():
    code, output = import_with(
        _capi.library_path,
        "import sys",
        "assert 'numpy' not in sys.modules, sys.modules",
        "print('fine')",
    )
    assert (code, output.strip()) == (0, "fine")


def test_version_is_the_librarys():
    assert re.fullmatch(r"\d+\.\d+\.\d+", ag.__version__)


# ---- handles and failures ------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [None, 5, 0, "x", b"x", 1.5, [1.0], object(), True])
def test_no_object_but_a_tensor_passes_for_a_handle(wrong):
    with pytest.raises(TypeError, match=r"sigmoid\(\): argument 'input' must be Tensor"):
        ag.sigmoid(wrong)


def test_status_becomes_the_exception_it_stands_for():
    x = ag.zeros(2, 3)
    with pytest.raises(RuntimeError):
        x.reshape(4, 5)
    with pytest.raises(IndexError):
        x.sum(7)
    with pytest.raises(IndexError):
        x[9]


def test_tensors_are_freed():
    before = ag.memory_allocated()
    x = ag.zeros(1000)
    y = [x + x for i in range(10)]
    assert ag.memory_allocated() >= before + 11 * 4000
    del x, y
    assert ag.memory_allocated() == before


def test_failed_calls_leak_nothing():
    x, y = ag.zeros(2, 3), ag.zeros(4, 5)
    before = ag.memory_allocated()
    for _ in range(100):
        with pytest.raises(RuntimeError):
            x @ y
        with pytest.raises(RuntimeError):
            x + y
    assert ag.memory_allocated() == before


def test_tensors_that_outlive_the_package_do_no_harm():
    code, output = import_with(
        _capi.library_path,
        "import builtins",
        "builtins.kept = [autograd.ones(3, requires_grad=True)]",
        "kept.append((kept[0] * 2).sum())",
        "kept.append(kept)",
        "print('fine')",
    )
    assert (code, output.strip()) == (0, "fine")


def test_every_op_of_the_library_has_a_name_and_a_doc():
    names = ag.op_names()
    assert {"add", "mm", "sigmoid"} <= set(names)
    assert ag.op_doc("sigmoid").startswith("sigmoid")
    with pytest.raises((RuntimeError, ValueError)):
        ag.op_doc("no_such_op")


def test_generated_functions_have_name_doc_and_signature():
    import inspect

    for function in (ag.sigmoid, ag.mul, ag.zeros, ag.ones_like, ag.Tensor.mul_, ag.Tensor.exp_):
        assert function.__doc__
        assert function.__name__ in repr(function) or function.__name__
        assert inspect.signature(function).parameters
    assert ag.sigmoid.__name__ == "sigmoid"
    assert list(inspect.signature(ag.mul).parameters) == ["input", "other"]
