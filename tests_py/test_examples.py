"""The Python example and the seed benchmark run as the README says."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import autograd

ROOT = Path(__file__).resolve().parent.parent


def test_python_example_learns(tmp_path):
    """As a program of its own; it imports the package that is tested, wherever that is."""
    place = str(Path(autograd.__file__).resolve().parent.parent)
    result = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "train_mlp.py")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": place},
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Runs a script as Python would in an empty folder, but here, where PyTorch is loaded already: what it printed."""

    def of(script, *arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(str(script.parent))
        monkeypatch.setattr(sys, "argv", [str(script), *arguments])
        threads = [(lib, lib.get_num_threads()) for lib in (torch, autograd)]
        try:
            with pytest.raises(SystemExit) as end:
                runpy.run_path(str(script), run_name="__main__")
        finally:
            for lib, count in threads:
                lib.set_num_threads(count)
        printed = capfd.readouterr()
        assert end.value.code == 0, printed.out + printed.err
        return printed.out

    return of


@pytest.mark.parametrize(
    "name", ["digits_cnn", "char_lstm", "tiny_transformer", "pinn", "autoencoder"]
)
def test_examples_train_as_with_torch(name, run):
    """From equal weights both libraries see equal losses."""
    printed = run(ROOT / "examples" / f"{name}.py", "--compare", "--steps", "6")
    assert "largest relative difference" in printed


def test_examples_report(run):
    for switch in ([], ["--torch"]):
        printed = run(ROOT / "examples" / "pinn.py", *switch, "--steps", "5")
        assert "largest error of u" in printed


def test_seed_benchmark_sides_agree(run, tmp_path):
    run(ROOT / "bench" / "seed_step.py", "--rounds", "1", "--steps", "5", "--json", "r.json")
    report = json.loads((tmp_path / "r.json").read_text())
    assert max(report["relative_differences"].values()) < 1e-4
    assert report["results"][0]["name"] == "autograd, Python"
