"""Files of atom probes, written as the descriptions of their formats have it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

#: Ranges of nickel, aluminium and its oxide.
RRNG = """[Ions]
Number=2
Ion1=Ni
Ion2=Al
[Ranges]
Number=3
Range1=57.5 58.5 vol:0.01090 Ni:1 Color:33FF00
Range2=26,9 27,1 vol:0.01660 Al:1 Color:33FFFF
Range3=42.9 43.1 vol:0.04543 Al:1 O:1 Name:AlO Color:00FFFF
"""
RNG = """2 2
Nickel
Ni 0.20 1.00 0.00
Aluminium
Al 0.20 1.00 1.00
------------------- Ni Al
. 57.5000 58.5000 1 0
. 26.9000 27.1000 0 1
--- polyatomic extension
"""
ENV = """# ENV
# Definition of ions
Ni 57.5 58.5 0.011
Al 26,9 27,1 0.016
AlO 42.9 43.1 0.045
# Atom probe definition
3 4 5
"""


def write_pos(path: Path, positions: np.ndarray, masses: np.ndarray) -> Path:
    """A `.pos` or `.epos` file; positions are (n, 3), Å, masses over charge (n,), Da."""
    rows = np.column_stack([positions / 10, masses]).astype(">f4")
    if path.suffix == ".epos":
        of_detector = np.tile([812.5, 5012.0, 0.0, -3.25, 4.5], (len(rows), 1)).astype(">f4")
        pulses = np.tile([7, 1], (len(rows), 1)).astype(">u4")
        path.write_bytes(
            b"".join(
                a.tobytes() + b.tobytes() + c.tobytes()
                for a, b, c in zip(rows, of_detector, pulses, strict=True)
            )
        )
    else:
        path.write_bytes(rows.tobytes())
    return path


def section(name: str, unit: str, values: np.ndarray, before: bytes = b"", **other: int) -> bytes:
    """A section of an `.apt` file; `before` stands between its header and its values."""
    content = np.ascontiguousarray(values, dtype="<f4")
    record = 4 * (content.shape[1] if content.ndim > 1 else 1)
    facts = {"relation": 1, "data": 3, "records": len(content), "bytes": content.nbytes, **other}
    head = struct.pack(
        "<4sii64siIIIii32sQQ", b"SEC\0", 148 + len(before), 2, name.encode("utf-16-le"), 1, facts["relation"], 1,
        facts["data"], 32, record, unit.encode("utf-16-le"), facts["records"], facts["bytes"],
    )  # fmt: skip
    return head + before + content.tobytes()


def write_apt(
    path: Path, positions: np.ndarray, masses: np.ndarray, sections: list[bytes] | None = None
) -> Path:
    """An `.apt` file with times of flight, which nobody reads, between masses and places."""
    head = struct.pack("<4sii512sQQ", b"APT\0", 540, 2, "tip".encode("utf-16-le"), 0, len(masses))
    nm = positions / 10
    bounds = np.stack([nm.min(axis=0), nm.max(axis=0)], axis=1).astype("<f4").tobytes()
    if sections is None:
        sections = [
            section("Mass", "Da", masses), section("tof", "ns", np.full(len(masses), 812.5)),
            section("Position", "nm", nm, bounds),
        ]  # fmt: skip
    path.write_bytes(head + b"".join(sections))
    return path


def tip(cells: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Ions of ordered Ni3Al in a box, some in no range: positions (n, 3), Å, and masses over charge, (n,), Da."""
    corners = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    steps = np.stack(np.meshgrid(*[np.arange(cells)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    positions = (steps + corners).reshape(-1, 3) * 3.57
    masses = np.where(np.arange(len(positions)) % 4 == 0, 27.0, 58.0)
    masses[10::50] = 35.0
    masses[20::100] = 43.0
    return positions, masses
