"""Whether a program is the same at several numbers of examples, but for the numbers that grow with them."""

from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from chainrule.trace.program import is_key


def same_form(programs: Sequence[ClosedJaxpr], rows: Sequence[int]) -> bool:
    """Whether programs traced at ``rows`` examples have the same equations.

    A number in them may differ when it is k N + c or c N^k at all of them: a length, an end, a mean's 1/N.
    """
    return _jaxprs([p.jaxpr for p in programs], rows) and _all([p.consts for p in programs], rows)


def _jaxprs(programs: Sequence[Jaxpr], rows: Sequence[int]) -> bool:
    if len({(len(p.eqns), len(p.invars), len(p.outvars), len(p.constvars)) for p in programs}) > 1:
        return False
    named: list[dict[Any, int]] = [{} for _ in programs]

    def entered(variables: Sequence[Any]) -> bool:
        for names, v in zip(named, variables, strict=True):
            names[v] = len(names)
        return _alike([getattr(v.aval, "shape", ()) for v in variables], rows)

    def read(variables: Sequence[Any]) -> bool:
        if any(isinstance(v, Literal) for v in variables):
            return all(isinstance(v, Literal) for v in variables) and _alike([v.val for v in variables], rows)
        return len({names[v] for names, v in zip(named, variables, strict=True)}) == 1

    for variables in zip(*(p.constvars for p in programs), strict=True):
        entered(variables)
    if not all([entered(v) for v in zip(*(p.invars for p in programs), strict=True)]):
        return False
    for equations in zip(*(p.eqns for p in programs), strict=True):
        if len({(e.primitive.name, len(e.invars), len(e.outvars)) for e in equations}) > 1:
            return False
        if not all(map(read, zip(*(e.invars for e in equations), strict=True))):
            return False
        if not _alike([dict(e.params) for e in equations], rows):
            return False
        if not all([entered(v) for v in zip(*(e.outvars for e in equations), strict=True)]):
            return False
    return all(map(read, zip(*(p.outvars for p in programs), strict=True)))


def _alike(values: Sequence[Any], rows: Sequence[int]) -> bool:
    first = values[0]
    if any(type(v) is not type(first) for v in values):
        return False
    if isinstance(first, ClosedJaxpr):
        return same_form(values, rows)
    if isinstance(first, Jaxpr):
        return _jaxprs(values, rows)
    if isinstance(first, dict):
        return all(v.keys() == first.keys() for v in values) and _all([list(v.values()) for v in values], rows)
    if isinstance(first, tuple | list):
        return _all(values, rows)
    if isinstance(first, bool | np.bool_ | str):
        return all(v == first for v in values)
    if isinstance(first, Number | np.generic) or hasattr(first, "shape") and hasattr(first, "dtype"):
        arrays = [np.asarray(v) for v in values] if not is_key(first) else []
        if len({a.shape for a in arrays}) > 1:  # a table of positions is as long as its axis
            return _alike([a.shape for a in arrays], rows)
        return all(_grown([a.flat[k] for a in arrays], rows) for k in range(arrays[0].size)) if arrays else True
    return True  # names of devices, functions that say how to derive: nothing that is computed


def _all(values: Sequence[Sequence[Any]], rows: Sequence[int]) -> bool:
    return len({len(v) for v in values}) == 1 and all(_alike(v, rows) for v in zip(*values, strict=True))


def _grown(values: Sequence[Any], rows: Sequence[int]) -> bool:
    """Whether numbers are all equal, or k N + c, or c N^k, at these N."""
    a = [float(v) for v in values]
    if all(v == a[0] or v != v and a[0] != a[0] for v in a):
        return True
    slopes = [(v - a[0]) / (n - rows[0]) for v, n in zip(a[1:], rows[1:], strict=True)]
    if slopes[0] == round(slopes[0]) and all(s == slopes[0] for s in slopes):
        return True
    return any(
        all(
            abs(v / n**k - a[0] / rows[0] ** k) <= 1e-6 * abs(a[0] / rows[0] ** k) for v, n in zip(a, rows, strict=True)
        )
        for k in (-2, -1, 1, 2)
    )
