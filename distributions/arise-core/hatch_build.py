"""Which files `arise-core` is made of: those of the checkout two folders up, or of its source distribution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGES = ("arise_core", "ase_arise", "arise_images", "arise_cli")
ZOO = "model_zoo"
#: Where a wheel has the zoo; `zoo_root` looks there.
ZOO_IN_WHEEL = f"{PACKAGES[0]}/{ZOO}"


class Files(BuildHookInterface[Any]):
    """Adds packages and model zoo to what is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Say where each comes from and where it goes."""
        here = Path(self.root)
        checkout = here.parents[1]
        unpacked = (here / ZOO).is_dir()
        if version == "editable":  # the code where it is; it finds the zoo beside it
            build_data["force_include_editable"] = {}
            return
        files = build_data["force_include"]
        files[str((here if unpacked else checkout) / ZOO)] = (
            ZOO_IN_WHEEL if self.target_name == "wheel" else ZOO
        )
        if not unpacked:
            files.update({str(checkout / name): name for name in PACKAGES})
