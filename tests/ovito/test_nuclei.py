"""Nuclei of the growth run that comes along, beside OVITO's cluster analysis of the same labels."""

from __future__ import annotations

import numpy as np
import pytest
from ovito.io import import_file
from ovito.modifiers import ClusterAnalysisModifier, ExpressionSelectionModifier

from arise_core.trajectories.nuclei import nuclei
from ase_arise import trajectory
from ovito_arise import AriseStoredResults
from ovito_arise.demo import TRAJECTORY


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    out = tmp_path_factory.mktemp("nuclei") / "run.zarr"
    settings = {"mode": "local", "box_size": 12.0, "stride": 6.0, "passes": 16, "tolerance": 0.0}
    return trajectory(TRAJECTORY, out, every=3, atoms=True, types="1=Cu", workers=1, **settings)


def clusters_of(results, frame: int, name: str, cutoff: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Cluster by OVITO, and group in the results, of each particle of a class; the cutoff is that of the frame."""
    pipeline = import_file(str(TRAJECTORY))
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


@pytest.mark.parametrize("name", ["FCC", "HCP"])
def test_groups_are_the_clusters_of_ovito(results, name):
    seen = 0
    for row, frame in enumerate(results.data["number"].values.tolist()):
        cluster, group = clusters_of(results, frame, name)
        pairs = set(zip(cluster.tolist(), group.tolist(), strict=True))
        assert len(pairs) == len(set(cluster.tolist())) == len(set(group.tolist()))  # the same atoms in each
        assert (group >= 0).all()
        seen += len(pairs)
        largest = results.data["largest"].sel(crystal=name.lower()).values[row]
        assert largest == max(sizes_of(cluster), default=0)
    assert seen >= 3


@pytest.mark.parametrize("least", [1, 50])
def test_tables_of_nuclei_have_the_sizes_of_ovito(results, least):
    found = nuclei(results, "fcc", min_atoms=least)
    for row, frame in enumerate(results.data["number"].values.tolist()):
        ours = sorted(n.sizes[n.rows.index(row)] for n in found if row in n.rows)
        cluster, _ = clusters_of(results, frame, "FCC")
        assert ours == [n for n in sizes_of(cluster) if n >= least]


def test_the_crystal_grows_as_one_nucleus(results):
    (crystal, *others) = sorted(nuclei(results, "fcc"), key=lambda n: -n.largest)
    assert crystal.rows == tuple(range(len(results)))
    assert (np.diff(crystal.sizes) > 0).all()
    assert crystal.end == "lasts"
    assert all(n.largest < 0.1 * crystal.largest for n in others)


def test_another_cutoff_gives_other_clusters(results):
    """What docs/trajectories.md says of the difference: a distance below the first shell takes crystals apart."""
    cluster, _ = clusters_of(results, 0, "FCC", cutoff=2.4)
    assert sizes_of(cluster)[-1] < results.data["largest"].sel(crystal="fcc").values[0]
