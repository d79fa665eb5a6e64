"""A run directory: design, data record, newest checkpoints, and in the end the model, its history and its scores."""

import json
from pathlib import Path

from chainrule.errors import LoadError
from chainrule.train.replacing import replacing

MODEL = "model.safetensors"


def new_directory(path: str | Path) -> Path:
    """Make a directory for a run; one that holds something is never overwritten."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise LoadError(
                f"{path} holds files already, and a run never overwrites. Name another directory, "
                f"or go on with its training: chainrule resume {path}."
            )
    except OSError as e:
        raise LoadError(f"{path} cannot be made a run directory: {e.strerror or e}. Name another with out=.") from e
    return path


def numbered(root: str | Path, name: str) -> Path:
    """Make the first free directory ``ROOT/NAME-001``, ``-002`` and so on."""
    root = Path(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1_000_000):
            path = root / f"{name}-{number:03d}"
            try:
                path.mkdir()
                return path
            except FileExistsError:
                continue
    except OSError as e:
        raise LoadError(f"{root} cannot hold run directories: {e.strerror or e}. Name another with --out.") from e
    raise LoadError(f"{root} holds a million runs of {name}. Name another directory with --out.")


def last_run(root: str | Path = "runs") -> Path:
    """The run directory under ``root`` that was begun last."""
    found = [p for p in Path(root).glob("*") if (p / "design.json").is_file()] if Path(root).is_dir() else []
    if not found:
        raise LoadError(
            f"There is no run in {Path(root).resolve()}. `chainrule fit DATA --target COLUMN` makes one; "
            "run the command in the same directory, or name the run's path."
        )
    return max(found, key=lambda p: ((p / "design.json").stat().st_mtime_ns, p.name))


def model_path(path: str | Path) -> Path:
    """The model file of a run: the path itself, or the file in a run directory; ``last`` is the newest run."""
    path = last_run() if str(path) == "last" and not Path("last").exists() else Path(path)
    if not path.is_dir():
        return path
    if (path / MODEL).is_file():
        return path / MODEL
    if checkpoints(path):
        raise LoadError(f"{path} holds an unfinished training. Go on with it: chainrule resume {path}.")
    raise LoadError(f"{path} is a directory without {MODEL}: no run that chainrule wrote.")


def checkpoints(path: Path) -> list[Path]:
    """The checkpoints in a run directory, the newest first."""
    return sorted(path.glob("checkpoint-*.safetensors"), reverse=True)


def checkpoint_path(path: Path, epoch: int) -> Path:
    """The file of the checkpoint after so many epochs."""
    return path / f"checkpoint-{epoch:08d}.safetensors"


def keep_newest(path: Path, count: int = 2) -> None:
    """Remove all checkpoints but the newest."""
    for old in checkpoints(path)[count:]:
        old.unlink(missing_ok=True)


def write_json(path: Path, data: object) -> None:
    """Write JSON for people to read."""
    with replacing(path) as file:
        file.write((json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode())
