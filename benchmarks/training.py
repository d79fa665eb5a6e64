"""Seconds of an epoch: workloads (a) to (c) against the peers, and (e), an ensemble against one network."""

from contextlib import ExitStack
from functools import partial

import peak
from peers import OURS, PEAK, PEERS, process
from rounds import Found, rounds
from table import Section, compared
from workloads import WORKLOADS, Workload


def request(letter: str, part: float) -> dict:
    """What a peer is asked: ``part`` of the workload's epochs."""
    work = WORKLOADS[letter]
    return {"workload": letter, "few": work.few, "many": work.few + round(part * (work.many - work.few))}


def against_peers(letter: str, pairs: int, part: float) -> Section:
    """Each library trains the same network; also the part of the machine's peak that it reaches."""
    work, everybody = WORKLOADS[letter], (OURS, *PEERS, PEAK)
    with ExitStack() as stack:
        entrants = {
            peer.name: partial(stack.enter_context(process(peer)), request(letter, part))
            for peer in everybody
            if not peer.missing
        }
        found: Found = {peer.name: f"{peer.missing} is not installed" for peer in everybody if peer.missing}
        found |= rounds(entrants, pairs)
    products = found.pop(PEAK.name)
    flops_per_second = None if isinstance(products, str) else peak.FLOPS / min(t.seconds for t in products)
    return compared(f"{title(letter, work)}: seconds of an epoch", OURS.name, found, work.flops, flops_per_second)


def against_one(letter: str, pairs: int, part: float) -> Section:
    """An ensemble against one of its networks."""
    with process(OURS) as ask:
        names = {"one network": request("a", part), f"{WORKLOADS[letter].members} networks": request(letter, part)}
        found = rounds({name: partial(ask, asked) for name, asked in names.items()}, pairs)
    return compared(f"{title(letter, WORKLOADS[letter])}: seconds of an epoch", "one network", found)


def title(letter: str, work: Workload) -> str:
    return f"({letter}) {work.says}"
