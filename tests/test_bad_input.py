"""Bad input: refused with where, what came, what was expected and what to do; or accepted, at most with one warning."""

import warnings

import numpy as np
import pytest

import chainrule as cr

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3)).astype(np.float32)
Y = (X[:, 0] + 0.1 * X[:, 1]).astype(np.float32)
CODES = (Y > 0).astype(int)
LINE = cr.Chain(cr.Dense(1))
CLASSES = cr.Chain(cr.Dense(2))


def fit(net=LINE, x=X, y=Y, **settings):
    return cr.fit(net, x, y, **{"epochs": 1, "batch_size": 8, "validation": None, "progress": False} | settings)


def at(array, place, value):
    changed = np.array(array, copy=True)
    changed[place] = value
    return changed


def objects(value):
    changed = X.astype(object)
    changed[2, 1] = value
    return changed


REFUSED = {
    "NaN in X": (dict(x=at(X, (3, 1), np.nan)), "X.3, 1. is nan"),
    "inf in X": (dict(x=at(X, (3, 1), np.inf)), "X.3, 1. is inf"),
    "1e300 in float64": (dict(x=at(X.astype(float), (0, 0), 1e300)), "float32 ends at"),
    "NaN in y": (dict(y=at(Y, 5, np.nan)), r"y\[5.*nan"),
    "inf in y": (dict(y=at(Y, 5, -np.inf)), r"y\[5.*inf"),
    "label -1": (dict(net=CLASSES, y=np.arange(24) % 4 - 1, loss=cr.cross_entropy), "-1 usually marks rows without"),
    "label 0.5": (dict(net=CLASSES, y=at(CODES.astype(float), 2, 0.5), loss=cr.cross_entropy), "0.5 in row 3"),
    "more labels than outputs": (dict(net=CLASSES, y=np.arange(24) % 3, loss=cr.cross_entropy), "3 classes needs 3"),
    "one class": (dict(net=CLASSES, y=np.zeros(24, int), loss=cr.cross_entropy), "one class"),
    "lengths differ": (dict(y=Y[:-1]), "24 rows and y has 23"),
    "empty": (dict(x=X[:0], y=Y[:0]), "no rows"),
    "1-D X": (dict(x=X[:, 0]), r"X.reshape\(-1, 1\)"),
    "0-D X": (dict(x=3.0), "single value"),
    "3-D X to a dense net": (dict(x=X.reshape(24, 1, 3)), "Dense|shape"),
    "zero features": (dict(x=X[:, :0]), "no features"),
    "string X": (dict(x=X.astype(str)), "holds words"),
    "None in X": (dict(x=objects(None)), r"X\[2, 1\] is 'None'"),
    "X is None": (dict(x=None), "X is None"),
    "y is None": (dict(y=None), "y is missing"),
    "complex X": (dict(x=X.astype(complex)), "complex"),
    "ragged X": (dict(x=[[1.0, 2.0], [3.0]], y=[1.0, 2.0]), "unequal lengths"),
    "string y to a regression": (dict(y=np.array(["a"] * 24), loss=cr.mean_squared_error), "needs numbers|labels"),
    "y (1, n)": (dict(y=Y[None]), r"\(1, 24\)"),
    "y (n, 5) for one output": (dict(y=np.ones((24, 5)) * Y[:, None]), "5 target columns needs 5"),
    "batch 0": (dict(batch_size=0), "batch_size=0"),
    "batch -4": (dict(batch_size=-4), "batch_size=-4"),
    "batch 7.5": (dict(batch_size=7.5), "batch_size=7.5"),
    "epochs 0": (dict(epochs=0), "epochs=0"),
    "epochs -1": (dict(epochs=-1), "epochs=-1"),
    "epochs as text": (dict(epochs="10"), "epochs='10'"),
    "rate 0": (lambda: fit(optimizer=cr.adam(0.0)), "learning_rate"),
    "rate negative": (lambda: fit(optimizer=cr.adam(-0.1)), "learning_rate"),
    "rate NaN": (lambda: fit(optimizer=cr.adam(float("nan"))), "learning_rate"),
    "rate 1e6": (dict(optimizer=cr.sgd(1e6), epochs=20), "diverged"),
    "unknown optimizer": (dict(optimizer="adamm"), "Did you mean 'adam'"),
    "an optimizer class": (dict(optimizer=cr.adam), "optimizer"),
    "unknown loss": (dict(loss="mze"), "Did you mean 'mse'"),
    "a loss that is no function": (dict(loss=3), "loss=3"),
    "validation 1.0": (dict(validation=1.0), "validation=1.0"),
    "validation -0.1": (dict(validation=-0.1), "validation=-0.1"),
    "validation of one array": (dict(validation=(X,)), "pair"),
    "units 0": (lambda: cr.Dense(0), "units"),
    "units -3": (lambda: cr.Dense(-3), "units"),
    "units 2.5": (lambda: cr.Dense(2.5), "units"),
    "a class instead of a layer": (lambda: cr.Chain(cr.Dense), r"Dense\(…\)"),
    "a name instead of a function": (lambda: cr.Chain(cr.Dense(3), "relu"), "relu"),
    "dropout 1.0": (lambda: cr.Dropout(1.0), "rate"),
    "dropout 1.5": (lambda: cr.Dropout(1.5), "rate"),
    "penalty negative": (lambda: cr.l2(-1.0), "weight"),
    "penalty NaN": (lambda: cr.l2(float("nan")), "weight"),
    "softmax on one unit": (dict(net=cr.Chain(cr.Dense(1), cr.softmax), y=CODES, loss=cr.cross_entropy), "softmax"),
    "softmax before cross-entropy": (dict(net=cr.Chain(cr.Dense(2), cr.softmax), y=CODES), "0.31"),
    "sigmoid before its loss": (
        dict(net=cr.Chain(cr.Dense(1), cr.sigmoid), y=CODES, loss=cr.binary_cross_entropy),
        "applies sigmoid itself",
    ),
    "weights negative": (dict(sample_weight=-np.ones(24)), "sample_weight"),
    "weights all 0": (dict(sample_weight=np.zeros(24)), "sample_weight is 0"),
    "weights NaN": (dict(sample_weight=np.full(24, np.nan)), "sample_weight"),
    "weights too few": (dict(sample_weight=np.ones(3)), r"shape \(3,\)"),
    "class weight of no class": (dict(net=CLASSES, y=CODES, class_weight={7: 1.0}), "class_weight names"),
    "class weight in a regression": (dict(class_weight={0: 1.0}), "sample_weight"),
    "seed -1": (dict(seed=-1), "seed=-1"),
    "ensemble 0": (dict(ensemble=0), "ensemble=0"),
    "clip 0": (dict(clip_norm=0.0), "clip_norm"),
    "average 1": (dict(average=1.0), "average"),
    "time budget 0": (dict(time_budget=0.0), "time_budget"),
    "a model without parameters": (dict(net=cr.Chain(cr.relu, cr.Flatten())), "no parameters"),
    "10^9 units": (dict(net=cr.Chain(cr.Dense(10**9), cr.relu, cr.Dense(10**6), cr.Dense(1))), "GiB"),
    "batch norm on one row": (dict(net=cr.Chain(cr.BatchNorm(), cr.Dense(1)), batch_size=1), "at least 2 rows"),
    "residual shapes that differ": (dict(net=cr.Chain(cr.Residual(cr.Dense(5)), cr.Dense(1))), "Residual"),
    "a layer with a branch on data": (
        dict(net=cr.Chain(cr.Dense(1), lambda z: z if z.sum() > 0 else -z)),
        "1:<lambda>",
    ),
    "parameters of another network": (
        dict(params=({"W": np.ones((5, 1)), "b": np.ones(1)},)),
        r"params has the shapes",
    ),
    "parameters that are not finite": (dict(params=({"W": np.full((3, 1), np.nan), "b": np.ones(1)},)), "not finite"),
    "a metric by name": (dict(metrics="auc"), "metrics"),
    "as many classes as rows": (dict(net=CLASSES, y=np.arange(24), loss=cr.cross_entropy), "24 classes in 24 rows"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    given, said = REFUSED[name]
    with pytest.raises(cr.ChainruleError, match=said):
        given() if callable(given) else fit(**given)


SEEN: list = []
"""What a layer with a side effect has seen: it runs when the program is traced, not in every step."""
ACCEPTED = {
    "labels as text": dict(net=CLASSES, y=np.where(CODES, "yes", "no")),
    "labels as booleans": dict(net=CLASSES, y=CODES.astype(bool)),
    "labels as objects": dict(net=CLASSES, y=np.where(CODES, "yes", "no").astype(object)),
    "one-hot": dict(net=CLASSES, y=np.eye(2)[CODES], loss=cr.cross_entropy),
    "y (n, 1)": dict(y=Y[:, None]),
    "lists of lists": dict(x=X.tolist(), y=Y.tolist()),
    "booleans as X": dict(x=X > 0),
    "layers of one name": dict(net=cr.Chain(cr.Dense(4), cr.Dense(4), cr.Dense(1))),
    "a layer with a side effect": dict(net=cr.Chain(lambda x: SEEN.append(x.shape) or x, cr.Dense(1))),
    "a view in reverse": dict(x=X[::-1], y=Y[::-1]),
    "Fortran order": dict(x=np.asfortranarray(X)),
    "float64": dict(x=X.astype(float), y=Y.astype(float)),
    "loss and optimizer as text": dict(loss="mse", optimizer="adam"),
    "a full batch": dict(batch_size="full"),
    "two classes from one output": dict(net=LINE, y=CODES, loss=cr.binary_cross_entropy),
    "several labels": dict(net=CLASSES, y=np.stack([CODES, 1 - CODES[::-1]], 1) | np.eye(2, dtype=int)[CODES]),
    "several targets": dict(net=CLASSES, y=np.stack([Y, -Y], 1)),
    "a plain function as a layer": dict(net=cr.Chain(cr.Dense(4), lambda z: z * 2, cr.Dense(1))),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_silently(name):
    given = ACCEPTED[name]
    run = fit(**given)
    x = given.get("x", X)
    assert len(run.predict(x)) == 24
    assert np.isfinite(run.history["loss"]).all()


def test_a_read_only_memmap_is_accepted(tmp_path):
    np.save(tmp_path / "x.npy", X)
    assert fit(x=np.load(tmp_path / "x.npy", mmap_mode="r")).predict(X).shape == (24,)


WARNED = {
    "features of unlike scales": (dict(x=X * [1, 1e4, 1]), "Features range from .* Put cr.Standardize"),
    "a large y": (dict(y=Y * 1e4, optimizer=cr.adam()), "y reaches"),
    "whole numbers of bytes": (dict(x=(X * 40 + 128).astype(np.uint8)), "Features reach"),
    "a constant feature": (dict(x=at(X, (slice(None), 1), 2.0)), "same value in every row"),
    "batch_size > n": (dict(batch_size=1000), "batch_size=1000 is more than the 24"),
    "duplicates across the split": (
        dict(x=np.tile(X[:4], (6, 1)), y=np.tile(Y[:4], 6), validation=0.25),
        "held-out rows occur in the training",
    ),
}


@pytest.mark.parametrize("name", WARNED)
def test_accepted_with_one_warning(name):
    given, said = WARNED[name]
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        fit(**given)
    texts = [str(w.message) for w in seen]
    assert len(texts) == 1 and issubclass(seen[0].category, cr.ChainruleWarning), texts
    with pytest.warns(cr.ChainruleWarning, match=said):
        fit(**given)


def test_predictions_keep_the_labels_own_type():
    words = fit(CLASSES, y=np.where(CODES, "yes", "no"))
    assert set(words.predict(X)) <= {"yes", "no"} and words.classes_ == ["no", "yes"]
    numbers = fit(CLASSES, y=CODES + 5)
    assert set(numbers.predict(X).tolist()) <= {5, 6}
    assert fit(CLASSES, y=CODES.astype(bool)).predict(X).dtype == bool
    proba = words.predict_proba(X)
    assert proba.shape == (24, 2) and np.allclose(proba.sum(axis=1), 1, atol=1e-6)


PREDICTION = {
    "other features": (lambda run: run.predict(X[:, :2]), cr.ShapeError, r"\(3,\).*\(2,\)"),
    "NaN": (lambda run: run.predict(at(X, (0, 0), np.nan)), cr.DataError, "nan"),
    "no probabilities of numbers": (lambda run: run.predict_proba(X), cr.DataError, "no probabilities"),
    "no classes of numbers": (lambda run: run.classes_, cr.DataError, "no classes"),
    "targets missing": (lambda run: run.evaluate(X), cr.DataError, "y is missing"),
    "lengths differ": (lambda run: run.evaluate(X, Y[:3]), cr.DataError, "24 rows and y has 3"),
    "NaN in y": (lambda run: run.evaluate(X, at(Y, 0, np.nan)), cr.DataError, "nan"),
}


@pytest.mark.parametrize("name", PREDICTION)
def test_predictions_refuse(name):
    act, kind, said = PREDICTION[name]
    with pytest.raises(kind, match=said):
        act(fit())


def test_one_row_can_be_learned():
    assert fit(x=X[:1], y=Y[:1], batch_size=1).predict(X[:1]).shape == (1,)


def test_rows_sorted_by_class_are_shuffled():
    from chainrule.train.materials import from_arrays

    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    x = x[np.argsort(x[:, 0])]
    codes = (x[:, 0] > 0).astype(int)
    run = fit(CLASSES, x, codes, validation=0.25, epochs=30, optimizer=cr.adam(0.05))
    assert run.history["val_accuracy"][-1] > 0.8
    held = from_arrays(run.design, x, codes).held
    assert held is not None and np.bincount(held.y).min() > 10 and len(held.y) == 50


def test_a_class_with_one_member_stays_in_training():
    y = at(CODES, 0, 2)
    run = fit(cr.Chain(cr.Dense(3)), X, y, validation=0.25)
    assert run.classes_ == [0, 1, 2]


def test_unlike_scales_do_not_break():
    with pytest.warns(cr.ChainruleWarning, match="Features range"):
        run = fit(x=X * [1e4, 1e-8, 1], optimizer=cr.adam(1e-3))
    assert np.isfinite(run.predict(X)).all()


def test_standardize_in_front_silences_the_warning():
    run = fit(cr.Chain(cr.Standardize(), cr.Dense(1)), X * [1e8, 1e-8, 1], Y, epochs=100, optimizer=cr.adam(0.05))
    assert run.history["loss"][-1] < 0.1 * run.history["loss"][0]


def test_a_huge_number_never_gives_a_model_that_is_not_finite():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.ChainruleWarning)
        try:
            run = fit(x=at(X, (0, 0), 1e30))
        except cr.ChainruleError as error:
            assert "Scale the inputs" in str(error)
        else:
            assert np.isfinite(run.params[0]["W"]).all()


def test_images_with_their_axes_in_another_order_are_refused():
    images = RNG.normal(size=(24, 4, 4, 3)).astype(np.float32)
    run = fit(cr.Chain(cr.Flatten(), cr.Dense(1)), images, Y)
    with pytest.raises(cr.ShapeError, match=r"\(4, 4, 3\).*\(3, 4, 4\)"):
        run.predict(images.transpose(0, 3, 1, 2))


def test_weights_of_another_network_with_the_same_shapes_are_refused(tmp_path):
    one, other = tmp_path / "one.safetensors", tmp_path / "other.safetensors"
    fit(seed=0).save(one)
    fit(cr.Chain(cr.identity, cr.Dense(1)), seed=1).save(other)
    mine, theirs = one.read_bytes(), other.read_bytes()
    tail = 16  # the last array: the weights, 3 numbers and a bit of what stands before them
    one.write_bytes(mine[:-tail] + theirs[-tail:])
    assert mine[-tail:] != theirs[-tail:]
    with pytest.raises(cr.LoadError):
        cr.load(one)
