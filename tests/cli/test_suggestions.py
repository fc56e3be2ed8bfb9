"""`arise suggest`: samples to label, in a folder of their own."""

import csv

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from tests.cli import COARSE, FAST


@pytest.fixture
def folder(tmp_path):
    """A crystal, a gas-like cluster, a file that is none."""
    place = tmp_path / "in"
    place.mkdir()
    ase.io.write(place / "a.cif", bulk("Cu"))
    atoms = bulk("Cu", cubic=True) * (4, 4, 4)
    atoms.rattle(0.35, seed=3)
    ase.io.write(place / "b.xyz", atoms)
    (place / "notes.txt").write_text("nothing")
    return place


def test_suggest_ranks_a_folder_and_says_what_it_leaves_out(arise, folder, tmp_path):
    out = tmp_path / "out"
    code, printed, said = arise("suggest", folder, "--n", "2", "--out", out, "--least", "0", *FAST)
    assert code == 0
    assert "notes.txt@0 is left out" in said
    with (out / "suggestions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["source"] == "in/b.xyz@0"
    assert [row["box"] for row in rows] == ["", ""]
    assert "in/b.xyz@0" in printed
    assert len(ase.io.read(out / rows[0]["file"])) == 256
    assert arise("suggest", folder, "--out", out, *FAST)[0] == 1
    assert arise("suggest", folder, "--out", out, "--overwrite", *FAST)[0] == 0


def test_suggest_takes_boxes_of_a_file(arise, folder, tmp_path):
    out = tmp_path / "out"
    command = ("suggest", folder / "b.xyz", "--mode", "local", "--n", "3", "--out", out, "--margin", "2")
    code, printed, _ = arise(*command, "--least", "0", *COARSE)
    assert code == 0
    with (out / "suggestions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    for row in rows:
        atoms = ase.io.read(out / row["file"])
        center = np.array([float(row[k]) for k in ("x_A", "y_A", "z_A")])
        assert np.abs(atoms.positions - center).max() < 7.01
        assert row["box"] in printed


def test_suggest_says_when_nothing_is_in_doubt_and_when_nothing_is_there(arise, folder, tmp_path):
    out = tmp_path / "out"
    code, printed, _ = arise("suggest", folder / "a.cif", "--least", "9", "--out", out, *FAST)
    assert (code, out.exists()) == (0, False)
    assert "nothing is in doubt" in printed
    code, _, said = arise("suggest", folder, "--pattern", "*.txt", "--out", out, *FAST)
    assert code == 1
    assert "no structure" in said


def test_suggest_says_once_which_elements_it_assumed(arise, tmp_path):
    dump = tmp_path / "md.dump"
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    rows = "".join(f"{k + 1} 1 {x} {y} {z}\n" for k, (x, y, z) in enumerate(atoms.positions))
    box = f"0 {atoms.cell[0, 0]}\n" * 3
    dump.write_text(
        "".join(
            f"ITEM: TIMESTEP\n{k}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\nITEM: BOX BOUNDS pp pp pp\n{box}"
            f"ITEM: ATOMS id type x y z\n{rows}"
            for k in range(2)
        )
    )
    code, _, said = arise("suggest", dump, "--out", tmp_path / "out", *FAST)
    assert code == 0
    assert said.count("type 1 tells no element") == 1
    assert (
        "tells no element"
        not in arise("suggest", dump, "--types", "1=Cu", "--out", tmp_path / "out", *FAST)[2]
    )


def test_suggest_tries_its_place_before_the_work_and_keeps_files_of_others(arise, folder, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for place in (tmp_path / "file" / "out", tmp_path / "link"):
        code, _, said = arise("suggest", folder, "--out", place, *FAST)
        assert code == 1
        assert "cannot be" in said
        assert "is left out" not in said  # nothing was read yet
    out = tmp_path / "out"
    out.mkdir()
    mine = {out / "suggestion_mine.xyz", out / "suggestion_1.xyz"}
    for path in (*mine, out / "suggestion_99.xyz"):
        path.write_text("x")
    assert arise("suggest", folder, "--n", "1", "--out", out, "--least", "0", "--overwrite", *FAST)[0] == 0
    assert set(out.iterdir()) == mine | {out / "suggestion_01.xyz", out / "suggestions.csv"}
