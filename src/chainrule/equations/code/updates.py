"""The function ``update`` of a generated module: one step of training, state in and new state out."""

from collections.abc import Mapping

from chainrule.equations.code.layout import nested, spelled, statement
from chainrule.equations.code.listing import Listing
from chainrule.equations.code.loops import read
from chainrule.equations.code.reads import Names
from chainrule.equations.code.statements import INDENT, Statements
from chainrule.equations.derivation.paths import keys

NEW = ("₊", "⁺", "′", "_new", "_next")
"""What may stand behind a symbol to name the value after the step."""


def update(program: Listing, names: Names, paths: Mapping[str, str], roots: Mapping[str, str]) -> str:
    """The source of ``update``: the state before the step comes in, the state after it is returned.

    Arguments are the roots of the paths that the lines read (params first), ``grads`` for gradients, arranged as
    ``gradients`` returns them, and every other symbol that is read before it is computed, under its own name. Returned
    are those of them that the lines replace: a line replaces the symbol that it computes, or the one of its name with ₋
    behind it, or the one whose name with ₊ or ′ is its own. What else is computed and not read again is returned too.
    """
    lines = [line for line in program.lines if line.kind == "update"]
    gradients = {s: f"grads{spelled(path)}" for path, s in program.gradients.items()}
    free: list[str] = []
    for k, line in enumerate(lines):
        made = {x.symbol for x in lines[:k]}
        free += [s for s in read(line) if s not in made and s not in free and s not in program.constants]
    replaced = {line.symbol: old for line in lines if (old := _old(line.symbol, free))}
    again = {s for k, line in enumerate(lines) for s in read(line) if s != line.symbol}
    ends = [line.symbol for line in lines if line.symbol not in again and line.symbol not in replaced]
    results = list(dict.fromkeys(line.symbol for line in lines if line.symbol in replaced or line.symbol in ends))
    free.sort(key=lambda s: list(program.variables).index(s) if s in program.variables else len(program.variables))
    results.sort(key=lambda s: free.index(replaced[s]) if s in replaced else len(free))
    changed = dict.fromkeys(roots[old] for s in results if (old := replaced.get(s, "")) in roots)
    parts, wanted = [], list(results)
    for root in sorted(changed, key=lambda r: r != "params"):
        new = {old: s for s, old in replaced.items()}
        leaves = {}
        for symbol in (s for s, r in roots.items() if r == root):
            now = new.get(symbol, symbol)
            wanted.append(now)
            leaves[keys(paths[symbol]) or ()] = names.names[now]
        parts.append(nested(leaves))
    parts += [names.names[s] for s in results if replaced.get(s) not in roots]
    given = dict.fromkeys(roots[s] for s in roots if s in free or roots[s] in changed)
    arguments = sorted(given, key=lambda r: r != "params")
    arguments += ["grads"] * any(s in gradients for s in free)
    arguments += [names.names[s] for s in free if s not in roots and s not in gradients]
    body = Statements(names, {**paths, **gradients}, "").body(lines, (), wanted, ordered=True)
    returned = [*sorted(changed, key=lambda r: r != "params"), *(s for s in results if replaced.get(s) not in roots)]
    words = f'{INDENT}"""One step of training; returned is {", ".join(map(str, returned))} after it."""'
    head = [f"def update({', '.join(arguments)}):", words]
    return "\n".join([*head, *body, *statement("return ", ", ".join(parts), "", INDENT)])


def _old(symbol: str, free: list[str]) -> str:
    """The symbol that is read and that this one replaces, or nothing."""
    if symbol in free:
        return symbol
    if f"{symbol}₋" in free:
        return f"{symbol}₋"
    return next((symbol.removesuffix(n) for n in NEW if symbol.endswith(n) and symbol.removesuffix(n) in free), "")
