"""Screening from and to a MySQL (MariaDB) server, started here on a free port; skipped where none is installed."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator

import ase.db
import pytest

from ase_arise import screen
from tests.ase.test_screening_postgres import FAST, fill, folder, free_port, rows, unprivileged  # noqa: F401

pytest.importorskip("ase_db_backends", reason="needs the extra `db`")
pymysql = pytest.importorskip("pymysql", reason="needs the extra `db`")

# ase-db-backends 0.11 hands pymysql arguments by their old names; until it does not
pytestmark = pytest.mark.filterwarnings("ignore:'(db|passwd)' is deprecated:DeprecationWarning")


def connection(port: int, timeout: float = 0.0):
    deadline = time.monotonic() + timeout
    while True:
        try:
            return pymysql.connect(host="127.0.0.1", port=port, user="tester", password="tester")
        except pymysql.err.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@pytest.fixture(scope="module")
def server(folder) -> Iterator[int]:  # noqa: F811 - the fixture
    """Port of a server of its own."""
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    daemon, install = (shutil.which(name, path=path) for name in ("mariadbd", "mariadb-install-db"))
    if daemon is None or install is None:
        pytest.skip("no MariaDB server is installed")
    run_as = unprivileged(folder, ("mysql", "nobody"))
    data, port = folder / "data", free_port()
    done = subprocess.run(
        [*run_as, install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    setup = folder / "setup.sql"
    setup.write_text(  # a statement a line
        "CREATE USER tester@'127.0.0.1' IDENTIFIED BY 'tester';\nGRANT ALL ON *.* TO tester@'127.0.0.1';\n"
    )
    setup.chmod(0o644)
    command = [
        *run_as, daemon, "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1",
        f"--socket={folder / 'socket'}", f"--init-file={setup}", "--skip-name-resolve",
        "--innodb-flush-log-at-trx-commit=0",
    ]  # fmt: skip
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            connection(port, timeout=60).close()
            yield port
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture
def empty(server, request) -> str:
    """URL of a database that belongs to one test."""
    name = request.node.name.lower()
    link = connection(server)
    with link.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    link.close()
    return f"mysql://tester:tester@127.0.0.1:{server}/{name}"


def test_source_on_a_server(empty, tmp_path):
    labels = fill(empty)
    counts = screen(empty, tmp_path / "results.db", **FAST)
    assert (counts.recognised, counts.failed) == (3, 1)
    assert [r.get("arise_label") for r in rows(str(tmp_path / "results.db"))] == labels


def test_results_on_a_server(empty, tmp_path):
    labels = fill(str(tmp_path / "source.db"))
    screen(tmp_path / "source.db", empty, **FAST)
    assert [r.get("arise_label") for r in rows(empty)] == labels
    with ase.db.connect(empty) as database:
        found = list(database.select("arise_label=fcc,arise_mi<0.1"))
    assert [r.arise_label for r in found] == ["fcc"]
    again = screen(tmp_path / "source.db", empty, **FAST)
    assert (again.recognised, again.failed, again.kept) == (0, 0, 4)
