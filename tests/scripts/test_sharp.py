"""`python -m benchmarks.sharp`: whether the frames are what they say, and the page of the short form."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

import arise_core as arise
from arise_core.geometry import builders
from benchmarks.md import engine
from benchmarks.sharp import built, prototypes, short, simulated
from benchmarks.sharp.__main__ import main
from benchmarks.sharp.frame import GOALS, Frame, places_of_four, surface_distance
from benchmarks.sharp.frames import hot_crystals, make
from benchmarks.sharp.methods import NOTHING, Answer, methods
from benchmarks.sharp.page import CHECKS, judged
from benchmarks.sharp.scores import HCP, score
from benchmarks.sharp.waves import TEN_TO_NINETY, fitted
from benchmarks.structures import fcc
from tests.scripts import test_md

FCC = arise.prototype("fcc").label


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Frames of the short form."""
    return tmp_path_factory.mktemp("frames")


@pytest.mark.slow
def test_short_form(folder, tmp_path, capsys):
    arguments = ["--quick", "--frames", str(folder), "--out", str(tmp_path)]
    main([*arguments, "--method", "PTM 0.15", "a-CNA"])
    table = pd.read_csv(tmp_path / "sharp.csv")
    assert set(table["goal"]) == set(GOALS)
    assert set(table["method"]) == {"PTM 0.15", "a-CNA"}
    assert not table.duplicated(["frame", "part", "method"]).any()
    text = (tmp_path / "sharp.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    for check in CHECKS:
        assert check.text in text or check.case == "lamella"
    for picture in ("sharp-fronts.png", "sharp-spheres.png"):
        assert (tmp_path / picture).stat().st_size > 10_000
    by_ptm = table[table["method"] == "PTM 0.15"].set_index("goal")
    assert by_ptm.loc["nanocrystals", "right"] > 0.9
    assert by_ptm.loc["layers", "hcp"] == 1
    assert by_ptm.loc["bulk", "right"] > 0.99
    assert by_ptm.loc["fronts", "largest place off"] < 3

    # Answers are kept, and asked again when that is wanted.
    [kept] = folder.glob("answers-*")
    path = kept / "short-bulk, a-CNA.npz"
    Answer(np.full(len(fcc(6)), NOTHING)).save(path)
    only = [*arguments, "--only", "bulk", "--method", "a-CNA"]
    main(only)
    assert pd.read_csv(tmp_path / "sharp.csv")["right"].tolist() == [0]
    main([*only, "--again", "a-CNA"])
    assert pd.read_csv(tmp_path / "sharp.csv")["right"].iloc[0] > 0.99
    with pytest.raises(SystemExit):
        main([*only, "--again", "unknown"])


def test_our_maps_are_methods(model):
    known = methods(model)
    found = known["8 Å"](fcc(4))
    assert (found.labels == FCC).all()
    assert found.doubt.shape == (256,)
    assert (known["PTM"](fcc(4)).labels == FCC).all()


def test_frames_come_back_from_their_files(tmp_path):
    frame = short.band()
    frame.save(tmp_path)
    back = Frame.load(tmp_path / f"{frame.name}.npz")
    assert (back.goal, back.material, back.label, back.facts) == (
        frame.goal,
        frame.material,
        frame.label,
        frame.facts,
    )
    np.testing.assert_allclose(back.structure.positions, frame.structure.positions, atol=1e-5)
    np.testing.assert_array_equal(back.atoms["kind"], frame.atoms["kind"])
    assert back.structure.pbc.all()


def test_density_waves_end_where_the_crystal_does():
    frame = short.front()
    length = frame.structure.cell[0, 0]
    assert frame.facts["fronts"] == pytest.approx([length / 4, 3 * length / 4], abs=1.0)
    assert max(frame.facts["widths"]) < 3
    x = frame.structure.positions[:, 0]
    deep = np.abs(x - length / 2) < length / 6
    assert frame.atoms["waves"][deep].mean() == pytest.approx(1, abs=0.03)
    assert frame.atoms["waves"][np.abs(x - length / 2) > length / 3].mean() == pytest.approx(0, abs=0.1)


def test_crystal_and_melt_put_together_end_where_they_are_said_to():
    front, frame = short.front(), short.abrupt()
    left, right = frame.facts["fronts"]
    x, known = frame.structure.positions, front.facts["fronts"]
    assert right - left == pytest.approx(known[1] - known[0] - 16, abs=1)
    shorter = front.structure.cell[0, 0] - frame.structure.cell[0, 0]
    assert shorter == pytest.approx(32)
    inside = (x[:, 0] > left) & (x[:, 0] < right)
    along = front.structure.positions[:, 0]
    deep = np.sort(along[(along > known[0] + 8) & (along < known[1] - 8)])
    assert np.allclose(np.sort(x[inside, 0]) - x[inside, 0].min(), deep - deep[0])
    assert builders.nearest_neighbour_distance(frame.structure) > 1.5
    [perfect] = score(frame, "truth", Answer(np.where(inside, FCC, NOTHING)))
    assert perfect["share off"] == 0
    assert perfect["largest place off"] < 1e-6
    [shrunk] = score(frame, "less", Answer(np.where(inside & (x[:, 0] > left + 2), FCC, NOTHING)))
    assert shrunk["share off"] < -0.01
    assert shrunk["place off"] == pytest.approx(-1, abs=0.3)


def test_profiles_are_found_again():
    x = np.random.default_rng(0).uniform(0, 80, 40_000)
    share = 0.02 + 0.24 * (1 + np.tanh((x - 18) / 3)) * (1 + np.tanh((60 - x) / 5))
    slab = fitted(x, (np.random.default_rng(1).uniform(size=len(x)) < share).astype(float), 80.0)
    assert (slab.left, slab.right) == pytest.approx((18, 60), abs=0.3)
    assert (slab.left_width, slab.right_width) == pytest.approx(
        (3 * TEN_TO_NINETY, 5 * TEN_TO_NINETY), rel=0.1
    )
    assert (slab.low, slab.high) == pytest.approx((0.02, 0.98), abs=0.02)


@pytest.mark.parametrize(("frame", "count"), [(built.band, 10), (built.lamella, 2)])
def test_layers_are_what_they_are_said_to_be(frame, count, model):
    made = frame(np.random.default_rng(0))
    kinds = {
        layer: made.atoms["kind"][made.atoms["layer"] == layer] for layer in np.unique(made.atoms["layer"])
    }
    assert sum((k == built.HEXAGONAL).all() for k in kinds.values()) == count
    said = methods(model)["a-CNA"](made.structure).labels
    expected = np.where(made.atoms["kind"] == built.HEXAGONAL, HCP, FCC)
    assert (said == expected).mean() > 0.99


def test_grains():
    seeds = np.array([[5.0, 10, 10], [15.0, 10, 10]])
    owner, distance = built.grains(np.array([[5.0, 10, 10], [9.0, 3, 1], [19.0, 10, 10]]), seeds, 20.0)
    assert owner.tolist() == [0, 0, 1]
    assert distance == pytest.approx([5, 1, 1])
    crystal = builders.repeat(built.cubic_cell("Cu"), (4, 4, 4))
    places, edge = crystal.positions, float(crystal.cell[0, 0])
    one = np.zeros(len(places), dtype=int)
    assert built.complete(places, edge, one, 0.85 * edge / 4, 12).all()
    one[0] = 1
    assert (~built.complete(places, edge, one, 0.85 * edge / 4, 12)).sum() == 13


def test_spheres_and_what_is_far_from_them():
    middles, cell = places_of_four(np.full(3, 40.0)), np.diag([40.0] * 3)
    beyond, nearest = surface_distance(middles + [0, 0, 39.0], cell, middles, np.array([5.0, 6, 7, 8]))
    assert nearest.tolist() == [0, 1, 2, 3]
    assert beyond == pytest.approx([-4, -5, -6, -7])
    frame = short.precipitates()
    perfect = np.where(frame.atoms["sphere"] >= 0, frame.label, FCC)
    far, near = score(frame, "perfect", Answer(perfect))
    assert (far["false"], near["found"]) == (0, 1)
    everywhere = score(frame, "blind", Answer(np.full(len(perfect), frame.label)))
    assert (everywhere[0]["false"], everywhere[1]["found"]) == (1, 1)


def test_goals_are_judged_by_their_bounds():
    about = {"goal": "spheres", "frame": "spheres-Cu-0", "material": "Cu"}
    rows = [
        {**about, "part": part, "method": method, "atoms": 10, figure: value}
        for method, found, false in (("PTM 0.1", 0.3, 0.002), ("other", 0.2, 0.0))
        for part, figure, value in (("5 Å", "found", found), ("6 Å", "found", found), ("far", "false", false))
    ]
    verdicts = judged(pd.DataFrame(rows))[1].set_index(["method", "figure"])["passed"]
    assert verdicts.to_dict() == {
        ("PTM 0.1", "atoms found, %"): True, ("other", "atoms found, %"): False,
        ("PTM 0.1", "crystal in the melt, %"): False, ("other", "crystal in the melt, %"): True,
    }  # fmt: skip


def stand_in(script: str, folder: Path, variables: Mapping[str, object]) -> None:
    """Leaves the files of the scripts of `simulated`: spheres and their melt stay as they start."""
    if script != simulated.SCRIPT:
        test_md.stand_in(script, folder, variables)
        return
    assert Path(script).exists()
    atoms = ase.io.read(folder / "structure.data", format="lammps-data", units="metal")
    test_md.write_dump(folder / "final.dump", [atoms], ["Cu"])


def test_simulated_spheres_without_lammps(monkeypatch, tmp_path):
    monkeypatch.setattr(engine, "run", stand_in)
    monkeypatch.setattr(engine, "potentials", lambda: Path("/potentials"))
    monkeypatch.setattr(simulated, "RADII", ((8, 5, 6, 7),))
    [frame] = simulated.spheres("Cu", tmp_path)
    sphere, beyond = frame.atoms["sphere"], frame.atoms["beyond"]
    assert (np.diff((sphere >= 0).astype(int)) <= 0).all()  # they come first
    assert [(sphere == k).sum() for k in range(4)] == pytest.approx(
        [0.0817 * 4.19 * r**3 for r in (8, 5, 6, 7)], rel=0.12
    )
    assert (beyond[sphere >= 0] < 0.1).all()
    assert (beyond[sphere < 0] > 0).all()
    assert builders.nearest_neighbour_distance(frame.structure) > 2
    assert len(simulated.bulk("Cu", tmp_path)) == 3  # the crystal has been simulated for the spheres

    def failing(*_: object) -> None:
        raise AssertionError("simulated again")

    monkeypatch.setattr(engine, "run", failing)
    assert len(simulated.spheres("Cu", tmp_path)) == 1


def test_crystals_of_the_other_benchmark(tmp_path):
    crystal = fcc(3)
    np.savez(tmp_path / "a.npz", positions=crystal.positions, numbers=crystal.numbers, cell=crystal.cell)
    pd.DataFrame(
        [
            ("a.npz", "Cu", "crystal", FCC, "0.90", 1),
            ("b.npz", "Cu", "liquid", "", "1.20", 1),
            ("c.npz", "Cu", "crystal", FCC, "1.00", 0),
        ],
        columns=["file", "material", "phase", "label", "t_fraction", "valid"],
    ).to_csv(tmp_path / "index.csv", index=False)
    [frame] = hot_crystals(tmp_path)
    assert (frame.name, frame.goal, frame.material, frame.label) == ("bulk-Cu-a", "bulk", "Cu, 0.90 T_m", FCC)
    assert score(frame, "all", Answer(np.full(len(crystal), FCC)))[0]["right"] == 1


def test_what_is_there_is_not_made_again(folder, monkeypatch):
    first = make(folder, ["bulk"], quick=True)
    monkeypatch.setattr(short, "MAKERS", dict.fromkeys(short.MAKERS))
    assert make(folder, ["bulk"], quick=True) == first


def test_every_prototype_in_its_short_form(tmp_path):
    prototypes.main(["--quick", "--out", str(tmp_path)])
    page = (tmp_path / "sharp_prototypes.md").read_text(encoding="utf-8")
    assert "4 periodic prototypes" in page
    assert re.search(r"\| dhcp +\| 0 +\| \d+\.\d +\| \d+\.\d +\| \d+\.\d +\| 0\.0 +\|", page)
    for right in ("fcc", "hcp", "wurtzite"):  # whatever the boxes
        assert f"| {right} " not in page
    for name, distance in itertools.product(prototypes.STACKINGS, ("2.4", "3.1", "3.8")):
        assert re.search(rf"\| {name} +\| {distance} +\| \d+\.\d +\| \d+\.\d +\| 100\.0 +\| 0\.0 +\|", page)


@pytest.mark.parametrize("name", prototypes.STACKINGS)
def test_stackings_are_the_prototypes_of_touching_spheres_and_turned(model, name):
    unit = prototypes.stacked(prototypes.STACKINGS[name], 2.7)
    [said] = arise.classify([unit], model).labels
    assert said == arise.prototype(name).label
    turned = prototypes.turned(unit)
    middle = np.linalg.norm(turned.positions, axis=1).argmin()
    near = cKDTree(turned.positions).query(turned.positions[middle], k=14)[0]
    assert near[1:13] == pytest.approx(np.full(12, 2.7))
    assert near[13] > 3.7
    assert not turned.pbc.any()
    assert np.ptp(turned.positions, axis=0) == pytest.approx(2 * prototypes.RADIUS, abs=3)
