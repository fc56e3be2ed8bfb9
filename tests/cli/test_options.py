"""Options that follow from the settings: a new setting is a new option."""

from dataclasses import dataclass
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from arise_cli import recognition
from arise_cli.main import app
from arise_cli.options import takes
from arise_core.settings import (
    MAP_TOLERANCE,
    MapSettings,
    RecognitionSettings,
    SamplingSettings,
    option,
    options_of,
)
from ase_arise.screening import run as screening


@dataclass(frozen=True, kw_only=True)
class Newer(MapSettings):
    """With settings of every kind that an option can have."""

    tilt: float = option(0.5, label="Tilt (°)", low=0.0, text="of the boxes; new")
    turns: int = option(3, label="Turns", low=1, text="how often")
    shape: str = option("cube", label="Shape", choices=("cube", "ball"), text="cube: as ever; ball: round")
    reach: float | None = option(None, label="Reach (Å)", low=0.0, none=0.0, text="0: as far as can be")
    depth: float | str = option(2.0, label="Depth", low=0.0, words=("all", "half"), text="how deep")


def call(*arguments: str, **defaults: Any) -> tuple[int, str, dict[str, Any]]:
    """Exit code, output, and what a command with the options of `Newer` got."""
    got: dict[str, Any] = {}
    guest = typer.Typer()

    @guest.command()
    @takes(Newer, SamplingSettings, **defaults)
    def command(name: str, loud: bool = False, **settings: Any) -> None:
        """Do it."""
        got.update(settings, name=name, loud=loud)

    result = CliRunner().invoke(guest, arguments, env={"COLUMNS": "200"})
    return result.exit_code, result.output, got


def test_a_new_setting_is_an_option():
    code, out, _ = call("--help")
    assert code == 0
    assert "Do it." in out
    for name, (_, known) in options_of(Newer).items():
        assert f"--{name.replace('_', '-')}" in out
        assert known.text.split()[-1] in out
    code, _, got = call("a", "--tilt", "0.25", "--turns", "4", "--shape", "ball", "--loud")
    assert code == 0
    assert (got["tilt"], got["turns"], got["shape"], got["loud"], got["name"]) == (0.25, 4, "ball", True, "a")


def test_defaults_are_those_of_the_settings_or_of_the_command():
    got = call("a")[2]
    assert Newer(**{k: got[k] for k in options_of(Newer)}) == Newer()
    assert got["tolerance"] is None
    assert call("a", tolerance=0.25)[2]["tolerance"] == 0.25


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["--box-size", "auto"], "box_size", "auto"),
        (["--box-size", "12.5"], "box_size", 12.5),
        (["--depth", "half"], "depth", "half"),
        (["--tolerance", "0"], "tolerance", None),
        (["--tolerance", "0.1"], "tolerance", 0.1),
        (["--tolerance", "auto"], "tolerance", "auto"),
        (["--reach", "0"], "reach", None),
        (["--reach", "7"], "reach", 7.0),
        (["--seed", "3"], "seed", 3),
    ],
)
def test_values_are_as_the_settings_take_them(arguments, name, value):
    assert call("a", *arguments)[2][name] == value


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--box-size", "big"], "must be a number of Å or 'auto', got 'big'"),
        (["--depth", "deep"], "must be a number or 'all' or 'half', got 'deep'"),
        (["--stride", "far"], "Invalid value"),
        (["--turns", "1.5"], "Invalid value"),
    ],
)
def test_what_is_no_number_is_wrong_usage(arguments, message):
    code, out, got = call("a", *arguments)
    assert code == 2
    assert arguments[0] in out
    assert message in " ".join(out.replace("│", " ").split())
    assert got == {}


def test_a_command_may_take_a_few():
    guest = typer.Typer()
    guest.command()(takes(MapSettings, SamplingSettings, only=("seed", "min_atoms"))(lambda **settings: None))
    out = CliRunner().invoke(guest, ["--help"]).output
    assert "--seed" in out
    assert "--min-atoms" in out
    assert "--stride" not in out
    assert "--passes" not in out


@pytest.mark.parametrize("command", ["map", "screen"])
def test_maps_take_all_settings(command):
    out = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
    for name in (*options_of(MapSettings), *options_of(SamplingSettings)):
        assert f"--{name.replace('_', '-')} " in out


def test_settings_reach_the_maps(tmp_path, monkeypatch):
    given = ["--box-size", "11", "--stride", "2.5", "--padding", "none", "--edges", "box", "--min-atoms", "7",
             "--min-atoms-per-species", "2", "--memory-limit", "1", "--passes", "9", "--tolerance", "0",
             "--seed", "5", "--between", "sure", "--resolution", "sharp", "--thin", "1.5"]  # fmt: skip
    wanted = {"box_size": 11.0, "stride": 2.5, "padding": "none", "edges": "box", "min_atoms": 7,
              "min_atoms_per_species": 2, "memory_limit": 1.0, "passes": 9, "tolerance": None, "seed": 5,
              "between": "sure", "resolution": "sharp", "thin": 1.5}  # fmt: skip
    assert set(wanted) == {*options_of(MapSettings), *options_of(SamplingSettings)}
    seen = []

    def keep(*arguments: Any, **options: Any) -> Any:
        seen.append(options)
        return screening.Counts(0, 0, 0)

    monkeypatch.setattr(screening, "screen", keep)
    assert CliRunner().invoke(app, ["screen", "a", "--out", "b.db", *given]).exit_code == 0
    assert {k: seen[0][k] for k in wanted} == wanted

    def settings_of(options: Any) -> RecognitionSettings:
        seen.append(options)
        raise typer.Exit(0)

    monkeypatch.setattr(recognition.RecognitionSettings, "of", settings_of)
    assert CliRunner().invoke(app, ["map", "a.xyz", *given]).exit_code == 0
    assert seen[1] == {"mode": "local", **wanted}
    assert CliRunner().invoke(app, ["map", "a.xyz"]).exit_code == 0
    assert seen[2]["tolerance"] == MAP_TOLERANCE
