"""Memory stays flat over 100,000 training steps, as the process and as the allocator see it; where large blocks lie."""

import os
from pathlib import Path

import autograd as ag
from autograd import _capi

STEPS, WARMUP = 100_000, 2_000


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_training_does_not_grow():
    ag.manual_seed(0)
    model = ag.nn.Sequential(ag.nn.Linear(4, 16), ag.nn.ReLU(), ag.nn.Linear(16, 4))
    optimizer = ag.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    loss_of = ag.nn.CrossEntropyLoss()
    x, target = ag.randn(16, 4), ag.randint(0, 4, (16,))

    def train(steps: int) -> None:
        for _ in range(steps):
            loss = loss_of(model(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    train(WARMUP)
    resident, reserved = resident_bytes(), _capi.lib.ag_memory_reserved()
    allocated = _capi.lib.ag_memory_allocated()
    train(STEPS)
    assert _capi.lib.ag_memory_reserved() == reserved
    assert _capi.lib.ag_memory_allocated() == allocated
    # One leaked byte a step would be 0.1 MB; a page or two may still be touched for the first time.
    assert resident_bytes() - resident < 64 * 1024


def test_large_blocks_start_in_different_quarters_of_a_page():
    """Operands of one call don't meet in the same part of the memory; what starts late is freed where it began."""
    ag.release_memory()
    before = ag.memory_reserved()
    for sizes in [(1 << 20,), (1 << 20, 17), (1 << 20,)]:  # kept for later, and too large for that
        many = [ag.ones(sizes) for _ in range(8)]
        quarters = [t.data_ptr() % 4096 // 1024 for t in many]
        assert sorted(quarters) == [0, 0, 1, 1, 2, 2, 3, 3]
        assert all(bool((t[-1] == 1).all()) for t in many)
        del many
        ag.release_memory()
        assert ag.memory_reserved() - before < 1 << 16
