"""The modifier among OVITO's own ones, over trajectories, in sessions and generated code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import ase.build
import ase.io
import numpy as np
import ovito
import pytest
from ovito.data import DataCollection
from ovito.io import export_file, import_file
from ovito.modifiers import (
    AffineTransformationModifier,
    ClusterAnalysisModifier,
    ColorByTypeModifier,
    ColorCodingModifier,
    ConstructSurfaceModifier,
    DeleteSelectedModifier,
    ExpressionSelectionModifier,
    HistogramModifier,
    LoadTrajectoryModifier,
    PythonModifier,
    ReplicateModifier,
    SelectTypeModifier,
    SliceModifier,
    SpatialBinningModifier,
    TimeAveragingModifier,
    TimeSeriesModifier,
    WrapPeriodicImagesModifier,
)
from ovito.pipeline import Pipeline, PipelineSourceInterface, PythonSource

import arise_core as arise
from arise_core.geometry import builders
from ovito_arise import AriseModifier
from ovito_arise.demo import TRAJECTORY
from ovito_arise.frames import wait_for_frames
from tests.conftest import conventional, shaken
from tests.ovito.helpers import FAST, collection, pipeline_of

DUMP = TRAJECTORY
COPPER = {"types_to_elements": {1: "Cu"}}


@pytest.fixture
def melt() -> Pipeline:
    """The shipped trajectory, crystal and melt, with the modifier."""
    pipeline = import_file(str(DUMP), multiple_frames=True)
    pipeline.modifiers.append(AriseModifier(**FAST, **COPPER))
    return pipeline


def core_map(data: DataCollection, **settings: float) -> arise.StridedMap:
    """What the core says of the particles of a data collection, without the modifier's help."""
    origin = np.asarray(data.cell)[:, 3]
    structure = arise.Structure(
        np.asarray(data.particles.positions) - origin,
        np.full(data.particles.count, 29),
        np.asarray(data.cell)[:, :3].T,
        data.cell.pbc,
    )
    return arise.strided_map(structure, arise.load_model("arise-108"), stride=8.0, passes=16, tolerance=None)


# --- after built-in modifiers -------------------------------------------------------------------------------

BEFORE = {
    "Replicate": lambda: [ReplicateModifier(num_x=2, num_z=2)],
    "Slice": lambda: [SliceModifier(distance=12.0, normal=(0, 0, 1))],
    "Slice of a slab": lambda: [SliceModifier(distance=10.0, slab_width=12.0, normal=(1, 0, 0))],
    "DeleteSelected": lambda: [
        ExpressionSelectionModifier(expression="Position.X > 11 && Position.Y > 8"), DeleteSelectedModifier(),
    ],
    "WrapAtPeriodicImages": lambda: [
        AffineTransformationModifier(
            operate_on={"particles"}, transformation=[[1, 0, 0, 31.0], [0, 1, 0, -57.0], [0, 0, 1, 8.0]]
        ),
        WrapPeriodicImagesModifier(),
    ],
    "unwrapped coordinates": lambda: [
        AffineTransformationModifier(
            operate_on={"particles"}, transformation=[[1, 0, 0, 31.0], [0, 1, 0, -57.0], [0, 0, 1, 8.0]]
        ),
    ],
    "AffineTransformation": lambda: [
        AffineTransformationModifier(transformation=[[0.8, -0.6, 0, 3.0], [0.6, 0.8, 0, 0], [0, 0.05, 1, 9.0]])
    ],
    "reduction": lambda: [AffineTransformationModifier(transformation=[[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])],
}  # fmt: skip


@pytest.mark.parametrize("name", BEFORE)
def test_after(name, fcc):
    data = pipeline_of(fcc, *BEFORE[name](), AriseModifier(**FAST)).compute()
    expected = core_map(data)
    values = expected.values_at(expected.grid.structure.positions)
    assert np.asarray(data.particles["ARISE Confidence"]) == pytest.approx(values.confidence, abs=1e-3)
    assert data.particles.count == len(values.confidence)
    assert data.attributes["ARISE.fractions.FCC"] > 0.8


def test_after_load_trajectory(fcc, tmp_path):
    topology, trajectory = tmp_path / "start.data", tmp_path / "moves.dump"
    export_file(pipeline_of(fcc), str(topology), "lammps/data", atom_style="atomic")
    frames = [collection(shaken(fcc, sigma, seed)) for seed, sigma in enumerate((0.0, 0.05, 0.7))]
    write_dump(trajectory, frames)
    pipeline = import_file(str(topology), atom_style="atomic")
    loader = LoadTrajectoryModifier()
    loader.source.load(str(trajectory))
    assert wait_for_frames(loader.source) == 3
    pipeline.modifiers.append(loader)
    pipeline.modifiers.append(AriseModifier(**FAST, **COPPER))
    assert pipeline.num_frames == 3
    shares = [pipeline.compute(k).attributes["ARISE.fractions.FCC"] for k in range(3)]
    assert shares[0] > 0.9
    assert shares[1] > 0.9
    assert shares[2] < 0.5


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cannot keep a process on one core")
def test_all_frames_are_found_where_ovito_alone_may_miss_them(fcc, tmp_path):
    """With a Qt application and one core, `import_file` alone counts one frame at every tenth call or so."""
    write_dump(tmp_path / "a.dump", [collection(fcc)] * 3)
    ase.io.write(tmp_path / "a.traj", [ase.build.bulk("Cu")] * 3)
    script = """
import os, sys
from ovito.io import import_file
from ovito.modifiers import LoadTrajectoryModifier
from ovito.qt_compat import QtCore
from ovito_arise.frames import wait_for_frames
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
application = QtCore.QCoreApplication([])
found = set()
for path in sys.argv[1:]:
    for _ in range(100):
        pipeline, loader = import_file(path), LoadTrajectoryModifier()
        found |= {wait_for_frames(pipeline.source), pipeline.num_frames}
        loader.source.load(path)
        found.add(wait_for_frames(loader.source))
print(found)
"""
    assert in_new_process(script, str(tmp_path / "a.dump"), str(tmp_path / "a.traj")).strip() == "{3}"


def write_dump(path: Path, frames: list[DataCollection]) -> None:
    """Several frames as LAMMPS text dump with element names."""
    with open(path, "w") as file:
        for step, data in enumerate(frames):
            positions, cell = np.asarray(data.particles.positions), np.asarray(data.cell)
            bounds = "\n".join(f"{cell[k, 3]} {cell[k, 3] + cell[k, k]}" for k in range(3))
            file.write(f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(positions)}\n")
            file.write(f"ITEM: BOX BOUNDS pp pp pp\n{bounds}\nITEM: ATOMS id type element x y z\n")
            rows = [f"{k} 1 Cu {x} {y} {z}\n" for k, (x, y, z) in enumerate(positions, 1)]
            file.writelines(rows)


# --- before built-in modifiers ------------------------------------------------------------------------------


def test_before_select_type_and_cluster_analysis_and_surface_mesh(melt):
    melt.modifiers.append(
        SelectTypeModifier(property="Structure Type", types={"FCC"}, operate_on="particles")
    )
    melt.modifiers.append(ClusterAnalysisModifier(cutoff=3.2, only_selected=True, sort_by_size=True))
    melt.modifiers.append(ConstructSurfaceModifier(radius=4.0, only_selected=True, identify_regions=True))
    data = melt.compute(3)
    fcc = data.attributes["ARISE.counts.FCC"]
    assert np.asarray(data.particles["Selection"]).sum() == fcc
    assert data.attributes["ClusterAnalysis.largest_size"] == pytest.approx(fcc, rel=0.02)
    share = data.attributes["ConstructSurfaceMesh.filled_fraction"]
    assert share == pytest.approx(data.attributes["ARISE.fractions.FCC"], abs=0.12)


def test_select_type_finds_every_class_in_every_frame(melt):
    names = {t.name for t in melt.compute(0).particles["Structure Type"].types}
    melt.modifiers.append(SelectTypeModifier(property="Structure Type", types=names))
    for frame in (0, 9):
        assert np.asarray(melt.compute(frame).particles["Selection"]).all()


def test_before_expression_selection_histogram_and_color_coding(melt):
    melt.modifiers.append(ExpressionSelectionModifier(expression="ARISEMutualInformation > 0.03"))
    melt.modifiers.append(HistogramModifier(property="ARISE Mutual Information", bin_count=20))
    melt.modifiers.append(ColorCodingModifier(property="ARISE Confidence", start_value=0.0, end_value=1.0))
    data = melt.compute(2)
    above = np.asarray(data.particles["ARISE Mutual Information"]) > 0.03
    assert (np.asarray(data.particles["Selection"]) == above).all()
    assert above.any()
    histogram = data.tables["histogram[ARISE Mutual Information]"]
    assert np.asarray(histogram.y).sum() == data.particles.count
    assert len(np.unique(np.asarray(data.particles.colors), axis=0)) > 100


def test_before_spatial_binning(melt):
    melt.modifiers.append(
        SpatialBinningModifier(
            property="ARISE Reject Score", direction=SpatialBinningModifier.Direction.Z, bin_count=12,
            reduction_operation=SpatialBinningModifier.Operation.Mean,
        )
    )  # fmt: skip
    data = melt.compute(2)
    profile = np.asarray(next(t for k, t in data.tables.items() if k.startswith("binning")).y)
    assert profile.max() > 0.95  # in the melt
    assert profile.min() < 0.05  # in the crystal


def test_before_time_series_and_time_averaging(melt):
    melt.modifiers.append(
        TimeSeriesModifier(operate_on=["ARISE.fractions.FCC", "ARISE.mutual_information.mean"])
    )
    melt.modifiers.append(TimeAveragingModifier(operate_on="attribute:ARISE.fractions.FCC", interval=(0, 3)))
    melt.modifiers.append(
        TimeAveragingModifier(
            operate_on="property:particles/ARISE Confidence", interval=(0, 3), overwrite=False
        )
    )
    data = melt.compute(0)
    series = np.asarray(data.tables["time-series"].y)
    assert series.shape == (10, 2)
    assert series[0, 0] < 0.6
    assert series[9, 0] > 0.9
    mean = series[:4, 0].mean()
    averaged = [
        v
        for k, v in data.attributes.items()
        if k.startswith("ARISE.fractions.FCC") and v == pytest.approx(mean)
    ]
    assert averaged


def test_before_color_by_type_on_particles_and_voxels(fcc):
    pipeline = pipeline_of(fcc, AriseModifier(**FAST, color_by="nothing"))
    pipeline.modifiers.append(ColorByTypeModifier(property="Structure Type"))
    pipeline.modifiers.append(ColorByTypeModifier(operate_on="voxels:arise", property="Structure Type"))
    data = pipeline.compute()
    green = (0.4, 1.0, 0.4)
    assert np.asarray(data.particles.colors) == pytest.approx(np.tile(green, (len(fcc), 1)), abs=1e-6)
    assert np.asarray(data.grids["arise"]["Color"])[0] == pytest.approx(green, abs=1e-6)


# --- trajectories -------------------------------------------------------------------------------------------


class Changing(PipelineSourceInterface):
    """Frames with growing number of atoms and cell; frame 2 is a cluster without cell."""

    def compute_trajectory_length(self, **_):
        return 3

    def create(self, data, *, frame, **_):
        cubic = conventional(arise.build(arise.prototype("fcc")))
        crystal = builders.repeat(cubic, (5 + frame, 5, 5))
        del data.objects[:]  # of the frame before
        made = collection(builders.opened(crystal) if frame == 2 else crystal)
        for item in made.objects:
            data.objects.append(item)


def test_atoms_and_cell_may_change_from_frame_to_frame():
    pipeline = Pipeline(source=PythonSource(delegate=Changing()))
    pipeline.modifiers.append(AriseModifier(**FAST))
    shapes = []
    for frame in range(3):
        data = pipeline.compute(frame)
        assert data.particles.count == 4 * (5 + frame) * 25
        assert len(data.particles["Structure Type"]) == data.particles.count
        assert data.attributes["ARISE.fractions.FCC"] > 0.9
        shapes.append(tuple(data.grids["arise"].domain.pbc))
    assert shapes == [(True,) * 3, (True,) * 3, (False,) * 3]


def test_frames_give_the_same_in_any_order(melt):
    def values(frame: int) -> np.ndarray:
        return np.array(melt.compute(frame).particles["ARISE Mutual Information"])

    forwards = [values(f) for f in (0, 4, 9)]
    melt.modifiers[0].delegate._results.budget = 1
    backwards = [values(f) for f in (9, 4, 0)][::-1]
    assert all((a == b).all() for a, b in zip(forwards, backwards, strict=True))


def test_apply_is_a_one_shot_call(fcc):
    data = collection(fcc)
    data.apply(AriseModifier(**FAST))
    assert data.attributes["ARISE.fractions.FCC"] > 0.9


# --- sessions and code --------------------------------------------------------------------------------------

SETTINGS = {
    "stride": 7.5, "passes": 20, "tolerance": "0.05", "classes": "FCC, HCP", "reject_threshold": "0.3",
    "color_by": "confidence", "probabilities": "FCC", "types_to_elements": "1: Cu", "only_selected": False,
    "voxel_grid": False, "box_table": True, "min_confidence": 0.1,
}  # fmt: skip


#: ASE 3.29 does what numpy 2.5 warns of.
NUMPY_25 = "ignore:Setting the shape:DeprecationWarning"


def in_new_process(script: str, *arguments: str) -> str:
    """Output of a script run by another interpreter: a session is loaded by another OVITO than it was saved by."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", NUMPY_25, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(
    sys.version_info >= (3, 13), reason="OVITO 3.17 crashes saving a session with any Python modifier class"
)
def test_a_saved_session_keeps_everything(tmp_path):
    pipeline = import_file(str(DUMP), multiple_frames=True)
    pipeline.modifiers.append(PythonModifier(delegate=AriseModifier(**SETTINGS), title="ARISE"))
    expected = pipeline.compute(5).attributes["ARISE.fractions.FCC"]
    pipeline.add_to_scene()
    try:
        ovito.scene.save(str(tmp_path / "session.ovito"))
    finally:
        pipeline.remove_from_scene()
    script = """
import sys, json, ovito
ovito.scene.load(sys.argv[1])
pipeline = ovito.scene.pipelines[0]
modifier = pipeline.modifiers[0]
delegate = modifier.delegate
found = {name: getattr(delegate, name) for name in json.loads(sys.argv[2])}
data = pipeline.compute(5)
print(json.dumps([modifier.title, type(delegate).__name__, found, data.attributes["ARISE.fractions.FCC"]]))
"""
    title, kind, found, share = json.loads(
        in_new_process(script, str(tmp_path / "session.ovito"), json.dumps(list(SETTINGS)))
    )
    assert title == "ARISE"
    assert kind == "AriseModifier"
    assert found == SETTINGS
    assert share == pytest.approx(expected)


def test_generated_code_runs_and_gives_the_same(tmp_path):
    from ovito._codegen import codegen_scene

    pipeline = import_file(str(DUMP), multiple_frames=True)
    pipeline.modifiers.append(AriseModifier(**SETTINGS))
    expected = pipeline.compute(0).attributes["ARISE.counts.FCC"]
    pipeline.add_to_scene()
    try:
        code = codegen_scene(False)
    finally:
        pipeline.remove_from_scene()
    assert "AriseModifier" in code
    assert "_results" not in code
    script = code + "\nprint('COUNT', pipeline.compute(0).attributes['ARISE.counts.FCC'])\n"
    assert f"COUNT {expected}" in in_new_process(script)
