"""Phases over time: a picture of the shares of the classes, and what happened when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from arise_core.crystals.naming import NONE, REJECTED
from arise_core.errors import InputError
from arise_core.explore.figures_in_space import new_axes
from arise_core.explore.palette import COLOURS, OTHERS
from arise_core.explore.palette import REJECTED as REJECTED_COLOUR
from arise_core.geometry.arrays import BoolArray, IntArray
from arise_core.settings import check_number
from arise_core.trajectories.store import TrajectoryResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Frames for which something must last to be an event.
LASTING = 3
#: Atoms of a connected group that is a nucleus.
NUCLEUS = 50
#: Classes with a smaller largest share are not drawn.
SEEN = 0.01


@dataclass(frozen=True)
class Event:
    """Something that happened between two frames."""

    kind: str  # "melting", "crystallisation", "transformation" or "first stable nucleus"
    before: str  # what most atoms were: a class or "rejected"; "" of nuclei
    after: str  # what they became, or the class of the nucleus
    rows: tuple[
        int, int
    ]  # the last frame before, the first one after; the first row of all has no frame before: -1
    steps: tuple[int, int]  # their time steps, or rows; -1 likewise

    def __str__(self) -> str:
        what = f"{self.kind}: {self.before} → {self.after}" if self.before else f"{self.kind}: {self.after}"
        begin = "begin" if self.rows[0] < 0 else f"frame {self.rows[0]} (step {self.steps[0]})"
        return f"{what}, between {begin} and frame {self.rows[1]} (step {self.steps[1]})"


def events(results: TrajectoryResults, *, lasting: int = LASTING, nucleus: int = NUCLEUS) -> list[Event]:
    """What happened in a trajectory, in order.

    *Melting*, *crystallisation*, *transformation*: what more than half of the atoms are changes for `lasting` frames or
    to the end: from a class to rejected (no crystal that the model knows: look whether it is a melt), the other way
    round, or to another class. It happened between the last frame in which more than half were of the old kind and the
    first of the new. Frames in doubt, where the 95 % interval of the largest share holds a half, are passed over: they
    make no event, and lie between those two frames. *First stable nucleus*: in a frame that is mostly rejected, the
    largest connected group of a class has at least `nucleus` atoms, and so in all frames up to one that is not mostly
    rejected, or to the end, in `lasting` ones at the least; one that is there in the first of these, as what is left of
    a crystal, is no event.

    Args:
        results: of the trajectory; frames without results are passed over.
        lasting: frames.
        nucleus: atoms.
    """
    lasting = check_number("lasting", lasting, whole=True, low=1)
    nucleus = check_number("nucleus", nucleus, whole=True, low=1)
    rows = np.flatnonzero(results.done)
    if not len(rows):
        return []
    names = [str(n) for n in results.data["class"].values]
    rows, main = _kinds(results, rows, names)
    found = [
        *_changes(results, rows, main, names, lasting),
        *_nuclei(results, rows, main, names, lasting, nucleus),
    ]
    return sorted(found, key=lambda e: (e.rows[1], e.kind))


def _kinds(results: TrajectoryResults, rows: IntArray, names: list[str]) -> tuple[IntArray, IntArray]:
    """Rows that are in no doubt of what most atoms are, and what that is: a class, or -1 for none of them."""
    share, low, high = (
        np.asarray(results.data[name].values)[rows] for name in ("share", "share_low", "share_high")
    )
    most = share.argmax(axis=1)
    low, high = (np.take_along_axis(a, most[:, None], axis=1)[:, 0] for a in (low, high))
    main = np.where((low > 0.5) & (most != names.index(NONE)), most, -1)
    sure = (low > 0.5) | (high <= 0.5)
    return rows[sure], main[sure]


def _changes(
    results: TrajectoryResults, rows: IntArray, main: IntArray, names: list[str], lasting: int
) -> list[Event]:
    found = []
    now, last = -1, -1
    for k, kind in enumerate(main):
        if kind >= 0 and kind != now:
            later = main[k : k + lasting]
            if (later == kind).all() and now >= 0:
                found.append(_event(results, rows, (last, k), names[now], names[kind]))
            if (later == kind).all() or now < 0:
                now = kind
        if kind == now:
            last = k
    return found


def _event(
    results: TrajectoryResults, rows: IntArray, at: tuple[int, int], before: str, after: str, kind: str = ""
) -> Event:
    if not kind:
        kind = (
            "melting" if after == REJECTED else "crystallisation" if before == REJECTED else "transformation"
        )
    first, second = (int(rows[k]) for k in at)
    steps = results.steps
    return Event(kind, before, after, (first, second), (int(steps[first]), int(steps[second])))


def _nuclei(
    results: TrajectoryResults, rows: IntArray, main: IntArray, names: list[str], lasting: int, nucleus: int
) -> list[Event]:
    largest = np.asarray(results.data["largest"].values)[rows]
    melt = main == names.index(REJECTED)
    found = []
    for k in np.flatnonzero((largest >= nucleus).any(axis=0)):
        for begin, end in _runs(melt):
            stays = largest[begin:end, k] >= nucleus
            gaps = np.flatnonzero(~stays)
            first = int(gaps[-1]) + 1 if len(gaps) else 0
            if len(stays) - first >= min(lasting, len(stays)) and 0 < first < len(stays):
                at = (begin + first - 1, begin + first)
                found.append(_event(results, rows, at, "", names[k], "first stable nucleus"))
    return found


def _runs(values: BoolArray) -> list[tuple[int, int]]:
    """Begin and end of each stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], values, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def draw_timeline(results: TrajectoryResults, *, axes: Axes | None = None) -> Axes:
    """Shares of the classes over time with their credible intervals, and events as dashed lines.

    Args:
        results: of the trajectory.
        axes: to draw into; None: of a new figure.

    Raises:
        InputError: no frame has results.
    """
    rows = np.flatnonzero(results.done)
    if not len(rows):
        raise InputError("`results` has no frame with results yet")
    panel = axes or new_axes()
    steps = results.steps[rows]
    of_steps = bool((np.asarray(results.data["step"].values)[rows] >= 0).all())
    shown = [n for n in results.present if n != NONE and results.share(n)[rows, 0].max() >= SEEN]
    crystals = [n for n in shown if n != REJECTED]
    for name in shown:
        share, low, high = 100 * results.share(name)[rows].T
        k = crystals.index(name) if name in crystals else 0
        colour = REJECTED_COLOUR if name == REJECTED else COLOURS[k] if k < len(COLOURS) else OTHERS
        panel.plot(steps, share, color=colour, label=name, marker="." if len(rows) < 50 else "")
        panel.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
    for number, event in enumerate(events(results)):
        panel.axvline(
            float(np.mean([s for s in event.steps if s >= 0])),
            color=OTHERS,
            linestyle="--",
            linewidth=0.8,
            label=None if number else "event",
        )
    panel.set_xlabel("time step" if of_steps else "frame")
    panel.set_ylabel("share of the atoms (%)")
    panel.set_ylim(0, 100)
    panel.legend(frameon=False, fontsize="small")
    return panel
