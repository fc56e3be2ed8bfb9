"""Bad files, options and names: one line, an exit code, and nothing done."""

import pytest

from arise_core.model.model import Model
from tests.cli import COARSE

BAD = {
    "empty": "",
    "overlap": '2\nLattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3\nCu 0 0 0\nCu 0 0 0.01\n',
    "nan": "1\nProperties=species:S:1:pos:R:3\nCu nan 0 0\n",
    "flat": '1\nLattice="4 0 0 0 4 0 0 0 0" Properties=species:S:1:pos:R:3 pbc="T T T"\nCu 0 0 0\n',
    "text": "this is no structure\n",
}


@pytest.mark.parametrize("command", ["classify", "map", "similarity"])
@pytest.mark.parametrize("case", BAD)
def test_bad_files_end_in_one_line(arise, tmp_path, command, case):
    path = tmp_path / "bad.xyz"
    path.write_text(BAD[case])
    code, out, err = arise(command, path)
    assert code == 1
    assert out == ""
    assert err.startswith("arise: ")
    assert "bad.xyz" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["classify", "map", "screen", "similarity"])
def test_missing_files_and_models(arise, crystals, tmp_path, command):
    out_option = ["--out", tmp_path / "r.db"] if command == "screen" else []
    code, _, err = arise(command, tmp_path / "nowhere.xyz", *out_option)
    assert (code, "nowhere.xyz" in err) == (1, True)
    code, _, err = arise(command, crystals, "--model", "no-such", *out_option)
    assert (code, "The zoo has: " in err) == (1, True)
    (tmp_path / "model.pt").write_bytes(b"broken")
    code, _, err = arise(command, crystals, "--model", tmp_path / "model.pt", *out_option)
    assert (code, "not a model file" in err) == (1, True)
    assert not (tmp_path / "r.db").exists()


@pytest.mark.parametrize("command", ["map", "screen"])
@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--stride", "0"], 1, "`stride` must be a positive number"),
        (["--stride", "20"], 1, "`stride` must not exceed `box_size`"),
        (["--box-size", "-3"], 1, "`box_size` must be a positive number"),
        (["--box-size", "big"], 2, "must be a number of Å or 'auto'"),
        (["--passes", "0"], 1, "`passes` must be at least 1"),
        (["--unknown"], 2, "No such option"),
    ],
)
def test_bad_options(arise, crystals, tmp_path, command, options, code, message):
    out = ["--out", tmp_path / "r.db"] if command == "screen" else []
    found, _, err = arise(command, crystals, *out, *options)
    assert found == code
    assert message in " ".join(err.replace("│", " ").split())
    assert not (tmp_path / "r.db").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["classify", "a.xyz", "--json", "--csv"],
        ["classify", "a.xyz", "--out", "a.txt"],
        ["classify", "a.xyz", "--json", "--out", "a.csv"],
        ["classify", "a.xyz", "--top", "0"],
        ["classify"],
        ["map", "a.xyz", "--out", "a.txt"],
        ["similarity", "a.xyz", "--out", "a.png"],
        ["screen", "a.xyz"],
    ],
)
def test_wrong_usage_exits_with_2(arise, arguments):
    assert arise(*arguments)[0] == 2


# --- what the system refuses ---------------------------------------------------------------------------------------


def one_line(result: tuple[int, str, str]) -> str:
    """The one line that a refused command says."""
    code, out, err = result
    lines = [
        line for line in err.splitlines() if line and "%|" not in line.replace(" ", "")
    ]  # no progress bar
    assert (code, out, len(lines)) == (1, "", 1), err
    assert lines[0].startswith("arise: ")
    return lines[0]


@pytest.mark.parametrize("command", ["classify", "map", "screen", "similarity"])
def test_names_that_are_no_files(arise, crystals, tmp_path, command):
    out = ["--out", tmp_path / "r.db"] if command == "screen" else []
    long = "a" * 300
    assert "too long" in one_line(arise(command, long, *out))
    assert "too long" in one_line(arise(command, crystals, "--model", long, *out))
    assert "no model" in one_line(arise(command, crystals, "--model", tmp_path, *out))
    if command != "screen":
        assert str(tmp_path) in one_line(arise(command, tmp_path))


def test_similar_classes_are_named(arise):
    said = one_line(arise("similarity", "fcc", "diamont"))
    assert "'diamont' is neither a file nor a class" in said
    assert "Close: diamond" in said


def test_places_that_cannot_be_written_to(arise, crystals, large, tmp_path, monkeypatch):
    """Said before any work."""
    (tmp_path / "file").write_text("mine")
    below = tmp_path / "file"
    monkeypatch.setattr(Model, "predict_steps", None)
    for arguments in (
        ["classify", crystals, "--out", below / "a.json"],
        ["map", large, "--out", below / "a.nc"],
        ["map", large, "--atoms", below / "sub" / "a.xyz"],
        ["similarity", "fcc", "bcc", "--picture", below / "a.png"],
        ["screen", crystals, "--out", below / "a.db"],
        ["remove-class", "fcc", "--out", below / "out"],
        ["demo", "--out", below / "out"],
    ):
        said = one_line(arise(*arguments))
        assert any(why in said for why in ("is no folder", "Not a directory", "File exists"))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "message"), [("a.foo", "no format"), ("a", "no format"), ("a.cube", "a.cube' cannot be written")]
)
def test_formats_that_cannot_be_written(arise, large, tmp_path, name, message):
    assert message in one_line(arise("map", f"{large}@:", "--atoms", tmp_path / name, *COARSE))
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("command", ["train", "tune"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name = ", "recipe "),
        (b"\xff\xfe\x00", "utf-8"),
        (b'name = "x"\n[samples]\nkind = "paper"\n[fit]\nepochs = "many"\n', "fit.epochs"),
        (b'name = "x"\n[samples]\nkind = "none"\n', "samples.kind"),
    ],
)
def test_bad_recipes(arise, tmp_path, command, content, message):
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    assert message in one_line(arise(command, path, "--out", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["train", "tune"])
def test_recipes_that_are_no_files(arise, tmp_path, command):
    assert "does not exist" in one_line(arise(command, tmp_path / "none.toml", "--out", tmp_path / "out"))
    assert "does not exist" in one_line(arise(command, tmp_path, "--out", tmp_path / "out"))
