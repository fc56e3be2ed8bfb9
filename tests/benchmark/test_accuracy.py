"""`arise benchmark accuracy`: the structures, the scoring, resuming, the reports and bad input."""

import csv
import importlib.metadata
import json
import multiprocessing
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import arise_core as arise
from arise_cli.main import app
from arise_core.benchmark import accuracy, bayes, report
from arise_core.benchmark.accuracy import AccuracySettings, Row
from arise_core.benchmark.methods import AriseModel, Sample, baselines
from arise_core.benchmark.structures import (
    BOTH,
    COLUMNS,
    DISPLACEMENTS,
    MISSING,
    PRISTINE,
    Column,
    cases,
    column,
    labels_of,
)
from arise_core.geometry.builders import nearest_neighbour_distance
from arise_core.runtime import ledger
from arise_core.runtime.files import zoo_root

ALL = labels_of([])
FEW = labels_of(["fcc", "L1_2", "graphene", "nanotube (3,3)"])
LOCAL = ("ptm", "cna", "a-cna", "ackland-jones")


# --- structures ---------------------------------------------------------------------------------------------


def test_columns_are_those_of_the_paper():
    assert len(DISPLACEMENTS) == len(BOTH) == 7
    assert len(MISSING) == 6
    assert len({c.name for c in COLUMNS}) == len(COLUMNS) == 21
    assert all(column(c.name) is c for c in COLUMNS)
    assert [c.name for c in (PRISTINE, DISPLACEMENTS[0], MISSING[3], BOTH[-1])] == [
        "pristine", "delta-0.1", "eta-20", "eta-30-delta-10",
    ]  # fmt: skip
    for row in report.published().values():
        assert list(row) == [c.name for c in COLUMNS]
        assert all(0 <= value <= 100 for value in row.values())


def test_as_many_structures_as_in_the_paper():
    """588 a draw and column (5,880 in ten draws); 396 pristine ones."""
    made = cases(column("eta-1"), 0, 0, ALL)
    assert len(made) == 588
    assert Counter(c.form for c in made) == {"periodic": 288, "open": 300}
    pristine = cases(PRISTINE, 0, 0, ALL)
    assert Counter((c.form, c.in_data_set) for c in pristine) == {
        ("unit", True): 96, ("open", True): 300, ("periodic", False): 96,
    }  # fmt: skip
    expected = [(label, len(s)) for label, s in arise_pristine()]
    assert [(c.label, len(c.structure)) for c in pristine if c.in_data_set] == expected


def arise_pristine():
    from arise_core.crystals.ideal import pristine

    return list(pristine())


@pytest.mark.parametrize("kind", [column("delta-4"), column("eta-20"), column("eta-30-delta-10")], ids=str)
def test_defects_are_as_strong_as_stated(kind):
    ideal = {
        (c.label, c.form, c.size): c.structure for c in cases(Column(0, 1e-9), 0, 0, FEW)
    }  # atoms in the same order, displacements far below every tolerance
    for case in cases(kind, 3, 0, FEW):
        whole = ideal[case.label, case.form, case.size]
        assert len(case.structure) == len(whole) - round(kind.missing / 100 * len(whole))
        assert (case.structure.pbc == whole.pbc).all()
        reach = kind.displacement / 100 * nearest_neighbour_distance(whole)
        moves = []
        for position in case.structure.positions:
            move = position - whole.positions
            moves.append(move[np.argmin(np.linalg.norm(move, axis=1))])
        largest = np.abs(moves).max()
        assert largest <= reach + 1e-6
        assert largest > 0.95 * reach - 1e-6  # hundreds of uniform numbers


def test_structures_depend_on_seed_draw_and_column_only():
    one = cases(column("delta-4"), 1, 0, FEW)
    again = cases(column("delta-4"), 1, 0, FEW[1:])
    for a, b in zip([c for c in one if c.label != FEW[0]], again, strict=True):
        np.testing.assert_array_equal(a.structure.positions, b.structure.positions)
    for other in (cases(column("delta-4"), 2, 0, FEW), cases(column("delta-4"), 1, 1, FEW)):
        assert all(np.abs(a.structure.positions - b.structure.positions).max() > 0.01
                   for a, b in zip(one, other, strict=True))  # fmt: skip


# --- methods ------------------------------------------------------------------------------------------------


def test_ovitos_methods_know_the_pristine_classes():
    """The paper: all right, but for CNA, whose cut-off of 3.2 Å is too short for hcp: 250 of 378 atoms."""
    methods = baselines()
    assert [len(methods[name].right_answers) for name in LOCAL] == [12, 3, 3, 3]
    for name in LOCAL:
        method = methods[name]
        made = [c for c in cases(PRISTINE, 0, 0, tuple(method.right_answers)) if c.form == "periodic"]
        rows = [
            (a.found == method.right_answers[c.label], a.count)
            for c, answers in zip(made, method.answers([Sample(c.structure) for c in made]), strict=True)
            for a in answers
        ]
        assert sum(n for _, n in rows) == sum(len(c.structure) for c in made)
        wrong = sum(n for right, n in rows if not right)
        assert wrong == (128 if name == "cna" else 0)


def test_spglib_finds_space_groups():
    methods = baselines()
    loose, tight = methods["spglib-loose"], methods["spglib-tight"]
    assert len(loose.right_answers) == 38
    fcc = labels_of(["fcc"])
    ideal, moved = (
        [Sample(c.structure) for c in cases(kind, 0, 0, fcc) if c.form == "periodic"][:1]
        for kind in (PRISTINE, column("delta-0.1"))
    )
    assert [m.answers(ideal)[0][0].found for m in (loose, tight)] == ["225", "225"]
    assert loose.answers(moved)[0][0].found == "225"
    assert tight.answers(moved)[0][0].found != "225"


def test_naive_bayes_learns_what_it_was_shown(tmp_path):
    """Fitted to made-up features of which every class has its own sign pattern, it names the class."""
    labels = [label for label, _ in arise_pristine()]
    n_features = arise.DescriptorSettings.paper().n_features
    rng = np.random.default_rng(0)
    patterns = {label: rng.choice([-1.0, 1.0], n_features) for label in ALL}
    shown = np.array([[patterns[label]] * 2 for label in labels]) + rng.normal(0, 0.1, (396, 2, n_features))
    np.save(tmp_path / "f.npy", shown)

    class Given(Sample):
        def features(self, settings):
            assert settings == arise.DescriptorSettings.paper()
            return self.structure

    for name in bayes.TITLES:
        method = bayes.NaiveBayes(name, tmp_path / "f.npy")
        said = method.answers([Given(patterns[label]) for label in FEW])
        assert [a[0].found for a in said] == list(FEW)
        assert all(0.9 < a[0].confidence <= 1 + 1e-9 for a in said)


def test_naive_bayes_training_samples():
    chunks = bayes.training_chunks()
    assert [i for chunk in chunks for i in chunk] == list(range(396))
    features = bayes.training_features(range(1))
    assert features.shape == (1, len(bayes.VARIANTS), arise.DescriptorSettings.paper().n_features)
    assert np.isfinite(features).all()


# --- scoring ------------------------------------------------------------------------------------------------


def row(
    right, count=1, confidence=0.9, rejected=False, label="fcc_Cu_A_cF4_225_a", found="bcc_W_A_cI2_229_a"
):
    return Row("m", label, "open", 0, label if right else found, count, right, confidence, rejected)


def test_score_counts_structures_or_atoms():
    s = report.score([row(True, 90), row(False, 10), row(True, 20, rejected=True)])
    assert (s.right, s.total, s.rejected) == (110, 120, 20)
    assert s.accuracy == pytest.approx(100 * 110 / 120)
    assert np.isnan(report.score([]).accuracy)


def test_calibration_error_by_hand():
    """Ten answers at 0.95 of which eight are right, ten at 0.55 of which six are: mean gap 0.10."""
    rows = [row(k < 8, confidence=0.95) for k in range(10)] + [row(k < 6, confidence=0.55) for k in range(10)]
    curve = report.reliability(rows)
    assert curve.count.sum() == 20
    assert curve.error == pytest.approx((0.15 + 0.05) / 2)
    perfect = report.reliability([row(True, confidence=1.0)] * 5)
    assert perfect.error == 0
    assert perfect.count[-1] == 5


# --- runs ---------------------------------------------------------------------------------------------------

SMALL = AccuracySettings(
    methods=("ptm", "a-cna", "spglib-tight"),
    classes=FEW,
    columns=("pristine", "delta-4", "eta-20"),
    passes=10,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("accuracy")
    return out, accuracy.run(SMALL, out, workers=1)


def test_results_of_a_run(finished):
    out, results = finished
    assert [m.name for m in results.methods] == ["spglib-tight", "ptm", "a-cna", "arise-108"]
    scores = {
        (m.name, c.name): report.score(r for r in rows if r.method == m.name)
        for m in results.methods
        for c, rows in results.rows.items()
    }
    assert scores["arise-108", "pristine"].total == 3 * 4 + 1
    assert scores["arise-108", "delta-4"].total == 3 * 6 + 1
    assert scores["arise-108", "pristine"].accuracy == 100
    assert scores["arise-108", "eta-20"].accuracy > 90
    assert scores["ptm", "delta-4"].accuracy == 100
    assert scores["ptm", "eta-20"].accuracy < 20
    assert scores["spglib-tight", "pristine"].accuracy == 100
    assert scores["spglib-tight", "delta-4"].accuracy == 0
    assert sorted(p.name for p in (out / "parts").iterdir()) == [
        "delta-4-draw-0.csv", "eta-20-draw-0.csv", "pristine.csv",
    ]  # fmt: skip


def test_reports(finished, tmp_path):
    _, results = finished
    paths = report.write_report(results, tmp_path / "r")
    assert all(p.is_file() for p in paths)
    assert {p.name for p in paths} == {p.name for p in (tmp_path / "r").iterdir()}
    text = " ".join(paths[0].read_text(encoding="utf-8").split())  # without what aligns the columns
    assert "| PTM (12) | 100 | 100 |" in text
    assert "| *published* | *100* | *99.29* | *99.85* |" in text
    assert "expected calibration error" in text
    with open(paths[1], newline="", encoding="utf-8") as stream:
        table = {(r["method"], r["column"]): r for r in csv.DictReader(stream)}
    assert len(table) == 4 * 3
    assert table["arise-108", "delta-4"]["published_percent"] == "99.29"
    assert "--column delta-4 --column eta-20 --passes 10" in text
    assert paths[2].read_text(encoding="utf-8").startswith("method,column,class,found,count\n")


def test_figures_go_into_the_card(finished, tmp_path):
    """Weights and everything else of the card stay; a run of some classes or columns is refused."""
    _, results = finished
    copy = tmp_path / "model"
    shutil.copytree(zoo_root() / "arise-108", copy)
    whole = replace(results.settings, classes=(), columns=())
    methods = [AriseModel(arise.load_model(copy), whole.passes)]
    before = arise.load_model("arise-108")
    assert report.record(replace(results, settings=whole, methods=methods)) == [copy / "model.safetensors"]
    after = arise.load_model(copy)
    assert arise.load_model(copy / "model.pt").card == after.card  # TorchScript has the same card inside
    assert json.loads((copy / "card.json").read_text()) == json.loads(after.card.to_json())
    columns = after.card.accuracy["defects"]["columns"]
    assert columns["pristine"] == {"accuracy_percent": 100.0, "rejected_percent": 0.0}
    assert list(columns) == ["pristine", "delta-4", "eta-20"]
    noisy = [r for c, rows in results.rows.items() if c for r in rows if r.method == "arise-108"]
    calibration = after.card.accuracy["calibration"]
    assert calibration["expected_calibration_error"] == pytest.approx(
        report.reliability(noisy).error, abs=1e-5
    )
    assert sum(b["structures"] for b in calibration["reliability"]) == len(noisy)
    assert replace(after.card, accuracy={}) == replace(before.card, accuracy={})
    x = np.random.default_rng(0).random((5, before.descriptor.n_features), dtype=np.float32)
    assert np.array_equal(before.predict(x).probabilities, after.predict(x).probabilities)
    with pytest.raises(ValueError, match="`classes` must be left out to record the figures in a card"):
        report.record(results)


def test_list_of_confusions():
    rows = [row(True), row(False), row(False), row(False, found="CsCl")]
    table = list(report.confusions({"m": {column("delta-4"): rows, PRISTINE: [row(True)]}}))
    assert table == [
        ("m", "delta-4", "fcc_Cu_A_cF4_225_a", "CsCl", 1),
        ("m", "delta-4", "fcc_Cu_A_cF4_225_a", "bcc_W_A_cI2_229_a", 2),
    ]


def test_resumed_run_gives_the_same(finished, tmp_path, monkeypatch):
    """Stopped after one part, with rubbish of a killed process left behind; draws are added, not redone."""
    settings = AccuracySettings(
        methods=("a-cna",), classes=("fcc", "graphene"), columns=("delta-4", "eta-20"), passes=10
    )
    whole = accuracy.run(settings, tmp_path / "whole", workers=1)
    real = accuracy.compute_part
    calls = []

    def counted(plan, part):
        if len(calls) == 1:
            raise KeyboardInterrupt
        calls.append(part)
        return real(plan, part)

    monkeypatch.setattr(accuracy, "compute_part", counted)
    with pytest.raises(KeyboardInterrupt):
        accuracy.run(settings, tmp_path / "cut", workers=1)
    kept = tmp_path / "cut" / "parts" / "delta-4-draw-0.csv"
    before = kept.stat().st_mtime_ns
    (tmp_path / "cut" / "parts" / ".eta-20-draw-0.7.part.csv").write_text("method,la")
    monkeypatch.setattr(accuracy, "compute_part", real)
    resumed = accuracy.run(settings, tmp_path / "cut", workers=1)
    assert repr(resumed.rows) == repr(whole.rows)
    assert kept.stat().st_mtime_ns == before
    more = AccuracySettings(**{**vars(settings), "draws": 2})
    longer = accuracy.run(more, tmp_path / "cut", workers=1)
    assert kept.stat().st_mtime_ns == before
    for kind, rows in whole.rows.items():
        assert repr(longer.rows[kind][: len(rows)]) == repr(rows)
        assert len(longer.rows[kind]) > len(rows)


def test_a_closed_run_leaves_no_process_and_goes_on(finished, tmp_path):
    """Closed after the first of three parts, computed by two processes; nothing of it is computed again."""
    _, whole = finished
    job = accuracy.run_steps(SMALL, tmp_path, workers=2)
    first, second = next(job), next(job)
    assert (first, first.message) == (0, "0 of 3 parts")
    assert (second, second.message) == (1 / 3, "1 of 3 parts")
    assert multiprocessing.active_children()
    job.close()
    assert not multiprocessing.active_children()
    (kept,) = (tmp_path / "parts").iterdir()
    before = kept.stat().st_mtime_ns
    steps = []
    resumed = accuracy.run(SMALL, tmp_path, steps.append, workers=1)
    assert steps == [1 / 3, 2 / 3, 1]
    assert kept.stat().st_mtime_ns == before
    assert repr(resumed.rows) == repr(whole.rows)


@pytest.mark.parametrize("name", ["settings.json", "parts", "naive-bayes.npy"])
def test_work_without_a_note_is_refused(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(
        ValueError, match=rf"`out` '.*' \({name} without ledger.json\) has other contents, or work"
    ):
        accuracy.run(SMALL, tmp_path, workers=1)


def test_a_damaged_part_is_named(finished, tmp_path):
    shutil.copytree(finished[0], tmp_path / "run")
    part = tmp_path / "run" / "parts" / "delta-4-draw-0.csv"
    part.write_text(part.read_text().replace("open", "open,", 1))
    with pytest.raises(
        OSError, match=r"parts/delta-4-draw-0.csv' is damaged .*; remove it, and it is made again"
    ):
        accuracy.run(SMALL, tmp_path / "run", workers=1)
    part.unlink()
    assert repr(accuracy.run(SMALL, tmp_path / "run", workers=1).rows) == repr(finished[1].rows)


@pytest.mark.slow
def test_worker_processes_change_nothing(finished, tmp_path):
    _, one = finished
    settings = AccuracySettings(**{**vars(SMALL), "columns": ("pristine", "delta-4")})
    two = accuracy.run(settings, tmp_path, workers=2)
    for kind, rows in two.rows.items():
        assert repr(rows) == repr(one.rows[kind])


def test_command_line(tmp_path, finished):
    """Goes on from a folder of the same settings, without any part left to compute."""
    out, _ = finished
    arguments = ["benchmark", "accuracy", "--out", str(out), "--report", str(tmp_path), "--passes", "10"]
    for name in ("method", "classes"):
        for value in SMALL.methods if name == "method" else SMALL.classes:
            arguments += [f"--{name}", value]
    for value in SMALL.columns:
        arguments += ["--column", value]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "accuracy.md").is_file()


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"models": ("arise-109",)}, "arise-109"),
        ({"models": ("arise-108", "arise-108")}, "`model` names must differ"),
        ({"methods": ("ptn",)}, "`method` must be one of .*ptm.*'ptn'"),
        ({"classes": ("fccc",)}, "'fccc'"),
        ({"columns": ("delta-5",)}, "`column` must be one of pristine.*'delta-5'"),
    ],
)
def test_unknown_names_are_refused_before_any_work(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        accuracy.run(AccuracySettings(**wrong), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", [{"draws": 0}, {"passes": 0}, {"seed": -1}])
def test_numbers_out_of_range(wrong):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must .* got {next(iter(wrong.values()))}"):
        AccuracySettings(**wrong)


def test_workers_out_of_range(tmp_path):
    with pytest.raises(ValueError, match="`workers` must be at least 1, got 0"):
        accuracy.run(AccuracySettings(), tmp_path, workers=0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, r"seed \(0, now 1\)"),
        ({"passes": 11, "draws": 2}, r"passes \(10, now 11\)"),
        ({"classes": FEW[:1]}, r"classes.1 \('L12_Cu3Au', now not set\)"),
    ],
)
def test_folder_with_other_work_is_refused(finished, change, named):
    out, _ = finished
    with pytest.raises(ValueError, match=rf"`out` '.*' was made with another {named}"):
        accuracy.run(AccuracySettings(**{**vars(SMALL), **change}), out, workers=1)


def test_work_of_another_version_is_refused(finished, monkeypatch):
    monkeypatch.setattr(ledger, "package_version", lambda: "99.1")
    with pytest.raises(
        ValueError, match=r"another version of arise-core \('.*', now '99.1'\); nothing was changed"
    ):
        accuracy.run(SMALL, finished[0], workers=1)


def test_out_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="is a file, not a folder"):
        accuracy.run(SMALL, tmp_path / "file", workers=1)
    assert (tmp_path / "file").read_text() == "mine"


def test_adapter_is_found_by_its_entry_point():
    points = importlib.metadata.entry_points(group="arise.benchmark_methods")
    assert "ovito_arise.benchmark_methods:methods" in {p.value for p in points}
    assert list(baselines()) == ["spglib-loose", "spglib-tight", *LOCAL]
