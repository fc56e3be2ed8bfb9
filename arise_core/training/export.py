"""Write a trained network as a TorchScript file with its card. The only place where TorchScript is written."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from arise_core.errors import InputError
from arise_core.model.archive import CARD_FILE, load_script
from arise_core.model.card import Card, weights_digest
from arise_core.model.model import Model
from arise_core.runtime.files import write_atomically
from arise_core.training.network import DropoutMLP


def network_digest(network: DropoutMLP) -> str:
    """sha256 of the network's weights, as the card states it."""
    return weights_digest({k: v.detach().cpu().numpy() for k, v in network.state_dict().items()})


def scripted(network: DropoutMLP) -> torch.jit.ScriptModule:
    """The network as TorchScript, on the CPU, without dropout in `forward`."""
    with warnings.catch_warnings():
        # torch deprecates TorchScript; see docs/models.md for why it is still the format
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        script: torch.jit.ScriptModule = torch.jit.script(network.cpu().eval())
        return script


def export(network: DropoutMLP, card: Card, folder: Path) -> None:
    """Write `model.pt` (with the card inside) and `card.json` into a folder, each in one step.

    Raises:
        ValueError: the card's hash is not that of the network.
    """
    if card.weights_sha256 != network_digest(network):
        raise InputError("`card.weights_sha256` is not the hash of the network's weights")
    _write(scripted(network), card, folder / "model.pt")


def replace_card(model: Model, card: Card) -> None:
    """Give the file of a loaded model another card, in `model.pt` and beside it; the weights stay.

    Raises:
        ValueError: the card's hash is not that of the model's weights.
    """
    if card.weights_sha256 != model.card.weights_sha256:
        raise InputError("`card.weights_sha256` is not the hash of the model's weights")
    _write(load_script(model.path.read_bytes()), card, model.path)


def _write(script: torch.jit.ScriptModule, card: Card, file: Path) -> None:
    text = card.to_json()

    def save(path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            torch.jit.save(script, str(path), _extra_files={CARD_FILE: text})

    write_atomically(file, save)
    write_atomically(file.with_name(CARD_FILE), lambda path: path.write_text(text + "\n", encoding="utf-8"))
