"""Usage: with_chainrule.py DATA.npz FOLDER. Train, save, print the training loss."""

import sys

import numpy as np

import chainrule as cr

data, folder = np.load(sys.argv[1]), sys.argv[2]
net = cr.Chain(
    cr.Dense(64, init=cr.glorot_uniform),
    cr.relu,
    cr.Dense(64, init=cr.glorot_uniform),
    cr.relu,
    cr.Dense(1, init=cr.glorot_uniform),
)
run = cr.fit(
    net,
    data["X"],
    data["y"],
    loss=cr.mean_squared_error,
    optimizer=cr.adam(1e-3),
    epochs=200,
    batch_size=32,
    validation=None,
    progress=False,
)
run.save(f"{folder}/net.safetensors")
print(run.history["loss"][-1])
