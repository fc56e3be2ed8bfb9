"""Tables as Markdown and CSV: cells as they are given."""

import csv

from arise_core.runtime.tables import markdown, write_csv


def test_markdown_shows_cells_as_they_are():
    lines = markdown(["what", "%"], [["**1**", "99.290"], ["0.0100", 100], ["no", None]], numbers=[1])
    assert [len(line) for line in lines] == [len(lines[0])] * 5
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in lines] == [
        ["what", "%"], [":-------", "-------:"], ["**1**", "99.290"], ["0.0100", "100"], ["no", ""],
    ]  # fmt: skip
    assert markdown(["a", "b"], [])[0] == "| a   | b   |"


def test_csv_keeps_numbers_and_gaps(tmp_path):
    write_csv(tmp_path / "sub" / "t.csv", ["n", "x", "text"], [[1, 0.1 + 0.2, 'é, "x"'], [None, 1e-05, ""]])
    text = (tmp_path / "sub" / "t.csv").read_text(encoding="utf-8")
    assert text == 'n,x,text\n1,0.30000000000000004,"é, ""x"""\n,1e-05,\n'
    assert list(csv.reader(text.splitlines()))[1] == ["1", "0.30000000000000004", 'é, "x"']
