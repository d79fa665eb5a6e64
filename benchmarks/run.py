"""The benchmarks: ``python benchmarks/run.py``, or ``make bench``. See the README beside it."""

import argparse
import sys
from functools import partial

from aims import judged
from explain import ROUNDS, explanations
from machine import describe
from peers import HERE, OURS, PEERS, installed
from processes import to_a_saved_network, until_ready
from training import against_one, against_peers

LETTERS = "abcdefg"
INTRODUCTION = """# Results

Written by `{command}`; the README says what is timed. {pairs} interleaved rounds, medians. A ratio is
other / chainrule: above 1 chainrule is faster, between 0.77 and 1.3 it is a tie. The interval runs from the smallest
ratio of a round to the largest, and holds the true median with a probability of {confidence:.0%}.

Machine: {machine}.
Versions: {versions}.
"""


def letters(text: str) -> list[str]:
    """The workloads of a list such as ``a,c``."""
    chosen = text.split(",")
    if unknown := [letter for letter in chosen if letter not in list(LETTERS)]:
        raise argparse.ArgumentTypeError(f"no workload {unknown[0]!r}: choose from {', '.join(LETTERS)}")
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description="Time chainrule against other libraries on this machine.")
    parser.add_argument(
        "--workloads", type=letters, default=list(LETTERS), metavar="a,b,...", help="which; default all"
    )
    parser.add_argument("--pairs", type=int, default=7, help="rounds in which everybody is timed once; default 7")
    parser.add_argument("--quick", action="store_true", help="3 rounds, a fifth of the epochs, nothing written")
    options = parser.parse_args()
    pairs, part = (3, 0.2) if options.quick else (options.pairs, 1.0)
    benchmarks = {letter: partial(against_peers, letter, pairs, part) for letter in "abc"} | {
        "d": partial(to_a_saved_network, pairs),
        "e": partial(against_one, "e", pairs, part),
        "f": partial(until_ready, pairs),
        "g": partial(explanations, 1 if options.quick else ROUNDS),
    }
    packages = dict.fromkeys(package for peer in (OURS, *PEERS) for package in ("chainrule", "numpy", *peer.packages))
    text = INTRODUCTION.format(
        command=" ".join(["python benchmarks/run.py", *sys.argv[1:]]),
        pairs=pairs,
        confidence=1 - 2 * 0.5**pairs,
        machine=describe(),
        versions=", ".join(f"{package} {installed(package) or 'absent'}" for package in packages),
    )
    print(text, flush=True)
    sections = {}
    for letter in options.workloads:
        section = sections[letter] = benchmarks[letter]()
        part_of_text = f"\n## {section.title}\n\n{section.table}\n"
        print(part_of_text, flush=True)
        text += part_of_text
    aims = f"\n## Aims\n\n{judged(sections)}\n"
    print(aims)
    if not options.quick:
        (HERE / "results.md").write_text(text + aims)


if __name__ == "__main__":
    main()
