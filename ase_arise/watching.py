"""What observers of running simulations share: a row a look, files that survive a crash, and when to stop."""

from __future__ import annotations

import csv
import io
import json
import os
import weakref
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError, all_properties
from ase.calculators.singlepoint import SinglePointCalculator

from arise_core.crystals.naming import NONE, REJECTED
from arise_core.crystals.species import Types, parse_types
from arise_core.errors import ExistingFileError, InputError, check_callable, check_type
from arise_core.model.classes import ClassTable
from arise_core.recognition.result import Recognition, recognise
from arise_core.runtime.files import check_place, file_errors, linked, write_atomically
from arise_core.runtime.locks import Claim
from arise_core.settings import RecognitionSettings, check_number
from ase_arise.annotation import write_results
from ase_arise.appending import append_frame, append_text, cut, cut_frames, last_step
from ase_arise.convert import Device, ModelLike, as_model, to_material

TABLES = (".csv", ".jsonl")
TRAJECTORIES = (".xyz", ".extxyz", ".traj")
Path_ = str | os.PathLike[str]


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


Condition = Mapping[str, float] | Callable[[Row], bool]


class Observer:
    """Recognises atoms again and again, and keeps what it finds. `AriseObserver` has what the arguments mean.

    Args:
        atoms: as they are at the start, to be refused at once if they cannot be recognised.
    """

    def __init__(
        self,
        atoms: Atoms,
        *,
        interval: int,
        table: Path_ | None,
        trajectory: Path_ | None,
        callback: Callable[[Row], Any] | None,
        stop: Condition | None,
        append: bool,
        overwrite: bool,
        model: ModelLike,
        device: Device,
        types: Types,
        options: Mapping[str, Any],
    ) -> None:
        self.interval = int(check_number("interval", interval, whole=True, low=1))
        if callback is not None:
            check_callable("callback", callback)
        if append and overwrite:
            raise InputError("`append` and `overwrite` exclude each other")
        self.settings = RecognitionSettings.of({"mode": "local", **options})
        self.model = as_model(model, device)
        self.types = parse_types(types)
        self._material = to_material(atoms, types=self.types)
        self.callback = callback
        self.stop = None if stop is None else _condition(stop, self.model.class_info)
        self.rows: list[Row] = []
        self.result: Recognition | None = None
        self.stopped = False
        self._table = _path(table, TABLES, "table")
        self._trajectory = _path(trajectory, TRAJECTORIES, "trajectory")
        self._columns = [*_columns(), *self.model.class_info.short]
        self._prepare(append, overwrite)

    def _look(self, atoms: Atoms, step: int, time_fs: float, temperature: float) -> Row:
        """Recognise atoms, keep the row, write it, and find out whether the simulation is to stop.

        Args:
            atoms: as they are now; they stay as they are.
            step: of the simulation.
            time_fs: of it; NaN: it has none.
            temperature: K; NaN: it has none.
        """
        self._material = to_material(atoms, types=self.types)
        self.result = recognise(self._material, self.model, self.settings)
        row = _row(self.result, step, time_fs, temperature)
        self.rows.append(row)
        if self._table is not None:
            with file_errors(f"`table` {str(self._table)!r} cannot be written"):
                append_text(self._table, self._line(row))
        if self._trajectory is not None:
            self._write_frame(atoms, row, self.result)
        if self.callback is not None:
            self.callback(row)
        if self.stop is not None and self.stop(row):
            self.stopped = True
            self._end(row)
        return row

    def _end(self, row: Row) -> None:
        """The condition of `stop` is met: let the simulation end."""
        raise NotImplementedError

    def _prepare(self, append: bool, overwrite: bool) -> None:
        places = {"table": self._table, "trajectory": self._trajectory}
        for argument, path in places.items():
            if path is None:
                continue
            what = f"`{argument}` {str(path)!r}"
            with file_errors(f"{what} cannot be written"):
                there = path.exists()
            if there and not (append or overwrite):
                raise ExistingFileError(
                    f"{what} exists; nothing was changed. Use `append=True` to go on or `overwrite=True` to replace it"
                )
            check_place(path, what, overwrite=True)
            with file_errors(f"{what} cannot be written"):
                path.parent.mkdir(parents=True, exist_ok=True)
            claim = Claim.of(path, what, shared=True)
            weakref.finalize(self, claim.release)
            if there and append:
                self._repair(path, what)
        if append and self._table is not None and self._trajectory is not None and self._trajectory.exists():
            self._forget_row_without_frame(self._table, self._trajectory)
        for path in places.values():
            if path is not None and overwrite:
                linked(path).unlink(missing_ok=True)
        if self._table is not None and not (self._table.exists() and self._table.stat().st_size):
            header = self._header()
            write_atomically(self._table, lambda place: place.write_text(header, encoding="utf-8"))

    def _repair(self, path: Path, what: str) -> None:
        """Cut off what a kill left half.

        :raises InputError: the file is not one that this observer writes.
        """
        if path != self._table:
            cut_frames(path, what)
            return
        header = self._header().encode()

        def whole(path: Path, what: str) -> int:
            content = path.read_bytes()
            rows = content[: content.rfind(b"\n") + 1]
            if rows and not rows.startswith(header):
                raise InputError(f"{what} has other columns than this observer writes; nothing was changed")
            return len(rows)

        cut(path, whole, what)

    def _forget_row_without_frame(self, table: Path, trajectory: Path) -> None:
        """Remove the last row if a kill came before its frame was written: the frame is that of the row before."""
        what = f"`trajectory` {str(trajectory)!r}"
        if not table.exists():
            return
        with file_errors(f"`table` {str(table)!r} cannot be read"):
            lines = table.read_bytes().splitlines(keepends=True)
        rows = lines[1:] if table.suffix == ".csv" else lines
        if len(rows) < 2:
            return
        before, last = (self._step_of(row.decode()) for row in rows[-2:])
        if before is not None and before != last and last_step(trajectory, what) == before:
            os.truncate(table, sum(map(len, lines[:-1])))

    def _step_of(self, line: str) -> int | None:
        """The step of a row; None: it is none of ours."""
        assert self._table is not None
        try:
            return int(json.loads(line)["step"] if self._table.suffix == ".jsonl" else line.split(",", 1)[0])
        except (KeyError, TypeError, ValueError):
            return None

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

    def _write_frame(self, atoms: Atoms, row: Row, result: Recognition) -> None:
        frame = write_results(_frozen(atoms), result, self.model.name, self._material)
        frame.info.update(arise_step=row.step, arise_time_fs=row.time_fs)
        assert self._trajectory is not None
        with file_errors(f"`trajectory` {str(self._trajectory)!r} cannot be written"):
            append_frame(self._trajectory, frame)


def _row(result: Recognition, step: int, time_fs: float, temperature: float) -> Row:
    shares = result.fractions
    rejected, none = shares.pop(REJECTED, 0.0), shares.pop(NONE, 0.0)
    return Row(
        step=step,
        time_fs=time_fs,
        temperature_K=temperature,
        label=result.label,
        mutual_information_bit=result.mutual_information,
        rejection_uncertainty_bit=result.rejection_uncertainty,
        rejected=rejected,
        none=none,
        fractions=shares,
    )


def _columns() -> list[str]:
    return [name for name in Row.__dataclass_fields__ if name != "fractions"]


def _condition(stop: Condition, classes: ClassTable) -> Callable[[Row], bool]:
    if callable(stop):
        return stop
    check_type("stop", stop, Mapping, "shares by class, such as {'bcc': 0.9}, or a function of the row")
    shares = {}
    for name, share in stop.items():
        check_type("stop", name, str, "shares by the name of a class")
        check_number("stop", share)
        if not 0 < share <= 1:
            raise InputError(f"`stop` must give shares in (0, 1], got {share} for {name!r}")
        known = name in (REJECTED, NONE)
        shares[name if known else classes.short[classes.find(name, "stop")]] = share
    return lambda row: any(row.share(name) >= share for name, share in shares.items())


def _path(path: Path_ | None, suffixes: tuple[str, ...], argument: str) -> Path | None:
    if path is None:
        return None
    check_type(argument, path, (str, os.PathLike), "a file name")
    if Path(path).suffix not in suffixes:
        raise InputError(f"`{argument}` must end in one of {', '.join(suffixes)}, got {str(path)!r}")
    return Path(path)


def _csv_line(values: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


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
