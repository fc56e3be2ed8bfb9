"""Where a network runs: the names that torch has for devices, and those that are here."""

from __future__ import annotations

import warnings

import torch

from arise_core.errors import InputError
from arise_core.settings import DEVICES


def usable_device(name: str | torch.device) -> torch.device:
    """The device of a name; the CPU, with a warning, where it is missing or has no double precision (`mps`).

    Raises:
        InputError: torch has no such name.
    """
    try:
        wanted = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise InputError(
            f"`device` must be a torch device such as 'cpu' or 'cuda', got {name!r:.40}; names are "
            f"{', '.join(DEVICES)}, of which there are here: {', '.join(devices())}"
        ) from error
    if wanted.type == "cpu":
        return torch.device("cpu")
    if wanted.type == "meta":
        raise InputError("`device` must be one that computes, got 'meta'")
    if not _computes(wanted):
        warnings.warn(
            f"`device` {str(wanted)!r} is not available here, the model runs on the CPU", stacklevel=3
        )
        return torch.device("cpu")
    return wanted


def devices() -> dict[str, str]:
    """Devices on which a network runs here, with what they are called: {"cpu": "", "cuda:0": "NVIDIA H100"}."""
    found = {"cpu": ""}
    for k in range(torch.cuda.device_count()):
        found[f"cuda:{k}"] = torch.cuda.get_device_name(k)
    return found | {name: "" for name in DEVICES[2:] if _computes(torch.device(name))}


def _computes(device: torch.device) -> bool:
    """Whether sums in double precision can be made on a device, and fetched."""
    try:
        torch.zeros(1, device=device, dtype=torch.float64).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError, TypeError):
        return False  # torch was built without it, none is there, or it has no double precision
    return True
