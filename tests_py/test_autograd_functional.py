"""autograd.functional and the options of gradcheck, against PyTorch."""

import itertools

import pytest
import torch
from compare import vs_torch

import autograd as ag


def numbers(lib, *values):
    return lib.tensor([float(v) for v in values], dtype=lib.float64)


def pair(lib):
    return numbers(lib, 1, 2, 3), numbers(lib, 0.5, -1)


def several(a, b):
    return a[:, None] * b.sin(), (a * a).sum() * b


def energy(a, b):
    return (a * a).sum() * b.prod() + (b**3).sum()


# ---- products ------------------------------------------------------------------------------------


@vs_torch
def test_vjp(lib):
    x, y = pair(lib)
    functional = lib.autograd.functional
    weights = (lib.ones(3, 2, dtype=lib.float64), y)
    outputs, products = functional.vjp(several, (x, y), weights)
    only, single = functional.vjp(lambda a: (a * a).sum(), x)
    return *outputs, *products, only, single, single.requires_grad


@vs_torch
def test_jvp(lib):
    x, y = pair(lib)
    functional = lib.autograd.functional
    outputs, products = functional.jvp(several, (x, y), (x, y))
    only, single = functional.jvp(lambda a: a * a, x, x)
    one, slope = functional.jvp(lambda a: a.exp(), x[:1])
    return *outputs, *products, only, single, one, slope


@pytest.mark.parametrize("name", ["hvp", "vhp"])
@vs_torch
def test_hessian_products(lib, name):
    x, y = pair(lib)
    product = getattr(lib.autograd.functional, name)
    value, products = product(energy, (x, y), (y.sum() * x, y))
    single = product(lambda a: (a**3).sum(), x, x)
    linear = product(lambda a: a.sum(), x, x)[1]
    return value, *products, *single, linear


@pytest.mark.parametrize("name", ["vjp", "jvp", "hvp", "vhp", "jacobian", "hessian"])
@vs_torch
def test_create_graph(lib, name):
    x = numbers(lib, 1, 2).requires_grad_()
    function = getattr(lib.autograd.functional, name)
    f = (lambda a: a * a * a) if name in ("jvp", "jacobian") else (lambda a: (a * a * a).sum())
    vector = {} if name in ("jacobian", "hessian", "vjp") else {"v": lib.ones_like(x)}
    found = function(f, x, create_graph=True, **vector)
    product = found if name in ("jacobian", "hessian") else found[1]
    (again,) = lib.autograd.grad(product.sum(), x)
    without = function(f, x, **vector)
    without = without if name in ("jacobian", "hessian") else without[1]
    return product, again, product.requires_grad, without.requires_grad


# ---- whole Jacobians -----------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"vectorize": True}, {"strict": True}])
@vs_torch
def test_jacobian(lib, options):
    x, y = pair(lib)
    jacobian = lib.autograd.functional.jacobian
    blocks = jacobian(several, (x, y), **options)
    single = jacobian(lambda a: a[:, None] * a, x, **options)
    of_pair = jacobian(lambda a, b: a.sum() * b, (x, y), **options)
    return *[b for row in blocks for b in row], single, *of_pair


@vs_torch
def test_jacobian_in_forward_mode(lib):
    x, y = pair(lib)
    jacobian = lib.autograd.functional.jacobian
    blocks = jacobian(several, (x, y), vectorize=True, strategy="forward-mode")
    return [b for row in blocks for b in row]


@pytest.mark.parametrize("vectorize", [False, True])
@pytest.mark.parametrize("outer", ["reverse-mode", "forward-mode"])
@vs_torch
def test_hessian(lib, vectorize, outer):
    x, y = pair(lib)
    hessian = lib.autograd.functional.hessian
    if outer == "forward-mode" and not vectorize:
        outer = "reverse-mode"
    options = {"vectorize": vectorize, "outer_jacobian_strategy": outer}
    blocks = hessian(energy, (x, y), **options)
    return *[b for row in blocks for b in row], hessian(lambda a: (a**3).sum(), x, **options)


# ---- errors --------------------------------------------------------------------------------------

LINEAR = lambda a: a.sum()  # noqa: E731
ERRORS = {
    "given to vjp must be either a Tensor or a tuple": lambda f, x: f.vjp(LINEAR, [x]),
    "outputs of the user-provided function given to vjp": lambda f, x: f.vjp(lambda a: 1.0, x),
    "can only be None if the user-provided function returns": lambda f, x: f.vjp(lambda a: a, x),
    "can only be None if the input": lambda f, x: f.jvp(lambda a: a, x),
    "v is a tuple of invalid length": lambda f, x: f.vjp(lambda a: (a, a), x, (x,)),
    "should contain a single Tensor": lambda f, x: f.vjp(lambda a: a, x, (x, x)),
    "v has invalid size": lambda f, x: f.vjp(lambda a: a, x, x[:1]),
    "Entry 1 in v has invalid size": lambda f, x: f.vjp(lambda a: (a, a), x, (x, x[:1])),
    "given to hvp should return a single Tensor": lambda f, x: f.hvp(lambda a: (a, a), x, x),
    "given to vhp should contain a single element": lambda f, x: f.vhp(lambda a: a, x, x),
    "given to hessian should return a single Tensor": lambda f, x: f.hessian(lambda a: (a, a), x),
    "given to hessian should contain a single element": lambda f, x: f.hessian(lambda a: a, x),
    "Output 0 of the user-provided function does not require gradients": lambda f, x: f.jacobian(
        lambda a: x * 2, x, strict=True
    ),
    "is independent of input 1": lambda f, x: f.jacobian(lambda a, b: a * 2, (x, x), strict=True),
    "is independent of the input. This is not allowed in strict mode": lambda f, x: f.hessian(
        LINEAR, x, strict=True
    ),
    "independent of input 1. This is not allowed in strict": lambda f, x: f.vjp(
        lambda a, b: a.sum(), (x, x), strict=True
    ),
    "`strict=True` and `vectorized=True` are not supported": lambda f, x: f.jacobian(
        LINEAR, x, strict=True, vectorize=True
    ),
    "Expected strategy to be either": lambda f, x: f.jacobian(LINEAR, x, strategy="sideways"),
    "only implemented for `vectorize=True`": lambda f, x: f.jacobian(
        LINEAR, x, strategy="forward-mode"
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_errors(text):
    @vs_torch(raises=text.replace("(", r"\("))
    def call(lib):
        return ERRORS[text](lib.autograd.functional, numbers(lib, 1, 2))

    call()


FUNCTIONS = {
    "number": lambda a, b: (a * b).sum(),
    "unused": lambda a, b: (a**2).sum(),
    "linear": lambda a, b: (a * 2).sum() + (b**2).sum(),
    "linear in all": lambda a, b: a * 3 - b,
    "two": lambda a, b: (a.exp(), (a * b).sum()),
    "two, one unused": lambda a, b: (a.exp(), b * 2),
    "detached": lambda a, b: (a.detach() * b.detach()).sum(),
    "no tensor": lambda a, b: 3.0,
    "list": lambda a, b: [a, b],
    "integer": lambda a, b: a.argmax() + b.argmin(),
}
VECTORS = {
    "right": lambda x: (x, x),
    "none": lambda x: None,
    "one": lambda x: x,
    "long": lambda x: (x, x.repeat(2)),
    "of outputs": lambda x: (x, x[0]),
}
STRICT = [(strict, create) for strict in (False, True) for create in (False, True)]


def outcome_of(api, lib, name, *args, **options):
    """The result, or what is raised: the class and the beginning of the text, in the words of both libraries."""
    try:
        return getattr(lib.autograd.functional, api)(FUNCTIONS[name], *args, **options)
    except Exception as error:
        return type(error).__name__, str(error).lower().replace("torch.", "").replace(
            " and complex", ""
        )[:48]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("api", ["vjp", "jvp", "vhp", "hvp"])
def test_products_of_all_kinds_of_functions(api, name):
    """Every vector, strict or not, create_graph or not: PyTorch's result or its error."""
    for vector, (strict, create) in itertools.product(VECTORS, STRICT):

        @vs_torch
        def call(lib, vector=vector, strict=strict, create=create):
            x = numbers(lib, 1, 2, 3)
            options = {"strict": strict, "create_graph": create}
            return outcome_of(api, lib, name, (x, x + 1), VECTORS[vector](x), **options)

        call()


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("api", ["jacobian", "hessian"])
def test_matrices_of_all_kinds_of_functions(api, name):
    for vectorize, (strict, create) in itertools.product((False, True), STRICT):

        @vs_torch
        def call(lib, vectorize=vectorize, strict=strict, create=create):
            x = numbers(lib, 1, 2, 3)
            options = {"vectorize": vectorize, "strict": strict, "create_graph": create}
            return outcome_of(api, lib, name, (x, x + 1), **options)

        call()


# ---- gradcheck -----------------------------------------------------------------------------------


def leaf(lib, *values):
    return numbers(lib, *values).requires_grad_()


def scaled_backward(lib):
    """x * x whose history says 3 x."""
    return lambda x: x * x + (x.detach() * x - (x.detach() * x).detach())


CHECKS = {
    "right": (lambda lib: lambda x: x.sin() * x, {}),
    "right in forward mode": (lambda lib: lambda x: x.sin() * x, {"check_forward_ad": True}),
    "right, all options": (
        lambda lib: lambda x: (x.exp(), x.cumsum(0)),
        {
            "check_forward_ad": True,
            "check_batched_grad": True,
            "check_grad_dtypes": True,
            "nondet_tol": 1e-9,
            "eps": 1e-5,
        },
    ),
    "wrong": (scaled_backward, {"raise_exception": False}),
    "wrong, fast": (scaled_backward, {"raise_exception": False, "fast_mode": True}),
    "wrong but allowed": (scaled_backward, {"atol": 10.0}),
    "constant": (lambda lib: lambda x: x.detach() * 0 + 1, {}),
}


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("lib", [ag, torch], ids=["autograd", "torch"])
def test_gradcheck(lib, name):
    function, options = CHECKS[name]
    expected = not (name.startswith("wrong") and "allowed" not in name)
    found = lib.autograd.gradcheck(function(lib), (leaf(lib, 0.3, -1.2, 2),), **options)
    assert found is expected


@pytest.mark.parametrize("lib", [ag, torch], ids=["autograd", "torch"])
def test_gradgradcheck(lib):
    x = leaf(lib, 0.3, -1.2, 2)
    check = lib.autograd.gradgradcheck
    assert check(lambda x: x.sin() * x, (x,))
    assert check(lambda x: x**3, (x,), gen_non_contig_grad_outputs=True, check_fwd_over_rev=True)
    assert check(lambda x: x**3, (x,), (leaf(lib, 1, 2, 3),), check_batched_grad=True)
    wrong = lambda x: x.detach() * x.detach() * x  # noqa: E731
    assert not check(wrong, (x,), raise_exception=False)


@pytest.mark.parametrize("lib", [ag, torch], ids=["autograd", "torch"])
def test_gradcheck_finds_what_is_not_repeatable(lib):
    calls = []

    def noisy(x):
        y = x * 2
        y.register_hook(lambda g: g * (1 + 1e-5 * len(calls)) if not calls.append(1) else g)
        return y

    with pytest.raises(lib.autograd.gradcheck.__globals__["GradcheckError"], match="not reentrant"):
        lib.autograd.gradcheck(noisy, (leaf(lib, 1.0),), rtol=0.1)


def forgetful(lib):
    """A sum of squares whose backward leaves the gradient of its output out."""

    class F(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return (x**2).sum()

        @staticmethod
        def backward(ctx, grad):
            return 2 * ctx.saved_tensors[0]

    return F.apply


GRADCHECK_ERRORS = {
    "backward not multiplied by grad_output": lambda lib: lib.autograd.gradcheck(
        forgetful(lib), (leaf(lib, 1, 2),)
    ),
    "at least one input tensor to require gradient": lambda lib: lib.autograd.gradcheck(
        lambda x: x, (numbers(lib, 1),)
    ),
    "Jacobian mismatch for output 0 with respect to input 0": lambda lib: lib.autograd.gradcheck(
        scaled_backward(lib), (leaf(lib, 1, 2),)
    ),
    "has a dimension with stride 0": lambda lib: lib.autograd.gradcheck(
        lambda x: x, (numbers(lib, 1).expand(3).requires_grad_(),)
    ),
    "at least one of check_forward_ad or check_backward_ad": lambda lib: lib.autograd.gradcheck(
        lambda x: x, (leaf(lib, 1),), check_backward_ad=False
    ),
    "check_batched_grad=True requires": lambda lib: lib.autograd.gradcheck(
        lambda x: x,
        (leaf(lib, 1),),
        check_backward_ad=False,
        check_forward_ad=True,
        check_batched_grad=True,
    ),
}


@pytest.mark.parametrize("text", GRADCHECK_ERRORS)
def test_gradcheck_errors(text):
    for lib in (ag, torch):
        with pytest.raises(Exception, match=text) as caught:
            GRADCHECK_ERRORS[text](lib)
        kind = type(caught.value).__name__
        if lib is ag:
            ours = kind
    assert ours == kind


@pytest.mark.parametrize("lib", [ag, torch], ids=["autograd", "torch"])
def test_gradcheck_warns_of_narrow_types(lib):
    x = lib.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="Input #0 requires gradient and is not a double"):
        lib.autograd.gradcheck(lambda x: x * 2, (x,), raise_exception=False)


# ---- forward_ad ----------------------------------------------------------------------------------


@vs_torch
def test_dual_tensors(lib):
    ad = lib.autograd.forward_ad
    x, t = numbers(lib, 1, 2, 3), numbers(lib, 0.5, -1, 2)
    w = numbers(lib, 3, 2, 1)
    with ad.dual_level():
        a = ad.make_dual(x, t)
        b = ad.make_dual(w, x)
        both = ad.unpack_dual((a * b).sin())
        itself = ad.unpack_dual(a)
        none = ad.unpack_dual(w * 2)
        found = both.primal, both.tangent, *itself, none.primal, none.tangent is None
    return found


@vs_torch
def test_gradients_of_tangents(lib):
    ad = lib.autograd.forward_ad
    x = numbers(lib, 1, 2).requires_grad_()
    with ad.dual_level():
        y = ad.unpack_dual(ad.make_dual(x, numbers(lib, 1, 1)).exp() * x).tangent
        return y, *lib.autograd.grad(y.sum(), x)


DUAL_ERRORS = {
    "no level exists": lambda ad, x: ad.make_dual(x, x),
    "Nested forward mode AD is not supported": lambda ad, x: nested(ad),
    "a different size than": lambda ad, x: inside(ad, x, x[:1]),
    "primal to be floating point": lambda ad, x: inside(ad, x.long(), x),
    "tangent to be floating point": lambda ad, x: inside(ad, x, x.long()),
    "level that was not the last one": lambda ad, x: ad.exit_dual_level(level=3),
}


def nested(ad):
    with ad.dual_level(), ad.dual_level():
        pass


def inside(ad, x, t):
    with ad.dual_level():
        ad.make_dual(x, t)


@pytest.mark.parametrize("text", DUAL_ERRORS)
def test_dual_errors(text):
    @vs_torch(raises=text)
    def call(lib):
        return DUAL_ERRORS[text](lib.autograd.forward_ad, numbers(lib, 1, 2))

    call()
    with ag.autograd.forward_ad.dual_level():
        pass
