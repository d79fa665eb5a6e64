"""Keras 3 on its JAX backend: ``model.fit`` as it comes; the model is put back to its start before each training."""

import os
from itertools import pairwise

os.environ["KERAS_BACKEND"] = "jax"  # read by Keras when it is imported

import keras  # noqa: E402

from serving import Train, serve  # noqa: E402
from workloads import LEARNING_RATE, Workload  # noqa: E402


def network(sizes: tuple[int, ...]) -> keras.Sequential:
    last = len(sizes) - 2
    dense = [
        keras.layers.Dense(units, activation=None if i == last else "relu", kernel_initializer="glorot_uniform")
        for i, (_, units) in enumerate(pairwise(sizes))
    ]
    return keras.Sequential([keras.Input(sizes[:1]), *dense])


def trainer(work: Workload) -> Train:
    X, y = work.data()
    keras.utils.set_random_seed(0)
    model, optimizer = network(work.sizes), keras.optimizers.Adam(LEARNING_RATE)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if work.classes else "mse"
    model.compile(optimizer, loss)
    optimizer.build(model.trainable_variables)
    changed = [*model.variables, *optimizer.variables]
    start = [variable.numpy() for variable in changed]

    def train(epochs: int) -> float:
        for variable, value in zip(changed, start, strict=True):
            variable.assign(value)
        history = model.fit(X, y, batch_size=work.batch, epochs=epochs, verbose=0)
        return history.history["loss"][-1]

    return train


if __name__ == "__main__":
    serve(trainer)
