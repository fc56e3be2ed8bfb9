"""The kinds of samples: a new one is a function that makes them, and an entry here."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.samples import chemistry, layers, rolled, strain
from benchmarks.samples.hosts import Maker, Sample

SEED = 20_260


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of samples.

    Args:
        part: heading of the document that it stands under.
        make: makes the samples; its docstring says what they are.
        draws: samples of everything in the long form; the short one has one.
        goal: share of right answers aimed at, %.
    """

    part: str
    make: Maker
    draws: int
    goal: float = 99.0

    @property
    def text(self) -> str:
        """What the samples are."""
        return " ".join((self.make.__doc__ or "").split())


CHEMISTRY, STRAIN, LAYERS = "Chemistry", "Strain", "Sheets and tubes"
KINDS = {
    "substitution": Kind(part=CHEMISTRY, make=chemistry.substitution, draws=3),
    "interstitials": Kind(part=CHEMISTRY, make=chemistry.interstitials, draws=3),
    "surfaces": Kind(part=CHEMISTRY, make=chemistry.surfaces, draws=3),
    "solutions": Kind(part=CHEMISTRY, make=chemistry.solutions, draws=3),
    "sublattices": Kind(part=CHEMISTRY, make=chemistry.sublattices, draws=3),
    "alloys": Kind(part=CHEMISTRY, make=chemistry.alloys, draws=1),
    "stretched": Kind(part=STRAIN, make=strain.stretched, draws=3),
    "films": Kind(part=STRAIN, make=strain.films, draws=2),
    "sheared": Kind(part=STRAIN, make=strain.sheared, draws=2),
    "own": Kind(part=STRAIN, make=strain.own, draws=4),
    "sheets": Kind(part=LAYERS, make=layers.sheets, draws=5, goal=97.0),
    "tubes": Kind(part=LAYERS, make=rolled.tubes, draws=2, goal=95.0),
}


def samples_of(name: str, draws: int | None = None) -> Iterator[Sample]:
    """The samples of a kind, the same ones each time; fewer draws are not the first of more.

    Args:
        name: key of `KINDS`.
        draws: of everything; None: as in the long form.
    """
    kind = KINDS[name]
    rng = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    return kind.make(rng, kind.draws if draws is None else draws)
