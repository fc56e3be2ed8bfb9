"""Naive Bayes classifiers on the paper's descriptor, the simple Bayesian methods of the paper's Table 2."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arise_core.benchmark.methods import Answer, Sample
from arise_core.crystals.table import prototypes
from arise_core.settings import DescriptorSettings
from arise_core.training.samples.paper import paper_descriptors
from arise_core.training.samples.pristine import pristine_list

TITLES = {"gaussian-nb": "Gaussian naive Bayes", "bernoulli-nb": "Bernoulli naive Bayes"}
#: (r_cut, σ, scale factor) under which the pristine structures are learnt: ends and middle of the paper's
#: range of r_cut, its three scale factors. All 99 of its settings take eleven times as long.
VARIANTS = tuple((r, 0.1, scale) for r in (3.0, 4.0, 5.0) for scale in (0.95, 1.0, 1.05))
#: Structures whose descriptors are computed together.
CHUNK = 18


def training_chunks() -> list[range]:
    """Pieces of the list of pristine structures."""
    n = len(pristine_list())
    return [range(k, min(k + CHUNK, n)) for k in range(0, n, CHUNK)]


def training_features(chunk: range) -> NDArray[np.float32]:
    """Descriptors of some of the pristine structures, (n_structures, n_variants, n_features)."""
    settings = DescriptorSettings.paper()
    return np.array(
        [paper_descriptors(pristine_list()[i][1], settings, VARIANTS) for i in chunk], dtype=np.float32
    )


class NaiveBayes:
    """A classifier of scikit-learn, fitted to what `training_features` gave for all chunks."""

    periodic_only = False

    def __init__(self, name: str, features: Path) -> None:
        self.name = self.published = name
        self.title = TITLES[name]
        self.right_answers = {p.label: p.label for p in prototypes()}
        self._features = features

    def answers(self, samples: Sequence[Sample]) -> list[list[Answer]]:
        """Most probable class and its probability."""
        settings = DescriptorSettings.paper()
        model = _fitted(self.name, self._features)
        probabilities = model.predict_proba(np.array([s.features(settings) for s in samples]))
        best = probabilities.argmax(axis=1)
        return [
            [Answer(str(model.classes_[k]), 1, float(row[k]))]
            for k, row in zip(best, probabilities, strict=True)
        ]


@lru_cache(maxsize=2)
def _fitted(name: str, path: Path) -> Any:
    from sklearn.naive_bayes import BernoulliNB, GaussianNB

    features = np.load(path)
    labels = np.repeat([label for label, _ in pristine_list()], features.shape[1])
    model = GaussianNB() if name == "gaussian-nb" else BernoulliNB()
    return model.fit(features.reshape(len(labels), -1), labels)
