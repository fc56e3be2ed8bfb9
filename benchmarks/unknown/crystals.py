"""Families of the crystals that are none of the classes, and what answers are honest for them."""

from __future__ import annotations

from dataclasses import dataclass

from arise_core.crystals.others import FIRST, OTHERS, SECOND
from arise_core.crystals.others import other as unknown

CRYSTALS = OTHERS
__all__ = ["CRYSTALS", "FAMILIES", "FIRST", "SECOND", "Family", "family", "unknown"]


@dataclass(frozen=True)
class Family:
    """Crystals that ask the same of a model.

    A rejection is honest whatever they are. So is the name of a class that they are made of, if the answer shows
    doubt: the crystal is related to the class, and is not it.

    Args:
        crystals: names.
        relatives: names of the classes that they may be called; none: they are to be rejected.
        same: they differ from the relatives by elements only, so the name is right without doubt.
    """

    crystals: tuple[str, ...]
    relatives: tuple[str, ...] = ()
    same: bool = False

    @property
    def honest(self) -> str:
        """What of answers is honest, in words."""
        if not self.relatives:
            return "rejected"
        return f"{', '.join(self.relatives)}{'' if self.same else ' with doubt'}; or rejected"


PEROVSKITES = (
    "polar perovskite (PbTiO3)", "cubic perovskite (E2_1)", "tetragonal perovskite (I4mcm)",
    "orthorhombic perovskite (GdFeO3)",
)  # fmt: skip
FAMILIES = {
    "intermetallic phases": Family((
        "tungsten carbide, WC", "cementite, Fe3C", "A15, Cr3Si", "beta manganese, Mn", "alpha manganese, Mn",
        "Laves C15, MgCu2", "Laves C14, MgZn2", "Laves C36, MgNi2", "sigma, CrFe", "CaCu5", "C16, Al2Cu", "MoSi2",
        "AlB2", "CaB6", "ThCr2Si2",
    )),
    "oxides and salts": Family((
        "fluorite, CaF2", "rutile, TiO2", "corundum, Al2O3", "alpha quartz, SiO2", "pyrite, FeS2", "anatase, TiO2",
        "spinel, MgAl2O4", "calcite, CaCO3", "cuprite, Cu2O", "delafossite, CuFeO2", "ilmenite, FeTiO3",
        "cotunnite, PbCl2",
    )),
    "polytypes": Family(("4H, SiC", "6H, SiC", "15R, SiC", "9R, ZnS"), ("zinc blende", "wurtzite")),
    "stackings of spheres": Family(
        ("6H stacking of spheres", "15R stacking of spheres"), ("fcc", "hcp", "dhcp", "alpha-Sm")
    ),
    "on fcc, hcp and dhcp": Family(
        (
            "D0_22, Al3Ti (on fcc)", "D0_23, Al3Zr (on fcc)", "L1_1, CuPt (on fcc)", "D1_a, Ni4Mo (on fcc)",
            "D0_19, Ni3Sn", "D0_24, Ni3Ti (on dhcp)", "D0_a, Cu3Ti (on hcp)",
        ),
        ("fcc", "hcp", "dhcp", "L1_2", "L1_0"),
    ),
    "on bcc and B2": Family(
        (
            "D0_3, AlFe3 (on bcc)", "B32, NaTl (on bcc)", "L2_1, Cu2MnAl (on bcc)",
            "inverse Heusler, Hg2CuTi (on bcc)", "D5_13, Ni2Al3 (on B2)",
        ),
        ("bcc", "CsCl (B2)"),
    ),
    "on zinc blende": Family(
        ("half-Heusler, MgAgAs", "chalcopyrite, CuFeS2 (on zinc blende)"),
        ("zinc blende", "Cu2CdSnS4 (stannite)", "Cu2ZnSnS4 (kesterite)"),
    ),
    "martensites and omega": Family(
        ("omega titanium, Ti", "trigonal omega, Ti", "B19, AuCd", "B19', NiTi"), ("bcc", "hcp", "CsCl (B2)")
    ),
    "perovskites with vacancies": Family(
        ("vacancy-ordered perovskite, K2PtCl6", "brownmillerite, Ca2Fe2O5", "ReO3"), PEROVSKITES
    ),
    "antiperovskites": Family(("antiperovskite, MgCNi3",), PEROVSKITES, same=True),
    "rock salt and NiAs, emptied or filled": Family(
        ("NbO", "B8_2, Ni2In", "bismuth telluride, Bi2Te3"), ("rock salt", "NiAs")
    ),
    "stacks of layers": Family(("2H, MoS2 in bulk", "B10, PbO"), ("MoS2 monolayer", "FeSe monolayer")),
}  # fmt: skip


def family(crystal: str) -> str:
    """Name of the family that a crystal of the table belongs to."""
    return next(name for name, one in FAMILIES.items() if crystal in one.crystals)
