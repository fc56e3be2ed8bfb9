"""Nuclei beside OVITO's cluster analysis of the same labels: in the growth run that comes along, and among several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write
from ovito.io import import_file
from ovito.modifiers import ClusterAnalysisModifier, ExpressionSelectionModifier

from arise_core.trajectories.nuclei import nuclei
from ase_arise import TrajectoryResults, trajectory
from ovito_arise import AriseStoredResults
from ovito_arise.demo import TRAJECTORY
from ovito_arise.frames import wait_for_frames

FAST = {"mode": "local", "passes": 16, "tolerance": 0.0, "atoms": True, "workers": 1}
#: Middles of spheres of crystal, Å; two of them touch when they have grown.
MIDDLES = np.array([[9.0, 9.0, 9.0], [27.0, 10.0, 10.0], [10.0, 27.0, 27.0]])


def spheres(radius: float) -> Atoms:
    """Spheres of hot copper in a disordered surrounding of the same density."""
    atoms = bulk("Cu", cubic=True) * (10, 10, 10)
    edge = atoms.cell.lengths()
    away = atoms.positions[:, None] - MIDDLES
    away -= edge * np.round(away / edge)
    inside = (np.linalg.norm(away, axis=2) < radius).any(axis=1)
    atoms.rattle(0.08, seed=1)
    rng = np.random.default_rng(int(10 * radius))
    atoms.positions += rng.normal(0, np.where(inside, 0.0, 0.75)[:, None], atoms.positions.shape)
    return atoms


@pytest.fixture(scope="module")
def growth(tmp_path_factory) -> tuple[Path, TrajectoryResults]:
    out = tmp_path_factory.mktemp("growth") / "run.zarr"
    settings = {"box_size": 9.0, "stride": 4.5, **FAST}
    return TRAJECTORY, trajectory(TRAJECTORY, out, every=3, types="1=Cu", **settings)


@pytest.fixture(scope="module")
def several(tmp_path_factory) -> tuple[Path, TrajectoryResults]:
    folder = tmp_path_factory.mktemp("several")
    write(folder / "md.xyz", [spheres(radius) for radius in (8.0, 9.5, 11.0)])
    settings = {"box_size": 9.0, "stride": 3.7, **FAST}
    return folder / "md.xyz", trajectory(folder / "md.xyz", folder / "run.zarr", **settings)


@pytest.fixture(params=["growth", "several"])
def run(request) -> tuple[Path, TrajectoryResults]:
    return request.getfixturevalue(request.param)


def clusters_of(run, frame: int, name: str, cutoff: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Cluster by OVITO, and group in the results, of each particle of a class; the cutoff is that of the frame."""
    path, results = run
    pipeline = import_file(str(path))
    wait_for_frames(pipeline.source)
    pipeline.modifiers.append(AriseStoredResults(results=results.path))
    data = pipeline.compute(frame)
    (kind,) = (t.id for t in data.particles["Structure Type"].types if t.name == name)
    reach = cutoff or data.attributes["ARISE.groups.reach"]
    pipeline.modifiers.append(ExpressionSelectionModifier(expression=f"StructureType == {kind}"))
    pipeline.modifiers.append(ClusterAnalysisModifier(cutoff=reach, only_selected=True))
    data = pipeline.compute(frame)
    of_class = np.asarray(data.particles["Selection"]) == 1
    return np.array(data.particles["Cluster"])[of_class], np.array(data.particles["ARISE Group"])[of_class]


def sizes_of(cluster: np.ndarray) -> list[int]:
    return sorted(np.unique(cluster, return_counts=True)[1].tolist())


def test_groups_are_the_clusters_of_ovito(run):
    results = run[1]
    seen = 0
    for row, frame in enumerate(results.data["number"].values.tolist()):
        for name in ("FCC", "HCP"):
            cluster, group = clusters_of(run, frame, name)
            pairs = set(zip(cluster.tolist(), group.tolist(), strict=True))
            # the same atoms in each
            assert len(pairs) == len(set(cluster.tolist())) == len(set(group.tolist()))
            assert (group >= 0).all()
            seen += len(pairs)
            largest = results.data["largest"].sel(crystal=name.lower()).values[row]
            assert largest == max(sizes_of(cluster), default=0)
    assert seen > len(results)


@pytest.mark.parametrize("least", [1, 50])
def test_tables_of_nuclei_have_the_sizes_of_ovito(run, least):
    results = run[1]
    found = nuclei(results, "fcc", min_atoms=least)
    for row, frame in enumerate(results.data["number"].values.tolist()):
        ours = sorted(n.sizes[n.rows.index(row)] for n in found if row in n.rows)
        cluster, _ = clusters_of(run, frame, "FCC")
        assert ours == [n for n in sizes_of(cluster) if n >= least]


def test_the_crystal_grows_as_one_nucleus(growth):
    (crystal,) = nuclei(growth[1], "fcc")
    assert crystal.rows == tuple(range(len(growth[1])))
    assert (np.diff(crystal.sizes) > 0).all()
    assert crystal.end == "lasts"


def test_two_of_three_nuclei_merge(several):
    found = nuclei(several[1], "fcc", min_atoms=20)
    assert len(found) == 3
    (merged,) = (n for n in found if n.end == "merged")
    host = found[merged.into]
    assert host.end == "lasts"
    assert host.sizes[1] > host.sizes[0] + 0.8 * merged.sizes[-1]


def test_another_cutoff_gives_other_clusters(growth):
    """What docs/trajectories.md says of the difference: a distance below the first shell takes crystals apart."""
    cluster, _ = clusters_of(growth, 0, "FCC", cutoff=2.4)
    assert sizes_of(cluster)[-1] < growth[1].data["largest"].sel(crystal="fcc").values[0]
