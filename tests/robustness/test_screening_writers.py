"""Two screenings on one database, databases that a kill left, links: nothing lost, and a clear word."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ase.db
import ase.io
import pytest
from ase import Atoms
from ase.build import bulk

from arise_core.errors import FileError
from arise_core.runtime import files
from ase_arise import screen
from ase_arise.screening import sources
from ase_arise.screening.run import screen_steps
from tests import ROOT
from tests.robustness.test_places import ended_process

FAST = {"passes": 2, "workers": 1}
#: Entries of a batch: few in this process, as many as there are in another one.
BATCH, WHOLE = 8, sources.BATCH


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Two batches."""
    monkeypatch.setattr(sources, "BATCH", BATCH)
    images: list[Atoms] = [bulk("Cu"), bulk("Fe")] * BATCH
    ase.io.write(tmp_path / "a.xyz", images)
    return tmp_path / "a.xyz"


def entries(path):
    with ase.db.connect(path) as database:
        return [row.arise_entry for row in database.select()]


def test_a_second_screening_on_a_database_is_refused(source, tmp_path):
    out, link = tmp_path / "r.db", tmp_path / "link.db"
    link.symlink_to(out)
    job = screen_steps(source, out, **FAST)
    next(job)
    for place in (out, link):
        for overwrite in (False, True):
            with pytest.raises(
                FileError, match="`out` .*db' is being written to by another process; nothing"
            ):
                screen(source, place, overwrite=overwrite, **FAST)
    assert entries(out) == list(range(BATCH))
    job.close()
    counts = screen(source, link, **FAST)
    assert (counts.kept, counts.recognised) == (BATCH, BATCH)
    assert entries(out) == list(range(2 * BATCH))


def test_what_a_kill_left_is_cleaned_and_an_empty_database_is_none(source, tmp_path):
    out = tmp_path / "r.db"
    out.touch()
    left = tmp_path / f".r.{files._host()}-{ended_process()}-0.part.db"
    left.touch()
    (tmp_path / ".r.db.lock").touch()
    assert screen(source, out, **FAST).recognised == 2 * BATCH
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.xyz", "r.db"]


def test_overwriting_leaves_a_link_a_link(source, tmp_path):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "r.db", tmp_path / "r.db"
    link.symlink_to(target)
    for _ in range(2):
        assert screen(source, link, overwrite=True, **FAST).recognised == 2 * BATCH
        assert link.is_symlink()
        (tmp_path / "far" / "r.db-journal").write_bytes(
            b"of a killed writer"
        )  # must not meet the new database
    assert entries(target) == list(range(2 * BATCH))


@pytest.mark.parametrize("name", ["sub", "file/r.db"])
def test_places_are_tried_before_the_source_is_read(tmp_path, name, monkeypatch):
    monkeypatch.setattr("ase_arise.screening.run.open_source", lambda *_: pytest.fail("work was begun"))
    (tmp_path / "sub.db").mkdir()
    (tmp_path / "file").touch()
    place = tmp_path / ("sub.db" if name == "sub" else name)
    with pytest.raises((FileError, ValueError), match="`out` "):
        screen("nothing.xyz", place, **FAST)


def at_work(group: int) -> list[int]:
    """Processes of a group that have not ended."""
    out = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, number = stat.read_text().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue
        if int(number) == group and state != "Z":
            out.append(int(stat.parent.name))
    return out


#: As from a terminal: shells have SIGINT ignored by what they start in the background, and tests may run there.
COMMAND = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from arise_cli.main import main; sys.argv[0] = 'arise'; main()"
)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        (signal.SIGINT, 130, "interrupted"),
        pytest.param(signal.SIGTERM, 143, "terminated", marks=pytest.mark.slow),
    ],
)
def test_signals_stop_the_command_cleanly(source, tmp_path, how, code, said):
    """With workers, which end too."""
    ase.io.write(tmp_path / "many.xyz", [bulk("Cu"), bulk("Fe")] * 5 * WHOLE)
    out = tmp_path / "r.db"
    arguments = ["screen", str(tmp_path / "many.xyz"), "--out", str(out), "--passes", "2", "--workers", "2"]
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    ) as process:  # fmt: skip
        seen = ""
        while " recognised" not in seen:
            more = process.stderr.read(1)
            assert more, seen  # else it has ended by itself
            seen += more
        os.killpg(process.pid, how)  # as a terminal or `timeout` does: the workers get it too
        rest = process.communicate(timeout=300)[1]
    assert process.returncode == code, (seen, rest)  # numpy loses one in forty, while it reads numbers
    assert rest.endswith(f"{said}\n")
    assert "Traceback" not in rest
    done = entries(out)
    assert len(done) % WHOLE == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.xyz", "many.xyz", "r.db"]
    deadline = time.monotonic() + 60
    while at_work(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not at_work(process.pid), "workers outlive the first process"
    assert screen(tmp_path / "many.xyz", out, **FAST).kept == len(done)
    assert entries(out) == list(range(10 * WHOLE))


NO_GUARD = """
import sys
from ase_arise import screen
print("begun", flush=True)
screen(sys.argv[1], sys.argv[2], workers=2, passes=2, overwrite=True)
"""


def test_a_script_without_its_guard_is_told_so(source, tmp_path):
    (tmp_path / "run.py").write_text(NO_GUARD)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "run.py"), str(source), str(tmp_path / "r.db")], cwd=ROOT,
        capture_output=True, text=True, timeout=300, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 1
    assert 'under `if __name__ == "__main__":`, or use one worker' in done.stderr.splitlines()[-1]
    assert "bootstrapping" not in done.stderr  # Python's own words, from a worker
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.xyz", "r.db", "run.py"]
