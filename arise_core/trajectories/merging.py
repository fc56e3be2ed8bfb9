"""Results of parts of a trajectory (`shard`) joined to those of the whole."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from arise_core.errors import InputError, check_type
from arise_core.progress import Job, Progress, Step, run, silent
from arise_core.runtime.ledger import Facts, require_same
from arise_core.trajectories.store import Store, TrajectoryResults

#: Rows that are written at once.
ROWS = 256


def merge(
    parts: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> TrajectoryResults:
    """Join the results of all parts of a trajectory; the parts stay. Rows are those of a run without parts.

    Args:
        parts: folders that `trajectory` wrote with `shard=(1, n)` to `(n, n)`, in any order.
        out: folder for the results; the same run goes on with them.
        overwrite: replace results that are there.
        progress: called with the share of the work done.

    Raises:
        InputError: parts of other runs, or not all parts.
        FileError: a part is damaged, or the results cannot be written.
    """
    return run(merge_steps(parts, out, overwrite=overwrite), progress)


def merge_steps(
    parts: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str], *, overwrite: bool = False
) -> Job[TrajectoryResults]:
    """`merge` as a job, a step some rows."""
    check_type("parts", None if isinstance(parts, str) else parts, Sequence, "folders with results")
    check_type("out", out, (str, os.PathLike), "the name of a folder")
    opened = [TrajectoryResults.open(part) for part in parts]
    known = _common(opened)
    n = len(opened)
    first = opened[0]
    store = Store.open(
        Path(out), known, first.classes, bool(known["atoms"]), bool(known["maps"]), bool(overwrite)
    )
    try:
        store.note_files(first.files)
        _note_end(store, [part.frames for part in opened], known)
        for part in opened:
            k = int(part.facts["shard"][0]) - 1
            store.note(part.notes)
            for begin in range(0, len(part), ROWS):
                chosen = range(begin, min(begin + ROWS, len(part)))
                rows = [replace(row, row=row.row * n + k) for row in part.rows(chosen)]
                store.write([row for row in rows if row.row not in store.done])
                yield Step((k + begin / len(part)) / n, f"part {k + 1} of {n}")
    finally:
        store.close()
    yield Step(1.0)
    return TrajectoryResults.open(out)


def _note_end(store: Store, ends: Sequence[int], known: Facts) -> None:
    """Keep how many frames all parts of a run with averages have seen; rows of what saw fewer are joined anew.

    Args:
        store: of the whole.
        ends: frames that each part saw, 0 of those that did not come to their end: their rows have whole windows.
        known: facts of the run.
    """
    end, before = min((n for n in ends if n), default=0), store.frames
    if end <= before:
        return
    if before:
        first = before - known["average"] // 2  # the first frame whose window was not whole
        for row in sorted(store.done):
            if known["first"] + row * known["every"] >= first:
                store.reopen(row)
    store.note_frames(end)


def _common(parts: Sequence[TrajectoryResults]) -> Facts:
    """The facts of the run that all parts are of.

    Raises:
        InputError: they are of several runs, or not all there are.
    """
    if not parts:
        raise InputError("`parts` is empty")
    facts = [{**part.facts, "shard": [1, 1]} for part in parts]
    advice = "All `parts` must be of one run"
    for part, known in zip(parts, facts, strict=True):
        require_same(facts[0], known, f"part {str(part.path)!r}", advice)
        if part.files != parts[0].files:
            raise InputError(f"part {str(part.path)!r} is of other files; nothing was changed. {advice}")
    n = int(parts[0].facts["shard"][1])
    given = sorted(int(part.facts["shard"][0]) for part in parts)
    if any(int(part.facts["shard"][1]) != n for part in parts) or given != list(range(1, n + 1)):
        said = ", ".join("{} of {}".format(*part.facts["shard"]) for part in parts)
        raise InputError(f"`parts` must be all parts of a run, each once, got {said}")
    return dict(facts[0])
