"""How many threads are used: one setting, else the environment, else every core; and never a fork."""

import os
import threading
import time

import numpy as np
import pytest

from arise_core.engine import boxes
from arise_core.engine import tile as tile_module
from arise_core.engine.grid import box_grid
from arise_core.runtime import threads
from arise_core.settings import DescriptorSettings, MapSettings


@pytest.fixture
def environment(monkeypatch):
    for name in threads.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_usual_variables_count(environment):
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert threads.count() == cores
    for name, value in (("NUMBA_NUM_THREADS", 3), ("OMP_NUM_THREADS", 4), ("ARISE_NUM_THREADS", 5)):
        environment.setenv(name, str(value))  # each goes before the one above
        assert threads.count() == value
    environment.setenv("ARISE_NUM_THREADS", "many")  # no number: as if it were not there
    assert threads.count() == 4


def test_the_setting_goes_before_the_environment(environment):
    environment.setenv("ARISE_NUM_THREADS", "5")
    threads.set_count(2)
    try:
        assert threads.count() == 2
    finally:
        threads.set_count(None)
    assert threads.count() == 5
    with pytest.raises(ValueError, match="`n` threads must be at least 1, got 0"):
        threads.set_count(0)


@pytest.mark.parametrize("count", [1, 3])
def test_that_many_threads_work(fcc, count, monkeypatch):
    """One: the caller's own. More: that many of a pool, and none is left when the work is done."""
    names = set()
    real = boxes.describe_tile

    def describe_tile(context, tile):
        names.add(threading.current_thread().name)
        return real(context, tile)

    monkeypatch.setattr(boxes, "describe_tile", describe_tile)
    monkeypatch.setattr(tile_module, "TILE_BOXES", 8)
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("a fork"))
    threads.set_count(count)
    try:
        grid = box_grid(fcc, MapSettings(box_size=10.0, stride=5.0))
        found = boxes.describe_boxes(grid, DescriptorSettings.corrected())
    finally:
        threads.set_count(None)
    assert np.isfinite(found.features).all()
    if count == 1:
        assert names == {threading.current_thread().name}
    else:
        assert 1 < len(names) <= count
        assert all(name.startswith("arise-boxes") for name in names)
    assert not [t for t in threading.enumerate() if t.name.startswith("arise")]


def test_boxes_that_nobody_wants_are_not_described(fcc, monkeypatch):
    """Closed after the first tile: threads stop within a box, not at the end of their tile."""
    described = []

    def one(context, box, members=None):
        described.append(box)
        time.sleep(0.002)
        return np.zeros(context.settings.n_features), 100

    monkeypatch.setattr(boxes, "describe_box", one)
    monkeypatch.setattr(tile_module, "TILE_BOXES", 64)
    threads.set_count(2)
    try:
        grid = box_grid(fcc, MapSettings(box_size=10.0, stride=1.5))
        tiles = boxes.iterate_boxes(grid, DescriptorSettings.corrected(), method="direct")
        next(tiles)
        before = len(described)
        tiles.close()
    finally:
        threads.set_count(None)
    assert before >= 64
    assert len(described) - before < 20
