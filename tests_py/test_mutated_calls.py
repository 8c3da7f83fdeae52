"""Bad calls of every op, made from good ones: what PyTorch makes of them, or a difference that is meant."""

import pytest
from call_differences import PYTORCH_CRASHES, difference, reason
from mutated_calls import bad_calls, good_calls, outcome_of

import autograd as ag

CALLS = good_calls()
# The last two are PyTorch's: group_norm divides by its number of groups, embedding asserts that it has its padding row.
CLEAR = (
    *(TypeError, ValueError, RuntimeError, IndexError, OverflowError),
    *(ZeroDivisionError, AssertionError),
)


def test_there_are_many():
    assert len(CALLS) > 500


@pytest.mark.parametrize("path", CALLS)
def test_bad_calls_have_clear_errors(path):
    unclear = set()
    for good in CALLS[path]:
        for call in bad_calls(good):
            error = outcome_of(ag, call)
            if isinstance(error, Exception) and not isinstance(error, CLEAR):
                unclear.add(f"{call}: {error!r}")
    assert not unclear, "\n".join(sorted(unclear)[:10])


@pytest.mark.parametrize("path", [path for path in CALLS if path not in PYTORCH_CRASHES])
def test_bad_calls_end_as_pytorchs_do(path):
    differing = []
    for good in CALLS[path]:
        for call in bad_calls(good):
            found = difference(call)
            if found and reason(call, *found) is None:
                differing.append(f"{call}: {found[0]} | PyTorch: {found[1]}")
    assert not differing, "\n".join(differing[:10])
