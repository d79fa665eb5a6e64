"""Curves: how loss and metrics went over training, with the spread of the networks around their mean."""

import numpy as np

from chainrule.reports.charts import Band, Line, Mark, chart, figures
from chainrule.reports.markup import Html, paragraph, section, tag
from chainrule.reports.scale import axis
from chainrule.reports.words import number
from chainrule.train.history import History


def learning(history: History) -> Html:
    """One chart for each quantity, training beside validation; then what happened on the way."""
    if history.epochs < 2:
        return Html("")
    names = sorted((name for name in history if not name.startswith("val_")), key=lambda name: name != "loss")
    shown = [curve(history, name) for name in names]
    return section("curves", "How it learned", figures(*shown), happened(history))


def curve(history: History, name: str) -> Html:
    """Training and validation of one quantity."""
    both = {"training": name, "validation": f"val_{name}"}
    values = {label: history.members[key] for label, key in both.items() if key in history}
    epochs = np.arange(1, history.epochs + 1)
    members = next(iter(values.values())).shape[1]
    bands, lines, spans = [], [], []
    for color, (label, v) in enumerate(values.items(), 1):
        mean = v.mean(axis=1)
        low, high = v.min(axis=1), v.max(axis=1)
        lines.append(Line(epochs, mean, label, color))
        if members > 1:
            bands.append(Band(epochs, low, high, color))
            spans += [low, high]
        spans.append(mean)
    y, x = axis(name.replace("_", " "), *spans, log=name == "loss"), axis("epoch", epochs)
    best = [event["best"] for event in history.events if "best" in event]
    marks: list[Mark] = [*bands, *lines]
    caption = f"Lines are means, bands go from the least to the greatest of {members} networks." if members > 1 else ""
    if best:
        at = float(np.median(best))
        marks.append(Line([at, at], [y.low, y.high], "", 0, dashed=True))
        caption += f" The dashed line is epoch {at:g}, whose parameters were kept" + (
            " (the median over the networks)." if len(set(best)) > 1 else "."
        )
    ends = ", ".join(f"{label} ends at {number(float(v[-1].mean()))}" for label, v in values.items())
    return chart(f"{name.replace('_', ' ').capitalize()} over training", x, y, marks, caption.strip(), f"{ends}.")


def happened(history: History) -> Html:
    """Retries and other events that a reader should know; best epochs are in the charts."""
    told = [e for e in history.events if e["kind"] not in ("early stop", "best epoch")]
    if not told:
        return Html("")
    lines = [tag("li", ", ".join(f"{k} {v}" if k != "kind" else str(v) for k, v in event.items())) for event in told]
    return Html(paragraph("On the way:") + tag("ul", *lines))
