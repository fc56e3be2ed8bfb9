"""Frames in which there is nothing to analyse: the pipeline goes on, as with OVITO's own modifiers."""

from __future__ import annotations

import numpy as np
import pytest
from ovito.data import DataCollection
from ovito.io import export_file
from ovito.modifiers import PolyhedralTemplateMatchingModifier

from arise_core.errors import WorkError
from ovito_arise import AriseModifier
from tests.ovito.helpers import FAST, collection, pipeline_of


def select_from_frame_1(frame: int, data: DataCollection) -> None:
    """Nothing in frame 0, all in the others."""
    chosen = np.full(data.particles.count, frame > 0, dtype=np.int8)
    data.particles_.create_property("Selection", data=chosen)


def without_particles_in_frame_0(frame: int, data: DataCollection) -> None:
    """Delete all particles in frame 0."""
    if frame == 0:
        data.particles_.delete_indices(range(data.particles.count))


KINDS = {
    "nothing selected": (select_from_frame_1, "no particle is selected in this frame"),
    "no particles": (without_particles_in_frame_0, "no particles in this frame"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_those_of_other_frames_and_say_nothing(kind, fcc):
    change, reason = KINDS[kind]
    modifier = AriseModifier(
        only_selected=change is select_from_frame_1, whole_structure=True, probabilities="FCC, BCC",
        color_by="mutual information", **FAST,
    )  # fmt: skip
    second = AriseModifier(**FAST)
    pipeline = pipeline_of(collection(fcc), change, modifier, PolyhedralTemplateMatchingModifier())
    pipeline.modifiers.append(second)
    nothing, some = pipeline.compute(0), pipeline.compute(1)
    assert set(nothing.particles) == set(some.particles)
    assert set(nothing.attributes) - set(some.attributes) >= {"ARISE.notes"}
    assert set(some.attributes) <= set(nothing.attributes)
    said = nothing.attributes
    assert said["ARISE.notes"] == reason
    count = nothing.particles.count
    assert said["ARISE.counts.OTHER"] == count
    assert said["ARISE.counts.FCC"] == said["ARISE.without_answer"] == 0
    for name in ("mutual_information.mean", "structure.confidence", "box_size"):
        assert np.isnan(said[f"ARISE.{name}"])
    assert said["ARISE.structure.name"] == "OTHER"
    named = [data.particles["ARISE Probability"].component_names for data in (nothing, some)]
    assert named[0] == named[1]
    assert np.isnan(nothing.particles["ARISE Mutual Information"][...]).all()
    assert list(nothing.tables["arise-structures"].y) == [count] * (count > 0)
    assert some.attributes["ARISE.fractions.FCC"] > 0.9


def test_there_is_no_map_of_such_a_frame(fcc):
    modifier = AriseModifier(only_selected=True, **FAST)
    pipeline = pipeline_of(collection(fcc), select_from_frame_1, modifier)
    pipeline.compute(1)
    assert len(modifier.strided_map) > 0
    data = pipeline.compute(0)
    assert "arise" not in data.grids
    with pytest.raises(WorkError, match="has no map: no particle is selected in this frame"):
        _ = modifier.strided_map
    pipeline.compute(1)
    assert len(modifier.strided_map) > 0


def test_a_table_over_all_frames_is_written(fcc, tmp_path):
    modifier = AriseModifier(only_selected=True, **FAST)
    pipeline = pipeline_of(collection(fcc), select_from_frame_1, modifier)
    columns = ["ARISE.counts.FCC", "ARISE.mutual_information.mean"]
    file = tmp_path / "table.txt"
    export_file(pipeline, str(file), "txt/attr", columns=columns, multiple_frames=True, end_frame=1)
    rows = np.genfromtxt(file, comments="#")
    assert rows[0, 0] == 0
    assert np.isnan(rows[0, 1])
    assert rows[1, 0] > 0.9 * len(fcc)
    assert rows[1, 1] >= 0
