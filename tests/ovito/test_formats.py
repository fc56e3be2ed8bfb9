"""Every input format that people bring: the result is the same as for the structure in memory."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
from ovito.data import DataCollection
from ovito.io import export_file, import_file

import arise_core as arise
from arise_core.geometry import builders
from ovito_arise import AriseModifier
from tests.conftest import shaken
from tests.ovito.helpers import FAST, collection, pipeline_of

A = 3.615
COPPER = {"types_to_elements": {1: "Cu"}}
SALT = {"types_to_elements": {1: "Na", 2: "Cl"}}
POSITIONS = ["Particle Identifier", "Particle Type", "Position.X", "Position.Y", "Position.Z"]


def copper() -> arise.Structure:
    corners = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * A
    return shaken(builders.repeat(arise.Structure(corners, [29] * 4, np.eye(3) * A, True), (6, 6, 5)), 0.1)


def skewed() -> arise.Structure:
    """The same crystal in a cell that LAMMPS calls restricted triclinic."""
    whole = builders.repeat(arise.build(arise.prototype("fcc")), (9, 9, 9))
    q, r = np.linalg.qr(whole.cell.T)
    turn = q * np.sign(np.diag(r))
    return shaken(arise.Structure(whole.positions @ turn, whole.numbers, whole.cell @ turn, True), 0.1)


def salt() -> arise.Structure:
    return shaken(builders.repeat(arise.build(arise.prototype("rock salt")), (7, 7, 7)), 0.05)


def atoms_of(structure: arise.Structure) -> ase.Atoms:
    return ase.Atoms(structure.numbers, structure.positions, cell=structure.cell, pbc=structure.pbc)


def dump_text(structure: arise.Structure, coordinates: str, step: int = 0) -> str:
    """A frame of a LAMMPS dump with numeric types only."""
    s, cell = structure, structure.cell
    xy, xz, yz = cell[1, 0], cell[2, 0], cell[2, 1]
    low, high = np.zeros(3), np.diag(cell).copy()
    low[:2] += [min(0, xy, xz, xy + xz), min(0, yz)]
    high[:2] += [max(0, xy, xz, xy + xz), max(0, yz)]
    tilted = bool(abs(cell - np.diag(np.diag(cell))).max() > 1e-6)
    head = "xy xz yz pp pp pp" if tilted else "pp pp pp"
    bounds = [
        f"{a!r} {b!r} {t!r}" if tilted else f"{a!r} {b!r}"
        for a, b, t in zip(low.tolist(), high.tolist(), (float(xy), float(xz), float(yz)), strict=True)
    ]
    x = s.positions
    names = {"x": "x y z", "xs": "xs ys zs", "xu": "xu yu zu"}[coordinates]
    if coordinates == "xs":
        x = x @ np.linalg.inv(cell)
    if coordinates == "xu":  # images of atoms that have left the cell
        x = x + np.random.default_rng(0).integers(-2, 3, x.shape) @ cell
    kinds = np.unique(s.numbers, return_inverse=True)[1] + 1
    rows = [
        f"{k} {t} {p[0]:.10f} {p[1]:.10f} {p[2]:.10f}"
        for k, (t, p) in enumerate(zip(kinds, x, strict=True), 1)
    ]
    return "\n".join(
        [f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(x)}\nITEM: BOX BOUNDS {head}", *bounds,
         f"ITEM: ATOMS id type {names}", *rows, ""]
    )  # fmt: skip


def binary_dump(structure: arise.Structure) -> bytes:
    """A frame of a LAMMPS binary dump (revision 2), as `dump ... custom 1 file.bin id type x y z` writes it."""
    magic, columns = b"DUMPCUSTOM", b"id type x y z"
    n = len(structure)
    head = struct.pack("<q10siiqqi6i", -len(magic), magic, 1, 2, 0, n, 0, *[0] * 6)
    low_high = np.column_stack([np.zeros(3), np.diag(structure.cell)]).ravel()
    rest = struct.pack("<6diib", *low_high, 5, 0, 0) + struct.pack("<i13sii", len(columns), columns, 1, 5 * n)
    rows = np.column_stack([np.arange(1, n + 1), np.ones(n), structure.positions]).astype("<f8")
    return head + rest + rows.tobytes()


def write_text(coordinates: str) -> Callable[[Path, arise.Structure], None]:
    return lambda path, s: path.write_text(dump_text(s, coordinates)) and None


def write_ase(**options: object) -> Callable[[Path, arise.Structure], None]:
    return lambda path, s: ase.io.write(path, atoms_of(s), **options)


def write_ovito(kind: str, **options: object) -> Callable[[Path, arise.Structure], None]:
    def write(path: Path, structure: arise.Structure) -> None:
        data = collection(structure)
        for t in data.particles_.particle_types_.types_:
            t.mass = {29: 63.546, 11: 22.98977, 17: 35.45}[t.id]
        export_file(data, str(path), kind, **options)

    return write


def write_gzip(path: Path, structure: arise.Structure) -> None:
    path.write_bytes(gzip.compress(dump_text(structure, "x").encode()))


def write_binary(path: Path, structure: arise.Structure) -> None:
    path.write_bytes(binary_dump(structure))


def write_data(path: Path, structure: arise.Structure) -> None:
    """LAMMPS data: numeric types, masses."""
    ase.io.write(path, atoms_of(structure), format="lammps-data", masses=True, atom_style="atomic")


FORMATS: dict[str, tuple] = {
    "LAMMPS dump": ("a.dump", copper, write_text("x"), COPPER),
    "LAMMPS dump, scaled": ("a.dump", copper, write_text("xs"), COPPER),
    "LAMMPS dump, unwrapped": ("a.dump", copper, write_text("xu"), COPPER),
    "LAMMPS dump, triclinic": ("a.dump", skewed, write_text("x"), COPPER),
    "LAMMPS dump, triclinic, scaled": ("a.dump", skewed, write_text("xs"), COPPER),
    "LAMMPS dump, triclinic, unwrapped": ("a.dump", skewed, write_text("xu"), COPPER),
    "LAMMPS dump, two types": ("a.dump", lambda: salt_in_lammps(), write_text("x"), SALT),
    "LAMMPS dump, gz": ("a.dump.gz", copper, write_gzip, COPPER),
    "LAMMPS dump, binary": ("a.dump.bin", copper, write_binary, COPPER),
    "LAMMPS data": ("a.data", copper, write_data, {}),
    "extended XYZ": ("a.xyz", salt, write_ase(format="extxyz"), {}),
    "POSCAR": ("POSCAR", salt, write_ase(format="vasp", sort=True), {}),
    "CIF": ("a.cif", salt, write_ase(format="cif"), {}),
    "NetCDF": ("a.nc", copper, write_ovito("netcdf/amber", columns=POSITIONS), {"types_to_elements": {29: "Cu"}}),
    "GSD": ("a.gsd", copper, write_ovito("gsd/hoomd"), {}),
}  # fmt: skip


def salt_in_lammps() -> arise.Structure:
    s = salt()
    q, r = np.linalg.qr(s.cell.T)
    turn = q * np.sign(np.diag(r))
    return arise.Structure(s.positions @ turn, s.numbers, s.cell @ turn, True)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_gives_what_the_structure_gives(kind, tmp_path):
    name, make, write, parameters = FORMATS[kind]
    structure = make()
    path = tmp_path / name
    write(path, structure)
    options = {"columns": POSITIONS}
    pipeline = import_file(str(path), **(options if kind.endswith("binary") else {}))
    pipeline.modifiers.append(AriseModifier(**FAST, **parameters))
    found = pipeline.compute()
    expected = pipeline_of(structure, AriseModifier(**FAST)).compute()
    assert_same(found, expected)


def assert_same(found: DataCollection, expected: DataCollection) -> None:
    """The same structures with the same confidence, whatever the order of the atoms and the box's place."""
    for name in ("ROCK_SALT", "FCC", "OTHER"):
        name = f"ARISE.fractions.{name}"
        assert found.attributes[name] == pytest.approx(expected.attributes[name], abs=0.01)
    assert max(found.attributes["ARISE.fractions.FCC"], found.attributes["ARISE.fractions.ROCK_SALT"]) > 0.9
    for name in ("ARISE Confidence", "ARISE Mutual Information"):
        mean, wanted = (np.asarray(d.particles[name]).mean() for d in (found, expected))
        assert mean == pytest.approx(wanted, abs=0.01)


def test_pdb_without_cell_is_an_open_cluster(tmp_path):
    structure = builders.opened(copper())
    lines = [
        f"ATOM  {k:5d} CU   CU  A   1    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          CU\n"
        for k, (x, y, z) in enumerate(structure.positions, 1)
    ]
    (tmp_path / "a.pdb").write_text("".join(lines) + "END\n")
    pipeline = import_file(str(tmp_path / "a.pdb"))
    pipeline.modifiers.append(AriseModifier(**FAST))
    data = pipeline.compute()
    assert data.cell is None or not any(data.cell.pbc)
    assert_same(data, pipeline_of(structure, AriseModifier(**FAST)).compute())


def test_plain_xyz_has_an_open_cell(tmp_path):
    structure = builders.opened(copper())
    ase.io.write(tmp_path / "a.xyz", atoms_of(structure), format="xyz")
    pipeline = import_file(str(tmp_path / "a.xyz"))
    pipeline.modifiers.append(AriseModifier(**FAST))
    assert_same(pipeline.compute(), pipeline_of(structure, AriseModifier(**FAST)).compute())


def test_numeric_types_without_a_mapping_are_different_species(tmp_path):
    path = tmp_path / "a.dump"
    path.write_text(dump_text(salt_in_lammps(), "x"))
    pipeline = import_file(str(path))
    modifier = AriseModifier(**FAST)
    pipeline.modifiers.append(modifier)
    data = pipeline.compute()
    assert "types 1 and 2 tell no elements: taken as different species" in data.attributes["ARISE.notes"]
    modifier.types_to_elements = SALT["types_to_elements"]
    mapped = pipeline.compute()
    assert "ARISE.notes" not in mapped.attributes
    assert_same(data, mapped)


def test_frames_are_read_from_one_on_in_the_order_of_identifiers(tmp_path):
    from ovito_arise.frames import read_file

    head = "ITEM: TIMESTEP\n{}\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 9\n0 9\n0 9\n"
    rows = "ITEM: ATOMS id type x y z\n2 1 {}.5 0 0\n1 2 3 3 3\n"
    (tmp_path / "a.dump").write_text("".join((head + rows).format(k, k) for k in range(3)))
    found = list(read_file(str(tmp_path / "a.dump"), 1))
    assert len(found) == 2
    assert [f.positions[:, 0].tolist() for f in found] == [[3.0, 1.5], [3.0, 2.5]]
    assert [[f.kinds[k].key for k in f.which] for f in found] == [["2", "1"]] * 2
