"""Tables for notebooks: well formed, escaped, short."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

import arise_core as arise
from arise_core.explore.clusters import find_clusters
from arise_core.explore.result import Exploration
from arise_core.geometry import builders
from arise_core.model.calibration import FALSE_CRYSTALS, Calibration, Rates
from arise_core.model.classes import ClassTable
from arise_core.recognition.result import Recognition
from arise_core.runtime.notebooks import html_table
from tests.conftest import shaken

EVIL = "<script>alert('x')</script> & \"co\""


def cells(text: str) -> list[list[str]]:
    """The rows of the table; what is no well-formed markup is refused."""
    root = ElementTree.fromstring(f"<div>{text}</div>")
    assert root.find(".//script") is None
    return [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]


def test_a_table():
    text = html_table(
        "t", ["a", "b"], [(EVIL, 0.12345), (None, float("nan")), (True, 7)], count=5, notes=[EVIL]
    )
    assert cells(text) == [["a", "b"], [EVIL, "0.123"], ["–", "–"], ["True", "7"]]
    assert "<p>2 more</p>" in text
    assert "<script" not in text
    assert len(cells(html_table(EVIL, [EVIL], [(k,) for k in range(100)], count=100))) == 11


@pytest.fixture(scope="module")
def field(model):
    crystal = shaken(builders.repeat(arise.build(arise.prototype("fcc")), (7, 7, 7)), 0.05)
    rough = shaken(crystal, 1.2, 3)
    half = crystal.positions[:, 0] > np.median(crystal.positions[:, 0])
    mixed = arise.Structure(
        np.where(half[:, None], rough.positions, crystal.positions), crystal.numbers, crystal.cell, True
    )
    return arise.strided_map(mixed, model, box_size=10.0, stride=5.0, passes=16)


def renamed(prediction: arise.Prediction) -> arise.Prediction:
    """The same of a model whose classes have markup in their names."""
    classes = ClassTable(replace(c, name=EVIL) for c in prediction.classes)
    return replace(prediction, classes=classes)


def test_predictions(model):
    few = arise.Structure(np.eye(3) * 3, [29] * 3)
    with pytest.warns(UserWarning, match="NaN"):
        found = arise.classify([arise.build(arise.prototype("fcc")), few] + [arise.build(arise.prototype("bcc"))] * 10,
                               model, passes=16)  # fmt: skip
    rows = cells(found._repr_html_())
    assert len(rows) == 11
    assert [row[1] for row in rows[1:4]] == ["fcc", "none", "bcc"]
    assert rows[2][2:] == ["–"] * 4
    assert "2 more" in found._repr_html_()
    assert cells(found.with_threshold(0.0)._repr_html_())[1][1] == "rejected (closest: fcc)"
    assert cells(renamed(found)._repr_html_())[1][1] == EVIL
    assert cells(found.take(slice(0, 0))._repr_html_()) == rows[:1]


def test_maps_and_recognitions(field):
    rows = cells(field._repr_html_())
    assert {row[0] for row in rows[1:]} >= {"fcc", "rejected"}
    assert sum(int(row[1]) for row in rows[1:]) == len(field)
    found = dict(cells(Recognition.of_map(field)._repr_html_())[1:])
    assert found["atoms"] == "343"
    assert "rejected" in found["shares of the atoms"]
    cells(Recognition.of_map(replace(field, prediction=renamed(field.prediction)))._repr_html_())
    one = arise.classify(arise.build(arise.prototype("fcc")), arise.load_model("arise-108"), passes=16)
    assert dict(cells(Recognition.of_whole(one, 0, 4)._repr_html_())[1:])["most probable class"] == "fcc"


def test_explorations(field):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(len(field), 4)).astype(np.float32)
    vectors[: len(field) // 2] += 20
    settings = arise.ExploreSettings(min_cluster_size=10)
    clusters = find_clusters(vectors, settings)
    found = Exploration(field.prediction, vectors, 1, clusters, None, settings, EVIL, field)
    rows = cells(found._repr_html_())
    assert rows[0][:2] == ["Cluster", "Boxes"]
    assert sum(int(row[1]) for row in rows[1:]) == int(field.prediction.valid.sum())


def test_calibrations():
    made = Calibration(
        name=EVIL, model="arise-108", model_sha256="0", package_version="0", threshold=0.25, promises=(FALSE_CRYSTALS,),
        rate=0.05, confidence=0.95, unit="frame", mode="whole", settings={}, frames={"none": 59}, notes=(EVIL,),
        false_crystals=Rates(thresholds=(0.25,), rates=(0.0,), bounds=(0.05,), units=59, rising=True),
    )  # fmt: skip
    rows = cells(made._repr_html_())
    assert rows[1:] == [["false crystals", "59", "0.000", "0.050"], ["false rejections", "–", "–", "–"]]
