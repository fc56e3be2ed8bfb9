"""Clusters of the network's representations, for `Atoms`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from ase import Atoms

import arise_core as arise
from arise_core.crystals.species import Types
from arise_core.errors import InputError, check_type
from arise_core.explore.clusters import OUTLIER
from arise_core.geometry.material import Material
from arise_core.progress import Progress, silent
from arise_core.settings import DEFAULT_MODEL, Threshold
from ase_arise.convert import Device, Images, ModelLike, as_model, frames, is_one, numbered, to_material


def exploration(
    images: Images,
    model: ModelLike = DEFAULT_MODEL,
    *,
    device: Device = None,
    reject_threshold: Threshold = "card",
    types: Types = None,
    progress: Progress = silent,
    **settings: Any,
) -> arise.Exploration:
    """Cluster the network's representations of the boxes of `Atoms`, or of several `Atoms` as wholes.

    Nothing is written into them: see `write_clusters`.

    Args:
        images: `Atoms`, whose boxes are explored; or a list or generator of them, or a file name, each a point. A file
            with one frame is taken as its `Atoms`.
        model: a `Model`, a name of the zoo, or a path.
        device: where the network runs, such as "cuda"; None: where a `Model` is, else on the CPU.
        reject_threshold, progress, **settings: see `arise_core.exploration`.
        types: elements by type or name, see `from_atoms`.

    Raises:
        TypeError, ValueError, OSError: input that is refused; before any descriptor is computed.
    """
    network = as_model(model, device)
    found = list(frames(images))
    if not found:
        raise InputError("`images` is empty")
    subject: Material | list[Material]
    if is_one(images) or (isinstance(images, str) and len(found) == 1):
        subject = to_material(found[0], types=types)
    else:
        subject = numbered(found, types)
    return arise.exploration(
        subject, network, reject_threshold=reject_threshold, progress=progress, **settings
    )  # fmt: skip


def write_clusters(images: Atoms | Sequence[Atoms], found: arise.Exploration) -> list[Atoms]:
    """Write clusters into `Atoms`, in place: array `arise_cluster`, and for structures as wholes `info` too.

    0 is the largest cluster; -1 an outlier, or an atom without boxes.

    Args:
        images: what was explored: the `Atoms`, or all of the list.
        found: of them.

    Returns:
        The `Atoms`, in a list.

    Raises:
        InputError: another number of atoms or structures than were explored.
        InputTypeError: something else than `Atoms`.
    """
    check_type("found", found, arise.Exploration, "an Exploration")
    if not isinstance(images, Atoms):
        check_type("images", images, Iterable, "Atoms, or several of them")
    atoms = [images] if isinstance(images, Atoms) else list(images)
    for one in atoms:
        check_type("images", one, Atoms, "Atoms, or several of them")
    if found.field is not None:
        material = found.field.grid.material
        labels = material.spread(found.labels_at_atoms(), OUTLIER)
        if len(atoms) != 1 or len(atoms[0]) != len(labels):
            raise InputError(f"`images` must be the {len(labels)} atoms that were explored, got {atoms}")
        atoms[0].set_array("arise_cluster", labels)
        return atoms
    if len(atoms) != len(found):
        raise InputError(f"`images` must be the {len(found)} structures that were explored, got {len(atoms)}")
    for one, label in zip(atoms, found.labels, strict=True):
        one.info["arise_cluster"] = int(label)
        one.set_array("arise_cluster", np.full(len(one), label))
    return atoms
