"""Screening from and to a PostgreSQL server, started here on a free port; skipped where none is installed."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import ase.db
import pytest
from ase import Atoms
from ase.build import bulk

from ase_arise import screen

pytest.importorskip("ase_db_backends", reason="needs the extra `db`")
pytest.importorskip("psycopg2", reason="needs the extra `db`")

FAST = {"passes": 10, "workers": 1}


def programs() -> Path | None:
    """The folder of the newest server's programs."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3]))
    return found[-1].parent if found else None


def unprivileged(folder: Path, users: tuple[str, ...] = ("postgres", "nobody")) -> list[str]:
    """A server does not run as root: how to run a program as somebody else, to whom the folder then belongs."""
    if os.geteuid() != 0:
        return []
    if shutil.which("runuser") is None:
        pytest.skip("a server does not run as root, and there is no `runuser`")
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = next(name for name in users if name in names)
    shutil.chown(folder, user)
    return ["runuser", "-u", user, "--"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """For a server's files. Not one of pytest's, which are closed to other users."""
    with tempfile.TemporaryDirectory(prefix="arise-server-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def server(folder) -> Iterator[str]:
    """URL of an empty database on a server of its own."""
    bin_ = programs()
    if bin_ is None:
        pytest.skip("no PostgreSQL server is installed")
    run_as = unprivileged(folder)
    data, port = folder / "data", free_port()

    def run(program: str, *arguments: object) -> None:
        done = subprocess.run(
            [*run_as, str(bin_ / program), *map(str, arguments)],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout

    run("initdb", "-D", data, "-U", "tester", "-A", "trust", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    # -l: the server keeps this end of a pipe open otherwise, and `run` would wait for it
    run("pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
    try:
        yield f"postgresql://tester@127.0.0.1:{port}"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")


@pytest.fixture
def empty(server, request) -> str:
    """URL of a database that belongs to one test."""
    import psycopg2

    name = request.node.name.lower()
    connection = psycopg2.connect(f"{server}/postgres")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    return f"{server}/{name}"


def fill(place: str) -> list[str]:
    images = [
        bulk("Cu"),
        bulk("Fe"),
        Atoms("Cu2", [[0, 0, 0], [0, 0, 0.01]], cell=[4, 4, 4], pbc=True),
        bulk("Mg"),
    ]
    with ase.db.connect(place) as database:
        for k, atoms in enumerate(images):
            database.write(atoms, mine=k)
    return ["fcc", "bcc", None, "hcp"]


def rows(place: str, selection: str = "") -> list:
    with ase.db.connect(place) as database:
        return sorted(database.select(selection), key=lambda row: row.id)


def test_source_on_a_server(empty, tmp_path):
    labels = fill(empty)
    counts = screen(empty, tmp_path / "results.db", **FAST)
    assert (counts.recognised, counts.failed) == (3, 1)
    found = rows(str(tmp_path / "results.db"))
    assert [r.get("arise_label") for r in found] == labels
    assert [r.mine for r in found] == [0, 1, 2, 3]
    assert found[0].arise_source == empty.rsplit("/", 1)[1]
    again = screen(empty, tmp_path / "results.db", **FAST)
    assert (again.recognised, again.kept) == (0, 4)


def test_results_on_a_server(empty, tmp_path):
    labels = fill(str(tmp_path / "source.db"))
    screen(tmp_path / "source.db", empty, **FAST)
    screen(tmp_path / "source.db", tmp_path / "results.db", **FAST)
    found, local = rows(empty), rows(str(tmp_path / "results.db"))
    assert [r.get("arise_label") for r in found] == labels
    for a, b in zip(found, local, strict=True):
        assert a.unique_id == b.unique_id
        pairs = [{k: v for k, v in r.key_value_pairs.items() if k != "arise_time"} for r in (a, b)]
        assert pairs[0] == pairs[1]
    assert [r.arise_label for r in rows(empty, "arise_label=fcc,arise_mi<0.1,arise_rejected=False")] == [
        "fcc"
    ]
    again = screen(tmp_path / "source.db", empty, **FAST)
    assert (again.recognised, again.failed, again.kept) == (0, 0, 4)
    with pytest.raises(ValueError, match="made with another passes"):
        screen(tmp_path / "source.db", empty, **{**FAST, "passes": 20})
    with pytest.raises(ValueError, match="does not empty a database on a server"):
        screen(tmp_path / "source.db", empty, overwrite=True, **FAST)


def test_foreign_rows_on_a_server_are_kept(empty, tmp_path):
    fill(empty)
    fill(str(tmp_path / "source.db"))
    with pytest.raises(
        ValueError, match="`out` has other contents, .*; nothing was changed. Name another database$"
    ):
        screen(tmp_path / "source.db", empty, **FAST)
    assert len(rows(empty)) == 4
    with pytest.raises(ValueError, match="must not be the source"):
        screen(empty, empty, **FAST)


def test_a_server_that_does_not_answer(tmp_path):
    place = f"postgresql://tester:secret@127.0.0.1:{free_port()}/none"
    with pytest.raises(ValueError, match="is not an ASE database") as caught:
        screen(place, tmp_path / "results.db", **FAST)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "results.db").exists()
