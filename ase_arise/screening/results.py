"""The database that the results of a screening go to."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ase.db
from ase.db.core import now
from ase.db.row import AtomsRow

import arise_core as arise
from arise_core.errors import FileError, InputError, MissingPackageError
from ase_arise.screening.job import Job, Outcome
from ase_arise.screening.sources import Source
from ase_arise.storage import searchable


class Results:
    """The database that results go to. Create with `Results.open`."""

    def __init__(self, database: Any, done: set[tuple[str, int]]) -> None:
        self._database = database
        self.done = done  # (source, number) of the entries that are there

    @classmethod
    def open(cls, place: str, facts: dict[str, Any], overwrite: bool) -> Results:
        """Make a database, or go on with one that a run with the same facts left.

        Raises:
            ValueError: the place holds something else; nothing is changed.
        """
        on_server = "://" in place
        if overwrite and on_server:
            raise InputError("`overwrite` does not empty a database on a server: name another one as `out`")
        if overwrite:
            Path(place).unlink(missing_ok=True)
        if not on_server:
            Path(place).parent.mkdir(parents=True, exist_ok=True)
        try:
            database = ase.db.connect(place, use_lock_file=False)  # a lock file would outlive a kill
            with database:
                rows = list(database.select(columns=["id", "key_value_pairs"], include_data=False))
                before = dict(database.metadata)
                if not rows and before.get("arise") != facts:
                    database.metadata = {**before, "arise": facts}
        except ImportError as error:
            raise MissingPackageError(
                f"databases on a server need `pip install 'ovito-arise[db]'` ({error})"
            ) from error
        except Exception as error:  # each database has errors of its own
            raise InputError(
                f"`out` cannot be used as an ASE database: {error}; nothing was changed"
            ) from error
        if rows:
            _check_same(before.get("arise"), facts)
        done = {(r.arise_source, int(r.arise_entry)) for r in rows if "arise_entry" in r}
        return cls(database, done)

    def write(self, outcomes: list[Outcome]) -> None:
        """Add rows, all or none."""
        rows = []
        for outcome in outcomes:
            row = AtomsRow(outcome.atoms)
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
            raise FileError(
                f"`out`: a batch cannot be written, those before it are kept ({cause})"
            ) from error


def _check_same(before: dict[str, Any] | None, facts: dict[str, Any]) -> None:
    if before is None:
        raise InputError("`out` is a database with other contents; nothing was changed. Use `--overwrite`")
    for key, value in facts.items():
        if before.get(key) != value:
            raise InputError(
                f"`out` was made with another {key} ({before.get(key)!r}, now {value!r}); nothing was "
                "changed. Use `--overwrite` to start again or name another file"
            )


def _facts(source: Source, model: arise.Model, job: Job, pattern: str) -> dict[str, Any]:
    """What a run must share with the one that it goes on with; in types that JSON keeps."""
    return {
        "source": source.name,
        "pattern": pattern,
        "model": model.name,
        "weights_sha256": model.card.weights_sha256,
        "symprec": job.symprec,
        "top": job.top,
        "package_version": version("ovito-arise"),
        **job.settings.to_options(),
    }


def _check_out(out: str, source: str) -> None:
    if "://" in out:
        if out == source:
            raise InputError("`out` must not be the source")
        return
    if Path(out).suffix != ".db":
        raise InputError(f"`out` must be a .db file or the URL of a server, got {out!r}")
    if Path(out).is_dir():
        raise InputError(f"`out` {out!r} is a folder")
    if Path(out).resolve() == Path(source).resolve():
        raise InputError(f"`out` {out!r} must not be the source")
