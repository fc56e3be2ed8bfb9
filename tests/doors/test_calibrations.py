"""A calibration is a model in every door: core, ASE, command line and OVITO reject from its threshold."""

import json

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from typer.testing import CliRunner

import arise_core as arise
from arise_cli.main import app
from arise_core.model.calibration import FALSE_CRYSTALS, Calibration, Rates, settings_that_count
from arise_core.settings import MapSettings, SamplingSettings
from ase_arise import AriseCalculator, annotate, classify, screen
from ase_arise.convert import from_atoms
from tests.ovito.helpers import analysed

#: Everything is rejected from here, and the mean reject score is far below the threshold of the card.
STRICT = 1e-7
BOXES = {"box_size": 8.0, "stride": 4.0, "passes": 16, "tolerance": None}


@pytest.fixture(scope="module")
def atoms():
    made = bulk("Cu", cubic=True) * (3, 3, 3)
    made.rattle(0.05, seed=1)
    return made


@pytest.fixture(scope="module")
def calibrations(model, tmp_path_factory):
    """One for structures as a whole, one for maps; with a threshold that rejects all."""
    folder = tmp_path_factory.mktemp("calibrations")
    boxes, sampling = MapSettings(box_size=8.0, stride=4.0), SamplingSettings(passes=16)
    found = {}
    for mode in ("whole", "local"):
        made = Calibration(
            name=mode, model="arise-108", model_sha256=model.sha256, package_version="0", threshold=STRICT,
            promises=(FALSE_CRYSTALS,), rate=0.05, confidence=0.95, unit="frame", mode=mode,
            settings=settings_that_count(mode, boxes, sampling), frames={"none": 59},
            false_crystals=Rates(
                thresholds=(STRICT, 0.5), rates=(0.0, 0.25), bounds=(0.05, 0.375), units=59, rising=True
            ),
        )  # fmt: skip
        made.write(folder / f"{mode}.json")
        found[mode] = folder / f"{mode}.json"
    return found


def test_core_and_ase(atoms, calibrations):
    whole, local = calibrations["whole"], calibrations["local"]
    assert not classify(atoms, passes=16).rejected.any()
    assert classify(atoms, whole, passes=16).rejected.all()
    field = arise.strided_map(from_atoms(atoms), arise.load_model(local), **BOXES)
    assert (field.prediction.rejected.all(), field.model_name) == (True, "arise-108+local")
    named = annotate(atoms, local, mode="local", copy=True, **BOXES)
    assert set(named.arrays["arise_label"]) == {"rejected"}
    assert named.info["arise_model"] == "arise-108+local"
    calculator = AriseCalculator(model=whole, passes=16)
    assert calculator.get_property("arise_label", atoms) == "rejected"


def test_the_command_line_and_screenings(atoms, calibrations, tmp_path):
    ase.io.write(tmp_path / "cu.xyz", atoms)
    words = ["classify", tmp_path / "cu.xyz", "--passes", 16, "--json"]
    for more, label in ([], "fcc"), (["--model", calibrations["whole"]], "rejected"):
        done = CliRunner().invoke(app, [str(w) for w in [*words, *more]])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)[0]["label"] == label
    screen(
        tmp_path / "cu.xyz",
        tmp_path / "out.db",
        str(calibrations["whole"]),
        workers=1,
        mode="whole",
        passes=16,
    )
    with ase.db.connect(tmp_path / "out.db") as found:
        assert [row.arise_label for row in found.select()] == ["rejected"]


def test_ovito_says_what_the_threshold_stands_for(atoms, calibrations, model):
    boxes = {**BOXES, "tolerance": 0.0}
    data, modifier = analysed(from_atoms(atoms), **boxes, model=str(calibrations["local"]))
    said = {k.removeprefix("ARISE."): v for k, v in data.attributes.items()}
    assert not np.asarray(data.particles["Structure Type"]).any()
    assert (said["reject_threshold"], said["false_crystal_rate"], said["false_crystal_bound"]) == (
        STRICT,
        0,
        0.05,
    )
    assert "false_rejection_rate" not in said
    assert modifier.strided_map.model_name == "arise-108+local"
    data, _ = analysed(from_atoms(atoms), **boxes, model=str(calibrations["local"]), reject_threshold=0.3)
    assert (data.attributes["ARISE.false_crystal_rate"], data.attributes["ARISE.false_crystal_bound"]) == (
        0.25,
        0.375,
    )
    data, _ = analysed(from_atoms(atoms), **boxes)
    assert data.attributes["ARISE.reject_threshold"] == model.card.reject.threshold
    assert data.attributes["ARISE.false_crystal_rate"] == model.card.reject.false_crystal_rate
    assert "ARISE.false_crystal_bound" not in data.attributes
    data, _ = analysed(from_atoms(atoms), **boxes, reject_threshold="never")
    assert np.isnan(data.attributes["ARISE.reject_threshold"])
    assert "ARISE.false_crystal_rate" not in data.attributes
