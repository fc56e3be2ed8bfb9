"""`benchmarks/md` without LAMMPS: a stand-in writes what its scripts leave, everything else is real."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import bulk

from arise_core.geometry.builders import relieved
from benchmarks.md import accuracy, engine, maps, materials, melting, run, states
from benchmarks.md.frames import read_frame
from benchmarks.md.order import crystalline_fraction

MELTS_AT = 1150.0  # K, whatever the material


def row(name: str) -> Any:
    return next(r for table in materials.read_table() for r in table if r.name == name)


def write_dump(path: Path, frames: list[Atoms], elements: list[str], low: float = 0.0) -> None:
    """As the `dump` command of the scripts writes it: `id type x y z`, in any order of the atoms."""
    lines = []
    for k, atoms in enumerate(frames):
        lines += ["ITEM: TIMESTEP", str(100 * k), "ITEM: NUMBER OF ATOMS", str(len(atoms))]
        lines += ["ITEM: BOX BOUNDS pp pp pp", *(f"{low} {low + edge:.8f}" for edge in atoms.cell.lengths())]
        lines += ["ITEM: ATOMS id type x y z"]
        for i in np.random.default_rng(k).permutation(len(atoms)):
            x, y, z = atoms.positions[i] + low
            lines.append(f"{i + 1} {elements.index(atoms.symbols[i]) + 1} {x:.4f} {y:.4f} {z:.4f}")
    path.write_text("\n".join(lines) + "\n")


def molten(atoms: Atoms) -> Atoms:
    """The same atoms at random places in a cube."""
    edge = float(np.cbrt(atoms.cell.volume))
    rng = np.random.default_rng(5)
    spacing = 1.05 * edge / np.cbrt(len(atoms))
    places = relieved(rng.uniform(0, edge, (len(atoms), 3)), edge, spacing, 300)
    return Atoms(atoms.symbols, places, cell=np.eye(3) * edge, pbc=True)


def stand_in(script: str, folder: Path, variables: Mapping[str, object]) -> None:
    """Leaves the files of a script in its folder; the elements are those of the data file."""
    assert (engine.HERE / script).exists()
    model = Path(str(variables["model"])).read_text().splitlines()
    data = next(line.split()[1] for line in model if line.startswith("read_data"))
    atoms = ase.io.read(data, format="lammps-data", units="metal")
    elements = list(dict.fromkeys(atoms.symbols[np.argsort(atoms.arrays["type"], kind="stable")]))
    if script == "in.coexistence":
        steps = np.arange(200, int(variables["free"]) + 1, 200)
        start = float(variables["T"])
        kelvin = MELTS_AT + (start - MELTS_AT) * np.exp(-steps / steps[-1])
        np.savetxt(folder / "temperature.txt", np.stack([steps, kelvin], axis=1))
        write_dump(folder / "final.dump", [atoms], elements)
        return
    frames = []
    for k in range(int(variables["frames"])):
        frame = atoms.copy() if script in {"in.crystal", "in.superheated"} else molten(atoms)
        frame.rattle(0.05, seed=k)
        frames.append(frame)
    write_dump(folder / "frames.dump", frames, elements, low=-3.0)
    np.savetxt(folder / "msd.txt", [[100, 0.1], [200, 0.25]])


@pytest.fixture
def without_lammps(monkeypatch):
    """The stand-in instead of LAMMPS, small structures, two temperatures, one frame."""
    monkeypatch.setattr(engine, "run", stand_in)
    monkeypatch.setattr(engine, "potentials", lambda: Path("/potentials"))
    near_cube = materials.near_cube
    monkeypatch.setattr(states, "near_cube", lambda cell, **size: near_cube(cell, edge=20.0, n_atoms=500))
    monkeypatch.setattr(states, "CRYSTAL_FRACTIONS", (0.3,))
    monkeypatch.setattr(states, "LIQUID_FRACTIONS", (1.2,))
    monkeypatch.setattr(states, "FRAMES", 1)


def test_from_table_to_document(without_lammps, tmp_path, capsys):
    frames, out = tmp_path / "frames", tmp_path / "docs"
    run.main(["--out", str(frames), "--published", "--only", "Cu", "Ag", "a-Si"])
    index = run.read_index(frames / "index.csv")
    assert list(index["file"]) == [
        "Cu/crystal-0.30-0.npz", "Cu/liquid-1.20-0.npz", "Ag/crystal-0.30-0.npz", "Ag/liquid-1.20-0.npz",
        "a-Si/glass-300K-0.npz",
    ]  # fmt: skip
    assert set(index["valid"]) == {"1"}
    assert index["t_fraction"].iloc[-1] == ""
    assert set(index["msd_A2"]) == {"0.250"}
    points = json.loads((frames / "melting_points.json").read_text())
    assert list(points) == ["Ag"]  # that of copper is published
    assert points["Ag"]["temperature"] == pytest.approx(MELTS_AT, rel=0.03)
    structure = read_frame(frames / "Ag" / "crystal-0.30-0.npz")
    assert set(structure.numbers) == {47}
    assert structure.pbc.all()

    # What is there is not made again.
    before = (frames / "Cu" / "crystal-0.30-0.npz").stat().st_mtime_ns
    capsys.readouterr()
    run.main(["--out", str(frames), "--published", "--only", "Cu"])
    assert (frames / "Cu" / "crystal-0.30-0.npz").stat().st_mtime_ns == before
    assert "Cu crystal" not in capsys.readouterr().out

    # Some states alone can be asked for.
    run.main(["--out", str(tmp_path / "some"), "--published", "--only", "Cu", "--states", "liquid-1.20"])
    assert set(run.read_index(tmp_path / "some" / "index.csv")["phase"]) == {"liquid"}
    run.main(["--out", str(tmp_path / "other"), "--only", "Ag", "--states", "glass-300K"])
    assert not (tmp_path / "other" / "melting_points.json").exists()  # not searched where no state is wanted
    with pytest.raises(SystemExit):
        run.main(["--out", str(tmp_path / "none"), "--states", "crystal-0.95"])
    assert not (tmp_path / "none").exists()

    # A frame that is not what it should be is left out and counted.
    index.loc[index["material"] == "a-Si", "valid"] = "0"
    index.to_csv(frames / "index.csv", index=False)
    accuracy.main(["--frames", str(frames), "--out", str(out)])
    table = pd.read_csv(out / "heat.csv")
    assert list(table["material"]) == ["Cu", "Cu", "Ag", "Ag"]
    crystal = table[table["phase"] == "crystal"]
    assert (crystal[["boxes 16", "ARISE", "PTM", "a-CNA"]] > 0.99).all(axis=None)
    assert (table[table["phase"] == "liquid"][["boxes 16", "ARISE", "PTM", "a-CNA"]] < 0.2).all(axis=None)
    text = (out / "heat.md").read_text(encoding="utf-8")
    assert "1 frames were not what they should be" in text
    assert "| Cu_mishin1.eam.alloy | 1327 " in text
    assert f"{points['Ag']['temperature']:.0f} ± {points['Ag']['uncertainty']:.0f}" in text
    assert "16 Å 1.00000" in text
    few = text[text.index("## Boxes with few atoms") :].splitlines()
    heads, *rows = [[c.strip() for c in line.strip("|").split("|")] for line in few if line.startswith("| ")]
    assert heads[3:] == ["12 to 15", "16 to 19", "20 to 27", "28 to 39", "40 or more"]
    full = {row[1]: float(row[7]) for row in rows[:4] if row[0] == "Cu"}
    assert full["crystal"] > 99
    assert full["liquid"] < 20

    # Maps as by default.
    maps.main(["--frames", str(frames), "--out", str(out)])
    table = pd.read_csv(out / "md.csv")
    crystal, liquid = table[table["phase"] == "crystal"], table[table["phase"] == "liquid"]
    assert (crystal[["ARISE", "without doubt"]] > 0.99).all(axis=None)
    assert (crystal["wrong without doubt"] == 0).all()
    assert (liquid["ARISE"] < 0.2).all()
    assert (table["without doubt"] <= table["ARISE"]).all()
    text = (out / "md.md").read_text(encoding="utf-8")
    assert "1 frames were not what they should be" in text
    assert "## Liquids" in text
    assert "## Glasses" not in text


def test_superheated_crystals_and_their_melts(without_lammps, tmp_path, monkeypatch):
    frames, out = tmp_path / "frames", tmp_path / "docs"
    usual, superheated, glasses = materials.read_table()
    superheated = [replace(r, fractions=[1.1]) for r in superheated]
    monkeypatch.setattr(run, "read_table", lambda: (usual, superheated, glasses))
    run.main(["--out", str(frames), "--only", "Cu-fcc"])
    index = run.read_index(frames / "index.csv")
    assert list(index["file"]) == ["Cu-fcc/superheated-1.10-0.npz", "Cu-fcc/dense-1.10-0.npz"]
    assert list(index["label"]) == ["fcc_Cu_A_cF4_225_a", ""]
    assert set(index["temperature_K"]) == {f"{1.1 * row('Cu-fcc').melting_guess:.1f}"}
    assert list(index["valid"]) == ["1", "1"]
    assert index["at_sites"].astype(float).tolist() == pytest.approx([1.0, 0.0], abs=0.2)

    accuracy.main(["--frames", str(frames), "--out", str(out)])
    table = pd.read_csv(out / "heat.csv").set_index("phase")
    assert (table.loc["superheated", ["boxes 16", "boxes 8", "ARISE"]] > 0.99).all()
    assert (table.loc["dense", ["boxes 16", "ARISE"]] < 0.2).all()
    text = (out / "heat.md").read_text(encoding="utf-8")
    assert "## Superheated crystals" in text
    assert "superheated crystals against these melts: 16 Å 1.00000" in text
    assert "against liquids" not in text


def test_how_many_atoms_are_at_their_sites():
    sites = materials.near_cube(materials.unit_cell(row("Cu-hcp")), edge=20.0, n_atoms=500)
    frame = sites.copy()
    frame.set_cell(sites.cell.array * [[1.02], [0.99], [1.01]], scale_atoms=True)
    frame.rattle(0.2, seed=0)
    frame.positions += [7.0, -3.0, 11.0]  # a shift of all
    frame.positions[:50] += frame.cell.array[0] * 0.123  # these have moved away
    frame.wrap()
    assert states.share_at_sites(frame, sites) == 1 - 50 / len(sites)


def test_a_superheated_crystal_that_melted_is_not_valid(tmp_path):
    state = states.states_of(row("Fe-bcc"), 1772.0)[0]
    assert (state.name, state.temperature, state.solid) == ("superheated-1.10", 1949.2, True)
    sites = materials.near_cube(materials.unit_cell(state.material), edge=20.0, n_atoms=500)
    frames = [sites.copy() for _ in range(states.FRAMES)]
    for frame, share in zip(frames, (1.0, 0.99, 0.98), strict=True):
        frame.info["at_sites"] = share
    assert [r["valid"] for r in states.index_rows(state, frames, 0.3, tmp_path)] == [1, 1, 0]


def test_a_failure_of_one_material_does_not_stop_the_others(without_lammps, tmp_path, monkeypatch, capsys):
    def failing(script: str, folder: Path, variables: Mapping[str, object]) -> None:
        if "Cu" in folder.parts:
            raise RuntimeError("ERROR: Lost atoms")
        stand_in(script, folder, variables)

    monkeypatch.setattr(engine, "run", failing)
    with pytest.raises(SystemExit, match="failed: Cu"):
        run.main(["--out", str(tmp_path), "--published", "--only", "Cu", "Al"])
    assert "Lost atoms" in capsys.readouterr().out
    assert set(run.read_index(tmp_path / "index.csv")["material"]) == {"Al"}


def test_a_failing_executable_is_told_with_its_log(monkeypatch, tmp_path):
    monkeypatch.setattr(engine, "START", "import sys; sys.exit(3)")
    (tmp_path / "log.lammps").write_text("ERROR: Unknown pair style\n")
    with pytest.raises(RuntimeError, match=r"in.crystal failed in .*\nERROR: Unknown pair style"):
        engine.run("in.crystal", tmp_path, {"T": 300})


def test_the_model_file_and_the_data_file(monkeypatch, tmp_path):
    monkeypatch.setattr(engine, "potentials", lambda: Path("/potentials"))
    nacl = row("NaCl")
    cell = materials.unit_cell(nacl)
    lines = engine.write_model(nacl, cell, tmp_path).read_text().splitlines()
    assert "atom_style charge" in lines
    assert f"timestep {nacl.timestep}" in lines
    assert sum(line.startswith("pair_coeff") for line in lines) == len(nacl.pair_coeff)
    back = ase.io.read(tmp_path / "structure.data", format="lammps-data", units="metal", atom_style="charge")
    assert sorted(back.symbols) == sorted(cell.symbols)
    charge = dict(zip(back.symbols, back.get_initial_charges(), strict=True))
    assert charge == dict(zip(nacl.elements, nacl.charges, strict=True))
    np.testing.assert_allclose(back.positions, cell.positions, atol=1e-9)
    np.testing.assert_allclose(back.cell.array, cell.cell.array, atol=1e-9)
    ni3al = row("Ni3Al")
    engine.write_model(ni3al, materials.unit_cell(ni3al), tmp_path)
    back = ase.io.read(tmp_path / "structure.data", format="lammps-data", units="metal")
    assert [int(back.arrays["type"][back.symbols == symbol][0]) for symbol in ("Ni", "Al")] == [1, 2]
    assert "pair_coeff * * /potentials/NiAlH_jea.eam.alloy Ni Al" in (tmp_path / "model.in").read_text()


def test_dumps_are_read_sorted_wrapped_and_with_the_corner_at_zero(tmp_path):
    atoms = materials.supercell(materials.unit_cell(row("Ni3Al")), (8.0, 9.0, 7.5))
    outside = atoms.copy()
    outside.positions[0] -= outside.cell.lengths()
    write_dump(tmp_path / "a.dump", [atoms, outside], ["Ni", "Al"], low=-2.5)
    frames = engine.read_dump(tmp_path / "a.dump", ["Ni", "Al"])
    assert len(frames) == 2
    for frame in frames:
        assert list(frame.symbols) == list(atoms.symbols)
        assert frame.pbc.all()
        np.testing.assert_allclose(frame.cell.array, atoms.cell.array, atol=1e-6)
        apart = frame.positions - atoms.positions
        apart -= atoms.cell.lengths() * np.round(apart / atoms.cell.lengths())
        np.testing.assert_allclose(apart, 0.0, atol=1e-4)
        assert (frame.positions > -1e-3).all()
        assert (frame.positions < atoms.cell.lengths() + 1e-3).all()


@pytest.mark.parametrize("table_row", [r for t in materials.read_table() for r in t], ids=lambda r: r.name)
def test_every_row_of_the_table_starts_as_the_crystal_that_it_names(table_row):
    atoms = materials.near_cube(materials.unit_cell(table_row), edge=18.0, n_atoms=200)
    assert (atoms.cell.lengths() >= 18.0).all()
    assert set(atoms.symbols) <= set(table_row.elements)
    assert crystalline_fraction(atoms, table_row.lattice) == 1.0


def test_random_occupation_keeps_the_fractions():
    mixed = materials.random_occupation(bulk("Cu", cubic=True) * 5, ["Cu", "Zr"], [0.64, 0.36], seed=0)
    assert (mixed.symbols == "Cu").sum() == 320


def coexistence(start: float, last: float, first: float | None = None) -> melting.Run:
    return melting.Run(
        start=start, first=start if first is None else first, last=last, crystalline=0.5, length=40.0
    )


def test_the_search_for_the_melting_point():
    warms, cools, still = coexistence(1000, 1080), coexistence(1300, 1220), coexistence(1150, 1151)
    assert [run.direction for run in (warms, cools, still)] == [1, -1, 0]
    assert melting.bracket([warms, cools, still]) == (1080, 1220)
    assert melting.next_start([], 1100.0) == 1100.0
    assert melting.next_start([cools], 1100.0) == pytest.approx(0.96 * 1220)
    assert melting.next_start([warms], 1100.0) == pytest.approx(1.04 * 1080)
    assert melting.next_start([warms, cools], 1100.0) == 1150.0
    assert melting.next_start([warms, cools, still], 1100.0) is None
    assert melting.next_start([warms] * melting.MAX_RUNS, 1100.0) is None
