"""Compiled loops: kept on disk, announced once, and no obstacle where nothing can be written."""

import os
import subprocess
import sys

USE = """
import numpy as np
from arise_core.descriptor import loops as descriptor_loops
out = np.empty(1)
descriptor_loops.box_covariance(np.ones((1, 3)), np.eye(3) * 0.1, np.ones(3), 0.05, out)
descriptor_loops.log_histogram(np.ones((1, 3)), out, 0.0, 0.1, np.zeros(20))
print(round(out[0], 6))
"""
READ_ONLY = """
import tempfile
def refuse(*arguments, **options):
    raise PermissionError("read-only file system")
tempfile.TemporaryFile = refuse  # with which numba finds out whether a directory can be written (root can always)
"""


NUMBERS = """
import hashlib
import arise_core as arise
digest = hashlib.sha256()
for name in ("fcc", "rock salt"):
    structure = arise.build(arise.prototype(name))
    digest.update(arise.describe(structure).tobytes())
    grid = arise.box_grid(structure, arise.MapSettings(box_size=10.0, stride=5.0))
    digest.update(arise.describe_boxes(grid, arise.DescriptorSettings.corrected()).features.tobytes())
print(digest.hexdigest())
"""
LITERALS = """
from numba import types
from arise_core.runtime import compilation
ours = [loop for loop in compilation._announcer.ours if loop.signatures]
twice = [loop.__name__ for loop in ours if any(isinstance(t, types.Literal) for s in loop.signatures for t in s)]
print(len(ours) > 10, twice)
"""


def run(code: str, folder: os.PathLike[str]) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"NUMBA_CACHE_DIR": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def test_loops_are_compiled_once_and_that_is_said_and_changes_no_number(tmp_path):
    """The last bit did depend on it, where a loop called another one: compiled by itself, or with that one."""
    compiled, said = run(NUMBERS + USE, tmp_path)
    assert compiled.endswith("\n1.371742")  # 1 / 0.9³
    assert said.count("ARISE compiles its loops") == 1
    assert f"the first time only); kept in {tmp_path}" in said
    assert list(tmp_path.rglob("*.nbc"))
    assert run(NUMBERS + USE, tmp_path) == (compiled, "")


def test_no_loop_is_compiled_for_a_literal(tmp_path):
    """One that is called with 0 and with a number is compiled for each, which takes seconds."""
    assert run(NUMBERS + LITERALS, tmp_path)[0].endswith("\nTrue []")


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path):
    result, said = run(READ_ONLY + USE, tmp_path)
    assert result == "1.371742"
    assert said.count("ARISE compiles its loops") == 1
    assert "in every process" in said
    assert "NUMBA_CACHE_DIR" in said
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
