"""Usage: with_sklearn.py DATA.npz FOLDER. Train, save, print the training loss."""

import sys
import warnings

import joblib
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

data, folder = np.load(sys.argv[1]), sys.argv[2]
warnings.simplefilter("ignore", ConvergenceWarning)
model = MLPRegressor(
    hidden_layer_sizes=(64, 64),
    batch_size=32,
    alpha=0.0,
    max_iter=200,
    tol=0.0,
    n_iter_no_change=201,
    random_state=0,
).fit(data["X"], data["y"].ravel())
joblib.dump(model, f"{folder}/net.joblib")
print(2 * model.loss_)
