"""Where the model zoo lies: packaged with the installed core, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path


def zoo_root() -> Path:
    """The folder `model_zoo`, with the table of prototypes and one folder a model.

    A wheel carries it as `arise_core/model_zoo`; in a checkout (an editable install too) it stands next to
    `arise_core`.

    Raises:
        FileNotFoundError: neither place has a table of prototypes.
    """
    package = Path(__file__).resolve().parent
    places = (package / "model_zoo", package.parent / "model_zoo")
    for folder in places:
        if (folder / "prototypes.toml").is_file():
            return folder
    raise FileNotFoundError(
        f"the model zoo (a folder with `prototypes.toml`) is missing, looked in {places[0]} and {places[1]}: "
        "install ovito-arise again"
    )
