"""Throws malformed arguments at every function of the C ABI and of Python; none may crash or hang.

    python tests_py/fuzz.py capi --seconds 60
    python tests_py/fuzz.py python --seconds 60
    python tests_py/plan_examples.py FOLDER && PLAN_EXAMPLES=FOLDER python tests_py/fuzz.py plans --seconds 60

Any error is a right answer; only the end of the process, or a library that computes wrongly afterwards, is a
wrong one. The calls run in a child process that notes each call before it makes it, so that the last one is
known. scripts/fuzz runs both under the address sanitizer. The functions and their parameters are read from the
header and from the package: a new function is covered by itself.
"""

from __future__ import annotations

import argparse
import ctypes
import inspect
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

from fuzz_plans import Plans

HANG_SECONDS = 60  # for one call, with sanitizers on a busy machine
MEMORY = 4 << 30  # bytes of address space
CHECK_EVERY = 500  # calls between two checks that the library still computes

INTS = [0, 1, 2, 3, -1, -2, 4, 5, 7, 13, 64, -13, 2**31 - 1, -(2**31), 2**31, 2**40, 2**62]
INTS += [2**63 - 1, -(2**63), -(2**63) + 1]
LIKELY_INTS = [0, 1, 2, 3, -1, -2, 4, 5]
REALS = [0.0, 1.0, -1.0, 0.5, 2.0, -0.0, 1e-30, 1e30, 1e300, -1e300, 5e-324]
REALS += [float("nan"), float("inf"), float("-inf"), 2.0**31, 2.0**63, 3.7]
SIZES = [(), (0,), (1,), (2,), (3,), (2, 3), (3, 2), (3, 3), (2, 0, 3), (1, 4), (4, 1), (2, 3, 4)]
SIZES += [(2, 3, 4, 4), (1, 2, 5, 5), (2, 2, 3, 3, 3), (1,) * 12, (16, 8), (8, 4, 3, 3), (17,)]
POOL, MOST_ELEMENTS = 60, 1 << 16


def pick(rng: random.Random, likely: list, all_of_them: list) -> Any:
    """Mostly something that a sane caller would pass, so that calls get past the first check."""
    return rng.choice(likely if rng.random() < 0.7 else all_of_them)


# ---- the C ABI ----------------------------------------------------------------------------------


class Native:
    """Calls of the functions that autograd.h declares, with arguments made from the types of their parameters."""

    # Functions that need true memory of the caller's, or change the process.
    LEFT_OUT = {
        "ag_tensor_from_blob",
        "ag_tensor_from_data",
        "ag_tensor_copy_out",
        "ag_tensor_free",
        "ag_set_interpreter_lock",
        "ag_recording_watch",
        "ag_python_module_calls",
        "ag_python_recording",
    }
    LEFT_OUT |= {
        "ag_follow_python_signals",
        "ag_location_follow_python",
        "ag_set_num_threads",
        "ag_memory_release",
        "ag_set_grad_enabled",
        "ag_vmap_begin",
        "ag_set_inference_mode",
        "ag_set_anomaly_detection",
        "ag_saved_hooks_push",
        "ag_op_register",
        "ag_op_register_once_differentiable",
        "ag_graph_assert",
    }
    # Of what else the library hands out, so many are kept; older ones are freed.
    KEPT = {
        "ag_node": 20,
        "ag_graph": 5,
        "ag_recording": 2,
        "ag_compiled": 3,
        "ag_function": 5,
        "ag_op": 0,
    }
    LEFT_OUT |= {f"{kind}_free" for kind in KEPT}
    ROOM = 4096  # entries of every array; counts stay far below it, or are beyond any memory
    COUNTS = [0, 1, 2, 3, 4, 6, 12, 13, 40, -1, -(2**63), 2**31, 2**62, 2**63 - 1]
    LIKELY_COUNTS = [0, 1, 2, 3, 4]

    def __init__(self, rng: random.Random) -> None:
        from autograd import _capi

        self.rng, self.capi = rng, _capi
        self.library = ctypes.CDLL(_capi.library_path)
        self.functions = [
            d for name, d in _capi.header.functions.items() if name not in self.LEFT_OUT
        ]
        for declaration in _capi.header.functions.values():
            result = declaration.result
            function = getattr(self.library, declaration.name)
            pointer = result.endswith("*") and result != "const char*"
            function.restype = ctypes.c_void_p if pointer else _capi._result_type(result)
            function.argtypes = None
        self.pool: list[int] = []
        self.handles: dict[str, list[int]] = {kind: [] for kind in self.KEPT}
        pointer, integer = ctypes.c_void_p, ctypes.c_int64
        hook = ctypes.CFUNCTYPE(ctypes.c_int32, pointer, pointer, pointer)
        rule = ctypes.CFUNCTYPE(
            ctypes.c_int32, pointer, pointer, pointer, integer, pointer, integer
        )
        leaf = ctypes.CFUNCTYPE(ctypes.c_int32, pointer, pointer)
        node_hook = ctypes.CFUNCTYPE(
            ctypes.c_int32, pointer, pointer, integer, pointer, integer, pointer
        )
        status = self.status
        self.callbacks = {
            "ag_hook": hook(lambda context, grad, out: status()),
            "ag_rule": rule(lambda context, node, grads, n, out, n_inputs: status()),
            "ag_leaf_hook": leaf(lambda context, leaf: status()),
            "ag_node_hook": node_hook(lambda context, into, n, out_of, n_out, out: status()),
            "ag_deleter": ctypes.CFUNCTYPE(None, pointer)(lambda context: None),
        }

    def status(self) -> int:
        """What a callback returns: mostly success."""
        return 0 if self.rng.random() < 0.8 else self.rng.choice(INTS[:8])

    def compiled(self, note: Callable[[str], None]) -> None:
        """The same few calls captured three times, which mostly makes a plan, and that plan run."""
        library, rng = self.library, self.rng
        step = ctypes.c_void_p(
            library.ag_compiled_create(
                *map(ctypes.c_int64, (2, 3)), *map(ctypes.c_int32, (rng.randrange(2), 1))
            )
        )
        calls = []
        while len(calls) < rng.choice([1, 2, 3, 5]):
            declaration = rng.choice(self.functions)
            if declaration.result == "ag_tensor*" and "ag_compiled" not in declaration.name:
                calls.append(
                    (declaration, [self.argument(c, n, []) for c, n in declaration.parameters])
                )
        n = rng.choice([0, 1, 2, 3])
        inputs = (ctypes.c_void_p * self.ROOM)(*[rng.choice(self.pool) for _ in range(n)])
        count = ctypes.c_int64(n)
        for _ in range(3):
            library.ag_compiled_begin(step, inputs, count)
            results = []
            for declaration, arguments in calls:
                note(f"captured {declaration.name}({', '.join(map(self.show, arguments))})")
                result = getattr(library, declaration.name)(*arguments)
                results += [result] if result else []
            note("ag_compiled_end")
            outputs = (ctypes.c_void_p * self.ROOM)(*results)
            library.ag_compiled_end(step, outputs, ctypes.c_int64(len(results)))
            for result in results:
                library.ag_tensor_free(ctypes.c_void_p(result))
        note("ag_compiled_run")
        outputs = (ctypes.c_void_p * self.ROOM)()
        found = library.ag_compiled_run(step, inputs, count, outputs, ctypes.c_int64(self.ROOM))
        for result in outputs[: max(0, found)]:
            library.ag_tensor_free(ctypes.c_void_p(result))
        library.ag_compiled_free(step)

    def call(self, note: Callable[[str], None]) -> None:
        """One call of a random function."""
        self.refill()
        if self.rng.random() < 0.02:
            return self.compiled(note)
        declaration = self.rng.choice(self.functions)
        arguments, outputs = [], []
        for c_type, name in declaration.parameters:
            arguments.append(self.argument(c_type, name, outputs))
        shown = ", ".join(self.show(a) for a in arguments)
        note(f"{declaration.name}({shown})")
        before = [list(array) for array in outputs]
        result = getattr(self.library, declaration.name)(*arguments)
        for array, old in zip(outputs, before):
            for handle, was in zip(array, old):
                if handle and handle != was:
                    self.keep(handle)
        if declaration.result == "ag_tensor*" and result:
            self.keep(result)
        kind = declaration.result[:-1]
        if result and self.KEPT.get(kind):
            self.handles[kind].append(result)
            if len(self.handles[kind]) > self.KEPT[kind]:
                oldest = ctypes.c_void_p(self.handles[kind].pop(0))
                getattr(self.library, f"{kind}_free")(oldest)

    @staticmethod
    def show(argument: Any) -> str:
        value = getattr(argument, "value", argument)
        if isinstance(value, ctypes.Array):
            return str(list(value)[:8])
        return repr(value)

    def argument(self, c_type: str, name: str, outputs: list) -> Any:
        """A value for one parameter: honest about memory, about nothing else."""
        rng = self.rng
        if c_type in ("const ag_tensor*", "ag_tensor*"):
            return ctypes.c_void_p(rng.choice(self.pool) if rng.random() < 0.95 else None)
        kind = c_type.removeprefix("const ")[:-1]
        if c_type.endswith("*") and kind in self.handles:
            return ctypes.c_void_p(rng.choice([None, *self.handles[kind]]))
        if c_type == "double":
            return ctypes.c_double(pick(rng, REALS[:5], REALS))
        if c_type in self.callbacks:
            return self.callbacks[c_type] if rng.random() < 0.9 else ctypes.c_void_p(None)
        if c_type == "int32_t" or c_type.startswith("ag_"):
            if not c_type.endswith("*"):
                return ctypes.c_int32(pick(rng, [0, 1, 2, -1], [3, 5, 6, -2, 2**31 - 1, -(2**31)]))
        if c_type == "int64_t":
            counts = name[0] == "n" or name in ("capacity", "chunks", "sections", "count")
            if counts:
                return ctypes.c_int64(pick(rng, self.LIKELY_COUNTS, self.COUNTS))
            return ctypes.c_int64(pick(rng, LIKELY_INTS, INTS))
        if rng.random() < 0.05:
            return ctypes.c_void_p(None)
        return self.array(c_type, outputs)

    def array(self, c_type: str, outputs: list) -> Any:
        rng = self.rng
        if c_type in ("const ag_tensor* const*", "ag_tensor* const*"):
            pool = self.pool if rng.random() < 0.8 else [*self.pool, None]
            return (ctypes.c_void_p * self.ROOM)(*[rng.choice(pool) for _ in range(64)])
        if c_type == "ag_tensor**":
            array = (ctypes.c_void_p * self.ROOM)()
            outputs.append(array)
            return array
        if c_type == "const int64_t*":
            values = [pick(rng, LIKELY_INTS, INTS) for _ in range(16)]
            return (ctypes.c_int64 * self.ROOM)(*(values * 16))
        if c_type == "const double*":
            return (ctypes.c_double * self.ROOM)(*[pick(rng, REALS[:5], REALS) for _ in range(64)])
        if c_type == "const char*":
            return ctypes.c_char_p(
                rng.choice([b"", b"add", b"bij,bjk->bik", b"...i,i", b"\xff\x00", b"%s%n" * 40])
            )
        if c_type == "const char* const*":
            return (ctypes.c_char_p * self.ROOM)(
                *[rng.choice([b"w", b"", b'"<&>\n', b"x" * 500]) for _ in range(64)]
            )
        return ctypes.create_string_buffer(self.ROOM * 8)  # buffers and plain outputs

    def keep(self, handle: int) -> None:
        """Adds a new tensor to the pool, in place of an old one."""
        if self.library.ag_tensor_numel(ctypes.c_void_p(handle)) > MOST_ELEMENTS:
            self.library.ag_tensor_free(ctypes.c_void_p(handle))
            return
        if len(self.pool) >= POOL:
            place = self.rng.randrange(len(self.pool))
            self.library.ag_tensor_free(ctypes.c_void_p(self.pool[place]))
            self.pool[place] = handle
        else:
            self.pool.append(handle)

    def refill(self) -> None:
        """Keeps fresh tensors coming: all dtypes, some that require grad."""
        while len(self.pool) < POOL // 2 or self.rng.random() < 0.2:
            sizes = self.rng.choice(SIZES)
            array = (ctypes.c_int64 * 12)(*sizes)
            kind = self.rng.choice([0, 0, 0, 1, 2, 3, 3, 4, 5])
            make = self.rng.choice(["ag_ones", "ag_zeros", "ag_rand", "ag_randn"])
            make = make if kind < 2 else "ag_ones"
            handle = getattr(self.library, make)(
                array, ctypes.c_int64(len(sizes)), ctypes.c_int32(kind)
            )
            assert handle, "a plain tensor could not be made"
            if kind < 2 and self.rng.random() < 0.5:
                self.library.ag_tensor_set_requires_grad(ctypes.c_void_p(handle), 1)
            self.keep(handle)

    def check(self) -> None:
        """The library still computes, once no call is captured any more: 1 + 1 = 2."""
        for handle in self.handles["ag_compiled"]:
            self.library.ag_compiled_cancel(ctypes.c_void_p(handle))
        one = (ctypes.c_int64 * 1)(1)
        x = ctypes.c_void_p(self.library.ag_ones(one, ctypes.c_int64(1), ctypes.c_int32(0)))
        y = ctypes.c_void_p(self.library.ag_add(x, x))
        value = ctypes.c_double()
        assert self.library.ag_tensor_item_double(y, ctypes.byref(value)) == 0
        assert value.value == 2.0
        for handle in (x, y):
            self.library.ag_tensor_free(handle)


# ---- Python -------------------------------------------------------------------------------------


class Package:
    """Calls of the public functions, methods and classes of the package with arguments of any kind."""

    # What changes the process, reads or writes files, or runs for long by its purpose.
    LEFT_OUT = {"set_num_threads", "set_default_dtype", "save", "load", "seed", "release_memory"}
    LEFT_OUT |= {"share_memory_", "save_file", "load_file", "set_printoptions"}
    # Parameters that are mostly given a tensor.
    TENSORS = set("input self other target weight bias x tensor src index mask condition".split())
    TENSORS |= set("source mat1 mat2 vec query key value".split())

    def __init__(self, rng: random.Random) -> None:
        import autograd as ag

        self.rng, self.ag = rng, ag
        self.targets: list[tuple[str, Any]] = []
        places = [("ag", ag), ("F", ag.nn.functional), ("nn", ag.nn), ("optim", ag.optim)]
        for name in (
            "linalg",
            "distributions",
            "nn.init",
            "nn.utils",
            "optim.lr_scheduler",
            "utils.data",
        ):
            place: Any = ag
            for part in name.split("."):
                place = getattr(place, part, None)
            places += [(name, place)] if place is not None else []
        for name, place in places:
            for attribute in getattr(place, "__all__", dir(place)):
                value = getattr(place, attribute)
                if callable(value) and attribute not in self.LEFT_OUT and attribute[0] != "_":
                    self.targets.append((f"{name}.{attribute}", value))
        for attribute in dir(ag.Tensor):
            value = getattr(ag.Tensor, attribute)
            special = attribute.startswith("__") and attribute not in (
                "__getitem__ __setitem__ __add__ __sub__ __mul__ __truediv__ __pow__ __matmul__ "
                "__and__ __floordiv__ __mod__ __lshift__ __iadd__ __imul__ __eq__ __contains__".split()
            )
            if callable(value) and not special and attribute not in self.LEFT_OUT:
                self.targets += [(f"Tensor.{attribute}", value)] * (1 + 9 * ("item__" in attribute))
        self.pool: list[Any] = []

    def call(self, note: Callable[[str], None]) -> None:
        """One call of a random function; any Exception but SystemError is a right answer."""
        self.refill()
        name, target = self.rng.choice(self.targets)
        positional, named = self.arguments(name, target)
        shown = [self.show(a) for a in positional] + [
            f"{k}={self.show(v)}" for k, v in named.items()
        ]
        note(f"{name}({', '.join(shown)})"[:2000])
        try:
            result = target(*positional, **named)
            if name.startswith("nn.") and callable(result):
                inputs = [self.tensor() for _ in range(self.rng.choice([1, 1, 2, 3]))]
                note(f"{name}({', '.join(shown)})({', '.join(map(self.show, inputs))})"[:2000])
                result = result(*inputs)
            if name.startswith("optim.") and hasattr(result, "step"):
                result.step()
            if name.startswith("distributions.") and hasattr(result, "log_prob"):
                result.log_prob(result.sample((2,)))
            self.keep(result)
        except SystemError:
            raise
        except Exception:  # noqa: BLE001 - that is the point
            pass

    def show(self, value: Any) -> str:
        if isinstance(value, self.ag.Tensor):
            return f"{value.dtype}{list(value.shape)}{'g' * value.requires_grad}"
        if isinstance(value, (list, tuple)):
            inside = ", ".join(map(self.show, value))
            return f"[{inside}]" if isinstance(value, list) else f"({inside},)"
        return repr(value)[:80]

    def arguments(self, name: str, target: Any) -> tuple[list, dict]:
        """Arguments in number and names as the signature says, mostly."""
        rng = self.rng
        try:
            parameters = list(inspect.signature(target).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        positional: list = []
        named: dict[str, Any] = {}
        for parameter in parameters:
            if parameter.kind == parameter.VAR_POSITIONAL:
                positional += [self.value(parameter.name) for _ in range(rng.choice([0, 1, 2]))]
            elif parameter.kind == parameter.VAR_KEYWORD:
                continue
            elif parameter.kind == parameter.KEYWORD_ONLY or named:
                if rng.random() < 0.4:
                    named[parameter.name] = self.value(parameter.name)
            elif parameter.default is not parameter.empty and rng.random() < 0.5:
                if rng.random() < 0.3:
                    break
                named[parameter.name] = self.value(parameter.name)
            else:
                positional.append(self.value(parameter.name))
        if name.startswith("Tensor."):
            positional[:1] = [self.tensor()]
        return positional, named

    def tensor(self) -> Any:
        return self.rng.choice(self.pool)

    def value(self, name: str, depth: int = 0) -> Any:
        """Anything at all, but tensors where a parameter's name says tensor."""
        rng = self.rng
        wants_tensor = name in self.TENSORS
        if wants_tensor and rng.random() < 0.8:
            return self.tensor()
        kind = rng.randrange(14 if depth < 2 else 9)
        if kind <= 1:
            return pick(rng, LIKELY_INTS, INTS)
        if kind == 2:
            return pick(rng, REALS[:5], REALS)
        if kind == 3:
            return self.tensor()
        if kind == 4:
            return rng.choice([None, True, False, Ellipsis])
        if kind == 5:
            return rng.choice(
                ["mean", "sum", "none", "same", "reflect", "ij,jk->ik", "", "x\0y", "bilinear"]
            )
        if kind == 6:
            ends = [None, 0, 1, -1, 2**63, "a"]
            return slice(rng.choice(ends), rng.choice(ends), rng.choice([None, 1, 2, -1, 0]))
        if kind == 7:
            return rng.choice(
                [self.ag.float32, self.ag.float64, self.ag.int64, self.ag.bool, object(), 2**70]
            )
        if kind == 8:
            return rng.choice([lambda *a, **k: None, b"bytes", 1j, {}, set(), range(3)])
        items = [self.value("", depth + 1) for _ in range(rng.choice([0, 1, 2, 2, 3, 4]))]
        if kind == 9:
            items = [self.tensor() for _ in items]
        elif kind in (10, 11):
            items = [pick(rng, LIKELY_INTS, INTS) for _ in items]
        return items if rng.random() < 0.5 else tuple(items)

    def keep(self, result: Any) -> None:
        for one in result if isinstance(result, tuple) else (result,):
            if isinstance(one, self.ag.Tensor) and one.numel() <= MOST_ELEMENTS:
                self.pool[self.rng.randrange(len(self.pool))] = one

    def refill(self) -> None:
        rng, ag = self.rng, self.ag
        kinds = [ag.float32, ag.float32, ag.float64, ag.int64, ag.int32, ag.uint8, ag.bool]
        while len(self.pool) < POOL or rng.random() < 0.3:
            kind = rng.choice(kinds)
            tensor = (ag.rand(rng.choice(SIZES)) * 4).to(kind)
            if tensor.is_floating_point() and rng.random() < 0.4:
                tensor = tensor.detach().requires_grad_()
            if len(self.pool) < POOL:
                self.pool.append(tensor)
            else:
                self.pool[rng.randrange(POOL)] = tensor

    def check(self) -> None:
        """The library still computes: d(x * x)/dx = 2 x."""
        ag = self.ag
        ag.set_grad_enabled(True)
        x = ag.tensor([3.0], requires_grad=True)
        (x * x).sum().backward()
        assert x.grad.item() == 6.0


# ---- the child that calls, and the parent that watches ------------------------------------------

TARGETS = {"capi": Native, "python": Package, "plans": Plans}


def child(target: str, seed: int, seconds: float, most: int, log: str) -> None:
    """Calls until the time is over or the calls are made; the last call stands in the log."""
    warnings.simplefilter("ignore")
    if "libasan" not in os.environ.get("LD_PRELOAD", ""):  # the sanitizer has a limit of its own
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    rng = random.Random(seed)
    calls, end = 0, time.monotonic() + seconds
    fuzzer = TARGETS[target](rng)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT, 0o600)

    def note(text: str) -> None:
        data = f"call {calls}: {text}\n".encode("utf-8", "replace")
        os.pwrite(descriptor, data, 0)
        os.ftruncate(descriptor, len(data))

    while time.monotonic() < end and calls < most:
        signal.alarm(HANG_SECONDS)
        fuzzer.call(note)
        calls += 1
        if calls % CHECK_EVERY == 0:
            fuzzer.check()
    report = getattr(fuzzer, "report", lambda: "")()
    print(
        f"{target}: {calls} calls of {len(getattr(fuzzer, 'functions', None) or fuzzer.targets)} functions, seed {seed}"
        + (f": {report}" if report else "")
    )


def watch(target: str, seed: int, options: argparse.Namespace) -> int:
    """Runs a target in a process of its own: 0, or 1 and what is known of the call that ended it."""
    most = options.calls
    if target == "plans":
        most //= 8  # each is a file that is written, loaded and run
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "last_call")
        command = [sys.executable, os.path.abspath(__file__), target, "--child", log]
        command += ["--seed", str(seed), "--seconds", str(options.seconds), "--calls", str(most)]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace")
        status = done.returncode
        if status == 0:
            return 0
        # The sanitizer also reports every allocation that it refuses, which is no fault.
        lines = [x for x in done.stderr.splitlines() if "failed to allocate" not in x]
        print("\n".join(lines), file=sys.stderr)
        last = (
            open(log, encoding="utf-8", errors="replace").read() if os.path.exists(log) else "none"
        )
    print(f"fuzz: the process ended with status {status}, seed {seed}, in\n{last}", file=sys.stderr)
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="+", choices=TARGETS, help="run side by side")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--calls", type=int, default=1 << 62, help="end after so many calls")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--child", metavar="LOG", help=argparse.SUPPRESS)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 30) if options.seed is None else options.seed
    if options.child:
        child(options.targets[0], seed, options.seconds, options.calls, options.child)
        return 0
    with ThreadPoolExecutor() as pool:
        return max(pool.map(lambda target: watch(target, seed, options), options.targets))


if __name__ == "__main__":
    sys.exit(main())
