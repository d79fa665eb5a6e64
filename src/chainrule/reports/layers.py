"""Layers: the size of gradients and weights over training, and what each layer gives in the end."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.data.table import Table
from chainrule.layers.layer import Layer
from chainrule.reports.charts import Line, chart, figures
from chainrule.reports.facts import Facts
from chainrule.reports.markup import Html, paragraph, section, table
from chainrule.reports.rows import Examined
from chainrule.reports.scale import axis
from chainrule.reports.words import number, share
from chainrule.trace.taps import taps
from chainrule.train.history import History
from chainrule.train.run import Run

ROWS = 512
"""Activations are measured on at most so many rows."""
MOST = 8
"""So many arrays of parameters are drawn: evenly chosen where there are more."""
MANY = 24
"""Of more layers an even choice is listed."""


def layers(facts: Facts) -> Html:
    """Charts over training, and a table of the activations of the trained network."""
    history = facts.run.history
    drawn = [sizes(history, kind) for kind in ("gradient", "weight")] if history.epochs > 1 and history.probes else []
    given = activations(facts.run, facts.rows)
    if not drawn and not given:
        return Html("")
    lead = paragraph(
        "Gradients that shrink from the last layer to the first, or by many powers of ten over training, stop the "
        "first layers from learning. A dead unit gives 0 for every row."
    )
    return section("layers", "Inside the layers", lead, figures(*drawn), given)


def sizes(history: History, kind: str) -> Html:
    """The root mean square of gradients or of the parameters themselves, one line for each array of weights."""
    found = {name.removeprefix(f"{kind} "): v for name, v in history.probes.items() if name.startswith(f"{kind} ")}
    matrices = {name: v for name, v in found.items() if name.endswith("/W")} or found
    names = chosen(list(matrices), MOST)
    epochs = np.arange(1, history.epochs + 1)
    values = {name: np.nanmean(matrices[name], axis=1) for name in names}
    lines = [Line(epochs, v, name, color) for color, (name, v) in enumerate(values.items(), 1)]
    what = "Gradients" if kind == "gradient" else "Weights"
    some = f" {len(names)} of {len(matrices)} arrays are drawn." if len(names) < len(matrices) else ""
    return chart(
        f"{what} over training",
        axis("epoch", epochs),
        axis("root mean square", *values.values(), log=True),
        lines,
        f"Measured at the first step of each epoch.{some}",
        "; ".join(f"{name} from {number(float(v[0]))} to {number(float(v[-1]))}" for name, v in values.items()) + ".",
    )


def activations(run: Run, rows: Examined) -> Html:
    """Mean, spread, zeros and dead units of what each layer gives, on examined rows; the mean over the networks."""
    x = jax.tree.map(lambda a: jnp.asarray(a[:ROWS]), run.design.encoder.encode(first(rows, ROWS)))
    params = run.params if run.design.recipe.ensemble > 1 else jax.tree.map(lambda p: p[None], run.params)
    found = jax.tree.map(np.asarray, _statistics(run.design.network, params, x))
    head = ("layer", "units", "mean", "standard deviation", "zeros", "dead units")
    lines = [
        (name, f"{int(of['units'].mean()):,}", *(number(float(of[k].mean())) for k in ("mean", "std")))
        + tuple(share(float(of[k].mean())) for k in ("zeros", "dead"))
        for name in chosen(list(found), MANY)
        for of in [found[name]]
    ]
    caption = f"What the layers give for {min(rows.rows, ROWS):,} rows" + (
        f", {MANY} of {len(found)} layers" if len(found) > MANY else ""
    )
    return table(head, lines, caption, (1, 2, 3, 4, 5)) if lines else Html("")


def first(rows: Examined, count: int) -> Any:
    """The inputs of the first rows."""
    if isinstance(rows.inputs, Table):
        return rows.inputs.take(slice(0, count))
    return jax.tree.map(lambda a: a[:count], rows.inputs)


def chosen(names: list[str], most: int) -> list[str]:
    """All names, or an even choice with the first and the last."""
    if len(names) <= most:
        return names
    return [names[i] for i in np.unique(np.linspace(0, len(names) - 1, most).astype(int))]


def _statistics(net: Layer, params: Any, x: Any) -> dict[str, dict[str, Any]]:
    def one(p: Any) -> dict[str, dict[str, Any]]:
        return {name: _of(a) for name, a in taps(net, p, x).items() if a.ndim > 1}

    return jax.jit(jax.vmap(one))(params)


def _of(a: Any) -> dict[str, Any]:
    flat = a.reshape(-1, a.shape[-1])
    return {
        "units": jnp.asarray(a.shape[-1]),
        "mean": flat.mean(),
        "std": flat.std(),
        "zeros": (flat == 0).mean(),
        "dead": (flat == 0).all(axis=0).mean(),
    }
