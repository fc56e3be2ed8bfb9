"""`arise classify`, `map`, `screen`, `similarity`: output, files, exit codes."""

import csv
import io
import json
import sys
from pathlib import Path

import ase.db
import ase.io
import numpy as np
import pytest
import xarray
from ase import Atoms
from ase.build import bulk

from arise_cli import main as cli
from ase_arise import read

FAST = ["--passes", "10"]
COARSE = [*FAST, "--stride", "6", "--box-size", "10"]


@pytest.fixture
def arise(monkeypatch, capsys):
    """Run a command line as the console script does: exit code, standard output, error stream."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["arise", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def crystals(tmp_path) -> Path:
    ase.io.write(tmp_path / "crystals.xyz", [bulk("Cu"), bulk("Fe"), bulk("Mg")])
    return tmp_path / "crystals.xyz"


@pytest.fixture
def large(tmp_path) -> Path:
    atoms = bulk("Cu", cubic=True) * (3, 3, 3)
    atoms.rattle(0.05, seed=1)
    ase.io.write(tmp_path / "large.xyz", [atoms, atoms])
    return tmp_path / "large.xyz"


# --- classify ---------------------------------------------------------------------------------------------


def test_classify_prints_a_table(arise, crystals, tmp_path):
    ase.io.write(tmp_path / "si.cif", bulk("Si"))
    code, out, err = arise("classify", crystals, tmp_path / "si.cif", "--top", "2", *FAST)
    assert code == 0
    for word in ("fcc", "bcc", "hcp", "diamond", "crystals.xyz [2]", "si.cif", "Confidence", "MI (bit)"):
        assert word in out
    assert "100%" in err  # progress does not disturb the output


def test_classify_json(arise, crystals):
    code, out, _ = arise("classify", f"{crystals}@1:", "--json", "--top", "5", *FAST)
    found = json.loads(out)
    assert code == 0
    assert [r["label"] for r in found] == ["bcc", "hcp"]
    assert found[0]["class"] == found[0]["top"][0]["class"] == "bcc_W_A_cI2_229_a"
    assert len(found[0]["top"]) == 5
    assert found[0]["confidence"] == found[0]["top"][0]["probability"]
    assert {"mutual_information", "predictive_entropy", "rejected", "n_atoms", "formula", "file"} <= set(
        found[0]
    )


def test_classify_csv(arise, crystals):
    _, out, _ = arise("classify", crystals, "--csv", "--top", "2", *FAST)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [r["label"] for r in rows] == ["fcc", "bcc", "hcp"]
    assert float(rows[0]["probability_1"]) > float(rows[0]["probability_2"])


@pytest.mark.parametrize("suffix", ["json", "csv"])
def test_files_are_replaced_only_when_told(arise, crystals, tmp_path, suffix):
    path = tmp_path / f"out.{suffix}"
    path.write_text("mine")
    code, _, err = arise("classify", crystals, "--out", path, *FAST)
    assert code == 1
    assert "exists; nothing was changed" in err
    assert path.read_text() == "mine"
    code, out, _ = arise("classify", crystals, "--out", path, "--overwrite", *FAST)
    assert (code, out) == (0, "")
    assert "fcc" in path.read_text()


def test_strict_reports_what_has_no_label(arise, crystals, tmp_path, recwarn):
    ase.io.write(tmp_path / "few.xyz", Atoms("Cu2", [[0, 0, 0], [2.5, 0, 0]]))
    assert arise("classify", crystals, "--strict", *FAST)[0] == 0
    with pytest.warns(UserWarning, match="fewer than"):
        assert arise("classify", tmp_path / "few.xyz", *FAST)[0] == 0
    with pytest.warns(UserWarning, match="fewer than"):
        code, out, _ = arise("classify", tmp_path / "few.xyz", "--strict", "--json", *FAST)
    assert code == 3
    assert json.loads(out)[0]["confidence"] is None
    assert json.loads(out)[0]["label"] == "none"


# --- map --------------------------------------------------------------------------------------------------


def test_map_prints_shares_and_writes_files(arise, large, tmp_path):
    field, atoms = tmp_path / "map.nc", tmp_path / "atoms.xyz"
    code, out, _ = arise("map", large, "--out", field, "--atoms", atoms, "--json", *COARSE)
    assert code == 0
    found = json.loads(out)
    assert len(found) == 1  # the last frame
    assert found[0]["fractions"] == {"fcc": 1.0}
    assert found[0]["mode"] == "local"
    with xarray.open_dataset(field) as dataset:
        assert dataset.sizes["x"] == 2
        assert dataset.attrs["model"] == "arise-108"
    assert list(read(atoms)[0].arrays["arise_label"]) == ["fcc"] * 108


def test_map_of_several_frames(arise, large, tmp_path):
    code, out, _ = arise("map", f"{large}@:", "--atoms", tmp_path / "a.traj", "--csv", *COARSE)
    assert code == 0
    assert len(list(csv.DictReader(io.StringIO(out)))) == 2
    assert len(read(tmp_path / "a.traj")) == 2
    code, _, err = arise("map", f"{large}@:", "--out", tmp_path / "a.nc", *COARSE)
    assert code == 2
    assert "takes one frame" in err


def test_map_with_automatic_boxes(arise, large):
    code, out, _ = arise("map", large, "--box-size", "auto", "--stride", "6", *FAST)
    assert code == 0
    assert "fcc 100.0%" in out


def test_map_keeps_files_that_exist(arise, large, tmp_path):
    for option, name in (("--out", "a.nc"), ("--atoms", "a.xyz")):
        (tmp_path / name).write_text("mine")
        code, _, err = arise("map", large, option, tmp_path / name, *COARSE)
        assert code == 1
        assert "exists; nothing was changed" in err
        assert (tmp_path / name).read_text() == "mine"


# --- screen and similarity --------------------------------------------------------------------------------


def test_screen_goes_on_and_starts_again(arise, crystals, tmp_path):
    results = tmp_path / "results.db"
    command = ("screen", crystals, "--out", results, "--workers", "1", *FAST)
    code, out, _ = arise(*command)
    assert code == 0
    assert "3 recognised, 0 failed, 0 from before" in out
    assert "0 recognised, 0 failed, 3 from before" in arise(*command)[1]
    assert "3 recognised, 0 failed, 0 from before" in arise(*command, "--overwrite")[1]
    with ase.db.connect(results) as database:
        assert [row.arise_label for row in database.select("arise_mi<0.5")] == ["fcc", "bcc", "hcp"]


def test_screen_strict_reports_failures(arise, crystals, tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "bad.cif").write_text("no")
    ase.io.write(tmp_path / "all" / "good.cif", bulk("Cu"))
    command = ("screen", tmp_path / "all", "--out", tmp_path / "r.db", "--workers", "1", *FAST)
    code, out, _ = arise(*command, "--strict")
    assert code == 3
    assert "1 recognised, 1 failed" in out
    assert arise(*command)[0] == 0


def test_similarity_of_files_and_classes(arise, crystals, tmp_path):
    table, picture = tmp_path / "a.csv", tmp_path / "a.png"
    code, out, _ = arise(
        "similarity", f"{crystals}@0", "fcc", "bcc", "--layer", "-1", "--out", table, "--picture", picture
    )
    assert code == 0
    assert "1.000" in out
    with table.open() as file:
        rows = list(csv.reader(file))
    assert rows[0][2:] == ["fcc", "bcc"]
    matrix = np.array([r[1:] for r in rows[1:]], dtype=float)
    assert np.allclose(np.diag(matrix), 1)
    assert matrix[0, 1] > 0.999
    assert matrix[0, 2] < 0.9
    assert picture.read_bytes().startswith(b"\x89PNG")
    code, _, err = arise("similarity", "fcc", "bcc", "--out", table)
    assert code == 1
    assert "exists; nothing was changed" in err


# --- bad input --------------------------------------------------------------------------------------------

BAD = {
    "empty": "",
    "overlap": '2\nLattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3\nCu 0 0 0\nCu 0 0 0.01\n',
    "nan": "1\nProperties=species:S:1:pos:R:3\nCu nan 0 0\n",
    "ghost": "1\nProperties=species:S:1:pos:R:3\nX 0 0 0\n",
    "flat": '1\nLattice="4 0 0 0 4 0 0 0 0" Properties=species:S:1:pos:R:3 pbc="T T T"\nCu 0 0 0\n',
    "text": "this is no structure\n",
}


@pytest.mark.parametrize("command", ["classify", "map", "similarity"])
@pytest.mark.parametrize("case", BAD)
def test_bad_files_end_in_one_line(arise, tmp_path, command, case):
    path = tmp_path / "bad.xyz"
    path.write_text(BAD[case])
    code, out, err = arise(command, path)
    assert code == 1
    assert out == ""
    assert err.startswith("arise: ")
    assert "bad.xyz" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["classify", "map", "screen", "similarity"])
def test_missing_files_and_models(arise, crystals, tmp_path, command):
    out_option = ["--out", tmp_path / "r.db"] if command == "screen" else []
    code, _, err = arise(command, tmp_path / "nowhere.xyz", *out_option)
    assert (code, "nowhere.xyz" in err) == (1, True)
    code, _, err = arise(command, crystals, "--model", "no-such", *out_option)
    assert (code, "The zoo has: " in err) == (1, True)
    (tmp_path / "model.pt").write_bytes(b"broken")
    code, _, err = arise(command, crystals, "--model", tmp_path / "model.pt", *out_option)
    assert (code, "not a model file" in err) == (1, True)
    assert not (tmp_path / "r.db").exists()


@pytest.mark.parametrize("command", ["map", "screen"])
@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--stride", "0"], 1, "`stride` must be a positive number"),
        (["--stride", "20"], 1, "`stride` must not exceed `box_size`"),
        (["--box-size", "-3"], 1, "`box_size` must be a positive number"),
        (["--box-size", "big"], 2, "must be a number of Å or 'auto'"),
        (["--passes", "0"], 1, "`passes` must be at least 1"),
        (["--unknown"], 2, "No such option"),
    ],
)
def test_bad_options(arise, crystals, tmp_path, command, options, code, message):
    out = ["--out", tmp_path / "r.db"] if command == "screen" else []
    found, _, err = arise(command, crystals, *out, *options)
    assert found == code
    assert message in " ".join(err.replace("│", " ").split())
    assert not (tmp_path / "r.db").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["classify", "a.xyz", "--json", "--csv"],
        ["classify", "a.xyz", "--out", "a.txt"],
        ["classify", "a.xyz", "--json", "--out", "a.csv"],
        ["classify", "a.xyz", "--top", "0"],
        ["classify"],
        ["map", "a.xyz", "--out", "a.txt"],
        ["similarity", "a.xyz", "--out", "a.png"],
        ["screen", "a.xyz"],
    ],
)
def test_wrong_usage_exits_with_2(arise, arguments):
    assert arise(*arguments)[0] == 2
