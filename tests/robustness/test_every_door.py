"""What is wrong with a structure, a file or a place, handed to every door; the table of all faults is in `doors`."""

import bz2
import gzip
import io
import lzma
import re
import warnings

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ovito.io import export_file, import_file
from typer.testing import CliRunner

import ase_arise
from arise_cli.main import app
from arise_core.crystals.standard import read_structure
from arise_core.errors import FileError, InputError
from arise_core.recognition.result import recognise
from arise_core.settings import RecognitionSettings
from ase_arise.convert import frames, to_material
from ase_arise.reading import Reader
from benchmarks.robustness.structure_files import dump
from ovito_arise.frames import wait_for_frames
from ovito_arise.grid_files import write_cube, write_grid_dump
from tests.ovito.helpers import analysed, collection, pipeline_of
from tests.robustness.doors import (
    exact_xyz,
    refusals,
    refused_by_command_line,
    refused_by_ovito,
    through_ase,
    through_command_line,
    through_core,
    through_ovito,
)
from tests.robustness.test_cif import CELL, HIDDEN, SITES
from tests.robustness.test_files import HOLLOW, cut_off, data_file

FCC = "fcc_Cu_A_cF4_225_a"


def copper(n=3) -> Atoms:
    atoms = bulk("Cu", cubic=True) * (n, n, n)
    atoms.rattle(0.05, seed=1)
    return atoms


def scaled(positions: float, cell: float) -> Atoms:
    atoms = copper()
    atoms.positions *= positions
    atoms.cell *= cell
    return atoms


def with_cell(change) -> Atoms:
    """Copper in another cell, atoms where they are."""
    atoms = copper()
    cell = atoms.cell.array.copy()
    change(cell)
    atoms.set_cell(cell)
    return atoms


def moved(size: float) -> Atoms:
    atoms = copper(2)
    atoms.positions[3, 1] = size
    return atoms


def overlapping() -> Atoms:
    atoms = copper()
    atoms.positions[7] = atoms.positions[30] + [0.01, 0, 0]
    return atoms


def particle() -> Atoms:
    atoms = copper(5)
    atoms = atoms[np.linalg.norm(atoms.positions - atoms.positions.mean(axis=0), axis=1) < 8.5]
    atoms.pbc = False
    return atoms


def two_far() -> Atoms:
    other = particle()
    other.positions += 1000.0
    return particle() + other


def of_many_species() -> Atoms:
    atoms = copper(5)
    atoms.numbers = np.arange(len(atoms)) % 90 + 1
    return atoms


def gas(count: int, edge: float) -> Atoms:
    places = np.random.default_rng(0).random((count, 3)) * edge
    return Atoms(f"Ar{count}", places, cell=[edge] * 3, pbc=True)


def nearly_flat(cell) -> None:
    cell[1] = cell[0] * (1 + 1e-12) + cell[1] * 1e-12


# --- structures -----------------------------------------------------------------------------------------------------

REFUSED = {
    "metres": (lambda: scaled(1e-10, 1e-10), "overlapping atoms .* 1.08e-09 Å thin.*in metres"),
    "positions scaled": (lambda: scaled(1e-3, 1), "overlapping atoms: 5778 pairs"),
    "cell scaled": (lambda: scaled(1, 1e-3), "overlapping atoms of all and their images"),
    "one short period": (lambda: Atoms("Cu", cell=[1e-3, 3, 3], pbc=True), "along vector 0 it is 0.001 Å thin"),
    "short periods": (lambda: Atoms("Cu", cell=[1e-3] * 3, pbc=True), "along vector 0 it is 0.001 Å thin"),
    "far coordinate": (lambda: moved(1e12), r"`positions` must not exceed 1e\+09 Å.*first atom 3"),
    "no digits": (lambda: moved(1e305), r"`positions` must not exceed 1e\+09 Å.*first atom 3"),
    "huge cell": (lambda: scaled(1, 1e30), r"`cell` must not exceed 1e\+09 Å"),
    "a crowd": (lambda: Atoms("Cu5000", cell=[20.0] * 3, pbc=True), "more than 12497500 pairs closer than 0.1"),
    "two atoms at one place": (overlapping, "overlapping atoms: 1 pairs .* atoms 7 and 30 at 0.0100 Å"),
    "singular cell": (lambda: with_cell(nearly_flat), "`cell` must have a non-zero volume"),
}  # fmt: skip
NO_MAP = {
    "two far clusters": (two_far, "lay .* boxes.*nearly all of them empty"),
    "dilute gas": (lambda: gas(1000, 2000.0), "lay .* boxes.*nearly all of them empty"),
    "90 species": (of_many_species, "`numbers` has 90 species, a map takes at most 20"),
    "dense packing": (lambda: bulk("Cu", a=0.12 * 2**0.5, cubic=True) * (8, 8, 8), "a box would hold .* atoms"),
}  # fmt: skip


@pytest.mark.parametrize("fault", [*REFUSED, *NO_MAP])
def test_structures_that_every_door_refuses(fault, tmp_path, model):
    make, expected = (REFUSED | NO_MAP)[fault]
    said = refusals(make(), tmp_path, model, local=fault in NO_MAP)
    for door, text in said.items():
        assert re.search(expected, text), (door, text)
    assert fault in NO_MAP or "refused.xyz" in said["command line"]


ANSWERED = {
    "skewed cell": (lambda: with_cell(lambda cell: np.copyto(cell[2], cell[2] + 50_000 * cell[0])), FCC),
    "stray atom": (lambda: particle() + Atoms("Cu", [[1e4] * 3]), FCC),
    "needle": (lambda: needle(), FCC),
    "far periods": (lambda: scaled(1, 1e3), FCC),
    "film of two layers": (lambda: fcc111("Au", (4, 4, 2), vacuum=8, periodic=True), FCC),
    "ideal gas": (lambda: gas(150, 20.0), ""),
    "one atom in a thin cell": (lambda: Atoms("Cu", cell=[0.5, 1e4, 1e4], pbc=True), ""),
}  # fmt: skip


def needle() -> Atoms:
    atoms = bulk("Cu", cubic=True) * (20, 2, 2)
    atoms.pbc = False
    atoms.rotate(40, (1, 2, 3))
    atoms.cell = np.zeros((3, 3))
    return atoms


@pytest.mark.parametrize("fault", ANSWERED)
def test_structures_of_which_every_door_says_the_same(fault, tmp_path, model):
    make, label = ANSWERED[fault]
    path = tmp_path / "a.xyz"
    path.write_text(exact_xyz(make()))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="1 of .* left out")  # the stray atom
        doors = {
            "core": through_core(make(), model), "ase": through_ase(make()),
            "command line": through_command_line(path), "ovito": through_ovito(path, model),
        }  # fmt: skip
    for door, said in doors.items():
        assert said.rejected == (label == ""), door
        assert label in ("", said.label), door


# --- files: what ASE and the command line read, and what the modifier does with what OVITO reads --------------------


def text_of(kind: str) -> bytes:
    if kind == "dump":
        return dump(copper()).encode()
    file = io.BytesIO() if kind == "cif" else io.StringIO()
    ase.io.write(file, copper(2)[:32] if kind == "cif" else copper(), format=kind)
    found = file.getvalue()
    return found if isinstance(found, bytes) else found.encode()


PACK = {"gz": gzip, "bz2": bz2, "xz": lzma}
#: What OVITO's reader says by itself, before the modifier gets anything.
UNKNOWN = "Could not detect the file format"
#: Name, format, how it is packed or encoded, and what OVITO's own reader says if it does not take it.
PACKED = [
    *((f"a.{kind}.gz", kind, "gz", "") for kind in ("extxyz", "dump", "cif", "vasp")),
    ("a.xyz.bz2", "extxyz", "bz2", UNKNOWN), ("a.xyz.xz", "extxyz", "xz", UNKNOWN),
    ("a.xyz", "extxyz", "gz", UNKNOWN), ("a.cif", "cif", "xz", UNKNOWN), ("a.dump", "dump", "bz2", UNKNOWN),
    ("a.xyz.gz", "extxyz", "", UNKNOWN), ("a.dump.gz", "dump", "", UNKNOWN),
    ("a.xyz.xz", "extxyz", "", ""), ("a.cif.bz2", "cif", "", ""),
    ("a.xyz", "extxyz", "utf-8-sig", UNKNOWN), ("a.cif", "cif", "utf-16", UNKNOWN),
    ("a.dump", "dump", "utf-16", UNKNOWN), ("POSCAR", "vasp", "utf-8-sig", "Invalid cell vector"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "how", "by_ovito"), PACKED)
def test_compressed_files_and_text_of_other_encodings(name, kind, how, by_ovito, tmp_path, model):
    path, content = tmp_path / name.replace("extxyz", "xyz").replace("a.vasp", "POSCAR"), text_of(kind)
    path.write_bytes(PACK[how].compress(content) if how in PACK else content.decode().encode(how or "utf-8"))
    check_files(path, model, by_ovito)


def check_files(path, model, by_ovito: str = "") -> None:
    """fcc through ASE, command line and OVITO, unless OVITO's own reader refuses it."""
    assert ase_arise.classify(str(path), passes=16).labels.tolist() == [FCC]
    assert through_command_line(path).label == FCC
    if by_ovito:
        with pytest.raises(RuntimeError, match=by_ovito):
            through_ovito(path, model)
    else:
        assert through_ovito(path, model).label == FCC


@pytest.mark.parametrize("name", ["cu.data", "data.cu", "cu.lmp"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_lammps_data_under_their_usual_names(name, ends, tmp_path, model):
    check_files(data_file(tmp_path / name, ends), model)


@pytest.mark.parametrize(
    "name", ["[brackets].cif", "at@1.cif", "dir[/red].cif", "a@0:1.cif", "[link=x]y.cif"]
)
def test_names_with_markup_and_those_that_look_like_frames(name, tmp_path, model):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text_of("cif"))
    check_files(path, model)
    done = CliRunner().invoke(app, ["classify", str(path), "--passes", "4"], env={"COLUMNS": "400"})
    assert name.rsplit("/", 1)[-1] in done.stdout


def test_dumps_with_windows_line_ends(tmp_path, model):
    path = tmp_path / "crlf.dump"
    path.write_bytes(text_of("dump").replace(b"\n", b"\r\n"))
    check_files(path, model)


def test_a_format_that_no_name_tells(tmp_path):
    path = tmp_path / "structure.abc"
    path.write_bytes(text_of("vasp"))
    assert "name its format (`--format" in refused_by_command_line(path, "classify", "--reader", "ase")
    assert through_command_line(path, "--format", "vasp").label == FCC
    (atoms,) = frames(path, Reader(format="vasp"))
    assert through_ase(atoms).label == FCC


def test_ovito_has_the_whole_frames_of_a_run_that_is_cut_off(tmp_path, model):
    pipeline = import_file(str(cut_off(tmp_path / "cut.dump")))
    assert wait_for_frames(pipeline.source) == 3
    for frame in range(3):
        assert through_ovito(pipeline.compute(frame), model).label == FCC


@pytest.mark.parametrize("name", HOLLOW)
@pytest.mark.parametrize("reader", ["auto", "ovito"])
def test_announced_atoms_are_refused_before_any_reader(name, reader, tmp_path):
    (tmp_path / name).write_text(HOLLOW[name])
    for command in ("classify", "map"):
        said = refused_by_command_line(tmp_path / name, command, "--reader", reader)
        assert "1,000,000,000 atoms, but has" in said


SENSELESS = {
    "Cu1 Cu 0 0 1e118\nCu2 Cu 0 0.5 0.5": "site 0 is at",
    "Cu1 Cu 0 0 0\nCu2 Cu 0 0.5 123456789012345": "site 1 is at",
    "Cu1 Cu 0 0 0\nNi1 Ni 0 1 0": "lie at one place, and both are full",
}


@pytest.mark.parametrize("sites", SENSELESS)
@pytest.mark.parametrize("name", ["a.cif", "a.txt.gz"])
def test_sites_of_cif_files_that_make_no_sense(sites, name, tmp_path):
    path = tmp_path / name
    group = "_symmetry_space_group_name_H-M 'P 1'\nloop_\n_symmetry_equiv_pos_as_xyz\n'x, y, z'\n"
    text = f"{CELL}{group}{SITES}{sites}\n".encode()
    path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    assert SENSELESS[sites] in refused_by_ovito(path)
    assert SENSELESS[sites] in refused_by_command_line(path, "classify", "--format", "cif")
    if path.suffix == ".cif":
        for read in (read_structure, ase_arise.classify):
            with pytest.raises(InputError, match=SENSELESS[sites]):
                read(path)


def test_ovito_looks_again_at_a_cif_file_that_changed(tmp_path, model):
    path = tmp_path / "a.cif"
    path.write_bytes(text_of("cif"))
    assert through_ovito(path, model).label == FCC
    path.write_text(re.sub(r"(Cu1 .*) \S+( +1\.0000)", r"\1 1e9\2", path.read_text(), count=1))
    assert "too few digits" in refused_by_ovito(path)


@pytest.mark.parametrize("name", ["a.cif.gz", "a.txt", "A.CIF", "a.cif.xz"])
def test_ovito_knows_cif_files_without_operations_by_their_content(name, tmp_path):
    text = f"# a comment\n\n{CELL}{HIDDEN[3]}\n{SITES}Al1 Al 0 0 0\n".encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    assert "OVITO has 1 of its 4 atoms" in refused_by_ovito(tmp_path / name)


def test_particles_without_positions(tmp_path):
    path = tmp_path / "nowhere.dump"
    path.write_text(dump(copper()).replace("x y z", "vx vy vz"))
    assert "no property `Position`" in refused_by_ovito(path)
    assert "No atomic positions found" in refused_by_command_line(path, "map", "--reader", "ase")
    with pytest.raises(InputError, match=r"nowhere\.dump', frame 0, .*No atomic positions found"):
        ase_arise.classify(str(path))


NOTE = "two-dimensional: taken as a layer"


def test_two_dimensions_of_a_gsd_file(tmp_path, model):
    x = np.stack(np.meshgrid(np.arange(8), np.arange(8), [0.0], indexing="ij"), -1).reshape(-1, 3) * 1.1
    flat = Atoms(f"Cu{len(x)}", x, cell=[8.8, 8.8, 1.0], pbc=True)
    data = collection(to_material(flat).structure)
    data.cell_.is2D = True
    export_file(pipeline_of(data), str(tmp_path / "a.gsd"), "gsd/hoomd")
    kinds = {c.label: c.material_type for c in model.class_info}
    by_ovito = through_ovito(tmp_path / "a.gsd", model)
    assert NOTE in by_ovito.notes
    with pytest.warns(UserWarning, match=NOTE):  # on the error stream of a command
        by_command = through_command_line(tmp_path / "a.gsd", "--reader", "ovito")
    for said in (by_ovito, by_command):
        assert said.rejected or kinds[said.label].startswith("2D")


# --- places of results ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(model):
    """A map, annotated atoms, and OVITO's grid."""
    settings = RecognitionSettings.of({"mode": "local", "passes": 4, "stride": 6.0, "box_size": 10.0})
    field = recognise(to_material(copper()), model, settings).field
    out, _ = analysed(collection(to_material(copper()).structure), passes=4, voxel_grid=True)
    return field, out.grids["arise"]


def test_places_that_take_no_file(results, tmp_path):
    """Every door says so, and leaves what is there; the command line's are in `tests/cli/test_bad_input.py`."""
    field, grid = results
    (tmp_path / "file").write_text("mine")
    (tmp_path / "a.xyz").mkdir()
    for place in (tmp_path / "file" / "below.xyz", tmp_path / "a.xyz"):
        for write in (
            field.to_netcdf, field.to_vts, lambda path: ase_arise.write(path, copper()),
            lambda path: write_cube(path, grid), lambda path: write_grid_dump(path, grid),
        ):  # fmt: skip
            with pytest.raises(FileError, match=str(tmp_path)):
                write(place)
    assert (tmp_path / "file").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.xyz", "file"]
