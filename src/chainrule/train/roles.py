"""Who is trained: every leaf of the parameters has one role, and the optimizer sees only the trained ones."""

from collections.abc import Iterable
from typing import Any

import jax

from chainrule.errors import DesignError
from chainrule.layers.layer import Layer, Params, name_of


def roles(net: Layer, params: Params, freeze: Iterable[str] = ()) -> Any:
    """The role of each leaf, a tree like ``params``: "weight", "shift" or "fixed".

    Layers whose names start with an entry of ``freeze`` ("0:Dense", "1:Residual/0:Dense") are fixed.
    """
    freeze = tuple(freeze)
    names = leaf_names(net, params)
    unknown = [part for part in freeze if not any(_inside(name, part) for name in jax.tree.leaves(names))]
    if unknown:
        layers = sorted({name.rsplit("/", 1)[0] for name in jax.tree.leaves(names)})
        raise DesignError(
            f"freeze={unknown} names no layer with parameters. Layers with parameters: {', '.join(layers)}."
        )
    return jax.tree.map(
        lambda role, name: "fixed" if any(_inside(name, part) for part in freeze) else role,
        net.roles(params),
        names,
    )


def leaf_names(net: Layer, params: Params) -> Any:
    """The name of each leaf, a tree of texts like ``params``: "0:Dense/W"."""

    def walk(part: Layer, p: Any, place: str) -> Any:
        inner = part.parts
        if inner and isinstance(p, tuple | list) and len(p) == len(inner):
            return tuple(walk(f, q, f"{place}{i}:{name_of(f)}/") for i, (f, q) in enumerate(zip(inner, p, strict=True)))
        paths = jax.tree_util.tree_map_with_path(
            lambda path, _: place + "/".join(str(getattr(k, "key", getattr(k, "idx", k))) for k in path), p
        )
        return paths

    whole = net.parts or not jax.tree.leaves(params)
    return walk(net, params, "" if whole else f"{name_of(net)}/")


def param_shapes(net: Layer, x: Any) -> Params:
    """The shapes of the parameters of ``net`` for inputs like x, without drawing them."""
    return jax.eval_shape(lambda x: net.init(jax.random.key(0), x), x)


def trained(params: Params, role: Any) -> Params:
    """The trained leaves; the fixed ones are left out (``None``)."""
    return jax.tree.map(lambda p, r: None if r == "fixed" else p, params, role)


def fixed(params: Params, role: Any) -> Params:
    """The fixed leaves; the trained ones are left out (``None``)."""
    return jax.tree.map(lambda p, r: p if r == "fixed" else None, params, role)


def joined(one: Params, other: Params) -> Params:
    """One tree again from its trained and its fixed leaves."""
    return jax.tree.map(lambda a, b: b if a is None else a, one, other, is_leaf=lambda leaf: leaf is None)


def _inside(name: str, part: str) -> bool:
    return name == part or name.startswith(part.rstrip("/") + "/")
