"""Functions that programs write out are recognized, and only these."""

import math

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import chainrule as cr
from chainrule.equations.derivation.merge import merged
from chainrule.trace.graph import reachable
from chainrule.trace.lift import lift, named_functions
from chainrule.trace.program import program
from graph_checker import check
from lift_cases import SIZES, Numbers, total

A = Numbers(SIZES[0])


def shifted(x, axis):
    return x - x.max(axis, keepdims=True)


def by_hand(x, axis=-1):
    return jnp.exp(x) / jnp.exp(x).sum(axis, keepdims=True)


ROOT = math.sqrt(0.5)
CONCEPTS = {
    "softmax": [
        jax.nn.softmax,
        cr.softmax,
        by_hand,
        lambda x: by_hand(shifted(x, -1)),
        lambda x: jax.nn.softmax(x, axis=0),
        lambda x: jax.nn.softmax(x, axis=1),
        lambda x: jax.nn.softmax(x, axis=(0, 2)),
        lambda x: by_hand(shifted(x, 1), 1).transpose(2, 0, 1),
        jax.vmap(jax.nn.softmax),
    ],
    "log_softmax": [
        jax.nn.log_softmax,
        cr.log_softmax,
        lambda x: jax.nn.log_softmax(x, axis=1),
        lambda x: x - jax.nn.logsumexp(x, axis=1, keepdims=True),
        lambda x: shifted(x, 0) - jnp.log(jnp.exp(shifted(x, 0)).sum(0)),
    ],
    "logsumexp": [
        lambda x: jax.nn.logsumexp(x, axis=1),
        jax.nn.logsumexp,
        lambda x: jax.nn.logsumexp(x, axis=(0, 2), keepdims=True),
        lambda x: jnp.log(jnp.sum(jnp.exp(x), 0)),
    ],
    "softplus": [
        jax.nn.softplus,
        cr.softplus,
        lambda x: jnp.logaddexp(0.0, x),
        lambda x: -jax.nn.log_sigmoid(x),
        lambda x: jnp.log1p(jnp.exp(x)),
        lambda x: jnp.log(1 + jnp.exp(x)),
        lambda x: jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x))),
        lambda x: jax.nn.softplus(x - x**2),
    ],
    "logaddexp": [lambda x: jnp.logaddexp(x, x[:1]), lambda x: jnp.logaddexp(2 * x, x - 1)],
    "sigmoid": [jax.nn.sigmoid, lambda x: 1 / (1 + jnp.exp(-x)), lambda x: jnp.exp(x) / (jnp.exp(x) + 1)],
    "silu": [jax.nn.silu, cr.silu, lambda x: jax.nn.sigmoid(x) * x, lambda x: x * (1 / (1 + jnp.exp(-x)))],
    "gelu": [
        lambda x: jax.nn.gelu(x, approximate=False),
        cr.gelu,
        lambda x: 0.5 * x * (1 + lax.erf(x / math.sqrt(2))),
        lambda x: x * (lax.erf(x * ROOT) + 1) / 2,
        lambda x: 0.5 * (x * (1 + lax.erf(x * ROOT))),
        lambda x: lax.erfc(-x / math.sqrt(2)) * 0.5 * x,
        lambda x: (x + 1) * lax.erfc(-(x + 1) * ROOT) / 2,
    ],
}


@pytest.mark.parametrize("name", CONCEPTS)
def test_functions_that_are_written_out_are_recognized(name):
    written = {"exp", "log", "log1p", "erf", "erfc", "abs", "stop", "max", "isfinite"}
    for k, f in enumerate(CONCEPTS[name]):
        traced = program(lambda x, f=f: total(f(x)), jnp.ones((2, 3, 4)))
        graph = named_functions(merged(lift(traced.traced, traced.inputs)))
        found = {n.name for n in reachable(graph.outputs, graph.links)}
        assert name in found and not found & written, f"number {k}: {found}"
    check(lambda x: total(*(f(x) for f in CONCEPTS[name])), A("ndh")).expect()
    check(lambda x: total(*(f(x) for f in CONCEPTS[name])), A("ndh"), merge=True).expect()


UNLIKE = {
    "other numbers above and below": ("softmax", lambda x: jnp.exp(x) / jnp.exp(2 * x).sum(1, keepdims=True)),
    "another sum": ("softmax", lambda x: jnp.exp(x) / (1 + jnp.exp(x).sum(1, keepdims=True))),
    "a sum of other rows": ("softmax", lambda x: jnp.exp(x) / jnp.exp(x).sum(1)),
    "a sum of some": ("softmax", lambda x: jnp.exp(x) / jnp.exp(x)[:, 1:].sum(1, keepdims=True)),
    "another logsumexp": ("log_softmax", lambda x: x - jax.nn.logsumexp(x**2, 1, keepdims=True)),
    "another shift": ("logsumexp", lambda x: jnp.log(jnp.exp(x - 1).sum(1) + 2) + 1),
    "another slope in erf": ("gelu", lambda x: 0.5 * x * (1 + lax.erf(x / 1.41))),
    "another factor": ("gelu", lambda x: 0.51 * x * (1 + lax.erf(x * ROOT))),
    "another sign": ("gelu", lambda x: 0.5 * x * (1 + lax.erf(-x * ROOT))),
    "another number": ("gelu", lambda x: 0.5 * x**2 * (1 + lax.erf(x * ROOT))),
    "another weight": ("silu", lambda x: x * jax.nn.sigmoid(2 * x)),
    "two in the denominator": ("sigmoid", lambda x: 1 / (2 + jnp.exp(-x))),
    "two in the logarithm": ("softplus", lambda x: jnp.log(2 + jnp.exp(x))),
    "another distance": ("logaddexp", lambda x: jnp.maximum(x, 2 * x) + jnp.log1p(jnp.exp(-jnp.abs(x - 3 * x)))),
}


def test_what_only_looks_alike_stays_as_it_is():
    def f(x):
        return total(*(g(x[:3]) for _, g in UNLIKE.values()))

    for case, (name, g) in UNLIKE.items():
        traced = program(lambda x, g=g: total(g(x)), jnp.ones((3, 3)))
        graph = named_functions(merged(lift(traced.traced, traced.inputs)))
        assert name not in {n.name for n in reachable(graph.outputs, {})}, case
    check(f, A("33"), merge=True).expect()


def test_a_function_whose_inside_is_read_elsewhere_stays_written_out():
    def f(x):
        e = jnp.exp(x)
        s = jax.nn.sigmoid(x[0])
        return total(e / e.sum(-1, keepdims=True), e**2, x[0] * s, s)

    report = check(f, A("nd")).expect()
    assert "exp" in report.names() and not report.names() & {"softmax", "silu"}


def test_what_is_subtracted_stays_unless_it_is_a_maximum():
    def f(p, x):
        return total(jax.nn.softmax(x * p - p), jax.nn.log_softmax(x - p[0]))

    report = check(f, A("d"), A("nd")).expect()
    assert {"softmax", "log_softmax", "subtract"} <= report.names()
