"""What the examples share: training with this library or with PyTorch, and both side by side.

    python examples/NAME.py             trains with autograd
    python examples/NAME.py --torch     trains with PyTorch: the same lines, another import
    python examples/NAME.py --compare   trains both from the same weights and compares their losses

An example is a function make(ag) that gets one of the two libraries and returns a Task.
"""

import argparse
import sys
import time


class Task:
    """A model, the loss of a training step, and a report: (text, whether the result is good) after training."""

    def __init__(self, model, loss_of, report):
        self.model, self.loss_of, self.report = model, loss_of, report


def train(ag, task, steps, lr, every=0):
    """Trains with Adam; returns the losses and the seconds per step."""
    optimizer = ag.optim.Adam(task.model.parameters(), lr=lr)
    losses = []
    start = time.perf_counter()
    for step in range(steps):
        loss = task.loss_of(step)
        optimizer.zero_grad()
        loss.backward()
        ag.nn.utils.clip_grad_norm_(task.model.parameters(), 10.0)
        optimizer.step()
        losses.append(loss.item())
        if every and (step + 1) % every == 0:
            print(f"step {step + 1}: loss {losses[-1]:.4f}", flush=True)
    return losses, (time.perf_counter() - start) / steps


def compare(make, steps, lr, tolerance):
    """Trains both libraries from the same weights; True if their losses agree."""
    import torch

    import autograd

    torch.set_num_threads(1)
    autograd.set_num_threads(1)
    ours, theirs = make(autograd), make(torch)
    state = {name: torch.tensor(t.tolist()) for name, t in ours.model.state_dict().items()}
    theirs.model.load_state_dict(state)
    our_losses, our_time = train(autograd, ours, steps, lr)
    their_losses, their_time = train(torch, theirs, steps, lr)
    worst = max(abs(a - b) / max(1e-3, abs(b)) for a, b in zip(our_losses, their_losses))
    print(f"{steps} steps: loss {our_losses[0]:.6f} -> {our_losses[-1]:.6f}")
    print(f"largest relative difference of the losses {worst:.1e}, allowed {tolerance:.1e}")
    print(f"autograd {our_time * 1e6:.0f} us a step, PyTorch {their_time * 1e6:.0f} us a step")
    return worst <= tolerance


def main(make, steps, lr, tolerance=1e-3):
    """Runs an example as the command line says; the exit status is 0 if its result is good."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--torch", action="store_true", help="train with PyTorch")
    parser.add_argument("--compare", action="store_true", help="train both, compare the losses")
    parser.add_argument("--steps", type=int, help="training steps")
    options = parser.parse_args()
    if options.compare:
        sys.exit(0 if compare(make, options.steps or 30, lr, tolerance) else 1)
    if options.torch:
        import torch as ag

        ag.set_num_threads(1)  # small work, and the other side uses one, too
    else:
        import autograd as ag
    ag.manual_seed(0)
    task = make(ag)
    _, seconds = train(ag, task, options.steps or steps, lr, every=max(1, steps // 5))
    text, good = task.report()
    print(f"{text}; {seconds * 1e6:.0f} us a step")
    sys.exit(0 if good or options.steps else 1)
