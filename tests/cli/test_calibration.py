"""`arise calibrate`."""

import json

import ase.io
import pytest
from ase import Atoms

from tests.recognition.test_calibrating import copper, disordered

FAST = ("--rate", 0.2, "--confidence", 0.9, "--passes", 20, "--mode", "whole")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("frames")
    for name, made in (("melt", disordered), ("cu", copper)):
        found = [made(k) for k in range(11)]
        ase.io.write(
            path / f"{name}.xyz", [Atoms(s.numbers, s.positions, cell=s.cell, pbc=s.pbc) for s in found]
        )
    return path


def test_a_calibration_is_made_and_used(arise, folder, tmp_path):
    melt, cu, made = folder / "melt.xyz", folder / "cu.xyz", tmp_path / "mycu.json"
    code, out, err = arise("calibrate", melt, cu, "--label", "none", "--label", "fcc", "--out", made, *FAST)
    assert code == 0, err
    assert (
        "reject from 0.2: at most 0.2 of the structures pass for a crystal (11 frames labelled none)" in out
    )
    assert [line.split()[1] for line in out.splitlines() if line.startswith("│")] == ["0.2", "0.2"]
    assert f"wrote {made}" in err
    code, out, err = arise("classify", f"{cu}@0", "--model", made, "--passes", 20)
    assert code == 0
    assert "promises nothing" not in err
    assert "fcc" in out
    code, _, err = arise("calibrate", melt, "--label", "none", "--out", made, *FAST)
    assert (code, "exists" in err) == (1, True)


def test_json_and_files_as_units(arise, folder, tmp_path):
    arguments = ["calibrate", folder / "melt.xyz", "--label", "none", "--out", tmp_path / "a.json", *FAST]
    found = json.loads(arise(*arguments, "--json")[1])
    assert (found["version"], found["promises"], found["frames"]) == (1, ["false crystals"], {"none": 11})
    assert [row["false_rejections"] for row in found["thresholds"]] == [None, None]
    code, _, err = arise(*arguments, "--unit", "file", "--overwrite")
    assert (code, "has 1 files for a rate of 0.2" in err) == (1, True)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--label", "none", "--label", "fcc"], "--label"),
        (["--label", "none", "--unit", "atom"], "--unit"),
        (["--label", "none", "--out", "a.txt"], "--out"),
        ([], "--label"),
    ],
)
def test_wrong_usage(arise, folder, more, said):
    code, _, err = arise("calibrate", folder / "melt.xyz", *more)
    assert (code, said in err) == (2, True)
