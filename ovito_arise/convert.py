"""From OVITO's data collection to the structure that the core wants, and back. No loop over atoms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from ovito.data import DataCollection, ElementType, Particles, ParticleType, Property, SimulationCell
from ovito.pipeline import Pipeline, StaticSource

from arise_core import Structure
from arise_core.crystals.cif_sites import senseless
from arise_core.crystals.elements import SYMBOLS
from arise_core.crystals.occupancy import KINDS, TOLERANCE, are_contents, sites_of_kinds
from arise_core.crystals.species import ANY_TYPE, Assigned, Kind, assign
from arise_core.crystals.symmetric_cif import atoms_in_cell, is_cif, lists_no_operations
from arise_core.errors import InputError
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.material import Material
from ovito_arise.parameters import OPTION

#: Property of particles with the share of a site that an atom takes, or each element of it.
OCCUPANCY = "Occupancy"
#: Note on a cell that OVITO knows as flat.
OF_TWO_DIMENSIONS = "the cell is two-dimensional: taken as a layer, open along z"
#: How the comment of an extended XYZ file begins an entry that is neither number nor text.
JSON = "_JSON"


@dataclass(frozen=True)
class Analysed:
    """The particles that are to be analysed, as the core sees them."""

    material: Material  # the origin of the simulation cell lies at zero
    origin: FloatArray  # (3,), Å, where it lies in OVITO
    selected: BoolArray | None  # (n_particles,), which particles are in the structure; None: all
    notes: tuple[str, ...] = ()  # those of the material that are not of types


def nothing_in(data: DataCollection, only_selected: bool) -> str:
    """Why there is nothing to analyse in a frame that is in order otherwise; empty where there is something.

    Frames of a run may have no particles (any more), or none that a modifier before has selected.

    Args:
        data: from a pipeline.
        only_selected: whether particles are left out whose `Selection` is zero.
    """
    particles = data.particles
    there = particles is not None  # else it is no file of particles
    if there and particles.count == 0:
        return "no particles in this frame"
    selection = _property(particles, "Selection") if there and only_selected else None
    return "" if selection is None or np.any(selection) else "no particle is selected in this frame"


def to_atoms(
    data: DataCollection, types_to_elements: Mapping[str, str], only_selected: bool = False
) -> Analysed:
    """Particles, cell and boundary conditions of a data collection; the collection stays as it is.

    Args:
        data: from a pipeline.
        types_to_elements: element symbols by name or number of a particle type; "*" for all other types, "X" for
            one that is left out.
        only_selected: leave out particles whose `Selection` is zero.

    Raises:
        ValueError: no particles; no selection; partly occupied sites; NaN coordinates; a periodic cell without
            volume; a CIF file whose symmetry OVITO does not know.
    """
    particles = data.particles
    if particles is None or particles.count == 0:
        raise InputError("The operation requires particles, but the pipeline has none")
    selected = _selected(_property(particles, "Selection")) if only_selected else None
    chosen = slice(None) if selected is None else selected
    _check_occupancies(particles, chosen)
    where = _property(particles, "Position")
    if where is None:
        raise InputError("The particles have no property `Position`: they lie nowhere")
    positions = np.asarray(where)[chosen]
    species = _species(particles, chosen, types_to_elements)
    numbers = species.numbers
    _check_kinds_of_sites(data, numbers, chosen)
    _check_cif(data)
    if not numbers.all():  # sites without mass
        kept = numbers > 0
        selected = kept if selected is None else _within(selected, kept)
        positions, numbers = positions[kept], numbers[kept]
    if data.cell is None:
        # OVITO's stubs forget that there may be no cell
        return Analysed(Material(Structure(positions, numbers), species.notes), np.zeros(3), selected)  # type: ignore[unreachable]
    pbc = np.array(data.cell.pbc, dtype=bool) & [True, True, not data.cell.is2D]
    matrix = np.asarray(data.cell)  # (3, 4): cell vectors are columns, the origin is the last one
    origin = matrix[:, 3].copy()
    structure = Structure(positions - origin, numbers, _usable(matrix[:, :3].T, pbc), pbc)
    flat = (OF_TWO_DIMENSIONS,) if data.cell.is2D and data.cell.pbc[2] else ()
    return Analysed(Material(structure, (*species.notes, *flat)), origin, selected, flat)


def to_collection(structure: Structure, radius: float | None = None) -> DataCollection:
    """A structure as OVITO holds it: particles with named types, and a cell if there is one.

    Args:
        structure: stays as it is.
        radius: of the particles in pictures, Å; by default OVITO's own for their elements.
    """
    data = DataCollection()
    if structure.cell.any():
        cell = SimulationCell(pbc=three_flags(structure.pbc))
        cell[:, :3] = structure.complete_cell.T
        cell[:, 3] = structure.origin
        data.objects.append(cell)
    particles = data.create_particles(count=len(structure))
    particles.create_property("Position", data=structure.positions)
    types = particles.create_property("Particle Type", data=structure.numbers.astype(np.int32))
    kinds = [ParticleType(id=int(z), name=SYMBOLS[z]) for z in structure.species]
    types.types = kinds  # type: ignore[misc, assignment]  # OVITO's stubs lack the setter
    for kind in types.types_:
        assert isinstance(kind, ParticleType)
        kind.load_defaults()
        if radius is not None:
            kind.radius = radius
    return data


def to_pipeline(structure: Structure, radius: float | None = None) -> Pipeline:
    """A pipeline that starts with a structure; see `to_collection`."""
    return Pipeline(source=StaticSource(data=to_collection(structure, radius)))


def three_flags(pbc: BoolArray) -> tuple[bool, bool, bool]:
    """Boundary conditions as OVITO takes them."""
    a, b, c = pbc.tolist()
    return a, b, c


def atomic_numbers(
    ids: IntArray, types: Iterable[ElementType], types_to_elements: Mapping[str, str]
) -> Assigned:
    """What each particle is: as `types_to_elements` says, else by the name of its type, its mass, or a stand-in.

    Args:
        ids: (n,), numbers of the particles' types.
        types: what is known of them.
        types_to_elements: element symbols by name or number of a type; "*" for types that tell nothing.

    Returns:
        Atomic numbers (n,), 0 for sites that are left out, and what was assumed.
    """
    types = list(types)
    kinds, which = _kinds(ids, types)
    known = [word for t in types for word in (str(t.id), t.name)]
    found = assign(kinds, types_to_elements, OPTION, known)
    return Assigned(found.numbers[which], found.notes)


def kinds_of(particles: Particles) -> tuple[list[Kind], IntArray]:
    """The types of all particles, and which of them each has, (n_particles,)."""
    types = _property(particles, "Particle Type")
    if types is None:
        return [Kind(ANY_TYPE)], np.zeros(particles.count, dtype=np.int64)
    return _kinds(np.asarray(types), types.types)


def _kinds(ids: IntArray, types: Iterable[ElementType]) -> tuple[list[Kind], IntArray]:
    present, which = _unique(ids)
    known = {t.id: t for t in types}
    return [_kind(int(i), known.get(int(i))) for i in present], which


def _species(
    particles: Particles, chosen: BoolArray | slice, types_to_elements: Mapping[str, str]
) -> Assigned:
    types = _property(particles, "Particle Type")
    if types is None:  # all are of one kind
        found = assign([Kind(ANY_TYPE)], types_to_elements, OPTION)
        count = len(np.empty(particles.count)[chosen])
        return Assigned(np.full(count, found.numbers[0]), found.notes)
    return atomic_numbers(np.asarray(types)[chosen], types.types, types_to_elements)


def _kind(type_id: int, kind: ElementType | None) -> Kind:
    if kind is None:
        return Kind(str(type_id))
    return Kind(str(type_id), kind.name, float(getattr(kind, "mass", 0.0)))


def _within(selected: BoolArray, kept: BoolArray) -> BoolArray:
    """Of the selected particles, (n_particles,), those that are kept, (n_selected,)."""
    out = selected.copy()
    out[selected] = kept
    return out


def _property(particles: Particles, name: str) -> Property | None:
    found = particles.get(name)
    assert found is None or isinstance(found, Property)
    return found


def _check_occupancies(particles: Particles, chosen: BoolArray | slice) -> None:
    """Refuse particles that stand for sites which are partly occupied or shared by elements.

    The property `Occupancy` has a number, or one for each element (as from CIF files); all zero stands for nothing.
    """
    name = next((n for n in particles if n.lower() == OCCUPANCY.lower()), OCCUPANCY)
    stated = _property(particles, name)
    if stated is None:
        return
    names = stated.component_names or (name,)
    values = np.nan_to_num(np.asarray(stated, dtype=np.float64)[chosen].reshape(-1, len(names)), nan=1.0)
    full = np.abs(values.max(axis=1) - 1) <= TOLERANCE
    full &= (np.abs(values) > TOLERANCE).sum(axis=1) == 1
    partial = np.flatnonzero(~full)
    if len(partial) and values.any():
        first = partial[0]
        content = " + ".join(f"{n} {x:g}" for n, x in zip(names, values[first], strict=True) if x)
        _refuse_partial(name, f"{len(partial)} of {len(values)}, first {first}: {content or 'empty'}")


def _check_kinds_of_sites(data: DataCollection, numbers: IntArray, chosen: BoolArray | slice) -> None:
    """Refuse occupancies of CIF files that came through ASE and extended XYZ: they are in the comment then."""
    text = data.attributes.get("occupancy")
    if not isinstance(text, str) or not text.startswith(JSON):
        return
    try:
        stated = json.loads(text.removeprefix(JSON))
    except json.JSONDecodeError:
        return
    kinds = _property(data.particles, KINDS)
    if are_contents(stated):
        of_sites = None if kinds is None else np.asarray(kinds)[chosen]
        shown = sites_of_kinds(numbers, of_sites, stated).shown()
        if shown:
            _refuse_partial("occupancy", shown)


def _check_cif(data: DataCollection) -> None:
    """Refuse CIF files of which OVITO has something else than they say.

    So it is with sites that make no sense, wrapped into the cell, and with the independent atoms only, where no
    symmetry operations are listed.

    Raises:
        InputError: names the file.
    """
    source = data.attributes.get("SourceFile")
    if not isinstance(source, str) or not is_cif(source):
        return
    problem = senseless(source)
    if problem:
        raise InputError(f"file {source!r}: {problem}")
    if lists_no_operations(source):
        whole = atoms_in_cell(source)
        if whole is None or whole > data.particles.count:
            of = "its" if whole is None else f"its {whole}"
            raise InputError(
                f"file {source!r} lists no symmetry operations, and OVITO has {data.particles.count} of {of} atoms "
                "only. `arise map FILE --reader ase --atoms whole.xyz` writes all of them; or write it anew with its "
                "operations or in P 1"
            )


def _refuse_partial(name: str, shown: str) -> NoReturn:
    raise InputError(
        f"`{name}` says that particles are partly occupied sites ({shown}), and as full ones they would be another "
        "crystal. Draw them at random before, with `arise map FILE --draw --atoms drawn.xyz` or `ase_arise.occupied`; "
        f"if that is done, delete `{name}`"
    )


def _selected(selection: Property | None) -> BoolArray:
    if selection is None:
        raise InputError("The operation requires an input particles selection")
    selected: BoolArray = np.asarray(selection) != 0
    if not selected.any():
        raise InputError("No particle is selected, and `only_selected` is on")
    return selected


def _usable(cell: FloatArray, pbc: BoolArray) -> FloatArray:
    """The cell, less its vectors along open directions where these leave it without volume (2D cells)."""
    if abs(np.linalg.det(cell)) > 0:
        return cell
    return np.where(pbc[:, None], cell, 0.0)


def _unique(ids: IntArray) -> tuple[IntArray, IntArray]:
    """Sorted values and the index of each element's value among them; fast for small type numbers."""
    low, high = int(ids.min()), int(ids.max())
    if high - low > 10_000:
        values, which = np.unique(ids, return_inverse=True)
        return values, which
    there = np.bincount(ids - low) > 0
    return np.flatnonzero(there) + low, (np.cumsum(there) - 1)[ids - low]
