"""Places where results go: tried before the work, whole or not at all, links stay links, leftovers go."""

import os
import subprocess
import sys

import pytest

from arise_core.errors import ExistingFileError, FileError
from arise_core.runtime import files
from arise_core.runtime.files import check_folder, check_place, remove_leftovers, write_atomically
from arise_core.runtime.locks import Claim
from tests import ROOT


def ended_process() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def listing(folder):
    return sorted(p.name for p in folder.iterdir())


# --- leftovers -----------------------------------------------------------------------------------------------------


def test_what_a_killed_process_left_goes_and_what_others_write_stays(tmp_path):
    host, dead, alive = files._host(), ended_process(), os.getppid()
    left = [
        f".a.{host}-{dead}-0.part.db",
        f".a.{host}-{dead}-0.part.db-journal",
        f".a.{host}-{dead}-0.part.db.lock",
        f".a.{dead}.part.db",
    ]
    stay = [
        f".a.{host}-{alive}-0.part.db",  # a process at work
        f".a.00000000-{dead}-0.part.db",  # of another machine, and young
        f".b.{host}-{dead}-0.part.db",  # of another file
        "a.db", ".a.part.db", ".a.x.part.db",  # no names of ours
    ]  # fmt: skip
    for name in left + stay:
        (tmp_path / name).write_text("x")
    old = tmp_path / f".a.11111111-{dead}-0.part.db"
    old.write_text("x")
    os.utime(old, (0, 0))
    remove_leftovers(tmp_path, "a.db")
    assert listing(tmp_path) == sorted(stay)
    remove_leftovers(tmp_path)
    assert listing(tmp_path) == sorted(set(stay) - {f".b.{host}-{dead}-0.part.db"})
    remove_leftovers(tmp_path / "missing")


def test_a_writer_cleans_up_after_a_killed_one_of_the_same_number(tmp_path):
    """In containers every process has the same number."""
    left = tmp_path / f".a.{files._host()}-{os.getpid()}-99999.part.txt"
    left.write_text("half")

    def write(path):
        assert not left.exists()
        remove_leftovers(tmp_path)  # as another thread does
        path.write_text("new")

    write_atomically(tmp_path / "a.txt", write)
    assert listing(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("name", ["a.txt", "a.b.nc", "POSCAR", "a.db"])
def test_names_of_temporary_files_are_known_again(tmp_path, name):
    temporary = files._temporary(tmp_path / name)
    temporary.write_text("half")
    (tmp_path / f"{temporary.name}-journal").write_text("half")
    remove_leftovers(tmp_path, name)
    assert listing(tmp_path) == []


# --- links and rights -----------------------------------------------------------------------------------------------


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "a.txt", tmp_path / "a.txt"
    link.symlink_to(target)
    for text in ("new", "newer"):  # to begin with there is nothing behind it
        check_place(link, "file 'a.txt'", overwrite=True)
        write_atomically(link, lambda path, text=text: path.write_text(text))
        assert link.is_symlink()
        assert target.read_text() == text
    assert listing(tmp_path / "far") == ["a.txt"]
    assert listing(tmp_path) == ["a.txt", "far"]


def test_rights_stay(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o640)
    write_atomically(path, lambda place: place.write_text("new"))
    assert path.stat().st_mode & 0o777 == 0o640


# --- checked before the work ----------------------------------------------------------------------------------------


def test_places_that_are_taken(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ExistingFileError, match="`out` exists; nothing was changed"):
        check_place(tmp_path / "file", "`out`", overwrite=False)
    check_place(tmp_path / "file", "`out`", overwrite=True)
    check_place(tmp_path / "new" / "deep" / "a.nc", "`out`", overwrite=False)
    for name, reason in (
        ("folder", "it is a folder"),
        ("pipe", "no regular file"),
        ("file/a", "is no folder"),
    ):
        with pytest.raises(FileError, match=f"`out` cannot be written: .*{reason}|Not a directory"):
            check_place(tmp_path / name, "`out`", overwrite=True)
    assert (tmp_path / "file").read_text() == "mine"
    assert listing(tmp_path) == ["file", "folder", "pipe"]


def test_a_full_or_read_only_disk_is_seen_before_the_work(tmp_path, monkeypatch):
    def refuse(folder, size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_try_out", refuse)
    for check in (
        lambda: check_place(tmp_path / "a.nc", "`out`", overwrite=True),
        lambda: check_folder(tmp_path / "new", "`out`"),
    ):
        with pytest.raises(FileError, match="`out` cannot be written: .* takes no file: No space left"):
            check()
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    "error",
    [RuntimeError("[enforce fail at inline_container.cc:659]"), OSError("24 requested and 0 written")],
)
def test_libraries_that_do_not_say_why_they_fail_on_a_full_disk(tmp_path, monkeypatch, error):
    def fail(path):
        path.write_text("half")
        raise error

    with pytest.raises(type(error)):  # on a disk with room it is what it is
        write_atomically(tmp_path / "a.pt", fail)

    def refuse(folder, size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_try_out", refuse)
    with pytest.raises(FileError, match="a.pt' cannot be written: No space left on device"):
        write_atomically(tmp_path / "a.pt", fail)
    assert listing(tmp_path) == []


EXPORT = """
import resource, sys, tempfile
from pathlib import Path
from arise_core.model.contents import read_model
from arise_core.training.export import export, write_script
from tests.model.small import make_card, make_network

network = make_network()
folder = Path(sys.argv[1])
export(network, make_card(network), folder / "whole")
contents = read_model(folder / "whole" / "model.safetensors")
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_script(contents, folder / "model.pt")
except OSError as error:
    print(type(error).__name__)
print(sorted(p.name for p in folder.iterdir()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of files")
def test_a_model_that_finds_no_room_is_an_error_and_leaves_nothing(tmp_path):
    """Torch's own writer would end the process."""
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["FileError", "['whole']"]


# --- one writer at a time -------------------------------------------------------------------------------------------

HOLD = """
import sys
from pathlib import Path
from arise_core.runtime.locks import Claim
claim = Claim.of(Path(sys.argv[1]), "`out`")
print("claimed", flush=True)
sys.stdin.read()
"""


def hold(path) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout.readline() == "claimed\n"
    return process


def test_a_claim_holds_until_its_process_ends_however_it_ends(tmp_path):
    path, link = tmp_path / "a.db", tmp_path / "link.db"
    link.symlink_to(path)
    process = hold(path)
    for place in (path, link):
        with pytest.raises(FileError, match="`out` is being written to by another process"):
            Claim.of(place, "`out`")
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    claim = Claim.of(link, "`out`")
    with pytest.raises(FileError, match="being written to"):
        Claim.of(path, "`out`")
    claim.release()
    claim.release()
    assert listing(tmp_path) == ["link.db"]


def test_a_process_may_share_with_itself(tmp_path):
    first = Claim.of(tmp_path / "a.csv", "`table`", shared=True)
    second = Claim.of(tmp_path / "a.csv", "`table`", shared=True)
    first.release()
    with pytest.raises(FileError, match="being written to"):
        Claim.of(tmp_path / "a.csv", "`table`")
    second.release()
    assert listing(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_has_and_releases_no_claim_of_the_first(tmp_path):
    code = HOLD.replace(
        "sys.stdin.read()", "import os\nif os.fork() == 0: claim.release()\nelse: os.wait()"
    ) + ("\nif os.path.exists(sys.argv[2]): print('still claimed', flush=True)\nos._exit(0)")
    lock = tmp_path / ".a.db.lock"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "a.db"), str(lock)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=True,
    )
    assert done.stdout.split("\n").count("still claimed") == 2
