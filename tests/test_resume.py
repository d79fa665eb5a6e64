"""Interruption: whatever kills a training, it goes on to the same bytes; a run directory is never overwritten."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr

SCRIPT = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    import numpy as np
    import chainrule as cr
    from chainrule.train import training

    training.CHECKPOINT_SECONDS, training.CHECKPOINT_SHARE = 0.0, np.inf  # after every epoch
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    net = cr.Chain(cr.Dense(8), cr.BatchNorm(), cr.relu, cr.Dropout(0.2), cr.Dense(2))
    settings = dict(optimizer=cr.adam(cr.cosine(0.01)), epochs=16, batch_size=16, validation=0.25)
    settings |= dict(early_stopping=50, average=0.9)
    last = int(sys.argv[3])

    def wait_to_be_killed(state):
        while last and any(int(p.stem.split("-")[1]) >= last for p in Path(sys.argv[2]).glob("checkpoint-*")):
            time.sleep(1)

    if sys.argv[1] == "fit":
        settings |= dict(ensemble=int(sys.argv[4]), callbacks=[wait_to_be_killed])
        cr.fit(net, X, y, **settings, progress=False, out=sys.argv[2])
    else:
        cr.resume(sys.argv[2], X, y, progress=False)
    """
)


def command(script: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(script), *map(str, arguments)]


def newest_epoch(out: Path) -> int:
    return max((int(p.stem.split("-")[1]) for p in out.glob("checkpoint-*.safetensors")), default=0)


def killed_and_resumed(script: Path, out: Path, members: int, after: int, sig: int) -> bytes:
    """The model's bytes after a kill at the given epoch and a resumption."""
    begun = subprocess.Popen(command(script, "fit", out, after, members), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while newest_epoch(out) < after and begun.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    begun.send_signal(sig)
    begun.wait(60)
    assert begun.returncode != 0, "the training was over before it could be killed"
    subprocess.run(command(script, "resume", out, 0), check=True)
    return (out / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def script(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("script") / "train.py"
    path.write_text(SCRIPT)
    return path


@pytest.mark.parametrize(("members", "after", "sig"), [(1, 4, signal.SIGKILL), (2, 3, signal.SIGINT)])
def test_a_killed_training_ends_in_the_same_bytes(script, tmp_path, members, after, sig):
    subprocess.run(command(script, "fit", tmp_path / "whole", 0, members), check=True)
    whole = (tmp_path / "whole" / "model.safetensors").read_bytes()
    assert killed_and_resumed(script, tmp_path / "cut", members, after, sig) == whole
    assert not list((tmp_path / "cut").glob("checkpoint-*")), "a finished run keeps no checkpoints"


@pytest.mark.slow
def test_any_epoch_may_be_the_last(script, tmp_path):
    subprocess.run(command(script, "fit", tmp_path / "whole", 0, 1), check=True)
    whole = (tmp_path / "whole" / "model.safetensors").read_bytes()
    for after in range(1, 13, 2):
        assert killed_and_resumed(script, tmp_path / f"cut{after}", 1, after, signal.SIGKILL) == whole


X = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
Y = X[:, 0] - X[:, 1]
NET = cr.Chain(cr.Dense(4), cr.tanh, cr.Dense(1))


def cut_at(epoch):
    def callback(state):
        if state.epoch == epoch:
            raise KeyboardInterrupt

    return callback


def interrupted(path, epoch=3, **settings):
    given = {"epochs": 8, "batch_size": 16, "progress": False, "out": path} | settings
    with pytest.raises(KeyboardInterrupt):
        cr.fit(NET, X, Y, callbacks=[cut_at(epoch)], **given)


def test_an_interrupted_training_goes_on_in_this_process(tmp_path):
    interrupted(tmp_path / "cut")
    again = cr.resume(tmp_path / "cut", X, Y, progress=False)
    whole = cr.fit(NET, X, Y, epochs=8, batch_size=16, progress=False)
    assert all(
        a.tobytes() == b.tobytes()
        for p, q in zip(again.params, whole.params, strict=True)
        for a, b in zip(p.values(), q.values(), strict=True)
    )
    assert again.history.epochs == 8 and np.array_equal(again.history["loss"], whole.history["loss"])
    assert np.array_equal(cr.resume(tmp_path / "cut").predict(X), whole.predict(X)), "a finished run is loaded"


def test_other_arrays_are_refused(tmp_path):
    interrupted(tmp_path / "cut")
    with pytest.raises(cr.DataError, match="data has changed"):
        cr.resume(tmp_path / "cut", X + 1, Y, progress=False)
    with pytest.raises(cr.DataError, match="trained on arrays in memory. Pass the same ones"):
        cr.resume(tmp_path / "cut")


def test_a_changed_file_is_refused(tmp_path):
    table = tmp_path / "table.csv"
    rows = "\n".join(f"{a},{b},{a - b}" for a, b, _ in np.random.default_rng(2).normal(size=(60, 3)).tolist())
    table.write_text("a,b,y\n" + rows)
    design = cr.design(table, target="y", epochs=6)
    with pytest.raises(KeyboardInterrupt):
        cr.fit(design, table, callbacks=[cut_at(2)], progress=False, out=tmp_path / "run")
    text = table.read_text()
    table.write_text(text + "\n1,2,-1")
    with pytest.raises(cr.DataError, match="table.csv had SHA-256"):
        cr.resume(tmp_path / "run", progress=False)
    table.write_text(text)
    assert cr.resume(tmp_path / "run", progress=False).history.epochs == 6


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, monkeypatch):
    from chainrule.train import training

    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    interrupted(tmp_path / "cut", epoch=5)
    newest = max((tmp_path / "cut").glob("checkpoint-*"))
    newest.write_bytes(newest.read_bytes()[:-40])
    with pytest.warns(cr.ChainruleWarning, match="Going back to the checkpoint before it"):
        again = cr.resume(tmp_path / "cut", X, Y, progress=False)
    whole = cr.fit(NET, X, Y, epochs=8, batch_size=16, progress=False)
    assert np.array_equal(again.predict(X), whole.predict(X))


def test_a_run_directory_is_never_overwritten(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("precious")
    with pytest.raises(cr.LoadError, match="holds files already"):
        cr.fit(NET, X, Y, epochs=1, progress=False, out=tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "precious"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_said(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(cr.LoadError, match="cannot be made a run directory"):
        cr.fit(NET, X, Y, epochs=1, progress=False, out=tmp_path / "run")


def test_a_time_budget_becomes_epochs():
    run = cr.fit(NET, X, Y, epochs=100_000, time_budget=0.5, batch_size=16, progress=False)
    assert 1 <= run.history.epochs < 100_000


def test_a_saved_run_predicts_alike_and_its_file_has_equal_bytes(tmp_path):
    run = cr.fit(NET, X, Y, epochs=3, progress=False)
    again = cr.fit(NET, X, Y, epochs=3, progress=False)
    run.save(tmp_path / "one.safetensors")
    again.save(tmp_path / "two.safetensors")
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    loaded = cr.load(tmp_path / "one.safetensors")
    assert np.array_equal(loaded.predict(X), run.predict(X)) and loaded.design == run.design
    assert np.array_equal(loaded.history["val_loss"], run.history["val_loss"])


def double(x):
    return 2 * x


class Shift(cr.Layer):
    by: float = 1.0

    def __call__(self, p, x):
        return x + self.by


def test_own_parts_are_saved_by_name_and_given_back(tmp_path):
    net = cr.Chain(cr.Dense(4), double, Shift(by=0.5), cr.Dense(1))
    run = cr.fit(net, X, Y, epochs=2, progress=False)
    run.save(tmp_path / "own.safetensors")
    with pytest.raises(cr.LoadError, match="your own 'double'.*Pass it: cr.load"):
        cr.load(tmp_path / "own.safetensors")
    again = cr.load(tmp_path / "own.safetensors", custom={"double": double, "Shift": Shift})
    assert np.array_equal(again.predict(X), run.predict(X))
    with pytest.warns(cr.ChainruleWarning, match="source of your own 'double'"):
        cr.load(tmp_path / "own.safetensors", custom={"double": lambda x: 2 * x, "Shift": Shift})


@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_every_epoch_of_a_training_can_be_gone_on_from(tmp_path, members, schedule):
    net = cr.Chain(cr.Dense(6), cr.BatchNorm(), cr.relu, cr.Dropout(0.3), cr.Dense(1))
    rate = {"cosine": cr.cosine(0.02), "plateau": cr.plateau(0.05, patience=2)}[schedule]
    settings = {
        "optimizer": cr.adam(rate),
        "epochs": 50,
        "batch_size": 8,
        "validation": 0.25,
        "average": 0.9,
        "early_stopping": 60,
        "ensemble": members,
        "progress": False,
    }
    cr.fit(net, X, Y, **settings, out=tmp_path / "whole")
    whole = (tmp_path / "whole" / "model.safetensors").read_bytes()
    for epoch in range(1, 50):
        path = tmp_path / f"cut{epoch}"
        with pytest.raises(KeyboardInterrupt):
            cr.fit(net, X, Y, **settings, callbacks=[cut_at(epoch)], out=path)
        cr.resume(path, X, Y, progress=False)
        assert (path / "model.safetensors").read_bytes() == whole, f"another end after an interruption at epoch {epoch}"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin a process to a core")
def test_one_core_gives_the_bytes_of_two(script, tmp_path):
    pinned = tmp_path / "pinned.py"
    pinned.write_text("import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n" + SCRIPT)
    subprocess.run(command(script, "fit", tmp_path / "two", 0, 1), check=True)
    subprocess.run(command(pinned, "fit", tmp_path / "one", 0, 1), check=True)
    assert (tmp_path / "one" / "model.safetensors").read_bytes() == (
        tmp_path / "two" / "model.safetensors"
    ).read_bytes()
