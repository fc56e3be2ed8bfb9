"""`python -m benchmarks.windows`: pieces are what they are said to be, and the page has every figure."""

import numpy as np
import pandas as pd

import arise_core as arise
from benchmarks.structures import fcc
from benchmarks.windows import shapes
from benchmarks.windows.__main__ import page
from benchmarks.windows.pieces import KINDS, asked, volume_of


def test_pieces_of_all_kinds_hold_as_many_atoms(model):
    crystal = fcc(5)
    assert abs(volume_of(crystal, 4) * 125 - np.prod(np.diag(crystal.cell))) < 1e-6
    centers = np.random.default_rng(0).uniform(0, 18, (12, 3))
    right = model.class_info.find("fcc")
    for kind in KINDS:
        said = asked(model, crystal, centers, 64, kind, right)
        assert abs(said.n_atoms.mean() - 64) < 8, kind
        assert said.right.mean() > 0.8, kind
        assert (said.crystal >= said.right).all()


def test_cases_are_what_they_are_called():
    for case in (shapes.tubes(True), shapes.twinned_wire(), shapes.sheet()):
        assert len(case.labels) == len(case.border) == len(case.structure)
        assert case.border.min() < 2.1
        material = arise.box_grid(case.structure, arise.MapSettings()).material
        material.check_overlaps()
        assert 2.0 < material.spacing < 3.0
    twins = shapes.twinned_wire()
    straight = np.diag(twins.structure.cell)[2]
    assert np.ptp(np.hypot(*(twins.structure.positions - 30)[:, :2].T)) < 11
    assert straight / 4 - 3 < twins.border.max() < straight / 4 + 3


def test_the_page_names_all(model):
    phases = pd.DataFrame([
        {"material": "Cu", "phase": p, "atoms": 32, "kind": k, "pieces": 3, "share": 50.0, "more than spheres": 1.0,
         "its error": 2.0, "doubt": 0.1, "scatter of atoms": 1.0}
        for p in ("crystal", "melt") for k in KINDS
    ])  # fmt: skip
    fronts = pd.DataFrame([
        {"material": "Cu", "atoms": 32, "kind": k, "pieces": 3, "outwards": 0.5, "width": 4.0, "wrong": 9.0,
         "doubt": 0.2}
        for k in KINDS
    ])  # fmt: skip
    cut = pd.DataFrame([
        {"structure": "wire", "pieces are": "boxes", "pieces": 9, "named": 100.0, "right": 90.0, "right inside": 99.0,
         "doubt inside": 0.01, "doubt at the border": 0.3, "seconds": 2.0}
    ])  # fmt: skip
    text = page(model, phases, fronts, cut)
    for word in (*KINDS, "outwards", "wire", "50.0 (+1.0 ± 2.0)"):
        assert word in text
