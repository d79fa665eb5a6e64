"""Source: how training reads its rows, so that data need not lie in one array."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from chainrule.data.arrays import rows_of


class Source(Protocol):
    """Rows that can be counted and taken: all that training asks of its inputs."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        ...

    def take(self, indices: np.ndarray) -> Any:
        """An array, or a dict or tuple of arrays, with the rows at ``indices``."""
        ...


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Arrays in memory as a source.

    >>> ArraySource({"a": np.arange(3), "b": np.arange(6).reshape(3, 2)}).take(np.array([2]))
    {'a': array([2]), 'b': array([[4, 5]])}
    """

    x: Any

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return rows_of(self.x)

    def take(self, indices: np.ndarray) -> Any:
        """The rows at ``indices`` of every array."""
        return _take(self.x, indices)


def _take(x: Any, indices: np.ndarray) -> Any:
    if isinstance(x, dict):
        return {name: _take(part, indices) for name, part in x.items()}
    if isinstance(x, tuple):
        parts = [_take(part, indices) for part in x]
        return type(x)(*parts) if hasattr(x, "_fields") else tuple(parts)
    return x[indices]
