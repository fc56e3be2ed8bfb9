"""Structure files that no reader and no recognition may stumble over: sound ones, changed at random.

`write_file` takes a crystal or particle, changes it in one of `CHANGES`, writes it in one of `FORMATS`, and perhaps
damages the bytes in one of `DAMAGES`. All that is random comes from the generator that is handed in.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk, fcc111, graphene, molecule
from ase.io import write

Generator = np.random.Generator
Change = Callable[[Atoms, Generator], Atoms]
Damage = Callable[[bytes, Generator], bytes]

#: Formats by name: suffix, and what ASE calls it (dumps are written here).
FORMATS = {
    "xyz": (".xyz", "xyz"),
    "extxyz": (".xyz", "extxyz"),
    "cif": (".cif", "cif"),
    "poscar": (".vasp", "vasp"),
    "data": (".data", "lammps-data"),
    "dump": (".dump", ""),
    "pdb": (".pdb", "proteindatabank"),
}


@dataclass(frozen=True)
class Made:
    """A file, and what was done to it."""

    path: Path
    format: str
    change: str
    damage: str


# --- sound structures ---------------------------------------------------------------------------------------------


def sound(rng: Generator) -> Atoms:
    """A crystal, slab, sheet, particle or molecule of 1 to some 500 atoms, hardly shaken."""
    kind = rng.integers(6)
    if kind == 0:
        atoms = bulk(str(rng.choice(["Cu", "Fe", "Al", "W", "Si"])), cubic=True) * tuple(
            rng.integers(1, 5, 3)
        )
    elif kind == 1:
        atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * tuple(rng.integers(1, 4, 3))
    elif kind == 2:
        atoms = fcc111("Pt", (4, 4, int(rng.integers(1, 5))), vacuum=8.0, periodic=True)
    elif kind == 3:
        atoms = graphene(size=(6, 6, 1), vacuum=8.0)
        atoms.pbc = True
    elif kind == 4:
        atoms = bulk("Cu", cubic=True) * (6, 6, 6)
        atoms = atoms[np.linalg.norm(atoms.positions - atoms.positions.mean(axis=0), axis=1) < 8.0]
        atoms.pbc = False
    else:
        atoms = molecule(str(rng.choice(["C60", "H2O", "CH4", "C6H6"])))
    atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
    return atoms


# --- what may be wrong with a structure ---------------------------------------------------------------------------


def _scaled(atoms: Atoms, rng: Generator) -> Atoms:
    """Everything in another unit."""
    factor = 10.0 ** rng.uniform(-9, 9)
    atoms.set_cell(atoms.cell * factor)
    atoms.positions *= factor
    return atoms


def _positions_scaled(atoms: Atoms, rng: Generator) -> Atoms:
    atoms.positions *= 10.0 ** rng.uniform(-9, 9)
    return atoms


def _cell_scaled(atoms: Atoms, rng: Generator) -> Atoms:
    atoms.set_cell(
        atoms.cell * 10.0 ** rng.uniform(-9, 9, (3, 1)) if rng.random() < 0.5 else atoms.cell * 1e-3
    )
    return atoms


def _far_atoms(atoms: Atoms, rng: Generator) -> Atoms:
    """A few atoms far from all others."""
    count = int(rng.integers(1, 4))
    far = atoms.positions.mean(axis=0) + rng.normal(size=(count, 3)) * 10.0 ** rng.uniform(1.5, 12)
    return atoms + Atoms(atoms.numbers[:1].repeat(count), far)


def _huge(atoms: Atoms, rng: Generator) -> Atoms:
    atoms.positions += 10.0 ** rng.uniform(9, 300)
    return atoms


def _open_far(atoms: Atoms, rng: Generator) -> Atoms:
    atoms.pbc = False
    return _far_atoms(atoms, rng)


def _two_far(atoms: Atoms, rng: Generator) -> Atoms:
    """The same twice, far apart."""
    other = atoms.copy()
    other.positions += rng.normal(size=3) * 10.0 ** rng.uniform(2, 9)
    atoms.pbc = False
    return atoms + other


def _overlapping(atoms: Atoms, rng: Generator) -> Atoms:
    chosen = rng.integers(0, len(atoms), int(rng.integers(1, len(atoms) + 1)))
    atoms.positions[chosen] = atoms.positions[rng.integers(len(atoms))] + rng.normal(
        0, 0.01, (len(chosen), 3)
    )
    return atoms


def _one_place(atoms: Atoms, rng: Generator) -> Atoms:
    return Atoms(f"Cu{int(rng.integers(2, 6000))}", cell=atoms.cell, pbc=atoms.pbc)


def _duplicated(atoms: Atoms, rng: Generator) -> Atoms:
    return atoms + atoms


def _skewed(atoms: Atoms, rng: Generator) -> Atoms:
    """Another cell of the same lattice, or one nearly without volume."""
    cell = atoms.cell.array.copy()
    cell[2] += cell[0] * int(10.0 ** rng.uniform(0, 6))
    if rng.random() < 0.3:
        cell[1] = cell[0] * (1 + 10.0 ** rng.uniform(-12, -1)) + cell[1] * 10.0 ** rng.uniform(-12, -1)
    atoms.set_cell(cell)
    return atoms


def _thin(atoms: Atoms, rng: Generator) -> Atoms:
    """One atom a cell, some edges of it tiny or huge."""
    edges = np.where(rng.random(3) < 0.5, 10.0 ** rng.uniform(-3, 0, 3), 10.0 ** rng.uniform(0, 9, 3))
    return Atoms("Cu", cell=edges, pbc=True)


def _many_species(atoms: Atoms, rng: Generator) -> Atoms:
    atoms.numbers = rng.integers(1, int(rng.integers(10, 109)) + 1, len(atoms))
    return atoms


def _gas(atoms: Atoms, rng: Generator) -> Atoms:
    """An ideal gas."""
    edge = 10.0 ** rng.uniform(1, 5)
    count = int(10.0 ** rng.uniform(1, 3.3))
    return Atoms(f"Ar{count}", rng.random((count, 3)) * edge, cell=[edge] * 3, pbc=bool(rng.random() < 0.5))


def _dense(atoms: Atoms, rng: Generator) -> Atoms:
    """A dense packing whose atoms hardly fit beside each other."""
    n = int(rng.integers(2, 9))
    spacing = rng.uniform(0.105, 0.5)
    return bulk("Cu", a=spacing * 2**0.5, cubic=True) * (n, n, n)


def _needle(atoms: Atoms, rng: Generator) -> Atoms:
    """A long thin particle in any direction."""
    needle = bulk("Cu", cubic=True) * (int(10.0 ** rng.uniform(1, 2)), 2, 2)
    needle.pbc = False
    needle.rotate(float(rng.uniform(0, 180)), rng.normal(size=3))
    needle.cell = np.zeros((3, 3))
    return needle


def _not_finite(atoms: Atoms, rng: Generator) -> Atoms:
    atoms.positions[rng.integers(len(atoms)), rng.integers(3)] = rng.choice([np.nan, np.inf, -np.inf])
    return atoms


def _empty(atoms: Atoms, rng: Generator) -> Atoms:
    return Atoms(cell=atoms.cell, pbc=atoms.pbc)


def _no_cell(atoms: Atoms, rng: Generator) -> Atoms:
    atoms.cell = np.zeros((3, 3))
    atoms.pbc = bool(rng.random() < 0.5)
    return atoms


def _mixed_pbc(atoms: Atoms, rng: Generator) -> Atoms:
    atoms.pbc = rng.random(3) < 0.5
    return atoms


def _unchanged(atoms: Atoms, rng: Generator) -> Atoms:
    return atoms


CHANGES: dict[str, Change] = {
    "unchanged": _unchanged, "scaled": _scaled, "positions scaled": _positions_scaled, "cell scaled": _cell_scaled,
    "far atoms": _far_atoms, "far atoms, open": _open_far, "huge coordinates": _huge, "two far clusters": _two_far,
    "overlapping": _overlapping, "one place": _one_place, "duplicated": _duplicated, "skewed cell": _skewed,
    "thin cell": _thin, "many species": _many_species, "gas": _gas, "dense": _dense, "needle": _needle,
    "not finite": _not_finite, "empty": _empty, "no cell": _no_cell, "mixed boundaries": _mixed_pbc,
}  # fmt: skip


# --- what may be wrong with a file --------------------------------------------------------------------------------


def _cut_off(data: bytes, rng: Generator) -> bytes:
    return data[: int(rng.integers(0, len(data) + 1))]


def _flipped(data: bytes, rng: Generator) -> bytes:
    """A few bytes at random."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 20))):
        if changed:
            changed[rng.integers(len(changed))] = rng.integers(256)
    return bytes(changed)


def _noise(data: bytes, rng: Generator) -> bytes:
    return rng.bytes(int(10.0 ** rng.uniform(0, 4)))


def _number(data: bytes, rng: Generator) -> bytes:
    """Another number instead of one: huge, tiny, negative, none."""
    words = data.split(b" ")
    numbers = [k for k, w in enumerate(words) if w.strip().replace(b".", b"").replace(b"-", b"").isdigit()]
    for _ in range(min(len(numbers), int(rng.integers(1, 4)))):
        chosen = [
            b"1e300",
            b"-1",
            b"0",
            b"1000000000",
            b"nan",
            b"inf",
            b"1e-300",
            b"--",
            b"99999999999999999999",
        ]
        words[numbers[rng.integers(len(numbers))]] = chosen[rng.integers(len(chosen))]
    return b" ".join(words)


def _announced(data: bytes, rng: Generator) -> bytes:
    """As many atoms as nobody has: the first whole number above 1 of a line of its own or before `atoms`."""
    lines = data.split(b"\n")
    for k, line in enumerate(lines[:12]):
        word = line.split()[0] if line.split() else b""
        if word.isdigit() and (len(line.split()) == 1 or b"atoms" in line) and int(word) > 1:
            lines[k] = line.replace(word, b"1000000000", 1)
            break
    return b"\n".join(lines)


def _lines(data: bytes, rng: Generator) -> bytes:
    """Lines left out, doubled or in another order."""
    lines = data.split(b"\n")
    kind = rng.integers(3)
    at = int(rng.integers(len(lines)))
    if kind == 0:
        del lines[at : at + int(rng.integers(1, 4))]
    elif kind == 1:
        lines[at:at] = lines[at : at + int(rng.integers(1, 20))]
    else:
        rng.shuffle(lines)
    return b"\n".join(lines)


def _windows(data: bytes, rng: Generator) -> bytes:
    return data.replace(b"\n", b"\r\n")


def _twice(data: bytes, rng: Generator) -> bytes:
    """A second frame, which may be cut off."""
    return data + data[: int(rng.integers(0, len(data) + 1))]


def _nothing(data: bytes, rng: Generator) -> bytes:
    return b""


def _undamaged(data: bytes, rng: Generator) -> bytes:
    return data


DAMAGES: dict[str, Damage] = {
    "undamaged": _undamaged, "cut off": _cut_off, "flipped bytes": _flipped, "noise": _noise, "numbers": _number,
    "announced": _announced, "lines": _lines, "Windows": _windows, "two frames": _twice, "nothing": _nothing,
}  # fmt: skip
#: Share of the files whose bytes are damaged, and of the changed structures among these.
DAMAGED = 0.5
CHANGED = 0.3


def write_file(folder: Path, number: int, rng: Generator) -> Made:
    """Write one file, at random.

    Args:
        folder: where it is written; it is there.
        number: for its name.
        rng: random numbers.
    """
    damaged = rng.random() < DAMAGED
    change = str(rng.choice(list(CHANGES))) if not damaged or rng.random() < CHANGED else "unchanged"
    damage = str(rng.choice(list(DAMAGES))) if damaged else "undamaged"
    kind = str(rng.choice(list(FORMATS)))
    with np.errstate(all="ignore"):
        atoms = CHANGES[change](sound(rng), rng)
    try:
        data = text_of(atoms, kind).encode()
    except Exception:  # the writers of ASE refuse some: such a file is not met either
        kind, data = "xyz", plain_xyz(atoms).encode()
    path = folder / f"{number:06d}{FORMATS[kind][0]}"
    path.write_bytes(DAMAGES[damage](data, rng))
    return Made(path, kind, change, damage)


def text_of(atoms: Atoms, kind: str) -> str:
    """What a file of a format holds."""
    if kind == "dump":
        return dump(atoms)
    file = io.StringIO() if kind != "cif" else io.BytesIO()
    options = {"masses": True} if kind == "data" else {}
    write(file, atoms, format=FORMATS[kind][1], **options)
    found = file.getvalue()
    return found.decode() if isinstance(found, bytes) else found


def dump(atoms: Atoms) -> str:
    """A LAMMPS dump with elements; cells are taken as orthogonal."""
    edges = atoms.cell.lengths()
    flags = " ".join("pp" if p else "ff" for p in atoms.pbc)
    bounds = "".join(f"0 {edge!r}\n" for edge in edges.tolist())
    rows = "".join(
        f"{k + 1} {s} {x!r} {y!r} {z!r}\n"
        for k, (s, (x, y, z)) in enumerate(zip(atoms.symbols, atoms.positions.tolist(), strict=True))
    )
    head = f"ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n{len(atoms)}\nITEM: BOX BOUNDS {flags}\n"
    return f"{head}{bounds}ITEM: ATOMS id element x y z\n{rows}"


def plain_xyz(atoms: Atoms) -> str:
    """An XYZ file without a cell."""
    rows = "".join(
        f"{s} {x!r} {y!r} {z!r}\n"
        for s, (x, y, z) in zip(atoms.symbols, atoms.positions.tolist(), strict=True)
    )
    return f"{len(atoms)}\n\n{rows}"
