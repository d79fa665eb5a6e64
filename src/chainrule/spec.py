"""The closed table of names: how a specification becomes plain JSON data and back.

A specification is either a frozen dataclass of numbers, names and other specifications
(a layer, a loss, an optimizer), or a named function. In JSON it is a dict with one key,
its public name: ``{"Dense": {"units": 64}}``, ``{"relu": {}}``. Strings are always only
strings, so no name in a file can become code that was not registered here.
"""

import dataclasses
import difflib
import functools
import hashlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, DesignError, LoadError

_TABLE: dict[str, Any] = {}
_ELSEWHERE = {
    "activation": "put the function after the layer, cr.Dense(3), cr.relu",
    "input_shape": "sizes of inputs are inferred from the data",
    "input_dim": "sizes of inputs are inferred from the data",
    "in_features": "sizes of inputs are inferred from the data",
    "out_features": "write units",
    "kernel_initializer": "write init",
    "bias": "write use_bias",
    "lr": "write learning_rate",
    "betas": "write beta_1 and beta_2",
    "eps": "write epsilon",
    "p": "write rate",
}


def register(obj: Any) -> Any:
    """Enter a class or a named function of chainrule into the table, under its own name.

    The constructor of a class then refuses wrong arguments with a DesignError, and takes NumPy numbers as Python's.
    """
    _TABLE[obj.__name__] = obj
    if isinstance(obj, type) and "__init__" in vars(obj):
        type.__setattr__(obj, "__init__", _checked(vars(obj)["__init__"]))
    return obj


def nearest(name: str) -> str:
    """The question after a name that is almost one of the table's, "Did you mean 'relu'?", else nothing."""
    return _meant(name, _TABLE)


def show(spec: Any) -> str:
    """The code that rebuilds a specification: ``Dense(units=64)``, ``relu``."""
    if isinstance(spec, tuple):
        return "(" + ", ".join(map(show, spec)) + ("," if len(spec) == 1 else "") + ")"
    if dataclasses.is_dataclass(spec) or not callable(spec):
        return repr(spec)
    return getattr(spec, "__name__", repr(spec))


def freeze(spec: Any, **values: Any) -> None:
    """Fill the fields of a frozen dataclass from its own ``__init__``."""
    for name, value in values.items():
        object.__setattr__(spec, name, value)


def show_fields(spec: Any) -> str:
    """``Name(field=value, …)`` with the fields that differ from their defaults.

    A class whose constructor takes ``*layers`` names that field in ``variadic``; it is shown without its name.
    """
    kind = type(spec)
    defaults = {name: p.default for name, p in inspect.signature(kind).parameters.items()}
    variadic = getattr(kind, "variadic", "")
    said = [show(part) for part in getattr(spec, variadic)] if variadic else []
    said += [
        f"{name}={show(value)}"
        for name, value in _fields(spec).items()
        if name != variadic and not _same(value, defaults.get(name))
    ]
    return f"{kind.__name__}({', '.join(said)})"


def _fields(spec: Any) -> dict[str, Any]:
    """The values of a specification under the names that its constructor takes.

    A field whose name is taken by a method says the other one in its metadata: ``{"name": "init"}``.
    """
    return {f.metadata.get("name", f.name): getattr(spec, f.name) for f in dataclasses.fields(spec) if f.init}


def to_data(spec: Any) -> Any:
    """Plain JSON data of a specification. A user's own part is kept as its name and a hash of its source."""
    if isinstance(spec, np.generic):
        return spec.item()
    if spec is None or isinstance(spec, bool | int | float | str):
        return spec
    if isinstance(spec, tuple | list):
        return [to_data(item) for item in spec]
    if dataclasses.is_dataclass(spec) and not isinstance(spec, type):
        kind = type(spec)
        fields = {name: to_data(value) for name, value in _fields(spec).items()}
        if _TABLE.get(kind.__name__) is kind:
            return {kind.__name__: fields}
        return {"custom": {"name": kind.__name__, "fields": fields, "source": source_hash(kind)}}
    name = getattr(spec, "__name__", None)
    if name is not None and _TABLE.get(name) is spec:
        return {name: {}}
    if callable(spec) and name is not None:
        return {"custom": {"name": name, "source": source_hash(spec)}}
    raise DesignError(
        f"{spec!r} of type {type(spec).__name__} cannot be written to a file: a specification holds "
        "numbers, text, named functions and other specifications."
    )


def from_data(
    data: Any, custom: Mapping[str, Any] | None = None, on_change: Callable[[str], None] = lambda name: None
) -> Any:
    """Rebuild a specification from its JSON data; lists become tuples.

    ``custom`` supplies the user's own parts by name; ``on_change(name)`` is told when the source
    of such a part is no longer the one that was saved.
    """
    if data is None or isinstance(data, bool | int | float | str):
        return data
    if isinstance(data, list):
        return tuple(from_data(item, custom, on_change) for item in data)
    if not isinstance(data, dict) or len(data) != 1:
        raise LoadError(
            f"A specification is a dict with one key, its name, such as {{'Dense': {{'units': 64}}}}; "
            f"this came: {str(data)[:200]}."
        )
    ((name, fields),) = data.items()
    if not isinstance(fields, dict):
        raise LoadError(f"The fields of {name} must be a dict of names and values; this came: {str(fields)[:200]}.")
    if name == "custom":
        return _custom(fields, custom or {}, on_change)
    if name not in _TABLE:
        raise LoadError(
            f"chainrule has no {name!r}.{nearest(name)} Your own parts are supplied by cr.load(path, custom={{...}})."
        )
    kind = _TABLE[name]
    values = {key: from_data(value, custom, on_change) for key, value in fields.items()}
    if isinstance(kind, type):
        return _build(kind, name, values)
    if values:
        raise LoadError(f"{name} has no fields, and {', '.join(values)} came: write {{{name!r}: {{}}}}.")
    return kind


def source_hash(obj: Any) -> str:
    """A short hash of the source text of a user's own part, or "" where Python has none."""
    try:
        return hashlib.sha256(inspect.getsource(obj).encode()).hexdigest()[:16]
    except (OSError, TypeError):
        return ""


def _custom(fields: dict, custom: Mapping[str, Any], on_change: Callable[[str], None]) -> Any:
    name = fields.get("name")
    if not isinstance(name, str) or name not in custom:
        raise LoadError(
            f"This file uses your own {name!r}, and holds only its name. "
            f"Pass it: cr.load(path, custom={{{name!r}: {name}}})."
        )
    part = custom[name]
    if fields.get("source") and source_hash(part) != fields["source"]:
        on_change(name)
    if "fields" not in fields:
        return part
    if not isinstance(fields["fields"], dict):
        raise LoadError(f"The fields of {name} must be a dict; this came: {str(fields['fields'])[:200]}.")
    return _build(part, name, {k: from_data(v, custom, on_change) for k, v in fields["fields"].items()})


def _build(kind: Any, name: str, values: dict) -> Any:
    variadic = getattr(kind, "variadic", "")
    parts = values.pop(variadic, ())
    if not isinstance(parts, tuple):
        raise LoadError(f"{name}: {variadic} is a list, and {parts!r} came.")
    try:
        wrong = _misfit(kind, inspect.signature(kind), parts, values)
        if not wrong:
            return kind(*parts, **values)
    except ChainruleError:
        raise
    except Exception as e:  # whatever a constructor makes of values that were edited by hand
        raise LoadError(f"{name} cannot be built from {values}: {type(e).__name__}: {e}.") from e
    raise LoadError(wrong)


def _checked(init: Callable) -> Callable:
    """A constructor that refuses arguments it does not have, and takes NumPy numbers as Python's."""
    signature = inspect.signature(init)
    own = signature.replace(parameters=list(signature.parameters.values())[1:])

    @functools.wraps(init)
    def checked(self: Any, *args: Any, **values: Any) -> None:
        wrong = _misfit(type(self), own, args, values)
        if wrong:
            raise DesignError(wrong)
        init(self, *map(_plain, args), **{name: _plain(value) for name, value in values.items()})

    return checked


def _misfit(kind: Any, signature: inspect.Signature, args: tuple, values: Mapping[str, Any]) -> str:
    """Why a constructor cannot be called with these arguments, or "" when it can."""
    try:
        signature.bind(*args, **values)
    except TypeError as e:
        name, fields = kind.__name__, signature.parameters
        listed = ", ".join(fields) or "none"
        for key in values:
            if key == getattr(kind, "variadic", ""):
                return f"{name} takes its {key} one after the other: write {name}(…, …)."
            if key not in fields and key in _ELSEWHERE:
                return f"{name} has no {key!r}: {_ELSEWHERE[key]}. Its fields are {listed}."
            if key not in fields:
                return f"{name} has no {key!r}; its fields are {listed}.{_meant(key, fields)}"
        if len(args) > len(fields):
            return f"{name} has {len(fields)} fields ({listed}), and {len(args)} values came."
        for key, field in list(fields.items())[len(args) :]:
            if field.default is field.empty and key not in values:
                return f"{name} needs {key!r}; its fields are {listed}."
        return f"{name}: {e}; its fields are {listed}."
    return ""


def _meant(name: str, names: Any) -> str:
    close = difflib.get_close_matches(name, names, n=1) or [known for known in names if known.lower() == name.lower()]
    return f" Did you mean {close[0]!r}?" if close else ""


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)
