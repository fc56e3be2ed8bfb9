"""Results as OVITO's built-in structure identification modifiers show theirs, and as a voxel grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ovito.data import (  # type: ignore[attr-defined]  # AttributeDataObject is missing in OVITO's stubs
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

from arise_core.crystals.naming import ClassInfo
from arise_core.crystals.table import Colour
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.model.classes import MISSING, ClassTable
from arise_core.model.model import Model
from arise_core.model.prediction import Rule
from arise_core.recognition.maps import StridedMap
from arise_core.recognition.result import Recognition
from ovito_arise.cache import Result
from ovito_arise.convert import three_flags

OTHER = 0
OTHER_COLOUR = (0.95, 0.95, 0.95)
TABLE = "arise-structures"
BOXES = "arise-boxes"
GRID = "arise"

#: Errors that the reject threshold stands for, and the attributes that say how rare, as `Model.error_rates` names them.
ERRORS = ("false_crystal", "false_rejection")
RATES = tuple(f"{kind}_{what}" for kind in ERRORS for what in ("rate", "bound"))

#: Attributes with means over all particles, and with what the model says of the structure as a whole.
MEANS = ("mutual_information.mean", "rejection_uncertainty.mean")
OF_THE_WHOLE = tuple(
    f"structure.{what}"
    for what in ("confidence", "mutual_information", "reject_score", "rejection_uncertainty")
)

#: Numbers of particles, as properties behind "ARISE "; the last one in maps with boxes of several sizes only.
SCALARS = ("Confidence", "Mutual Information", "Reject Score", "Rejection Uncertainty")
RESOLUTION = "Resolution"

Ids = NDArray[np.int32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Shown:
    """What is put out beside the labels; nothing of it needs new descriptors or network passes."""

    color_by: str  # "structure", "mutual information", "rejection uncertainty", "confidence" or "nothing"
    color_end: float  # mutual information or rejection uncertainty at the end of the colour scale, bit
    probabilities: tuple[int, ...]  # classes
    voxel_grid: bool
    box_table: bool
    whole_structure: bool


@dataclass(frozen=True)
class _View:
    """A recognition, judged, and what of it is shown: what all outputs are made of."""

    recognition: Recognition
    field: StridedMap
    whole: Recognition | None
    selected: Mask | None  # (n_particles,), which particles were analysed; None: all
    shown: Shown
    suffix: str  # of all names, see `instance_suffix`

    @property
    def classes(self) -> ClassTable:
        """Of the model."""
        return self.recognition.classes

    @property
    def rule(self) -> Rule:
        """By which all is judged."""
        return self.recognition.rule

    def at_particles(self, values: NDArray[Any], count: int, empty: float) -> NDArray[Any]:
        """Values of the analysed particles among all `count`, the others `empty`."""
        if self.selected is None:
            return values
        out = np.full((count, *values.shape[1:]), empty, dtype=values.dtype)
        out[self.selected] = values
        return out


def write(
    data: DataCollection,
    result: Result,
    selected: Mask | None,
    rule: Rule,
    shown: Shown,
    grid_vis: VoxelGridVis,
    notes: Sequence[str] = (),
    rates: Mapping[str, float] | None = None,
) -> None:
    """Add all outputs to a data collection.

    Args:
        data: what the pipeline passes on.
        result: of the selected particles.
        selected: (n_particles,), which particles were analysed; None: all.
        rule: when a particle has the name of its class; else it is Other.
        shown: what to put out.
        grid_vis: how the voxel grid is drawn.
        notes: what was assumed of the input.
        rates: of errors that the threshold of the rule stands for (`Model.error_rates`).
    """
    recognition = result.local.with_rule(rule)
    assert recognition.field is not None
    whole = None if result.whole is None else result.whole.with_rule(rule)
    view = _View(recognition, recognition.field, whole, selected, shown, instance_suffix(data))
    ids = view.at_particles(structure_types(recognition.atom_class), data.particles.count, OTHER)
    _particles(data, view, ids)
    counts = np.bincount(ids, minlength=len(view.classes) + 1)
    bar_chart(data, counts, view.classes, f"{TABLE}{view.suffix}")
    _attributes(data, view, counts)
    _said(data, rule, rates, notes, view.suffix)
    if shown.voxel_grid:
        _voxel_grid(data, view, f"{GRID}{view.suffix}", grid_vis)
    if shown.box_table:
        _box_table(data, view, f"{BOXES}{view.suffix}")


def write_nothing(
    data: DataCollection,
    model: Model,
    rule: Rule,
    shown: Shown,
    reason: str,
    *,
    sharp: bool,
) -> None:
    """The outputs of a frame in which nothing is analysed: all particles are Other, numbers are NaN, there is no map.

    So tables over all frames can be exported, and a second modifier is the second one in all frames.

    Args:
        data: what the pipeline passes on.
        model: that other frames are analysed with.
        rule: when a particle has the name of its class.
        shown: what to put out.
        reason: why nothing is analysed, for the notes.
        sharp: whether boxes would have several sizes.
    """
    classes, suffix = model.class_info, instance_suffix(data)
    nothing = np.full(data.particles.count, np.nan)
    ids = np.full(len(nothing), OTHER, dtype=np.int32)
    fields = (*SCALARS, RESOLUTION) if sharp else SCALARS
    unknown = np.full((len(nothing), len(shown.probabilities)), np.nan)
    _properties(data, classes, ids, dict.fromkeys(fields, nothing), unknown, shown, suffix)
    counts = np.bincount(ids, minlength=len(classes) + 1)
    bar_chart(data, counts, classes, f"{TABLE}{suffix}")
    values = counted(counts, classes, rule.considered)
    values |= dict.fromkeys((*MEANS, "box_size", "stride"), np.nan)
    values |= {"without_answer": 0, "model": model.name}
    if shown.whole_structure:
        values |= {"structure.name": "OTHER", **dict.fromkeys(OF_THE_WHOLE, np.nan)}
    set_attributes(data, {f"ARISE.{name}{suffix}": value for name, value in values.items()})
    _said(data, rule, model.error_rates(rule.reject_threshold), [reason], suffix)


def _said(
    data: DataCollection, rule: Rule, rates: Mapping[str, float] | None, notes: Sequence[str], suffix: str
) -> None:
    """Attributes that say by which threshold was judged, what it stands for, and what was assumed."""
    threshold = np.nan if rule.reject_threshold is None else float(rule.reject_threshold)
    said: dict[str, object] = {"reject_threshold": threshold, **(rates or {})}
    if notes:
        said["notes"] = "; ".join(notes)
    set_attributes(data, {f"ARISE.{name}{suffix}": value for name, value in said.items()})


def instance_suffix(data: DataCollection, table: str = TABLE) -> str:
    """ "" for the first of the modifiers that make a table in a pipeline, ".2" for the second, and so on."""
    number = 1
    while f"{table}{suffix_of(number)}" in data.tables:
        number += 1
    return suffix_of(number)


def suffix_of(number: int) -> str:
    """What stands behind the names of the first, second, ... modifier of a pipeline."""
    return "" if number == 1 else f".{number}"


def structure_types(index: IntArray) -> Ids:
    """Structure type in OVITO of each class index, (n,): the index + 1, or 0 for Other."""
    return (index + 1).astype(np.int32)


def element_types(classes: Sequence[ClassInfo]) -> list[ElementType]:
    """Other and all classes of a model, with the names and colours of its card."""
    other = ElementType(id=OTHER, name="Other", color=OTHER_COLOUR)
    return [other, *(ElementType(id=k, name=c.identifier, color=c.colour) for k, c in enumerate(classes, 1))]


def typed_property(
    container: PropertyContainer, name: str, ids: Ids, types: Sequence[ElementType]
) -> Property:
    """An integer property whose values have names and colours."""
    made = container.create_property(name, data=ids)
    made.types = types  # type: ignore[misc, assignment]  # OVITO's stubs lack the setter
    return made


def kinds(container: PropertyContainer) -> dict[int, ElementType]:
    """Structure types of particles, or of the table of structures, by number."""
    column = container["Structure Type"]
    assert isinstance(column, Property)
    return {t.id: t for t in column.types}


def colour(kind: ElementType) -> Colour:
    """Red, green, blue of a structure type, 0 to 1."""
    red, green, blue = kind.color
    return red, green, blue


def _particles(data: DataCollection, view: _View, ids: Ids) -> None:
    found, count = view.recognition, data.particles.count
    atoms, doubt = found.atoms, found.atom_rejection_uncertainty
    numbers = (atoms.confidence, atoms.mutual_information, atoms.reject_score, doubt)
    scalars = dict(zip(SCALARS, numbers, strict=True))
    if found.atom_resolution is not None:
        scalars[RESOLUTION] = found.atom_resolution
    there = {name: view.at_particles(values, count, np.nan) for name, values in scalars.items()}
    chosen = view.shown.probabilities
    probabilities = np.empty((count, 0))
    if chosen:
        probabilities = view.at_particles(found.probabilities_at_atoms(chosen), count, np.nan)
    _properties(data, view.classes, ids, there, probabilities, view.shown, view.suffix)


def _properties(
    data: DataCollection,
    classes: ClassTable,
    ids: Ids,
    scalars: Mapping[str, NDArray[Any]],
    probabilities: NDArray[Any],
    shown: Shown,
    suffix: str,
) -> None:
    """Add the properties of all particles: types, scalars by name, (n,) each, and probabilities, (n, n_chosen)."""
    particles = data.particles_
    names = of_properties(suffix)
    typed_property(particles, "Structure Type", ids, element_types(classes))
    for name, values in scalars.items():
        particles.create_property(f"ARISE {name}{names}", data=values)
    probability = f"ARISE Probability{names}"
    if probability in particles:
        del particles[probability]  # another number of components is refused
    if shown.probabilities:
        of = [classes.identifiers[k] for k in shown.probabilities]
        particles.create_property(probability, data=probabilities, components=of)
    colour_particles(data, classes, shown.color_by, shown.color_end, suffix)


def of_properties(suffix: str) -> str:
    """What `instance_suffix` is in names of properties, where a point is not allowed."""
    return suffix.replace(".", " ")


@dataclass(frozen=True)
class Scale:
    """Colour scale of particles, from 0 on."""

    field: str  # the property behind "ARISE "
    end: float  # value that gets the last colour
    title: str
    last: str  # what stands at its end


def scale_of(by: str, end: float) -> Scale | None:
    """The colour scale of a way to colour particles; None where they are not coloured by a number."""
    scales = {
        "mutual information": Scale(
            "Mutual Information", end, "mutual information (bit)", f"{end:g} and more"
        ),
        "rejection uncertainty": Scale(
            "Rejection Uncertainty", end, "rejection uncertainty (bit)", f"{end:g} and more"
        ),
        "confidence": Scale("Confidence", 1.0, "confidence", "1"),
    }
    return scales.get(by)


def colour_by_scale(data: DataCollection, name: str, end: float) -> None:
    """Colour particles by a property, from 0 to the value of the last colour."""
    gradient = ColorCodingModifier.Viridis()
    data.apply(ColorCodingModifier(property=name, start_value=0.0, end_value=end, gradient=gradient))


def colour_particles(data: DataCollection, classes: ClassTable, by: str, end: float, suffix: str) -> None:
    """Set the colour of the particles, or leave it as it is, and note by what: attributes for the legend.

    Args:
        data: with the properties that the colour follows.
        classes: of the model.
        by: "structure", "mutual information", "rejection uncertainty", "confidence" or "nothing".
        end: mutual information or rejection uncertainty at the end of the colour scale, bit.
        suffix: of the modifier, see `instance_suffix`.
    """
    scale = scale_of(by, end)
    # exported rows are split at blanks
    noted = {"by": by.replace(" ", "_"), "end": scale.end if scale else 0.0}
    set_attributes(data, {f"ARISE.color_{name}{suffix}": value for name, value in noted.items()})
    if by == "nothing":
        return
    if by == "structure":
        table = np.concatenate([[OTHER_COLOUR], classes.colours])
        ids = np.asarray(data.particles["Structure Type"])
        data.particles_.create_property("Color", data=table[ids])
        return
    assert scale is not None
    name = f"ARISE {scale.field}{of_properties(suffix)}"
    colour_by_scale(data, name, scale.end)
    without = np.isnan(np.asarray(data.particles[name]))
    data.particles_.colors_[without] = OTHER_COLOUR


def bar_chart(
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


def _attributes(data: DataCollection, view: _View, counts: NDArray[np.int64]) -> None:
    names = view.classes.identifiers
    values = counted(counts, view.classes, view.rule.considered)
    found = view.recognition
    values |= dict(zip(MEANS, (found.mutual_information, found.rejection_uncertainty), strict=True))
    values["without_answer"] = int(np.count_nonzero(view.recognition.atoms.index == MISSING))
    values["model"] = view.field.model_name
    values["box_size"] = float(view.field.grid.settings.box_size)
    values["stride"] = float(view.field.grid.settings.stride)
    if view.shown.whole_structure and view.whole is not None:
        whole, label = view.whole, view.whole.atom_class[0]
        values["structure.name"] = "OTHER" if label == MISSING else names[label]
        of = (whole.confidence, whole.mutual_information, whole.reject_score, whole.rejection_uncertainty)
        values |= dict(zip(OF_THE_WHOLE, of, strict=True))
    set_attributes(data, {f"ARISE.{name}{view.suffix}": value for name, value in values.items()})


def counted(
    counts: NDArray[np.int64], classes: ClassTable, considered: Sequence[int] | None
) -> dict[str, object]:
    """Particles and their share by structure type, for attributes: Other, and the classes that are considered."""
    names = classes.identifiers
    shown = range(len(names)) if considered is None else considered
    rows = [("OTHER", counts[OTHER]), *((names[k], counts[k + 1]) for k in shown)]
    total = counts.sum()
    values: dict[str, object] = {}
    for name, count in rows:
        values[f"counts.{name}"] = int(count)
        values[f"fractions.{name}"] = float(count / total) if total else float("nan")
    return values


def set_attributes(data: DataCollection, values: dict[str, object]) -> None:
    """`data.attributes.update(values)`, without its search through all objects for each of 200 names."""
    there = set(data.attributes)
    for name, value in values.items():
        if name in there:
            data.attributes[name] = value
        else:
            data.objects.append(AttributeDataObject(identifier=name, value=value))


def _voxel_grid(data: DataCollection, view: _View, name: str, grid_vis: VoxelGridVis) -> None:
    """The map as a voxel grid."""
    field, p = view.field, view.field.prediction
    scalars = {
        "Confidence": p.confidence,
        "Mutual Information": p.mutual_information,
        "Reject Score": p.reject_score,
        "Rejection Uncertainty": view.rule.rejection_uncertainty(p),
        "Atoms": field.n_atoms.astype(np.float64),
    }
    if field.sharp:
        scalars["Resolution"] = field.resolution
    chosen = list(view.shown.probabilities)
    fields = GridFields(
        field.grid.origin, field.grid.domain, field.grid.pbc, field.shape, view.rule.index(p), scalars, chosen,
        p.probabilities[:, chosen],
    )  # fmt: skip
    voxel_grid(data, name, fields, p.classes, grid_vis)


@dataclass(frozen=True)
class GridFields:
    """What a voxel grid shows and where it lies; boxes in the order of the core."""

    origin: FloatArray  # (3,), Å, its corner
    domain: FloatArray  # (3, 3), Å, its edges, rows
    pbc: Mask  # (3,)
    shape: tuple[int, int, int]  # boxes along each axis
    index: IntArray  # (n_boxes,), class of each, -1 for Other
    scalars: Mapping[str, NDArray[Any]]  # by name, (n_boxes,) each
    chosen: Sequence[int]  # classes whose probabilities are shown
    probabilities: NDArray[np.float32]  # of these, (n_boxes, n_chosen)


def voxel_grid(
    data: DataCollection, name: str, fields: GridFields, classes: ClassTable, vis: VoxelGridVis
) -> None:
    """Add a grid whose cells are centred on the boxes.

    Fields are float64, and 0 where a box holds too few atoms: OVITO's isosurfaces take neither float32 nor NaN.

    Args:
        data: what the pipeline passes on.
        name: of the grid.
        fields: what it shows.
        classes: of the model.
        vis: how the grid is drawn.
    """
    shape = fields.shape
    grid = data.grids.create(
        name,
        domain=_domain(data, fields),
        shape=shape,
        grid_type=VoxelGrid.GridType.CellData,
        vis=vis,
        title="ARISE map",
    )
    typed_property(grid, "Structure Type", flat(structure_types(fields.index), shape), element_types(classes))
    for title, values in fields.scalars.items():
        grid.create_property(title, data=flat(np.nan_to_num(values, nan=0.0).astype(np.float64), shape))
    if fields.chosen:
        columns = np.nan_to_num(fields.probabilities, nan=0.0).astype(np.float64).T
        grid.create_property(
            "Probability",
            data=np.stack([flat(column, shape) for column in columns], axis=1),
            components=[classes.identifiers[k] for k in fields.chosen],
        )


def flat(values: NDArray[Any], shape: tuple[int, int, int]) -> NDArray[Any]:
    """Values of boxes from the order of the core (last axis fastest) to OVITO's (first axis fastest)."""
    return values.reshape(shape).ravel(order="F")


def _domain(data: DataCollection, fields: GridFields) -> SimulationCell:
    """The cell that the voxels fill: the simulation cell where it is periodic, the boxes' extent where not."""
    matrix = np.column_stack([fields.domain.T, fields.origin])
    cell = data.cell
    if cell is not None and tuple(cell.pbc) == tuple(fields.pbc) and np.allclose(cell, matrix, atol=1e-6):
        return cell
    domain = SimulationCell(pbc=three_flags(fields.pbc), vis=None)  # type: ignore[arg-type]  # None draws nothing
    domain[...] = matrix
    return domain


def _box_table(data: DataCollection, view: _View, name: str) -> None:
    """One row a box."""
    field, p = view.field, view.field.prediction
    table = data.tables.create(
        name, plot_mode=DataTable.PlotMode.NoPlot, count=len(field), title="ARISE boxes"
    )
    table.create_property("Center", data=field.centers, components=["X", "Y", "Z"])
    table.create_property("Atoms", data=field.n_atoms)
    typed_property(table, "Structure Type", structure_types(view.rule.index(p)), element_types(p.classes))
    for title, values in (
        *((("Resolution", field.resolution),) if field.sharp else ()),
        ("Confidence", p.confidence),
        ("Mutual Information", p.mutual_information),
        ("Predictive Entropy", p.predictive_entropy),
        ("Variation Ratio", p.variation_ratio),
        ("Reject Score", p.reject_score),
        ("Rejection Uncertainty", view.rule.rejection_uncertainty(p)),
        ("Passes", p.passes),
    ):
        table.create_property(title, data=values)


def said_rates(rates: Mapping[str, float]) -> list[str]:
    """Which errors a reject threshold stands for, in words, as far as `Model.error_rates` knows them."""
    lines = []
    for kind in ERRORS:
        rate, bound = rates.get(f"{kind}_rate"), rates.get(f"{kind}_bound")
        if rate is not None:
            promised = "" if bound is None else f" (at most {100 * bound:.2g} %)"
            lines.append(f"{kind.replace('_', ' ')}s  {100 * rate:.2g} %{promised}")
    return lines
