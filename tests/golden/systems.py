"""The structures of the golden set: whole ones, full and partly filled boxes, maps; 1 to 5 species; open, slab-like,
triclinic and small periodic cells. Public names and builders only, so that moving rooms does not touch it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import arise_core as arise
from arise_core.geometry import builders

#: Fractions by which crystals are moved off the faces of the boxes they are cut by, where rounding would decide.
OFF = np.array([0.11, 0.23, 0.37])


@dataclass(frozen=True)
class System:
    """One structure and what is computed of it."""

    kind: str  # "whole": `describe`; "boxes": `describe_boxes`; "map": `strided_map`
    build: Callable[[], arise.Structure]
    settings: dict[str, Any] = field(default_factory=dict)  # of the map, or the descriptor's preset


def crystal(name: str) -> arise.Structure:
    return arise.build(arise.prototype(name))


def shaken(structure: arise.Structure, sigma: float, seed: int = 0) -> arise.Structure:
    moved = structure.positions + np.random.default_rng(seed).normal(0, sigma, structure.positions.shape)
    return arise.Structure(moved, structure.numbers, structure.cell, structure.pbc)


def cell_of(name: str, counts: tuple[int, int, int], sigma: float = 0.06) -> arise.Structure:
    return shaken(builders.repeat(crystal(name), counts), sigma)


def with_pbc(structure: arise.Structure, pbc: Any) -> arise.Structure:
    return arise.Structure(structure.positions, structure.numbers, structure.cell, pbc)


def sphere(name: str, radius: float) -> arise.Structure:
    low = np.full(3, -radius)
    x, z = builders.crystal_in_box(crystal(name), low, -low, np.eye(3), OFF)
    inside = np.linalg.norm(x, axis=1) < radius
    return shaken(arise.Structure(x[inside], z[inside]), 0.05)


def cube(name: str, edge: float, seed: int = 1) -> arise.Structure:
    turn = builders.random_rotation(np.random.default_rng(seed))
    x, z = builders.crystal_in_box(crystal(name), np.zeros(3), np.full(3, edge), turn, OFF)
    return shaken(arise.Structure(x, z), 0.05)


def slab(name: str, counts: tuple[int, int, int], vacuum: float = 20.0) -> arise.Structure:
    """Periodic in all directions, with vacuum along the third vector."""
    s = cell_of(name, counts)
    longer = 1 + vacuum / np.linalg.norm(s.cell[2])
    return arise.Structure(s.positions, s.numbers, s.cell * [[1], [1], [longer]], True)


def bilayer(shift: float) -> arise.Structure:
    """Half fcc and half bcc in vacuum, moved along the normal by a share of the cell and wrapped."""
    size = np.array([20.0, 20.0, 12.0])
    a, b = (builders.crystal_in_box(crystal(n), np.zeros(3), size, np.eye(3), OFF) for n in ("fcc", "bcc"))
    x = np.concatenate([a[0], b[0] + [0, 0, 13.0]])
    z = np.full(len(x), 29)
    height = 60.0
    x = shaken(arise.Structure(x, z), 0.05).positions.copy()
    x[:, 2] = (x[:, 2] + shift * height) % height
    return arise.Structure(x, z, np.diag([40.0, 40.0, height]), [False, False, True])


def alloy(name: str, counts: tuple[int, int, int], elements: tuple[int, ...]) -> arise.Structure:
    s = cell_of(name, counts)
    rng = np.random.default_rng(3)
    shares = np.full(len(elements), 1 / len(elements))
    return arise.Structure(
        s.positions, builders.solid_solution(s.numbers, elements, shares, rng), s.cell, s.pbc
    )


def holes(structure: arise.Structure, share: float) -> arise.Structure:
    return builders.remove_atoms(structure, share, np.random.default_rng(4))


def grains() -> arise.Structure:
    names = ("fcc", "bcc", "hcp", "diamond")
    return builders.polycrystal([crystal(n) for n in names], (26.0, 26.0, 14.0), rng=np.random.default_rng(5))


def sheared(structure: arise.Structure) -> arise.Structure:
    deform = np.array([[1, 0, 0], [0.35, 1, 0], [-0.2, 0.25, 1]])
    unit = structure.positions @ np.linalg.inv(structure.cell)
    cell = deform @ structure.cell
    return arise.Structure(unit @ cell, structure.numbers, cell, structure.pbc)


def left_handed(structure: arise.Structure) -> arise.Structure:
    return arise.Structure(structure.positions, structure.numbers, structure.cell[[1, 0, 2]], structure.pbc)


WHOLE = ("fcc", "bcc", "hcp", "diamond", "rock salt", "L1_2", "graphene", "cubic perovskite", "wurtzite")
FIRST = {"stride": 8.0, "box_size": 12.0}

SYSTEMS: dict[str, System] = {
    **{f"whole {n}": System("whole", lambda n=n: crystal(n)) for n in WHOLE},
    **{f"paper {n}": System("whole", lambda n=n: crystal(n), {"preset": "paper"}) for n in WHOLE[:4]},
    "whole nanotube": System("whole", lambda: crystal("nanotube (5,3)")),
    "whole sphere": System("whole", lambda: sphere("fcc", 9.0)),
    "whole cube of diamond": System("whole", lambda: cube("diamond", 12.0)),
    "whole slab": System("whole", lambda: slab("bcc", (5, 5, 4))),
    "whole with holes": System("whole", lambda: holes(cell_of("L1_2", (4, 4, 4)), 0.2)),
    "whole of five species": System("whole", lambda: alloy("fcc", (6, 6, 6), (27, 26, 28, 24, 25))),
    "whole triclinic": System("whole", lambda: sheared(cell_of("fcc", (5, 5, 5)))),
    "whole left-handed": System("whole", lambda: left_handed(cell_of("rock salt", (3, 3, 3)))),
    "whole open cube, paper": System("whole", lambda: cube("fcc", 14.0), {"preset": "paper"}),
    "whole compound, weighted": System("whole", lambda: crystal("cubic perovskite"), {"preset": "weighted"}),
    "whole of five species, weighted": System(
        "whole", lambda: alloy("fcc", (6, 6, 6), (27, 26, 28, 24, 25)), {"preset": "weighted"}
    ),
    "whole slab, weighted": System("whole", lambda: slab("L1_2", (4, 4, 3)), {"preset": "weighted"}),
    "boxes fcc": System("boxes", lambda: cell_of("fcc", (9, 9, 9)), FIRST),
    "boxes of a tiny cell": System("boxes", lambda: crystal("fcc"), {"stride": 1.5, "box_size": 10.0}),
    "boxes of a tiny compound": System("boxes", lambda: crystal("cubic perovskite"), {"stride": 3.0}),
    "boxes triclinic": System("boxes", lambda: sheared(cell_of("bcc", (9, 9, 9))), FIRST),
    "boxes left-handed": System("boxes", lambda: left_handed(cell_of("L1_2", (6, 6, 6))), FIRST),
    "boxes sphere": System("boxes", lambda: sphere("fcc", 11.0), {**FIRST, "stride": 6.0}),
    "boxes sphere, faces": System("boxes", lambda: sphere("fcc", 11.0), {**FIRST, "edges": "box"}),
    "boxes cube": System("boxes", lambda: cube("bcc", 20.0), FIRST),
    "boxes cube, inside": System("boxes", lambda: cube("bcc", 24.0), {**FIRST, "padding": "none"}),
    "boxes cube, beyond": System("boxes", lambda: cube("fcc", 14.0), {**FIRST, "padding": "full"}),
    "boxes slab": System("boxes", lambda: slab("fcc", (9, 9, 6)), FIRST),
    "boxes graphene": System("boxes", lambda: builders.repeat(crystal("graphene"), (12, 12, 1)), FIRST),
    "boxes nanotube": System("boxes", lambda: crystal("nanotube (5,3)"), FIRST),
    "boxes with holes": System("boxes", lambda: holes(cell_of("fcc", (9, 9, 9)), 0.3), FIRST),
    "boxes two species": System("boxes", lambda: cell_of("rock salt", (6, 6, 6)), FIRST),
    "boxes three species": System("boxes", lambda: cell_of("cubic perovskite", (5, 5, 5)), FIRST),
    "boxes five species": System(
        "boxes", lambda: alloy("bcc", (9, 9, 9), (22, 40, 41, 72, 73)), {**FIRST, "stride": 10.0}
    ),
    "boxes two species, weighted": System(
        "boxes", lambda: cell_of("rock salt", (6, 6, 6)), {**FIRST, "preset": "weighted"}
    ),
    "boxes five species, weighted": System(
        "boxes",
        lambda: alloy("bcc", (9, 9, 9), (22, 40, 41, 72, 73)),
        {**FIRST, "stride": 10.0, "preset": "weighted"},
    ),
    "boxes in a wire": System(
        "boxes", lambda: with_pbc(cell_of("fcc", (5, 5, 9)), [False, False, True]), FIRST
    ),
    "boxes of grains": System("boxes", grains, {**FIRST, "stride": 7.0}),
    "boxes of grains, close": System("boxes", grains, {**FIRST, "stride": 2.5}),
    "map fcc": System("map", lambda: cell_of("fcc", (9, 9, 9), 0.12), {"stride": 8.0}),
    "map melt": System("map", lambda: shaken(cell_of("fcc", (8, 8, 8)), 0.5), {"stride": 9.0}),
    "map alloy": System("map", lambda: alloy("fcc", (8, 8, 8), (28, 13, 24)), {"stride": 9.0}),
    "map slab": System("map", lambda: slab("hcp", (8, 8, 5)), {"stride": 9.0}),
    "map grains": System("map", grains, {"stride": 8.0}),
    "map grains, sharp": System("map", grains, {"stride": 8.0, "resolution": "sharp", "tolerance": "auto"}),
    "map alpha-Sm, sharp": System(
        "map", lambda: cell_of("alpha-Sm", (9, 9, 1), 0.1), {"stride": 8.0, "resolution": "sharp"}
    ),
    "map sphere": System("map", lambda: sphere("diamond", 12.0), {"stride": 9.0}),
    "map bilayer": System("map", lambda: bilayer(0.0), {"stride": 8.0}),
    "map bilayer across the border": System("map", lambda: bilayer(0.5), {"stride": 8.0}),
    "map triclinic": System("map", lambda: sheared(cell_of("L1_2", (6, 6, 6))), {"stride": 9.0}),
    "map tiny cell": System("map", lambda: crystal("diamond"), {"stride": 3.0}),
}

#: Recipes of a few samples of every kind, whose descriptors are in the golden set too.
RECIPES: dict[str, dict[str, Any]] = {
    "samples perturbed": {
        "name": "golden",
        "classes": ["fcc", "hcp", "bcc", "L1_2", "L1_0", "CsCl", "rock salt", "graphene", "nanotube (5,3)"],
        "samples": {
            "kind": "perturbed", "pristine": 1, "whole": 3, "boxes": 3, "alloys": 3, "close_packed_alloys": 3,
            "antisites": 2, "ordering": 3, "faults": 3, "axial": 1, "disorder": 6, "unknown": 2,
            "box_factors": {"fcc_Cu_A_cF4_225_a": 2}, "box_atoms": [30, 200],
        },
    },
    "samples weighted": {
        "name": "golden",
        "descriptor": "weighted",
        "classes": ["fcc", "hcp", "L1_2", "rock salt", "graphene", "nanotube (5,3)"],
        "samples": {
            "kind": "perturbed", "pristine": 0, "whole": 1, "boxes": 1, "alloys": 0, "close_packed_alloys": 0,
            "disorder": 0, "impurities": 2, "solutions": 1, "slabs": 1, "elastic": 1, "few_atoms": 1,
            "few_disordered": 2, "interfaces": 1, "hot": 1, "relatives": 2, "sheets": 1, "other_tubes": 2, "ionic": 2,
            "box_factors": {"fcc_Cu_A_cF4_225_a": 5, "L12_Cu3Au": 5}, "box_atoms": [30, 200],
            "noise": {"springs": 0.5, "anisotropy": [0.6, 5.0], "cores": 0.5},
            "strains": {"random": {"hcp_Mg_A_hP2_194_c": 0.003}},
        },
    },
    "samples paper": {
        "name": "golden",
        "descriptor": "paper",
        "classes": ["fcc", "rock salt"],
        "samples": {"kind": "paper", "r_cut": [4.0], "sigma": [0.1], "scale_factors": [0.95, 1.0]},
    },
}  # fmt: skip
