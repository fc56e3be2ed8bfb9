"""Scripts of `examples/gallery/` make their pages in a short form; the pages of the docs are what they made."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from scipy.spatial import cKDTree

from arise_core.crystals.symmetry import space_group
from examples.gallery import __main__ as gallery
from examples.gallery import bain, boundaries, making
from examples.gallery.bicrystals import NEIGHBOURS, bicrystal, cubic
from examples.gallery.page import DOCS, LARGEST, Case, Page, index, small_png
from tests import ROOT


def record(folder: Path, name: str) -> dict:
    return json.loads((folder / f"{name}.json").read_text("utf-8"))


def colourful(path: Path) -> float:
    with Image.open(path) as picture:
        image = np.asarray(picture.convert("RGB")).astype(int)
    return float((np.ptp(image, axis=2) > 30).mean())


def check(folder: Path, name: str) -> dict:
    """A page and its figures belong together."""
    found, text = record(folder, name), (folder / f"{name}.md").read_text("utf-8")
    assert found["name"] == name
    assert len(found["rows"]) >= 3
    for row in found["rows"]:
        assert row["here"].replace("|", "\\|") in text
        assert row["agrees"] or row["why"], f"{name}: {row['what']} does not say why"
    assert found["pictures"]
    for picture in found["pictures"]:
        assert f"]({picture})" in text
        assert (folder / picture).stat().st_size <= LARGEST
        assert colourful(folder / picture) > 0.002
    assert found["command"] in text
    return found


#: Pages that are made at the same time in one test.
TOGETHER = ("bain", "tilings")
#: Of the others, those that are always made; half a minute each is too much for all.
ALWAYS = ("boundaries", "unknown")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ALWAYS else pytest.mark.slow)
        for name in gallery.PAGES
        if name not in TOGETHER
    ],
)
def test_short_form(name, tmp_path, capsys):
    gallery.main([name, "--quick", "--out", str(tmp_path)])
    found = check(tmp_path, name)
    assert found["quick"]
    assert f"({name}.md)" in (tmp_path / "index.md").read_text("utf-8")
    assert f"{name}: {found['seconds']} s" in capsys.readouterr().out


def test_short_forms_in_processes_of_their_own(tmp_path):
    words = [*TOGETHER, "--quick", "--out", str(tmp_path), "--workers", "2"]
    subprocess.run([sys.executable, "-m", "examples.gallery", *words], check=True, cwd=ROOT)
    text = (tmp_path / "index.md").read_text("utf-8")
    for name in TOGETHER:
        assert check(tmp_path, name)["quick"]
        assert f"({name}.md)" in text


def test_what_is_there_is_not_made_again(tmp_path, monkeypatch, capsys):
    made = []
    case = Case("bain", "A", "Figure 0", "All by default.", lambda page: made.append(page.quick))
    monkeypatch.setattr(making, "case", lambda name: case)
    gallery.main(["bain", "--quick", "--out", str(tmp_path)])
    gallery.main(["bain", "--quick", "--out", str(tmp_path)])
    assert made == [True]
    assert "bain: is there" in capsys.readouterr().out
    gallery.main(["bain", "--out", str(tmp_path)])  # the long form is another page
    gallery.main(["bain", "--out", str(tmp_path), "--again"])
    assert made == [True, False, False]
    with pytest.raises(SystemExit):
        gallery.main(["pearls"])
    assert "no page pearls" in capsys.readouterr().err


def test_rows_that_do_not_agree_say_why(tmp_path):
    page = Page(Case("slab", "Grains", "Figure 0", "All by default.", lambda page: None), tmp_path)
    page.row("grains", "four", "four | of them", True, "never said")
    page.row("clusters", "four", "three", False, "too few boxes")
    page.row("rejection", "none", "some", None, "the paper has none")
    page.write(2.0, {"command": "make it", "model": "m", "weights": "0" * 64})
    text = (tmp_path / "slab.md").read_text("utf-8")
    assert "| four | four \\| of them | yes |  |" in text
    assert "| four | three | **no** | too few boxes |" in text
    (line,) = [row for row in index(tmp_path).splitlines() if row.startswith("| [Grains](slab.md)")]
    assert (
        "| grains | clusters (too few boxes); rejection (not compared: the paper has none) | `make it` |"
        in line
    )


def test_pages_of_others_get_a_row(tmp_path):
    rows = [{"what": "a ring", "agrees": True, "why": ""}]
    one = {
        "name": "images",
        "title": "Images",
        "figure": "Figure 3",
        "command": "x",
        "seconds": 3,
    }
    (tmp_path / "images.json").write_text(json.dumps({**one, "rows": rows}))
    assert "| [Images](images.md) | Figure 3 | a ring |  | `x` | 3 s |" in index(tmp_path)


def test_pictures_are_made_small():
    figure = Figure(figsize=(12, 12))
    figure.subplots().imshow(np.random.default_rng(0).random((600, 600)), cmap="twilight")
    assert len(small_png(figure)) < 2 * LARGEST  # noise at the lowest resolution; at 120 dots it takes 1 MB
    small = Figure(figsize=(2, 2))
    small.subplots().plot([0, 1])
    data = small_png(small)
    assert len(data) < LARGEST
    assert data.startswith(b"\x89PNG")


def test_the_bain_path_has_the_crystals_that_have_names(tmp_path):
    for ratio, group in ((1.0, 229), (2**0.5, 225), (1.2, 139)):
        assert space_group(bain.tetragonal(ratio)) == group
    page = Page(bain.CASE, tmp_path, quick=True)
    bain.displaced(page)
    rows = {line.split("|")[1].strip(): line for line in page.parts[-1].splitlines()}
    for name, ratio in (("bcc", "0.707"), ("fcc", "1.000")):
        assert rows[f"{ratio} ({name})"].count(f"{name} 1.00") == 2
    assert "1.076 (In)" in rows


@pytest.mark.parametrize("one", boundaries.BOUNDARIES, ids=lambda b: f"{b.crystal} {b.name}")
def test_bicrystals(one):
    """Both halves are the crystal, up to the boundary, and the half at x < 0 is turned or mirrored."""
    structure = boundaries.build(one, 20.0)
    x = structure.positions
    size = structure.cell[1, 1], structure.cell[2, 2]
    assert x[:, 0].min() > -20.0 - 1e-2
    tree = cKDTree(x, boxsize=[0.0, *size])
    near, _ = tree.query(x, k=2)
    assert near[:, 1].min() >= 0.7 * NEIGHBOURS
    inside = (np.abs(x[:, 0]) > 5.0) & (np.abs(x[:, 0]) < 15.0)
    count = {"bcc": 8}.get(one.crystal, 12)
    around = tree.query_ball_point(x[inside], 1.05 * NEIGHBOURS, return_length=True) - 1
    assert (around == count).all()
    volume = 40.0 * size[0] * size[1] / len(x)
    ideal = {"bcc": 4 / 3 / np.sqrt(3)}.get(one.crystal, 1 / np.sqrt(2)) * NEIGHBOURS**3
    assert volume == pytest.approx(ideal, rel=0.08)


def test_a_twist_turns_the_other_half():
    """By twice the angle of u to the axes: of sigma 5, 36.87 degrees."""
    structure = bicrystal(cubic("fcc"), (3, 1, 0), (-1, 3, 0), 12.0, 10.0, twist=True)
    angles = []
    for side in (-1, 1):
        x = structure.positions[(side * structure.positions[:, 0] > 1.0)]
        start = x[np.abs(x[:, 1:] - structure.cell.diagonal()[1:] / 2).sum(axis=1).argmin()]
        to = x - start
        rows = to[(np.abs(to[:, 0]) < 0.1) & (np.abs(np.linalg.norm(to, axis=1) - NEIGHBOURS) < 0.1)]
        angles.append(np.degrees(np.arctan2(rows[0, 2], rows[0, 1])) % 90)
    apart = (angles[1] - angles[0]) % 90
    assert min(apart, 90 - apart) == pytest.approx(36.87, abs=0.02)


def test_bicrystals_of_skew_vectors_are_refused():
    with pytest.raises(ValueError, match="perpendicular"):
        bicrystal(cubic("bcc"), (1, 0, 0), (1, 1, 0), 10.0, 10.0)


def test_the_pages_of_the_docs_are_those_of_the_scripts():
    assert (DOCS / "index.md").read_text("utf-8") == index(DOCS)
    menu = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert "gallery/index.md" in menu
    pages = {p.stem for p in DOCS.glob("*.md")} - {"index"}
    assert pages
    for name in pages:
        assert not check(DOCS, name)["quick"]
        assert f"gallery/{name}.md" in menu, f"mkdocs.yml has no gallery/{name}.md"
    shown = {
        p for page in pages for p in re.findall(r"\]\((\S+\.png)\)", (DOCS / f"{page}.md").read_text("utf-8"))
    }
    assert shown == {p.name for p in DOCS.glob("*.png")}
