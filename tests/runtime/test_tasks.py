"""Tasks: done by processes or executors, in order or as they end, not too many ahead, lost ones again, errors once."""

import multiprocessing
import os
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from arise_core.errors import FileError, InputError, InputTypeError, WorkError
from arise_core.runtime import tasks
from arise_core.runtime.tasks import Hands, Task


def squared(k):
    return k * k


def late(k):
    """The first one of all ends last."""
    time.sleep(0.5 if k == 0 else 0.0)
    return k


def numbered(n, call=squared):
    return [Task("numbers", str(k), call, (k,), (k + 1) / n) for k in range(n)]


class Held(Executor):
    """Does what it is told, when it is told; one future can be lost."""

    def __init__(self, lose=()):
        self.calls, self.futures, self.lose = [], [], set(lose)

    def submit(self, call, /, *arguments, **words):
        assert not arguments
        assert not words
        self.calls.append(call)
        self.futures.append(Future())
        if len(self.futures) - 1 in self.lose:
            self.futures[-1].cancel()
            self.futures[-1].set_running_or_notify_cancel()
        return self.futures[-1]

    def end(self, k):
        self.futures[k].set_result(self.calls[k]())


@pytest.mark.parametrize("workers", [1, 2])
def test_all_are_done_by_processes(workers):
    found = list(Hands.of(workers, None).do(numbered(20)))
    assert sorted(result for _, result in found) == [k * k for k in range(20)]
    assert all(result == task.arguments[0] ** 2 for task, result in found)
    assert not multiprocessing.active_children()


def test_in_order_or_as_they_end():
    with ThreadPoolExecutor(2) as pool:
        hands = Hands.of(None, pool)
        assert [result for _, result in hands.do(numbered(6, late))][-1] == 0
        assert [result for _, result in hands.do(numbered(6, late), ordered=True)] == list(range(6))


@pytest.mark.parametrize("ordered", [False, True])
def test_not_too_many_are_ahead(ordered):
    executor, made = Held(), []

    def making():
        for task in numbered(100):
            made.append(task)
            yield task

    def ending():  # as they were handed out, one every moment
        for k in range(100):
            while len(executor.futures) <= k:
                time.sleep(0.001)
            time.sleep(0.001)
            executor.end(k)

    thread = threading.Thread(target=ending, daemon=True)
    thread.start()
    most = done = 0
    for _ in Hands.of(None, executor).do(making(), ordered=ordered, ahead=5):
        done += 1
        most = max(most, len(made) - done)
    thread.join()
    assert done == 100
    assert most <= 6


def test_an_early_one_that_takes_long_does_not_stop_the_others(monkeypatch):
    monkeypatch.setattr(tasks, "WAITING", 3)
    executor = Held()
    job = Hands.of(None, executor).do(numbered(100), ordered=True, ahead=2)
    thread = threading.Thread(target=lambda: next(job), daemon=True)
    thread.start()

    def wait_for(count):
        deadline = time.monotonic() + 60
        while len(executor.futures) < count and time.monotonic() < deadline:
            time.sleep(0.001)

    for k in range(1, 9):
        wait_for(k + 1)
        executor.end(k)
    time.sleep(0.2)
    assert len(executor.futures) == 9  # no more than these wait for the first one
    executor.end(0)
    thread.join(60)
    assert not thread.is_alive()


def test_time_that_passes_brings_back_what_has_ended():
    executor = Held()

    def making():
        yield from numbered(1)
        executor.end(0)
        yield None
        raise AssertionError("it came back before")

    job = Hands.of(None, executor).do(making())
    assert next(job)[1] == 0
    job.close()
    assert [r for _, r in Hands.of(1, None).do([None, *numbered(1), None])] == [0]


def test_a_closed_job_takes_back_what_waits():
    executor = Held()

    def making():
        yield from numbered(3)
        executor.end(1)
        yield None

    job = Hands.of(None, executor).do(making())
    assert next(job)[1] == 1
    job.close()
    assert [f.cancelled() for f in executor.futures] == [True, False, True]


def test_lost_tasks_are_handed_out_again():
    executor = Held(lose={0, 1})

    def making():
        yield from numbered(1)
        yield None
        executor.end(2)
        yield None

    assert [result for _, result in Hands.of(None, executor).do(making())] == [0]
    assert len(executor.futures) == 3
    executor = Held(lose=range(100))
    with pytest.raises(
        WorkError, match=r"could not do numbers 0 \(CancelledError: \): what is written is kept"
    ):
        list(Hands.of(None, executor).do(numbered(1)))
    assert len(executor.futures) == 1 + tasks.AGAIN


def test_what_has_ended_meanwhile_comes_together():
    executor = Held()

    def making():
        yield from numbered(5)
        for k in (3, 1, 0):
            executor.end(k)
        yield None
        for k in (4, 2):
            executor.end(k)

    for ordered, expected in ((False, [[9, 1, 0], [16, 4]]), (True, [[0, 1], [4, 9, 16]])):
        executor = Held()
        found = Hands.of(None, executor).together(making(), ordered=ordered)
        assert [[result for _, result in some] for some in found] == expected


def test_what_came_before_an_error_is_handed_on():
    executor = Held()

    def making():
        yield from numbered(3, failing)[1:]
        executor.futures[0].set_result(7)
        executor.futures[1].set_exception(OSError("no disk"))
        yield None

    job = Hands.of(None, executor).do(making())
    assert next(job)[1] == 7
    with pytest.raises(WorkError, match="could not do numbers 2"):
        next(job)


def failing(k):
    raise {0: OSError("no disk"), 1: InputError("`k` is wrong")}[k]


def test_errors_are_told_once():
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(
            WorkError, match=r"`executor` could not do numbers 0 \(OSError: no disk\): what is"
        ):
            list(Hands.of(None, pool).do(numbered(5, failing)))
        with pytest.raises(InputError, match=r"^`k` is wrong$"):
            list(Hands.of(None, pool).do(numbered(2, failing)[1:]))
        with pytest.raises(ZeroDivisionError):  # what makes the tasks is not the executor
            list(Hands.of(None, pool).do(numbered(1)[k] for k in (0, 1 // 0)))
    with pytest.raises(
        WorkError, match=r"numbers 0 \(RuntimeError: cannot schedule new futures after shutdown\)"
    ):
        list(Hands.of(None, pool).do(numbered(5)))
    with pytest.raises(OSError, match="^no disk$"):
        list(Hands.of(2, None).do(numbered(1, failing)))


def test_processes_that_die():
    with (
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool,
        pytest.raises(WorkError, match=r"`executor` could not do ends 0 \(BrokenProcessPool: "),
    ):
        list(Hands.of(None, pool).do([Task("ends", "0", os._exit, (1,))]))
    with pytest.raises(FileError, match="a worker process died"):
        list(Hands.of(2, None).do([Task("ends", "0", os._exit, (1,))]))


def test_who_is_refused():
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(InputError, match="`workers` is for processes of this one"),
    ):
        Hands.of(2, pool)
    with pytest.raises(InputTypeError, match=r"`executor` must be a concurrent.futures.Executor, got 5"):
        Hands.of(None, 5)
    with pytest.raises(InputError, match="`workers`"):
        Hands.of(0, None)
    assert Hands.of(None, None).workers >= 1
