"""Core, ASE, command line and OVITO say the same of the same atoms."""

import warnings

import ase.io
import numpy as np
import pytest
from ase import Atoms
from typer.testing import CliRunner

import arise_core as arise
from arise_cli.main import app
from arise_core.recognition.result import recognise
from arise_core.settings import RecognitionSettings
from ase_arise import annotate
from ase_arise.convert import from_atoms
from tests.doors.systems import SYSTEMS, bilayer
from tests.ovito.helpers import analysed

#: Coarse boxes and few passes, all of them: a fraction of a second a door.
OPTIONS = {"box_size": 12.0, "stride": 6.0, "passes": 16, "seed": 3, "tolerance": None}
#: Between doors: single precision of values interpolated at points that differ by rounding; files keep 8 digits.
TOLERANCE = 2e-5
#: Bit; a rejection is in doubt over a few thousandths of the score, where its passes differ by no more.
DOUBT = 2e-3


def through_core(atoms, model):
    """Label, mutual information and rejection at the atoms, read off at their positions."""
    structure = from_atoms(atoms)
    field = arise.strided_map(structure, model, **OPTIONS)
    found = field.at(structure.positions)
    return found.labels, found.mutual_information, found.rejected, found.rejection_uncertainty


def through_recognition(atoms, model):
    found = recognise(from_atoms(atoms), model, RecognitionSettings.of({"mode": "local", **OPTIONS}))
    labels = found.classes.labels_of(found.atoms.index)
    return labels, found.atoms.mutual_information, found.atom_rejected, found.atom_rejection_uncertainty


def from_arrays(atoms, model):
    """What `annotate` put into the arrays; a rejected atom has no other label there."""
    short = {s: c.label for s, c in zip(model.class_info.short, model.class_info, strict=True)}
    labels = np.array([short.get(str(n)) for n in atoms.arrays["arise_label"]], dtype=object)
    names = ("arise_mutual_information", "arise_rejected", "arise_rejection_uncertainty")
    return labels, *(atoms.arrays[name] for name in names)


def through_ase(atoms, model):
    return from_arrays(annotate(atoms, model, mode="local", copy=True, **OPTIONS), model)


def through_command_line(atoms, model, folder):
    ase.io.write(folder / "in.traj", atoms)
    words = ["map", str(folder / "in.traj"), "--atoms", str(folder / "out.xyz"), "--overwrite"]
    for name, value in OPTIONS.items():
        words += [f"--{name.replace('_', '-')}", "0" if value is None else str(value)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return from_arrays(ase.io.read(folder / "out.xyz"), model)


def through_ovito(atoms, model):
    structure = from_atoms(atoms)
    data, _ = analysed(structure, **{**OPTIONS, "tolerance": 0.0}, color_by="nothing")
    ids = np.asarray(data.particles["Structure Type"])
    labels = np.array([None, *model.classes], dtype=object)[ids]
    score = np.asarray(data.particles["ARISE Reject Score"])
    information, doubt = (
        data.particles[f"ARISE {n}"] for n in ("Mutual Information", "Rejection Uncertainty")
    )
    return labels, np.asarray(information), score >= model.threshold("card"), np.asarray(doubt)


@pytest.mark.parametrize("name", SYSTEMS)
def test_doors_agree(name, model, tmp_path):
    structure = SYSTEMS[name]()
    atoms = Atoms(structure.numbers, structure.positions, cell=structure.cell, pbc=structure.pbc)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no box holds", UserWarning)
        labels, information, rejected, doubt = through_core(atoms, model)
        others = {
            "recognition": through_recognition(atoms, model),
            "ASE": through_ase(atoms, model),
            "command line": through_command_line(atoms, model, tmp_path),
            "OVITO": through_ovito(atoms, model),
        }
    named = ~np.asarray(rejected) & (labels != None)  # noqa: E711 - elementwise
    for door, (its_labels, its_information, its_rejected, its_doubt) in others.items():
        assert (np.asarray(its_rejected) == rejected).all(), f"{door} rejects other atoms"
        assert (its_labels[named] == labels[named]).all(), f"{door} has other labels"
        assert np.allclose(its_information, information, rtol=0, atol=TOLERANCE, equal_nan=True), door
        assert np.allclose(its_doubt, doubt, rtol=0, atol=DOUBT, equal_nan=True), door


def test_there_are_enough_systems_and_they_say_something(model):
    assert len(SYSTEMS) >= 25
    found = {}
    for name in ("bulk fcc", "melt", "slab across the border", "graphene"):
        structure = SYSTEMS[name]()
        atoms = Atoms(structure.numbers, structure.positions, cell=structure.cell, pbc=structure.pbc)
        labels, _, rejected, _ = through_core(atoms, model)
        found[name] = (len(set(labels)), np.mean(rejected))
    assert found["melt"][1] > 0.9
    assert max(found[name][1] for name in found if name != "melt") < 0.1


# --- a slab that crosses the border of its cell ------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_layers(model):
    """A map of a bilayer in the middle of its cell, and one of the same moved by half a cell and wrapped."""
    options = {"box_size": 10.0, "stride": 3.0, "passes": 32}
    return [(s, arise.strided_map(s, model, **options)) for s in (bilayer(0.25), bilayer(0.75))]


def test_labels_do_not_depend_on_where_the_border_is(two_layers):
    (inside, field), (across, moved) = two_layers
    first, second = field.at(inside.positions), moved.at(across.positions)
    assert (first.labels == second.labels).mean() > 0.995
    half = len(inside) // 2
    for found in (first, second):
        assert (found.names[: half - 100] == "fcc").mean() > 0.8
        assert (found.names[half + 300 :] == "bcc").mean() > 0.5


def test_points_in_the_vacuum_go_to_the_nearer_surface(two_layers):
    _, (across, moved) = two_layers
    height = across.cell[2, 2]
    empty = np.array([[10.0, 10.0, 0.75 * height + 32.0 - height]])  # just above the bcc half
    above = moved.at(empty)
    assert above.names[0] == "bcc"
    assert moved.at(empty + [0, 0, 3 * height]).names[0] == "bcc"


def test_clusters_are_shown_at_the_right_atoms(two_layers):
    from ovito_arise.clusters import show_clusters
    from tests.ovito.helpers import collection

    for structure, field in two_layers:
        lower = field.grid.atom_coordinates[:, 2] < (field.shape[2] - 1) / 2
        boxes = np.arange(len(field)) % field.shape[2] >= field.shape[2] / 2
        data = collection(structure)
        show_clusters(data, field, boxes.astype(int))
        cluster = np.asarray(data.particles["ARISE Cluster"])
        assert (cluster[lower] == 1).mean() > 0.9
        assert (cluster[~lower] == 2).mean() > 0.9
