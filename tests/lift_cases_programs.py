"""More cases of ``lift_cases``: windows, loops, branches, transformations, attention, losses of other libraries."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from lift_cases import CASES, case, total

__all__ = ["CASES"]

# ------------------------------------------------------------------------------------------------------ windows


@case()
def poolings(a):
    def f(x):
        made = []
        for size, stride, padding in (
            ((2, 3), (2, 1), "SAME"),
            ((3, 2), (1, 2), "VALID"),
            ((2, 2), (3, 2), ((1, 0), (0, 1))),
        ):
            dims, strides = (1, *size, 1), (1, *stride, 1)
            pad = padding if isinstance(padding, str) else ((0, 0), *padding, (0, 0))
            made.append(lax.reduce_window(x, -jnp.inf, lax.max, dims, strides, pad))
            made.append(lax.reduce_window(x, jnp.inf, lax.min, dims, strides, pad))
            made.append(lax.reduce_window(x, 0.0, lax.add, dims, strides, pad))
            count = lax.reduce_window(jnp.ones_like(x), 0.0, lax.add, dims, strides, pad)
            made.append(lax.reduce_window(x, 0.0, lax.add, dims, strides, pad) / count)
            made.append(lax.reduce_window(x, 0.0, lax.add, dims, strides, pad, window_dilation=(1, 2, 1, 1)))
        made.append(lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 1, 1, 1), "VALID", (1, 2, 1, 1)))
        return total(*made)

    return f, a("ntk2")


@case()
def convolutions(a):
    def f(p):
        x, w, g = p
        made = []
        for strides, padding, left, right in (
            ((1, 1), "SAME", (1, 1), (1, 1)),
            ((2, 1), "VALID", (1, 1), (1, 2)),
            ((1, 2), ((1, 0), (2, 1)), (2, 1), (1, 1)),
            ((3, 2), ((2, 2), (0, 1)), (2, 3), (2, 1)),
        ):
            numbers = ("NHWC", "HWIO", "NHWC")
            made.append(lax.conv_general_dilated(x, w, strides, padding, left, right, numbers))
            made.append(lax.conv_general_dilated(x, g, strides, padding, left, right, numbers, feature_group_count=a.d))
        made.append(lax.conv_transpose(x, w, (2, 3), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")))
        made.append(lax.conv_general_dilated(x.transpose(0, 3, 1, 2), w.transpose(3, 2, 0, 1), (1, 1), "SAME"))
        return total(*made)

    return f, (a("ntkd"), a("23dh"), a("321" + "d") if a.d == 3 else a("3216"))


@case()
def convolutions_of_other_ranks(a):
    def f(p):
        x, w, y, v, k = p
        made = [lax.conv_general_dilated(x, w, (2,), ((2, 0),), dimension_numbers=("NWC", "WIO", "NWC"))]
        made.append(lax.conv_general_dilated(y, v, (1, 2, 1), "SAME", dimension_numbers=("NDHWC", "DHWIO", "NDHWC")))
        made.append(jax.vmap(lambda row: jnp.convolve(row, k, mode="same"))(x[..., 0]))
        made.append(lax.conv_general_dilated_patches(x.transpose(0, 2, 1), (2,), (1,), "VALID"))
        return total(*made)

    return f, (a("ntd"), a("3dk"), a("nh3k2"), a("21223"), a("3"))


# -------------------------------------------------------------------------------------------- loops and branches


@case()
def lstm(a):
    def f(p, x):
        def step(carry, x):
            h, s = carry
            i, g, o, u = jnp.split(x @ p["W"] + h @ p["U"] + p["b"], 4, -1)
            s = jax.nn.sigmoid(g) * s + jax.nn.sigmoid(i) * jnp.tanh(u)
            h = jax.nn.sigmoid(o) * jnp.tanh(s)
            return (h, s), h

        start = (jnp.zeros((a.n, 3)), jnp.zeros((a.n, 3)))
        (h, s), all_h = lax.scan(step, start, x.swapaxes(0, 1))
        return total(h, s, all_h[::2]) + total(all_h[1])

    return f, {"W": a.rng.normal(size=(a.d, 12)), "U": a.rng.normal(size=(3, 12)), "b": a.rng.normal(size=12)}, a("ntd")


@case()
def gru_backwards(a):
    def f(p, x):
        def step(h, x):
            r, z = jnp.split(jax.nn.sigmoid(x @ p["W"] + h @ p["U"]), 2, -1)
            h = (1 - z) * h + z * jnp.tanh(x @ p["V"] + (r * h) @ p["R"])
            return h, h

        h, all_h = lax.scan(step, p["h0"] + jnp.zeros((a.n, a.h)), x.swapaxes(0, 1), reverse=True)
        return total(h, all_h)

    h = a.h
    p = {"W": (a.d, 2 * h), "U": (h, 2 * h), "V": (a.d, h), "R": (h, h), "h0": (h,)}
    return f, {name: a.rng.normal(size=shape) for name, shape in p.items()}, a("ntd")


@case()
def scans(a):
    def f(p, x):
        only_rows = lax.scan(lambda _, row: (None, jnp.tanh(row @ p)), None, x)[1]
        _, counted = lax.scan(lambda c, row: ((c[0] + 2, c[1]), row * c[0] * c[1]), (1, p.sum()), x)
        chosen, index = lax.scan(lambda i, row: ((i + jnp.argmax(row)) % a.d, row[i] * p[i, 0]), 0, x)
        mapped = lax.map(lambda row: row @ p, x)
        swapped, _ = lax.scan(lambda c, row: ((c[1] + row.sum(), c[0] * 0.9), None), (p[0, 0], p[1, 0]), x)
        last, cumulative = lax.scan(lambda c, row: (c + row, c), jnp.zeros(a.d), x * p[:, 0])
        nested, _ = lax.scan(
            lambda c, row: (lax.scan(lambda s, v: (jnp.sin(s * v) + p[0], s), c, row)[0], None), p[1], x
        )
        return total(only_rows, counted, index, mapped, *swapped, last, cumulative, nested)

    return f, a("dh"), a("td")


@case()
def loops_that_count(a):
    def f(x):
        summed = lax.fori_loop(0, a.n, lambda i, s: s * 0.5 + x[i] ** 2, jnp.zeros(a.d))
        filled = lax.fori_loop(0, a.n, lambda i, out: out.at[i].set(x[i] * i), jnp.zeros((a.n, a.d)))
        upward = lax.fori_loop(1, a.n, lambda i, s: s.at[i].add(s[i - 1]), x)
        backward = lax.scan(lambda i, _: (i + 1, x[i]), 0, length=a.n, reverse=True)[1]
        return total(summed, filled, upward, backward)

    return f, a("nd")


@case()
def neural_ode(a):
    def f(p, x):
        def slope(z, t):
            return jnp.tanh(z @ p["W"] + t * p["b"])

        def step(carry, _):
            z, t = carry
            k1 = slope(z, t)
            k2 = slope(z + 0.05 * k1, t + 0.05)
            k3 = slope(z + 0.05 * k2, t + 0.05)
            k4 = slope(z + 0.1 * k3, t + 0.1)
            return (z + 0.1 / 6 * (k1 + 2 * k2 + 2 * k3 + k4), t + 0.1), None

        return total(lax.scan(step, (x, 0.0), length=4)[0][0])

    return f, {"W": a("d" + str(a.d)), "b": a("d")}, a("nd")


@case()
def branches(a):
    def f(x, i):
        made = [
            lax.cond(x[0, 0] > 0, jnp.sin, lambda v: v**2, x),
            lax.cond(i == 1, lambda v: (v, 2.0), lambda v: (v * v, 3.0), x)[0],
        ]
        made.append(lax.switch(i, [jnp.sin, jnp.cos, lambda v: v * 3], x))
        made.append(jax.vmap(lambda row: lax.cond(row[0] > 0, jnp.sin, jnp.cos, row))(x))
        made.append(
            lax.scan(lambda c, row: (lax.cond(row[0] > 0, lambda c: c + row, lambda c: c * 0.5, c), None), x[0], x)[0]
        )
        return total(*made)

    return f, a("nd"), np.int32(1)


@case("cond", "while")
def branches_and_loops_that_stay_whole(a):
    def f(x):
        scan = lambda v: lax.scan(lambda c, r: (jnp.sin(c + r), None), v[0], v)[0]  # noqa: E731
        steps = lax.while_loop(lambda c: c[1] < 5, lambda c: (c[0] * 2, c[1] + 1), (1.0, 0))[0]
        return total(lax.cond(x[0, 0] > 0, scan, lambda v: v[0] ** 2, x), x * steps)

    return f, a("nd")


# ---------------------------------------------------------------------------------------------- transformations


@case()
def transformations(a):
    @jax.custom_jvp
    def cube(x):
        return x * x * x

    cube.defjvps(lambda g, y, x: 3 * x**2 * g)

    def f(p, x):
        net = lambda p, v: jnp.tanh(p["W"].T @ v + p["b"])  # noqa: E731
        made = [
            jax.vmap(net, (None, 0))(p, x),
            jax.checkpoint(lambda v: jnp.sin(v) ** 2)(x),
            jax.jit(jnp.cos)(x),
            cube(x),
        ]
        made += [
            jax.vmap(jax.vmap(lambda u, v: u * v, (0, None)), (None, 0))(p["b"], p["b"]),
            jax.nn.relu(x),
            jax.nn.relu6(3 * x),
        ]
        made += [jax.vmap(lambda v: jax.grad(lambda u: jnp.sum(jnp.sin(u) ** 3))(v))(x), lax.reduce_precision(x, 8, 7)]
        made += [jax.lax.stop_gradient(x) * x, lax.optimization_barrier(x), jax.jvp(jnp.tanh, (x,), (x**2,))[1]]
        return total(*made)

    return f, {"W": a("dh"), "b": a("h")}, a("nd")


@case(
    "sort",
    "cumprod",
    "cummax",
    "cumlogsumexp",
    "top_k",
    "digamma",
    "reduce_and",
    "reduce",
    "round",
)
def operations_without_a_rule(a):
    def f(x, i):
        made = [jnp.sort(x, 0), jnp.sort(x, axis=1) ** 2, x[jnp.argsort(x[:, 0])], jnp.cumprod(x, 1), lax.cummax(x, 0)]
        made += [
            lax.cumlogsumexp(x, 1),
            lax.top_k(x, 2)[0],
            lax.digamma(x**2 + 1),
        ]
        made += [lax.reduce(x, 0.0, lambda u, v: u * v + u + v, (0,)), lax.round(x) * x, x * lax.reduce_and(i, (0,))]
        return total(*made, jax.vmap(lambda row: jnp.sort(row) ** 2)(x), lax.map(jnp.sort, x))

    return f, a("nd"), a.ids("nd", 9)


@case()
def attention(a):
    def f(p, x):
        q, k, v = (jnp.einsum("ntd,dhe->nhte", x, p[c]) for c in "qkv")
        scores = jnp.einsum("nhte,nhse->nhts", q, k) / 2
        scores = jnp.where(jnp.tril(jnp.ones((a.t, a.t), bool)), scores, -1e30)
        return total(jnp.einsum("nhts,nhse->nthe", jax.nn.softmax(scores), v)), None

    shapes = dict.fromkeys("qkv", (a.d, a.h, a.k))
    return lambda p, x: f(p, x)[0], {c: a.rng.normal(size=s).astype(np.float32) for c, s in shapes.items()}, a("ntd")


@case()
def losses_of_optax(a):
    def f(z, y, i, b):
        p = jax.nn.softmax(y)
        made = [
            optax.softmax_cross_entropy(z, p),
            optax.softmax_cross_entropy_with_integer_labels(z, i),
            optax.l2_loss(z, y),
        ]
        made += [
            optax.sigmoid_binary_cross_entropy(z, b),
            optax.huber_loss(z, y, delta=0.7),
            optax.log_cosh(z, y),
            optax.hinge_loss(z, 2 * b - 1),
        ]
        made += [
            optax.kl_divergence(jax.nn.log_softmax(z), p),
            optax.cosine_similarity(z, y),
            optax.sigmoid_focal_loss(z, b, gamma=2.0),
        ]
        made += [optax.squared_error(z, y), optax.safe_softmax_cross_entropy(z, p)]
        made += [optax.smooth_labels(p, 0.1) * z, optax.cosine_distance(z, y)]
        return total(*made)

    return f, a("nk"), a("nk"), a.ids("n", a.k), a.ids("nk", 2).astype(np.float32)


@case()
def activations_of_jax(a):
    names = (
        "relu relu6 sigmoid softplus silu log_sigmoid leaky_relu hard_sigmoid hard_silu hard_tanh elu celu selu gelu"
    )
    names += " soft_sign squareplus mish softmax log_softmax standardize sparse_plus"

    def f(x):
        made = [getattr(jax.nn, name)(x) for name in names.split()]
        return total(*made, jax.nn.gelu(x, approximate=False), jax.nn.glu(x[:, :2]), jax.nn.logsumexp(x, 1))

    return f, a("nd")
