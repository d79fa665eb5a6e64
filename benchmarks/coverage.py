"""Whether intervals and sets hold the truth as often as they say, and whether "better than" is said rightly.

    .venv/bin/python benchmarks/coverage.py TABLES                  # writes coverage.md; about half an hour on 2 cores
    .venv/bin/python benchmarks/coverage.py TABLES --splits 2       # fewer splits, nothing written

TABLES is a folder of *.tsv.gz, such as PMLB's. Each table of at most 2,000 rows is split at random, four fifths to
learn from and one fifth to ask about; two runs that differ in their seed alone learn from the same rows.

Coverage: how often `predict_interval` or `predict_set` of the first run holds the truth of the rows asked, at 0.9.
A against A: the two runs are alike, so a claim that one is better is wrong. The claim is made as the report makes it:
the 95 % interval of the difference of the errors, row by row, does not hold 0.
"""

import argparse
import multiprocessing
import warnings
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule.data.targets import ClassTarget
from chainrule.maths.estimates import normal, wilson
from table_sets import tables

COVERAGE = 0.9
MOST_ROWS = 2000


def examined(work: tuple[str, cr.Table, str, int]) -> tuple[str, list[tuple[float, float, float, bool]]]:
    """For each split: the coverage, the size of sets or intervals, the ECE, and whether a claim was made."""
    warnings.simplefilter("ignore")
    from chainrule.train import cache

    cache.enable()
    name, table, target, splits = work
    proposed = cr.design(table, target)
    classes = isinstance(proposed.encoder.target, ClassTarget)
    task = "classification" if classes else "regression"
    found = []
    for seed in range(splits):
        order = np.random.default_rng(seed).permutation(table.rows)
        cut = table.rows - table.rows // 5
        learnt, asked = table.take(order[:cut]), table.take(order[cut:])
        one, two = (
            cr.fit(cr.design(learnt, target, task=task, seed=s), learnt, progress=False) for s in (seed, seed + 1000)
        )
        if classes:  # a class that was in none of the rows learned is in no set
            asked = asked.take(np.flatnonzero(np.isin(asked[target].astype(str), learnt[target].astype(str))))
            truth = one.design.encoder.target.encode(asked[target])
            sets, at = one.predict_set(asked, COVERAGE), np.arange(asked.rows)
            held, size = sets[at, truth], sets.sum(axis=1).mean()
            wrong = [-np.log(run.predict_proba(asked)[at, truth]) for run in (one, two)]
            off = one.evaluate(asked)["ece"]
        else:
            truth = np.asarray(asked[target], float)
            lower, upper = one.predict_interval(asked, COVERAGE)
            held, size, off = (lower <= truth) & (truth <= upper), np.median(upper - lower) / truth.std(), np.nan
            wrong = [(run.predict(asked) - truth) ** 2 for run in (one, two)]
        _, low, high = normal(wrong[0] - wrong[1])
        found.append((float(held.mean()), float(size), float(off), bool(low > 0 or high < 0)))
    return name, found


def page(found: dict[str, tuple[int, list]], splits: int) -> str:
    """The figures, as a page."""
    lines = [
        "# Coverage",
        "",
        f"Written by `python benchmarks/coverage.py TABLES`: {len(found)} tables, {splits} splits each, the default",
        f"design. Asked for: {COVERAGE:.0%}. Size: classes in a set, on average; or the median width of an",
        "interval over the standard deviation of the target. ECE: of the probabilities, 15 bins.",
        "",
        "| table | rows | covered | ± over splits | size | ECE |",
        "|---|---|---|---|---|---|",
    ]
    for name, (rows, splits_) in found.items():
        covered, size, off, _ = (np.array(column, float) for column in zip(*splits_, strict=True))
        said = "" if np.isnan(off).all() else f"{off.mean():.3f}"
        half = 1.96 * covered.std(ddof=1) / np.sqrt(len(covered)) if len(covered) > 1 else np.nan
        lines.append(f"| {name} | {rows} | {covered.mean():.3f} | {half:.3f} | {size.mean():.2f} | {said} |")
    means = [np.mean([s[0] for s in each]) for _, each in found.values()]
    claims = [s[3] for _, each in found.values() for s in each]
    rate = wilson(float(sum(claims)), len(claims))
    lines += [
        "",
        f"- Mean coverage: {np.mean(means):.3f}, {np.min(means):.3f} to {np.max(means):.3f} over the tables.",
        f"- A against A: one of two alike runs was called better in {sum(claims)} of {len(claims)} comparisons "
        f"({rate.value:.1%}, 95 % interval {rate.low:.1%} to {rate.high:.1%}).",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Read the options, run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--most-rows", type=int, default=MOST_ROWS)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    every = [t for choose in (False, True) for t in tables(asked.tables, choose) if t[1].rows <= asked.most_rows]
    sizes = {name: table.rows for name, table, _ in every}
    found = {}
    with multiprocessing.get_context("spawn").Pool(asked.processes, maxtasksperchild=2) as pool:
        work = [(*one, asked.splits) for one in sorted(every, key=lambda t: t[1].rows)]
        for name, splits in pool.imap_unordered(examined, work):
            found[name] = (sizes[name], splits)
            print(name, sizes[name], [round(s[0], 3) for s in splits], flush=True)
    text = page(dict(sorted(found.items(), key=lambda f: f[1][0])), asked.splits)
    print(text)
    if asked.splits >= 10:
        (Path(__file__).parent / "coverage.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
