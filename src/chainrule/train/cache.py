"""The persistent compilation cache: a program that was compiled once is read from the user's cache directory."""

import os
import stat
import sys
from pathlib import Path


def enable() -> Path | None:
    """Keep compiled programs between processes; the directory, or None where there can be none.

    A directory that was set before, or ``JAX_COMPILATION_CACHE_DIR``, goes first. Otherwise it is ``chainrule/xla`` in
    the user's cache directory, which nobody else may enter: a compiled program is code. A directory that cannot be
    made or written, or that belongs to somebody else, means no cache and no failure.
    """
    import jax

    named = jax.config.values["jax_compilation_cache_dir"]
    path = Path(named) if named else private(directory())
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    if path is not None:
        jax.config.update("jax_compilation_cache_dir", str(path))
    return path


def directory() -> Path | None:
    """Where this user's cache is kept on this system; None when there is no home."""
    named = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME", "")
    if Path(named).is_absolute():
        return Path(named) / "chainrule" / "xla"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    usual = {"win32": home / "AppData" / "Local", "darwin": home / "Library" / "Caches"}
    return usual.get(sys.platform, home / ".cache") / "chainrule" / "xla"


def private(path: Path | None) -> Path | None:
    """The directory, made if need be, when it is this user's, closed to others and can be written; else None."""
    if path is None:
        return None
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            return None
        if hasattr(os, "getuid"):
            if found.st_uid != os.getuid():
                return None
            path.chmod(0o700)
        return path if os.access(path, os.W_OK | os.X_OK) else None
    except OSError:
        return None
