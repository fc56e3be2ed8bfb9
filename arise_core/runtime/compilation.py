"""Compile loops with numba: kept on disk where that is possible, announced when it takes a while."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from typing import Any

import numba
from numba.core import event

logger = logging.getLogger("arise_core")


#: What the compiler may do with floating-point numbers beyond the letter: fuse, reorder sums, forget the sign of zero.
FLAGS = {"contract", "reassoc", "nsz"}


class _Announcer(event.Listener):
    """Says once a process that loops of ours are being compiled, and where they are kept."""

    def __init__(self) -> None:
        self.ours: set[Any] = set()
        self._said = False
        self._lock = threading.Lock()

    def on_start(self, event: Any) -> None:
        """Something is about to be compiled that is not on the disk."""
        dispatcher: Any = event.data.get("dispatcher")
        with self._lock:
            if self._said or dispatcher not in self.ours:
                return
            self._said = True
        folder = dispatcher.stats.cache_path
        if folder is None:
            logger.warning(
                "ARISE compiles its loops (under a minute) in every process: no directory to keep them in can be "
                "written; set NUMBA_CACHE_DIR to one"
            )
        else:
            logger.warning(
                "ARISE compiles its loops (under a minute, the first time only); kept in %s", folder
            )

    def on_end(self, event: Any) -> None:
        """Nothing to say."""


_announcer = _Announcer()
event.register("numba:compile", _announcer)  # type: ignore[no-untyped-call]


def jit_inline(function: Any) -> Any:
    """Compile a part of loops into each loop that calls it.

    Otherwise a loop compiled in this process calls the part's own code and one loaded from the disk a copy of it
    that was optimised with the loop: the same numbers but for the last bit.
    """
    return numba.njit(nogil=True, fastmath=FLAGS, forceinline=True)(function)


def jit(function: Any) -> Any:
    """Compile on first use, keep on disk, release the interpreter lock while running.

    numba keeps compiled code in NUMBA_CACHE_DIR, beside the source, or in the user's cache directory,
    whichever can be written. Where none can, it is compiled again in every process.
    """
    dispatcher = numba.njit(nogil=True, fastmath=FLAGS)(function)
    if not hasattr(dispatcher, "enable_caching"):  # NUMBA_DISABLE_JIT: the function itself
        return dispatcher
    if _has_place(function):
        with contextlib.suppress(RuntimeError):  # "no locator available"
            dispatcher.enable_caching()
    _announcer.ours.add(dispatcher)
    return dispatcher


def _has_place(function: Any) -> bool:
    """Whether numba may look for a directory: where the user has no home, it makes one of the name `~` right here."""
    return bool(
        os.environ.get("NUMBA_CACHE_DIR")
        or os.environ.get("XDG_CACHE_HOME")
        or os.path.isabs(os.path.expanduser("~"))
        or os.access(os.path.dirname(function.__code__.co_filename), os.W_OK)
    )
