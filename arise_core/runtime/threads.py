"""How many threads the core uses: one setting, else the usual environment variables, else all cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let numpy's and scipy's linear algebra use one thread: with more, its sums have other last bits."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Let torch use one thread an operation: its results then depend on no number of threads."""
    import torch

    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
