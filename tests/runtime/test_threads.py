"""How many threads are used: one setting, else the environment, else every core; and never a fork."""

import os
import threading
import time

import numpy as np
import pytest
import torch

from arise_core.engine import boxes
from arise_core.engine import tile as tile_module
from arise_core.engine.grid import box_grid
from arise_core.model import runner
from arise_core.runtime import threads
from arise_core.settings import DescriptorSettings, MapSettings, SamplingSettings


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
    monkeypatch.setattr(tile_module, "TILE_EDGES", (1, 2))
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
    monkeypatch.setattr(tile_module, "TILE_EDGES", (3, 4))
    threads.set_count(2)
    try:
        grid = box_grid(fcc, MapSettings(box_size=10.0, stride=1.5))
        tiles = boxes.iterate_boxes(grid, DescriptorSettings.corrected(), method="direct")
        first = next(tiles)
        before = len(described)
        tiles.close()
    finally:
        threads.set_count(None)
    assert before >= len(first.boxes) > 40
    assert len(described) - before < 20


def test_one_thread_an_operation_lasts_until_the_last_of_several_leaves():
    """Whoever leaves first takes it from nobody, or last bits would depend on who works beside whom."""

    def of_the_process() -> bool:
        return "mkl_get_max_threads() : 1\n" in torch.__config__.parallel_info()

    before, seen = torch.get_num_threads(), []
    inside, left = threading.Event(), threading.Event()

    def other():
        with threads.one_torch_thread():
            inside.set()
            left.wait(60)
            seen.extend([torch.get_num_threads(), of_the_process()])
        seen.append(torch.get_num_threads())

    work = threading.Thread(target=other)
    with threads.one_torch_thread():
        work.start()
        assert inside.wait(60)
        expected = of_the_process()
    left.set()
    work.join()
    torch.set_num_threads(before)  # this thread left first
    assert seen == [1, expected, before]


def test_threads_of_the_network_use_one_thread_an_operation(model, monkeypatch):
    seen = set()
    real = runner.Runner.tensor

    def tensor(self, array):
        if threading.current_thread().name.startswith("arise-network"):
            seen.add(torch.get_num_threads())
        return real(self, array)

    monkeypatch.setattr(runner.Runner, "tensor", tensor)
    threads.set_count(3)
    try:
        model.predict(
            np.zeros((2000, model.descriptor.n_features), dtype=np.float32), SamplingSettings(passes=2)
        )
    finally:
        threads.set_count(None)
    assert seen == {1}


@pytest.mark.parametrize("count", [1, 2, 5])
def test_results_come_in_order(count):
    threads.set_count(count)
    try:
        assert list(threads.in_order(lambda k: k * k, range(40))) == [k * k for k in range(40)]
        assert list(threads.in_order(lambda k: k, [])) == []
        assert list(threads.in_order(lambda k: k, range(9), most=1)) == list(range(9))
        with pytest.raises(RuntimeError, match="StopIteration"):
            list(threads.in_order(lambda k: next(iter(())), range(9)))
    finally:
        threads.set_count(None)


def test_an_error_or_an_end_leaves_no_thread_and_begins_nothing_more():
    begun = []

    def one(k):
        begun.append(k)
        if k == 3:
            raise ValueError("three")
        return k

    threads.set_count(2)
    try:
        before = threading.active_count()
        with pytest.raises(ValueError, match="three"):
            list(threads.in_order(one, range(1000)))
        assert len(begun) < 20
        results = threads.in_order(one, range(4, 1000))
        assert next(results) == 4
        results.close()
        assert len(begun) < 40
        assert threading.active_count() == before
    finally:
        threads.set_count(None)


def test_a_thread_with_others_beside_it_has_no_threads_of_its_own():
    threads.set_count(3)
    try:
        assert list(threads.in_order(lambda _: threads.count(), range(20))) == [1] * 20
        assert threads.count() == 3
        assert list(threads.in_order(lambda _: threads.count(), range(2), most=1)) == [3, 3]
    finally:
        threads.set_count(None)
