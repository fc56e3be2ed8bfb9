"""All commands together: which there are, commands of other packages, exit codes, bugs and bad input."""

import os
import subprocess
import sys

import pytest

from arise_core.errors import InputError
from tests import ROOT

COMMANDS = (
    "classify", "map", "screen", "similarity", "prototypes", "models", "train", "add-class", "remove-class",
    "train-folder", "sharpen", "tune", "benchmark", "demo", "calibrate", "schema",
)  # fmt: skip


@pytest.fixture
def broken(monkeypatch):
    """`arise models` ends with an error."""

    def end_with(error: BaseException) -> None:
        def fail() -> None:
            raise error

        monkeypatch.setattr("arise_core.model.zoo.known_models", fail)

    return end_with


def test_all_commands_are_there_and_help(arise):
    code, out, _ = arise("--help")
    assert code == 0
    listed = [line.split()[1] for line in out.splitlines() if line.startswith("│ ") and len(line.split()) > 1]
    assert [c for c in COMMANDS if c not in listed] == []
    for command in COMMANDS:
        assert arise(command, "--help")[0] == 0


def test_version(arise):
    code, out, _ = arise("--version")
    assert (code, out.strip().count(".")) == (0, 2)


def test_wrong_usage(arise):
    assert arise("nonsense")[0] == 2
    assert arise("--nonsense")[0] == 2


def test_what_the_user_got_wrong_is_one_line(arise, broken):
    broken(InputError("`zoo` is shut"))
    assert arise("models") == (1, "", "arise: `zoo` is shut\n")


def test_debug_shows_where_the_user_s_error_arose(arise, broken):
    broken(InputError("`zoo` is shut"))
    with pytest.raises(InputError, match="`zoo` is shut"):
        arise("--debug", "models")


@pytest.mark.parametrize("error", [ValueError, TypeError, OSError, KeyError, RuntimeError, ImportError])
def test_our_own_bugs_are_not_taken_for_bad_input(arise, broken, error):
    broken(error("a bug"))
    with pytest.raises(error, match="a bug"):
        arise("models")


def test_an_interrupt_ends_with_130(arise, broken):
    broken(KeyboardInterrupt())
    assert arise("models") == (130, "", "interrupted\n")


# --- as processes -------------------------------------------------------------------------------------------------

GUEST = """
import typer
from arise_core.errors import InputError

def register(app: typer.Typer) -> None:
    @app.command("greet")
    def greet(name: str) -> None:
        if name == "nobody":
            raise InputError("`name` must be somebody's")
        typer.echo("good " + {"you": "day", "me": "night"}[name])
"""


@pytest.fixture
def process(tmp_path):
    """Run the command line in a process that finds an installed package with a command of its own."""
    (tmp_path / "guest.py").write_text(GUEST)
    info = tmp_path / "guest-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: guest\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[arise.commands]\nguest = guest:register\n")

    def run(*arguments: str, **options) -> subprocess.CompletedProcess:
        path = os.pathsep.join([str(ROOT), str(tmp_path)])
        return subprocess.run(
            [sys.executable, "-m", "arise_cli.main", *arguments], env={**os.environ, "PYTHONPATH": path},
            stderr=subprocess.PIPE, text=True, timeout=120, check=False, **{"stdout": subprocess.PIPE, **options},
        )  # fmt: skip

    return run


def test_other_packages_add_commands(process):
    done = process("greet", "you")
    assert (done.returncode, done.stdout) == (0, "good day\n")
    done = process("greet", "nobody")
    assert (done.returncode, done.stderr) == (1, "arise: `name` must be somebody's\n")
    done = process("--debug", "greet", "nobody")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("InputError: `name` must be somebody's\n")
    done = process("greet", "them")  # a bug
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("KeyError: 'them'\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["prototypes"], ["greet", "you"], ["--version"]])
def test_a_full_disk_behind_the_output(process, arguments):
    with open("/dev/full", "w") as full:
        done = process(*arguments, stdout=full)
    assert done.returncode != 0
    if arguments[0] != "greet":  # the guest does not use our way to print
        assert done.stderr == "arise: the output cannot be written: No space left on device\n"


def test_a_reader_that_has_seen_enough_is_no_error(process):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as gone:
        done = process("prototypes", stdout=gone)
    assert "Traceback" not in done.stderr


def test_listing_commands_loads_nothing_heavy():
    code = (
        "import sys, arise_cli.main; "
        "print([m for m in ('torch', 'ovito', 'matplotlib', 'ase', 'pandas', 'numba') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


LOST = """
import ctypes, os, signal, time
from arise_cli.ends import ends_cleanly
with ends_cleanly():
    back = ctypes.CFUNCTYPE(None)(lambda: os.kill(os.getpid(), signal.{signal}))
    back()
    {then}
print("went on")
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of Windows are others")
@pytest.mark.parametrize("then", ["time.sleep(60)", "raise RuntimeError('no compiled object yet')"])
@pytest.mark.parametrize(("name", "word"), [("SIGTERM", "terminated"), ("SIGINT", "interrupted")])
def test_an_interrupt_in_the_midst_of_compiled_code_is_heard(name, word, then):
    """Python cannot raise it there: it is sent once more, and what it broke is no bug."""
    code = LOST.format(signal=name, then=then)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False, cwd=ROOT
    )
    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == word
    assert "no compiled object" not in done.stderr.splitlines()[0]
