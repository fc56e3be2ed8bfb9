"""The material: a structure, looked at once before anything is computed of it.

Every door makes one `Material` of what it was handed, and all rooms above ask it: where the atoms are once they are
wrapped, whether they overlap, which directions are vacuum, how far neighbours are. Each is found when it is first
asked for and kept. A strongly skewed cell is replaced by an equivalent one with short vectors, and a few atoms far from
all others are left out of the body.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from arise_core.errors import InputError, InputTypeError, shown
from arise_core.geometry import overlaps
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.cell import ASKEW, SKEWED, inverse, perpendicular_heights, transformed, unskewed
from arise_core.geometry.neighbors import PairFinder, images, most_images, wrapped
from arise_core.geometry.structure import Structure

#: Neighbours over which the atomic spacing is averaged.
SPACING_NEIGHBOURS = (12, 40)
#: A looser material beside a denser one: ratio of their atomic spacings from which it is distinct, and up to which its
#: holes are closed; atoms of the sample that it needs; lopsidedness of the neighbourhood of an atom inside a material
#: (0.5 at a flat surface).
DISTINCT = 1.25
LOOSEST = 1.7
FEW = 10
LOPSIDED = 0.15
#: Width in atomic spacings from which an empty gap across a periodic direction is vacuum.
VACUUM = 3.0
#: A film of no more layers than these is measured by its own atoms.
FEW_LAYERS = 4.5
#: A layer: its atoms are off their plane by no more than this share of their distance; its period is shorter than this
#: share of it, or so many atoms lie in its cell.
PLANE = 1e-3
SHORT = 0.7
MANY = 16
AS_LAYER = "all atoms lie in one plane of a thin cell: taken as a layer, open along its normal"
#: Atoms whose neighbours are looked at, at most.
SAMPLE = 500
#: Width in atomic spacings of the gap between the atoms of a structure and a group of atoms that is no part of it, and
#: the number of atoms from which a group is a part all the same.
FAR = 20.0
GROUP = 20


class Material:
    """One look at a structure. Create with `Material.of`.

    Args:
        structure: as the user has it.
        notes: what was assumed of it on the way here.
        kept: (n_given,), which of the atoms that were handed over are in the structure; None: all.
    """

    def __init__(
        self, structure: Structure, notes: Sequence[str] = (), kept: BoolArray | None = None
    ) -> None:
        self.structure = structure
        self.given_notes = tuple(notes)
        self.kept = kept
        self._nearest: dict[tuple[int, int, int | None], FloatArray] = {}

    @classmethod
    def of(cls, given: Structure | Material) -> Material:
        """The material of a structure; a material is handed back as it is."""
        if isinstance(given, Material):
            return given
        if not isinstance(given, Structure):
            raise InputTypeError(f"`structure` must be arise_core.Structure, got {shown(given)}")
        return cls(given)

    def __len__(self) -> int:
        return len(self.structure)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed of the structure, for its user: a sentence each."""
        return self.given_notes if self._layer is None else (*self.given_notes, AS_LAYER)

    def spread(self, values: NDArray[Any], empty: Any) -> NDArray[Any]:
        """Values of the atoms, (n_atoms, ...), at all that were handed over, (n_given, ...); else `empty`."""
        if self.kept is None:
            return values
        out = np.full((len(self.kept), *values.shape[1:]), empty, dtype=values.dtype)
        out[self.kept] = values
        return out

    # --- where the atoms are ----------------------------------------------------------------------------------

    @cached_property
    def _whole(self) -> Structure:
        """The structure, in an equivalent cell with short vectors if its own is strongly skewed."""
        return _unskewed(self.structure, SKEWED)

    @cached_property
    def _wrapped(self) -> FloatArray:
        """Positions of the structure in its cell along its periodic directions, (n_atoms, 3), Å."""
        return wrapped(self._whole)

    @cached_property
    def _layer(self) -> tuple[Structure, FloatArray] | None:
        """The structure as a layer and where it is cut, where all atoms lie in one plane of a thin cell; else None."""
        k = _normal_of_layer(self._whole, self._wrapped)
        return None if k is None else _cut_open(self._whole, self._wrapped, [k])

    @cached_property
    def _base(self) -> tuple[Structure, FloatArray]:
        """The structure, or the layer that it is, and its positions, wrapped."""
        if self._layer is None:
            return self._whole, self._wrapped
        return self._layer[0], wrapped(self._layer[0])

    @cached_property
    def _opened(self) -> tuple[Structure, FloatArray]:
        """The structure without vacuum, and the fraction at which each direction is cut, (3,), NaN if it is not."""
        body, cut = _without_vacuum(*self._base, lambda: self._first_spacing)
        return body, cut if self._layer is None else np.where(np.isnan(cut), self._layer[1], cut)

    @cached_property
    def _short(self) -> Structure:
        """That, in an equivalent cell with short vectors if its own is skewed at all.

        Not before it is opened: short vectors may lie across a vacuum.
        """
        return _unskewed(self._opened[0], ASKEW)

    @cached_property
    def in_body(self) -> BoolArray:
        """Which atoms are in the body, (n_atoms,): all but small groups far from all others."""
        stray = _strays(self._opened[0], lambda: self._first_spacing)
        if stray.any():
            warnings.warn(
                f"{stray.sum()} of {len(stray)} atoms are further than {FAR:g} atomic spacings from all others and are "
                f"left out, first atom {np.argmax(stray)}: {self.structure.positions[np.argmax(stray)]}",
                stacklevel=2,
            )
        return ~stray

    @cached_property
    def flat(self) -> bool:
        """Whether all atoms of the body lie in one plane, which no bulk crystal and no tube does."""
        return _is_flat(self.body, self.positions)

    @cached_property
    def body(self) -> Structure:
        """The structure, open along periodic directions that hold a wide empty gap (slabs and layers in a cell).

        Such a direction repeats the structure only because a simulation code wanted a cell. The gap is moved to
        the cell's border. A gap counts as vacuum from 3 atomic spacings, beside a film of few layers of those that
        its own atoms have. The structure of a two-dimensional run, flat in a thin cell, is open along its normal.
        Groups of less than 20 atoms that are further than 20 spacings from all others are left out: boxes and voxels
        are not laid over the emptiness between. A skewed cell gives way to one with short vectors, since boxes have
        the shape of the cell.
        """
        short = self._short
        if self.in_body.all():
            return short
        return Structure(short.positions[self.in_body], short.numbers[self.in_body], short.cell, short.pbc)

    @cached_property
    def atoms(self) -> FloatArray:
        """Where the atoms of the structure are beside the body, (n_atoms, 3), Å; NaN for those that are left out."""
        places = self._opened[0].positions
        return places if self.in_body.all() else np.where(self.in_body[:, None], places, np.nan)

    @cached_property
    def positions(self) -> FloatArray:
        """Positions of the body in its cell along its periodic directions, (n_body, 3), Å."""
        base, inside = self._base
        if self._short is base:
            return inside if self.in_body.all() else inside[self.in_body]
        return self.body.positions if self._short is self._opened[0] else wrapped(self.body)

    @cached_property
    def begin(self) -> FloatArray:
        """Where the cell begins (`Structure.origin`) along the vectors of the body's, within half of each, (3,)."""
        u = transformed(self.structure.origin[None], inverse(self.body.complete_cell))[0]
        return np.asarray(u - np.round(u))

    def fold(self, points: FloatArray) -> FloatArray:
        """Points as the user has them, taken to where the body is, (n, 3), Å.

        Along a direction that was periodic across vacuum a point goes to the image beside the body: one in the
        vacuum to the nearer surface. Other directions are left as they are.
        """
        points = np.asarray(points, dtype=np.float64)
        cut = self._opened[1]
        if np.isnan(cut).all():
            return points
        cell = self._whole.complete_cell
        fractional = transformed(points, inverse(cell))
        shift = np.where(np.isnan(cut), 0.0, np.floor(fractional - np.nan_to_num(cut)))
        return points - transformed(shift, cell)

    def check_overlaps(self, where: str = "") -> None:
        """Refuse atoms closer than 0.1 Å to each other: duplicates, or coordinates in another unit.

        Args:
            where: begin of the message, such as "structure 3: ".

        Raises:
            ValueError: names the closest atoms and their distance.
        """
        if self._overlaps:
            raise InputError(f"{where}{self._overlaps}")

    @cached_property
    def _overlaps(self) -> str:
        """What is wrong with the distances; empty if nothing is."""
        return overlaps.describe(*self._base)

    # --- how far neighbours are -------------------------------------------------------------------------------

    @cached_property
    def _first_surroundings(self) -> tuple[FloatArray, FloatArray]:
        """Those of the structure before it is opened: its gaps are compared with them."""
        structure, inside = self._base
        return surroundings(inside, structure.complete_cell, structure.pbc)

    @property
    def _first_spacing(self) -> float:
        return _dense(self._first_surroundings[0])

    @cached_property
    def _surroundings(self) -> tuple[FloatArray, FloatArray]:
        """Those of the body; they differ from the first ones in rounding only, where it was opened."""
        if self.body is self._base[0]:
            return self._first_surroundings
        return surroundings(self.positions, self.body.complete_cell, self.body.pbc)

    @property
    def spacing(self) -> float:
        """Cube root of the volume per atom inside the material, Å, from the distances to the 12th ... 40th neighbour.

        The lower quartile over (at most `SAMPLE`) atoms, so that surfaces and vacancies count little. A single
        isolated atom gets 1 Å.
        """
        return _dense(self._surroundings[0])

    @property
    def loose_spacing(self) -> float:
        """Atomic spacing of the loosest material in the structure, Å; `spacing` where there is but one material.

        Only atoms with neighbours all around count, so that surfaces do not; vapour counts as far as `LOOSEST`
        goes.
        """
        spacing = self.spacing
        local, lopsided = self._surroundings
        inner = local[lopsided < LOPSIDED]
        if len(inner) < FEW:
            return spacing
        loosest = float(np.quantile(inner, 0.95))
        return min(loosest, LOOSEST * spacing) if loosest > DISTINCT * spacing else spacing

    @cached_property
    def pairs(self) -> PairFinder:
        """Finder of the pairs of the body."""
        return PairFinder(self.body, self.positions)

    def nearest(self, alpha: int, beta: int, sample: int | None = None) -> FloatArray:
        """Distance from each α atom to its nearest β atom, as `PairFinder.nearest`; looked up once."""
        key = (alpha, beta, sample)
        if key not in self._nearest:
            self._nearest[key] = self.pairs.nearest(alpha, beta, sample)
        return self._nearest[key]


def _dense(local: FloatArray) -> float:
    return float(np.quantile(local, 0.2503, method="inverted_cdf"))


def _unskewed(structure: Structure, least: float) -> Structure:
    """The structure; in an equivalent cell with short vectors where its own is skewed (see `cell.unskewed`)."""
    given = structure.complete_cell
    cell = unskewed(given, structure.pbc, least) if structure.cell.any() else given
    if np.array_equal(cell, given):
        return structure
    return Structure(structure.positions, structure.numbers, cell, structure.pbc)


def _without_vacuum(
    structure: Structure, wrapped: FloatArray, spacing: Callable[[], float]
) -> tuple[Structure, FloatArray]:
    """The structure, open along vacuum, and the fraction at which each opened direction is cut, NaN along others."""
    if not structure.pbc.any():
        return structure, np.full(3, np.nan)
    cell = structure.complete_cell
    heights = perpendicular_heights(cell)
    fractional = transformed(wrapped, inverse(cell))
    vacuum = []
    for k in np.flatnonzero(structure.pbc).tolist():
        gap = _widest_gap(fractional[:, k])[0]
        film = _spacing_of_film(structure, cell, (1 - gap) * heights[k], k)
        if gap * heights[k] >= VACUUM * film or gap * heights[k] >= VACUUM * spacing():
            vacuum.append(k)
    return _cut_open(structure, wrapped, vacuum)


def _widest_gap(fractions: FloatArray) -> tuple[float, float]:
    """Widest empty gap along a periodic direction and where it ends, from fractions in [0, 1)."""
    in_order = np.sort(fractions)
    gaps = np.diff(in_order, append=in_order[0] + 1)
    widest = int(np.argmax(gaps))
    return float(gaps[widest]), float(in_order[(widest + 1) % len(gaps)])


def _cut_open(
    structure: Structure, wrapped: FloatArray, directions: Sequence[int]
) -> tuple[Structure, FloatArray]:
    """The structure, open along some directions, whose widest gaps are moved to the border, and where each is cut."""
    cut = np.full(3, np.nan)
    if not len(directions):
        return structure, cut
    cell = structure.complete_cell
    fractional = transformed(wrapped, inverse(cell))
    for k in directions:
        gap, after = _widest_gap(fractional[:, k])
        fractional[:, k] = np.where(fractional[:, k] < after - 1e-12, fractional[:, k] + 1, fractional[:, k])
        cut[k] = after - gap / 2
    pbc = structure.pbc & np.isnan(cut)
    return Structure(transformed(fractional, cell), structure.numbers, cell, pbc), cut


def _spacing_of_film(structure: Structure, cell: FloatArray, thickness: float, k: int) -> float:
    """Atomic spacing s of a film of few layers, Å: its atoms, s³ each, fill its thickness and one s more.

    Of a film in vacuum, `surroundings` finds neighbours in its planes only and takes it for looser than it is.
    Infinite for what is no film of few layers.
    """
    others = [j for j in range(3) if j != k]
    if not structure.pbc[others].all():
        return np.inf
    density = len(structure) / float(np.linalg.norm(np.cross(*cell[others])))
    s = thickness + 1 / np.sqrt(density)
    for _ in range(60):  # Newton's steps from above
        s -= (density * s**3 - s - thickness) / (3 * density * s**2 - 1)
    return float(s) if thickness <= (FEW_LAYERS - 1) * s else np.inf


def _normal_of_layer(structure: Structure, wrapped: FloatArray) -> int | None:
    """The direction along which a periodic structure is but a layer: its atoms lie in one plane normal to it.

    That is so in runs in two dimensions. A bulk crystal can look like it: a cell of one atom, and cells one layer
    high of simple cubic or hexagonal crystals. So the period has to be short against the distances in the plane of
    several atoms, or the plane must hold many.
    """
    cell = structure.complete_cell
    for k in np.flatnonzero(structure.pbc):
        others = [j for j in range(3) if j != k]
        height = float(np.linalg.norm(cell[k]))
        along = np.abs((cell[others] * cell[k]).sum(axis=1))
        if (along > 1e-6 * height * np.linalg.norm(cell[others], axis=1)).any():
            continue
        gap = _widest_gap(transformed(wrapped, inverse(cell))[:, k])[0]
        area = float(np.linalg.norm(np.cross(*cell[others])))
        if not structure.pbc[others].all():
            plane = transformed(wrapped, inverse(cell))[:, others]
            extent = np.where(structure.pbc[others], 1.0, np.maximum(np.ptp(plane, axis=0), 1e-9))
            area *= float(np.prod(extent))
        between = np.sqrt(area / len(structure))
        if (1 - gap) * height > PLANE * between or height >= VACUUM * between:
            continue
        if (height < SHORT * between and len(structure) > 1) or len(structure) >= MANY:
            return int(k)
    return None


def _is_flat(structure: Structure, positions: FloatArray) -> bool:
    """Whether the atoms of an open structure, and those that it repeats, lie in one plane."""
    if structure.pbc.all() or len(positions) < FEW:
        return False
    x = np.concatenate([positions, *(positions + v for v in structure.cell[structure.pbc])])
    x = x - x.mean(axis=0)
    spread = np.array([[(x[:, i] * x[:, j]).mean() for j in range(3)] for i in range(3)])
    least, middle = np.linalg.eigvalsh(spread)[:2]
    return bool(np.sqrt(max(least, 0.0)) <= PLANE * np.sqrt(middle / len(positions)))


def _strays(structure: Structure, spacing: Callable[[], float]) -> BoolArray:
    """Atoms in small groups that wide gaps along open directions part from all others, (n_atoms,).

    None where there are small groups only.
    """
    axes = np.flatnonzero(~structure.pbc)
    nowhere = np.zeros(len(structure), dtype=bool)
    if not len(axes) or len(structure) <= GROUP:
        return nowhere
    cell = structure.complete_cell
    heights = perpendicular_heights(cell)
    across = transformed(structure.positions, inverse(cell))[:, axes] * heights[axes]
    if np.diff(np.sort(across, axis=0), axis=0).max() <= FAR * spacing():
        return nowhere
    small: list[IntArray] = []
    todo = [np.arange(len(structure))]
    large = False
    while todo:
        group = todo.pop()
        parts = _parted(across[group], FAR * spacing())
        if len(parts) > 1:
            todo += [group[part] for part in parts]
        elif len(group) < GROUP:
            small.append(group)
        else:
            large = True
    if large and small:
        nowhere[np.concatenate(small)] = True
    return nowhere


def _parted(across: FloatArray, gap: float) -> list[IntArray]:
    """Points (n, m) in groups that gaps along one of the axes part; one group if no axis has a gap."""
    for values in across.T:
        order = np.argsort(values, kind="stable")
        cuts = np.flatnonzero(np.diff(values[order]) > gap) + 1
        if len(cuts):
            return list(np.split(order, cuts))
    return [np.arange(len(across))]


def surroundings(positions: FloatArray, cell: FloatArray, pbc: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Of at most `SAMPLE` atoms, (m,): local spacing, Å, and lopsidedness.

    The latter is the length of the sum of the vectors to the neighbours over the sum of their lengths.

    Args:
        positions: (n_atoms, 3), Å, wrapped.
        cell: (3, 3), Å, complete.
        pbc: (3,), periodic directions.
    """
    n = len(positions)
    chosen = np.arange(n) if n <= SAMPLE else np.linspace(0, n - 1, SAMPLE).astype(int)
    first, last = SPACING_NEIGHBOURS
    if not pbc.any():
        if n == 1:
            return np.ones(1), np.zeros(1)
        last = min(last, n - 1)
        first = min(first, last)
        near = positions
        distance, found = cKDTree(near).query(positions[chosen], k=last + 1)
    else:
        heights = perpendicular_heights(cell)
        extent = np.where(
            pbc, heights, np.maximum(np.ptp(transformed(positions, inverse(cell)), axis=0) * heights, 1.0)
        )
        margin = float(1.5 * np.cbrt(np.prod(extent) * last / n))
        margin = min(margin, most_images(n, heights, pbc))
        while True:
            near = images(positions, cell, pbc, margin).positions
            if len(near) > last:
                distance, found = cKDTree(near).query(positions[chosen], k=last + 1)
                if (distance[:, -1] <= margin).all():
                    break
            margin *= 1.5
    k = np.arange(first, last + 1)
    spacing = (distance[:, first:] * np.cbrt(4 * np.pi / 3 / (k + 0.5))).mean(axis=1)
    total = np.linalg.norm((near[found] - positions[chosen, None]).sum(axis=1), axis=1)
    return spacing, total / np.maximum(distance.sum(axis=1), 1e-300)
