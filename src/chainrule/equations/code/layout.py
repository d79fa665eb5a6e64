"""The layout of generated code: long statements, comments and results are folded to the width of a line."""

import ast
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.equations.derivation.paths import keys

WIDTH = 120
_SEPARATORS = (" if ", " else ", " for ", ", ", " + ", " - ", " * ", " / ", " @ ")
_LOOSENESS = ((" if ", " else "), (" for ",), (", ",), (" + ", " - "), (" * ", " / ", " @ "))


def statement(head: str, value: str, comment: str, indent: str) -> list[str]:
    """``head`` and ``value`` (``z1 = `` and ``x @ W1``) with a comment behind if there is room, else above."""
    line = f"{indent}{head}{value}"
    if len(line) + len(comment) + 4 <= WIDTH:
        return [f"{line}  # {comment}" if comment else line]
    above = comment_lines(comment, indent) if comment else []
    if len(line) <= WIDTH:
        return [*above, line]
    if _breaks(value) is None:
        return [*above, *_fold(indent + head, value, "", indent)]
    inner = f"{indent}    "
    return [*above, f"{indent}{head}(", *_fold(inner, value, "", inner), f"{indent})"]


def unpacked(names: Sequence[str], value: str, indent: str) -> list[str]:
    """Names for the parts of a tuple; ``_`` for the ones that are not needed."""
    shown = ", ".join(names)
    line = f"{indent}{shown} = {value}"
    if len(line) <= WIDTH:
        return [line]
    inner = f"{indent}    "
    return [f"{indent}(", *_fold(inner, shown, "", inner), f"{indent}) = {value}"]


def comment_lines(comment: str, indent: str) -> list[str]:
    """A comment of one line or more."""
    width = WIDTH - len(indent) - 2
    folded = textwrap.wrap(comment, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return [f"{indent}# {line}" for line in folded]


def _fold(head: str, text: str, tail: str, indent: str) -> list[str]:
    """Lines of an expression that stands inside of brackets, broken where it holds together least."""
    if len(head) + len(text) + len(tail) <= WIDTH:
        return [head + text + tail]
    inner = f"{indent}    "
    pieces = _breaks(text)
    if pieces is not None:
        if pieces[0].endswith(","):
            structured = any(piece[0] in "{(" for piece in pieces)
            pieces = (
                [*pieces[:-1], f"{pieces[-1]},"] if structured else _packed(pieces, WIDTH - len(indent) - len(tail))
            )
        out: list[str] = []
        for k, piece in enumerate(pieces):
            out += _fold(head if k == 0 else indent, piece, tail if k == len(pieces) - 1 else "", indent)
        return out
    start, stop = _widest(text)
    if stop - start < 3:
        return [head + text + tail]
    body = _fold(inner, text[start + 1 : stop], "", inner)
    return [head + text[: start + 1], *body, indent + text[stop:] + tail]


def _breaks(text: str) -> list[str] | None:
    """The text cut outside of brackets at the loosest separators that it has there; None if it has none."""
    cuts: dict[str, list[int]] = {}
    for at, depth in _depths(text):
        for separator in _SEPARATORS if depth == 0 and text[at] in " ," else ():
            if text.startswith(separator, at):
                cuts.setdefault(separator, []).append(at)
    for group in _LOOSENESS:
        found = sorted(at for separator in group for at in cuts.get(separator, ()))
        if found:
            places = [0, *(at + (2 if text[at] == "," else 1) for at in found), len(text)]
            return [text[a:b].strip() for a, b in zip(places, places[1:], strict=False) if text[a:b].strip()]
    return None


def _packed(pieces: Sequence[str], width: int) -> list[str]:
    """Neighbors joined as long as they fit on one line."""
    out = [pieces[0]]
    for piece in pieces[1:]:
        if len(out[-1]) + 1 + len(piece) <= width:
            out[-1] += " " + piece
        else:
            out.append(piece)
    return out


def _depths(text: str) -> list[tuple[int, int]]:
    """Each place outside of strings with the number of brackets that are open there."""
    out, depth, quote = [], 0, ""
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
            continue
        if letter in "\"'":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        out.append((at, depth))
    return out


def _widest(text: str) -> tuple[int, int]:
    """The places of the outermost brackets that hold the most."""
    best, opened = (0, 0), 0
    for at, depth in _depths(text):
        if text[at] in "([{" and depth == 1:
            opened = at
        elif text[at] in ")]}" and depth == 0 and at - opened > best[1] - best[0]:
            best = (opened, at)
    return best


_STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


def spelled(path: str) -> str:
    """A path with its strings in double quotes."""
    return _STRING.sub(lambda found: quoted(ast.literal_eval(found.group())), path)


def arranged(tree: Any, leaves: Mapping[str, str], path: str = "") -> str:
    """The text of a tree with values at paths; of arrays without a value there is none, in a list None.

    >>> arranged([{"W": 1.0, "fixed": 2.0}, 3.0, None], {"[0]['W']": "dW"})
    '[{"W": dW}, None, None]'
    """
    if path in leaves:
        return leaves[path]
    if isinstance(tree, dict):
        inside = {f"[{key!r}]": value for key, value in tree.items()}
        shown = {key: arranged(value, leaves, path + key) for key, value in inside.items()}
        kept = {k: v for k, v in shown.items() if v != "None" or inside[k] is None}
        return "{" + ", ".join(f"{spelled(key)[1:-1]}: {value}" for key, value in kept.items()) + "}"
    if type(tree) in (list, tuple):
        items = ", ".join(arranged(value, leaves, f"{path}[{k}]") for k, value in enumerate(tree))
        return f"[{items}]" if isinstance(tree, list) else f"({items}{',' * (len(tree) == 1)})"
    below = {keys(p[len(path) :]) or (): value for p, value in leaves.items() if p.startswith(path)}
    return nested(below) if below else "None"


def nested(leaves: Mapping[tuple[str | int, ...], str]) -> str:
    """The text of tuples and dicts with values at paths; a place of a tuple without any is {}."""
    if () in leaves:
        return leaves[()]
    below: dict[str | int, dict[tuple[str | int, ...], str]] = {}
    for (first, *rest), value in leaves.items():
        below.setdefault(first, {})[tuple(rest)] = value
    if all(isinstance(k, int) for k in below):
        count = 1 + max(k for k in below if isinstance(k, int))
        items = [nested(below[k]) if k in below else "{}" for k in range(count)]
        return f"({', '.join(items)}{',' if count == 1 else ''})"
    return "{" + ", ".join(f"{quoted(str(k))}: {nested(v)}" for k, v in below.items()) + "}"


def quoted(text: str) -> str:
    """A string as code, in double quotes."""
    shown = repr(text)
    return shown if '"' in text or shown[0] == '"' else f'"{shown[1:-1]}"'
