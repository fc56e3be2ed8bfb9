"""Stored results on their trajectory: the same as computed there, by atom, or a message; never labels on others."""

from __future__ import annotations

import copy
import shutil
import sys
from pathlib import Path

import numpy as np
import ovito
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import iread, write
from ovito.io import export_file, import_file
from ovito.modifiers import (
    DeleteSelectedModifier,
    ExpressionSelectionModifier,
    LoadTrajectoryModifier,
    PythonModifier,
    ReplicateModifier,
    SmoothTrajectoryModifier,
    WrapPeriodicImagesModifier,
)
from ovito.pipeline import Pipeline
from traits.api import TraitError

from arise_core.errors import ExistingFileError, FileError, InputError, InputTypeError, MissingFileError
from arise_core.trajectories.rows import probed
from arise_core.trajectories.store import Store, TrajectoryResults
from ase_arise import trajectory
from ovito_arise import AriseLegend, AriseModifier, AriseStoredResults
from ovito_arise.frames import wait_for_frames
from tests.ovito.helpers import pipeline_of
from tests.ovito.test_pipelines import in_new_process

MAP = {"box_size": 12.0, "stride": 7.0, "passes": 16, "tolerance": 0.0}
N_FRAMES = 4


def frame_of(k: int) -> Atoms:
    """Copper that melts from one side and loses an atom a frame; identifiers have gaps and no order."""
    atoms = bulk("Cu", cubic=True) * (7, 4, 4)
    rng = np.random.default_rng(k)
    molten = atoms.get_scaled_positions()[:, 0] > 0.9 - 0.2 * k
    atoms.positions += rng.normal(0, np.where(molten, 0.8, 0.08)[:, None], atoms.positions.shape)
    atoms.wrap()
    atoms.arrays["id"] = np.random.default_rng(9).permutation(3 * np.arange(len(atoms)) + 5)
    return atoms[[i for i in rng.permutation(len(atoms)) if i >= k]]


def dump(frames: list[Atoms], first: int = 0, identifiers: bool = True) -> str:
    """A LAMMPS dump, a frame every 100 steps."""
    text = ""
    for k, atoms in enumerate(frames, first):
        bounds = "".join(f"0 {edge!r}\n" for edge in atoms.cell.lengths().tolist())
        text += f"ITEM: TIMESTEP\n{100 * k}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\nITEM: BOX BOUNDS pp pp pp\n{bounds}"
        text += f"ITEM: ATOMS {'id ' if identifiers else ''}element x y z\n"
        for i, (x, y, z) in zip(atoms.arrays["id"], atoms.positions.tolist(), strict=True):
            text += f"{f'{i} ' if identifiers else ''}Cu {x!r} {y!r} {z!r}\n"
    return text


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a trajectory and results of it, with values at atoms, without, and of every second frame."""
    folder = tmp_path_factory.mktemp("stored")
    frames = [frame_of(k) for k in range(N_FRAMES)]
    (folder / "md.dump").write_text(dump(frames))
    kept = {"atoms": {"atoms": True, "maps": True}, "plain": {}, "half": {"every": 2, "atoms": True}}
    for name, more in kept.items():
        trajectory(folder / "md.dump", folder / f"{name}.zarr", mode="local", workers=1, **MAP, **more)
    return folder


def opened(*names: Path) -> Pipeline:
    """Files in a pipeline, with all their frames."""
    pipeline = import_file([str(name) for name in names])
    wait_for_frames(pipeline.source)
    return pipeline


def shown(place: Path, *before: object, name: str = "atoms", file: str = "md.dump", **parameters) -> Pipeline:
    """The trajectory with modifiers and its stored results."""
    pipeline = opened(place / file)
    pipeline.modifiers.extend(before)
    pipeline.modifiers.append(AriseStoredResults(results=place / f"{name}.zarr", **parameters))
    return pipeline


def by_identifier(data, name="Structure Type") -> dict[int, float]:
    ids = np.asarray(data.particles["Particle Identifier"]).tolist()
    return dict(zip(ids, np.asarray(data.particles[name]).tolist(), strict=True))


def kinds_in(typed) -> list[tuple[object, ...]]:
    return [(t.id, t.name, *t.color) for t in typed.types]


@pytest.mark.parametrize("frame", [0, N_FRAMES - 1])
def test_it_shows_what_the_modifier_would_compute(place, frame):
    pipeline = opened(place / "md.dump")
    pipeline.modifiers.append(AriseModifier(**MAP, probabilities="FCC"))
    computed = pipeline.compute(frame)
    stored = shown(place, probabilities="FCC").compute(frame)
    a, b = stored.particles["Structure Type"], computed.particles["Structure Type"]
    assert (a[...] == b[...]).all()
    assert kinds_in(a) == kinds_in(b)
    assert (stored.particles["Color"][...] == computed.particles["Color"][...]).all()
    name = "ARISE Mutual Information"
    assert np.allclose(stored.particles[name], computed.particles[name], rtol=1e-3, atol=1e-6, equal_nan=True)
    for column in ("Structure", "Count", "Structure Type"):
        tables = [data.tables["arise-structures"][column] for data in (stored, computed)]
        assert (tables[0][...] == tables[1][...]).all()
        assert kinds_in(tables[0]) == kinds_in(tables[1])
    missing = {n for n in computed.attributes if n not in stored.attributes}
    rates = {"ARISE.reject_threshold", "ARISE.false_crystal_rate", "ARISE.false_rejection_rate"}
    assert missing == {"ARISE.rejection_uncertainty.mean", *rates}
    for key in (n for n in computed.attributes if n.startswith("ARISE")):
        if key not in missing:
            x, y = (d.attributes[key] for d in (stored, computed))
            assert x == y if isinstance(y, str) else x == pytest.approx(y, rel=1e-6), key
    assert stored.attributes["ARISE.stored.row"] == frame
    grids = [data.grids["arise"] for data in (stored, computed)]
    assert grids[0].shape == grids[1].shape
    assert np.allclose(grids[0].domain[...], grids[1].domain[...])
    assert set(grids[1]) - set(grids[0]) == {"Rejection Uncertainty"}
    for name in grids[0]:
        x, y = (np.array(grid[name]) for grid in grids)
        known = x > 0 if name == "Probability" else slice(None)  # of the five most probable classes
        assert np.allclose(x[known], y[known], rtol=1e-3, atol=2e-5), name
    assert kinds_in(grids[0]["Structure Type"]) == kinds_in(grids[1]["Structure Type"])
    assert "arise" not in shown(place, voxel_grid=False).compute(frame).grids
    group = stored.particles["ARISE Group"][...]
    fcc = stored.attributes["ARISE.counts.FCC"]
    assert 0.1 * fcc < (group == 0).sum() <= fcc
    assert ((group >= 0) == (a[...] > 0)).all()


@pytest.mark.parametrize("pbc", [True, (True, True, False)])
def test_the_voxels_lie_where_the_cell_is(tmp_path, pbc):
    """Skewed cells, and cells that begin elsewhere than at zero: what is at a place is what the core finds there."""
    atoms = bulk("Cu") * (9, 8, 9)
    molten = atoms.get_scaled_positions()[:, 0] > 0.5
    atoms.positions += np.random.default_rng(0).normal(
        0, np.where(molten, 0.8, 0.05)[:, None], atoms.positions.shape
    )
    atoms.pbc = pbc
    write(tmp_path / "md.xyz", atoms)
    trajectory(
        tmp_path / "md.xyz", tmp_path / "r.zarr", mode="local", workers=1, maps=True, atoms=True, **MAP
    )
    data = opened(tmp_path / "md.xyz").compute()
    for corner in ((0.0, 0.0, 0.0), (5.0, -9.0, 2.0)):
        data.cell_[:, 3] = corner
        found = data.clone()
        found.apply(AriseStoredResults(results=tmp_path / "r.zarr"))
        grid = found.grids["arise"]
        domain, shape = np.asarray(grid.domain), np.array(grid.shape)
        kept = TrajectoryResults.open(tmp_path / "r.zarr").kept_map(0)
        fields = grid["Mutual Information"][...].reshape(shape[::-1]).transpose()  # x is fastest
        index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, 3)
        centres = ((index + 0.5) / shape) @ domain[:, :3].T + domain[:, 3]
        # the same boxes, modulo periods: each centre has the values of that of the core
        u = np.linalg.solve(kept.domain.T, (centres - kept.origin).T).T * shape
        at = np.floor(u).astype(int) % shape
        assert np.allclose(u - np.floor(u), 0.5, atol=1e-6)
        expected = np.nan_to_num(kept.mutual_information).reshape(shape)[tuple(at.T)]
        assert (fields[tuple(index.T)] == expected).all()
        inside = np.linalg.solve(data.cell[:, :3], (domain[:, 3] - data.cell[:, 3]))
        assert (np.abs(inside) * shape < 1 + 1e-6)[
            : 2 + (pbc is True)
        ].all()  # within a box of the cell's corner


def test_without_values_at_atoms_there_are_attributes_and_the_bar_chart(place):
    with_atoms, without = (shown(place, name=name).compute(1) for name in ("atoms", "plain"))
    assert set(without.particles) == {"Particle Identifier", "Particle Type", "Position"}
    for name in without.attributes:
        assert without.attributes[name] == with_atoms.attributes[name], name
    assert set(with_atoms.attributes) - set(without.attributes) == {
        "ARISE.color_by",
        "ARISE.color_end",
        "ARISE.groups.reach",
        "ARISE.without_answer",
    }
    counts = [d.tables["arise-structures"]["Count"][...] for d in (with_atoms, without)]
    assert (counts[0] == counts[1]).all()
    only = shown(place, name="plain", classes="HCP").compute(1)
    assert only.attributes["ARISE.counts.OTHER"] > with_atoms.attributes["ARISE.counts.OTHER"]
    assert "ARISE.counts.FCC" not in only.attributes


def test_what_is_shown_can_be_changed(place):
    pipeline = shown(place)
    delegate = pipeline.modifiers[0].delegate
    first = pipeline.compute(1)
    delegate.classes = "HCP"
    only = pipeline.compute(1)
    hcp = first.attributes["ARISE.counts.HCP"]
    assert only.attributes["ARISE.counts.HCP"] == hcp
    assert only.attributes["ARISE.counts.OTHER"] == only.particles.count - hcp
    assert (only.particles["ARISE Group"][...] >= 0).sum() == hcp
    delegate.trait_set(classes="all", color_by="mutual information", color_end=0.1)
    coloured = pipeline.compute(1)
    assert (coloured.particles["Color"][...] != first.particles["Color"][...]).any()
    delegate.color_by = "nothing"
    assert "Color" not in pipeline.compute(1).particles
    delegate.classes = "gold"
    with pytest.raises(InputError, match="`classes` must be a class of the model, got 'gold'"):
        pipeline.compute(1)


def test_deleted_particles_are_known_by_their_identifiers(place):
    whole = shown(place).compute(2)
    right = by_identifier(whole)
    for condition, least in (("Position.X > 8", 50), ("ParticleIdentifier != 26", 1)):
        selection = ExpressionSelectionModifier(expression=condition)
        data = shown(place, selection, DeleteSelectedModifier()).compute(2)
        assert whole.particles.count - data.particles.count >= least
        left = by_identifier(data)
        assert left == {i: right[i] for i in left}
        types = data.particles["Structure Type"]
        (fcc,) = (t.id for t in types.types if t.name == "FCC")
        assert data.attributes["ARISE.counts.FCC"] == (types[...] == fcc).sum()
        doubt = np.nanmean(data.particles["ARISE Mutual Information"][...])
        assert data.attributes["ARISE.mutual_information.mean"] == pytest.approx(doubt, rel=2e-3)


def test_modifiers_before_it_that_move_particles_change_nothing(place):
    right = by_identifier(shown(place).compute(1))
    before = (SmoothTrajectoryModifier(window_size=3), WrapPeriodicImagesModifier())
    assert by_identifier(shown(place, *before).compute(1)) == right


def test_particles_that_are_not_of_the_frame_are_refused(place):
    with pytest.raises(
        InputError, match=r"particles are not of the frame.*place `ARISE: stored results` before"
    ):
        shown(place, ReplicateModifier(num_x=2)).compute(0)


def test_without_identifiers_all_particles_must_be_there(place, tmp_path):
    shutil.copytree(place, tmp_path / "p")
    path = tmp_path / "p" / "bare.dump"
    path.write_text(dump([frame_of(0)], identifiers=False))
    trajectory(path, tmp_path / "p" / "bare.zarr", mode="local", workers=1, atoms=True, **MAP)
    data = shown(tmp_path / "p", name="bare", file="bare.dump").compute()
    crystal = data.particles.positions[:, 0] < 12
    assert (data.particles["Structure Type"][...][crystal] > 0).mean() > 0.9
    half = ExpressionSelectionModifier(expression="Position.X > 8")
    with pytest.raises(InputError, match=r"are left of 448, and without identifiers it is not known which"):
        shown(tmp_path / "p", half, DeleteSelectedModifier(), name="bare", file="bare.dump").compute()
    # the frame with identifiers is the same one, in another order: it is known all the same
    assert shown(tmp_path / "p", name="bare").compute(0).attributes["ARISE.stored.row"] == 0


def test_numbers_of_atoms_may_change(place):
    pipeline = shown(place)
    for frame in (3, 0, 2, 1):
        data = pipeline.compute(frame)
        assert data.particles.count == 448 - frame
        assert data.attributes["ARISE.stored.row"] == frame
    shares = [pipeline.compute(k).attributes["ARISE.fractions.FCC"] for k in range(N_FRAMES)]
    assert shares == sorted(shares, reverse=True)


def test_a_frame_without_a_row(place, tmp_path):
    with pytest.raises(
        InputError, match=r"frame 1 of file '.*md.dump' has no row .* hold 2 frames.* one frame in 2"
    ):
        shown(place, name="half").compute(1)
    pipeline = shown(place, name="half", missing="pass on")
    rows = [pipeline.compute(k).attributes["ARISE.stored.row"] for k in range(N_FRAMES)]
    assert rows == [0, -1, 1, -1]
    assert "has no row" in pipeline.compute(1).attributes["ARISE.notes"]
    assert "Structure Type" not in pipeline.compute(1).particles
    columns = ["Timestep", "ARISE.fractions.FCC", "ARISE.counts.OTHER", "ARISE.mutual_information.mean"]
    export_file(pipeline, tmp_path / "rows.txt", "txt/attr", columns=columns, multiple_frames=True)
    shares = np.loadtxt(tmp_path / "rows.txt")[:, 1:]
    assert np.isnan(shares).all(axis=1).tolist() == [False, True, False, True]


@pytest.mark.parametrize("name", ["md.dump", "md.xyz"])
def test_atoms_that_stay_do_not_make_frames_one(tmp_path, name):
    """Those by which frames are known are where they were in all of them: only its own results come to a frame."""
    frames = []
    for k in range(4):
        atoms = bulk("Cu", cubic=True) * (3, 3, 3)
        free = np.setdiff1d(np.arange(len(atoms)), probed(len(atoms)))
        atoms.positions[free] += np.random.default_rng(k).normal(0, 0.1 + 0.1 * k, (len(free), 3))
        atoms.arrays["id"] = np.arange(len(atoms))
        frames.append(atoms)
    frames[2].positions[3] = frames[2].positions[2]
    path, other = tmp_path / name, tmp_path / f"other{Path(name).suffix}"
    if path.suffix == ".dump":
        path.write_text(dump(frames))
    else:
        write(path, frames, columns=["symbols", "positions"])
    shutil.copy(path, other)
    for results, first in (("all", 0), ("even", 0), ("odd", 1)):
        every = 1 if results == "all" else 2
        out = tmp_path / f"{results}.zarr"
        trajectory(path, out, mode="whole", passes=8, workers=1, atoms=True, every=every, first=first)
    rows = {"all": [0, 1, -1, 3], "even": [0, -1, -1, -1], "odd": [-1, 0, -1, 1]}
    for results, right in rows.items():
        pipeline = shown(tmp_path, name=results, file=name, missing="pass on")
        assert [pipeline.compute(k).attributes["ARISE.stored.row"] for k in range(4)] == right
    pipeline = shown(tmp_path, name="all", file=other.name)
    if path.suffix == ".dump":
        assert [pipeline.compute(k).attributes["ARISE.stored.row"] for k in (0, 1, 3)] == [0, 1, 3]
        with pytest.raises(InputError, match=r"are not of frame 2 of file"):
            pipeline.compute(2)
    else:  # nothing says which of them it is
        with pytest.raises(
            InputError, match=r"are where those of 3 rows of .*, such as 0 and 1, and neither"
        ):
            pipeline.compute(0)


def test_a_frame_that_failed(place, tmp_path):
    bad = frame_of(1)
    bad.positions[3] = bad.positions[2]
    path = tmp_path / "bad.dump"
    path.write_text(dump([frame_of(0), bad]))
    trajectory(path, tmp_path / "bad.zarr", mode="local", workers=1, atoms=True, **MAP)
    pipeline = shown(tmp_path, name="bad", file="bad.dump")
    assert pipeline.compute(0).attributes["ARISE.stored.row"] == 0
    with pytest.raises(InputError, match=r"frame 1 of file '.*bad.dump' has no results: .*0.1 Å"):
        pipeline.compute(1)


def test_another_trajectory_is_refused(place, tmp_path):
    shutil.copy(place / "md.dump", tmp_path / "md.dump")
    shutil.copytree(place / "atoms.zarr", tmp_path / "atoms.zarr")
    assert shown(tmp_path).compute(2).attributes["ARISE.stored.row"] == 2  # moved, and known again
    other = [frame_of(k) for k in range(N_FRAMES)]
    for atoms in other:
        atoms.rattle(0.05, seed=7)
    (tmp_path / "other.dump").write_text(dump(other))
    for frame in range(2):
        with pytest.raises(
            InputError, match=r"are not of frame . of file '.*other.dump': they were made of '.*md.dump'"
        ):
            shown(tmp_path, file="other.dump", missing="pass on").compute(frame)
    (tmp_path / "md.dump").write_text(dump(other))  # another one under the name
    with pytest.raises(InputError, match="are not of frame 0"):
        shown(tmp_path).compute(0)
    text = (place / "md.dump").read_text()
    try:
        (place / "md.dump").write_text(dump(other))
        with pytest.raises(InputError, match="are not where they were when"):
            shown(place).compute(0)
        (place / "md.dump").write_text(dump([atoms[:-5] for atoms in other]))
        with pytest.raises(InputError, match=r"has 443 atoms, and had 448 when results"):
            shown(place).compute(0)
    finally:
        (place / "md.dump").write_text(text)


def test_several_files_and_a_topology(place, tmp_path):
    names = []
    for k in range(2):
        names.append(tmp_path / f"part.{k}.dump")
        names[-1].write_text(dump([frame_of(2 * k), frame_of(2 * k + 1)], first=2 * k))
    trajectory(names, tmp_path / "r.zarr", mode="local", workers=1, atoms=True, **MAP)
    pipeline = opened(*names[::-1])  # in another order
    pipeline.modifiers.append(AriseStoredResults(results=tmp_path / "r.zarr"))
    rows = [pipeline.compute(k).attributes["ARISE.stored.row"] for k in range(N_FRAMES)]
    assert rows == [2, 3, 0, 1]
    atoms = frame_of(3)  # those that are there to the end
    write(tmp_path / "topology.xyz", atoms)
    loaded = LoadTrajectoryModifier()
    pipeline = opened(tmp_path / "topology.xyz")
    pipeline.modifiers.append(loaded)
    loaded.source.load(str(place / "md.dump"))
    wait_for_frames(loaded.source)
    select = ExpressionSelectionModifier(expression="Position.X > 8")
    pipeline.modifiers.extend([select, AriseStoredResults(results=place / "atoms.zarr")])
    assert pipeline.compute(3).attributes["ARISE.stored.row"] == 3
    assert by_identifier(pipeline.compute(3)) == by_identifier(shown(place).compute(3))


def scaled_dump(frames: list[Atoms]) -> str:
    """A LAMMPS dump of scaled coordinates in a cell that begins elsewhere than at zero."""
    text = ""
    for k, atoms in enumerate(frames):
        bounds = "".join(f"{-0.3 * edge} {0.7 * edge}\n" for edge in atoms.cell.lengths())
        text += (
            f"ITEM: TIMESTEP\n{k}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\nITEM: BOX BOUNDS pp pp pp\n{bounds}"
        )
        text += "ITEM: ATOMS id element xs ys zs\n"
        for i, (x, y, z) in zip(atoms.arrays["id"], atoms.get_scaled_positions(), strict=True):
            text += f"{i} Cu {x} {y} {z}\n"
    return text


@pytest.mark.parametrize("name", ["scaled.dump", "ids.xyz", "open.xyz", "XDATCAR"])
def test_readers_with_other_orders_and_origins_agree_atom_by_atom(tmp_path, name):
    frames = [frame_of(0), frame_of(2)[:-1]] if name != "XDATCAR" else [frame_of(2)]
    path = tmp_path / name
    if name == "open.xyz":
        for atoms in frames:
            atoms.cell, atoms.pbc = None, False
        write(path, frames, format="xyz")
    elif name == "scaled.dump":
        path.write_text(scaled_dump(frames))
    else:
        write(path, frames, **({"columns": ["symbols", "positions", "id"]} if name == "ids.xyz" else {}))
    results = trajectory(path, tmp_path / "r.zarr", mode="local", workers=1, atoms=True, **MAP)
    for k, atoms in enumerate(iread(path)):
        data = shown(tmp_path, name="r", file=name).compute(k)
        assert data.attributes["ARISE.stored.row"] == k
        away = np.asarray(data.particles.positions)[:, None] - atoms.positions
        edge = np.where(atoms.pbc, atoms.cell.lengths(), np.inf)
        if name == "scaled.dump":  # of scaled coordinates ASE begins at the corner of the cell
            away -= np.asarray(data.cell)[:, 3]
        away -= np.where(np.isfinite(edge), edge, 0.0) * np.round(away / edge)
        same = np.linalg.norm(away, axis=2).argmin(axis=1)
        assert len(set(same.tolist())) == len(atoms)
        doubt = results.at_atoms(k)["doubt"][same].astype(float)
        assert np.array_equal(data.particles["ARISE Mutual Information"], doubt, equal_nan=True)


def test_missing_damaged_and_other_folders(place, tmp_path):
    with pytest.raises(MissingFileError, match=r"results '.*nothing.zarr' do not exist"):
        shown(place, name="nothing").compute(0)
    pipeline = opened(place / "md.dump")
    pipeline.modifiers.append(AriseStoredResults())
    with pytest.raises(InputError, match="`results` is empty"):
        pipeline.compute(0)
    pipeline.modifiers[0].delegate.results = str(tmp_path)
    with pytest.raises(ExistingFileError, match="holds something else"):
        pipeline.compute(0)
    pipeline.modifiers[0].delegate.results = str(
        place / "atoms.zarr" / "zarr.json"
    )  # as a file dialog gives it
    assert pipeline.compute(0).attributes["ARISE.stored.row"] == 0
    for name in ("share", "label"):
        shutil.copytree(place / "atoms.zarr", tmp_path / f"{name}.zarr")
        (piece, *_) = sorted(p for p in (tmp_path / f"{name}.zarr" / name / "c").rglob("*") if p.is_file())
        content = bytearray(piece.read_bytes())
        content[len(content) // 2] ^= 4
        piece.write_bytes(content)
        with pytest.raises(FileError, match="damaged"):
            shown(place, name=tmp_path / name).compute(0)
    with pytest.raises(InputError, match="requires particles"):
        pipeline_of(ovito.data.DataCollection(), AriseStoredResults(results=place / "atoms.zarr")).compute()


def test_results_that_are_still_written_and_replaced(place, tmp_path):
    whole = TrajectoryResults.open(place / "atoms.zarr")
    rows = list(whole.rows())
    store = Store.open(tmp_path / "r.zarr", dict(whole.facts), whole.classes, True, False, False)
    store.note_files(whole.files)
    pipeline = shown(place, name=tmp_path / "r")
    shutil.copy(place / "md.dump", tmp_path / "copy.dump")
    copied = shown(tmp_path, name="r", file="copy.dump")
    store.write(rows[:2])
    with pytest.raises(InputError, match="are not of frame 2 of file"):
        copied.compute(2)
    assert pipeline.compute(1).attributes["ARISE.stored.row"] == 1
    with pytest.raises(InputError, match="frame 2 .* has no row .* hold 2 frames"):
        pipeline.compute(2)
    store.write(rows[2:])
    assert pipeline.compute(2).attributes["ARISE.stored.row"] == 2  # no need to say so
    assert copied.compute(3).attributes["ARISE.stored.row"] == 3
    store.close()
    trajectory(
        place / "md.dump", tmp_path / "r.zarr", mode="whole", workers=1, atoms=True, passes=8, overwrite=True
    )
    data = pipeline.compute(0)
    assert len(set(data.particles["Structure Type"][...])) == 1
    assert "ARISE.box_size" not in data.attributes


def test_the_legend_and_a_second_one(place):
    pipeline = shown(place)
    pipeline.modifiers.append(AriseStoredResults(results=place / "half.zarr", missing="pass on"))
    pipeline.modifiers.append(AriseStoredResults(results=place / "plain.zarr"))
    without = pipeline.compute(1)
    rows = [without.attributes[f"ARISE.stored.row{k}"] for k in ("", ".2", ".3")]
    assert rows == [1, -1, 1]
    assert AriseLegend(instance=2).rows(without) == []
    data = pipeline.compute(2)
    assert data.attributes["ARISE.stored.row.2"] == 1
    assert data.attributes["ARISE.fractions.FCC.2"] == data.attributes["ARISE.fractions.FCC"]
    assert "ARISE Mutual Information 2" in data.particles
    assert AriseLegend().rows(data)[0][0] in ("FCC", "Other")
    assert AriseLegend(instance=2).rows(data) == AriseLegend().rows(data)


def test_apply_copies_and_sessions(place, tmp_path):
    data = opened(place / "md.dump").compute(1)
    data.apply(AriseStoredResults(results=place / "atoms.zarr"), frame=1)
    expected = data.attributes["ARISE.fractions.FCC"]
    assert data.attributes["ARISE.stored.row"] == 1
    used = AriseStoredResults(results=place / "atoms.zarr", color_by="mutual information")
    pipeline_of(opened(place / "md.dump").compute(1), used).compute()
    for other in (copy.copy(used), copy.deepcopy(used), used.clone_traits()):  # as of `AriseModifier`
        assert (other.results, other.color_by) == (used.results, "mutual information")
    if sys.version_info >= (3, 13):
        return  # OVITO 3.17 crashes saving a session with any Python modifier class
    pipeline = opened(place / "md.dump")
    pipeline.modifiers.append(PythonModifier(delegate=used, title="stored"))
    pipeline.add_to_scene()
    try:
        ovito.scene.save(str(tmp_path / "session.ovito"))
    finally:
        pipeline.remove_from_scene()
    script = """
import sys, ovito
ovito.scene.load(sys.argv[1])
pipeline = ovito.scene.pipelines[0]
print(pipeline.modifiers[0].delegate.color_by, pipeline.compute(1).attributes["ARISE.fractions.FCC"])
"""
    words = in_new_process(script, str(tmp_path / "session.ovito")).split()
    assert words[:2] == ["mutual", "information"]
    assert float(words[2]) == expected


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("results", 5, "string or os.PathLike"),
        ("missing", "guess", "'refuse'"),
        ("classes", [1], "names of classes"),
        ("color_by", "confidence", "'structure'"),
        ("color_end", 0.0, "number > 0.0"),
        ("probabilities", 7, "names of classes"),
        ("voxel_grid", 3, "boolean"),
        ("grid_vis", 3, "VoxelGridVis"),
    ],
)
def test_a_bad_value_is_refused_at_once_by_name(name, value, says):
    with pytest.raises(TraitError, match=f"'{name}' trait") as error:
        AriseStoredResults(**{name: value})
    assert says in str(error.value)
    with pytest.raises(
        InputError, match="`classes` 'FCC' are classes of the model of `results`, which is empty"
    ):
        AriseStoredResults(classes="FCC")
    with pytest.raises(InputTypeError, match="no parameter 'result'; close: results"):
        AriseStoredResults(result="run.zarr")
