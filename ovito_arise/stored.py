"""The modifier "ARISE: stored results": what `arise trajectory` kept of a frame, put back on its particles."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ovito.data import DataCollection
from ovito.pipeline import ModificationNode, ModifierInterface
from ovito.traits import FilePath, OvitoObject
from ovito.vis import VoxelGridVis
from traits.api import Any as AnyTrait
from traits.api import Bool, Enum, Range

from arise_core.errors import InputError
from arise_core.geometry.arrays import FloatArray, IntArray
from arise_core.geometry.groups import NO_GROUP
from arise_core.model.classes import ALL, MISSING
from arise_core.settings import RecognitionSettings
from arise_core.trajectories.matching import Match, match
from arise_core.trajectories.store import TrajectoryResults
from ovito_arise import outputs
from ovito_arise.mapping import SHOWN
from ovito_arise.parameters import ClassNames, class_indices, refuse_unknown
from ovito_arise.unchanged import frame_seen, places_in, unchanged

__all__ = ["AriseStoredResults"]

COLORS = ("structure", "mutual information", "nothing")
REFUSE, PASS_ON = "refuse", "pass on"


class AriseStoredResults(ModifierInterface):
    """Put the results of `arise trajectory` back on the trajectory: nothing is computed, each frame is read.

    Particles get `Structure Type`, `ARISE Mutual Information` and `ARISE Group`, if the run kept values at atoms; all
    frames get attributes and the bar chart. A frame is known by where its atoms are, so that labels never land on
    others. See docs/ovito.md for all parameters and outputs.

    Raises:
        TypeError: an unknown parameter.
        TraitError, ValueError: a value that is out of range.
    """

    # Sessions and generated code name the class by its module: this is the one that stays.
    __module__ = "ovito_arise"

    results = FilePath(
        "", label="Results", ovito_group="Results", ovito_placeholder="run.zarr",
        desc="folder that `arise trajectory` wrote, or the file zarr.json in it",
    )  # fmt: skip
    missing = Enum(
        REFUSE, [REFUSE, PASS_ON], label="Frames without results", ovito_group="Results",
        desc="frames that failed or were not taken: refuse with the reason, or pass on as they are, with a note",
    )  # fmt: skip
    classes = ClassNames(
        ALL, label="Classes to consider", ovito_group="Labels", ovito_placeholder="FCC, HCP", **SHOWN,
        desc="particles of any other class become Other",
    )  # fmt: skip
    color_by = Enum(
        "structure", list(COLORS), label="Color particles by", ovito_group="Output", **SHOWN,
        desc="nothing: the colors of the particles stay as they are",
    )  # fmt: skip
    color_end = Range(
        low=0.0, value=0.3, exclude_low=True, label="Color scale ends at (bit)", ovito_group="Output", **SHOWN,
        desc="mutual information that gets the last color of the scale",
    )  # fmt: skip
    probabilities = ClassNames(
        "", label="Probabilities of", ovito_group="Output", ovito_placeholder="FCC, HCP", **SHOWN,
        desc="classes whose probabilities the voxel grid has",
    )  # fmt: skip
    voxel_grid = Bool(
        True, label="Voxel grid", ovito_group="Output", **SHOWN,
        desc="put out the map as voxel grid, if the run kept maps",
    )  # fmt: skip
    grid_vis = OvitoObject(VoxelGridVis, enabled=False, title="ARISE map")
    _opened = AnyTrait(None, transient=True)  # the results, and the stamp of their folder when they were read

    def __init__(self, **parameters: Any) -> None:
        refuse_unknown(self, parameters)
        super().__init__(**parameters)
        if parameters:
            self._check()

    def _check(self) -> None:
        """Refuse results that are none, and names that none of their classes has."""
        results = self._read() if self.results else None
        for name in ("classes", "probabilities"):
            text = getattr(self, name)
            if results is not None:
                class_indices(text, results.classes, name)
            elif text not in ("", ALL):
                raise InputError(f"`{name}` {text!r} are classes of the model of `results`, which is empty")

    # --- what OVITO calls -----------------------------------------------------------------------------------

    def modify(
        self, data: DataCollection, *, frame: int, pipeline_node: ModificationNode | None = None, **_: Any
    ) -> Generator[float | str, None, None]:
        """Add the outputs to a data collection."""
        yield "ARISE: reading results"
        source = unchanged(data, frame, pipeline_node)
        seen = frame_seen(source, pipeline_node)
        results = self._read()
        try:
            found: Match | str = match(results, seen)
        except InputError:
            found = ""
        if isinstance(found, str):  # a run may have gone on since
            results = self._read(again=True)
            found = match(results, seen)
        if isinstance(found, str):
            if self.missing == REFUSE:
                raise InputError(found)
            _write_missing(data, results, found)
            return
        self._write(data, results, found, source)

    def _write(
        self, data: DataCollection, results: TrajectoryResults, found: Match, source: DataCollection
    ) -> None:
        """Add the outputs of a frame, as `outputs.write` does those that were computed."""
        classes, suffix = results.classes, outputs.instance_suffix(data)
        chosen = class_indices(self.classes, classes, "classes")
        considered = None if len(chosen) in (0, len(classes)) else chosen
        shown = class_indices(self.probabilities, classes, "probabilities")
        doubt = float(results.data["mutual_information"].values[found.row])
        if results.has_atoms:
            names = outputs.of_properties(suffix)
            places = places_in(source, data)
            index, values, group = _at_particles(results, found, places, considered)
            ids = outputs.structure_types(index)
            particles = data.particles_
            outputs.typed_property(particles, "Structure Type", ids, outputs.element_types(classes))
            particles.create_property(f"ARISE Mutual Information{names}", data=values)
            particles.create_property(f"ARISE Group{names}", data=group)
            outputs.colour_particles(data, classes, self.color_by, self.color_end, suffix)
            counts = np.bincount(ids, minlength=len(classes) + 1)
            if len(places) != len(found.order):
                doubt = float(np.nanmean(values)) if np.isfinite(values).any() else np.nan
        else:
            counts = _counts(results, found.row, considered)
        outputs.bar_chart(data, counts, classes, f"{outputs.TABLE}{suffix}")
        if self.voxel_grid and results.has_map(found.row):
            fields = _fields(results, found, source, considered, shown)
            outputs.voxel_grid(data, f"{outputs.GRID}{suffix}", fields, classes, self.grid_vis)
        said = outputs.counted(counts, classes, considered)
        said |= {"mutual_information.mean": doubt, "stored.row": found.row, **_settings(results, found)}
        if results.has_atoms:
            said["without_answer"] = int(np.isnan(values).sum())
            said["groups.reach"] = float(results.data["reach"].values[found.row])
        if results.notes:
            said["notes"] = "; ".join(results.notes)
        outputs.set_attributes(data, {f"ARISE.{name}{suffix}": value for name, value in said.items()})

    # --- what is read -----------------------------------------------------------------------------------------

    def _read(self, again: bool = False) -> TrajectoryResults:
        """The results, read when they are new or asked for again.

        Raises:
            InputError: no results are named.
            FileError: missing, damaged, or something else.
        """
        if not self.results:
            raise InputError("`results` is empty: name the folder that `arise trajectory` wrote")
        place = Path(self.results)
        place = place.parent if place.name == "zarr.json" else place
        stamp = _stamp(place)
        if again or self._opened is None or self._opened[0] != stamp:
            self._opened = (stamp, TrajectoryResults.open(place))
        results: TrajectoryResults = self._opened[1]
        return results


def _write_missing(data: DataCollection, results: TrajectoryResults, reason: str) -> None:
    """An empty bar chart and attributes that are NaN: tables over all frames can be exported, and a second modifier is
    the second one in all frames.
    """
    suffix, none = outputs.instance_suffix(data), np.zeros(len(results.classes) + 1, dtype=np.int64)
    outputs.bar_chart(data, none, results.classes, f"{outputs.TABLE}{suffix}")
    values = dict.fromkeys([*outputs.counted(none, results.classes, None), "mutual_information.mean"], np.nan)
    said: dict[str, object] = {**values, "stored.row": -1, "notes": reason}
    outputs.set_attributes(data, {f"ARISE.{name}{suffix}": value for name, value in said.items()})


def _at_particles(
    results: TrajectoryResults, found: Match, places: IntArray, considered: Sequence[int] | None
) -> tuple[IntArray, FloatArray, NDArray[np.int32]]:
    """Class (-1: Other), mutual information (bit) and connected group (-1: none) of each particle.

    Args:
        results, found: of the frame.
        places: (n_particles,), which atom of the frame each particle is.
        considered: classes that keep their name; None: all.
    """
    stored = results.at_atoms(found.row)
    of_atom = np.empty(len(found.order), dtype=np.int64)
    of_atom[found.order] = np.arange(len(found.order))
    at = of_atom[places]
    label = stored["label"][at].astype(np.int64)
    named = label >= 0 if considered is None else np.isin(label, considered)
    group = np.where(named, stored["group"][at], NO_GROUP)
    return np.where(named, label, MISSING), stored["doubt"][at].astype(np.float64), group.astype(np.int32)


def _looked_at(results: TrajectoryResults, row: int) -> int:
    """Atoms of a frame that were recognised: all but sites without mass."""
    return int(results.data["n_atoms"].values[row] - results.data["left_out"].values[row])


def _counts(results: TrajectoryResults, row: int, considered: Sequence[int] | None) -> NDArray[np.int64]:
    """Atoms of each structure type, (n_classes + 1,), from their shares."""
    n_atoms, looked_at = int(results.data["n_atoms"].values[row]), _looked_at(results, row)
    share = results.data["share"].values[row, :-2].astype(np.float64)
    counts = np.rint(share * looked_at).astype(np.int64)
    if considered is not None:
        counts[np.setdiff1d(np.arange(len(counts)), considered)] = 0
    return np.concatenate([[n_atoms - counts.sum()], counts])


def _fields(
    results: TrajectoryResults,
    found: Match,
    source: DataCollection,
    considered: Sequence[int] | None,
    shown: Sequence[int],
) -> outputs.GridFields:
    """The map of a frame for the voxel grid, with its corner at that of the cell along periodic directions."""
    corner = np.zeros(3) if source.cell is None else np.asarray(source.cell)[:, 3]
    kept = results.kept_map(found.row).moved(found.shift).beginning_at(corner)
    index = kept.named
    if considered is not None:
        index = np.where(np.isin(index, considered), index, MISSING)
    scalars: dict[str, NDArray[Any]] = {
        "Confidence": kept.probabilities[:, 0],
        "Mutual Information": kept.mutual_information,
        "Reject Score": kept.reject_score,
        "Atoms": kept.n_atoms,
    }
    if results.facts["resolution"] == "sharp":
        scalars["Resolution"] = kept.resolution
    a, b, c = kept.shape.tolist()
    chosen = list(shown)
    return outputs.GridFields(
        kept.origin, kept.domain, kept.pbc, (a, b, c), index, scalars, chosen,
        kept.probabilities_of(np.array(chosen, dtype=np.int64)),
    )  # fmt: skip


def _settings(results: TrajectoryResults, found: Match) -> dict[str, object]:
    """Attributes that say what was used: model, and box size and stride where there were boxes of a known size."""
    facts = results.facts
    local = RecognitionSettings(mode=facts["mode"]).is_local(_looked_at(results, found.row))
    boxes = {name: facts[name] for name in ("box_size", "stride") if local}
    return {"model": facts["model"], **{k: float(v) for k, v in boxes.items() if not isinstance(v, str)}}


def _stamp(place: Path) -> tuple[object, ...]:
    """What changes when other results come to a place."""
    try:
        status = (place / "zarr.json").stat()
    except OSError:
        return (place,)
    return place, status.st_ino, status.st_mtime_ns
