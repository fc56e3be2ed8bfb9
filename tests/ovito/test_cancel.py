"""Everything that takes long in the modifier can be interrupted, the whole structure too."""

import threading

import pytest

import arise_core as arise
from arise_core.model.model import Model
from ovito_arise import AriseModifier
from tests.ovito.helpers import pipeline_of


@pytest.mark.parametrize("mode", ["local", "whole"])
def test_an_interrupt_ends_the_passes(fcc, monkeypatch, mode):
    """After some passes of the map, or of the structure as a whole; the next evaluation is complete."""
    modifier = AriseModifier(stride=8.0, passes=300, tolerance=0.0, whole_structure=True)
    pipeline = pipeline_of(fcc, modifier)
    real = Model.predict_steps
    calls, log = [], []

    def watched(self, features, *arguments, **options):
        calls.append(len(features))
        steps = real(self, features, *arguments, **options)
        interrupt = (len(features) > 1) == (mode == "local")
        try:
            for k in range(10_000):
                try:
                    step = next(steps)
                except StopIteration as stop:
                    return stop.value
                yield step
                if interrupt and k == 2:
                    raise KeyboardInterrupt
        finally:
            steps.close()
            log.append("closed")

    monkeypatch.setattr(Model, "predict_steps", watched)
    threads = threading.active_count()
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        pipeline.compute()
    assert log[-1] == "closed"
    assert threading.active_count() <= threads
    assert len(modifier._results) == (0 if mode == "local" else 1)  # the map of the frame is kept
    monkeypatch.setattr(Model, "predict_steps", real)
    data = pipeline.compute()
    assert data.attributes["ARISE.structure.name"] == "FCC"


def test_the_whole_structure_is_told_step_by_step(fcc, monkeypatch):
    """OVITO can only cancel at what a modifier yields."""
    modifier = AriseModifier(stride=8.0, passes=200, tolerance=0.0, whole_structure=True)
    data = pipeline_of(fcc).compute()
    steps = list(modifier.modify(data))
    begin = steps.index("ARISE: classifying the whole structure")
    shares = [s for s in steps[begin + 1 :] if not isinstance(s, str)]
    assert len(shares) > 4
    assert shares == sorted(shares)
    assert all(0 <= s <= 1 for s in shares)
    assert arise.classify(fcc, arise.load_model("arise-108"), passes=8).names[0] == "fcc"
