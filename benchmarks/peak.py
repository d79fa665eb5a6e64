"""The machine's limit: the best time of a float32 matrix product of 2048 x 2048 x 2048, through JAX."""

import json
import sys
import time

import jax
import jax.numpy as jnp

SIZE = 2048
FLOPS = 2 * SIZE**3


def product() -> float:
    A = jax.random.normal(jax.random.key(0), (SIZE, SIZE))
    multiply = jax.jit(jnp.matmul)
    multiply(A, A).block_until_ready()
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        multiply(A, A).block_until_ready()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


if __name__ == "__main__":
    for _ in sys.stdin:
        print(json.dumps({"seconds": product()}), flush=True)
