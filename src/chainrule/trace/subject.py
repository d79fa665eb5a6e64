"""What is explained: one number computed from parameters and data, as a plain function."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from chainrule.errors import CannotExplain


@dataclass(frozen=True, eq=False)
class Subject:
    """A loss as a function: ``function(params, *data) -> (loss, outputs of the network)``.

    Models enter by ``subject.register``; functions are taken as they are.
    """

    function: Callable[..., Any]
    params: Any
    data: tuple[Any, ...]
    names: tuple[str, ...]
    """The names of params and of each of the data, as the legend shows them."""
    title: str
    wrt: Callable[[str], bool] = field(default=lambda path: True)
    """Whether the loss is derived by the leaf of ``params`` at a path such as ``[0]['W']``."""
    rows: bool = True
    """Whether the first axis of all data is one of examples."""
    program: str = ""
    """Which of a network's programs is shown: exact, or training with its noise."""
    notes: tuple[str, ...] = ()
    preface: tuple[str, ...] = ()
    """How the data becomes what the function reads, line by line."""
    update: "Update | None" = None


@dataclass(frozen=True, eq=False)
class Update:
    """An optimizer's rule for one parameter array: ``function(*args) -> (new parameter, *new state)``."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    """Numbers at which its lines are checked, all of the kind and sign that it meets."""
    names: tuple[str, ...]
    results: tuple[str, ...]
    """The names of what it returns; a new value of a name among ``names`` is written with ₊. Counts get no line."""
    words: tuple[str, ...]
    """What each of ``names`` is, then each of ``results``, in the words of the legend."""
    title: str = ""


@functools.singledispatch
def subject(obj: Any, *args: Any, argnums: Any = 0, **options: Any) -> Subject:
    """The subject of ``cr.explain(obj, *args, **options)``: here a function of ``args``, derived by ``argnums``."""
    if _known(type(obj)):
        return subject.dispatch(type(obj))(obj, *args, **options)
    if not callable(obj):
        raise CannotExplain(
            f"Only functions and models can be explained, and {obj!r} of type {type(obj).__name__} came. Pass a run, "
            "a network with X, y and loss=, or any JAX function with its arguments."
        )
    if options:
        raise CannotExplain(
            f"A function takes no {', '.join(options)}: write the loss into it, lambda params, x, y: "
            "loss(f(params, x), y).mean(), or use cr.explain(net, X, y, loss=...) with a network of chainrule."
        )
    chosen: list[int] = [argnums] if isinstance(argnums, int) else list(argnums)
    if not args or any(not 0 <= i < len(args) for i in chosen):
        raise CannotExplain(f"argnums={argnums!r} must name arguments, and {len(args)} came: cr.explain(f, *args).")
    names = _argument_names(obj, len(args))
    rest = [i for i in range(len(args)) if i not in chosen]

    def function(params: Any, *data: Any) -> Any:
        full = {i: params[names[i]] for i in chosen} if len(chosen) > 1 else {chosen[0]: params}
        full.update(zip(rest, data, strict=True))
        return obj(*(full[i] for i in range(len(args)))), ()

    params = {names[i]: args[i] for i in chosen} if len(chosen) > 1 else args[chosen[0]]
    name = names[chosen[0]] if len(chosen) == 1 else "params"
    return Subject(
        function,
        params,
        tuple(args[i] for i in rest),
        (name, *(names[i] for i in rest)),
        _title(obj),
    )


def _title(f: Any) -> str:
    name = getattr(f, "__name__", type(f).__name__)
    return "a function" if name == "<lambda>" else name


def _known(kind: type) -> bool:
    """Whether a room of chainrule, asked now, explains its own type: it does so in its module ``explained``."""
    rooms = {
        ".".join(base.__module__.split(".")[:2]) for base in kind.__mro__ if base.__module__.startswith("chainrule.")
    }
    for room in rooms:
        if find_spec(f"{room}.explained") is not None:
            import_module(f"{room}.explained")
    return subject.dispatch(kind) is not subject.dispatch(object)


def _argument_names(f: Any, count: int) -> list[str]:
    try:
        found = [p.name for p in inspect.signature(f).parameters.values() if p.kind <= p.POSITIONAL_OR_KEYWORD]
    except (TypeError, ValueError):
        found = []
    return [found[i] if i < len(found) else f"x{i}" for i in range(count)]
