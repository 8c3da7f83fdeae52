"""Every Python from 3.9 to 3.13 that this machine has can train with nothing else installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import autograd
from autograd import _capi

VERSIONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import autograd as ag
assert "numpy" not in sys.modules and "torch" not in sys.modules
model = ag.nn.Sequential(ag.nn.Linear(2, 8), ag.nn.Tanh(), ag.nn.Linear(8, 2))
optimizer = ag.optim.SGD(model.parameters(), lr=0.5)
x = ag.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
target = ag.tensor([0, 1, 1, 1])
losses = []
for _ in range(100):
    loss = ag.nn.functional.cross_entropy(model(x), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
assert losses[-1] < 0.5 * losses[0], losses
train, test = ag.datasets.load_digits().split()
assert (train.data.shape[0], test.data.shape[0]) == (1198, 599)

rows = ag.tensor([1, 3])
assert x[rows].shape == (2, 2) and x[x > 0.5].shape == (4,) and x[rows, 1].tolist() == [1, 1]
y = x.clone()
y[y > 0.5] = 3.0
y[rows] = 0.0
assert y.tolist() == [[0, 0], [0, 0], [3, 0], [0, 0]]
assert ag.einsum("ij,ik->jk", x, x).shape == (2, 2) and ag.stack([x, x]).sort(1)[0].shape == (2, 4, 2)
pack, pad = ag.nn.utils.rnn.pack_sequence, ag.nn.utils.rnn.pad_packed_sequence
packed, _ = ag.nn.LSTM(2, 3)(pack([x, x[:2]]))
assert pad(packed)[0].shape == (4, 2, 3)
assert ag.distributions.Beta(2.0, 3.0).rsample((5,)).max() < 1

@ag.compile
def step(x):
    loss = 0.01 * model(x).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss

assert step(x).item() > step(x).item() > step(x).item()
with ag.graph.record() as graph:
    model(x)
assert "tanh" in [op.op for op in graph.ops] and "<svg" in graph.svg()
print("trained on", sys.version.split()[0])
"""


def find_python(version: str) -> str | None:
    """A working interpreter of that version: from PATH, or one of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [shutil.which(f"python{version}")]
    found += sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python{version}")))
    for candidate in filter(None, found):
        # pyenv's shims stand on PATH for versions that are not switched on, too.
        probe = subprocess.run([candidate, "-c", "import ctypes"], capture_output=True)
        if probe.returncode == 0:
            return candidate
    return None


@pytest.mark.parametrize("version", VERSIONS)
def test_bare_python_can_train(version, tmp_path):
    python = find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    # The package stands alone in its folder: what else is installed is out of reach.
    (tmp_path / "autograd").symlink_to(Path(autograd.__file__).parent, target_is_directory=True)
    environment = {"AUTOGRAD_LIBRARY": _capi.library_path, "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(
        [python, "-S", "-c", PROGRAM, str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(f"trained on {version}")
