"""How many threads the core uses: one setting, else the usual environment variables, else all cores."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Event, Lock, local
from typing import TYPE_CHECKING, TypeVar

from arise_core.errors import InputError

if TYPE_CHECKING:
    from threadpoolctl import threadpool_limits

T = TypeVar("T")
R = TypeVar("R")

_chosen: int | None = None
_here = local()  # has `alone` in threads of `in_order`
ENVIRONMENT = ("ARISE_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")


def count() -> int:
    """Threads in use: `set_count`, else ARISE_NUM_THREADS, OMP_NUM_THREADS or NUMBA_NUM_THREADS, else all.

    One in a thread of `in_order`, which has others beside it.
    """
    if getattr(_here, "alone", False):
        return 1
    if _chosen is not None:
        return _chosen
    for name in ENVIRONMENT:
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > 0:
            return int(value)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_count(n: int | None) -> None:
    """Use n threads from now on; None goes back to the environment.

    Raises:
        ValueError: n < 1.
    """
    global _chosen
    if n is not None and n < 1:
        raise InputError(f"`n` threads must be at least 1, got {n}")
    _chosen = n


def in_order(
    function: Callable[[T], R],
    items: Iterable[T],
    most: int | None = None,
    name: str = "arise",
    stop: Event | None = None,
) -> Generator[R]:
    """Results of a call for each item, in their order, by several threads, which are a few items ahead.

    Args:
        function: releases the interpreter lock for the most part.
        items: one call each.
        most: threads, at most; default: `count()`.
        name: that theirs begin with.
        stop: set before the threads are waited for at the end, also after an error or an interrupt: what lasts long
            looks at it, and gives up.
    """
    several = list(items)
    n = min(count() if most is None else most, len(several))
    if n <= 1:
        for item in several:
            yield function(item)
        return
    pool = ThreadPoolExecutor(n, name, initializer=lambda: setattr(_here, "alone", True))
    pending: deque[Future[R]] = deque()
    try:
        for item in several:
            pending.append(pool.submit(function, item))
            if len(pending) == 3 * n:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        if stop is not None:
            stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


#: Threads that are inside `one_torch_thread`, and the number of threads an operation before the first came.
_lock, _inside, _before = Lock(), 0, 1
#: Threads that are inside `one_blas_thread`, and what each of them has set, the first one first.
_blas_inside = 0
_limits: list[threadpool_limits] = []


def _forked() -> None:
    """In a forked process the threads that were inside are not there."""
    global _lock, _inside, _blas_inside
    _lock, _inside, _blas_inside = Lock(), 0, 0
    _limits.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let numpy's and scipy's linear algebra use one thread: with more, its sums have other last bits.

    The number is one of the process. Of several threads that want it the last one takes it back.
    """
    from threadpoolctl import threadpool_limits

    global _blas_inside
    with _lock:
        _blas_inside += 1
        _limits.append(threadpool_limits(limits=1, user_api="blas"))  # each time: libraries may have come
    try:
        yield
    finally:
        with _lock:
            _blas_inside -= 1
            if _blas_inside == 0:
                _free_blas()
                while _limits:
                    _limits.pop().restore_original_limits()
                _free_blas()


def _free_blas() -> None:
    """From threadpoolctl 3.8 on only the thread that set a number may set another one, unless it is freed."""
    for library in _kinds_of_blas():
        free = getattr(library, "clear_controlling_thread", None)
        if free is not None:
            free(force=True)


@cache
def _kinds_of_blas() -> frozenset[type]:
    """Those that are loaded when somebody first was inside; numpy's is."""
    from threadpoolctl import ThreadpoolController

    return frozenset(type(library) for library in ThreadpoolController().lib_controllers)


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Let torch use one thread an operation: its results then depend on no number of threads.

    Of several threads that want it the last one takes it back. Part of torch's number is one of the process, part one
    of each thread: threads that work for this one set theirs by `alone`, and a thread that leaves while others are
    inside keeps its own.
    """
    import torch

    global _inside, _before
    with _lock:
        if _inside == 0:
            _before = torch.get_num_threads()
        _inside += 1
    alone()
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                torch.set_num_threads(_before)


def alone() -> None:
    """Let torch use one thread an operation in this thread, within `one_torch_thread`."""
    import torch

    torch.set_num_threads(1)
