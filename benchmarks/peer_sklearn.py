"""scikit-learn's multi-layer perceptron, float32, with its stopping rules out of reach."""

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from serving import Train, serve
from workloads import LEARNING_RATE, Workload


def trainer(work: Workload) -> Train:
    X, y = work.data()
    y = y if work.classes else y.ravel()
    kind = MLPClassifier if work.classes else MLPRegressor
    warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is set, convergence is not asked for

    def train(epochs: int) -> float:
        model = kind(
            hidden_layer_sizes=work.sizes[1:-1],
            learning_rate_init=LEARNING_RATE,
            batch_size=work.batch,
            alpha=0.0,
            max_iter=epochs,
            tol=0.0,
            n_iter_no_change=epochs + 1,
            random_state=0,
        ).fit(X, y)
        return model.loss_ if work.classes else 2 * model.loss_  # the regressor's loss is half the squared error

    return train


if __name__ == "__main__":
    serve(trainer)
