"""Transforms of functions: grad, vjp, jvp, jacrev, jacfwd, hessian, and modules as functions, against torch.func."""

from collections import namedtuple

import pytest
import torch
from compare import vs_torch

import autograd as ag

Pair = namedtuple("Pair", "left right")


def numbers(lib, *values):
    return lib.tensor([float(v) for v in values], dtype=lib.float64)


def cubes(x):
    return (x * x * x).sum()


# ---- grad ----------------------------------------------------------------------------------------


@vs_torch
def test_grad(lib):
    x = numbers(lib, 1, 2, 3)
    return lib.func.grad(cubes)(x), x.requires_grad


@pytest.mark.parametrize("argnums", [0, 1, -1, (0,), (1, 0), (0, 1, 2), (-1, 0)])
@vs_torch
def test_argnums(lib, argnums):
    args = [numbers(lib, 1, 2), numbers(lib, 3, 4), numbers(lib, 5, 6)]
    found = lib.func.grad(lambda a, b, c: (a * b * b * c).sum(), argnums)(*args)
    return found if isinstance(found, tuple) else (found,)


@vs_torch
def test_values_and_extras_come_along(lib):
    x = numbers(lib, 1, 2)
    gradient, (value, aux) = lib.func.grad_and_value(
        lambda x, k: ((x * k).sum(), {"twice": x * 2}), has_aux=True
    )(x, k=3.0)
    only, aux_of_grad = lib.func.grad(lambda x: (cubes(x), (x + 1, x)), has_aux=True)(x)
    history = [t.requires_grad for t in (gradient, value, aux["twice"], only, *aux_of_grad)]
    return gradient, value, aux["twice"], only, aux_of_grad[0], history


def test_value_and_grad_is_the_other_way_round():
    value, gradient = ag.func.value_and_grad(cubes)(ag.tensor([1.0, 2.0]))
    assert value.item() == 9 and gradient.tolist() == [3, 12]
    (value, aux), gradient = ag.func.value_and_grad(lambda x: (cubes(x), x), has_aux=True)(
        ag.ones(2)
    )
    assert value.item() == 2 and aux.tolist() == [1, 1] and gradient.tolist() == [3, 3]


@vs_torch
def test_structures_of_arguments(lib):
    def loss(tree):
        return (tree["w"] * tree["rest"][0] + tree["rest"][1].left * tree["rest"][1].right).sum()

    parts = [numbers(lib, i, i + 1) for i in range(4)]
    tree = {"w": parts[0], "rest": [parts[1], Pair(parts[2], parts[3])]}
    found = lib.func.grad(loss)(tree)
    assert type(found["rest"]) is list and type(found["rest"][1]).__name__ == "Pair"
    return found["w"], found["rest"][0], *found["rest"][1]


@vs_torch
def test_unused_arguments_have_zeros(lib):
    x, y = numbers(lib, 1, 2), numbers(lib, 3)
    return lib.func.grad(lambda a, b: (a * 2).sum(), (0, 1))(x, y)


@vs_torch
def test_results_that_depend_on_nothing(lib):
    x = numbers(lib, 1, 2)
    constant = numbers(lib, 7)
    return (
        lib.func.grad(lambda a: constant.sum())(x),
        lib.func.jacrev(lambda a: constant)(x),
        lib.func.jacfwd(lambda a: constant)(x),
        lib.func.jvp(lambda a: constant, (x,), (x,))[1],
        lib.func.vjp(lambda a: (a, constant), x)[1]((x, constant)),
    )


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@vs_torch
def test_orders(lib, order):
    function = lib.sin
    for _ in range(order):
        function = lib.func.grad(function)
    return function(lib.tensor(0.5, dtype=lib.float64))


@vs_torch
def test_levels_are_not_confused(lib):
    """Derivatives by an inner variable don't see the outer one, which has the same values."""
    one = lib.tensor(1.0, dtype=lib.float64)
    grad, jvp = lib.func.grad, lib.func.jvp
    inner = grad(lambda x: x * grad(lambda y: x + y)(one))(one)
    mixed = grad(lambda x: x * jvp(lambda y: x * y, (one,), (one,))[1])(one)
    forward = jvp(lambda x: x * jvp(lambda y: x + y, (one,), (one,))[1], (one,), (one,))[1]
    both = jvp(lambda x: x * grad(lambda y: x * y * y)(x), (one,), (one,))[1]
    return inner, mixed, forward, both


@vs_torch
def test_history_goes_on_to_what_the_function_uses(lib):
    w = numbers(lib, 1, 2).requires_grad_()
    x = numbers(lib, 3, 4)
    gradient = lib.func.grad(lambda x: (w * x * x).sum())(x)
    (by_w,) = lib.autograd.grad(gradient.sum(), w)
    (by_x,) = lib.autograd.grad(lib.func.grad(cubes)(w).sum(), w)
    return gradient, by_w, by_x, gradient.requires_grad


@vs_torch
def test_grad_mode(lib):
    """no_grad around changes nothing but the history; no_grad inside cuts."""
    x = numbers(lib, 1, 2).requires_grad_()

    def half(x):
        with lib.no_grad():
            fixed = x * x
        return (fixed * x).sum()

    with lib.no_grad():
        outside = lib.func.grad(cubes)(x)
    return outside, outside.requires_grad, lib.func.grad(half)(x), lib.is_grad_enabled()


def test_nothing_is_left_behind():
    x = ag.ones(3)
    gradient = ag.func.grad(cubes)(x)
    assert not gradient.requires_grad and gradient.grad_fn is None and x.grad is None
    (output, tangent) = ag.func.jvp(cubes, (x,), (x,))
    assert not output.requires_grad and not tangent.requires_grad
    assert not ag.func.jacrev(ag.sin)(x).requires_grad
    assert not ag.func.hessian(cubes)(x).requires_grad


# ---- vjp, jvp, linearize, hvp --------------------------------------------------------------------


@vs_torch
def test_vjp_of_structures(lib):
    x, y = numbers(lib, 1, 2), numbers(lib, 3, 4)
    output, pull = lib.func.vjp(lambda a, b: {"sum": a + b, "parts": (a * b,)}, x, y)
    ct = {"sum": x, "parts": (y,)}
    return output["sum"], output["parts"][0], pull(ct), pull(ct)


@vs_torch
def test_vjp_with_extras(lib):
    x = numbers(lib, 1, 2)
    output, pull, aux = lib.func.vjp(lambda a: (a * a, a + 1), x, has_aux=True)
    return output, pull(x), aux, aux.requires_grad


@vs_torch
def test_jvp_of_structures(lib):
    x, y = numbers(lib, 1, 2), numbers(lib, 3, 4)
    output, tangent = lib.func.jvp(
        lambda t: [t["a"] * t["b"], t["a"]], ({"a": x, "b": y},), ({"a": y, "b": x},)
    )
    _, with_aux, aux = lib.func.jvp(lambda a: (a.exp(), a), (x,), (y,), has_aux=True)
    return output, tangent, with_aux, aux


@vs_torch
def test_linearize(lib):
    x, v = numbers(lib, 1, 2), numbers(lib, 3, 4)
    output, push = lib.func.linearize(lambda a, b: (a * b).sin(), x, v)
    return output, push(v, x), push(x, x)


def test_the_linear_function_runs_its_function_once():
    calls = []

    def function(x):
        calls.append(1)
        return x * x

    _, push = ag.func.linearize(function, ag.ones(2))
    push(ag.ones(2)), push(ag.zeros(2))
    assert len(calls) == 1


def test_hvp_is_hessian_times_vector():
    x, v = ag.randn(5, dtype=ag.float64), ag.randn(5, dtype=ag.float64)
    function = lambda x: (x.sin() * x.flip(0)).sum() ** 2  # noqa: E731
    expected = ag.func.hessian(function)(x) @ v
    assert ag.allclose(ag.func.hvp(function, (x,), (v,)), expected)
    two = ag.func.hvp(lambda a, b: (a * b).sum(), (x, v), (v, x))
    assert ag.allclose(two[0], x) and ag.allclose(two[1], v)


# ---- Jacobians -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["jacrev", "jacfwd"])
@vs_torch
def test_jacobians_of_structures(lib, name):
    x, y = numbers(lib, 1, 2, 3), numbers(lib, 3, 4)

    def function(tree, scale):
        return {"outer": tree[0][:, None] * tree[1]}, (tree[1] * scale).sum()

    outer, total = getattr(lib.func, name)(function, (0, 1))([x, y], y)
    return outer["outer"][0], outer["outer"][1], total[0], total[1]


@pytest.mark.parametrize("chunk_size", [None, 1, 2, 3, 100])
@vs_torch
def test_chunks_of_rows(lib, chunk_size):
    x = numbers(lib, 1, 2, 3, 4, 5)
    return lib.func.jacrev(lambda x: x * x.flip(0), chunk_size=chunk_size)(x)


@vs_torch
def test_jacobians_with_extras(lib):
    x = numbers(lib, 1, 2)
    return (
        lib.func.jacrev(lambda x: (x * x, x + 1), has_aux=True)(x),
        lib.func.jacfwd(lambda x: (x * x, x + 1), has_aux=True)(x),
    )


@vs_torch
def test_hessian_of_several_arguments(lib):
    x, y = numbers(lib, 1, 2), numbers(lib, 3, 4)
    blocks = lib.func.hessian(lambda a, b: (a * a * b).sum(), (0, 1))(x, y)
    return [block for row in blocks for block in row]


# ---- all of them inside each other ---------------------------------------------------------------


def pairs(lib):
    f = lib.func
    return {
        "vmap of grad": f.vmap(f.grad(cubes)),
        "vmap of hessian": f.vmap(f.hessian(cubes)),
        "vmap of jacrev": f.vmap(f.jacrev(lib.sin)),
        "vmap of jacfwd": f.vmap(f.jacfwd(lib.sin)),
        "jacrev of vmap": f.jacrev(f.vmap(lib.sin)),
        "jacfwd of vmap": f.jacfwd(f.vmap(lambda x: x.sin().cumsum(0))),
        "grad of vmap": f.grad(lambda x: f.vmap(cubes)(x).prod()),
        "grad of vmap of grad": f.grad(lambda x: f.vmap(f.grad(cubes))(x).sin().sum()),
        "vmap of vmap": f.vmap(f.vmap(lambda x: x.exp())),
        "vmap of vmap of grad": f.vmap(f.vmap(f.grad(lambda x: x.sin() * x))),
        "vmap of jvp": f.vmap(lambda x: f.jvp(lib.tanh, (x,), (x * 2,))[1]),
        "jvp of vmap": lambda x: f.jvp(f.vmap(lambda r: r.softmax(0)), (x,), (x,))[1],
        "vmap of vjp": f.vmap(lambda x: f.vjp(lib.tanh, x)[1](x)[0]),
        "jacrev of jacrev": f.jacrev(f.jacrev(lambda x: x.sin().sum())),
        "jacfwd of jacfwd": f.jacfwd(f.jacfwd(lambda x: x.sin().prod())),
        "jacrev of jacfwd": f.jacrev(f.jacfwd(lambda x: x.sin().prod())),
        "grad of jvp": f.grad(lambda x: f.jvp(lib.sin, (x,), (x * x,))[1].sum()),
        "jvp of grad": lambda x: f.jvp(f.grad(cubes), (x,), (x,))[1],
        "jvp of jvp": lambda x: f.jvp(lambda y: f.jvp(lib.exp, (y,), (y,))[1], (x,), (x,))[1],
        "vmap of shared by grad": f.vmap(
            f.grad(lambda w, x: (w * x).sin().sum()), in_dims=(None, 0)
        ),
    }


@pytest.mark.parametrize("name", list(pairs(torch)))
@vs_torch
def test_nesting(lib, name):
    x = numbers(lib, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6).reshape(2, 3)
    transform = pairs(lib)[name]
    return transform(x[0], x) if "shared" in name else transform(x)


@vs_torch
def test_a_maml_step(lib):
    """The gradient of a loss after a step of gradient descent, for a batch of tasks."""
    w = numbers(lib, 0.5, -0.3, 0.2)
    tasks = numbers(lib, *range(12)).reshape(4, 3) / 10

    def loss(w, x):
        return ((w * x).tanh() ** 2).sum()

    def after_a_step(w, x):
        return loss(w - 0.1 * lib.func.grad(loss)(w, x), x)

    def total(w):
        return lib.func.vmap(after_a_step, in_dims=(None, 0))(w, tasks).mean()

    return lib.func.grad(total)(w), lib.func.hessian(total)(w)


# ---- errors --------------------------------------------------------------------------------------

X = (1.0, 2.0)
ERRORS = {
    "scalar Tensor, got tensor with 1 dims": lambda f, x: f.grad(lambda a: a)(x),
    "to return a Tensor, got": lambda f, x: f.grad(lambda a: 1.0)(x),
    "to return a Tensor, got .*tuple": lambda f, x: f.grad(lambda a: (a.sum(), a))(x),
    "only Tensors of floating point dtype": lambda f, x: f.grad(lambda a: a.sum())(x.long()),
    "must be Tensor, got": lambda f, x: f.grad(lambda a: a)(1.0),
    "Got argnum=1, but only 1 positional": lambda f, x: f.grad(cubes, argnums=1)(x),
    "Got argnum=-2, but only 1 positional": lambda f, x: f.grad(cubes, argnums=-2)(x),
    "argnums must be int or Tuple": lambda f, x: f.grad(cubes, argnums="a")(x),
    "argnums must be non-empty": lambda f, x: f.grad(cubes, argnums=())(x),
    "elements must be unique": lambda f, x: f.grad(cubes, argnums=(0, 0))(x),
    "should be a tuple: ": lambda f, x: f.grad(cubes, has_aux=True)(x),
    "Expected tensors, got unsupported type": lambda f, x: f.grad(
        lambda a: (a.sum(), "s"), has_aux=True
    )(x),
    "to return only tensors": lambda f, x: f.vjp(lambda a: 1.0, x),
    "must be floating-point": lambda f, x: f.vjp(lambda a: a > 0, x),
    "Mismatch in shape": lambda f, x: f.vjp(lambda a: a, x)[1](x[:1]),
    "structure of cotangents": lambda f, x: f.vjp(lambda a: (a, a), x)[1](x),
    "Expected primals to be a tuple": lambda f, x: f.jvp(cubes, x, x),
    "same python structure": lambda f, x: f.jvp(cubes, (x,), (x, x)),
    "has a different size than": lambda f, x: f.jvp(cubes, (x,), (x[:1],)),
    "at least one Tensor": lambda f, x: f.jvp(cubes, (), ()),
    "only tensors, got unsupported type": lambda f, x: f.jacfwd(lambda a: 1.0)(x),
    "`chunk_size` should be greater than 0": lambda f, x: f.jacrev(cubes, chunk_size=0)(x),
    "Only allowed values for randomness": lambda f, x: f.vmap(cubes, randomness="x")(x),
}


@pytest.mark.parametrize("text", ERRORS)
def test_errors(text):
    @vs_torch(raises=text)
    def call(lib):
        return ERRORS[text](lib.func, numbers(lib, *X))

    call()
    # The library is usable afterwards.
    assert ag.func.grad(cubes)(ag.ones(2)).tolist() == [3, 3]


# ---- modules as functions ------------------------------------------------------------------------


def filled(lib, model, seed):
    with lib.no_grad():
        for i, p in enumerate(model.parameters()):
            values = lib.arange(p.numel(), dtype=lib.float32).reshape(p.shape)
            p.copy_((values + seed + i).sin() * 0.4)
    return model


def network(lib, seed=0):
    nn = lib.nn
    return filled(lib, nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), seed)


@vs_torch
def test_functional_call(lib):
    model = network(lib)
    x = lib.ones(5, 3)
    values = {name: p.detach() * 2 for name, p in model.named_parameters()}
    some = {"2.bias": lib.ones(2)}
    before = model(x)
    replaced = lib.func.functional_call(model, values, (x,))
    partly = lib.func.functional_call(model, (some, {"0.bias": lib.zeros(4)}), x)
    return before, replaced, partly, model(x)


@vs_torch
def test_functional_call_reaches_tied_weights(lib):
    model = lib.nn.Sequential(lib.nn.Linear(2, 2, bias=False), lib.nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    filled(lib, model, 0)
    x, twice = lib.ones(1, 2), {"0.weight": lib.eye(2) * 2}
    call = lib.func.functional_call
    return call(model, twice, x), call(model, twice, x, tie_weights=False)


CALL_ERRORS = {
    "Missing key": ({"0.weight": (4, 3)}, {"strict": True}),
    "Unexpected key": ({"nothing": (1,)}, {"strict": True}),
    "to be a dict": (7, {}),
    "appeared in multiple dictionaries": (({"0.bias": (4,)}, {"0.bias": (4,)}), {}),
}


@pytest.mark.parametrize("text", CALL_ERRORS)
def test_functional_call_errors(text):
    given, options = CALL_ERRORS[text]

    @vs_torch(raises=text)
    def call(lib):
        def tensors(tree):
            if isinstance(tree, dict):
                return {name: lib.ones(*sizes) for name, sizes in tree.items()}
            return tuple(map(tensors, tree)) if isinstance(tree, tuple) else tree

        return lib.func.functional_call(network(lib), tensors(given), lib.ones(1, 3), **options)

    call()


def test_a_failed_call_restores_the_module():
    model = network(ag)
    before = model[0].weight
    with pytest.raises(RuntimeError):
        ag.func.functional_call(model, {"0.weight": ag.ones(9, 9)}, ag.ones(1, 3))
    assert model[0].weight is before


@vs_torch
def test_an_ensemble_runs_as_one(lib):
    models = [network(lib, seed) for seed in range(3)]
    params, buffers = lib.func.stack_module_state(models)
    x = lib.arange(6, dtype=lib.float32).reshape(2, 3)

    def run(params, buffers, x):
        return lib.func.functional_call(models[0], (params, buffers), (x,))

    together = lib.func.vmap(run, in_dims=(0, 0, None))(params, buffers, x)
    (by_weight,) = lib.autograd.grad(together.square().sum(), [params["0.weight"]])
    return together, lib.stack([m(x) for m in models]), by_weight, params["0.weight"].is_leaf


@pytest.mark.parametrize("text", ["at least one model", "same training/eval mode", "same class"])
def test_stack_module_state_errors(text):
    @vs_torch(raises=text)
    def call(lib):
        one, other = network(lib), network(lib)
        models = {"at least one model": [], "same class": [one, lib.nn.Linear(2, 2)]}.get(text)
        return lib.func.stack_module_state([one, other.eval()] if models is None else models)

    call()


@vs_torch
def test_gradients_of_each_sample(lib):
    model = network(lib)
    params = {name: p.detach() for name, p in model.named_parameters()}
    x = lib.arange(12, dtype=lib.float32).reshape(4, 3) / 6
    target = lib.tensor([0, 1, 1, 0])

    def loss(params, x, t):
        logits = lib.func.functional_call(model, params, (x.unsqueeze(0),))
        return lib.nn.functional.cross_entropy(logits, t.unsqueeze(0))

    found = lib.func.vmap(lib.func.grad(loss), in_dims=(None, 0, 0))(params, x, target)
    return [found[name] for name in params]


@vs_torch
def test_inference_mode_around(lib):
    x = numbers(lib, 1, 2)
    with lib.inference_mode():
        gradient = lib.func.grad(cubes)(x)
        tangent = lib.func.jvp(cubes, (x,), (x,))[1]
        rows, second = lib.func.jacrev(lib.sin)(x), lib.func.hessian(cubes)(x)
        assert lib.is_inference_mode_enabled() and not lib.is_grad_enabled()
    return gradient, tangent, rows, second
