"""The Python example and the seed benchmark run as the README says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, timeout=300
    )


def test_python_example_learns(tmp_path):
    result = run(ROOT / "examples" / "train_mlp.py", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_seed_benchmark_sides_agree(tmp_path):
    pytest.importorskip("torch")
    script = ROOT / "bench" / "seed_step.py"
    result = run(script, "--rounds", "1", "--steps", "5", "--json", "r.json", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert max(report["relative_differences"].values()) < 1e-4
    assert report["results"][0]["name"] == "autograd, Python"
