"""Maps as VTK files (`.vts`, structured grid) for ParaView, PyVista and all that reads VTK.

Written by hand: the format is a header and arrays. The libraries that write it bring all of VTK along or are no longer
kept, and meshio has no structured grids. A test opens the files with VTK itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from arise_core.geometry.arrays import FloatArray
from arise_core.geometry.cell import transformed
from arise_core.runtime.files import write_atomically

#: Types of arrays in files, by numpy's.
TYPES = {"<f4": "Float32", "<f8": "Float64", "|i1": "Int8", "<i2": "Int16", "<i4": "Int32", "<i8": "Int64"}

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class StructuredGrid:
    """Cells of one shape side by side, with values. Arrays run over the flattened grid, the last axis fastest."""

    shape: tuple[int, int, int]  # cells along each axis
    origin: FloatArray  # (3,), Å, corner
    domain: FloatArray  # (3, 3), Å, edges of the whole, rows
    cells: Arrays  # (n_cells,) each
    corners: Arrays  # (n_corners,) each, one more along each axis
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)  # of the whole
    numbers: Mapping[str, Sequence[float]] = field(default_factory=dict)  # of the whole, finite

    def write(self, path: Path) -> None:
        """Write it as `.vts`, in one step.

        Raises:
            FileError: the system does not let it.
        """
        header, blocks = self._content()

        def write(place: Path) -> None:
            with place.open("wb") as file:
                file.write(header.encode())
                for block in blocks:
                    file.write(np.uint64(block.nbytes).astype("<u8").tobytes())
                    file.write(block.data)
                file.write(b"\n</AppendedData>\n</VTKFile>\n")

        write_atomically(path, write)

    def _content(self) -> tuple[str, list[NDArray[Any]]]:
        """The header, and the arrays that follow it."""
        more = tuple(n + 1 for n in self.shape)
        axes = [np.arange(n + 1) / n for n in self.shape]
        shares = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        places = self.origin + transformed(shares, self.domain)
        extent = quoteattr(" ".join(f"0 {n}" for n in self.shape))
        blocks: list[NDArray[Any]] = []
        text = [
            '<?xml version="1.0"?>',
            '<VTKFile type="StructuredGrid" version="1.0" byte_order="LittleEndian" header_type="UInt64">',
            f"<StructuredGrid WholeExtent={extent}>",
            *self._of_the_whole(),
            f"<Piece Extent={extent}>",
            *_section("PointData", self.corners, more, blocks),
            *_section("CellData", self.cells, self.shape, blocks),
            *_section("Points", {"positions": places}, more, blocks),
            "</Piece>",
            "</StructuredGrid>",
            '<AppendedData encoding="raw">',
            "_",
        ]
        return "\n".join(text), blocks

    def _of_the_whole(self) -> Iterable[str]:
        yield "<FieldData>"
        for name, words in self.words.items():
            codes = " ".join(f"{' '.join(map(str, w.encode()))} 0" for w in words)
            yield f'<Array type="String" Name="{name}" NumberOfTuples="{len(words)}" format="ascii">{codes}</Array>'
        for name, values in self.numbers.items():
            start = f'<DataArray type="Float64" Name="{name}" NumberOfTuples="{len(values)}" format="ascii">'
            yield f"{start}{' '.join(repr(float(v)) for v in values)}</DataArray>"
        yield "</FieldData>"


def _section(name: str, arrays: Arrays, shape: tuple[int, ...], blocks: list[NDArray[Any]]) -> Iterable[str]:
    """Lines of the header for arrays of a kind, which are appended to the blocks, first axis fastest."""
    yield f"<{name}>"
    for title, values in arrays.items():
        parts = values.shape[1] if values.ndim == 2 else 1
        single = values.dtype == np.float64 and parts == 1  # positions stay double
        little = np.asarray(values, dtype=np.float32 if single else values.dtype)
        little = little.astype(little.dtype.newbyteorder("<"), copy=False).reshape(*shape, parts)
        block = np.ascontiguousarray(little.transpose(2, 1, 0, 3))
        offset = sum(b.nbytes + 8 for b in blocks)
        blocks.append(block)
        yield (
            f'<DataArray type="{TYPES[block.dtype.str]}" Name={quoteattr(title)} NumberOfComponents="{parts}" '
            f'format="appended" offset="{offset}"/>'
        )
    yield f"</{name}>"
