"""JAX as its tutorials write it: one compiled step on one batch, optax, and a loop in Python."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax

from serving import Train, serve
from workloads import LEARNING_RATE, Workload


def draw(sizes: tuple[int, ...]) -> list[tuple[jax.Array, jax.Array]]:
    law = jax.nn.initializers.glorot_uniform()
    keys = jax.random.split(jax.random.key(0), len(sizes) - 1)
    return [(law(key, pair), jnp.zeros(pair[1])) for key, pair in zip(keys, pairwise(sizes), strict=True)]


def trainer(work: Workload) -> Train:
    X, y = work.data()
    optimizer = optax.adam(LEARNING_RATE)

    def loss_of(p, x, t):
        *hidden, (W, b) = p
        for V, c in hidden:
            x = jax.nn.relu(x @ V + c)
        z = x @ W + b
        if work.classes:
            return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(z, t))
        return jnp.mean((z - t) ** 2)

    @jax.jit
    def step(p, memory, x, t):
        loss, gradient = jax.value_and_grad(loss_of)(p, x, t)
        updates, memory = optimizer.update(gradient, memory)
        return optax.apply_updates(p, updates), memory, loss

    def train(epochs: int) -> float:
        rng = np.random.default_rng(0)
        p = draw(work.sizes)
        memory, losses = optimizer.init(p), []
        for _ in range(epochs):
            order, losses = rng.permutation(work.rows), []
            x, t = X[order], y[order]
            for i in range(0, work.rows, work.batch):
                p, memory, loss = step(p, memory, x[i : i + work.batch], t[i : i + work.batch])
                losses.append(loss)
        return float(np.mean(jax.device_get(losses)))

    return train


if __name__ == "__main__":
    serve(trainer)
