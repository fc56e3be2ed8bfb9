"""What is computed again and what is not; memory stays bounded; a cancelled evaluation leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

import arise_core as arise
from arise_core.settings import MapSettings
from ovito_arise import AriseModifier
from ovito_arise import cache as results
from tests import ROOT
from tests.conftest import shaken
from tests.ovito.helpers import FAST, collection, pipeline_of


@pytest.fixture
def evaluations(monkeypatch) -> list[MapSettings]:
    """Settings of every map that is computed: descriptors and network."""
    done: list[MapSettings] = []
    original = arise.map_steps

    def counted(structure, model, settings, sampling, **rest):
        done.append(settings)
        return original(structure, model, settings, sampling, **rest)

    monkeypatch.setattr(arise, "map_steps", counted)
    return done


SHOWN = {
    "color_by": "mutual information",
    "color_end": 0.7,
    "classes": "FCC, HCP",
    "reject_threshold": 0.9,
    "min_confidence": 0.2,
    "probabilities": "FCC, BCC",
    "voxel_grid": False,
    "box_table": True,
    "whole_structure": True,
}
COMPUTED = {
    "box_size": 14.0,
    "stride": 9.0,
    "thin": 2.0,
    "resolution": "sharp",
    "padding": "none",
    "edges": "box",
    "between": "sure",
    "min_atoms": 10,
    "min_atoms_per_species": 2,
    "memory_limit": 2.0,
    "passes": 17,
    "tolerance": 0.5,
    "seed": 1,
    "automatic_box": True,
    "types_to_elements": "Cu: Ni",
}


@pytest.mark.parametrize("name", SHOWN)
def test_what_is_shown_changes_without_new_descriptors_or_network(fcc, evaluations, name):
    modifier = AriseModifier(**FAST)
    pipeline = pipeline_of(fcc, modifier)
    pipeline.compute()
    setattr(modifier, name, SHOWN[name])
    pipeline.compute()
    assert len(evaluations) == 1
    assert modifier.trait(name).ovito_invalidate_cache is False


@pytest.mark.parametrize("name", COMPUTED)
def test_what_is_computed_changes_with_its_parameters(fcc, evaluations, name):
    modifier = AriseModifier(**FAST)
    pipeline = pipeline_of(fcc, modifier)
    pipeline.compute()
    setattr(modifier, name, COMPUTED[name])
    pipeline.compute()
    assert len(evaluations) == 2
    assert modifier.trait(name).ovito_invalidate_cache is not False


def test_every_parameter_is_either_shown_or_computed():
    others = {"model", "device", "only_selected", "grid_vis", "_results"}
    assert {*AriseModifier().editable_traits()} == {*SHOWN, *COMPUTED} | others


def test_what_is_shown_is_right_after_a_change(fcc):
    changed = AriseModifier(**FAST)
    pipeline = pipeline_of(fcc, changed)
    pipeline.compute()
    changed.trait_set(reject_threshold=None, min_confidence=0.9, probabilities=["FCC"])
    pipeline.compute()
    changed.probabilities = "HCP, FCC"
    found = pipeline.compute()
    fresh = pipeline_of(
        fcc, AriseModifier(**FAST, reject_threshold=None, min_confidence=0.9, probabilities="FCC, HCP")
    ).compute()
    for name in fresh.particles:
        assert (np.asarray(found.particles[name]) == np.asarray(fresh.particles[name])).all(), name


def test_another_input_is_computed_and_the_same_one_is_not(fcc, evaluations):
    modifier = AriseModifier(**FAST)
    for structure in (fcc, shaken(fcc, 0.01), fcc):
        pipeline_of(structure, modifier).compute()
    assert len(evaluations) == 2
    pipeline_of(collection(fcc, origin=(1.0, 2.0, 3.0)), modifier).compute()
    assert len(evaluations) == 3


def test_results_are_dropped_when_they_need_too_much_memory(fcc, evaluations):
    modifier = AriseModifier(**FAST)
    pipeline_of(fcc, modifier).compute()
    store = modifier._results
    store.budget = int(2.5 * store.last().nbytes)
    frames = [shaken(fcc, 0.01, seed) for seed in range(4)]
    for structure in frames:
        pipeline_of(structure, modifier).compute()
    assert len(store) == 2
    before = len(evaluations)
    pipeline_of(frames[3], modifier).compute()
    pipeline_of(frames[2], modifier).compute()
    assert len(evaluations) == before
    pipeline_of(frames[0], modifier).compute()
    assert len(evaluations) == before + 1
    store.budget = 1
    pipeline_of(frames[1], modifier).compute()
    assert len(store) == 1  # the last one is kept whatever its size
    pipeline_of(frames[1], modifier).compute()
    assert len(evaluations) == before + 2


def test_a_result_knows_its_size(fcc):
    modifier = AriseModifier(**FAST)
    pipeline_of(fcc, modifier).compute()
    result = modifier._results.last()
    field = result.local.field
    kept = field.prediction.probabilities.nbytes
    least = kept + field.grid.structure.positions.nbytes
    assert least < result.nbytes < 6 * least  # with values at atoms and what was found of their neighbours
    modifier.probabilities = "all"
    pipeline_of(fcc, modifier).compute()
    every = modifier._results.last()
    assert every.local.field.prediction.probabilities.nbytes == 4 * 108 * len(field)
    more = 4 * 108 * (len(field) + len(every.local)) - kept  # of the atoms, too, where they are shown
    assert every.nbytes - result.nbytes == pytest.approx(more, rel=0.01)
    assert results.BUDGET > 1e6


def test_models_are_loaded_once(fcc, monkeypatch):
    from arise_core.model import zoo as module

    module._kept.cache_clear()
    loads = []
    original = module.read_model
    monkeypatch.setattr(module, "read_model", lambda path: loads.append(path) or original(path))
    for _ in range(2):
        pipeline_of(fcc, AriseModifier(**FAST)).compute()
    assert len(loads) == 1


def interrupted(structure, interrupt, patch):
    """Interrupt a pipeline while it computes; the work ends, nothing is kept, and it computes again afterwards."""
    modifier = AriseModifier(stride=8.0, passes=200, tolerance=0.0)
    pipeline = pipeline_of(structure, modifier)
    running: list[bool] = []
    original = arise.map_steps

    def slow(*arguments, **options):
        steps = original(*arguments, **options)
        try:
            while True:
                running.append(True)
                yield next(steps)
                interrupt()
        except StopIteration as stop:
            return stop.value
        finally:
            running.append(False)

    patch(arise, "map_steps", slow)
    threads = threading.active_count()
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        pipeline.compute()
    assert running[-1] is False
    assert len(modifier._results) == 0
    assert threading.active_count() <= threads
    patch(arise, "map_steps", original)
    data = pipeline.compute()
    assert data.attributes["ARISE.fractions.FCC"] > 0.9


def test_an_interrupt_ends_the_work_and_leaves_ovito_usable(fcc, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    interrupted(fcc, interrupt, monkeypatch.setattr)


def test_control_c_ends_the_work_and_leaves_ovito_usable():
    """As in a user's script, so in a process of its own: OVITO answers the signal with a handler of its own."""
    script = """
import os, signal
from arise_core import build, prototype
from arise_core.geometry import builders
from tests.ovito.test_cache import interrupted
fcc = builders.repeat(build(prototype("fcc")), (9, 9, 9))
interrupted(fcc, lambda: os.kill(os.getpid(), signal.SIGINT), setattr)
print("fine")
"""
    root = ROOT
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True)
    assert done.stdout.endswith("fine\n"), done.stderr


def test_what_is_shown_does_not_depend_on_what_was_shown_before(fcc):
    """Probabilities of a few classes are those of a map that keeps five a box, also behind one that kept all."""
    outputs = []
    for before in ("", "all", "FCC"):
        modifier = AriseModifier(**FAST, probabilities=before)
        pipeline = pipeline_of(fcc, modifier)
        pipeline.compute()
        modifier.probabilities = "HCP, BCC"
        data = pipeline.compute()
        outputs.append((np.asarray(data.particles["ARISE Probability"]), data.grids["arise"]["Probability"]))
    for particles, voxels in outputs[1:]:
        assert np.array_equal(particles, outputs[0][0])
        assert np.array_equal(voxels, outputs[0][1])
