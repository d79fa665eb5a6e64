"""Names and counts in words: a list of names in so much room of a line, a number of things."""

from collections.abc import Sequence


def few(names: Sequence[str], room: int) -> str:
    """As many of the names as fit, and how many more there are; a first name that is too long is cut.

    >>> few(["area", "age", "rooms"], 30), few(["area", "age", "rooms"], 12), few(["area"], 3)
    ('area, age, rooms', 'area, 2 more', 'ar…')
    """
    for shown in range(len(names), 0, -1):
        text = ", ".join([*names[:shown], *([f"{len(names) - shown:,} more"] if shown < len(names) else [])])
        if len(text) <= room:
            return text
    rest = f", {len(names) - 1:,} more" if len(names) > 1 else ""
    return names[0][: room - len(rest) - 1] + "…" + rest


def counted(count: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "row"), counted(4208, "row")
    ('1 row', '4,208 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
