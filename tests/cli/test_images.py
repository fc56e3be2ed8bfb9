"""`arise image`: what it prints and writes, and what it refuses."""

import json

import numpy as np
import pytest
from skimage import io

from ase_arise import read
from tests.cli import FAST
from tests.images.made import PIXEL, columns_in, image_of

QUICK = [*FAST, "--stride", "8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("images")
    for name in ("graphene", "BN", "SrTiO3 [001]"):
        io.imsave(place / f"{name.split()[0]}.tif", image_of(name).astype(np.float32), check_contrast=False)
    return place


def test_the_image_itself_is_never_written_over(arise, folder, tmp_path):
    image = tmp_path / "a.png"
    io.imsave(image, np.zeros((40, 40), dtype=np.uint8), check_contrast=False)
    before = image.read_bytes()
    code, _, err = arise("image", image, "--plot", image, "--overwrite", *QUICK)
    assert (code, "is the one that is read" in err) == (1, True)
    assert image.read_bytes() == before


def test_one_image(arise, folder, tmp_path):
    atoms, plot = tmp_path / "out.xyz", tmp_path / "overlay.png"
    code, out, err = arise(
        "image", folder / "BN.tif", "--pixel", PIXEL, "--elements", "B,N", "--json", "--atoms", atoms,
        "--plot", plot, *QUICK,
    )  # fmt: skip
    assert code == 0
    (record,) = json.loads(out)
    assert record["label"] == "hexagonal_BN_monolayer"
    assert record["doubt"] < 0.05
    assert record["kinds"] == 2
    assert record["rings"]["6"] > 100
    assert record["top"][0]["label"] == "hexagonal_BN_monolayer"
    found = columns_in("BN")
    assert record["n_columns"] == len(found)
    assert f"wrote {atoms}" in err
    assert f"wrote {plot}" in err
    written = read(atoms)[0]
    np.testing.assert_allclose(written.positions, found.structure.positions, atol=1e-6)
    assert set(written.numbers) == {5, 7}
    assert (written.arrays["column_error"] > 0).all()
    assert (written.arrays["arise_label"] == "hexagonal_BN_monolayer").mean() > 0.9
    assert io.imread(plot).shape[2] == 4


def test_a_projection_is_undecided_and_the_reason_is_said(arise, folder):
    code, out, err = arise("image", folder / "SrTiO3.tif", "--pixel", PIXEL, *QUICK)
    assert code == 0
    assert "undecided" in out
    assert "PbSe_monolayer" in out
    assert "projected crystal" in err
    assert "2 kinds of columns" in err


def test_a_folder_is_ranked_by_doubt_and_compared(arise, folder, tmp_path):
    matrix, picture = tmp_path / "m.csv", tmp_path / "m.png"
    code, out, _ = arise(
        "image", folder, "--pixel", PIXEL, "--similarity", "--out", matrix, "--picture", picture, *QUICK
    )
    assert code == 0
    names = [word for line in out.splitlines() for word in line.split() if word.endswith(".tif")]
    assert names[0] == "SrTiO3.tif"
    rows = matrix.read_text().splitlines()
    assert rows[0] == ",BN.tif,SrTiO3.tif,graphene.tif"
    assert float(rows[1].split(",")[1]) == pytest.approx(1)
    assert picture.stat().st_size > 1000


def test_images_without_columns_are_left_out_of_a_folder(arise, folder, tmp_path):
    noise = np.random.default_rng(0).poisson(10, (100, 100)).astype(np.float32)
    io.imsave(tmp_path / "noise.tif", noise, check_contrast=False)
    io.imsave(tmp_path / "a.tif", image_of("graphene").astype(np.float32), check_contrast=False)
    code, out, err = arise("image", tmp_path, "--pixel", PIXEL, "--csv", "--strict", *QUICK)
    assert code == 3
    assert "noise.tif: left out" in err
    assert out.splitlines()[1].startswith("a.tif,graphene")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["a.tif"], 1, "does not exist"),
        (["BN.tif", "--pixel", "7"], 1, "`pixel_size`"),
        (["BN.tif", "--elements", "B,Xx"], 1, "`elements`"),
        (["BN.tif", "--mask", "a.tif"], 2, "--mask"),
        (["BN.tif", "--similarity"], 2, "--similarity"),
        (["BN.tif", "--out", "m.csv"], 2, "--similarity"),
        (["BN.tif", "--plot", "m.jpg"], 2, "--plot"),
        (["BN.tif", "--atoms", "m.zip"], 1, "m.zip"),
        ([".", "--plot", "m.png"], 2, "--plot"),
    ],
)
def test_what_is_refused(arise, folder, monkeypatch, arguments, code, said):
    monkeypatch.chdir(folder)
    found, _, err = arise("image", *arguments)
    assert found == code
    assert said in err
