"""Trajectories on a Dask cluster: a scheduler and workers started by their own commands, and killed."""

import os
import random
import signal
import socket
import subprocess
import sys

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from arise_core.errors import FileError
from ase_arise import trajectory
from ase_arise.trajectories import job
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

    def __init__(self, folder, port="0"):
        self.folder, self.port = folder, port
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        self.note = folder / "scheduler.json"
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "100",
        }
        self.begin()

    def begin(self):
        self.scheduler = self.start("scheduler", "--port", self.port, "--dashboard-address", ":0")
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
            cwd=self.elsewhere,
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
def test_workers_that_are_killed_lose_and_double_nothing(frames, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "MOST_FRAMES", 8)  # enough tasks for all kills, however many end at once
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


def free_port():
    with socket.socket() as place:
        place.bind(("", 0))
        return str(place.getsockname()[1])


def known_tasks(dask_scheduler):
    """What the dashboard shows: keys, and the names under which they are counted together."""
    return sorted(dask_scheduler.tasks), sorted(dask_scheduler.task_prefixes)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_scheduler_that_comes_back(frames, tmp_path, monkeypatch):
    """At its place, with new workers: the run goes on. Meanwhile another one is refused, and tasks bear names."""
    cluster = Cluster(tmp_path, free_port())
    whole = trajectory(frames, tmp_path / "whole.zarr", last=299, workers=1, **FAST)
    seen = []
    monkeypatch.chdir(frames.parent)  # workers stand elsewhere

    def progress(step):
        if seen or step.message.startswith("0 "):
            return
        seen.extend(client.run_on_scheduler(known_tasks))
        with pytest.raises(FileError, match="is being written to by another process"):
            trajectory(frames.name, tmp_path / "r.zarr", last=299, workers=1, **FAST)
        cluster.scheduler.kill()
        for process in (cluster.scheduler, *cluster.workers):
            process.wait(60)
        cluster.begin()

    try:
        with distributed.Client(scheduler_file=str(cluster.note), timeout="60s") as client:
            client.wait_for_workers(2, timeout=120)
            executor = client.get_executor()
            results = trajectory(
                frames.name, tmp_path / "r.zarr", last=299, executor=executor, progress=progress, **FAST
            )
    finally:
        cluster.end()
    same(whole, results)
    keys, names = seen
    assert names == ["frames"]
    assert any(key.startswith("frames-288-299 of md.xyz-") for key in keys)
