"""The functions of a generated module: which lines stand in which, what they are given and what they return."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chainrule.equations.code.layout import arranged, nested, spelled, statement, unpacked
from chainrule.equations.code.listing import Listing
from chainrule.equations.code.loops import read
from chainrule.equations.code.reads import Names
from chainrule.equations.code.statements import INDENT, Statements
from chainrule.equations.derivation.axes import bare
from chainrule.equations.derivation.paths import keys
from chainrule.equations.formula import Line
from chainrule.equations.prints.text import line as printed
from chainrule.errors import CannotExplain


@dataclass(frozen=True)
class Stage:
    """A function: its lines, and what it returns to the caller."""

    name: str
    words: str
    arguments: Sequence[str]
    lines: Sequence[Line]
    results: Sequence[str]
    source: "Stage | None" = None
    """The function that it calls first, for what that one returns."""
    returns: str = ""
    """Whether the results are arranged as the ``outputs`` or the ``gradients`` of the listing."""


class Functions:
    """Sorts the lines of a listing into functions."""

    def __init__(self, program: Listing, names: Names, roots: Mapping[str, str]):
        self.program, self.names, self.roots = program, names, roots
        self.paths = {v.symbol: spelled(v.path) for v in program.inputs}
        self.read_constants: set[str] = set()
        """Constants that some function reads."""
        self.makers = {line.symbol: line for line in program.lines if line.kind != "update"}
        self.outputs = {k: s for k, s in program.outputs.items() if k != "loss"}
        outputs, loss = list(self.outputs.values()), [s for k, s in program.outputs.items() if k == "loss"]
        needed = self._needed([*outputs, *loss, *program.gradients.values()])
        inner = self._needed(outputs)
        foreign = self._foreign(inner, {roots[s] for s in [*inner, *outputs] if s in roots})
        self.rows = _rows(program, names, self.paths, roots)
        self.lines = [line for line in self.makers.values() if line.symbol in needed]
        self.network = [line for line in self.lines if line.kind != "backward" and line.symbol not in foreign]
        self.rest = [line for line in self.lines if line.kind != "backward" and line.symbol in foreign]
        self.back = [line for line in self.lines if line.kind == "backward"]

    def _needed(self, symbols: Iterable[str]) -> set[str]:
        """Symbols and all that they are computed from."""
        found, waiting = set(), list(symbols)
        while waiting:
            symbol = waiting.pop()
            if symbol not in found:
                found.add(symbol)
                if symbol in self.makers:
                    waiting += read(self.makers[symbol])
                elif symbol not in self.roots and symbol not in self.program.constants:
                    readers = [printed(x) for x in self.makers.values() if symbol in read(x)]
                    shown = f" It stands in {readers[0]!r}." if readers else ""
                    raise CannotExplain(f"{symbol} is neither computed by the lines nor given.{shown}")
        return found

    def _foreign(self, inner: set[str], arguments: set[str]) -> set[str]:
        """Symbols that ``forward`` does not compute: those of the loss, and those that need further arguments."""
        readers: dict[str, list[str]] = {}
        for line in self.makers.values():
            for symbol in read(line):
                readers.setdefault(symbol, []).append(line.symbol)
        waiting = [s for s, line in self.makers.items() if s not in inner and (line.kind != "forward" or not inner)]
        waiting += [s for s, root in self.roots.items() if root not in arguments]
        found: set[str] = set()
        while waiting:
            symbol = waiting.pop()
            if symbol not in found:
                found.add(symbol)
                waiting += readers.get(symbol, ())
        return found

    def all(self) -> list[str]:
        """The sources of all functions."""
        outputs = list(dict.fromkeys(self.outputs.values()))
        gradients = list(dict.fromkeys(self.program.gradients.values()))
        loss = [s for k, s in self.program.outputs.items() if k == "loss"]
        arguments = self._arguments(self.network, outputs)
        further = self._arguments(self.lines, [*loss, *outputs, *gradients])
        back = {s for line in self.back for s in read(line)} | set(gradients)
        later = back | {s for line in self.rest for s in read(line)} | set(loss)
        made: list[Stage] = []
        source = None
        if self.network and (loss or gradients):
            passed = [line.symbol for line in self.network if line.symbol in later and line.symbol not in outputs]
            passed += [s for s in outputs if s in self.makers]
            source = Stage("_forward", "All numbers of the forward pass that other functions need.", arguments,
                           self.network, passed)  # fmt: skip
            made.append(source)
        if outputs:
            lines = () if source else self.network
            made.append(Stage("forward", "What the program returns.", arguments, lines, outputs, source, "outputs"))
        if any(line.symbol in back for line in self.rest):
            kept = [s for s in (source.results if source else ()) if s in back]
            kept += [line.symbol for line in self.rest if line.symbol in back and line.symbol not in loss]
            source = Stage("_loss", "The loss, behind all numbers that gradients need.", further, self.rest,
                           [*kept, *loss], source)  # fmt: skip
            made.append(source)
        if loss:
            lines = () if source and source.name == "_loss" else self.rest
            made.append(Stage("loss", "The loss, a single number.", further, lines, loss, source))
        if gradients:
            words = "The gradient of the loss by each parameter, arranged as the parameters are."
            made.append(Stage("gradients", words, further, self.back, gradients, source, "gradients"))
        return [self._written(stage) for stage in made]

    def _arguments(self, lines: Sequence[Line], results: Iterable[str]) -> list[str]:
        """The arguments that lines and results need, in the order of the listing."""
        wanted = {s for line in lines for s in read(line)} | set(results)
        found = dict.fromkeys(root for s, root in self.roots.items() if s in wanted or root == "params")
        return sorted(found, key=lambda root: root != "params")

    def _written(self, stage: Stage) -> str:
        """A function as text."""
        name, source = self.names.names, stage.source
        given = list(source.results) if source else []
        wanted = {s for line in stage.lines for s in read(line)} | set(stage.results)
        out = [f"def {stage.name}({', '.join(stage.arguments)}):", f'{INDENT}"""{stage.words}"""']
        if source and wanted & set(given):
            shown = [name[s] if s in wanted else "_" for s in given]
            out += unpacked(_starred(shown), f"{source.name}({', '.join(source.arguments)})", INDENT)
        out += Statements(self.names, self.paths, self.rows).body(stage.lines, given, stage.results)
        self.read_constants |= wanted & set(self.program.constants)
        shown = ", ".join(name[s] for s in stage.results)
        if stage.returns == "gradients" and self.program.parameters is not None:
            shown = arranged(self.program.parameters, {path: name[s] for path, s in self.program.gradients.items()})
        elif stage.returns:
            paths = self.outputs if stage.returns == "outputs" else self.program.gradients
            shown = nested({self._steps(path): name[s] for path, s in paths.items()})
        return "\n".join([*out, *statement("return ", shown, "", INDENT)])

    def _steps(self, path: str) -> tuple[str | int, ...]:
        """A path below the name that it may begin with."""
        found = keys(path)
        if found is None:
            raise CannotExplain(f"{path!r} is no path into a result: [0]['W'] is one.")
        return found


def _rows(program: Listing, names: Names, paths: Mapping[str, str], roots: Mapping[str, str]) -> str:
    """N as an expression of the arguments."""
    for v in program.inputs:
        kinds = [bare(label) for label in v.labels]
        if names.rows and names.rows in kinds and roots[v.symbol] != "params":
            return f"np.shape({paths[v.symbol]})[{kinds.index(names.rows)}]"
    return ""


def _starred(names: Sequence[str]) -> list[str]:
    """Names with the longest run of unneeded ones as ``*_``."""
    runs, start = [(0, 0)], 0
    for k, name in enumerate([*names, ""]):
        if name != "_":
            runs.append((start - k, start))
            start = k + 1
    length, start = min(runs)
    return list(names) if length > -2 else [*names[:start], "*_", *names[start - length :]]
