"""Write a trained network with its card, as `model.safetensors` and as TorchScript, which is written nowhere else."""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path

import torch

from arise_core.errors import InputError, WorkError
from arise_core.model.archive import CARD_FILE
from arise_core.model.card import Card, weights_digest
from arise_core.model.contents import SAFE_FILE, SCRIPT_FILE, Contents
from arise_core.model.exchange import pack
from arise_core.model.model import Model
from arise_core.model.network import DropoutMLP, build_network
from arise_core.runtime.files import write_atomically

#: What `export` writes into a folder.
FILES = (SAFE_FILE, SCRIPT_FILE, CARD_FILE)
#: Python from which on torch does not support TorchScript.
NO_SCRIPT = (3, 14)


def network_digest(network: DropoutMLP) -> str:
    """sha256 of the network's weights, as the card states it."""
    return weights_digest({k: v.detach().cpu().numpy() for k, v in network.state_dict().items()})


def export(network: DropoutMLP, card: Card, folder: Path) -> None:
    """Write `model.safetensors`, `model.pt` (both with the card inside) and `card.json`, each in one step.

    Where torch does not support TorchScript, `model.pt` is left out with a warning: no prediction needs it.

    Raises:
        InputError: the card's hash is not that of the network, or the card is none that could be loaded.
    """
    weights = {k: v.detach().cpu().numpy() for k, v in network.state_dict().items()}
    if card.weights_sha256 != weights_digest(weights):
        raise InputError("`card.weights_sha256` is not the hash of the network's weights")
    found = Contents.of(card.to_json(), weights)
    write_safe(found, folder / SAFE_FILE)
    _write_script_if_it_can(found, folder / SCRIPT_FILE)


def replace_card(model: Model, card: Card) -> None:
    """Give the files of a loaded model another card, and `card.json` beside them too; the weights stay.

    Raises:
        InputError: the card's hash is not that of the model's weights, the card is none that could be loaded, or the
            model is that of a calibration.
    """
    refuse_calibration(model)
    if card.weights_sha256 != model.card.weights_sha256:
        raise InputError("`card.weights_sha256` is not the hash of the model's weights")
    found = Contents.of(card.to_json(), model.weights())
    write_safe(found, model.path.with_suffix(".safetensors"))
    script = model.path.with_suffix(".pt")
    if script.is_file():
        _write_script_if_it_can(found, script)


def refuse_calibration(model: Model) -> None:
    """Refuse what has no card of its own.

    Raises:
        InputError: a model that was loaded from a calibration.
    """
    if model.calibration is not None:
        raise InputError(f"`model` must be a model's own file, got the calibration {str(model.path)!r}")


def _write_script_if_it_can(contents: Contents, file: Path) -> None:
    if has_torchscript():
        write_script(contents, file)
    else:
        warnings.warn(f"{str(file)!r} is not written: {_no_torchscript()}", stacklevel=3)


def has_torchscript() -> bool:
    """Whether torch supports TorchScript here."""
    return sys.version_info < NO_SCRIPT and hasattr(torch.jit, "script")


def _no_torchscript() -> str:
    return f"torch {torch.__version__} does not support TorchScript with Python {sys.version.split()[0]}"


def write_safe(contents: Contents, file: Path) -> None:
    """Write a model as `.safetensors`, and its card beside it."""
    text = contents.card.to_json()
    content = pack(text, contents.weights)
    write_atomically(file, lambda path: path.write_bytes(content))
    write_atomically(file.with_name(CARD_FILE), lambda path: path.write_text(text + "\n", encoding="utf-8"))


def write_script(contents: Contents, file: Path) -> None:
    """Write a model as TorchScript with its card inside, for programs without this package.

    Raises:
        WorkError: torch does not support TorchScript here.
    """
    if not has_torchscript():
        raise WorkError(f"{str(file)!r} cannot be written: {_no_torchscript()}")
    network = build_network(contents.card, contents.weights)
    with warnings.catch_warnings():
        # torch deprecates TorchScript; see docs/models.md for what it is still good for
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        script = torch.jit.script(network)
        buffer = io.BytesIO()  # torch's own writer ends the process where a disk is full
        torch.jit.save(script, buffer, _extra_files={CARD_FILE: contents.card.to_json()})
    write_atomically(file, lambda path: path.write_bytes(buffer.getvalue()))
