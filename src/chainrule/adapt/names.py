"""Names with parts, "dense/kernel", as nested dicts: {"dense": {"kernel": ...}}."""

from collections.abc import Sequence
from typing import Any

Path = tuple[str, ...]


def paths(names: Sequence[str], separator: str) -> list[Path]:
    """The keys that lead to each name, all different: a name that is taken gets a number, ``kernel_1``.

    >>> paths(["a/b", "a/c", "a/b"], "/")
    [('a', 'b'), ('a', 'c'), ('a', 'b_1')]
    """
    found: list[Path] = []
    for name in names:
        parts = name.split(separator)
        path, again = tuple(parts), [0] * len(parts)
        while clash := next((other for other in found if _meet(path, other)), None):
            again[min(len(path), len(clash)) - 1] += 1  # the part that is an array in one of them
            path = tuple(f"{part}_{n}" if n else part for part, n in zip(parts, again, strict=True))
        found.append(path)
    return found


def _meet(a: Path, b: Path) -> bool:
    """Whether one path ends where the other ends or goes on: one place cannot hold an array and a dict."""
    return a[: len(b)] == b[: len(a)]


def nested(found: Sequence[Path], values: Sequence[Any]) -> dict[str, Any]:
    """A dict of dicts that holds each value at its path.

    >>> nested([("a", "b"), ("c",)], [1, 2])
    {'a': {'b': 1}, 'c': 2}
    """
    tree: dict[str, Any] = {}
    for path, value in zip(found, values, strict=True):
        inner = tree
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
        inner[path[-1]] = value
    return tree


def at(tree: Any, path: Path) -> Any:
    """The value at a path."""
    for part in path:
        tree = tree[part]
    return tree
