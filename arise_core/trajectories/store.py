"""The store of a trajectory's results: a Zarr folder that xarray opens, with an index of the frames that are done.

Dimensions are `frame`, `class` (those of the model, "rejected" and "none"), `crystal` (those of the model), `quantile`
and, where values at atoms or maps are kept, `atom` and `box`; see `columns`. A frame's values are written first and its
`status` last, each in one step: a kill leaves frames that are done, and frames that are not. `status` is 0 for frames
that are not done, 1 for those that are, 2 for those that failed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from arise_core.crystals.naming import NONE, REJECTED
from arise_core.errors import ExistingFileError, FileError, InputError, MissingFileError
from arise_core.geometry.arrays import IntArray
from arise_core.model.card import class_of
from arise_core.model.classes import ClassTable
from arise_core.model.top import RANKS
from arise_core.runtime.files import check_folder, file_errors, linked, remove_leftovers, temporary_place
from arise_core.runtime.ledger import Facts, require_same
from arise_core.runtime.locks import Claim
from arise_core.runtime.stores import (
    DAMAGE,
    StoredArray,
    all_pieces_written,
    new_array,
    new_store,
    open_store,
    zarr_package,
)
from arise_core.trajectories.columns import (
    AT_ATOMS,
    AT_BOXES,
    ATOMS,
    BOXES,
    COLUMNS,
    DONE,
    FAILED,
    FRAMES,
    LONG,
    OF_MAPS,
    OPEN,
    REASON,
)
from arise_core.trajectories.kept import KeptMap
from arise_core.trajectories.rows import PROBES, QUANTILES, Row

if TYPE_CHECKING:
    import xarray

KIND = "ARISE trajectory"
FORMAT = 2
ANOTHER = "Name another one, or use `--overwrite` to start again"


class Store:
    """Results that are being written. Create with `Store.open`."""

    def __init__(self, path: Path, group: Any, claim: Claim) -> None:
        self.path = path
        self._group = group
        self._claim = claim
        self._names = [n for n in (*LONG, *OF_MAPS, *reversed(COLUMNS)) if n in group]
        status = StoredArray(group, "status", path)[:]
        #: Rows of the frames that are done.
        self.done = set(np.flatnonzero(status != OPEN).tolist())
        self.failed = int((status == FAILED).sum())

    @classmethod
    def open(
        cls,
        path: Path,
        known: Facts,
        classes: ClassTable,
        atoms: bool,
        maps: bool,
        overwrite: bool,
    ) -> Store:
        """Make a store, or go on with one that a run with the same facts left.

        Args:
            path: of the folder.
            known: facts of the run.
            classes: of the model.
            atoms: whether values at atoms are kept.
            maps: whether maps are.
            overwrite: replace a store that is there.

        Raises:
            ExistingFileError: something else is there; nothing is changed.
            InputError: a store of another run; nothing is changed.
            FileError: another run writes to it, or the system does not let it be written.
        """
        zarr_package()  # told before the place is tried
        what = f"`out` {str(path)!r}"
        with file_errors(f"{what} cannot be written"):
            path = linked(path)
            path.parent.mkdir(parents=True, exist_ok=True)
        check_folder(path.parent, what)
        remove_leftovers(path.parent, path.name)
        claim = Claim.of(path, what)
        try:
            there = path.is_dir() and any(path.iterdir())
            if path.exists() and not path.is_dir():
                raise ExistingFileError(f"{what} exists and is no folder; nothing was changed")
            if there and overwrite:
                _facts(path, what)
                with file_errors(f"{what} cannot be removed"):
                    shutil.rmtree(path)
                there = False
            if there:
                before = _facts(path, what)
                require_same(before, known, what, ANOTHER)
            else:
                _make(path, known, classes, atoms, maps)
            with _writing(path):
                store = cls(path, open_store(path, "r+"), claim)
                store._grow()
                return store
        except BaseException:
            claim.release()
            raise

    def close(self) -> None:
        """Let others write to it."""
        self._claim.release()

    def write(self, found: Sequence[Row]) -> None:
        """Write rows at their places; their status last.

        Raises:
            FileError: the system does not let it; rows before are kept.
        """
        if not found:
            return
        self.note(note for row in found for note in row.notes)  # before what it is about counts as done
        with _writing(self.path), all_pieces_written():
            self._grow(
                frame=max(r.row for r in found) + 1,
                atom=max(0 if r.label is None else len(r.label) for r in found),
                box=max(0 if r.map is None else len(r.map) for r in found),
            )
            for name in self._names:
                if name in LONG:
                    for row in found:
                        values = _value(name, row)
                        if values is not None:
                            self._group[name][row.row, : len(values)] = values
                elif name != "status":
                    self._put(name, found)
            self._put("status", found)
        for row in found:
            self.done.add(row.row)
            self.failed += bool(row.error)

    def _put(self, name: str, found: Sequence[Row]) -> None:
        """One column of neighbouring rows in one step."""
        array = self._group[name]
        low, high = min(r.row for r in found), max(r.row for r in found) + 1
        part = StoredArray(self._group, name, self.path)[low:high]
        for row in found:
            value = _value(name, row)
            if value is not None:
                part[row.row - low] = value
        array[low:high] = part

    def note_files(self, files: Sequence[str]) -> None:
        """Keep the names of the files of the run; more may come behind those of before.

        Raises:
            InputError: others than before.
        """
        known = [os.path.abspath(path) for path in files]
        before = list(self._group.attrs.get("files", []))
        if known[: len(before)] != before:
            k = next((k for k, (a, b) in enumerate(zip(before, known, strict=False)) if a != b), len(known))
            raise InputError(
                f"`out` {str(self.path)!r} was made of other files: file {k} was {before[k]!r}, now "
                f"{known[k] if k < len(known) else 'there is none'!r}; nothing was changed. {ANOTHER}"
            )
        if known != before:
            with _writing(self.path):
                self._group.attrs["files"] = known

    def note(self, notes: Iterable[str]) -> None:
        """Keep what was assumed, each once."""
        before = list(self._group.attrs.get("notes", []))
        known = list(dict.fromkeys([*before, *notes]))
        if known != before:
            with _writing(self.path):
                self._group.attrs["notes"] = known

    @property
    def frames(self) -> int:
        """Frames that there were when a run with averages came to its end; 0 before."""
        return int(self._group.attrs.get("frames", 0))

    def note_frames(self, n: int) -> None:
        """Keep how many frames there are: the windows of the last ones are not whole."""
        if n != self.frames:
            with _writing(self.path):
                self._group.attrs["frames"] = n

    def reopen(self, row: int) -> None:
        """Count a row as not done, if it is."""
        if row in self.done:
            with _writing(self.path), all_pieces_written():
                self.failed -= int(StoredArray(self._group, "status", self.path)[row : row + 1][0]) == FAILED
                self._group["status"][row : row + 1] = OPEN
            self.done.discard(row)

    def _grow(self, **sizes: int) -> None:
        """Make all arrays long enough, and equally long: a kill may have come between two of them."""
        columns = {**COLUMNS, **OF_MAPS, **LONG}
        for name in self._names:
            for dimension, n in zip(columns[name].dims, self._group[name].shape, strict=True):
                sizes[dimension] = max(sizes.get(dimension, 0), n)
        for name in self._names:
            array = self._group[name]
            shape = [sizes[dimension] for dimension in columns[name].dims]
            if tuple(shape) != array.shape:
                array.resize(tuple(shape))


def _value(name: str, row: Row) -> Any:
    if name == "status":
        return FAILED if row.error else DONE
    if name == "reason":
        return np.frombuffer(row.error.encode()[:REASON].ljust(REASON, b"\0"), dtype=np.uint8)
    if name.startswith("map_"):
        return None if row.map is None else getattr(row.map, name.removeprefix("map_"))
    return getattr(row, name)


def _make(path: Path, known: Facts, classes: ClassTable, atoms: bool, maps: bool) -> None:
    """An empty store, in its place when it is whole."""
    names = [*classes.short, REJECTED, NONE]
    sizes = {
        "frame": 0, "class": len(names), "crystal": len(classes), "quantile": len(QUANTILES), "byte": REASON,
        "probe": PROBES, "axis": 3, "edge": 3, "atom": 0, "box": 0, "rank": RANKS,
    }  # fmt: skip
    chunks = {**sizes, "frame": FRAMES, "atom": ATOMS, "box": BOXES}
    kept = {**COLUMNS, **(AT_ATOMS if atoms else {}), **({**OF_MAPS, **AT_BOXES} if maps else {})}
    with temporary_place(path) as part, _writing(path):
        group = new_store(part)
        for name, column in kept.items():
            shape = [sizes[d] for d in column.dims]
            pieces = [1 if d == "frame" and name in LONG else chunks[d] for d in column.dims]
            array = new_array(
                group, name, shape, pieces, column.dtype, fill_value=column.empty, dimension_names=column.dims,
            )  # fmt: skip
            array.attrs.update({"units": column.units, "long_name": column.text})
        group.attrs.update({
            "kind": KIND, "format": FORMAT, "facts": known, "classes": names, "table": [asdict(c) for c in classes],
            "quantiles": list(QUANTILES),
        })  # fmt: skip
        if path.is_dir():
            path.rmdir()
        os.replace(part, path)


def _facts(path: Path, what: str) -> Facts:
    """The facts of the run that a folder holds.

    Raises:
        ExistingFileError: it holds something else.
    """
    try:
        attributes = dict(open_store(path).attrs)
    except (OSError, ValueError, KeyError, TypeError):
        attributes = {}
    if attributes.get("kind") != KIND or not isinstance(attributes.get("facts"), dict):
        raise ExistingFileError(f"{what} exists and holds something else; nothing was changed")
    if attributes.get("format") != FORMAT:
        raise InputError(f"{what} has format {attributes.get('format')!r:.40}, this version writes {FORMAT}")
    return dict(attributes["facts"])


def _check_pieces(place: Path, arrays: Mapping[str, StoredArray], status: NDArray[Any]) -> None:
    """Refuse results of which a piece is missing that was written.

    Raises:
        FileError: names the folder and the array.
    """
    blocks = len(np.unique(np.flatnonzero(status != OPEN) // FRAMES))
    for name, array in arrays.items():
        if array.pieces < blocks:
            raise FileError(f"results {str(place)!r} are damaged: a piece of {name!r} is missing")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What the system says against a store, as our error."""
    with file_errors(f"`out` {str(path)!r} cannot be written"):
        yield


@dataclass(frozen=True, repr=False)
class TrajectoryResults:
    """What is known of the frames of a trajectory. Open with `TrajectoryResults.open`.

    Rows are frames in the order of the run: file by file, frame by frame. Values of frames that failed, or are not
    done, are NaN (n_atoms: 0).
    """

    path: Path
    data: xarray.Dataset  # see `COLUMNS`
    facts: Mapping[str, Any]
    classes: ClassTable  # of the model
    files: tuple[str, ...]  # of the run
    notes: tuple[str, ...]  # what was assumed of the frames, such as elements of types
    _group: Any

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> TrajectoryResults:
        """Results that `trajectory` wrote; a run may still be writing them.

        Raises:
            MissingFileError: there is no such folder.
            FileError: it holds something else.
        """
        import xarray

        place = Path(path)
        if not place.is_dir():
            raise MissingFileError(f"results {str(place)!r} do not exist")
        facts = _facts(place, f"results {str(place)!r}")
        try:
            group = open_store(place)
            attributes = dict(group.attrs)
            names = attributes["classes"]
            columns = {**COLUMNS, **(OF_MAPS if "map_shape" in group else {})}
            arrays = {name: StoredArray(group, name, place) for name in columns}
            n = min(array.shape[0] for array in arrays.values())  # a run may be making them longer
            read = {name: array[:n] for name, array in arrays.items()}
            _check_pieces(place, arrays, read["status"])
            values = {name: (c.dims, read[name], dict(group[name].attrs)) for name, c in columns.items()}
            coordinates = {"class": names, "crystal": names[:-2], "quantile": attributes["quantiles"]}
            data = xarray.Dataset(values, coordinates, {"title": KIND, "model": facts["model"]})
            return cls(
                place,
                data,
                facts,
                ClassTable(class_of(row, f"table[{k}]") for k, row in enumerate(attributes["table"])),
                tuple(attributes.get("files", ())),
                tuple(attributes.get("notes", ())),
                group,
            )
        except FileError:
            raise
        except DAMAGE as error:
            raise FileError(f"results {str(place)!r} are damaged: {error}") from error

    def rows(self, rows: Sequence[int] | None = None) -> Iterator[Row]:
        """What was kept of frames with results or a reason for having none.

        Args:
            rows: those that are wanted; None: all.
        """
        status, failed = self.data["status"].values, self.failed
        columns = {name: self.data[name].values for name in COLUMNS if name not in ("status", "reason")}
        for row in range(len(self)) if rows is None else rows:
            if status[row] != OPEN:
                of_atoms: dict[str, Any] = (
                    self.at_atoms(row) if self.has_atoms and status[row] == DONE else {}
                )
                if status[row] == DONE and self.has_map(row):
                    of_atoms["map"] = self.kept_map(row)
                values: dict[str, Any] = {name: array[row] for name, array in columns.items()}
                yield Row(row, error=failed.get(row, ""), **values | of_atoms)

    @property
    def frames(self) -> int:
        """Frames that there were when a run with averages came to its end; 0 before."""
        return int(self._group.attrs.get("frames", 0))

    @property
    def has_atoms(self) -> bool:
        """Whether values at atoms were kept."""
        return "label" in self._group

    def at_atoms(self, row: int) -> dict[str, NDArray[Any]]:
        """Values at the atoms of a frame: `label`, `doubt` and `group`, (n_atoms,); see `AT_ATOMS`.

        Atoms have the order that ASE gives them: of their identifiers, in dumps that have them, else of the file.

        Raises:
            InputError: they were not kept, or the frame has no results.
        """
        if not self.has_atoms:
            raise InputError(
                f"results {str(self.path)!r} hold no values at atoms: make them with `atoms=True`"
            )
        if not 0 <= row < len(self) or not self.done[row]:
            raise InputError(f"`row` must be that of a frame with results, got {row!r}")
        n = int(self.data["n_atoms"].values[row])
        values = {name: StoredArray(self._group, name, self.path)[row, :n] for name in AT_ATOMS}
        without = float(self.data["share"].values[row, -1])
        if n and without < 1 and (values["label"] == AT_ATOMS["label"].empty).all():
            raise FileError(
                f"results {str(self.path)!r} are damaged: values at the atoms of row {row} are missing"
            )
        return values

    @property
    def has_maps(self) -> bool:
        """Whether maps were kept."""
        return "map_shape" in self._group

    def has_map(self, row: int) -> bool:
        """Whether the map of a frame was kept."""
        return self.has_maps and bool(self.data["map_shape"].values[row].any())

    def kept_map(self, row: int) -> KeptMap:
        """The map of a frame.

        Raises:
            InputError: maps were not kept, or the frame has none: it was recognised as a whole, or has no results.
            FileError: it is damaged.
        """
        what = f"results {str(self.path)!r}"
        if not self.has_maps:
            raise InputError(f"{what} hold no maps: make them with `maps=True`")
        if not 0 <= row < len(self) or not self.done[row]:
            raise InputError(f"`row` must be that of a frame with results, got {row!r}")
        values = {name.removeprefix("map_"): self.data[name].values[row] for name in OF_MAPS}
        n = int(values["shape"].prod())
        if n == 0:
            raise InputError(f"`row` {row} has no map: the frame was recognised as a whole")
        for name, column in AT_BOXES.items():
            read = StoredArray(self._group, name, self.path)[row, :n]
            if len(read) != n or (read == column.empty).any():
                raise FileError(f"{what} are damaged: boxes of row {row} are missing in {name!r}")
            values[name.removeprefix("map_")] = read
        return KeptMap(**values)

    def map_at(self, row: int) -> xarray.Dataset:
        """The map of a frame over the axes of its grid, see `KeptMap.to_xarray`.

        Raises:
            InputError, FileError: as `kept_map`.
        """
        return self.kept_map(row).to_xarray(self.classes)

    def __len__(self) -> int:
        return int(self.data.sizes["frame"])

    def __repr__(self) -> str:
        done = self.done
        return f"<TrajectoryResults of {len(self)} frames, {int(done.sum())} recognised: {str(self.path)!r}>"

    @property
    def done(self) -> NDArray[np.bool_]:
        """Frames with results, (n_frames,)."""
        return np.asarray(self.data["status"].values == DONE)

    @property
    def failed(self) -> dict[int, str]:
        """Why frames failed, by row."""
        rows = np.flatnonzero(self.data["status"].values == FAILED)
        reasons = self.data["reason"].isel(frame=rows).values
        return {
            int(row): bytes(reason).rstrip(b"\0").decode("utf-8", errors="replace")
            for row, reason in zip(rows, reasons, strict=True)
        }

    @property
    def steps(self) -> IntArray:
        """Time steps of the frames, or their numbers in the run if not all have one, (n_frames,)."""
        steps = np.asarray(self.data["step"].values)
        known = self.done
        return steps if known.any() and (steps[known] >= 0).all() else np.arange(len(self))

    def share(self, name: str) -> NDArray[np.float64]:
        """Share of the atoms of a class, by its short name, "rejected" or "none", with its interval, (n_frames, 3).

        Raises:
            InputError: the model has no such class.
        """
        names = list(self.data["class"].values)
        if name not in names:
            raise InputError(f"`name` must be a class of the model or 'rejected', got {name!r}")
        parts = [self.data[k].sel({"class": name}).values for k in ("share", "share_low", "share_high")]
        return np.stack(parts, axis=1).astype(np.float64)

    @property
    def present(self) -> list[str]:
        """Classes that some atom has in some frame, and "rejected", the most frequent first."""
        share = np.asarray(self.data["share"].values)[self.done]
        if not len(share):
            return []
        mean = share.mean(axis=0)
        order = np.argsort(-mean, kind="stable")
        return [str(self.data["class"].values[k]) for k in order if mean[k] > 0]
