"""Partly occupied sites: no door takes them for full ones."""

import json

import ase.db
import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ovito.io import import_file
from typer.testing import CliRunner

import ase_arise
from arise_cli.main import app
from arise_core.errors import InputError
from ase_arise import (
    AriseCalculator,
    AriseObserver,
    annotate,
    classify,
    from_atoms,
    occupied,
    screen,
    similarity,
)
from ovito_arise import AriseModifier
from tests.conftest import cif
from tests.ovito.helpers import FAST, collection, pipeline_of

FILES = {
    "interstitial": (cif("Pd1 Pd 0 0 0 1", "H1 H 0.5 0.5 0.5 0.02"), "H 0.02"),
    "shared": (cif("Cu1 Cu 0 0 0 0.75", "Au1 Au 0 0 0 0.25"), "Cu 0.75"),
    "vacancies": (cif("Cu1 Cu 0 0 0 0.9"), "Cu 0.9"),
}
FULL = cif("Cu1 Cu 0 0 0 1")


@pytest.fixture(params=FILES)
def partial(request, tmp_path):
    """A CIF file, and what messages say of its first such site."""
    text, said = FILES[request.param]
    path = tmp_path / f"{request.param}.cif"
    path.write_text(text)
    return path, said


@pytest.fixture
def no_work(monkeypatch):
    def fail(*arguments, **options):
        raise AssertionError("work was done before the input was refused")

    for place in (
        "arise_core.recognition.whole.describe", "arise_core.recognition.asking.gather_boxes",
        "ase_arise.batches.describe",
    ):  # fmt: skip
        monkeypatch.setattr(place, fail)


DOORS = {
    "classify": classify,
    "annotate": annotate,
    "annotate lazily": lambda atoms: list(annotate(iter([atoms]))),
    "calculator": lambda atoms: AriseCalculator().get_property("arise_label", atoms),
    "observer": AriseObserver,
    "similarity": similarity,
    "from_atoms": from_atoms,
}


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("door", DOORS)
def test_ase(partial, door):
    path, said = partial
    atoms = ase.io.read(path)
    with pytest.raises(
        InputError, match=rf"partly occupied sites \(4 of \d, first \d: {said}.*ase_arise.occupied"
    ):
        DOORS[door](atoms)
    assert "occupancy" in atoms.info


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("suffix", ["cif", "xyz", "traj", "db"])
def test_ase_by_way_of_files(partial, tmp_path, suffix):
    """Occupancies survive what is written, and are refused after it."""
    path, said = partial
    place = tmp_path / f"again.{suffix}"
    ase_arise.write(place, ase.io.read(path))
    (atoms,) = ase_arise.read(place)
    with pytest.raises(InputError, match=said):
        annotate(atoms)


def test_full_sites_are_taken(tmp_path):
    (tmp_path / "full.cif").write_text(FULL)
    atoms = ase.io.read(tmp_path / "full.cif")
    assert atoms.info["occupancy"] == {"0": {"Cu": 1}}
    assert classify(atoms, passes=4).names[0] == "fcc"
    assert occupied(atoms) == atoms
    (tmp_path / "listed.cif").write_text(FULL.replace("F m -3 m", "P 1").replace("225", "1"))
    data = import_file(tmp_path / "listed.cif").compute()
    assert "ARISE Confidence" in pipeline_of(data, AriseModifier(**FAST)).compute().particles


def test_structures_that_are_drawn_are_taken(partial):
    path, _ = partial
    atoms = ase.io.read(path)
    before = atoms.copy()
    found = occupied(atoms, seed=3)
    assert atoms == before
    assert len(found) >= 480
    assert found == occupied(atoms, seed=3)
    assert found != occupied(atoms, seed=4)
    annotate(found, passes=4, mode="whole")
    assert found.info["arise_mode"] == "whole"
    with pytest.raises(TypeError, match="must be an ase.Atoms object"):
        occupied(path)
    with pytest.raises(ValueError, match="`min_atoms` must be at least 1"):
        occupied(atoms, min_atoms=0)


def test_atoms_at_one_place_without_occupancies():
    atoms = bulk("Cu", cubic=True) + bulk("Au", a=3.61)
    with pytest.raises(
        InputError, match=r"overlapping atoms.*Of a site that elements share, one has to be drawn"
    ):
        classify(atoms)
    with pytest.raises(InputError, match=r"overlapping atoms.* at 0.0000 Å$"):
        classify(bulk("Cu", cubic=True) + bulk("Cu", a=3.61))


# --- command line -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("command", ["classify", "map", "similarity"])
def test_command_line(partial, command, tmp_path):
    path, said = partial
    done = CliRunner().invoke(app, [command, str(path)])
    assert done.exit_code == 1
    printed = " ".join(done.output.split())
    assert f"first {0 if 'H' not in said else 4}: {said}" in printed
    assert "`--draw`" in printed


def test_command_line_draws(partial, tmp_path):
    path, _ = partial
    done = CliRunner().invoke(app, ["classify", str(path), "--draw", "--json", "--passes", "4"])
    (row,) = json.loads(done.stdout)
    assert row["n_atoms"] >= 480
    drawn = tmp_path / "drawn.xyz"
    words = ["--stride", "8", "--passes", "4", "--seed", "3", "--draw", "--atoms", str(drawn)]
    assert CliRunner().invoke(app, ["map", str(path), *words]).exit_code == 0
    assert (ase.io.read(drawn).numbers == occupied(ase.io.read(path), seed=3).numbers).all()


def test_draw_leaves_full_structures_alone(tmp_path):
    (tmp_path / "full.cif").write_text(FULL)
    done = CliRunner().invoke(
        app, ["classify", str(tmp_path / "full.cif"), "--draw", "--json", "--passes", "4"]
    )
    assert [r["n_atoms"] for r in json.loads(done.stdout)] == [4]


# --- screening ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["folder", "database"])
def test_screening_says_why(tmp_path, kind):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, (text, _) in FILES.items():
        (folder / f"{name}.cif").write_text(text)
    (folder / "full.cif").write_text(FULL)
    source = folder
    if kind == "database":
        source = tmp_path / "in.db"
        ase_arise.write(source, [ase.io.read(p) for p in sorted(folder.iterdir())])
    counts = screen(source, tmp_path / "out.db", passes=4, workers=1)
    assert (counts.recognised, counts.failed) == (1, 3)
    with ase.db.connect(tmp_path / "out.db") as database:
        reasons = {r.formula: r.arise_error for r in database.select("arise_status=failed")}
    assert all("partly occupied sites" in reason for reason in reasons.values())
    assert "H 0.02" in reasons["Pd4H4"]


# --- OVITO --------------------------------------------------------------------------------------------------------


def test_ovito(partial):
    path, said = partial
    data = import_file(path).compute()
    with pytest.raises(
        InputError, match=rf"`Occupancy` says that particles are partly occupied sites \(1 of .*{said}"
    ):
        pipeline_of(data, AriseModifier(types_to_elements={"*": "Cu"})).compute()


def test_ovito_by_way_of_ase(partial, tmp_path):
    path, said = partial
    ase.io.write(tmp_path / "a.xyz", ase.io.read(path))
    data = import_file(tmp_path / "a.xyz").compute()
    with pytest.raises(InputError, match=rf"`occupancy` says .*4 of \d, first \d: {said}"):
        pipeline_of(data, AriseModifier()).compute()
    data.attributes["occupancy"] = "none of ours"
    assert "ARISE Confidence" in pipeline_of(data, AriseModifier(**FAST)).compute().particles


def test_ovito_property(fcc):
    for share, fits in ((1.0, True), (0.0, True), (0.5, False)):
        data = collection(fcc)
        data.particles_.create_property("Occupancy", data=np.full(len(fcc), share))
        pipeline = pipeline_of(data, AriseModifier(**FAST))
        if fits:  # all zero: a column that was not filled in
            assert "ARISE Confidence" in pipeline.compute().particles
        else:
            with pytest.raises(InputError, match=r"864 of 864, first 0: Occupancy 0.5"):
                pipeline.compute()


def test_ovito_only_selected(fcc):
    data = collection(fcc)
    share = np.ones(len(fcc))
    share[-3:] = 0.2
    data.particles_.create_property("Occupancy", data=share)
    data.particles_.create_property("Selection", data=(share == 1).astype(np.int8))
    with pytest.raises(InputError, match=r"3 of 864, first 861"):
        pipeline_of(data, AriseModifier(**FAST)).compute()
    out = pipeline_of(data, AriseModifier(**FAST, only_selected=True)).compute()
    assert (np.asarray(out.particles["Structure Type"])[:-3] > 0).all()
