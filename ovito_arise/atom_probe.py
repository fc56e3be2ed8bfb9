"""A file reader for OVITO: reconstructions of atom probes, with elements by a range file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ovito.data import DataCollection
from ovito.io import FileReaderInterface
from ovito.traits import FilePath

from arise_core.crystals.atom_probe import ions_as_structure, is_atom_probe, read_ions
from arise_core.crystals.elements import SYMBOLS
from arise_core.crystals.ion_ranges import RANGE_SUFFIXES, read_ranges
from arise_core.errors import InputError

#: Bytes at the begin of a file by which it is known.
HEAD = 4096


class AriseAtomProbeReader(FileReaderInterface):
    """Particles of a `.pos`, `.epos` or `.apt` file: `import_file("tip.pos", ranges="tip.rrng")`.

    Without `ranges` a range file of the same name beside it is taken (`tip.rrng`, `tip.rng`, `tip.env`). An ion becomes
    one particle: the heaviest element in it (TiO: Ti). Ions outside the ranges are left out; how many is printed, and
    the attribute `ARISE.ions.left_out`.
    """

    # OVITO writes the name of the module into scripts that it generates.
    __module__ = "ovito_arise"

    ranges = FilePath("", label="Range file", desc="of the ions: .rrng, .rng or .env")

    @staticmethod
    def detect(filename: str) -> bool:
        """Whether a file is a reconstruction, as OVITO asks."""
        try:
            with Path(filename).open("rb") as file:
                return is_atom_probe(filename, file.read(HEAD))
        except OSError:
            return False

    def parse(self, data: DataCollection, *, filename: str, **kwargs: Any) -> None:
        """Put the particles into the collection.

        Raises:
            InputError, FileError: there is no range file, or a file cannot be read.
        """
        range_file = self._range_file(filename)
        ranges = read_ranges(range_file)
        ions = read_ions(filename)
        structure, notes = ions_as_structure(ions, ranges)
        particles = data.create_particles(count=len(structure))
        particles.create_property("Position", data=structure.positions)
        present, which = np.unique(structure.numbers, return_inverse=True)
        types = particles.create_property("Particle Type", data=which + 1)
        for k, number in enumerate(present.tolist(), 1):
            types.add_type_id(k, particles, name=SYMBOLS[number])
        data.attributes["ARISE.ions.left_out"] = len(ions.masses) - len(structure)
        for note in (f"ranges of {range_file}", *notes):
            print(note)

    def _range_file(self, filename: str) -> str:
        if self.ranges:
            return str(self.ranges)
        beside = [Path(filename).with_suffix(suffix) for suffix in RANGE_SUFFIXES]
        found = next((path for path in beside if path.is_file()), None)
        if found is None:
            raise InputError(
                f"file {filename!r} is of an atom probe: it has masses, no elements. Name its range file: "
                'import_file(..., ranges="tip.rrng")'
            )
        return str(found)
