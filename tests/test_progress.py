"""The one protocol of progress: steps, results, parts, and closing at any step."""

import pytest

from arise_core.progress import Step, part, run


def job(log, steps=4, result="done"):
    """Steps, and what happens when it is closed."""
    try:
        for k in range(steps):
            log.append(k)
            yield Step((k + 1) / steps, "working" if k % 2 else "")
        return result
    finally:
        log.append("closed")


def test_a_step_is_a_number_with_a_text():
    step = Step(0.25, "network")
    assert (step, step.message, step + 0.25, f"{step:.0%}") == (0.25, "network", 0.5, "25%")
    assert Step(1).message == ""


def test_run_gives_the_result_and_shows_every_step():
    log, seen = [], []
    assert run(job(log), seen.append) == "done"
    assert seen == [0.25, 0.5, 0.75, 1.0]
    assert [s.message for s in seen] == ["", "working", "", "working"]
    assert log == [0, 1, 2, 3, "closed"]
    assert run(job([])) == "done"


def test_whatever_the_callback_raises_closes_the_job():
    log = []

    def stop(step):
        if step > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(job(log), stop)
    assert log == [0, 1, "closed"]


def test_parts_lie_where_they_belong():
    def whole():
        first = yield from part(job([], 2, "a"), 0.0, 0.5, "first")
        second = yield from part(job([], 2, "b"), 0.5, 0.9)
        return first + second

    seen = []
    assert run(whole(), seen.append) == "ab"
    assert seen == pytest.approx([0.25, 0.5, 0.7, 0.9])
    assert [s.message for s in seen] == ["first", "working", "", "working"]


def test_a_part_may_have_a_name():
    seen = []
    run(part(job([], 2), 0, 1, "first", "trial 3"), seen.append)
    assert [s.message for s in seen] == ["trial 3: first", "trial 3: working"]


def test_closing_the_whole_closes_its_part_before_it_goes_on():
    log = []

    def whole():
        try:
            yield from part(job(log), 0.0, 1.0)
        finally:
            log.append("whole closed")

    steps = whole()
    next(steps)
    steps.close()
    assert log == [0, "closed", "whole closed"]


def test_errors_of_the_job_come_through():
    def bad():
        yield Step(0.5)
        raise ValueError("bad input")

    with pytest.raises(ValueError, match="bad input"):
        run(part(bad(), 0, 1))
