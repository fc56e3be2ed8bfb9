"""Bad input through the modifier: a clear error before long work, and OVITO goes on."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from ovito.data import DataCollection, SimulationCell
from ovito.io import export_file

import arise_core as arise
from arise_core.runtime.files import zoo_root
from ovito_arise import AriseModifier
from tests.ovito.helpers import FAST, analysed, collection, pipeline_of


@pytest.fixture(autouse=True)
def no_work(monkeypatch) -> None:
    """Fail if descriptors are computed: errors come before that."""
    from arise_core.recognition import asking, whole

    def forbidden(*_, **__):
        raise AssertionError("work was begun")

    monkeypatch.setattr(asking, "gather_boxes", forbidden)
    monkeypatch.setattr(whole, "describe", forbidden)


def broken(fcc: arise.Structure, **changes: object) -> DataCollection:
    """fcc copper with something wrong."""
    data = collection(fcc)
    for name, value in changes.items():
        if name == "position":
            data.particles_.positions_[7] = value
        elif name == "cell":
            data.cell_[:, :3] = value
    return data


def without_particles() -> DataCollection:
    data = DataCollection()
    data.objects.append(SimulationCell(pbc=(True, True, True)))
    return data


CASES = {
    "no particles": (lambda f: without_particles(), {}, "requires particles, but the pipeline has none"),
    "NaN": (lambda f: broken(f, position=[0, np.nan, 0]), {}, r"`positions` must be finite: 1 of 864 .* atom 7"),
    "infinite": (lambda f: broken(f, position=[np.inf, 0, 0]), {}, r"`positions` must be finite: 1 of 864"),
    "no volume": (lambda f: broken(f, cell=np.diag([21.0, 21.0, 0.0])), {}, "`cell` must have a non-zero volume"),
    "coplanar": (
        lambda f: broken(f, cell=np.array([[9.0, 0, 9], [0, 9, 9], [0, 0, 0]])),
        {},
        "`cell` must have a non-zero volume",
    ),
    "overlap": (
        lambda f: broken(f, position=f.positions[300] + [0.01, 0, 0]),
        {},
        r"overlapping atoms: 1 pairs.*atoms 7 and 300",
    ),
    "no selection": (collection, {"only_selected": True}, "requires an input particles selection"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refused(case, fcc):
    make, parameters, message = CASES[case]
    pipeline = pipeline_of(make(fcc), AriseModifier(**FAST, **parameters))
    with pytest.raises(ValueError, match=message):
        pipeline.compute()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"stride": 17.0}, r"`stride` must not exceed `box_size` \(16.0 Å\), got 17.0 Å"),
        ({"model": "arise-1"}, "'arise-1'. The zoo has: arise-108"),
        ({"classes": "FCX"}, "`classes` must be a class of the model"),
        ({"probabilities": "FCX"}, "`probabilities` must be a class of the model"),
    ],
)
def test_parameters_changed_later_are_refused_by_the_next_evaluation(fcc, parameters, message):
    modifier = AriseModifier()
    modifier.trait_set(**parameters)
    with pytest.raises(ValueError, match=message):
        pipeline_of(fcc, modifier).compute()


def test_a_model_file_that_is_corrupt_or_none_is_refused(fcc, tmp_path):
    good = zoo_root() / "arise-108" / "model.pt"
    corrupt, text = tmp_path / "corrupt.pt", tmp_path / "text.pt"
    content = bytearray(good.read_bytes())
    content[len(content) // 2] ^= 0xFF
    corrupt.write_bytes(content)
    text.write_text("no model")
    for path in (corrupt, text):
        with pytest.raises(arise.ModelError, match=path.name):
            AriseModifier(model=str(path))
    moved = tmp_path / "mine.pt"
    shutil.copy(good, moved)
    modifier = AriseModifier(model=str(moved))
    moved.write_bytes(content)  # a file that is replaced is read again
    with pytest.raises(arise.ModelError, match=r"mine\.pt"):
        pipeline_of(fcc, modifier).compute()


def test_export_reports_the_error_and_leaves_no_file(fcc, tmp_path):
    pipeline = pipeline_of(collection(fcc), AriseModifier(only_selected=True, **FAST))
    with pytest.raises(RuntimeError, match="requires an input particles selection"):
        export_file(pipeline, str(tmp_path / "a.xyz"), "xyz", columns=["Position.X"])


def test_after_an_error_the_pipeline_works_again(fcc, monkeypatch):
    modifier = AriseModifier(only_selected=True, **FAST)
    pipeline = pipeline_of(collection(fcc), modifier)
    with pytest.raises(ValueError, match="requires an input particles selection"):
        pipeline.compute()
    monkeypatch.undo()
    modifier.only_selected = False
    assert pipeline.compute().attributes["ARISE.fractions.FCC"] > 0.9


def test_the_input_is_left_as_it_was_by_an_error(fcc):
    data = broken(fcc, position=[0, np.nan, 0])
    before = {*data.particles}
    with pytest.raises(ValueError, match="finite"):
        analysed(data)
    assert {*data.particles} == before
    assert not data.tables
