"""The main job: it learns, draws, and answers a beginner's mistakes with a sentence."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest


def demo(*arguments, cwd):
    command = [sys.executable, "-m", "autograd.demo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return demo(cwd=folder), folder / "autograd-demo"


def test_reads_held_out_digits(finished):
    run, _ = finished
    assert run.returncode == 0, run.stderr
    line = next(line for line in run.stdout.splitlines() if line.startswith("test accuracy"))
    assert float(line.split()[2]) >= 0.95
    assert "us a step" in run.stdout


def test_progress_stays_short_in_a_file(finished):
    run, _ = finished
    lines = [line for line in run.stdout.splitlines() if line.startswith("epoch")]
    assert 1 <= len(lines) <= 11 and "\r" not in run.stdout


def test_pictures_are_well_formed(finished):
    _, out = finished
    curves = ElementTree.parse(out / "curves.svg").getroot()
    assert len(curves.findall("{*}polyline")) == 3
    assert (out / "graph.dot").read_text().lstrip().startswith("digraph")
    ElementTree.parse(out / "graph.svg")


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["--epochs", "0"], "--epochs: must be at least 1"),
        (["--epochs", "many"], "--epochs: invalid whole number"),
        (["--lr", "-1"], "--lr: must be a number above 0"),
        (["--lr", "nan"], "--lr: must be a number above 0"),
        (["--batch-size", "0"], "--batch-size: must be at least 1"),
        (["--hidden", "-3"], "--hidden: must be at least 1"),
        (["--lr", "1e30"], "smaller --lr"),
    ],
)
def test_bad_numbers_are_explained(arguments, text, tmp_path):
    run = demo(*arguments, cwd=tmp_path)
    assert run.returncode != 0
    assert text in run.stderr and "Traceback" not in run.stderr


def test_output_that_cannot_be_written_is_explained(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    run = demo("--out", "file", cwd=tmp_path)
    assert run.returncode == 1
    assert "cannot write to file" in run.stderr and "--out" in run.stderr


def test_small_settings_work(tmp_path):
    run = demo("--epochs", "1", "--batch-size", "5000", "--hidden", "1", "--out", "x", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "x" / "curves.svg").exists()
