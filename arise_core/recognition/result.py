"""What a structure is as a whole and at each of its atoms: the one result that all doors show."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from arise_core.crystals.naming import NONE, REJECTED
from arise_core.engine.grid import automatic_box_size
from arise_core.errors import InputError, check_type
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.model.classes import MISSING, ClassTable
from arise_core.model.model import Model
from arise_core.model.prediction import Prediction, Rule, in_doubt
from arise_core.progress import Job, Progress, run, silent
from arise_core.recognition.audit import Audit
from arise_core.recognition.between import PointValues, Sums
from arise_core.recognition.fronts import BoxShares
from arise_core.recognition.maps import StridedMap, map_steps
from arise_core.recognition.parts import MapSummary, read_steps
from arise_core.recognition.whole import classify_steps
from arise_core.recognition.work import MapWork
from arise_core.runtime.notebooks import html_table
from arise_core.settings import KeptProbabilities, RecognitionSettings, check_kept


@dataclass(frozen=True, repr=False)
class Recognition:
    """What a structure is as a whole and what each of its atoms belongs to.

    In mode "whole" every atom has the values of the structure. In mode "local" atoms have those of the map at
    their place; the structure has the mean over its atoms and the class of most of those that have a name, and is
    rejected if most of the atoms are.
    """

    mode: Literal["whole", "local"]
    classes: ClassTable
    atoms: PointValues  # at the atoms, in their order
    rule: Rule
    field: StridedMap | None = None  # the map of mode "local", if it is kept
    whole: Prediction | None = None  # the one row of mode "whole"
    summary: MapSummary | None = None  # of a map that is not kept
    _kept: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of_whole(cls, prediction: Prediction, row: int, n_atoms: int) -> Recognition:
        """A row of a prediction of whole structures."""
        one = prediction.take([row])
        atoms = PointValues(
            index=np.full(n_atoms, one.index[0]),
            confidence=np.full(n_atoms, float(one.confidence[0])),
            mutual_information=np.full(n_atoms, one.mutual_information[0]),
            predictive_entropy=np.full(n_atoms, one.predictive_entropy[0]),
            variation_ratio=np.full(n_atoms, one.variation_ratio[0]),
            reject_score=np.full(n_atoms, one.reject_score[0]),
            reject_deviation=np.full(n_atoms, one.reject_deviation[0]),
            probabilities=np.empty((n_atoms, 0), dtype=np.float32),
        )
        rule = Rule(reject_threshold=one.reject_threshold)
        return cls("whole", one.classes, atoms, rule, whole=one)

    @classmethod
    def of_map(cls, found: StridedMap, *, means: bool = True) -> Recognition:
        """A map, read off at the atoms of the structure it was made of.

        Args:
            found: the map.
            means: take the means over the atoms on the way; else they are taken when they are asked for.
        """
        atoms, totals = found.totals_at_atoms() if means else (found.values_at_atoms(), None)
        rule = Rule(reject_threshold=found.prediction.reject_threshold)
        return cls("local", found.prediction.classes, atoms, rule, field=found, _kept={"totals": totals})

    @classmethod
    def of_parts(cls, classes: ClassTable, atoms: PointValues, summary: MapSummary) -> Recognition:
        """Values at the atoms of a map that is not kept, see `parts`."""
        return cls("local", classes, atoms, summary.rule, summary=summary)

    def with_rule(self, rule: Rule) -> Recognition:
        """The same, judged by another rule; nothing is computed again."""
        return replace(self, rule=rule)

    def __len__(self) -> int:
        return len(self.atoms.index)

    def __repr__(self) -> str:
        return f"<Recognition of {len(self)} atoms ({self.mode}): {self.label}{in_doubt(self.rejection_uncertainty)}>"

    def _repr_html_(self) -> str:
        rows: list[tuple[str, object]] = [
            ("most probable class", self.classes[self.index].name if self.valid else None),
            ("its probability", self.confidence),
            ("mutual information (bit)", self.mutual_information),
            ("reject score", self.reject_score),
            ("doubt of the rejection (bit)", self.rejection_uncertainty),
            ("atoms", len(self)),
        ]
        if self.mode == "local":
            shares = ", ".join(f"{name} {share:.1%}" for name, share in list(self.fractions.items())[:5])
            rows.append(("shares of the atoms", shares))
        return html_table(f"{self.label} ({self.mode})", ("", ""), rows, notes=self.notes)

    # --- the structure ------------------------------------------------------------------------------------------

    @cached_property
    def _means(self) -> FloatArray:
        """Means over the atoms with a prediction: of each probability, of the entropy, of the reject score."""
        if self.whole is not None:
            p = self.whole
            return np.array(
                [*p.probabilities[0], p.predictive_entropy[0], p.reject_score[0]], dtype=np.float64
            )
        if self.summary is not None:
            return self.summary.sums.means
        totals: Sums | None = self._kept["totals"]
        if totals is None:
            assert self.field is not None
            totals = self._kept["totals"] = self.field.totals_at_atoms()[1]
        return totals.means

    def sums(self) -> Sums:
        """Sums over the atoms of a map, named by the rule of this recognition.

        Raises:
            InputError: the map is not kept, and was named by another rule.
        """
        if self.field is not None:
            return self.field.sums_at_atoms(self.rule)
        assert self.summary is not None  # wholes have no sums
        if self.rule != self.summary.rule:
            raise InputError("`found`: shares by another rule need the map, which was not kept")
        return self.summary.sums

    @property
    def atoms_a_box(self) -> float:
        """Atoms in a box with a prediction, mean; all atoms where there are no boxes."""
        if self.field is not None:
            return float(self.field.n_atoms[self.field.prediction.valid].mean())
        return float(len(self)) if self.summary is None else self.summary.boxes.atoms_a_box

    def fronts(self, class_: int | None = None) -> float:
        """Share of the atoms that change sides when the fronts of a class shift by a box (`share_of_a_box`).

        Args:
            class_: its index; None: of all that is not rejected. 0 for what was taken as a whole.

        Raises:
            InputError: the map is not kept, and was named by another rule.
        """
        if self.summary is not None:
            if self.rule != self.summary.rule:
                raise InputError("`found`: fronts by another rule need the map, which was not kept")
            return self.summary.boxes.fronts(self.summary.grid, class_)
        if self.field is None:
            return 0.0
        key = "boxes", self.rule
        if self._kept.get("box_rule") != key:
            field = self.field
            boxes = BoxShares.of(field.prediction, self.rule, field.resolution, field.n_atoms)
            self._kept.update(box_rule=key, boxes=boxes)
        kept: BoxShares = self._kept["boxes"]
        return kept.fronts(self.field.grid, class_)

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Of the classes, (n_classes,); NaN without a prediction."""
        return self._means[:-2].astype(np.float32)

    @property
    def mutual_information(self) -> float:
        """Doubt of the model, bit; NaN without a prediction."""
        if self.whole is not None:
            return float(self.whole.mutual_information[0])
        good = self.atoms.index != MISSING
        return float(self.atoms.mutual_information[good].mean()) if good.any() else float("nan")

    @property
    def predictive_entropy(self) -> float:
        """Doubt and ambiguity, bit; NaN without a prediction."""
        return float(self._means[-2])

    @property
    def reject_score(self) -> float:
        """How much speaks against any of the classes, 0 to 1; NaN without a prediction."""
        return float(self._means[-1])

    @property
    def rejection_uncertainty(self) -> float:
        """Doubt of the passes whether it is rejected, bit, in maps a mean over atoms; NaN without a prediction."""
        good = self.atoms.index != MISSING
        return float(self.atom_rejection_uncertainty[good].mean()) if good.any() else float("nan")

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed of the structure, a sentence each."""
        if self.field is not None:
            return self.field.notes
        if self.summary is not None:
            return self.summary.grid.material.notes
        return self.whole.notes[0] if self.whole is not None and self.whole.notes else ()

    @property
    def audit(self) -> Audit | None:
        """How boxes that others answer for compare with passes of their own; None where there can be no such boxes."""
        kept = self.field if self.field is not None else self.summary
        return None if kept is None else kept.audit

    @property
    def valid(self) -> bool:
        """Whether there is a prediction at all."""
        return bool(np.isfinite(self.mutual_information))

    @property
    def rejected(self) -> bool:
        """Whether the structure is none of the classes: in maps, whether most of its atoms are none."""
        count = int((self.atoms.index != MISSING).sum())
        return bool(count and 2 * self.atom_rejected.sum() > count)

    @cached_property
    def index(self) -> int:
        """The class, rejected or not; -1 without a prediction.

        In maps that of most of the atoms that have a name. Where none has, and of the whole, the most probable one.
        """
        if not self.valid:
            return MISSING
        p = self.probabilities
        if self.whole is not None:
            return int(p.argmax())
        most = np.flatnonzero(self.class_counts == self.class_counts.max())  # all, where none has a name
        return int(most[p[most].argmax()])

    @property
    def confidence(self) -> float:
        """Probability of this class, in maps a mean over the atoms; NaN without a prediction."""
        return float(self.probabilities[self.index]) if self.valid else float("nan")

    @property
    def label(self) -> str:
        """What the structure is called: a short name, "rejected" or "none"."""
        if not self.valid:
            return NONE
        return REJECTED if self.rejected else self.classes.short[self.index]

    def top(self, k: int = 5) -> list[tuple[int, float]]:
        """Indices and probabilities of the k most probable classes, best first; empty without a prediction."""
        return self.classes.top(self.probabilities, k) if self.valid else []

    def record(self) -> dict[str, Any]:
        """What the structure is, in plain types; NaN without a prediction."""
        return {
            "label": self.label,
            "class": self.classes[self.index].label if self.valid else NONE,
            "confidence": self.confidence,
            "mutual_information": self.mutual_information,
            "predictive_entropy": self.predictive_entropy,
            "reject_score": self.reject_score,
            "rejection_uncertainty": self.rejection_uncertainty,
            "rejected": self.rejected,
            "mode": self.mode,
        }

    # --- its atoms ----------------------------------------------------------------------------------------------

    @cached_property
    def atom_rejected(self) -> BoolArray:
        """Which atoms are none of the classes, (n_atoms,)."""
        return self.rule.rejected(self.atoms)

    @cached_property
    def atom_rejection_uncertainty(self) -> FloatArray:
        """Doubt of the passes whether each atom is none of the classes, (n_atoms,), bit; NaN without a prediction."""
        if self.whole is not None:  # one row stands for all atoms
            return np.full(len(self), self.rule.rejection_uncertainty(self.whole)[0])
        return self.rule.rejection_uncertainty(self.atoms)

    @cached_property
    def atom_class(self) -> IntArray:
        """Class of each atom that has a name by the rule, -1 for all others, (n_atoms,)."""
        return self.rule.index(self.atoms)

    @cached_property
    def class_counts(self) -> IntArray:
        """How many atoms have the name of each class, (n_classes,)."""
        return np.bincount(self.atom_class[self.atom_class != MISSING], minlength=len(self.classes))

    @property
    def atom_labels(self) -> NDArray[np.str_]:
        """What each atom is called: a short name, "rejected" or "none", (n_atoms,)."""
        return np.where(self.atom_rejected, REJECTED, self.classes.short_of(self.atoms.index))

    @property
    def rejected_share(self) -> float:
        """Share of the atoms that belong to none of the classes."""
        return float(self.atom_rejected.mean())

    @property
    def fractions(self) -> dict[str, float]:
        """Shares of the atoms by short name, "rejected" and "none", largest first, without zeros; they add up to 1."""
        counts = self.class_counts / len(self)
        shares = {self.classes.short[k]: float(counts[k]) for k in np.flatnonzero(counts)}
        shares[REJECTED] = self.rejected_share
        shares[NONE] = float((self.atoms.index == MISSING).mean())
        return dict(sorted(((k, v) for k, v in shares.items() if v > 0), key=lambda item: -item[1]))

    def probabilities_at_atoms(self, classes: Sequence[int]) -> NDArray[np.float32]:
        """Probabilities of some classes at the atoms, (n_atoms, n_chosen), as far as the map keeps them.

        Raises:
            InputError: the map is not kept.
        """
        if self.summary is not None:
            raise InputError("`classes`: probabilities at atoms need the map, which was not kept")
        if self.field is None:
            row = self.probabilities[list(classes)]
            return np.broadcast_to(row, (len(self), len(row)))
        chosen = tuple(classes)
        if self._kept.get("chosen") != chosen:
            self._kept.update(chosen=chosen, probabilities=self.field.probabilities_at_atoms(chosen))
        found: NDArray[np.float32] = self._kept["probabilities"]
        return found

    @cached_property
    def atom_resolution(self) -> FloatArray | None:
        """Edge of the box that has answered at each atom, (n_atoms,), Å; None without boxes of several sizes, or
        of a map that is not kept.
        """
        if self.field is None or not self.field.sharp:
            return None
        return self.field.resolution_at_atoms()

    def arrays(self) -> Iterator[NDArray[Any]]:
        """All arrays that it holds, for a count of its memory."""
        parts: list[object] = [self.atoms, self.whole, self.field]
        if self.field is not None:
            grid = self.field.grid
            material = grid.material
            prediction = self.field.prediction
            parts += [prediction, prediction.probabilities, grid, material, material.structure, material.body]
            if self.field.read is not None:
                parts.append(self.field.read[1].boxes)
        owned = [*(vars(owner) for owner in parts if hasattr(owner, "__dict__")), self._kept]
        seen: set[int] = set()
        for values in owned:
            for value in values.values():
                if isinstance(value, np.ndarray) and id(value) not in seen:
                    seen.add(id(value))
                    yield value


def recognise(
    structure: Structure | Material,
    model: Model,
    settings: RecognitionSettings | None = None,
    progress: Progress = silent,
    *,
    keep_map: bool = True,
    probabilities: KeptProbabilities = "top",
) -> Recognition:
    """Recognise a structure, as a whole or box by box.

    Args:
        structure: any size; open, periodic or mixed.
        model: from `load_model`.
        settings: default `RecognitionSettings()`.
        progress: called with the share of the work done.
        keep_map: keep the predictions of all boxes in mode "local". Else boxes are read off at the atoms some at a
            time, so that memory is for the atoms only; the values at atoms are the same.
        probabilities: what a map keeps of each box, see `strided_map`; the values at atoms are the same.

    Raises:
        ValueError: overlapping atoms, or a stride larger than the automatic box; before any work.
    """
    given = RecognitionSettings() if settings is None else settings
    return run(
        recognise_steps(structure, model, given, keep_map=keep_map, probabilities=probabilities), progress
    )


def settled(settings: RecognitionSettings, material: Material) -> RecognitionSettings:
    """The settings with a number for an automatic box, so that what does not fit a structure is refused early.

    Raises:
        InputError: a stride larger than the automatic box.
    """
    if isinstance(settings.map.box_size, str) and settings.is_local(len(material)):
        boxes = settings.map.resolved(several=False)
        return replace(settings, map=replace(boxes, box_size=automatic_box_size(material, boxes.thin)))
    return settings


def recognise_steps(
    structure: Structure | Material,
    model: Model,
    settings: RecognitionSettings,
    *,
    keep_map: bool = True,
    probabilities: KeptProbabilities = "top",
) -> Job[Recognition]:
    """`recognise` as a job: yields the share of the work done, returns the recognition."""
    check_type("settings", settings, RecognitionSettings, "RecognitionSettings")
    check_kept(probabilities)
    material = Material.of(structure)
    threshold = settings.reject_threshold
    if settings.is_local(len(material)) and not keep_map:
        work = MapWork.of(material, model, settings.map, settings.sampling, threshold)
        return Recognition.of_parts(model.class_info, *(yield from read_steps(work)))
    if settings.is_local(len(material)):
        job = map_steps(
            material, model, settings.map, settings.sampling, threshold, probabilities=probabilities
        )
        return Recognition.of_map((yield from job))
    sampling = replace(settings.sampling, tolerance=None)
    prediction = yield from classify_steps(material, model, sampling, settings.map.min_atoms, threshold)
    return Recognition.of_whole(prediction, 0, len(material))
