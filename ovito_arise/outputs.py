"""Results as OVITO's built-in structure identification modifiers show theirs, and as a voxel grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ovito.data import (
    AttributeDataObject,
    DataCollection,
    DataTable,
    ElementType,
    Property,
    PropertyContainer,
    SimulationCell,
    VoxelGrid,
)
from ovito.modifiers import ColorCodingModifier
from ovito.vis import VoxelGridVis

from arise_core import BoxGrid, Prediction
from arise_core.card import ClassInfo
from ovito_arise.results import Result

OTHER = 0
OTHER_COLOUR = (0.95, 0.95, 0.95)
TABLE = "arise-structures"
BOXES = "arise-boxes"
GRID = "arise"

Ids = NDArray[np.int32]
Mask = NDArray[np.bool_]
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Choice:
    """What is shown, and how: nothing of it needs new descriptors or network passes."""

    considered: tuple[int, ...] | None  # classes that keep their name, the others become Other; None: all
    reject_threshold: float | None
    min_confidence: float
    color_by: str  # "structure", "mutual information", "confidence" or "nothing"
    color_end: float  # mutual information at the end of the colour scale, bit
    probabilities: tuple[int, ...]  # classes
    voxel_grid: bool
    box_table: bool
    whole_structure: bool


def write(
    data: DataCollection, result: Result, selected: Mask | None, choice: Choice, grid_vis: VoxelGridVis
) -> None:
    """Add all outputs to a data collection.

    Args:
        data: what the pipeline passes on.
        result: of the selected particles.
        selected: (n_particles,), which particles were analysed; None: all.
        choice: what to show.
        grid_vis: how the voxel grid is drawn.
    """
    suffix = instance_suffix(data)
    classes = result.field.prediction.classes
    ids = _at_particles(structure_ids(result.points, choice), selected, data.particles.count, OTHER)
    _particles(data, result, ids, selected, choice, suffix)
    counts = np.bincount(ids, minlength=len(classes) + 1)
    _bar_chart(data, counts, classes, f"{TABLE}{suffix}")
    _attributes(data, result, counts, choice, suffix)
    if choice.voxel_grid:
        _voxel_grid(data, result, choice, f"{GRID}{suffix}", grid_vis)
    if choice.box_table:
        _box_table(data, result, choice, f"{BOXES}{suffix}")


def instance_suffix(data: DataCollection) -> str:
    """ "" for the first of these modifiers in a pipeline, ".2" for the second, and so on."""
    number = 1
    while f"{TABLE}{_suffix(number)}" in data.tables:
        number += 1
    return _suffix(number)


def _suffix(number: int) -> str:
    return "" if number == 1 else f".{number}"


def structure_ids(values: Prediction | object, choice: Choice) -> Ids:
    """Structure type of boxes or points, (n,): class index + 1, or 0 for Other.

    Other is what has no prediction, is rejected, is less sure than asked for, or of a class not considered.
    """
    keep = values.index >= 0
    if choice.considered is not None:
        keep &= np.isin(values.index, choice.considered)
    if choice.reject_threshold is not None:
        keep &= ~(values.reject_score >= choice.reject_threshold)
    if choice.min_confidence > 0:
        keep &= values.confidence >= choice.min_confidence
    return np.where(keep, values.index + 1, OTHER).astype(np.int32)


def element_types(classes: Sequence[ClassInfo]) -> list[ElementType]:
    """Other and all classes of a model, with the names and colours of its card."""
    other = ElementType(id=OTHER, name="Other", color=OTHER_COLOUR)
    return [other, *(ElementType(id=k, name=c.identifier, color=c.colour) for k, c in enumerate(classes, 1))]


def typed_property(
    container: PropertyContainer, name: str, ids: Ids, types: Sequence[ElementType]
) -> Property:
    """An integer property whose values have names and colours."""
    made = container.create_property(name, data=ids)
    made.types = types
    return made


def _at_particles(values: NDArray, selected: Mask | None, count: int, empty: float) -> NDArray:
    """Values of the analysed particles among all, the others `empty`."""
    if selected is None:
        return values
    out = np.full((count, *values.shape[1:]), empty, dtype=values.dtype)
    out[selected] = values
    return out


def _particles(
    data: DataCollection, result: Result, ids: Ids, selected: Mask | None, choice: Choice, suffix: str
) -> None:
    particles = data.particles_
    classes = result.field.prediction.classes
    names = suffix.replace(".", " ")  # a point is not allowed in the name of a property
    typed_property(particles, "Structure Type", ids, element_types(classes))
    scalars = {
        "Confidence": result.points.confidence,
        "Mutual Information": result.points.mutual_information,
        "Reject Score": result.points.reject_score,
    }
    for name, values in scalars.items():
        data.particles_.create_property(
            f"ARISE {name}{names}", data=_at_particles(values, selected, particles.count, np.nan)
        )
    probability = f"ARISE Probability{names}"
    if probability in particles:
        del particles[probability]  # another number of components is refused
    if choice.probabilities:
        particles.create_property(
            probability,
            data=_at_particles(result.probabilities(choice.probabilities), selected, particles.count, np.nan),
            components=[classes[k].identifier for k in choice.probabilities],
        )
    _colour(data, ids, classes, choice, names)


def _colour(data: DataCollection, ids: Ids, classes: Sequence[ClassInfo], choice: Choice, names: str) -> None:
    """Set the colour of the particles, or leave it as it is."""
    if choice.color_by == "nothing":
        return
    if choice.color_by == "structure":
        table = np.array([OTHER_COLOUR, *(c.colour for c in classes)])
        data.particles_.create_property("Color", data=table[ids])
        return
    field, end = {
        "mutual information": ("Mutual Information", choice.color_end),
        "confidence": ("Confidence", 1.0),
    }[choice.color_by]
    name = f"ARISE {field}{names}"
    data.apply(
        ColorCodingModifier(
            property=name, start_value=0.0, end_value=end, gradient=ColorCodingModifier.Viridis()
        )
    )
    without = np.isnan(np.asarray(data.particles[name]))
    data.particles_.colors_[without] = OTHER_COLOUR


def _bar_chart(
    data: DataCollection, counts: NDArray[np.int64], classes: Sequence[ClassInfo], name: str
) -> None:
    """Particles per class: only the classes present, the most frequent first.

    OVITO's bar charts want the bars numbered from 0; the structure types stand in a column of their own.
    """
    order = np.argsort(-counts, kind="stable")
    present = order[counts[order] > 0].astype(np.int32)
    types = element_types(classes)
    bars = [ElementType(id=k, name=types[i].name, color=types[i].color) for k, i in enumerate(present)]
    table = data.tables.create(
        name, plot_mode=DataTable.PlotMode.BarChart, count=len(present), title="ARISE structures"
    )
    table.x = typed_property(table, "Structure", np.arange(len(present), dtype=np.int32), bars)
    table.y = table.create_property("Count", data=counts[present])
    typed_property(table, "Structure Type", present, [types[i] for i in present])


def _attributes(
    data: DataCollection, result: Result, counts: NDArray[np.int64], choice: Choice, suffix: str
) -> None:
    classes = result.field.prediction.classes
    shown = range(len(classes)) if choice.considered is None else choice.considered
    rows = [("OTHER", counts[OTHER]), *((classes[k].identifier, counts[k + 1]) for k in shown)]
    total = counts.sum()
    information = result.points.mutual_information
    values: dict[str, object] = {}
    for name, count in rows:
        values[f"counts.{name}"] = int(count)
        values[f"fractions.{name}"] = float(count / total)
    good = np.isfinite(information)
    values["mutual_information.mean"] = float(information[good].mean()) if good.any() else np.nan
    values["model"] = result.field.model_name
    values["box_size"] = float(result.field.grid.settings.box_size)
    values["stride"] = float(result.field.grid.settings.stride)
    if choice.whole_structure and result.whole is not None:
        whole = result.whole.with_threshold(choice.reject_threshold)
        label = structure_ids(whole, choice)[0]
        values["structure.name"] = "OTHER" if label == OTHER else classes[label - 1].identifier
        values["structure.confidence"] = float(whole.confidence[0])
        values["structure.mutual_information"] = float(whole.mutual_information[0])
        values["structure.reject_score"] = float(whole.reject_score[0])
    _set_attributes(data, {f"ARISE.{name}{suffix}": value for name, value in values.items()})


def _set_attributes(data: DataCollection, values: dict[str, object]) -> None:
    """`data.attributes.update(values)`, without its search through all objects for each of 200 names."""
    there = set(data.attributes)
    for name, value in values.items():
        if name in there:
            data.attributes[name] = value
        else:
            data.objects.append(AttributeDataObject(identifier=name, value=value))


def _voxel_grid(
    data: DataCollection, result: Result, choice: Choice, name: str, grid_vis: VoxelGridVis
) -> None:
    """A grid whose cells are centred on the boxes.

    Fields are float64, and 0 where a box holds too few atoms: OVITO's isosurfaces take neither float32 nor NaN.
    """
    field, p = result.field, result.field.prediction
    grid = data.grids.create(
        name,
        domain=_domain(data, field.grid),
        shape=field.shape,
        grid_type=VoxelGrid.GridType.CellData,
        vis=grid_vis,
        title="ARISE map",
    )

    typed_property(
        grid, "Structure Type", flat(structure_ids(p, choice), field.shape), element_types(p.classes)
    )
    scalars = {
        "Confidence": p.confidence,
        "Mutual Information": p.mutual_information,
        "Reject Score": p.reject_score,
        "Atoms": field.n_atoms.astype(np.float64),
    }
    for title, values in scalars.items():
        grid.create_property(title, data=flat(np.nan_to_num(values, nan=0.0), field.shape))
    if choice.probabilities:
        chosen = [
            np.nan_to_num(p.probabilities[:, k], nan=0.0).astype(np.float64) for k in choice.probabilities
        ]
        grid.create_property(
            "Probability",
            data=np.stack([flat(column, field.shape) for column in chosen], axis=1),
            components=[p.classes[k].identifier for k in choice.probabilities],
        )


def flat(values: NDArray, shape: tuple[int, int, int]) -> NDArray:
    """Values of boxes from the order of the core (last axis fastest) to OVITO's (first axis fastest)."""
    return values.reshape(shape).ravel(order="F")


def _domain(data: DataCollection, grid: BoxGrid) -> SimulationCell:
    """The cell that the voxels fill: the simulation cell where it is periodic, the boxes' extent where not."""
    matrix = np.column_stack([grid.domain.T, grid.origin])
    cell = data.cell
    if cell is not None and tuple(cell.pbc) == tuple(grid.pbc) and np.allclose(cell, matrix, atol=1e-6):
        return cell
    domain = SimulationCell(pbc=tuple(bool(b) for b in grid.pbc), vis=None)
    domain[...] = matrix
    return domain


def _box_table(data: DataCollection, result: Result, choice: Choice, name: str) -> None:
    """One row a box."""
    field, p = result.field, result.field.prediction
    table = data.tables.create(
        name, plot_mode=DataTable.PlotMode.NoPlot, count=len(field), title="ARISE boxes"
    )
    table.create_property("Center", data=field.centers, components=["X", "Y", "Z"])
    table.create_property("Atoms", data=field.n_atoms)
    typed_property(table, "Structure Type", structure_ids(p, choice), element_types(p.classes))
    for title, values in (
        ("Confidence", p.confidence),
        ("Mutual Information", p.mutual_information),
        ("Predictive Entropy", p.predictive_entropy),
        ("Variation Ratio", p.variation_ratio),
        ("Reject Score", p.reject_score),
        ("Passes", p.passes),
    ):
        table.create_property(title, data=values)
