"""The report says what is true of the rows that it names, is one safe file, and is honest about what was not shown."""

import html
import re
import warnings
from html.parser import HTMLParser

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.app import run as command
from chainrule.data.table import Table
from chainrule.maths.estimates import wilson
from chainrule.reports import charts, slices
from chainrule.reports.abstention import abstention
from chainrule.reports.answers import Answers
from chainrule.reports.calibration import binned
from chainrule.reports.columns import data
from chainrule.reports.coverage import measured
from chainrule.reports.errors import confusion
from chainrule.reports.facts import facts
from chainrule.reports.layers import activations
from chainrule.reports.markup import Html, safe, table, tag
from chainrule.reports.scale import Axis, axis
from chainrule.reports.verdict import paragraph_of, summary
from chainrule.trace.taps import taps
from chainrule.train.materials import from_table

NASTY = '<script>alert("x")</script>'
VOID = {"meta", "path", "rect", "circle", "wbr", "br", "line", "mspace"}


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.ChainruleWarning)
        yield


@pytest.fixture(scope="module")
def tumors():
    return trained("breast_cancer", epochs=8)


@pytest.fixture(scope="module")
def patients():
    return trained("diabetes", epochs=8)


def trained(data, target=None, **said):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.ChainruleWarning)
        design = cr.design(data, target, test=0.2, **({"ensemble": 2, "epochs": 8} | said))
        return cr.fit(design, data, ensemble=2, validation="cross")


class Reader(HTMLParser):
    """Sees that every element ends where it should, and what is linked."""

    def __init__(self, page):
        super().__init__()
        self.open, self.names, self.links, self.seen = [], set(), [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.seen.append((tag, found))
        if "id" in found:
            assert found["id"] not in self.names, f"{found['id']} names two elements"
            self.names.add(found["id"])
        self.links += [v for k, v in attrs if k in ("href", "src", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def words(part):
    """The text of a part of a page."""
    return html.unescape(re.sub(r"<[^>]*>", " ", part)).replace("\u202f", " ")


# One safe file


def test_a_page_is_well_formed_offline_and_without_scripts(tumors, tmp_path):
    page = cr.report(tumors, path=tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    read = Reader(page)
    assert all(link.startswith("#") and link[1:] in read.names for link in read.links)
    assert "script" not in {name for name, _ in read.seen} and "@import" not in page and "url(" not in page
    for begin in re.finditer(r"<svg[^>]*>", page):
        assert 'role="img"' in begin[0] and page.startswith("<title>", begin.end())
    titles = re.findall(r'<section id="(\w+)">', page)
    assert {"scores", "errors", "calibration", "coverage", "abstaining", "importance", "hardest", "curves"} <= set(
        titles
    )
    assert {"layers", "design", "data", "equations", "reproduce"} <= set(titles)


def test_texts_of_the_data_are_escaped():
    random = np.random.default_rng(0)
    kind = np.array([NASTY, "b & c", 'd"e'], object)[random.integers(0, 3, 90)]
    size = random.normal(size=90)
    label = np.where(size + 0.3 * random.normal(size=90) > 0, NASTY, "no")
    rows = {f"kind {NASTY}": kind.tolist(), "a<b": size.tolist(), f"label{NASTY}": label.tolist()}
    page = cr.report(trained(rows, f"label{NASTY}", epochs=2))
    Reader(page)
    assert "<script" not in page and "&lt;script&gt;" in page


def test_text_is_escaped_and_html_is_not():
    assert safe("<b>") == "&lt;b&gt;" and safe(Html("<b>")) == "<b>"
    assert tag("a", "<", href='"#') == '<a href="&quot;#">&lt;</a>'
    assert "<td>&lt;i&gt;</td>" in table(["a", "b"], [["x", "<i>"]])


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda X: (net(2), X, X[:, :2], {}), id="two targets"),
        pytest.param(
            lambda X: (net(2), X, (X[:, :2] > 0).astype(float), {"loss": "binary_cross_entropy"}), id="labels"
        ),
        pytest.param(
            lambda X: (net(1), X, (X[:, 0] > 0).astype(int), {"loss": "binary_cross_entropy"}), id="one logit"
        ),
        pytest.param(lambda X: (net(1), X, X[:, 0], {"loss": lambda z, y: jnp.abs(z - y).mean(-1)}), id="own loss"),
        pytest.param(lambda X: (net(1), X, X[:, 0], {"validation": (X[:30], X[:30, 0])}), id="validation given"),
        pytest.param(lambda X: (flat(), X.reshape(-1, 2, 2), (X[:, 0] > 0).astype(int), {}), id="images"),
        pytest.param(lambda X: (joined(), {"a": X[:, :2], "b": X[:, 2:]}, X[:, 0], {}), id="two inputs"),
        pytest.param(lambda X: (net(2), X, X[:, 0], {"loss": "gaussian_nll"}), id="mean and variance"),
    ],
)
def test_every_kind_of_run_has_a_page(made):
    X = np.random.default_rng(1).normal(size=(80, 4)).astype(np.float32)
    network, x, y, more = made(X)
    Reader(cr.report(cr.fit(network, x, y, epochs=2, **more)))


def net(outputs):
    return cr.Chain(cr.Dense(4), cr.relu, cr.Dense(outputs))


def flat():
    return cr.Chain(cr.Flatten(), cr.Dense(2))


def joined():
    return cr.Chain(cr.Concatenate(), cr.Dense(1))


# Which rows


def test_the_rows_are_those_of_the_test(tumors):
    found = facts(tumors)
    cut = from_table(tumors.design, "breast_cancer", fitted=True)
    assert found.rows.trust == "test" and found.rows.rows == len(cut.test[1])
    assert found.scores["accuracy"] == pytest.approx(tumors.scores["accuracy"])
    assert found.scores["log_loss"] == pytest.approx(tumors.scores["log_loss"], abs=1e-6)
    whole = Table.of("breast_cancer")
    for i in (0, 7):
        row = int(found.rows.where(i)) - 1
        assert whole["mean radius"][row] == found.rows.table["mean radius"][i]


def test_a_loaded_run_has_the_same_page(tumors, tmp_path):
    tumors.save(tmp_path / "run.safetensors")
    assert cr.report(cr.load(tmp_path / "run.safetensors")) == cr.report(tumors)


def test_without_a_test_each_row_is_answered_by_the_network_that_left_it_out():
    design = cr.design("iris", ensemble=3, epochs=4)
    run = cr.fit(design, "iris", ensemble=3, validation="cross")
    found = facts(run)
    member = found.rows.member
    assert found.rows.trust == "left out" and found.rows.rows == 150 and member is not None
    z = run.outputs("iris")[member, np.arange(150)]
    assert np.array_equal(found.answers.values.argmax(axis=1), z.argmax(axis=1))
    for lesson in found.rows.lessons:
        others = np.flatnonzero(member != member[lesson.asked[0]])
        assert set(member[lesson.asked]) == {member[lesson.asked[0]]}
        assert np.array_equal(lesson.x, run.design.encoder.encode(Table.of("iris").take(others)))
    assert "a little worse" in paragraph_of(found)


def test_rows_held_out_for_validation_are_as_they_came():
    run = cr.fit(cr.design("iris", ensemble=1, epochs=3), "iris", ensemble=1, validation=0.2)
    found = facts(run)
    assert found.rows.trust == "left out"
    assert np.array_equal(run.design.encoder.encode(found.rows.inputs), run.left_out[1].x)


def test_rows_that_were_learned_are_said_to_be_too_good():
    X = np.random.default_rng(2).normal(size=(60, 3))
    found = facts(cr.fit(net(1), X, X[:, 0], epochs=2, validation=None))
    assert found.rows.trust == "learned" and "too good" in paragraph_of(found)
    assert summary(found)[1] == "other"


def test_new_rows_are_examined_as_they_are(tumors):
    new = Table.of("breast_cancer").take(np.arange(200))
    found = facts(tumors, new)
    assert found.rows.rows == 200 and found.rows.trust == "test" and not found.others
    assert cr.report(tumors, new.drop("diagnosis"), new["diagnosis"]) == cr.report(tumors, new)


def test_absent_data_and_other_faults_say_what_to_do(tmp_path):
    X = np.random.default_rng(3).normal(size=(40, 2))
    cr.fit(net(1), X, X[:, 0], epochs=1).save(tmp_path / "run.safetensors")
    loaded = cr.load(tmp_path / "run.safetensors")
    with pytest.raises(cr.DataError, match=r"cr\.report\(run, X, y\)"):
        cr.report(loaded)
    with pytest.raises(cr.DataError, match="y is missing"):
        cr.report(loaded, X)
    assert facts(loaded, X, X[:, 0]).rows.trust == "left out"
    with pytest.raises(cr.LoadError, match="cannot be written"):
        cr.report(loaded, X, X[:, 0], path=tmp_path / "no" / "page.html")
    with pytest.raises(cr.DataError, match="a run is expected"):
        cr.report(net(1))


def test_a_file_that_changed_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [f"{i},{i % 7},{2 * i + i % 7}" for i in range(60)]
    (tmp_path / "t.csv").write_text("a,b,y\n" + "\n".join(lines))
    run = trained("t.csv", "y", epochs=1)
    run.save("run.safetensors")
    cr.report(cr.load("run.safetensors"))
    (tmp_path / "t.csv").write_text("a,b,y\n" + "\n".join(lines[1:]))
    with pytest.raises(cr.DataError, match="holds other data now"):
        cr.report(cr.load("run.safetensors"))


# Verdicts


@pytest.mark.parametrize(
    ("law", "word"),
    [
        (lambda X, e: X[:, 0] + 0.5 * X[:, 1] + e, ("other", "bad")),
        (lambda X, e: np.sign(X[:, 0] * X[:, 1]) + 0.1 * e, ("good",)),
        (lambda X, e: e, ("bad",)),
    ],
    ids=["linear", "product", "noise"],
)
def test_the_verdict_is_honest(law, word):
    random = np.random.default_rng(4)
    X = random.normal(size=(600, 2))
    rows = {"a": X[:, 0], "b": X[:, 1], "y": law(X, random.normal(size=600))}
    found = facts(trained(rows, "y", epochs=40))
    said, kind = summary(found)
    assert kind in word, said
    if kind == "bad" and "Nothing" in said:
        assert "no difference is shown" in paragraph_of(found) or "better than the network" in paragraph_of(found)


def test_gains_are_paired_differences(patients):
    found = facts(patients)
    ridge = found.gains[-1]
    less = found.others["ridge"].wrong - found.answers.wrong
    assert ridge.model == "ridge" and ridge.value == pytest.approx(less.mean())
    assert ridge.high - ridge.value == pytest.approx(1.96 * less.std() / np.sqrt(len(less)), rel=1e-3)
    assert found.scores.baselines["ridge"]["mae"] == pytest.approx(found.others["ridge"].wrong.mean())


# Sections


def test_the_confusion_counts_every_row(tumors):
    told = facts(tumors).answers
    cells = [int(n) for n in re.findall(r"<span [^>]*>(\d+)</span>", confusion(told))]
    expected = [[((told.truth == i) & (told.values.argmax(1) == j)).sum() for j in (0, 1)] for i in (0, 1)]
    assert cells == np.ravel(expected).tolist()


def test_coverage_is_counted(patients):
    found = facts(patients)
    hits, width = measured(found, 0.8)
    lower, upper = patients.predict_interval(found.rows.inputs, 0.8)
    truth = found.answers.truth[:, 0]
    assert hits == np.sum((lower <= truth) & (truth <= upper)) and width == pytest.approx(np.median(upper - lower))


def test_abstaining_orders_by_confidence(tumors):
    found = facts(tumors)
    sure = tumors.predict_proba(found.rows.inputs).max(axis=1)
    kept = np.argsort(-sure, kind="stable")[: round(0.8 * len(sure))]
    expected = 1 - found.answers.wrong[kept].mean()
    row = re.search(r"<tr><th[^>]*>80 %.*?</tr>", abstention(found).replace("\u202f", " "))
    assert row is not None and f"{100 * expected:.1f}".replace("100.0", "100") + " %" in words(row[0])


def test_groups_of_the_reliability_diagram_hold_every_row_once():
    random = np.random.default_rng(5)
    sure = random.uniform(0.5, 1, 1000)
    right = random.uniform(size=1000) < sure
    x, y, low, high, weight = binned(sure, right)
    assert weight.sum() == pytest.approx(1) and weight @ x == pytest.approx(sure.mean())
    assert weight @ y == pytest.approx(right.mean()) and ((low <= x) & (x <= high)).sum() >= 8
    assert np.all(np.diff(x) > 0)


def test_importance_finds_what_matters_and_not_what_does_not():
    random = np.random.default_rng(6)
    X = random.normal(size=(800, 3))
    rows = {"strong": X[:, 0], "weak": X[:, 1], "none": X[:, 2], "y": 3 * X[:, 0] + X[:, 1]}
    found = facts(trained(rows, "y", epochs=20)).importance
    assert [one.name for one in found] == ["strong", "weak", "none"]
    strong, weak, none = found
    assert strong.low > weak.high and weak.low > 0 and none.high < weak.low
    # Shuffling a normal column of slope b moves an answer by b times the difference of two draws: 2 b / sqrt(pi).
    assert strong.value == pytest.approx(3 * 2 / np.sqrt(np.pi), rel=0.25)


def test_a_bad_slice_is_found_and_chance_is_not_reported():
    random = np.random.default_rng(7)
    false_alarms = 0
    for _ in range(40):
        wrong = random.uniform(size=300) < 0.2
        told = answers_wrong_at(wrong)
        columns = {f"c{j}": random.normal(size=300) for j in range(6)}
        every = [s for name, v in columns.items() for s in slices.of_column(name, v, told)]
        assert len(every) == 24
        false_alarms += any(s.p < slices.LEVEL for s in slices.holm(every))
    assert false_alarms <= 6  # 40 times at most 5 %: more than 6 come once in 3,000
    kind = np.array(["a", "b"], object)[(np.arange(300) < 60).astype(int)]
    told = answers_wrong_at(random.uniform(size=300) < np.where(kind == "b", 0.7, 0.1))
    found = slices.holm(list(slices.of_column("kind", kind, told)))
    worst = min(found, key=lambda s: s.p)
    assert worst.name == "kind = b" and worst.p < 1e-6 and worst.rows == 60
    e = wilson(told.wrong[kind == "b"].sum(), 60)
    assert (worst.wrong, worst.low, worst.high) == pytest.approx((e.value, e.low, e.high))


def answers_wrong_at(wrong):
    truth = np.zeros(len(wrong), int)
    return Answers("classes", truth, np.eye(2)[np.asarray(wrong, int)], ("a", "b"))


def test_holm_is_holm():
    found = [slices.Slice("", 10, 0, 0, 0, 0, p) for p in (0.03, 0.01, 0.04, 0.5)]
    assert [round(s.p, 6) for s in slices.holm(found)] == [0.04, 0.09, 0.09, 0.5]


def test_slices_part_the_rows():
    values = np.r_[np.arange(98.0), np.nan, np.nan]
    inside = np.stack([rows for _, rows in slices.parts("x", values)])
    assert np.all(inside.sum(axis=0) == 1)
    few = np.stack([rows for _, rows in slices.parts("x", np.r_[0.0, 1, 1, np.nan])])
    assert few.sum(axis=1).tolist() == [1, 2, 1]


def test_the_hardest_rows_come_first(patients):
    found = facts(patients)
    page = cr.report(patients)
    rows = re.findall(r"<tr><th[^>]*>(\d+)</th>", page[page.index('id="hardest"') : page.index('id="curves"')])
    order = np.argsort(-np.abs(found.answers.truth - found.answers.values)[:, 0])[: len(rows)]
    assert rows == [found.rows.where(int(i)) for i in order] and len(rows) == 10


def test_columns_say_what_is_missing(tmp_path):
    rows = {"a": [1.0, None, 3.0] * 20, "b": ["x", "y", None] * 20, "y": [float(i % 5) for i in range(60)]}
    said = words(data(facts(cr.fit(cr.design(rows, "y", ensemble=1, epochs=1), rows, ensemble=1))))
    assert "20 (33.3 %)" in said and "x 50.0 %, y 50.0 %" in said and "1 to 3, median 2" in said


def test_activations_are_those_of_the_layers():
    random = np.random.default_rng(8)
    X = random.normal(size=(50, 3)).astype(np.float32)
    run = cr.fit(cr.Chain(cr.Dense(4), cr.relu, cr.Dense(1)), X, X[:, 0], epochs=1, validation=None)
    W, b = run.params[0]["W"], run.params[0]["b"] - np.array([0, 0, 0, 100], np.float32)
    dead = type(run)(run.design, ({"W": W, "b": b}, *run.params[1:]), run.history, run.record, data=run.data)
    hidden = taps(run.design.network, dead.params, X)
    np.testing.assert_allclose(hidden["1:relu"], np.maximum(X @ W + b, 0), rtol=1e-5, atol=1e-6)
    row = re.search(r"<tr><th[^>]*>1:relu.*?</tr>", activations(dead, facts(dead).rows))
    assert row is not None and "25.0 %" in words(row[0])


def test_taps_reach_into_containers_and_compile():
    network = cr.Chain(cr.Residual(cr.Chain(cr.Dense(2), cr.tanh)), cr.Dense(1))
    x = jnp.ones((3, 2))
    p = network.init(jax.random.key(0), x)
    found = jax.jit(lambda p, x: taps(network, p, x))(p, x)
    assert "1:Dense" in found and any(name.endswith("1:tanh") for name in found)
    np.testing.assert_allclose(found["1:Dense"], network(p, x), rtol=1e-6)


# Charts


def test_marks_stand_where_the_axes_say():
    x, y = Axis("x", 0, 10), Axis("y", 0, 1)
    drawn = charts.chart("t", x, y, [charts.Line([0, 10], [0, 1])])
    left, right = charts.LEFT, charts.WIDTH - charts.RIGHT
    bottom, top = charts.HEIGHT - charts.BOTTOM, charts.TOP
    assert f"M{left:.1f} {bottom:.1f}L{right:.1f} {top:.1f}" in drawn
    gap = charts.chart("t", x, y, [charts.Line([0, 5, 10], [0, np.nan, 1])])
    assert re.search(r'class="line c1" d="M[^L"]*M[^L"]*"', gap)


@pytest.mark.parametrize("low, high", [(0, 1), (-3e5, 5e5), (0.0012, 0.0013), (1e-9, 2e-9), (-1, -0.5), (2, 9e12)])
def test_ticks_are_few_round_and_inside(low, high):
    ticks = Axis("", low, high).ticks
    values = [v for v, _ in ticks]
    assert 2 <= len(ticks) <= 7 and len({text for _, text in ticks}) == len(ticks)
    assert all(low - 1e-6 * (high - low) <= v <= high + 1e-6 * (high - low) for v in values)


def test_a_logarithmic_axis_needs_positive_numbers_of_many_sizes():
    assert axis("", [0.01, 5], log=True).log
    assert not axis("", [1, 5], log=True).log and not axis("", [0.0, 5], log=True).log
    assert Axis("", 0.01, 100, log=True).place([0.01, 1, 100]).tolist() == pytest.approx([0, 0.5, 1])
    flat = axis("", [3, 3])
    assert flat.low < 3 < flat.high and axis("", [np.nan]).low == 0


def test_text_in_charts_is_escaped():
    drawn = charts.chart(NASTY, Axis(NASTY, 0, 1), Axis("y", 0, 1), [charts.Points([0], [0], NASTY)], NASTY)
    assert "<script" not in drawn and drawn.count("&lt;script&gt;") >= 5


# Notebooks and the command line


def test_a_notebook_shows_scores_and_curves(tumors):
    shown = tumors._repr_html_()
    Reader(shown)
    assert "Loss over training" in shown and f"{tumors.scores['accuracy']:.3f}" in shown and "<html" not in shown


def test_the_command_writes_the_page(tumors, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tumors.save("run.safetensors")
    assert command(["report", "run.safetensors"]) == 0
    assert (tmp_path / "run.html").read_text(encoding="utf-8") == cr.report(tumors)
    assert "run.html" in capsys.readouterr().out
    assert command(["report", "run.safetensors", "--data", "breast_cancer", "-o", "b.html", "--json"]) == 0
    assert '"output": "b.html"' in capsys.readouterr().out and (tmp_path / "b.html").is_file()
    assert command(["report", "run.safetensors", "--no-header"]) == 2


def test_fit_ends_with_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command(["fit", "iris", "--epochs", "2", "--ensemble", "1", "--out", "here"]) == 0
    assert "here/report.html" in " ".join(capsys.readouterr().out.split())
    assert "A run that predicts species" in (tmp_path / "here" / "report.html").read_text(encoding="utf-8")
