"""What `--json` prints is what `arise schema` says: no field more, none less."""

from __future__ import annotations

import json
from typing import Any

import ase.io
import jsonschema
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from skimage import io
from typer.main import get_command

from arise_cli.console import SCHEMA_VERSION
from arise_cli.main import app
from arise_cli.schemas import known_commands, schema_of
from arise_core.errors import InputError
from tests.images.made import PIXEL, image_of
from tests.recognition.test_calibrating import disordered

COARSE = ("--box-size", "8", "--stride", "8", "--passes", "8", "--tolerance", "0")


def closed(schema: Any) -> Any:
    """The schema without leave for fields that it does not name."""
    if isinstance(schema, list):
        return [closed(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    made = {k: closed(v) for k, v in schema.items()}
    return {**made, "additionalProperties": False} if "properties" in made and "type" in made else made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("schemas")
    large = bulk("Cu", cubic=True) * (3, 3, 3)
    large.rattle(0.05, seed=1)
    ase.io.write(path / "large.xyz", [large, large])
    ase.io.write(path / "few.xyz", Atoms("Cu2", [[0, 0, 0], [2.5, 0, 0]]))
    io.imsave(path / "BN.tif", image_of("BN").astype(np.float32), check_contrast=False)
    melts = [disordered(k) for k in range(5)]
    ase.io.write(path / "melt.xyz", [Atoms(s.numbers, s.positions, cell=s.cell, pbc=True) for s in melts])
    return path


def commands(folder, tmp_path) -> dict[str, list[object]]:
    large = folder / "large.xyz"
    store = tmp_path / "run.zarr"
    return {
        "classify": [large, folder / "few.xyz", "--top", 2, "--passes", 8],
        "map": [large, *COARSE],
        "explore": [large, *COARSE, "--stride", 3, "--min-cluster-size", 8, "--no-embed"],
        "trajectory": [large, "--out", store, "--workers", 1, "--mode", "whole", "--passes", 8],
        "merge": [tmp_path / "1.zarr", tmp_path / "2.zarr", "--out", tmp_path / "all.zarr"],
        "prototypes": [],
        "calibrate": [
            folder / "melt.xyz", "--label", "none", "--rate", 0.5, "--confidence", 0.9, "--mode", "whole",
            "--passes", 8, "--out", tmp_path / "c.json",
        ],
        "info": [],
        "image": [folder / "BN.tif", "--pixel", PIXEL, "--passes", 8, "--stride", 8],
    }  # fmt: skip


def with_json() -> list[str]:
    """Commands that have the option, as the command line itself knows them."""
    found = get_command(app).commands.items()  # type: ignore[attr-defined]
    return [name for name, command in found if any("--json" in p.opts for p in command.params)]


def test_there_is_a_schema_for_each_command_that_has_json():
    assert sorted(with_json()) == sorted(known_commands())


@pytest.mark.filterwarnings("ignore:structure 2 has 2 atoms:UserWarning")
@pytest.mark.parametrize("command", with_json())
def test_what_is_printed_is_what_the_schema_says(command, arise, folder, tmp_path):
    if command == "merge":
        for k in (1, 2):
            arise("trajectory", folder / "large.xyz", "--out", tmp_path / f"{k}.zarr", "--shard", f"{k}/2", "--workers",
                  1, "--mode", "whole", "--passes", 8)  # fmt: skip
    code, out, err = arise(command, *commands(folder, tmp_path)[command], "--json")
    assert code == 0, err
    found = json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    schema = schema_of(command)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(found, closed(schema), jsonschema.Draft202012Validator)
    records = found if isinstance(found, list) else [found]
    assert records
    assert {r["version"] for r in records} == {SCHEMA_VERSION}


def test_the_schema_refuses_what_is_not_there(arise, folder):
    (record,) = json.loads(arise("classify", f"{folder / 'large.xyz'}@0", "--passes", 8, "--json")[1])
    schema = schema_of("classify")
    for wrong in (
        {k: v for k, v in record.items() if k != "label"}, {**record, "confidence": "high"}, {**record, "version": 0},
        {**record, "top": [{"label": "fcc"}]}, {**record, "mode": "auto"},
    ):  # fmt: skip
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate([wrong], schema)
    jsonschema.validate([{**record, "field to come": 1}], schema)


def test_schemas_are_shown(arise):
    code, out, _ = arise("schema", "map")
    assert (code, json.loads(out)) == (0, schema_of("map"))
    code, _, err = arise("schema", "models")
    assert (code, "`command` must be one of classify, map" in err) == (1, True)
    with pytest.raises(InputError, match="got 'nonsense'"):
        schema_of("nonsense")
