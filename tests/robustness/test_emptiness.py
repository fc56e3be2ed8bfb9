"""Far atoms, short periods, skewed cells, crowds: an answer, or a clear error before memory is spent; at every door."""

import contextlib
import json
import warnings

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from typer.testing import CliRunner

import arise_core as arise
from arise_cli.main import app
from arise_core.errors import AriseError, InputError, MemoryLimitError
from arise_core.geometry.cell import perpendicular_heights, unskewed, volume
from arise_core.geometry.material import Material
from arise_core.recognition.result import recognise
from arise_core.settings import RecognitionSettings
from ase_arise import annotate
from ase_arise.convert import from_atoms

OPTIONS = {"box_size": 12.0, "stride": 6.0, "passes": 8, "tolerance": None}


def ball() -> Atoms:
    atoms = bulk("Cu", cubic=True) * (5, 5, 5)
    atoms = atoms[np.linalg.norm(atoms.positions - atoms.positions.mean(axis=0), axis=1) < 8.5]
    atoms.pbc = False
    atoms.rattle(0.05, seed=1)
    return atoms


def with_far_atom(distance: float) -> Atoms:
    atoms = ball()
    return atoms + Atoms("Cu", [atoms.positions.mean(axis=0) + distance])


def recognised(atoms, model, mode="local"):
    return recognise(from_atoms(atoms), model, RecognitionSettings.of({"mode": mode, **OPTIONS}))


@pytest.mark.parametrize("distance", [700.0, 1e5, 1e8])
def test_a_far_atom_has_no_answer_and_the_rest_has_its_own(distance, model):
    atoms = with_far_atom(distance)
    with pytest.warns(UserWarning, match="1 of .* atoms are further than 20 atomic spacings"):
        found = recognised(atoms, model)
    alone = recognised(ball(), model)
    assert found.field.shape == alone.field.shape
    assert found.atom_labels[-1] == "none"
    assert np.isnan(found.atoms.mutual_information[-1])
    assert found.label == "fcc"
    # Far coordinates have fewer digits, which the spacing sees at most.
    assert np.abs(found.atoms.confidence[:-1] - alone.atoms.confidence).max() < 2e-3
    with pytest.warns(UserWarning, match="left out"):
        whole = recognised(atoms, model, "whole")
    assert whole.label == "fcc"
    assert whole.confidence > 0.9


def test_a_far_atom_at_the_other_doors(model, tmp_path):
    atoms = with_far_atom(700.0)
    with pytest.warns(UserWarning, match="left out"):
        found = annotate(atoms, model, mode="local", copy=True, **OPTIONS)
    assert found.arrays["arise_label"][-1] == "none"
    assert (found.arrays["arise_label"][:-1] == "fcc").all()
    ase.io.write(tmp_path / "far.xyz", atoms)
    words = ["map", str(tmp_path / "far.xyz"), "--json", "--passes", "8", "--box-size", "12", "--stride", "6"]
    with pytest.warns(UserWarning, match="left out"):
        done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    shares = json.loads(done.stdout)[0]["fractions"]
    assert shares["none"] == pytest.approx(1 / len(atoms))
    assert shares["fcc"] == pytest.approx(1 - 1 / len(atoms))


def test_a_far_atom_in_ovito(model, tmp_path):
    pytest.importorskip("ovito")
    from ovito.io import import_file

    from ovito_arise import AriseModifier

    ase.io.write(tmp_path / "far.xyz", with_far_atom(700.0))
    pipeline = import_file(str(tmp_path / "far.xyz"))
    pipeline.modifiers.append(AriseModifier(box_size=12.0, stride=6.0, passes=8))
    with pytest.warns(UserWarning, match="left out"):
        data = pipeline.compute()
    names = {t.id: t.name for t in data.particles["Structure Type"].types}
    labels = [names[k] for k in np.asarray(data.particles["Structure Type"])]
    assert set(labels[:-1]) == {"FCC"}
    assert labels[-1] != "fcc"


def test_groups_are_left_out_only_beside_a_larger_one():
    few = ball()[:12]
    other = few.copy()
    other.positions += 500.0
    material = Material.of(from_atoms(few + other))
    assert material.in_body.all()
    near = ball()
    near += Atoms("Cu", [near.positions.max(axis=0) + 10.0])
    assert Material.of(from_atoms(near)).in_body.all()


def test_far_clusters_are_refused_before_work(model):
    two = ball()
    other = two.copy()
    other.positions += 1000.0
    with pytest.raises(MemoryLimitError, match=r"`box_size` 12 Å and `stride` 6 Å lay .* boxes"):
        recognised(two + other, model)
    with pytest.raises(MemoryLimitError, match="Recognise its parts one by one"):
        recognised(two + other, model, "whole")


def test_a_dilute_gas_is_refused_before_work(model):
    gas = Atoms("Ar1000", np.random.default_rng(0).random((1000, 3)) * 2000, cell=[2000] * 3, pbc=True)
    with pytest.raises(MemoryLimitError, match="nearly all of them empty"):
        recognised(gas, model)


@pytest.mark.parametrize("scale", [1e-10, 1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize("periodic", [True, False])
def test_metres_are_refused_with_a_hint(scale, periodic):
    atoms = bulk("Cu", cubic=True) * (3, 3, 3)
    atoms.set_cell(atoms.cell * scale, scale_atoms=True)
    atoms.pbc = periodic
    with pytest.raises(InputError, match="overlapping atoms.*metres"):
        Material.of(from_atoms(atoms)).check_overlaps()


@pytest.mark.parametrize("edge", [1e-3, 0.01, 0.05, 0.0999])
def test_short_periods_are_overlaps(edge):
    atoms = Atoms("Cu", cell=[edge, 3.0, 3.0], pbc=True)
    with pytest.raises(InputError, match="overlapping atoms of all and their images: along vector 0"):
        Material.of(from_atoms(atoms)).check_overlaps()


@pytest.mark.parametrize("size", [1e12, 1e30, 1e100, 1e305])
def test_coordinates_without_digits_are_refused(size):
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    moved = atoms.copy()
    moved.positions[3, 1] = size
    with pytest.raises(InputError, match=r"`positions` must not exceed 1e\+09 Å.*first atom 3"):
        from_atoms(moved)
    with pytest.raises(InputError, match=r"`cell` must not exceed 1e\+09 Å"):
        arise.Structure(atoms.positions, atoms.numbers, np.eye(3) * size, True)


def test_crowds_are_found_without_their_pairs():
    crowd = Atoms("Cu20000", np.ones((20_000, 3)))
    with pytest.raises(
        InputError, match=r"more than 199990000 pairs closer than 0.1 Å, closest are atoms 0 and"
    ):
        Material.of(from_atoms(crowd)).check_overlaps()


@pytest.mark.parametrize("times", [30, 5000, 50_000])
def test_a_skewed_cell_is_the_same_crystal(times, model):
    atoms = bulk("Cu", cubic=True) * (3, 3, 3)
    atoms.rattle(0.05, seed=1)
    cell = atoms.cell.array.copy()
    cell[2] += times * cell[0]
    cell[1] -= 7 * cell[0]
    other = atoms.copy()
    other.set_cell(cell)
    short = unskewed(cell, np.ones(3, dtype=bool))
    assert abs(volume(short)) == pytest.approx(abs(volume(atoms.cell.array)), rel=1e-9)
    assert perpendicular_heights(short).min() == pytest.approx(atoms.cell.lengths().min(), rel=1e-9)
    found, straight = recognised(other, model, "whole"), recognised(atoms, model, "whole")
    assert np.abs(found.probabilities - straight.probabilities).max() < 1e-4


def test_a_moderate_cell_stays_as_it_is():
    cell = np.array([[5.0, 0, 0], [4.0, 3.0, 0], [1.0, 2.0, 6.0]])
    assert unskewed(cell, np.ones(3, dtype=bool)) is cell


def test_a_box_that_holds_no_end_of_images_is_refused(model):
    atoms = bulk("Cu", a=0.12 * 2**0.5, cubic=True) * (8, 8, 8)
    with pytest.raises(InputError, match=r"`box_size` 12 Å: a box would hold .* atoms"):
        recognised(atoms, model)
    assert recognised(atoms, model, "whole").label == "fcc"


def test_too_many_species_for_a_map_are_refused(model):
    atoms = bulk("Cu", cubic=True) * (5, 5, 5)
    atoms.numbers = np.arange(len(atoms)) % 90 + 1
    with pytest.raises(InputError, match="`numbers` has 90 species, a map takes at most 20"):
        recognised(atoms, model)


@pytest.mark.parametrize(
    "edges",
    [
        (1e9, 3.0, 3.0),
        pytest.param((1e9, 1e9, 3.0), marks=pytest.mark.slow),
        (0.5, 1e4, 1e4),
        (0.15, 1e3, 3.0),
        (1e9, 1e9, 1e9),
        (0.5, 0.5, 0.5),
    ],
)
def test_one_atom_in_an_extreme_cell_ends(edges, model):
    atoms = Atoms("Cu", cell=edges, pbc=True)
    for mode in ("whole", "local"):
        with warnings.catch_warnings(), contextlib.suppress(AriseError):
            warnings.simplefilter("ignore")  # of boxes with few atoms
            assert len(recognised(atoms, model, mode)) == 1


def test_atoms_that_are_there_twice_are_no_matter_of_units():
    one = bulk("Cu", cubic=True) * (3, 3, 3)
    again = one.copy()
    again.positions += 0.001
    with pytest.raises(InputError, match=r"108 pairs.*Are atoms there twice\?") as raised:
        Material.of(from_atoms(one + again)).check_overlaps()
    assert "lengths" not in str(raised.value)
