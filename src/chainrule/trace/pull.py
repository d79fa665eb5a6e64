"""What reads an array, turned around: what is put back to each place that was read."""

from collections.abc import Sequence

from chainrule.trace.graph import Index, Lookup, View, along, apply, contract, number, position


def pulled(view: View, factors: Sequence[View]) -> View:
    """The gradient by the node that ``view`` reads: the product of the factors, summed over all places that read it.

    A node axis read at one position is that position. One read at a sum of positions, a = s i + d u - p, is solved for
    a position, i = (a + p - d u) / s, where the factors then read nothing outside; what cannot be solved is a sum over
    all positions times 1[a = ...].
    """
    space = list(view.shape)
    factors = list(factors)
    axes: list[int | None] = []
    taken: set[int] = set()
    for k, (index, size) in enumerate(zip(view.index, view.node.shape, strict=True)):
        p = index.plain
        if p is not None and p not in taken and space[p] == size:
            taken.add(p)
            axes.append(p)
            continue
        if not index.positions() and size == 1:
            axes.append(None)
            continue
        a = len(space)
        space.append(size)
        factors = [f.move(range(len(f.shape)), space) for f in factors]
        axes.append(a)
        kept = taken.union(*(i.positions() for j, i in enumerate(view.index) if j != k))
        solved = _solved(index, a, kept, factors, space) if isinstance(index, Index) else None
        if solved is None:
            factors.append(_reads(index, a, tuple(space)))
        else:
            p, at = solved
            taken.add(p)
            space[p] = 1  # no longer a position: what it was is said by ``at``
            factors = [f.put({q: at if q == p else along(q) for q in range(len(space))}, space) for f in factors]
    keep = [a for a in axes if a is not None]
    result = contract(factors, keep)
    order = iter(range(len(keep)))
    places = [next(order) if a is not None else None for a in axes]
    at = {k: along(places.index(k)) for k in range(len(keep))}
    return result.put(at, view.node.shape)


def _solved(
    index: Index, a: int, kept: set[int], factors: Sequence[View], space: Sequence[int]
) -> tuple[int, Index] | None:
    """The position to solve a = index for, and what it is; None when no factor reads it alone and in full."""
    for p, c in index.terms:
        reading = [i for f in factors for i in f.index if p in i.positions()]
        full = [
            n for f in factors for i, n in zip(f.index, f.node.shape, strict=True) if i.plain == p and n == space[p]
        ]
        if p in kept or not full or any(i.plain != p for i in reading):
            continue
        sign = 1 if c > 0 else -1
        rest = tuple((q, -sign * d) for q, d in index.terms if q != p)
        return p, Index(((a, sign * index.divisor), *rest), -sign * index.offset, abs(c))
    return None


def _reads(index: Index | Lookup, a: int, space: tuple[int, ...]) -> View:
    """1 where place ``a`` of an axis is the one that an index names, else 0."""
    there = position(along(a), space)
    if isinstance(index, Lookup):
        at = index.view.move(range(len(index.view.shape)), space)
    else:
        there = position(Index(((a, index.divisor),)), space) if index.divisor != 1 else there
        named = Index(index.terms, index.offset)
        at = position(named, space) if named.terms else number(index.offset, space, "int")
    return apply("number", apply("equal", there, at), kind="float")
