"""chainrule as its users write it: ``cr.fit`` from the arrays to a trained run."""

import numpy as np

import chainrule as cr
from serving import Train, serve
from workloads import LEARNING_RATE, Workload


def network(sizes: tuple[int, ...]) -> cr.Chain:
    *hidden, outputs = sizes[1:]
    layers = [part for units in hidden for part in (cr.Dense(units, init=cr.glorot_uniform), cr.relu)]
    return cr.Chain(*layers, cr.Dense(outputs, init=cr.glorot_uniform))


def trainer(work: Workload) -> Train:
    X, y = work.data()
    net = network(work.sizes)
    loss = cr.cross_entropy if work.classes else cr.mean_squared_error

    def train(epochs: int) -> float:
        run = cr.fit(
            net,
            X,
            y,
            loss=loss,
            optimizer=cr.adam(LEARNING_RATE),
            epochs=epochs,
            batch_size=work.batch,
            validation=None,
            ensemble=work.members,
            progress=False,
        )
        return float(np.mean(run.history["loss"][-1]))

    return train


if __name__ == "__main__":
    serve(trainer)
