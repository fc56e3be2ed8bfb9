"""classify and annotate: what they return, what they write, what they leave alone."""

import itertools
from dataclasses import replace

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms

import arise_core as arise
from arise_core.model.prediction import Rule
from arise_core.recognition.result import Recognition, recognise
from arise_core.settings import LOCAL_ATOMS, MAP_TOLERANCE, MapSettings, RecognitionSettings, SamplingSettings
from ase_arise import annotate, classify
from ase_arise.convert import from_atoms

PASSES = 20
#: A map of few boxes.
COARSE = {"mode": "local", "stride": 6.0, "box_size": 12.0, "passes": PASSES}


def crystals() -> list[Atoms]:
    return [bulk("Cu"), bulk("Fe", cubic=True), bulk("Mg"), bulk("Si")]


def thermal_copper(repeats: int = 4) -> Atoms:
    atoms = bulk("Cu", cubic=True) * (repeats, repeats, repeats)
    atoms.rattle(0.08, seed=1)
    return atoms


@pytest.fixture(scope="module")
def mapped() -> Atoms:
    return annotate(thermal_copper(), **COARSE)


@pytest.mark.parametrize("form", ["list", "generator", "xyz", "traj"])
def test_one_row_a_structure_however_they_come(form, tmp_path):
    images = crystals()
    if form == "generator":
        given = (atoms for atoms in images)
    elif form == "list":
        given = images
    else:
        given = tmp_path / f"a.{form}"
        ase.io.write(given, images)
    prediction = classify(given, passes=PASSES)
    assert list(prediction.names) == ["fcc", "bcc", "hcp", "diamond"]
    assert list(classify(images[1], passes=PASSES).names) == ["bcc"]


def test_classify_agrees_with_the_core(model):
    images = crystals()
    here = classify(images, model, passes=PASSES, seed=3)
    core = arise.classify([from_atoms(a) for a in images], model, passes=PASSES, seed=3)
    assert (here.probabilities == core.probabilities).all()
    assert (here.mutual_information == core.mutual_information).all()


def test_frames_are_picked_by_index(tmp_path):
    ase.io.write(tmp_path / "a.xyz", crystals())
    assert list(classify(f"{tmp_path}/a.xyz@-2:", passes=PASSES).names) == ["hcp", "diamond"]


def test_small_cells_are_annotated_as_a_whole():
    atoms = bulk("NaCl", "rocksalt", a=5.64)
    out = annotate(atoms, passes=PASSES)
    assert out is atoms
    assert list(atoms.arrays["arise_label"]) == ["rock_salt"] * 2
    assert atoms.arrays["arise_confidence"].min() > 0.9
    assert atoms.arrays["arise_mutual_information"].dtype == np.float64
    assert not atoms.arrays["arise_rejected"].any()
    info = atoms.info
    assert (info["arise_label"], info["arise_class"], info["arise_mode"]) == (
        "rock_salt",
        "RockSalt_NaCl",
        "whole",
    )
    assert info["arise_fractions"] == {"rock_salt": 1.0}
    assert info["arise_model"] == "arise-108"
    assert 0 <= info["arise_mutual_information"] <= info["arise_predictive_entropy"] < 0.5


def test_a_map_gives_every_atom_its_own_values(mapped, model):
    field = arise.strided_map(from_atoms(thermal_copper()), model, stride=6.0, box_size=12.0, passes=PASSES)
    at = field.at(mapped.positions)
    assert mapped.info["arise_mode"] == "local"
    assert list(mapped.arrays["arise_label"]) == list(at.names)
    assert np.allclose(mapped.arrays["arise_confidence"], at.confidence)
    assert np.allclose(mapped.arrays["arise_mutual_information"], at.mutual_information)
    assert mapped.arrays["arise_mutual_information"].std() > 0
    assert mapped.info["arise_mutual_information"] == pytest.approx(np.mean(at.mutual_information))
    assert np.allclose(mapped.arrays["arise_rejection_uncertainty"], at.rejection_uncertainty)
    assert mapped.info["arise_rejection_uncertainty"] == pytest.approx(np.mean(at.rejection_uncertainty))


def test_nothing_else_is_touched():
    atoms = thermal_copper(3)
    atoms.calc = EMT()
    atoms.set_constraint(FixAtoms([0]))
    atoms.set_array("mine", np.arange(len(atoms)))
    atoms.set_tags(range(len(atoms)))
    atoms.info["mine"] = 1
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    before = atoms.copy()
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    annotate(atoms, passes=PASSES)
    assert atoms == before
    assert {k for k in atoms.arrays if not k.startswith("arise_")} == set(before.arrays)
    assert all((atoms.arrays[k] == before.arrays[k]).all() for k in before.arrays)
    assert atoms.info["mine"] == 1
    assert atoms.constraints[0].index.tolist() == [0]
    assert atoms.calc.calculation_required(atoms, ["energy"]) is False
    assert atoms.get_potential_energy() == energy
    assert (atoms.get_forces() == forces).all()
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_copies_on_request():
    atoms = bulk("Cu")
    out = annotate([atoms], copy=True, passes=PASSES)
    assert "arise_label" not in atoms.arrays
    assert "arise_label" not in atoms.info
    assert out[0].info["arise_label"] == "fcc"


def test_a_second_annotation_replaces_the_first():
    atoms = bulk("Cu", cubic=True)
    annotate(atoms, passes=PASSES)
    atoms.numbers[0] = 79  # Cu3Au: a longer label must not be cut to the old one's length
    annotate(atoms, passes=PASSES)
    assert list(atoms.arrays["arise_label"]) == ["L1_2"] * 4
    atoms.symbols[:] = "Si"
    annotate(atoms, passes=PASSES, reject_threshold=0.0)
    assert list(atoms.arrays["arise_label"]) == ["rejected"] * 4


def test_lists_come_back_as_lists_and_generators_as_generators(tmp_path):
    out = annotate(crystals()[:2], passes=PASSES)
    assert [a.info["arise_label"] for a in out] == ["fcc", "bcc"]
    ase.io.write(tmp_path / "a.xyz", crystals())
    assert [a.info["arise_label"] for a in annotate(f"{tmp_path}/a.xyz@1:3", passes=PASSES)] == ["bcc", "hcp"]
    endless = (bulk("Cu") for _ in itertools.count())
    lazy = annotate(endless, passes=PASSES)
    assert next(lazy).info["arise_label"] == "fcc"


def test_a_bad_structure_in_a_list_stops_before_anything_is_written():
    images = [bulk("Cu"), Atoms("Cu2", [[0, 0, 0], [0, 0, 0.01]])]
    with pytest.raises(ValueError, match="^structure 1: .*overlapping"):
        annotate(images, passes=PASSES)
    assert "arise_label" not in images[0].info


def test_few_atoms_give_none_and_a_warning():
    cluster = Atoms("Cu3", [[0, 0, 0], [2.5, 0, 0], [0, 2.5, 0]])
    with pytest.warns(UserWarning, match="fewer than `min_atoms`"):
        annotate(cluster, passes=PASSES)
    assert list(cluster.arrays["arise_label"]) == ["none"] * 3
    assert cluster.info["arise_label"] == cluster.info["arise_class"] == "none"
    assert np.isnan(cluster.arrays["arise_confidence"]).all()
    assert np.isnan(cluster.info["arise_mutual_information"])
    assert cluster.info["arise_fractions"] == {"none": 1.0}
    with pytest.warns(UserWarning, match="the map is NaN"):
        annotate(cluster, passes=PASSES, mode="local")
    assert list(cluster.arrays["arise_label"]) == ["none"] * 3
    with pytest.warns(UserWarning, match="fewer than"):
        assert list(classify([cluster], passes=PASSES).labels) == [None]


def test_defaults_are_those_of_the_core():
    settings = RecognitionSettings()
    assert settings.map == MapSettings()
    assert settings.sampling == SamplingSettings(tolerance=MAP_TOLERANCE)
    assert RecognitionSettings.of(RecognitionSettings.defaults()) == settings


def test_large_structures_are_mapped():
    settings = RecognitionSettings()
    small, large = LOCAL_ATOMS, LOCAL_ATOMS + 1
    assert (settings.is_local(small), settings.is_local(large)) == (False, True)
    assert replace(settings, mode="local").is_local(small)
    assert not replace(settings, mode="whole").is_local(large)


def test_an_automatic_box_holds_a_hundred_atoms(model):
    structure = from_atoms(thermal_copper())
    result = recognise(structure, model, RecognitionSettings.of({**COARSE, "box_size": "auto"}))
    assert result.field.grid.settings.box_size == arise.automatic_box_size(structure)
    assert result.label == "fcc"


def test_fractions_add_up_and_leave_out_what_is_rejected(model):
    whole = recognise(from_atoms(bulk("Cu", cubic=True)), model, RecognitionSettings.of({"passes": PASSES}))
    hcp = model.classes.index("hcp_Mg_A_hP2_194_c")
    atoms = replace(
        whole.atoms,
        index=np.array([whole.index, hcp, whole.index, -1]),
        reject_score=np.array([0.0, 0.1, 0.9, 0.9]),
        reject_deviation=np.zeros(4),
    )
    mixed = replace(whole, atoms=atoms).with_rule(Rule(reject_threshold=0.5))
    assert list(mixed.atom_labels) == ["fcc", "hcp", "rejected", "none"]
    assert mixed.fractions == {"fcc": 0.25, "hcp": 0.25, "rejected": 0.25, "none": 0.25}
    assert list(mixed.atom_class) == [whole.index, hcp, -1, -1]
    assert (whole.label, whole.with_rule(Rule(reject_threshold=0.0)).label) == ("fcc", "rejected")


def test_a_structure_is_rejected_if_most_of_its_atoms_are(model):
    structure = from_atoms(thermal_copper())
    field = arise.strided_map(structure, model, stride=6.0, box_size=12.0, passes=PASSES)
    everything = replace(field, prediction=field.prediction.with_threshold(0.0))
    assert Recognition.of_map(everything).rejected
    assert Recognition.of_map(everything).rejected_share == 1
    nothing = replace(field, prediction=field.prediction.with_threshold(None))
    assert not Recognition.of_map(nothing).rejected


def test_progress_ends_at_one():
    seen = []
    annotate(crystals()[:2], passes=PASSES, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)


def test_unknown_options_are_named():
    with pytest.raises(
        TypeError, match="unknown argument 'boxsize'; known: mode, reject_threshold, box_size"
    ):
        annotate(bulk("Cu"), boxsize=3)
