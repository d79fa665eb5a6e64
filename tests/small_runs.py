"""Small runs on random rows, for tests of what a run says of itself."""

import numpy as np

import chainrule as cr

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 3)).astype(np.float32)
NOISE = RNG.normal(size=240)


def fitted(outputs, y, **options):
    """A run on the first 160 rows; the others are new to it."""
    net = cr.Chain(cr.Dense(8), cr.relu, cr.Dense(outputs))
    return cr.fit(net, X[:160], y[:160], epochs=30, progress=False, **options)
