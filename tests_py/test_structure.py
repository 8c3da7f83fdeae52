"""The map of the house holds: who includes whom, what is exported, and that no op is half added."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
POINTWISE = "ops/pointwise.def"
GENERATED = "python_functions.inc"  # the names of the functions of autograd.h

# Which rooms the files of a room may include besides the room itself. pointwise.def is a table, not
# code: rooms below ops that are made from it may read it.
PUBLIC = "include"
MAY_INCLUDE = {
    PUBLIC: set(),
    "lib/kernels": {PUBLIC, POINTWISE},
    "lib/core": {PUBLIC, "lib/kernels"},
    "lib/ops": {PUBLIC, POINTWISE, "lib/kernels", "lib/core"},
    "lib/graph": {PUBLIC, "lib/core", "lib/ops", "lib/optim"},
    "lib/optim": {PUBLIC, "lib/kernels", "lib/core", "lib/ops"},
    "capi": {PUBLIC, POINTWISE},
}
# Kernels see element types and nothing of tensors.
KERNELS_SEE = {"autograd/dtype.hpp"}


def sources(folder: str, *suffixes: str) -> list[Path]:
    return sorted(p for p in (ROOT / folder).rglob("*") if p.suffix in suffixes)


def includes(path: Path) -> list[tuple[int, str]]:
    """Line and name of everything a file includes, system headers left out."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if not match:
            continue
        quoted, name = match.group(1) == '"', match.group(2)
        if quoted and "/" not in name:
            name = POINTWISE if name == Path(POINTWISE).name else name
            beside = (path.parent / name).exists() or name == GENERATED
            found += [] if beside else [(number, name)]
        elif "/" in name and not name.startswith(("hwy/", "sys/")):
            found.append((number, name))
    return found


def room_of(name: str) -> str:
    if name == POINTWISE:
        return POINTWISE
    return PUBLIC if name.startswith("autograd/") else "lib/" + name.split("/")[0]


@pytest.mark.parametrize("room", MAY_INCLUDE)
def test_includes_only_go_down(room):
    faults = []
    for path in sources(room, ".h", ".hpp", ".cpp", ".def"):
        for line, name in includes(path):
            target = room_of(name)
            allowed = target == room or target in MAY_INCLUDE[room]
            if room == "lib/kernels" and target == PUBLIC:
                allowed = name in KERNELS_SEE
            if not allowed:
                faults.append(f"{path.relative_to(ROOT)}:{line} includes {name}")
    assert not faults, f"{room} may include only {sorted(MAY_INCLUDE[room])}:\n" + "\n".join(faults)


def test_every_folder_of_the_library_is_a_known_room():
    folders = {f"lib/{p.name}" for p in (ROOT / "lib").iterdir() if p.is_dir()}
    assert folders <= set(MAY_INCLUDE), "a new room needs its rule in MAY_INCLUDE"


def test_python_package_imports_nothing_but_the_standard_library():
    faults = []
    for path in sources("python/autograd", ".py"):
        for node in module_level(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            known = (*sys.stdlib_module_names, "autograd")
            faults += [f"{path.name}: {n}" for n in names if n.split(".")[0] not in known]
    assert not faults, faults


def module_level(tree: ast.AST):
    """Nodes that run on import: all but the bodies of functions and of `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from module_level(child)


def test_library_exports_the_c_abi_and_nothing_else():
    # Imported here only: the other tests have to work while the package cannot be imported.
    from autograd import _capi

    nm = shutil.which("nm")
    if not nm:
        pytest.skip("nm is not installed")
    command = [nm, "-D", "--defined-only", "--format=posix", _capi.library_path]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    exported = {line.split()[0] for line in listing.splitlines()}
    declared = set(_capi.header.functions)
    assert exported - declared == set(), "exported, but not declared in autograd.h"
    assert declared - exported == set(), "declared in autograd.h, but not exported"


def test_long_files_say_why():
    """A file over 600 lines is split, or a line near its top says why not: "over 600 lines: ..."."""
    faults = []
    for folder in (
        "include",
        "lib",
        "capi",
        "python",
        "tests_cpp",
        "tests_py",
        "bench",
        "examples",
    ):
        for path in sources(folder, ".c", ".h", ".hpp", ".cpp", ".def", ".py"):
            lines = path.read_text(encoding="utf-8").splitlines()
            if len(lines) > 600 and not any(
                "over 600 lines:" in line.lower() for line in lines[:40]
            ):
                faults.append(f"{path.relative_to(ROOT)}: {len(lines)} lines")
    assert not faults, faults


def test_no_file_name_says_nothing():
    empty = {"utils", "helpers", "common", "manager", "impl", "misc"}
    kinds = (".c", ".h", ".hpp", ".cpp", ".py")
    files = [p for folder in ("include", "lib", "capi", "python") for p in sources(folder, *kinds)]
    # nn.utils and utils.data are PyTorch's own module names.
    assert not [p for p in files if p.stem in empty and p.parent.name != "nn"]


# ---- an op is in all its five places

# The row `copy` is what clone, contiguous and copy_ run.
PUBLIC_NAMES = {"copy": "clone"}


def pointwise_rows() -> list[str]:
    text = (ROOT / "lib" / POINTWISE).read_text(encoding="utf-8")
    kinds = set(re.findall(r"(?m)^#define ([A-Z_]+)\(", text))
    return re.findall(rf"(?m)^(?:{'|'.join(kinds)})\((\w+),", text)


@pytest.mark.parametrize("row", pointwise_rows())
def test_pointwise_op_is_complete(row):
    name = PUBLIC_NAMES.get(row, row)
    cpp = texts(sources("include/autograd", ".hpp"))
    c = (ROOT / "capi/autograd.h").read_text(encoding="utf-8")
    python = texts(sources("python/autograd/ops", ".py"))
    table = texts(op_tables())
    forgotten = []
    if not re.search(rf"\bTensor {name}\(", cpp):
        forgotten.append(f"include/autograd/pointwise.hpp: Tensor {name}(...);")
    if not re.search(rf"\bag_{name}\(", c):
        forgotten.append(f"capi/autograd.h: AG_API ag_tensor* ag_{name}(...);")
    if not re.search(rf"(?m)^(def {name}\(|(_plain_)?{name} = )", python):
        forgotten.append(
            f'python/autograd/ops/pointwise.py: {name} = unary("{name}", ...) or its like'
        )
    if not re.search(rf"""["']{name}["']""", table):
        forgotten.append(f"tests_py/op_rows/pointwise.py: the row of {name}")
    assert not forgotten, f"the row {row} of {POINTWISE} lacks:\n" + "\n".join(forgotten)


def texts(files: list[Path]) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in files)


def op_tables() -> list[Path]:
    found = sources("tests_py/op_rows", ".py")
    assert found, "tests_py/op_rows holds no table of ops"
    return found


def test_stubs_are_what_the_package_holds():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "stubs", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
