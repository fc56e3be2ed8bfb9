"""What is compared: ARISE models, spglib, and methods that adapters add by entry points.

A method gets structures and says what they are. It carries the answers that count as right; structures of
classes without a right answer are not shown to it. Adapters add theirs through the entry-point group
`arise.benchmark_methods`, whose objects are functions that return a list of methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol

import numpy as np

from arise_core.crystals.symmetry import space_group
from arise_core.crystals.table import prototypes
from arise_core.descriptor.soap import describe
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.structure import Structure
from arise_core.model.model import Model
from arise_core.settings import DescriptorSettings, SamplingSettings

ENTRY_POINTS = "arise.benchmark_methods"
NO_ANSWER = "none"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a method says of a structure, or of some of its atoms."""

    found: str
    count: int = 1  # atoms of which it says so; 1 for methods that judge the whole structure
    confidence: float = float("nan")  # 0 to 1; NaN for methods that have none
    rejected: bool = False


class Sample:
    """A structure whose descriptors are computed once for all methods that ask for them."""

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self._features: dict[DescriptorSettings, FloatArray] = {}

    def features(self, settings: DescriptorSettings) -> FloatArray:
        """The descriptor, (n_features,)."""
        if settings not in self._features:
            self._features[settings] = describe(self.structure, settings)
        return self._features[settings]


class Method(Protocol):
    """A way to recognise structures."""

    @property
    def name(self) -> str:
        """Name in files and on the command line."""

    @property
    def title(self) -> str:
        """Name in tables."""

    @property
    def published(self) -> str:
        """Name of the row of published results to compare with; "" if there is none."""

    @property
    def right_answers(self) -> Mapping[str, str]:
        """The right answer by class label, for the classes that the method is scored on."""

    @property
    def periodic_only(self) -> bool:
        """Scored on periodic supercells only."""

    def answers(self, samples: Sequence[Sample]) -> list[list[Answer]]:
        """For each sample what is said of its parts, or one answer for the whole."""


class AriseModel:
    """A model of this package, on whole structures."""

    published = "arise"
    periodic_only = False

    def __init__(self, model: Model, passes: int) -> None:
        self.name = self.title = model.name
        self.model = model
        self._sampling = SamplingSettings(passes=passes)
        known = set(model.classes)
        self.right_answers = {p.label: p.label for p in prototypes() if p.label in known}

    def answers(self, samples: Sequence[Sample]) -> list[list[Answer]]:
        """Most probable class, its probability, and whether the model rejects."""
        features = np.array([s.features(self.model.descriptor) for s in samples])
        said = self.model.predict(features, self._sampling)
        return [
            [Answer(str(label or NO_ANSWER), 1, float(confidence), bool(rejected))]
            for label, confidence, rejected in zip(said.labels, said.confidence, said.rejected, strict=True)
        ]


class Spglib:
    """Space groups by spglib, scored on the elements and binary compounds, as in the paper's Table 2."""

    periodic_only = True

    def __init__(self, name: str, title: str, symprec: float, angle: float) -> None:
        self.name = self.published = name
        self.title = title
        self._symprec = symprec  # Å
        self._angle = angle  # degrees
        self.right_answers = {
            p.label: str(p.space_group)
            for p in prototypes()
            if p.material_type in ("bulk, elemental", "bulk, binary")
        }

    def answers(self, samples: Sequence[Sample]) -> list[list[Answer]]:
        """Number of the space group."""
        groups = [space_group(s.structure, self._symprec, self._angle) for s in samples]
        return [[Answer(NO_ANSWER if group is None else str(group))] for group in groups]


def baselines() -> dict[str, Method]:
    """Methods other than models and naive Bayes, by name: spglib and those of installed adapters."""
    methods: list[Method] = [
        Spglib("spglib-loose", "spglib, loose", 0.1, 5.0),
        Spglib("spglib-tight", "spglib, tight", 1e-4, 1.0),
    ]
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: p.name):
        methods += point.load()()
    return {m.name: m for m in methods}
