"""How well the default design predicts, beside scikit-learn's models: the same tables, the same folds.

    .venv/bin/python benchmarks/accuracy.py DATA                       # writes accuracy.md; about an hour on 2 cores
    .venv/bin/python benchmarks/accuracy.py DATA --only wine,penguins  # some sets, nothing written

DATA is a folder with tables/ (*.tsv.gz, such as PMLB's), series/ and messy/. Each set is cut into 5 folds; every method
learns on four of them and is asked about the fifth. CPU seconds are those of one fit, all threads together, the median
over the folds, so that what is compiled once is not counted five times.

A difference is taken fold by fold on the same rows; its interval is that of Student's t over the folds. "Worse" means
that the interval lies wholly on the wrong side of 0.
"""

import argparse
import json
import multiprocessing
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import chainrule as cr
from chainrule.data.folds import folds
from chainrule.data.targets import ClassTarget
from table_sets import peer_sets, tables

FOLDS = 5
OURS = "chainrule"


def arrays(train: cr.Table, test: cr.Table, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Columns as numbers, words as one column for each: what scikit-learn's models take."""
    parts: tuple[list, list] = [], []
    for name in train.names:
        if name == target:
            continue
        columns = [np.asarray(part[name]) for part in (train, test)]
        if columns[0].dtype.kind in "OUS":
            words = sorted({str(w) for w in columns[0]})
            for part, column in zip(parts, columns, strict=True):
                part.extend((np.array([str(w) for w in column]) == word).astype(float) for word in words)
        else:
            middle = np.nanmedian(np.asarray(columns[0], float))
            for part, column in zip(parts, columns, strict=True):
                part.append(np.where(np.isnan(np.asarray(column, float)), middle, np.asarray(column, float)))
    return np.stack(parts[0], 1), np.stack(parts[1], 1)


def sklearn_models(classes: bool, seed: int) -> dict[str, Any]:
    """The models of scikit-learn, standardized where they need it."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if classes:
        return {
            "MLP": make_pipeline(StandardScaler(), MLPClassifier(random_state=seed)),
            "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
            "trees": HistGradientBoostingClassifier(random_state=seed),
            "simplest": DummyClassifier(),
        }
    perceptron = make_pipeline(StandardScaler(), MLPRegressor(random_state=seed))
    return {
        "MLP": TransformedTargetRegressor(perceptron, transformer=StandardScaler()),
        "linear": make_pipeline(StandardScaler(), RidgeCV()),
        "trees": HistGradientBoostingRegressor(random_state=seed),
        "simplest": DummyRegressor(),
    }


def answers(train: cr.Table, test: cr.Table, target: str, classes: list | None, seed: int) -> Iterator[tuple]:
    """(method, probabilities or numbers for the test rows, CPU seconds) of each method."""
    began = time.process_time()
    task = "regression" if classes is None else "classification"
    run = cr.fit(cr.design(train, target, task=task, seed=seed), train, progress=False)
    if classes is None:
        said = run.predict(test)
    else:
        said = np.zeros((test.rows, len(classes)))
        said[:, [classes.index(str(c)) for c in run.classes_]] = run.predict_proba(test)
    yield OURS, said, time.process_time() - began
    x, asked = arrays(train, test, target)
    y = np.array([classes.index(str(v)) for v in train[target]]) if classes else np.asarray(train[target], float)
    for name, model in sklearn_models(classes is not None, seed).items():
        began = time.process_time()
        model.fit(x, y)
        if classes is None:
            said = model.predict(asked)
        else:
            said = np.zeros((test.rows, len(classes)))
            said[:, model.classes_] = model.predict_proba(asked)
        yield name, said, time.process_time() - began


def scores(said: np.ndarray, truth: np.ndarray, classes: list | None) -> dict[str, float]:
    """Accuracy and log-loss, or R² and the root mean squared error."""
    if classes is None:
        truth = np.asarray(truth, float)
        errors = ((np.asarray(said, float).reshape(-1) - truth) ** 2).mean()
        return {"r2": float(1 - errors / max(truth.var(), 1e-300)), "rmse": float(np.sqrt(errors))}
    at = np.array([classes.index(str(v)) for v in truth])
    p = said[np.arange(len(at)), at]
    return {"accuracy": float((said.argmax(1) == at).mean()), "log_loss": float(-np.log(np.clip(p, 1e-15, 1)).mean())}


def examined(work: tuple[str, cr.Table, str]) -> dict:
    """One set: the scores of each method, fold by fold, and its CPU seconds."""
    warnings.simplefilter("ignore")
    from chainrule.train import cache

    cache.enable()
    name, table, target = work
    proposed = cr.design(table, target)
    table = table.take(np.flatnonzero([v is not None and v == v for v in table[target]]))
    classes = None
    if isinstance(proposed.encoder.target, ClassTarget):
        labels = np.array([f"class {v}" for v in table[target]])
        table, classes = cr.Table.of({**table.columns, target: labels}), sorted(set(labels))
    fold = folds(table.rows, FOLDS, 0, table[target] if classes else None)
    found: dict = {"set": name, "rows": table.rows, "columns": len(table.names) - 1, "scores": {}, "seconds": {}}
    for k in range(FOLDS):
        train, test = table.take(np.flatnonzero(fold != k)), table.take(np.flatnonzero(fold == k))
        for method, said, seconds in answers(train, test, target, classes, k):
            if not np.isfinite(said).all():
                raise SystemExit(f"{name}: {method} answers with what is no number")
            found["scores"].setdefault(method, []).append(scores(said, test[target], classes))
            found["seconds"].setdefault(method, []).append(seconds)
    return found


def difference(one: dict, method: str, score: str) -> tuple[float, float, float]:
    """Ours minus a method's, over the folds: the mean with its interval."""
    ours, other = ([f[score] for f in one["scores"][m]] for m in (OURS, method))
    gaps = np.subtract(ours, other)
    half = stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps))
    return float(gaps.mean()), float(gaps.mean() - half), float(gaps.mean() + half)


def worse(one: dict, method: str) -> bool:
    """Whether ours is worse than a method on a set, by what is decided on: log-loss, or R²."""
    if "r2" in one["scores"][OURS][0]:
        return difference(one, method, "r2")[2] < 0
    return difference(one, method, "log_loss")[1] > 0


def mean(one: dict, method: str, score: str) -> float:
    """The mean over the folds."""
    return float(np.mean([f[score] for f in one["scores"][method]]))


def shown(found: list[dict], title: str) -> str:
    """A table of the sets, and sentences about all of them."""
    lines = [f"## {title}", ""]
    for score, what in (("accuracy", "Classes: accuracy / log-loss"), ("r2", "Numbers: R² / RMSE")):
        own = [f for f in found if score in f["scores"][OURS][0]]
        if not own:
            continue
        second = "log_loss" if score == "accuracy" else "rmse"
        methods = list(own[0]["scores"])
        lines += [f"### {what}", "", "| set | rows | " + " | ".join(methods) + " | CPU s |"]
        lines += ["|---|---|" + "---|" * (len(methods) + 1)]
        for f in own:
            cells = [f"{mean(f, m, score):.3f} / {mean(f, m, second):.4g}" for m in methods]
            cells = [f"{c} ▼" if m != OURS and worse(f, m) else c for m, c in zip(methods, cells, strict=True)]
            lines.append(
                f"| {f['set']} | {f['rows']} | " + " | ".join(cells) + f" | {np.median(f['seconds'][OURS]):.2f} |"
            )
        means = [
            f"{np.mean([mean(f, m, score) for f in own]):.4f} / {np.mean([mean(f, m, second) for f in own]):.4g}"
            for m in methods
        ]
        if score == "r2":
            means = [m.split(" / ")[0] for m in means]
        lines += ["| **mean** | | " + " | ".join(means) + " | |", ""]
        for m in methods[1:]:
            gaps = [mean(f, OURS, score) - mean(f, m, score) for f in own]
            half = 1.96 * np.std(gaps, ddof=1) / np.sqrt(len(gaps))
            sentence = f"- Against {m}: {score} {np.mean(gaps):+.4f} on average (± {half:.4f} over sets)"
            if score == "accuracy":
                losses = [np.mean([mean(f, method, second) for f in own]) for method in (OURS, m)]
                sentence += f", mean log-loss {losses[0] / losses[1] - 1:+.1%}"
            lost = [f["set"] for f in own if worse(f, m)]
            lines.append(f"{sentence}; worse on {len(lost)} of {len(own)}" + (f": {', '.join(lost)}." if lost else "."))
        lines.append("")
    seconds = {m: np.median([np.median(f["seconds"][m]) for f in found]) for m in found[0]["seconds"]}
    lines += ["Median CPU seconds of a fit: " + ", ".join(f"{m} {s:.2f}" for m, s in seconds.items()) + ".", ""]
    return "\n".join(lines)


HEAD = """# Accuracy of the default design

Written by `python benchmarks/accuracy.py DATA`: 5 folds, `cr.fit(cr.design(table, target), table)` against
scikit-learn {version}: MLP (standardized), linear (logistic regression or ridge, standardized), trees
(HistGradientBoosting), simplest (the commonest class or the mean). ▼: ours is worse there, the interval of the paired
difference over the folds lies wholly on the wrong side (log-loss for classes, R² for numbers). Nothing was chosen on
the sets of the report.
"""


def main() -> None:
    """Read the options, run, print and write."""
    import sklearn

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--kept", type=Path, help="a file of JSON lines: sets that it has are not run again")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    parts = {
        "The sets on which peers were measured": list(peer_sets(asked.data)),
        "Tables that nothing was chosen on": list(tables(asked.data / "tables", choose=False)),
    }
    only = {name for name in asked.only.split(",") if name}
    kept = {}
    if asked.kept and asked.kept.exists():
        kept = {f["set"]: f for f in map(json.loads, asked.kept.read_text().splitlines())}
    work = [w for part in parts.values() for w in part if (not only or w[0] in only) and w[0] not in kept]
    with multiprocessing.get_context("spawn").Pool(asked.processes, maxtasksperchild=3) as pool:
        for one in pool.imap_unordered(examined, sorted(work, key=lambda w: w[1].rows)):
            kept[one["set"]] = one
            print(
                one["set"],
                {m: {s: round(mean(one, m, s), 4) for s in f[0]} for m, f in one["scores"].items()},
                flush=True,
            )
            if asked.kept:
                with asked.kept.open("a") as file:
                    file.write(json.dumps(one) + "\n")
    pages = []
    for title, part in parts.items():
        found = [kept[name] for name, *_ in part if name in kept and (not only or name in only)]
        if found:
            pages.append(shown(found, title))
    page = "\n".join([HEAD.format(version=sklearn.__version__), *pages])
    print(page)
    if not only:
        (Path(__file__).parent / "accuracy.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
