"""Positions averaged over neighbouring frames before they are recognised."""

from concurrent.futures import ThreadPoolExecutor

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ovito.io import import_file
from ovito.modifiers import SmoothTrajectoryModifier

from arise_core.errors import InputError
from arise_core.trajectories.averaging import averaged
from arise_core.trajectories.matching import SeenFrame, match
from arise_core.trajectories.rows import REJECTED_LABEL
from ase_arise import merge, trajectory
from ase_arise.reading import Reader
from ase_arise.trajectories.frames import frames_in, read_frame
from ase_arise.trajectories.windows import Smoothed, Windows, mean_of
from benchmarks.robustness.structure_files import dump
from ovito_arise import AriseModifier
from ovito_arise.frames import wait_for_frames
from tests.ase.test_trajectories import same

FAST = {"passes": 8, "workers": 1}


def hot(n: int, repeats: int = 3, spread: float = 0.25, cubic: bool = False) -> list[Atoms]:
    """Frames of a copper crystal whose atoms are scattered anew in each, wrapped into a tilted cell."""
    rng = np.random.default_rng(0)
    crystal = bulk("Cu", cubic=cubic) * (repeats, repeats, repeats)
    images = []
    for k in range(n):
        atoms = crystal.copy()
        atoms.positions += rng.normal(0, spread, atoms.positions.shape)
        atoms.wrap()
        atoms.info["step"] = k
        images.append(atoms)
    return images


def smooth(path, average: int) -> list[Atoms | str]:
    """All frames of a file as a run reads them."""
    reader, windows = Reader(), Windows(average)
    refs = [ready for ref in frames_in(0, str(path), reader) for ready in windows.add(ref)]
    refs += list(windows.rest())
    assert [ref.number for ref in refs] == list(range(len(refs)))
    read = Smoothed(lambda ref: read_frame(ref, reader))
    return [read(ref) for ref in refs]


def shuffled(atoms: Atoms, seed: int) -> str:
    """A frame of a dump with lines in any order."""
    lines = dump(atoms).splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("ITEM: ATOMS")) + 1
    rows = lines[start:]
    return (
        "\n".join(lines[:start] + [rows[k] for k in np.random.default_rng(seed).permutation(len(rows))])
        + "\n"
    )


@pytest.mark.parametrize("average", [1, 3, 5, 9])
def test_positions_are_those_of_ovito(average, tmp_path):
    """At the ends too, where one frame stands for those that are missing; lines of the dump in any order."""
    path = tmp_path / "md.dump"
    path.write_text("".join(shuffled(atoms, k) for k, atoms in enumerate(hot(7, cubic=True))))
    ours = smooth(path, average)
    pipeline = import_file(str(path))
    assert wait_for_frames(pipeline.source) == len(ours) == 7
    pipeline.modifiers.append(SmoothTrajectoryModifier(window_size=average))
    for k, atoms in enumerate(ours):
        data = pipeline.compute(k)
        order = np.argsort(data.particles["Particle Identifier"])
        theirs = np.asarray(data.particles["Position"])[order]
        apart = (atoms.positions - theirs) @ np.linalg.inv(atoms.cell[:])
        assert np.abs((apart - np.round(apart)) @ atoms.cell[:]).max() < 1e-6


def test_labels_are_those_of_ovito_with_its_modifier_before_ours(tmp_path, model):
    path = tmp_path / "md.dump"
    path.write_text("".join(shuffled(atoms, k) for k, atoms in enumerate(hot(5, 6, 0.45, cubic=True))))
    settings = {"box_size": 12.0, "stride": 6.0, "passes": 8}
    found = trajectory(
        path, tmp_path / "r.zarr", model, every=2, average=3, atoms=True, mode="local", workers=1, **settings
    )
    plain = trajectory(path, tmp_path / "p.zarr", model, last=2, first=2, mode="local", workers=1, **settings)
    assert found.share("fcc")[1, 0] > plain.share("fcc")[0, 0] + 0.3
    pipeline = import_file(str(path))
    wait_for_frames(pipeline.source)
    pipeline.modifiers.append(SmoothTrajectoryModifier(window_size=3))
    pipeline.modifiers.append(AriseModifier(**settings))
    for row, k in enumerate((0, 2, 4)):
        data = pipeline.compute(k)
        order = np.argsort(data.particles["Particle Identifier"])
        doubt = np.asarray(data.particles["ARISE Mutual Information"])[order]
        ours = found.at_atoms(row)
        assert np.allclose(ours["doubt"], doubt, atol=2e-3)  # half precision
        rejected = np.asarray(data.particles["Structure Type"])[order] == 0
        assert np.mean(rejected == (ours["label"] == REJECTED_LABEL)) > 0.99


def test_a_crystal_that_is_stretched_stays_where_it_is_in_its_cell():
    crystal = bulk("Cu", cubic=True) * (2, 2, 2)
    images = []
    for strain in (0.95, 1.0, 1.08):
        images.append(crystal.copy())
        images[-1].set_cell(crystal.cell * [[strain], [1], [2 - strain]], scale_atoms=True)
        images[-1].positions += images[-1].cell[0] * 3  # unwrapped
    found = mean_of(images)
    assert np.allclose(found.get_scaled_positions(), images[1].get_scaled_positions())
    assert np.allclose(found.cell[:], np.mean([a.cell[:] for a in images], axis=0))
    assert images[1].positions[0, 0] == pytest.approx(3 * images[1].cell[0, 0])  # as it was


def test_a_flipped_cell_is_the_same_lattice():
    """LAMMPS replaces a vector of a tilted cell by its sum with another one."""
    crystal = bulk("Cu", cubic=True) * (2, 2, 2)
    crystal.set_cell(
        crystal.cell[:] + [[0, 0, 0], [0.49 * crystal.cell[0, 0], 0, 0], [0, 0, 0]], scale_atoms=True
    )
    flipped = crystal.copy()
    flipped.set_cell(crystal.cell[:] - [[0, 0, 0], crystal.cell[0], [0, 0, 0]])
    flipped.wrap()
    assert not np.allclose(flipped.positions, crystal.positions)
    found = mean_of([flipped, crystal, flipped])
    assert np.allclose(found.positions, crystal.positions)
    assert np.allclose(found.cell[:], crystal.cell[:])


def test_open_directions_are_averaged_as_they_are():
    """Their cell may follow the outermost atom, or be missing."""
    slab = bulk("Cu", cubic=True) * (2, 2, 2)
    slab.pbc = (True, True, False)
    moved = slab.copy()
    moved.positions[:, 2] += 0.3
    moved.cell[2, 2] *= 2
    found = mean_of([moved, slab, moved])
    assert np.allclose(found.positions[:, 2] - slab.positions[:, 2], 0.2)
    assert np.allclose(found.cell[:], slab.cell[:])
    for image in (slab, moved):
        image.set_cell(np.zeros((3, 3)))
        image.pbc = False
    assert np.allclose(mean_of([moved, slab, moved]).positions, found.positions)


def test_windows_that_do_not_fit_are_refused():
    own = bulk("Cu", cubic=True) * (2, 2, 2)
    own.set_array("id", np.arange(len(own)))
    gone, other, swapped, named, open_, large = (own.copy() for _ in range(6))
    del gone[3]
    other.set_array("id", np.arange(1, len(own) + 1))
    swapped.numbers[5] = 28
    open_.pbc = False
    large.set_cell(own.cell[:] * 1.5)
    for image, words in ((gone, "has 31 atoms, it has 32"), (other, "atoms with other identifiers"),
                         (swapped, "other elements"), (open_, "periodic in other directions"),
                         (large, "the cell of a frame beside it is another one")):  # fmt: skip
        with pytest.raises(InputError, match=words):
            mean_of([image, own, own])
    order = np.random.default_rng(0).permutation(len(own))
    assert np.allclose(mean_of([named[order], own, own]).positions, own.positions)
    for cells in ([np.zeros((3, 3))] * 3, [own.cell[:], own.cell[:], np.zeros((3, 3))]):
        with pytest.raises(InputError, match="has no volume"):
            averaged([own.positions] * 3, cells, np.ones(3, dtype=bool), 1)


def test_a_frame_that_is_missing_is_named_in_the_rows_that_need_it(tmp_path, model):
    images = hot(7)
    text = [dump(atoms) for atoms in images]
    text[3] += text[3].splitlines()[-1] + "\n"  # more lines than are announced
    text[6] = dump(images[6][1:])
    (tmp_path / "md.dump").write_text("".join(text))
    found = trajectory(tmp_path / "md.dump", tmp_path / "r.zarr", model, average=3, **FAST)
    assert found.done.tolist() == [True, True, False, False, False, False, False]
    assert "cannot be averaged: file " in found.failed[2]
    assert "frame 3 cannot be read: frame 3 has 28 lines" in found.failed[4]
    assert found.failed[3].startswith("cannot be read")
    assert "a frame beside it has 26 atoms, it has 27" in found.failed[5]


def test_whoever_works_and_however_often_a_run_is_ended(tmp_path, model):
    images = hot(9)
    ase.io.write(tmp_path / "md.xyz", images)
    options = {"average": 5, "atoms": True}
    whole = trajectory(tmp_path / "md.xyz", tmp_path / "r.zarr", model, **options, **FAST)
    assert whole.steps.tolist() == list(range(9))
    assert whole.facts["average"] == 5
    with ThreadPoolExecutor(2) as pool:
        two = trajectory(tmp_path / "md.xyz", tmp_path / "2.zarr", model, executor=pool, passes=8, **options)
    same(whole, two)
    parts = [
        trajectory(tmp_path / "md.xyz", tmp_path / f"{k}.part", model, shard=(k, 2), **options, **FAST).path
        for k in (1, 2)
    ]
    same(whole, merge(parts, tmp_path / "m.zarr"))
    every = trajectory(tmp_path / "md.xyz", tmp_path / "e.zarr", model, every=3, last=6, **options, **FAST)
    assert np.array_equal(every.data["mutual_information"], whole.data["mutual_information"][:7:3])
    # a run that grew: the last frames that there were have other windows now
    said = []
    ase.io.write(tmp_path / "grown.xyz", images[:6])
    trajectory(tmp_path / "grown.xyz", tmp_path / "g.zarr", model, **options, **FAST)
    trajectory(tmp_path / "grown.xyz", tmp_path / "g.zarr", model, progress=said.append, **options, **FAST)
    assert said[-1].message == "0 recognised, 0 failed, 6 from before"
    ase.io.write(tmp_path / "grown.xyz", images)
    grown = trajectory(
        tmp_path / "grown.xyz", tmp_path / "g.zarr", model, progress=said.append, **options, **FAST
    )
    assert said[-1].message == "5 recognised, 0 failed, 6 from before"
    same(whole, grown)
    with pytest.raises(InputError, match=r"another average \(5, now 3\)"):
        trajectory(tmp_path / "md.xyz", tmp_path / "r.zarr", model, **{**options, "average": 3}, **FAST)


def test_parts_of_a_run_that_grew(tmp_path, model):
    """Merged results go on, and take what parts have done anew, as a run without parts does."""
    images, path = hot(8), tmp_path / "md.xyz"
    options = {"average": 3, "atoms": True, "first": 1}
    ase.io.write(tmp_path / "md.xyz", images[:5])

    def parts(*numbers):
        return [
            trajectory(path, tmp_path / f"{k}.part", model, shard=(k, 2), **options, **FAST) for k in numbers
        ]

    names = [part.path for part in parts(1, 2)]
    merge(names, tmp_path / "goes on.zarr")
    merge(names, tmp_path / "again.zarr")
    ase.io.write(path, images)
    whole = trajectory(path, tmp_path / "r.zarr", model, **options, **FAST)
    same(whole, trajectory(path, tmp_path / "goes on.zarr", model, **options, **FAST))
    parts(1)  # the other one has not seen what is new
    merge(names, tmp_path / "half.zarr")
    same(whole, trajectory(path, tmp_path / "half.zarr", model, **options, **FAST))
    parts(2)
    same(whole, merge(names, tmp_path / "again.zarr"))
    same(whole, merge(names, tmp_path / "again.zarr"))


def test_a_frame_is_known_by_where_its_atoms_are_in_the_file(tmp_path, model):
    images = hot(4)
    ase.io.write(tmp_path / "md.xyz", images)
    found = trajectory(tmp_path / "md.xyz", tmp_path / "r.zarr", model, average=3, **FAST)
    for k, atoms in enumerate(images):
        seen = SeenFrame(atoms.positions, atoms.cell[:], atoms.pbc, np.zeros(3))
        assert match(found, seen).row == k


@pytest.mark.parametrize("kind", ["traj", "many files"])
def test_other_places_of_frames(tmp_path, model, kind):
    images = hot(4)
    (tmp_path / "run").mkdir()
    if kind == "traj":
        ase.io.write(tmp_path / "run" / "md.traj", images)
    else:
        for k, atoms in enumerate(images):
            ase.io.write(tmp_path / "run" / f"{k}.xyz", atoms, format="extxyz")
    ase.io.write(tmp_path / "md.xyz", images)
    found = trajectory(tmp_path / "run", tmp_path / "a.zarr", model, average=3, **FAST)
    wanted = trajectory(tmp_path / "md.xyz", tmp_path / "b.zarr", model, average=3, **FAST)
    assert np.allclose(found.data["mutual_information"], wanted.data["mutual_information"], atol=1e-5)
