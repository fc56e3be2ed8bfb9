"""What a model file holds: found, read as data and checked, whichever of the two formats it has."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from arise_core.errors import InputError, ModelError
from arise_core.geometry.arrays import Float32Array
from arise_core.model import archive, exchange
from arise_core.model.card import Card, check_weights
from arise_core.runtime.files import zoo_root

SAFE_FILE = "model.safetensors"
SCRIPT_FILE = "model.pt"
#: What a folder with a model holds; the first that is there is read.
FILES = (SAFE_FILE, SCRIPT_FILE)
#: Most characters of a message about what is in a file.
MOST_SAID = 2000
#: Hashes of the files of the zoo, as `sha256sum` writes them; `python dev.py zoo` writes it anew.
SHIPPED = Path(__file__).with_name("shipped.sha256")


def known_models() -> list[str]:
    """Names of the models in the zoo."""
    return sorted({path.parent.name for file in FILES for path in zoo_root().glob(f"*/{file}")})


def name_in_zoo(path: Path) -> str:
    """Name of the model of the zoo that a file belongs to; empty where it is of none."""
    folder = path.resolve().parent
    return folder.name if folder.parent == zoo_root().resolve() and folder.name in known_models() else ""


@dataclass(frozen=True)
class Contents:
    """Card and weights of a model."""

    card: Card
    weights: dict[str, Float32Array]

    @classmethod
    def of(cls, card_text: str, weights: dict[str, Float32Array]) -> Contents:
        """Card and weights that fit each other.

        Raises:
            InputError: they do not, or the card is none.
        """
        card = Card.from_json(card_text)
        check_weights(weights, card)
        return cls(card, weights)


def read_model(path: Path) -> Contents:
    """Card and weights of a model file; nothing in it is run.

    A TorchScript file carries no hash of its card: it must be one that ships with this package, or have the same model
    as `.safetensors` beside it.

    Raises:
        ModelError: the file cannot be read, is damaged, altered or no model.
    """
    try:
        content = read_bytes(path)
        if not content.startswith(archive.MAGIC):
            return Contents.of(*exchange.unpack(content))
        found = Contents.of(*archive.unpack(content))
        if hashlib.sha256(content).hexdigest() not in shipped():
            _check_beside(path, found)
        return found
    except OSError as error:
        raise ModelError(f"model {str(path)!r} cannot be read: {error}") from error
    except InputError as error:
        raise _of(path, error) from error


def read_script(path: Path) -> Contents:
    """Card and weights of a TorchScript file that somebody vouches for; not run either.

    Raises:
        ModelError: as `read_model`; or it is no TorchScript file.
    """
    try:
        return Contents.of(*archive.unpack(read_bytes(path)))
    except OSError as error:
        raise ModelError(f"model {str(path)!r} cannot be read: {error}") from error
    except InputError as error:
        raise _of(path, error) from error


def _of(path: Path, error: InputError) -> ModelError:
    """The error with the name of the file; what it quotes of the file is cut and has no control characters."""
    said = "".join(c if c.isprintable() else "?" for c in str(error)[:MOST_SAID])
    return ModelError(f"model {str(path)!r}: {said}")


def read_bytes(path: Path) -> bytes:
    """The bytes of a file that is not too large to be a model.

    Raises:
        OSError: the system does not let it.
        ModelError: it is too large.
    """
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > exchange.MAX_FILE:
            raise ModelError(f"the file has {size} bytes, models have at most {exchange.MAX_FILE}")
        return stream.read(size)


@lru_cache(maxsize=1)
def shipped() -> frozenset[str]:
    """Hashes of the files that ship with this package."""
    return frozenset(line.split()[0] for line in SHIPPED.read_text(encoding="utf-8").splitlines())


def _check_beside(path: Path, found: Contents) -> None:
    """Refuse a TorchScript file that is not that of the file beside it."""
    beside = path.with_suffix(".safetensors")
    if not beside.is_file():
        raise ModelError(
            "a TorchScript file that does not ship with this package is not loaded. If you trust where it is from, "
            f"`arise convert {path}` reads its card and weights, without running it, and writes {beside.name!r} "
            "beside it"
        )
    other = read_model(beside)
    if found.card != other.card:
        raise ModelError(
            f"it is another model than {beside.name!r} beside it: one of them was changed; give that file, or remove it"
        )
