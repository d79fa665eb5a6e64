"""Printed symbols as Python names: δz1 is dz1, ∂L/∂W1 is dL_dW1, h₋ is h_prev, σ²1 is var1."""

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterable, Mapping

WORDS = {
    "∂": "d",
    "σ²": "var",
    "ℓ": "losses",
    "λ": "lam",
    "₋": "_prev",
    "₊": "_next",
    "⁺": "_new",
    "′": "_prime",
    "″": "_prime2",
    "²": "_squared",
    "∇": "grad_",
    "'": "_prime",
}
"""Signs whose name is not the one that Unicode has for them."""

MARKS = {"\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0307": "dot"}
"""Marks above a letter."""

RESERVED = frozenset([*keyword.kwlist, *dir(builtins), "np", "math", "N", "l", "O", "I", "_"])
"""Names that generated code uses for something else, or that are easily misread."""


def python_name(symbol: str) -> str:
    """A valid ASCII name that looks like a symbol.

    >>> [python_name(s) for s in ("δz1", "∂L/∂W1", "h₋", "σ²1", "μ2", "x̃3", "ŷ", "Γ", "lambda")]
    ['dz1', 'dL_dW1', 'h_prev', 'var1', 'mu2', 'x3_tilde', 'y_hat', 'Gamma', 'lambda_']
    """
    text = re.sub(r"^δ(?=.)", "d", symbol)
    for sign, word in WORDS.items():
        text = text.replace(sign, word)
    marks = [MARKS[c] for c in unicodedata.normalize("NFD", text) if c in MARKS]
    letters = "".join(_ascii(c) for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    name = re.sub(r"_+", "_", "_".join([re.sub(r"\W", "_", letters), *marks])).strip("_") or "value"
    if name[0].isdigit():
        name = f"v{name}"
    return f"{name}_" if name in RESERVED else name


def _ascii(letter: str) -> str:
    """A letter, or its name when it is not one of English: μ is mu, Γ is Gamma."""
    if letter.isascii():
        return letter
    words = unicodedata.name(letter, "").split()
    if "LETTER" not in words:
        return "_"
    name = words[words.index("LETTER") + 1].lower()
    return name.capitalize() if "CAPITAL" in words else name


def unique_names(symbols: Iterable[str], taken: Iterable[str], exact: Mapping[str, str]) -> dict[str, str]:
    """A name for each symbol, all different and none of ``taken``; ``exact`` fixes those of some."""
    names = dict(exact)
    used = {*taken, *exact.values()}
    for symbol in symbols:
        if symbol in names:
            continue
        first = name = python_name(symbol)
        count = 1
        while name in used:
            count += 1
            name = f"{first}_{count}"
        names[symbol] = name
        used.add(name)
    return names


def argument_name(name: str, taken: Iterable[str]) -> str:
    """The name of an argument in generated code: its own, with a _ behind it where that is taken."""
    return f"{name}_" if name in {"np", "math", "N", "range", "reversed", *taken} else name
