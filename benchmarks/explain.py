"""(g) How long an explanation takes, and how it grows with depth: ``python benchmarks/explain.py``."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from machine import describe
from processes import run
from rounds import Failed
from table import Section, columns, show_seconds

DEPTHS = 10, 20, 40, 80
ROUNDS = 3
ROWS, FEATURES, UNITS, CLASSES = 32, 32, 64, 10
HEADS, TOKENS = 4, 16
PARTS = "explain", "text", "html"
"""What is timed, in this order."""
Explained = tuple[Any, tuple, dict]
"""What is given to ``cr.explain``."""


def dense(depth: int) -> Explained:
    """A chain of dense layers with relu between them, cross-entropy on its outputs."""
    import chainrule as cr

    hidden = [layer for _ in range(depth - 1) for layer in (cr.Dense(UNITS), cr.relu)]
    return cr.Chain(*hidden, cr.Dense(CLASSES)), _examples(FEATURES), {"loss": cr.cross_entropy}


def residual(depth: int) -> Explained:
    """A chain of residual layers x + relu(x W + b) between two dense ones."""
    import chainrule as cr

    layers = [cr.Residual(cr.Chain(cr.Dense(UNITS), cr.relu)) for _ in range(depth - 2)]
    return cr.Chain(cr.Dense(UNITS), *layers, cr.Dense(CLASSES)), _examples(FEATURES), {"loss": cr.cross_entropy}


def transformer(depth: int) -> Explained:
    """A plain JAX function: blocks of attention and of a dense part, each after a layer norm and added to its input."""
    import jax
    import jax.numpy as jnp

    import chainrule as cr

    norm, width = cr.LayerNorm(), UNITS // HEADS

    def block(p: Any, x: Any) -> Any:
        h = norm(p["norm1"], x)
        q, k, v = (jnp.einsum("ntd,dhe->nhte", h, p[name]) for name in "QKV")
        scores = jnp.einsum("nhse,nhte->nhst", q, k) / np.sqrt(width)
        read = jnp.einsum("nhst,nhte->nhse", jax.nn.softmax(scores), v)
        x = x + jnp.einsum("nhse,hed->nsd", read, p["O"])
        h = norm(p["norm2"], x)
        return x + cr.gelu(h @ p["W"] + p["b"]) @ p["U"] + p["c"]

    def loss(p: Any, x: Any, y: Any) -> Any:
        for b in p["blocks"]:
            x = block(b, x)
        return cr.cross_entropy(x.mean(axis=1) @ p["out"], y).mean()

    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.1, shape).astype(np.float32)

    def parameters() -> dict:
        split = {name: drawn(UNITS, HEADS, width) for name in "QKV"} | {"O": drawn(HEADS, width, UNITS)}
        wide = {"W": drawn(UNITS, 4 * UNITS), "b": drawn(4 * UNITS), "U": drawn(4 * UNITS, UNITS), "c": drawn(UNITS)}
        ones = {"scale": np.ones(UNITS, np.float32), "shift": drawn(UNITS)}
        return split | wide | {"norm1": ones, "norm2": ones}

    p = {"blocks": [parameters() for _ in range(depth)], "out": drawn(UNITS, CLASSES)}
    return loss, (p, *_examples(TOKENS, UNITS)), {}


def _examples(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(ROWS, *shape)).astype(np.float32), np.arange(ROWS) % CLASSES


KINDS: dict[str, Callable[[int], Explained]] = {"dense": dense, "residual": residual, "transformer": transformer}
PROGRAMS = {
    "a dense network of 10 layers": ("dense", 10),
    "a residual network of 100 layers": ("residual", 100),
    "a transformer of 12 blocks, width 64, 4 heads, 16 tokens": ("transformer", 12),
}


def timed(kind: str, depth: int, warm: bool) -> dict[str, Any]:
    """In a process of its own: seconds of the explanation and of its prints. Warm: a shallow one was made before."""
    import jax  # noqa: F401  the import of JAX is no part of an explanation

    import chainrule as cr

    def explained(depth: int) -> tuple[Any, float]:
        obj, args, options = KINDS[kind](depth)
        began = time.perf_counter()
        ex = cr.explain(obj, *args, **options)
        return ex, time.perf_counter() - began

    if warm:
        shallow, _ = explained(3)
        shallow.text(), shallow.html()
    ex, seconds = explained(depth)
    right = sum(line.status == "verified" for line in ex)
    found = {"explain": seconds, "lines": f"{right} of {len(ex)}"}
    for name in PARTS[1:]:
        began = time.perf_counter()
        getattr(ex, name)()
        found[name] = time.perf_counter() - began
    return found


def measured(kind: str, depth: int, warm: bool, times: int) -> dict[str, Any]:
    """The medians of several processes."""
    command = [sys.executable, Path(__file__), "--one", kind, str(depth), "warm" if warm else "cold"]
    found = [json.loads(run(command)[1].splitlines()[-1]) for _ in range(times)]
    return found[0] | {name: median(one[name] for one in found) for name in PARTS}


def explanations(rounds: int) -> Section:
    """The three programs cold and warm, and the dense network at growing depths."""
    rows, grown, growing, numbers = [], [], {}, {}
    for name, (kind, depth) in PROGRAMS.items():
        try:
            cold, warm = (measured(kind, depth, ready, rounds) for ready in (False, True))
        except Failed as e:
            rows.append((name, f"failed: {e}", *[""] * len(PARTS)))
            continue
        rows.append((name, warm["lines"], show_seconds(cold["explain"]), *(show_seconds(warm[p]) for p in PARTS)))
        numbers[name] = [warm["explain"]]
    for depth in DEPTHS:
        try:
            growing[depth] = one = measured("dense", depth, True, rounds)
        except Failed as e:
            grown.append((f"{depth} layers", f"failed: {e}", *[""] * len(PARTS)))
            continue
        grown.append((f"{depth} layers", one["lines"], *(show_seconds(one[p]) for p in PARTS)))
    if len(growing) == len(DEPTHS):
        exponents = {part: exponent(growing, part) for part in PARTS}
        grown.append(("time ~ depth to the power of", "", *(f"{e:.2f}" for e in exponents.values())))
        numbers["growth with depth"] = [exponents["explain"]]
    table = columns(("", "lines verified", "explain, cold", "explain, warm", "text", "html"), rows)
    growth = columns(("dense networks, warm", "lines verified", "explain", "text", "html"), grown)
    return Section("(g) explanations: seconds from the call to checked lines", f"{table}\n\n{growth}", numbers)


def exponent(growing: dict[int, dict[str, Any]], part: str) -> float:
    """The p of seconds ~ depth^p, by least squares of the logarithms."""
    depths, seconds = np.log(list(growing)), np.log([one[part] for one in growing.values()])
    return float(np.polyfit(depths, seconds, 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description="Time explanations on this machine.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"processes for each number; default {ROUNDS}")
    parser.add_argument("--one", nargs=3, metavar=("KIND", "DEPTH", "STATE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        kind, depth, state = options.one
        print(json.dumps(timed(kind, int(depth), state == "warm")))
        return
    section = explanations(options.rounds)
    print(f"Machine: {describe()}.\n\n## {section.title}\n\n{section.table}")


if __name__ == "__main__":
    main()
