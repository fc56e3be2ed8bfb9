"""Works stopped at random times, on a full disk, two at once: nothing lost, nothing doubled (docs/robustness.md)."""

import subprocess
import sys
import time

import pytest

from benchmarks.robustness.kills import TRACEBACK, Child, Counts, Trial, listing, main
from benchmarks.robustness.works import WORKS, Work
from tests import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and mounts a small disk")


def measured(kills: int, *works: str) -> subprocess.CompletedProcess:
    """In a process of its own, which can be forked."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.robustness.kills", "--kills", str(kills), "--works", *works],
        capture_output=True, text=True, timeout=7200, check=False, cwd=ROOT,
    )  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "map",
        pytest.param("screen", marks=pytest.mark.slow),
        pytest.param("observer (extended XYZ)", marks=pytest.mark.slow),
    ],
)
def test_two_kills(name):
    done = measured(2, name)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKS)
def test_twenty_kills(name):
    done = measured(20, name)
    assert done.returncode == 0, done.stdout + done.stderr


# --- does it count what is wrong? -----------------------------------------------------------------------------------


def careless(inputs, out, say):
    """A work that tells first and writes afterwards, adds twice, and leaves a file."""
    (out / ".a.part").touch()
    for k in range(20):
        say(f"piece {k}")
        time.sleep(0.02)
        with (out / "a.txt").open("a") as file:
            file.write(f"piece {k}\n" * (1 + (k == 5)))


def found(out):
    return (out / "a.txt").read_text().splitlines() if (out / "a.txt").exists() else []


def failing(inputs, out, say):
    raise KeyError("a bug")


def trial(work, tmp_path):
    return Trial(Work(lambda inputs: None, work, found, lambda out: str(len(found(out)))), tmp_path, tmp_path)


def test_careless_works_are_found_out(tmp_path):
    one = trial(careless, tmp_path)
    out, counts = one.fresh(), Counts()
    child = Child(one.work, tmp_path, out)
    assert child.begun()
    while len(found(out)) < 8:
        time.sleep(0.001)
    child.kill()
    assert child.end() == -9
    told = child.told() | {"piece 19"}  # told before it was written
    one.look(out, told, counts)
    assert counts.lost >= 1
    assert counts.doubled == 1
    one.result, one.files = "20", frozenset({"a.txt"})
    one.finish(out, told, counts)
    assert counts.other == 1
    assert counts.left == {".a.part"}
    assert not counts.good
    assert listing(out) == {"a.txt", ".a.part"}


def test_tracebacks_are_found_out(tmp_path):
    one = trial(failing, tmp_path)
    child = Child(one.work, tmp_path, one.fresh())
    assert child.end() == TRACEBACK
    child.told()


def test_works_are_known():
    with pytest.raises(SystemExit):
        main(["--works", "nothing"])
