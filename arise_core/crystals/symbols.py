"""What people call the 108 prototypes beside the names of the table: Strukturbericht symbols and common names.

Both are typed by hand, by label. Pearson symbols are not: they follow from the geometry (`search.py`).
"""

from __future__ import annotations

#: Strukturbericht symbols, by label of the class; Mehl et al., Computational Materials Science 136, S1 (2017), Hicks
#: et al., ibid. 161, S1 (2019) and 199, 110450 (2021). What is not here has none. The cubic perovskite of the table is
#: a distorted one: its symbol is that of the ideal structure, which the class is taken for.
STRUKTURBERICHT: dict[str, str] = {
    "bcc_W_A_cI2_229_a": "A2",
    "diam_C_A_cF8_227_a": "A4",
    "fcc_Cu_A_cF4_225_a": "A1",
    "sc_alphaPo_A_cP1_221_a": "A_h",
    "hcp_Mg_A_hP2_194_c": "A3",
    "dhcp_alphaLa_A_hP4_194_ac": "A3'",
    "HexGraph_C_A_hP4_194_bc": "A9",
    "shex_Sn_A_hP1_191_a": "A_f",
    "rhombAlphaAs_As_A_hR2_166_c": "A7",
    "rhombAlphaHg_Hg_A_hR1_166_a": "A10",
    "rhombAlphaSm_Sm_A_hR3_166_ac": "C19",
    "rhombBetaPo_Po_A_hR1_166_a": "A_i",
    "trihex_gammaSe_A_hP3_152_a": "A8",
    "bctAlphaPa_Pa_A_tI2_139_a": "A_a",
    "bctBetaSn_Sn_A_tI4_141_a": "A5",
    "bctIn_In_A_tI2_139_a": "A6",
    "stetBetaNp_Np_A_tP4_129_ac": "A_d",
    "basecorthAlphaGa_Ga_A_oC8_64_f": "A11",
    "basecorthBlackP_P_A_oC8_64_f": "A17",
    "basecorthMolIod_I_A_oC8_64_f": "A14",
    "basecorthAlphaU_U_A_oC4_63_c": "A20",
    "RockSalt_NaCl": "B1",
    "CsCl": "B2",
    "L12_Cu3Au": "L1_2",
    "Zincblende_ZnS": "B3",
    "FeSi": "B20",
    "NiAs": "B8_1",
    "Wurtzite_ZnS": "B4",
    "L10_CuAu": "L1_0",
    "CrB": "B33",
    "MnP": "B31",
    "FeB": "B27",
    "3_halides_cubic": "E2_1",
    "Cu2CdSnS4": "H2_6",
}

#: Common names, by label of the class; no name stands for two of them. They are understood wherever a class is asked
#: for. Results, files and models have the names of the table.
COMMON_NAMES: dict[str, tuple[str, ...]] = {
    "bcc_W_A_cI2_229_a": ("body-centred cubic", "body-centered cubic"),
    "diam_C_A_cF8_227_a": ("diamond cubic", "cubic diamond"),
    "fcc_Cu_A_cF4_225_a": ("face-centred cubic", "face-centered cubic", "cubic close-packed", "ccp"),
    "sc_alphaPo_A_cP1_221_a": ("simple cubic", "primitive cubic"),
    "hcp_Mg_A_hP2_194_c": ("hexagonal close-packed",),
    "dhcp_alphaLa_A_hP4_194_ac": ("double hexagonal close-packed",),
    "HexDiam_C_A_hP4_194_f": ("lonsdaleite",),
    "HexGraph_C_A_hP4_194_bc": ("graphite", "graphite (ABAB)"),
    "rhombGraph_C_A_hR2_166_c": ("graphite (ABCABC)",),
    "rhombAlphaAs_As_A_hR2_166_c": ("grey arsenic", "gray arsenic"),
    "trihex_gammaSe_A_hP3_152_a": ("trigonal selenium", "grey selenium", "gray selenium"),
    "bctBetaSn_Sn_A_tI4_141_a": ("white tin",),
    "bctIn_In_A_tI2_139_a": ("indium",),
    "RockSalt_NaCl": ("halite", "rocksalt", "sodium chloride"),
    "CsCl": ("caesium chloride", "cesium chloride"),
    "Zincblende_ZnS": ("sphalerite", "zincblende"),
    "NiAs": ("nickeline",),
    "3_cubic": ("tetragonal perovskite (PbTiO3 type)", "PbTiO3 type"),
    "3_halides_cubic": ("cubic perovskite (SrTiO3 type)", "SrTiO3 type"),
    "3_halides_tetragonal": ("tetragonal perovskite (SrTiO3 below 105 K)",),
    "3_halides_orthorhombic": ("orthorhombic perovskite (CaTiO3 type)", "GdFeO3 type", "CaTiO3 type"),
    "24_RP": ("K2NiF4 type",),
    "327_RP": ("Sr3Ti2O7 type",),
    "Cu2CdSnS4": ("stannite",),
    "Cu2ZnSnS4": ("kesterite",),
    "BN": ("hexagonal boron nitride layer",),
    "CH": ("graphane",),
}


def other_words(label: str) -> tuple[str, ...]:
    """Strukturbericht symbol and common names of a class of the table; empty for other classes."""
    symbol = STRUKTURBERICHT.get(label)
    return (*((symbol,) if symbol else ()), *COMMON_NAMES.get(label, ()))
