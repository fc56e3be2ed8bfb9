"""Make the files of each model of the zoo fit each other, and note their hashes: `python dev.py zoo`."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from arise_core.errors import InputError
from arise_core.model.contents import SAFE_FILE, SCRIPT_FILE, SHIPPED, read_model, read_script
from arise_core.model.zoo import known_models
from arise_core.runtime.files import write_atomically, zoo_root
from arise_core.training.export import FILES, write_safe, write_script


def complete(folder: Path) -> None:
    """Write that of `model.safetensors` and `model.pt` which a folder lacks, from the other one.

    Raises:
        InputError: both are there and are different models.
    """
    safe, script = folder / SAFE_FILE, folder / SCRIPT_FILE
    if not safe.is_file():
        write_safe(read_script(script), safe)
    found = read_model(safe)
    if not script.is_file():
        write_script(found, script)
    if read_script(script).card != found.card:
        raise InputError(f"{safe} and {script.name} are different models: remove the one that is not to ship")


def listing(root: Path) -> str:
    """Hashes of the files of a zoo, as `sha256sum` in its folder writes them."""
    paths = sorted(path for file in FILES for path in root.glob(f"*/{file}"))
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(root).as_posix()}\n"
        for path in paths
    )


def main() -> int:
    """Do so for the zoo of this checkout."""
    root = zoo_root()
    for name in known_models():
        complete(root / name)
    text = listing(root)
    write_atomically(SHIPPED, lambda path: path.write_text(text, encoding="utf-8"))
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
