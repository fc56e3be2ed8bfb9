"""Maps as VTK files, opened by VTK itself."""

from __future__ import annotations

import numpy as np
import pytest

import arise_core as arise
from arise_core.errors import InputError
from arise_core.geometry import builders
from tests.conftest import shaken

vtk = pytest.importorskip("vtkmodules.vtkIOXML", reason="needs VTK: pip install vtk")
from vtkmodules.util.numpy_support import vtk_to_numpy  # noqa: E402

BOXES = {"box_size": 10.0, "stride": 5.0, "passes": 16, "tolerance": None}


def opened(path):
    reader = vtk.vtkXMLStructuredGridReader()
    reader.SetFileName(str(path))
    reader.Update()
    assert reader.GetErrorCode() == 0
    return reader.GetOutput()


def arrays(data) -> dict[str, np.ndarray]:
    found = {data.GetArrayName(k): data.GetArray(k) for k in range(data.GetNumberOfArrays())}
    return {
        name: vtk_to_numpy(values) for name, values in found.items() if values is not None
    }  # words are none


def words(data, name: str) -> list[str]:
    found = data.GetFieldData().GetAbstractArray(name)
    return [found.GetValue(k) for k in range(found.GetNumberOfValues())]


@pytest.fixture(scope="module", params=["skewed", "slab"])
def field(request, model):
    """A skewed periodic crystal, half of it strongly disordered; a slab that crosses the border of its cell."""
    unit = arise.build(arise.prototype("fcc"))
    crystal = shaken(builders.repeat(unit, (7, 7, 7)), 0.05)
    if request.param == "skewed":
        rough = shaken(crystal, 1.2, 3).positions
        upper = crystal.positions[:, 0] > np.median(crystal.positions[:, 0])
        return arise.strided_map(
            arise.Structure(np.where(upper[:, None], rough, crystal.positions), crystal.numbers, crystal.cell, True),
            model, **{**BOXES, "stride": 4.0},
        )  # fmt: skip
    cell = np.diag([22.0, 22.0, 40.0])
    x, z = builders.crystal_in_box(unit, np.zeros(3), np.array([22.0, 22.0, 14.0]), np.eye(3), np.zeros(3))
    x[:, 2] = (x[:, 2] + 33.0) % 40.0
    return arise.strided_map(arise.Structure(x, z, cell, [False, False, True]), model, **BOXES)


@pytest.fixture(scope="module")
def grid(field, tmp_path_factory):
    path = tmp_path_factory.mktemp("vtk") / "map.vts"
    field.write(path)
    return opened(path)


def test_cells_are_centred_on_the_boxes(field, grid):
    assert grid.GetExtent()[::2] == (0, 0, 0)
    assert grid.GetExtent()[1::2] == field.shape
    assert grid.GetNumberOfCells() == len(field)
    corners = vtk_to_numpy(grid.GetPoints().GetData())
    centres = field.centers.reshape(*field.shape, 3).transpose(2, 1, 0, 3).reshape(-1, 3)
    for k in range(0, grid.GetNumberOfCells(), 7):
        cell = grid.GetCell(k)
        of_cell = corners[[cell.GetPointId(j) for j in range(8)]]
        assert of_cell.mean(axis=0) == pytest.approx(centres[k], abs=1e-9)
    volume = abs(np.linalg.det(field.grid.domain))
    low, high = corners[0], corners[-1]
    assert high - low == pytest.approx(field.grid.domain.sum(axis=0))
    edges = np.array([np.subtract(grid.GetPoint(i), grid.GetPoint(0)) for i in _steps(grid)])
    assert abs(np.linalg.det(edges)) * len(field) == pytest.approx(volume)


def _steps(grid) -> tuple[int, int, int]:
    """Indices of the points next to the first one along each axis."""
    nx, ny, _ = (n + 1 for n in grid.GetExtent()[1::2])
    return 1, nx, nx * ny


def test_cell_data_are_the_values_of_the_boxes(field, grid):
    p, found = field.prediction, arrays(grid.GetCellData())

    def ordered(values):
        return np.asarray(values).reshape(field.shape).ravel(order="F")

    assert found["label"].tolist() == ordered(p.index).tolist()
    assert found["n_atoms"].tolist() == ordered(field.n_atoms).tolist()
    for name in (
        "confidence",
        "mutual_information",
        "reject_score",
        "rejection_uncertainty",
        "variation_ratio",
    ):
        assert np.array_equal(found[name], ordered(getattr(p, name)).astype(np.float32), equal_nan=True), name
    assert found["rejected"].astype(bool).tolist() == ordered(p.rejected).tolist()
    names = words(grid, "class_names")
    assert names == list(p.classes.short)
    present = {names[k] for k in np.unique(p.index[p.valid])}
    assert {n.removeprefix("probability ") for n in found if n.startswith("probability ")} == present
    fcc = p.classes.find("fcc")
    assert np.array_equal(found["probability fcc"], ordered(p.probabilities[:, fcc]), equal_nan=True)


def test_point_data_are_read_off_between_the_boxes(field, grid):
    """At the corner that eight boxes share, as the map itself has it; that needs no folding, being among centres."""
    found = arrays(grid.GetPointData())
    shape = tuple(n + 1 for n in field.shape)
    assert all(len(v) == np.prod(shape) for v in found.values())
    inner = tuple(n // 2 for n in shape)
    k = int(np.ravel_multi_index(inner[::-1], shape[::-1]))
    point = np.array([grid.GetPoint(k)])
    near = field.values_at(point)
    for name in ("confidence", "mutual_information", "reject_score", "predictive_entropy"):
        assert found[name][k] == pytest.approx(getattr(near, name)[0], abs=1e-4), name
    low = np.nanmin(field.prediction.mutual_information)
    assert np.nanmin(found["mutual_information"]) >= low - 1e-6
    assert np.nanmax(found["mutual_information"]) <= np.nanmax(field.prediction.mutual_information) + 1e-6


def test_what_the_file_says_as_a_whole(field, grid):
    assert words(grid, "model") == ["arise-108"]
    found = arrays(grid.GetFieldData())
    assert found["reject_threshold"].tolist() == [field.prediction.reject_threshold]
    assert found["box_edges"] == pytest.approx(field.grid.box_edges)
    assert found["stride"] == pytest.approx(field.grid.stride)


def test_both_formats_by_the_end_of_the_name(field, tmp_path):
    field.write(tmp_path / "map.nc")
    assert (tmp_path / "map.nc").read_bytes()[1:4] == b"HDF"
    with pytest.raises(InputError, match=r"must end in \.nc or \.vts, got 'map\.vtk'"):
        field.write("map.vtk")


def test_without_a_threshold_and_without_any_prediction(model, tmp_path):
    few = arise.Structure(np.eye(3) * 3, [29] * 3)
    with pytest.warns(UserWarning, match="the map is NaN"):
        empty = arise.strided_map(few, model, reject_threshold=None, **BOXES)
    empty.to_vts(tmp_path / "empty.vts")
    grid = opened(tmp_path / "empty.vts")
    assert (arrays(grid.GetCellData())["label"] == -1).all()
    assert np.isnan(arrays(grid.GetPointData())["confidence"]).all()
    assert "reject_threshold" not in arrays(grid.GetFieldData())
