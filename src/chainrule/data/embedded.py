"""Embedded: five small data sets that come with scikit-learn, as readable tables."""

import difflib
import hashlib
from dataclasses import dataclass

import numpy as np

from chainrule.data.table import Origin, Table
from chainrule.errors import DataError


@dataclass(frozen=True)
class Embedded:
    """What is known of an embedded data set: its target, its task, and one line about it."""

    target: str
    task: str
    description: str


EMBEDDED = {
    "breast_cancer": Embedded(
        "diagnosis", "classification", "569 tumors, 30 measures of cell nuclei: malignant or benign?"
    ),
    "digits": Embedded("digit", "classification", "1,797 handwritten digits of 8×8 pixels: which digit?"),
    "diabetes": Embedded(
        "progression", "regression", "442 patients, 10 measures: how far is the disease a year later?"
    ),
    "wine": Embedded("cultivar", "classification", "178 wines, 13 chemical measures: which of three cultivars?"),
    "iris": Embedded("species", "classification", "150 flowers, 4 lengths: which of three species?"),
}
"""The embedded data sets by name."""


def embedded(name: str) -> Table:
    """The embedded data set of that name; its target is the last column.

    >>> embedded("iris")["species"][0]
    'setosa'
    """
    _expect(name)
    from sklearn import datasets

    settings = {"scaled": False} if name == "diabetes" else {}
    raw = getattr(datasets, f"load_{name}")(**settings)
    labels = raw["target"]
    if EMBEDDED[name].task == "classification" and name != "digits":
        labels = np.array([str(text).replace("class_", "cultivar ") for text in raw["target_names"]], object)[labels]
    columns = {str(feature): raw["data"][:, j].astype(np.float64) for j, feature in enumerate(raw["feature_names"])}
    columns[EMBEDDED[name].target] = labels if labels.dtype == object else labels.astype(np.float64)
    digest = hashlib.sha256()
    for label, column in columns.items():
        digest.update(repr((label, column.tolist())).encode())
    return Table(columns, Origin(name, digest.hexdigest()))


def default_target(name: str) -> str:
    """The target of an embedded data set."""
    _expect(name)
    return EMBEDDED[name].target


def _expect(name: str) -> None:
    if name not in EMBEDDED:
        near = difflib.get_close_matches(str(name), EMBEDDED, 1, 0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise DataError(f"There is no embedded data set {name!r}.{hint} There are: {', '.join(EMBEDDED)}.")
