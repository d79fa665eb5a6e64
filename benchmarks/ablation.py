"""What each part of the default design gains: the same tables and folds with one part taken away or changed.

    .venv/bin/python benchmarks/ablation.py TABLES                         # tables that nothing was chosen on
    .venv/bin/python benchmarks/ablation.py TABLES --choose                # those that choices are made on
    .venv/bin/python benchmarks/ablation.py TABLES --variants "one network,no bins" --folds 1 --most-rows 3000

TABLES is a folder of *.tsv.gz, see ``table_sets``; the environment variable TABLES stands for it. A difference is that
of the mean over a table's folds, and its ± is two standard errors over the tables.
"""

import argparse
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.data.folds import folds
from chainrule.data.targets import ClassTarget
from chainrule.proposal.baselines import baselines
from chainrule.train.design import Design
from chainrule.train.recipe import EarlyStopping, Recipe, Split
from table_sets import tables

FOLDS = 5
SCORES = ("log_loss", "accuracy", "r2")


def network(change: Callable) -> Callable[[Design], Design]:
    """A variant of the two branches of the network; ``change(deep, linear)`` gives the branches that are left."""

    def changed(design: Design) -> Design:
        *entrance, beside, add = design.network.layers
        branches = change(*beside.branches)
        end = (cr.Parallel(*branches), add) if len(branches) > 1 else (branches[0],)
        return replace(design, network=cr.Chain(*entrance, *end))

    return changed


def recipe(change: Callable[[Recipe], dict]) -> Callable[[Design], Design]:
    """A variant of the recipe, by the fields that differ."""
    return lambda design: replace(design, recipe=replace(design.recipe, **change(design.recipe)))


def without(kind: type) -> Callable:
    """The deep branch without layers of a kind."""
    return network(lambda deep, linear: (cr.Chain(*(f for f in deep.layers if not isinstance(f, kind))), linear))


def of_width(units: int) -> Callable:
    """The deep branch with hidden layers of another width."""

    def wide(deep: cr.Chain, linear: cr.Dense) -> tuple:
        *hidden, last = deep.layers
        return cr.Chain(*(units_of(f, units) for f in hidden), last), linear

    return network(wide)


def units_of(layer: Any, units: int) -> Any:
    """A dense layer of other units, anything else as it is."""
    return cr.Dense(units, layer.use_bias, layer.draw) if isinstance(layer, cr.Dense) else layer


def dropping(rate: float) -> Callable:
    """The deep branch with another rate of dropout."""

    def changed(deep: cr.Chain, linear: cr.Dense) -> tuple:
        return cr.Chain(*(cr.Dropout(rate) if isinstance(f, cr.Dropout) else f for f in deep.layers)), linear

    return network(changed)


def scaled(deep: cr.Chain, linear: cr.Dense) -> tuple:
    """A learned factor for each input of the first hidden layer."""
    place = isinstance(deep.layers[0], cr.PiecewiseLinear)
    return cr.Chain(*deep.layers[:place], cr.Scale(), *deep.layers[place:]), linear


VARIANTS: dict[str, Callable[[Design], Design]] = {
    "no bins": without(cr.PiecewiseLinear),
    "no linear model": network(lambda deep, linear: (deep,)),
    "linear model only": network(lambda deep, linear: (linear,)),
    "one network": recipe(lambda r: {"ensemble": 1, "split": replace(r.split, validation=Split().validation)}),
    "a third of the epochs": recipe(lambda r: {"epochs": -(-r.epochs // 3)}),
    "twice the epochs": recipe(lambda r: {"epochs": 2 * r.epochs, "early_stopping": EarlyStopping(40)}),
    "no early stopping": recipe(lambda r: {"early_stopping": EarlyStopping(r.epochs)}),
    "not calibrated": recipe(lambda r: {"calibrated": False}),
    "a third of the rate": recipe(
        lambda r: {"optimizer": cr.adamw(cr.cosine(1.3e-3, warmup=0.05), weight_decay=r.optimizer.weight_decay)}
    ),
    "weight decay 0.2": recipe(lambda r: {"optimizer": replace(r.optimizer, weight_decay=0.2)}),
    "dropout 0.3": dropping(0.3),
    "128 units": of_width(128),
    "a learned scale": network(scaled),
}


def scores(table: cr.Table, target: str, variants: Iterable[str], count: int) -> dict[str, dict[str, float]]:
    """The mean of each score over the first folds, for the default, each variant and the linear model."""
    proposed = cr.design(table, target)
    labels = table[target] if isinstance(proposed.encoder.target, ClassTarget) else None
    fold = folds(table.rows, FOLDS, 0, labels)
    found: dict[str, list] = {}
    for k in range(count):
        rest, asked = table.take(np.flatnonzero(fold != k)), table.take(np.flatnonzero(fold == k))
        design = cr.design(rest, target, task=task_of(proposed))
        for name in ("default", *variants):
            changed = design if name == "default" else VARIANTS[name](design)
            run = cr.fit(changed, rest, progress=False)
            found.setdefault(name, []).append(_some(run.evaluate(asked)))
            if name == "default":
                simple = baselines(run.design.encoder, (rest, rest[target]), (asked, asked[target]))
                found.setdefault("linear", []).append(_some(list(simple.values())[1]))
    return {name: {s: float(np.mean([one[s] for one in each])) for s in each[0]} for name, each in found.items()}


def task_of(design: Design) -> str:
    """The task of a design, so that a part of the table is not taken for another one."""
    return design.reasons[0].choice.split(" of ")[0]


def _some(found: Mapping[str, float]) -> dict[str, float]:
    return {name: float(found[name]) for name in SCORES if name in found}


def summary(found: list[dict]) -> str:
    """Each variant against the default: the mean difference over the tables, ± two standard errors."""
    lines = [f"{'against the default':<24}" + "".join(f"{name:>22}" for name in SCORES)]
    for variant in list(found[0]):
        if variant == "default":
            continue
        cells = []
        for score in SCORES:
            gaps = [f[variant][score] - f["default"][score] for f in found if score in f["default"]]
            error = 2 * np.std(gaps, ddof=1) / np.sqrt(len(gaps)) if len(gaps) > 1 else float("nan")
            cells.append(f"{np.mean(gaps):+.4f} ± {error:.4f} ({len(gaps)})" if gaps else "")
        lines.append(f"{variant:<24}" + "".join(f"{cell:>22}" for cell in cells))
    return "\n".join(lines)


def main() -> None:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="?", type=Path, default=os.environ.get("TABLES"))
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--most-rows", type=int, default=10**9)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    asked = parser.parse_args()
    if asked.tables is None:
        parser.error("which folder holds the tables? Name it, or set TABLES.")
    variants = [name.strip() for name in asked.variants.split(",")]
    warnings.simplefilter("ignore")
    found = []
    for name, table, target in tables(Path(asked.tables), asked.choose):
        if table.rows > asked.most_rows:
            continue
        try:
            one = scores(table, target, variants, asked.folds)
        except cr.ChainruleError as e:
            print(f"{name}: {e}", flush=True)
            continue
        found.append(one)
        said = "  ".join(f"{variant} {_short(values)}" for variant, values in one.items())
        print(f"{name} ({table.rows}): {said}", flush=True)
    print(f"\n{summary(found)}")


def _short(values: dict[str, float]) -> str:
    return "/".join(f"{value:.4f}" for value in values.values())


if __name__ == "__main__":
    main()
