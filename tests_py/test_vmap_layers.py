"""vmap over whole layers: inputs, weights or both differ between examples; PyTorch's torch.func is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import autograd as ag

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
EXAMPLES = 3

# A layer, and the sizes of its inputs for one example.
LAYERS = {
    "linear": (lambda nn: nn.Linear(4, 3), [(2, 4)]),
    "bilinear": (lambda nn: nn.Bilinear(3, 4, 2), [(2, 3), (2, 4)]),
    "conv1d": (lambda nn: nn.Conv1d(2, 4, 3, padding=1), [(2, 2, 6)]),
    "conv2d": (lambda nn: nn.Conv2d(2, 4, 3, padding=1), [(2, 2, 5, 5)]),
    "conv2d strided": (lambda nn: nn.Conv2d(3, 2, 2, stride=2, bias=False), [(2, 3, 6, 6)]),
    "conv2d grouped": (lambda nn: nn.Conv2d(4, 4, 3, groups=2), [(2, 4, 5, 5)]),
    "conv2d dilated": (lambda nn: nn.Conv2d(2, 2, 2, dilation=2), [(1, 2, 5, 5)]),
    "conv2d unbatched": (lambda nn: nn.Conv2d(2, 3, 3), [(2, 5, 5)]),
    "conv3d": (lambda nn: nn.Conv3d(1, 2, 2), [(1, 1, 3, 3, 3)]),
    "conv transpose": (lambda nn: nn.ConvTranspose2d(2, 3, 3, stride=2), [(2, 2, 3, 3)]),
    "batch norm": (lambda nn: nn.BatchNorm1d(3, track_running_stats=False), [(4, 3)]),
    "batch norm 2d": (lambda nn: nn.BatchNorm2d(2, track_running_stats=False), [(3, 2, 3, 3)]),
    "batch norm, evaluated": (lambda nn: nn.BatchNorm2d(2).eval(), [(2, 2, 3, 3)]),
    "group norm": (lambda nn: nn.GroupNorm(2, 4), [(2, 4, 3)]),
    "layer norm": (lambda nn: nn.LayerNorm(4), [(2, 3, 4)]),
    "rms norm": (lambda nn: nn.RMSNorm(4), [(3, 4)]),
    "instance norm": (lambda nn: nn.InstanceNorm2d(2, affine=True), [(2, 2, 3, 3)]),
    "prelu": (lambda nn: nn.PReLU(3), [(2, 3)]),
    "attention": (lambda nn: nn.MultiheadAttention(4, 2, batch_first=True), [(2, 3, 4)] * 3),
    "transformer layer": (
        lambda nn: nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True),
        [(2, 3, 4)],
    ),
    "pooling": (
        lambda nn: nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1)),
        [(2, 2, 8, 8)],
    ),
    "a small network": (
        lambda nn: nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.GroupNorm(1, 2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 2)
        ),
        [(2, 1, 5, 5)],
    ),
    # PyTorch has no rule for these: its results for one example after the other are the oracle.
    "lstm": (lambda nn: nn.LSTM(3, 2, batch_first=True), [(2, 4, 3)]),
    "gru": (lambda nn: nn.GRU(3, 2, num_layers=2), [(4, 2, 3)]),
    "rnn, both ways": (lambda nn: nn.RNN(3, 2, bidirectional=True), [(4, 2, 3)]),
    "lstm cell": (lambda nn: nn.LSTMCell(3, 2), [(2, 3)]),
}


def numbers(sizes, seed):
    return np.random.default_rng(seed).normal(size=sizes)


class Case:
    """A layer with weights and inputs for several examples, the same in both libraries."""

    def __init__(self, lib, name):
        make, sizes = LAYERS[name]
        self.lib, self.layer = lib, make(lib.nn).double()
        self.names = [n for n, _ in self.layer.named_parameters()]
        self.params = {
            n: self.tensor((EXAMPLES, *p.shape), 1 + i, 0.5)
            for i, (n, p) in enumerate(self.layer.named_parameters())
        }
        self.inputs = [self.tensor((EXAMPLES, *s), 100 + i) for i, s in enumerate(sizes)]

    def tensor(self, sizes, seed, scale=1.0):
        return self.lib.tensor((numbers(sizes, seed) * scale).tolist(), dtype=self.lib.float64)

    def results(self, params, *inputs):
        found = self.lib.func.functional_call(self.layer, params, inputs)
        flat = []
        for each in found if isinstance(found, tuple) else (found,):
            flat += each if isinstance(each, tuple) else [each]
        return tuple(t for t in flat if t is not None)

    def loss(self, params, *inputs):
        return sum(((y + 0.3) ** 2 * y).sum() for y in self.results(params, *inputs))

    def arguments(self, way):
        """The dims of an argument and its tensors: all examples, or the first one for all."""
        dims = (
            0 if "weights" in way else None,
            *(0 if "inputs" in way else None for _ in self.inputs),
        )
        params = {n: p if "weights" in way else p[0] for n, p in self.params.items()}
        return dims, (params, *(x if "inputs" in way else x[0] for x in self.inputs))

    def each(self, function, way):
        """The stacked results of one example after the other."""
        dims, (params, *inputs) = self.arguments(way)
        rows = []
        for e in range(EXAMPLES):
            chosen = {n: p[e] if dims[0] == 0 else p for n, p in params.items()}
            found = function(chosen, *[x[e] if d == 0 else x for x, d in zip(inputs, dims[1:])])
            rows.append(found if isinstance(found, tuple) else (found,))
        return [self.lib.stack(parts) for parts in zip(*rows)]


WAYS = ["inputs", "weights", "weights and inputs"]


def close(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(
            np.array(a.detach().tolist()), np.array(b.detach().tolist()), rtol=1e-8, atol=1e-9
        )


def ways_of(name):
    has_weights = bool(Case(torch, name).names)
    return [way for way in WAYS if has_weights or "weights" not in way]


ALL = [(name, way) for name in LAYERS for way in ways_of(name)]


@pytest.mark.parametrize(("name", "way"), ALL)
def test_values(name, way):
    theirs, ours = Case(torch, name), Case(ag, name)
    dims, arguments = ours.arguments(way)
    found = ag.func.vmap(ours.results, in_dims=dims)(*arguments)
    close(found, theirs.each(theirs.results, way))


@pytest.mark.parametrize(("name", "way"), ALL)
def test_gradients_of_each_example(name, way):
    """vmap over grad, by the weights and by the inputs."""
    theirs, ours = Case(torch, name), Case(ag, name)
    dims, arguments = ours.arguments(way)

    def gradients(case):
        def run(params, *inputs):
            by = tuple(range(1 + len(inputs)))
            found = case.lib.func.grad(case.loss, argnums=by)(params, *inputs)
            return (*[found[0][n] for n in case.names], *found[1:])

        return run

    found = ag.func.vmap(gradients(ours), in_dims=dims)(*arguments)
    close(found, theirs.each(gradients(theirs), way))


@pytest.mark.parametrize(("name", "way"), ALL)
def test_gradient_of_all_examples(name, way):
    """grad over vmap."""
    theirs, ours = Case(torch, name), Case(ag, name)

    def gradients(case, mapped):
        dims, arguments = case.arguments(way)

        def pick(a, d, e):
            return a if d is None else a[e]

        def total(*args):
            if mapped:
                return case.lib.func.vmap(case.loss, in_dims=dims)(*args).sum()
            values = []
            for e in range(EXAMPLES):
                params = {n: pick(p, dims[0], e) for n, p in args[0].items()}
                values.append(
                    case.loss(params, *[pick(x, d, e) for x, d in zip(args[1:], dims[1:])])
                )
            return sum(values)

        found = case.lib.func.grad(total, argnums=tuple(range(len(arguments))))(*arguments)
        return [*[found[0][n] for n in case.names], *found[1:]]

    close(gradients(ours, True), gradients(theirs, False))


SECOND_ORDER = ["linear", "conv2d", "batch norm", "group norm", "layer norm", "attention", "gru"]


@pytest.mark.parametrize("name", SECOND_ORDER)
def test_jacobians_and_hessians(name):
    """jacrev, jacfwd and hessian of a layer by its input, for one example and mapped over examples."""
    theirs, ours = Case(torch, name), Case(ag, name)

    def of(case, first):
        params = {n: p[0] for n, p in case.params.items()}
        rest = case.inputs[1:]
        return lambda x: first(params, x, *[r[0] for r in rest])

    jacobian = torch.autograd.functional.jacobian(of(theirs, theirs.results), theirs.inputs[0][0])
    for transform in (ag.func.jacrev, ag.func.jacfwd):
        close(transform(of(ours, ours.results))(ours.inputs[0][0]), jacobian)
    per_example = ag.func.vmap(ag.func.hessian(of(ours, ours.loss)))(ours.inputs[0])
    for e in range(EXAMPLES):
        expected = torch.autograd.functional.hessian(of(theirs, theirs.loss), theirs.inputs[0][e])
        close([per_example[e]], [expected])


def test_attention_with_masks():
    def run(lib):
        q, k, v = (lib.tensor(numbers((EXAMPLES, 2, 4, 3), s).tolist()) for s in (1, 2, 3))
        mask = lib.tensor((numbers((EXAMPLES, 4, 4), 4) > -0.5).tolist()) | lib.eye(4).bool()
        attend = lib.nn.functional.scaled_dot_product_attention
        results = [
            lib.func.vmap(attend)(q, k, v),
            lib.func.vmap(attend, in_dims=(0, None, None))(q, k[0], v[0]),
            lib.func.vmap(lambda q, k, v, m: attend(q, k, v, attn_mask=m))(q, k, v, mask),
            lib.func.vmap(lambda q, k, v: attend(q, k, v, is_causal=True))(q, k, v),
            lib.func.vmap(lambda q: attend(q, k[0], v[0]), in_dims=1, out_dims=2)(q[0]),
        ]
        return results

    for a, b in zip(run(ag), run(torch)):
        np.testing.assert_allclose(np.array(a.tolist()), np.array(b.tolist()), rtol=1e-5, atol=1e-6)


def test_batch_norm_that_keeps_statistics_is_refused():
    """What all examples share can't take in what differs; PyTorch refuses it as well."""
    for lib in (ag, torch):
        layer = lib.nn.BatchNorm1d(3)
        with pytest.raises(RuntimeError, match="vmap"):
            lib.func.vmap(layer)(lib.ones(2, 4, 3))


@pytest.mark.parametrize("randomness", ["same", "different"])
def test_dropout(randomness):
    def drop(x):
        return ag.nn.functional.dropout(x, 0.5)

    with pytest.raises(RuntimeError, match="randomness"):
        ag.func.vmap(drop)(ag.ones(3, 64))
    rows = ag.func.vmap(drop, randomness=randomness)(ag.ones(3, 64)).tolist()
    assert (rows[0] == rows[1] == rows[2]) == (randomness == "same")
    assert set(rows[0]) == {0.0, 2.0}


def test_side_effects():
    """A list outside keeps a tensor of one example: it can be used inside only; writing to outer tensors is refused."""
    kept, outer = [], ag.zeros(3)

    def keeps(x):
        kept.append(x * 2)
        return x

    ag.func.vmap(keeps)(ag.ones(2, 3))
    with pytest.raises(RuntimeError, match="vmap"):
        kept[0] + 1

    def writes(x):
        outer.add_(x)
        return x

    with pytest.raises(RuntimeError, match="vmap"):
        ag.func.vmap(writes)(ag.ones(2, 3))
    assert outer.tolist() == [0, 0, 0]
    with pytest.raises(RuntimeError, match="vmap"):
        ag.func.vmap(lambda x: x.requires_grad_().sum().backward() or x)(ag.ones(2, 3))
    assert (ag.ones(3) + 1).tolist() == [2, 2, 2]


@pytest.mark.parametrize("name", LAYERS)
def test_all_examples_in_one_call(name):
    """The number of operations does not depend on the number of examples, not even for gradients of each."""

    def operations(way, examples):
        case = Case(ag, name)
        dims, (params, *inputs) = case.arguments(way)
        args = [
            a
            if d is None
            else {n: p[:examples] for n, p in a.items()}
            if isinstance(a, dict)
            else a[:examples]
            for a, d in zip((params, *inputs), dims)
        ]
        with ag.graph.record() as recording:
            ag.func.vmap(case.results, in_dims=dims)(*args)
            if case.names:
                ag.func.vmap(ag.func.grad(case.loss), in_dims=dims)(*args)
        return len(recording.ops)

    for way in ways_of(name):
        assert operations(way, 2) == operations(way, 3), way
