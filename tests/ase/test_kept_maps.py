"""Maps in the results of a trajectory: what is kept of them, bit for bit whoever worked, and where their boxes lie."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import ase.io
import numpy as np
import pytest
import xarray
from ase import Atoms
from ase.build import bulk

import arise_core as arise
from arise_core.errors import FileError, InputError, MemoryLimitError
from arise_core.model.top import RANKS
from arise_core.runtime.stores import StoredArray
from arise_core.trajectories.columns import AT_BOXES
from arise_core.trajectories.kept import UNITS, KeptMap
from arise_core.trajectories.store import Store
from ase_arise import TrajectoryResults, merge, trajectory
from ase_arise.convert import from_atoms

MAP = {"box_size": 10.0, "stride": 5.0, "passes": 8, "tolerance": 0.0}
N_FRAMES = 3


def frame(k: int) -> Atoms:
    """Hot iron in a skewed cell that grows, with a melt in it; the last one is a slab, open along z."""
    atoms = bulk("Fe") * (8 + k, 9, 8)
    rng = np.random.default_rng(k)
    molten = atoms.get_scaled_positions()[:, 1] > 0.6
    atoms.positions += rng.normal(0, np.where(molten, 0.7, 0.05)[:, None], atoms.positions.shape)
    atoms.pbc = (True, True, k < N_FRAMES - 1)
    return atoms


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with frames, one of them too small for a map, and results with maps."""
    folder = tmp_path_factory.mktemp("maps")
    ase.io.write(folder / "md.xyz", [frame(k) for k in range(N_FRAMES)])
    trajectory(folder / "md.xyz", folder / "r.zarr", maps=True, workers=1, mode="local", **MAP)
    return folder


@pytest.fixture(scope="module")
def results(place):
    return TrajectoryResults.open(place / "r.zarr")


def same(a: KeptMap, b: KeptMap) -> None:
    for name, values in vars(a).items():
        assert values.dtype == getattr(b, name).dtype
        assert np.array_equal(values, getattr(b, name), equal_nan=values.dtype.kind == "f"), name


@pytest.mark.parametrize("k", range(N_FRAMES))
def test_a_kept_map_is_that_of_the_core(place, results, model, k):
    structure = from_atoms(ase.io.read(place / "md.xyz", index=k))
    field = arise.strided_map(structure, model, **MAP)
    p, kept = field.prediction, results.kept_map(k)
    assert tuple(kept.shape) == field.shape
    assert np.allclose(kept.centers, field.centers, atol=1e-9)
    assert np.array_equal(kept.index[:, 0], p.index)
    assert np.array_equal(kept.rejected == 1, p.rejected)
    assert np.array_equal(kept.mutual_information, p.mutual_information.astype(np.float16), equal_nan=True)
    assert np.array_equal(kept.n_atoms, field.n_atoms)
    valid = p.valid
    best = np.sort(p.probabilities[valid], axis=1)[:, : -RANKS - 1 : -1]
    assert np.allclose(kept.probabilities[valid], best, atol=0.51 / UNITS)
    bcc = model.class_info.find("bcc")
    of_bcc = kept.probabilities_of(np.array([bcc]))[:, 0]
    among = (kept.index == bcc).any(axis=1)
    assert among.sum() > len(among) / 2
    assert np.allclose(of_bcc[among], p.probabilities[among, bcc], atol=1 / UNITS)
    assert not of_bcc[~among].any()
    data = results.map_at(k)
    full = field.to_xarray()
    assert np.array_equal(data["label"], full["label"])
    assert np.allclose(data["center"], full["center"])
    assert data["mutual_information"].attrs["units"] == "bit"
    assert str(data["class"].values[int(data["label"][0, 0, 0])]) == model.classes[kept.index[0, 0]]


def test_a_map_may_begin_elsewhere_along_periodic_directions(results):
    kept = results.kept_map(N_FRAMES - 1)
    moved = kept.beginning_at(kept.origin + kept.domain[0] * 0.4 + kept.domain[2] * 3)
    steps = round(np.floor(-0.4 * kept.shape[0] + 1e-6))
    assert np.allclose(moved.origin, kept.origin - steps * kept.domain[0] / kept.shape[0])  # and not along z
    there = {tuple(np.round(c, 6)): i for c, i in zip(kept.centers, kept.n_atoms, strict=True)}
    inside = 0
    for centre, n in zip(moved.centers, moved.n_atoms, strict=True):
        for image in (centre, centre - kept.domain[0]):
            key = tuple(np.round(image, 6))
            if key in there:
                assert there[key] == n
                inside += 1
    assert inside == len(kept)
    assert kept.beginning_at(kept.origin) is kept


def test_whoever_works_the_maps_are_the_same(place, results, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        two = trajectory(place / "md.xyz", tmp_path / "2.zarr", maps=True, executor=pool, mode="local", **MAP)
    parts = [tmp_path / f"{k}.part" for k in (1, 2)]
    for k, part in enumerate(parts, 1):
        trajectory(place / "md.xyz", part, maps=True, workers=1, mode="local", shard=(k, 2), **MAP)
    whole = merge(parts, tmp_path / "whole.zarr")
    for k in range(N_FRAMES):
        same(results.kept_map(k), two.kept_map(k))
        same(results.kept_map(k), whole.kept_map(k))


def test_what_is_not_there_is_told(place, results, tmp_path):
    without = trajectory(place / "md.xyz", tmp_path / "r.zarr", workers=1, last=0, mode="local", **MAP)
    with pytest.raises(InputError, match="hold no maps: make them with `maps=True`"):
        without.map_at(0)
    with pytest.raises(InputError, match="was made with another maps"):
        trajectory(place / "md.xyz", tmp_path / "r.zarr", maps=True, workers=1, last=0, mode="local", **MAP)
    with pytest.raises(InputError, match="`row` must be that of a frame with results, got 9"):
        results.map_at(9)
    wholes = trajectory(place / "md.xyz", tmp_path / "w.zarr", maps=True, workers=1, mode="whole", passes=8)
    with pytest.raises(InputError, match="`row` 1 has no map: the frame was recognised as a whole"):
        wholes.map_at(1)
    assert all(row.map is None for row in wholes.rows())


def test_a_kill_leaves_whole_maps_and_goes_on(place, results, tmp_path, monkeypatch):
    class Killed(Exception):
        pass

    original, put = Store._put, []

    def killed(self, name, found):
        put.append(name)
        if name == "status" and put.count("status") == 2:
            raise Killed  # all of the frame is written but that it is
        original(self, name, found)

    monkeypatch.setattr("ase_arise.trajectories.job.MOST_FRAMES", 1)
    monkeypatch.setattr(Store, "_put", killed)
    settings = {"maps": True, "workers": 1, "mode": "local", **MAP}
    with pytest.raises(Killed):
        trajectory(place / "md.xyz", tmp_path / "r.zarr", **settings)
    monkeypatch.setattr(Store, "_put", original)
    half = TrajectoryResults.open(tmp_path / "r.zarr")
    assert half.done.tolist() == [True, False]
    same(half.kept_map(0), results.kept_map(0))
    with pytest.raises(InputError, match="`row` must be that of a frame with results"):
        half.map_at(1)
    again = trajectory(place / "md.xyz", tmp_path / "r.zarr", **settings)
    for k in range(N_FRAMES):
        same(again.kept_map(k), results.kept_map(k))


@pytest.mark.parametrize("name", AT_BOXES)
def test_a_lost_or_damaged_piece_shows(place, tmp_path, name):
    for lose in (True, False):
        shutil.rmtree(tmp_path / "r.zarr", ignore_errors=True)
        shutil.copytree(place / "r.zarr", tmp_path / "r.zarr")
        (piece, *_) = sorted(p for p in (tmp_path / "r.zarr" / name / "c").rglob("*") if p.is_file())
        if lose:
            piece.unlink()
        else:
            content = bytearray(piece.read_bytes())
            content[len(content) // 2] ^= 8
            piece.write_bytes(content)
        found = TrajectoryResults.open(tmp_path / "r.zarr")
        with pytest.raises(FileError, match="damaged"):
            found.map_at(0)
        found.map_at(1)


def test_a_frame_is_read_where_all_of_them_do_not_fit_the_memory(results, monkeypatch):
    kept = results.kept_map(0)
    monkeypatch.setattr("arise_core.runtime.memory.available", lambda: 2 * len(kept) * 2 * RANKS)
    same(results.kept_map(0), kept)
    array = StoredArray(results._group, "map_index", results.path)
    with pytest.raises(MemoryLimitError, match="more than there is"):
        array[:]


def test_xarray_opens_it_without_us(place, results):
    with xarray.open_zarr(place / "r.zarr", consolidated=False) as data:
        n = int(data["map_shape"].values[1].prod())
        raw = results.kept_map(1)
        assert np.array_equal(data["map_index"].values[1, :n], raw.index)
        assert data["map_mutual_information"].attrs["units"] == "bit"
