"""Replacing a file in one instant: whoever reads it finds the old one or the new one, never half of one."""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedIOBase, BufferedWriter
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows refuses to delete a file that is open, which serves as well
    fcntl = None


@contextmanager
def replacing(target: str | Path) -> Iterator[BufferedIOBase]:
    """A new file beside the target that takes its place at the end, or leaves no trace."""
    folder, name = os.path.split(os.path.abspath(target))
    _sweep(Path(folder), name)
    file = _temporary(folder, name)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if fcntl is None:
                file.close()  # Windows renames closed files only; elsewhere the lock is held to the end
            os.replace(file.name, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(file.name)
        raise
    _sync(folder)


def _temporary(folder: str, name: str) -> BufferedWriter:
    """A new file that is locked as long as its writer lives, where the file system has locks."""
    while True:
        file = open(os.path.join(folder, f".{name}.{secrets.token_hex(8)}.tmp"), "xb")
        with suppress(OSError):
            _lock(file.fileno(), wait=True)
        if os.path.exists(file.name):
            return file
        file.close()  # another writer took it for an orphan between its birth and its lock


def _sweep(folder: Path, name: str) -> None:
    """Delete what writers of this file that were killed have left; those that live hold a lock on theirs."""
    left = re.compile(re.escape(f".{name}.") + r"[0-9a-f]{16}\.tmp")
    with suppress(OSError):
        for path in [path for path in folder.iterdir() if left.fullmatch(path.name)]:
            with suppress(OSError), open(path, "r+b") as file:
                _lock(file.fileno())
                path.unlink()


def _lock(fd: int, wait: bool = False) -> None:
    """Take the lock of a file: at once, or OSError; or by waiting until whoever holds it lets go."""
    if fcntl is not None:
        fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync(folder: str) -> None:
    """Make the new name survive a loss of power, where a folder can be opened."""
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
