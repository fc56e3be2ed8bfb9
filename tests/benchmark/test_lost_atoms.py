"""The benchmark of lost atoms: what samples are, and that its tables say what the model said."""

import csv

import numpy as np
import pytest
from scipy.spatial import cKDTree
from typer.testing import CliRunner

from arise_cli.main import app
from arise_core.benchmark import lost_atoms
from arise_core.benchmark.lost_atoms import Kind, LostAtomsSettings, Said, ask, damaged, write_report
from arise_core.crystals.table import prototype
from arise_core.errors import InputError
from arise_core.geometry.builders import nearest_neighbour_distance

SETTINGS = LostAtomsSettings(classes=("fcc", "graphene"), draws=2, passes=20)


def test_samples_have_the_atoms_that_are_left_and_errors_along_one_axis():
    whole = damaged("fcc_Cu_A_cF4_225_a", Kind(400, 0, 0, 0), np.random.default_rng(0))
    lost = damaged("fcc_Cu_A_cF4_225_a", Kind(400, 60, 0, 0), np.random.default_rng(0))
    assert len(whole) == len(lost) == 400
    d = nearest_neighbour_distance(whole)
    radius = np.linalg.norm(lost.positions, axis=1).max() / np.linalg.norm(whole.positions, axis=1).max()
    assert radius == pytest.approx((1 / 0.4) ** (1 / 3), rel=0.03)
    moved = damaged("fcc_Cu_A_cF4_225_a", Kind(400, 0, 2, 8), np.random.default_rng(0))
    spread = (moved.positions - whole.positions).std(axis=0) / d
    assert spread == pytest.approx([0.02, 0.02, 0.08], rel=0.15)


def test_atoms_that_errors_put_upon_each_other_are_one(monkeypatch):
    monkeypatch.setattr(lost_atoms, "OVERLAP_DISTANCE", 1.0)  # closer ones than 0.1 Å are rare
    crowded = damaged("fcc_Cu_A_cF4_225_a", Kind(500, 0, 60, 60), np.random.default_rng(0))
    assert 300 < len(crowded) < 490
    assert cKDTree(crowded.positions).query(crowded.positions, k=2)[0][:, 1].min() >= 1.0


def test_what_is_whole_is_right_and_tables_say_what_was_found(tmp_path, monkeypatch):
    kinds = (Kind(150, 0, 0, 0), Kind(150, 65, 40, 40))
    monkeypatch.setattr(lost_atoms, "KINDS", kinds)
    found = ask(SETTINGS)
    assert tuple(found) == kinds
    good, bad = found.values()
    assert good.right.all()
    assert bad.right.mean() < 1
    again = ask(SETTINGS)
    assert np.array_equal(again[kinds[1]].confidence, bad.confidence)
    page, table = write_report(found, SETTINGS, tmp_path)
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 4
    mean = np.mean([float(r["right_percent"]) for r in rows if r["lost_percent"] == "65"])
    assert mean == pytest.approx(100 * bad.right.mean(), abs=0.05)
    assert f"{100 * bad.right.mean():.1f}" in page.read_text(encoding="utf-8")


def test_bad_settings_are_refused_before_work(tmp_path):
    with pytest.raises(InputError, match="`draws`"):
        LostAtomsSettings(draws=0)
    with pytest.raises(InputError, match="nanotubes"):
        LostAtomsSettings(classes=("nanotube_3_3",))
    result = CliRunner().invoke(app, ["benchmark", "loss", "--out", str(tmp_path), "--classes", "nothing"])
    assert result.exit_code == 1
    assert "nothing" in result.output


def test_mistakes_without_doubt_are_listed_by_pair():
    fcc, bcc, hcp = (prototype(name).label for name in ("fcc", "bcc", "hcp"))
    first, second = Kind(500, 20, 0, 0), Kind(500, 65, 3, 10)

    def said(names, sure, rejected):
        labels = (fcc, bcc, hcp, hcp)
        right = np.array([a == b for a, b in zip(labels, names, strict=True)], dtype=float)
        return Said(
            labels, names, right, np.array(rejected, dtype=float), np.array(sure, dtype=float), right, right
        )

    found = {
        first: said((fcc, bcc, fcc, hcp), (1, 1, 0, 1), (0, 0, 0, 0)),  # wrong, but in doubt
        second: said((fcc, hcp, fcc, fcc), (1, 1, 1, 1), (0, 0, 0, 1)),  # the last one is rejected
    }
    page = lost_atoms._mistakes(found)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page if line.startswith("|")][2:]
    assert rows == [["bcc", "hcp", "1 of 2", "65"], ["hcp", "fcc", "1 of 4", "65"]]
    assert "2 of 8 samples, 2 pairs" in "\n".join(page)
    assert "Nothing." in lost_atoms._mistakes({first: found[first]})
    settings = LostAtomsSettings(classes=("fcc", "hcp"), draws=5)
    table = [line for line in lost_atoms._well_known(found, settings) if line.startswith("|")]
    assert "fcc" in table[0]
    assert "bcc" not in table[0]
    assert "0 (50)" in table[-1]  # hcp: none right, one of two wrong and sure
    assert lost_atoms._well_known(found, LostAtomsSettings(classes=("fcc",), draws=1)) == []
