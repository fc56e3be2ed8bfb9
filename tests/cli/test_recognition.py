"""`arise classify`, `map`, `similarity`: output, files, exit codes."""

import csv
import io
import json

import ase.io
import numpy as np
import pytest
import xarray
from ase import Atoms
from ase.build import bulk

from ase_arise import read
from tests.cli import COARSE, FAST

# --- classify ---------------------------------------------------------------------------------------------


def test_classify_prints_a_table(arise, crystals, tmp_path):
    ase.io.write(tmp_path / "si.cif", bulk("Si"))
    code, out, err = arise("classify", crystals, tmp_path / "si.cif", "--top", "2", *FAST)
    assert code == 0
    for word in (
        "fcc",
        "bcc",
        "hcp",
        "diamond",
        "crystals.xyz [2]",
        "si.cif",
        "Confidence",
        "MI (bit)",
        "Rejection doubt (bit)",
    ):
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
    names = {
        "mutual_information",
        "predictive_entropy",
        "rejection_uncertainty",
        "rejected",
        "n_atoms",
        "formula",
    }
    assert names | {"file"} <= set(found[0])


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
        assert dataset["probability"].shape == (*dataset["label"].shape, 5)
    code, _, _ = arise(
        "map", large, "--out", field, "--overwrite", "--probabilities", "all", "--json", *COARSE
    )
    assert code == 0
    with xarray.open_dataset(field) as dataset:
        assert dataset["probability"].shape == (*dataset["label"].shape, 108)
    code, _, err = arise("map", large, "--probabilities", "some", *COARSE)
    assert (code, "'top', 'all'" in err) == (2, True)
    assert list(read(atoms)[0].arrays["arise_label"]) == ["fcc"] * 108


def test_map_as_vtk(arise, large, tmp_path):
    code, _, err = arise("map", large, "--out", tmp_path / "map.vts", *COARSE)
    assert (code, f"wrote {tmp_path / 'map.vts'}" in err) == (0, True)
    assert b'type="StructuredGrid"' in (tmp_path / "map.vts").read_bytes()
    code, _, err = arise("map", large, "--out", tmp_path / "map.vtu", *COARSE)
    assert code == 2
    assert "must end in .nc or .vts" in " ".join(err.replace("│", " ").split())


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


# --- similarity -------------------------------------------------------------------------------------------


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
