"""Files as microscopes write them, made for tests: DM3 and DM4 (Gatan), Velox EMD (Thermo Fisher), MRC.

DM files are a tree of tags; a tag is a group of tags or a value with a list of numbers that says its type. Their layout
is described by C. Boothroyd ("DM3 and DM4 file formats", University of Cambridge); numbers of version 4 have 8 bytes
where those of version 3 have 4, and its tags begin with their length.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

#: Of the values of an image: number of its type as an image, number of its type as a value in a tag.
KINDS = {
    "int16": (1, 2), "float32": (2, 6), "complex64": (3, None), "uint8": (6, 10), "int32": (7, 3), "int8": (9, 9),
    "uint16": (10, 4), "uint32": (11, 5), "float64": (12, 7), "complex128": (13, None), "bool": (14, 8),
}  # fmt: skip
#: Pictures: blue, green, red and a fourth byte.
COLOURS = 23


@dataclass(frozen=True)
class Shot:
    """An image in a file."""

    data: (
        np.ndarray
    )  # (rows, columns), a stack (n, rows, columns), or bytes (rows, columns, 4): blue, green, red, none
    scale: float = 1.0  # of a pixel, or of rows and columns each
    unit: str = ""
    name: str = "image"
    first: tuple[float, str] = (1.0, "")  # scale and unit of the first axis of a stack
    rows: float | None = None  # scale of a row where it is another one


def write_dm(path: Path, shots: Sequence[Shot], version: int, thumbnail: bool = True) -> None:
    """A DM3 or DM4 file; the first shot is its thumbnail."""
    tags: dict[str, Any] = {"ApplicationBounds": (0, 0, 1000, 1000), "HasWindowPosition": True}
    tags["ImageList"] = [_image(shot) for shot in shots]
    if thumbnail:
        tags["Thumbnails"] = [{"ImageIndex": np.int32(0), "SourceSize_Pixels": (64, 48)}]
    body = _Tags(version).group(tags, root=True)
    head = (
        struct.pack(">i", version) + _number(len(body), version) + struct.pack(">i", 1)
    )  # 1: little-endian values
    path.write_bytes(head + body + bytes(8))


def _image(shot: Shot) -> dict[str, Any]:
    data = np.asarray(shot.data)
    colours = data.ndim == 3 and data.shape[2] == 4 and data.dtype == np.uint8
    shape = data.shape[:2] if colours else data.shape
    scales = [shot.first] if len(shape) == 3 else []
    scales += [(shot.scale if shot.rows is None else shot.rows, shot.unit), (shot.scale, shot.unit)]
    axes = [{"Origin": np.float32(0), "Scale": np.float32(s), "Units": unit} for s, unit in scales[::-1]]
    kind = COLOURS if colours else KINDS[str(data.dtype)][0]
    return {
        "ImageData": {
            "Calibrations": {
                "Brightness": {"Origin": np.float32(0), "Scale": np.float32(1), "Units": ""},
                "Dimension": axes,
                "DisplayCalibratedUnits": True,
            },
            "Data": np.ascontiguousarray(data).view("<i4").ravel() if colours else data.ravel(),
            "DataType": np.uint32(kind),
            "Dimensions": [np.uint32(n) for n in shape[::-1]],
            "PixelDepth": np.uint32(4 if colours else data.dtype.itemsize),
        },
        "ImageTags": {"Microscope Info": {"Voltage": np.float32(60e3), "Operation Mode": "SCANNING"}},
        "Name": shot.name,
        "UniqueID": tuple(range(4)),
    }


class _Tags:
    """Tags as bytes."""

    def __init__(self, version: int) -> None:
        self.version = version

    def group(self, tags: Mapping[str, Any] | Sequence[Any], root: bool = False) -> bytes:
        named = tags.items() if isinstance(tags, Mapping) else [("", tag) for tag in tags]
        inside = b"".join(self.tag(name, value) for name, value in named)
        inside = bytes([1, 0]) + _number(len(tags), self.version) + inside
        return inside if root else self.long(inside)

    def tag(self, name: str, value: Any) -> bytes:
        word = name.encode()
        is_group = isinstance(value, (Mapping, list))
        head = bytes([20 if is_group else 21]) + struct.pack(">h", len(word)) + word
        return head + (self.group(value) if is_group else self.value(value))

    def value(self, value: Any) -> bytes:
        types, content = _content(value)
        numbers = b"".join(_number(n, self.version) for n in (len(types), *types))
        return self.long(b"%%%%" + numbers + content)

    def long(self, content: bytes) -> bytes:
        """With its length before it, as version 4 has it."""
        return struct.pack(">q", len(content)) + content if self.version == 4 else content


def _content(value: Any) -> tuple[tuple[int, ...], bytes]:
    """The numbers that say the type of a value, and its bytes."""
    if isinstance(value, str):  # an array of 16-bit letters
        return (20, 4, len(value)), value.encode("utf-16-le")
    if isinstance(value, tuple):  # a structure of whole numbers
        fields = sum(((0, 3) for _ in value), ())
        return (15, 0, len(value), *fields), struct.pack(f"<{len(value)}i", *value)
    array = np.asarray(value)
    if array.ndim == 0:
        return (KINDS[str(array.dtype)][1],), array.tobytes()
    if array.dtype.kind == "c":  # an array of structures of two
        part = 6 if array.dtype == np.complex64 else 7
        return (20, 15, 0, 2, 0, part, 0, part, array.size), array.tobytes()
    return (20, KINDS[str(array.dtype)][1], array.size), array.tobytes()


def _number(value: int, version: int) -> bytes:
    return struct.pack(">q" if version == 4 else ">i", value)


def write_velox(path: Path, shots: Sequence[Shot]) -> None:
    """An EMD file as Velox writes it: an image a group, its metadata as text in bytes, sizes in metres."""
    with h5py.File(path, "w") as file:
        file["Version"] = np.array([json.dumps({"format": "Velox", "version": "1.10"})], dtype="S64")
        for k, shot in enumerate(shots):
            frames = shot.data if shot.data.ndim == 3 else shot.data[None]
            said = {
                "BinaryResult": {
                    "PixelSize": {"width": str(shot.scale), "height": str(shot.rows or shot.scale)},
                    "PixelUnitX": shot.unit,
                    "PixelUnitY": shot.unit,
                    "Offset": {"x": "0", "y": "0"},
                    "Detector": shot.name,
                    "DetectorIndex": "0",
                },
                "Scan": {"FrameTime": "0.5"},
                "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1700000000"}},
                "Instrument": {"InstrumentModel": "made", "InstrumentId": "1"},
                "Optics": {"AccelerationVoltage": "60000"},
                "Stage": {}, "Detectors": {"Detector-0": {"DetectorName": shot.name}},
                "Core": {"MetadataDefinitionVersion": "7.9"},
            }  # fmt: skip
            label = f"{k:032x}"
            group = file.create_group(f"Data/Image/{label}")
            group["Data"] = np.moveaxis(frames, 0, 2)
            text = np.frombuffer(json.dumps(said).encode(), dtype=np.uint8)
            padded = np.zeros((60000, len(frames)), dtype=np.uint8)
            padded[: len(text)] = text[:, None]
            group["Metadata"] = padded
            file[f"Operations/StemInputOperation/{label}"] = np.array(
                [json.dumps({"outputs": [{"dataPath": f"/Data/Image/{label}"}], "dataPath": f"/Data/Image/{label}",
                             "detector": shot.name})], dtype="S512",
            )  # fmt: skip


def write_mrc(path: Path, data: np.ndarray, edges: tuple[float, float, float], volume: bool = False) -> None:
    """An MRC file of a (n, rows, columns) stack; `edges` in x, y, z, Å; A. Cheng et al., J. Struct. Biol. 192, 146."""
    n, rows, columns = data.shape
    header = np.zeros(256, dtype="<i4")
    header[:4] = columns, rows, n, 2
    header[7:10] = columns, rows, n if volume else 1
    header[10:13] = np.array(edges, dtype="<f4").view("<i4")
    header[13:16] = np.full(3, 90, dtype="<f4").view("<i4")
    header[16:19] = 1, 2, 3
    header[22] = int(volume)  # space group: 0 for images, 1 for a volume
    header[52] = int.from_bytes(b"MAP ", "little")
    header[53] = 0x00004144
    path.write_bytes(header.tobytes() + data.astype("<f4").tobytes())
