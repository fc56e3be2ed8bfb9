"""Trajectories on a Dask cluster: a scheduler and workers started by their own commands, and killed."""

import os
import random
import signal
import subprocess
import sys

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from ase_arise import trajectory
from tests.ase.test_trajectories import same

distributed = pytest.importorskip("distributed")

FAST = {"passes": 8, "atoms": True}
KILLS = 20


@pytest.fixture
def frames(tmp_path):
    images = []
    for k in range(1600):
        images.append(bulk(("Cu", "Fe")[k % 2]) * (3, 3, 3))
        images[-1].rattle(0.02, seed=k)
    ase.io.write(tmp_path / "md.xyz", images)
    return tmp_path / "md.xyz"


class Cluster:
    """A scheduler and two workers, as a user starts them on a cluster."""

    def __init__(self, folder):
        self.folder = folder
        self.note = folder / "scheduler.json"
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "100",
        }
        self.scheduler = self.start("scheduler", "--port", "0", "--dashboard-address", ":0")
        self.workers = [self.worker() for _ in range(2)]

    def start(self, kind, *words):
        command = [
            sys.executable,
            "-m",
            "distributed.cli.dask_" + kind,
            "--scheduler-file",
            str(self.note),
            *words,
        ]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def worker(self):
        return self.start("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard")

    def kill_one(self, rng):
        k = rng.randrange(len(self.workers))
        self.workers[k].send_signal(signal.SIGKILL)
        self.workers[k].wait(30)
        self.workers[k] = self.worker()

    def end(self):
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait(30)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Dask warns of workers that are gone
def test_workers_that_are_killed_lose_and_double_nothing(frames, tmp_path):
    whole = trajectory(frames, tmp_path / "whole.zarr", workers=1, **FAST)
    cluster = Cluster(tmp_path)
    rng = random.Random(0)
    killed = 0

    def progress(step):
        nonlocal killed
        if killed < KILLS and rng.random() < 0.6:
            cluster.kill_one(rng)
            killed += 1

    try:
        with distributed.Client(scheduler_file=str(cluster.note), timeout="60s") as client:
            client.wait_for_workers(2, timeout=120)
            executor = client.get_executor()
            results = trajectory(frames, tmp_path / "r.zarr", executor=executor, progress=progress, **FAST)
    finally:
        cluster.end()
    assert killed == KILLS
    assert results.done.all()
    assert len(np.unique(results.data["number"])) == 1600
    same(whole, results)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_scheduler_that_goes_leaves_what_is_written(frames, tmp_path):
    from arise_core.errors import AriseError
    from ase_arise import TrajectoryResults

    cluster = Cluster(tmp_path)

    def progress(step):
        if step.message.startswith(("96 ", "128 ", "160 ")):
            cluster.scheduler.kill()
            cluster.scheduler.wait(30)

    try:
        with distributed.Client(scheduler_file=str(cluster.note), timeout="60s") as client:
            client.wait_for_workers(2, timeout=120)
            executor = client.get_executor()
            with pytest.raises(AriseError, match="what is written is kept; the same command goes on"):
                trajectory(frames, tmp_path / "r.zarr", executor=executor, progress=progress, **FAST)
    finally:
        cluster.end()
    before = TrajectoryResults.open(tmp_path / "r.zarr")
    assert 0 < before.done.sum() < 1600
    results = trajectory(frames, tmp_path / "r.zarr", workers=2, **FAST)
    assert results.done.all()
    same(trajectory(frames, tmp_path / "whole.zarr", workers=1, **FAST), results)
