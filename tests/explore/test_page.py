"""The page of an exploration, in a real browser where there is one."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from arise_core.errors import FileError, InputError, MissingPackageError
from arise_core.explore import page
from arise_core.geometry.cell import transformed
from arise_core.progress import run
from tests.explore import made

pytest.importorskip("chemiscope", reason="chemiscope is not installed (extra web)")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
#: WebGL without a graphics card.
FLAGS = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")


@pytest.fixture(scope="module")
def slab():
    return made.exploration(missing=7)


@pytest.fixture(scope="module")
def written(slab, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "a.html"
    page.write_page(slab, path)
    return path


def contents(path):
    """What a page holds: its JSON, and the atoms in a row."""
    text = path.read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)[1])
    raw = re.search(r'<script id="atoms" type="text/plain">(.*?)</script>', text, re.S)[1]
    whole = np.frombuffer(gzip.decompress(base64.b64decode(raw)), dtype="<i4")
    facts = data["atoms"]
    pool, steps = whole[: 4 * facts["pool"]].reshape(-1, 4), whole[4 * facts["pool"] :]

    def atoms(row):
        start = sum(facts["sizes"][:row])
        at = np.cumsum(steps[start : start + facts["sizes"][row]])
        return pool[at, :3] / 1000 - facts["middles"][row], pool[at, 3]

    return data, atoms


def in_order(positions):
    return positions[np.lexsort(np.round(positions, 2).T)]


def box(slab, row):
    """Atoms of a box around its centre, Å."""
    grid = slab.field.grid
    u, _ = grid.members(row)
    return transformed(u, grid.cell) - grid.centers[row]


def test_each_box_has_its_atoms(slab, written):
    data, atoms = contents(written)
    numbers = data["dataset"]["properties"]["number"]["values"]
    assert numbers == list(range(7, len(slab)))  # without those that have no prediction
    for k in (0, 300, len(numbers) - 1):
        positions, elements = atoms(k)
        assert set(elements) == {29}
        np.testing.assert_allclose(in_order(positions), in_order(box(slab, int(numbers[k]))), atol=2e-3)


def test_images_of_atoms_are_shown_where_they_are():
    found = made.exploration(stride=4.0, times=(4, 4, 4), periodic=True)
    atoms = run(page._atoms_of(found, np.arange(len(found)), None))
    pool, sizes, steps, middles, _ = page._packed(atoms)
    start = 0
    for row, size in enumerate(sizes):
        at = np.cumsum(steps[start : start + size])
        shown = pool[at, :3] / 1000 - middles[row]
        assert np.abs(shown).max() < 4.01  # half a box
        np.testing.assert_allclose(in_order(shown), in_order(box(found, row)), atol=2e-3)
        start += size


def test_the_page_needs_nothing_else(written):
    text = written.read_text(encoding="utf-8")
    assert "{{" not in re.sub(r"<script>.*?</script>", "", text, flags=re.S)
    assert not re.search(r'<(script|link|img)[^>]*(src|href)="', text.replace('data-src="', ""))


def test_units_and_colours(slab, written):
    data, _ = contents(written)
    properties = data["dataset"]["properties"]
    assert properties["mutual information"]["units"] == "bit"
    assert properties["box x"]["units"] == "Å"
    assert [c["name"] for c in data["colours"]] == ["cluster", "class", "mutual information"]
    assert {name for name, _ in data["colours"][1]["legend"]} == set(made.CLASSES)
    assert properties["class"]["values"][0] == "sc"
    assert all(c["settings"]["property"] in properties for c in data["colours"])


def test_eight_thousand_boxes_are_small(tmp_path):
    found = made.exploration(times=(38, 38, 3), size=200)
    assert len(found) > 8000
    page.write_page(found, tmp_path / "a.html")
    data, _ = contents(tmp_path / "a.html")
    assert len(data["atoms"]["sizes"]) == 8000
    assert (tmp_path / "a.html").stat().st_size < 30e6
    assert f"8,000 of {len(found):,} are shown" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_the_progress_grows_to_one(slab, tmp_path):
    steps = []
    page.write_page(slab, tmp_path / "a.html", progress=steps.append)
    assert steps == sorted(steps)
    assert steps[-1] == 1.0
    assert any(step.message == "atoms of the boxes" for step in steps)


def test_many_clusters_have_a_palette():
    names = [f"cluster {k}" for k in range(15)]
    assert page._by_number("a", names, np.arange(15))["settings"]["palette"] == "tab20"
    assert page._by_number("a", names * 3, np.arange(45))["settings"]["palette"] == "viridis"


def test_another_chemiscope_keeps_its_colours(slab, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "PALETTE", re.compile("a palette that is not there"))
    page.write_page(slab, tmp_path / "a.html")
    data, _ = contents(tmp_path / "a.html")
    assert [c["legend"] for c in data["colours"]] == [[], [], []]  # ours would be wrong


def test_structures_are_shown_whole(tmp_path):
    found = made.exploration(stride=4.0)
    structures = [made.crystal((2, 2, k % 3 + 1), periodic=k % 2 == 0) for k in range(len(found))]
    several = replace(found, field=None)
    page.write_page(several, tmp_path / "a.html", structures=structures)
    data, atoms = contents(tmp_path / "a.html")
    assert data["atoms"]["sizes"][:3] == [4, 8, 12]
    assert data["atoms"]["cells"][0] == structures[0].cell.ravel().tolist()
    assert data["atoms"]["cells"][1] is None
    np.testing.assert_allclose(in_order(atoms(0)[0]), in_order(structures[0].positions), atol=1e-3)
    with pytest.raises(InputError, match="`structures` must be given"):
        page.write_page(several, tmp_path / "b.html")
    with pytest.raises(InputError, match=f"`structures` must be the {len(found)} that were explored, got 2"):
        page.write_page(several, tmp_path / "b.html", structures=structures[:2])


def test_what_cannot_be_shown_is_refused(slab, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="`path` must end in .html, got 'a.txt'"):
        page.write_page(slab, "a.txt")
    with pytest.raises(InputError, match="`most_boxes` must be at least 1, got 0"):
        page.write_page(slab, tmp_path / "a.html", most_boxes=0)
    with pytest.raises(InputError, match="`found` has no plane"):
        page.write_page(replace(slab, embedding=None), tmp_path / "a.html")
    with pytest.raises(InputError, match="no point on its plane: none is there"):
        page.write_page(made.exploration(0), tmp_path / "a.html")
    monkeypatch.setitem(__import__("sys").modules, "chemiscope", None)
    with pytest.raises(MissingPackageError, match="a page needs chemiscope, which is not installed"):
        page.write_page(slab, tmp_path / "a.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_names_cannot_leave_their_place(slab, tmp_path):
    """Names come from files of strangers."""
    evil = "</script><script>alert(1)</script>{{chemiscope}}{{data}}"
    classes = [replace(info, name=f"{evil}{k}") for k, info in enumerate(slab.prediction.classes)]
    found = replace(slab, model_name=evil, prediction=replace(slab.prediction, classes=tuple(classes)))
    page.write_page(found, tmp_path / "evil.html")
    page.write_page(slab, tmp_path / "good.html")
    evil_text, good = ((tmp_path / f"{k}.html").read_text(encoding="utf-8") for k in ("evil", "good"))
    assert evil_text.count("<script") == good.count("<script")
    assert evil_text.count("</script") == good.count("</script")
    data, _ = contents(tmp_path / "evil.html")
    assert evil in data["dataset"]["meta"]["description"]


def test_the_place_is_tried_before_the_work(slab, tmp_path):
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(FileError, match="it is a folder"):
        next(page.page_steps(slab, tmp_path / "folder.html"))


def test_a_notebook_shows_the_widget(slab):
    widget = slab.show(most_boxes=40)
    assert widget.settings["map"]["color"]["property"] == "cluster number"
    assert type(widget).__name__ == "ChemiscopeWidget"


# --- in a browser -------------------------------------------------------------------------------------------------


@pytest.fixture
def browser():
    """Chromium without a window, a network or a graphics card."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra test)")
    if BROWSER is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=list(FLAGS))
        context = browser.new_context(offline=True, viewport={"width": 1300, "height": 800})
        context.set_default_timeout(180_000)  # ms; a busy machine draws without a graphics card for long
        yield context
        browser.close()


POINT = """(plot, row) => {
  const { xaxis: x, yaxis: y } = plot._fullLayout, at = plot.getBoundingClientRect(), points = plot.data[0];
  return [at.left + x._offset + x.l2p(points.x[row]), at.top + y._offset + y.l2p(points.y[row])];
}"""
SHOWN = """() => {
  const cell = [...arise.visualizer.structure._cellsData.values()][0];
  return [cell.current.structure, cell.viewer._viewer.getModel().selectedAtoms({}).map((a) => [a.x, a.y, a.z])];
}"""


def far_from_others(points):
    """The point that is farthest from all others, so that a click hits no other."""
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    return int(apart.min(axis=1).argmax())


@pytest.mark.slow
def test_a_click_on_a_point_shows_the_atoms_of_its_box(browser, tmp_path):
    slab = made.exploration(missing=7, stride=2.0)
    page.write_page(slab, tmp_path / "a.html")
    window = browser.new_page()
    wrong, asked = [], []
    window.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    window.on("pageerror", lambda error: wrong.append(str(error)))
    window.on("request", lambda request: asked.append(request.url))
    window.goto((tmp_path / "a.html").as_uri())
    window.wait_for_selector("body[data-ready=yes]")
    plot = window.locator(".js-plotly-plot")
    assert plot.evaluate("(plot) => plot.data[0].x.length") == len(slab) - 7
    row = far_from_others(slab.points[7:])
    x, y = plot.evaluate(POINT, row)
    assert window.evaluate(SHOWN)[0] != row
    window.mouse.move(x - 3, y)
    window.mouse.move(x, y)
    window.mouse.click(x, y)
    window.wait_for_function(f"() => ({SHOWN})()[0] === {row}")
    _, atoms = window.evaluate(SHOWN)
    np.testing.assert_allclose(in_order(np.array(atoms)), in_order(box(slab, row + 7)), atol=2e-3)
    for name in ("class", "mutual information", "cluster"):
        window.get_by_role("button", name=name, exact=True).click()
        assert window.locator("#colours .chosen").inner_text() == name
    scale = plot.evaluate("(plot) => plot._fullLayout.coloraxis.colorscale")
    assert len(scale) == 2 * len(page.NUMBERED)  # where each colour begins and ends
    assert re.sub(r"\s", "", scale[2][1]) == "rgb(0,114,178)"
    assert window.locator("#legend span").all_inner_texts() == [f"cluster {k}" for k in range(4)]
    assert window.locator("#error").inner_text() == ""
    assert wrong == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)


def test_a_broken_page_says_so(browser, written, tmp_path):
    text = written.read_text(encoding="utf-8").replace('"dataset":', '"no":', 1)
    (tmp_path / "a.html").write_text(text, encoding="utf-8")
    window = browser.new_page()
    window.goto((tmp_path / "a.html").as_uri())
    window.wait_for_function("() => document.getElementById('error').textContent !== ''")
    assert window.locator("#error").inner_text().startswith("The page cannot be shown:")
