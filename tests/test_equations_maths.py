"""Activations: every Equation and Derivative line equals the code, in float64, and nothing overflows in float32."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from chainrule import spec
from chainrule.errors import DesignError
from chainrule.maths import activations as A
from equation_reader import derivatives, equations, evaluate, solve

ELEMENTWISE = [A.identity, A.relu, A.sigmoid, A.tanh, A.softplus, A.silu, A.gelu, A.leaky_relu, A.elu]
ELEMENTWISE += [A.LeakyRelu(0.3), A.Elu(1.7)]
ROWWISE = [A.softmax, A.log_softmax]
GRID = np.concatenate([np.linspace(-6, 6, 241), [-50.0, 0.0, 50.0]])
BENT = [A.relu, A.leaky_relu, A.LeakyRelu(0.3), A.elu, A.Elu(1.7)]


def settings(f):
    return vars(f) if isinstance(f, A.LeakyRelu | A.Elu) else {}


@pytest.mark.parametrize("f", ELEMENTWISE, ids=repr)
def test_equation_and_derivative_of_elementwise_functions(f):
    (_, rhs), ((_, slope),) = equations(f)[0], derivatives(f)
    with jax.enable_x64(True):
        # tanh as a quotient of exponentials is exact on this grid only up to rounding
        np.testing.assert_allclose(f(GRID), evaluate(rhs, z=GRID, **settings(f)), rtol=1e-9, atol=1e-14)
        got = jax.vmap(jax.grad(f))(jnp.asarray(GRID))
        np.testing.assert_allclose(got, evaluate(slope, z=GRID, **settings(f)), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("f", ELEMENTWISE, ids=repr)
def test_slopes_and_curvatures_against_differences(f):
    z = GRID[(np.abs(GRID) > 1e-3) | (f not in BENT)]
    h = 1e-5
    with jax.enable_x64(True):
        first, second = jax.vmap(jax.grad(f)), jax.vmap(jax.grad(jax.grad(f)))
        np.testing.assert_allclose(first(z), (f(z + h) - f(z - h)) / (2 * h), rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(second(z), (first(z + h) - first(z - h)) / (2 * h), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("f", ROWWISE, ids=repr)
def test_equation_and_derivative_of_rowwise_functions(f):
    random = np.random.default_rng(0)
    z, g = random.normal(size=(5, 4)) * 3, random.normal(size=(5, 4))
    (_, rhs), ((_, slope),) = equations(f)[0], derivatives(f)
    with jax.enable_x64(True):
        value, pull = jax.vjp(f, jnp.asarray(z))
        np.testing.assert_allclose(value, evaluate(rhs, z=z), rtol=1e-12)
        np.testing.assert_allclose(pull(jnp.asarray(g))[0], evaluate(slope, z=z, g=g), rtol=1e-9)
        check_grads(f, (z,), order=2, rtol=1e-6)


@pytest.mark.parametrize("f", ELEMENTWISE + ROWWISE, ids=repr)
def test_finite_value_and_slope_at_the_ends_of_float32(f):
    z = jnp.array([-1e30, -88.0, -50.0, 0.0, 50.0, 88.0, 1e30], jnp.float32)
    weighted = lambda z: jnp.sum(f(z) * jnp.arange(7.0))  # noqa: E731
    assert np.all(np.isfinite(f(z))) and np.all(np.isfinite(jax.grad(weighted)(z)))
    assert np.all(np.isfinite(jax.grad(lambda z: jnp.sum(jax.grad(weighted)(z)))(z)))


@pytest.mark.parametrize("f", ELEMENTWISE + ROWWISE, ids=repr)
def test_nan_stays_nan_and_types_are_kept(f):
    assert np.all(np.isnan(f(jnp.array([jnp.nan, jnp.nan]))))
    assert f(jnp.ones(3, jnp.bfloat16)).dtype == jnp.bfloat16
    assert np.all(np.isfinite(f(jnp.array([1, 2]))))


@pytest.mark.parametrize("f", ELEMENTWISE + ROWWISE, ids=repr)
def test_specification_survives_print_json_and_pickle(f):
    assert eval(repr(f), vars(A)) == f
    assert spec.from_data(spec.to_data(f)) == f
    assert pickle.loads(pickle.dumps(f)) == f and copy.deepcopy(f) == f
    jaxpr = jax.make_jaxpr(f)(jnp.ones(3))
    assert jaxpr.eqns[0].params["name"] == (getattr(f, "name", None) or f.__name__)


def test_relu_takes_the_slope_0_at_0():
    assert float(jax.grad(A.relu)(0.0)) == 0.0


@pytest.mark.parametrize("setting", [jnp.nan, float("inf"), "0.1", True, None])
def test_settings_must_be_finite_numbers(setting):
    for kind in (A.LeakyRelu, A.Elu):
        with pytest.raises(DesignError, match="finite number"):
            kind(setting)


def test_activations_against_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    F = torch.nn.functional
    z = np.linspace(-8, 8, 101)
    theirs = {
        A.relu: F.relu, A.sigmoid: torch.sigmoid, A.tanh: torch.tanh, A.softplus: F.softplus, A.silu: F.silu,
        A.gelu: F.gelu, A.leaky_relu: F.leaky_relu, A.elu: F.elu,
        A.softmax: lambda t: F.softmax(t, -1), A.log_softmax: lambda t: F.log_softmax(t, -1),
    }  # fmt: skip
    with jax.enable_x64(True):
        for ours, other in theirs.items():
            t = torch.tensor(z, requires_grad=True)
            out = other(t)
            (out * out).sum().backward()
            np.testing.assert_allclose(ours(z), out.detach().numpy(), rtol=1e-9, atol=1e-12, err_msg=repr(ours))
            slope = jax.grad(lambda z, f=ours: jnp.sum(f(z) ** 2))(jnp.asarray(z))
            np.testing.assert_allclose(slope, t.grad.numpy(), rtol=1e-7, atol=1e-9, err_msg=repr(ours))


def test_the_reader_objects_to_a_wrong_equation():
    def wrong(z):
        """A docstring whose equation is not the code.

        Equation
            wrong(z) = 2 * z  a remark
        Derivative
            dwrong/dz = 2 * z      g = dL/dy
        """
        return 3 * z

    assert equations(wrong) == [("wrong", "2 * z")] and derivatives(wrong) == [("dwrong/dz", "2 * z")]
    assert solve(wrong, z=1.0)["wrong"] != wrong(1.0)
