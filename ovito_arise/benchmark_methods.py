"""OVITO's own structure identification as methods of `arise benchmark accuracy`: PTM, CNA, a-CNA, Ackland-Jones.

Scored per atom on the classes that each method knows, as Leitherer et al. (2021), Supplementary Note 1, do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from arise_core.benchmark.methods import NO_ANSWER, Answer, Method, Sample
from arise_core.crystals.table import prototype

if TYPE_CHECKING:
    from ovito.data import DataCollection

PTM_RMSD_CUTOFF = 0.1
CLOSE_PACKED = ("fcc", "hcp", "bcc")
#: Name of the class by PTM's type and, for compounds, chemical order. Both sites of L1_2 count.
PTM_CLASSES = {
    ("FCC", "PURE"): "fcc",
    ("HCP", "PURE"): "hcp",
    ("BCC", "PURE"): "bcc",
    ("SC", "PURE"): "sc",
    ("CUBIC_DIAMOND", "PURE"): "diamond",
    ("HEX_DIAMOND", "PURE"): "hexagonal diamond",
    ("GRAPHENE", "PURE"): "graphene",
    ("GRAPHENE", "BORON_NITRIDE"): "hexagonal BN monolayer",
    ("FCC", "L10"): "L1_0",
    ("FCC", "L12_A"): "L1_2",
    ("FCC", "L12_B"): "L1_2",
    ("CUBIC_DIAMOND", "ZINCBLENDE_WURTZITE"): "zinc blende",
    ("HEX_DIAMOND", "ZINCBLENDE_WURTZITE"): "wurtzite",
}


def methods() -> list[Method]:
    """The four methods; OVITO is imported when the first one is used."""
    return [
        LocalMethod("ptm", "PTM", sorted(set(PTM_CLASSES.values())), _ptm),
        LocalMethod("cna", "CNA", CLOSE_PACKED, _cna),
        LocalMethod("a-cna", "a-CNA", CLOSE_PACKED, _adaptive_cna),
        LocalMethod("ackland-jones", "Ackland-Jones", CLOSE_PACKED, _ackland_jones),
    ]


class LocalMethod:
    """A modifier of OVITO that gives every atom a type."""

    periodic_only = True

    def __init__(
        self,
        name: str,
        title: str,
        classes: Sequence[str],
        identify: Callable[[DataCollection], Mapping[str, int]],
    ) -> None:
        self.name = self.published = name
        self.title = title
        self.right_answers = {prototype(c).label: c for c in classes}
        self._identify = identify

    def answers(self, samples: Sequence[Sample]) -> list[list[Answer]]:
        """Names of classes and how many atoms have each."""
        from ovito_arise.convert import to_collection

        return [
            [Answer(found, count) for found, count in self._identify(to_collection(s.structure)).items()]
            for s in samples
        ]


def _ptm(data: DataCollection) -> dict[str, int]:
    from ovito.modifiers import PolyhedralTemplateMatchingModifier as Ptm

    modifier = Ptm(rmsd_cutoff=PTM_RMSD_CUTOFF, output_ordering=True)
    for kind in modifier.structures:
        kind.enabled = kind.id not in (Ptm.Type.OTHER, Ptm.Type.ICO)
    data.apply(modifier)
    pairs = np.stack([data.particles["Structure Type"], data.particles["Ordering Type"]], axis=1)
    counts: dict[str, int] = {}
    for (kind, order), count in zip(*np.unique(pairs, axis=0, return_counts=True), strict=True):
        key = (Ptm.Type(int(kind)).name, Ptm.OrderingType(int(order)).name)
        name = PTM_CLASSES.get(key, NO_ANSWER if key[0] == "OTHER" else f"{key[0]} {key[1]}")
        counts[name] = counts.get(name, 0) + int(count)
    return counts


def _cna(data: DataCollection) -> dict[str, int]:
    from ovito.modifiers import CommonNeighborAnalysisModifier as Cna

    return _counts(data, Cna(mode=Cna.Mode.FixedCutoff), Cna.Type)  # OVITO's cut-off, 3.2 Å


def _adaptive_cna(data: DataCollection) -> dict[str, int]:
    from ovito.modifiers import CommonNeighborAnalysisModifier as Cna

    return _counts(data, Cna(mode=Cna.Mode.AdaptiveCutoff), Cna.Type)


def _ackland_jones(data: DataCollection) -> dict[str, int]:
    from ovito.modifiers import AcklandJonesModifier

    return _counts(data, AcklandJonesModifier(), AcklandJonesModifier.Type)


def _counts(data: DataCollection, modifier: Any, types: Any) -> dict[str, int]:
    data.apply(modifier)
    kinds, counts = np.unique(data.particles["Structure Type"], return_counts=True)
    names = {types.OTHER: NO_ANSWER}
    return {
        names.get(types(int(k)), types(int(k)).name.lower()): int(n)
        for k, n in zip(kinds, counts, strict=True)
    }
