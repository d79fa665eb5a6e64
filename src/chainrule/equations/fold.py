"""Folding: groups of lines that repeat, but for the numbers in their symbols, are shown once."""

import re
from collections.abc import Sequence
from typing import Any

LONGEST = 40
"""The longest group that is looked for."""
_NUMBER = re.compile(r"\d+")


def folded(items: Sequence[Any]) -> list[Any]:
    """The items; of three or more equal groups in a row only the first, and a word on the rest.

    Items have ``symbol``, and ``text`` or ``words``; groups are equal when all numbers in symbols grow alike.
    """
    shapes = [(_NUMBER.sub("#", _said(i)), i.shape, getattr(i, "status", "")) for i in items]
    numbers = [[int(n) for n in _NUMBER.findall(_said(i))] for i in items]
    out: list[Any] = []
    at = 0
    while at < len(items):
        size, times = _repeats(shapes, numbers, at)
        if times >= 3:
            out += items[at : at + size]
            last = items[at + (times - 1) * size : at + times * size]
            if size == 1:
                out.append(f"{times - 1} more alike, to {last[-1].symbol}")
            else:
                out.append(f"{times - 1} more times, {size} lines each, to {last[0].symbol} … {last[-1].symbol}")
            at += size * times
        else:
            out.append(items[at])
            at += 1
    return out


def _said(item: Any) -> str:
    return f"{item.symbol} {getattr(item, 'text', '') or f'{item.words} {item.place}'}"


def _repeats(shapes: list[tuple], numbers: list[list[int]], at: int) -> tuple[int, int]:
    """The length of the group that starts here and how often it comes."""
    best = (1, 1)
    for size in range(1, min(LONGEST, (len(shapes) - at) // 2) + 1):
        times = 1
        while _alike(shapes, numbers, at + (times - 1) * size, size):
            times += 1
        if times >= 3 and size * times > best[0] * best[1]:
            best = (size, times)
    return best


def _alike(shapes: list[tuple], numbers: list[list[int]], at: int, size: int) -> bool:
    """Whether the group at a place and the one after it are equal but for numbers that all grow by the same."""
    if at + 2 * size > len(shapes) or shapes[at : at + size] != shapes[at + size : at + 2 * size]:
        return False
    steps = set()
    for one, two in zip(numbers[at : at + size], numbers[at + size : at + 2 * size], strict=True):
        steps |= {b - a for a, b in zip(one, two, strict=True)}
    return steps <= {0, 1} or steps <= {0, -1}
