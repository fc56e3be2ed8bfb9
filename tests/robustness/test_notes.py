"""What was assumed of a structure: in results of Python, on the error stream of every command, in OVITO."""

import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ovito.io import import_file
from typer.testing import CliRunner

import arise_core as arise
from arise_cli.main import app
from arise_core.geometry.material import AS_LAYER
from arise_core.recognition.result import recognise
from arise_core.settings import RecognitionSettings
from ase_arise import AriseCalculator, classify, read
from ase_arise.convert import to_material
from ovito_arise import AriseModifier, AriseRegions
from tests.ovito.helpers import pipeline_of
from tests.robustness.doors import exact_xyz


def flat() -> Atoms:
    """A run in two dimensions: one period of 1 Å along z."""
    return Atoms(
        "Ar16", [(3.0 * i, 3.0 * j, 0) for i in range(4) for j in range(4)], cell=(12, 12, 1), pbc=True
    )


def stand_in() -> Atoms:
    atoms = bulk("Cu", cubic=True) + Atoms("X", [(0.5, 0.6, 0.7)])
    atoms.numbers[2:4] = 0
    atoms.arrays["species_names"] = np.array(["Cu", "Cu", "A", "A", "MW"])
    return atoms


def test_predictions_say_what_was_assumed(model):
    found = classify([bulk("Cu"), stand_in(), flat()], model, passes=4)
    assert found.notes[0] == ()
    assert "type A tells no element: Ar stands for it" in found.notes[1][0]
    assert "type MW left out" in found.notes[1][1]
    assert found.notes[2] == (AS_LAYER,)
    assert "`notes` says what was assumed" in repr(found)
    assert found.take([2]).notes == ((AS_LAYER,),)
    assert found.take(np.array([True, False, True])).notes == ((), (AS_LAYER,))
    assert found.with_threshold(None).notes == found.notes
    plain = classify(bulk("Cu"), model, passes=4)
    assert plain.notes == ()
    assert "notes" not in repr(plain)


def test_recognitions_and_maps_say_it_too(model):
    material = to_material(stand_in() * (4, 4, 4))
    for mode in ("whole", "local"):
        settings = RecognitionSettings.of({"mode": mode, "passes": 4, "stride": 12.0})
        assert recognise(material, model, settings).notes == material.notes != ()
    assert arise.strided_map(material, model, passes=4, stride=12.0).notes == material.notes
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calculator = AriseCalculator(model=model, passes=4)
    calculator.get_property("arise_label", stand_in())
    assert calculator.recognition.notes == to_material(stand_in()).notes


# --- command line and OVITO -----------------------------------------------------------------------------------------

SAID = "tells no element: Ar stands for it"


@pytest.fixture
def named(tmp_path):
    """A file whose atoms are called A."""
    atoms = bulk("Cu", cubic=True) * (3, 3, 3)
    path = tmp_path / "named.xyz"
    path.write_text(exact_xyz(atoms).replace("Cu ", "A "))
    return path


@pytest.mark.parametrize("command", ["classify", "map", "similarity", "explore", "suggest", "screen"])
def test_every_command_says_it(named, tmp_path, command):
    words = {
        "map": ["--passes", "4"], "classify": ["--passes", "4"], "suggest": ["--out", str(tmp_path / "out")],
        "explore": ["--no-embed", "--min-cluster-size", "5", "--passes", "4"],
        "screen": ["--out", str(tmp_path / "out.db"), "--passes", "4", "--workers", "1"],
    }.get(command, [])  # fmt: skip
    done = CliRunner().invoke(app, [command, str(named), *words])
    assert done.exit_code == 0, done.output
    said = done.stderr
    if command == "screen":  # a row each
        (atoms,) = read(tmp_path / "out.db")
        said = atoms.info["arise_notes"]
    assert SAID in " ".join(said.split())


def test_both_modifiers_say_it(named):
    options = {"passes": 4, "stride": 8.0, "tolerance": 0.0}
    for modifier in (AriseModifier(**options), AriseRegions(**options, embed=False)):
        data = pipeline_of(import_file(str(named)).compute(), modifier).compute()
        assert SAID in " ".join(str(v) for k, v in data.attributes.items() if k.endswith("notes"))
