"""The methods that are scored: add one to `methods`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ovito.modifiers import AcklandJonesModifier
from ovito.modifiers import CommonNeighborAnalysisModifier as Cna
from ovito.modifiers import PolyhedralTemplateMatchingModifier as Ptm

import arise_core as arise
from arise_core import Structure
from arise_core.recognition.result import recognise
from arise_core.settings import RecognitionSettings
from ovito_arise.benchmark_methods import PTM_CLASSES
from ovito_arise.convert import to_collection

PASSES = 48
NOTHING = ""  # label of an atom that is none of the classes, or rejected
#: Box sizes of our maps of one size, and their stride, Å.
SIZES = (16.0, 12.0, 10.0, 8.0)
STRIDE = 3.0
PTM_CUTOFFS = {"PTM 0.1": 0.1, "PTM 0.15": 0.15, "PTM": 0.0}  # of the RMSD; 0: none
#: What PTM looks for: what is in the frames and their neighbours.
PTM_TYPES = (Ptm.Type.FCC, Ptm.Type.HCP, Ptm.Type.BCC, Ptm.Type.CUBIC_DIAMOND, Ptm.Type.HEX_DIAMOND)
NAMES = {**PTM_CLASSES, ("BCC", "B2"): "CsCl"}


@dataclass(frozen=True)
class Answer:
    """What a method says of each atom."""

    labels: (
        np.ndarray
    )  # (n_atoms,), of `arise_core.prototypes()`, `NOTHING` where it is none of them or rejected
    doubt: np.ndarray | None = None  # (n_atoms,), bit; None if the method knows none
    seconds: float = np.nan  # CPU time that it took

    def save(self, path: Path) -> None:
        """As npz."""
        doubt = np.empty(0) if self.doubt is None else self.doubt
        np.savez_compressed(path, labels=self.labels.astype(str), doubt=doubt, seconds=self.seconds)

    @classmethod
    def load(cls, path: Path) -> Answer:
        """What `save` wrote."""
        with np.load(path) as data:
            return cls(data["labels"], data["doubt"] if data["doubt"].size else None, float(data["seconds"]))


Method = Callable[[Structure], Answer]


def mapped(model: arise.Model, **settings: Any) -> Method:
    """Our maps with some settings, as every door gives them at the atoms."""
    chosen = RecognitionSettings.of({"mode": "local", **settings})
    labels = np.array([*model.classes, NOTHING])

    def method(structure: Structure) -> Answer:
        found = recognise(structure, model, chosen)
        return Answer(labels[found.atom_class], found.atoms.mutual_information)

    return method


def ptm(cutoff: float) -> Method:
    """Polyhedral template matching with chemical order; `cutoff` of the RMSD, 0 for none."""

    def method(structure: Structure) -> Answer:
        modifier = Ptm(rmsd_cutoff=cutoff, output_ordering=True)
        for kind in modifier.structures:
            kind.enabled = kind.id in PTM_TYPES
        data = to_collection(structure)
        data.apply(modifier)
        kinds, orders = data.particles["Structure Type"][...], data.particles["Ordering Type"][...]
        known = {
            (int(getattr(Ptm.Type, k)), int(getattr(Ptm.OrderingType, o))): n for (k, o), n in NAMES.items()
        }
        return Answer(named(list(zip(kinds.tolist(), orders.tolist(), strict=True)), known))

    return method


def neighbour_analysis(modifier: Any, types: Any) -> Method:
    """A modifier of OVITO that knows fcc, hcp and bcc."""

    def method(structure: Structure) -> Answer:
        data = to_collection(structure)
        data.apply(modifier)
        known = {int(types.FCC): "fcc", int(types.HCP): "hcp", int(types.BCC): "bcc"}
        return Answer(named(data.particles["Structure Type"][...].tolist(), known))

    return method


def named(kinds: list[Any], known: Mapping[Any, str]) -> np.ndarray:
    """Labels of kinds by the name of a prototype, `NOTHING` for others."""
    labels = {kind: arise.prototype(name).label for kind, name in known.items()}
    return np.array([labels.get(kind, NOTHING) for kind in kinds])


#: Those that are not ours.
OTHERS: dict[str, Method] = {
    **{name: ptm(cutoff) for name, cutoff in PTM_CUTOFFS.items()},
    "a-CNA": neighbour_analysis(Cna(mode=Cna.Mode.AdaptiveCutoff), Cna.Type),
    "Ackland-Jones": neighbour_analysis(AcklandJonesModifier(), AcklandJonesModifier.Type),
}


def methods(model: arise.Model) -> dict[str, Method]:
    """All methods by name."""
    every: dict[str, Any] = {"stride": STRIDE, "passes": PASSES, "tolerance": None}
    sizes = {f"{size:g} Å": mapped(model, box_size=size, **every) for size in SIZES}
    sharp = {
        "sharp": mapped(model, resolution="sharp", stride=STRIDE),
        f"sharp, {PASSES} passes": mapped(model, resolution="sharp", **every),
    }
    return {**sharp, **sizes, **OTHERS}
