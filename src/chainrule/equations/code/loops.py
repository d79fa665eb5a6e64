"""The order of statements: lines that a loop carries from step to step stand in it, all others work on whole arrays."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from chainrule.equations.formula import Call, Formula, Line, Place, Symbol, parts, symbols
from chainrule.equations.prints.text import line as printed
from chainrule.errors import CannotExplain


@dataclass(frozen=True, eq=False)
class Loop:
    """Statements that are done for each value of a label; ``backwards`` from the last to the first."""

    label: str
    backwards: bool
    body: "tuple[Loop | Line, ...]"

    def lines(self) -> list[Line]:
        """All lines in it."""
        return [line for part in self.body for line in (part.lines() if isinstance(part, Loop) else [part])]


def plan(lines: Sequence[Line], steps: frozenset[str] = frozenset()) -> "tuple[Loop | Line, ...]":
    """Lines in an order in which they can be computed, as near to their own as can be; ``steps`` are loops around."""
    maker = {line.symbol: k for k, line in enumerate(lines)}
    needs = [{maker[s] for s in read(line, steps) if s in maker} for line in lines]
    edges = [(k, need) for k, found in enumerate(needs) for need in found]
    rows, columns = (np.array(side, int) for side in (zip(*edges, strict=True) if edges else ((), ())))
    links = coo_array((np.ones(len(edges)), (rows, columns)), shape=(len(lines), len(lines)))
    count, group = connected_components(links.tocsr(), connection="strong") if lines else (0, np.zeros(0, int))
    members: list[list[int]] = [[] for _ in range(count)]
    for k, g in enumerate(group):
        members[g].append(k)
    waits = [{int(group[n]) for k in ks for n in needs[k]} - {g} for g, ks in enumerate(members)]
    out: list[Loop | Line] = []
    for g in _ordered(waits, [ks[0] for ks in members]):
        ks = members[g]
        own = [lines[k] for k in ks]
        out.append(_loop(own, steps) if len(ks) > 1 or ks[0] in needs[ks[0]] else own[0])
    return tuple(out)


def _ordered(waits: Sequence[set[int]], first: Sequence[int]) -> Iterator[int]:
    """The groups one after the other, the earliest of those that wait for nothing next."""
    left = [set(w) for w in waits]
    readers: list[list[int]] = [[] for _ in waits]
    for g, w in enumerate(waits):
        for other in w:
            readers[other].append(g)
    ready = [(first[g], g) for g, w in enumerate(left) if not w]
    heapq.heapify(ready)
    while ready:
        _, g = heapq.heappop(ready)
        yield g
        for reader in readers[g]:
            left[reader].discard(g)
            if not left[reader]:
                heapq.heappush(ready, (first[reader], reader))


def _loop(lines: Sequence[Line], steps: frozenset[str]) -> Loop:
    """A loop of lines that need each other, along a label that all of them have."""
    own = {line.symbol for line in lines}
    carried: dict[str, set[str]] = {}
    for line in lines:
        for call in moves(line.formula):
            if own & set(symbols(call.args[0])) and call.labels[0] not in steps:
                carried.setdefault(call.labels[0], set()).add(call.name)
    for label, names in carried.items():
        if len(names) == 1 and all(label in line.labels for line in lines):
            for line in lines:
                _expect_causal(line, label, own)
            return Loop(label, names == {"after"}, plan(lines, steps | {label}))
    shown = "; ".join(printed(line) for line in lines[:3])
    raise CannotExplain(f"No order of computation was found for lines that need each other: {shown}.")


def _expect_causal(line: Line, label: str, own: set[str]) -> None:
    """Refuse a line of a loop that reads another step of what the loop is just making."""
    for f in _reads(line.formula):
        for entry in f.index or ():
            if isinstance(entry, Place) and f.name in own and entry.label != label:
                if any(x == label for x, _ in entry.terms):
                    raise CannotExplain(f"The line {printed(line)!r} reads another step of {f.name} in its own loop.")


def read(line: Line, steps: frozenset[str] = frozenset()) -> list[str]:
    """The symbols that a line reads, but for those of a step before or after along ``steps``."""
    return list(dict.fromkeys(f.name for f in _reads(line.formula, steps)))


def _reads(f: Formula, steps: frozenset[str] = frozenset()) -> Iterator[Symbol]:
    if isinstance(f, Symbol):
        yield f
    inner = parts(f)
    if isinstance(f, Call) and f.name in ("before", "after") and f.labels[0] in steps:
        inner = f.args[1:]
    for part in inner:
        yield from _reads(part, steps)


def moves(f: Formula) -> Iterator[Call]:
    """The readings of a step before or after in a formula."""
    if isinstance(f, Call) and f.name in ("before", "after"):
        yield f
    for part in parts(f):
        yield from moves(part)


def kept_for_one_step(
    planned: "Sequence[Loop | Line]", elsewhere: frozenset[str], labels: Mapping[str, tuple[str, ...]]
) -> dict[str, frozenset[str]]:
    """Symbols of loops that nothing outside of the same loop reads, nor another step, with their loops' labels."""
    home: dict[str, tuple[Loop, ...]] = {}
    readers: list[tuple[Line, tuple[Loop, ...]]] = []
    for line, loops in _placed(planned, ()):
        home[line.symbol] = loops
        readers.append((line, loops))
    local = {s: frozenset(loop.label for loop in loops) for s, loops in home.items() if loops and s not in elsewhere}
    for line, loops in readers:
        away = {s for call in moves(line.formula) for s in symbols(call.args[0])}
        for f in _reads(line.formula):
            if f.name not in local:
                continue
            own = tuple(Place(((label, 1),)) for label in labels[f.name])
            step = [k for k, label in enumerate(labels[f.name]) if label in local[f.name]]
            read_at = own if f.index is None else f.index
            same = all(read_at[k] == own[k] for k in step)
            if f.name in away or home[f.name] != loops or not same:
                del local[f.name]
    return local


def _placed(planned: "Sequence[Loop | Line]", loops: tuple[Loop, ...]) -> Iterator[tuple[Line, tuple[Loop, ...]]]:
    for part in planned:
        if isinstance(part, Loop):
            yield from _placed(part.body, (*loops, part))
        else:
            yield part, loops


def looked_up(lines: Sequence[Line]) -> set[str]:
    """Symbols whose numbers are used as places."""
    return {e.name for line in lines for f in _reads(line.formula) for e in f.index or () if isinstance(e, Symbol)}
