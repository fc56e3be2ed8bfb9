"""Structures of pymatgen, in and out, where pymatgen is installed: it is never imported for anybody else.

Structures and molecules are taken wherever `Atoms` are read. Sites that are partly occupied or shared are told as ASE's
readers tell them, and so are refused or drawn as everywhere.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from ase import Atoms

from arise_core.crystals.elements import ATOMIC_NUMBERS
from arise_core.crystals.occupancy import KINDS, is_partial
from arise_core.errors import InputTypeError, shown
from arise_core.geometry.structure import Structure
from arise_core.runtime.packages import package

#: Where pymatgen has the class that structures and molecules are of.
MODULE, BASE = "pymatgen.core.structure", "SiteCollection"


def is_pymatgen(thing: object) -> bool:
    """Whether something is a structure or molecule of pymatgen."""
    module = sys.modules.get(MODULE)  # who has one has imported it
    return module is not None and isinstance(thing, getattr(module, BASE))


def as_atoms(thing: Any) -> Any:
    """`Atoms` of a structure or molecule of pymatgen, site by site; anything else as it is."""
    if not is_pymatgen(thing):
        return thing
    contents: list[dict[str, float]] = []
    for site in thing:
        content: dict[str, float] = {}
        for species, share in site.species.items():  # Fe2+ and Fe3+ are one element
            symbol = _symbol(species)
            content[symbol] = content.get(symbol, 0.0) + float(share)
        contents.append(content)
    lattice = getattr(thing, "lattice", None)
    main = [max(c, key=lambda s: c[s]) for c in contents]
    atoms = Atoms(
        [ATOMIC_NUMBERS.get(s, 0) for s in main],
        np.asarray(thing.cart_coords, dtype=np.float64).reshape(-1, 3),
        cell=None if lattice is None else lattice.matrix,
        pbc=False if lattice is None else lattice.pbc,
    )
    if any(is_partial(c) for c in contents):
        atoms.set_array(KINDS, np.arange(len(contents)))
        atoms.info["occupancy"] = {str(k): c for k, c in enumerate(contents)}
    return atoms


def _symbol(species: Any) -> str:
    """Symbol of the element of a species; X for one without, such as a dummy."""
    element = getattr(species, "element", species)  # Species has one, Element is one
    symbol = str(getattr(element, "symbol", "X"))
    symbol = {"D": "H", "T": "H"}.get(symbol, symbol)
    return symbol if symbol in ATOMIC_NUMBERS else "X"


def to_pymatgen(structure: Any) -> Any:
    """A structure of this package or `Atoms` as one of pymatgen: a `Structure`, or a `Molecule` without a cell.

    Args:
        structure: an `arise_core.Structure` or `ase.Atoms`; stays as it is.

    Raises:
        MissingPackageError: pymatgen is not installed.
        InputTypeError: anything else.
    """
    if isinstance(structure, Structure):
        cell, pbc = structure.cell, structure.pbc
    elif isinstance(structure, Atoms):
        cell, pbc = structure.cell[:], structure.pbc
    else:
        raise InputTypeError(f"`structure` must be a Structure or ase.Atoms, got {shown(structure)}")
    core = _pymatgen()
    numbers = [int(z) for z in structure.numbers]
    species: list[Any] = [core.Element.from_Z(z) if z else core.DummySpecies("X") for z in numbers]
    if not pbc.any():
        return core.Molecule(species, structure.positions)
    if isinstance(structure, Structure):
        cell = structure.complete_cell
    lattice = core.Lattice(cell, pbc=tuple(bool(p) for p in pbc))
    return core.Structure(lattice, species, structure.positions, coords_are_cartesian=True)


def annotated(thing: Any, atoms: Atoms, *, copy: bool) -> Any:
    """A structure of pymatgen with the results that `Atoms` of its sites hold: arrays as site properties, `info` too.

    Args:
        thing: the structure.
        atoms: of it, with results of `write_results`.
        copy: leave the structure as it is.
    """
    out = thing.copy() if copy else thing
    for name in [n for n in out.site_properties if n.startswith("arise_")]:
        if name not in atoms.arrays:
            out.remove_site_property(name)
    for name, values in atoms.arrays.items():
        if name.startswith("arise_"):
            out.add_site_property(name, values.tolist())
    for key in [k for k in out.properties if str(k).startswith("arise_")]:
        del out.properties[key]
    out.properties.update({k: v for k, v in atoms.info.items() if k.startswith("arise_")})
    return out


def _pymatgen() -> Any:
    return package("pymatgen.core", "`to_pymatgen` needs pymatgen")
