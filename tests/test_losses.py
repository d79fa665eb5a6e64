"""Losses: stated equations and derivatives, distributions behind them, other libraries, the edges."""

import copy
import dataclasses
import math
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import integrate, stats

from chainrule import spec
from chainrule.errors import DesignError, ShapeError
from chainrule.maths import distributions as D
from chainrule.maths import losses as L
from chainrule.maths import penalties as P
from chainrule.maths.row_metrics import row_metric
from equation_reader import derivatives, evaluate, solve

REGRESSION = [L.mean_squared_error, L.mean_absolute_error, L.huber, L.Huber(2.5), L.quantile(0.9), L.gaussian_nll]
REGRESSION += [L.poisson_nll]
CLASSES = [L.cross_entropy, L.CrossEntropy(0.1)]
ALL = [*REGRESSION, *CLASSES, L.binary_cross_entropy]
ROWS, K = 6, 3


def example(loss):
    random = np.random.default_rng(3)
    z = random.normal(size=(ROWS, loss.width(K))) * 2
    if loss in CLASSES:
        return z, random.integers(0, K, ROWS)
    y = random.normal(size=(ROWS, K)) * 3
    return z, {"poisson_nll": np.round(np.abs(y)), "binary_cross_entropy": (y > 0) * 1.0}.get(loss.name, y)


def stated(loss, z, y):
    k = z.shape[1] // 2 if loss is L.gaussian_nll else z.shape[1]
    return solve(loss, z=z, y=y, k=k, **dataclasses.asdict(loss))


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_equation_and_derivative(loss):
    z, y = example(loss)
    values = stated(loss, z, y)
    with jax.enable_x64(True):
        got = loss(jnp.asarray(z), y)
        assert got.shape == (ROWS,)
        np.testing.assert_allclose(got, values[loss.name], rtol=1e-12)
        slope = jax.grad(lambda z: jnp.sum(loss(z, y)))(jnp.asarray(z))
        parts = np.split(np.asarray(slope), len(derivatives(loss)), axis=1)
        for part, (_, rhs) in zip(parts, derivatives(loss), strict=True):
            np.testing.assert_allclose(part, evaluate(rhs, **values), rtol=1e-9, atol=1e-14)
        check_grads(lambda z: loss(z, y), (z,), order=2, modes=["fwd", "rev"], rtol=1e-5)


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_loss_is_log_prob_up_to_the_stated_factor_and_constant(loss):
    z, y = example(loss)
    with jax.enable_x64(True):
        z = jnp.asarray(z)
        nll = -np.asarray(loss.distribution(z).log_prob(y))
        everyone = -np.asarray(jnp.mean(jax.nn.log_softmax(z), axis=-1)) if loss in CLASSES else 0
        total = math.sqrt(2 * math.pi) * math.erf(getattr(loss, "delta", 1) / math.sqrt(2))
        total += 2 / getattr(loss, "delta", 1) * math.exp(-(getattr(loss, "delta", 1) ** 2) / 2)
        smoothing = getattr(loss, "label_smoothing", 0)
        factor, constant = {
            "mean_squared_error": (2, -math.log(2 * math.pi)),
            "mean_absolute_error": (1, -math.log(2)),
            "huber": (1, -math.log(total)),
            "quantile": (1, math.log(0.9 * 0.1)),
            "cross_entropy": (1 - smoothing, smoothing * everyone),
        }.get(loss.name, (1, 0))
        nll = nll if loss in CLASSES else nll.mean(axis=1)
        np.testing.assert_allclose(loss(z, y), factor * nll + constant, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("loss", ALL, ids=repr)
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_finite_at_huge_outputs(loss, size):
    _, y = example(loss)
    z = jnp.full((ROWS, loss.width(K)), size, jnp.float32).at[:, 0].set(-size)
    value, slope = jax.value_and_grad(lambda z: jnp.sum(loss(z, y)))(z)
    assert np.isfinite(value) and np.all(np.isfinite(slope))
    assert np.all(np.isfinite(loss.distribution(z).log_prob(y))) and np.all(np.isfinite(loss.predict(z)))
    if loss.task != "regression":
        assert np.all(np.isfinite(loss.probabilities(z)))


def test_extended_exponentials_still_pull_back():
    slope = jax.grad(lambda z: L.poisson_nll(z, jnp.ones((1, 1)))[0])(jnp.array([[100.0]]))
    assert slope[0, 0] > 0
    slope = jax.grad(lambda z: L.gaussian_nll(z, jnp.ones((1, 1)))[0])(jnp.array([[0.0, -100.0]]))
    assert slope[0, 1] < 0


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_specification_survives_print_json_pickle_and_keeps_its_name(loss):
    assert eval(repr(loss), vars(L)) == loss
    assert spec.from_data(spec.to_data(loss)) == loss
    assert pickle.loads(pickle.dumps(loss)) == loss and copy.deepcopy(loss) == loss
    z, y = example(loss)
    assert jax.make_jaxpr(loss)(z, y).eqns[0].params["name"] == loss.name
    name, metric = loss.metric
    assert name == loss.metrics[0] and hash(metric) == hash(loss.metric[1]) and metric == loss.metric[1]
    assert metric(jnp.asarray(z), y).shape == (ROWS,)


def test_against_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    F = torch.nn.functional
    theirs = {
        L.mean_squared_error: lambda z, y: F.mse_loss(z, y, reduction="none").mean(1),
        L.mean_absolute_error: lambda z, y: F.l1_loss(z, y, reduction="none").mean(1),
        L.Huber(2.5): lambda z, y: F.huber_loss(z, y, reduction="none", delta=2.5).mean(1),
        L.gaussian_nll: lambda z, y: F.gaussian_nll_loss(z[:, :K], y, z[:, K:].exp(), full=True, reduction="none").mean(
            1
        ),
        L.poisson_nll: lambda z, y: (F.poisson_nll_loss(z, y, reduction="none") + torch.lgamma(y + 1)).mean(1),
        L.binary_cross_entropy: lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="none").mean(1),
        L.cross_entropy: lambda z, y: F.cross_entropy(z, y, reduction="none"),
        L.CrossEntropy(0.1): lambda z, y: F.cross_entropy(z, y, reduction="none", label_smoothing=0.1),
    }
    for loss, other in theirs.items():
        z, y = example(loss)
        t = torch.tensor(z, requires_grad=True)
        out = other(t, torch.tensor(y))
        out.sum().backward()
        with jax.enable_x64(True):
            np.testing.assert_allclose(loss(jnp.asarray(z), y), out.detach().numpy(), rtol=1e-9, err_msg=repr(loss))
            slope = jax.grad(lambda z, loss=loss, y=y: jnp.sum(loss(z, y)))(jnp.asarray(z))
            np.testing.assert_allclose(slope, t.grad.numpy(), rtol=1e-9, atol=1e-12, err_msg=repr(loss))


def test_shapes_of_targets():
    z = jnp.array([[0.5], [2.0]])
    for loss in (*REGRESSION[:5], L.poisson_nll, L.binary_cross_entropy):
        flat, column = loss(z, jnp.array([1, 0])), loss(z, jnp.array([[1], [0]]))
        np.testing.assert_array_equal(flat, column)
        for wrong in (jnp.ones((1, 2)), jnp.ones((2, 2)), jnp.ones(3)):
            with pytest.raises(ShapeError, match="equal shapes"):
                loss(z, wrong)
    with pytest.raises(ShapeError, match="come in pairs|came"):
        L.gaussian_nll(z, jnp.ones(2))
    one_hot = jnp.eye(3)[jnp.array([2, 0])]
    z = jnp.array([[1.0, 2.0, 3.0], [0.0, 1.0, 5.0]])
    np.testing.assert_allclose(L.cross_entropy(z, jnp.array([2, 0])), L.cross_entropy(z, one_hot), rtol=1e-6)
    np.testing.assert_array_equal(L.cross_entropy.metric[1](z, one_hot), [1.0, 0.0])
    with pytest.raises(ShapeError, match="at least 2"):
        L.cross_entropy(z[:, :1], jnp.array([0, 0]))
    for wrong in (jnp.array([0.0, 1.0]), jnp.array([[1], [0]]), jnp.array([0, 1, 2])):
        with pytest.raises(ShapeError, match="indices of classes"):
            L.cross_entropy(z, wrong)


def test_an_index_that_is_no_class_is_never_clamped():
    losses = L.cross_entropy(jnp.zeros((4, 3)), jnp.array([-1, 0, 2, 3]))
    np.testing.assert_array_equal(np.isnan(losses), [True, False, False, True])
    assert np.isnan(L.cross_entropy.distribution(jnp.zeros((1, 3))).log_prob(jnp.array([3])))[0]


def test_predictions_and_probabilities():
    z = jnp.array([[-1.0], [2.0]])
    p = L.binary_cross_entropy.probabilities(z)
    np.testing.assert_allclose(p, np.stack([1 - 1 / (1 + np.exp(-z[:, 0])), 1 / (1 + np.exp(-z[:, 0]))], 1), rtol=1e-6)
    np.testing.assert_array_equal(L.binary_cross_entropy.predict(z), [[0], [1]])
    assert L.binary_cross_entropy.probabilities(jnp.zeros((5, 3))).shape == (5, 3)
    np.testing.assert_array_equal(L.cross_entropy.predict(jnp.array([[1.0, 3.0, 2.0]])), [1])
    np.testing.assert_allclose(L.poisson_nll.predict(z), np.exp(z), rtol=1e-6)
    np.testing.assert_array_equal(L.gaussian_nll.predict(jnp.array([[1.0, 2.0, 3.0, 4.0]])), [[1.0, 2.0]])
    labels = L.binary_cross_entropy.metric[1](jnp.array([[1.0, -1.0], [1.0, 1.0]]), jnp.array([[1, 0], [1, 0]]))
    np.testing.assert_array_equal(labels, [1.0, 0.0])


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_the_best_constant_of_the_quantile_loss_is_the_quantile(q):
    y = np.sort(np.random.default_rng(0).exponential(size=1001))
    z = jnp.asarray(y, jnp.float32)
    costs = jax.vmap(lambda c: jnp.mean(L.quantile(q)(jnp.full((1001, 1), c), y)))(z)
    assert abs(int(jnp.argmin(costs)) - q * 1000) <= 1


def test_floor_of_double_softmax():
    k = 10
    z = jnp.zeros((1, k)).at[0, 0].set(1e4)
    reached = L.cross_entropy(jax.nn.softmax(z), jnp.array([0]))[0]
    assert float(reached) == pytest.approx(L.floor_of_double_softmax(k), abs=1e-6)
    assert L.floor_of_double_softmax(k) == pytest.approx(solve(L.floor_of_double_softmax, classes=k)["floor"])
    wild = jax.nn.softmax(jax.random.normal(jax.random.key(0), (1000, k)) * 20)
    assert np.all(L.cross_entropy(wild, jnp.zeros(1000, int)) >= L.floor_of_double_softmax(k) - 1e-6)


def test_losses_by_name():
    for text, loss in L.LOSSES.items():
        assert L.loss_named(text) is loss and L.loss_named(text.upper()) is loss
    for loss in ALL:
        assert loss.name == "quantile" or loss.name in L.LOSSES
    with pytest.raises(DesignError, match="Did you mean 'cross_entropy'"):
        L.loss_named("cros_entropy")
    with pytest.raises(DesignError, match=r"cr\.quantile\(0\.9\)"):
        L.loss_named("quantile")
    with pytest.raises(DesignError, match="did you mean 'mean_absolute_error'"):
        row_metric("mean_absolut_error", L.huber)
    with pytest.raises(DesignError, match="no metric 'accuracy'"):
        row_metric("accuracy", L.huber)


@pytest.mark.parametrize("wrong", [0, -1.0, math.nan, math.inf, "1", True])
def test_refused_settings(wrong):
    for kind in (L.Huber, L.Quantile):
        with pytest.raises(DesignError, match=kind.__name__):
            kind(wrong)
    for kind in (P.l1, P.l2, lambda w: P.elastic_net(w, 0.1), lambda w: P.elastic_net(0.1, w)):
        if wrong != 0 or isinstance(wrong, bool):
            with pytest.raises(DesignError, match="at least 0"):
                kind(wrong)
    if wrong != 0 or isinstance(wrong, bool):
        with pytest.raises(DesignError, match="label_smoothing"):
            L.CrossEntropy(wrong)


@pytest.mark.parametrize("penalty", [P.l1(0.3), P.l2(0.2), P.elastic_net(0.3, 0.2)], ids=repr)
def test_penalties(penalty):
    W = np.random.default_rng(0).normal(size=(3, 4))
    fields = dataclasses.asdict(penalty)
    with jax.enable_x64(True):
        assert float(penalty([jnp.asarray(W)])) == pytest.approx(float(solve(penalty, W=W, **fields)["penalty"]))
        both = penalty([jnp.asarray(W), jnp.asarray(W)])
        assert float(both) == pytest.approx(2 * float(penalty([jnp.asarray(W)])))
        slope = jax.grad(lambda W: penalty([W]))(jnp.asarray(W))
        np.testing.assert_allclose(slope, evaluate(derivatives(penalty)[0][1], W=W, **fields), rtol=1e-9)
    assert len(penalty.weights) == len(penalty.terms([jnp.ones(2)]))
    assert eval(repr(penalty), vars(P)) == penalty == spec.from_data(spec.to_data(penalty))


CONTINUOUS = [
    (D.Normal(1.0, 2.0), stats.norm(1, 2)),
    (D.Laplace(1.0, 2.0), stats.laplace(1, 2)),
    (D.AsymmetricLaplace(1.0, 0.9), stats.laplace_asymmetric(math.sqrt(9), 1, math.sqrt(9) / 0.9)),
    (D.AsymmetricLaplace(-2.0, 0.3), stats.laplace_asymmetric(math.sqrt(3 / 7), -2, math.sqrt(3 / 7) / 0.3)),
]
PROBABILITIES = np.array([1e-6, 0.01, 0.2, 0.3, 0.5, 0.7, 0.9, 0.999])


@pytest.mark.parametrize(("ours", "theirs"), CONTINUOUS, ids=lambda d: repr(d)[:40])
def test_continuous_distributions_against_scipy(ours, theirs):
    with jax.enable_x64(True):
        ours = jax.tree.map(jnp.asarray, ours)
        y = np.linspace(-9, 9, 50)
        np.testing.assert_allclose(ours.log_prob(y), theirs.logpdf(y), rtol=1e-9)
        np.testing.assert_allclose(ours.mean, theirs.mean(), rtol=1e-9)
        np.testing.assert_allclose(ours.variance, theirs.var(), rtol=1e-9)
        np.testing.assert_allclose(ours.entropy(), theirs.entropy(), rtol=1e-9)
        np.testing.assert_allclose(ours.quantile(PROBABILITIES), theirs.ppf(PROBABILITIES), rtol=1e-9)


@pytest.mark.parametrize("delta", [0.3, 1.0, 2.5])
def test_huber_density_against_integration(delta):
    with jax.enable_x64(True):
        d = D.HuberDensity(jnp.asarray(2.0), jnp.asarray(delta))
        stated = solve(D.HuberDensity, y=np.linspace(-5, 8, 20), mean=2.0, delta=delta)
        np.testing.assert_allclose(d.log_prob(np.linspace(-5, 8, 20)), stated["log_prob"], rtol=1e-12)
        edges = [-np.inf, 2 - delta, 2.0, 2 + delta, np.inf]

        def integral(f):
            parts = zip(edges, edges[1:], strict=False)
            return sum(integrate.quad(f, a, b, epsabs=1e-13, epsrel=1e-12)[0] for a, b in parts)

        def density(y):
            r = abs(y - 2.0)
            return math.exp(-(r**2 / 2 if r <= delta else delta * (r - delta / 2))) / stated["total"]

        assert integral(density) == pytest.approx(1, abs=1e-10)
        assert float(d.variance) == pytest.approx(integral(lambda y: (y - 2) ** 2 * density(y)), rel=1e-8)
        assert float(d.variance) == pytest.approx(stated["variance"], rel=1e-12)
        surprise = integral(lambda y: -density(y) * math.log(density(y)) if density(y) > 0 else 0.0)
        assert float(d.entropy()) == pytest.approx(surprise, rel=1e-8) == pytest.approx(stated["entropy"], rel=1e-8)
        for q in PROBABILITIES:
            y = float(d.quantile(q))
            cuts = [-np.inf, *(edge for edge in edges[1:-1] if edge < y), y]
            below = sum(integrate.quad(density, a, b, epsabs=1e-14)[0] for a, b in zip(cuts, cuts[1:], strict=False))
            assert below == pytest.approx(q, rel=1e-6)


def test_discrete_distributions_against_scipy():
    z = np.array([-3.0, 0.0, 0.7, 2.0, 5.0, 7.5])
    with jax.enable_x64(True):
        coin, theirs = D.Bernoulli(jnp.asarray(z)), stats.bernoulli(1 / (1 + np.exp(-z)))
        for y in (0, 1):
            np.testing.assert_allclose(coin.log_prob(y), theirs.logpmf(y), rtol=1e-9)
        np.testing.assert_allclose(coin.entropy(), theirs.entropy(), rtol=1e-9)
        np.testing.assert_allclose([coin.mean, coin.variance], [theirs.mean(), theirs.var()], rtol=1e-9)
        np.testing.assert_array_equal(coin.quantile(0.4), theirs.ppf(0.4))
        count, theirs = D.Poisson(jnp.asarray(z)), stats.poisson(np.exp(z))
        y = np.array([0, 1, 2, 8, 150, 1800])
        np.testing.assert_allclose(count.log_prob(y), theirs.logpmf(y), rtol=1e-9)
        np.testing.assert_allclose([count.mean, count.variance], [theirs.mean(), theirs.var()], rtol=1e-9)
        np.testing.assert_allclose(count.entropy(), [float(stats.poisson(r).entropy()) for r in np.exp(z)], rtol=1e-8)
        for q in (1e-4, 0.03, 0.5, 0.977, 0.9999):
            np.testing.assert_array_equal(count.quantile(q), theirs.ppf(q))
        scores = np.array([[0.0, 1.0, 3.0], [2.0, -1.0, 0.5]])
        category, p = D.Categorical(jnp.asarray(scores)), np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        np.testing.assert_allclose(category.entropy(), stats.entropy(p, axis=1), rtol=1e-9)
        np.testing.assert_allclose(category.log_prob(np.array([2, 0])), np.log(p[[0, 1], [2, 0]]), rtol=1e-9)
        np.testing.assert_allclose([category.mean, category.variance], [p, p * (1 - p)], rtol=1e-9)
    with pytest.raises(DesignError, match="no order"):
        category.quantile(0.5)


@pytest.mark.parametrize(
    "d",
    [*(d for d, _ in CONTINUOUS), D.HuberDensity(1.0, 0.5), D.Bernoulli(0.8), D.Poisson(1.5)],
    ids=lambda d: repr(d)[:40],
)
def test_samples_have_the_stated_moments(d):
    d = jax.tree.map(lambda a: jnp.full(3, a, jnp.float32), d)
    y = np.asarray(jax.jit(lambda d: d.sample(jax.random.key(0), (40_000,)))(d), float)
    assert y.shape == (40_000, 3)
    np.testing.assert_allclose(y.mean(0), d.mean, atol=6 * np.sqrt(np.max(d.variance) / 40_000))
    np.testing.assert_allclose(y.var(0), d.variance, rtol=0.1)


def test_samples_of_classes():
    draws = D.Categorical(jnp.log(jnp.array([[0.2, 0.8], [0.5, 0.5]]))).sample(jax.random.key(0), (20_000,))
    np.testing.assert_allclose(np.asarray(draws, float).mean(0), [0.8, 0.5], atol=0.02)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (D.Normal, {"mean": 1.0, "scale": 2.0}),
        (D.Laplace, {"mean": 1.0, "scale": 2.0}),
        (D.AsymmetricLaplace, {"location": 1.0, "q": 0.3}),
        (D.Bernoulli, {"logits": 0.7}),
        (D.Poisson, {"log_rate": 0.7}),
        (D.Categorical, {"logits": np.array([0.1, 2.0, -1.0])}),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_stated_equations_of_distributions(kind, values):
    with jax.enable_x64(True):
        d = kind(**{name: jnp.asarray(value) for name, value in values.items()})
        stated = solve(kind, y=1, k=3, **values)
        for name in set(stated) & {"log_prob", "mean", "variance", "entropy"}:
            got = d.log_prob(1) if name == "log_prob" else d.entropy() if name == "entropy" else getattr(d, name)
            np.testing.assert_allclose(got, stated[name], rtol=1e-9, err_msg=name)
