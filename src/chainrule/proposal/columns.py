"""Columns: which ones the network reads, in which form, and which it cannot read.

Sources: Holzmüller et al. 2024, section 3 (robust scale and smooth clip); Guo & Berkhahn 2016 (embedded categories);
Howard & Gugger 2020 (the size of an embedding).
"""

import difflib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chainrule.data.category_column import CategoryColumn
from chainrule.data.date_column import DateColumn
from chainrule.data.kinds import Kind, kind_of
from chainrule.data.number_column import NumberColumn
from chainrule.data.table import Table
from chainrule.errors import ChainruleWarning, DataError, DesignError
from chainrule.proposal.names import few
from chainrule.train.design import Reason

FEW_CATEGORIES = 10
"""Up to this many categories are written as one 0/1 column each; more of them become points that are learned."""
USELESS = ("constant", "empty", "identifier")
NEAR = 0.75
"""How alike a name must be to be offered for another one: "specis" for "species" is 0.92, "age" for "area" 0.57."""


@dataclass(frozen=True)
class Columns:
    """The encoders of the columns that go in, the sizes of those that are embedded, and the reasons."""

    encoders: tuple[NumberColumn | CategoryColumn | DateColumn, ...]
    embedded: Mapping[str, int]
    """Column name -> number of codes, one of them for "other"."""
    reasons: tuple[Reason, ...]

    @property
    def numbers(self) -> int:
        """How many columns of numbers go in."""
        return sum(isinstance(column, NumberColumn) for column in self.encoders)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that go in."""
        return tuple(column.name for column in self.encoders)


def columns_of(
    table: Table,
    target: str,
    time: str | None,
    features: Sequence[str] | None,
    drop: Iterable[str],
    group: str | None = None,
) -> Columns:
    """Choose the columns that go in and their form; DesignError for free text, with what to drop."""
    names = candidates(table, target, time, features, drop, group)
    kinds = {name: kind_of(name, table[name]) for name in names}
    useful = {n: k for n, k in kinds.items() if k.kind not in USELESS or (features and _number(table, n, k))}
    refuse_unreadable(useful, tuple(drop))
    if not useful:
        raise DataError(
            f"No column is left to predict {target!r} from: {', '.join(f'{n} ({k.kind})' for n, k in kinds.items())}."
        )
    reasons = left_out({n: k for n, k in kinds.items() if n not in useful})
    encoders = tuple(encoder(table, name, kind) for name, kind in useful.items())
    embedded = {e.name: useful[e.name].distinct + 1 for e in encoders if getattr(e, "method", "") == "embedding"}
    return Columns(encoders, embedded, (*reasons, *forms(table, encoders, useful)))


def candidates(
    table: Table,
    target: str,
    time: str | None,
    features: Sequence[str] | None,
    drop: Iterable[str],
    group: str | None = None,
) -> list[str]:
    """The columns to look at: those that were named, or all but the target, the time, the groups, the dropped."""
    features, drop = _listed(features), _listed(drop)
    for name in (*features, *drop, *filter(None, (time, group))):
        expect_column(table, name)
    if target in features:
        raise DesignError(
            f"The target {target!r} is among the features: the network would read the answer. Leave it out."
        )
    out = {target, time, group, *drop}
    return [name for name in features or table.names if name not in out]


def expect_column(table: Table, name: str) -> None:
    """Refuse a name that is no column of the table, with the nearest ones."""
    if name not in table.names:
        near = difflib.get_close_matches(str(name), table.names, 1, NEAR)
        more = len(table.names) - 12
        shown = ", ".join(table.names[:12]) + (f" and {more} more" if more > 0 else "")
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise DesignError(f"The table has no column {name!r}.{hint} Its columns: {shown}.")


def refuse_unreadable(kinds: Mapping[str, Kind], drop: tuple[str, ...]) -> None:
    """Refuse free text, which no encoder reads yet, with the exact words that leave it out."""
    found = {name: kind for name, kind in kinds.items() if kind.kind == "text"}
    if not found:
        return
    said = "; ".join(f"{name!r} holds free text ({kind.reason})" for name, kind in found.items())
    all_dropped = [*drop, *found]
    raise DesignError(
        f"A network reads numbers, categories and dates: {said}. Leave {'it' if len(found) == 1 else 'them'} out: "
        f"drop={all_dropped!r} (--drop {','.join(all_dropped)})."
    )


def left_out(kinds: Mapping[str, Kind]) -> tuple[Reason, ...]:
    """One warning and one reason for the columns that cannot help."""
    if not kinds:
        return ()
    said = _shown([f"{name} ({kind.reason})" for name, kind in kinds.items()])
    warnings.warn(
        f"Left out, because nothing can be learned from {'it' if len(kinds) == 1 else 'them'}: {said}.",
        ChainruleWarning,
        stacklevel=4,
    )
    found = ", ".join(dict.fromkeys(kind.kind for kind in kinds.values()))
    return (Reason(f"without {few(list(kinds), 28)}", f"nothing to learn there ({found})"),)


def encoder(table: Table, name: str, kind: Kind) -> NumberColumn | CategoryColumn | DateColumn:
    """The form in which a column goes in, its numbers not yet fitted."""
    if _number(table, name, kind):
        return NumberColumn(name)
    if kind.kind == "date":
        return DateColumn(name)
    return CategoryColumn(name, method="one_hot" if kind.distinct <= FEW_CATEGORIES else "embedding")


def embedding_size(codes: int) -> int:
    """How many numbers describe one of so many categories: 1.6 codes^0.56, 32 at most."""
    return min(32, round(1.6 * codes**0.56))


def forms(
    table: Table, encoders: Sequence[NumberColumn | CategoryColumn | DateColumn], kinds: Mapping[str, Kind]
) -> tuple[Reason, ...]:
    """Why the numbers, the few and the many categories and the dates go in as they do."""
    numbers = [e.name for e in encoders if isinstance(e, NumberColumn)]
    few_values = [e.name for e in encoders if isinstance(e, CategoryColumn) and e.method == "one_hot"]
    many = [e.name for e in encoders if isinstance(e, CategoryColumn) and e.method == "embedding"]
    dates = [e.name for e in encoders if isinstance(e, DateColumn)]
    blank = [name for name in (*numbers, *dates) if kinds[name].missing]
    reasons = []
    if numbers:
        choice = f"{len(numbers):,} number{'' if len(numbers) == 1 else 's'} by median and quartiles"
        reasons.append(Reason(choice, "one outlier moves little", "Holzmüller et al. 2024"))
    if blank:
        reasons.append(Reason(f"0/1 columns mark blanks in {few(blank, 30)}", "a blank may tell something"))
    if few_values:
        because = f"{_span([kinds[name].distinct for name in few_values])} categories, one column for each"
        reasons.append(Reason(f"{few(few_values, 36)} as 0/1 columns", because))
    if many:
        codes = [kinds[name].distinct + 1 for name in many]
        because = f"{_span(codes)} codes learned in {_span([embedding_size(n) for n in codes])} dimensions"
        reasons.append(Reason(f"{few(many, 15)} embedded", because, "Guo & Berkhahn 2016"))
    if dates:
        because = f"trend, season, weekday, clock; to forecast: --time {few(dates[:1], 14)}"
        reasons.append(Reason(f"{few(dates, 14)} by the calendar", because))
    return tuple(reasons)


def _number(table: Table, name: str, kind: Kind) -> bool:
    return table[name].dtype == float and kind.kind in ("number", "identifier")


def _listed(names: Iterable[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())


def _span(counts: Sequence[int]) -> str:
    return f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
