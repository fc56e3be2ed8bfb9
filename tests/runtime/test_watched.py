"""Work of others in a thread, as a job."""

import threading
import time
from contextlib import closing

import pytest

from arise_core.progress import run
from arise_core.runtime import watched as module
from arise_core.runtime.watched import watched


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(module, "EVERY", 0.05)


def left():
    return [t.name for t in threading.enumerate() if t.name == "arise-watched"]


def test_steps_tell_the_time_and_the_result_is_handed_back():
    said = []

    def work():
        deadline = time.monotonic() + 60
        while len(said) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        return 42

    assert run(watched(work, "work"), lambda step: said.append((float(step), step.message))) == 42
    assert set(said) == {(0.0, "work, 0 s")}
    assert left() == []


def test_short_work_has_no_step():
    assert run(watched(lambda: 1, "work"), lambda step: pytest.fail("a step")) == 1


def test_errors_are_raised_where_the_job_is():
    with pytest.raises(ZeroDivisionError):
        run(watched(lambda: 1 / 0, "work"))


def test_a_closed_job_ends_its_work():
    ended = threading.Event()

    def endless():
        try:
            while True:
                time.sleep(0.01)
        finally:
            ended.set()

    with closing(watched(endless, "work")) as job:
        next(job)
        assert left()
    assert ended.is_set()
    assert left() == []


def test_an_interrupt_ends_the_work():
    def progress(step):
        raise KeyboardInterrupt

    def endless():
        while True:
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        run(watched(endless, "work"), progress)
    assert left() == []
