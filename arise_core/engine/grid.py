"""Grids of overlapping boxes over open, periodic, slab-like and triclinic structures."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from arise_core.engine import loops
from arise_core.errors import InputError, MemoryLimitError, check_type
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.cell import inverse, perpendicular_heights, transformed
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.geometry.support import SURFACE
from arise_core.runtime import memory
from arise_core.settings import MapSettings

#: Boxes of a grid, at most: a map of more would not fit any memory.
MAX_BOXES = 1_000_000_000
#: Atoms in a box, at most, where most are images of each other; and how often the cell is in the box then, at least.
MAX_IMAGES = 20_000
OFTEN = 8.0
#: Bytes of results a box without its probabilities, and how often these are held of boxes that are worked on.
RESULT_BYTES = 300
COPIES = 2.5
#: Boxes that may be empty, and how many times more boxes than may hold a prediction are too many.
FREE_BOXES = 500_000
EMPTY = 10
#: Boxes that are counted all at once; of more, those that hold atoms.
COUNTED = 20_000_000
#: Digits behind the point to which it is known where centres lie between those of another grid.
TIE = 6


@dataclass(frozen=True)
class BoxGrid:
    """Boxes in the coordinates u of the cell vectors (position = u @ cell): box k along an axis covers
    start + k step <= u < start + k step + width; for skewed cells boxes are parallelepipeds.

    Create with `box_grid`.
    """

    material: Material
    settings: MapSettings
    spacing: float  # Å, atomic spacing
    cell: FloatArray  # (3, 3), Å, rows
    pbc: BoolArray  # (3,), directions along which boxes wrap
    shape: tuple[int, int, int]  # boxes along each axis
    start: FloatArray  # (3,), lower face of the first box
    step: FloatArray  # (3,)
    width: FloatArray  # (3,)
    low: FloatArray  # (3,), where the material begins along open axes; -inf along periodic ones
    high: FloatArray  # (3,), where it ends
    offset: FloatArray = field(default_factory=lambda: np.zeros(3))  # (3,), Å, see `moved`

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    @property
    def structure(self) -> Structure:
        """The atoms that the boxes lie over: open along directions of vacuum, not moved by the offset."""
        return self.material.body

    @cached_property
    def to_fraction(self) -> FloatArray:
        """From Å to coordinates u, (3, 3): u = position @ to_fraction."""
        return inverse(self.cell)

    @cached_property
    def fractional(self) -> FloatArray:
        """Coordinates u of the atoms, wrapped into [0, 1) along periodic axes, (n_atoms, 3)."""
        return self.wrapped_coordinates()

    def wrapped_coordinates(self) -> FloatArray:
        """`fractional`, which is not kept then, (n_atoms, 3)."""
        u = transformed(self.material.positions, self.to_fraction)
        for k in np.flatnonzero(self.pbc):
            np.maximum(u[:, k], 0.0, out=u[:, k])
            u[u[:, k] >= 1.0, k] = 0.0
        return u

    @property
    def centers(self) -> FloatArray:
        """Centres of the boxes, (n_boxes, 3), Å; the last axis varies fastest. Those of layers that span a
        thin direction lie in its middle.
        """
        axes = [self.start[k] + self.width[k] / 2 + self.step[k] * np.arange(self.shape[k]) for k in range(3)]
        u = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        return transformed(u, self.cell) + self.offset

    @property
    def origin(self) -> FloatArray:
        """Corner of the grid whose cells are centred on the boxes, (3,), Å."""
        return transformed(self.start + self.width / 2 - self.step / 2, self.cell) + self.offset

    @property
    def domain(self) -> FloatArray:
        """Edges of that grid, rows, (3, 3), Å."""
        return np.asarray(self.cell * (self.step * self.shape)[:, None])

    def moved(self, vector: FloatArray) -> BoxGrid:
        """The same boxes for a user whose coordinates have their zero elsewhere, by a vector (3,), Å.

        For cells whose origin is not zero: centres, origin and the points that `coordinates` takes are the user's.
        """
        return replace(self, offset=self.offset + np.asarray(vector, dtype=np.float64))

    def coordinates(self, points: FloatArray) -> FloatArray:
        """Grid coordinates of points of the user (n, 3) Å: the centre of box (i, j, k) has (i, j, k)."""
        points = np.asarray(points, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 3:
            raise InputError(f"`points` must have shape (n, 3), got {points.shape}")
        if not np.isfinite(points).all():
            raise InputError(f"`points` must be finite, got {points[~np.isfinite(points).all(axis=1)][0]}")
        return self._from_body(self.material.fold(points - self.offset))

    @property
    def atom_coordinates(self) -> FloatArray:
        """Grid coordinates of the atoms of the user, (n_atoms, 3); NaN for those that are far from all boxes."""
        return self._from_body(self.material.atoms)

    def coordinates_of_atoms(self, atoms: IntArray | slice) -> FloatArray:
        """`atom_coordinates` of some atoms, (n, 3)."""
        return self._from_body(self.material.atoms[atoms])

    def _from_body(self, points: FloatArray) -> FloatArray:
        u = transformed(points, self.to_fraction)
        u -= self.start
        u -= self.width / 2
        u /= self.step
        return u

    @property
    def box_edges(self) -> FloatArray:
        """Perpendicular size of the boxes along each axis, (3,), Å."""
        return np.asarray(self.width * perpendicular_heights(self.cell))

    @property
    def stride(self) -> FloatArray:
        """Perpendicular distance from box to box along each axis, (3,), Å."""
        return np.asarray(self.step * perpendicular_heights(self.cell))

    @property
    def thin(self) -> BoolArray:
        """Open directions that one layer of boxes spans, (3,)."""
        return np.asarray(~self.pbc & (self.width == self.high - self.low))

    def of_size(self, edge: float) -> BoxGrid:
        """Boxes of another edge (Å) around the same centres; layers that span a thin direction stay."""
        width = np.where(self.thin, self.width, edge / perpendicular_heights(self.cell))
        settings = replace(self.settings, box_size=edge)
        return replace(self, settings=settings, start=self.start + (self.width - width) / 2, width=width)

    def nearest(self, other: BoxGrid) -> tuple[IntArray, ...]:
        """Along each axis the box of this grid whose centre is nearest to that of each box of another one.

        Half way between two it is the one with an even number, whatever the rounding.

        Args:
            other: over the same material, with any stride and size.
        """
        found = []
        for k in range(3):
            centers = other.start[k] + other.width[k] / 2 + other.step[k] * np.arange(other.shape[k])
            exact = (centers - self.start[k] - self.width[k] / 2) / self.step[k]
            at = np.round(np.round(exact, TIE)).astype(np.int64)
            found.append(at % self.shape[k] if self.pbc[k] else np.clip(at, 0, self.shape[k] - 1))
        return tuple(found)

    def span(self, axis: int, u: FloatArray) -> tuple[IntArray, IntArray]:
        """First and last box along an axis that hold coordinates u; not limited to the grid, (n,) each.

        The one definition of what lies in which box.
        """
        offset = (u - self.start[axis]) / self.step[axis]
        last = np.floor(offset).astype(np.int64)
        first = np.floor(offset - self.width[axis] / self.step[axis]).astype(np.int64) + 1
        return first, last

    def clipped_width(self, axis: int) -> FloatArray:
        """Width of each box along an axis, less what lies beyond the flat borders of the material, (n,)."""
        lower = self.start[axis] + self.step[axis] * np.arange(self.shape[axis])
        if self.pbc[axis]:
            return np.full(len(lower), self.width[axis])
        upper = np.minimum(lower + self.width[axis], self.high[axis])
        return np.asarray(np.maximum(upper - np.maximum(lower, self.low[axis]), 0.0))

    def counts(self) -> IntArray:
        """Atoms and images in each box, of the grid's shape."""
        spans = [self.span(axis, self.fractional[:, axis]) for axis in range(3)]
        if len(self) > COUNTED:
            raise MemoryLimitError(f"{len(self):,} boxes cannot be counted: at most {COUNTED:,}")
        counts = np.zeros(self.shape, dtype=np.int64)
        first, last = (np.stack([span[k] for span in spans], axis=1) for k in (0, 1))
        loops.count_atoms(first, last, self.pbc, counts)
        return counts

    def members(self, box: int) -> tuple[FloatArray, IntArray]:
        """Atoms and images in a box: coordinates u (m, 3) and atomic numbers (m,)."""
        index = np.unravel_index(box, self.shape)
        u, numbers = self.fractional, self.structure.numbers
        for axis in range(3):
            first, last = self.span(axis, u[:, axis])
            if not self.pbc[axis]:
                keep = (first <= index[axis]) & (index[axis] <= last)
                u, numbers = u[keep], numbers[keep]
                continue
            # An image shifted by m periods lies in box k if the atom lies in box k - m n.
            n = self.shape[axis]
            low = np.ceil((index[axis] - last) / n).astype(np.int64)
            high = np.floor((index[axis] - first) / n).astype(np.int64)
            parts = []
            for m in range(int(low.min(initial=0)), int(high.max(initial=-1)) + 1):
                keep = (low <= m) & (m <= high)
                moved = u[keep].copy()
                moved[:, axis] += m
                parts.append((moved, numbers[keep]))
            u = np.concatenate([p[0] for p in parts]) if parts else u[:0]
            numbers = np.concatenate([p[1] for p in parts]) if parts else numbers[:0]
        return u, numbers


def box_grid(structure: Structure | Material, settings: MapSettings) -> BoxGrid:
    """Lay boxes over a structure.

    Along a periodic axis the boxes wrap, begin where the cell does (`Structure.origin`), and the stride is the largest
    divisor of the period that does not exceed the one asked for; a period shorter than the box enters it several times.
    Along an open axis the boxes are laid by `settings.padding`; a structure thinner than a box (or `settings.thin`
    boxes) gets one layer over its whole thickness. A periodic axis across vacuum (a slab in a cell) counts as open.
    """
    check_type("settings", settings, MapSettings, "MapSettings")
    material = Material.of(structure)
    if isinstance(settings.box_size, str):
        settings = replace(settings, box_size=automatic_box_size(material, settings.thin))
    spacing = material.spacing
    cell, pbc = material.body.complete_cell, material.body.pbc
    heights = perpendicular_heights(cell)
    u = transformed(material.body.positions, inverse(cell))
    shape, start, step, width = np.zeros(3, int), np.zeros(3), np.zeros(3), np.zeros(3)
    low, high = np.full(3, -np.inf), np.full(3, np.inf)
    for k in range(3):
        box, stride = float(settings.box_size) / heights[k], settings.stride / heights[k]
        if pbc[k]:
            shape[k] = max(1, math.ceil(min(1 / stride, MAX_BOXES) - 1e-9))
            step[k], width[k] = 1 / shape[k], box
            start[k] = material.begin[k] + step[k] / 2 - box / 2
            continue
        margin = SURFACE * spacing / heights[k]
        first, last = float(u[:, k].min()), float(u[:, k].max())
        low[k], high[k] = first - margin, last + margin
        if high[k] - low[k] <= settings.thin * box:
            shape[k], start[k] = 1, low[k]
            step[k] = width[k] = high[k] - low[k]
            continue
        room = {"none": high[k] - low[k] - box, "half": last - first, "full": last - first + box}[
            settings.padding
        ]
        shape[k] = math.floor(min(room / stride, MAX_BOXES) + 1e-9) + 1
        step[k], width[k] = stride, box
        start[k] = (first + last) / 2 - stride * (shape[k] - 1) / 2 - box / 2
    if math.prod(int(n) for n in shape) > MAX_BOXES:
        raise InputError(
            f"`stride` {settings.stride} Å asks for {' x '.join(str(n) for n in shape)} boxes, more than {MAX_BOXES:,}"
        )
    grid = BoxGrid(
        material, settings, spacing, cell, pbc, (int(shape[0]), int(shape[1]), int(shape[2])), start, step, width,
        low, high,
    )  # fmt: skip
    _refuse_dense(grid)
    return grid


def grids_of_sizes(largest: BoxGrid) -> tuple[BoxGrid, ...]:
    """Grids of boxes of all sizes around the same centres, the smallest boxes first.

    One grid unless the `resolution` is "sharp", and where there are so many elements (`SHARP_ELEMENTS`) that small
    boxes would take chance for order. Else the edges go from that of `smallest_edge` (or the stride, if that is larger)
    to `box_size` in even steps that about double the number of atoms, and with the default of it on to `largest_edge`.
    The borders of the structure are those that the smallest boxes meet: where a direction is thinner than they are,
    boxes of all sizes span it.

    Args:
        largest: of boxes of `box_size`, from `box_grid`.
    """
    settings, edge = largest.settings, float(largest.settings.box_size)
    if settings.resolution != "sharp" or _n_elements(largest.material) > SHARP_ELEMENTS:
        return (largest,)
    smallest = max(smallest_edge(largest.material, settings.thin), settings.stride)
    end = largest_edge(largest.material) if edge == MapSettings.box_size else edge
    further = _edges(max(smallest, edge), end)
    edges = [*_edges(smallest, edge), *further, end if further else edge]
    if len(edges) == 1:
        return (largest,)
    first = box_grid(largest.material, replace(settings, box_size=smallest))
    return tuple(first.of_size(edge) for edge in edges)


def _edges(smallest: float, largest: float) -> list[float]:
    """Edges from the smallest on in even steps that about double the number of atoms, without the largest, Å."""
    steps = round(np.log2(largest / smallest) * 3) if smallest < largest else 0
    return [float(smallest * (largest / smallest) ** (k / steps)) for k in range(steps)]


def _n_elements(material: Material) -> int:
    """How many elements have `TRACE` of the atoms or more."""
    counts = np.unique(material.body.numbers, return_counts=True)[1]
    return int((counts >= TRACE * counts.sum()).sum())


def grid_around(largest: BoxGrid) -> BoxGrid:
    """Boxes of the largest usual size, `AROUND` of their edge apart or as far as those of a coarser map.

    Args:
        largest: of that size.
    """
    settings, edge = largest.settings, float(largest.settings.box_size)
    stride = max(settings.stride, AROUND * edge)
    return box_grid(largest.material, replace(settings, resolution="single", stride=stride))


def _refuse_dense(grid: BoxGrid) -> None:
    """Refuse boxes that a short period enters so often that they hold no end of atoms.

    Raises:
        InputError: names the box size and how many atoms such a box would hold.
    """
    times = float(np.prod(grid.width[grid.pbc]))
    held = len(grid.structure) * times
    if held > MAX_IMAGES and times > OFTEN:
        raise InputError(
            f"`box_size` {grid.settings.box_size:g} Å: a box would hold {held:.3g} atoms, the cell {times:.3g} times, "
            f"since atoms are {grid.spacing:.2g} Å apart. Take a smaller box and stride; or are lengths not in Å?"
        )


def refuse_empty(grid: BoxGrid, n_classes: int, at_once: int, kept: int, held: int = 0) -> None:
    """Refuse results that do not fit the memory there is, or boxes nearly all of which would be empty.

    Args:
        grid: of the boxes.
        n_classes: of the model.
        at_once: boxes that are worked on at once.
        kept: probabilities that are held of each of the others; 0: nothing is.
        held: bytes that are held of each of those that are worked on, beside results.

    Raises:
        MemoryLimitError: names the box size and the stride, and how much memory their results need.
    """
    n = len(grid)
    needed = at_once * (RESULT_BYTES + COPIES * 4 * n_classes + held)
    if kept:
        needed += (n - at_once) * (RESULT_BYTES + 4 * kept)
    per_atom = float(np.prod([min(grid.width[k] / grid.step[k] + 1, grid.shape[k]) for k in range(3)]))
    occupied = len(grid.structure) * per_atom / grid.settings.min_atoms
    empty = n > FREE_BOXES and n > EMPTY * occupied
    free = memory.available()
    if needed <= free and not empty:
        return
    shape = " x ".join(str(k) for k in grid.shape)
    reason = (
        f"nearly all of them empty ({len(grid.structure)} atoms)"
        if empty
        else f"{free / 2**30:.1f} GiB are free"
    )
    raise MemoryLimitError(
        f"`box_size` {grid.settings.box_size:g} Å and `stride` {grid.settings.stride:g} Å lay {shape} boxes, whose "
        f"results take {needed / 2**30:.1f} GiB: {reason}. Take a larger stride, or recognise its parts one by one"
    )


#: Atoms that the median box holds when its size is chosen automatically, and stride as a share of the box.
AUTOMATIC_ATOMS = 100
AUTOMATIC_STRIDE = 0.25


#: How far apart the boxes are that say what is around, in sharp maps, as a share of their edge.
AROUND = 0.5
#: Atoms in the smallest boxes of a sharp map: fewer are too few to tell crystals from each other.
SHARP_ATOMS = 32
#: Atoms that the largest ones should hold with the default of `box_size`: boxes of far fewer do not tell stackings of
#: many layers apart; and how many times larger than that they may be.
LARGEST_ATOMS, LARGEST = 400, 2.0
#: Elements of a structure, at most, whose boxes have several sizes, as many as calibration has in a solution; those
#: with a smaller share of the atoms do not count.
SHARP_ELEMENTS = 6
TRACE = 0.01


def smallest_edge(structure: Structure | Material, thin_up_to: float = MapSettings.thin) -> float:
    """Edge of boxes that hold `SHARP_ATOMS` atoms inside the material, Å; that of all of it if it holds fewer.

    From the atomic spacing; along directions that are thinner than a box there is no more to have, so it grows along
    the others, by the number of atoms a length or area.

    Args:
        structure: of any size.
        thin_up_to: boxes up to which a direction is thin, see `MapSettings.thin`.
    """
    material = Material.of(structure)
    heights = perpendicular_heights(material.body.complete_cell)
    size = _edge_for(material, SHARP_ATOMS)
    thin = np.zeros(3, dtype=bool)
    while not thin.all():
        grid = box_grid(material, MapSettings(box_size=size, stride=size, thin=thin_up_to))
        if (grid.thin == thin).all():
            return size
        thin = grid.thin
        extent = np.where(grid.pbc, 1.0, grid.high - grid.low) * heights
        per_atom = float(np.prod(extent[~thin])) / len(material.body)
        size = max(size, float((SHARP_ATOMS * per_atom) ** (1 / max(1, int((~thin).sum())))))
    return max(size, float((extent * thin).max()))


def largest_edge(material: Material) -> float:
    """Edge of the largest boxes of a sharp map with the default of `box_size`, Å: this, or more where such boxes hold
    fewer than `LARGEST_ATOMS` atoms inside the material.
    """
    edge = float(MapSettings.box_size)
    return float(np.clip(_edge_for(material, LARGEST_ATOMS), edge, LARGEST * edge))


def _edge_for(material: Material, n_atoms: int) -> float:
    """Edge of boxes that hold so many atoms inside the material, Å, from the atomic spacing."""
    cell = material.body.complete_cell
    # a box whose edges have all the same height has not the volume of a cube
    skew = float(np.prod(perpendicular_heights(cell))) / abs(float(np.linalg.det(cell)))
    return float(material.spacing * np.cbrt(n_atoms * skew))


def automatic_box_size(structure: Structure | Material, thin: float = MapSettings.thin) -> float:
    """Smallest box edge, in steps of 0.5 Å, whose median box holds at least 100 atoms, Å.

    Empty boxes do not count. A structure with fewer atoms gets a box that holds all of it.

    Args:
        structure: of any size.
        thin: boxes up to which an open direction is spanned by one layer, see `MapSettings`.
    """
    material = Material.of(structure)
    whole, spacing = material.body, material.spacing
    size: float = math.ceil(2 * spacing * AUTOMATIC_ATOMS ** (1 / 3)) / 2
    largest = (
        float(np.ptp(whole.positions, axis=0).max()) + 2 * SURFACE * spacing
        if not whole.pbc.any()
        else np.inf
    )
    while size < largest:
        counts = box_grid(material, MapSettings(box_size=size, stride=size / 2, thin=thin)).counts()
        if np.median(counts[counts > 0]) >= AUTOMATIC_ATOMS:
            return size
        size += 0.5
    return size
