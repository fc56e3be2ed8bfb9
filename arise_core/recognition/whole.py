"""What structures are as a whole."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from arise_core.descriptor.soap import describe
from arise_core.errors import InputError, InputTypeError, check_type, shown
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.model.model import Model, check_model
from arise_core.model.prediction import Prediction
from arise_core.progress import Job, Progress, Step, part, run, silent
from arise_core.settings import MapSettings, SamplingSettings, Threshold, check_threshold

#: Share of the work that is spent on descriptors, for the progress shown.
DESCRIPTOR_SHARE = 0.6


def classify(
    structures: Structure | Material | Sequence[Structure | Material],
    model: Model,
    *,
    passes: int = SamplingSettings.passes,
    seed: int = SamplingSettings.seed,
    min_atoms: int = MapSettings.min_atoms,
    reject_threshold: Threshold = "card",
    progress: Progress = silent,
) -> Prediction:
    """Class of each structure as a whole, one row each.

    Periodic structures need no supercell. For polycrystals and large structures use `strided_map`.

    Args:
        structures: one structure, or several.
        model: from `load_model`.
        passes: forward passes with dropout.
        seed: of the dropout masks.
        min_atoms: open structures with fewer atoms give NaN and a warning.
        reject_threshold: score from which a structure is none of the classes; "card": the model's own;
            None: never.
        progress: called with the share of the work done.

    Returns:
        A row for each structure; its `notes` say what was assumed of each.

    Raises:
        ValueError: no structure, overlapping atoms, or an argument out of range; before any work.
    """
    sampling = SamplingSettings(passes=passes, seed=seed)
    return run(classify_steps(structures, model, sampling, min_atoms, reject_threshold), progress)


def classify_steps(
    structures: Structure | Material | Sequence[Structure | Material],
    model: Model,
    sampling: SamplingSettings,
    min_atoms: int = MapSettings.min_atoms,
    reject_threshold: Threshold = "card",
    seen: Callable[[FloatArray], object] | None = None,
) -> Job[Prediction]:
    """`classify` as a job: yields the share of the work done, returns the prediction.

    Args:
        structures, model, min_atoms, reject_threshold: see `classify`.
        sampling: of the network.
        seen: called with the descriptors, which the prediction does not keep.
    """
    check_model(model)
    check_type("sampling", sampling, SamplingSettings, "SamplingSettings")
    check_type("structures", structures, (Structure, Material, Iterable), "a Structure or several")
    several = [structures] if isinstance(structures, Structure | Material) else list(structures)
    if not several:
        raise InputError("`structures` is empty")
    boxes = MapSettings(min_atoms=min_atoms)
    check_threshold(reject_threshold)
    model.check_calibrated(reject_threshold, "whole", boxes, sampling)
    materials = []
    for k, structure in enumerate(several):
        if not isinstance(structure, Structure | Material):
            raise InputTypeError(f"`structures` must be arise_core.Structure, got {shown(structure)} at {k}")
        materials.append(Material.of(structure))
        materials[k].check_overlaps(f"structure {k}: " if len(several) > 1 else "")
    features = yield from part(describe_wholes(materials, model, min_atoms), 0.0, DESCRIPTOR_SHARE)
    if seen is not None:
        seen(features)
    job = model.predict_steps(features, sampling, reject_threshold=reject_threshold)
    prediction = yield from part(job, DESCRIPTOR_SHARE, 1.0)
    prediction = prediction.without_bulk([k for k, material in enumerate(materials) if material.flat])
    notes = tuple(material.notes for material in materials)
    return replace(prediction, notes=notes) if any(notes) else prediction


def describe_wholes(materials: Sequence[Material], model: Model, min_atoms: int) -> Job[FloatArray]:
    """Descriptors of structures as a whole, (n, n_features); NaN, and a warning, for open ones with too few atoms."""
    features = np.full((len(materials), model.descriptor.n_features), np.nan)
    for k, material in enumerate(materials):
        if is_large_enough(material.body, min_atoms):
            features[k] = describe(material, model.descriptor)
        else:
            warnings.warn(
                f"structure {k} has {len(material)} atoms, fewer than `min_atoms` ({min_atoms}): NaN",
                stacklevel=2,
            )
        yield Step((k + 1) / len(materials), "descriptors")
    return features


def is_large_enough(structure: Structure, min_atoms: int) -> bool:
    """Whether a body as a whole has enough atoms for a prediction: periodic ones always have.

    A molecule in vacuum is not periodic, whatever the cell is that a code wanted for it.
    """
    return bool(structure.pbc.any()) or len(structure) >= min_atoms
