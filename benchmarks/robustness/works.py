"""Works to be killed: small forms of screen, observer, map, training and add-class that tell what they have done.

Each begins or goes on in a folder, and tells a piece as soon as it is safe: as `arise screen` does by its progress bar,
an observer by its callback.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import ase.db
import ase.io
import numpy as np
import xarray
from ase import Atoms
from ase.build import bulk

import arise_core as arise
from arise_core.runtime import threads
from arise_core.training import edit_classes
from arise_core.training import train as training
from arise_core.training.edit_classes import AddSettings, add_classes
from arise_core.training.recipe import parse_recipe
from ase_arise import AriseObserver, from_atoms, read, screen, write

Say = Callable[[str], None]

ENTRIES = 256
LOOKS = 12
MAPS = 4
RECIPE = parse_recipe(
    {
        "name": "three",
        "classes": ["fcc", "bcc", "diamond"],
        "samples": {
            "kind": "perturbed", "pristine": 2, "whole": 6, "boxes": 0, "alloys": 0, "close_packed_alloys": 0,
            "disorder": 0,
        },
        "network": {"inputs": "standardised", "hidden": [16]},
        "fit": {"epochs": 3, "batch_size": 8},
    }
)  # fmt: skip
ADD = AddSettings(
    whole=4, boxes=0, replay_whole=2, replay_boxes=0, replay_alloys=0, replay_disorder=0, replay_unknown=0,
    epochs=2, passes=8,
)  # fmt: skip


@dataclass(frozen=True)
class Work:
    """A work that goes on where it stopped."""

    prepare: Callable[[Path], None]  # what it needs, into a folder
    run: Callable[[Path, Path, Say], None]  # from that folder into another, telling each piece
    found: Callable[[Path], list[str]]  # pieces that are there; an error if something cannot be read
    result: Callable[[Path], str]  # what it came to


def digest(values: Iterable[Any]) -> str:
    """Hash of values."""
    return hashlib.sha256(repr(list(values)).encode()).hexdigest()[:16]


def shaken(size: int, seed: int) -> Atoms:
    """Copper with noise."""
    atoms = bulk("Cu", cubic=True) * (size, size, size)
    atoms.rattle(0.05, seed=seed)
    return atoms


# --- screen --------------------------------------------------------------------------------------------------------


def prepare_screen(inputs: Path) -> None:
    """A database of small crystals."""
    kinds = [bulk("Cu"), bulk("Fe"), bulk("Mg"), bulk("Si"), bulk("NaCl", "rocksalt", a=5.64)]
    with ase.db.connect(inputs / "source.db") as database:
        for k in range(ENTRIES):
            database.write(kinds[k % 5])


def run_screen(inputs: Path, out: Path, say: Say) -> None:
    """A batch is safe when the bar has moved."""
    told = 0

    def progress(step: arise.Step) -> None:
        nonlocal told
        done = round(float(step) * ENTRIES)
        for k in range(told, done):
            say(f"entry {k + 1}")
        told = done

    screen(inputs / "source.db", out / "results.db", workers=1, passes=2, progress=progress)


def rows(out: Path) -> list[Any]:
    """Of the results."""
    if not (out / "results.db").exists():
        return []
    with ase.db.connect(out / "results.db") as database:
        return list(database.select())


def found_screen(out: Path) -> list[str]:
    """Entries."""
    return [f"entry {row.arise_entry}" for row in rows(out)]


def result_screen(out: Path) -> str:
    """Labels and numbers of all entries, in order."""
    return digest((row.id, row.arise_entry, row.arise_label, row.arise_mi) for row in rows(out))


# --- observer ------------------------------------------------------------------------------------------------------


def observer_of(out: Path, suffix: str) -> AriseObserver:
    """An observer of a large frame, which goes on with what is there."""
    return AriseObserver(
        shaken(10, 0), table=out / "phases.csv", trajectory=out / f"frames{suffix}", append=True, passes=2,
        box_size=12.0, stride=12.0,
    )  # fmt: skip


def observer(suffix: str) -> Work:
    """A simulation that is looked at, and begun again behind its last row."""

    def run(inputs: Path, out: Path, say: Say) -> None:
        watching = observer_of(out, suffix)
        for step in range(len(steps(out)), LOOKS):
            watching.atoms = shaken(10, step)
            watching.look(step)
            say(f"row {step}")
            say(f"frame {step}")

    def found(out: Path) -> list[str]:
        del_half = observer_of(out, suffix)  # as the next start does
        del del_half
        path = out / f"frames{suffix}"
        frames = ase.io.read(path, ":") if path.exists() and path.stat().st_size else []
        return [f"row {k}" for k in steps(out)] + [f"frame {a.info['arise_step']}" for a in frames]

    def result(out: Path) -> str:
        frames = ase.io.read(out / f"frames{suffix}", ":")
        return digest([(out / "phases.csv").read_text(), *(a.positions.tobytes() for a in frames)])

    return Work(lambda inputs: None, run, found, result)


def steps(out: Path) -> list[int]:
    """Of the whole rows of the table."""
    path = out / "phases.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


# --- map -----------------------------------------------------------------------------------------------------------


def prepare_map(inputs: Path) -> None:
    """A crystal with noise."""
    ase.io.write(inputs / "a.xyz", shaken(6, 1))


def run_map(inputs: Path, out: Path, say: Say) -> None:
    """A map and annotated atoms, written over those before."""
    atoms = ase.io.read(inputs / "a.xyz")
    for _ in range(MAPS):
        found = arise.strided_map(from_atoms(atoms), model(), passes=4, box_size=12.0, stride=3.0)
        found.to_netcdf(out / "map.nc")
        say("map.nc")
        for name in ("atoms.db", "atoms.xyz"):
            write(out / name, [atoms] * 20)
            say(name)


def found_map(out: Path) -> list[str]:
    """Files that can be read to their end."""
    names = []
    if (out / "map.nc").exists():
        with xarray.open_dataset(out / "map.nc", engine="netcdf4") as data:
            data.load()
        names.append("map.nc")
    for name in ("atoms.db", "atoms.xyz"):
        if (out / name).exists():
            assert len(read(out / name)) == 20, f"{name} is not whole"
            names.append(name)
    return names


def result_map(out: Path) -> str:
    """Numbers of the map."""
    with xarray.open_dataset(out / "map.nc", engine="netcdf4") as data:
        return digest([np.asarray(data["probability"]).tobytes(), len(found_map(out))])


# --- training ------------------------------------------------------------------------------------------------------


def run_training(inputs: Path, out: Path, say: Say) -> None:
    """A recipe of three classes; parts of the samples are safe when the bar has moved."""
    training.PART_SIZE = 5  # several parts of little work

    def progress(step: arise.Step) -> None:
        for name in parts(out):
            say(name)

    training.train(RECIPE, out / "model", progress)
    say("model")


def parts(out: Path) -> list[str]:
    """Finished parts of the samples."""
    return sorted(p.name for p in (out / "model" / "samples").glob("part-*.npz"))


def found_training(out: Path) -> list[str]:
    """Parts that can be read, and the model."""
    for name in parts(out):
        with np.load(out / "model" / "samples" / name) as content:
            assert len(content["features"]) == len(content["labels"])
    return parts(out) + found_model(out)


def found_model(out: Path) -> list[str]:
    """The model, if it is there."""
    if not (out / "model" / "model.pt").exists():
        return []
    arise.load_model(out / "model")
    return ["model"]


def result_model(out: Path) -> str:
    """Hash of the weights."""
    return arise.load_model(out / "model").card.weights_sha256


# --- add-class -----------------------------------------------------------------------------------------------------


def prepare_adding(inputs: Path) -> None:
    """A model of three classes and a crystal that is none of them."""
    training.train(RECIPE, inputs / "base")
    ase.io.write(inputs / "rock-salt.cif", bulk("NaCl", "rocksalt", a=5.64, cubic=True))


def run_adding(inputs: Path, out: Path, say: Say) -> None:
    """Nothing is kept before the end, and nothing half is there."""
    edit_classes.PART_SIZE = 5
    add_classes(
        [inputs / "rock-salt.cif"], [], out / "model", model=inputs / "base", settings=ADD, overwrite=True
    )
    say("model")


@lru_cache(maxsize=1)
def model() -> arise.Model:
    """Of the zoo."""
    return arise.load_model("arise-108")


WORKS: dict[str, Work] = {
    "screen": Work(prepare_screen, run_screen, found_screen, result_screen),
    "observer (extended XYZ)": observer(".xyz"),
    "observer (.traj)": observer(".traj"),
    "map": Work(prepare_map, run_map, found_map, result_map),
    "training": Work(lambda inputs: None, run_training, found_training, result_model),
    "add-class": Work(prepare_adding, run_adding, found_model, result_model),
}


def one_thread() -> None:
    """Work in the process itself, without workers."""
    threads.set_count(1)
