"""Every door looks at a structure once: converts, wraps, checks overlaps and surveys neighbours one time each."""

from collections import Counter

import ase.io
import numpy as np
import pytest
from ase.build import bulk, fcc111
from typer.testing import CliRunner

import arise_core as arise
import ase_arise.convert
from arise_cli.main import app
from arise_core.geometry import material as material_module
from arise_core.geometry import neighbors
from arise_core.geometry.material import Material
from ase_arise import AriseCalculator, AriseObserver, annotate, classify, similarity
from ase_arise.convert import from_atoms
from ovito_arise import AriseModifier
from ovito_arise import mapping as ovito_mapping
from tests.ovito.helpers import FAST, pipeline_of

MAP = {"stride": 8.0, "passes": 8}


@pytest.fixture
def looks(monkeypatch) -> Counter:
    """How often each kind of look is taken."""
    counts: Counter = Counter()

    def counted(owner, name, key):
        real = getattr(owner, name)

        def call(*arguments, **options):
            counts[key] += 1
            return real(*arguments, **options)

        monkeypatch.setattr(owner, name, call)

    counted(material_module, "wrapped", "wrap")
    counted(neighbors, "wrapped", "wrap by others")
    counted(material_module, "surroundings", "survey")
    counted(neighbors.PairFinder, "nearest", "nearest neighbours")
    overlaps = Material.__dict__["_overlaps"].func

    def check(self):
        counts["overlaps"] += 1
        return overlaps(self)

    monkeypatch.setattr(Material.__dict__["_overlaps"], "func", check)
    real = ase_arise.convert.Material
    monkeypatch.setattr(
        ase_arise.convert, "Material", lambda *a, **k: counts.update(convert=1) or real(*a, **k)
    )
    to_atoms = ovito_mapping.to_atoms
    monkeypatch.setattr(
        ovito_mapping, "to_atoms", lambda *a, **k: counts.update(convert=1) or to_atoms(*a, **k)
    )
    return counts


def copper() -> ase.Atoms:
    atoms = bulk("Cu", cubic=True) * (6, 6, 6)
    atoms.rattle(0.05, seed=1)
    return atoms


def slab() -> ase.Atoms:
    return fcc111("Cu", (8, 8, 6), vacuum=15.0, periodic=True)


ONCE = {"convert": 1, "wrap": 1, "survey": 1, "overlaps": 1, "nearest neighbours": 1}


def through_map(atoms, folder):
    ase.io.write(folder / "in.traj", atoms)
    done = CliRunner().invoke(app, ["map", str(folder / "in.traj"), "--stride", "8", "--passes", "8"])
    assert done.exit_code == 0, done.output


DOORS = {
    "annotate": lambda atoms, folder: annotate(atoms, mode="local", **MAP),
    "annotate, automatic box": lambda atoms, folder: annotate(
        atoms, mode="local", stride=4.0, passes=8, box_size="auto"
    ),
    "annotate as a whole": lambda atoms, folder: annotate(atoms, mode="whole", passes=8),
    "classify": lambda atoms, folder: classify(atoms, passes=8),
    "similarity": lambda atoms, folder: similarity([atoms]),
    "calculator": lambda atoms, folder: AriseCalculator(mode="local", **MAP).get_property(
        "arise_label", atoms
    ),
    "arise map": through_map,
    "modifier": lambda atoms, folder: pipeline_of(from_atoms(atoms), AriseModifier(**FAST)).compute(),
    "modifier, automatic box, whole structure": lambda atoms, folder: pipeline_of(
        from_atoms(atoms),
        AriseModifier(passes=8, tolerance=0.0, automatic_box=True, whole_structure=True),
    ).compute(),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_crystal_is_looked_at_once(door, looks, tmp_path):
    atoms = copper()
    DOORS[door](atoms, tmp_path)
    assert dict(looks) == ONCE


@pytest.mark.parametrize("door", ["annotate", "arise map", "modifier", "classify"])
def test_a_slab_is_surveyed_again_once_its_vacuum_is_known(door, looks, tmp_path):
    """Which neighbours there are tells where the vacuum is; those of the body are the same but for rounding."""
    DOORS[door](slab(), tmp_path)
    assert dict(looks) == ONCE | {"survey": 2}


def test_the_observer_looks_once_a_step(looks):
    observer = AriseObserver(copper(), **MAP)
    looks.clear()  # what it was made with was checked
    observer.look(0)
    assert dict(looks) == ONCE


def test_several_species_are_looked_up_pair_by_pair(looks):
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (4, 4, 4)
    annotate(atoms, mode="local", **MAP)
    assert dict(looks) == ONCE | {"nearest neighbours": 4}  # Na-Na, Na-Cl, Cl-Cl, any-any


def test_a_material_is_handed_on_as_it_is(model, looks):
    material = Material.of(from_atoms(copper()))
    assert Material.of(material) is material
    field = arise.strided_map(material, model, **MAP)
    arise.classify(material, model, passes=8)
    arise.describe(material)
    assert field.grid.material is material
    assert (looks["wrap"], looks["survey"], looks["overlaps"], looks["nearest neighbours"]) == (1, 1, 1, 1)


def test_fold_takes_points_to_the_body():
    atoms = slab()
    material = Material.of(from_atoms(atoms))
    height = atoms.cell[2, 2]
    for shift in (0.0, 0.3, 0.7, -2.6):
        moved = atoms.copy()
        moved.positions[:, 2] += shift * height
        moved.wrap()
        other = Material.of(from_atoms(moved))
        assert not other.body.pbc[2]
        for periods in (0, 5):
            folded = other.fold(moved.positions + moved.cell[2] * periods)
            images = (folded - other.body.positions) @ np.linalg.inv(moved.cell)
            assert np.allclose(images[:, 2], 0)
            assert np.allclose(images, images.round())  # along the slab it repeats
        assert np.ptp(other.body.positions[:, 2]) == pytest.approx(np.ptp(material.body.positions[:, 2]))
    sideways = atoms.positions + atoms.cell[0] * 2
    assert np.array_equal(material.fold(sideways), material.fold(atoms.positions) + atoms.cell[0] * 2)
