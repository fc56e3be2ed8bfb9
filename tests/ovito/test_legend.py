"""The legend, and pictures: rendered where Vulkan is there, coarse features compared."""

from __future__ import annotations

import numpy as np
import pytest
from ovito.vis import PythonViewportOverlay, TachyonRenderer, Viewport

from ovito_arise import AriseLegend, AriseModifier
from ovito_arise.demo import pictures
from ovito_arise.legend import SHADES, shades
from tests.ovito.helpers import FAST, crystal_and_melt, pipeline_of

needs_vulkan = pytest.mark.skipif(
    "not __import__('ovito_arise.demo.pictures').demo.pictures.can_render()", reason="no Vulkan"
)
GREEN = (0.4, 1.0, 0.4)
SIDE = pictures.View(direction=(0, 1, 0), up=(0, 0, 1), size=(160, 300))


@pytest.fixture(scope="module")
def structure():
    return crystal_and_melt(5, 5)[0]


@pytest.fixture(scope="module")
def pipeline(structure):
    return pipeline_of(structure, AriseModifier(**FAST))


@pytest.fixture(scope="module")
def data(pipeline):
    return pipeline.compute()


def test_rows_are_the_classes_present_with_their_shares(data):
    rows = AriseLegend().rows(data)
    assert {"FCC", "Other"} <= {r[0] for r in rows}
    assert sum(r[2] for r in rows) == data.particles.count
    assert sum(r[3] for r in rows) == pytest.approx(1)
    colours = {r[0]: r[1] for r in rows}
    assert colours["FCC"] == pytest.approx(GREEN)
    assert [r[2] for r in rows] == sorted((r[2] for r in rows), reverse=True)


def test_rare_and_too_many_classes_are_summed_up(data):
    rows = AriseLegend(max_rows=1).rows(data)
    assert len(rows) == 2
    assert rows[1][0].endswith("more")
    assert sum(r[2] for r in rows) == data.particles.count
    few = AriseLegend(min_share=1.0).rows(data)
    assert len(few) == 1
    assert few[0][0].endswith("more")


def test_other_can_be_left_out_and_shares_stay_those_of_all_particles(data):
    rows = AriseLegend(show_other=False).rows(data)
    assert "Other" not in {r[0] for r in rows}
    share = next(r[3] for r in rows if r[0] == "FCC")
    assert share == pytest.approx(data.attributes["ARISE.fractions.FCC"])


@pytest.mark.parametrize(
    ("show", "text"), [("share", "FCC  25.0 %"), ("count", "FCC  1,250"), ("name only", "FCC")]
)
def test_text_of_a_row(show, text):
    assert AriseLegend(show=show)._text(("FCC", GREEN, 1250, 0.25)) == text


def test_rates_of_errors_that_the_threshold_stands_for(structure, data, model):
    known = model.card.reject
    assert AriseLegend().rates(data) == [
        f"false crystals  {100 * known.false_crystal_rate:.2g} %",
        f"false rejections  {100 * known.false_reject_rate:.2g} %",
    ]
    other = pipeline_of(structure, AriseModifier(**FAST, reject_threshold=0.31)).compute()
    assert AriseLegend().rates(other) == []  # the card knows its own threshold only
    other.attributes["ARISE.false_crystal_rate"] = 0.012
    other.attributes["ARISE.false_crystal_bound"] = 0.05
    assert AriseLegend().rates(other) == ["false crystals  1.2 % (at most 5 %)"]
    assert AriseLegend(instance=2).rates(other) == []


def test_the_list_of_modifiers_says_what_the_threshold_stands_for(model):
    known = model.card.reject
    said = AriseModifier(**FAST).get_pipeline_short_info(object(), scene=None)
    assert said == (
        f"rejects from {known.threshold:.3g}: false crystals  {100 * known.false_crystal_rate:.2g} %, "
        f"false rejections  {100 * known.false_reject_rate:.2g} %"
    )
    other = AriseModifier(**FAST, reject_threshold=0.31)
    assert other.get_pipeline_short_info() == "rejects from 0.31: rate of errors not known"
    other.reject_threshold = "never"
    assert other.get_pipeline_short_info() == "rejects nothing"
    other.model = "no such model"
    assert other.get_pipeline_short_info() == ""


def test_a_pipeline_without_the_modifier_has_no_legend(structure):
    plain = pipeline_of(structure).compute()
    assert AriseLegend().rows(plain) == []
    assert AriseLegend(instance=2).rows(plain) == []


def test_the_second_modifier_has_its_own_legend(structure):
    both = pipeline_of(structure, AriseModifier(**FAST), AriseModifier(**FAST, classes="HCP")).compute()
    assert AriseLegend(instance=2).rows(both) == [
        ("Other", pytest.approx((0.95,) * 3), both.particles.count, 1.0)
    ]
    assert AriseLegend(instance=1).rows(both) != AriseLegend(instance=2).rows(both)


@pytest.mark.parametrize(
    ("by", "title", "end"),
    [
        ("mutual information", "mutual information (bit)", "0.2 and more"),
        ("rejection uncertainty", "rejection uncertainty (bit)", "0.2 and more"),
        ("confidence", "confidence", "1"),
    ],
)
def test_particles_that_are_coloured_by_a_number_have_its_scale(structure, by, title, end):
    data = pipeline_of(structure, AriseModifier(**FAST, color_by=by, color_end=0.2)).compute()
    scale = AriseLegend().scale(data)
    assert (scale.title, scale.last) == (title, end)
    values = np.asarray(data.particles[f"ARISE {scale.field}"])
    known = np.isfinite(values)
    at = np.linspace(0, scale.end, SHADES)
    expected = np.stack([np.interp(values[known], at, channel) for channel in np.transpose(shades())], axis=1)
    assert np.asarray(data.particles["Color"])[known] == pytest.approx(expected, abs=0.01)
    assert AriseLegend(show_scale=False).scale(data) is None
    assert AriseLegend(instance=2).scale(data) is None


@pytest.mark.parametrize("by", ["structure", "nothing"])
def test_without_a_number_the_structures_are_shown(structure, by):
    data = pipeline_of(structure, AriseModifier(**FAST, color_by=by)).compute()
    assert AriseLegend().scale(data) is None
    assert AriseLegend().rows(data)


def near(image: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    """Pixels whose hue is that of a colour, (height, width)."""
    pixels = image / 255.0
    norm = np.linalg.norm(pixels, axis=2)
    cosine = pixels @ np.array(colour) / np.maximum(norm * np.linalg.norm(colour), 1e-9)
    return (cosine > 0.99) & (norm > 0.3)


@needs_vulkan
@pytest.mark.parametrize("corner", ["north west", "south east"])
def test_the_legend_is_drawn_in_its_corner(pipeline, corner):
    pipeline.add_to_scene()
    try:
        pipeline.compute()
        viewport = Viewport(type=Viewport.Type.Ortho, camera_dir=(0, 1, 0), camera_up=(0, 0, 1))
        viewport.zoom_all((500, 300))
        viewport.overlays.append(
            PythonViewportOverlay(delegate=AriseLegend(corner=corner, font_size=0.05, show_rates=True))
        )
        options = {"size": (500, 300), "renderer": TachyonRenderer(shadows=False), "background": (1, 1, 1)}
        drawn = pictures.pixels(viewport.render_image(**options))
        viewport.overlays.clear()
        bare = pictures.pixels(viewport.render_image(**options))
    finally:
        pipeline.remove_from_scene()
    changed = (drawn.astype(int) - bare).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert (rows.max() < 150) if "north" in corner else (rows.min() > 150)
    assert (columns.max() < 250) if "west" in corner else (columns.min() > 250)
    assert near(drawn, GREEN)[changed].sum() > 100  # the disc of FCC
    assert (drawn[changed].max(axis=1) < 80).sum() > 50  # the text


def crystal_is_below_and_green(image: np.ndarray) -> None:
    green = near(image, GREEN)
    rows = np.flatnonzero(green.any(axis=1))
    ink = np.flatnonzero((image < 250).any(axis=2).any(axis=1))
    middle = (ink[0] + ink[-1]) / 2
    assert green.sum() > 0.1 * image.shape[0] * image.shape[1] * 0.3
    assert (rows > middle - 30).mean() > 0.8


@needs_vulkan
def test_a_rendered_picture_shows_crystal_and_melt(pipeline):
    crystal_is_below_and_green(pictures.render(pipeline, 0, SIDE))


def test_a_drawn_picture_shows_the_same(data):
    crystal_is_below_and_green(pictures.draw(data, SIDE))


@needs_vulkan
def test_the_scene_is_left_without_the_pipeline(pipeline):
    import ovito

    pictures.render(pipeline, 0, pictures.View(size=(20, 20)))
    assert pipeline not in ovito.scene.pipelines


def test_margins_are_cut_off():
    image = np.full((40, 60, 3), 255, dtype=np.uint8)
    assert pictures.trimmed(image).shape == image.shape
    image[10:20, 30:35] = 0
    assert pictures.trimmed(image, border=2).shape == (14, 9, 3)


def test_without_a_renderer_matplotlib_draws(pipeline, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("Could not initialize the Vulkan graphics backend.")

    monkeypatch.setattr(pictures, "render", broken)
    assert not pictures.can_render()
    assert pictures.picture(pipeline, 0, SIDE, rendered=False).shape == (300, 160, 3)
