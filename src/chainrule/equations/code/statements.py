"""Lines as statements of a function, with the loops in which some of them stand."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from chainrule.equations.code.arrays import Code, aligned, transposed
from chainrule.equations.code.calls import Writer
from chainrule.equations.code.layout import statement
from chainrule.equations.code.loops import Loop, kept_for_one_step, looked_up, plan, read
from chainrule.equations.code.reads import Names
from chainrule.equations.formula import Line
from chainrule.equations.prints.text import line as printed
from chainrule.errors import CannotExplain

INDENT = "    "


class Statements:
    """Writes the statements of one function."""

    def __init__(self, names: Names, paths: Mapping[str, str], rows: str):
        self.names = names
        self.paths = paths
        """Where each array is found that is not computed: an expression of the function's arguments."""
        self.rows = rows
        """N as an expression of the function's arguments."""
        self.whole: set[str] = set()
        self.local: dict[str, frozenset[str]] = {}

    def body(
        self, lines: Sequence[Line], given: Collection[str], results: Sequence[str], ordered: bool = False
    ) -> list[str]:
        """The statements that compute ``results`` from the function's arguments and the symbols that are given.

        ``ordered``: the lines stand as they are, and may replace what they read.
        """
        planned = tuple(lines) if ordered else plan(lines)
        self.local = {} if ordered else kept_for_one_step(planned, frozenset(results), self.names.labels)
        self.whole = looked_up(lines)
        self.names.extra, self.names.counts_rows = {}, False
        made = self._planned(planned, {}, INDENT)
        made = self._loads(lines, given, results, ordered) + made
        if self.names.counts_rows:
            if not self.rows:
                raise CannotExplain("N, the number of examples, is used, and no argument of the function says it.")
            made.insert(0, f"{INDENT}N = {self.rows}")
        return made

    def _loads(self, lines: Sequence[Line], given: Collection[str], results: Sequence[str], ordered: bool) -> list[str]:
        computed = set() if ordered else {line.symbol for line in lines}
        wanted = dict.fromkeys([*(s for line in lines for s in read(line)), *results])
        found = [s for s in self.paths if s in wanted and s not in computed and s not in given]
        return [f"{INDENT}{self.names.names[s]} = np.asarray({self.paths[s]})" for s in found]

    def _planned(self, planned: Iterable["Loop | Line"], around: Mapping[str, str], indent: str) -> list[str]:
        out: list[str] = []
        for part in planned:
            out += self._loop(part, around, indent) if isinstance(part, Loop) else self._line(part, around, indent)
        return out

    def _loop(self, loop: Loop, around: Mapping[str, str], indent: str) -> list[str]:
        writer = Writer(self.names, loop.lines()[0], around, self.local)
        out = []
        for line in loop.lines() if not around else ():
            if line.symbol not in self.local:
                kind = ", int" if line.symbol in self.whole else ""
                shape = _tuple(list(map(writer.length, line.labels)))
                out.append(f"{indent}{self.names.names[line.symbol]} = np.empty({shape}{kind})")
        variable = self.names.variables[loop.label]
        steps = f"range({writer.length(loop.label)})"
        before = self.names.extra
        self.names.extra = dict(before)
        out.append(f"{indent}for {variable} in {f'reversed({steps})' if loop.backwards else steps}:")
        out += self._planned(loop.body, {**around, loop.label: variable}, indent + INDENT)
        self.names.extra = before
        return out

    def _line(self, line: Line, around: Mapping[str, str], indent: str) -> list[str]:
        writer = Writer(self.names, line, around, self.local)
        code = writer.formula(line.formula).number
        own = [label for label in line.labels if label not in around]
        if not set(code.labels) <= set(own):
            extra = ", ".join(sorted(set(code.labels) - set(own)))
            raise writer.cannot(f"its formula has the label {extra}, and {line.symbol} has not")
        target = self.names.names[line.symbol]
        if any(label in around for label in line.labels) and line.symbol not in self.local:
            entries = [around.get(label, ":") for label in line.labels]
            while entries[-1] == ":":
                entries.pop()
            target = f"{target}[{', '.join(entries)}]"
            code = aligned(code, own)
        elif set(code.labels) == set(own):
            code = transposed(code, own)
        else:
            code = Code(_repeated(aligned(code, own), _tuple(list(map(writer.length, own)))))
        out = [f"{indent}{name} = {text}" for name, text in writer.ahead if len(text) + len(name) < 100]
        for name, text in writer.ahead:
            if len(text) + len(name) >= 100:
                out += statement(f"{name} = ", text, "", indent)
        return out + statement(f"{target} = ", code.text, printed(line), indent)


def _repeated(code: Code, shape: str) -> str:
    if code.text == "0":
        return f"np.zeros({shape})"
    return f"np.broadcast_to({code.text}, {shape})"


def _tuple(items: Sequence[str]) -> str:
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
