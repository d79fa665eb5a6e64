"""Named functions: a function that keeps its name in every traced program.

A jitted function stays one equation with its name, forward and backward, at no cost when it
runs; but a bare jitted object survives neither pickle nor deepcopy and has no readable repr.
"""

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import jax

from chainrule import spec


class Named:
    """A function of arrays that is one named line in every traced program."""

    __name__: str

    def __init__(self, f: Callable) -> None:
        functools.update_wrapper(self, f)
        self._run = jax.jit(f)

    def __call__(self, *arrays: Any) -> Any:
        """Apply the function."""
        return self._run(*arrays)

    def __reduce__(self) -> str:
        return self.__name__  # pickle and deepcopy return this very object

    def __repr__(self) -> str:
        return self.__name__


def named(f: Callable) -> Named:
    """Give ``f`` a name that survives tracing, and enter it into the table of specifications."""
    return spec.register(Named(f))


class Family:
    """Named functions that share a formula and differ in fixed settings.

    A subclass ``class LeakyRelu(Family, name="leaky_relu")`` is a frozen dataclass (``repr=False``) of
    the settings and writes ``formula``; ``name`` is what a traced program shows, and, by convention,
    the name of its default instance.
    """

    name: ClassVar[str]
    formula: Callable[..., Any]

    def __init_subclass__(cls, name: str | None = None, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if name is None:
            return

        def run(self, *arrays):
            return self.formula(*arrays)

        run.__name__ = run.__qualname__ = name
        cls.name = name
        cls._run = staticmethod(jax.jit(run, static_argnums=0))
        spec.register(cls)

    def __call__(self, *arrays: Any) -> Any:
        """Apply the function."""
        return type(self)._run(self, *arrays)

    def __repr__(self) -> str:
        shown = spec.show_fields(self)
        return self.name if shown.endswith("()") else shown
