"""cr.explain: the equations of the program that runs, forward and backward, every printed line checked."""

from typing import Any

from chainrule.equations.checks.verify import verify
from chainrule.equations.derivation.derive import derive
from chainrule.equations.explanation import Explanation
from chainrule.equations.update import update_statements
from chainrule.trace.subject import subject


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

    Raises CannotExplain for what is no function or model.
    """
    derivation = derive(subject(obj, *args, **options))
    checks, update = verify(derivation), derivation.subject.update
    if update is None:
        return Explanation(derivation, checks)
    return Explanation(derivation, checks, *update_statements(update, set(derivation.composer.names.values())))
