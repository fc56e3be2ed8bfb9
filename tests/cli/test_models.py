"""`arise prototypes` and `arise models`."""

import json

from arise_core import load_model


def test_prototypes_are_listed_and_found(arise):
    code, out, _ = arise("prototypes")
    assert code == 0
    rows = [line.split("│") for line in out.splitlines() if line.startswith("│")]
    assert [row[2].strip() for row in rows] == list(
        load_model("arise-108").class_info.short
    )  # as results have it
    code, out, _ = arise("prototypes", "ALPHA-sm")
    assert code == 0
    assert sum(line.startswith("│") for line in out.splitlines()) == 1
    code, out, err = arise("prototypes", "no such class")
    assert (code, out, err) == (1, "", "arise: no class is found by 'no such class'\n")
    _, _, err = arise("prototypes", "laves")
    assert "no class is found by 'laves'; none of the classes, but known to `arise_core.name_crystal`" in err
    assert "Laves C15, MgCu2; Laves C14, MgZn2; Laves C36, MgNi2" in err
    assert arise("prototypes", "hallite")[2].startswith(
        "arise: no class is found by 'hallite'; closest: halite"
    )
    code, out, err = arise("prototypes", "CaF2")
    assert (code, "MoS2" in out, "no class is named after CaF2" in err) == (0, True, True)


def test_prototypes_have_symbols_and_are_found_by_them(arise):
    for search in ("B1", "halite", "NaCl", "rock_salt"):
        out = arise("prototypes", search)[1]
        assert next(line for line in out.splitlines() if line.startswith("│")).split("│")[6:9] == [
            " B1              ", " cF8     ", " 225         ",
        ], search  # fmt: skip
    found = json.loads(arise("prototypes", "225", "--json")[1])
    assert [(p["short"], p["strukturbericht"], p["pearson"]) for p in found] == [
        ("fcc", "A1", "cF4"), ("rock_salt", "B1", "cF8"),
    ]  # fmt: skip


def test_cells_are_drawn(arise, tmp_path):
    code, _, err = arise("prototypes", "perovskite", "--plot", tmp_path / "cells.png")
    assert (code, err) == (0, f"wrote {tmp_path / 'cells.png'}\n")
    assert (tmp_path / "cells.png").read_bytes().startswith(b"\x89PNG")
    assert arise("prototypes", "fcc", "--plot", tmp_path / "cells.png")[0] == 1  # it is there
    assert arise("prototypes", "fcc", "--plot", tmp_path / "cells.txt")[0] == 2
    code, _, err = arise("prototypes", "--plot", tmp_path / "all.png")
    assert (code, "ask for fewer" in err) == (1, True)
    assert not (tmp_path / "all.png").exists()


def test_models_are_listed(arise):
    code, out, _ = arise("models")
    assert code == 0
    for name in ("arise-108", "arise-108-paper", "arise-108-ideal"):
        assert name in out
    assert "from 0." in out
    assert "never" in out
