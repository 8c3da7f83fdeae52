"""Special functions over their whole range; the bytes of tensors read as another dtype."""

import numpy as np
import pytest
import torch
from both_libraries import agree
from compare import same

import autograd as ag

BESSEL = ("i0", "i0e", "i1", "i1e")


@pytest.mark.parametrize("name", BESSEL)
def test_bessel_functions_over_their_whole_range(name):
    x = np.concatenate([np.linspace(-60, 60, 4001), np.geomspace(1e-300, 700, 500)])
    ours = getattr(ag.special, name)(ag.from_numpy(x)).numpy()
    theirs = getattr(torch.special, name)(torch.from_numpy(x)).numpy()
    # Both are a few units in the last place away; exp(x) makes them of x's size.
    np.testing.assert_allclose(ours, theirs, rtol=2e-14 + 2e-16 * np.abs(x).max())


def test_entr_has_gradients_also_where_it_is_not_smooth():
    def scenario(lib, nn):
        x = lib.tensor([-2.0, -1e-30, -0.0, 0.0, 1e-30, 0.3, 1.0, float("inf"), float("nan")])
        x.requires_grad_()
        y = lib.special.entr(x)
        first = lib.autograd.grad(y.sum(), x, create_graph=True)[0]
        return y, first, lib.autograd.grad(first.sum(), x)[0]

    agree(scenario)


@pytest.mark.parametrize("name", ["i1", "i1e"])
def test_slopes_of_bessel_functions_at_0(name):
    def scenario(lib, nn):
        x = lib.tensor([-0.0, 0.0], requires_grad=True)
        return lib.autograd.grad(getattr(lib.special, name)(x).sum(), x)[0]

    assert agree(scenario)[-1] == [0.5, 0.5]


def test_xlog1py_where_a_factor_is_0_or_no_float():
    def scenario(lib, nn):
        y = lib.tensor([-1.0, -2.0, 0.0, 3.0, float("inf"), float("nan")])
        whole = lib.tensor([0, 1, 3])
        return [
            *(lib.special.xlog1py(x, y) for x in (0.0, 2.0, lib.tensor([[0.0], [1.0]]))),
            *(lib.special.xlog1py(whole, whole), lib.special.xlog1py(whole, 2)),
        ]

    agree(scenario)


def test_weights_and_edges_of_histograms():
    def scenario(lib, nn):
        x, weight = lib.tensor([-1.0, 0.1, 0.6, 1.0, 7.0]), lib.tensor([9.0, 1.0, 2.0, 4.0, 9.0])
        found = [
            lib.histogram(x, 2, range=(0.0, 1.0), weight=weight, density=d) for d in (False, True)
        ]
        return [list(each) for each in found]

    def other_edges(lib, nn):
        return lib.histogram(lib.ones(3), lib.tensor([0.0, 1.0, 2.0], dtype=lib.float64))

    agree(scenario)
    assert agree(other_edges) == ("raises", "RuntimeError")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_histograms_at_and_between_edges(dtype):
    """Equal bins are found from the width, all others by a search: both by the edges themselves."""
    rng = np.random.default_rng(0)
    kind = getattr(ag, dtype)
    nan, inf = float("nan"), float("inf")

    def found(lib, x, edges):
        as_dtype = {"dtype": getattr(lib, dtype)}
        return lib.histogram(lib.tensor(x, **as_dtype), lib.tensor(edges, **as_dtype)).hist

    for low, high, bins in [(0, 1, 10), (-3, 3, 7), (0.1, 0.7, 100), (1, 1 + 1e-6, 9), (5, 6, 1)]:
        edges = np.array(ag.linspace(low, high, bins + 1, dtype=kind).tolist())
        between = rng.uniform(low, high, 50).astype(dtype)
        near = [np.nextafter(edges.astype(dtype), to).tolist() for to in (-inf, inf)]
        x = [*edges.tolist(), *between.tolist(), *near[0], *near[1], nan, inf, -inf]
        same(*(found(lib, x, edges.tolist()) for lib in (ag, torch)))
    uneven = [-4.0, -3.99, 0.0, 0.0, 0.5, 100.0]
    x = [*uneven, -3.995, -1.0, 1e-30, 0.25, 50.0, 99.0, 101.0, -5.0]
    same(*(found(lib, x, uneven) for lib in (ag, torch)))


def test_names_of_special_functions():
    for name in ag.special.__all__:
        assert hasattr(torch.special, name), name


@pytest.mark.parametrize("into", ["float32", "float64", "int32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("of", ["float32", "float64", "int32", "int64", "uint8", "bool"])
def test_bytes_read_as_another_dtype(of, into):
    def scenario(lib, nn):
        x = lib.tensor([[1, 0] * 8, [0, 1] * 8]).to(getattr(lib, of))
        kind = getattr(lib, into)
        views = [x.view(kind), x[:, ::1].view(kind), x[1].view(kind), x[:, 8:].view(kind)]
        return [
            (v, list(v.stride()), v.storage_offset(), v.data_ptr() - x.data_ptr()) for v in views
        ]

    agree(scenario)


BAD_VIEWS = {
    "a number of no dims": lambda lib: lib.tensor(1.0).view(lib.int64),
    "an odd size": lambda lib: lib.ones(3).view(lib.float64),
    "an odd offset": lambda lib: lib.ones(5)[1:].view(lib.float64),
    "an odd stride": lambda lib: lib.ones(2, 5)[:, :4].view(lib.float64),
    "turned": lambda lib: lib.ones(2, 2).t().view(lib.uint8),
    "a dtype and a size": lambda lib: lib.ones(2).view(lib.int32, 2),
    "reshape": lambda lib: lib.ones(2).reshape(lib.int32),
}


@pytest.mark.parametrize("name", BAD_VIEWS)
def test_bytes_that_do_not_come_out_even(name):
    assert agree(lambda lib, nn: BAD_VIEWS[name](lib))[0] == "raises"


def test_bytes_of_a_number_and_of_examples_are_refused_by_name():
    with pytest.raises(RuntimeError, match=r"self.dim\(\) cannot be 0 to view float32 as int64"):
        ag.tensor(1.0).view(ag.int64)
    with pytest.raises(NotImplementedError, match="not implemented for examples of vmap"):
        ag.func.vmap(lambda x: x.view(ag.int32))(ag.ones(3, 2))


def test_a_gradient_that_bytes_cut_off_is_explained():
    p = ag.ones(2, dtype=ag.float64, requires_grad=True)
    found = ag.autograd.explain_grad(p, (p * 1).view(ag.float32).sum())
    assert found.reason == "no_rule"


def test_views_of_bytes_share_memory_and_have_no_history():
    def scenario(lib, nn):
        x = lib.zeros(2, requires_grad=True)
        bits = x.detach().view(lib.int32)
        bits[1] = 0x3F800000
        version = x._version
        y = x.view(lib.float32)
        return x, version, y.requires_grad, x.view(lib.uint8).shape

    agree(scenario)


def test_a_captured_call_refuses_to_read_bytes():
    with pytest.raises(ag.CompileError, match="view\\(dtype\\)"):
        ag.compile(lambda x: x.view(ag.int32) + 1)(ag.ones(2))


def test_ctc_loss_of_sequences_without_steps():
    """PyTorch reads in front of its memory for them: an empty target is certain, any other impossible."""
    x = ag.zeros(3, 3, 4, requires_grad=True)
    losses = ag.nn.functional.ctc_loss(
        *(x.log_softmax(-1), ag.tensor([[1], [1], [1]]), (0, 0, 3), (0, 1, 0)), reduction="none"
    )
    np.testing.assert_allclose(losses.tolist(), [0, np.inf, 3 * np.log(4)])
    losses[::2].sum().backward()
    assert x.grad[:, :2].abs().sum() == 0
    with pytest.raises(RuntimeError, match="must not be empty"):
        ag.nn.functional.ctc_loss(ag.zeros(3, 0, 4), ag.zeros(0, 2).long(), (), ())


def test_ctc_loss_trains():
    """A model that reads sequences of classes finds them: the loss falls as PyTorch's does."""

    def scenario(lib, nn):
        rng = np.random.default_rng(3)
        x = lib.tensor(rng.standard_normal((12, 4, 5)).tolist())
        w = lib.tensor(rng.standard_normal((5, 6)).tolist(), requires_grad=True)
        targets = lib.tensor([[1, 2, 2], [3, 1, 0], [5, 5, 5], [4, 0, 0]])
        lengths = lib.tensor([3, 2, 3, 1])
        loss_of, losses = nn.CTCLoss(zero_infinity=True), []
        for _ in range(20):
            loss = loss_of((x @ w).log_softmax(-1), targets, lib.tensor([12, 9, 12, 5]), lengths)
            (grad,) = lib.autograd.grad(loss, w)
            w = (w - 0.5 * grad).detach().requires_grad_()
            losses.append(loss.item())
        assert losses[-1] < 0.5 * losses[0]
        return losses, loss_of.blank

    agree(scenario)
