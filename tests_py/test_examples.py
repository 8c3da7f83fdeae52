"""The Python example and the seed benchmark run as the README says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import autograd

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments, cwd):
    """The finished program; it imports the package that is tested, wherever that is."""
    place = str(Path(autograd.__file__).resolve().parent.parent)
    environment = {**os.environ, "PYTHONPATH": place}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=300
    )


def test_python_example_learns(tmp_path):
    result = run(ROOT / "examples" / "train_mlp.py", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "name", ["digits_cnn", "char_lstm", "tiny_transformer", "pinn", "autoencoder"]
)
def test_examples_train_as_with_torch(name, tmp_path):
    """From equal weights both libraries see equal losses."""
    pytest.importorskip("torch")
    result = run(ROOT / "examples" / f"{name}.py", "--compare", "--steps", "6", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "largest relative difference" in result.stdout


def test_examples_report(tmp_path):
    for switch in ([], ["--torch"]):
        result = run(ROOT / "examples" / "pinn.py", *switch, "--steps", "5", cwd=tmp_path)
        assert result.returncode == 0, result.stdout + result.stderr
        assert "largest error of u" in result.stdout


def test_seed_benchmark_sides_agree(tmp_path):
    pytest.importorskip("torch")
    script = ROOT / "bench" / "seed_step.py"
    result = run(script, "--rounds", "1", "--steps", "5", "--json", "r.json", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert max(report["relative_differences"].values()) < 1e-4
    assert report["results"][0]["name"] == "autograd, Python"
