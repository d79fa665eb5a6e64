"""Paths into trees of arrays, ``[0]['W']``, and the keys that they go along."""

import ast
from typing import Any


def plain(path: str) -> str:
    """The path without ``.value``, by which Flax NNX reads a variable."""
    return path.removesuffix(".value")


def keys(path: str) -> tuple[Any, ...] | None:
    """The keys of a path behind its name; None when it is no path.

    >>> keys("params[0]['a b'].kernel"), keys("x"), keys("x[")
    ((0, 'a b', 'kernel'), (), None)
    """
    try:
        node = ast.parse(path if path[:1].isidentifier() else f"_{path}", mode="eval").body
        found: list[Any] = []
        while not isinstance(node, ast.Name):
            match node:
                case ast.Subscript(inside, key):
                    found.append(ast.literal_eval(key))
                case ast.Attribute(inside, key):
                    found.append(key)
                case _:
                    return None
            node = inside
    except (SyntaxError, ValueError):
        return None
    return tuple(found[::-1])
