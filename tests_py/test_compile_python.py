"""Python code in compiled functions: what a plan cannot repeat is named, or runs without compiling with one warning."""

import random
import warnings

import pytest
from test_compile import assert_same_models, batches, mlp, same, training_step

import autograd as ag
from autograd import nn
from autograd.nn import functional as F
from autograd.utils.checkpoint import checkpoint


class Kit:
    """A model, its optimizer, and a step with more before and after it."""

    def __init__(self, make=lambda p: ag.optim.SGD(p, lr=0.1)):
        self.model = mlp()
        self.optimizer = make(self.model.parameters())

    def step(self, before=lambda: None, after=lambda loss: None):
        model, optimizer = self.model, self.optimizer

        def step(x, y):
            before()
            loss = F.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            after(loss)
            return loss

        return step


def step_hook(kit):
    kit.optimizer.register_step_post_hook(lambda *_: None)
    return kit.step()


def step_pre_hook(kit):
    kit.optimizer.register_step_pre_hook(lambda *_: None)
    return kit.step()


def counting_tensor_hook(kit):
    seen = []
    kit.model[0].weight.register_hook(lambda grad: seen.append(1))
    return kit.step()


def counting_grad_hook(kit):
    seen = []
    kit.model[0].weight.register_post_accumulate_grad_hook(lambda p: seen.append(1))
    return kit.step()


def keeping_forward_hook(kit):
    kept = {}

    def keep(module, args, output):
        kept["output"] = output

    kit.model[0].register_forward_hook(keep)
    return kit.step()


def keeping_backward_hook(kit):
    kept = {}

    def keep(module, into, out_of):
        kept["grad"] = out_of[0]

    kit.model[0].register_full_backward_hook(keep)
    return kit.step()


def saved_hooks(kit):
    step = kit.step()

    def packed(x, y):
        with ag.autograd.graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: t):
            return step(x, y)

    return packed


def printing(kit):
    return kit.step(after=lambda loss: repr(loss))


def appending_items(kit):
    losses = []
    return kit.step(after=lambda loss: losses.append(loss.item()))


def appending_tensors(kit):
    losses = []
    return kit.step(after=lambda loss: losses.append(loss.detach()))


COUNTS = {"calls": 0}


def counting_in_a_global(kit):
    def count():
        COUNTS["calls"] += 1

    return kit.step(before=count)


def counting_in_the_model(kit):
    kit.model.calls = 0

    def count():
        kit.model.calls += 1

    return kit.step(before=count)


def counting_in_a_number(kit):
    calls = [0]
    model, optimizer = kit.model, kit.optimizer

    def step(x, y):
        calls[0] += 1
        loss = F.mse_loss(model(x), y) / calls[0]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def drawing_in_python(kit):
    model = kit.model
    return lambda x, y: (F.mse_loss(model(x), y) * random.random()).detach()


def arrays(kit):
    return kit.step(after=lambda loss: loss.detach().numpy())


def setting_the_learning_rate(kit):
    def lower():
        kit.optimizer.param_groups[0]["lr"] *= 0.9

    return kit.step(before=lower)


def setting_the_learning_rate_afterwards(kit):
    def lower(loss):
        kit.optimizer.param_groups[0]["lr"] *= 0.9

    return kit.step(after=lower)


def plateau(kit):
    schedule = ag.optim.lr_scheduler.ReduceLROnPlateau(kit.optimizer)
    return kit.step(after=lambda loss: schedule.step(loss.detach()))


def schedule_first(kit):
    schedule = ag.optim.lr_scheduler.ExponentialLR(kit.optimizer, 0.9)
    return kit.step(before=schedule.step)


def lbfgs(kit):
    model = kit.model
    optimizer = ag.optim.LBFGS(model.parameters())

    def step(x, y):
        def closure():
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            return loss

        return optimizer.step(closure).detach()

    return step


class Trainer:
    def __init__(self, kit):
        self.calls, self.inner = 0, kit.step()

    def step(self, x, y):
        self.calls += 1
        return self.inner(x, y)


def counting_in_self(kit):
    return Trainer(kit).step


def generator(kit):
    mine = ag.Generator().manual_seed(3)
    return lambda x, y: x + ag.randn(5, 3, generator=mine)


def seeding(kit):
    def seeded(x, y):
        ag.manual_seed(3)
        return x + ag.randn(5, 3)

    return seeded


def checkpoint_of_random_numbers(kit):
    layer = nn.Dropout(0.5)

    def step(x, y):
        loss = F.mse_loss(checkpoint(lambda x: layer(kit.model(x)), x, use_reentrant=False), y)
        kit.optimizer.zero_grad()
        loss.backward()
        kit.optimizer.step()
        return loss

    return step


REFUSED = {
    generator: "random numbers are drawn from a Generator",
    seeding: "the state of the random numbers is set",
    checkpoint_of_random_numbers: "the state of the random numbers is set",
    step_hook: r"SGD has a step hook, step_hook.*test_compile_python.py:\d+\), which is Python code",
    step_pre_hook: "SGD has a step hook, step_pre_hook",
    counting_tensor_hook: "changes seen in the hook counting_tensor_hook",
    counting_grad_hook: "changes seen in the hook counting_grad_hook",
    keeping_forward_hook: "changes kept in the hook keeping_forward_hook.<locals>.keep",
    keeping_backward_hook: "changes kept in the hook keeping_backward_hook.<locals>.keep",
    saved_hooks: r"saved_tensors_hooks\(\) packs values with saved_hooks",
    printing: r"print\(\) reads elements of a tensor",
    appending_items: r"item\(\) reads elements of a tensor",
    appending_tensors: "Python code changes losses in each call",
    counting_in_a_global: "Python code changes COUNTS in each call",
    counting_in_the_model: "Python code changes model.calls in each call",
    counting_in_a_number: "a number in operation 5, div .*is 1 in one call and 2 in the next",
    drawing_in_python: "a number in operation 5, mul .*is 0",
    arrays: r"numpy\(\).* reads elements of a tensor",
    setting_the_learning_rate: "the function itself sets options of SGD",
    setting_the_learning_rate_afterwards: "the function itself sets options of SGD",
    plateau: r"step\(\) of ReduceLROnPlateau is called with an argument",
    schedule_first: r"step\(\) of ExponentialLR is called before the step of an optimizer",
    lbfgs: "LBFGS goes on as the values of losses say",
    counting_in_self: "Python code changes self.calls in each call",
}


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_what_a_plan_cannot_repeat_is_named(make):
    step = ag.compile(make(Kit()))
    ag.manual_seed(5)
    with pytest.raises(ag.CompileError, match=REFUSED[make]):
        for batch in batches(4):
            step(*batch)


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_fallback_runs_it_with_one_warning(make):
    data = batches(5)
    eager, kit = Kit(), Kit()
    step = make(eager)
    random.seed(0)
    ag.manual_seed(5)
    wanted = [step(*batch) for batch in data]
    random.seed(0)
    ag.manual_seed(5)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        compiled = ag.compile(make(kit), fallback=True)
        got = [compiled(*batch) for batch in data]
    assert all(map(same, got, wanted))
    assert_same_models(kit.model, eager.model)
    mine = [str(each.message) for each in caught if "runs without compiling" in str(each.message)]
    assert len(mine) == 1, mine


def assert_compiled_is_eager(change, data, make=lambda p: ag.optim.SGD(p, lr=0.1)):
    kits, steps = [Kit(make), Kit(make)], []
    for kit in kits:
        steps.append(change(kit) or kit.step())
    compiled = ag.compile(steps[1])
    for batch in data:
        assert same(compiled(*batch), steps[0](*batch))
        assert_same_models(kits[1].model, kits[0].model)
    assert "1 plans" in compiled.explain(), compiled.explain()
    return compiled


def test_hooks_that_compute_are_captured():
    def change(kit):
        kit.model[0].weight.register_hook(lambda grad: grad * 0.5)
        kit.model[2].weight.register_post_accumulate_grad_hook(lambda p: p.grad.mul_(0.5))
        kit.model[0].register_forward_hook(lambda module, args, output: output * 2)
        kit.model[0].register_forward_pre_hook(lambda module, args: (args[0] + 1,))
        kit.model[2].register_full_backward_hook(lambda module, into, out_of: (into[0] * 2,))

    assert_compiled_is_eager(change, batches(8))


def test_hooks_that_come_and_go():
    eager, kit = Kit(), Kit()
    steps = [eager.step(), kit.step()]
    compiled = ag.compile(steps[1])
    handles = []
    for i, batch in enumerate(batches(24)):
        if i in (4, 12):
            for each in (eager, kit):
                handles.append(each.model[0].weight.register_hook(lambda grad: grad * 0.5))
                handles.append(each.model[1].register_forward_hook(lambda m, a, output: output * 2))
        if i in (8, 16):
            while handles:
                handles.pop().remove()
        assert same(compiled(*batch), steps[0](*batch)), i
        assert_same_models(kit.model, eager.model)


class Squared(ag.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 2 * x * grad


def test_functions_with_gradients_of_their_own():
    def change(kit):
        def step(x, y):
            loss = Squared.apply(kit.model(x) - y).mean()
            kit.optimizer.zero_grad()
            loss.backward()
            kit.optimizer.step()
            return loss

        return step

    assert_compiled_is_eager(change, batches(8))


def test_checkpoint():
    def change(kit):
        model, optimizer = kit.model, kit.optimizer

        def step(x, y):
            loss = F.mse_loss(checkpoint(model, x, use_reentrant=False), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step

    assert_compiled_is_eager(change, batches(8))


def test_python_state_that_is_made_once_is_no_obstacle():
    cache = {}

    def change(kit):
        model, optimizer = kit.model, kit.optimizer

        def step(x, y):
            if "weights" not in cache:
                cache["weights"] = ag.ones(2)
            loss = (F.mse_loss(model(x), y, reduction="none") * cache["weights"]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step

    assert_compiled_is_eager(change, batches(8))


def test_python_variables_changed_outside_are_no_obstacle():
    kit = Kit()
    compiled = ag.compile(kit.step())
    for i, batch in enumerate(batches(8)):
        COUNTS["calls"] = i
        compiled(*batch)
    assert "1 plans" in compiled.explain()


def test_an_exception_in_the_function_loses_nothing():
    eager, kit = Kit(), Kit()
    fails = [False]

    def fragile(step):
        def maybe(x, y):
            if fails[0]:
                raise KeyError("mine")
            return step(x, y)

        return maybe

    data = batches(10)
    steps = [eager.step(), ag.compile(fragile(kit.step()))]
    for i, batch in enumerate(data):
        if i in (0, 1):
            fails[0] = True
            with pytest.raises(KeyError, match="mine"):
                steps[1](*batch)
            fails[0] = False
        assert same(steps[1](*batch), steps[0](*batch))
        assert_same_models(kit.model, eager.model)


def test_the_function_still_runs_after_an_error():
    kit, eager = Kit(), Kit()
    step = printing(kit)
    compiled = ag.compile(step)
    x, y = batches(1)[0]
    with pytest.raises(ag.CompileError):
        compiled(x, y)
    kit.model.load_state_dict(eager.model.state_dict())
    assert same(step(x, y), eager.step()(x, y))
    assert_same_models(kit.model, eager.model)


def test_training_step_without_anything_special():
    kit = Kit()
    compiled = ag.compile(training_step(kit.model, kit.optimizer))
    for batch in batches(4):
        compiled(*batch)
    assert "1 plans" in compiled.explain()
    assert isinstance(kit.model, nn.Module)
