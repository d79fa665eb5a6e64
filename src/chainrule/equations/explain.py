"""cr.explain: the equations of the program that runs, forward and backward, every printed line checked."""

from typing import Any

from chainrule.equations.checks.verify import verify
from chainrule.equations.derivation.derive import derive
from chainrule.equations.explanation import Explanation
from chainrule.equations.update import update_statements
from chainrule.errors import CannotExplain
from chainrule.trace.subject import subject

_WITH_LOSS = "cr.explain(lambda p, x, y: loss({}, y).mean(), params, X, y)"
ELSEWHERE = {
    ("keras", "Layer"): "cr.explain(cr.adapt.keras(model), X, y, loss=cr.cross_entropy)",
    ("torch.nn", "Module"): "cr.explain(cr.adapt.torch(module, X), X, y, loss=cr.cross_entropy)",
    ("equinox", "Module"): "params, static = equinox.partition(model, equinox.is_inexact_array), then "
    + _WITH_LOSS.format("jax.vmap(equinox.combine(p, static))(x)"),
    ("flax.nnx", "Module"): "graph, params, rest = nnx.split(model, nnx.Param, ...), then "
    + _WITH_LOSS.format("nnx.merge(graph, p, rest)(x)"),
    ("flax.linen", "Module"): "params = model.init(jax.random.key(0), X), then "
    + _WITH_LOSS.format("model.apply(p, x)"),
}
"""How models of other libraries come in, by the library and the name of their base class."""


def explain(obj: Any, *args: Any, **options: Any) -> Explanation:
    """The equations of a program, derived by the chain rule from what JAX traces, each line checked.

    ``explain(run)``; ``explain(net, X, y, loss=cr.cross_entropy, params=p, training=False)``; or any JAX function that
    returns one number: ``explain(f, *args, argnums=0)``, derived by the arguments that ``argnums`` names.

    >>> import jax.numpy as jnp
    >>> ex = explain(lambda w, x: (x @ w).sum(), jnp.ones(3), jnp.ones((2, 3)))
    >>> [line.text for line in ex.lines if line.kind == "backward"][-1]
    '∂L/∂w = Σ_n x'
    >>> ex.verified
    True

    Raises CannotExplain for what is no function or model, and for models of other libraries, with the way they come in.
    """
    _expect_ours(obj)
    derivation = derive(subject(obj, *args, **options))
    checks, update = verify(derivation), derivation.subject.update
    if update is None:
        return Explanation(derivation, checks)
    return Explanation(derivation, checks, *update_statements(update, set(derivation.composer.names.values())))


def _expect_ours(obj: Any) -> None:
    """CannotExplain, with the way, for a model of another library: its parameters are inside of it."""
    if type(obj).__module__.startswith("equinox._"):  # a function that equinox has wrapped
        return
    for base in type(obj).__mro__:
        for (library, name), way in ELSEWHERE.items():
            if base.__name__ == name and f"{base.__module__}.".startswith(f"{library}."):
                raise CannotExplain(
                    f"{type(obj).__name__} is a model of {library}, which holds its parameters itself, and the loss is "
                    f"derived by parameters outside. Write {way}. See docs/guides/other-libraries.md."
                )
