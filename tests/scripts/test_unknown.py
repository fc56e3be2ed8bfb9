"""`python -m benchmarks.unknown` with some crystals."""

from __future__ import annotations

import re

import pytest

from arise_core.crystals.symmetry import space_group
from benchmarks.unknown.__main__ import main
from benchmarks.unknown.crystals import CRYSTALS, unknown


def test_document(tmp_path, capsys):
    names = ["A15, Cr3Si", "pyrite, FeS2"]
    main(["--passes", "64", "--known", "8", "--out", str(tmp_path), "--only", *names])
    text = (tmp_path / "unknown.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    assert "the 8 pristine structures of the classes" in text
    for name in names:
        row = next(line for line in text.splitlines() if line.startswith(f"| {name}"))
        _, similar, information, *_, boxes = (cell.strip() for cell in row.strip("|").split("|"))
        assert re.fullmatch(r"(.+ \([\d.]+\)(, )?)+", similar)
        assert float(information) > 0.1
        assert float(boxes) > 50
    assert re.search(r"unknown crystals \(2\) +\| +100 \| +100", text)


@pytest.mark.parametrize("name", CRYSTALS)
def test_crystals_have_the_space_group_that_they_are_built_from(name):
    assert space_group(unknown(name)) == CRYSTALS[name][2]
