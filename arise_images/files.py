"""Images from files: TIFF, PNG and other pictures, microscope files with the size of their pixels, numpy arrays."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arise_core.errors import FileError, InputError, MissingFileError, MissingPackageError, check_type
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
    "micron": 1e4,
    "mm": 1e7,
    "m": 1e10,
}
#: Parts of units that no image of a place has: of reciprocal lengths and angles, and of energies.
RECIPROCAL = ("1/", "1 /", "-1", "⁻¹", "rad", "deg", "°")
ENERGY = "ev"
#: Rows and columns whose pixels differ by more than this share would make another crystal of an image.
SQUARE = 0.02
#: Share of the rows and columns that all frames of a place have in common, at least.
OVERLAP = 0.5
#: Tags of a TIFF file from this number on are those of makers of software and microscopes.
PRIVATE = 32768
#: Of several images in a file the one whose name has this is taken.
PREFERRED = "haadf"
#: Difference of the channels of a grey picture that was stored in colours.
GREY = 2


@dataclass(frozen=True)
class Micrograph:
    """An image and what its file says of it."""

    name: str  # of the file
    image: FloatArray  # (rows, columns)
    pixel_size: float | None  # Å; None: the file does not say
    notes: tuple[str, ...] = ()  # what of the file was taken, a sentence each


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
            summed; of several images in a microscope file that of the HAADF detector is taken, else the first one,
            and `notes` says so. Thumbnails, spectra, diffraction patterns and Fourier transforms are none.

    Raises:
        FileError, InputError: missing, unreadable or no image, in colours, with NaN, of one value only, or with pixels
            that are not square.
        MissingPackageError: the library that reads it is not installed.
    """
    check_type("path", path, (str, Path), "a path")
    place = Path(path)
    suffix = place.suffix.lower()
    if suffix not in suffixes():
        raise InputError(f"image file {str(path)!r} must end in one of {', '.join(suffixes())}")
    if not place.is_file():
        raise MissingFileError(f"image file {str(path)!r} does not exist")
    notes: tuple[str, ...] = ()
    if suffix in MICROSCOPES:
        values, size, notes = _microscope(place)
    else:
        values, size = _picture(place), _size_in(place)
        if values.ndim == 3 and suffix not in ARRAYS:
            if suffix not in TIFF and values.shape[2] == 2:  # grey, and how opaque it is
                values = values[:, :, 0]
            elif values.shape[2] in (3, 4):
                values = _grey(place, values)
            else:
                notes = (_summed(values),)
    try:
        if values.ndim == 3 and suffix not in ARRAYS:
            values = aligned(values)
        return Micrograph(place.name, checked(values), size, notes)
    except InputError as error:
        raise type(error)(f"image file {str(path)!r}: {error}") from error


def aligned(frames: Any) -> FloatArray:
    """The sum of frames of one place, moved onto the first by the peak of their phase correlation.

    Takes out drift from frame to frame; what happens within a frame stays. Only what all frames show is left.

    Args:
        frames: (n, rows, columns).

    Raises:
        InputError: no frames; or less than half of the rows or columns are in all of them: they do not show one place.
    """
    from scipy.ndimage import shift
    from skimage.registration import phase_cross_correlation

    several = [checked(frame) for frame in frames]
    if not several:
        raise InputError("`image` has no frames")
    total = several[0].copy()
    moves = np.zeros((len(several), 2))
    for k, frame in enumerate(several[1:], start=1):
        moves[k] = phase_cross_correlation(several[0], frame, upsample_factor=10)[0]
        total += shift(frame, moves[k], order=1, mode="nearest")
    shape = np.array(total.shape)
    low = np.ceil(moves.max(axis=0)).astype(int)
    high = np.floor(shape + moves.min(axis=0)).astype(int)
    if (high - low < OVERLAP * shape).any():
        raise InputError(
            f"`image` has {len(several)} frames that do not show one place: they would have to move by up to "
            f"{np.abs(moves).max():.0f} pixels"
        )
    return np.asarray(total[low[0] : high[0], low[1] : high[1]])


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
            return _io().imread(io.BytesIO(path.read_bytes()))  # of a path that fails, a handle stays open
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
    """Size of a pixel that ImageJ or the software of a microscope has left in a TIFF file, Å; None without one.

    Raises:
        FileError: what it holds is no image of a place.
        InputError: rows and columns of different size.
    """
    if path.suffix.lower() not in TIFF:
        return None
    with _tifffile().TiffFile(path) as file:
        unit = (file.imagej_metadata or {}).get("unit", "")
        tags = file.pages[0].tags
        along, down = (tags.get(f"{axis}Resolution") for axis in "XY")
        private = any(tag.code >= PRIVATE for tag in tags)
    if along is not None and str(unit).lower() in UNITS:
        axes = [_axis_of(tag, str(unit)) for tag in (down or along, along)]
        return _size_of(path, axes)
    if not private:
        return None
    try:
        reader = package(
            "rsciio.tiff", "sizes of pixels in TIFF files are read with rosettasciio"
        ).file_reader
    except MissingPackageError:  # without it, the size is not known
        return None
    for signal in _signals(path, reader):
        reason = _no_image(signal)
        if reason and _is_reciprocal(signal["axes"]):
            raise FileError(f"image file {str(path)!r} holds no image: {reason}")
        return None if reason else _size_of(path, signal["axes"])
    return None


def _axis_of(resolution: Any, unit: str) -> dict[str, Any]:
    """An axis by the tag of a TIFF file that says how many pixels a unit has."""
    pixels, units = resolution.value
    return {"units": unit, "scale": units / pixels if pixels else 0.0}


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


def _microscope(path: Path) -> tuple[Any, float | None, tuple[str, ...]]:
    """Pixels, their size, Å, and what was taken, of a microscope's file.

    Raises:
        FileError: it cannot be read, or holds no image.
        InputError: pixels that are not square, or colours.
        MissingPackageError: rosettasciio is not installed.
    """
    kind = MICROSCOPES[path.suffix.lower()]
    reader = package(f"rsciio.{kind}", f"{path.suffix} files are read with rosettasciio").file_reader
    reasons, images = [], []
    for signal in _signals(path, reader):
        reason = _no_image(signal)
        if reason:
            reasons.append(reason)
        else:
            images.append(signal)
    if not images:
        why = "; ".join(dict.fromkeys(reasons)) or "it is empty"
        raise FileError(f"image file {str(path)!r} holds no image: {why}")
    images = [s for s in images if not _is_coloured(s)] or images  # thumbnails are pictures in colours
    names = [_name_of(signal) for signal in images]
    taken = next((k for k, name in enumerate(names) if PREFERRED in name.lower()), 0)
    notes = _what_was_taken(names, taken)
    values, axes = np.asarray(images[taken]["data"]), images[taken]["axes"]
    if _is_coloured(images[taken]):
        values = _grey(path, np.stack([values[c] for c in "RGB"], axis=-1))
    size = _size_of(path, axes)
    if values.ndim == 3:
        notes += (_summed(values),)
    return values, size, notes


def _signals(path: Path, reader: Any) -> list[dict[str, Any]]:
    """What a reader of rosettasciio finds in a file.

    Raises:
        FileError: it cannot be read.
    """
    dask = package("dask", "rosettasciio reads with dask")
    try:
        # not on a cluster that dask may have been told of, where the file need not be, and which may be gone
        with warnings.catch_warnings(), dask.config.set(scheduler="synchronous"):
            warnings.simplefilter("ignore")
            return list(reader(str(path)))
    except Exception as error:  # its readers raise whatever their parsers do
        raise FileError(f"image file {str(path)!r} cannot be read: {_first_line(error)}") from error


def _no_image(signal: dict[str, Any]) -> str:
    """Why a signal is no image of a place, or stack of such images; "" if it is one."""
    axes, dimensions = signal["axes"], np.ndim(signal["data"])
    units = [str(axis.get("units") or "").strip().lower() for axis in axes]
    if any(ENERGY in unit for unit in units):
        return "it is a spectrum, or a spectrum at each place"
    if dimensions not in (2, 3) or len(axes) != dimensions:
        return f"{dimensions} axes are not those of an image"
    if _is_reciprocal(axes):
        return f"it is a diffraction pattern or a Fourier transform, with pixels in {axes[-1]['units']}"
    if np.asarray(signal["data"]).dtype.kind == "c":
        return "it has complex numbers, as Fourier transforms and waves have"
    if dimensions == 3 and _is_volume(signal):
        return "it is a volume, not a stack of images of one place"
    return ""


def _is_reciprocal(axes: Sequence[dict[str, Any]]) -> bool:
    return any(mark in str(axis.get("units") or "").lower() for axis in axes[-2:] for mark in RECIPROCAL)


def _is_volume(signal: dict[str, Any]) -> bool:
    """Whether the header of an MRC file says so: a space group from 1 on, and more than one section in a period."""
    header = signal.get("original_metadata", {}).get("std_header", {})
    return bool(np.max(header.get("ISPG", 0)) >= 1 and np.max(header.get("MZ", 1)) > 1)


def _is_coloured(signal: dict[str, Any]) -> bool:
    return np.asarray(signal["data"]).dtype.names is not None


def _name_of(signal: dict[str, Any]) -> str:
    """What a file calls an image, or its detector."""
    title = signal.get("metadata", {}).get("General", {}).get("title", "")
    said = signal.get("original_metadata", {}).get("BinaryResult", {})
    return str(title or said.get("Detector", "")) or "without a name"


def _what_was_taken(names: Sequence[str], taken: int) -> tuple[str, ...]:
    if len(names) == 1:
        return ()
    others = ", ".join(repr(name) for k, name in enumerate(names) if k != taken)
    return (f"of {len(names)} images in the file {names[taken]!r} is taken; the others: {others}",)


def _summed(frames: Any) -> str:
    return f"{len(frames)} frames of the file are aligned and summed"


def _size_of(path: Path, axes: Sequence[dict[str, Any]]) -> float | None:
    """Size of a pixel by the axes of a signal, Å; None where their unit is no length or their scale 0.

    Raises:
        InputError: rows and columns of different size.
    """
    down, along = (_length_of(axis) for axis in axes[-2:])
    if down is None or along is None:
        return None
    if abs(down / along - 1) > SQUARE:
        raise InputError(
            f"image file {str(path)!r} has pixels of {along:g} x {down:g} Å: scale it so that they are square"
        )
    return float(np.sqrt(down * along))


def _length_of(axis: dict[str, Any]) -> float | None:
    unit = str(axis.get("units") or "").strip().lower()
    scale = abs(float(axis.get("scale") or 0.0))
    return scale * UNITS[unit] if unit in UNITS and scale > 0 else None
