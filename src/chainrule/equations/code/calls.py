"""Functions as NumPy expressions: number by number, along axes, and those that move arrays."""

from collections.abc import Sequence
from dataclasses import replace

from chainrule.equations.code.arrays import ATOM, CHOICE, SUM, Code, aligned, axes, joined, over, quotient, transposed
from chainrule.equations.code.expressions import WALKED, Expressions, places
from chainrule.equations.derivation.axes import bare
from chainrule.equations.formula import Call, Sum, Symbol

NUMPY = {
    **{
        name: f"np.{name}({{}})"
        for name in "exp exp2 log log1p expm1 sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh "
        "sqrt cbrt abs sign floor ceil isfinite".split()
    },
    **{f"a{name}": f"np.arc{name}({{}})" for name in ("sinh", "cosh", "tanh")},
    **{name: f"np.{name}({{}}, {{}})" for name in ("maximum", "minimum", "arctan2", "logaddexp")},
    "and": "np.logical_and({}, {})",
    "or": "np.logical_or({}, {})",
    "not": "np.logical_not({})",
    "where": "np.where({}, {}, {})",
    "remainder": "np.fmod({}, {})",
    "round": "np.rint({})",
    "truncate": "np.trunc({}).astype(int)",
    "relu": "np.maximum({}, 0)",
    "softplus": "np.logaddexp({}, 0)",
}
"""Functions number by number that NumPy has."""

WRITTEN = frozenset(
    "sigmoid silu erf erfc erfinv normal_cdf normal_pdf gelu lgamma digamma binary_cross_entropy".split()
)
"""Functions number by number that generated code brings along."""

YES_OR_NO = frozenset("isfinite and or not any all".split())
REDUCED = frozenset("mean max min prod any all argmax argmin logsumexp".split())
KEPT = frozenset(("softmax", "log_softmax"))
OUTSIDE = {"max": float("-inf"), "argmax": float("-inf"), "min": float("inf"), "argmin": float("inf")}


class Writer(Expressions):
    """Writes the formula of one line."""

    def call(self, f: Call) -> Code:
        """A function."""
        match f.name:
            case "stop":
                return self.formula(f.args[0])
            case "number":
                code = self.formula(f.args[0])
                return replace(code, truth=True).number
            case "floor_divide":
                a, b = self.formula(f.args[0]), self.formula(f.args[1])
                code = quotient(a, b, self.order)
                return Code(f"np.trunc({code.text}).astype(int)", code.labels)
            case "CE":
                return self._cross_entropy(f)
            case "reshape":
                return self._reshaped(f)
            case "concat":
                return self._concatenated(f)
            case "before" | "after":
                return self._moved(f)
        if f.name in NUMPY or f.name in WRITTEN:
            codes, labels = joined([self.formula(a) for a in f.args], self.order)
            if f.name in WRITTEN:
                self.names.helpers.add(f.name)
            shown = [c.text if f.name in ("and", "or", "not", "where") else c.number.text for c in codes]
            text = f"{f.name}({', '.join(shown)})" if f.name in WRITTEN else NUMPY[f.name].format(*shown)
            return Code(text, labels, ATOM, f.name in YES_OR_NO)
        if f.name in REDUCED or f.name in KEPT:
            return self._along(f)
        raise self.cannot(f"{f.name} is known to the traced program only")

    def _cross_entropy(self, f: Call) -> Code:
        """The logarithm of the sum of exp(z) minus the z that y names."""
        z, y = f.args
        if not isinstance(z, Symbol) or not isinstance(y, Symbol):
            raise self.cannot("the cross-entropy is one of symbols")
        chosen = replace(z, index=(*self.entries(z)[:-1], y))
        return self.formula(Sum(((1, Call("logsumexp", (z,))), (-1, chosen))))

    def _along(self, f: Call) -> Code:
        (body,) = f.args
        labels = f.labels
        if not labels:
            if not isinstance(body, Symbol):
                raise self.cannot(f"{f.name} does not say along which axis it works")
            labels = (self.side(body)[-1],)
        if f.name in KEPT and any(label in self.fixed for label in labels):
            raise self.cannot(f"{f.name} needs all steps of a loop at once")
        if f.name in OUTSIDE and places(body) and not isinstance(body, Symbol):
            raise self.cannot("the largest or smallest number in windows is that of a symbol")
        with self.bound(labels):
            outside, self.outside = self.outside, OUTSIDE.get(f.name, 0.0)
            walked = self.walked(body, labels) if f.name in WALKED else []
            rest = [label for label in labels if label not in walked]
            if rest and f.name.startswith("arg"):
                walked, rest = [], list(labels)
            with self.walking(walked):
                code = self._reduced(f.name, self.formula(body), rest)
            self.outside = outside
            return self.around(walked, labels, code, lambda text, loops: f"np.{f.name}([{text} {loops}], axis=0)")

    def _reduced(self, name: str, code: Code, labels: Sequence[str]) -> Code:
        code = code if name in ("any", "all") else code.number
        if name in ("mean", "max", "min", "any", "all"):
            labels = [label for label in labels if label in code.labels]
        if any(label not in code.labels for label in labels):
            raise self.cannot(f"what {name} works on does not change along {', '.join(labels)}")
        if not labels:
            return code
        if name in KEPT or name == "logsumexp":
            self.names.helpers.add(name)
            rest = tuple(x for x in code.labels if x not in labels) if name == "logsumexp" else code.labels
            return Code(f"{name}({code.text}, axis={axes(code.labels, labels)})", rest)
        if name.startswith("arg") and len(labels) > 1:
            rest = [label for label in code.labels if label not in labels]
            code = transposed(code, [*rest, *labels])
            shape = ", ".join([*map(self.length, rest), "-1"])
            return Code(f"{code.within(ATOM)}.reshape({shape}).{name}(axis=-1)", tuple(rest))
        return replace(over(code, name, labels), truth=name in YES_OR_NO)

    def _reshaped(self, f: Call) -> Code:
        (x,) = f.args
        if not isinstance(x, Symbol):
            raise self.cannot("only a symbol is reshaped")
        old, new = self.own(x.name), list(f.labels)
        code = self.symbol(x)
        steps = [label for label in old if label in self.fixed]
        if any(label not in new for label in steps) or [x for x in new if x in self.fixed] != steps:
            raise self.cannot("a loop's axis is reshaped")
        for label in steps:
            k, j = old.index(label), new.index(label)
            if old[:k] != tuple(new[:j]) and old[k + 1 :] != tuple(new[j + 1 :]):
                raise self.cannot("a loop's axis is moved by reshaping")
        kept = [label for label in new if label not in steps]
        shape = [self.length(x) if bare(x) in self.names.sizes or bare(x) == self.names.rows else "-1" for x in kept]
        return Code(f"{code.within(ATOM)}.reshape({', '.join(shape)})", tuple(kept))

    def _concatenated(self, f: Call) -> Code:
        (label,) = f.labels
        symbols = [a for a in f.args if isinstance(a, Symbol)]
        if len(symbols) < len(f.args) or label in self.fixed:
            raise self.cannot("what is put together must be symbols, along an axis that is no loop's")
        sides = [self.side(s) for s in symbols]
        place = self._junction(sides, label)
        codes = []
        for symbol, labels in zip(symbols, sides, strict=True):
            entries = self.whole([*labels[:place], "·", *labels[place + 1 :]])
            code = self.read(symbol.name, entries)
            codes.append(replace(code, labels=tuple(label if x == "·" else x for x in code.labels)))
        codes = [transposed(code, codes[0].labels) for code in codes]
        shown = ", ".join(code.text for code in codes)
        return Code(f"np.concatenate([{shown}], axis={axes(codes[0].labels, [label])})", codes[0].labels)

    def _junction(self, sides: Sequence[Sequence[str]], label: str) -> int:
        """The axis along which arrays are put together: where the result has ``label``."""
        if label in self.line.labels and len(sides[0]) == len(self.line.labels):
            return self.line.labels.index(label)
        kind = bare(label)
        found = [k for k in range(len(sides[0])) if len({s[k] for s in sides}) > 1 or bare(sides[0][k]) == kind]
        if len(found) != 1:
            raise self.cannot(f"it is not clear along which axis {label} lies")
        return found[0]

    def _moved(self, f: Call) -> Code:
        """The step before or after."""
        (label,), (body, first), back = f.labels, f.args, f.name == "before"
        size = self.length(label)
        if label not in self.fixed:
            start, code = self.formula(first), self.formula(body)
            if label not in code.labels:
                raise self.cannot(f"what has no label {label} is read one step apart along it")
            rest = [x for x in code.labels if x != label]
            code = transposed(code, [label, *rest])
            shape = f"({', '.join(['1', *map(self.length, rest)])}{',' if not rest else ''})"
            edge = f"np.broadcast_to({aligned(start, rest).text}, {shape})"
            moved = f"{code.within(ATOM)}[:-1]" if back else f"{code.within(ATOM)}[1:]"
            return Code(f"np.concatenate([{', '.join([edge, moved] if back else [moved, edge])}])", code.labels)
        variable, shift = self.fixed[label]
        if shift or label not in self.steps:
            raise self.cannot("a step before another one is read")
        self.fixed = self.fixed | {label: (variable, -1 if back else 1)}
        there = self.formula(body)
        self.fixed = self.fixed | {label: (variable, 0)}
        start = self.formula(first)
        (a, b), labels = joined([there.number, start.number], self.order)
        if set(start.labels) != set(labels):
            shape = f"({', '.join(map(self.length, labels))}{',' if len(labels) == 1 else ''})"
            b = Code(f"np.zeros({shape})") if b.text == "0" else Code(f"np.broadcast_to({b.text}, {shape})")
        last = str(int(size) - 1) if size.isdigit() else f"{size} - 1"
        test = f"{variable} > 0" if back else f"{variable} < {last}"
        return Code(f"{a.within(SUM)} if {test} else {b.within(SUM)}", labels, CHOICE)
