"""Models by name or path."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import torch

from arise_core.errors import ModelError, check_type
from arise_core.model.calibration import SUFFIX, Calibration, read_calibration
from arise_core.model.contents import FILES, known_models, read_model
from arise_core.model.devices import usable_device
from arise_core.model.model import Model
from arise_core.model.network import build_network
from arise_core.runtime.files import file_errors, zoo_root

__all__ = ["known_models", "load_model", "shared_model"]


def load_model(name_or_path: str | Path, device: str = "cpu") -> Model:
    """Load a model from the zoo or a file. Files are read as data: nothing in them is run (docs/models.md).

    Args:
        name_or_path: a name that `known_models()` lists, a `.safetensors` file, a folder that holds
            `model.safetensors`, a TorchScript file (`.pt`) that ships with this package or has the same model as
            `.safetensors` beside it, or a calibration (`.json`), which stands for its model with the threshold that it
            promises.
        device: "cpu" or "cuda" (any torch device); one that is missing falls back to the CPU with a warning.

    Raises:
        ModelError: no model of this name; or a file that is damaged, altered, no ARISE model, of a descriptor that
            this package does not know, or TorchScript from elsewhere.
        InputError: torch has no device of this name.
    """
    return _load(_find(name_or_path), usable_device(device))


def shared_model(name_or_path: str | Path, device: str = "cpu") -> Model:
    """`load_model`, once for as long as the file stays what it is.

    Raises:
        ModelError, InputError: as `load_model`.
    """
    path = _find(name_or_path)
    with file_errors(f"model {str(path)!r} cannot be read"):
        files = [path, path.with_suffix(".safetensors")]
        if path.suffix == SUFFIX:
            files.append(_calibrated(path, read_calibration(path)))
        state = tuple(_state(p) for p in files if p.is_file())
    return _kept(path, usable_device(device), state)


def _load(path: Path, device: torch.device) -> Model:
    if path.suffix == SUFFIX:
        return _load_calibrated(path, device)
    found = read_model(path)
    return Model(build_network(found.card, found.weights), found.card, device, path)


def _load_calibrated(path: Path, device: torch.device) -> Model:
    """The model of a calibration, with its threshold.

    Raises:
        ModelError: the calibration is none, its model is not there, or is another one.
    """
    calibration = read_calibration(path)
    file = _calibrated(path, calibration)
    found = read_model(file)
    model = Model(build_network(found.card, found.weights), found.card, device, path)
    if model.sha256 != calibration.model_sha256:
        raise ModelError(
            f"calibration {str(path)!r} is of another model {calibration.model!r} than {str(file)!r}: calibrate again"
        )
    return model.calibrated(calibration)


def _calibrated(path: Path, calibration: Calibration) -> Path:
    """The file of the model of a calibration: beside it, or where it was.

    Raises:
        ModelError: there is none.
    """
    name = Path(calibration.model).name
    with file_errors(f"calibration {str(path)!r} names a model that cannot be looked for"):
        moved = name != calibration.model and (path.parent / name).exists()
    file = _find(path.parent / name if moved else calibration.model)
    if file.suffix == SUFFIX:
        raise ModelError(f"calibration {str(path)!r} names a calibration as its model: {calibration.model!r}")
    return file


@lru_cache(maxsize=4)
def _kept(path: Path, device: torch.device, _state: tuple[tuple[int, ...], ...]) -> Model:
    return _load(path, device)


def _state(path: Path) -> tuple[int, ...]:
    """What changes when a file is replaced or written to."""
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _find(name_or_path: str | Path) -> Path:
    check_type("name_or_path", name_or_path, (str, os.PathLike), "a name of the zoo or a path")
    path = Path(name_or_path)
    with file_errors(f"model {str(path)!r} cannot be read"):
        if path.is_dir():
            for name in FILES:
                if (path / name).is_file():
                    return path / name
        if path.is_file():
            return path
    name = str(name_or_path)
    zoo = known_models()
    if name in zoo:
        return _find(zoo_root() / name)
    raise ModelError(f"no model of the zoo and no file is called {name!r}. The zoo has: {', '.join(zoo)}")
