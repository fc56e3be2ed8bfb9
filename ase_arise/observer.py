"""ARISE on the fly: attach it to a running simulation, keep a table of phases, stop at a transition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ase import Atoms, units

from arise_core.crystals.species import Types
from arise_core.errors import InputTypeError, shown
from arise_core.settings import DEFAULT_MODEL
from ase_arise.convert import Device, ModelLike
from ase_arise.watching import Condition, Observer, Path_, Row


class StopSimulation(Exception):
    """Raised by an observer whose condition is met where the simulation cannot be stopped otherwise."""


class AriseObserver(Observer):
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
        append: go on with files that exist; a row or frame that a kill left half is removed, and a row whose frame
            it kept from being written; whole ones stay.
        overwrite: replace files that exist.
        model: a `Model`, a name of the zoo, or a path.
        device: where the network runs, such as "cuda"; None: where a `Model` is, else on the CPU.
        types: elements by type or name, see `from_atoms`.
        **options: of `RecognitionSettings.of`: box_size, stride, passes, seed, mode (here "local"), ...

    Raises:
        TypeError, ValueError: an argument or atoms that are refused; at once, not hours later.
        FileExistsError: a file exists and neither `append` nor `overwrite` is given.
        FileError: a file cannot be written to, or an observer in another process writes to it.
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
        stop: Condition | None = None,
        append: bool = False,
        overwrite: bool = False,
        model: ModelLike = DEFAULT_MODEL,
        device: Device = None,
        types: Types = None,
        **options: Any,
    ) -> None:
        if dyn is not None and not hasattr(dyn, "nsteps"):
            raise InputTypeError(f"`dyn` must be a dynamics or an optimiser of ASE, got {shown(dyn)}")
        self.atoms = atoms
        self.dyn = dyn
        self._calls = 0
        super().__init__(
            atoms, interval=interval, table=table, trajectory=trajectory, callback=callback, stop=stop, append=append,
            overwrite=overwrite, model=model, device=device, types=types, options=options,
        )  # fmt: skip

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
        time = self.dyn.get_time() / units.fs if hasattr(self.dyn, "get_time") else float("nan")
        moving = self.atoms.has("momenta")
        temperature = float(self.atoms.get_temperature()) if moving else float("nan")
        return self._look(self.atoms, step, float(time), temperature)

    def _end(self, row: Row) -> None:
        """Let the dynamics stop after this step, as if it had been asked for no more."""
        if self.dyn is None:
            raise StopSimulation(
                f"condition met at step {row.step}: {row.label}, rejected {row.rejected:.1%}"
            )
        self.dyn.max_steps = self.dyn.nsteps
