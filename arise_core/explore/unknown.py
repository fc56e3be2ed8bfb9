"""The crystal of a noisy region: its primitive cell, its symmetry, and how well it fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arise_core.crystals.standard import MAX_ATOMS, standard_form
from arise_core.crystals.symmetry import Symmetrised, primitive, symmetrised
from arise_core.errors import InputError
from arise_core.explore.averages import NEAR, Average, averaged, supercell
from arise_core.explore.pieces import MOST, Piece, cut_piece
from arise_core.explore.translations import basis, refined, translations
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.progress import Job, Progress, Step, run, silent
from arise_core.runtime import threads
from arise_core.settings import SYMPREC, check_number

#: Atoms of a region that a cell can be found in, and cells that it must be averaged over.
ATOMS = 40
CELLS = 10
#: Least share of the atoms that fit, in the region and in a part of it; how far the number of atoms in a cell may be
#: from what the density says.
FITTING = 0.5
FITTING_PART = 0.8
CROWDING = (0.7, 1.35)
#: A cell is in doubt if less than this share fits, or its longest period is longer than this share of the radius.
SURE = 0.75
WIDE = 1.0
#: Where the whole does not repeat, parts may: share of the atoms of a part, places that they are taken from.
PART = 0.25
PLACES = 4
#: Atoms are left out where fewer of this many neighbours fit than this share.
NEIGHBOURS, ORDERED = 15, 0.75
#: A solution: fewer of the atoms are of the element of their site.
PURE = 0.8
#: Tolerances that symmetry is looked for with, as multiples of the standard error of a site, and at most as a share of
#: the distance of nearest neighbours.
TOLERANCES = tuple(np.geomspace(0.5, 24, 18))
WIDEST = 0.35
#: A symmetry holds if the sites move by no more than this many of their standard errors, root mean square, and so many
#: divided by √(number of sites) more, as few sites may all lie far off by chance; and if lengths of the cell change
#: by no more than this share (boxes of simulations are strained a little) plus what moves the border of the piece by
#: this share of the noise (waves strain it for a moment).
ERRORS, FEW_SITES = 1.5, 1.5
STRAIN = 0.006
STRAIN_OF_NOISE = 0.4
#: Sites that symmetry makes one are different where their means are apart by so many of their standard errors, and by
#: this share of the distance of nearest neighbours.
APART = 1.6
APART_LEAST = 0.02


@dataclass(frozen=True, eq=False, kw_only=True)
class Site:
    """Equivalent atoms of a crystal.

    Args:
        number: atomic number.
        wyckoff: multiplicity in the conventional cell and letter, such as "8a".
        symmetry: point group of the site.
        count: atoms in the primitive cell.
        purity: share of the atoms there that are of this element.
    """

    number: int
    wyckoff: str
    symmetry: str
    count: int
    purity: float


@dataclass(frozen=True, eq=False, kw_only=True)
class RebuiltCell:
    """The crystal that a region is made of.

    Args:
        structure: reduced primitive cell with exact symmetry.
        group: number of its space group.
        symbol: international symbol, such as "Fd-3m".
        sites: equivalent atoms.
        residual: root of the mean square distance of the atoms from their sites, Å.
        share: of the atoms of the region that fit, near a site and of its element.
        error: standard error of a mean site before it was made symmetric, root mean square along an axis, Å.
        shift: root of the mean square distance that the sites were moved by symmetry, Å.
        atoms: how many were averaged.
        spacing: distance of nearest neighbours in the region, Å.
        radius: of what was averaged, Å.
        elements: False for a solid solution: elements are mixed on the sites, each has that of most of its atoms.
    """

    structure: Structure
    group: int
    symbol: str
    sites: tuple[Site, ...]
    residual: float
    share: float
    error: float
    shift: float
    atoms: int
    spacing: float
    radius: float
    elements: bool

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the cell may be wrong, a sentence each; none if nothing speaks against it."""
        found = []
        if self.share < SURE:
            found.append(f"only {100 * self.share:.0f} % of the atoms fit")
        longest = float(np.linalg.norm(self.structure.cell, axis=1).max())
        if longest > WIDE * self.radius:
            found.append(
                f"the longest period is {longest:.1f} Å, what was averaged is {2 * self.radius:.1f} Å wide: a longer "
                "one would not be seen"
            )
        if self.group == 1 and len(self.structure) > 1:
            found.append("no symmetry but the periods was found")
        return tuple(found)

    def __repr__(self) -> str:
        return (
            f"RebuiltCell({len(self.structure)} atoms, {self.symbol} ({self.group}), {100 * self.share:.0f} % of "
            f"{self.atoms} atoms fit, {self.residual:.2f} Å off their sites)"
        )


@dataclass(frozen=True)
class NoCell:
    """Why no crystal was found. False where a truth is asked for.

    Args:
        reason: in words.
    """

    reason: str

    def __bool__(self) -> bool:
        return False


def rebuild_cell(
    structure: Structure | Material,
    atoms: IntArray | None = None,
    *,
    most: int = MOST,
    progress: Progress = silent,
) -> RebuiltCell | NoCell:
    """The primitive cell of the crystal that a region is made of, averaged over its noise.

    Vectors that take atoms to atoms of the same element span the lattice; atoms folded into its cell are averaged;
    the cell is doubled if that splits sites by more than chance; spglib finds the symmetry within what chance allows.

    Args:
        structure: of the whole.
        atoms: indices of the atoms of the region; None: all.
        most: atoms that are looked at, the nearest to the middle of the region.
        progress: called with each step.

    Raises:
        InputError: `atoms` is no list of indices of atoms, or atoms overlap.
    """
    return run(rebuild_steps(structure, atoms, most=most), progress)


def rebuild_steps(
    structure: Structure | Material, atoms: IntArray | None = None, *, most: int = MOST
) -> Job[RebuiltCell | NoCell]:
    """`rebuild_cell` as a job."""
    most = check_number("most", most, whole=True, low=ATOMS)
    material = Material.of(structure)
    material.check_overlaps()
    yield Step(0.0, "cutting the region out")
    piece = cut_piece(material, atoms, most)
    if len(piece) < ATOMS:
        return NoCell(f"the region has {len(piece)} atoms; a cell needs {ATOMS}")
    reasons: list[str] = []
    tries = _tries(piece)
    for k, (elements, middle, count) in enumerate(tries):
        yield Step(k / len(tries), "looking for periods")
        with threads.one_blas_thread():
            average = _average(piece.around(middle) if middle else piece, count, elements)
        if isinstance(average, NoCell):
            reasons.append(average.reason)
            continue
        yield Step((k + 0.7) / len(tries), "looking for symmetry")
        with threads.one_blas_thread():
            found = _finished(average, piece)
        if isinstance(found, RebuiltCell):
            yield Step(1.0, "cell found")
            return found
        reasons.append(found.reason)
    return NoCell(reasons[0])


def _tries(piece: Piece) -> list[tuple[bool, int, int]]:
    """Whether elements count, middle and number of atoms of the parts in which periods are looked for, in turn."""
    few = max(ATOMS, round(PART * len(piece)))
    parts = [(0, len(piece))]
    if few < len(piece):
        parts += [(middle, few) for middle in piece.places(PLACES)]
    kinds = (True,) if len(piece.trees) == 1 else (True, False)
    return [(elements, middle, count) for elements in kinds for middle, count in parts]


def _average(piece: Piece, count: int, elements: bool) -> Average | NoCell:
    """The mean cell of the atoms around the middle and of what fits it beyond; or why there is none.

    Args:
        piece: of the region.
        count: atoms around the middle in which periods are looked for.
        elements: atoms repeat only if they are of one element.
    """
    core = piece.of(np.arange(count))
    first = _first_average(core, elements, _lattice(core, elements))
    if isinstance(first, NoCell):
        return first
    fitting = first.fits.mean()
    if fitting < (FITTING if count == len(piece) else FITTING_PART):
        return NoCell(f"only {100 * fitting:.0f} % of the atoms fit the cell that was found")
    if count < len(piece):
        first = averaged(piece, first.cell, elements=elements) or first
    ordered = _ordered(first)
    if ATOMS <= len(ordered) < len(first.piece):  # without what is no crystal, periods are sharper
        core = first.piece.of(ordered)
        again = _first_average(core, elements, _lattice(core, elements))
        first = again if isinstance(again, Average) else first
    return _primitive(_enlarged(first))


def _lattice(piece: Piece, elements: bool) -> FloatArray | NoCell:
    found = translations(piece, elements=elements)
    if len(found) == 0:
        return NoCell("no vector takes the atoms to others: the region does not repeat")
    cell = basis(found)
    if cell is None:
        return NoCell(
            f"the {len(found)} vectors that take atoms to others do not span space: too few atoms, or a layer"
        )
    return refined(cell, found, NEAR * piece.spacing)


def _first_average(piece: Piece, elements: bool, cell: FloatArray | NoCell) -> Average | NoCell:
    """The mean of what repeats with a cell, or why there is none."""
    average = averaged(piece, cell, elements=elements) if not isinstance(cell, NoCell) else cell
    if isinstance(average, NoCell):
        return average
    if average is None:
        return NoCell("no site of the cell is occupied in most cells")
    cells = len(piece) / len(average)
    if cells < CELLS:
        return NoCell(f"the region holds only {cells:.1f} cells of {len(average)} atoms; {CELLS} are needed")
    if not CROWDING[0] < average.crowding < CROWDING[1]:
        return NoCell(
            f"the cell that was found has {len(average)} atoms, the density says {len(average) / average.crowding:.1f}"
        )
    return average


def _ordered(average: Average) -> IntArray:
    """Atoms among neighbours that fit, ascending."""
    piece = average.piece
    _, near = piece.tree.query(piece.positions, k=min(NEIGHBOURS, len(piece)))
    return np.flatnonzero(average.fits[near].mean(axis=1) >= ORDERED)


def _enlarged(average: Average) -> Average:
    """The cell doubled or tripled along all vectors if copies of its sites are apart by more than chance.

    Distortions that are smaller than the noise show only so, in the means over many cells.
    """
    n_sites = len(average)
    for n in (2, 3):
        copies = n**3
        if (
            len(average.piece) * average.piece.independent < copies * n_sites * CELLS
            or copies * n_sites > MAX_ATOMS
        ):
            break
        large = supercell(average, (n, n, n))
        steps = np.stack(np.meshgrid(*(np.arange(n),) * 3, indexing="ij"), axis=-1).reshape(-1, 3)
        start = (steps @ average.cell)[:, None] + average.sites[None]
        apart = large.sites - start.reshape(-1, 3)
        chance = np.sqrt(3) * large.error
        off = float(np.sqrt((apart**2).sum(axis=1).mean()))
        if off > APART * chance and off > APART_LEAST * average.piece.spacing:
            return large
    return average


def _primitive(average: Average) -> Average:
    """The mean of the primitive cell, whose errors are smaller, if the cell is larger than that."""
    found = _symmetric(average)
    if found is None:
        return average
    try:
        cell, _, numbers = primitive(found.structure, idealise=False)
    except InputError:  # spglib finds none at its usual tolerance
        return average
    if len(numbers) == len(average):
        return average
    again = averaged(average.piece, cell, elements=average.elements)
    return again if again is not None and len(again) == len(numbers) else average


def _finished(average: Average, piece: Piece) -> RebuiltCell | NoCell:
    """The mean cell with its symmetry, in its standard form."""
    found = _symmetric(average)
    if found is None:
        return NoCell("spglib finds no symmetry, not even the period")
    try:
        cell = standard_form(found.structure)
    except InputError as error:  # more atoms than a class may have, or beyond spglib
        return NoCell(str(error))
    elements = average.elements and average.purity >= PURE
    return RebuiltCell(
        structure=cell,
        group=found.group,
        symbol=found.symbol,
        sites=_sites_of(average, found, len(cell)),
        residual=average.residual,
        share=float((average.fits if elements else average.site >= 0).sum() / len(piece)),
        error=average.error,
        shift=found.shift,
        atoms=len(piece),
        spacing=piece.spacing,
        radius=average.piece.radius,
        elements=elements,
    )


def _symmetric(average: Average) -> Symmetrised | None:
    """The highest symmetry that the errors of the sites allow."""
    error = average.error
    allowed = max((ERRORS + FEW_SITES / np.sqrt(len(average))) * np.sqrt(3) * error, SYMPREC / 4)
    strain = STRAIN + STRAIN_OF_NOISE * average.residual / average.piece.radius
    best: Symmetrised | None = None
    for factor in TOLERANCES:
        tolerance = factor * max(error, SYMPREC / 4)
        if best is not None and tolerance > WIDEST * average.piece.spacing:
            break
        found = symmetrised(average.structure, tolerance)
        if found is None or found.shift > allowed or found.strain > strain:
            continue
        if best is None or found.operations > best.operations:
            best = found
    return best


def _sites_of(average: Average, found: Symmetrised, n_atoms: int) -> tuple[Site, ...]:
    """The orbits; `n_atoms` is the number of atoms of the primitive cell."""
    sites = []
    for orbit in np.unique(found.orbits):
        own = np.flatnonzero(found.orbits == orbit)
        there = np.isin(average.site, own)
        number = int(found.structure.numbers[orbit])
        sites.append(
            Site(
                number=number,
                wyckoff=f"{len(own) * found.conventional // len(average)}{found.wyckoff[orbit]}",
                symmetry=found.site_symmetry[orbit].replace(".", ""),
                count=len(own) * n_atoms // len(average),
                purity=float((average.piece.numbers[there] == number).mean()),
            )
        )
    return tuple(sorted(sites, key=lambda s: (s.count, s.number)))
