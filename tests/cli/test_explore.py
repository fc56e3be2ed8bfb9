"""`arise explore`: the table of clusters, and what it writes."""

import json

import ase.io
import numpy as np
import pytest

import arise_core
from arise_core.explore.representations import Representations
from arise_core.geometry.grains import four_grains
from ase_arise import read
from ase_arise.convert import to_atoms
from tests.cli import FAST

QUICK = [*FAST, "--stride", "4", "--n-neighbors", "10"]


@pytest.fixture(scope="module")
def grains(tmp_path_factory):
    structure, _ = four_grains((60.0, 60.0), rng=np.random.default_rng(4))
    path = tmp_path_factory.mktemp("grains") / "grains.xyz"
    ase.io.write(path, to_atoms(structure))
    return path


def test_the_table(arise, grains):
    code, out, err = arise("explore", grains, "--no-embed", *QUICK)
    assert code == 0
    for word in (
        "Smallest cluster",
        "taken",
        "Cluster",
        "Boxes",
        "Main classes",
        "MI (bit)",
        "fcc",
        "bcc",
        "diamond",
    ):
        assert word in out
    assert "100%" in err


def test_files_and_json_say_the_same(arise, grains, tmp_path):
    out, atoms = tmp_path / "found.npz", tmp_path / "atoms.xyz"
    code, text, err = arise(
        "explore", grains, "--json", "--min-cluster-size", "20", "--out", out, "--atoms", atoms, *QUICK
    )
    assert code == 0
    assert f"wrote {out}" in err
    record = json.loads(text)
    found = arise_core.Exploration.load(out)
    assert record["rows"] == len(found)
    assert record["min_cluster_size"] == 20
    assert record["trials"] == []
    assert [c["size"] for c in record["clusters"]] == [g.size for g in found.groups()]
    assert sum(c["share"] for c in record["clusters"]) == pytest.approx(1)
    assert np.isfinite(found.points[found.clusters.valid]).all()
    written = next(iter(read(atoms)))
    assert np.array_equal(written.arrays["arise_cluster"], found.labels_at_atoms())
    code, _, err = arise("explore", grains, "--out", out, *QUICK)
    assert code == 1
    assert "exists; nothing was changed" in err


def test_several_frames_are_points(arise, crystals, tmp_path):
    atoms = tmp_path / "atoms.xyz"
    code, out, err = arise("explore", f"{crystals}@:", "--atoms", atoms, *FAST)
    assert code == 0
    assert "Structures" in out
    assert "3 with a representation are too few" in err
    assert [a.info["arise_cluster"] for a in ase.io.read(atoms, ":")] == [-1, -1, -1]


def test_a_page_that_cannot_be_leaves_the_rest(arise, crystals, tmp_path):
    pytest.importorskip("chemiscope", reason="chemiscope is not installed (extra web)")
    atoms, page = tmp_path / "atoms.xyz", tmp_path / "page.html"
    code, out, err = arise("explore", f"{crystals}@:", "--atoms", atoms, "--page", page, *FAST)
    assert code == 1
    assert "too few for a plane" in err
    assert "Structures" in out
    assert len(ase.io.read(atoms, ":")) == 3
    assert not page.exists()


def test_soft_clusters(arise, grains):
    code, text, _ = arise("explore", grains, "--json", "--no-embed", "--soft", "--membership", "0", *QUICK)
    assert code == 0
    assert all(c["cluster"] >= 0 for c in json.loads(text)["clusters"])


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (["--min-cluster-size", "many"], 2, "must be a number"),
        (["--min-cluster-size", "1"], 1, "`min_cluster_size` must be at least 2"),
        (["--layer", "9"], 1, "`layer` must be in"),
        (["--out", "found.txt"], 2, "must end in .npz"),
    ],
)
def test_refused(arise, grains, given, code, said):
    found, _, err = arise("explore", grains, *given, *QUICK)
    assert found == code
    assert said in err


def test_a_page(arise, grains, crystals, tmp_path):
    pytest.importorskip("chemiscope", reason="chemiscope is not installed (extra web)")
    page = tmp_path / "page.html"
    code, _, err = arise("explore", grains, "--page", page, *QUICK)
    assert code == 0, err
    assert f"wrote {page}" in err
    assert "boxes explored" in page.read_text(encoding="utf-8")
    for more, said in ((["--no-embed"], "`page` shows the plane: `embed` must be true"), ([], "exists")):
        code, _, err = arise(
            "explore", grains, "--page", page, *more, *QUICK, *(["--overwrite"] if more else [])
        )
        assert code in (1, 2)
        assert said in err


def test_folders_and_the_file_itself_are_refused_before_the_work(arise, grains, tmp_path):
    code, _, err = arise("explore", tmp_path, *QUICK)
    assert code == 1
    assert "is a folder: name a file" in err
    link = tmp_path / "link.xyz"
    link.symlink_to(grains)
    before = grains.read_bytes()
    for command, name in (("explore", link), ("explore", grains), ("map", f"{grains}@0")):
        code, _, err = arise(command, name, "--atoms", grains, "--overwrite", *FAST)
        assert code == 1
        assert "is the one that is read" in err
    assert grains.read_bytes() == before


def test_a_store_holds_all_layers(arise, crystals, tmp_path):
    pytest.importorskip("zarr")
    store = tmp_path / "store.zarr"
    command = ("explore", f"{crystals}@:", "--min-cluster-size", "2", "--no-embed", "--store", store, *FAST)
    code, _, err = arise(*command)
    assert code == 0
    assert f"wrote {store}" in err
    kept = Representations.load(store)
    model = arise_core.load_model("arise-108")
    assert kept.layers == tuple(range(model.n_layers))
    assert len(kept) == len(list(read(f"{crystals}@:")))
    assert np.isfinite(kept.of(0)).all()
    code, _, err = arise(*command)
    assert code == 1
    assert "exists; nothing was changed" in err
