"""`python -m benchmarks.speed`: the short form as a user runs it, and the comparison of two checkouts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import arise_core as arise
from benchmarks.speed import breakdown, compare, compared, maps, passes, scaling
from benchmarks.speed.__main__ import main
from benchmarks.speed.case import Given
from benchmarks.speed.cases import CASES
from benchmarks.structures import fcc
from tests import ROOT

QUICK = Given(repeats=1, quick=True)


def run(*arguments: object) -> str:
    command = [sys.executable, "-m", "benchmarks.speed", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def check_document(folder: Path, names: list[str]) -> dict[str, dict[str, object]]:
    """Tables and JSON hold the same figures; the JSON."""
    found = json.loads((folder / "speed.json").read_text(encoding="utf-8"))
    assert list(found) == ["machine", *names]
    text = (folder / "speed.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## (.*)$", text, re.MULTILINE)) == set(names)
    for name in set(names) - {"scaling", "where the time goes"}:
        assert CASES[name].about in text
        if "skipped" in found[name]:  # quippy is not installed: the document says so
            assert name == "against quippy"
            assert str(found[name]["skipped"]) in text
            continue
        for figure, goal in CASES[name].goals.items():
            assert re.search(rf"\| {re.escape(figure)} +\| [^|]+ \| {goal}", text)
    return found


def test_some_cases_in_their_short_form(tmp_path):
    names = ["132,000 atoms", "import"]
    text = run("--quick", "--repeats", 1, "--out", tmp_path, "--only", *names)
    found = check_document(tmp_path, names)
    atoms = found["132,000 atoms"]
    assert atoms["threads"] == 2
    assert atoms["boxes"] > 200
    assert atoms["µs an atom"] == pytest.approx(1e6 * atoms["seconds"] / atoms["atoms"])
    assert 0.05 < atoms["peak GiB"] < 2
    assert f"atoms: {atoms['atoms']:,}" in text
    # A later run of one case keeps the others.
    main(["--quick", "--repeats", "1", "--out", str(tmp_path), "--only", "import"])
    assert check_document(tmp_path, names)["132,000 atoms"] == atoms


@pytest.mark.slow
def test_all_cases_in_their_short_form(tmp_path):
    run("--quick", "--repeats", 1, "--out", tmp_path)
    found = check_document(tmp_path, list(CASES))
    assert found["against dscribe"]["ratio at 1 Å"] > found["against dscribe"]["ratio at 3 Å"] > 1
    assert found["nanoparticle"]["share of these boxes called fcc"] > 0.9
    assert found["against OVITO"]["CNA over ARISE"] > 1
    with Image.open(tmp_path / "scaling.png") as picture:
        assert picture.size[0] > 1000


@pytest.mark.skipif(
    sys.version_info >= (3, 13), reason="the profiler of Python 3.13 sees no functions of numba"
)
def test_the_parts_of_a_map_add_up():
    found = breakdown.breakdown(QUICK)
    assert list(found) == ["3 Å", "2 Å"]
    for column in found.values():
        assert set(column) == {*breakdown.PARTS, "the rest", "whole"}
        assert all(seconds > 0 for seconds in column.values())
        assert sum(column.values()) == pytest.approx(2 * column["whole"])
        assert column["network"] > column["contraction and power spectrum"]


def test_a_part_that_is_elsewhere_now_is_noticed(monkeypatch, model):
    monkeypatch.setitem(breakdown.PARTS, "network", (("model/runner.py", "renamed"),))
    with pytest.raises(LookupError, match="renamed"):
        breakdown.profiled(fcc(5), model, 8.0)


def test_boxes_at_surfaces_are_recognised():
    found = maps.surfaces(QUICK)
    assert len(found) == 6
    assert min(share for name, share in found.items() if "exact" in name) > 0.9


@pytest.mark.slow
def test_balanced_passes_say_more_than_independent_ones(model):
    assert 1.0 < passes.masks_compared(model, 60) < 4.0  # 1.1; a few seeds scatter by as much


@pytest.mark.slow
def test_a_checkout_compared_with_itself(capsys):
    name = "hot fcc, descriptors at 1 Å"
    main(["--compare", str(ROOT), "--quick", "--repeats", "1", "--only", name])
    head, _, row = capsys.readouterr().out.splitlines()
    columns = [c.strip() for c in head.strip("|").split("|")]
    cells = dict(zip(columns, (c.strip() for c in row.strip("|").split("|")), strict=True))
    assert cells["case"] == name
    assert cells["largest difference"] == "0.0e+00"
    assert float(cells["memory ratio"]) == pytest.approx(1, abs=0.1)
    assert float(cells["new, MiB"]) > 50
    assert float(cells["seconds ratio"]) > 0


def test_another_core_than_the_wanted_one_is_noticed(tmp_path):
    (tmp_path / "arise_core").symlink_to(ROOT / "arise_core")
    with pytest.raises(RuntimeError, match="was found"):
        compare.run(tmp_path, "alloy, descriptors", True, tmp_path / "a.npz")


@pytest.mark.parametrize("name", compare.case_names())
def test_every_compared_case_computes_something(name, tmp_path):
    found = compared.measure(name, str(tmp_path / "a.npz"), True)
    assert found["seconds"] > 0
    assert Path(found["core"]) == Path(arise.__file__)
    assert compare.difference(tmp_path / "a.npz", tmp_path / "a.npz") == 0


def test_the_peak_of_memory_is_that_of_the_process_itself(tmp_path):
    """Not that of the one that started it, as `getrusage` has it."""
    large = np.ones(2**27)  # 1 GiB
    found = compare.run(ROOT, "alloy, descriptors", True, tmp_path / "a.npz")
    assert 50 < found["memory"] < 700 < large.nbytes / 2**20


def test_differences_show():
    a = pd.DataFrame([{"case": "x", "largest difference": 2e-7, "seconds ratio": 1.5}])
    cells = [cell.strip() for cell in compare.table(a).splitlines()[-1].strip("|").split("|")]
    assert cells == ["x", "2.0e-07", "1.500"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "nothing"], "no case 'nothing'; there are: against dscribe"),
        (["--repeats", "0"], "at least 1"),
        (["--compare", "/nowhere"], "no arise_core in /nowhere"),
    ],
)
def test_wrong_arguments(arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


def test_what_descriptors_and_maps_cannot_cost_less_than(model):
    limits = scaling.Limits(QUICK, model)
    structure = fcc(6)
    box = float(structure.cell[0, 0])
    distances = structure.positions[:, None] - structure.positions
    distances -= box * np.round(distances / box)
    near = np.linalg.norm(distances, axis=2) < limits.reach
    assert limits.pairs(structure, box) == (near.sum() - len(structure)) // 2
    descriptors, whole = limits.of(structure, 100, box)
    assert 0 < descriptors < whole == descriptors + 100 * limits.one_pass
