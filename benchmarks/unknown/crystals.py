"""Crystals that are none of the classes, built from their space groups and Wyckoff positions."""

from __future__ import annotations

from ase.spacegroup import crystal

from arise_core import Structure
from ase_arise import from_atoms

#: Symbols, Wyckoff positions, number of the space group and of its origin choice, a, b, c, alpha, beta, gamma (Å,
#: degrees).
CUBIC, HEXAGONAL = [90, 90, 90], [90, 90, 120]
CRYSTALS = {
    "fluorite, CaF2": (["Ca", "F"], [(0, 0, 0), (1 / 4, 1 / 4, 1 / 4)], 225, 1, [5.463] * 3 + CUBIC),
    "tungsten carbide, WC": (
        ["W", "C"], [(0, 0, 0), (1 / 3, 2 / 3, 1 / 2)], 187, 1, [2.906, 2.906, 2.837, *HEXAGONAL],
    ),
    "rutile, TiO2": (["Ti", "O"], [(0, 0, 0), (0.3053, 0.3053, 0)], 136, 1, [4.594, 4.594, 2.959, *CUBIC]),
    "cementite, Fe3C": (
        ["Fe", "Fe", "C"], [(0.186, 0.063, 0.328), (0.036, 0.25, 0.852), (0.89, 0.25, 0.45)], 62, 1,
        [5.091, 6.743, 4.526, *CUBIC],
    ),
    "corundum, Al2O3": (
        ["Al", "O"], [(0, 0, 0.3522), (0.3064, 0, 0.25)], 167, 1, [4.759, 4.759, 12.993, *HEXAGONAL],
    ),
    "alpha quartz, SiO2": (
        ["Si", "O"], [(0.4697, 0, 2 / 3), (0.4135, 0.2669, 0.7858)], 154, 1, [4.913, 4.913, 5.405, *HEXAGONAL],
    ),
    "A15, Cr3Si": (["Si", "Cr"], [(0, 0, 0), (1 / 4, 0, 1 / 2)], 223, 1, [4.556] * 3 + CUBIC),
    "beta manganese, Mn": (
        ["Mn", "Mn"], [(0.0636, 0.0636, 0.0636), (1 / 8, 0.2022, 0.4522)], 213, 1, [6.315] * 3 + CUBIC,
    ),
    "alpha manganese, Mn": (
        ["Mn"] * 4, [(0, 0, 0), (0.317, 0.317, 0.317), (0.356, 0.356, 0.034), (0.089, 0.089, 0.282)], 217, 1,
        [8.911] * 3 + CUBIC,
    ),
    "omega titanium, Ti": (
        ["Ti", "Ti"], [(0, 0, 0), (1 / 3, 2 / 3, 1 / 2)], 191, 1, [4.6, 4.6, 2.82, *HEXAGONAL],
    ),
    "Laves C15, MgCu2": (["Mg", "Cu"], [(1 / 8,) * 3, (1 / 2,) * 3], 227, 2, [7.02] * 3 + CUBIC),
    "Laves C14, MgZn2": (
        ["Mg", "Zn", "Zn"], [(1 / 3, 2 / 3, 0.062), (0, 0, 0), (0.83, 0.66, 1 / 4)], 194, 1,
        [5.223, 5.223, 8.566, *HEXAGONAL],
    ),
    "sigma, CrFe": (
        ["Fe", "Cr", "Cr", "Fe", "Cr"],
        [(0, 0, 0), (0.3981, 0.3981, 0), (0.4632, 0.1316, 0), (0.7376, 0.0653, 0), (0.1823, 0.1823, 0.2524)],
        136, 1, [8.8, 8.8, 4.544, *CUBIC],
    ),
    "D0_19, Ni3Sn": (
        ["Sn", "Ni"], [(1 / 3, 2 / 3, 1 / 4), (0.833, 0.666, 1 / 4)], 194, 1, [5.305, 5.305, 4.254, *HEXAGONAL],
    ),
    "CaCu5": (
        ["Ca", "Cu", "Cu"], [(0, 0, 0), (1 / 3, 2 / 3, 0), (1 / 2, 0, 1 / 2)], 191, 1,
        [5.092, 5.092, 4.086, *HEXAGONAL],
    ),
    "C16, Al2Cu": (["Cu", "Al"], [(0, 0, 1 / 4), (0.1581, 0.6581, 0)], 140, 1, [6.067, 6.067, 4.877, *CUBIC]),
    "MoSi2": (["Mo", "Si"], [(0, 0, 0), (0, 0, 1 / 3)], 139, 1, [3.206, 3.206, 7.877, *CUBIC]),
    "AlB2": (["Al", "B"], [(0, 0, 0), (1 / 3, 2 / 3, 1 / 2)], 191, 1, [3.009, 3.009, 3.262, *HEXAGONAL]),
    "CaB6": (["Ca", "B"], [(0, 0, 0), (0.207, 1 / 2, 1 / 2)], 221, 1, [4.145] * 3 + CUBIC),
    "ThCr2Si2": (
        ["Th", "Cr", "Si"], [(0, 0, 0), (0, 1 / 2, 1 / 4), (0, 0, 0.374)], 139, 1, [4.04, 4.04, 10.58, *CUBIC],
    ),
    "half-Heusler, MgAgAs": (
        ["Mg", "Ag", "As"], [(1 / 2, 1 / 2, 1 / 2), (1 / 4, 1 / 4, 1 / 4), (0, 0, 0)], 216, 1, [6.25] * 3 + CUBIC,
    ),
    "pyrite, FeS2": (["Fe", "S"], [(0, 0, 0), (0.3848,) * 3], 205, 1, [5.416] * 3 + CUBIC),
    "anatase, TiO2": (["Ti", "O"], [(0, 0, 0), (0, 0, 0.2081)], 141, 1, [3.785, 3.785, 9.514, *CUBIC]),
    "spinel, MgAl2O4": (
        ["Mg", "Al", "O"], [(1 / 8,) * 3, (1 / 2,) * 3, (0.2624,) * 3], 227, 2, [8.083] * 3 + CUBIC,
    ),
    "calcite, CaCO3": (
        ["Ca", "C", "O"], [(0, 0, 0), (0, 0, 1 / 4), (0.2578, 0, 1 / 4)], 167, 1, [4.99, 4.99, 17.06, *HEXAGONAL],
    ),
    "cuprite, Cu2O": (["O", "Cu"], [(1 / 4,) * 3, (0, 0, 0)], 224, 2, [4.27] * 3 + CUBIC),
    "bismuth telluride, Bi2Te3": (
        ["Te", "Bi", "Te"], [(0, 0, 0), (0, 0, 0.4), (0, 0, 0.212)], 166, 1, [4.38, 4.38, 30.49, *HEXAGONAL],
    ),
    # Superstructures of fcc and bcc: either answer, the lattice or a rejection, is right in its way.
    "D0_22, Al3Ti (on fcc)": (
        ["Ti", "Al", "Al"], [(0, 0, 0), (0, 0, 1 / 2), (0, 1 / 2, 1 / 4)], 139, 1, [3.84, 3.84, 8.58, *CUBIC],
    ),
    "D0_3, AlFe3 (on bcc)": (
        ["Al", "Fe", "Fe"], [(0, 0, 0), (1 / 2,) * 3, (1 / 4,) * 3], 225, 1, [5.79] * 3 + CUBIC,
    ),
    "B32, NaTl (on bcc)": (["Na", "Tl"], [(1 / 8,) * 3, (3 / 8,) * 3], 227, 2, [7.48] * 3 + CUBIC),
}  # fmt: skip


def unknown(name: str) -> Structure:
    """The conventional cell of a crystal of the table."""
    symbols, basis, group, setting, cell = CRYSTALS[name]
    return from_atoms(crystal(symbols, basis=basis, spacegroup=group, setting=setting, cellpar=cell))
