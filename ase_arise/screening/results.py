"""The database that the results of a screening go to."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import ase.db
from ase.db.core import now
from ase.db.row import AtomsRow

import arise_core as arise
from arise_core.errors import FileError, InputError, MissingPackageError
from arise_core.runtime.files import BESIDE, check_place, file_errors, linked, write_atomically
from arise_core.runtime.ledger import Facts, facts, require_same
from arise_core.runtime.locks import Claim
from ase_arise.screening.job import Outcome, ScreeningOrder
from ase_arise.screening.sources import Source
from ase_arise.storage import searchable

#: Entry of a database's metadata.
FACTS = "arise"
#: What there is to do about a database that is refused.
ANOTHER_DATABASE = "Name another database"


class Results:
    """The database that results go to. Create with `Results.open`."""

    def __init__(
        self, database: Any, done: set[tuple[str, int]], failed: int = 0, claim: Claim | None = None
    ) -> None:
        self._database = database
        self._claim = claim
        self.done = done  # (source, number) of the entries that are there
        self.failed = failed  # of them

    @classmethod
    def open(cls, place: str, known: Facts, overwrite: bool) -> Results:
        """Make a database, or go on with one that a run with the same facts left.

        The facts lie in the database's metadata, under `arise`.

        Raises:
            ValueError: the place holds something else; nothing is changed.
            FileError: another screening writes to it, or the system does not let it be written.
        """
        if "://" in place:
            if overwrite:
                raise InputError(
                    "`overwrite` does not empty a database on a server: name another one as `out`"
                )
            return cls(*_opened(place, known, ANOTHER_DATABASE))
        with file_errors(f"`out` {place!r} cannot be written"):
            path = linked(Path(place))
            path.parent.mkdir(parents=True, exist_ok=True)
        claim = Claim.of(path, f"`out` {place!r}")
        try:
            if overwrite or not path.exists() or path.stat().st_size == 0:
                with file_errors(f"`out` {place!r} cannot be written"):
                    for end in BESIDE:  # of the database that goes
                        Path(f"{path}{end}").unlink(missing_ok=True)
                write_atomically(path, partial(_make, known))
            advice = f"{ANOTHER_DATABASE}, or use `--overwrite` to start again"
            return cls(*_opened(os.fspath(path), known, advice), claim)
        except BaseException:
            claim.release()
            raise

    def close(self) -> None:
        """Let others write to the database."""
        if self._claim is not None:
            self._claim.release()

    def write(self, outcomes: list[Outcome]) -> None:
        """Add rows, all or none."""
        rows = []
        for outcome in outcomes:
            row: Any = AtomsRow(outcome.atoms)
            row.unique_id = outcome.unique_id
            row.ctime = now()
            row.user = os.getenv("USER")
            rows.append((row, {k: searchable(v) for k, v in outcome.pairs.items()}, outcome.data))
        try:
            with self._database:
                for row, pairs, data in rows:
                    self._database.write(row, pairs, data)
        except Exception as error:  # each database has errors of its own
            # ase-db-backends cannot roll back on PostgreSQL: its AttributeError hides the cause
            cause = error.__context__ or error
            if any(word in str(cause).lower() for word in ("unique", "duplicate")):
                raise FileError(
                    "`out`: another screening has written entries of this batch meanwhile; let one at a time write to "
                    "a database. What is written is kept, and the same command goes on"
                ) from error
            raise FileError(
                f"`out`: a batch cannot be written, those before it are kept ({cause})"
            ) from error


def _make(known: Facts, path: Path) -> None:
    """A database without rows."""
    database = ase.db.connect(
        path, use_lock_file=False, serial=True
    )  # a lock file of ASE would outlive a kill
    with database:
        database.metadata = {FACTS: known}


def _opened(place: str, known: Facts, advice: str) -> tuple[Any, set[tuple[str, int]], int]:
    """A database, the entries (source, number) that are there, and how many of them failed.

    :raises InputError: it is none, or holds something else.
    """
    try:
        database = ase.db.connect(place, use_lock_file=False, serial=True)
        with database:
            rows = list(database.select(columns=["id", "key_value_pairs"], include_data=False))
            before = dict(database.metadata)
            if not rows and before.get(FACTS) != known:
                database.metadata = {**before, FACTS: known}
    except ImportError as error:
        raise MissingPackageError(
            f"databases on a server need `pip install 'ovito-arise[db]'` ({error})"
        ) from error
    except Exception as error:  # each database has errors of its own
        raise InputError(f"`out` cannot be used as an ASE database: {error}; nothing was changed") from error
    if rows:
        require_same(before.get(FACTS), known, "`out`", advice)
    done = {(r.arise_source, int(r.arise_entry)) for r in rows if "arise_entry" in r}
    return database, done, sum(r.get("arise_status") == "failed" for r in rows)


def facts_of(source: Source, model: arise.Model, job: ScreeningOrder, pattern: str) -> Facts:
    """What a run must share with the one that it goes on with."""
    return facts(
        source=source.name, source_place=source.identity, pattern=pattern, symprec=job.symprec, top=job.top,
        **job.facts(model), **source.reader.facts(),
    )  # fmt: skip


def check_out(out: str, source: str) -> None:
    """Whether results can go to a place.

    Raises:
        InputError: it is neither a .db file nor the URL of a server, or it is the source.
        FileError: the system does not let a file be written there.
    """
    if "://" in out:
        if out == source:
            raise InputError("`out` must not be the source")
        return
    if Path(out).suffix != ".db":
        raise InputError(f"`out` must be a .db file or the URL of a server, got {out!r}")
    if Path(out).is_dir():
        raise InputError(f"`out` {out!r} is a folder")
    check_place(Path(out), f"`out` {out!r}", overwrite=True)  # rows are added to one that is there
    if Path(out).resolve() == Path(source).resolve():
        raise InputError(f"`out` {out!r} must not be the source")
