"""The lines with real numbers: all of them for one example, or one entry of one line as the sum that it is."""

import difflib
import math
import re
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np
from scipy import special

from chainrule.equations import text
from chainrule.equations.axes import bare, fresh, space_of
from chainrule.equations.derive import Derivation, Derived, at_rows
from chainrule.equations.formula import (
    Call,
    Formula,
    Matrix,
    Negative,
    Number,
    Place,
    Power,
    Product,
    Quotient,
    Sum,
    Symbol,
    Test,
    Total,
    parts,
)
from chainrule.equations.layout import broken
from chainrule.equations.legend import growing
from chainrule.equations.meaning import Labeled
from chainrule.equations.scales import paired
from chainrule.equations.values import arguments, checked_values, graph_values
from chainrule.errors import CannotExplain
from chainrule.trace.evaluate import ELEMENTWISE, full
