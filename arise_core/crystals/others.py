"""Crystals that are none of the 108 classes, built from their space groups and Wyckoff positions.

They are held out: no model is trained on them. What a model says of them is asked by `benchmarks/unknown`, and unknown
regions are compared with them (`arise_core.explore`).
"""

from __future__ import annotations

from functools import lru_cache

from arise_core.crystals.crystal import Crystal
from arise_core.crystals.naming import ClassInfo
from arise_core.crystals.standard import standard_form
from arise_core.errors import InputError
from arise_core.geometry.structure import Structure

#: Symbols, Wyckoff positions, number of the space group and of its origin choice, a, b, c, alpha, beta, gamma (Å,
#: degrees).
Row = tuple[list[str], list[tuple[float, ...]], int, int, list[float]]
CUBIC, HEXAGONAL = [90.0, 90.0, 90.0], [90.0, 90.0, 120.0]
FIRST: dict[str, Row] = {
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
    "D0_22, Al3Ti (on fcc)": (
        ["Ti", "Al", "Al"], [(0, 0, 0), (0, 0, 1 / 2), (0, 1 / 2, 1 / 4)], 139, 1, [3.84, 3.84, 8.58, *CUBIC],
    ),
    "D0_3, AlFe3 (on bcc)": (
        ["Al", "Fe", "Fe"], [(0, 0, 0), (1 / 2,) * 3, (1 / 4,) * 3], 225, 1, [5.79] * 3 + CUBIC,
    ),
    "B32, NaTl (on bcc)": (["Na", "Tl"], [(1 / 8,) * 3, (3 / 8,) * 3], 227, 2, [7.48] * 3 + CUBIC),
}  # fmt: skip
SECOND: dict[str, Row] = {
    # Stackings of close-packed layers, and of the double layers of zinc blende and wurtzite, that are no class.
    "4H, SiC": (
        ["Si", "Si", "C", "C"], [(0, 0, 0), (1 / 3, 2 / 3, 1 / 4), (0, 0, 3 / 16), (1 / 3, 2 / 3, 7 / 16)], 186, 1,
        [3.081, 3.081, 10.085, *HEXAGONAL],
    ),
    "6H, SiC": (
        ["Si"] * 3 + ["C"] * 3,
        [(0, 0, 0), (1 / 3, 2 / 3, 1 / 6), (1 / 3, 2 / 3, 5 / 6),
         (0, 0, 1 / 8), (1 / 3, 2 / 3, 7 / 24), (1 / 3, 2 / 3, 23 / 24)],
        186, 1, [3.081, 3.081, 15.12, *HEXAGONAL],
    ),
    "15R, SiC": (
        ["Si"] * 5 + ["C"] * 5, [(0, 0, (k + s) / 15) for s in (0, 3 / 4) for k in (0, 3, 7, 9, 11)], 160, 1,
        [3.081, 3.081, 37.8, *HEXAGONAL],
    ),
    "9R, ZnS": (
        ["Zn"] * 3 + ["S"] * 3, [(0, 0, (k + s) / 9) for s in (0, 3 / 4) for k in (0, 5, 7)], 160, 1,
        [3.82, 3.82, 28.1, *HEXAGONAL],
    ),
    "6H stacking of spheres": (
        ["Ce", "Ce"], [(0, 0, 1 / 4), (1 / 3, 2 / 3, 1 / 12)], 194, 1, [3.65, 3.65, 17.88, *HEXAGONAL],
    ),
    "15R stacking of spheres": (
        ["Ce"] * 3, [(0, 0, 0), (0, 0, 2 / 15), (0, 0, 2 / 5)], 166, 1, [3.65, 3.65, 44.7, *HEXAGONAL],
    ),
    # Superstructures of fcc, hcp and bcc, Heusler phases and ordered vacancies in B2.
    "L1_1, CuPt (on fcc)": (["Cu", "Pt"], [(0, 0, 0), (0, 0, 1 / 2)], 166, 1, [2.72, 2.72, 13.3, *HEXAGONAL]),
    "D0_23, Al3Zr (on fcc)": (
        ["Zr", "Al", "Al", "Al"], [(0, 0, 0.1188), (0, 1 / 2, 0), (0, 1 / 2, 1 / 4), (0, 0, 0.3753)], 139, 1,
        [4.014, 4.014, 17.32, *CUBIC],
    ),
    "D1_a, Ni4Mo (on fcc)": (
        ["Mo", "Ni"], [(0, 0, 0), (0.2, 0.4, 0)], 87, 1, [5.73, 5.73, 3.566, *CUBIC],
    ),
    "D0_24, Ni3Ti (on dhcp)": (
        ["Ti", "Ti", "Ni", "Ni"], [(0, 0, 0), (1 / 3, 2 / 3, 1 / 4), (1 / 2, 0, 0), (0.8333, 0.6667, 1 / 4)], 194, 1,
        [5.101, 5.101, 8.307, *HEXAGONAL],
    ),
    "D0_a, Cu3Ti (on hcp)": (
        ["Ti", "Cu", "Cu"], [(0, 0, 0.655), (0, 1 / 2, 0.345), (1 / 4, 0, 0.155)], 59, 1, [5.162, 4.347, 4.531, *CUBIC],
    ),
    "L2_1, Cu2MnAl (on bcc)": (
        ["Al", "Mn", "Cu"], [(0, 0, 0), (1 / 2,) * 3, (1 / 4,) * 3], 225, 1, [5.957] * 3 + CUBIC,
    ),
    "inverse Heusler, Hg2CuTi (on bcc)": (
        ["Hg", "Hg", "Cu", "Ti"], [(0, 0, 0), (1 / 4,) * 3, (1 / 2,) * 3, (3 / 4,) * 3], 216, 1, [6.15] * 3 + CUBIC,
    ),
    "D5_13, Ni2Al3 (on B2)": (
        ["Al", "Al", "Ni"], [(0, 0, 0), (1 / 3, 2 / 3, 0.648), (1 / 3, 2 / 3, 0.149)], 164, 1,
        [4.036, 4.036, 4.9, *HEXAGONAL],
    ),
    "chalcopyrite, CuFeS2 (on zinc blende)": (
        ["Cu", "Fe", "S"], [(0, 0, 0), (0, 0, 1 / 2), (0.2574, 1 / 4, 1 / 8)], 122, 1, [5.289, 5.289, 10.423, *CUBIC],
    ),
    # Martensites of B2 and bcc.
    "B19, AuCd": (
        ["Cd", "Au"], [(1 / 4, 0, 0.3125), (1 / 4, 1 / 2, 0.8125)], 51, 1, [4.765, 3.154, 4.864, *CUBIC],
    ),
    "B19', NiTi": (
        ["Ti", "Ni"], [(0.4176, 1 / 4, 0.2164), (0.0372, 1 / 4, 0.6752)], 11, 1, [2.898, 4.108, 4.646, 90, 97.78, 90],
    ),
    "trigonal omega, Ti": (
        ["Ti", "Ti"], [(0, 0, 0), (1 / 3, 2 / 3, 0.42)], 164, 1, [4.6, 4.6, 2.82, *HEXAGONAL],
    ),
    # Perovskites with vacancies, or inside out.
    "vacancy-ordered perovskite, K2PtCl6": (
        ["Pt", "K", "Cl"], [(0, 0, 0), (1 / 4,) * 3, (0.24, 0, 0)], 225, 1, [9.755] * 3 + CUBIC,
    ),
    "brownmillerite, Ca2Fe2O5": (
        ["Ca", "Fe", "Fe", "O", "O", "O"],
        [(0.4807, 0.108, 0.0233), (0, 0, 0), (0.9455, 1 / 4, 0.934), (0.263, 0.9841, 0.2385),
         (0.0234, 0.1405, 0.0736), (0.5978, 1 / 4, 0.874)],
        62, 1, [5.4253, 14.7687, 5.598, *CUBIC],
    ),
    "ReO3": (["Re", "O"], [(0, 0, 0), (1 / 2, 0, 0)], 221, 1, [3.751] * 3 + CUBIC),
    "antiperovskite, MgCNi3": (
        ["Mg", "C", "Ni"], [(0, 0, 0), (1 / 2,) * 3, (0, 1 / 2, 1 / 2)], 221, 1, [3.812] * 3 + CUBIC,
    ),
    # Rock salt with vacancies, NiAs with more atoms.
    "NbO": (["Nb", "O"], [(0, 1 / 2, 1 / 2), (1 / 2, 0, 0)], 221, 1, [4.21] * 3 + CUBIC),
    "B8_2, Ni2In": (
        ["Ni", "Ni", "In"], [(0, 0, 0), (1 / 3, 2 / 3, 3 / 4), (1 / 3, 2 / 3, 1 / 4)], 194, 1,
        [4.18, 4.18, 5.13, *HEXAGONAL],
    ),
    # Stacks of layers of which one alone is a class.
    "2H, MoS2 in bulk": (
        ["Mo", "S"], [(1 / 3, 2 / 3, 1 / 4), (1 / 3, 2 / 3, 0.621)], 194, 1, [3.161, 3.161, 12.295, *HEXAGONAL],
    ),
    "B10, PbO": (["O", "Pb"], [(0, 0, 0), (0, 1 / 2, 0.2385)], 129, 1, [3.975, 3.975, 5.023, *CUBIC]),
    # Intermetallic phases, oxides and salts.
    "Laves C36, MgNi2": (
        ["Mg", "Mg", "Ni", "Ni", "Ni"],
        [(0, 0, 0.094), (1 / 3, 2 / 3, 0.8442), (1 / 2, 0, 0), (0.1643, 0.3286, 1 / 4), (1 / 3, 2 / 3, 0.1251)],
        194, 1, [4.824, 4.824, 15.826, *HEXAGONAL],
    ),
    "delafossite, CuFeO2": (
        ["Cu", "Fe", "O"], [(0, 0, 0), (0, 0, 1 / 2), (0, 0, 0.1066)], 166, 1, [3.035, 3.035, 17.166, *HEXAGONAL],
    ),
    "ilmenite, FeTiO3": (
        ["Fe", "Ti", "O"], [(0, 0, 0.3553), (0, 0, 0.1464), (0.3174, 0.0233, 0.2451)], 148, 1,
        [5.088, 5.088, 14.085, *HEXAGONAL],
    ),
    "cotunnite, PbCl2": (
        ["Pb", "Cl", "Cl"], [(0.246, 1 / 4, 0.088), (0.86, 1 / 4, 0.07), (0.478, 1 / 4, 0.837)], 62, 1,
        [7.62, 4.534, 9.045, *CUBIC],
    ),
}  # fmt: skip
OTHERS = FIRST | SECOND


def other(name: str) -> Structure:
    """The conventional cell of a crystal of the table.

    Raises:
        ValueError: there is no such crystal.
    """
    from ase.spacegroup import crystal  # takes half a second

    if name not in OTHERS:
        raise InputError(f"`name` must be one of the {len(OTHERS)} other crystals, got {name!r}")
    symbols, basis, group, setting, cell = OTHERS[name]
    atoms = crystal(symbols, basis=basis, spacegroup=group, setting=setting, cellpar=cell)
    return Structure(atoms.positions, atoms.numbers, atoms.cell[:], atoms.pbc)


def find_others(query: str) -> list[str]:
    """Names of the crystals of the table in which a word stands, whatever its capitals."""
    return [name for name in OTHERS if query.strip().casefold() in name.casefold()]


@lru_cache(maxsize=1)
def other_crystals() -> tuple[Crystal, ...]:
    """All of them in their standard form, in the order of the table; they have no colour of their own."""
    return tuple(
        Crystal(
            info=ClassInfo(
                label=name,
                name=name,
                identifier="",
                colour=(0.5, 0.5, 0.5),
                space_group=OTHERS[name][2],
                material_type="bulk",
            ),
            unit=standard_form(other(name)),
        )
        for name in OTHERS
    )
