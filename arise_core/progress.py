"""How long work tells how far it is, and how it is stopped: the one protocol that every long job speaks.

A job is a generator. It yields a `Step` now and then, and returns its result. Whoever drives it may stop at any step
by closing it: threads and processes end, and nothing half done is left. Jobs are put together with `part`. `run`
drives one for a caller who only wants the result and perhaps a progress bar.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

from arise_core.errors import check_callable

T = TypeVar("T")


class Step(float):
    """Share of the work that is done, 0 to 1, and in words what is being done."""

    message: str

    def __new__(cls, fraction: float, message: str = "") -> Step:
        """A float that carries a text."""
        step = super().__new__(cls, fraction)
        step.message = message
        return step


#: A piece of long work: yields steps, returns its result.
Job = Generator[Step, None, T]
#: Called with each step, which is the share of the work done as a number; its `message` says more.
Progress = Callable[[Step], object]


def silent(step: Step) -> None:
    """No progress is shown."""


def run(job: Job[T], progress: Progress = silent) -> T:
    """What a job returns; it is closed, and its threads with it, whatever `progress` raises."""
    check_callable("progress", progress)
    with closing(job):
        while True:
            try:
                step = next(job)
            except StopIteration as stop:
                result: T = stop.value
                return result
            progress(step)


def part(job: Job[T], start: float, stop: float, message: str = "", name: str = "") -> Job[T]:
    """A job as a part of a longer one: its steps run from `start` to `stop`.

    Args:
        job: the part.
        start, stop: shares of the longer job between which it lies.
        message: for steps that have none.
        name: of the part, before each message.
    """
    prefix = f"{name}: " if name else ""
    with closing(job):
        while True:
            try:
                step = next(job)
            except StopIteration as end:
                result: T = end.value
                return result
            yield Step(start + (stop - start) * step, f"{prefix}{step.message or message}")
