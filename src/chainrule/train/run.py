"""Run: a design, its trained parameters, their history and their scores."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from chainrule.data import arrays
from chainrule.data.encoders import Encoder
from chainrule.data.table import Table
from chainrule.data.targets import ClassTarget
from chainrule.errors import DataError
from chainrule.layers.layer import Layer, Params
from chainrule.maths import metrics
from chainrule.maths.losses import Loss, PoissonNLL
from chainrule.train import uncertainty
from chainrule.train.confidence import Confidence, learned, probabilities
from chainrule.train.descent import Rows
from chainrule.train.design import Design
from chainrule.train.history import History
from chainrule.train.materials import with_target
from chainrule.train.record import DataRecord
from chainrule.train.scores import Scores

ROWS_AT_ONCE = 4096
LEAST_AT_ONCE = 32
"""Fewer rows are filled up: in smaller products a row's last digits would depend on how many rows came with it."""


@dataclass(frozen=True, eq=False)
class Run:
    """What ``fit`` returns: predict, evaluate, look at the history, save."""

    design: Design
    params: Params
    history: History
    record: DataRecord
    scores: Scores | None = None
    data: Any = field(default=None, repr=False)
    """References to the arrays or the table that it was trained on, while it is in memory."""
    left_out: Any = field(default=None, repr=False)
    """(training rows, rows left out, who left out each) as the network reads them, while it is in memory."""
    learned: Confidence | None = field(default=None, repr=False)
    """What a file holds of ``known``."""

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {self.history[name][-1]:.4g}" for name in self.history if self.history.epochs)
        return f"Run({self.design.network!r}, {self.history.epochs} epochs, {last})"

    @property
    def classes_(self) -> list:
        """The labels of the classes, in the order of ``predict_proba``'s columns."""
        target = self.design.encoder.target
        if not isinstance(target, ClassTarget):
            raise DataError("This run predicts numbers: it has no classes. Use run.predict(X).")
        return list(target.classes)

    def outputs(self, data: Any) -> np.ndarray:
        """The raw last layer: (rows, outputs), with the members of an ensemble as a first axis."""
        return self.outputs_of(self.design.encoder.encode(data))

    def outputs_of(self, x: Any) -> np.ndarray:
        """The same, of inputs that are encoded already."""
        rows, many = arrays.rows_of(x), self.design.recipe.ensemble > 1
        apply = _ensemble if many else _single
        parts = []
        for begin in range(0, rows, ROWS_AT_ONCE):
            count = min(ROWS_AT_ONCE, rows - begin)
            size = max(LEAST_AT_ONCE, 1 << (count - 1).bit_length())  # few sizes, so few compiled programs
            at = begin + np.minimum(np.arange(size), count - 1)
            z = np.asarray(apply(self.design.network, self.params, jax.tree.map(lambda a, at=at: a[at], x)))
            parts.append(z[:, :count] if many else z[:count])
        z = np.concatenate(parts, axis=1 if many else 0)
        if not np.all(np.isfinite(z)):
            row = int(np.argwhere(~np.isfinite(z).all(axis=-1))[0][-1])
            raise DataError(
                f"The network's output for row {row} is not finite. The inputs there are far from those it was trained "
                "on."
            )
        return z

    @cached_property
    def known(self) -> Confidence | None:
        """What the rows left out say of the run's answers; None when it left out none."""
        if self.learned is not None or self.left_out is None:
            return self.learned
        return learned(self.design, *self.of_left_out)

    @cached_property
    def of_left_out(self) -> tuple[Any, Rows, np.ndarray, np.ndarray | None]:
        """Inputs learned from; the rows left out; the outputs for them; the member that left each out, if they differ.

        When all members left out the same rows, the outputs have the members in front.
        """
        seen, rows, member = self.left_out
        z = self.outputs_of(rows.x)
        return seen, rows, z if member is None else z[member, np.arange(len(member))], member

    def predict(self, data: Any) -> np.ndarray:
        """Labels of y's own type, or values in y's units and shape."""
        target, loss = self.design.encoder.target, self.design.loss
        if not isinstance(loss, Loss):
            z = self._over_members(lambda z: z, self.outputs(data))
            return z if isinstance(target, ClassTarget) else target.decode(z)
        if isinstance(target, ClassTarget):
            return target.decode(self.predict_proba(data).argmax(axis=1))
        z = self.outputs(data)
        if loss.task == "multilabel":
            return target.decode((self._over_members(loss.probabilities, z) > 0.5).astype(np.int32))
        return target.decode(self._over_members(loss.predict, z))

    def predict_proba(self, data: Any) -> np.ndarray:
        """Probabilities (rows, classes), columns in the order of ``classes_``; of an ensemble, the members' mean."""
        loss = self.design.loss
        if not isinstance(loss, Loss):
            raise DataError(
                f"Your own loss {getattr(loss, '__name__', loss)} says nothing of probabilities. run.outputs(X) gives "
                "what the network answers."
            )
        if loss.task == "regression":
            raise DataError(
                f"The loss {loss} predicts numbers, not classes, so there are no probabilities. Use run.predict(X)."
            )
        return self._probabilities(self.outputs(data))

    def _probabilities(self, z: np.ndarray) -> np.ndarray:
        loss, known = self.design.loss, self.known if self.design.recipe.calibrated else None
        if known is None:
            return self._over_members(loss.probabilities, z)
        return self._over_members(lambda one: probabilities(loss, one, known.temperature, known.rows), z)

    def predict_interval(self, data: Any, coverage: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """(lower, upper) in y's units and shape: at about this share of new rows the truth lies between them.

        Cross-conformal intervals where each member of an ensemble left out its own rows, else split conformal ones;
        their width follows the spread of errors. Rows that are not like those of the training void the promise:
        see ``ood`` in ``run.confidence``. Errors: DataError without rows left out, and for classes.
        """
        return uncertainty.predict_interval(self, data, coverage)

    def predict_set(self, data: Any, coverage: float = 0.9) -> np.ndarray:
        """Boolean (rows, classes): at about this share of new rows the true class is in the set.

        An empty set says that the row is stranger than the rows left out. Errors: DataError without rows left out,
        and for numbers.
        """
        return uncertainty.predict_set(self, data, coverage)

    def confidence(self, data: Any) -> Table:
        """A table with a row for each example: how sure the run is, and why it is not surer.

        For classes ``confidence`` is the largest probability, ``entropy`` that of the mean prediction in bits, the sum
        of ``aleatoric`` (the mean of the members' entropies) and ``epistemic`` (what they disagree about). For numbers
        ``aleatoric`` and ``epistemic`` are standard deviations in y's units, ``entropy`` that of a normal error in
        bits, and ``confidence`` the share of y's variance that is not left open. ``ood`` is the share of the training
        rows that lie nearer to the middle than this one: at 1 the row is unlike all of them.
        """
        return uncertainty.confidence(self, data)

    def abstention(self, data: Any, y: Any = None) -> Table:
        """The price of staying silent where the run is not sure: a table with a row for each share that is answered.

        ``answered`` of the rows, the surest ones, have a ``confidence`` of at least ``threshold``; on them ``score`` is
        the accuracy (for numbers the mean absolute error), with its 95 % interval ``low`` to ``high``. Takes a table
        with the target column, or (X, y): rows that training did not see.
        """
        return uncertainty.abstention(self, data, y)

    def evaluate(self, data: Any, y: Any = None) -> Scores:
        """Metrics with 95 % intervals: on a table with the target column, or on (X, y)."""
        loss, target = self.design.loss, self.design.encoder.target
        data, y, truth = self.with_truth(data, y)
        if not isinstance(loss, Loss):
            members = self.outputs(data) if self.design.recipe.ensemble > 1 else self.outputs(data)[None]
            return Scores(metrics.mean("loss", np.mean([np.asarray(loss(z, truth)) for z in members], axis=0)))
        if isinstance(target, ClassTarget):
            return Scores(metrics.classification(truth, self.predict_proba(data), self.classes_))
        if loss.task == "multilabel":
            return Scores(metrics.multilabel(truth, self.predict_proba(data)))
        measure = metrics.counts if isinstance(loss, PoissonNLL) else metrics.regression
        prediction = self.predict(data)
        return Scores(measure(np.asarray(y, float).reshape(prediction.shape), prediction))

    def with_truth(self, data: Any, y: Any = None) -> tuple[Any, Any, np.ndarray]:
        """The rows that have a target, the target as given (of a table its column), and as losses read it."""
        if isinstance(self.design.encoder, Encoder) and y is None:
            data = with_target(self.design, Table.of(data))
            y = data[self.design.encoder.target.name]
        if y is None:
            raise DataError("evaluate: y is missing. Pass the targets: run.evaluate(X, y).")
        truth = self.design.encoder.target.encode(y)
        if len(truth) != arrays.rows_of(data):
            raise DataError(f"evaluate: X has {arrays.rows_of(data)} rows and y has {len(truth)}.")
        return data, y, truth

    def _over_members(self, f: Callable, z: np.ndarray) -> np.ndarray:
        """``f`` of the outputs; of an ensemble, its mean over the members."""
        many = self.design.recipe.ensemble > 1
        return np.mean([np.asarray(f(member)) for member in z], axis=0) if many else np.asarray(f(z))

    def _repr_html_(self) -> str:
        from chainrule.reports.report import fragment  # the one import that goes up: a notebook asks the run itself

        return fragment(self)

    def save(self, path: str | Path) -> None:
        """Write one file: design, encoders, parameters and history. Data only, checksummed, never half written."""
        from chainrule.train.saved import save

        save(self, path)


@partial(jax.jit, static_argnames="net")
def _single(net: Layer, params: Params, x: Any) -> Any:
    return net(params, x)


@partial(jax.jit, static_argnames="net")
def _ensemble(net: Layer, params: Params, x: Any) -> Any:
    return jax.vmap(net, (0, None))(params, x)
