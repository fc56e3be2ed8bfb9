"""Sites that hold an atom only sometimes, or one of several elements: found, refused, and drawn at random.

A descriptor is of atoms, and a site that is taken as full is another crystal: palladium with 2 % hydrogen is rock salt
then. So such structures are refused everywhere, and `drawn` makes one of them whose sites are full or empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from arise_core.crystals.elements import ATOMIC_NUMBERS, SYMBOLS
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.geometry.arrays import BoolArray, IntArray
from arise_core.geometry.cell import perpendicular_heights
from arise_core.geometry.structure import OVERLAP_DISTANCE, Structure

#: Share of an element at a site, by its symbol; what is missing to 1 is empty.
Content = Mapping[str, float]

#: A site is full if its share differs from 1 by no more; files round to three or four digits.
TOLERANCE = 1e-3
#: Shares at a site add up to no more than this.
MOST = 1.01
#: Atoms that are drawn closer than this (Å) stand on sites that exclude each other (H2: 0.74 Å).
NEAREST = 0.7
#: Atoms of a structure that is drawn, about.
MIN_ATOMS = 500
#: Arrays of occupancies that ASE's readers leave (PDB; muSTEM and Prismatic).
ARRAYS = ("occupancy", "occupancies")
#: Array that says which entry of `info["occupancy"]` an atom has.
KINDS = "spacegroup_kinds"


def is_partial(content: Content) -> bool:
    """Whether a site is not simply full of one element."""
    shares = [s for s in content.values() if abs(s) > TOLERANCE]
    return len(shares) != 1 or abs(shares[0] - 1) > TOLERANCE


@dataclass(frozen=True)
class Sites:
    """What the sites of a structure hold."""

    contents: tuple[Content, ...]  # that occur
    which: IntArray  # (n_sites,), index of the content of each

    @property
    def partial(self) -> BoolArray:
        """Sites that are partly occupied or shared, (n_sites,)."""
        return np.array([is_partial(c) for c in self.contents], dtype=bool)[self.which]

    def shown(self) -> str:
        """How many sites are partial and what the first of them holds, for messages; empty if none is."""
        partial = np.flatnonzero(self.partial)
        if not len(partial):
            return ""
        content = " + ".join(f"{s} {x:g}" for s, x in self.contents[self.which[partial[0]]].items())
        return f"{len(partial)} of {len(self.which)}, first {partial[0]}: {content}"


def sites_of(atoms: Atoms) -> Sites | None:
    """What the sites of `Atoms` hold, as ASE's readers leave it; None if they say nothing.

    That is `info["occupancy"]` with the array `spacegroup_kinds` (CIF), or an array of occupancies (PDB and others; all
    zero stands for nothing).
    """
    stated = atoms.info.get("occupancy")
    if are_contents(stated):
        known = {k: {s: _full_if_unknown(x) for s, x in content.items()} for k, content in stated.items()}
        return sites_of_kinds(atoms.numbers, atoms.arrays.get(KINDS), known)
    for name in ARRAYS:
        if name in atoms.arrays:
            try:
                values = np.nan_to_num(np.asarray(atoms.arrays[name], dtype=np.float64), nan=1.0)
            except (TypeError, ValueError):  # words
                continue
            if values.shape == (len(atoms),) and values.any():
                pairs, which = np.unique(
                    np.stack([atoms.numbers, values], axis=1), axis=0, return_inverse=True
                )
                return Sites(tuple({SYMBOLS[int(z)]: float(x)} for z, x in pairs), which.ravel())
    return None


def _full_if_unknown(share: Any) -> float:
    """A share as it is stated; 1 for `?` and `.`, as CIF files write what is not known."""
    try:
        return float(share)
    except (TypeError, ValueError):
        return 1.0


def are_contents(stated: Any) -> TypeGuard[Mapping[Any, Content]]:
    """Whether something is what ASE keeps as `info["occupancy"]`: contents by kinds of sites."""
    return isinstance(stated, Mapping) and all(isinstance(c, Mapping) for c in stated.values())


def sites_of_kinds(numbers: IntArray, kinds: IntArray | None, stated: Mapping[Any, Content]) -> Sites:
    """Sites from contents by kinds; by elements where the kinds of the atoms were lost on the way (.traj files).

    Args:
        numbers: atomic numbers of the atoms that stand for the sites, (n,).
        kinds: of the sites, (n,); None: lost.
        stated: content of each kind; what is not named is full.
    """
    labels = numbers if kinds is None else np.asarray(kinds)
    present, first, which = np.unique(labels, return_index=True, return_inverse=True)
    own = [SYMBOLS[z] for z in numbers[first]]
    if kinds is None:
        doubtful = [c for c in stated.values() if is_partial(c)]
        found = [next((c for c in doubtful if s in c), {s: 1.0}) for s in own]
    else:
        known = {str(k): c for k, c in stated.items()}
        found = [known.get(str(k), {s: 1.0}) for k, s in zip(present, own, strict=True)]
    return Sites(tuple(found), which)


def drawn(atoms: Atoms, sites: Sites, min_atoms: int = MIN_ATOMS, seed: int = 0) -> Structure:
    """A supercell whose sites hold one atom or none, drawn at random with the composition that is stated.

    Of equal sites as many hold an element as its share of them, to the nearest atom. Atoms of the input that share a
    place are one site.

    Args:
        atoms: the sites; stay as they are.
        sites: what each of them holds.
        min_atoms: expected atoms of the supercell at least, where the structure is periodic.
        seed: of the draw.

    Raises:
        InputError: kinds of sites that were lost, shares of what is no element or that add up to more than 1, nothing
            that is drawn, or atoms closer than 0.7 Å: sites that exclude each other.
    """
    if are_contents(atoms.info.get("occupancy")) and KINDS not in atoms.arrays:
        raise InputError(
            f"`atoms` has occupancies but no array `{KINDS}` that says of which atoms; read the CIF again"
        )
    atoms, sites = _merged(atoms, sites)
    for content in sites.contents:
        if any(s not in ATOMIC_NUMBERS for s in content):
            raise InputError(f"shares at a site must be of elements, got {dict(content)}")
        if not content or min(content.values()) < 0 or sum(content.values()) > MOST:
            raise InputError(
                f"shares at a site must be in [0, 1] and add up to 1 at most, got {dict(content)}"
            )
    one = Structure(atoms.positions, atoms.numbers, atoms.cell[:], atoms.pbc)
    expected = float(np.array([sum(c.values()) for c in sites.contents])[sites.which].sum())
    counts = _counts(one, expected, min_atoms)
    cell = builders.repeat(one, counts.tolist())
    which = np.tile(sites.which, int(np.prod(counts)))
    rng = np.random.default_rng(seed)
    numbers = np.zeros(len(cell), dtype=np.int64)
    for k, content in enumerate(sites.contents):
        numbers[which == k] = rng.permutation(_filling(content, int((which == k).sum())))
    kept = numbers > 0
    out = Structure(cell.positions[kept], numbers[kept], cell.cell, cell.pbc)
    _check_distances(out)
    return out


def _merged(atoms: Atoms, sites: Sites) -> tuple[Atoms, Sites]:
    """One site for atoms that share a place."""
    i, j = neighbor_list("ij", atoms, OVERLAP_DISTANCE)
    if not len(i):
        return atoms, sites
    n = len(atoms)
    _, place = connected_components(coo_array((np.ones(len(i)), (i, j)), shape=(n, n)), directed=False)
    contents: list[dict[str, float]] = []
    first = np.unique(place, return_index=True)[1]
    for p in range(len(first)):
        content: dict[str, float] = {}
        for k in np.flatnonzero(place == p):
            for symbol, share in sites.contents[sites.which[k]].items():
                content[symbol] = content.get(symbol, 0.0) + share
        contents.append(content)
    keys = [tuple(sorted(c.items())) for c in contents]
    known = sorted(set(keys))
    return atoms[first], Sites(tuple(dict(k) for k in known), np.array([known.index(k) for k in keys]))


def _counts(structure: Structure, expected: float, min_atoms: int) -> IntArray:
    """Copies along the periodic directions, about as long in each of them."""
    counts = np.ones(3, dtype=np.int64)
    heights = np.where(structure.pbc, perpendicular_heights(structure.complete_cell), np.inf)
    while structure.pbc.any() and expected > 0 and expected * counts.prod() < min_atoms:
        counts[np.argmin(heights * counts)] += 1
    return counts


def _filling(content: Content, count: int) -> IntArray:
    """Atomic numbers of `count` sites with a content, 0 for empty ones, in order; rounded to largest remainders."""
    shares = [*content.values(), max(0.0, 1 - sum(content.values()))]
    numbers = [*(ATOMIC_NUMBERS[s] for s in content), 0]
    wanted = np.array(shares) / sum(shares) * count
    whole = np.floor(wanted + 1e-9).astype(int)
    for k in np.argsort(whole - wanted, kind="stable")[: count - int(whole.sum())]:
        whole[k] += 1
    return np.repeat(numbers, whole)


def _check_distances(structure: Structure) -> None:
    atoms = Atoms(structure.numbers, structure.positions, cell=structure.complete_cell, pbc=structure.pbc)
    distances = neighbor_list("d", atoms, NEAREST)
    if len(distances):
        raise InputError(
            f"sites of `atoms` exclude each other: atoms drawn on them are {distances.min():.2f} Å apart, and which "
            "go together is not known here. Keep one of each such group of sites: in a CIF file the rows of one "
            "`_atom_site_disorder_group` (delete those of the others, and set `_atom_site_occupancy` to 1)"
        )
