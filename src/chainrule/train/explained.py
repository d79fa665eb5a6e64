"""A run as the subject of an explanation: its loss on examples, its encoders, and the rule of its optimizer."""

import copy
import hashlib
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule import spec
from chainrule.data.columns import column_of
from chainrule.data.embedded import EMBEDDED
from chainrule.data.encoders import Encoder
from chainrule.data.table import Table
from chainrule.data.targets import ClassTarget
from chainrule.errors import DataError
from chainrule.layers.explained import network_subject
from chainrule.trace.subject import Subject, Update, subject
from chainrule.train.design import Design
from chainrule.train.materials import with_target
from chainrule.train.optimizers import Optimizer
from chainrule.train.record import DataRecord
from chainrule.train.roles import roles
from chainrule.train.run import Run
from chainrule.train.schedules import Schedule

EXAMPLES = 32
"""So many rows are explained at most, where nothing else is said: lines hold for any number of them."""
MOST_COLUMNS = 24
"""Of so many columns the encoding is written out."""

SYMBOLS = {"momentum": "μ", "beta_1": "β1", "beta_2": "β2", "epsilon": "ε", "rho": "ρ", "weight_decay": "λ"}
"""The textbook letters of an optimizer's numbers; others keep their names."""
REMEMBERED = {"mu": "m", "nu": "s", "trace": "v", "count": "t"}
"""The letters of what an optimizer remembers, by optax' names; beside m, the second moment is v."""
WORDS = {
    "mu": "the mean of recent gradients",
    "nu": "the mean of recent squared gradients",
    "trace": "the direction of recent steps",
    "s": "the sum of all squared gradients",
    "count": "the number of the step: 1, 2, 3, …",
}
SIGNED = frozenset({"mu", "trace"})
"""What is remembered of gradients with their signs; all else is checked at positive numbers."""


@subject.register
def _run(run: Run, X: Any = None, y: Any = None, *, training: bool = False, examples: int = EXAMPLES) -> Subject:
    """``cr.explain(run)``: the mean loss of a run's network on its own first rows, or on (X, y), with its penalty."""
    if isinstance(examples, bool) or not isinstance(examples, int) or examples < 1:
        raise DataError(f"explain: examples={examples!r}: a whole number of rows, at least 1, is expected.")
    design, params = run.design, run.params
    recipe, net = design.recipe, design.network
    if recipe.ensemble > 1:
        params = jax.tree.map(lambda p: p[0], params)
    x, y = examples_of(run, X, y, examples)
    role = roles(net, params, recipe.freeze)
    explained = network_subject(net, params, x, y, design.loss, training, notes_of(run), _penalty(design, role))
    fixed = {jax.tree_util.keystr(p) for p, r in jax.tree_util.tree_leaves_with_path(role) if r == "fixed"}
    return replace(
        explained,
        wrt=lambda path: path not in fixed,
        preface=preface(design),
        update=update_of(recipe.optimizer),
    )


def _penalty(design: Design, role: Any) -> Callable[[Any], Any] | None:
    """The penalty as a function of the parameters: of weights that are trained, as in a step of descent."""
    charge = design.recipe.penalty
    if charge is None:
        return None
    decayed = [r == "weight" for r in jax.tree.leaves(role)]
    return lambda params: charge([p for p, d in zip(jax.tree.leaves(params), decayed, strict=True) if d])


def examples_of(run: Run, X: Any, y: Any, examples: int) -> tuple[Any, Any]:
    """The first examples as the network and the loss read them; DataError when there are none to read."""
    encoder = run.design.encoder
    if X is None:
        X, y = run.data if run.data is not None else (recorded(run.record), None)
    if not isinstance(encoder, Encoder):
        if y is None:
            raise DataError("explain: y is missing. Pass the targets too: cr.explain(run, X, y).")
        x, y = encoder.encode(X), encoder.target.encode(y)
        rows = jax.tree.leaves(x)[0].shape[0]
        if len(y) != rows:
            raise DataError(f"explain: X has {rows} rows and y has {len(y)}. Each row needs one target.")
        return jax.tree.map(lambda a: a[:examples], x), y[:examples]
    table = Table.of(X)
    if y is not None:
        table = Table({**table.columns, encoder.target.name: column_of(encoder.target.name, y)}, table.origin)
    table = with_target(run.design, table).take(slice(0, examples))
    return encoder.encode(table), encoder.target.encode(table[encoder.target.name])


def recorded(record: DataRecord, verb: str = "explain") -> Table:
    """The table in the file that a run was trained on; DataError when it is gone, or is another one."""
    remedy = f"Pass the data: cr.{verb}(run, X, y); on the command line, --data FILE."
    if record.path is None:
        raise DataError(
            f"The run was trained on arrays in memory ({record.rows} rows, SHA-256 {record.sha256[:12]}…), and a saved "
            f"run does not hold them. {remedy}"
        )
    file, was = Path(record.path), f"The run was trained on {record.path} (SHA-256 {record.sha256[:12]}…)"
    if file.is_file():
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        if found != record.sha256:
            raise DataError(f"{was}, and that file holds other data now (SHA-256 {found[:12]}…). {remedy}")
    elif record.path not in EMBEDDED:
        raise DataError(f"{was}, and there is no such file in {Path.cwd()}. {remedy}")
    return Table.of(record.path, **dict(record.options))


def preface(design: Design) -> tuple[str, ...]:
    """How columns become what the network reads, in their own names, and what its answer means."""
    encoder: Any = design.encoder
    target: Any = encoder.target
    if not isinstance(encoder, Encoder):
        if not isinstance(target, ClassTarget) or list(target.classes) == list(range(len(target.classes))):
            return ()  # numbers are read as they are
        return (_answer(target),)
    first = "x̃ is what the network reads of a row: x̃₀ is the first column of x, x̃₁ the second, and so on."
    lines, read = [], {}
    for at, (column, _) in enumerate(encoder.features):
        read.setdefault(column.name, []).append(f"x̃{str(at).translate(_BELOW)}")
    for column in encoder.columns:
        if column in encoder.embedded:
            lines.append(f"x[{column.name!r}]: {column.explain()}")
            continue
        lines.append(_numbered(column.explain(), iter(read[column.name])))
    more = len(lines) - MOST_COLUMNS
    if more > 0:
        lines[MOST_COLUMNS:] = [f"… and {more} more columns: run.design.encoder.explain() has them all."]
    return (first, *lines, _answer(target)) if target is not None else (first, *lines)


def _answer(target: Any) -> str:
    """What y and the network's outputs mean in the target's own terms."""
    if isinstance(target, ClassTarget):
        return f"y is the code of {target.explain()}."
    return f"{target.explain()}, where z is y, or what the network answers."


_BELOW = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def _numbered(line: str, names: Iterator[str]) -> str:
    """The line of a column with the places of its features in x."""
    return re.sub("x̃(?= = )", lambda found: next(names, found[0]), line)


def notes_of(run: Run) -> tuple[str, ...]:
    """What training does beside the lines that are shown."""
    recipe, found = run.design.recipe, []
    rate = recipe.optimizer.learning_rate
    if recipe.ensemble > 1:
        found.append(
            f"An ensemble of {recipe.ensemble} networks of the same equations; the numbers are those of member 1."
        )
    if recipe.class_weight is not None or run.record.weights:
        found.append("Training weighs its rows: L there is the weighted mean of ℓ, and here it is the plain one.")
    if recipe.average is not None:
        found.append(f"The parameters are a running mean of those that training stepped through ({recipe.average}).")
    if recipe.clip_norm is not None:
        found.append(
            f"Gradients are clipped before the step: g ⊙ minimum(1, c / ‖g‖) stands for g, with c = {recipe.clip_norm} "
            "and ‖g‖ the root of the sum of the squares of all gradients."
        )
    if recipe.optimizer.full_batch:
        found.append(
            f"{recipe.optimizer!r} has no update lines: it searches the length of its step in a loop, which is not "
            f"derived. Its rule: {'; '.join(equations(recipe.optimizer))}."
        )
    if isinstance(rate, Schedule):
        lines = "; ".join(equations(rate))
        known = {"T": "T the number of all steps", "E": "E that of the steps of an epoch"}
        letters = ["t the step counted from 0", *(w for x, w in known.items() if re.search(rf"\b{x}\b", lines))]
        found.append(f"The learning rate η follows {rate!r}, with {', '.join(letters)}: {lines}.")
    elif callable(rate):
        found.append(f"The learning rate η is {spec.show(rate)}, a function of the step counted from 0.")
    return tuple(found)


def equations(part: Any) -> list[str]:
    """The lines of the Equation section of a part's docstring, without their remarks; none when it has no such."""
    section = re.search(r"^Equation\n((?: .*\n|\n)+)", inspect.getdoc(type(part)) or "", re.MULTILINE)
    lines = section[1].splitlines() if section else []
    return [re.split(r" {2,}", line.strip())[0] for line in lines if line.strip()]


def update_of(optimizer: Optimizer) -> Update | None:
    """The rule of an optimizer for one array of parameters; None where a step is a search, which has no lines."""
    if optimizer.full_batch:
        return None
    floats = [f.name for f in fields(optimizer) if f.type in (float, "float")]
    numbers = {name: value for name in floats if (value := getattr(optimizer, name))}
    try:
        update = _update(optimizer, numbers)
        jax.eval_shape(update.function, *update.args)
    except TypeError:  # a rule that looks at its numbers keeps them as numbers
        update = _update(optimizer, {})
    return update


def _update(optimizer: Optimizer, numbers: dict[str, float]) -> Update:
    """The rule with these of its numbers as symbols."""
    W, g = np.array([0.8, -1.7, 2.9]), np.array([-0.6, 1.1, 0.35])
    entering = optimizer.numbers()
    state = optimizer.form().transform(1.0, entering, True).init(jnp.asarray(W))
    leaves, structure = jax.tree.flatten(state)
    kept = [_field(path) for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    letters = REMEMBERED | ({"nu": "v"} if "mu" in kept else {})
    names = [letters.get(name, name) for name in kept]

    def function(W: Any, g: Any, *rest: Any) -> tuple:
        """One step: the new parameters, then what is remembered."""
        memory, rate, values = rest[: len(leaves)], rest[len(leaves)], rest[len(leaves) + 1 :]
        traced = dict(zip(numbers, values, strict=True))
        form = copy.copy(optimizer.form())
        spec.freeze(form, **{name: Present(v) if name == "momentum" else v for name, v in traced.items()})
        rule = form.transform(rate, entering | {name: v for name, v in traced.items() if name in entering}, True)
        updates, memory = rule.update(g, jax.tree.unflatten(structure, memory), W)
        return W + updates, *jax.tree.leaves(memory)

    said = [WORDS.get(name, f"{name}, which the optimizer remembers") for name in kept]
    rate = optimizer.learning_rate
    shown = f", {spec.show(rate)}" if isinstance(rate, int | float) else " of the step"
    return Update(
        function,
        (W, g, *map(_checked_at, kept, leaves), 0.37, *_numbers_between(numbers)),
        ("W", "g", *(f"{n}₋" if n == "t" else n for n in names), "η", *(SYMBOLS.get(name, name) for name in numbers)),
        ("W", *names),
        (
            "any array of trained parameters",
            "the gradient of L by it",
            *(f"{words}, 0 at the start" for words in said),
            f"the learning rate{shown}",
            *(_number_words(name, value) for name, value in numbers.items()),
            "the parameters after the step",
            *(
                words if name == "count" else f"{words}, this step's too"
                for name, words in zip(kept, said, strict=True)
            ),
        ),
        repr(optimizer),
    )


class Present:
    """A traced number that is not 0, for rules that ask whether it is there."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __jax_array__(self) -> Any:
        return self.value


def _field(path: tuple) -> str:
    """The name of a leaf of what an optimizer remembers: that of the field which holds it."""
    return next((key.name for key in reversed(path) if isinstance(key, jax.tree_util.GetAttrKey)), "state")


def _checked_at(name: str, leaf: Any) -> np.ndarray:
    """Numbers of the kind and sign that a part of the memory holds."""
    if not jnp.issubdtype(leaf.dtype, jnp.floating):
        return np.full(leaf.shape, 2, leaf.dtype)
    values = np.resize([0.45, 0.7, 1.3], leaf.shape)
    return values * np.resize([1, -1, 1], leaf.shape) if name in SIGNED else values


def _numbers_between(numbers: dict[str, float]) -> tuple[float, ...]:
    """One number between 0 and 1 for each, all different: none so small that its loss would not show."""
    return tuple(0.3 + 0.5 * k / len(numbers) for k in range(len(numbers)))


def _number_words(name: str, value: float) -> str:
    where = ", for weights; 0 for biases and the scales of norms" if name == "weight_decay" else ""
    return f"{name} = {spec.show(value)}{where}"
