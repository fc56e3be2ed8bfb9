"""Clusters of `Atoms`: the core's, written where they belong."""

import numpy as np
import pytest
from ase.build import bulk

import arise_core as arise
from arise_core.errors import InputError, InputTypeError
from arise_core.geometry.grains import four_grains
from ase_arise import exploration, from_atoms, write_clusters
from ase_arise.convert import to_atoms
from tests.explore import made

QUICK = {"passes": 5, "stride": 5.0, "min_cluster_size": 10, "embed": False}


@pytest.fixture(scope="module")
def atoms():
    return to_atoms(four_grains((50.0, 50.0), rng=np.random.default_rng(4))[0])


def test_it_is_the_core_s(atoms, model):
    before = atoms.copy()
    found = exploration(atoms, model, **QUICK)
    assert atoms == before
    core = arise.exploration(from_atoms(atoms), model, **QUICK)
    assert np.array_equal(found.labels, core.labels)
    assert write_clusters(atoms, found) == [atoms]
    assert np.array_equal(atoms.arrays["arise_cluster"], core.labels_at_atoms())
    assert len(set(atoms.arrays["arise_cluster"])) > 2


def test_atoms_that_are_left_out(atoms, model, tmp_path):
    """Sites without an element have no cluster, before and after the file."""
    more = atoms + atoms[:1]
    more.numbers[-1] = 0
    more.positions[-1] += 0.5
    found = exploration(more, model, **QUICK)
    found.save(tmp_path / "found.npz")
    for one in (found, arise.Exploration.load(tmp_path / "found.npz")):
        written = write_clusters(more.copy(), one)[0].arrays["arise_cluster"]
        assert len(written) == len(more)
        assert written[-1] == -1


def test_several_atoms_are_points(model):
    rng = np.random.default_rng(0)
    images = [bulk(s) * (4, 4, 4) for s in ("Cu", "Fe") for _ in range(6)]
    for image in images:
        image.positions += rng.normal(0, 0.03, image.positions.shape)
    found = exploration(images, model, passes=5, min_cluster_size=4, embed=False)
    assert found.field is None
    write_clusters(images, found)
    assert {i.info["arise_cluster"] for i in images[:6]} != {i.info["arise_cluster"] for i in images[6:]}
    assert (images[0].arrays["arise_cluster"] == images[0].info["arise_cluster"]).all()
    with pytest.raises(InputError, match="`images` must be the 12 structures"):
        write_clusters(images[:3], found)


def test_a_file_with_one_frame_is_its_boxes(atoms, model, tmp_path):
    atoms.write(tmp_path / "one.xyz")
    assert exploration(str(tmp_path / "one.xyz"), model, **QUICK).field is not None


def test_other_atoms_are_refused(atoms, model):
    found = exploration(atoms, model, **QUICK)
    with pytest.raises(InputError, match="`images` must be the"):
        write_clusters(atoms[:10], found)
    with pytest.raises(InputError, match="`images` is empty"):
        exploration([], model)


@pytest.mark.parametrize("images", [None, 5, [5], "cu.xyz"])
def test_something_else_than_atoms_is_refused(images):
    with pytest.raises(InputTypeError, match="`images` must be Atoms, or several of them"):
        write_clusters(images, made.exploration(times=(6, 6, 3)))
