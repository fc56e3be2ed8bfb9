"""Worker processes: one thread each, and the caller's environment is left alone."""

import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from arise_core.errors import FileError, WorkError
from arise_core.runtime.workers import KeptProcess, processes


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


@pytest.fixture
def kept():
    kept = KeptProcess()
    yield kept
    kept.end()
    assert not multiprocessing.active_children()


def test_a_kept_process_is_one_for_all_calls_and_hands_on_errors(kept):
    first = kept.call(60, os.getpid)
    assert first != os.getpid()
    with pytest.raises(ZeroDivisionError):
        kept.call(60, divmod, 1, 0)
    assert kept.call(60, os.getpid) == first


def test_a_kept_process_makes_room_after_many_calls(kept, monkeypatch):
    monkeypatch.setattr("arise_core.runtime.workers.CALLS", 2)
    pids = [kept.call(60, os.getpid) for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_work_in_a_kept_process_has_a_limit_that_nothing_holds_up(kept, monkeypatch):
    monkeypatch.setattr("arise_core.runtime.workers.WAIT", 600.0)
    first = kept.call(60, os.getpid)
    # compiled, and in one piece: no handler of signals and no thread of Python would come to it
    with pytest.raises(WorkError, match=r"it did not end within 1 s of work"):
        kept.call(1, pow, 7, 10**8)
    assert kept.call(60, os.getpid) != first


def test_waiting_in_a_kept_process_has_a_limit(kept, monkeypatch):
    kept.call(60, os.getpid)
    monkeypatch.setattr("arise_core.runtime.workers.WAIT", 0.2)
    with pytest.raises(WorkError, match=r"it did not end within 1 s"):
        kept.call(0.5, time.sleep, 600)


def test_a_kept_process_that_dies_is_reported(kept):
    with pytest.raises(FileError, match=r"its process died, exit code 3"):
        kept.call(60, os._exit, 3)
    assert kept.call(60, os.getpid)


#: Of a worker process, which does not end it.
_of_worker = KeptProcess()


def in_kept_process() -> int:
    return _of_worker.call(60, os.getpid)


def test_a_worker_ends_with_the_process_that_it_keeps():
    before = time.monotonic()
    with processes(1) as pool:
        assert pool.submit(in_kept_process).result() not in (os.getpid(), *pool._processes)
    assert not multiprocessing.active_children()
    assert time.monotonic() - before < 60


def test_a_script_ends_with_the_process_that_it_keeps():
    script = (
        "import os; from arise_core.runtime.workers import KeptProcess; KeptProcess().call(60, os.getpid)"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=120, check=False).returncode == 0
