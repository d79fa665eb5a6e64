"""Arrays as they come: what a network that was given bare arrays reads, and how its answers go back."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import spec
from chainrule.data.arrays import features, target_numbers
from chainrule.data.table import Table
from chainrule.errors import DataError, ShapeError


@spec.register
@dataclass(frozen=True)
class ArrayTarget:
    """Numbers as they are; ``columns`` is None when y has one axis."""

    name: str = "y"
    columns: int | None = None

    def encode(self, y: Any) -> np.ndarray:
        """(rows, columns) float32; one axis becomes one column."""
        y = target_numbers(y)
        if y.shape[1:] != (self.columns or 1,):
            raise DataError(f"y has {y.shape[1:]} values per row, and the network was made for {self.columns or 1}.")
        return y

    def decode(self, values: np.ndarray) -> np.ndarray:
        """Values in y's own shape."""
        return values[:, 0] if self.columns is None and values.ndim == 2 and values.shape[1] == 1 else values


@spec.register
@dataclass(frozen=True)
class ArrayEncoder:
    """A bare network sees exactly the numbers that it is given: only shapes are checked.

    ``inputs`` is the shape and type of one example: ``((13,), "float32")``, or a tuple of names or places and such
    entries when there are several arrays.
    """

    inputs: tuple
    target: Any = None
    names: tuple[str, ...] = ()
    """The columns of the frame that the network was trained on; a frame that comes later is read by these names."""

    def encode(self, x: Any) -> Any:
        """The arrays, checked: finite numbers in the shape that the network was trained on."""
        x = features(in_order(x, self.names))
        inputs = inputs_of(x)
        if _shapes(inputs) != _shapes(self.inputs):
            raise ShapeError(
                f"The network was trained on examples of shape {_shapes(self.inputs)}, and X has examples of shape "
                f"{_shapes(inputs)}. Pass the same features, in the same order."
            )
        return x

    def example(self) -> Any:
        """One example of zeros: only its shapes and types mean something."""
        return _zeros(self.inputs)


def names_of(x: Any) -> tuple[str, ...]:
    """The names of a frame's columns; none for arrays."""
    names = getattr(x, "column_names", None) or getattr(x, "columns", None)
    return () if names is None or isinstance(x, dict) or callable(names) else tuple(map(str, names))


def in_order(x: Any, names: tuple[str, ...]) -> Any:
    """A frame with the columns ``names``, in that order; arrays as they are."""
    given = names_of(x)
    if not names or not given or given == names:
        return x
    absent = [name for name in names if given.count(name) != 1]
    if absent:
        raise DataError(
            f"X has the columns {list(given)}, and the network was trained on {list(names)}: {absent} must occur once "
            "each. Pass the same columns; their order is free."
        )
    if isinstance(x, Table):
        return x.select(names)
    import narwhals as nw

    return nw.from_native(x, eager_only=True).select(list(names)).to_native()


def inputs_of(x: Any) -> tuple:
    """The shape and type of one example of every array in ``x``."""
    if isinstance(x, dict):
        return ("dict", *((name, inputs_of(part)) for name, part in sorted(x.items())))
    if isinstance(x, tuple | list):
        return ("tuple", *(inputs_of(part) for part in x))
    return tuple(x.shape[1:]), str(x.dtype)


def _zeros(inputs: tuple) -> Any:
    if inputs[0] == "dict":
        return {name: _zeros(part) for name, part in inputs[1:]}
    if inputs[0] == "tuple":
        return tuple(_zeros(part) for part in inputs[1:])
    return np.zeros((1, *inputs[0]), inputs[1])


def _shapes(inputs: tuple) -> Any:
    if inputs[0] == "dict":
        return {name: _shapes(part) for name, part in inputs[1:]}
    if inputs[0] == "tuple":
        return tuple(_shapes(part) for part in inputs[1:])
    return inputs[0]
