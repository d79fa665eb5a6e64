"""The protocol of layers: a layer is a family of functions y = f(p, x), with the parameters p outside it."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, dataclass_transform

import jax
import jax.numpy as jnp

from chainrule import spec
from chainrule.errors import DesignError, ShapeError
from chainrule.maths import activations

Params = Any
"""A dict of arrays with the textbook letters; a container's is a tuple or a dict of its parts' parameters."""


@dataclass_transform(frozen_default=True)
class Layer:
    """A family of functions y = f(p, x). Write exactly one of ``__call__`` and ``run``; the other follows.

    The object holds the designer's numbers only, never arrays: every subclass is made a frozen dataclass
    of its annotated fields, so it hashes, compares, prints as the code that rebuilds it and goes to JSON
    and back. Batch first, features last; no ``vmap`` inside.

    >>> class Shift(Layer):
    ...     by: float = 1.0
    ...
    ...     def __call__(self, p, x):
    ...         return x + self.by
    >>> Shift(by=2.0)({}, 3.0)
    5.0
    """

    shifts: ClassVar[tuple[str, ...]] = ("b",)
    """Names of parameters that are trained but never decayed: biases, scales and shifts of norms."""
    fixed: ClassVar[tuple[str, ...]] = ()
    """Names of parameters that are not trained: statistics."""
    variadic: ClassVar[str] = ""
    """The field that the constructor takes as ``*parts``, when there is one."""

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        dataclasses.dataclass(frozen=True, repr=False)(cls)
        exact, training = cls.__call__ is not Layer.__call__, cls.run is not Layer.run
        if not exact and not training:
            raise DesignError(
                f"{cls.__name__} writes neither __call__ nor run. Write __call__(self, p, x) for a plain "
                "function of p and x, or run(self, p, x, key) when training needs noise or statistics."
            )
        if "__call__" in vars(cls) and "run" in vars(cls):
            raise DesignError(
                f"{cls.__name__} writes both __call__ and run. Write exactly one: with key=None, run is "
                "the exact pass, and __call__ follows from it."
            )

    def init(self, key: jax.Array, x: Any) -> Params:
        """Draw p for inputs shaped like x. Only shapes and dtypes of x are read."""
        return {}

    def prepare(self, p: Params, x: Any) -> Params:
        """Set what depends on data, once, before training: x holds the training rows as this layer sees them."""
        return p

    def __call__(self, p: Params, x: Any) -> Any:
        """``y = f(p, x)``, exact: no noise, no side effects."""
        return self.run(p, x, None)[0]

    def run(self, p: Params, x: Any, key: jax.Array | None) -> tuple[Any, Params]:
        """The training pass (y, p): noise from ``key``, statistics into p. ``key=None`` is the exact pass."""
        return self(p, x), p

    def roles(self, p: Params) -> Any:
        """The role of each leaf of p: "weight" (trained, decayed), "shift" (trained) or "fixed".

        A container's p has one entry for each of its parts, and the parts say their roles.
        """
        if self.parts:
            return tuple(f.roles(q) for f, q in zip(self.parts, p, strict=True))
        return {name: "fixed" if name in self.fixed else "shift" if name in self.shifts else "weight" for name in p}

    @property
    def parts(self) -> tuple["Layer", ...]:
        """The layers inside this one."""
        return ()

    @property
    def mixes_rows(self) -> bool:
        """Whether rows of a batch influence each other in training, as in batch norm."""
        return any(part.mixes_rows for part in self.parts)

    @property
    def prepares(self) -> bool:
        """Whether this layer, or one inside it, reads the training rows before training."""
        own = not self.parts and type(self).prepare is not Layer.prepare
        return own or any(part.prepares for part in self.parts)

    def __repr__(self) -> str:
        return spec.show_fields(self)


class Function(Layer):
    """A plain function of one array, as a layer without parameters."""

    f: Callable

    def __call__(self, p: Params, x: Any) -> Any:
        """``y = f(x)``."""
        return self.f(x)

    def __repr__(self) -> str:
        return spec.show(self.f)


spec.register(Function)  # not as a decorator, which would hide its type


def as_layer(part: Any) -> Layer:
    """The part itself when it is a layer, else the function as a layer without parameters."""
    if isinstance(part, Layer):
        return part
    if isinstance(part, type) and issubclass(part, Layer):
        raise DesignError(f"{part.__name__} is a class, and a network is made of layers: write {part.__name__}(…).")
    if isinstance(part, str):
        known = callable(getattr(activations, part, None))
        hint = f"write cr.{part}, the function" if known else "functions are written without quotes, cr.relu"
        raise DesignError(
            f"A network is made of layers and functions of one array, and {part!r} is text: {hint} (in a design file "
            f'{{"{part if known else "relu"}": {{}}}}).{"" if known else spec.nearest(part)}'
        )
    if isinstance(part, list | tuple):
        raise DesignError("A network is made of layers and functions, and a list came: write cr.Chain(*layers).")
    if not callable(part):
        raise DesignError(f"A network is made of layers and functions of one array; this came: {part!r}.")
    return Function(part)


def name_of(part: Layer) -> str:
    """The short name of a layer, as a trace shows it: ``Dense``, ``relu``."""
    if isinstance(part, Function):
        return getattr(part.f, "name", None) or getattr(part.f, "__name__", type(part.f).__name__)
    return type(part).__name__


def split_key(key: jax.Array | None, count: int) -> list:
    """One key for each of ``count`` parts, or ``None`` for each when there is no noise."""
    return [None] * count if key is None else list(jax.random.split(key, max(count, 1)))


def parameter_dtype(x: Any) -> Any:
    """The dtype of parameters for inputs like x: x's own when floating and JAX has it, else the default float."""
    return jax.dtypes.canonicalize_dtype(x.dtype if jnp.issubdtype(x.dtype, jnp.floating) else float)


def expect_features(layer: Layer, features: int, x: Any) -> None:
    """Refuse an x whose last axis is not the one this layer was built for."""
    if not x.ndim or x.shape[-1] != features:
        last = f"its last axis is {x.shape[-1]}" if x.ndim else "it has no axis"
        raise ShapeError(
            f"{layer} was built for inputs with {features} features, but x has shape {x.shape}: {last}. "
            "Reshape x, or init the network again on an example of this shape."
        )


def expect_count(layer: Layer, name: str, value: Any, least: int = 1) -> None:
    """Refuse a size that is not a whole number of at least ``least``; ``spec.register`` made NumPy's Python's."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise DesignError(
            f"{type(layer).__name__}: {name} must be a whole number of at least {least}, and {value!r} came."
        )
