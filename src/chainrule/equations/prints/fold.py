"""Folding: groups of lines that repeat, but for the numbers in their symbols, are shown once."""

import re
from collections.abc import Sequence
from typing import Any

from chainrule.equations.formula import symbols

LONGEST = 60
"""The longest group that is looked for."""
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[^\W_]+")
_SPARE = re.compile(r"[efgqrsowuvabcijlm]\d*")


def folded(items: Sequence[Any]) -> list[Any]:
    """The items; of three or more equal groups in a row only the first, and a word on the rest.

    Items have ``symbol``, and ``text`` or ``words``; groups are equal when each of their numbers grows evenly.
    """
    forms = [(_NUMBER.sub("#", _said(i)), i.shape, getattr(i, "status", "")) for i in items]
    kinds = {form: k for k, form in enumerate(forms)}
    shapes = [kinds[form] for form in forms]
    numbers = [tuple(int(n) for n in _NUMBER.findall(_said(i))) for i in items]
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
    """What an item says, the letters of axes that have no better name (see ``axes``) counted from the line's first."""
    said = f"{item.symbol} {getattr(item, 'text', '') or f'{item.words} {item.place}'}"
    line = getattr(item, "line", None)
    if line is None:
        return said
    named, letters = {line.symbol, *symbols(line.formula)}, {}

    def counted(word: re.Match[str]) -> str:
        if word[0] in named or not _SPARE.fullmatch(word[0]):
            return word[0]
        return letters.setdefault(word[0], "@" * (1 + len(letters)))

    return _WORD.sub(counted, said)


def _repeats(shapes: list[int], numbers: list[tuple[int, ...]], at: int) -> tuple[int, int]:
    """The length of the group that starts here and how often it comes."""
    best = (1, 1)
    for size in range(1, min(LONGEST, (len(shapes) - at) // 3) + 1):
        if shapes[at] != shapes[at + size] or shapes[at] != shapes[at + 2 * size]:
            continue
        times, grown = 1, None
        while (more := _growth(shapes, numbers, at + (times - 1) * size, size)) is not None and grown in (None, more):
            times, grown = times + 1, more
        if times >= 3 and size * times > best[0] * best[1]:
            best = (size, times)
    return best


def _growth(shapes: list[int], numbers: list[tuple[int, ...]], at: int, size: int) -> list[int] | None:
    """By how much each number grows from the group at a place to the one after it; None when they differ otherwise."""
    if at + 2 * size > len(shapes) or shapes[at : at + size] != shapes[at + size : at + 2 * size]:
        return None
    pairs = zip(numbers[at : at + size], numbers[at + size : at + 2 * size], strict=True)
    return [b - a for one, two in pairs for a, b in zip(one, two, strict=True)]
