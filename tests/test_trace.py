"""Programs are read right: what they cost, and where a value stops being finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import DesignError
from chainrule.layers.chain import Chain
from chainrule.layers.dense import Dense
from chainrule.layers.residual import Residual
from chainrule.maths.activations import relu, tanh
from chainrule.trace.cost import Cost, cost
from chainrule.trace.nonfinite import first_nonfinite
from chainrule.trace.program import program

KEY = jax.random.key(0)


def test_a_program_names_its_inputs():
    net, x = Chain(Dense(3)), jnp.ones((2, 4))
    p = net.init(KEY, x)
    assert program(net, p, x).inputs == ("0[0]['W']", "0[0]['b']", "1")
    assert program(net, p, x).outputs.shape == (2, 3)
    with pytest.raises(DesignError, match="Only functions"):
        program(3)


def test_other_kinds_of_model_can_enter():
    class Foreign:
        pass

    program.register(Foreign, lambda obj, *args: program(jnp.sin, *args))
    assert program(Foreign(), 1.0).traced.jaxpr.eqns[0].primitive.name == "sin"


@pytest.mark.parametrize(("rows", "n", "m"), [(7, 5, 3), (1, 1, 1), (64, 100, 10)])
def test_a_dense_layer_costs_what_the_formula_says(rows, n, m):
    net, x = Dense(m), jax.ShapeDtypeStruct((rows, n), jnp.float32)
    p = jax.eval_shape(net.init, KEY, x)
    assert cost(net, p, x).flops == 2 * rows * n * m + rows * m


def square(x):
    return x * x


@pytest.mark.parametrize(
    ("f", "shape", "flops"),
    [
        (square, (3, 4), 12),
        (jax.jit(square), (3, 4), 12),
        (jax.checkpoint(square), (3, 4), 12),
        (jnp.sum, (3, 4), 11),
        (jnp.transpose, (3, 4), 0),
        (lambda x: x + jnp.ones(4), (3, 4), 12),
        (lambda x: jax.lax.scan(lambda c, a: (c + a, None), jnp.zeros(4), x)[0], (5, 4), 20),
        (lambda x: jax.lax.cond(True, lambda x: x, lambda x: x + x * x, x), (4,), 8),
        (lambda x: jnp.einsum("bij,bjk->bik", x, x), (2, 3, 3), 2 * 2 * 27),
        (lambda x: jax.lax.conv(x, jnp.ones((5, 2, 3, 3)), (1, 1), "VALID"), (1, 2, 8, 8), 2 * 5 * 36 * 18),
    ],
)
def test_costs_are_counted(f, shape, flops):
    found = cost(f, jax.ShapeDtypeStruct(shape, jnp.float32))
    assert found.flops == flops and not found.uncounted


def test_what_cannot_be_counted_is_said():
    x = jnp.eye(3)
    assert cost(jnp.linalg.cholesky, x).uncounted == {"cholesky"}
    assert (
        "while: all rounds after the first"
        in cost(lambda x: jax.lax.while_loop(lambda c: c.sum() < 9, lambda c: c + 1, x), x).uncounted
    )
    assert Cost(1, 2) + Cost(3, 4) == Cost(4, 6) and Cost(1, 2) * 3 == Cost(3, 6)


@pytest.mark.parametrize("rows", [8, 64])
def test_the_count_agrees_with_the_compiler(rows):
    net = Chain(Dense(128), tanh, Dense(256), relu, Dense(64))
    x = jax.ShapeDtypeStruct((rows, 100), jnp.float32)
    p = jax.eval_shape(net.init, KEY, x)
    for f in (net, jax.grad(lambda p, x: jnp.sum(net(p, x) ** 2))):
        counted, compiled = cost(f, p, x).flops, jax.jit(f).lower(p, x).compile().cost_analysis()
        assert 0.9 < counted / compiled["flops"] < 1.1


def test_finite_programs_have_no_fault():
    assert first_nonfinite(lambda x: jnp.exp(-x).sum(), jnp.ones(3)) is None
    assert first_nonfinite(lambda n: n + 1, jnp.arange(3)) is None


def test_the_layer_and_the_operation_are_named():
    net, x = Chain(Dense(3), Residual(Chain(jnp.log, jnp.square))), jnp.ones((2, 4))
    p = net.init(KEY, x)
    fault = first_nonfinite(net, p, x)
    assert fault is not None
    assert (fault.operation, fault.place) == ("log", "1:Residual/0:Chain/0:log")
    low, high = np.asarray(Dense(3)(p[0], x)).min(), np.asarray(Dense(3)(p[0], x)).max()
    assert np.allclose(fault.inputs[0], (low, high)) and fault.kind == "nan" and 0 < fault.bad <= 6
    assert "log at 1:Residual/0:Chain/0:log" in str(fault) or "log in log at" in str(fault)


def test_gradients_are_traced_too():
    net, x = Chain(jnp.sqrt), jnp.array([[0.0, 4.0]])
    fault = first_nonfinite(jax.grad(lambda x: net(({},), x).sum()), x)
    assert fault is not None and fault.operation == "div" and fault.place == "0:sqrt" and fault.kind == "inf"


@jax.custom_vjp
def exponential(x):
    return jnp.exp(x)


exponential.defvjp(lambda x: (jnp.exp(x), x), lambda x, g: (g * jnp.exp(x),))


@pytest.mark.parametrize(
    ("f", "operation", "kind", "step"),
    [
        (lambda x: jax.jit(lambda x: jnp.exp(x) - jnp.exp(x))(x * 1000), "exp", "inf", None),
        (lambda x: exponential(x * 1000), "exp", "inf", None),
        (lambda x: jax.lax.cond(x[0] > 0, lambda x: jnp.log(x - 5), jnp.cos, x), "log", "nan", None),
        (lambda x: jax.lax.scan(lambda c, a: (c * 1e20, c), x, jnp.ones(4))[0], "mul", "inf", 1),
        (lambda x: jax.lax.while_loop(lambda c: c[0] < 1e38, lambda c: c * 1e20, x), "mul", "inf", 1),
        (lambda x: (x - x) / (x - x), "div", "nan", None),
        (lambda x: x / 0.0, "div", "inf", None),
    ],
)
def test_calls_and_loops_are_entered(f, operation, kind, step):
    fault = first_nonfinite(f, jnp.array([1.0, 2.0]))
    assert fault is not None
    assert (fault.operation, fault.kind, fault.step) == (operation, kind, step)


def test_the_origin_counts_and_not_what_is_masked_away():
    def masked(x):
        hidden = jnp.log(x - 5)  # NaN that no result reads
        scores = jnp.where(x > 1, -jnp.inf, x)  # meant: softmax turns it into 0
        return jnp.where(x > 99, hidden, jax.nn.softmax(scores)) + jnp.sqrt(x - 1.5)

    fault = first_nonfinite(masked, jnp.array([1.0, 2.0]))
    assert fault is not None and fault.operation == "sqrt"


def test_everything_masked_is_a_fault_of_softmax():
    fault = first_nonfinite(lambda x: jax.nn.softmax(jnp.where(x > 0, -jnp.inf, x)), jnp.ones(3))
    assert fault is not None and fault.kind == "nan" and fault.operation == "sub"


def test_an_input_that_is_not_finite_is_named():
    fault = first_nonfinite(lambda p, x: p["W"] * x, {"W": jnp.array([1.0, jnp.nan])}, 2.0)
    assert fault is not None and fault.operation == "input" and fault.place == "argument 0['W']" and fault.bad == 1
