"""Processes that users start after loops and the network ran in threads: they work, and hang by no method."""

import os
import subprocess
import sys

import pytest

from tests import ROOT

SCRIPT = """
import multiprocessing, sys, warnings
import numpy as np
import arise_core as arise
from arise_core.geometry import builders
from arise_core.runtime import threads

warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12, against fork where there are threads

def mapped(structure):
    threads.set_count(3)
    found = arise.strided_map(structure, arise.load_model("arise-108"), box_size=9.0, stride=2.0, passes=8)
    return found.prediction.probabilities.tobytes()

if __name__ == "__main__":
    structure = builders.repeat(arise.build(arise.prototype("fcc")), (5, 5, 5))
    here = mapped(structure)
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        there = pool.map(mapped, [structure] * 2, chunksize=1)
    print([one == here for one in there])
"""


FIT = """
import multiprocessing, warnings
import numpy as np
import torch
from arise_core.training.fit import fit
from arise_core.training.recipe import parse_recipe

warnings.simplefilter("ignore", DeprecationWarning)
NAMES = {"name": "a", "classes": ["fcc", "bcc"], "samples": {"kind": "perturbed"}}
RECIPE = parse_recipe({**NAMES, "network": {"inputs": "standardised", "hidden": [256, 512]}, "fit": {"epochs": 1}})

def fitted(seed):
    features = np.random.default_rng(seed).normal(size=(4_000, 300)).astype(np.float32)
    return fit(features, np.arange(4_000) % 2, 2, RECIPE).accuracy

if __name__ == "__main__":
    torch.set_num_threads(2)
    x = torch.ones(1_000_000)
    float((x + x)[torch.arange(500_000)].sum())  # its threads are there
    here = fitted(1)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        print(pool.map(fitted, [1]) == [here])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_training_in_a_process_forked_after_torch_ran_in_threads(tmp_path):
    (tmp_path / "run.py").write_text(FIT)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "run.py")], capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True\n"


@pytest.mark.parametrize("method", ["fork", pytest.param("forkserver", marks=pytest.mark.slow), "spawn"])
def test_recognition_in_processes_of_the_user(tmp_path, method):
    (tmp_path / "run.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "run.py"), method], capture_output=True, text=True, timeout=600,
        check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[True, True]\n"
