"""Classify `Atoms`, and write what is found into their arrays and `info`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from ase import Atoms

import arise_core as arise
from arise_core.crystals.naming import NONE
from arise_core.crystals.species import Types
from arise_core.errors import InputError
from arise_core.geometry.material import Material
from arise_core.progress import Progress, part, run, silent
from arise_core.recognition.result import Recognition, recognise, recognise_steps, settled
from arise_core.settings import (
    DEFAULT_MODEL,
    KeptProbabilities,
    MapSettings,
    RecognitionSettings,
    SamplingSettings,
    Threshold,
)
from ase_arise.convert import (
    Device,
    Images,
    ModelLike,
    as_model,
    check_images,
    frames,
    is_file_name,
    is_one,
    numbered,
    to_material,
)
from ase_arise.pymatgen_structures import annotated, as_atoms, is_pymatgen
from ase_arise.species import with_elements


def classify(
    images: Images,
    model: ModelLike = DEFAULT_MODEL,
    *,
    device: Device = None,
    passes: int = SamplingSettings.passes,
    seed: int = SamplingSettings.seed,
    min_atoms: int = MapSettings.min_atoms,
    reject_threshold: Threshold = "card",
    types: Types = None,
    progress: Progress = silent,
) -> arise.Prediction:
    """Class of each structure as a whole, one row each, in order.

    Args:
        images: `Atoms` or a structure of pymatgen, a list or generator of them, or a file name, `name@index` included
            (all frames).
        model: a `Model`, a name of the zoo, or a path.
        device: where the network runs, such as "cuda"; None: where a `Model` is, else on the CPU.
        passes, seed, min_atoms, reject_threshold, progress: see `arise_core.classify`.
        types: elements by type or name, see `from_atoms`.

    Raises:
        TypeError, ValueError, OSError: input that is refused; before any descriptor is computed.
    """
    network = as_model(model, device)
    SamplingSettings(passes=passes, seed=seed)
    return arise.classify(
        numbered(list(frames(images)), types), network, passes=passes, seed=seed, min_atoms=min_atoms,
        reject_threshold=reject_threshold, progress=progress,
    )  # fmt: skip


def annotate(
    images: Images,
    model: ModelLike = DEFAULT_MODEL,
    *,
    device: Device = None,
    copy: bool = False,
    types: Types = None,
    progress: Progress = silent,
    **options: Any,
) -> Any:
    """Write labels and uncertainties into `Atoms`; in place, and returned.

    Small structures are recognised as a whole, large ones box by box (`RecognitionSettings.mode`).

    Arrays, one value an atom: `arise_label` (short name, "rejected" or "none"), `arise_confidence`,
    `arise_mutual_information` (bit), `arise_rejection_uncertainty` (bit), `arise_rejected`; with `resolution` "sharp"
    also `arise_resolution` (edge of the box that has answered, Å). In `info`:
    `arise_label`, `arise_class` (label of the most probable class, rejected or not), `arise_confidence`,
    `arise_mutual_information`, `arise_predictive_entropy` (bit), `arise_reject_score`,
    `arise_rejection_uncertainty` (bit), `arise_rejected`, `arise_mode` ("whole" or "local"), `arise_fractions`
    (shares of the atoms by name), `arise_model`, and `arise_notes` where something was assumed. Atoms that are left out
    (sites without mass) are "none". Nothing else is touched:
    positions, atomic numbers, other arrays, constraints and the calculator with its results stay. `Atoms` read from a
    file have the elements that they were taken for.

    Args:
        images: `Atoms`, a list or generator of them, or a file name, `name@index` included. Structures of pymatgen get
            site properties, and `properties` in place of `info`.
        model: a `Model`, a name of the zoo, or a path.
        device: where the network runs, such as "cuda"; None: where a `Model` is, else on the CPU.
        copy: annotate copies (without calculator, as `Atoms.copy`) and leave the originals as they are.
        types: elements by type or name, see `from_atoms`; numbers of `Atoms` that are handed over stay.
        progress: called with the share of the work done (not for generators).
        **options: of `RecognitionSettings.of`: mode, box_size, stride, passes, seed, ...

    Returns:
        The `Atoms`; a list for a list or a file name; for a generator a generator that works frame by frame.

    Raises:
        TypeError, ValueError, OSError: input that is refused; before anything is written.
    """
    settings = RecognitionSettings.of(options)
    check_images(images)
    network = as_model(model, device)
    if not (is_one(images) or isinstance(images, list | tuple) or is_file_name(images)):
        return _annotate_lazily(iter(images), network, settings, copy, types)  # type: ignore[arg-type]
    found = list(frames(images))
    if not found:
        raise InputError("`images` is empty")
    given: list[Any] = [images] if is_one(images) else found if is_file_name(images) else list(images)  # type: ignore[arg-type]
    done = []
    materials = numbered(found, types)
    if is_file_name(images):
        given = [with_elements(atoms, material) for atoms, material in zip(found, materials, strict=True)]
    results = recognise_all(materials, network, settings, progress)
    for one, material, result in zip(given, materials, results, strict=True):
        done.append(_annotated(one, result, network.name, material, copy))
    return done[0] if is_one(images) else done


def _annotate_lazily(
    images: Iterator[Any], model: arise.Model, settings: RecognitionSettings, copy: bool, types: Types
) -> Iterator[Atoms]:
    for k, one in enumerate(images):
        material = to_material(one, f"structure {k}: ", types)
        result = recognise(material, model, settings)
        yield _annotated(one, result, model.name, material, copy)


def _annotated(one: Any, result: Recognition, model_name: str, material: Material, copy: bool) -> Any:
    """`Atoms`, or a structure of pymatgen, with a result written into it or into a copy."""
    if is_pymatgen(one):
        return annotated(one, write_results(as_atoms(one), result, model_name, material), copy=copy)
    return write_results(one.copy() if copy else one, result, model_name, material)


def recognise_all(
    materials: list[Material],
    model: arise.Model,
    settings: RecognitionSettings,
    progress: Progress = silent,
    probabilities: KeptProbabilities = "top",
) -> Iterator[Recognition]:
    """One recognition after the other; the progress is that of all of them.

    Args:
        materials, model, settings, progress, probabilities: see `recognise`.
    """
    n = len(materials)
    # what does not fit one of them is refused before any work
    each = [settled(settings, material) for material in materials]
    for k, (material, own) in enumerate(zip(materials, each, strict=True)):
        job = recognise_steps(material, model, own, probabilities=probabilities)
        yield run(part(job, k / n, (k + 1) / n), progress)


def write_results(atoms: Atoms, result: Recognition, model_name: str, material: Material) -> Atoms:
    """Put a result into the arrays and `info` of `atoms`, replacing an earlier one.

    Args:
        atoms: of which the material is.
        result: of it.
        model_name: for `info`.
        material: knows which atoms were left out, and what was assumed.
    """
    arrays = {
        "arise_label": (result.atom_labels, NONE),
        "arise_confidence": (result.atoms.confidence, np.nan),
        "arise_mutual_information": (result.atoms.mutual_information, np.nan),
        "arise_rejection_uncertainty": (result.atom_rejection_uncertainty, np.nan),
        "arise_rejected": (result.atom_rejected, False),
    }
    atoms.set_array("arise_resolution", None)
    if result.atom_resolution is not None:
        arrays["arise_resolution"] = (result.atom_resolution, np.nan)
    for name, (values, empty) in arrays.items():
        atoms.set_array(name, None)  # else ASE would cut new strings to the length of the old
        atoms.set_array(name, material.spread(values, empty))
    atoms.info.update({f"arise_{key}": value for key, value in result.record().items()})
    atoms.info["arise_fractions"] = result.fractions
    atoms.info["arise_model"] = model_name
    atoms.info.pop("arise_notes", None)
    if material.notes:
        atoms.info["arise_notes"] = "; ".join(material.notes)
    return atoms
