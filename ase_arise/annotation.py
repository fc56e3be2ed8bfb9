"""Classify `Atoms`, and write what is found into their arrays and `info`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ase import Atoms

import arise_core as arise
from arise_core.overview import Overview, OverviewSettings, overview
from arise_core.recognise import Threshold
from arise_core.settings import MapSettings, SamplingSettings
from ase_arise.convert import (
    Images,
    ModelLike,
    as_model,
    checked,
    frames,
    from_atoms,
    is_file_name,
)
from ase_arise.defaults import DEFAULT_MODEL
from ase_arise.labels import atom_labels, fractions, record

Progress = Callable[[float], None]


def classify(
    images: Images,
    model: ModelLike = DEFAULT_MODEL,
    *,
    passes: int = SamplingSettings.passes,
    seed: int = SamplingSettings.seed,
    min_atoms: int = MapSettings.min_atoms,
    reject_threshold: Threshold = "card",
    progress: Progress = lambda fraction: None,
) -> arise.Prediction:
    """Class of each structure as a whole, one row each, in order.

    Args:
        images: `Atoms`, a list or generator of them, or a file name, `name@index` included (all frames).
        model: a `Model`, a name of the zoo, or a path.
        passes, seed, min_atoms, reject_threshold, progress: see `arise_core.classify`.

    Raises:
        TypeError, ValueError, OSError: input that is refused; before any descriptor is computed.
    """
    network = as_model(model)
    SamplingSettings(passes=passes, seed=seed)
    found = list(frames(images))
    names = [f"structure {k}: " if len(found) > 1 else "" for k in range(len(found))]
    structures = [from_atoms(atoms, name) for atoms, name in zip(found, names, strict=True)]
    return arise.classify(
        structures, network, passes=passes, seed=seed, min_atoms=min_atoms,
        reject_threshold=reject_threshold, progress=progress,
    )  # fmt: skip


def annotate(
    images: Images,
    model: ModelLike = DEFAULT_MODEL,
    *,
    copy: bool = False,
    progress: Progress = lambda fraction: None,
    **options: Any,
) -> Any:
    """Write labels and uncertainties into `Atoms`; in place, and returned.

    Small structures are recognised as a whole, large ones box by box (`OverviewSettings.mode`).

    Arrays, one value an atom: `arise_label` (short name, "rejected" or "none"), `arise_confidence`,
    `arise_mutual_information` (bit), `arise_rejected`. In `info`: `arise_label`, `arise_class` (label of the
    most probable class, rejected or not), `arise_confidence`, `arise_mutual_information`,
    `arise_predictive_entropy` (bit), `arise_reject_score`, `arise_rejected`, `arise_mode` ("whole" or
    "local"), `arise_fractions` (shares of the atoms by name), `arise_model`. Nothing else is touched:
    positions, other arrays, constraints and the calculator with its results stay.

    Args:
        images: `Atoms`, a list or generator of them, or a file name, `name@index` included.
        model: a `Model`, a name of the zoo, or a path.
        copy: annotate copies (without calculator, as `Atoms.copy`) and leave the originals as they are.
        progress: called with the share of the work done (not for generators).
        **options: of `OverviewSettings`: mode, box_size, stride, passes, seed, ...

    Returns:
        The `Atoms`; a list for a list or a file name; for a generator a generator that works frame by frame.

    Raises:
        TypeError, ValueError, OSError: input that is refused; before anything is written.
    """
    settings = make_settings(options)
    network = as_model(model)
    if not (isinstance(images, Atoms | list | tuple) or is_file_name(images)):
        return _annotate_lazily(frames(images), network, settings, copy)
    found = list(frames(images))
    if not found:
        raise ValueError("`images` is empty")
    for k, atoms in enumerate(found):
        checked(atoms, f"structure {k}: " if len(found) > 1 else "")
    done = []
    for k, atoms in enumerate(found):
        result = overview(from_atoms(atoms), network, settings, lambda f, k=k: progress((k + f) / len(found)))
        done.append(write_results(atoms.copy() if copy else atoms, result, network.name))
    return done[0] if isinstance(images, Atoms) else done


def _annotate_lazily(
    images: Iterator[Atoms], model: arise.Model, settings: OverviewSettings, copy: bool
) -> Iterator[Atoms]:
    for k, atoms in enumerate(images):
        result = overview(checked(atoms, f"structure {k}: "), model, settings)
        yield write_results(atoms.copy() if copy else atoms, result, model.name)


def make_settings(options: dict[str, Any]) -> OverviewSettings:
    """Settings from keyword arguments.

    Raises:
        TypeError: an unknown argument; the message lists the known ones.
        ValueError: a value out of range.
    """
    known = list(OverviewSettings.__dataclass_fields__)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise TypeError(f"unknown argument {unknown[0]!r}; known: {', '.join(known)}")
    return OverviewSettings(**options)


def write_results(atoms: Atoms, result: Overview, model_name: str) -> Atoms:
    """Put a result into the arrays and `info` of `atoms`, replacing an earlier one."""
    arrays = {
        "arise_label": atom_labels(result),
        "arise_confidence": result.atom_confidence,
        "arise_mutual_information": result.atom_mutual_information,
        "arise_rejected": result.atom_rejected,
    }
    for name, values in arrays.items():
        atoms.set_array(name, None)  # else ASE would cut new strings to the length of the old
        atoms.set_array(name, values)
    atoms.info.update({f"arise_{key}": value for key, value in record(result).items()})
    atoms.info["arise_fractions"] = fractions(result)
    atoms.info["arise_model"] = model_name
    return atoms
