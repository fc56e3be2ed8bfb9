"""`arise info`: what is installed and what is used, for reports of problems."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import typer
from rich.table import Table

from arise_cli.console import print_table, say_json
from arise_cli.options import Json
from arise_core.version import VERSION

#: Distributions whose versions matter; those of extras may be missing.
PACKAGES = (
    "numpy", "scipy", "numba", "torch", "ase", "ovito", "dscribe", "spglib", "scikit-learn", "hdbscan", "umap-learn",
    "xarray", "zarr", "dask", "chemiscope", "optuna",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("info")(show_info)


def show_info(as_json: Json = False) -> None:
    """Versions, models, threads, memory, devices: paste it into a report of a problem."""
    found = _found()
    if as_json:
        say_json(found)
        return
    table = Table("", "", show_header=False)
    for name, value in found.items():
        text = (
            ", ".join(f"{k} {v}".strip() for k, v in value.items()) if isinstance(value, dict) else str(value)
        )
        table.add_row(name, text)
    print_table(table, 120)


def _found() -> dict[str, Any]:
    from arise_core.model.devices import devices
    from arise_core.model.zoo import known_models, load_model
    from arise_core.runtime import memory, threads

    there = memory.available()
    names = ("ARISE_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "NUMBA_CACHE_DIR", "PYTHONPATH")
    return {
        "arise-core": VERSION,
        "ovito-arise": _version("ovito-arise"),
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        "processors": os.cpu_count() or 0,
        "threads": threads.count(),
        "memory (GiB)": round(there / 2**30, 1) if there < memory.UNKNOWN else "not known",
        "devices": devices(),
        "models": {name: load_model(name).card.weights_sha256[:12] for name in known_models()},
        "packages": {name: _version(name) for name in PACKAGES},
        "environment": {name: os.environ[name] for name in names if name in os.environ},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
