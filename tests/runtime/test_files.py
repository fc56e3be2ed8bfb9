"""Files are written whole or not at all."""

import subprocess
import sys

import pytest

from arise_core.errors import ExistingFileError, FileError, InputError, MissingFileError
from arise_core.runtime.files import file_errors, fresh_folder, write_atomically
from tests import ROOT


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full")])
def test_an_interrupt_leaves_the_old_file_and_no_half(tmp_path, error):
    path = tmp_path / "map.nc"
    path.write_text("old")

    def write(place):
        place.write_text("half of the new")
        raise error

    with pytest.raises((KeyboardInterrupt, OSError)):
        write_atomically(path, write)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["map.nc"]
    write_atomically(tmp_path / "sub" / "map.nc", lambda place: place.write_text("new"))
    assert (tmp_path / "sub" / "map.nc").read_text() == "new"


def test_folders_with_results_are_kept(tmp_path):
    fresh_folder(tmp_path / "new", overwrite=False)
    (tmp_path / "new" / "a").write_text("mine")
    with pytest.raises(FileExistsError, match="nothing was changed. Use `--overwrite`"):
        fresh_folder(tmp_path / "new", overwrite=False)
    with pytest.raises(FileExistsError, match="is a file"):
        fresh_folder(tmp_path / "new" / "a", overwrite=True)
    fresh_folder(tmp_path / "new", overwrite=True)
    assert (tmp_path / "new" / "a").read_text() == "mine"


# --- what the system says ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (FileNotFoundError(2, "No such file or directory", "a"), MissingFileError, "No such file"),
        (FileExistsError(17, "File exists", "a"), ExistingFileError, "File exists"),
        (PermissionError(13, "Permission denied", "a"), FileError, "Permission denied"),
        (OSError("disk full"), FileError, "disk full"),
    ],
)
def test_errors_of_the_system_become_ours_and_name_the_file(error, kind, message):
    with pytest.raises(kind, match=f"^file 'a': {message}") as caught, file_errors("file 'a'"):
        raise error
    assert caught.value.__cause__ is error
    assert isinstance(caught.value, OSError)


@pytest.mark.parametrize(
    "error", [ValueError("bug"), InputError("bad"), MissingFileError("b"), BrokenPipeError()]
)
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as caught, file_errors("file 'a'"):
        raise error
    assert caught.value is error


def test_a_full_disk_leaves_the_old_file(tmp_path):
    """A limit on the size of files stands for the disk."""
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from arise_core.errors import FileError; from arise_core.runtime.files import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_atomically(Path(sys.argv[1]), lambda path: path.write_bytes(bytes(5000)))\n"
        "except FileError as error: print(error)\n"
    )
    path = tmp_path / "a.bin"
    path.write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout == f"file {str(path)!r} cannot be written: File too large\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
    assert path.read_text() == "old"


@pytest.mark.parametrize("place", ["file", "file/below", "a" * 300])
def test_folders_that_cannot_be_made(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileError, match="`out` "):
        fresh_folder(tmp_path / place, overwrite=True)
    with pytest.raises(FileError, match="cannot be (made|written)"):
        write_atomically(tmp_path / place / "a.txt", lambda path: path.write_text("new"))
    assert (tmp_path / "file").read_text() == "mine"
