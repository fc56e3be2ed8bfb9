"""A cell that begins elsewhere than at zero has its boxes at the same places in all doors."""

import ase.io
import numpy as np
import pytest
from ovito.io import import_file
from typer.testing import CliRunner

import arise_core as arise
from arise_cli.main import app
from ase_arise import annotate, from_atoms, write
from ase_arise.appending import append_frame
from ase_arise.convert import frames, to_atoms
from ovito_arise import AriseModifier
from tests.doors.systems import polycrystal

OPTIONS = {"box_size": 10.0, "stride": 5.0, "passes": 16, "seed": 3}
ORIGIN = np.array([-31.3, 4.7, 102.2])
#: Bit; files have four digits, so that an atom may be on the other side of the face of a box.
TOLERANCE = 1e-3


def grains(tilts: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> arise.Structure:
    """Four periodic grains in a cell that begins elsewhere, in the form that LAMMPS has."""
    made = polycrystal()
    x, y, z = np.diag(made.cell)
    cell = np.array([[x, 0, 0], [tilts[0], y, 0], [tilts[1], tilts[2], z]])
    positions = made.positions @ np.linalg.inv(made.cell) @ cell + ORIGIN
    numbers = np.full(len(made), 29)
    return arise.Structure(np.round(positions, 4), numbers, cell, True, ORIGIN)


def dump(structure):
    (x, _, _), (xy, y, _), (xz, yz, z) = structure.cell
    low = structure.origin
    bounds = [
        (low[0] + min(0, xy, xz, xy + xz), low[0] + x + max(0, xy, xz, xy + xz), xy),
        (low[1] + min(0, yz), low[1] + y + max(0, yz), xz),
        (low[2], low[2] + z, yz),
    ]
    head = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", str(len(structure))]
    rows = ["ITEM: BOX BOUNDS xy xz yz pp pp pp", *(" ".join(f"{v:.10f}" for v in b) for b in bounds)]
    atoms = [f"{k} 1 {p[0]:.4f} {p[1]:.4f} {p[2]:.4f}" for k, p in enumerate(structure.positions, 1)]
    return "\n".join([*head, *rows, "ITEM: ATOMS id type x y z", *atoms, ""])


def scaled(structure):
    """A dump as LAMMPS writes it by default."""
    u = (structure.positions - structure.origin) @ np.linalg.inv(structure.cell)
    head, _, _ = dump(structure).partition("ITEM: ATOMS")
    atoms = [f"{k} 1 {q[0]:.6f} {q[1]:.6f} {q[2]:.6f}" for k, q in enumerate(u, 1)]
    return "\n".join([head + "ITEM: ATOMS id type xs ys zs", *atoms, ""])


def xyz(structure):
    """Extended XYZ as OVITO writes it."""
    cell = " ".join(f"{x:.8f}" for x in structure.cell.ravel())
    origin = " ".join(f"{x:.8f}" for x in structure.origin)
    comment = f'Lattice="{cell}" Origin="{origin}" Properties=species:S:1:pos:R:3'
    atoms = [f"Cu {p[0]:.4f} {p[1]:.4f} {p[2]:.4f}" for p in structure.positions]
    return "\n".join([str(len(structure)), comment, *atoms, ""])


def data(structure):
    (x, _, _), (xy, y, _), (xz, yz, z) = structure.cell
    low, high = structure.origin, structure.origin + (x, y, z)
    sides = [f"{low[k]:.10f} {high[k]:.10f} {'xyz'[k]}lo {'xyz'[k]}hi" for k in range(3)]
    head = ["made by a test", "", f"{len(structure)} atoms", "1 atom types", "", *sides]
    atoms = [f"{k} 1 {p[0]:.4f} {p[1]:.4f} {p[2]:.4f}" for k, p in enumerate(structure.positions, 1)]
    rest = [f"{xy:.10f} {xz:.10f} {yz:.10f} xy xz yz", "", "Masses", "", "1 63.546", ""]
    return "\n".join([*head, *rest, "Atoms # atomic", "", *atoms, ""])


@pytest.mark.parametrize("tilts", [(0.0, 0.0, 0.0), (2.0, -1.0, 1.5)], ids=["straight", "triclinic"])
@pytest.mark.parametrize(
    ("text", "name"), [(dump, "a.dump"), (scaled, "b.dump"), (data, "a.data"), (xyz, "a.xyz")]
)
def test_doors_agree(text, name, tilts, model, tmp_path):
    structure = grains(tilts)
    path = tmp_path / name
    path.write_text(text(structure))
    field = arise.strided_map(structure, model, **OPTIONS)
    assert not np.allclose(
        field.grid.origin, arise.strided_map(moved(structure), model, **OPTIONS).grid.origin
    )
    here = field.values_at_atoms()
    types = None if text is xyz else {1: "Cu"}
    found = {"ASE": annotate(str(path), model, types=types, mode="local", **OPTIONS)}
    words = ["map", str(path), "--atoms", str(tmp_path / "out.xyz")]
    if types is not None:
        words += ["--types", "1=Cu"]
    for option, value in OPTIONS.items():
        words += [f"--{option.replace('_', '-')}", str(value)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    found["command line"] = ase.io.read(tmp_path / "out.xyz")
    if text is dump:  # of the others ASE's readers forget where the cell begins, or to move atoms there
        read = ase.io.read(path, format="lammps-dump-text")
        found["atoms"] = annotate(read, model, types=types, mode="local", copy=True, **OPTIONS)
    for door, atoms in found.items():
        atoms = atoms[0] if isinstance(atoms, list) else atoms
        theirs = atoms.arrays["arise_mutual_information"]
        assert np.allclose(theirs, here.mutual_information, rtol=0, atol=TOLERANCE), door
    pipeline = import_file(str(path))
    pipeline.modifiers.append(AriseModifier(types_to_elements="*: Cu", **OPTIONS))
    theirs = pipeline.compute().particles["ARISE Mutual Information"]
    assert np.allclose(theirs, here.mutual_information, rtol=0, atol=TOLERANCE)


def test_atoms_read_by_ovito_stay_where_they_are(model, tmp_path):
    structure = grains()
    path, out = tmp_path / "a.dump", tmp_path / "out.xyz"
    path.write_text(dump(structure))
    words = ["map", str(path), "--types", "1=Cu", "--reader", "ovito", "--atoms", str(out)]
    for option, value in OPTIONS.items():
        words += [f"--{option.replace('_', '-')}", str(value)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    atoms = ase.io.read(out)
    assert np.allclose(atoms.positions, structure.positions, atol=1e-3)
    here = arise.strided_map(structure, model, **OPTIONS).values_at_atoms()
    theirs = atoms.arrays["arise_mutual_information"]
    assert np.allclose(theirs, here.mutual_information, rtol=0, atol=TOLERANCE)


def moved(structure):
    """The same atoms in the same periodic space, the cell beginning at zero."""
    return arise.Structure(structure.positions, structure.numbers, structure.cell, True)


def porous():
    """Grains with a pore: voxels of the material lie where the cell begins, too."""
    whole = grains()
    apart = whole.positions - ORIGIN - np.diag(whole.cell) / 2
    kept = np.linalg.norm(apart, axis=1) > 6.0
    return arise.Structure(whole.positions[kept], whole.numbers[kept], whole.cell, True, ORIGIN)


def slab():
    whole = grains((1.0, -0.5, 0.7))
    return arise.Structure(whole.positions, whole.numbers, whole.cell, (True, False, True), ORIGIN)


@pytest.mark.parametrize("made", [grains, porous, slab])
def test_a_map_moves_with_its_cell(made, model):
    structure = made()
    field = arise.strided_map(structure, model, **OPTIONS)
    at_zero = arise.Structure(structure.positions - ORIGIN, structure.numbers, structure.cell, structure.pbc)
    before = arise.strided_map(at_zero, model, **OPTIONS)
    centers = before.grid.centers + ORIGIN
    found, expected = field.at(centers).mutual_information, before.prediction.mutual_information
    known = np.isfinite(expected)  # where there is none, `at` has that of boxes beside
    assert np.allclose(found[known], expected[known], rtol=0, atol=1e-5)
    whole = (field.grid.origin - ORIGIN - before.grid.origin) @ np.linalg.inv(structure.cell)
    assert np.allclose(whole, np.round(whole))
    here, there = field.values_at_atoms(), before.values_at_atoms()
    assert np.isfinite(here.mutual_information).mean() > 0.9
    assert np.allclose(here.mutual_information, there.mutual_information, rtol=0, atol=1e-5, equal_nan=True)


def test_atoms_of_ase_and_back():
    structure = grains()
    atoms = to_atoms(structure)
    assert np.allclose(atoms.get_celldisp().ravel(), ORIGIN)
    assert np.array_equal(from_atoms(atoms).origin, ORIGIN)
    atoms.set_celldisp(None)
    assert np.array_equal(from_atoms(atoms).origin, np.zeros(3))


@pytest.mark.parametrize("origin", [(0, 0), (0, 0, np.nan), (0, 0, 1e10), "zero"])
def test_where_a_cell_begins_is_three_numbers(origin):
    with pytest.raises(ValueError, match="`origin`"):
        arise.Structure(np.zeros((1, 3)), [29], np.eye(3), True, origin)


@pytest.mark.parametrize("append", [False, True])
def test_extended_xyz_keeps_where_the_cell_begins(tmp_path, append):
    atoms = to_atoms(grains())
    path = tmp_path / "out.xyz"
    if append:
        append_frame(path, atoms)
        append_frame(path, atoms)
    else:
        write(path, [atoms, atoms])
    assert "Origin" not in atoms.info
    for found in frames(str(path)):
        assert np.allclose(found.get_celldisp().ravel(), ORIGIN)
        assert np.allclose(found.positions, atoms.positions, atol=1e-6)
    cell = np.asarray(import_file(str(path)).compute().cell)
    assert np.allclose(cell[:, 3], ORIGIN)
