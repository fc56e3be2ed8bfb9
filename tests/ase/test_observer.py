"""AriseObserver: rows, files that survive a crash, frames, stopping."""

import csv
import json
import os
import shutil
import subprocess
import sys

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

from arise_core.errors import FileError
from ase_arise import AriseObserver, Row, StopSimulation, read

#: One box of the whole cell: fast.
FAST = {"passes": 10, "stride": 8.0, "box_size": 8.0}


@pytest.fixture
def atoms() -> Atoms:
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.calc = EMT()
    spread = np.sqrt(units.kB * 300 * atoms.get_masses())[:, None]
    atoms.set_momenta(np.random.default_rng(0).normal(size=(len(atoms), 3)) * spread)
    return atoms


@pytest.fixture
def dyn(atoms) -> VelocityVerlet:
    return VelocityVerlet(atoms, 2 * units.fs)


def row(**shares: float) -> Row:
    rejected = shares.pop("rejected", 0.0)
    return Row(0, 0.0, 300.0, "fcc", 0.0, 0.0, rejected, 0.0, shares)


def test_a_row_every_interval_steps(atoms, dyn):
    observer = AriseObserver(atoms, dyn=dyn, interval=3, **FAST)
    dyn.attach(observer)
    dyn.run(7)
    assert [r.step for r in observer.rows] == [0, 3, 6]
    assert [r.time_fs for r in observer.rows] == pytest.approx([0, 6, 12])
    assert observer.rows[0].temperature_K == pytest.approx(300, rel=0.3)
    assert observer.rows[-1].temperature_K == pytest.approx(atoms.get_temperature(), rel=0.3)
    for r in observer.rows:
        assert r.label == "fcc"
        assert sum(r.fractions.values()) + r.rejected + r.none == pytest.approx(1)
        assert 0 <= r.mutual_information_bit < 0.3
        assert 0 <= r.rejection_uncertainty_bit < 0.3
    assert observer.result.mode == "local"


def test_the_run_is_not_disturbed(atoms):
    other = atoms.copy()
    other.calc = EMT()
    VelocityVerlet(other, 2 * units.fs).run(5)
    dyn = VelocityVerlet(atoms, 2 * units.fs)
    dyn.attach(AriseObserver(atoms, dyn=dyn, **FAST))
    dyn.run(5)
    assert (atoms.positions == other.positions).all()
    assert set(atoms.arrays) == set(other.arrays)
    assert atoms.info == {}


def test_without_the_dynamics_calls_are_counted(atoms, dyn):
    observer = AriseObserver(atoms, interval=2, **FAST)
    dyn.attach(observer)
    dyn.run(4)
    assert [r.step for r in observer.rows] == [0, 2, 4]
    assert np.isnan(observer.rows[0].time_fs)


def test_ase_s_own_interval_works(atoms, dyn):
    observer = AriseObserver(atoms, dyn=dyn, **FAST)
    dyn.attach(observer, interval=4)
    dyn.run(8)
    assert [r.step for r in observer.rows] == [0, 4, 8]


def test_optimisers_can_be_watched(atoms):
    atoms.rattle(0.05, seed=3)
    atoms.set_momenta(np.zeros((len(atoms), 3)))
    optimiser = BFGS(atoms, logfile=None)
    observer = AriseObserver(atoms, dyn=optimiser, **FAST)
    optimiser.attach(observer)
    optimiser.run(fmax=1e-9, steps=2)
    assert [r.step for r in observer.rows] == [0, 1, 2]
    assert np.isnan(observer.rows[0].time_fs)


def test_csv_has_a_column_for_every_class(atoms, dyn, tmp_path):
    path = tmp_path / "out" / "a.csv"
    observer = AriseObserver(atoms, dyn=dyn, table=path, **FAST)
    dyn.attach(observer)
    dyn.run(2)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [int(r["step"]) for r in rows] == [0, 1, 2]
    assert [float(r["fcc"]) for r in rows] == [r.share("fcc") for r in observer.rows]
    assert {
        "time_fs",
        "temperature_K",
        "mutual_information_bit",
        "rejection_uncertainty_bit",
        "rejected",
        "bcc",
        "rock_salt",
    } <= set(rows[0])
    assert len(rows[0]) == 8 + 108


def test_json_lines(atoms, tmp_path):
    path = tmp_path / "a.jsonl"
    observer = AriseObserver(atoms, table=path, **FAST)
    observer()
    found = json.loads(path.read_text())
    assert found["fractions"] == observer.rows[0].fractions
    assert found["time_fs"] is None  # no dynamics, and JSON has no NaN
    assert found["step"] == 0


@pytest.mark.parametrize("suffix", ["xyz", "extxyz", "traj"])
def test_frames_are_annotated(atoms, dyn, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    dyn.attach(AriseObserver(atoms, dyn=dyn, interval=2, trajectory=path, **FAST))
    dyn.run(2)
    frames = read(path)
    assert [a.info["arise_step"] for a in frames] == [0, 2]
    assert frames[1].info["arise_time_fs"] == pytest.approx(4)
    assert list(frames[1].arrays["arise_label"]) == ["fcc"] * len(atoms)
    assert frames[1].get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-8)
    assert np.allclose(frames[1].get_forces(), atoms.get_forces(), atol=1e-7)
    assert np.allclose(frames[1].positions, atoms.positions, atol=1e-7)
    assert len(ase.io.read(path, ":")) == 2


def test_callbacks_get_rows(atoms, dyn):
    seen = []
    observer = AriseObserver(atoms, dyn=dyn, callback=seen.append, **FAST)
    dyn.attach(observer)
    dyn.run(1)
    assert seen == observer.rows
    assert len(seen) == 2


# --- stopping ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", ["md", "optimiser"])
def test_the_run_ends_after_the_step_that_meets_the_condition(atoms, driver, tmp_path):
    atoms.rattle(0.05, seed=1)
    dyn = VelocityVerlet(atoms, units.fs) if driver == "md" else BFGS(atoms, logfile=None)
    observer = AriseObserver(
        atoms, dyn=dyn, interval=2, stop=lambda r: r.step >= 4, table=tmp_path / "a.jsonl", **FAST
    )
    dyn.attach(observer)
    after = []
    dyn.attach(lambda: after.append(dyn.nsteps))
    dyn.run(steps=50) if driver == "md" else dyn.run(fmax=1e-9, steps=50)
    assert observer.stopped
    assert dyn.nsteps == 4
    assert after[-1] == 4  # observers attached later still see the last step
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 3


def test_a_stopped_run_can_be_continued(atoms, dyn):
    observer = AriseObserver(atoms, dyn=dyn, stop={"fcc": 0.5}, **FAST)
    dyn.attach(observer)
    dyn.run(5)
    assert dyn.nsteps == 0
    observer.stop = None
    dyn.run(2)
    assert dyn.nsteps == 2


def test_without_the_dynamics_a_signal_is_raised(atoms, dyn):
    dyn.attach(AriseObserver(atoms, stop={"fcc": 0.9}, **FAST))
    with pytest.raises(StopSimulation, match="step 0: fcc"):
        dyn.run(5)


def test_a_dynamics_that_goes_on_is_stopped_by_a_signal(atoms):
    class Stubborn:
        nsteps = 0
        max_steps = 10

    dyn = Stubborn()
    observer = AriseObserver(atoms, dyn=dyn, interval=5, stop={"fcc": 0.5}, **FAST)
    observer()
    assert dyn.max_steps == 0
    dyn.nsteps = 1
    with pytest.raises(StopSimulation, match="went on after step 0"):
        observer()


@pytest.mark.parametrize(
    ("stop", "met", "unmet"),
    [
        ({"bcc": 0.9}, row(bcc=0.95, fcc=0.05), row(bcc=0.85, fcc=0.15)),
        ({"bcc_W_A_cI2_229_a": 0.9}, row(bcc=0.95), row(bcc=0.85)),
        ({"rejected": 0.5}, row(fcc=0.4, rejected=0.6), row(fcc=0.6, rejected=0.4)),
        ({"hcp": 0.3, "L1_2": 0.3}, row(L1_2=0.3), row(hcp=0.2, L1_2=0.2)),
    ],
)
def test_conditions(atoms, stop, met, unmet):
    observer = AriseObserver(atoms, stop=stop, **FAST)
    assert observer.stop(met)
    assert not observer.stop(unmet)


@pytest.mark.parametrize(
    ("stop", "message"), [({"bbc": 0.9}, "got 'bbc'; close: .*bcc"), ({"bcc": 90}, r"in \(0, 1\], got 90")]
)
def test_conditions_that_cannot_be_met_are_refused(atoms, stop, message):
    with pytest.raises(ValueError, match=message):
        AriseObserver(atoms, stop=stop, **FAST)


# --- files that are there, and crashes --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "name"), [("table", "a.csv"), ("table", "a.jsonl"), ("trajectory", "a.xyz")]
)
def test_files_that_exist_are_kept_unless_told_otherwise(atoms, tmp_path, argument, name):
    path = tmp_path / name
    AriseObserver(atoms, **{argument: path}, **FAST)()
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=rf"`{argument}` .*{name}.* exists; nothing was changed"):
        AriseObserver(atoms, **{argument: path}, **FAST)
    assert path.read_bytes() == before
    AriseObserver(atoms, **{argument: path}, append=True, **FAST)()
    assert path.read_bytes().startswith(before)
    assert len(path.read_bytes()) > len(before)
    AriseObserver(atoms, **{argument: path}, overwrite=True, **FAST)()
    assert len(path.read_bytes()) == len(before)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_half_written_row_is_cut_off(atoms, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    AriseObserver(atoms, table=path, **FAST)()
    before = path.read_bytes()
    path.write_bytes(before + b'{"step": 1, "ti')
    AriseObserver(atoms, table=path, append=True, **FAST)
    assert path.read_bytes() == before


def test_a_half_written_header_is_replaced(atoms, tmp_path):
    path = tmp_path / "a.csv"
    AriseObserver(atoms, table=path, **FAST)
    header = path.read_bytes()
    path.write_bytes(header[:40])
    AriseObserver(atoms, table=path, append=True, **FAST)
    assert path.read_bytes() == header


def test_a_table_with_other_columns_is_not_continued(atoms, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="other columns"):
        AriseObserver(atoms, table=path, append=True, **FAST)
    assert path.read_text() == "a,b\n1,2\n"


CRASH = """
import os, sys
import numpy as np
from ase.build import bulk
from ase_arise import AriseObserver
atoms = bulk("Cu", cubic=True) * (2, 2, 2)
observer = AriseObserver(
    atoms, table=sys.argv[1], trajectory=sys.argv[2], passes=10, stride=8.0, box_size=8.0,
    callback=lambda row: os.kill(os.getpid(), 9) if row.step == 2 else None)
for _ in range(5):
    observer()
"""


def test_a_crash_loses_no_row_that_was_written(tmp_path):
    table, trajectory = tmp_path / "a.csv", tmp_path / "a.traj"
    done = subprocess.run(
        [sys.executable, "-c", CRASH, table, trajectory], timeout=300, check=False, env=dict(os.environ)
    )
    assert done.returncode == -9
    with table.open() as file:
        assert [int(r["step"]) for r in csv.DictReader(file)] == [0, 1, 2]
    assert [a.info["arise_step"] for a in read(trajectory)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"interval": 0}, "`interval` must be at least 1, got 0"),
        ({"append": True, "overwrite": True}, "exclude each other"),
        ({"table": "a.txt"}, "`table` must end in one of .csv, .jsonl, got 'a.txt'"),
        ({"trajectory": "a.cif"}, "`trajectory` must end in one of"),
    ],
)
def test_wrong_arguments(atoms, arguments, message):
    with pytest.raises(ValueError, match=message):
        AriseObserver(atoms, **arguments, **FAST)


@pytest.mark.parametrize(
    ("argument", "name"), [("table", "a.csv"), ("trajectory", "a.xyz"), ("trajectory", "a.traj")]
)
def test_places_that_cannot_be_written_to(atoms, tmp_path, argument, name):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileError, match=f"{name}' cannot be written"):
        AriseObserver(atoms, **{argument: tmp_path / "file" / name})
    observer = AriseObserver(atoms, passes=2, stride=6.0, **{argument: tmp_path / "sub" / name})
    shutil.rmtree(tmp_path / "sub")  # hours later
    with pytest.raises(FileError, match=f"`{argument}` .*{name}' cannot be written: No such file"):
        observer()
