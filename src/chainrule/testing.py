"""The promises that every layer keeps, as a check for your own layers."""

import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

import chainrule
from chainrule import spec
from chainrule.layers.layer import Function, Layer, as_layer, name_of

_compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
"""Each program of a check runs a few times on a few rows: compiling fast counts, not running fast."""


def check_layer(
    layer: Layer | Callable, x: Any, key: jax.Array | None = None, custom: Mapping[str, Any] | None = None
) -> None:
    """Check that a layer keeps the promises that training, saving and explaining rest on.

    ``x`` is an example batch of at least two rows that differ, ``key`` the source of randomness (seed 0 when absent),
    ``custom`` the parts that chainrule does not know by name, as in ``cr.load``; own layers and functions inside a
    container are found without it. Raises an AssertionError that says which promise is broken.

    >>> from chainrule.layers.dense import Dense
    >>> check_layer(Dense(3), jnp.arange(8.0).reshape(4, 2))
    """
    layer = as_layer(layer)
    key = jax.random.key(0) if key is None else key
    x = jax.tree.map(jnp.asarray, x)
    rows = {a.shape[:1] for a in jax.tree.leaves(x)}
    _promise(layer, len(rows) == 1 and min(rows) >= (2,), f"the check needs a batch of at least two rows; {rows} came")
    _check_rebuilds(layer, dict(custom or {}))
    p = _check_init(layer, x, key)
    _check_roles(layer, p)
    traces = []

    @_compiled
    def run(p, x, key):
        traces.append(key is not None)
        return layer.run(p, x, key)

    _check_exact(layer, run, p, x)
    _check_rows(layer, run, p, x, key)
    _check_containers(layer, p, x, key)
    _check_seeds(layer, run, x, key)
    _, q = run(p, x, key)
    run(q, x, jax.random.fold_in(key, 1))
    _promise(
        layer,
        traces.count(True) == 1,
        "a second step must not compile again: run must return p with the same tree, shapes and dtypes",
    )
    _check_gradient(layer, p, x, key)


def _promise(layer: Layer, kept: Any, broken: str) -> None:
    if not kept:
        raise AssertionError(f"{layer}: {broken}.")


def _check_rebuilds(layer: Layer, custom: dict[str, Any]) -> None:
    parts = list(_tree(layer))
    own = {name_of(part): part.f if isinstance(part, Function) else type(part) for part in parts}
    names = own | custom
    try:
        hash(layer)
    except TypeError as e:
        raise AssertionError(
            f"{layer}: its fields must be hashable (numbers, text, tuples, functions, layers): {e}."
        ) from e
    try:
        again = as_layer(eval(repr(layer), {}, _Names(names)))
    except Exception as e:
        raise AssertionError(
            f"{layer}: its repr must be the code that rebuilds it, and raises {e!r}. "
            "Own parts go into custom={name: part}."
        ) from e
    _promise(layer, again == layer, f"its repr must be the code that rebuilds it, and gives {again}")
    data = json.loads(json.dumps(spec.to_data(layer)))
    _promise(layer, spec.from_data(data, names | {"Function": Function}) == layer, f"JSON must rebuild it: {data}")


class _Names(dict):
    """Own parts by name, then chainrule's public names."""

    def __missing__(self, name: str) -> Any:
        try:
            return getattr(chainrule, name)
        except AttributeError as e:
            raise KeyError(name) from e


def _check_init(layer: Layer, x: Any, key: jax.Array) -> Any:
    p = _compiled(layer.init)(key, x)
    try:
        from_shapes = layer.init(key, jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), x))
    except Exception as e:
        raise AssertionError(
            f"{layer}: init may read only shapes and dtypes of x, and without values it raises {e!r}. "
            "What depends on values belongs into prepare."
        ) from e
    _promise(
        layer,
        _close(p, from_shapes),
        "init may read only shapes and dtypes of x, and gives other parameters for "
        "other values. What depends on values belongs into prepare",
    )
    return p


def _check_roles(layer: Layer, p: Any) -> None:
    roles = layer.roles(p)
    _promise(
        layer,
        jax.tree.structure(roles) == jax.tree.structure(p),
        f"roles must name every leaf of p, and gives {roles} for {jax.tree.map(jnp.shape, p)}",
    )
    unknown = set(jax.tree.leaves(roles)) - {"weight", "shift", "fixed"}
    _promise(layer, not unknown, f'a role is "weight", "shift" or "fixed"; {unknown} came')


def _check_exact(layer: Layer, run: Callable, p: Any, x: Any) -> None:
    y = layer(p, x)
    _promise(layer, _same(y, layer(p, x)), "the exact pass must give the same for the same x, and draws noise")
    z, q = run(p, x, None)
    _promise(layer, _close(y, z), "run with key=None, compiled by jax.jit, must give what the layer gives without")
    _promise(
        layer,
        jax.tree.structure(p) == jax.tree.structure(q) and _same(p, q),
        "the exact pass must leave the parameters as they are, and changes them",
    )


def _check_rows(layer: Layer, run: Callable, p: Any, x: Any, key: jax.Array) -> None:
    others = jax.tree.map(lambda a: jnp.concatenate([a[:1], a[:-1]]), x)
    for noise in (None,) if layer.mixes_rows else (None, key):
        first, again = (jax.tree.map(lambda a: a[0], run(p, rows, noise)[0]) for rows in (x, others))
        _promise(
            layer,
            _close(first, again),
            "one row's result must not depend on the other rows, and does. If training needs that, as batch norm "
            "does, say mixes_rows = True and use it only when key is given",
        )
    swapped = jax.tree.map(lambda a: a[::-1], x)
    y, z = run(p, x, None)[0], run(p, swapped, None)[0]
    _promise(
        layer,
        _close(y, jax.tree.map(lambda a: a[::-1], z)),
        "rows in another order must give the same results in that order: the exact pass treats rows differently",
    )


def _check_containers(layer: Layer, p: Any, x: Any, key: jax.Array) -> None:
    if not layer.parts or not _leaves_that_run(layer):
        return
    with _watched(layer) as calls:
        _, q = layer.run(p, x, key)
    for leaf in _leaves_that_run(layer):
        keys = [given for who, given, _ in calls if who is leaf]
        _promise(
            layer,
            keys and all(keys),
            f"run must hand a key to every layer inside it, and {leaf} gets none: its "
            "noise or statistics are lost. Call f.run(q, x, key), not f(q, x)",
        )
    for leaf, _, new in calls:
        outside = [a for a in jax.tree.leaves(new) if not isinstance(a, Tracer)]
        kept = all(any(np.array_equal(a, b) for b in jax.tree.leaves(q)) for a in outside)
        _promise(layer, kept, f"run must return the parameters that its layers return, and those of {leaf} are lost")


def _leaves_that_run(layer: Layer) -> list[Layer]:
    return [part for part in _tree(layer) if not part.parts and type(part).run is not Layer.run]


@contextlib.contextmanager
def _watched(layer: Layer) -> Iterator[list[tuple[Layer, bool, Any]]]:
    """Every call of a noisy or remembering layer inside: who, whether with a key, and the parameters it returned."""
    calls: list[tuple[Layer, bool, Any]] = []

    def watch(kind: type[Layer]) -> Callable:
        run = kind.run

        def watched(self, p, x, key):
            y, q = run(self, p, x, key)
            calls.append((self, key is not None, q))
            return y, q

        return watched

    kinds = {type(part) for part in _leaves_that_run(layer)}
    originals = {kind: vars(kind).get("run") for kind in kinds}
    for kind in kinds:
        kind.run = watch(kind)
    try:
        yield calls
    finally:
        for kind, run in originals.items():
            if run is None:
                delattr(kind, "run")
            else:
                kind.run = run


def _check_seeds(layer: Layer, run: Callable, x: Any, key: jax.Array) -> None:
    keys = jax.random.split(key, 2)
    try:
        p = _compiled(jax.vmap(layer.init, (0, None)))(keys, x)
        y = _compiled(jax.vmap(layer, (0, None), axis_size=len(keys)))(p, x)
    except Exception as e:
        raise AssertionError(
            f"{layer}: jax.vmap over seeds must work (ensembles are made so), and raises {e!r}."
        ) from e
    for i in range(len(keys)):
        one, alone = (jax.tree.map(lambda a, i=i: a[i], tree) for tree in (y, p))
        _promise(layer, _close(one, run(alone, x, None)[0]), "jax.vmap over seeds must give what each seed gives alone")


def _check_gradient(layer: Layer, p: Any, x: Any, key: jax.Array) -> None:
    random, h = np.random.default_rng(0), 1e-5
    with jax.enable_x64(True):
        roles = layer.roles(p)
        p, x = jax.tree.map(_double, (p, x))
        for noise in (None, key) if _leaves_that_run(layer) else (None,):
            y = jax.eval_shape(layer.run, p, x, noise)[0]
            g, dp, dx = jax.tree.map(lambda a: random.standard_normal(a.shape), (y, p, x))
            dp = jax.tree.map(lambda d, role: 0 * d if role == "fixed" else d, dp, roles)

            def along(t, noise=noise, g=g, dp=dp, dx=dx):
                return _dot(g, layer.run(_moved(p, dp, t), _moved(x, dx, t), noise)[0])

            slope, above, below = _compiled(lambda t, f=along: (jax.grad(f)(t), f(t + h), f(t - h)))(0.0)
            difference = (above - below) / (2 * h)
            _promise(
                layer,
                np.allclose(slope, difference, rtol=1e-5, atol=1e-6),
                f"its gradient must be the slope of its values: {slope} is not {difference} (central difference, "
                f"{'exact' if noise is None else 'training'} pass)",
            )


def _double(a: jax.Array) -> jax.Array:
    return a.astype(jnp.float64) if jnp.issubdtype(a.dtype, jnp.floating) else a


def _moved(tree: Any, direction: Any, t: Any) -> Any:
    return jax.tree.map(lambda a, d: a + t * d if jnp.issubdtype(a.dtype, jnp.floating) else a, tree, direction)


def _dot(g: Any, y: Any) -> Any:
    return sum(jax.tree.leaves(jax.tree.map(lambda a, b: jnp.sum(a * b), g, y)))


def _tree(layer: Layer) -> Iterator[Layer]:
    yield layer
    for part in layer.parts:
        yield from _tree(part)


def _same(a: Any, b: Any) -> bool:
    return all(
        np.array_equal(u, v, equal_nan=True) for u, v in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


def _close(a: Any, b: Any) -> bool:
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        np.shape(u) == np.shape(v) and np.allclose(u, v, rtol=1e-4, atol=1e-5, equal_nan=True)
        for u, v in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )
