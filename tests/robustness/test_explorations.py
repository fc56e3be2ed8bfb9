"""Files of explorations and stores of representations that are damaged, hollow, or made to do harm."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from numpy.lib import format as npy

import arise_core as arise
from arise_core.errors import ExistingFileError, FileError
from arise_core.geometry import builders
from arise_core.runtime.stores import StoredArray, open_store
from tests.explore.made import exploration

#: A program that is killed while it makes a folder.
KILLED = """
import os, sys
from pathlib import Path
from arise_core.runtime.files import temporary_place
with temporary_place(Path(sys.argv[1])) as place:
    place.mkdir()
    (place / "x").write_text("half")
    os.kill(os.getpid(), 9)
"""
BOXES = arise.MapSettings(box_size=12.0, stride=6.0)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "found.npz"
    found = exploration(times=(6, 6, 3))
    found.save(path)
    return path, found


@pytest.fixture(scope="module")
def store(tmp_path_factory, fcc, model):
    pytest.importorskip("zarr")
    path = tmp_path_factory.mktemp("store") / "kept.zarr"
    arise.represent(builders.opened(fcc), model, map_settings=BOXES, store=path)
    return path


def altered(path, place, change):
    """The file with other arrays and facts."""
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    facts = json.loads(arrays.pop("facts").tobytes())
    change(arrays, facts)
    np.savez_compressed(place, facts=np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8), **arrays)
    return place


def test_damaged_files_are_refused_or_the_same(saved, tmp_path):
    path, found = saved
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        changed = bytearray(whole)
        changed[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
        (tmp_path / "a.npz").write_bytes(changed)
        try:
            again = arise.Exploration.load(tmp_path / "a.npz")
        except FileError:
            refused += 1
            continue
        assert np.array_equal(again.vectors, found.vectors)
        assert np.array_equal(again.labels, found.labels)
    assert refused > 150
    for n in (0, 1, len(whole) // 2, len(whole) - 1):
        (tmp_path / "a.npz").write_bytes(whole[:n])
        with pytest.raises(FileError, match="or damaged"):
            arise.Exploration.load(tmp_path / "a.npz")
    with pytest.raises(FileError, match="it is a folder"):
        arise.Exploration.load(tmp_path)


@pytest.mark.parametrize("end", [None, "shape", "kind", "object"])
def test_arrays_that_do_not_belong_together_are_refused(saved, tmp_path, end):
    path, _ = saved
    with np.load(path) as archive:
        names = [name for name in archive.files if name not in ("facts", "points", "clusters_tree")]

    for name in names:

        def change(arrays, facts, name=name):
            if end is None:
                del arrays[name]
            elif end == "shape":
                arrays[name] = arrays[name][..., None]
            else:
                arrays[name] = arrays[name].astype(object if end == "object" else complex)

        with pytest.raises(FileError):
            arise.Exploration.load(altered(path, tmp_path / "a.npz", change))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", None), ("layer", -1), ("layer", True), ("layer", "2"), ("classes", []), ("classes", {}),
        ("reject_threshold", "x"), ("reject_threshold", {}), ("min_cluster_size", 1e308), ("soft", "x"), ("note", 3),
        ("trials", [[1]]), ("trials", [{"a": 1}]), ("settings", {"layer": "x"}), ("map", None),
        ("map", {"stride": 1e-9}), ("origin", None), ("origin", [0.0, 1.0]), ("origin", [[0.0], [1.0], [2.0]]),
        ("origin", [0.0, 0.0, 1e300]), ("origin", "here"),
        ("notes", "x"), ("format", True), ("format", 2), ("kind", "representations"),
    ],
)  # fmt: skip
def test_facts_of_another_kind_are_refused(saved, tmp_path, name, value):
    def change(arrays, facts):
        facts[name] = value

    with pytest.raises(FileError):
        arise.Exploration.load(altered(saved[0], tmp_path / "a.npz", change))


def test_numbers_that_cannot_be_are_refused(saved, tmp_path):
    path, _ = saved
    for name, value in (("clusters_labels", 99), ("clusters_valid", False), ("prediction_probabilities", -7.0),
                        ("prediction_probabilities", np.nan), ("vectors", np.nan), ("offset", np.nan)):  # fmt: skip

        def change(arrays, facts, name=name, value=value):
            arrays[name][...] = value

        with pytest.raises(FileError, match="holds no whole exploration"):
            arise.Exploration.load(altered(path, tmp_path / "a.npz", change))


def test_memory_is_taken_for_what_is_there_only(saved, tmp_path):
    """A header may announce any size."""
    path = tmp_path / "a.npz"
    header = io.BytesIO()
    npy.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**50,)})
    with zipfile.ZipFile(saved[0]) as old, zipfile.ZipFile(path, "w") as new:
        new.writestr("facts.npy", old.read("facts.npy"))
        new.writestr("vectors.npy", header.getvalue() + bytes(1000))
    with pytest.raises(FileError, match="announces"):
        arise.Exploration.load(path)


def same(one, other):
    return all(np.array_equal(one.of(k), other.of(k)) for k in other.layers)


# --- stores -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["gone", "cut", "flipped", "empty"])
def test_damage_of_a_store_shows(store, tmp_path, how):
    """No number is read that was not written."""
    kept = arise.Representations.load(store)
    for file in [f for f in store.rglob("*") if f.is_file()]:
        copy = tmp_path / "copy"
        shutil.copytree(store, copy)
        place = copy / file.relative_to(store)
        data = bytearray(place.read_bytes())
        if how == "gone":
            place.unlink()
        else:
            data[len(data) // 2] ^= 4
            place.write_bytes({"cut": data[: len(data) // 2], "flipped": data, "empty": b""}[how])
        if how == "flipped":
            with suppress(FileError):  # of a description, a byte may say nothing
                assert same(arise.Representations.load(copy), kept)
        else:
            with pytest.raises(FileError, match="copy"):
                same(arise.Representations.load(copy), kept)
        shutil.rmtree(copy)


def test_a_store_is_unpacked_as_numbers_only(tmp_path):
    zarr = pytest.importorskip("zarr")
    from zarr.codecs import GzipCodec

    group = zarr.open_group(tmp_path / "a", mode="w", zarr_format=3)
    group.create_array("packed", shape=(2,), dtype="float32", compressors=[GzipCodec()])
    group.create_array("odd", shape=(2,), dtype="complex64")
    for name in ("packed", "odd"):
        with pytest.raises(ValueError, match="is packed by"):
            StoredArray(open_store(tmp_path / "a"), name, tmp_path / "a")
    zarr.open_group(tmp_path / "b", mode="w", zarr_format=2)
    with pytest.raises(FileError, match="is no store of representations"):
        arise.Representations.load(tmp_path / "b")


def test_a_killed_store_leaves_nothing_for_long(store, tmp_path, fcc, model):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "new.zarr")], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    arise.represent(builders.opened(fcc), model, 0, map_settings=BOXES, store=tmp_path / "new.zarr")
    assert os.listdir(tmp_path) == ["new.zarr"]


def test_a_link_to_nowhere_is_refused_before_the_work(store, tmp_path, fcc, model):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ExistingFileError, match="exists; nothing was changed"):
        arise.represent(builders.opened(fcc), model, 0, map_settings=BOXES, store=tmp_path / "link")
