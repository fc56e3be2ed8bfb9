"""Files of atom probes and range files: what is in them, and why one is refused."""

from __future__ import annotations

import numpy as np
import pytest

from arise_core.crystals.atom_probe import Ions, ions_as_structure, is_atom_probe, read_ions
from arise_core.crystals.ion_ranges import read_ranges
from arise_core.errors import FileError, InputError, MissingFileError
from tests.crystals.made_probe import ENV, RNG, RRNG, section, tip, write_apt, write_pos

WRITERS = {".pos": write_pos, ".epos": write_pos, ".apt": write_apt}


def ranges_of(folder, text, name="tip.rrng"):
    (folder / name).write_text(text, encoding="utf-8")
    return read_ranges(folder / name)


# --- reconstructions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", WRITERS)
def test_places_in_angstrom_and_masses_as_they_were_written(suffix, tmp_path):
    positions, masses = tip()
    path = WRITERS[suffix](tmp_path / f"tip{suffix}", positions, masses)
    assert is_atom_probe(path, path.read_bytes()[:4096])
    ions = read_ions(path)
    assert np.allclose(ions.positions, positions, atol=1e-5)  # floats of 32 bits
    assert np.array_equal(ions.masses, masses)


def test_capital_letters_and_texts_that_bear_such_names(tmp_path):
    path = write_pos(tmp_path / "TIP.POS", *tip())
    assert is_atom_probe(path, path.read_bytes()[:4096])
    assert not is_atom_probe("a.pos", b"Cu\n1.0\n3.6 0 0\n0 3.6 0\n0 0 3.6\n4\n")
    assert not is_atom_probe("a.xyz", path.read_bytes()[:4096])
    apt = write_apt(tmp_path / "tip.apt", *tip())
    assert is_atom_probe("no_suffix", apt.read_bytes()[:4096])


@pytest.mark.parametrize("suffix", WRITERS)
def test_files_that_are_cut_off(suffix, tmp_path):
    path = WRITERS[suffix](tmp_path / f"tip{suffix}", *tip())
    content = path.read_bytes()
    for size in (0, 3, len(content) // 2 + 2, len(content) - 5):
        path.write_bytes(content[:size])
        with pytest.raises(InputError, match=r"tip\..*cannot be read: .*(cut off|does not begin)"):
            read_ions(path)


def test_bytes_in_the_wrong_order(tmp_path):
    positions, masses = tip()
    path = tmp_path / "tip.pos"
    path.write_bytes(np.column_stack([positions / 10, masses]).astype("<f4").tobytes())
    with pytest.raises(InputError, match="wrong order: little-endian"):
        read_ions(path)


def test_another_format_under_the_name(tmp_path):
    positions, masses = (values[:484] for values in tip())
    path = write_pos(tmp_path / "tip.epos", positions, masses)
    path = path.rename(tmp_path / "tip.pos")  # 484 ions of 44 bytes: the size fits
    with pytest.raises(InputError, match=r"no places in nm .* is it a \.pos file"):
        read_ions(path)
    path.write_bytes(np.random.default_rng(0).bytes(16 * 500))
    with pytest.raises(InputError, match=r"no places in nm .* is it a \.pos file"):
        read_ions(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("column", ["positions", "masses"])
def test_values_that_are_none(value, column, tmp_path):
    positions, masses = tip()
    if column == "positions":
        positions[[3, 5], 1] = value
    else:
        masses[[3, 5]] = value
    for suffix, write in WRITERS.items():
        with pytest.raises(InputError, match=r"2 of 500 ions have no place or mass, the first is ion 3"):
            read_ions(write(tmp_path / f"tip{suffix}", positions, masses))


def test_sections_that_are_not_as_they_should_be(tmp_path):
    positions, masses = tip()
    nm = positions / 10
    whole = [
        section("Mass", "Da", masses),
        section("Position", "nm", nm),
    ]  # without bounds: it is in the header
    assert np.allclose(
        read_ions(write_apt(tmp_path / "a.apt", positions, masses, whole)).positions, positions, atol=1e-5
    )
    for bad, message in (
        (whole[:1], "no 'Position'"),
        (whole[1:], "no 'Mass'"),
        ([], "no 'Position' and no 'Mass'"),
        ([whole[0], section("Position", "m", nm)], "in 'm', not in nm"),
        ([section("Mass", "Da", masses[:-1]), whole[1]], "'Mass' is not made of one record"),
        ([section("Mass", "Da", masses, relation=2), whole[1]], "'Mass' is not made of one record"),
        ([section("Mass", "Da", masses, bytes=2**62), whole[1]], "ends within section 'Mass'"),
        ([section("Mass", "Da", masses, records=2**40), whole[1]], "'Mass' is not made of one record"),
        ([b"CES\0" + whole[0][4:], whole[1]], "no section where one should be"),
    ):
        with pytest.raises(InputError, match=message):
            read_ions(write_apt(tmp_path / "a.apt", positions, masses, bad))


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(MissingFileError, match=r"none\.pos"):
        read_ions(tmp_path / "none.pos")
    with pytest.raises(MissingFileError, match="`ranges`"):
        read_ranges(tmp_path / "none.rrng")
    with pytest.raises(FileError):
        read_ranges(tmp_path)


# --- range files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"), [("a.rrng", RRNG), ("a.rng", RNG), ("a.env", ENV), ("a.txt", RRNG)]
)
def test_elements_by_mass(name, text, tmp_path):
    ranges = ranges_of(tmp_path, text, name)
    numbers, _ = ranges.elements(np.array([57.5, 58.0, 58.5, 26.95, 27.2, 12.0]))
    assert numbers.tolist() == [28, 28, 0, 13, 0, 0]  # a range holds its begin, not its end
    assert len(ranges.ranges) == 2 + ("AlO" in text)


def test_a_molecular_ion_is_its_heaviest_atom_and_is_counted(tmp_path):
    lines = ("Ti:1 O:1", "Al:1 H:2", "C:2", "Ga:1", "Name:noise", "Xq:1", "H:1 H:1")
    text = "[Ranges]\nNumber=7\n" + "".join(
        f"Range{k}={k} {k}.5 vol:0 {line}\n" for k, line in enumerate(lines, 1)
    )
    ranges = ranges_of(tmp_path, text)
    numbers, notes = ranges.elements(np.array([1.1, 2.1, 3.1, 4.1, 5.1, 6.1, 7.1, 8.1]))
    assert numbers.tolist() == [22, 13, 6, 31, 0, 0, 1, 0]
    assert notes[0].startswith("1 of 8 ions (12.5 %) lie in no range")
    assert notes[1].startswith("2 of 8 ions (25.0 %)")
    assert "('Xq', 'noise')" in notes[1]
    assert notes[2].startswith("4 of 8 ions (50.0 %) are molecular")
    for shown in ("TiO as Ti", "AlH2 as Al", "C2 as C", "H2 as H"):
        assert shown in notes[2]


def test_ranges_that_overlap(tmp_path):
    text = "[Ranges]\nNumber=2\nRange1=27.0 28.0 Al:1\nRange2={} Si:1\n"
    for ends in ("27.9 28.5", "27.2 27.4", "26.0 29.0", "27.0 28.0"):
        with pytest.raises(InputError, match=r"ranges of (Al|Si) .* and (Al|Si) .* overlap"):
            ranges_of(tmp_path, text.format(ends))
    touching = ranges_of(tmp_path, text.format("28.0 28.5"))
    assert touching.elements(np.array([27.99, 28.0]))[0].tolist() == [13, 14]
    rounded = ranges_of(tmp_path, text.format("27.9995 28.5"))
    assert rounded.elements(np.array([27.99, 27.9996, 28.0]))[0].tolist() == [13, 13, 14]
    same = ranges_of(tmp_path, text.format("27.5 29.0").replace("Si", "Al"))
    assert [(r.low, r.high) for r in same.ranges] == [(27.0, 29.0)]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("", "a.rrng", "no ranges"),
        ("[Ranges]\nNumber=0\n", "a.rrng", "no ranges"),
        ("hello", "a.txt", "neither a section"),
        (RRNG.replace("Number=3", "Number=9"), "a.rrng", "announces 9 ranges, but has 3: it is cut off"),
        (RNG.replace("2 2", "2 7"), "a.rng", "announces 7 ranges, but has 3|is not '. low high'"),
        (RRNG.replace("57.5 58.5", "58.5 57.5"), "a.rrng", "must end above its begin"),
        (RRNG.replace("57.5 58.5", "nan 58.5"), "a.rrng", "is not 'Range1=low high"),
        (RRNG.replace("Ni:1", "Ni:many"), "a.rrng", "a number that is none"),
        (RRNG.replace("Ni:1", "Ni:1000"), "a.rrng", "outside 0 to 99"),
        (RNG.replace("58.5000 1 0", "58.5000 1"), "a.rng", "a number for each of Ni Al"),
        ("# Definition of ions\nNi 57\n", "a.env", "not 'name low high"),
        ("\0" * 40, "a.rrng", "no text"),
    ],
)
def test_range_files_that_are_refused(text, name, message, tmp_path):
    with pytest.raises(InputError, match=message) as caught:
        ranges_of(tmp_path, text, name)
    assert name in str(caught.value)


def test_keys_tell_ranges_apart(tmp_path):
    one, other = ranges_of(tmp_path, RRNG), ranges_of(tmp_path, RRNG.replace("58.5", "58.6"))
    assert one.key == ranges_of(tmp_path, RRNG.replace("Color:33FF00", "")).key != other.key


# --- atoms ------------------------------------------------------------------------------------------------


def test_ions_become_atoms_in_order(tmp_path):
    positions, masses = tip()
    structure, notes = ions_as_structure(Ions(positions, masses), ranges_of(tmp_path, RRNG))
    assert len(structure) == (masses != 35).sum()
    assert np.array_equal(structure.positions, positions[masses != 35])
    assert np.array_equal(structure.numbers, np.where(masses == 58, 28, 13)[masses != 35])
    assert not structure.pbc.any()
    assert len(notes) == 2


def test_ranges_of_another_specimen(tmp_path):
    positions, masses = tip()
    with pytest.raises(InputError, match=r"fit none of the 500 ions, whose mass / charge is 127 to 158 Da"):
        ions_as_structure(Ions(positions, masses + 100), ranges_of(tmp_path, RRNG))


def test_ions_upon_others(tmp_path):
    positions, masses = tip()
    positions, masses = positions[masses != 35], masses[masses != 35]
    ranges = ranges_of(tmp_path, RRNG)
    few = positions.copy()
    few[100] = few[7] + [0.05, 0, 0]
    few[200] = few[7]
    structure, notes = ions_as_structure(Ions(few, masses), ranges)
    assert np.array_equal(structure.positions, np.delete(few, [100, 200], axis=0))
    assert notes[-1].startswith("2 ions lie within 0.1 Å of others")
    many = np.concatenate([positions, positions[:50] + 0.01])  # no scatter: left to the check of overlaps
    structure, notes = ions_as_structure(Ions(many, np.concatenate([masses, masses[:50]])), ranges)
    assert len(structure) == len(many)
