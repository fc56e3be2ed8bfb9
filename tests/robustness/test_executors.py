"""Executors of others: MPI ranks, executorlib; and the parts of a queue's array. Rows are those of one process."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import ase.db
import ase.io
import pytest
from ase.build import bulk

from ase_arise import TrajectoryResults, screen, trajectory
from benchmarks.robustness.structure_files import dump
from tests.ase.test_screening import contents
from tests.ase.test_trajectories import same

FAST = {"passes": 8}
MPIEXEC = shutil.which(
    "mpiexec", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
)

BY_MPI = """
import sys
from mpi4py.futures import MPIPoolExecutor
from ase_arise import screen, trajectory

if __name__ == "__main__":
    with MPIPoolExecutor() as executor:
        trajectory(sys.argv[1], sys.argv[2], executor=executor, atoms=True, passes=8)
        screen(sys.argv[1], sys.argv[3], executor=executor, passes=8)
"""
BY_EXECUTORLIB = """
import sys
from executorlib import SingleNodeExecutor
from ase_arise import screen, trajectory

if __name__ == "__main__":
    with SingleNodeExecutor(max_workers=2) as executor:
        trajectory(sys.argv[1], sys.argv[2], executor=executor, atoms=True, passes=8)
        screen(sys.argv[1], sys.argv[3], executor=executor, passes=8)
"""


@pytest.fixture
def frames(tmp_path):
    images = []
    for k in range(70):
        images.append(bulk(("Cu", "Fe")[k % 2]) * (3, 3, 3))
        images[-1].rattle(0.02, seed=k)
    ase.io.write(tmp_path / "md.xyz", images)
    return tmp_path / "md.xyz"


def ran(words, folder, **variables):
    """A command, on one thread a process."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "OMP_NUM_THREADS": "1",
        **variables,
    }
    subprocess.run(list(map(str, words)), cwd=folder, env=environment, timeout=300, check=True)


def scripts():
    """Those of the page."""
    page = (Path(__file__).parents[2] / "docs" / "trajectories.md").read_text(encoding="utf-8")
    return [textwrap.dedent(text) for text in re.findall(r"```sh\n(.*?)```", page, re.S)]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_an_array_of_a_queue(tmp_path):
    """The scripts of the page, with three parts and a loop for SLURM; one of them is submitted again."""
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    with (tmp_path / "md.dump").open("w") as file:
        for k in range(60):
            moved = atoms.copy()
            moved.rattle(0.02, seed=k)
            file.write(dump(moved))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "arise").write_text(f'#!/bin/bash\nexec {sys.executable} -m arise_cli.main "$@"\n')
    (tmp_path / "bin" / "arise").chmod(0o755)
    array, joined = scripts()
    (tmp_path / "array.sh").write_text(array.replace("/64", "/3").replace("--types 1=Cu ", ""))
    (tmp_path / "merge.sh").write_text(joined)
    path = os.pathsep.join((str(tmp_path / "bin"), os.environ["PATH"]))
    for part in (1, 2, 3, 2):
        ran(["bash", "array.sh"], tmp_path, SLURM_ARRAY_TASK_ID=str(part), SLURM_CPUS_PER_TASK="1", PATH=path)
    ran(["bash", "merge.sh"], tmp_path, PATH=path)
    assert (tmp_path / "shares.png").stat().st_size > 10_000
    whole = trajectory(tmp_path / "md.dump", tmp_path / "whole.zarr", every=10, workers=1)
    results = TrajectoryResults.open(tmp_path / "run.zarr")
    assert results.data["number"].values.tolist() == [0, 10, 20, 30, 40, 50]
    same(whole, results)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "start"),
    [
        pytest.param(
            BY_MPI,
            (MPIEXEC, "-n", "2", sys.executable, "-m", "mpi4py.futures"),
            marks=pytest.mark.skipif(
                MPIEXEC is None or find_spec("mpi4py") is None, reason="needs mpi4py and an MPI"
            ),
            id="mpi4py",
        ),
        pytest.param(
            BY_EXECUTORLIB,
            (sys.executable,),
            marks=pytest.mark.skipif(find_spec("executorlib") is None, reason="needs executorlib"),
            id="executorlib",
        ),
    ],
)
def test_executors_of_others(frames, tmp_path, script, start):
    (tmp_path / "script.py").write_text(script)
    ran([*start, tmp_path / "script.py", frames, tmp_path / "r.zarr", tmp_path / "r.db"], tmp_path)
    whole = trajectory(frames, tmp_path / "whole.zarr", workers=1, atoms=True, **FAST)
    same(whole, TrajectoryResults.open(tmp_path / "r.zarr"))
    screen(frames, tmp_path / "whole.db", workers=1, **FAST)
    assert contents(tmp_path / "r.db") == contents(tmp_path / "whole.db")


def test_ase_reads_alone_in_a_program_of_several_ranks(tmp_path, monkeypatch):
    """ASE's readers and databases talk to all ranks unless told not to; only one of them is here."""
    import ase.parallel

    class Ranks:
        """As of MPI, without anybody who answers."""

        size, rank = 2, 1

        def __getattr__(self, name):
            raise AssertionError(f"{name}: it would wait for ever")

    files = [tmp_path / "a.xyz", tmp_path / "a.cif", tmp_path / "POSCAR", tmp_path / "a.traj"]
    for path in files:
        ase.io.write(path, bulk("Cu") * (2, 2, 2))
    with ase.db.connect(tmp_path / "source.db") as database:
        database.write(bulk("Cu"))
    monkeypatch.setattr(ase.parallel.world, "comm", Ranks())
    for path in files:
        assert trajectory(path, tmp_path / f"{path.name}.zarr", workers=1, **FAST).done.all()
    for source in (*files, tmp_path / "source.db"):
        counts = screen(source, tmp_path / f"{source.name}-results.db", workers=1, **FAST)
        assert (counts.recognised, counts.failed) == (1, 0)
