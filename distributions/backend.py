"""How `ovito-arise` is built: by hatchling, which is told here where its `arise-core` is to be had.

What is installed from a checkout takes the `arise-core` that lies beside this file, so that `pip install .` asks no
index for it. Such a wheel names a folder of this machine, and no index takes it. A source distribution names the same
version of `arise-core`, as an index has it, and so does a wheel that is made of it: these are what is published
(`python -m build` makes both). An editable install (`pip install -e distributions/arise-core -e .`) does so too: the
folder would come as a copy, which hides the code that is edited.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hatchling.build
from hatchling.build import build_wheel as build_wheel  # what pip and build look for here
from hatchling.build import get_requires_for_build_editable as get_requires_for_build_editable
from hatchling.build import get_requires_for_build_sdist as get_requires_for_build_sdist
from hatchling.build import get_requires_for_build_wheel as get_requires_for_build_wheel
from hatchling.metadata.plugin.interface import MetadataHookInterface

CORE = Path(__file__).resolve().with_name("arise-core")
#: Set while something is built that takes `arise-core` from an index. Not a variable of this file: hatchling loads it a
#: second time, for the hook.
BY_VERSION = "ARISE_CORE_BY_VERSION"


class Dependencies(MetadataHookInterface):
    """The dependencies of `ovito-arise`, with those of its extras."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add them, as the hook's table in pyproject.toml lists them."""
        beside = CORE.is_dir() and BY_VERSION not in os.environ
        where = f" @ {CORE.as_uri()}" if beside else f"=={metadata['version']}"

        def placed(requirements: list[str]) -> list[str]:
            return [r + where if r.startswith("arise-core[") else r for r in requirements]

        metadata["dependencies"] = placed(self.config["dependencies"])
        extras = self.config["optional-dependencies"]
        metadata["optional-dependencies"] = {name: placed(wanted) for name, wanted in extras.items()}


@contextmanager
def _by_version() -> Iterator[None]:
    os.environ[BY_VERSION] = "1"
    try:
        yield
    finally:
        del os.environ[BY_VERSION]


def build_sdist(*arguments: Any) -> str:
    """Build the source distribution; its file name."""
    with _by_version():
        return hatchling.build.build_sdist(*arguments)


def build_editable(*arguments: Any) -> str:
    """Build the wheel of an editable install; its file name."""
    with _by_version():
        return hatchling.build.build_editable(*arguments)
