"""What all kinds of samples share: how large boxes are, imperfections, whole structures, cuts, strain of classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Self

from arise_core.crystals.crystal import Crystal
from arise_core.crystals.table import prototypes
from arise_core.descriptor.soap import describe
from arise_core.errors import InputError
from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.structure import Structure
from arise_core.settings import DescriptorSettings
from arise_core.training.fields import AS_DETAIL, CHECK, DETAIL, Table, span
from arise_core.training.samples.cuts import Cuts, Decorate, noisy_box, random_edges
from arise_core.training.samples.job import Generator
from arise_core.training.samples.noise import Noise, imperfect
from arise_core.training.samples.pieces import Structures, whole_structure


def _usual_ranges() -> dict[str, tuple[float, float]]:
    """L1_0 from c / a = 0.86 to 1.05 (CuAu 0.93, FePt 0.96, TiAl 1.02), hcp from 1.54 to 1.9 (Mg 1.62, Cd 1.89)."""
    return {"L10_CuAu": (-0.07, 0.13), "hcp_Mg_A_hP2_194_c": (-0.05, 0.17)}


def check_labels(labels: Iterable[str], name: str) -> None:
    """Refuse labels that are of no class.

    Raises:
        InputError: there are such; it says in which setting.
    """
    unknown = sorted(set(labels) - {p.label for p in prototypes()})
    if unknown:
        raise InputError(f"`{name}` names unknown classes: {unknown}")


def _ordered(v: dict[str, tuple[float, float]]) -> str:
    good = all(-1 < low <= high for low, high in v.values())
    return "" if good else "ranges of strain by label, the smaller number first"


@dataclass(frozen=True, kw_only=True)
class Strains(Table):
    """Strain along one direction under which a class keeps its name.

    Args:
        usual: range for all classes but those of `along_c`.
        along_c: range along c of structures whose c / a differs much from material to material, by label.
        random: standard deviation of the random strain of classes for which it is not that of the noise, by label:
            classes that are strained copies of others.
    """

    usual: tuple[float, float] = span(-0.05, 0.05, least=-0.9)
    along_c: dict[str, tuple[float, float]] = field(
        default_factory=_usual_ranges, metadata={DETAIL: True, CHECK: _ordered}
    )

    random: dict[str, float] = field(
        default_factory=dict,
        metadata={
            DETAIL: True,
            CHECK: lambda v: "" if min(v.values(), default=0) >= 0 else "numbers from 0 by label",
        },
    )

    def of(self, label: str) -> tuple[float, float]:
        """Range of a class."""
        return self.along_c.get(label, self.usual)


@dataclass(frozen=True, kw_only=True)
class Common(Table):
    """What all kinds of samples share.

    Args:
        box_factors: how many times as many boxes a class gets, by label: structures that are met often, and
            should win over rare ones that look alike in a small box.
        box_atoms: range of the number of atoms in a box.
        noise: imperfections.
        structures: whole structures, which are not boxes.
        cuts: how boxes are cut.
        strains: under which a class keeps its name.
    """

    box_factors: dict[str, int] = field(default_factory=dict)
    box_atoms: tuple[int, int] = span(36, 1100, least=1, detail=False)
    noise: Noise = field(default_factory=Noise)
    structures: Structures = field(default_factory=Structures, metadata=AS_DETAIL)
    cuts: Cuts = field(default_factory=Cuts, metadata=AS_DETAIL)
    strains: Strains = field(default_factory=Strains, metadata=AS_DETAIL)

    def of_class(self, label: str) -> Self:
        """The same with what strains of a class are like in its noise."""
        strain = self.strains.random.get(label)
        return self if strain is None else replace(self, noise=replace(self.noise, strain=strain))

    @property
    def decidable_atoms(self) -> tuple[int, int]:
        """Range of the number of atoms in boxes that are to tell a crystal from something like it."""
        low, high = self.box_atoms
        return max(low, self.cuts.decidable), high

    def box(
        self, crystal: Structure, settings: DescriptorSettings, rng: Generator, *,
        atoms: tuple[int, int] | None = None, noise: Noise | None = None, decorate: Decorate | None = None,
    ) -> FloatArray:  # fmt: skip
        """Descriptor of a random box of a crystal, (n_features,); NaN for too few atoms.

        Args:
            crystal: one period.
            settings: of the descriptor.
            rng: random numbers.
            atoms: range of the number of atoms; `box_atoms` if left out.
            noise: imperfections; the common ones if left out.
            decorate: gives the atoms other elements.
        """
        edges = random_edges(crystal, atoms or self.box_atoms, self.cuts, rng)
        return noisy_box(crystal, edges, noise or self.noise, self.cuts, settings, rng, decorate)

    def whole(
        self, crystal: Crystal, settings: DescriptorSettings, rng: Generator, noise: Noise | None = None
    ) -> FloatArray:
        """Descriptor of a random whole structure of a crystal, (n_features,)."""
        structure = whole_structure(crystal, self.structures, rng)
        return describe(imperfect(structure, noise or self.noise, rng), settings)

    def whole_or_box(
        self, crystal: Crystal, share: float, settings: DescriptorSettings, rng: Generator,
        noise: Noise | None = None,
    ) -> FloatArray:  # fmt: skip
        """Descriptor of a whole structure, or of a box that can be told from similar crystals, (n_features,).

        Args:
            crystal: what it is made of.
            share: of whole structures.
            settings: of the descriptor.
            rng: random numbers.
            noise: imperfections; the common ones if left out.
        """
        if rng.random() < share:
            return self.whole(crystal, settings, rng, noise)
        return self.box(crystal.unit, settings, rng, atoms=self.decidable_atoms, noise=noise)
