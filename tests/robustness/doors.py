"""One structure through every door: what it is, as a whole, and what each door says was assumed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import ase.io
from ase import Atoms
from ovito.data import DataCollection
from ovito.io import import_file
from typer.testing import CliRunner

from arise_cli.main import app
from ase_arise import annotate
from ovito_arise import AriseModifier
from tests.ovito.helpers import pipeline_of

PASSES = 16


@dataclass(frozen=True)
class Said:
    """What a door says."""

    label: str  # label of the most probable class
    rejected: bool
    notes: str


def through_ase(atoms: Atoms, **options: Any) -> Said:
    """`annotate` as a whole."""
    done = annotate(atoms, copy=True, mode="whole", passes=PASSES, **options)
    info = done.info
    return Said(info["arise_class"], bool(info["arise_rejected"]), info.get("arise_notes", ""))


def through_command_line(path: Any, *words: str) -> Said:
    """`arise classify`."""
    done = CliRunner().invoke(app, ["classify", str(path), "--json", "--passes", str(PASSES), *words])
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)
    return Said(found["class"], found["rejected"], done.stderr)


def through_ovito(data: DataCollection | str, model: Any, **parameters: Any) -> Said:
    """The modifier with `whole_structure`."""
    if not isinstance(data, DataCollection):
        data = import_file(str(data)).compute()
    modifier = AriseModifier(
        whole_structure=True, passes=PASSES, automatic_box=True, tolerance=0.0, **parameters
    )
    out = pipeline_of(data, modifier).compute()
    name = out.attributes["ARISE.structure.name"]
    labels = {c.identifier: c.label for c in model.class_info}
    notes = out.attributes.get("ARISE.notes", "")
    return Said(labels.get(name, name), name == "OTHER", notes)


def in_file(path: Any, atoms: Atoms, **options: Any) -> Any:
    """The atoms in a file, and its name."""
    ase.io.write(path, atoms, **options)
    return path
