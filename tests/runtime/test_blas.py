"""Descriptors do not depend on how many threads the linear algebra library (BLAS) uses."""

import os
import subprocess
import sys
import threading

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from arise_core.runtime import threads

CODE = """
import hashlib
import numpy as np
import arise_core as arise
from arise_core.crystals.table import prototype
from arise_core.crystals.ideal import supercells
from arise_core.geometry.builders import polycrystal

digest = hashlib.sha256()
for name, atoms in (("fcc", 300), ("rock salt", 300), ("graphene", 400), ("fcc", 3000)):
    structure = supercells(prototype(name), min_atoms=atoms, count=1)[0]
    digest.update(arise.describe(structure).tobytes())
grid = arise.box_grid(structure, arise.MapSettings(stride=8.0))
digest.update(arise.describe_boxes(grid, arise.DescriptorSettings.corrected()).features.tobytes())
crystals = [arise.build(prototype(name)) for name in ("fcc", "bcc", "hcp", "diamond")]
grains = polycrystal(crystals, (26.0, 26.0, 14.0), rng=np.random.default_rng(5))  # boxes that are filled in part
grid = arise.box_grid(grains, arise.MapSettings(box_size=12.0, stride=2.5))
digest.update(arise.describe_boxes(grid, arise.DescriptorSettings.corrected()).features.tobytes())
print(digest.hexdigest())
"""


def digest(threads, core):
    environment = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    environment |= {"OPENBLAS_NUM_THREADS": str(threads), **core}
    found = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=300,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.parametrize(
    "core",
    [
        pytest.param({}, id="own kernels"),
        pytest.param({"OPENBLAS_CORETYPE": "Haswell"}, id="Haswell", marks=pytest.mark.slow),
    ],
)
def test_descriptors_do_not_depend_on_the_threads_of_blas(core):
    """On processors with AVX-512 the kernels for two threads sum in another order than those for one."""
    assert len({digest(threads, core) for threads in (1, 2, 3)}) == 1


def test_the_last_thread_takes_it_back():
    """Whoever leaves first leaves the others one thread."""
    seen, inside, left = [], threading.Event(), threading.Event()

    def other():
        with threads.one_blas_thread():
            inside.set()
            left.wait(60)
            seen.append(blas_threads())
        seen.append(blas_threads())

    with threadpool_limits(limits=2, user_api="blas"):
        before = blas_threads()
        work = threading.Thread(target=other)
        with threads.one_blas_thread():
            work.start()
            assert inside.wait(60)
        left.set()
        work.join()
        mine = blas_threads()
        with threadpool_limits(limits=1, user_api="blas"):  # whoever comes next may set it
            assert blas_threads() == {1}
    assert before == mine == {2}
    assert seen == [{1}, before]


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
