"""Calibrations: made of frames, stored, and used as a model."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import arise_core as arise
from arise_core.errors import FileError, InputError, InputTypeError, ModelError
from arise_core.geometry import builders
from arise_core.model.calibration import (
    FALSE_CRYSTALS,
    FALSE_REJECTIONS,
    Calibration,
    Rates,
    read_calibration,
)
from arise_core.model.model import Model
from arise_core.model.zoo import load_model, shared_model
from arise_core.recognition import calibrating
from arise_core.recognition.calibrating import _chosen, calibrate
from arise_core.recognition.result import recognise
from arise_core.settings import MapSettings, RecognitionSettings, SamplingSettings
from arise_core.training.export import replace_card
from tests import ROOT
from tests.conftest import shaken

FAST = {"mode": "whole", "passes": 20}


def disordered(seed: int, atoms: int = 40) -> arise.Structure:
    """Atoms at random places of a periodic cell, none closer than half the usual distance."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 9.0, (4 * atoms, 3))
    points = points[builders.without_close(points, 1.4)][:atoms]
    return arise.Structure(points, np.full(len(points), 29), np.eye(3) * 9.0, True)


def copper(seed: int) -> arise.Structure:
    return shaken(builders.repeat(arise.build(arise.prototype("fcc")), (3, 3, 3)), 0.1, seed)


@pytest.fixture(scope="module")
def frames():
    """11 of each: the fewest that promise 20 % with 90 %."""
    return [disordered(k) for k in range(11)], [copper(k) for k in range(11)]


@pytest.fixture(scope="module")
def made(frames, model) -> Calibration:
    melts, crystals = frames
    labels = ["none"] * 11 + ["FCC"] * 11
    return calibrate([*melts, *crystals], model, labels, name="cu", rate=0.2, confidence=0.9, **FAST)


@pytest.fixture(scope="module")
def file(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("calibrated") / "cu.json"
    made.write(path)
    return path


def test_a_threshold_that_keeps_the_promise_stays(made, model):
    assert made.threshold == model.card.reject.threshold
    assert made.promises == (FALSE_CRYSTALS, FALSE_REJECTIONS)
    assert made.frames == {"fcc": 11, "none": 11}
    assert (made.mode, made.unit, made.settings) == (
        "whole",
        "frame",
        {"passes": 20, "seed": 0, "min_atoms": 20},
    )
    for rates in (made.false_crystals, made.false_rejections):
        rate, bound = rates.at(made.threshold)
        assert rate == 0
        assert 0.15 < bound <= 0.2
    assert "at most 0.2 of the structures pass for a crystal (11 frames labelled none)" in made.said
    assert "confidence of 0.9 each" in made.said


@pytest.mark.parametrize(
    ("low", "high", "none", "own", "found", "promises"),
    [
        (0.1, 0.6, True, 0.2, 0.2, 2), (0.3, 0.6, True, 0.2, 0.3, 2), (0.1, 0.15, True, 0.2, 0.15, 2),
        (0.3, 0.15, True, 0.2, 0.15, 1), (None, 0.1, True, 0.2, 0.1, 1), (None, 0.9, True, 0.2, 0.2, 1),
        (None, 0.9, True, None, 0.9, 1), (0.3, None, False, 0.2, 0.3, 1), (0.1, None, False, 0.2, 0.2, 1),
        (0.1, None, False, None, 0.1, 1), (0.2, 0.6, True, None, 0.4, 2), (1.0 + 2**-52, 0.6, True, 0.2, 0.2, 1),
    ],
)  # fmt: skip
def test_the_nearest_threshold_that_keeps_what_can_be_kept(low, high, none, own, found, promises):
    threshold, kept = _chosen(low, high, none, own, 0.05)
    assert (threshold, len(kept)) == (found, promises)
    assert kept[0] == (FALSE_CRYSTALS if none else FALSE_REJECTIONS)


@pytest.mark.parametrize(
    ("low", "high", "none"),
    [(None, None, True), (0.2, 0.0, True), (None, None, False), (1.0 + 2**-52, None, False)],
)
def test_what_no_threshold_keeps_is_refused(low, high, none):
    with pytest.raises(InputError, match="no reject threshold keeps a rate of 0.05"):
        _chosen(low, high, none, 0.2, 0.05)


def test_crystals_that_are_called_none_ask_for_the_impossible_or_a_small_threshold(frames, model):
    """The promise is about what the frames are: crystals labelled none may not pass, at any price."""
    made = calibrate(frames[1], model, "none", rate=0.2, confidence=0.9, **FAST)
    scores = arise.classify(frames[1], model, passes=20).reject_score
    assert made.threshold == scores.min()
    assert made.false_crystals.at(model.card.reject.threshold) == (1.0, 1.0)


def test_scores_are_those_of_later_use(frames, file, made):
    """A calibrated model gives the same scores as the one that was calibrated, with its own threshold."""
    calibrated = load_model(file)
    assert calibrated.threshold("card") == made.threshold
    strict = calibrated.calibrated(replace(made, threshold=1e-6))
    plain = arise.classify(frames[1][:2], load_model("arise-108"), passes=20)
    found = arise.classify(frames[1][:2], strict, passes=20)
    assert found.reject_threshold == 1e-6
    assert found.reject_score.tolist() == plain.reject_score.tolist()
    assert found.rejected.all()
    assert not plain.rejected.any()
    settings = RecognitionSettings.of({"mode": "local", "box_size": 8.0, "stride": 4.0})
    with pytest.warns(UserWarning, match="mode local for whole"):
        local = recognise(frames[1][0], strict, settings)
    same = recognise(frames[1][0], load_model("arise-108"), settings)
    assert local.atoms.reject_score.tolist() == same.atoms.reject_score.tolist()


def test_other_settings_are_warned_of(frames, file):
    calibrated = load_model(file)
    with pytest.warns(UserWarning, match="calibration 'cu' promises nothing here.*passes 10 for 20"):
        arise.classify(frames[0][0], calibrated, passes=10)
    arise.classify(frames[0][0], calibrated, passes=20)
    arise.classify(frames[0][0], calibrated, passes=10, reject_threshold=0.3)  # its threshold is not used
    boxes = MapSettings(box_size=12.0, memory_limit=1.0)
    local = replace(calibrated.calibration, mode="local", settings={})
    said = local.differing("local", boxes, SamplingSettings())
    assert "box_size 12.0 for None" in said
    assert "memory_limit" not in said


def test_as_a_model(file, made):
    plain, calibrated = load_model("arise-108"), shared_model(file)
    assert calibrated.name == "arise-108+cu"
    assert calibrated.sha256 != plain.sha256
    assert calibrated.path == file
    assert calibrated.calibration == made
    assert calibrated.calibrated(None).sha256 == plain.sha256
    assert shared_model(file) is calibrated
    replace(made, threshold=0.5).write(file)
    try:
        assert shared_model(file).threshold("card") == 0.5
    finally:
        made.write(file)
    with pytest.raises(InputError, match="must be a model's own file"):
        replace_card(calibrated, calibrated.card)


def test_a_calibrated_model_is_calibrated_anew(frames, file, made):
    again = calibrate(frames[0], load_model(file), "none", name="cu", rate=0.2, confidence=0.9, **FAST)
    assert (again.model, again.model_sha256) == (made.model, made.model_sha256)
    assert again.false_crystals == made.false_crystals


def test_the_model_is_looked_for_beside_the_calibration(made, model, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.safetensors").write_bytes(model.path.read_bytes())
    moved = replace(made, model="/gone/to/mine")
    moved.write(tmp_path / "cu.json")
    assert load_model(tmp_path / "cu.json").threshold("card") == made.threshold
    replace(made, model="/gone/to/nowhere").write(tmp_path / "lost.json")
    with pytest.raises(ModelError, match="no model of the zoo and no file"):
        load_model(tmp_path / "lost.json")
    replace(made, model="/" + 500 * "x").write(tmp_path / "long.json")
    for load in (load_model, shared_model):
        with pytest.raises(FileError, match="cannot be"):
            load(tmp_path / "long.json")
    replace(made, model="arise-108-paper").write(tmp_path / "other.json")
    with pytest.raises(ModelError, match="is of another model"):
        load_model(tmp_path / "other.json")
    replace(made, model=str(tmp_path / "cu.json")).write(tmp_path / "circle.json")
    with pytest.raises(ModelError, match="names a calibration as its model"):
        load_model(tmp_path / "circle.json")


def test_files_come_back(made, file):
    assert read_calibration(file) == made
    with pytest.raises(InputError, match="must end in .json"):
        made.write(file.with_suffix(".txt"))


@pytest.mark.parametrize(
    "change",
    [
        {"format": "arise-model"}, {"format_version": 2}, {"threshold": 1.5}, {"threshold": None}, {"rate": "x"},
        {"confidence": 2}, {"promises": []}, {"promises": ["wealth"]}, {"promises": [[]]}, {"unit": "atom"},
        {"mode": "auto"}, {"settings": {"passes": []}}, {"frames": {"fcc": 0}}, {"notes": "x"}, {"model": 5},
        {"name": "\x1b[2J"}, {"false_crystals": 5}, {"false_crystals": {}}, {"more": 1},
        {"false_rejections": {"thresholds": [0.2, 0.1], "rates": [0, 0], "bounds": [0, 0], "units": 2,
                               "rising": False}},
        {"false_rejections": {"thresholds": [0.1], "rates": [0], "bounds": [0], "units": 2, "rising": True}},
        {"false_rejections": {"thresholds": [0.1], "rates": [0, 1], "bounds": [0], "units": 2, "rising": False}},
    ],
)  # fmt: skip
def test_files_that_are_none_are_refused(change, made, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({**json.loads(made.to_json()), **change}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"bad\.json"):
        load_model(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b" " * (2**20 + 1)])
def test_files_that_are_no_json_are_refused(content, tmp_path):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.json"):
        load_model(path)


def test_rates_between_thresholds_are_on_the_safe_side():
    rising = Rates(thresholds=(0.1, 0.5), rates=(0.0, 0.2), bounds=(0.05, 0.3), units=9, rising=True)
    assert [rising.at(t) for t in (0.05, 0.1, 0.2, 0.5, 0.6, None)] == [
        (0.0, 0.05), (0.0, 0.05), (0.2, 0.3), (0.2, 0.3), (1.0, 1.0), (1.0, 1.0),
    ]  # fmt: skip
    falling = Rates(thresholds=(0.1, 0.5), rates=(0.2, 0.0), bounds=(0.3, 0.05), units=9, rising=False)
    assert [falling.at(t) for t in (0.05, 0.1, 0.2, 0.5, None)] == [
        (1.0, 1.0), (0.2, 0.3), (0.2, 0.3), (0.0, 0.05), (0.0, 0.05),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"rate": 0.05},
            "`structures` has 11 frames for a rate of 0.05 with a confidence of 0.9, it takes",
        ),
        ({"units": ["a"] * 11}, "`structures` has 1 files"),
        ({"rate": 0.0}, "`rate` must be between 0 and 1"),
        ({"confidence": 1.0}, "`confidence` must be between 0 and 1"),
        ({"labels": "gold"}, "`labels` must be a class of the model, got 'gold'"),
        ({"labels": ["none"]}, "`labels` must be one for each of the 11"),
        ({"units": [1]}, "`units` must be a list with one entry for each of the 11"),
        ({"mode": "local", "resolution": "sharp"}, "`resolution` must be 'single' to calibrate"),
        ({"structures": []}, "`structures` is empty"),
    ],
)
def test_bad_input_is_refused_before_any_work(more, message, frames, model, monkeypatch):
    monkeypatch.setattr(calibrating, "recognise_steps", None)
    given = {"structures": frames[0], "labels": "none", "rate": 0.2, "confidence": 0.9, **FAST, **more}
    with pytest.raises(InputError, match=message):
        calibrate(model=model, **given)


def test_wrong_kinds(frames, model):
    for change in (
        {"labels": [5] * 11},
        {"labels": 5},
        {"structures": 5},
        {"structures": [5]},
        {"reject_threshold": 0.5},
    ):
        with pytest.raises(InputTypeError):
            calibrate(**{"structures": frames[0], "labels": "none", "model": model, **change})


def scored(monkeypatch, scores):
    """Frames have these scores."""
    monkeypatch.setattr(calibrating, "run", lambda job, progress: (job.close(), scores)[1])


def test_frames_of_a_run_that_are_alike_are_noted(monkeypatch, model):
    rng = np.random.default_rng(0)
    structures = [copper(0)] * 80
    slow = np.convolve(rng.uniform(0.4, 0.6, 99), np.ones(20) / 20, "valid")
    scored(monkeypatch, [np.array([s]) for s in slow])
    made = calibrate(structures, model, "none", mode="whole")
    assert len(made.notes) == 1
    assert "80 frames of none that follow each other are alike" in made.notes[0]
    scored(monkeypatch, [np.array([s]) for s in rng.uniform(0.4, 0.6, 80)])
    assert calibrate(structures, model, "none", mode="whole").notes == ()


def test_atoms_of_frames_and_runs(monkeypatch, model):
    """60 frames of two atoms, of which the second of a few passes: the rate is the mean share."""
    scores = [np.array([0.9, 0.1 if k < 3 else 0.8]) for k in range(60)]
    scored(monkeypatch, scores)
    made = calibrate([copper(0)] * 60, model, "none", mode="local", rate=0.15)
    assert (made.threshold, made.mode) == (model.card.reject.threshold, "local")
    assert made.false_crystals.at(made.threshold)[0] == pytest.approx(3 / 120)
    assert made.settings["box_size"] == 16.0
    scored(monkeypatch, scores)
    high = calibrate([copper(0)] * 60, model, "fcc", mode="local", rate=0.05)
    assert (high.threshold, high.promises) == (np.nextafter(0.9, 1), (FALSE_REJECTIONS,))
    scored(monkeypatch, scores)
    runs = calibrate(
        [copper(0)] * 60,
        model,
        "none",
        mode="local",
        rate=0.2,
        confidence=None,
        units=[k // 6 for k in range(60)],
    )
    assert (runs.unit, runs.false_crystals.units, runs.confidence) == ("file", 10, None)
    assert runs.false_crystals.at(runs.threshold) == pytest.approx((3 / 120, (3 / 120 * 10 + 1) / 11))


def test_a_model_loaded_from_a_file_is_named_by_its_place(made, model, frames, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(model.path.read_bytes())
    mine = load_model(tmp_path)
    assert isinstance(mine, Model)
    again = calibrate(frames[0], mine, "none", rate=0.2, confidence=0.9, **FAST)
    assert again.model == str((tmp_path / "model.safetensors").resolve())
    assert again.model_sha256 == made.model_sha256


def test_the_page_s_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "calibration.md").read_text("utf-8"), re.DOTALL
    )
    found: dict = {}
    exec(compile(block, "calibration.md", "exec"), found)
    assert found["made"].promises == (FALSE_CRYSTALS,)
    assert not found["prediction"].rejected.any()
