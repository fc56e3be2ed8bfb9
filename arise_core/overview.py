"""What a structure is, in one line: as a whole if it is small, box by box if it is large."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from arise_core.boxes import automatic_box_size
from arise_core.card import ClassInfo
from arise_core.maps import POINTS, StridedMap
from arise_core.network import Model, drain
from arise_core.prediction import MISSING, Prediction, check_threshold
from arise_core.recognise import Threshold, classify, map_steps
from arise_core.settings import MAP_TOLERANCE, MapSettings, SamplingSettings
from arise_core.structure import BoolArray, FloatArray, IntArray, Structure

#: Structures with more atoms than this are mapped box by box in mode "auto": "larger systems (e.g., more than
#: 1000 atoms)" is what strided pattern matching is for (Leitherer et al. 2021). Fewer get one label.
LOCAL_ATOMS = 1000

Mode = Literal["auto", "whole", "local"]
MODES = ("auto", "whole", "local")


@dataclass(frozen=True, kw_only=True)
class OverviewSettings:
    """How a structure is recognised, as a whole or box by box.

    Args:
        mode: "whole" (one prediction for all atoms), "local" (a strided map), or "auto": local above
            `LOCAL_ATOMS` atoms.
        box_size: edge of the boxes, Å; "auto": boxes of at least 100 atoms (`automatic_box_size`).
        stride: distance from box to box, Å.
        padding, edges, min_atoms, min_atoms_per_species: see `MapSettings`. `min_atoms` holds for open
            structures in mode "whole" too.
        passes: forward passes with dropout; in maps at most.
        tolerance: of maps, see `SamplingSettings`.
        seed: of the dropout masks.
        reject_threshold: score from which something is none of the classes; "card": the model's own; None:
            never.

    Raises:
        ValueError: a value out of range.
    """

    mode: Mode = "auto"
    box_size: float | Literal["auto"] = MapSettings.box_size
    stride: float = MapSettings.stride
    padding: Literal["half", "none", "full"] = MapSettings.padding
    edges: Literal["exact", "box"] = MapSettings.edges
    min_atoms: int = MapSettings.min_atoms
    min_atoms_per_species: int = MapSettings.min_atoms_per_species
    passes: int = SamplingSettings.passes
    tolerance: float | None = MAP_TOLERANCE
    seed: int = SamplingSettings.seed
    reject_threshold: Threshold = "card"

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"`mode` must be one of {MODES}, got {self.mode!r}")
        if isinstance(self.box_size, str) and self.box_size != "auto":
            raise ValueError(f"`box_size` must be a positive number of Å or 'auto', got {self.box_size!r}")
        if isinstance(self.reject_threshold, str):
            if self.reject_threshold != "card":
                raise ValueError(
                    f"`reject_threshold` must be a number, None or 'card', got {self.reject_threshold!r}"
                )
        else:
            check_threshold(self.reject_threshold)
        self.map_settings(self.stride if isinstance(self.box_size, str) else self.box_size)
        SamplingSettings(passes=self.passes, tolerance=self.tolerance, seed=self.seed)

    def map_settings(self, box_size: float) -> MapSettings:
        """Settings of a map with boxes of this edge, Å."""
        return MapSettings(
            box_size=box_size, stride=self.stride, padding=self.padding, edges=self.edges,
            min_atoms=self.min_atoms, min_atoms_per_species=self.min_atoms_per_species,
        )  # fmt: skip

    def is_local(self, structure: Structure) -> bool:
        """Whether a structure is mapped box by box."""
        return self.mode == "local" or (self.mode == "auto" and len(structure) > LOCAL_ATOMS)


@dataclass(frozen=True)
class Overview:
    """What a structure is as a whole and what each of its atoms belongs to.

    In mode "whole" every atom has the values of the structure. In mode "local" atoms have those of the map at
    their place; the structure has the mean over its atoms, and is rejected if most of them are.
    """

    mode: Literal["whole", "local"]
    classes: tuple[ClassInfo, ...]
    probabilities: NDArray[np.float32]  # (n_classes,); NaN without a prediction
    mutual_information: float  # bit; NaN without a prediction
    predictive_entropy: float  # bit
    reject_score: float
    rejected: bool
    atom_index: IntArray  # (n_atoms,), most probable class, -1 without a prediction
    atom_confidence: FloatArray  # (n_atoms,), its probability
    atom_mutual_information: FloatArray  # (n_atoms,), bit
    atom_rejected: BoolArray  # (n_atoms,)
    field: StridedMap | None  # the map of mode "local"

    @property
    def valid(self) -> bool:
        """Whether there is a prediction at all."""
        return bool(np.isfinite(self.mutual_information))

    @property
    def index(self) -> int:
        """Most probable class, rejected or not; -1 without a prediction."""
        return int(self.probabilities.argmax()) if self.valid else MISSING

    @property
    def confidence(self) -> float:
        """Probability of the most probable class."""
        return float(self.probabilities[self.index]) if self.valid else float("nan")

    @property
    def fractions(self) -> FloatArray:
        """Share of the atoms that belong to each class and are not rejected, (n_classes,)."""
        counted = self.atom_index[(self.atom_index != MISSING) & ~self.atom_rejected]
        return np.asarray(np.bincount(counted, minlength=len(self.classes)) / len(self.atom_index))

    @property
    def rejected_share(self) -> float:
        """Share of the atoms that belong to none of the classes."""
        return float(self.atom_rejected.mean())

    def top(self, k: int = 5) -> list[tuple[ClassInfo, float]]:
        """The k most probable classes and their probabilities, best first; empty without a prediction."""
        if not self.valid:
            return []
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.classes[i], float(self.probabilities[i])) for i in order]

    @classmethod
    def of_whole(cls, prediction: Prediction, row: int, n_atoms: int) -> Overview:
        """A row of a prediction of whole structures."""
        one = prediction.take([row])
        return cls(
            mode="whole",
            classes=one.classes,
            probabilities=one.probabilities[0],
            mutual_information=float(one.mutual_information[0]),
            predictive_entropy=float(one.predictive_entropy[0]),
            reject_score=float(one.reject_score[0]),
            rejected=bool(one.rejected[0]),
            atom_index=np.full(n_atoms, one.index[0]),
            atom_confidence=np.full(n_atoms, float(one.confidence[0])),
            atom_mutual_information=np.full(n_atoms, one.mutual_information[0]),
            atom_rejected=np.full(n_atoms, one.rejected[0]),
            field=None,
        )

    @classmethod
    def of_map(cls, field: StridedMap, structure: Structure) -> Overview:
        """A map, read off at the atoms of the structure it was made of."""
        n, classes = len(structure), field.prediction.classes
        index, rejected = np.empty(n, dtype=np.int64), np.zeros(n, dtype=bool)
        confidence, information = np.empty(n), np.empty(n)
        totals = np.zeros(len(classes) + 2)
        count = 0
        threshold = field.prediction.reject_threshold
        for start in range(0, n, POINTS):
            part = slice(start, start + POINTS)
            found = field.values_at(structure.positions[part], tuple(range(len(classes))))
            index[part], confidence[part] = found.index, found.confidence
            information[part] = found.mutual_information
            good = found.index != MISSING
            if threshold is not None:
                rejected[part] = good & (found.reject_score >= threshold)
            totals[:-2] += found.probabilities[good].sum(axis=0, dtype=np.float64)
            totals[-2:] += found.predictive_entropy[good].sum(), found.reject_score[good].sum()
            count += int(good.sum())
        mean = totals / count if count else np.full(len(totals), np.nan)
        valid = index != MISSING
        return cls(
            mode="local",
            classes=classes,
            probabilities=mean[:-2].astype(np.float32),
            mutual_information=float(information[valid].mean()) if count else float("nan"),
            predictive_entropy=float(mean[-2]),
            reject_score=float(mean[-1]),
            rejected=bool(count and 2 * rejected.sum() > count),
            atom_index=index,
            atom_confidence=confidence,
            atom_mutual_information=information,
            atom_rejected=rejected,
            field=field,
        )


def overview(
    structure: Structure,
    model: Model,
    settings: OverviewSettings | None = None,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Overview:
    """Recognise a structure, as a whole or box by box.

    Args:
        structure: any size; open, periodic or mixed.
        model: from `load_model`.
        settings: default `OverviewSettings()`.
        progress: called with the share of the work done.

    Raises:
        ValueError: overlapping atoms, or a stride larger than the automatic box; before any work.
    """
    settings = settings or OverviewSettings()
    if not settings.is_local(structure):
        prediction = classify(
            structure, model, passes=settings.passes, seed=settings.seed, min_atoms=settings.min_atoms,
            reject_threshold=settings.reject_threshold, progress=progress,
        )  # fmt: skip
        return Overview.of_whole(prediction, 0, len(structure))
    box_size = automatic_box_size(structure) if isinstance(settings.box_size, str) else settings.box_size
    sampling = SamplingSettings(passes=settings.passes, tolerance=settings.tolerance, seed=settings.seed)
    steps = map_steps(structure, model, settings.map_settings(box_size), sampling, settings.reject_threshold)
    return Overview.of_map(drain(steps, progress), structure)
