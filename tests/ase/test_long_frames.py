"""Frames of many atoms are read in pieces: what comes out is what ASE's reader makes of them whole."""

import gzip

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from ase_arise import cutting, long_frames
from ase_arise.cutting import DUMP, XYZ, TextFrames, places

COUNT = 216


def rows(rng):
    """Atoms of a dump in no order, with some of all kinds of columns."""
    ids = rng.permutation(COUNT) + 1
    return [f"{i} {1 + i % 2} " + " ".join(repr(float(x)) for x in rng.random(11)) for i in ids]


def dump_text(end="\n"):
    rng = np.random.default_rng(0)
    text = []
    for step in range(2):
        text += ["ITEM: UNITS", "metal", "ITEM: TIMESTEP", str(step), "ITEM: NUMBER OF ATOMS", str(COUNT)]
        text += ["ITEM: BOX BOUNDS xy xz yz pp pp ff", "0 30 1", "0 28 0", "-3 28 0"]
        text += ["ITEM: ATOMS id type xs ys zs vx vy vz fx fy fz c_pe q", *rows(rng)]
    return (end.join(text) + end).encode()


def xyz(path, *, constrained=False):
    rng = np.random.default_rng(1)
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True) * (3, 3, 3)
    atoms.set_velocities(rng.normal(size=(len(atoms), 3)))
    atoms.set_array("made_up", rng.integers(0, 9, len(atoms)))
    if constrained:
        atoms.set_array("move_mask", np.arange(len(atoms)) > 3)
    other = atoms.copy()
    other.info["step"] = 3
    atoms.calc = SinglePointCalculator(atoms, energy=-3.0, forces=rng.normal(size=(len(atoms), 3)))
    write(path, [atoms, other, atoms], format="extxyz")


def names(path):
    """Names that are no symbols, in some pieces only."""
    xyz(path)
    lines = path.read_text().splitlines()
    lines[200] = lines[200].replace("Na ", "Qa ").replace("Cl ", "Qa ")
    path.write_text("\n".join(lines) + "\n")


FILES = {
    "a.dump": (DUMP, lambda path: path.write_bytes(dump_text())),
    "windows.dump": (DUMP, lambda path: path.write_bytes(dump_text("\r\n"))),
    "a.dump.gz": (DUMP, lambda path: path.write_bytes(gzip.compress(dump_text()))),
    "a.xyz": (XYZ, xyz),
    "names.xyz": (XYZ, names),
}


def results(atoms):
    return {} if atoms.calc is None else atoms.calc.results


def same(a, b):
    assert a.arrays.keys() == b.arrays.keys()
    for of_a, of_b in ((a.arrays, b.arrays), (results(a), results(b))):
        assert of_a.keys() == of_b.keys()
        for name, values in of_a.items():
            assert np.asarray(values).dtype == np.asarray(of_b[name]).dtype
            assert np.array_equal(values, of_b[name]), name
    assert np.array_equal(a.cell, b.cell)
    assert np.array_equal(a.get_celldisp(), b.get_celldisp())
    assert np.array_equal(a.pbc, b.pbc)
    assert a.info == b.info


@pytest.fixture
def read(monkeypatch):
    """Frames of a file in pieces of 50 atoms and as wholes, and how many of the former were in pieces."""

    def read(path, kind):
        joined = []
        with monkeypatch.context() as patch:
            real = long_frames._joined
            patch.setattr(long_frames, "_joined", lambda *given: joined.append(given) or real(*given))
            patch.setattr(cutting, "LONG", 100)
            patch.setattr(long_frames, "PIECE", 50)
            found = frames(path, kind)
        return found, frames(path, kind), len(joined)

    return read


def frames(path, kind):
    text = TextFrames(str(path), kind)
    found = [text.read(place, True) for place in places(str(path), kind)]
    again = [
        text.read(place, True) for place in reversed(list(places(str(path), kind)))
    ]  # going back is possible
    for one, other in zip(found, again[::-1], strict=True):
        same(one, other)
    text.close()
    return found


@pytest.mark.parametrize("name", FILES)
def test_pieces_are_the_whole(tmp_path, read, name):
    kind, make = FILES[name]
    make(tmp_path / name)
    found, wholes, joined = read(tmp_path / name, kind)
    assert joined == 2 * len(wholes) - (name == "names.xyz") * 2  # that frame was read whole both times
    assert len(found) > 1
    for one, other in zip(found, wholes, strict=True):
        same(one, other)


def test_what_pieces_cannot_tell_is_read_whole(tmp_path, read):
    path = tmp_path / "a.xyz"
    xyz(path, constrained=True)
    found, wholes, joined = read(path, XYZ)
    assert joined == 0
    for one, other in zip(found, wholes, strict=True):
        same(one, other)
        assert np.array_equal(one.constraints[0].index, other.constraints[0].index)
    atoms = [" ".join(line.split()[:4]) for line in path.read_text().splitlines()[2 : COUNT + 2]]
    path.write_text("\n".join([str(COUNT), "", *atoms, "VEC1 20 0 0", "VEC2 0 20 0", "VEC3 0 0 20"]) + "\n")
    found, wholes, joined = read(path, XYZ)
    assert joined == 0
    assert found[0].cell.volume == 8000
    same(found[0], wholes[0])


def test_damage_is_told_and_the_next_frame_read(tmp_path, monkeypatch):
    monkeypatch.setattr(cutting, "LONG", 100)
    monkeypatch.setattr(long_frames, "PIECE", 50)
    lines = dump_text().decode().splitlines()
    lines[120] = lines[120].replace("0.", "x.", 1)
    path = tmp_path / "a.dump"
    path.write_text("\n".join(lines) + "\n")
    text = TextFrames(str(path), DUMP)
    first, second = places(str(path), DUMP)
    with pytest.raises(ValueError, match=r"ASE's reader of lammps-dump-text: could not convert string 'x\."):
        text.read(first)
    assert len(text.read(second)) == COUNT
    text.close()
