"""Worker processes: one thread each, and the caller's environment is left alone."""

import multiprocessing
import os
import time

import pytest

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


def test_a_process_that_dies_is_reported():
    with (
        pytest.raises(
            OSError, match=r"a worker process died .*: what is written is kept; the same command goes on"
        ),
        processes(1) as pool,
    ):
        pool.submit(os._exit, 1).result()
    assert not multiprocessing.active_children()


def test_an_interrupt_does_not_wait_for_what_is_running():
    running = []

    def interrupted():
        with processes(2) as pool:
            running.extend(pool.submit(time.sleep, 600) for _ in range(3))
            time.sleep(0.5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not multiprocessing.active_children()
    assert all(f.done() for f in running)
