"""Many structures, recognised one after the other: small ones go through the network together, and what fails is told.

Screenings and trajectories work in such batches. A batch is what a worker process gets, and what a kill loses.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
from ase import Atoms

from arise_core.crystals.occupancy import sites_of
from arise_core.descriptor.soap import describe
from arise_core.errors import AriseError, InputError
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.material import Material
from arise_core.model.model import Model
from arise_core.recognition.result import Recognition, recognise
from arise_core.recognition.whole import is_large_enough
from arise_core.runtime.ledger import Facts
from arise_core.runtime.patience import within
from arise_core.settings import TIME_LIMIT, MapSettings, RecognitionSettings, options_of
from ase_arise.convert import as_model, to_material
from ase_arise.occupancy import occupied

T = TypeVar("T")

#: Atoms of a batch, from which on nothing is added to it.
ENOUGH = 20_000


@dataclass(frozen=True)
class Order:
    """All that a worker needs to know."""

    model: str
    settings: RecognitionSettings
    types: dict[str, str] = field(default_factory=dict)  # elements by type or name
    time_limit: float = TIME_LIMIT  # seconds a structure
    draw: bool = False  # fill partly occupied sites at random
    device: str = "cpu"  # where the network runs

    @property
    def keep_map(self) -> bool:
        """Whether maps are kept, and not only what they say at atoms."""
        return False

    def facts(self, model: Model) -> Facts:
        """What results depend on, in plain types; on the device no more than on the processor (docs/engine.md)."""
        free = {name for name, (_, option) in options_of(MapSettings).items() if not option.result}
        return {
            "model": model.name,
            "model_sha256": model.sha256,
            **({"types": self.types} if self.types else {}),
            **({"draw": True} if self.draw else {}),
            **{name: value for name, value in self.settings.to_options().items() if name not in free},
        }


@dataclass(frozen=True)
class Found:
    """What became of a structure."""

    atoms: Atoms | None  # as it was recognised
    material: Material | None = None
    result: Recognition | None = None
    seconds: float = 0.0
    error: str = ""  # why there is no result


def batched(
    items: Iterable[T | None],
    most: int,
    atoms: Callable[[T], int],
    kin: Callable[[T], object] = lambda _: None,
) -> Iterator[list[T]]:
    """Things in batches: large ones alone, small ones together that follow each other.

    Args:
        items: in order; None stands for time that passed: what has gathered becomes a batch, which may be empty.
        most: things of a batch.
        atoms: of a thing.
        kin: the same for things that may be together.
    """
    batch: list[T] = []
    total = 0
    for item in items:
        full = item is None or len(batch) >= most or total + atoms(item) > ENOUGH
        if item is None or (batch and (full or kin(item) != kin(batch[0]))):
            yield batch
            batch, total = [], 0
        if item is not None:
            batch.append(item)
            total += atoms(item)
    if batch:
        yield batch


def recognise_each(images: Sequence[Atoms | str], order: Order, names: Sequence[str]) -> list[Found]:
    """What each structure is.

    Args:
        images: structures; a text is why one cannot be read.
        order: how.
        names: where each is from, for warnings.
    """
    model = as_model(order.model, order.device)
    found: dict[int, Found] = {}
    small: list[tuple[int, _Described]] = []
    for k, atoms in enumerate(images):
        if isinstance(atoms, str):
            found[k] = Found(None, error=atoms)
            continue
        begun = attempt(partial(_begun, atoms, order, model), names[k], order.time_limit)
        if isinstance(begun, str):
            found[k] = Found(atoms, error=begun)
        elif isinstance(begun, Found):
            found[k] = begun
        else:
            small.append((k, begun))
    if small:
        found |= _small(small, model, order)
    return [found[k] for k in range(len(images))]


def attempt(call: Callable[[], T], name: str, limit: float) -> T | str:
    """What a call returns, or why it failed.

    Args:
        call: returns no text.
        name: what it is about, for warnings.
        limit: seconds that it may take.
    """
    try:
        with within(limit):
            return call()
    except (AriseError, MemoryError) as error:
        return str(error) or "not enough memory"
    except Exception as error:  # a bug of this package: it must not end a long run, nor pass unseen
        reason = f"{type(error).__name__}: {error}"
        warnings.warn(f"{name}: a bug of this package, please report it ({reason})", stacklevel=2)
        return reason


class _Described(NamedTuple):
    """A small structure, before it goes through the network together with others."""

    atoms: Atoms
    material: Material
    features: FloatArray  # (n_features,)
    seconds: float


def _begun(atoms: Atoms, order: Order, model: Model) -> Found | _Described:
    """A large structure recognised, a small one described."""
    start = time.perf_counter()
    atoms, material = looked_at(atoms, order)
    if order.settings.is_local(len(material)):
        result = recognise(material, model, order.settings, keep_map=order.keep_map)
        return found_of(atoms, material, result, time.perf_counter() - start, order)
    features = describe(material, model.descriptor)
    return _Described(atoms, material, features, time.perf_counter() - start)


def _small(small: list[tuple[int, _Described]], model: Model, order: Order) -> dict[int, Found]:
    start = time.perf_counter()
    sampling = replace(order.settings.sampling, tolerance=None)
    threshold = order.settings.reject_threshold
    model.check_calibrated(threshold, "whole", order.settings.map, sampling)
    features = np.array([one.features for _, one in small])
    prediction = model.predict(features, sampling, reject_threshold=threshold)
    prediction = prediction.without_bulk([row for row, (_, one) in enumerate(small) if one.material.flat])
    each = (time.perf_counter() - start) / len(small)
    found = {}
    for row, (k, one) in enumerate(small):
        result = Recognition.of_whole(prediction, row, len(one.material))
        found[k] = found_of(one.atoms, one.material, result, one.seconds + each, order)
    return found


def looked_at(atoms: Atoms, order: Order) -> tuple[Atoms, Material]:
    """A structure with full sites only, and the one look at it.

    Raises:
        InputError: it cannot be recognised.
    """
    atoms = _drawn(atoms, order)
    material = to_material(atoms, types=order.types)
    least = order.settings.map.min_atoms
    if not is_large_enough(material.body, least):
        raise InputError(f"{len(material)} atoms, fewer than `min_atoms` ({least})")
    return atoms, material


def _drawn(atoms: Atoms, order: Order) -> Atoms:
    """The structure with full sites only, as `occupied` draws it; nothing changes where all are full."""
    if not order.draw:
        return atoms
    sites = sites_of(atoms)
    partly = sites is not None and sites.partial.any()
    return occupied(atoms, seed=order.settings.sampling.seed) if partly else atoms


def found_of(atoms: Atoms, material: Material, result: Recognition, seconds: float, order: Order) -> Found:
    """What became of a structure that has been recognised."""
    if result.valid:
        return Found(atoms, material, result, seconds)
    least = order.settings.map.min_atoms
    return Found(atoms, error=f"no prediction: too few atoms for a descriptor (`min_atoms` {least})")
