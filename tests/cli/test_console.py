"""Tables, CSV, JSON and the progress bar."""

import csv
import io

import numpy as np
import pytest

from arise_cli import console
from arise_cli.console import SPARE, Output, _table, bar, matrix_csv, matrix_table, print_table, write_file
from arise_core.errors import ExistingFileError, FileError
from arise_core.progress import Step

NAN = float("nan")


def record(name: str, top: int, **more) -> dict:
    best = [{"label": f"s{k}", "class": f"c{k}", "probability": 0.5 / (k + 1)} for k in range(top)]
    return {"file": name, "formula": "Cu4", "n_atoms": 4, "label": "s0" if top else "none",
            "confidence": 0.5 if top else NAN,
            "mutual_information": 0.1 if top else NAN, "rejection_uncertainty": 0.75 if top else NAN,
            "rejected": False, "top": best, **more}  # fmt: skip


def test_csv_has_a_column_for_each_rank_and_keeps_numbers(capsys):
    Output("csv", None).write([record("a, b.xyz", 2, confidence=0.1 + 0.2), record("few.xyz", 0)])
    text = capsys.readouterr().out
    assert text == (
        "file,formula,n_atoms,label,confidence,mutual_information,rejection_uncertainty,rejected,"
        "class_1,probability_1,class_2,probability_2\n"
        '"a, b.xyz",Cu4,4,s0,0.30000000000000004,0.1,0.75,False,c0,0.5,c1,0.25\n'
        "few.xyz,Cu4,4,none,nan,nan,nan,False,,,,\n"
    )


def test_the_table_has_the_doubt_of_the_rejection(capsys):
    Output("table", None).write([record("a.xyz", 1), record("few.xyz", 0)])
    head, one, few = (line for line in capsys.readouterr().out.splitlines() if "│" in line or "┃" in line)
    place = [cell.strip() for cell in head.split("┃")].index("Rejection doubt (bit)")
    assert [line.split("│")[place].strip() for line in (one, few)] == ["0.750", "–"]


def test_csv_of_maps_has_the_shares(capsys):
    Output("csv", None).write([record("a.xyz", 1, fractions={"fcc": 0.75, "rejected": 0.25})])
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["fractions"] == "fcc 75.0%, rejected 25.0%"


@pytest.mark.parametrize("name", ["a[bold]b.xyz", "a[/red].xyz", ":smile:.xyz", "back\\[x].xyz", "[link=x]y"])
def test_names_of_files_are_no_markup(capsys, name):
    Output("table", None).write([record(name, 1)])
    assert name in capsys.readouterr().out
    print_table(matrix_table([name], np.eye(1)))
    assert name in capsys.readouterr().out


@pytest.mark.parametrize(("width", "there"), [(250, 8), (80, 5), (50, 4)])
def test_narrow_tables_have_fewer_columns_and_whole_words(capsys, width, there):
    table = _table([record("somewhere/far/away/from/here.xyz", 1)])
    print_table(table, width, SPARE)
    out = capsys.readouterr().out
    assert len(table.columns) == there
    assert max(map(len, out.splitlines())) <= width
    assert "…" not in out
    for word in ("Structure", "Label", "Confidence"):
        assert word in out


def test_matrices(capsys):
    matrix = np.array([[1.0, NAN], [0.25, 1 / 3]])
    assert matrix_csv(["a,b", "a,b"], matrix) == ',"a,b","a,b"\n"a,b",1.000000,nan\n"a,b",0.250000,0.333333\n'
    print_table(matrix_table(["a", "b"], matrix))
    out = capsys.readouterr().out
    assert "0.333" in out
    assert "–" in out


def test_the_bar_shows_share_and_message(capsys):
    with bar("work") as progress:
        for share in (0.25, 0.5, 0.4, 1.0):  # a step back is not shown
            progress(Step(share, f"at {share}"))
    err = capsys.readouterr().err
    assert err.rstrip().splitlines()[-1].startswith("work: 100%")
    assert "at 1.0" in err


def test_files_that_exist_are_kept(tmp_path):
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(ExistingFileError, match=r"a.csv' exists; nothing was changed. Use `--overwrite`"):
        Output.checked(False, True, tmp_path / "a.csv", False)
    assert Output.checked(False, False, tmp_path / "a.csv", True).form == "csv"


def test_what_the_system_refuses_is_our_error(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileError, match="cannot be made: File exists"):
        write_file(tmp_path / "file" / "a.csv", lambda path: path.write_text("x"))
    with pytest.raises(FileError, match="too long"):
        console.check_places([tmp_path / ("a" * 300)], False)
    assert capsys.readouterr().err == ""
