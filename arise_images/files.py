"""Images from files: TIFF, PNG and other pictures, microscope files with the size of their pixels, numpy arrays."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arise_core.errors import FileError, InputError, MissingFileError, check_type
from arise_core.geometry.arrays import FloatArray
from arise_core.runtime.files import file_errors
from arise_core.runtime.packages import package
from arise_images.preparation import checked

#: Files that rosettasciio reads for us, and what it calls them; pictures that scikit-image and tifffile read.
MICROSCOPES = {
    ".dm3": "digitalmicrograph", ".dm4": "digitalmicrograph", ".emd": "emd", ".mrc": "mrc",
    ".ser": "tia",
}  # fmt: skip
TIFF = (".tif", ".tiff")
PICTURES = (*TIFF, ".png", ".jpg", ".jpeg", ".bmp")
ARRAYS = (".npy",)
#: Å in units of length that microscope files use.
UNITS = {
    "å": 1.0,
    "angstrom": 1.0,
    "a": 1.0,
    "pm": 0.01,
    "nm": 10.0,
    "µm": 1e4,
    "um": 1e4,
    "μm": 1e4,
    "m": 1e10,
}
#: Difference of the channels of a grey picture that was stored in colours.
GREY = 2


@dataclass(frozen=True)
class Micrograph:
    """An image and what its file says of it."""

    name: str  # of the file
    image: FloatArray  # (rows, columns)
    pixel_size: float | None  # Å; None: the file does not say


def suffixes() -> tuple[str, ...]:
    """Ends of the names of files that `read_image` reads."""
    return (*PICTURES, *MICROSCOPES, *ARRAYS)


def images_in(folder: Path) -> list[Path]:
    """Image files in a folder, by name.

    Raises:
        InputError: there is none.
    """
    with file_errors(f"folder {str(folder)!r} cannot be read"):
        found = sorted(p for p in folder.iterdir() if p.suffix.lower() in suffixes() and p.is_file())
    if not found:
        raise InputError(f"folder {str(folder)!r} holds no image: {', '.join(suffixes())}")
    return found


def read_image(path: str | Path) -> Micrograph:
    """An image from a file, grey, with the size of its pixels where the file says it.

    Args:
        path: TIFF, PNG, JPEG, BMP, DM3, DM4, EMD, MRC, SER or .npy. A stack of frames of one place is aligned and
            summed; of several images in a microscope file the first one is taken.

    Raises:
        FileError, InputError: missing, unreadable or no image, in colours, with NaN, or of one value only.
        MissingPackageError: the library that reads it is not installed.
    """
    check_type("path", path, (str, Path), "a path")
    place = Path(path)
    suffix = place.suffix.lower()
    if suffix not in suffixes():
        raise InputError(f"image file {str(path)!r} must end in one of {', '.join(suffixes())}")
    if not place.is_file():
        raise MissingFileError(f"image file {str(path)!r} does not exist")
    values, size = _microscope(place) if suffix in MICROSCOPES else (_picture(place), _size_in(place))
    if values.ndim == 3 and suffix not in ARRAYS:
        values = _grey(place, values) if values.shape[2] in (3, 4) else aligned(values)
    try:
        return Micrograph(place.name, checked(values), size)
    except InputError as error:
        raise type(error)(f"image file {str(path)!r}: {error}") from error


def aligned(frames: Any) -> FloatArray:
    """The sum of frames of one place, moved onto the first by the peak of their phase correlation.

    Takes out drift from frame to frame; what happens within a frame stays.

    Args:
        frames: (n, rows, columns).
    """
    from scipy.ndimage import shift
    from skimage.registration import phase_cross_correlation

    several = [checked(frame) for frame in frames]
    total = several[0].copy()
    for frame in several[1:]:
        moved, _, _ = phase_cross_correlation(several[0], frame, upsample_factor=10)
        total += shift(frame, moved, order=1, mode="nearest")
    return total


def _picture(path: Path) -> Any:
    """Pixels of a picture or an array.

    Raises:
        FileError: it cannot be read.
    """
    try:
        if path.suffix.lower() in ARRAYS:
            return np.load(path, allow_pickle=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on odd metadata, which are not looked at
            if path.suffix.lower() in TIFF:
                return _tifffile().imread(path)
            return _io().imread(path)
    except (OSError, ValueError, TypeError, SyntaxError, KeyError, IndexError, EOFError) as error:
        raise FileError(f"image file {str(path)!r} cannot be read: {_first_line(error)}") from error


def _io() -> Any:
    return package("skimage.io", "images are read with scikit-image")


def _tifffile() -> Any:
    """tifffile, which takes stacks as they are.

    Raises:
        MissingPackageError: it is not installed.
    """
    return package("tifffile", "TIFF files are read with tifffile")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _size_in(path: Path) -> float | None:
    """Size of a pixel that ImageJ has left in a TIFF file, Å; None without one."""
    if path.suffix.lower() not in TIFF:
        return None
    with _tifffile().TiffFile(path) as file:
        unit = (file.imagej_metadata or {}).get("unit", "")
        tag = file.pages[0].tags.get("XResolution")
        if tag is None or str(unit).lower() not in UNITS:
            return None
        pixels, units = tag.value
    return UNITS[str(unit).lower()] * units / pixels if pixels else None


def _grey(path: Path, values: Any) -> FloatArray:
    """The one channel of a grey picture that was stored in colours.

    Raises:
        InputError: it has colours.
    """
    channels = np.asarray(values)[:, :, :3].astype(np.float64)
    if np.ptp(channels, axis=2).max() > GREY * max(channels.max(), 1.0) / 255:
        raise InputError(
            f"image file {str(path)!r} has colours: a micrograph has one value a pixel; give it in grey"
        )
    return np.asarray(channels.mean(axis=2))


def _microscope(path: Path) -> tuple[Any, float | None]:
    """Pixels and their size, Å, of a microscope's file.

    Raises:
        FileError: it cannot be read, or holds no image.
        MissingPackageError: rosettasciio is not installed.
    """
    kind = MICROSCOPES[path.suffix.lower()]
    reader = package(f"rsciio.{kind}", f"{path.suffix} files are read with rosettasciio").file_reader
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            signals = reader(str(path))
    except Exception as error:  # its readers raise whatever their parsers do
        raise FileError(f"image file {str(path)!r} cannot be read: {_first_line(error)}") from error
    for signal in signals:
        if np.ndim(signal["data"]) in (2, 3):
            return np.asarray(signal["data"]), _size_of(signal["axes"])
    raise FileError(f"image file {str(path)!r} holds no image")


def _size_of(axes: Sequence[dict[str, Any]]) -> float | None:
    """Size of a pixel by the axes of a signal, Å; None where their unit is no length or their scale 0."""
    last = axes[-1]
    unit = str(last.get("units", "")).strip().lower()
    scale = abs(float(last.get("scale", 0.0)))
    return scale * UNITS[unit] if unit in UNITS and scale > 0 else None
