"""CategoryColumn: a column of words becomes indicators, or codes for an embedding."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from chainrule import spec
from chainrule.errors import DataError

METHODS = ("one_hot", "embedding")


@spec.register
@dataclass(frozen=True)
class CategoryColumn:
    """Words as the network reads them: one indicator for each category, or a code from 0 to the number of categories.

    Equation
        y = 1.0 * (x[:, None] == categories)
    Shapes
        x (n,) -> one_hot: (n, k), one more where training rows were missing; embedding: (n,) int32
    Errors
        DataError for an unknown method; a ChainruleWarning names categories that training never saw

    Categories are sorted by frequency, then by name. A word that training never saw, and a missing one, has no
    indicator set; as a code it is 0 ("other"), and the categories follow from 1.

    >>> color = CategoryColumn("color").fit(np.array(["red", "blue", "red"], object))
    >>> color.labels, color.encode(np.array(["blue", "red"], object)).tolist()
    (('color = red', 'color = blue'), [[0.0, 1.0], [1.0, 0.0]])
    """

    name: str
    categories: tuple[str, ...] = ()
    method: str = "one_hot"
    missing: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise DataError(f"CategoryColumn {self.name!r}: method={self.method!r}; one of {METHODS} is expected.")

    @property
    def size(self) -> int:
        """How many codes an embedding needs: the categories and "other"."""
        return 1 + len(self.categories)

    def fit(self, values: np.ndarray) -> "CategoryColumn":
        """The column with the categories of the training part."""
        counts = Counter(text for text in _texts(values) if text is not None)
        categories = tuple(sorted(counts, key=lambda text: (-counts[text], text)))
        return replace(self, categories=categories, missing=sum(counts.values()) < len(values))

    def encode(self, values: np.ndarray) -> np.ndarray:
        """(n, k) float32 indicators, or (n,) int32 codes."""
        texts = _texts(values)
        code: dict[str | None, int] = {text: i for i, text in enumerate(self.categories, 1)}
        codes = np.array([code.get(text, 0) for text in texts], np.int32)
        if self.method == "embedding":
            return codes
        indicators = codes[:, None] == np.arange(1, self.size)
        if self.missing:
            indicators = np.column_stack([indicators, [text is None for text in texts]])
        return indicators.astype(np.float32)

    def surprise(self, values: np.ndarray) -> str | None:
        """What came that training never saw, or None."""
        unseen = sorted({text for text in _texts(values) if text is not None} - set(self.categories))
        if not unseen:
            return None
        shown = ", ".join(map(repr, unseen[:5])) + (", …" if len(unseen) > 5 else "")
        return f"column {self.name!r}: training never saw {shown}; such rows are read as 'other'"

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the features that this column becomes."""
        if self.method == "embedding":
            return (self.name,)
        named = tuple(f"{self.name} = {category}" for category in self.categories)
        return (*named, f"{self.name} missing") if self.missing else named

    def explain(self) -> str:
        """What the features say, in the column's own words."""
        if self.method == "embedding":
            return f"code of {self.name}: 0 other" + "".join(f", {i} {c}" for i, c in enumerate(self.categories, 1))
        return "; ".join(f"x̃ = 1 where {label}, else 0" for label in self.labels)


def _texts(values: np.ndarray) -> list[str | None]:
    """Words as they are; numbers as they would be written in a file: 12, 12.5."""
    if values.dtype == object:
        return values.tolist()
    return [None if v != v else str(int(v)) if float(v).is_integer() else repr(float(v)) for v in values.tolist()]
