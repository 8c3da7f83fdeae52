"""The JAX side of bench/compare.py: the same workloads, whole steps in one jit, epochs in one lax.scan.

A process of its own, in an environment that has JAX: reads one command a line, answers one line of JSON.
Starting weights and batches come from the first line, so that both sides compute the same.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

import jax
import jax.numpy as jnp
from jax import lax


def linear(x, w, b=None):
    y = x @ w.T
    return y if b is None else y + b


def cross_entropy(logits, target):
    logs = jax.nn.log_softmax(logits, 1)
    if target.ndim == 1:
        return -jnp.take_along_axis(logs, target[:, None], 1).mean()
    return -(logs * target).sum(1).mean()


def seed(p, x, y):
    def layer(x):
        return linear(jax.nn.relu(linear(jax.nn.sigmoid(linear(x, p[0], p[1])), p[2], p[3])), p[4])

    return cross_entropy(layer(layer(x)), y)


def digits(p, x, y):
    return cross_entropy(linear(jax.nn.relu(linear(x, p[0], p[1])), p[2], p[3]), y)


def cnn(p, x, y):
    def conv(x, w, b, pad):
        return lax.conv_general_dilated(x, w, (1, 1), [(pad, pad)] * 2) + b[:, None, None]

    def pool(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    x = pool(jax.nn.relu(conv(x, p[0], p[1], 2)))
    x = pool(jax.nn.relu(conv(x, p[2], p[3], 0)))
    x = x.reshape(x.shape[0], -1)
    x = jax.nn.relu(linear(x, p[4], p[5]))
    x = jax.nn.relu(linear(x, p[6], p[7]))
    return cross_entropy(linear(x, p[8], p[9]), y)


def lstm(p, x, y):
    w_x, w_h, b_x, b_h, w, b = p
    inputs = linear(x, w_x, b_x + b_h)

    def cell(state, gates):
        h, c = state
        i, f, g, o = jnp.split(gates + h @ w_h.T, 4, 1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), None

    zero = jnp.zeros((x.shape[0], 32), x.dtype)
    (h, _), _ = lax.scan(cell, (zero, zero), inputs.transpose(1, 0, 2))
    return cross_entropy(linear(h, w, b), y)


def transformer(p, x, y):
    def norm(x, w, b):
        mean = x.mean(-1, keepdims=True)
        var = ((x - mean) ** 2).mean(-1, keepdims=True)
        return (x - mean) / jnp.sqrt(var + 1e-5) * w + b

    n, t, d = x.shape
    qkv = linear(norm(x, p[0], p[1]), p[2], p[3]).reshape(n, t, 3, 4, d // 4)
    q, k, v = qkv.transpose(2, 0, 3, 1, 4)
    scores = jax.nn.softmax(q @ k.swapaxes(-1, -2) / (d // 4) ** 0.5, -1)
    mixed = (scores @ v).swapaxes(1, 2).reshape(n, t, d)
    x = x + linear(mixed, p[4], p[5])
    inner = jax.nn.gelu(linear(norm(x, p[6], p[7]), p[8], p[9]), approximate=False)
    return ((x + linear(inner, p[10], p[11]) - y) ** 2).mean()


def pinn(p, x):
    def u(point):
        h = jnp.tanh(linear(point, p[0], p[1]))
        return linear(jnp.tanh(linear(h, p[2], p[3])), p[4], p[5])[0]

    second = jax.vmap(jax.grad(lambda q: jax.grad(u)(q)[0]))
    return ((second(x) + jnp.sin(x)) ** 2).mean()


def deep(p, x, y):
    for i in range(0, len(p), 2):
        x = jnp.tanh(linear(x, p[i], p[i + 1]))
    return ((x - y) ** 2).mean()


def sgd(lr, momentum=0.0):
    def start(p):
        return [jnp.zeros_like(w) for w in p] if momentum else []

    def update(p, g, s):
        if momentum:
            s = [momentum * b + d for b, d in zip(s, g)]
            g = s
        return [w - lr * d for w, d in zip(p, g)], s

    return start, update


def adam(lr, decay=0.0):
    def start(p):
        return (
            [jnp.zeros_like(w) for w in p],
            [jnp.zeros_like(w) for w in p],
            jnp.zeros((), jnp.float32),
        )

    def update(p, g, s):
        m, v, t = s
        t = t + 1
        m = [0.9 * a + 0.1 * d for a, d in zip(m, g)]
        v = [0.999 * a + 0.001 * d * d for a, d in zip(v, g)]
        size, root = lr / (1 - 0.9**t), jnp.sqrt(1 - 0.999**t)
        p = [
            w * (1 - lr * decay) - size * a / (jnp.sqrt(b) / root + 1e-8)
            for w, a, b in zip(p, m, v)
        ]
        return p, (m, v, t)

    return start, update


WORKLOADS = {
    "seed": (seed, sgd(0.05)),
    "digits": (digits, adam(1e-3)),
    "cnn": (cnn, sgd(0.01, 0.9)),
    "lstm": (lstm, adam(1e-3)),
    "transformer": (transformer, adam(1e-3, 0.01)),
    "pinn": (pinn, adam(1e-3)),
    "deep": (deep, sgd(0.01)),
}


class Side:
    """One workload with its compiled step and epoch."""

    def __init__(self, task: dict) -> None:
        loss_of, (start, update) = WORKLOADS[task["name"]]
        self.start = [jnp.array(w, jnp.float32) for w in task["parameters"]]
        self.batches = [
            jnp.array(d, jnp.int32 if isinstance(flat(d), int) else jnp.float32)
            for d in task["batches"]
        ]
        self.first_state = start(self.start)

        def step(p, s, *batch):
            loss, g = jax.value_and_grad(loss_of)(p, *batch)
            p, s = update(p, g, s)
            return p, s, loss

        def epoch(p, s, batches):
            def body(carry, batch):
                p, s, loss = step(*carry, *batch)
                return (p, s), loss

            (p, s), losses = lax.scan(body, (p, s), batches)
            return p, s, losses

        self.step, self.epoch = (
            jax.jit(step, donate_argnums=(0, 1)),
            jax.jit(epoch, donate_argnums=(0, 1)),
        )
        self.reset()

    def reset(self) -> None:
        self.p = [jnp.array(w, copy=True) for w in self.start]
        self.s = jax.tree_util.tree_map(lambda x: jnp.array(x, copy=True), self.first_state)

    def rows(self, i: int):
        return [d[i] for d in self.batches]

    def losses(self, steps: int) -> list[float]:
        self.reset()
        out = []
        for i in range(steps):
            self.p, self.s, loss = self.step(self.p, self.s, *self.rows(i % len(self.batches[0])))
            out.append(float(loss))
        return out

    def time_steps(self, steps: int) -> float:
        count = len(self.batches[0])
        rows = [self.rows(i) for i in range(count)]
        for i in range(3):
            self.p, self.s, loss = self.step(self.p, self.s, *rows[i % count])
        loss.block_until_ready()
        times = []
        for i in range(steps):
            began = time.perf_counter()
            self.p, self.s, loss = self.step(self.p, self.s, *rows[i % count])
            loss.block_until_ready()
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    def time_epochs(self, steps: int) -> float:
        count = len(self.batches[0])
        self.p, self.s, losses = self.epoch(self.p, self.s, self.batches)
        losses.block_until_ready()
        times = []
        for _ in range(max(3, steps // count)):
            began = time.perf_counter()
            self.p, self.s, losses = self.epoch(self.p, self.s, self.batches)
            losses.block_until_ready()
            times.append((time.perf_counter() - began) / count)
        return statistics.median(times)


def flat(value):
    while isinstance(value, list):
        value = value[0]
    return value


def main() -> None:
    side = None
    for line in sys.stdin:
        command = json.loads(line)
        if "task" in command:
            side = Side(command["task"])
            answer = jax.__version__
        else:
            answer = getattr(side, command["call"])(command["steps"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
