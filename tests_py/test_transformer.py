"""MultiheadAttention and the Transformer's layers: PyTorch's weights give PyTorch's results and gradients."""

import itertools

import numpy as np
import pytest
import torch
from compare import array, make, outcome, same, same_outcome

import autograd as ag

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def numbers(lib, *shape, seed=0, requires_grad=False):
    values = np.random.default_rng(seed).standard_normal(shape)
    return make(lib, values, "float64", requires_grad=requires_grad)


def flags(lib, rows):
    return lib.tensor(rows, dtype=lib.bool)


def give_weights(mine, theirs):
    """Random weights for both, so that biases and norms count, too."""
    rng = np.random.default_rng(1)
    state = {k: rng.standard_normal(tuple(v.shape)) / 2 for k, v in theirs.state_dict().items()}
    assert list(mine.state_dict()) == list(state)
    theirs.load_state_dict({k: make(torch, v, "float64") for k, v in state.items()})
    mine.load_state_dict({k: make(ag, v, "float64") for k, v in state.items()})


def pair(make_module):
    """The same module in both libraries, with the same weights."""
    theirs, mine = make_module(torch).double(), make_module(ag).double()
    give_weights(mine, theirs)
    assert repr(mine) == repr(theirs)
    return mine, theirs


def flat(result):
    return [t for t in (result if isinstance(result, tuple) else (result,)) if t is not None]


def check(mine, theirs, shapes, call):
    """Results and gradients of inputs and weights agree."""
    found = []
    for lib, module in ((ag, mine), (torch, theirs)):
        x = [numbers(lib, *s, seed=i, requires_grad=True) for i, s in enumerate(shapes)]
        out = flat(call(lib, module, *x))
        total = sum((i + 1) * (y * y).sum() for i, y in enumerate(out))
        total.backward()
        grads = [t.grad for t in (*x, *module.parameters())]
        found.append(([y.detach() for y in out], grads))
    assert [g is None for g in found[0][1]] == [g is None for g in found[1][1]]
    same(found[0][0], found[1][0])
    pairs = [(a, b) for a, b in zip(found[0][1], found[1][1]) if a is not None]
    for a, b in pairs:
        # Some gradients, as of a key's bias, are rounding of 0.
        np.testing.assert_allclose(array(a), array(b), rtol=1e-8, atol=1e-10)


LONG, SHORT = (5, 2, 8), (3, 2, 8)


@pytest.mark.parametrize(
    "bias, need_weights, average", list(itertools.product((True, False), repeat=3))
)
def test_self_attention(bias, need_weights, average):
    modules = pair(lambda lib: lib.nn.MultiheadAttention(8, 2, bias=bias))

    def call(lib, m, x):
        return m(x, x, x, need_weights=need_weights, average_attn_weights=average)

    check(*modules, [LONG], call)
    check(*modules, [(5, 8)], call)


@pytest.mark.parametrize("need_weights", (True, False))
def test_attention_to_others(need_weights):
    modules = pair(lambda lib: lib.nn.MultiheadAttention(8, 2))
    check(*modules, [SHORT, LONG], lambda lib, m, q, k: m(q, k, k, need_weights=need_weights))
    check(
        *modules, [SHORT, LONG, LONG], lambda lib, m, q, k, v: m(q, k, v, need_weights=need_weights)
    )


def test_other_widths_and_batch_first():
    modules = pair(lambda lib: lib.nn.MultiheadAttention(8, 4, kdim=3, vdim=5, batch_first=True))
    check(*modules, [(2, 3, 8), (2, 6, 3), (2, 6, 5)], lambda lib, m, q, k, v: m(q, k, v))
    modules = pair(lambda lib: lib.nn.MultiheadAttention(8, 2, batch_first=True))
    check(*modules, [(2, 3, 8)], lambda lib, m, x: m(x, x, x, need_weights=False))


@pytest.mark.parametrize("extras", ({"add_bias_kv": True}, {"add_zero_attn": True}))
@pytest.mark.parametrize("need_weights", (True, False))
def test_added_keys(extras, need_weights):
    modules = pair(lambda lib: lib.nn.MultiheadAttention(8, 2, **extras))

    def call(lib, m, x):
        mask = lib.nn.Transformer.generate_square_subsequent_mask(5).double()
        padding = flags(lib, [[False] * 4 + [True], [False] * 5]).double() * -3
        return m(x, x, x, key_padding_mask=padding, attn_mask=mask, need_weights=need_weights)

    check(*modules, [LONG], call)


@pytest.mark.parametrize("need_weights", (True, False))
def test_masks(need_weights):
    modules = pair(lambda lib: lib.nn.MultiheadAttention(8, 2))
    rng = np.random.default_rng(5)
    hidden = rng.integers(0, 2, (4, 5, 5)).astype(bool)
    hidden[..., 0] = False

    def call(lib, m, x):
        options = {"need_weights": need_weights}
        causal = lib.nn.Transformer.generate_square_subsequent_mask(5).double()
        padding = flags(lib, [[False] * 3 + [True] * 2, [False] * 5])
        masks = [flags(lib, hidden[0].tolist()), flags(lib, hidden.tolist()), causal]
        out = [m(x, x, x, attn_mask=mask, **options) for mask in masks]
        out.append(m(x, x, x, key_padding_mask=padding, **options))
        out.append(m(x, x, x, key_padding_mask=padding, attn_mask=masks[0], **options))
        out.append(m(x, x, x, attn_mask=causal, is_causal=True, **options))
        return tuple(t for one in out for t in one)

    check(*modules, [LONG], call)


def test_initial_weights():
    m = ag.nn.MultiheadAttention(8, 2, add_bias_kv=True)
    assert abs(array(m.in_proj_weight)).max() <= (6 / 32) ** 0.5
    assert not array(m.in_proj_bias).any() and not array(m.out_proj.bias).any()
    assert array(m.bias_k).any()


@pytest.mark.parametrize(
    "norm_first, batch_first, bias", list(itertools.product((False, True), repeat=3))
)
def test_encoder_layer(norm_first, batch_first, bias):
    modules = pair(
        lambda lib: lib.nn.TransformerEncoderLayer(
            8, 2, 6, dropout=0.0, norm_first=norm_first, batch_first=batch_first, bias=bias
        )
    )
    check(*modules, [LONG], lambda lib, m, x: m(x))

    def masked(lib, m, x):
        causal = lib.nn.Transformer.generate_square_subsequent_mask(5).double()
        return m(x, causal, is_causal=True)

    if not batch_first:
        check(*modules, [LONG], masked)


def test_activations():
    for activation in ("relu", "gelu", "tanh"):
        modules = pair(
            lambda lib, name=activation: lib.nn.TransformerEncoderLayer(
                8, 2, 6, 0.0, getattr(lib, name) if name == "tanh" else name
            )
        )
        check(*modules, [LONG], lambda lib, m, x: m(x))
    with pytest.raises(RuntimeError, match="activation should be relu/gelu, not swish"):
        ag.nn.TransformerEncoderLayer(8, 2, activation="swish")


@pytest.mark.parametrize("norm_first", (False, True))
def test_encoder_and_decoder(norm_first):
    def encoder(lib):
        layer = lib.nn.TransformerEncoderLayer(8, 2, 6, dropout=0.0, norm_first=norm_first)
        return lib.nn.TransformerEncoder(layer, 2, lib.nn.LayerNorm(8))

    def decoder(lib):
        layer = lib.nn.TransformerDecoderLayer(8, 2, 6, dropout=0.0, norm_first=norm_first)
        return lib.nn.TransformerDecoder(layer, 2)

    def masked(lib, m, x):
        padding = flags(lib, [[False] * 4 + [True], [False] * 5])
        causal = lib.nn.Transformer.generate_square_subsequent_mask(5).double()
        return m(x), m(x, causal), m(x, src_key_padding_mask=padding)

    check(*pair(encoder), [LONG], masked)

    def decoded(lib, m, x, memory):
        causal = lib.nn.Transformer.generate_square_subsequent_mask(3).double()
        padding = flags(lib, [[False] * 4 + [True], [False] * 5])
        return m(x, memory), m(x, memory, causal, memory_key_padding_mask=padding)

    check(*pair(decoder), [SHORT, LONG], decoded)


def test_layers_of_a_stack_are_copies():
    layer = ag.nn.TransformerEncoderLayer(8, 2, 6)
    stack = ag.nn.TransformerEncoder(layer, 2)
    first, second = (one.linear1.weight for one in stack.layers)
    same(first.detach(), torch.tensor(second.tolist()))
    assert first.data_ptr() != second.data_ptr() != layer.linear1.weight.data_ptr()


@pytest.mark.parametrize("batch_first", (False, True))
def test_transformer(batch_first):
    modules = pair(
        lambda lib: lib.nn.Transformer(8, 2, 1, 2, 6, dropout=0.0, batch_first=batch_first)
    )

    def call(lib, m, src, tgt):
        causal = m.generate_square_subsequent_mask(3).double()
        return m(src, tgt, tgt_mask=causal)

    shapes = [(2, 5, 8), (2, 3, 8)] if batch_first else [LONG, SHORT]
    check(*modules, shapes, call)
    check(*modules, [(5, 8), (3, 8)], call)


def test_dropout_is_off_in_evaluation():
    layer = ag.nn.TransformerEncoderLayer(8, 2, 6, dropout=0.5)
    x = numbers(ag, *LONG).float()
    assert layer(x).tolist() != layer(x).tolist()
    layer.eval()
    assert layer(x).tolist() == layer(x).tolist()


CALLS = {
    "query dims": lambda lib, m: m(lib.ones(8), lib.ones(8), lib.ones(8)),
    "key dims": lambda lib, m: m(lib.ones(3, 2, 8), lib.ones(3, 8), lib.ones(3, 8)),
    "width": lambda lib, m: m(lib.ones(3, 2, 6), lib.ones(3, 2, 6), lib.ones(3, 2, 6)),
    "value": lambda lib, m: m(lib.ones(3, 2, 8), lib.ones(3, 2, 8), lib.ones(4, 2, 8)),
    "mask": lambda lib, m: m(*[lib.ones(3, 2, 8)] * 3, attn_mask=lib.ones(3, 4)),
    "mask of heads": lambda lib, m: m(*[lib.ones(3, 2, 8)] * 3, attn_mask=lib.ones(3, 3, 3)),
    "mask dims": lambda lib, m: m(*[lib.ones(3, 2, 8)] * 3, attn_mask=lib.ones(3)),
    "mask dtype": lambda lib, m: m(*[lib.ones(3, 2, 8)] * 3, attn_mask=lib.ones(3, 3).int()),
    "padding dims": lambda lib, m: m(*[lib.ones(3, 2, 8)] * 3, key_padding_mask=lib.ones(3)),
    "causal": lambda lib, m: m(*[lib.ones(3, 2, 8)] * 3, is_causal=True),
    "heads": lambda lib, m: lib.nn.MultiheadAttention(8, 3),
    "no heads": lambda lib, m: lib.nn.MultiheadAttention(8, 0),
    "batches": lambda lib, m: lib.nn.Transformer(8, 2, 1, 1, 6)(
        lib.ones(5, 2, 8), lib.ones(3, 3, 8)
    ),
    "features": lambda lib, m: lib.nn.Transformer(8, 2, 1, 1, 6)(
        lib.ones(5, 2, 6), lib.ones(3, 2, 8)
    ),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_bad_calls(call):
    expected, actual = (
        outcome(lambda lib: call(lib, lib.nn.MultiheadAttention(8, 2)), lib) for lib in (torch, ag)
    )
    assert isinstance(expected, Exception)
    same_outcome(actual, expected)
