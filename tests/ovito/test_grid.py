"""The voxel grid: its cells are centred on the boxes, for every kind of cell; files that OVITO reads back."""

from __future__ import annotations

import numpy as np
import pytest
from ovito.data import DataCollection, SimulationCell, VoxelGrid
from ovito.io import import_file
from ovito.modifiers import (
    AffineTransformationModifier,
    ColorCodingModifier,
    CreateIsosurfaceModifier,
    SliceModifier,
)

import arise_core as arise
from arise_core.geometry import builders
from ovito_arise import AriseModifier
from ovito_arise.frames import wait_for_frames
from ovito_arise.grid_files import write_cube, write_grid_dump
from tests.conftest import shaken
from tests.ovito.helpers import FAST, analysed, collection, crystal_and_melt, pipeline_of

ORIGIN = np.array([3.0, -20.0, 7.5])


def block(cells: tuple[int, int, int], pbc: object, cubic: bool = True) -> arise.Structure:
    """A piece of thermal fcc copper: of cubic cells, or of primitive (skewed) ones."""
    primitive = arise.build(arise.prototype("fcc"))
    if not cubic:
        whole = builders.repeat(primitive, cells)
        return shaken(arise.Structure(whole.positions, whole.numbers, whole.cell, pbc), 0.1)
    a = 3.615
    corners = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * a
    whole = builders.repeat(arise.Structure(corners, [29] * 4, np.eye(3) * a, True), cells)
    return shaken(arise.Structure(whole.positions, whole.numbers, whole.cell, pbc), 0.1)


def slab() -> arise.Structure:
    """Two faces in a cell that is periodic across 20 Å of vacuum too; the slab crosses the cell's border."""
    crystal = block((6, 6, 7), True)
    cell = crystal.cell + np.diag([0.0, 0.0, 20.0])
    return arise.Structure(crystal.positions - [0, 0, 12.0], crystal.numbers, cell, True)


STRUCTURES = {
    "orthogonal": lambda: block((6, 6, 9), True),
    "triclinic": lambda: block((9, 8, 11), True, cubic=False),
    "turned": lambda: turned(block((9, 8, 11), True, cubic=False)),
    "partly open": lambda: block((6, 6, 9), (True, True, False)),
    "slab in vacuum": slab,
    "open": lambda: block((6, 7, 8), False),
    "no cell": lambda: builders.opened(block((6, 6, 6), False)),
    "layer": lambda: shaken(builders.repeat(arise.build(arise.prototype("graphene")), (14, 14, 1)), 0.05),
}


def turned(structure: arise.Structure) -> arise.Structure:
    turn = builders.random_rotation(np.random.default_rng(4))
    return arise.Structure(
        structure.positions @ turn, structure.numbers, structure.cell @ turn, structure.pbc
    )


def voxel_centres(grid: VoxelGrid) -> np.ndarray:
    """Where OVITO sees the values of a cell-data grid, (nx, ny, nz, 3)."""
    matrix = np.asarray(grid.domain)
    axes = [(np.arange(n) + 0.5) / n for n in grid.shape]
    u = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return u @ matrix[:, :3].T + matrix[:, 3]


@pytest.mark.parametrize("kind", STRUCTURES)
def test_voxels_are_centred_on_the_boxes_and_hold_their_values(kind, model):
    structure = STRUCTURES[kind]()
    data, modifier = analysed(collection(structure, ORIGIN), stride=6.0, probabilities=["FCC", "GRAPHENE"])
    grid = data.grids["arise"]
    expected = arise.strided_map(structure, model, stride=6.0, passes=16, tolerance=None)
    assert grid.shape == expected.shape
    assert grid.grid_type == VoxelGrid.GridType.CellData
    assert tuple(grid.domain.pbc) == tuple(expected.grid.pbc)
    centres = voxel_centres(grid).reshape(-1, 3)
    assert centres == pytest.approx(expected.centers + ORIGIN, abs=1e-6)
    p = expected.prediction
    for name, values in {
        "Confidence": p.confidence,
        "Mutual Information": p.mutual_information,
        "Reject Score": p.reject_score,
        "Rejection Uncertainty": p.rejection_uncertainty,
        "Atoms": expected.n_atoms,
        "Structure Type": np.where(p.rejected, 0, p.index + 1),
    }.items():
        assert grid.view(name).ravel() == pytest.approx(np.nan_to_num(values), abs=1e-5), name
    names = [c.identifier for c in p.classes]
    probability = grid["Probability"]
    assert probability.component_names == ("FCC", "GRAPHENE")
    assert probability.dtype == np.float64
    for k, name in enumerate(probability.component_names):
        values = np.nan_to_num(p.probabilities[:, names.index(name)])
        assert grid.view("Probability")[..., k].ravel() == pytest.approx(values, abs=1e-5)
    assert modifier.strided_map.centers == pytest.approx(centres, abs=1e-6)


def test_the_grid_of_a_periodic_structure_fills_the_simulation_cell():
    data, _ = analysed(collection(STRUCTURES["triclinic"](), ORIGIN))
    assert np.asarray(data.grids["arise"].domain) == pytest.approx(np.asarray(data.cell))


def test_the_grid_of_an_open_structure_covers_its_atoms():
    data, _ = analysed(collection(STRUCTURES["open"](), ORIGIN), stride=4.0)
    centres = voxel_centres(data.grids["arise"]).reshape(-1, 3)
    positions = np.asarray(data.particles.positions)
    assert (centres.min(axis=0) < positions.min(axis=0) + 2.1).all()
    assert (centres.max(axis=0) > positions.max(axis=0) - 2.1).all()


def test_atoms_of_a_slab_across_the_border_get_the_values_of_their_own_side():
    across = slab()
    whole = arise.Structure(across.positions + [0, 0, 14.0], across.numbers, across.cell, True)
    found, expected = (analysed(s, stride=5.0)[0] for s in (across, whole))
    for name in ("ARISE Confidence", "ARISE Mutual Information", "ARISE Reject Score"):
        assert np.asarray(found.particles[name]) == pytest.approx(
            np.asarray(expected.particles[name]), abs=1e-4
        )


def test_boxes_without_a_prediction_are_zero_in_the_grid():
    data, modifier = analysed(
        collection(STRUCTURES["open"]()), stride=6.0, padding="full", probabilities="FCC", resolution="single"
    )
    empty = ~modifier.strided_map.prediction.valid.reshape(modifier.strided_map.shape)
    assert empty.any()
    grid = data.grids["arise"]
    for name in ("Confidence", "Mutual Information", "Reject Score", "Structure Type", "Probability"):
        assert (grid.view(name)[empty] == 0).all(), name


@pytest.mark.parametrize("field", ["Reject Score", "Mutual Information"])
def test_an_isosurface_lies_where_the_field_crosses_its_value(field):
    structure, middle = crystal_and_melt(5, 8, (True, True, False))
    # of boxes of several sizes the score is not linear between centres (`Nodes._decision`), as isosurfaces are
    modifier = AriseModifier(stride=3.0, passes=16, tolerance=0.0, resolution="single")
    pipeline = pipeline_of(collection(structure, ORIGIN), modifier)
    data = pipeline.compute()
    profile = data.grids["arise"].view(field).mean(axis=(0, 1))
    level = 0.5 if field == "Reject Score" else float(0.6 * profile.max())
    pipeline.modifiers.append(
        CreateIsosurfaceModifier(operate_on="voxels:arise", property=field, isolevel=level)
    )
    vertices = np.asarray(pipeline.compute().surfaces["isosurface"].vertices["Position"])
    heights = voxel_centres(data.grids["arise"])[0, 0, :, 2]
    inside = vertices[(vertices[:, 2] > heights[1]) & (vertices[:, 2] < heights[-2])]  # less the open ends
    assert len(inside) > 10
    values = getattr(modifier.strided_map.values_at(inside), field.lower().replace(" ", "_"))
    assert np.median(np.abs(values - level)) < 0.15 * profile.max()
    if field == "Reject Score":
        assert abs(np.median(inside[:, 2]) - (middle + ORIGIN[2])) < 4.0


def test_a_slice_and_colours_of_the_grid_work():
    structure, middle = crystal_and_melt(5, 8, (True, True, False))
    modifier = AriseModifier(**FAST)
    pipeline = pipeline_of(collection(structure, ORIGIN), modifier)
    pipeline.modifiers.append(ColorCodingModifier(operate_on="voxels:arise", property="Reject Score"))
    pipeline.modifiers.append(
        SliceModifier(operate_on={"voxels"}, distance=middle + ORIGIN[2], normal=(0, 0, 1))
    )
    data = pipeline.compute()
    assert "Color" in data.grids["arise"]
    mesh = (
        data.surfaces["volume-slice"]
        if "volume-slice" in data.surfaces
        else next(iter(data.surfaces.values()))
    )
    vertices = np.asarray(mesh.vertices["Position"])
    assert vertices[:, 2] == pytest.approx(middle + ORIGIN[2])


def test_the_grid_follows_a_transformation_after_the_modifier():
    structure = block((6, 6, 6), True)
    pipeline = pipeline_of(structure, AriseModifier(**FAST))
    before = voxel_centres(pipeline.compute().grids["arise"])
    stretch = np.diag([2.0, 1.0, 1.0])
    pipeline.modifiers.append(
        AffineTransformationModifier(transformation=np.column_stack([stretch, [0, 0, 5.0]]))
    )
    after = voxel_centres(pipeline.compute().grids["arise"])
    assert after == pytest.approx(before @ stretch + [0, 0, 5.0])


# --- files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["orthogonal", "triclinic", "slab in vacuum", "partly open", "open"])
def test_a_grid_dump_is_read_back_as_it_was(kind, tmp_path):
    structure = lammps_like(STRUCTURES[kind]())
    data, _ = analysed(collection(structure, ORIGIN), stride=6.0, probabilities=["FCC", "HCP"])
    grid = data.grids["arise"]
    path = tmp_path / "map.dump"
    write_grid_dump(path, grid)
    back = next(iter(import_file(str(path)).compute().grids.values()))
    assert back.shape == grid.shape
    assert back.grid_type == VoxelGrid.GridType.CellData
    assert tuple(back.domain.pbc) == tuple(grid.domain.pbc)
    assert np.asarray(back.domain) == pytest.approx(np.asarray(grid.domain), abs=1e-5)
    for name in ("Structure Type", "Confidence", "Mutual Information", "Reject Score", "Atoms"):
        assert back.view(name.replace(" ", "_")) == pytest.approx(grid.view(name), abs=1e-6), name
    assert back.view("Probability_HCP") == pytest.approx(grid.view("Probability")[..., 1], abs=1e-6)


def lammps_like(structure: arise.Structure) -> arise.Structure:
    """Turned so that the first cell vector lies along x and the second in the xy plane."""
    q, r = np.linalg.qr(structure.cell.T)
    turn = q * np.sign(np.diag(r))
    return arise.Structure(
        structure.positions @ turn, structure.numbers, structure.cell @ turn, structure.pbc
    )


def test_a_grid_dump_holds_several_frames(tmp_path):
    small, large = (analysed(block((6, 6, n), True))[0].grids["arise"] for n in (6, 12))
    assert small.shape != large.shape
    write_grid_dump(tmp_path / "map.dump", [small, large], timesteps=[100, 250])
    pipeline = import_file(str(tmp_path / "map.dump"))
    assert wait_for_frames(pipeline.source) == pipeline.num_frames == 2
    for frame, (grid, step) in enumerate(((small, 100), (large, 250))):
        data = pipeline.compute(frame)
        assert data.attributes["Timestep"] == step
        back = next(iter(data.grids.values()))
        assert back.view("Confidence") == pytest.approx(grid.view("Confidence"), abs=1e-6)


def test_a_cell_that_lammps_cannot_express_is_refused_and_nothing_is_written(tmp_path):
    grid = analysed(STRUCTURES["turned"]())[0].grids["arise"]
    with pytest.raises(ValueError, match=r"first vector along x.*use `write_cube`"):
        write_grid_dump(tmp_path / "map.dump", grid)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["orthogonal", "turned", "open"])
def test_a_cube_file_is_read_back_with_its_values_in_their_places(kind, tmp_path):
    data, _ = analysed(collection(STRUCTURES[kind](), ORIGIN), stride=6.0, probabilities=["FCC", "HCP"])
    grid = data.grids["arise"]
    write_cube(tmp_path / "map.cube", grid, ["Confidence", "Probability.HCP"])
    write_cube(tmp_path / "one.cube", grid, ["Mutual Information"])
    for name, fields in (("map", ["Confidence", "Probability"]), ("one", ["Mutual Information"])):
        back = next(iter(import_file(str(tmp_path / f"{name}.cube")).compute().grids.values()))
        assert back.shape == grid.shape
        assert back.grid_type == VoxelGrid.GridType.PointData
        matrix = np.asarray(back.domain)
        u = np.stack(np.meshgrid(*(np.arange(n) / n for n in grid.shape), indexing="ij"), axis=-1)
        assert u @ matrix[:, :3].T + matrix[:, 3] == pytest.approx(voxel_centres(grid), abs=1e-5)
        values = back.view(next(iter(back))).reshape(*grid.shape, -1)
        expected = [grid.view(f)[..., 1] if f == "Probability" else grid.view(f) for f in fields]
        for k, field in enumerate(expected):
            assert values[..., k] == pytest.approx(field, abs=1e-6)


def test_a_cube_file_holds_all_real_fields_unless_told(tmp_path):
    data = DataCollection()
    domain = SimulationCell(pbc=(True, True, True))
    domain[:, :3] = np.eye(3)
    grid = data.grids.create("g", domain=domain, shape=(2, 1, 1))
    grid.create_property("a", data=np.array([1.0, 2.0]))
    grid.create_property("b", data=np.array([3.0, 4.0]))
    grid.create_property("ids", data=np.array([1, 2], dtype=np.int32))
    grid.create_property("Color", data=np.ones((2, 3)))
    write_cube(tmp_path / "g.cube", grid)
    assert "fields: a, b" in (tmp_path / "g.cube").read_text()
    with pytest.raises(KeyError, match="nonsense"):
        write_cube(tmp_path / "h.cube", grid, ["nonsense"])
    assert not (tmp_path / "h.cube").exists()
