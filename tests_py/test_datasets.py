"""The digits are the known ones, their split is repeatable, and a damaged file is found."""

import gzip

import pytest

import autograd as ag
from autograd import datasets

COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def count(target):
    values = target.tolist()
    return [values.count(digit) for digit in range(10)]


def test_digits_are_the_known_ones():
    data, target = datasets.load_digits()
    assert data.shape == (1797, 64) and data.dtype == ag.float32
    assert target.shape == (1797,) and target.dtype == ag.int64
    assert count(target) == COUNTS
    assert [round(16 * v) for v in data[0][:8].tolist()] == [0, 0, 5, 13, 9, 1, 0, 0]
    assert data.min().item() == 0 and data.max().item() == 1
    assert target[:10].tolist() == list(range(10))


def test_digits_agree_with_the_pixel_sum_of_the_source():
    data, _ = datasets.load_digits()
    assert round(16 * data.to(ag.float64).sum().item()) == 561718


def test_split_holds_out_a_third_of_every_digit():
    train, test = datasets.load_digits().split()
    assert count(test.target) == [round(n / 3) for n in COUNTS]
    assert [a + b for a, b in zip(count(train.target), count(test.target))] == COUNTS


def test_split_is_repeatable_and_depends_on_the_seed():
    digits = datasets.load_digits()
    first, second, other = digits.split(seed=1), digits.split(seed=1), digits.split(seed=2)
    assert first[1].data.tolist() == second[1].data.tolist()
    assert first[1].data.tolist() != other[1].data.tolist()


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 2])
def test_split_refuses_a_fraction_that_leaves_a_part_empty(fraction):
    with pytest.raises(ValueError, match="between 0 and 1"):
        datasets.load_digits().split(test_fraction=fraction)


def broken_files():
    whole = datasets._DIGITS.read_bytes()
    raw = gzip.decompress(whole)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    yield "cut", whole[: len(whole) // 2]
    yield "one bit flipped", bytes(flipped)
    yield "empty", b""
    yield "other content", gzip.compress(b"hello")
    yield "pixel out of range", gzip.compress(b"\x20" + raw[1:])


@pytest.mark.parametrize("content", [pytest.param(c, id=name) for name, c in broken_files()])
def test_damaged_file_is_found(content, tmp_path, monkeypatch):
    path = tmp_path / "digits.bin.gz"
    path.write_bytes(content)
    monkeypatch.setattr(datasets, "_DIGITS", path)
    with pytest.raises(RuntimeError, match="digits.bin.gz.*reinstall the package"):
        datasets.load_digits()


def test_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "_DIGITS", tmp_path / "gone.bin.gz")
    with pytest.raises(RuntimeError, match="gone.bin.gz"):
        datasets.load_digits()
