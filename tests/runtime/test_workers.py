"""Worker processes: one thread each, and the caller's environment is left alone."""

import multiprocessing
import os

from arise_core.runtime.workers import processes


def test_only_the_processes_have_one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    before = dict(os.environ)
    with processes(2) as pool:
        found = [pool.submit(os.getenv, name) for name in ("OMP_NUM_THREADS", "ARISE_NUM_THREADS")]
        assert dict(os.environ) == before
        assert [f.result() for f in found] == ["1", "1"]
        assert multiprocessing.active_children()
        assert dict(os.environ) == before
    assert not multiprocessing.active_children()
