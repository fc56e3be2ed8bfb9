"""Training samples: descriptors of ideal and perturbed crystals, alloys and disorder, by recipe.

A recipe is a list of jobs, each of which is computed on its own from its own seed, so that the result does
not depend on the number of worker processes or on interruptions. The crystals are an argument: the 108
prototypes, or a user's own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from arise_core.crystals.crystal import Crystal, prototype_crystals
from arise_core.crystals.naming import DISORDERED, UNKNOWN
from arise_core.crystals.table import prototypes
from arise_core.descriptor.covariance import BoxWindow, NoWindow
from arise_core.descriptor.radial import parity_step
from arise_core.descriptor.soap import average_pairs, describe, describe_piece, pair_descriptor, survey
from arise_core.errors import InputError
from arise_core.geometry import builders
from arise_core.geometry.arrays import BoolArray, FloatArray, IntArray
from arise_core.geometry.material import Material
from arise_core.geometry.structure import Structure
from arise_core.settings import DescriptorSettings, MapSettings
from arise_core.training.samples.other_crystals import AXIAL, AXIAL_RANGES, unknown_crystal

#: What stands for them where classes are numbers.
TO_REJECT = {DISORDERED: -1, UNKNOWN: -2}

Generator = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class PaperSamples:
    """Every pristine structure under every descriptor setting (Leitherer et al. 2021, Methods)."""

    r_cut: tuple[float, ...] = (3.0, 3.2, 3.4, 3.6, 3.8, 4.0, 4.2, 4.4, 4.6, 4.8, 5.0)
    sigma: tuple[float, ...] = (0.08, 0.10, 0.12)
    scale_factors: tuple[float, ...] = (0.95, 1.0, 1.05)

    def jobs(
        self, settings: DescriptorSettings, seed: int, crystals: Sequence[Crystal] | None = None
    ) -> list[Job]:
        """One job a pristine structure, each with all settings.

        Args:
            settings: of the descriptor.
            seed: not used, nothing is random here.
            crystals: the classes; the 108 prototypes if left out.
        """
        del seed
        return [
            Job(len(self.variants), partial(self._compute, crystal, k, settings))
            for crystal in given(crystals)
            for k in range(crystal.n_pristine)
        ]

    @property
    def variants(self) -> list[tuple[float, float, float]]:
        """All (r_cut, sigma, scale factor)."""
        return list(itertools.product(self.r_cut, self.sigma, self.scale_factors))

    def _compute(
        self, crystal: Crystal, index: int, settings: DescriptorSettings
    ) -> tuple[FloatArray, list[str]]:
        features = paper_descriptors(crystal.pristine[index], settings, self.variants)
        return features, [crystal.label] * len(features)


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Random imperfections of a sample; every strength is drawn anew from 0 to its maximum."""

    uniform: float = 0.13  # of d_NN, half-width per coordinate
    gaussian: float = 0.115  # of d_NN, standard deviation per coordinate
    waves: float = 0.7  # share of the Gaussian displacements that contain sound waves
    cutoff: float = 4.0  # of 1 / d_NN, largest wave number
    strain: float = 0.015
    missing: float = 0.32  # share of atoms
    ideal: float = 0.1  # share of samples that stay free of any noise
    whole: float = 0.5  # share of samples without missing atoms


#: Noise of unknown crystals. They have to be recognisable as what they are: in a strongly distorted crystal or a box
#: of few atoms nothing tells them from a distorted class.
MILD = Noise(uniform=0.06, gaussian=0.06, missing=0.1, ideal=0.3, whole=0.7)
#: Share of them that are whole structures, not boxes.
WHOLE_UNKNOWN = 0.4
#: Atoms that a box needs to tell a crystal from another one that is like it, at least.
DECIDABLE_ATOMS = 60
#: Share of the sites of a compound that are filled at random, at most.
MAX_ANTISITES = 0.15
#: Ordered structures and what a random alloy on their sites is called (L1_0 sites are no class once c/a is not 1).
LATTICE_OF = {"L12_Cu3Au": "fcc_Cu_A_cF4_225_a", "CsCl": "bcc_W_A_cI2_229_a", "L10_CuAu": None}
#: Names of the structures that have stacking faults; layers in a period, and between two faults at least.
FAULTED = ("fcc", "hcp")
FAULTED_LAYERS = 30
LEAST_FAULT_DISTANCE = 6

#: Share of stretched crystals that are whole structures, not boxes.
WHOLE_STRETCHED = 0.3
#: Share of the packings of two elements in which unlike atoms are neighbours, as in melts of salts and compounds.
ALTERNATING = 0.6

#: Gives the atoms at positions (n, 3), Å, with atomic numbers (n,) other numbers (n,).
Decorate = Callable[[FloatArray, IntArray], IntArray]


@dataclass(frozen=True, kw_only=True)
class PerturbedSamples:
    """Ideal and noisy structures and boxes, alloys, faults, disorder and crystals that are no class.

    Args:
        pristine: copies of each of the pristine structures.
        whole: samples a class of periodic cells and open supercells and pieces.
        boxes: samples a class (except nanotubes) of boxes at random place and orientation.
        box_factors: how many times as many boxes a class gets, by label: structures that are met often, and
            should win over rare ones that look alike in a small box.
        alloys: samples a class of elemental crystals with random decoration by several elements.
        close_packed_alloys: the same for fcc, bcc and hcp.
        antisites: samples a bulk class of several elements with a few atoms on sites of others.
        ordering: samples of each of L1_2, L1_0 and B2 between order and random alloy, everywhere or on one side of
            a plane.
        faults: samples of fcc and of hcp with twins and stacking faults.
        axial: samples of each bulk class of several elements, and ten times as many of those whose c / a differs much
            from material to material, stretched or compressed along one direction.
        disorder: samples of packings and of molten crystals.
        unknown: samples of random crystals that are none of the classes.
        box_atoms: range of the number of atoms in a box.
        noise: imperfections.
    """

    pristine: int = 4
    whole: int = 150
    boxes: int = 200
    box_factors: dict[str, int] = field(default_factory=dict)
    alloys: int = 20
    close_packed_alloys: int = 400
    antisites: int = 0
    ordering: int = 0
    faults: int = 0
    axial: int = 0
    disorder: int = 6000
    unknown: int = 0
    box_atoms: tuple[int, int] = (36, 1100)
    noise: Noise = field(default_factory=Noise)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.box_factors) - {p.label for p in prototypes()})
        if unknown:
            raise InputError(f"`box_factors` names unknown classes: {unknown}")

    def jobs(
        self, settings: DescriptorSettings, seed: int, crystals: Sequence[Crystal] | None = None
    ) -> list[Job]:
        """Jobs of up to 50 samples of one kind and class.

        Args:
            settings: of the descriptor.
            seed: of all random choices.
            crystals: the classes; the 108 prototypes if left out.
        """
        jobs: list[Job] = []
        crystals = given(crystals)
        if self.pristine:
            for c in crystals:
                for k in range(c.n_pristine):
                    jobs.append(Job(self.pristine, partial(self._pristine, c, k, settings)))
        plan: list[tuple[Make, int]] = []
        for c in crystals:
            plan.append((partial(self._whole, c), self.whole))
            if c.dimension > 1:
                plan.append((partial(self._box, c), self.boxes * self.box_factors.get(c.label, 1)))
            if c.info.material_type == "bulk, elemental":
                close = c.info.name in CLOSE_PACKED
                plan.append((partial(self._alloy, c), self.close_packed_alloys if close else self.alloys))
        plan.append((self._disordered, self.disorder))
        labels = {c.label for c in crystals}
        compounds = {c.label for c in crystals if c.dimension == 3 and len(c.unit.species) > 1}
        for c in crystals:
            if c.label in compounds:
                plan.append((partial(self._antisites, c), self.antisites))
            if c.label in LATTICE_OF:
                lattice = LATTICE_OF[c.label]
                plan.append(
                    (partial(self._ordering, c, lattice if lattice in labels else None), self.ordering)
                )
            if c.info.name in FAULTED:
                plan.append((partial(self._faulted, c), self.faults))
        for c in crystals:
            if c.label in AXIAL_RANGES:
                plan.append((partial(self._stretched, c), 10 * self.axial))
            elif c.label in compounds:
                plan.append((partial(self._stretched, c), self.axial))
        plan.append((partial(self._unknown, crystals), self.unknown))
        for number, (make, total) in enumerate(plan):
            for first in range(0, total, 50):
                count = min(50, total - first)
                jobs.append(Job(count, partial(self._several, make, count, settings, (seed, number, first))))
        return jobs

    def _pristine(
        self, crystal: Crystal, index: int, settings: DescriptorSettings
    ) -> tuple[FloatArray, list[str]]:
        features = describe(crystal.pristine[index], settings)
        return np.repeat(features[None], self.pristine, axis=0), [crystal.label] * self.pristine

    @staticmethod
    def _several(
        make: Make, count: int, settings: DescriptorSettings, seed: tuple[int, ...]
    ) -> tuple[FloatArray, list[str]]:
        features, labels = [], []
        for k in range(count):
            rng = np.random.default_rng((*seed, k))
            one, name = make(settings, rng)
            while not np.isfinite(one).all():  # too few atoms of every species: draw again
                one, name = make(settings, rng)
            features.append(one)
            labels.append(name)
        return np.array(features), labels

    def _whole(
        self, crystal: Crystal, settings: DescriptorSettings, rng: Generator
    ) -> tuple[FloatArray, str]:
        structure = _whole_structure(crystal, rng)
        return describe(imperfect(structure, self.noise, rng), settings), crystal.label

    def _box(self, crystal: Crystal, settings: DescriptorSettings, rng: Generator) -> tuple[FloatArray, str]:
        return self._box_of(crystal.unit, settings, rng), crystal.label

    def _alloy(
        self, crystal: Crystal, settings: DescriptorSettings, rng: Generator
    ) -> tuple[FloatArray, str]:
        n = int(rng.choice([2, 2, 2, 3, 4]))
        shares = np.maximum(rng.dirichlet(np.ones(n)), 0.04)
        elements = rng.choice(np.arange(1, 100), n, replace=False)

        def decorate(positions: FloatArray, numbers: IntArray) -> IntArray:
            return builders.solid_solution(numbers, elements, shares / shares.sum(), rng)

        if rng.random() < 0.3:
            structure = _whole_structure(crystal, rng, min_atoms=250)
            structure = Structure(
                structure.positions,
                decorate(structure.positions, structure.numbers),
                structure.cell,
                structure.pbc,
            )
            return describe(imperfect(structure, self.noise, rng), settings), crystal.label
        return self._box_of(crystal.unit, settings, rng, decorate), crystal.label

    def _antisites(
        self, crystal: Crystal, settings: DescriptorSettings, rng: Generator
    ) -> tuple[FloatArray, str]:
        share = MAX_ANTISITES * rng.uniform()

        def exchanged(positions: FloatArray, numbers: IntArray) -> IntArray:
            return _shuffled(numbers, rng.random(len(numbers)) < share, rng)

        return self._box_of(crystal.unit, settings, rng, exchanged), crystal.label

    def _ordering(
        self, crystal: Crystal, lattice: str | None, settings: DescriptorSettings, rng: Generator
    ) -> tuple[FloatArray, str]:
        """Random alloy on a share of the sites, scattered or beyond a plane; more than half of them: the lattice."""
        ordered = lattice is None or rng.random() < 0.6
        share = rng.uniform(0, 0.45) if ordered else rng.uniform(0.55, 1)
        scattered = rng.random() < 0.5
        keep = rng.random() < 0.5  # composition of the random alloy is that of the ordered one
        normal = rng.normal(size=3)

        def partly(positions: FloatArray, numbers: IntArray) -> IntArray:
            where = positions @ normal
            chosen = rng.random(len(numbers)) < share if scattered else where < np.quantile(where, share)
            if keep:
                return _shuffled(numbers, chosen, rng)
            minority = rng.uniform(0.05, 0.5)
            alloy = builders.solid_solution(numbers, np.unique(numbers), [minority, 1 - minority], rng)
            return np.where(chosen, alloy, numbers)

        features = self._decidable._box_of(crystal.unit, settings, rng, partly)
        return features, crystal.label if ordered or lattice is None else lattice

    def _faulted(
        self, crystal: Crystal, settings: DescriptorSettings, rng: Generator
    ) -> tuple[FloatArray, str]:
        layers = builders.faulted_layers(
            crystal.info.name == "hcp", FAULTED_LAYERS, LEAST_FAULT_DISTANCE, rng
        )
        return self._decidable._box_of(builders.close_packed(layers), settings, rng), crystal.label

    def _stretched(
        self, crystal: Crystal, settings: DescriptorSettings, rng: Generator
    ) -> tuple[FloatArray, str]:
        own = crystal.label in AXIAL_RANGES
        axis = crystal.unit.cell[2] if own or rng.random() < 0.5 else rng.normal(size=3)
        unit = builders.stretched(crystal.unit, axis, rng.uniform(*AXIAL_RANGES.get(crystal.label, AXIAL)))
        return self._whole_or_box(replace(crystal, unit=unit), WHOLE_STRETCHED, settings, rng), crystal.label

    def _whole_or_box(
        self, crystal: Crystal, whole_share: float, settings: DescriptorSettings, rng: Generator
    ) -> FloatArray:
        if rng.random() < whole_share:
            return describe(imperfect(_whole_structure(crystal, rng), self.noise, rng), settings)
        return self._decidable._box_of(crystal.unit, settings, rng)

    @property
    def _decidable(self) -> PerturbedSamples:
        """The same with boxes that are large enough to tell a crystal from something like it."""
        return replace(self, box_atoms=(max(self.box_atoms[0], DECIDABLE_ATOMS), self.box_atoms[1]))

    def _box_of(
        self, crystal: Structure, settings: DescriptorSettings, rng: Generator,
        decorate: Decorate | None = None,
    ) -> FloatArray:  # fmt: skip
        counts = np.unique(crystal.numbers, return_counts=True)[1]
        low = max(self.box_atoms[0], 6.0 * len(crystal) / counts.min())
        wanted = np.exp(rng.uniform(np.log(low), np.log(max(self.box_atoms[1], 1.5 * low))))
        layer = not crystal.pbc[2]
        if layer:
            cell = crystal.complete_cell
            area = np.linalg.norm(np.cross(cell[0], cell[1])) / len(crystal)
            edges = np.sqrt(area * wanted) * rng.uniform(0.9, 1.1, 3)
        else:
            volume = abs(np.linalg.det(crystal.complete_cell)) / len(crystal)
            edges = np.cbrt(volume * wanted) * rng.uniform(0.9, 1.1, 3)
        return noisy_box(crystal, edges, self.noise, settings, rng, decorate)

    def _disordered(self, settings: DescriptorSettings, rng: Generator) -> tuple[FloatArray, str]:
        return _disordered_features(settings, rng, self.box_atoms), DISORDERED

    def _unknown(
        self, known: Sequence[Crystal], settings: DescriptorSettings, rng: Generator
    ) -> tuple[FloatArray, str]:
        crystal = unknown_crystal(known, rng)
        return replace(self, noise=MILD)._whole_or_box(crystal, WHOLE_UNKNOWN, settings, rng), UNKNOWN


@dataclass(frozen=True)
class Job:
    """A piece of sampling work: `compute()` gives (n_samples, n_features) and as many labels."""

    n_samples: int
    compute: Callable[[], tuple[FloatArray, list[str]]]


CLOSE_PACKED = ("fcc", "bcc", "hcp")


#: Makes one sample: its descriptor and its label.
Make = Callable[[DescriptorSettings, Generator], tuple[FloatArray, str]]


def given(crystals: Sequence[Crystal] | None) -> Sequence[Crystal]:
    """The crystals, or the 108 prototypes if there are none."""
    return prototype_crystals() if crystals is None else crystals


def pristine_list(crystals: Sequence[Crystal] | None = None) -> list[tuple[str, Structure]]:
    """The pristine structures with their labels; 396 of the 108 prototypes."""
    return [(c.label, structure) for c in given(crystals) for structure in c.pristine]


def paper_descriptors(
    structure: Structure, settings: DescriptorSettings, variants: Sequence[tuple[float, float, float]]
) -> FloatArray:
    """Descriptors of one structure for several (r_cut, sigma, scale factor), (n_variants, n_features)."""
    from arise_core.descriptor.lengthscale import nearest_neighbour_scale

    material = Material.of(structure)
    species = [int(s) for s in material.body.species]
    scales = {(a, b): nearest_neighbour_scale(material.nearest(a, b)) for a in species for b in species}
    scales = {pair: d for pair, d in scales.items() if np.isfinite(d)}
    out = []
    for r_cut, sigma, factor in variants:
        changed = replace(settings, r_cut=r_cut, sigma=sigma)
        parts = {
            (a, b): pair_descriptor(
                partial(material.pairs.vectors, a, b), parity_step(a, b), d * factor, NoWindow(), changed
            )
            for (a, b), d in scales.items()
        }
        out.append(average_pairs(parts, changed))
    return np.array(out)


def imperfect(structure: Structure, noise: Noise, rng: Generator) -> Structure:
    """A structure with random displacements, strain and missing atoms."""
    if rng.random() < noise.ideal:
        return structure
    d = builders.nearest_neighbour_distance(structure)
    deform = builders.random_strain(rng.uniform(0, noise.strain), rng)
    positions = structure.positions @ deform
    positions = positions + _displacements(positions, d, noise, rng)
    moved = Structure(positions, structure.numbers, structure.cell @ deform, structure.pbc)
    if rng.random() < noise.whole:
        return moved
    return builders.remove_atoms(moved, rng.uniform(0, noise.missing), rng)


def _displacements(positions: FloatArray, d: float, noise: Noise, rng: Generator) -> FloatArray:
    if rng.random() < 0.4:
        reach = noise.uniform * d * rng.uniform()
        return rng.uniform(-reach, reach, positions.shape)
    correlated = np.sqrt(rng.uniform()) * (rng.random() < noise.waves)
    sigma = noise.gaussian * d * np.sqrt(rng.uniform())
    cutoff = noise.cutoff / d * rng.uniform(0.85, 1.15)
    return builders.thermal_noise(
        positions, sigma, correlated, cutoff, rng, longitudinal=rng.uniform(0.15, 0.6)
    )


def _whole_structure(crystal: Crystal, rng: Generator, min_atoms: int = 100) -> Structure:
    """A periodic supercell, one of the paper's open supercells, or an open piece of random shape."""
    kind = rng.choice(["periodic", "open", "piece"], p=[0.35, 0.4, 0.25])
    if crystal.dimension == 1:
        cells = crystal.supercells(min_atoms, periodic=kind == "periodic")
        return cells[0 if kind == "open" else int(rng.integers(len(cells)))]
    if kind != "piece":
        cells = crystal.supercells(min_atoms, periodic=kind == "periodic")
        return cells[int(rng.integers(len(cells)))]
    return random_piece(crystal.unit, int(rng.integers(100, 500)) + 2 * len(crystal.unit), rng)


def random_piece(crystal: Structure, n_atoms: int, rng: Generator) -> Structure:
    """An open sphere (disc, for a layer) or convex polyhedron of about `n_atoms` atoms of a crystal."""
    cell = crystal.complete_cell
    layer = not crystal.pbc[2]
    if layer:
        area = np.linalg.norm(np.cross(cell[0], cell[1])) / len(crystal)
        half = 1.6 * np.sqrt(area * n_atoms / np.pi)
        rotation = np.eye(3)
        box = np.array([half, half, 1e3])
    else:
        volume = abs(np.linalg.det(cell)) / len(crystal)
        half = 1.6 * np.cbrt(volume * n_atoms * 3 / (4 * np.pi))
        rotation = builders.random_rotation(rng)
        box = np.full(3, half)
    positions, numbers = builders.crystal_in_box(
        crystal, -box, box, rotation, rng.uniform(size=3) * crystal.pbc
    )
    flat = positions * [1, 1, 0] if layer else positions
    if rng.random() < 0.5:
        distance = np.linalg.norm(flat, axis=1)
    else:
        normals = rng.normal(size=(6 if layer else 14, 3)) * ([1, 1, 0] if layer else [1, 1, 1])
        normals /= np.linalg.norm(normals, axis=1)[:, None]
        distance = (flat @ normals.T / rng.uniform(0.75, 1.25, len(normals))).max(axis=1)
    chosen = np.argsort(distance)[:n_atoms]
    return Structure(positions[chosen], numbers[chosen])


def noisy_box(
    crystal: Structure, edges: FloatArray, noise: Noise, settings: DescriptorSettings, rng: Generator,
    decorate: Decorate | None = None,
) -> FloatArray:  # fmt: skip
    """Descriptor of a box at a random place and orientation in an imperfect crystal, (n_features,)."""
    layer = not crystal.pbc[2]
    d = builders.nearest_neighbour_distance(crystal)
    margin = 0.6 * d
    half = np.asarray(edges) / 2
    if layer:
        angle = rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
        lower, upper = np.append(-half[:2] - margin, -1e3), np.append(half[:2] + margin, 1e3)
    else:
        turn = _orientation(crystal, rng)
        lower, upper = -half - margin, half + margin
    shift = rng.uniform(size=3) * crystal.pbc
    positions, numbers = builders.crystal_in_box(crystal, lower, upper, turn, shift)
    if decorate is not None:
        numbers = decorate(positions, numbers)
    whole = imperfect(Structure(positions, numbers), noise, rng)
    positions, numbers = whole.positions, whole.numbers
    inside = (
        (np.abs(positions) < half).all(axis=1)
        if not layer
        else (np.abs(positions[:, :2]) < half[:2]).all(axis=1)
    )
    if inside.sum() < 8:
        return np.full(settings.n_features, np.nan)
    found = survey(whole)
    width = np.array(edges, dtype=float)
    if layer:
        from arise_core.geometry.support import SURFACE

        width[2] = np.ptp(positions[inside, 2]) + 2 * SURFACE * found.spacing
    window = BoxWindow(np.diag(width), np.ones(3), settings.floor)
    return describe_piece(
        positions[inside],
        numbers[inside],
        window,
        found.ranges,
        settings,
        MapSettings().min_atoms_per_species,
    )


def _shuffled(numbers: IntArray, chosen: BoolArray, rng: Generator) -> IntArray:
    """The atoms on the chosen sites in random order, (n,)."""
    out = numbers.copy()
    out[chosen] = rng.permutation(numbers[chosen])
    return out


def _orientation(crystal: Structure, rng: Generator) -> FloatArray:
    """Any rotation, or one that puts low-index directions along the axes, as simulation cells have them."""
    kind = rng.random()
    if kind < 0.5:
        return builders.random_rotation(rng)
    if kind < 0.75:
        return np.eye(3)  # prototypes stand in the frame of their conventional cell
    while True:
        directions = rng.integers(-2, 3, (2, 3)) @ crystal.complete_cell
        normal = np.cross(*directions)
        if np.linalg.norm(normal) > 1e-6:
            frame = np.array([directions[0], np.cross(normal, directions[0]), normal])
            return np.asarray((frame / np.linalg.norm(frame, axis=1)[:, None]).T)


def _disordered_features(
    settings: DescriptorSettings, rng: Generator, box_atoms: tuple[int, int]
) -> FloatArray:
    """Descriptor of a box or a whole cell of a soft packing or a molten crystal, (n_features,)."""
    n_species = int(rng.choice([1, 1, 1, 2, 2, 2, 3]))
    elements = rng.choice(np.arange(1, 100), n_species, replace=False)
    shares = np.maximum(rng.dirichlet(np.ones(n_species)), 0.05)
    shares = shares / shares.sum()
    wanted = int(np.exp(rng.uniform(np.log(box_atoms[0]), np.log(box_atoms[1]))))
    if rng.random() < 0.6:
        diameters = rng.uniform(0.75, 1.0, n_species) if n_species > 1 else np.ones(1)
        positions, kind, edge = builders.disordered(
            int(wanted * 1.4) + 30, rng.uniform(0.25, 0.75), diameters, shares, int(rng.integers(5, 80)), rng
        )
        if n_species == 2 and rng.random() < ALTERNATING:
            kind = builders.alternating(positions, edge, int(rng.integers(1, 12)), rng)
        whole = Structure(positions, elements[kind], np.eye(3) * edge, np.ones(3, dtype=bool))
    else:
        whole = _molten(elements, shares, int(wanted * 1.4) + 30, rng)
    d = builders.nearest_neighbour_distance(whole)
    moved = whole.positions + rng.normal(0, rng.uniform(0, 0.06) * d, whole.positions.shape)
    whole = Structure(moved, whole.numbers, whole.cell, whole.pbc)
    if rng.random() < 0.25:
        return describe(whole, settings)
    edge = float(np.cbrt(abs(np.linalg.det(whole.cell)) * min(wanted / len(whole), 0.9)))
    if edge > whole.cell[0, 0]:
        return describe(whole, settings)
    start = rng.uniform(0, whole.cell[0, 0] - edge, 3)
    positions = whole.positions % whole.cell[0, 0] - start
    inside = ((positions >= 0) & (positions < edge)).all(axis=1)
    if inside.sum() < 8:
        return np.full(settings.n_features, np.nan)
    window = BoxWindow(np.eye(3) * edge, np.ones(3), settings.floor)
    return describe_piece(
        positions[inside], whole.numbers[inside], window, survey(whole).ranges, settings,
        MapSettings().min_atoms_per_species,
    )  # fmt: skip


def _molten(elements: IntArray, shares: FloatArray, n_atoms: int, rng: Generator) -> Structure:
    """A crystal shaken until nothing of its order is left and relieved of overlaps, periodic cube."""
    bulk = [c.unit for c in prototype_crystals() if c.dimension == 3]
    crystal = bulk[int(rng.integers(len(bulk)))]
    volume = abs(np.linalg.det(crystal.complete_cell)) / len(crystal)
    edge = float(np.cbrt(volume * n_atoms))
    positions, numbers = builders.crystal_in_box(
        crystal, np.zeros(3), np.full(3, edge), builders.random_rotation(rng), rng.uniform(size=3)
    )
    if len(np.unique(numbers)) == 1:
        numbers = builders.solid_solution(numbers, elements, shares, rng)
    d = builders.nearest_neighbour_distance(Structure(positions, numbers))
    positions = positions + rng.normal(0, rng.uniform(0.22, 0.45) * d, positions.shape)
    relaxed = builders.relieved(positions % edge, edge, rng.uniform(0.75, 0.95) * d, int(rng.integers(5, 60)))
    return Structure(relaxed, numbers, np.eye(3) * edge, np.ones(3, dtype=bool))
