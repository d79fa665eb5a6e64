"""What a generated module is made from: lines, and where the arrays that they read are found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.equations.formula import Line


@dataclass(frozen=True)
class Variable:
    """A symbol. ``path``: where an input is found, ``params[0]['W']`` or ``x``; "" for what is computed."""

    symbol: str
    labels: tuple[str, ...]
    words: str
    path: str = ""


@dataclass(frozen=True)
class Listing:
    """Lines with all that is needed to run them."""

    title: str
    inputs: tuple[Variable, ...]
    lines: tuple[Line, ...]
    """Forward, loss, backward and update lines, in order of computation."""
    variables: Mapping[str, Variable]
    sizes: Mapping[str, int]
    """The length of each label (without primes). That of examples is taken from the data at run time."""
    outputs: Mapping[str, str]
    """What forward and loss return: ``{"outputs": "z3", "loss": "L"}``. Several outputs have paths, ``outputs[0]``."""
    gradients: Mapping[str, str] = field(default_factory=dict)
    """For each path into the parameters, ``[0]['W']``, the symbol of the gradient."""
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Arrays that are known to the program."""
    parameters: Any = None
    """The tree of parameters: gradients are arranged as it is. Without it, as their paths say."""
