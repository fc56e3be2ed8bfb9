"""Activations of hidden layers for all boxes of a grid or a list of structures, in memory or in a Zarr store."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from arise_core.engine.boxes import gather_boxes
from arise_core.engine.grid import BoxGrid
from arise_core.errors import (
    ExistingFileError,
    FileError,
    InputError,
    MemoryLimitError,
    check_type,
)
from arise_core.explore.storage import read_arrays, write_arrays
from arise_core.geometry.arrays import Float32Array, IntArray, Reals
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.model.model import Model, check_model
from arise_core.progress import Job, Progress, Step, part, run, silent
from arise_core.recognition.asking import BATCH
from arise_core.recognition.comparison import check_layer
from arise_core.recognition.maps import StridedMap
from arise_core.recognition.whole import describe_wholes
from arise_core.recognition.work import checked_grid
from arise_core.runtime.files import check_place, file_errors, temporary_place
from arise_core.runtime.stores import DAMAGE, StoredArray, new_array, new_store, open_store, zarr_package
from arise_core.settings import KEPT, MapSettings, check_number

#: Of its files.
KIND = "representations"
#: What representations are taken of: the boxes of one structure, or several structures as wholes.
Subject = Structure | Material | BoxGrid | StridedMap | Sequence[Structure | Material]
#: Structures that are described before they go through the network.
WHOLES = 256


@dataclass(frozen=True, repr=False)
class Representations:
    """Activations of hidden layers before their ReLU, without dropout; a row a box or structure, NaN without atoms."""

    layers: tuple[int, ...]  # ascending, 0 is the first hidden layer
    arrays: tuple[
        Any, ...
    ]  # (n, width) float32 for each layer: of numpy, or of a Zarr store that is read when asked
    rows: IntArray  # (n,), box of the flattened grid, or number of the structure, that each row is of
    model_name: str

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"<Representations of {len(self)} by layers {self.layers} of {self.model_name!r}>"

    def of(self, layer: int) -> Float32Array:
        """Activations of a layer, (n, width), float32, in the order of the boxes or structures.

        Args:
            layer: one of `layers`.

        Raises:
            InputError: this layer was not kept.
        """
        if layer not in self.layers:
            raise InputError(f"`layer` must be one of {self.layers}, got {layer}")
        values = np.asarray(self.arrays[self.layers.index(layer)][:], dtype=np.float32)
        out = np.empty_like(values)
        out[self.rows] = values
        return out

    def save(self, path: str | Path) -> None:
        """Write all layers to a .npz file, in one step.

        Raises:
            FileError: the system does not let it.
        """
        arrays = {f"layer_{k}": self.of(k) for k in self.layers}
        rows = np.arange(len(self))
        write_arrays(Path(path), {"rows": rows, **arrays}, {"kind": KIND, "model": self.model_name})

    @classmethod
    def load(cls, path: str | Path) -> Representations:
        """Read what `save` wrote, or a Zarr store, whose arrays stay on the disk.

        Raises:
            FileError: no such file, or none of representations.
        """
        if Path(path).is_dir():
            return _opened(Path(path))
        arrays, facts = read_arrays(Path(path), KIND)
        try:
            layers = tuple(sorted(int(name.removeprefix("layer_")) for name in arrays if name != "rows"))
            return _checked(layers, tuple(arrays[f"layer_{k}"] for k in layers), arrays["rows"], facts)
        except (KeyError, ValueError) as error:
            raise FileError(f"file {str(path)!r} holds no whole representations: {error}") from error


def _checked(
    layers: tuple[int, ...], arrays: tuple[Any, ...], rows: IntArray, facts: Mapping[str, Any]
) -> Representations:
    """What was read, if it fits together.

    :raises ValueError: it does not.
    """
    n = len(rows) if rows.ndim == 1 else -1
    if rows.dtype.kind != "i" or not np.array_equal(np.sort(rows), np.arange(n)):
        raise ValueError("`rows` does not have each number once")
    for layer, array in zip(layers, arrays, strict=True):
        if len(array.shape) != 2 or array.shape[0] != n or array.dtype != np.float32:
            raise ValueError(f"layer {layer} is {array.dtype} {array.shape}, not float32 ({n}, width)")
    if not layers or layers[0] < 0:
        raise ValueError(f"its layers are {layers}")
    return Representations(layers, arrays, rows, str(facts["model"]))


def represent(
    subject: Subject,
    model: Model,
    layers: Iterable[int] | int | None = None,
    *,
    map_settings: MapSettings | None = None,
    store: str | Path | None = None,
    memory_limit: float = KEPT,
    progress: Progress = silent,
) -> Representations:
    """Representations of every box of a structure, grid or map, or of structures as wholes.

    Args:
        subject: a structure (its boxes), a `BoxGrid`, a `StridedMap` (its boxes again: maps keep no descriptors), or a
            list of structures.
        model: from `load_model`.
        layers: hidden layers, 0 for the first, negative from the last; None: all.
        map_settings: how boxes are laid over a structure; `min_atoms` holds for open structures of a list.
        store: folder that is made for a Zarr store, whose arrays are read when they are asked for.
        memory_limit: GiB that may be kept without a store.
        progress: called with the share of the work done.

    Raises:
        InputError: no such layer, or a structure that is refused; before any work.
        MemoryLimitError: more than `memory_limit` and no store.
        ExistingFileError: the store is there.
        MissingPackageError: a store without Zarr installed.
    """
    return run(represent_steps(subject, model, layers, map_settings, store, memory_limit), progress)


def represent_steps(
    subject: Subject,
    model: Model,
    layers: Iterable[int] | int | None = None,
    map_settings: MapSettings | None = None,
    store: str | Path | None = None,
    memory_limit: float = KEPT,
) -> Job[Representations]:
    """`represent` as a job: yields the share of the work done, returns the representations."""
    check_subject(subject)
    if map_settings is not None:
        check_type("map_settings", map_settings, MapSettings, "MapSettings")
    if store is not None:
        check_type("store", store, (str, os.PathLike), "the name of a folder")
    memory_limit = check_number("memory_limit", memory_limit, low=0.0, above=True, unit="GiB")
    settings = (map_settings or MapSettings()).resolved(several=False)
    chosen = chosen_layers(model, layers)
    check_one_size(subject, settings)
    if isinstance(subject, Structure | Material):
        subject = checked_grid(subject, settings)
    elif isinstance(subject, StridedMap):
        subject = subject.grid
    if isinstance(subject, BoxGrid):
        sink = collector(len(subject), model, chosen, store, memory_limit)
        with sink:
            for done, batch in gather_boxes(subject, model.descriptor, BATCH):
                yield Step(done / len(subject), "descriptors of boxes")
                if batch is not None:
                    sink.add(batch.boxes, batch.features)
            return sink.finish()
    materials = _materials(subject)
    n = len(materials)
    sink = collector(n, model, chosen, store, memory_limit)
    with sink:
        for k in range(0, n, WHOLES):
            some = materials[k : k + WHOLES]
            job = describe_wholes(some, model, settings.min_atoms)
            features = yield from part(job, k / n, (k + len(some)) / n)
            sink.add(np.arange(k, k + len(some)), features)
        return sink.finish()


def check_subject(subject: object) -> None:
    """Raise InputTypeError unless it is what representations can be taken of."""
    wanted = "a structure, a grid, a map or a list of structures"
    several = isinstance(subject, Sequence) and not isinstance(subject, str)
    if not several:
        check_type("subject", subject, (Structure, Material, BoxGrid, StridedMap), wanted)
        return
    for one in cast(Sequence[object], subject):
        check_type("subject", one, (Structure, Material), wanted)


def check_one_size(subject: object, settings: MapSettings) -> None:
    """Raise InputError for boxes of several sizes, whose representations would be told apart by their size."""
    if isinstance(subject, StridedMap | BoxGrid):
        settings = (subject.grid if isinstance(subject, StridedMap) else subject).settings
    if settings.resolution == "sharp":
        raise InputError(
            f"`resolution` must be 'single' where boxes are compared with each other, got {settings.resolution!r}"
        )


def chosen_layers(model: Model, layers: Iterable[int] | int | None) -> tuple[int, ...]:
    """Numbers of hidden layers, ascending, from 0; None stands for all.

    Raises:
        InputError: the model has no such layer, or none is named.
    """
    check_model(model)
    if layers is None:
        return tuple(range(model.n_layers))
    check_type("layers", layers, (int, np.integer, Iterable), "a whole number or several")
    named = [layers] if isinstance(layers, int | np.integer) else list(layers)
    if not named:
        raise InputError("`layers` is empty")
    for layer in named:
        check_layer(model, layer)
    return tuple(sorted({int(layer) % model.n_layers for layer in named}))


def _materials(subject: Sequence[Structure | Material]) -> list[Material]:
    if not subject:
        raise InputError("`subject` is empty")
    materials = [Material.of(structure) for structure in subject]
    for k, material in enumerate(materials):
        material.check_overlaps(f"structure {k}: ")
    return materials


# --- where they are put -------------------------------------------------------------------------------------------


class Collector:
    """Takes descriptors, keeps what hidden layers make of them."""

    def __init__(self, n: int, model: Model, layers: tuple[int, ...]) -> None:
        self._model, self._layers = model, layers
        self._rows = np.empty(n, dtype=np.int64)
        self._filled = 0
        self._arrays = [self._make(f"layer_{k}", (n, model.card.hidden[k])) for k in layers]

    def _make(self, name: str, shape: tuple[int, int]) -> Any:
        return np.empty(shape, dtype=np.float32)

    def add(self, rows: IntArray, features: Reals) -> None:
        """Descriptors (m, n_features) of some boxes or structures (m,)."""
        place = slice(self._filled, self._filled + len(rows))
        self._rows[place] = rows
        for array, layer in zip(self._arrays, self._layers, strict=True):
            array[place] = self._model.representations(features, layer)
        self._filled = place.stop

    def finish(self) -> Representations:
        """What was kept, after all rows were added."""
        return Representations(self._layers, tuple(self._arrays), self._rows, self._model.name)

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is left to clear away."""


class StoreCollector(Collector):
    """Keeps activations in a Zarr store, which is in its place when it is whole."""

    def __init__(self, n: int, model: Model, layers: tuple[int, ...], path: Path) -> None:
        zarr_package()  # told before the place is tried
        check_place(path, f"store {str(path)!r}", overwrite=False)
        self._path = path
        with ExitStack() as closing:
            self._temporary = closing.enter_context(temporary_place(path))
            self._group = new_store(self._temporary)
            super().__init__(n, model, layers)
            self._closing = closing.pop_all()

    def _make(self, name: str, shape: tuple[int, int]) -> Any:
        return new_array(self._group, name, shape, (min(BATCH, shape[0]), shape[1]), "float32")

    def add(self, rows: IntArray, features: Reals) -> None:
        """As in memory; the rows lie in the store in the order in which they come, tile after tile."""
        with file_errors(f"store {str(self._path)!r} cannot be written"):
            super().add(rows, features)

    def finish(self) -> Representations:
        """The finished store, opened for reading."""
        with file_errors(f"store {str(self._path)!r} cannot be written"):
            n = len(self._rows)
            new_array(self._group, "rows", (n,), (n,), "int64")[:] = self._rows
            facts = {"kind": KIND, "model": self._model.name, "layers": list(self._layers)}
            self._group.attrs.update(facts)
            os.replace(self._temporary, self._path)
        return _opened(self._path)

    def __exit__(self, *error: object) -> None:
        """Half a store goes."""
        self._closing.close()


def collector(
    n: int, model: Model, layers: tuple[int, ...], store: str | Path | None, memory_limit: float
) -> Collector:
    """Where representations of n boxes or structures are put.

    Raises:
        MemoryLimitError: they do not fit the limit and there is no store.
        ExistingFileError: the store is there.
    """
    if store is not None:
        if os.path.lexists(store):
            raise ExistingFileError(f"`store` {str(store)!r} exists; nothing was changed")
        return StoreCollector(n, model, layers, Path(store))
    needed = 4 * n * sum(model.card.hidden[k] for k in layers) / 2**30
    if needed > memory_limit:
        raise MemoryLimitError(
            f"layers {layers} of {n:,} boxes or structures take {needed:.2g} GiB, more than `memory_limit` "
            f"({memory_limit:g} GiB): name a folder for them in `store`, or take fewer layers"
        )
    return Collector(n, model, layers)


def _opened(path: Path) -> Representations:
    """A store that `represent` made.

    Raises:
        FileError: the folder is none.
    """
    with file_errors(f"folder {str(path)!r} cannot be read"):
        try:
            group = open_store(path)
            facts = dict(group.attrs)
            layers = tuple(int(k) for k in facts["layers"])
            arrays = tuple(StoredArray(group, f"layer_{k}", path) for k in layers)
            for layer, array in zip(layers, arrays, strict=True):
                if not array.whole:
                    raise ValueError(f"a part of layer {layer} is missing")
            return _checked(layers, arrays, StoredArray(group, "rows", path)[:], facts)
        except DAMAGE as error:
            raise FileError(f"folder {str(path)!r} is no store of representations: {error}") from error
