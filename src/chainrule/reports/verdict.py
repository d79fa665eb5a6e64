"""Verdict: in one paragraph, how good the run is, and whether something simpler would do."""

from chainrule.reports.facts import Facts, Gain
from chainrule.reports.markup import Html, paragraph, tag
from chainrule.reports.words import interval, number, share
from chainrule.train.run import Run

MODELS = {
    "majority": "always answering with the largest class",
    "mean": "always answering with the mean",
    "logistic": "logistic regression",
    "ridge": "ridge regression",
    "poisson": "Poisson regression",
}
"""Simple models in words."""
UNTRUSTED = {
    "left out": " Training looked at these rows to choose its last epoch, so new rows may fare a little worse.",
    "learned": " These are rows that it learned, so the numbers are too good: hold rows out for a test "
    "(cr.design(…, test=0.2), or cr.report(run, X, y) on new rows).",
}


def section(facts: Facts) -> Html:
    """The paragraph, with a word before it."""
    word, kind = summary(facts)
    return paragraph(tag("strong", word + ".", class_=kind), " ", paragraph_of(facts), class_="verdict")


def summary(facts: Facts) -> tuple[str, str]:
    """The shortest word on a run, and whether it is good, bad or neither."""
    if facts.rows.trust == "learned" or not facts.gains:
        return "Measured", "other"
    constant, linear = facts.gains[0], facts.gains[-1]
    if constant.verdict != "better":
        return "Nothing learned that can be shown", "bad"
    if linear.verdict == "worse":
        return "A linear model is better", "bad"
    if linear.verdict == "":
        return "No better than a linear model, as far as these rows can tell", "other"
    return "Better than a linear model", "good"


def paragraph_of(facts: Facts) -> str:
    """The score with its interval, then each simple model with the difference on the same rows."""
    target, told = facts.run.design.encoder.target, facts.answers
    if told is None or facts.scores is None:
        return f"The loss is your own, so what the outputs mean is not known here. {whose(facts.run)}"
    scores, on = facts.scores, facts.rows.words
    if told.kind == "numbers":
        low, high = scores.interval("mae")
        text = f"On {on}, {target.name} is wrong by {number(scores['mae'])} on average (95 % interval "
        text += f"{interval(low, high)})"
        text += f", and {share(scores['r2'])} of its variance is explained." if "r2" in scores else "."
    else:
        low, high = scores.interval("accuracy")
        what = "answers are" if told.kind == "classes" else "rows have every label"
        text = f"On {on}, {share(scores['accuracy'])} of the {what} right (95 % interval {interval(low, high, share)})."
    text += "".join(f" {beside(gain, told.kind, facts)}" for gain in facts.gains)
    return f"{text}{UNTRUSTED.get(facts.rows.trust, '')} {whose(facts.run)}"


def beside(gain: Gain, kind: str, facts: Facts) -> str:
    """The run beside one simple model, in a sentence."""
    name, other = MODELS.get(gain.model, gain.model), float(facts.others[gain.model].wrong.mean())
    said = share(1 - other) if kind == "classes" else number(other)
    reached = f"{name[0].upper()}{name[1:]} " + ("reaches" if kind == "classes" else "is wrong by") + f" {said}"
    amount = points if kind == "classes" else number
    if not gain.verdict:
        bounds = between(gain.low, gain.high, kind)
        return f"{reached}: no difference is shown on these rows (95 % interval {bounds})."
    low, high = sorted((abs(gain.low), abs(gain.high)))
    by = f"{amount(abs(gain.value))} (95 % interval {between(low, high, kind)})"
    if gain.verdict == "better":
        return f"{reached}: the network is better by {by}."
    return f"{reached}: it is better than the network by {by}, and simpler. Use it, or give the network more data."


def points(value: float) -> str:
    """A difference of shares.

    >>> points(0.0213)
    '2.1 points'
    """
    return f"{100 * value:.1f} points".replace("-", "−")


def between(low: float, high: float, kind: str) -> str:
    """The interval of a difference."""
    if kind != "classes":
        return interval(low, high)
    return f"{points(low).removesuffix(' points')} to {points(high)}"


def whose(run: Run) -> str:
    """What was trained, in one sentence."""
    members, epochs = run.design.recipe.ensemble, run.history.epochs
    who = f"{members} networks whose answers are averaged" if members > 1 else "one network"
    return f"It is {who}, trained for {epochs} epoch{'' if epochs == 1 else 's'}."
