"""`model.safetensors`, the format in which models are exchanged: numbers and the card, nothing that could run.

8 bytes with the length of the header, the header (JSON: the card, a hash, and name, type, shape and place of each
array), the arrays. The hash is that of the whole file with 64 zeros in its place, so that no bit of a file, of its
card or of its weights, changes without another hash.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from arise_core.errors import InputError, ModelError
from arise_core.geometry.arrays import Float32Array
from arise_core.model.entries import read_json

#: Largest file and header, bytes; the models of the zoo have 3 million and 40,000.
MAX_FILE = 128 * 2**20
MAX_HEADER = 4 * 2**20
#: Most arrays in a file, and the longest side of one.
MAX_ARRAYS = 200
MAX_SIDE = 2**24
#: Stands for the hash while it is computed.
NO_HASH = b"0" * 64
HASH = re.compile(rb'"sha256":"([0-9a-f]{64})"')


def pack(card_text: str, weights: Mapping[str, Float32Array]) -> bytes:
    """The file of a card and weights, the same for the same contents.

    Raises:
        InputError: the card or the weights are larger than files may be.
    """
    metadata = {"card": card_text, "sha256": NO_HASH.decode()}
    header: dict[str, Any] = {"__metadata__": metadata}
    parts, end = [], 0
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name], dtype="<f4")
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [begin, end]}
        parts.append(array.tobytes())
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER or len(text) + end > MAX_FILE:
        raise InputError(
            f"the model is too large: a card of {len(text)} and weights of {end} bytes; "
            f"model files have at most {MAX_HEADER} and {MAX_FILE}"
        )
    return seal(b"".join([len(text).to_bytes(8, "little"), text, *parts]))


def seal(content: bytes) -> bytes:
    """A file with the hash that it should have.

    Raises:
        ModelError: it has no place for one.
    """
    begin, end = _place_of_hash(content)
    return content[:begin] + _digest(content, begin, end).encode() + content[end:]


def unpack(content: bytes) -> tuple[str, dict[str, Float32Array]]:
    """Card text and weights in the bytes of a file.

    Raises:
        ModelError: the file is damaged, altered or none of ours.
    """
    begin, end = _place_of_hash(content)
    if _digest(content, begin, end).encode() != content[begin:end]:
        raise ModelError("the file does not have the hash that it states: it was altered or damaged")
    try:
        header = read_json(content[8 : _end_of_header(content)].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"not a model file, or a damaged one (its header: {error})") from error
    metadata = header.pop("__metadata__", None) if isinstance(header, dict) else None
    card_text = metadata.get("card") if isinstance(metadata, dict) else None
    if not isinstance(card_text, str) or metadata != {
        "card": card_text,
        "sha256": content[begin:end].decode(),
    }:
        raise ModelError("the file carries no ARISE model card")
    if len(header) > MAX_ARRAYS or not all(_is_entry(entry) for entry in header.values()):
        raise ModelError("not a model file, or a damaged one (arrays that no model has)")
    try:
        return card_text, load(content)  # checks that the arrays fill the file, without overlaps
    except SafetensorError as error:
        raise ModelError(f"not a model file, or a damaged one ({error})") from error


def _end_of_header(content: bytes) -> int:
    size = int.from_bytes(content[:8], "little")
    if not 2 <= size <= MAX_HEADER or 8 + size > len(content):
        raise ModelError("not a model file, or a damaged one (no header of a model)")
    return 8 + size


def _place_of_hash(content: bytes) -> tuple[int, int]:
    found = list(HASH.finditer(content[: _end_of_header(content)]))
    if len(found) != 1:
        raise ModelError("the file carries no ARISE model card with one hash")
    return found[0].span(1)


def _digest(content: bytes, begin: int, end: int) -> str:
    digest = hashlib.sha256(content[:begin])
    digest.update(NO_HASH)
    digest.update(memoryview(content)[end:])
    return digest.hexdigest()


def _is_entry(entry: Any) -> bool:
    """Whether an entry of the header is that of an array of single precision that is not empty."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        return False
    numbers = [entry["shape"], entry["data_offsets"]]
    if not all(isinstance(n, list) and len(n) <= 2 and all(type(k) is int for k in n) for n in numbers):
        return False
    return bool(entry["dtype"] == "F32") and all(0 < side <= MAX_SIDE for side in entry["shape"])
