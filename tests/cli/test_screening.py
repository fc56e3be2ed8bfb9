"""`arise screen`: it goes on, starts again, and tells of failures."""

import shlex
import subprocess
import sys

import ase.db
import ase.io
import pytest
from ase.build import bulk

from tests.cli import FAST
from tests.conftest import cif


def test_screen_goes_on_and_starts_again(arise, crystals, tmp_path):
    results = tmp_path / "results.db"
    command = ("screen", crystals, "--out", results, "--workers", "1", *FAST)
    code, out, _ = arise(*command)
    assert code == 0
    assert "3 recognised, 0 failed, 0 from before" in out
    assert "0 recognised, 0 failed, 3 from before" in arise(*command)[1]
    assert "3 recognised, 0 failed, 0 from before" in arise(*command, "--overwrite")[1]
    with ase.db.connect(results) as database:
        assert [row.arise_label for row in database.select("arise_mi<0.5")] == ["fcc", "bcc", "hcp"]


def test_screen_strict_reports_failures(arise, crystals, tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "bad.cif").write_text("no")
    ase.io.write(tmp_path / "all" / "good.cif", bulk("Cu"))
    command = ("screen", tmp_path / "all", "--out", tmp_path / "r.db", "--workers", "1", *FAST)
    code, out, _ = arise(*command, "--strict")
    assert code == 3
    assert "1 recognised, 1 failed" in out
    assert f"ase db {tmp_path / 'r.db'} arise_status=ok " in out
    assert f"why 1 failed: ase db {tmp_path / 'r.db'} arise_status=failed " in out
    assert arise(*command)[0] == 0


def test_workers_end_after_a_file_that_no_reader_knows(crystals, tmp_path):
    """Each worker keeps a process of its own for OVITO's reader."""
    (tmp_path / "notes.txt").write_text("hello")
    arguments = ("screen", tmp_path, "--out", tmp_path / "r.db", "--workers", "2", *FAST)
    command = [sys.executable, "-m", "arise_cli.main", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert "3 recognised, 1 failed" in done.stdout


def test_what_is_said_of_failures_lists_them(arise, tmp_path):
    """The command that is printed is one that ASE knows."""
    (tmp_path / "bad.cif").write_text("no")
    out = arise("screen", tmp_path / "bad.cif", "--out", tmp_path / "all of it.db", "--workers", "1", *FAST)[
        1
    ]
    assert "arise_status=ok" not in out
    (hint,) = [line for line in out.splitlines() if line.startswith("why 1 failed: ase ")]
    words = shlex.split(hint.partition(": ")[2])
    done = subprocess.run(
        [sys.executable, "-m", "ase", *words[1:]], capture_output=True, text=True, check=True
    )
    assert "cannot be read" in done.stdout


def test_screen_draws_partly_occupied_sites(arise, tmp_path):
    path = tmp_path / "half.cif"
    path.write_text(cif("Pd1 Pd 0 0 0 1", "H1 H 0.5 0.5 0.5 0.02"))
    command = ("screen", path, "--workers", "1", *FAST)
    assert "0 recognised, 1 failed" in arise(*command, "--out", tmp_path / "a.db")[1]
    assert "1 recognised, 0 failed" in arise(*command, "--out", tmp_path / "b.db", "--draw")[1]
    with ase.db.connect(tmp_path / "b.db") as database:
        (row,) = database.select()
    assert (row.formula, row.arise_label) == ("Pd500H10", "fcc")


@pytest.mark.filterwarnings("default")  # Dask's own
def test_dask_does_the_work(arise, crystals, tmp_path):
    distributed = pytest.importorskip("distributed")
    code, out, _ = arise("screen", crystals, "--out", tmp_path / "dask.db", "--dask", "local", *FAST)
    assert code == 0
    assert "3 recognised, 0 failed, 0 from before" in out
    with ase.db.connect(tmp_path / "dask.db") as database:
        assert [row.arise_label for row in database.select("arise_mi<0.5")] == ["fcc", "bcc", "hcp"]
    command = ("screen", crystals, "--out", tmp_path / "x.db", *FAST)
    code, _, errors = arise(*command, "--workers", "2", "--dask", "local")
    assert code == 2
    assert "Dask has its own" in " ".join(errors.replace("│", " ").split())
    code, _, errors = arise(*command, "--dask", "nowhere")
    assert code == 1
    assert "`--dask` 'nowhere': no scheduler answers there" in errors
    with pytest.raises(ValueError, match="No clients found"):
        distributed.default_client()  # none that finds no scheduler is left for others to ask
