"""How many threads the core uses: one setting, else the usual environment variables, else all cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from arise_core.errors import InputError

_chosen: int | None = None
ENVIRONMENT = ("ARISE_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")


def count() -> int:
    """Threads in use: `set_count`, else ARISE_NUM_THREADS, OMP_NUM_THREADS or NUMBA_NUM_THREADS, else all."""
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


#: Threads that are inside `one_torch_thread`, and the number of threads an operation before the first came.
_lock, _inside, _before = Lock(), 0, 1


def _forked() -> None:
    """In a forked process the threads that were inside are not there."""
    global _lock, _inside
    _lock, _inside = Lock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let numpy's and scipy's linear algebra use one thread: with more, its sums have other last bits."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


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
