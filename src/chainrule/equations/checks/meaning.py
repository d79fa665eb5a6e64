"""The value of a line that was read: a syntax tree and arrays with labels give an array, in NumPy's float64."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NoReturn

import numpy as np
from scipy import special

from chainrule.equations.checks.grammar import Node, NotationError, ParsedLine, kind, primed

WALK_ABOVE = 1 << 20  # numbers: an array of windows larger than this is not built whole under a sum, but step by step
_PLAN_ABOVE = 1 << 12  # numbers: for fewer, planning the order of a contraction costs more than it saves
_WHOLE = slice(None)

_NUMPY = """exp log log1p expm1 exp2 sin cos tan arcsin arccos arctan sinh cosh tanh asinh arccosh arctanh
    abs sign floor ceil round cbrt isfinite maximum minimum arctan2 logaddexp"""
_BY_NUMBER: dict[str, Callable] = {name: getattr(np, name) for name in _NUMPY.split()} | {
    **{name: getattr(special, name) for name in ("erf", "erfc", "erfinv", "digamma")},
    **{"number": np.asarray, "stop": np.asarray, "truncate": np.trunc, "remainder": np.fmod, "lgamma": special.gammaln},
    **{"⊙": np.multiply, "/": np.divide, "^": np.power, "√": np.sqrt, "σ": special.expit, "Φ": special.ndtr},
    **{"<": np.less, "≤": np.less_equal, ">": np.greater, "≥": np.greater_equal, "=": np.equal, "≠": np.not_equal},
    **{"and": np.logical_and, "or": np.logical_or, "not": np.logical_not},
    "ReLU": lambda x: np.maximum(x, 0),
    "softplus": lambda x: np.logaddexp(x, 0),
    "BCE": lambda z, y: np.logaddexp(z, 0) - y * z,
    "SiLU": lambda x: x * special.expit(x),
    "GELU": lambda x: x * special.ndtr(x),
    "φ": lambda x: np.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    "floor_divide": lambda x, y: np.trunc(x / y),
    "where": lambda c, x, y: np.where(c != 0, x, y),
}
_AXES: dict[str, Callable] = {name: getattr(np, name) for name in "max min prod any all argmax argmin mean".split()} | {
    "logsumexp": np.logaddexp.reduce
}
_BEYOND = {"max": -np.inf, "argmax": -np.inf, "min": np.inf, "argmin": np.inf}  # stands for what is left out


@dataclass(frozen=True)
class Labeled:
    """An array, with the label of each of its axes."""

    value: np.ndarray
    labels: tuple[str, ...]

    def at(self, fixed: Mapping[str, int]) -> "Labeled":
        """The part in which some labels have one value each."""
        place = tuple(fixed.get(label, _WHOLE) for label in self.labels)
        return Labeled(self.value[place], tuple(label for label in self.labels if label not in fixed))


def evaluate(parsed: ParsedLine, values: Mapping[str, Labeled], sizes: Mapping[str, int], examples: int) -> Labeled:
    """The formula's value, in the order of the left symbol's labels and repeated along those that it lacks (a view).

    values holds the symbols, the left one too (its labels are read, its numbers are not); sizes the length of each
    label without primes; examples is N. Raises NotationError, with the place, where the arrays cannot meet.
    """
    reading = _Reading(parsed, values, sizes, examples)
    with np.errstate(all="ignore"):
        return reading.arranged(parsed.formula)


def _union(*labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(itertools.chain(*labels)))


@cache
def _plan(have: tuple[str, ...], want: tuple[str, ...]):
    order = tuple(have.index(label) for label in want if label in have)
    return order, tuple(_WHOLE if label in have else None for label in want)


def _aligned(array: Labeled, labels: tuple[str, ...]) -> np.ndarray:
    """The numbers with one axis for each label, of length 1 where the array lacks it."""
    if array.labels == labels:
        return array.value
    order, axes = _plan(array.labels, labels)
    return array.value.transpose(order)[axes]


def _meet(function: Callable, *arrays: Labeled) -> Labeled:
    """A function number by number, by label."""
    labels = arrays[0].labels
    if any(array.labels != labels for array in arrays):
        labels = _union(*(array.labels for array in arrays))
    return Labeled(function(*[_aligned(array, labels) for array in arrays]), labels)


@cache
def _subscripts(inputs: tuple[tuple[str, ...], ...], output: tuple[str, ...]) -> str:
    letters = dict(zip(_union(*inputs), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", strict=False))
    terms = ["".join(letters[label] for label in labels) for labels in (*inputs, output)]
    return ",".join(terms[:-1]) + "->" + terms[-1]


def _contracted(arrays: Sequence[Labeled], output: tuple[str, ...]) -> np.ndarray:
    """The product of all arrays, summed over the labels that the output lacks."""
    inputs = tuple(array.labels for array in arrays)
    if len(arrays) == 1:  # summed pairwise, which loses less than einsum
        summed = arrays[0].value.sum(axis=tuple(i for i, label in enumerate(inputs[0]) if label not in output))
        return _aligned(Labeled(summed, tuple(label for label in inputs[0] if label in output)), output)
    values = [array.value for array in arrays]
    return np.einsum(_subscripts(inputs, output), *values, optimize=sum(value.size for value in values) > _PLAN_ABOVE)


@dataclass(frozen=True)
class _Windows:
    """An array that is read at computed places, before it is built: it can be fixed at some labels first."""

    base: np.ndarray  # the axes that are read at places, then the whole ones
    places: tuple[Labeled, ...]  # whole numbers, one array for each axis that is read
    inside: tuple[Labeled, ...]  # where they lie within the axis; only arrays that are false somewhere
    whole: tuple[str, ...]
    walked: tuple[str, ...]  # labels that share a place with a longer one

    @property
    def labels(self) -> tuple[str, ...]:
        return _union(*(place.labels for place in self.places), self.whole)

    def at(self, fixed: Mapping[str, int]) -> Labeled:
        """The numbers where some labels have one value each; those beyond an axis are 0."""
        base = self.base[(_WHOLE,) * len(self.places) + tuple(fixed.get(label, _WHOLE) for label in self.whole)]
        whole = tuple(label for label in self.whole if label not in fixed)
        if not self.places:
            return Labeled(base, whole)
        places = [place.at(fixed) for place in self.places]
        read = _union(*(place.labels for place in places))
        value = base[tuple(_aligned(place, read) for place in places)]
        for mask in self.inside:
            value = np.where(_aligned(mask.at(fixed), read + whole), value, 0.0)
        return Labeled(value, read + whole)


class _Reading:
    """One line with its arrays: a method for each form of node."""

    def __init__(self, parsed: ParsedLine, values: Mapping[str, Labeled], sizes: Mapping[str, int], count: int):
        self.line, self.values, self.sizes = parsed.line, values, sizes
        self.known = {"N": Labeled(np.asarray(float(count)), ())}
        self.left = Node("symbol", 0, parsed.symbol)
        labels = parsed.labels
        if parsed.symbol in values:
            labels = tuple(map(primed, values[parsed.symbol].labels))
        if labels is None or parsed.labels not in (None, labels):
            own = "labels that are not known" if labels is None else f"the labels {_listed(labels)}, in this order"
            self.fail(self.left, f"{parsed.symbol} has {own}.")
        self.labels = labels

    def fail(self, node: Node, message: str) -> NoReturn:
        raise NotationError.at(self.line, node.place, message)

    def value(self, node: Node) -> Labeled:
        return getattr(self, node.form)(node)

    def length(self, label: str, node: Node) -> int:
        if kind(label) not in self.sizes:
            self.fail(node, f"the length of {label} is not known.")
        return self.sizes[kind(label)]

    def lengths(self, labels: Sequence[str], node: Node) -> tuple[int, ...]:
        return tuple(self.length(label, node) for label in labels)

    def spread(self, array: Labeled, labels: tuple[str, ...], node: Node) -> np.ndarray:
        """The numbers in the order of the labels, repeated along those that the array lacks."""
        return np.broadcast_to(_aligned(array, labels), self.lengths(labels, node))

    def arranged(self, formula: Node) -> Labeled:
        """The formula in the order of the left side."""
        result = self.value(formula)
        for label in result.labels:
            if label not in self.labels:
                self.fail(formula, f"the formula has the label {label}, which the left side lacks.")
        return Labeled(self.spread(result, self.labels, self.left), self.labels)

    def number(self, node: Node) -> Labeled:
        return Labeled(np.asarray(node.word), ())

    def label(self, node: Node) -> Labeled:
        return Labeled(np.arange(self.length(node.word, node), dtype=np.float64), (node.word,))

    def symbol(self, node: Node) -> Labeled:
        name = node.word
        if name in self.known:
            return self.known[name]
        if name not in self.values:
            self.fail(node, f"{name} has no value.")
        value = np.asarray(self.values[name].value, dtype=np.float64)
        labels = tuple(map(primed, self.values[name].labels))
        lengths = self.lengths(labels, node)
        if value.shape != lengths:
            self.fail(node, f"{name} {_listed(labels)} should have the lengths {lengths}, and has {value.shape}.")
        return self.known.setdefault(name, Labeled(value, labels))

    def transposed(self, node: Node) -> Labeled:
        array = self.symbol(node)
        if len(array.labels) < 2:
            self.fail(node, f"ᵀ needs two labels, {node.word} has {_listed(array.labels)}.")
        labels: list[str] = []
        for label in map(kind, (*array.labels[:-2], array.labels[-1], array.labels[-2])):
            labels.append(primed(label, sum(kind(other) == label for other in labels)))
        return Labeled(array.value.swapaxes(-1, -2), tuple(labels))

    def sum(self, node: Node) -> Labeled:
        total = self.value(node.parts[0])
        if node.word[0] < 0:
            total = Labeled(-total.value, total.labels)
        for sign, part in zip(node.word[1:], node.parts[1:], strict=True):
            total = _meet(np.add if sign > 0 else np.subtract, total, self.value(part))
        return total

    def applied(self, node: Node) -> Labeled:
        result = _meet(_BY_NUMBER[node.word], *map(self.value, node.parts))
        return Labeled(np.asarray(result.value, np.float64), result.labels)

    def multiplies(self, node: Node) -> bool:
        """Whether what stands side by side is a multiple, not a matrix product."""
        left = node.parts[0]
        return left.form == "number" or left.form == "symbol" and not self.symbol(left).labels

    def beside(self, node: Node) -> Labeled:
        if self.multiplies(node):
            return _meet(np.multiply, *map(self.value, node.parts))
        if not node.word:
            self.fail(node.parts[1], "a matrix product joins two bare symbols: others need ⊙.")
        a, b = map(self.value, node.parts)
        inner = b.labels[max(len(b.labels) - 2, 0)] if b.labels else ""
        if not inner or kind(inner) != kind(a.labels[-1]):
            both = f"{_listed(a.labels)} and {_listed(b.labels)}"
            self.fail(node, f"the inner labels of this matrix product differ: {both}.")
        stray = [label for label in b.labels[:-2] if label not in a.labels[:-2]]
        if stray:
            self.fail(node, f"the matrix product has no place for the label {stray[0]} of the second array.")
        output = a.labels[:-1]
        first, second = (*output, "·"), (*b.labels[:-2], "·")  # the summed label: no other is called so
        if len(b.labels) > 1:
            names = (primed(kind(b.labels[-1]), more) for more in itertools.count())
            last = next(name for name in names if name not in output)
            output, second = (*output, last), (*second, last)
        return Labeled(_contracted((Labeled(a.value, first), Labeled(b.value, second)), output), output)

    def total(self, node: Node) -> Labeled:
        scale, operands = np.ones(()), []
        for factor, inverse in self.factors(node.parts[0]):
            windows = self.windows(factor) if factor.form == "index" and not inverse else None
            if windows and windows.walked and math.prod(self.lengths(windows.labels, node)) > WALK_ABOVE:
                operands.append(windows)
                continue
            operand = windows.at({}) if windows else self.value(factor)
            value = 1 / operand.value if inverse else operand.value
            if operand.labels:
                operands.append(Labeled(value, operand.labels))
            else:
                scale = scale * value
        present = _union(*(operand.labels for operand in operands))
        output = tuple(label for label in present if label not in node.word)
        scale = scale * math.prod(self.length(label, node) for label in node.word if label not in present)
        if any(isinstance(operand, _Windows) for operand in operands):
            scale = scale * self.walk(operands, output, node)
        elif operands:
            scale = scale * _contracted(operands, output)
        return Labeled(scale, output)

    def factors(self, node: Node, inverse: bool = False) -> Iterator[tuple[Node, bool]]:
        """The factors of a product, however it is written, and whether each divides."""
        if node.word in ("⊙", "/") or node.form == "beside" and self.multiplies(node):
            yield from self.factors(node.parts[0], inverse)
            yield from self.factors(node.parts[1], inverse != (node.word == "/"))
        elif node.form == "sum" and node.word == (-1,):
            yield Node("number", node.place, -1.0), inverse
            yield from self.factors(node.parts[0], inverse)
        else:
            yield node, inverse

    def walk(self, operands: Sequence[Labeled | _Windows], output: tuple[str, ...], node: Node) -> np.ndarray:
        """A sum of products with large windows: one contraction for each value of the walked labels."""
        walked = _union(*(operand.walked for operand in operands if isinstance(operand, _Windows)))
        summed = np.zeros(self.lengths(output, node))
        rest = tuple(label for label in output if label not in walked)
        for step in itertools.product(*map(range, self.lengths(walked, node))):
            fixed = dict(zip(walked, step, strict=True))
            part = _contracted([operand.at(fixed) for operand in operands], rest)
            summed[tuple(fixed.get(label, _WHOLE) for label in output)] += part
        return summed

    def index(self, node: Node) -> Labeled:
        return self.windows(node).at({})

    def windows(self, node: Node) -> _Windows:
        """What x[...] reads: axes with a label of their own stay whole, the others are read at places."""
        array = self.symbol(node)
        if len(node.parts) != len(array.labels):
            self.fail(node, f"{node.word} has the labels {_listed(array.labels)}: one place for each is needed.")
        whole: dict[int, str] = {}
        places: dict[int, Labeled] = {}
        for axis, (part, length) in enumerate(zip(node.parts, array.value.shape, strict=True)):
            if part.form == "label" and part.word not in whole.values() and self.length(part.word, part) == length:
                whole[axis] = part.word
            else:
                places[axis] = self.value(part)
        for axis in [axis for axis, label in whole.items() if any(label in p.labels for p in places.values())]:
            places[axis] = self.label(Node("label", node.place, whole.pop(axis)))
        numbers, inside, walked = [], [], []
        for axis, place in places.items():
            part, length, number = node.parts[axis], array.value.shape[axis], place.value
            if part.form in ("symbol", "index"):
                number = np.where(number < 0, number + length, number)
            else:
                walked += sorted(place.labels, key=lambda label: self.length(label, node))[:-1]
            fits = (number == np.floor(number)) & (number >= 0) & (number < length)
            if not np.all(fits):
                if part.form in ("symbol", "index"):
                    self.fail(part, f"{part.word} is not everywhere a whole number within the axis of length {length}.")
                inside.append(Labeled(fits, place.labels))
            numbers.append(Labeled(np.where(fits, number, 0).astype(np.intp), place.labels))
        base = array.value.transpose(*places, *whole)
        return _Windows(base, tuple(numbers), tuple(inside), tuple(whole.values()), _union(walked))

    def masks(self, node: Node) -> Iterator[Labeled]:
        """Where the arrays in a formula are read within their axes; a sum or maximum inside has its own rule."""
        if node.form == "index":
            yield from self.windows(node).inside
        elif node.form not in ("total", "along"):
            for part in node.parts:
                yield from self.masks(part)

    def along(self, node: Node) -> Labeled:
        (name, labels), inner = node.word, node.parts[0]
        array = self.value(inner)
        if labels is None and not array.labels:
            self.fail(node, f"{name} needs an array with a label.")
        labels = labels or array.labels[-1:]
        kept = tuple(label for label in array.labels if label not in labels)
        value = self.spread(array, kept + labels, node)
        flat = value.reshape(*value.shape[: len(kept)], -1)
        masks = list(self.masks(inner)) if name in _BEYOND else []
        if masks:
            inside = self.spread(_meet(lambda *each: math.prod(each) > 0, *masks), kept + labels, node).reshape(
                flat.shape
            )
            flat = np.where(inside, flat, _BEYOND[name])
            if name.startswith("arg"):  # the first place inside, even where all numbers are infinite
                best = _AXES[name[3:]](flat, axis=-1, keepdims=True)
                flat, name = inside & ((flat == best) | np.isnan(flat)), "argmax"
        if name in _AXES:
            return Labeled(np.asarray(_AXES[name](flat, axis=-1), np.float64), kept)
        logs = (flat - np.logaddexp.reduce(flat, axis=-1, keepdims=True)).reshape(value.shape)
        return Labeled(logs if name == "log_softmax" else np.exp(logs), kept + labels)

    def entropy(self, node: Node) -> Labeled:
        z, y = node.parts
        places = (Node("label", z.place, label) for label in self.symbol(z).labels[:-1])
        total = self.along(Node("along", node.place, ("logsumexp", None), (z,)))
        result = _meet(np.subtract, total, self.index(Node("index", z.place, z.word, (*places, y))))
        if set(result.labels) != set(self.value(y).labels):
            self.fail(
                node, f"{z.word} should have the labels {_listed(self.value(y).labels)} of {y.word}, and one more."
            )
        return result

    def step(self, node: Node) -> Labeled:
        name, label = node.word
        array, edge = map(self.value, node.parts)
        if label in edge.labels:
            self.fail(node.parts[1], f"what {name} reads at the edge has itself the label {label}.")
        others = tuple(other for other in _union(array.labels, edge.labels) if other != label)
        inner = self.spread(array, (label, *others), node)
        outer = self.spread(edge, others, node)[None]
        value = np.concatenate([outer, inner[:-1]] if name == "before" else [inner[1:], outer])
        return Labeled(value, (label, *others))

    def concat(self, node: Node) -> Labeled:
        label, arrays = node.word, [self.value(part) for part in node.parts]
        length = self.length(label, node)

        def fits(axis: int) -> bool:
            others = {array.labels[:axis] + array.labels[axis + 1 :] for array in arrays}
            return len(others) == 1 and label not in min(others) and sum(a.value.shape[axis] for a in arrays) == length

        axes = [axis for axis in range(min(len(array.labels) for array in arrays)) if fits(axis)]
        if len(axes) > 1:
            axes = [axis for axis in axes if self.labels[axis : axis + 1] == (label,)]
        if len(axes) != 1:
            self.fail(node, f"these symbols do not make up one axis {label} of length {length}.")
        labels = list(arrays[0].labels)
        labels[axes[0]] = label
        return Labeled(np.concatenate([array.value for array in arrays], axis=axes[0]), tuple(labels))

    def reshape(self, node: Node) -> Labeled:
        array, labels = self.value(node.parts[0]), node.word
        lengths = self.lengths(labels, node)
        if math.prod(lengths) != array.value.size:
            self.fail(node, f"{array.value.size} numbers cannot fill the lengths {lengths}.")
        return Labeled(array.value.reshape(lengths), labels)


def _listed(labels: Sequence[str]) -> str:
    return f"({', '.join(labels)})"
