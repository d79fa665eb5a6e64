"""Estimators: scikit-learn's interface to a proposed design, for its pipelines, searches and cross-validation."""

import numbers
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, validate_data

from chainrule.data.arrays import sample_weights
from chainrule.data.category_column import CategoryColumn
from chainrule.data.table import Table
from chainrule.data.targets import labels_of
from chainrule.errors import DataError, DesignError
from chainrule.layers.chain import Chain
from chainrule.layers.dense import Dense
from chainrule.layers.layer import Layer
from chainrule.maths import activations
from chainrule.maths.initializers import he_normal, lecun_normal
from chainrule.proposal.propose import design
from chainrule.train.design import Design
from chainrule.train.fit import fit
from chainrule.train.run import Run

BENDS = ("elu", "gelu", "identity", "leaky_relu", "relu", "sigmoid", "silu", "softplus", "tanh")
"""Activations that go by their names."""
LINEAR_AT_0 = (activations.identity, activations.sigmoid, activations.softplus, activations.tanh)
"""Those that cut nothing off: LeCun's variance 1/n keeps the signal, and He's 2/n would let it grow."""
WHOLE = 2**53
"""From here on float64 does not hold every whole number."""


class _Network(BaseEstimator):
    """What both estimators share: the parameters, the table that a design reads, and the run."""

    run_: Run
    n_features_in_: int

    def __init__(
        self,
        network: Any = None,
        *,
        hidden_layer_sizes: Any = "auto",
        activation: Any = "auto",
        alpha: float | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: Any = "auto",
        max_epochs: int | str = "auto",
        ensemble: int | str = "auto",
        time_budget: float | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.network = network
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.ensemble = ensemble
        self.time_budget = time_budget
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "run_")

    def __getstate__(self) -> dict:
        """Like a file of the run, a pickle holds what was learned from the rows, and not the rows."""
        state = dict(vars(self))
        if "run_" in state:
            state["run_"] = replace(self.run_, data=None, left_out=None, learned=self.run_.known)
        return state

    def _learn(self, table: Table, target: str, weights: np.ndarray | None, task: str) -> None:
        """Propose a design for the table, change it as the parameters say, and train it."""
        self.run_ = fit(self._design(table, target, task), table, sample_weight=weights, progress=bool(self.verbose))

    def _design(self, table: Table, target: str, task: str) -> Design:
        said: dict[str, Any] = {
            name: whole_number(parameter, getattr(self, parameter))
            for name, parameter in (("ensemble", "ensemble"), ("epochs", "max_epochs"))
            if given(getattr(self, parameter))
        }
        proposed = design(
            table,
            target,
            task=task,
            features=[name for name in table.names if name != target],
            time_budget=self.time_budget,
            seed=seed_of(self.random_state),
            **said,
        )
        optimizer, recipe = proposed.recipe.optimizer, proposed.recipe
        if given(self.alpha):
            optimizer = replace(optimizer, weight_decay=decay_of(self.alpha))
        if given(self.learning_rate):
            rate = self.learning_rate
            if isinstance(rate, numbers.Real):
                rate = replace(optimizer.learning_rate, peak=rate)
            optimizer = replace(optimizer, learning_rate=rate)
        if given(self.batch_size):
            size = self.batch_size
            size = size if size == "full" else whole_number("batch_size", size, '"full" or "auto"')
            recipe = replace(recipe, batch_size=size)
        return self._network_in(replace(proposed, recipe=replace(recipe, optimizer=optimizer)))

    def _network_in(self, proposed: Design) -> Design:
        """The design with the network that the parameters ask for."""
        if self.network is None:
            if not given(self.hidden_layer_sizes) and not given(self.activation):
                return proposed
            sizes = sizes_of(self.hidden_layer_sizes) if given(self.hidden_layer_sizes) else None
            bend = bend_of(self.activation) if given(self.activation) else None
            return replace(proposed, network=with_hidden(proposed.network, sizes, bend))
        for name in ("hidden_layer_sizes", "activation"):
            if given(getattr(self, name)):
                raise DesignError(
                    f"{type(self).__name__}: network={self.network!r} says its layers itself, and {name}="
                    f"{getattr(self, name)!r} came too. Leave one of the two out."
                )
        side_by_side = tuple(
            replace(column, method="one_hot") if isinstance(column, CategoryColumn) else column
            for column in proposed.encoder.columns
        )
        return replace(proposed, network=self.network, encoder=replace(proposed.encoder, columns=side_by_side))

    def _table(self, X: Any, reset: bool) -> Table:
        """X as a table: a frame with named columns of any kind as it is, anything else as an array of numbers."""
        if hasattr(X, "shape") and all(isinstance(name, str) for name in getattr(X, "columns", [None])):
            validate_data(self, X, reset=reset, skip_check_array=True)
            if hasattr(self, "feature_names_in_"):
                return Table.of(X)
        least = 2 if reset else 1
        x = validate_data(
            self, X, reset=reset, dtype="float64", ensure_all_finite="allow-nan", ensure_min_samples=least
        )
        names = getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)])
        return Table(dict(zip(names, np.asarray(x).T, strict=True)))

    def _answers(self, X: Any, answer: Callable[[Run, Table], np.ndarray]) -> np.ndarray:
        """What the run answers to each row of X."""
        check_is_fitted(self)
        return answer(self.run_, self._table(X, reset=False))


class Classifier(ClassifierMixin, _Network):
    """A network that tells classes apart, with scikit-learn's interface: ``cr.design`` and ``cr.fit`` in one.

    What is "auto" is proposed from the table, each choice with its reason: ``print(classifier.run_.design)``. Columns
    of words, dates and blanks are read as they are when X is a frame; numbers need no scaling.

    Parameters
        network: a network of your own, which reads the encoded columns as one array and ends in one output per class
        hidden_layer_sizes, activation: units of each hidden layer, such as (64, 64), and "relu" or cr.relu after it
        alpha: the decay of the weights, as in cr.adamw(weight_decay=alpha)
        batch_size, learning_rate, max_epochs: of the training; a number as rate is the peak of the proposed schedule
        ensemble: so many networks, whose probabilities are averaged; each leaves out rows of its own
        time_budget: seconds, turned into a number of epochs
        random_state: equal numbers give equal bytes
        verbose: 1 shows the progress
    Attributes
        classes_: the labels, in the order of ``predict_proba``'s columns
        run_: the Run, which ``cr.explain`` and ``cr.report`` read; a pickle of it holds no rows of the training
        n_features_in_, feature_names_in_: what X was
    Errors
        DataError for fewer than 10 rows, one class, and values that cannot be read; DesignError for parameters

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = Classifier(hidden_layer_sizes=(8,), ensemble=2, max_epochs=100, random_state=0).fit(X, y)
    >>> classifier.predict_proba(X[:5]).shape, classifier.score(X, y) > 0.9
    ((5, 3), True)
    """

    classes_: np.ndarray

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Classifier":
        """Learn from the rows of X and their labels y; rows of ``sample_weight`` 0 count as absent."""
        table = self._table(X, reset=True)
        expect_target(self, y)
        labels = column_or_1d(y, warn=True)
        if isinstance(y, list | tuple) or labels.dtype == object:
            labels_of("y", y)  # NumPy would make ["a", 1] all text
        check_classification_targets(labels)
        check_consistent_length(X, labels)
        table, labels, weights = that_count(table, labels, sample_weight)
        column = labels_column(labels)
        expect_classes(labels)
        name = free_name(y, table)
        self._learn(Table({**table.columns, name: column}), name, weights, "classification")
        self.classes_ = np.unique(labels)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each row."""
        probable = self.predict_proba(X).argmax(axis=1)
        return self.classes_[probable]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (rows, classes), calibrated on the rows that were left out; columns as in ``classes_``."""
        return self._answers(X, Run.predict_proba)


class Regressor(RegressorMixin, _Network):
    """A network that predicts a number, with scikit-learn's interface: ``cr.design`` and ``cr.fit`` in one.

    What is "auto" is proposed from the table, each choice with its reason: ``print(regressor.run_.design)``. Columns
    of words, dates and blanks are read as they are when X is a frame; neither X nor y needs scaling. For several
    numbers at once take scikit-learn's ``MultiOutputRegressor(cr.Regressor())``.

    Parameters
        as those of ``Classifier``; a network of your own ends in one output
    Attributes
        run_: the Run, which ``cr.explain`` and ``cr.report`` read; a pickle of it holds no rows of the training
        n_features_in_, feature_names_in_: what X was
    Errors
        DataError for fewer than 10 rows, a y that is constant, and values that cannot be read; DesignError for
        parameters

    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> regressor = Regressor(hidden_layer_sizes=(8,), ensemble=2, max_epochs=40, random_state=0).fit(X, y)
    >>> regressor.predict(X[:5]).shape, regressor.score(X, y) > 0.4
    ((5,), True)
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Regressor":
        """Learn from the rows of X and their numbers y; rows of ``sample_weight`` 0 count as absent."""
        table = self._table(X, reset=True)
        expect_target(self, y)
        values = check_array(column_or_1d(y, warn=True), ensure_2d=False, dtype="float64", input_name="y")
        check_consistent_length(X, values)
        table, values, weights = that_count(table, values, sample_weight)
        name = free_name(y, table)
        self._learn(Table({**table.columns, name: values}), name, weights, "regression")
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The predicted number of each row, in y's units."""
        return self._answers(X, Run.predict)


def given(value: Any) -> bool:
    """Whether a parameter was said, and is not left to the proposal."""
    return not (isinstance(value, str) and value == "auto")


def whole_number(name: str, value: Any, others: str = '"auto"') -> int:
    """A parameter that counts something."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) < 1:
        raise DesignError(f"{name}={value!r}: a whole number of at least 1, or {others}, is expected.")
    return int(value)


def decay_of(alpha: Any) -> float:
    """The decay of the weights."""
    if isinstance(alpha, bool) or not isinstance(alpha, numbers.Real) or not 0 <= float(alpha) < np.inf:
        raise DesignError(f'alpha={alpha!r}: a finite number of at least 0, or "auto", is expected.')
    return float(alpha)


def seed_of(random_state: Any) -> int:
    """A whole number is the seed itself; None and a RandomState draw one, as everywhere in scikit-learn."""
    if isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**32, dtype=np.uint32))


def sizes_of(sizes: Any) -> tuple[int, ...]:
    """Units of each hidden layer; one number is one layer."""
    listed = (sizes,) if isinstance(sizes, numbers.Integral) else sizes
    if not isinstance(listed, tuple | list | np.ndarray) or not all(
        isinstance(n, numbers.Integral) and not isinstance(n, bool) and int(n) > 0 for n in listed
    ):
        raise DesignError(
            f"hidden_layer_sizes={sizes!r}: units of each hidden layer such as (64, 64), () for none, or "
            '"auto" are expected.'
        )
    return tuple(int(n) for n in listed)


def bend_of(activation: Any) -> Any:
    """An activation, by its name or as it is."""
    if isinstance(activation, str) and activation in BENDS:
        return getattr(activations, activation)
    if isinstance(activation, str | Layer) or not callable(activation):
        hint = ' Did you mean "sigmoid"?' if activation == "logistic" else ""
        raise DesignError(
            f"activation={activation!r}: one of {', '.join(BENDS)}, or a function of one array such as cr.relu, is "
            f"expected.{hint}"
        )
    return activation


def with_hidden(net: Layer, sizes: tuple[int, ...] | None, bend: Any) -> Layer:
    """The network with other hidden layers: those before the last affine map of each chain of several.

    >>> from chainrule.maths.activations import relu, tanh
    >>> with_hidden(Chain(Dense(64, init=he_normal), relu, Dense(3)), (8, 4), tanh)
    Chain(Dense(units=8), tanh, Dense(units=4), tanh, Dense(units=3))
    """
    if not net.variadic:
        return net
    layers = getattr(net, net.variadic)
    affine = [i for i, part in enumerate(layers) if isinstance(part, Dense)]
    if not isinstance(net, Chain) or len(affine) < 2:
        return type(net)(*(with_hidden(p, sizes, bend) if isinstance(p, Layer) else p for p in layers))
    first, last = affine[0], affine[-1]
    block = layers[first + 1 : affine[1]]
    after = block if bend is None else tuple(bend if not isinstance(part, Layer) else part for part in block)
    draw = layers[first].draw if bend is None else lecun_normal if bend in LINEAR_AT_0 else he_normal
    units = [layers[i].units for i in affine[:-1]] if sizes is None else sizes
    hidden = (part for n in units for part in (Dense(n, init=draw), *after))
    return Chain(*layers[:first], *hidden, *layers[last:])


def expect_target(estimator: Any, y: Any) -> None:
    """Refuse a fit without y, in scikit-learn's words."""
    if y is None:
        raise DataError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None. Pass one target per row."
        )


def that_count(table: Table, y: np.ndarray, sample_weight: Any) -> tuple[Table, np.ndarray, np.ndarray | None]:
    """The rows of a weight above 0, their targets and their weights."""
    if sample_weight is None:
        return table, y, None
    if not np.any(np.asarray(sample_weight)):
        raise DataError("sample_weight is zero in every row, so nothing would be learned. One must be above zero.")
    weights = sample_weights(sample_weight, len(y))
    kept = np.flatnonzero(weights)
    return table.take(kept), y[kept], weights[kept]


def expect_classes(labels: np.ndarray) -> None:
    """Refuse labels of one class."""
    found = set(labels.tolist())
    if len(found) < 2:
        raise DataError(
            f"y holds one class, {next(iter(found))!r}, in the {len(labels)} rows of a weight above 0. At least two "
            "classes are needed to learn to tell them apart."
        )


def labels_column(labels: np.ndarray) -> np.ndarray:
    """Labels as a column of a table that keeps their order: whole numbers as float64, anything else as text."""
    known = labels_of("y", labels)
    if isinstance(known[0], int) and not isinstance(known[0], bool):
        if max(map(abs, known)) >= WHOLE:
            raise DataError(f"y holds the label {max(known, key=abs)}, beyond 2**53. Pass such labels as text.")
        return np.array(known, np.float64)
    return np.array([str(label) for label in known], object)


def free_name(y: Any, table: Table) -> str:
    """The name of the target, that of a series or y, which no column has."""
    name = getattr(y, "name", None)
    name = name if isinstance(name, str) and name else "y"
    while name in table.names:
        name += "_"
    return name
