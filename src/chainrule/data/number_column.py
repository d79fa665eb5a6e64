"""NumberColumn: a column of numbers on a common scale, outliers drawn in smoothly."""

from dataclasses import dataclass, replace

import numpy as np

from chainrule import spec
from chainrule.data.cells import listed
from chainrule.errors import DataError

_LARGEST = float(np.finfo(np.float32).max)


@spec.register
@dataclass(frozen=True)
class NumberColumn:
    """A number as the network reads it: 0 is the median, 1 an interquartile range above it, at most 3.

    Equation
        u = (x - center) / scale
        y = u / sqrt(1 + (u / 3)**2)
    Shapes
        x (n,) -> (n, 1), or (n, 2) with a second column that is 1 where x is missing
    Errors
        DataError for words, infinities, and numbers beyond float32
    Source
        Holzmüller, Grinsztajn & Steinwart 2024, arXiv:2407.04491, section 3: robust scale and smooth clip

    A missing value is read as the median. Where half of the values are equal, the scale is half of the range.

    >>> column = NumberColumn("area").fit(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    >>> column
    NumberColumn(name='area', center=3.0, scale=2.0, missing=False)
    >>> column.encode(np.array([3.0, 5.0])).astype(float).round(3).tolist()
    [[0.0], [0.949]]
    """

    name: str
    center: float | None = None
    scale: float | None = None
    missing: bool = False

    def fit(self, values: np.ndarray) -> "NumberColumn":
        """The column with center, scale and missing learned from the training part."""
        x = self._checked(values)
        present = x[~np.isnan(x)]
        if not len(present):
            return replace(self, center=0.0, scale=1.0, missing=True)
        low, first, center, third, high = np.quantile(present, [0, 0.25, 0.5, 0.75, 1])
        scale = next((s for s in (third - first, (high - low) / 2) if s > 0), 1.0)
        return replace(self, center=float(center), scale=float(scale), missing=len(present) < len(x))

    def encode(self, values: np.ndarray) -> np.ndarray:
        """(n, 1) float32, or (n, 2) with the column that says where a value is missing."""
        if self.center is None or self.scale is None:
            raise DataError(f"column {self.name!r} has no scale yet: call fit on the training part first.")
        x = self._checked(values)
        gone = np.isnan(x)
        with np.errstate(over="ignore"):
            u = np.clip((np.where(gone, self.center, x) - self.center) / self.scale, -1e100, 1e100)
        y = u / np.hypot(1, u / 3)
        return np.stack([y, gone] if self.missing else [y], axis=1).astype(np.float32)

    def surprise(self, values: np.ndarray) -> str | None:
        """What came that training never saw, or None."""
        gone = np.flatnonzero(np.isnan(self._checked(values)))
        if self.missing or not len(gone):
            return None
        rows = listed("row", gone + 1)
        return f"column {self.name!r} is missing in {rows}, and never was in training: its median stands in"

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the features that this column becomes."""
        return (self.name, f"{self.name} missing") if self.missing else (self.name,)

    def explain(self) -> str:
        """The equation in the column's own name and numbers."""
        if self.center is None or self.scale is None:
            return f"u = ({self.name} − median)/IQR,  x̃ = u/√(1 + (u/3)²)"
        sign, center = ("+", -self.center) if self.center < 0 else ("−", self.center)
        shifted = f"({self.name} {sign} {center:.4g})" if center else self.name
        blank = f",  x̃ = 1 where {self.name} is missing, else 0" if self.missing else ""
        return f"u = {shifted}/{self.scale:.4g},  x̃ = u/√(1 + (u/3)²){blank}"

    def _checked(self, values: np.ndarray) -> np.ndarray:
        if values.dtype.kind not in "fiu":
            found = next((i for i, v in enumerate(values) if v is not None), 0)
            raise DataError(
                f"column {self.name!r} holds words (row {found + 1}: {values[found]!r}), and numbers are expected"
            )
        x = values.astype(np.float64)
        large = np.flatnonzero(np.abs(x) > _LARGEST)
        if len(large):
            raise DataError(
                f"column {self.name!r} holds {x[large[0]]:.4g} in {listed('row', (large + 1).tolist())}; "
                "float32 ends at 3.4e38"
            )
        return x
