"""One structure through every door: what it is, as a whole, and what each door says was assumed; or why it is refused.

Where each fault is tested at each door: letters are modules of this folder, or of the folder that is named.

A `test_observer_files`   F `test_files`        N `test_notes`                R `test_own_classes`
B `test_bad_input` of     G geometry's          O doors' `test_occupancies`   S `test_screening_writers`
  `tests/DOOR/`             `test_structure`    P `test_plain_files`          T `test_types`
C `test_cif`              I `test_installs`,    X `test_emptiness`            W `test_wrong_types`
D `test_places`             `test_fork`         Y `test_names`                Z `test_ends`
E `test_every_door`       K `test_kills`
L `test_layers`           M `test_model_files`
Q `test_atom_probe` of `tests/DOOR/`, of core in `tests/crystals/`

-: it cannot come there. own: OVITO's own reader meets it before our code does; on the command line that reader works
in a process of its own, within limits.

fault                                                     core  ASE    command line  OVITO
--------------------------------------------------------  ----  -----  ------------  -----
masses and types that tell no element                     T     T      T             T
types that the user says; not there; in written files     T     T      T             T
colloids (GSD)                                            -     -      T             T
flat runs, cells of two dimensions                        L     L      L E           L E
films of few layers                                       L E   L E    E             E
sites partly occupied, shared                             R     O      O             O
sites without mass, D and T, charges and labels in names  T     T      T             T
what was assumed is said                                  N T   N T L  N T L         N T L
usual names of LAMMPS files, Windows line ends            -     F E    E             E
--format, --reader, OVITO where ASE fails                 -     F E    F E           -
runs cut off, empty frames, half frames                   -     F P    F P           E
compressed, wrong names, marks, UTF-16                    -     P E    E             E
CIF: groups without operations                            C     C      C             C E
CIF: two elements at one place, 10^118                    E     C E    C E           E
CIF: thousands of sites, crowds                           -     C      C             own
announced atoms that are not there                        -     F      E             own
names with markup, and like frames                        -     E F    E             E
atom probes: cut off, swapped bytes, NaN, bad ranges      Q     Q      Q             Q
what no reader knows, damaged text                        -     F B    F B           own
a reader that hangs                                       -     F      F             own
no positions                                              -     E      E             F E
stray atoms                                               X E   X E    X E           X E
two far clusters, dilute gases                            X E   E      E             E
metres; positions or cell scaled; short periods           X E   E      E             E
far coordinates, huge cells, one atom in a thin cell      X E   E      E             E
skewed and singular cells                                 X E   E      E             E
overlaps, crowds                                          X E   E      E             E
90 species, dense packings, needles, gases                X E   E      E             E
NaN, no atoms, no volume                                  G     B      B             B
arguments of wrong kinds                                  W     W      W             W
names of classes                                          Y     Y      Y             Y
model files: code, damage, forgery                        M     M      M             M
model folders that change                                 M     M      -             M
places that are taken, full, read-only                    D E   A E    B             E
kills, interrupts, full disks                             K     K      K Z           -
two writers at once, links, leftovers                     D     A      S             -
other users, no home, fork                                I     I      I             -
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ovito.data import DataCollection
from ovito.io import import_file
from typer.testing import CliRunner

import arise_core as arise
from arise_cli.main import app
from arise_core.errors import AriseError
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


def through_core(atoms: Atoms, model: arise.Model) -> Said:
    """`arise_core.classify` of a `Structure`."""
    structure = arise.Structure(atoms.positions, atoms.numbers, atoms.cell[:], atoms.pbc)
    found = arise.classify(structure, model, passes=PASSES)
    return Said(found.labels[0], bool(found.rejected[0]), "; ".join(found.notes[0] if found.notes else ()))


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


def refusals(atoms: Atoms, folder: Any, model: arise.Model, *, local: bool = False) -> dict[str, str]:
    """What each of the four doors says when it refuses a structure; fails if one takes it.

    Args:
        atoms: command line and OVITO get them in a file, with all digits.
        folder: for the file.
        model: of the core.
        local: maps, not whole structures.
    """
    path = folder / "refused.xyz"
    path.write_text(exact_xyz(atoms))
    settings = {"box_size": 12.0, "stride": 6.0, "passes": PASSES}
    structure = (atoms.positions, atoms.numbers, atoms.cell[:], atoms.pbc)
    said = {}
    with pytest.raises(AriseError) as error:
        _recognised(arise.Structure(*structure), model, settings if local else None)
    said["core"] = str(error.value)
    with pytest.raises(AriseError) as error:
        annotate(atoms.copy(), mode="local" if local else "whole", **(settings if local else {}))
    said["ase"] = str(error.value)
    said["command line"] = refused_by_command_line(
        path, "map" if local else "classify", *(["--box-size", "12", "--stride", "6"] if local else [])
    )
    said["ovito"] = refused_by_ovito(path, **settings)
    return said


def _recognised(structure: arise.Structure, model: arise.Model, settings: dict[str, Any] | None) -> Any:
    if settings is None:
        return arise.classify(structure, model, passes=PASSES)
    return arise.strided_map(structure, model, **settings)


def refused_by_command_line(path: Any, command: str = "classify", *words: str) -> str:
    """The one line of a command that refuses a file."""
    done = CliRunner().invoke(app, [command, str(path), *words])
    assert (done.exit_code, done.stdout) == (1, "")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("arise: ")]
    return line


def refused_by_ovito(path: Any, **parameters: Any) -> str:
    """What the modifier says to what OVITO's own reader takes."""
    pipeline = pipeline_of(import_file(str(path)).compute(), AriseModifier(**parameters))
    with pytest.raises(AriseError) as error:
        pipeline.compute()
    return str(error.value)


def exact_xyz(atoms: Atoms) -> str:
    """Extended XYZ with all digits: ASE writes eight behind the point."""
    cell = " ".join(map(repr, np.asarray(atoms.cell).ravel().tolist()))
    lattice = f'Lattice="{cell}" ' if np.asarray(atoms.cell).any() else ""
    flags = " ".join("T" if periodic else "F" for periodic in atoms.pbc)
    rows = "".join(
        f"{s} {x!r} {y!r} {z!r}\n"
        for s, (x, y, z) in zip(atoms.symbols, atoms.positions.tolist(), strict=True)
    )
    return f'{len(atoms)}\n{lattice}Properties=species:S:1:pos:R:3 pbc="{flags}"\n{rows}'


def in_file(path: Any, atoms: Atoms, **options: Any) -> Any:
    """The atoms in a file, and its name."""
    ase.io.write(path, atoms, **options)
    return path
