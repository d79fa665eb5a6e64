"""The peers that train inside a process of their own: which there are, and how one is asked."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TextIO

from rounds import Failed, Timing

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
    """A library, the script that trains with it, and the distributions that must be installed for it."""

    name: str
    script: str
    packages: tuple[str, ...]

    @property
    def missing(self) -> str | None:
        """The first distribution that is not installed."""
        return next((package for package in self.packages if installed(package) is None), None)


OURS = Peer("chainrule", "peer_chainrule.py", ("jax",))
PEERS = (
    Peer("PyTorch, fused Adam", "peer_torch.py", ("torch",)),
    Peer("Keras on JAX", "peer_keras.py", ("keras", "jax")),
    Peer("scikit-learn", "peer_sklearn.py", ("scikit-learn",)),
    Peer("JAX and optax, step by step", "peer_jax.py", ("jax", "optax")),
)
PEAK = Peer("matrix product", "peak.py", ("jax",))


def installed(package: str) -> str | None:
    """The version of a distribution, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def ask(child: subprocess.Popen, said: TextIO, request: dict) -> Timing:
    """Send a request to a peer's process and wait for its answer."""
    assert child.stdin and child.stdout
    line = ""
    if child.poll() is None:
        print(json.dumps(request), file=child.stdin, flush=True)
        line = child.stdout.readline()
    if not line:
        said.seek(0)
        raise Failed((said.read().strip() or "it said nothing").splitlines()[-1])
    return Timing(**json.loads(line))


@contextmanager
def process(peer: Peer) -> Iterator[partial[Timing]]:
    """A peer's process, from its first import until its stdin closes."""
    pipe, command = subprocess.PIPE, [sys.executable, HERE / peer.script]
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=said, text=True) as child,
    ):
        yield partial(ask, child, said)
