"""`python -m benchmarks.unknown` with some crystals."""

from __future__ import annotations

import re

import numpy as np
import pytest

import arise_core as arise
from arise_core.crystals.crystal import fingerprint, prototype_crystals
from arise_core.crystals.symmetry import space_group
from arise_core.geometry import builders
from arise_core.training.own_crystals import SAME_DISTANCE
from benchmarks.unknown.__main__ import main
from benchmarks.unknown.crystals import CRYSTALS, FAMILIES, FIRST, SECOND, family, unknown
from benchmarks.unknown.figures import honest


@pytest.mark.slow
def test_document(tmp_path, capsys):
    names = ["A15, Cr3Si", "pyrite, FeS2"]
    main(["--passes", "64", "--known", "8", "--out", str(tmp_path), "--only", *names])
    text = (tmp_path / "unknown.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    assert "the 8 pristine structures of the classes" in text
    for name in names:
        row = next(line for line in text.splitlines() if line.startswith(f"| {name}"))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        _, kind, similar, information, _, doubt, *_, boxes, right = cells
        assert (kind, right) == (family(name), "yes")
        assert 0 <= float(doubt) <= 1
        assert re.fullmatch(r"(.+ \([\d.]+\)(, )?)+", similar)
        assert float(information) > 0.1
        assert float(boxes) > 50
    assert re.search(r"unknown crystals \(2\) +\| +100 \| +100", text)
    assert re.search(r"of them the first 30 \(2\) +\| +100 \| +100", text)
    assert "and the others" not in text
    assert re.search(r"\| intermetallic phases +\| rejected +\| +1 \| +100 \| +100", text)


@pytest.mark.parametrize("name", CRYSTALS)
def test_crystals_have_the_space_group_that_they_are_built_from(name):
    assert space_group(unknown(name)) == CRYSTALS[name][2]


@pytest.mark.parametrize("name", CRYSTALS)
def test_atoms_of_crystals_are_bonds_apart(name):
    assert builders.nearest_neighbour_distance(unknown(name)) > 1.2


@pytest.fixture(scope="module")
def known():
    return np.array([c.fingerprint for c in prototype_crystals() if c.dimension == 3])


@pytest.mark.parametrize("name", CRYSTALS)
def test_crystals_are_none_of_the_classes(name, known):
    assert np.linalg.norm(known - fingerprint(unknown(name)), axis=1).min() > 5 * SAME_DISTANCE


def test_every_crystal_has_one_family_and_relatives_are_classes():
    named = [name for one in FAMILIES.values() for name in one.crystals]
    assert sorted(named) == sorted(CRYSTALS)
    assert (len(FIRST), len(SECOND)) == (30, 30)
    classes = {p.name for p in arise.prototypes()}
    assert {name for one in FAMILIES.values() for name in one.relatives} <= classes


def test_what_is_honest(model):
    """A relative needs doubt, another class is wrong with and without, a rejection is always right."""
    names = ["4H, SiC", "A15, Cr3Si", "antiperovskite, MgCNi3"]
    table = model.class_info
    index = [table.find(n) for n in ("zinc_blende", "fcc", "cubic_perovskite")]

    def said(score, information, deviation=0.0):
        p = np.zeros((3, len(table)), dtype=np.float32)
        p[range(3), index] = 1
        full = [np.full(3, float(v)) for v in (information, information, 0, score)]
        rest = (0.5, np.full(3, 10), np.zeros(3), np.full(3, deviation))
        return honest(names, arise.Prediction(table, p, *full, *rest)).tolist()

    assert said(0.9, 0.0) == [True, True, True]
    assert said(0.1, 0.0) == [False, False, True]
    assert said(0.1, 0.2) == [True, False, True]
    assert said(0.49, 0.0, deviation=0.1) == [True, False, True]
