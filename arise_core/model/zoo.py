"""Models by name or path."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from arise_core.errors import InputError
from arise_core.model.archive import ModelError, _check_contract, _check_operations, _look_inside, load_script
from arise_core.model.card import Card
from arise_core.model.model import Model
from arise_core.runtime.files import file_errors, zoo_root


def known_models() -> list[str]:
    """Names of the models in the zoo."""
    return sorted(p.parent.name for p in zoo_root().glob("*/model.pt"))


def load_model(name_or_path: str | Path, device: str = "cpu") -> Model:
    """Load a model from the zoo or a file.

    Args:
        name_or_path: a name that `known_models()` lists, a `.pt` file, or a folder that holds `model.pt`.
        device: "cpu" or "cuda" (any torch device); a missing GPU falls back to the CPU with a warning.

    Raises:
        ModelError: no model of this name; or a file that is damaged, no ARISE model, of a descriptor that
            this package does not know, or that could execute more than a network needs.
    """
    path = _find(name_or_path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"model {str(path)!r} cannot be read: {error}") from error
    try:
        card_text = _look_inside(content)
        card = Card.from_json(card_text)
        module = load_script(content)
        _check_operations(module)
        _check_contract(module, card)
    except InputError as error:
        raise ModelError(f"model {str(path)!r}: {error}") from error
    return Model(module, card, _usable_device(device), path)


def _find(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    with file_errors(f"model {str(path)!r} cannot be read"):
        if path.is_dir() and (path / "model.pt").is_file():
            return path / "model.pt"
        if path.is_file():
            return path
    name = str(name_or_path)
    zoo = known_models()
    if name in zoo:
        return zoo_root() / name / "model.pt"
    raise ModelError(
        f"`name_or_path` is no model of the zoo and no file: {name!r}. The zoo has: {', '.join(zoo)}"
    )


def _usable_device(device: str) -> torch.device:
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise InputError(
            f"`device` must be a torch device such as 'cpu' or 'cuda', got {device!r}"
        ) from error
    if wanted.type == "cuda" and not torch.cuda.is_available():
        warnings.warn("`device` 'cuda' is not available here, the model runs on the CPU", stacklevel=3)
        return torch.device("cpu")
    return wanted
