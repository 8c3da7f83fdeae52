"""A program may end while tensors with Python code in their graphs are alive: nothing crashes, nothing is printed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import autograd

PROGRAMS = {
    "functions": """
class F(ag.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return grad

y = F.apply(x)
kept = y.grad_fn
""",
    "hooks": """
y = x * 2
x.register_hook(lambda g: g)
y.register_hook(lambda g: g)
y.grad_fn.register_hook(lambda gi, go: None)
y.grad_fn.register_prehook(lambda go: None)
x.register_post_accumulate_grad_hook(lambda p: None)
""",
    "saved_values": """
hooks = ag.autograd.graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: t)
hooks.__enter__()
y = x.exp()
""",
    "checkpoint": """
from autograd.utils.checkpoint import checkpoint
y = checkpoint(lambda t: t.exp().sin(), x)
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_end_with_live_graphs(name):
    program = "import autograd as ag\nx = ag.ones(2, requires_grad=True)\n" + PROGRAMS[name]
    program += "import builtins\nbuiltins.kept_to_the_last = (x, y)\nmain_kept = [x, y]\n"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(autograd.__file__).resolve().parent.parent)},
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
