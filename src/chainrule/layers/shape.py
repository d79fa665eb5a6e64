"""The same numbers in another shape: Flatten and Reshape. The first axis, the rows, stays."""

import math
from typing import Any

from chainrule import spec
from chainrule.errors import DesignError, ShapeError
from chainrule.layers.layer import Layer, Params


@spec.register
class Flatten(Layer):
    """Lay out all numbers of an example in one row, the last axis running fastest.

    Equation
        y = x.reshape(len(x), -1)
    Derivative
        dL/dx = g.reshape(x.shape)        g = dL/dy
    Shapes
        x (rows, a, b, c) -> (rows, a * b * c)
    Start
        no parameters
    Errors
        ShapeError when x has no axis of rows
    Source
        numpy.reshape, order C

    >>> import numpy as np
    >>> Flatten()({}, np.zeros((5, 2, 3))).shape
    (5, 6)
    """

    def __call__(self, p: Params, x: Any) -> Any:
        """``y = x.reshape(rows, -1)``."""
        if not x.ndim:
            raise ShapeError(f"{self} keeps the rows, the first axis, and x is a single number without axes.")
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))


@spec.register
class Reshape(Layer):
    """Give every example another shape with as many numbers; one size may be -1 and is worked out.

    Equation
        y = x.reshape(len(x), *shape)
    Derivative
        dL/dx = g.reshape(x.shape)        g = dL/dy
    Shapes
        x (rows, ...) -> (rows, *shape)
    Start
        no parameters
    Errors
        DesignError when shape is not of whole numbers; ShapeError when an example has another count of numbers
    Source
        numpy.reshape, order C

    >>> import numpy as np
    >>> Reshape((8, 8, 1))({}, np.zeros((5, 64))).shape
    (5, 8, 8, 1)
    """

    shape: tuple[int, ...]

    def __init__(self, shape: tuple[int, ...]) -> None:
        sizes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
        if not all(type(n) is int and (n > 0 or n == -1) for n in sizes) or sizes.count(-1) > 1:
            raise DesignError(
                f"Reshape: shape is that of one example: whole numbers above 0, one of them may be -1; {shape!r} came."
            )
        spec.freeze(self, shape=sizes)

    def __call__(self, p: Params, x: Any) -> Any:
        """``y = x.reshape(rows, *shape)``."""
        count, known = math.prod(x.shape[1:]), math.prod(n for n in self.shape if n != -1)
        if not x.ndim or count % known or (-1 not in self.shape and count != known):
            raise ShapeError(
                f"{self} needs {'a multiple of ' if -1 in self.shape else ''}{known} numbers per example, "
                f"and x has shape {x.shape}: {count} per example."
            )
        return x.reshape(x.shape[0], *(count // known if n == -1 else n for n in self.shape))
