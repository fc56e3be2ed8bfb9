"""Samples with foreign atoms: in the lattice, in its holes, on its surface; mixtures on a lattice or sublattice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from ase import Atoms
from ase.build import (
    bcc100,
    bcc110,
    diamond100,
    diamond111,
    fcc100,
    fcc110,
    fcc111,
    hcp0001,
)
from ase.data import atomic_numbers

from ase_arise import from_atoms
from benchmarks.samples.hosts import (
    CONSTANTS,
    EDGE,
    ELEMENTAL,
    LATTICES,
    Generator,
    Sample,
    holes,
    material_of,
    shaken,
    spacing,
    supercell,
    unit,
)

ALL = ("whole", "open", "16", "12", "8")
IN_PLANE = ("whole", "16", "12", "8")  # slabs are open as they are
SUBSTITUTED = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1)
INSERTED = (0.001, 0.005, 0.01, 0.02, 0.05)
LIGHT = ("H", "C", "N", "O", "B")
METALS = (
    "Li", "Be", "Na", "Mg", "Al", "Si", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "Zr", "Nb",
    "Mo", "Pd", "Ag", "Sn", "Sb", "Hf", "Ta", "W", "Pt", "Au", "Pb", "Bi",
)  # fmt: skip
APART = 1.6  # Å, from one interstitial atom to the next at least


def numbers_of(symbols: Sequence[str]) -> np.ndarray:
    """Atomic numbers of elements."""
    return np.array([atomic_numbers[s] for s in symbols])


def foreign(atoms: Atoms, pool: Sequence[str], n: int, rng: Generator) -> list[str]:
    """Elements of a pool that a structure does not have."""
    return [str(s) for s in rng.choice([s for s in pool if s not in set(atoms.symbols)], n, replace=False)]


def substitution(rng: Generator, draws: int) -> Iterator[Sample]:
    """One to three foreign elements at random places."""
    for share in SUBSTITUTED:
        for lattice in LATTICES:
            for k in range(draws):
                atoms = supercell(unit(lattice, material_of(lattice, k)))
                noisy = shaken(atoms, spacing(atoms), rng)
                elements = foreign(atoms, METALS, int(rng.integers(1, 4)), rng)
                n = max(1, round(share * len(atoms)))
                noisy.numbers[rng.permutation(len(atoms))[:n]] = rng.choice(numbers_of(elements), n)
                yield Sample(
                    group=f"{100 * share:g} %", lattice=lattice, detail=f"{min(n, len(elements))} foreign",
                    structure=from_atoms(noisy), ways=ALL,
                )  # fmt: skip


def filled(
    cell: Atoms, places: np.ndarray, element: str, share: float, rng: Generator, edge: float = EDGE
) -> Atoms:
    """A supercell with an element at some places of each cell, `share` of the number of host atoms, and noise."""
    host = supercell(cell, edge)
    distance = spacing(host)
    corners = host.positions[:: len(cell)] - cell.positions[0]
    places = rng.permutation((corners[:, None] + places).reshape(-1, 3))
    wanted, taken = max(1, round(share * len(host))), Atoms(cell=host.cell, pbc=True)
    for place in places:
        if len(taken) == wanted:
            break
        taken.append(element)
        taken.positions[-1] = place
        if len(taken) > 1 and taken.get_distances(-1, range(len(taken) - 1), mic=True).min() < APART:
            del taken[-1]
    return shaken(host + taken, distance, rng)


def interstitials(rng: Generator, draws: int) -> Iterator[Sample]:
    """A light element in holes."""
    for share in INSERTED:
        for lattice in LATTICES:
            for k in range(draws):
                cell = unit(lattice, material_of(lattice, k))
                (element,) = foreign(cell, LIGHT, 1, rng)
                yield Sample(
                    group=f"{100 * share:g} %", lattice=lattice, detail=element,
                    structure=from_atoms(filled(cell, holes(cell, lattice), element, share, rng)), ways=ALL,
                )  # fmt: skip


FACETS: dict[str, tuple[str, Callable[..., Atoms]]] = {
    "fcc(111)": ("fcc", fcc111),
    "fcc(100)": ("fcc", fcc100),
    "fcc(110)": ("fcc", fcc110),
    "bcc(110)": ("bcc", bcc110),
    "bcc(100)": ("bcc", bcc100),
    "hcp(0001)": ("hcp", hcp0001),
    "diamond(111)": ("diamond", diamond111),
    "diamond(100)": ("diamond", diamond100),
}
#: Molecules, lowest atom first, and the distance of that atom from those of the surface, Å.
ADSORBATES = {"H": 1.6, "O": 1.9, "C": 1.9, "N": 1.9, "CO": 1.9}
BOND = 1.15  # Å, of CO
VACUUM = 8.0  # Å, on either side


def slab(facet: str, k: int, layers: int, rng: Generator) -> Atoms:
    """A clean slab with noise, three to five cells wide, periodic in its plane or across the vacuum too."""
    lattice, build = FACETS[facet]
    material = material_of(lattice, k)
    a, *c = CONSTANTS[lattice][material]
    # A layer of ASE's is half a bilayer of diamond.
    depth = 2 * layers if lattice == "diamond" else layers
    size = (int(rng.integers(3, 6)), int(rng.integers(3, 6)), depth)
    atoms = build(material, size, a=a, vacuum=VACUUM, periodic=True, **({"c": c[0]} if c else {}))
    distance = a * np.sqrt(3) / 4 if lattice == "diamond" else spacing(atoms)
    atoms.pbc[2] = bool(rng.integers(2))
    return shaken(atoms, distance, rng)


def covered(atoms: Atoms, n: int, rng: Generator) -> Atoms:
    """A slab with one to three adsorbed atoms or CO molecules, each at its distance from the surface."""
    out = atoms.copy()
    bare = atoms.positions
    while n:
        molecule = str(rng.choice(list(ADSORBATES)))
        bond = ADSORBATES[molecule]
        place = rng.uniform(size=2) @ atoms.cell.array[:2]
        shifts = [i * atoms.cell[0] + j * atoms.cell[1] for i in (-1, 0, 1) for j in (-1, 0, 1)]
        images = np.concatenate([bare + s for s in shifts])
        across = np.linalg.norm(images[:, :2] - place[:2], axis=1)
        under = across < bond
        if not under.any():
            continue
        place[2] = (images[under, 2] + np.sqrt(bond**2 - across[under] ** 2)).max()
        added = Atoms(molecule, [place + [0, 0, BOND * i] for i in range(len(molecule))])
        there = out[len(atoms) :].positions
        near = [np.linalg.norm((there + s - place)[:, :2], axis=1).min() for s in shifts if len(there)]
        if min(near, default=np.inf) > 2.5:
            out += added
            n -= 1
    return out


def swapped(atoms: Atoms, n: int, rng: Generator) -> Atoms:
    """A slab with foreign atoms in its uppermost layer."""
    out = atoms.copy()
    top = np.flatnonzero(atoms.get_tags() == 1)
    out.numbers[rng.permutation(top)[:n]] = rng.choice(numbers_of(foreign(atoms, METALS, 2, rng)), n)
    return out


CHANGES: dict[str, Callable[[Atoms, int, Generator], Atoms]] = {
    "clean": lambda atoms, n, rng: atoms,
    "adsorbed": covered,
    "substituted": swapped,
}


def surfaces(rng: Generator, draws: int) -> Iterator[Sample]:
    """One to three adsorbates or foreign surface atoms on slabs, and clean ones beside them."""
    for name, change in CHANGES.items():
        for facet, (lattice, _) in FACETS.items():
            for k in range(draws):
                for layers in (3, int(rng.integers(4, 7))):
                    atoms = change(slab(facet, k, layers, rng), int(rng.integers(1, 4)), rng)
                    yield Sample(
                        group=f"{name}, {layers if layers == 3 else '4 to 6'} layers",
                        lattice=lattice, detail=facet, structure=from_atoms(atoms), ways=IN_PLANE,
                    )  # fmt: skip


#: Lattice constants and elements of solid solutions.
MIXTURES: dict[str, tuple[tuple[float, ...], str]] = {
    "fcc": ((3.60,), "Co Cr Fe Mn Ni Cu Pd Al"),
    "bcc": ((3.24,), "Nb Mo Ta W V Ti Hf Zr"),
    "hcp": ((3.05, 4.86), "Ti Zr Hf Sc Re Ru Os Co"),
    "diamond": ((5.55,), "Si Ge Sn C Ga As In P"),
}


def uneven(n: int, rng: Generator) -> np.ndarray:
    """Random shares of n elements, none below 5 %."""
    return 0.05 + (1 - 0.05 * n) * rng.dirichlet(np.ones(n))


def mixed(atoms: Atoms, where: np.ndarray, elements: Sequence[str], equal: bool, rng: Generator) -> Atoms:
    """The atoms with elements drawn at random for some of them, and noise."""
    shares = np.full(len(elements), 1 / len(elements)) if equal else uneven(len(elements), rng)
    out = shaken(atoms, spacing(atoms), rng)
    out.numbers[where] = rng.choice(numbers_of(elements), int(where.sum()), p=shares)
    return out


def solutions(rng: Generator, draws: int) -> Iterator[Sample]:
    """Solid solutions of three to six elements."""
    for n in (3, 4, 5, 6):
        for lattice in ELEMENTAL:
            constants, pool = MIXTURES[lattice]
            for equal in (True, False):
                for _ in range(draws):
                    elements = [str(s) for s in rng.choice(pool.split(), n, replace=False)]
                    atoms = supercell(unit(lattice, elements[0], constants))
                    atoms = mixed(atoms, np.ones(len(atoms), dtype=bool), elements, equal, rng)
                    yield Sample(
                        group=f"{n} elements", lattice=lattice, detail="equal shares" if equal else "uneven",
                        structure=from_atoms(atoms), ways=ALL,
                    )  # fmt: skip


#: Lattice, compound, lattice constant, and the elements that share the sites of one of the compound's.
SUBLATTICES: dict[str, tuple[str, str, float, dict[str, str]]] = {
    "(Ti,Zr,Nb,Ta)C": ("rock salt", "TiC", 4.46, {"Ti": "Ti Zr Nb Ta"}),
    "Ti(C,N)": ("rock salt", "TiC", 4.29, {"C": "C N"}),
    "(Ti,Al,Cr)N": ("rock salt", "TiN", 4.18, {"Ti": "Ti Al Cr"}),
    "(Hf,Ta,W)(C,N)": ("rock salt", "HfC", 4.50, {"Hf": "Hf Ta W", "C": "C N"}),
    "(Mg,Co,Ni,Cu,Zn)O": ("rock salt", "MgO", 4.24, {"Mg": "Mg Co Ni Cu Zn"}),
    "(Ga,In,Al)As": ("zinc blende", "GaAs", 5.75, {"Ga": "Ga In Al"}),
    "Ga(P,As,Sb)": ("zinc blende", "GaAs", 5.70, {"As": "P As Sb"}),
    "(Zn,Cd)(S,Se,Te)": ("zinc blende", "ZnS", 5.80, {"Zn": "Zn Cd", "S": "S Se Te"}),
    "(Ni,Co,Fe)Al": ("B2", "NiAl", 2.88, {"Ni": "Ni Co Fe"}),
    "Ni(Al,Ti,Ga)": ("B2", "NiAl", 2.92, {"Al": "Al Ti Ga"}),
    "(Ni,Co,Fe)3Al": ("L1_2", "Ni3Al", 3.58, {"Ni": "Ni Co Fe"}),
    "Ni3(Al,Ti,Ta)": ("L1_2", "Ni3Al", 3.59, {"Al": "Al Ti Ta"}),
    "(Co,Ni)3(Al,W)": ("L1_2", "Co3Al", 3.60, {"Co": "Co Ni", "Al": "Al W"}),
}


def sublattices(rng: Generator, draws: int) -> Iterator[Sample]:
    """Compounds with several elements on the sites of one."""
    for name, (lattice, compound, a, shared) in SUBLATTICES.items():
        for equal in (True, False):
            for _ in range(draws):
                ideal = supercell(unit(lattice, compound, (a,)))
                atoms = shaken(ideal, spacing(ideal), rng)
                for element, elements in shared.items():
                    names = elements.split()
                    share = np.full(len(names), 1 / len(names)) if equal else uneven(len(names), rng)
                    where = np.array(ideal.symbols) == element
                    atoms.numbers[where] = rng.choice(numbers_of(names), int(where.sum()), p=share)
                yield Sample(
                    group=name, lattice=lattice, detail="equal shares" if equal else "uneven",
                    structure=from_atoms(atoms), ways=ALL,
                )  # fmt: skip


#: Host, solute and shares of the solute, of the sites or of the host atoms if it is in holes.
ALLOYS: dict[str, tuple[str, str, str, tuple[float, ...]]] = {
    "Cu-Au": ("fcc", "Cu", "Au", (0.02, 0.1, 0.25, 0.5)),
    "Ni-Cr": ("fcc", "Ni", "Cr", (0.02, 0.1, 0.25, 0.5)),
    "Ag-Pd": ("fcc", "Ag", "Pd", (0.02, 0.1, 0.25, 0.5)),
    "Al-Mg": ("fcc", "Al", "Mg", (0.02, 0.05, 0.1)),
    "Fe-Cr": ("bcc", "Fe", "Cr", (0.02, 0.1, 0.25, 0.5)),
    "W-Re": ("bcc", "W", "Re", (0.02, 0.1, 0.25)),
    "Mg-Zn": ("hcp", "Mg", "Zn", (0.02, 0.05, 0.1)),
    "Ti-Zr": ("hcp", "Ti", "Zr", (0.02, 0.1, 0.25, 0.5)),
    "Si-Ge": ("diamond", "Si", "Ge", (0.02, 0.1, 0.25, 0.5)),
    "Pd-H": ("fcc", "Pd", "H", (0.02, 0.05, 0.1)),
    "Fe-C": ("bcc", "Fe", "C", (0.002, 0.01, 0.03)),
    "Ti-O": ("hcp", "Ti", "O", (0.01, 0.05, 0.1)),
}
ALLOY_EDGE = 22.0  # Å


def alloys(rng: Generator, draws: int) -> Iterator[Sample]:
    """Maps of random binary alloys."""
    for name, (lattice, host, solute, shares) in ALLOYS.items():
        for share in shares:
            for _ in range(draws):
                cell = unit(lattice, host)
                if solute in LIGHT:
                    atoms = filled(
                        cell, holes(cell, lattice, octahedral=True), solute, share, rng, ALLOY_EDGE
                    )
                else:
                    ideal = supercell(cell, ALLOY_EDGE)
                    atoms = shaken(ideal, spacing(ideal), rng)
                    some = rng.permutation(len(atoms))[: round(share * len(atoms))]
                    atoms.numbers[some] = atomic_numbers[solute]
                yield Sample(
                    group=name, lattice=lattice, detail=f"{100 * share:g} %",
                    structure=from_atoms(atoms), ways=("atoms", "16", "12", "8"),
                )  # fmt: skip
