"""Bad input through every door of the adapter: a clear error before long work, and nothing lost."""

from pathlib import Path

import ase.db
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import arise_core as arise
from ase_arise import AriseCalculator, AriseObserver, annotate, classify, screen, similarity

CELL = [4.0, 4.0, 4.0]
BAD_ATOMS = {
    "empty": (Atoms(), "no atoms"),
    "nan": (Atoms("Cu2", [[0, 0, 0], [np.nan, 0, 0]], cell=CELL, pbc=True), "NaN or infinite"),
    "infinite": (Atoms("Cu2", [[0, 0, 0], [np.inf, 0, 0]], cell=CELL, pbc=True), "NaN or infinite"),
    "flat cell": (Atoms("Cu", cell=[4, 4, 0], pbc=True), "non-zero volume"),
    "overlap": (Atoms("Cu2", [[0, 0, 0], [0, 0, 0.01]], cell=CELL, pbc=True), "overlapping atoms"),
}


def ask(atoms, **options):
    """ARISE by way of a calculator."""
    return AriseCalculator(**options).get_property("arise_label", atoms)


DOORS = {
    "classify": classify,
    "annotate": annotate,
    "calculator": ask,
    "observer": AriseObserver,
    "similarity": similarity,
}
LOCAL_DOORS = {k: DOORS[k] for k in ("annotate", "calculator", "observer")}


@pytest.fixture
def no_work(monkeypatch):
    """No descriptor, no network: errors come before."""

    def fail(*arguments, **options):
        raise AssertionError("work was done before the input was refused")

    for place in (
        "arise_core.recognition.whole.describe", "arise_core.recognition.asking.gather_boxes",
        "arise_core.model.model.Model.predict_steps", "ase_arise.batches.describe",
    ):  # fmt: skip
        monkeypatch.setattr(place, fail)


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("case", BAD_ATOMS)
def test_atoms(door, case):
    atoms, message = BAD_ATOMS[case]
    before = atoms.copy()
    with pytest.raises(ValueError, match=message):
        DOORS[door](atoms)
    assert np.array_equal(atoms.positions, before.positions, equal_nan=True)
    assert set(atoms.arrays) == set(before.arrays)
    assert atoms.info == {}


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("door", [d for d in DOORS if d != "calculator"])  # that is ASE's own affair
def test_what_is_no_atoms(door):
    with pytest.raises(TypeError, match="must be an ase.Atoms object, got"):
        DOORS[door]([3] if door in ("classify", "annotate", "similarity") else 3)


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("door", ["classify", "annotate", "similarity"])
def test_no_atoms_at_all(door):
    with pytest.raises(ValueError, match="is empty"):
        DOORS[door]([])


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("door", DOORS)
def test_models(door, tmp_path):
    with pytest.raises(arise.ModelError, match=r"no-such.*The zoo has: .*arise-108"):
        DOORS[door](bulk("Cu"), model="no-such")
    broken = tmp_path / "model.pt"
    broken.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(arise.ModelError, match="not a model file, or a damaged one"):
        DOORS[door](bulk("Cu"), model=broken)
    with pytest.raises(TypeError, match="`model` must be a Model"):
        DOORS[door](bulk("Cu"), model=108)


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("door", LOCAL_DOORS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 0.0}, "`stride` must be a positive number"),
        ({"box_size": -1.0}, "`box_size` must be a positive number"),
        ({"box_size": "large"}, "`box_size` must be a positive number of Å or 'auto', got 'large'"),
        ({"stride": 20.0}, r"`stride` must not exceed `box_size` \(16.0 Å\), got 20.0"),
        ({"padding": "some"}, "`padding` must be"),
        ({"mode": "global"}, "`mode` must be one of"),
        ({"passes": 0}, "`passes` must be at least 1"),
        ({"seed": -1}, "`seed` must not be negative"),
        ({"min_atoms": 0}, "`min_atoms` must be at least 1"),
        ({"reject_threshold": 2.0}, "`reject_threshold` must be in"),
        ({"reject_threshold": "never"}, "`reject_threshold` must be a number, None or 'card', got 'never'"),
    ],
)
def test_options(door, options, message):
    with pytest.raises(ValueError, match=message):
        LOCAL_DOORS[door](bulk("Cu"), **options)


@pytest.mark.usefixtures("no_work")
def test_other_arguments():
    for options in ({"passes": 0}, {"seed": -1}, {"min_atoms": 0}, {"reject_threshold": 2.0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            classify(bulk("Cu"), **options)
    for layer in (3, -4):
        with pytest.raises(ValueError, match=rf"`layer` must be in \[-3, 2\], got {layer}"):
            similarity(bulk("Cu"), layer=layer)
    for interval, wanted in ((-1, "must not be negative"), (0.5, "must be a whole number")):
        with pytest.raises(ValueError, match=f"`interval` {wanted}, got {interval}"):
            AriseCalculator(interval=interval)
    for door in (AriseCalculator, lambda **o: AriseObserver(bulk("Cu"), **o)):
        with pytest.raises(TypeError, match="unknown argument 'strides'"):
            door(strides=1)


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("door", ["classify", "annotate", "similarity"])
def test_files(door, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        DOORS[door](tmp_path / "nowhere.xyz")
    (tmp_path / "bad.cif").write_text("data_\nno crystal\n")
    with pytest.raises(ValueError, match="bad.cif"):
        DOORS[door](tmp_path / "bad.cif")


@pytest.mark.parametrize("door", ["calculator", "observer"])
def test_few_atoms_give_none_and_a_warning(door):
    few = Atoms("Cu3", [[0, 0, 0], [2.5, 0, 0], [0, 2.5, 0]])
    if door == "calculator":
        with pytest.warns(UserWarning, match="fewer than `min_atoms`"):
            assert ask(few, passes=5) == "none"
        return
    observer = AriseObserver(few, passes=5)
    with pytest.warns(UserWarning, match="the map is NaN"):
        observer()
    assert (observer.rows[0].label, observer.rows[0].none, observer.rows[0].fractions) == ("none", 1.0, {})


# --- screening: an entry that is bad gets a row, arguments that are bad end the run before it begins ------


def screen_one(source: Path, **options):
    return screen(source, source.with_name("results.db"), workers=1, **{"passes": 5, **options})


@pytest.mark.parametrize("case", [c for c in BAD_ATOMS if c != "infinite"])
def test_bad_entries_are_recorded_and_the_run_goes_on(case, tmp_path):
    atoms, message = BAD_ATOMS[case]
    with ase.db.connect(tmp_path / "source.db") as database:
        for entry in (bulk("Cu"), atoms, bulk("Fe")):
            database.write(entry)
    counts = screen_one(tmp_path / "source.db")
    assert (counts.recognised, counts.failed) == (2, 1)
    rows = list(ase.db.connect(tmp_path / "results.db").select())
    assert [row.arise_status for row in rows] == ["ok", "failed", "ok"]
    assert message in rows[1].arise_error
    assert rows[1].arise_entry == 2


def test_few_atoms_are_recorded(tmp_path):
    ase.io.write(tmp_path / "a.xyz", [Atoms("Cu3", [[0, 0, 0], [2.5, 0, 0], [0, 2.5, 0]]), bulk("Cu")])
    assert screen_one(tmp_path / "a.xyz").failed == 1
    row = ase.db.connect(tmp_path / "results.db").get(1)
    assert row.arise_error == "3 atoms, fewer than `min_atoms` (20)"
    assert row.natoms == 3


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"passes": 0}, "`passes`"),
        ({"stride": 20.0}, "`stride` must not exceed"),
        ({"box_size": 0.0}, "`box_size`"),
        ({"workers": 0}, "`workers` must be at least 1"),
        ({"symprec": 0.0}, "`symprec` must be a positive"),
        ({"top": 0}, "`top` must be at least 1"),
        ({"model": "no-such"}, "The zoo has"),
    ],
)
def test_screening_arguments(options, message, tmp_path):
    ase.io.write(tmp_path / "a.xyz", bulk("Cu"))
    with pytest.raises(ValueError, match=message):
        screen(tmp_path / "a.xyz", tmp_path / "results.db", **{"workers": 1, **options})
    assert not (tmp_path / "results.db").exists()


@pytest.mark.usefixtures("no_work")
def test_sources_that_are_none(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.db").write_text("no database")
    with ase.db.connect(tmp_path / "void.db") as database:
        database.write(bulk("Cu"))
        del database[1]
    for name, error, message in [
        ("nowhere", FileNotFoundError, "does not exist"),
        ("empty", ValueError, "a folder without files"),
        ("text.db", ValueError, "is not an ASE database"),
        ("void.db", ValueError, "a database without rows"),
    ]:
        with pytest.raises(error, match=message):
            screen_one(tmp_path / name)
    assert not (tmp_path / "results.db").exists()


@pytest.mark.usefixtures("no_work")
def test_results_never_replace_anything(tmp_path):
    source = tmp_path / "source.db"
    ase.io.write(source, bulk("Cu"))
    other = tmp_path / "other.db"
    ase.io.write(other, bulk("Ag"))
    (tmp_path / "text.db").write_text("my notes")
    (tmp_path / "folder.db").mkdir()
    before = source.read_bytes(), other.read_bytes()
    for name, message in [
        ("source.db", "must not be the source"),
        ("other.db", "other contents, .*; nothing was changed"),
        ("text.db", "cannot be used as an ASE database"),
        ("folder.db", "is a folder"),
        ("results.json", "must be a .db file"),
    ]:
        with pytest.raises(ValueError, match=message):
            screen(source, tmp_path / name, workers=1)
    assert (source.read_bytes(), other.read_bytes()) == before
    assert (tmp_path / "text.db").read_text() == "my notes"
