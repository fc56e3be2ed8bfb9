"""ARISE on the fly: attach it to a running simulation, keep a table of phases, stop at a transition."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import PropertyNotImplementedError, all_properties
from ase.calculators.singlepoint import SinglePointCalculator

from arise_core.crystals.naming import NONE, REJECTED
from arise_core.crystals.species import Types, parse_types
from arise_core.errors import ExistingFileError, InputError
from arise_core.model.classes import ClassTable
from arise_core.recognition.result import Recognition, recognise
from arise_core.runtime.files import file_errors
from arise_core.settings import DEFAULT_MODEL, RecognitionSettings
from ase_arise.annotation import write_results
from ase_arise.convert import ModelLike, as_model, to_material
from ase_arise.storage import packed

TABLES = (".csv", ".jsonl")
TRAJECTORIES = (".xyz", ".extxyz", ".traj")
Path_ = str | os.PathLike[str]


class StopSimulation(Exception):
    """Raised by an observer whose condition is met where the simulation cannot be stopped otherwise."""


@dataclass(frozen=True)
class Row:
    """One look at a running simulation."""

    step: int
    time_fs: float  # NaN where the dynamics has no time (optimisers)
    temperature_K: float  # from the momenta, NaN without
    label: str  # of the whole: short name, "rejected" or "none"
    mutual_information_bit: float  # mean over atoms
    rejection_uncertainty_bit: float  # mean over atoms
    rejected: float  # share of atoms that are none of the classes
    none: float  # share of atoms without a prediction
    fractions: dict[str, float] = field(default_factory=dict)  # shares of atoms by class, without zeros

    def share(self, name: str) -> float:
        """Share of the atoms of a class (short name), of "rejected" or of "none"."""
        return {REJECTED: self.rejected, NONE: self.none}.get(name, self.fractions.get(name, 0.0))


class AriseObserver:
    """Call it every step: `dyn.attach(AriseObserver(atoms, dyn=dyn, interval=100))`.

    Every `interval` steps it recognises the atoms (by a strided map, unless `mode` says otherwise), adds a
    `Row` to `rows`, and writes what it was asked to. The atoms are not changed. `result` holds the last
    `Recognition` with its map.

    Args:
        atoms: that the dynamics moves.
        dyn: the dynamics or optimiser, from which steps and time are known and which `stop` ends. Without,
            calls are counted.
        interval: steps between two looks. (`dyn.attach(observer, interval=100)` works too; use one of them.)
        table: .csv (a column for every class) or .jsonl file to which each row is appended at once: a crash
            loses at most the row that was being written.
        trajectory: .xyz, .extxyz or .traj file for annotated frames with energies and forces;
            `ase_arise.read` puts the arrays of .traj frames back in place.
        callback: called with each `Row`.
        stop: ends the simulation after the current step. `{"bcc": 0.9}`: when 90 % of the atoms are bcc;
            `{"rejected": 0.5}`: when the liquid reaches one half; or a function of the `Row`.
        append: go on with files that exist; a half-written last row is removed.
        overwrite: replace files that exist.
        model: a `Model`, a name of the zoo, or a path.
        types: elements by type or name, see `from_atoms`.
        **options: of `RecognitionSettings.of`: box_size, stride, passes, seed, mode (here "local"), ...

    Raises:
        TypeError, ValueError: an argument or atoms that are refused; at once, not hours later.
        FileExistsError: a file exists and neither `append` nor `overwrite` is given.
    """

    def __init__(
        self,
        atoms: Atoms,
        *,
        dyn: Any = None,
        interval: int = 1,
        table: Path_ | None = None,
        trajectory: Path_ | None = None,
        callback: Callable[[Row], Any] | None = None,
        stop: Mapping[str, float] | Callable[[Row], bool] | None = None,
        append: bool = False,
        overwrite: bool = False,
        model: ModelLike = DEFAULT_MODEL,
        types: Types = None,
        **options: Any,
    ) -> None:
        if interval < 1:
            raise InputError(f"`interval` must be at least 1, got {interval}")
        if append and overwrite:
            raise InputError("`append` and `overwrite` exclude each other")
        self.settings = RecognitionSettings.of({"mode": "local", **options})
        self.model = as_model(model)
        self.types = parse_types(types)
        self._material = to_material(atoms, types=self.types)
        self.atoms = atoms
        self.dyn = dyn
        self.interval = interval
        self.callback = callback
        self.stop = None if stop is None else _condition(stop, self.model.class_info)
        self.rows: list[Row] = []
        self.result: Recognition | None = None
        self.stopped = False
        self._calls = 0
        self._table = _path(table, TABLES, "table")
        self._trajectory = _path(trajectory, TRAJECTORIES, "trajectory")
        self._columns = [*_columns(), *self.model.class_info.short]
        self._prepare(append, overwrite)

    def __call__(self) -> None:
        """Look at the atoms if this step is due."""
        step = self._calls if self.dyn is None else int(self.dyn.nsteps)
        self._calls += 1
        if self.stopped and self.dyn is not None and step > self.dyn.max_steps:
            raise StopSimulation(f"the dynamics went on after step {self.rows[-1].step}")
        if step % self.interval == 0:
            self.look(step)

    def look(self, step: int) -> Row:
        """Recognise the atoms now, whatever the interval.

        Raises:
            StopSimulation: the condition of `stop` is met and `dyn` is not known.
        """
        self._material = to_material(self.atoms, types=self.types)
        self.result = recognise(self._material, self.model, self.settings)
        row = self._row(step, self.result)
        self.rows.append(row)
        if self._table is not None:
            _append_line(self._table, self._line(row))
        if self._trajectory is not None:
            self._write_frame(row, self.result)
        if self.callback is not None:
            self.callback(row)
        if self.stop is not None and self.stop(row):
            self._end(row)
        return row

    def _row(self, step: int, result: Recognition) -> Row:
        time = self.dyn.get_time() / units.fs if hasattr(self.dyn, "get_time") else float("nan")
        moving = self.atoms.has("momenta")
        shares = result.fractions
        rejected, none = shares.pop(REJECTED, 0.0), shares.pop(NONE, 0.0)
        return Row(
            step=step,
            time_fs=float(time),
            temperature_K=float(self.atoms.get_temperature()) if moving else float("nan"),
            label=result.label,
            mutual_information_bit=result.mutual_information,
            rejection_uncertainty_bit=result.rejection_uncertainty,
            rejected=rejected,
            none=none,
            fractions=shares,
        )

    def _end(self, row: Row) -> None:
        """Let the dynamics stop after this step, as if it had been asked for no more."""
        self.stopped = True
        if self.dyn is None:
            raise StopSimulation(
                f"condition met at step {row.step}: {row.label}, rejected {row.rejected:.1%}"
            )
        self.dyn.max_steps = self.dyn.nsteps

    # --- files ------------------------------------------------------------------------------------------

    def _prepare(self, append: bool, overwrite: bool) -> None:
        paths = [p for p in (self._table, self._trajectory) if p is not None]
        existing = [p for p in paths if p.exists()]
        if existing and not (append or overwrite):
            raise ExistingFileError(
                f"`{'table' if existing[0] == self._table else 'trajectory'}` {str(existing[0])!r} exists; "
                "nothing was changed. Use `append=True` to go on or `overwrite=True` to replace it"
            )
        if append and self._table in existing:
            _repair(self._table, self._header())
        for path in paths:
            with file_errors(f"file {str(path)!r} cannot be written"):
                path.parent.mkdir(parents=True, exist_ok=True)
                if overwrite:
                    path.unlink(missing_ok=True)
        if self._table is not None and not self._table.exists():
            _append_line(self._table, self._header())

    def _header(self) -> str:
        return _csv_line(self._columns) if self._table is not None and self._table.suffix == ".csv" else ""

    def _line(self, row: Row) -> str:
        values = asdict(row)
        assert self._table is not None
        if self._table.suffix == ".jsonl":
            clean = {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in values.items()}
            return json.dumps(clean) + "\n"
        shares = values.pop("fractions")
        return _csv_line([*values.values(), *(shares.get(c, 0.0) for c in self._columns[len(values) :])])

    def _write_frame(self, row: Row, result: Recognition) -> None:
        frame = write_results(_frozen(self.atoms), result, self.model.name, self._material)
        frame.info.update(arise_step=row.step, arise_time_fs=row.time_fs)
        assert self._trajectory is not None
        with file_errors(f"`trajectory` {str(self._trajectory)!r} cannot be written"):
            if self._trajectory.suffix == ".traj":
                with ase.io.Trajectory(self._trajectory, "a") as trajectory:
                    trajectory.write(packed(frame))
            else:
                ase.io.write(self._trajectory, frame, format="extxyz", append=True)


def _columns() -> list[str]:
    return [name for name in Row.__dataclass_fields__ if name != "fractions"]


def _condition(
    stop: Mapping[str, float] | Callable[[Row], bool], classes: ClassTable
) -> Callable[[Row], bool]:
    if callable(stop):
        return stop
    shares = {}
    for name, share in stop.items():
        if not 0 < share <= 1:
            raise InputError(f"`stop` must give shares in (0, 1], got {share} for {name!r}")
        known = name in (REJECTED, NONE)
        shares[name if known else classes.short[classes.find(name, "stop")]] = share
    return lambda row: any(row.share(name) >= share for name, share in shares.items())


def _path(path: Path_ | None, suffixes: tuple[str, ...], argument: str) -> Path | None:
    if path is None:
        return None
    if Path(path).suffix not in suffixes:
        raise InputError(f"`{argument}` must end in one of {', '.join(suffixes)}, got {str(path)!r}")
    return Path(path)


def _csv_line(values: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


def _append_line(path: Path, line: str) -> None:
    """Append a whole line and see to it that it is on the disk."""
    with file_errors(f"`table` {str(path)!r} cannot be written"), path.open("a", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _repair(path: Path, header: str) -> None:
    """Cut off a last line without an end, left by a crash.

    :raises ValueError: the columns are not those of the model.
    """
    with file_errors(f"`table` {str(path)!r} cannot be read"):
        content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole and not whole.startswith(header.encode()):
        raise InputError(
            f"`table` {str(path)!r} has other columns than this observer writes; nothing was changed"
        )
    if len(whole) < len(content) or (not whole and header):
        with file_errors(f"`table` {str(path)!r} cannot be written"), path.open("r+b") as file:
            file.truncate(len(whole))
            if not whole:
                file.write(header.encode())


def _frozen(atoms: Atoms) -> Atoms:
    """A copy with the results that are known without a calculation."""
    frame: Atoms = atoms.copy()
    if atoms.calc is None:
        return frame
    known = {}
    for name in all_properties:
        try:
            value = atoms.calc.get_property(name, atoms, allow_calculation=False)
        except PropertyNotImplementedError:
            continue
        if value is not None:
            known[name] = value
    frame.calc = SinglePointCalculator(frame, **known)
    return frame
