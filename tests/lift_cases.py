"""Small programs, one for each construct of arrays that a graph must understand, at sizes that all differ."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

SIZES = [
    {"n": 2, "d": 3, "h": 4, "k": 5, "t": 6},
    {"n": 5, "d": 6, "h": 2, "k": 3, "t": 4},
]
CASES = {}


class Numbers:
    """Random arrays with axes named by letters: ``a("nd")`` is examples by features."""

    def __init__(self, sizes):
        self.rng = np.random.default_rng(7)
        self.sizes = sizes
        self.n, self.d, self.h, self.k, self.t = sizes.values()

    def __call__(self, axes, low=None, high=None):
        shape = tuple(self.sizes[c] if c in self.sizes else int(c) for c in axes)
        values = self.rng.normal(size=shape) if low is None else self.rng.uniform(low, high, shape)
        return values.astype(np.float32)

    def ids(self, axes, below):
        return self.rng.integers(0, below, tuple(self.sizes[c] for c in axes))


def case(*opaque):
    """Enter a function of ``Numbers`` that gives (program, arguments); ``opaque`` has no rule and needs none."""

    def enter(f):
        CASES[f.__name__] = (f, opaque)
        return f

    return enter


def total(*arrays):
    """A number that depends on each entry of arrays in its own way."""
    return sum(jnp.sum(jnp.sin(0.7 + jnp.arange(jnp.size(a)).reshape(jnp.shape(a))) * a) for a in arrays)


# ------------------------------------------------------------------------------------------- number by number


@case()
def functions_of_one_number(a):
    everywhere = [jnp.exp, jnp.exp2, jnp.expm1, jnp.tanh, jnp.sin, jnp.cos, jnp.tan, jnp.sinh, jnp.cosh, jnp.arcsinh]
    everywhere += [
        jnp.arctan,
        jnp.abs,
        jnp.sign,
        jnp.floor,
        jnp.ceil,
        jnp.round,
        jnp.square,
        lax.logistic,
        jnp.negative,
    ]
    everywhere += [lax.erf, lax.erfc, jnp.cbrt, lambda x: x**3, lambda x: x**-2, lax.stop_gradient, jnp.positive]
    inside = [jnp.log, jnp.log1p, jnp.sqrt, lax.rsqrt, jnp.arcsin, jnp.arccos, jnp.arctanh, lax.erf_inv, lax.lgamma]
    inside += [lambda x: jnp.arccosh(x + 1.5), jnp.reciprocal, lambda x: x**0.3, lambda x: 2.0**x]

    def f(x, u):
        return total(*(g(x) for g in everywhere), *(g(u) for g in inside), x.astype(int) * x, (x > 0) * x)

    return lambda p: f(*p), (a("nd"), a("dn", 0.1, 0.9))


@case()
def functions_of_two_numbers(a):
    def f(p):
        x, y, u, v = p
        made = [
            x + y,
            x - y,
            x * y,
            x / y,
            u**v,
            jnp.maximum(x, y),
            jnp.minimum(x, y),
            jnp.maximum(x, x[0]),
            jnp.arctan2(x, y),
        ]
        made += [jnp.logaddexp(x, y), lax.rem(x, u), jnp.where(x > y, x, 2 * y), jnp.clip(x, -0.5, 0.5), jnp.mod(x, u)]
        made += [jnp.where((x > 0) & (y > 0) | ~(u < 0.5), x, y), jnp.where(x != y, u, v), lax.clamp(-1.0, x, 1.0)]
        made += [jnp.hypot(x, y), jnp.float_power(u, 2), jnp.heaviside(x, 0.5) * y, jnp.where(True, x, y)]
        return total(*made)

    return f, (a("nd"), a("nd"), a("nd", 0.1, 0.9), a("d", 0.1, 0.9))


@case()
def whole_numbers(a):
    def f(x, i):
        made = [
            x * (i // 2),
            x * (i % 2),
            x * i**2,
            x * (-i),
            x * lax.rem(i, 2),
            x * lax.div(i, 3),
            x * jnp.minimum(i, 1),
        ]
        return total(*made, x * jnp.sign(i - 2), jnp.where(i == 1, x, 0), x * (i.astype(jnp.int8) > 1))

    return f, a("nd"), a.ids("nd", 4)


@case("and", "xor", "not", "shift_left")
def bits_of_whole_numbers(a):
    return lambda x, i: total(x * (i & 3), x * (i ^ 1), x * ~i, x * (i << 1)), a("nd"), a.ids("nd", 4)


# ---------------------------------------------------------------------------------------- sums, shapes, slices


@case()
def reductions(a):
    def f(x):
        made = [x.sum(), x.mean(1), x.max((0, 2)), x.min(-1), x.prod(1), x.var(0), x.std((1, 2))]
        made += [jnp.linalg.norm(x), jnp.linalg.norm(x, axis=1), x.sum((0, 1), keepdims=True), jnp.ptp(x, 0)]
        made += [jnp.cumsum(x, 1), lax.cumsum(x, 2, reverse=True), jnp.average(x, 0, jnp.arange(1.0, 1 + a.n))]
        return total(*made, x[:, 0] * jnp.argmax(x, 1), x[0] * jnp.argmin(x, 0), x * (x > 0).any(1, keepdims=True))

    return f, a("nkd")


@case()
def products(a):
    def f(p):
        x, w, v, b = p
        return total(
            x @ w,
            w.T @ v,
            v @ w,
            jnp.outer(v, v),
            b @ w,
            b @ jnp.swapaxes(b, 1, 2),
            jnp.tensordot(b, w, 1),
            x * w.sum(),
        )

    return f, (a("nd"), a("dh"), a("d"), a("knd"))


EINSUMS = (
    "nd,dh->nh nd,hd->nh nd,nd-> nd,nd->n nd,ne->de ntd,de->nte ntd,nsd->nts nthe,nshe->nhts nhts,nshe->nthe "
    "bi,bj->bij bij,bjk->bik bij,bik->bjk ij,jk,kl->il ijk->kji ijk->j iij->ij ij,ij->ji nd,d->nd n,d->nd "
    "ntd,td->nd ndth,hk->nktd abcd,bd->ca abcd,abcd->ad i,i-> ij->"
).split(" ")


@case()
def einsums(a):
    lengths = dict(zip("abcdehijklnst", (2, 3, 4, 5, 2, 3, 4, 3, 5, 2, 4, 3, 5), strict=True))
    if a.n > 2:
        lengths = {c: 7 - n for c, n in lengths.items()}
    lengths |= {"s": lengths["t"] + 1}
    arrays = []
    for spec in EINSUMS:
        for axes in spec.split("->")[0].split(","):
            arrays.append(a.rng.normal(size=[lengths[c] for c in axes]).astype(np.float32))

    def f(arrays):
        it = iter(arrays)
        return total(*(jnp.einsum(s, *(next(it) for _ in s.split("->")[0].split(","))) for s in EINSUMS))

    return f, arrays


@case()
def shapes(a):
    def f(x):
        made = [
            x.T,
            x.reshape(a.n, -1),
            x.reshape(-1),
            x[None],
            x.transpose(1, 0, 2),
            jnp.moveaxis(x, 2, 0),
            x[:, :, None],
        ]
        made += [
            jnp.broadcast_to(x[:, :1], x.shape),
            jnp.tile(x, (1, 2, 1)),
            jnp.repeat(x, 2, 1),
            jnp.stack([x, 2 * x], 1),
        ]
        made += [jnp.concatenate([x, x**2, jnp.ones_like(x)], 2), *jnp.split(x, [1, 2], 1), *jnp.unstack(x, axis=0)]
        made += [jnp.squeeze(x[:1]), x.reshape(a.k, a.n, a.d).sum(1), jnp.ravel(x)[::2]]
        return total(*made)

    return f, a("nkd")


@case()
def slices(a):
    def f(x):
        made = [
            x[1:],
            x[:, ::2],
            x[:, 1:-1],
            x[..., -1],
            x[0, 1],
            x[::-1],
            x[:, ::-2],
            jnp.flip(x, (0, 2)),
            jnp.roll(x, 1, 1),
        ]
        made += [
            jnp.roll(x, (1, -1), (0, 2)),
            x[:, :2] * x[:, 1:3],
            jnp.diff(x, axis=1),
            jnp.trace(x[0, :2, :2]),
            x[1:2],
        ]
        made += [
            jnp.tril(x),
            jnp.triu(x[0]),
            jnp.diagonal(x, axis1=0, axis2=1),
            jnp.eye(a.n) @ x[:, 0],
            x[:, 1:] @ x[0].T,
        ]
        return total(*made)

    return f, a("nkd")


@case()
def paddings(a):
    def f(x):
        made = [jnp.pad(x, ((1, 0), (0, 2))), jnp.pad(x, 1, constant_values=0.5), jnp.pad(x, 1, mode="reflect")]
        made += [jnp.pad(x, ((0, 1), (1, 1)), mode="edge"), jnp.pad(x, 1, mode="wrap"), jnp.pad(x, 1, mode="symmetric")]
        made += [lax.pad(x, 0.0, ((1, 2, 1), (0, 1, 2))), lax.pad(x, 2.0, ((0, -1, 0), (-1, 1, 1)))]
        return total(*made, lax.pad(x, x[0, 0], ((1, 0, 0), (0, 0, 0))))

    return f, a("nk")


@case()
def pieces_of_pieces(a):
    """What is read of an array that is padded, shifted, reversed or looked up already."""
    even, steps = np.arange(2), np.arange(5)

    def f(x):
        padded = lambda v, low, high=0: jnp.pad(v, ((0, 0), (low, high)))  # noqa: E731
        made = [padded(1 / x, 1) * padded(x**2, 1), padded(jnp.exp(x), 0, 2) / jnp.exp(x).sum(1, keepdims=True)]
        made += [jnp.where(padded(x > 0.7, 1), padded(x, 1), 0), padded(0.5 * x, 1) * (1 + padded(lax.erf(x), 1))]
        made += [x[:, 1:][:, 1:][:, ::2], jnp.roll(x, 1, 1)[:, 1:], x[::-1][:, 1:][:1], padded(x, 1, 1)[even, 3 * even]]
        made += [x[0][jnp.pad(even, 1)], x[0][jnp.arange(5)[1:3]], x[0][jnp.arange(3) * 2 - 1 - jnp.arange(3) + 1]]
        made += [
            x[even, even],
            x[even, even + 1],
            x[jnp.arange(2)[:, None], jnp.arange(2)[None] + 1],
            x[0][abs(steps - 2)],
        ]
        made.append(jax.vmap(lambda s: lax.dynamic_slice(x, (0, s), (2, 2)))(jnp.array([0, 1, 1])))
        return total(*made)

    return f, a("nk", 0.5, 1.0)


# --------------------------------------------------------------------------------------------- places looked up


@case()
def lookups(a):
    ids, pairs, one = a.ids("nt", a.k), a.ids("n", a.d), a.ids("t", a.n)

    def f(p, ids, pairs, one):
        e, x = p
        made = [
            e[ids],
            jnp.take(e, ids, axis=0),
            jnp.take(e, pairs, axis=1),
            e[:, pairs],
            e[ids, 1],
            e[ids[:, 0], pairs],
        ]
        made += [x[jnp.arange(a.n), pairs], jnp.take_along_axis(x, pairs[:, None], 1), x[one][:, pairs], x[one[0]]]
        made += [x[:, one[0]], lax.dynamic_index_in_dim(x, one[1], 0), lax.dynamic_slice(x, (one[0], 0), (1, a.d - 1))]
        made += [
            lax.dynamic_slice_in_dim(e, pairs[0], 2),
            lax.dynamic_slice_in_dim(e, 9, 2),
            x[jnp.argmax(x, 0)],
            e.at[ids].get(mode="fill"),
            x[-1, ids[0, 0] - a.k],
        ]
        made += [jax.vmap(lambda row, i: row[i])(x, pairs), jnp.take_along_axis(x, jnp.argmax(x, 1, keepdims=True), 1)]
        made += [
            jax.nn.one_hot(pairs, a.d) @ x.T,
            x[:, jnp.array([1, 0, 1])],
            e[ids][..., ::2],
            jnp.take(x, jnp.array([1, 0]), 0),
        ]
        return total(*made)

    return f, (a("7d") if a.k < 5 else a("8d"), a("nd")), ids, pairs, one


@case()
def writings(a):
    ids, one = a.ids("t", a.n), a.ids("t", a.n)

    def f(p, ids, one):
        x, v = p
        made = [x.at[one[0]].set(v), x.at[1].set(v), x.at[:, 1].set(2.0), x.at[:, 1:3].set(0.5), x.at[ids].add(v)]
        made += [
            x.at[ids, 1:3].add(v[:2]),
            x.at[ids].add(v[1] * x[ids]),
            x.at[0].multiply(3.0),
            x.at[one[1], 1].set(v[0]),
        ]
        made += [lax.dynamic_update_slice(x, x[:1, :2] ** 2, (one[0], 1)), x.at[1, 2].add(v[0]), x.at[ids].subtract(v)]
        made += [lax.dynamic_update_slice(x, v[None, :2], (0, one[0] % 2)), x.at[:1].set(v), x.at[::2, 0].set(v[0])]
        made += [
            jnp.zeros_like(x).at[jnp.arange(a.n), one[0]].set(v[1]),
            lax.dynamic_update_index_in_dim(x, v, one[1], 0),
        ]
        return total(*made, jax.ops.segment_sum(x[ids], one, a.n))

    return f, (a("nd"), a("d")), ids, one


@case("scatter")
def writings_that_may_meet(a):
    return lambda x, ids: total(x.at[ids].set(x[0] ** 2)), a("nd"), np.array([0, 1])
