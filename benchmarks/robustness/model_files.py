"""Model files that went wrong, by accident or on purpose, made of good ones.

`mutated(safe, script, rng)` yields them without end. None of them may do anything else than be loaded or be refused
with `ModelError`, in seconds and little memory. Those of `DAMAGED` must be refused: nobody made a new hash for them.
Those of `FORGED` have a new hash, as anybody can make one: they may be loaded where they still make sense.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from arise_core.model.card import weights_digest
from arise_core.model.exchange import seal

Random = np.random.Generator
Mutation = Callable[[bytes, Random], bytes]
#: What entries of a card or header are replaced by.
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 10**9, 10**400, 2**63, -(2**63), 1e308, 1e-308, float("nan"), float("inf"), 0.5, "", "x",
    "a" * 10_000, "\x1b[2J", "\ud800", "[/red]", [], {}, [[]], [None] * 3, {"": {}}, [1e30, -1, "x"],
)  # fmt: skip


# --- any file -------------------------------------------------------------------------------------------------


def bit_flipped(content: bytes, rng: Random) -> bytes:
    """One bit is another one."""
    return flip(content, int(rng.integers(len(content))), 1 << int(rng.integers(8)))


def region_flipped(content: bytes, rng: Random) -> bytes:
    """Up to 4 kB are others."""
    begin = int(rng.integers(len(content)))
    end = min(len(content), begin + 1 + int(rng.integers(4096)))
    return content[:begin] + bytes(b ^ 0xFF for b in content[begin:end]) + content[end:]


def cut_off(content: bytes, rng: Random) -> bytes:
    """The end is missing, anything from a byte to all of it."""
    length = rng.integers(len(content)) if rng.random() < 0.5 else rng.integers(min(len(content), 40_000))
    return content[: int(length)]


def longer(content: bytes, rng: Random) -> bytes:
    """Something follows."""
    return content + rng.bytes(1 + int(rng.integers(4096)))


def wiped(content: bytes, rng: Random) -> bytes:
    """A part is zeros, as after a crash of the machine."""
    begin = int(rng.integers(len(content)))
    end = min(len(content), begin + 1 + int(rng.integers(1 << 16)))
    gone = content[begin:end]
    return content[:begin] + (bytes(len(gone)) if any(gone) else b"\xff" * len(gone)) + content[end:]


def swapped(content: bytes, rng: Random) -> bytes:
    """Two parts have changed places."""
    size = 1 + int(rng.integers(512))
    a, b = sorted(int(k) for k in rng.integers(len(content) - 2 * size, size=2))
    b += size
    first, second = content[a : a + size], content[b : b + size]
    if first == second:
        return flip(content, a)
    return content[:a] + second + content[a + size : b] + first + content[b + size :]


def noise(content: bytes, rng: Random) -> bytes:
    """Bytes at random that begin as the file does."""
    head = int(rng.integers(64))
    return content[:head] + rng.bytes(int(rng.integers(1, 100_000)))


def flip(content: bytes, place: int, mask: int = 0xFF) -> bytes:
    """Some bits of a byte are others."""
    return content[:place] + bytes([content[place] ^ mask]) + content[place + 1 :]


# --- model.safetensors -------------------------------------------------------------------------------------------


def parts(safe: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and arrays of a file."""
    end = 8 + int.from_bytes(safe[:8], "little")
    return json.loads(safe[8:end]), safe[end:]


def joined(header: Any, arrays: bytes) -> bytes:
    """The file of a header (JSON, text or bytes) and arrays, with the hash that it should have if there is a place."""
    if not isinstance(header, bytes):
        text = header if isinstance(header, str) else json.dumps(header, separators=(",", ":"))
        header = text.encode("utf-8", "surrogatepass")
    content = len(header).to_bytes(8, "little") + header + arrays
    try:
        return seal(content)
    except ValueError:
        return content


def with_card(safe: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The file after a change of its card, or with the text that `change` returns, and the hash that it should have."""
    header, arrays = parts(safe)
    card = json.loads(header["__metadata__"]["card"])
    text = change(card)
    header["__metadata__"]["card"] = text if isinstance(text, str) else json.dumps(card)
    return joined(header, arrays)


def with_weights(safe: bytes, change: Callable[[dict[str, np.ndarray]], Any]) -> bytes:
    """The file after a change of its arrays, all hashes made anew."""
    header, data = parts(safe)
    metadata = header.pop("__metadata__")
    arrays = {
        name: np.frombuffer(data[slice(*e["data_offsets"])], dtype="<f4").reshape(e["shape"]).copy()
        for name, e in header.items()
    }
    change(arrays)
    card = json.loads(metadata["card"])
    card["weights_sha256"] = weights_digest(arrays)
    head: dict[str, Any] = {"__metadata__": {**metadata, "card": json.dumps(card)}}
    kinds, end, blobs = {"f": "F", "i": "I", "u": "U"}, 0, []
    for name, array in arrays.items():
        place = [end, end := end + array.nbytes]
        kind = f"{kinds[array.dtype.kind]}{8 * array.dtype.itemsize}"
        head[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": place}
        blobs.append(array.tobytes())
    return joined(head, b"".join(blobs))


def header_length(safe: bytes, rng: Random) -> bytes:
    """The header is said to be of another length."""
    true = int.from_bytes(safe[:8], "little")
    claims = (0, 1, 2, true - 1, true + 1, true + 8, len(safe) - 8, len(safe), 2**31, 2**40, 2**63, 2**64 - 1)
    return int(rng.choice(np.array(claims, dtype=np.uint64))).to_bytes(8, "little") + safe[8:]


def header_byte(safe: bytes, rng: Random) -> bytes:
    """A byte of the header is another printable one; the hash stays."""
    end = 8 + int.from_bytes(safe[:8], "little")
    place = int(rng.integers(8, end))
    other = 32 + (safe[place] - 32 + int(rng.integers(1, 95))) % 95
    return safe[:place] + bytes([other]) + safe[place + 1 :]


def odd_header(safe: bytes, rng: Random) -> bytes:
    """An entry of the header is something else."""
    header, arrays = parts(safe)
    _replace(header, rng, keep=("__metadata__",) if rng.random() < 0.8 else ())
    return joined(header, arrays)


def odd_card(safe: bytes, rng: Random) -> bytes:
    """An entry of the card is something else."""
    return with_card(safe, lambda card: _replace(card, rng))


def odd_text(safe: bytes, rng: Random) -> bytes:
    """The header or the card is JSON as nobody writes it, or none."""
    header, arrays = parts(safe)
    name = next(iter(sorted(header.keys() - {"__metadata__"})))
    text = json.dumps(header, separators=(",", ":"))
    twice = text[:-1] + f',"{name}":{json.dumps(header[name])}}}'
    depth = int(10 ** rng.uniform(2, 6))
    nested = text[:-1] + ',"x":' + "[" * depth + "]" * depth + "}"
    choices: tuple[Callable[[], bytes], ...] = (
        lambda: joined(twice, arrays),
        lambda: joined(nested, arrays),
        lambda: joined(text.encode()[:-1] + b',"\xff\xfe":{}}', arrays),
        lambda: joined(text[:-1], arrays),
        lambda: joined([header], arrays),
        lambda: joined(text.replace('"F32"', '"F64"', 1), arrays),
        lambda: joined(text + " " * (5 * 2**20), arrays),
        lambda: with_card(safe, lambda _: '{"a":' * depth + "0" + "}" * depth),
        lambda: with_card(safe, lambda card: json.dumps(card)[:-1] + ',"name":"twice"}'),
        lambda: with_card(safe, lambda card: json.dumps(card)[: int(rng.integers(1000))]),
    )
    return choices[int(rng.integers(len(choices)))]()


def odd_place(safe: bytes, rng: Random) -> bytes:
    """An array is said to lie elsewhere, or to be larger than its numbers."""
    header, arrays = parts(safe)
    entry = header[str(rng.choice(sorted(header.keys() - {"__metadata__"})))]
    numbers = entry[str(rng.choice(["shape", "data_offsets"]))]
    k = int(rng.integers(len(numbers)))
    numbers[k] = [numbers[k] + 4, numbers[k] - 4, 0, -4, 2**31, 2**62, 10**18, 2**64][int(rng.integers(8))]
    return joined(header, arrays)


def odd_weights(safe: bytes, rng: Random) -> bytes:
    """Weights that are not finite, of another type, missing, or too many."""

    def change(arrays: dict[str, np.ndarray]) -> None:
        name = str(rng.choice(sorted(arrays)))
        what = int(rng.integers(8))
        if what == 0:
            arrays[name].flat[int(rng.integers(arrays[name].size))] = rng.choice([np.nan, np.inf, -np.inf])
        elif what == 1:
            arrays[name] = arrays[name].astype(rng.choice(["f8", "f2", "i4", "u1"]))
        elif what == 2:
            del arrays[name]
        elif what == 3:
            arrays[f"{name}.more"] = arrays[name]
        elif what == 4:
            arrays[name] = arrays[name].ravel()[:0]
        elif what == 5:
            arrays[name] = arrays[name].T[..., None]
        elif what == 6:
            for k in range(int(rng.integers(1, 2000))):
                arrays[f"x{k}"] = arrays["mean"][:1]
        else:
            arrays[name] *= np.float32(10.0 ** rng.uniform(-40, 30))

    with np.errstate(over="ignore", under="ignore"):
        return with_weights(safe, change)


def _replace(root: Any, rng: Random, keep: tuple[str, ...] = ()) -> None:
    """Put something odd somewhere into nested objects and lists."""
    node, path = root, []
    while True:
        keys = [k for k in (node if isinstance(node, dict) else range(len(node))) if k not in keep]
        if not keys:
            return
        key = keys[int(rng.integers(len(keys)))]
        path.append(key)
        if not isinstance(node[key], dict | list) or not node[key] or rng.random() < 0.25:
            break
        node = node[key]
    what = int(rng.integers(len(ODD) + 2))
    if what < len(ODD):
        node[key] = ODD[what]
    elif what == len(ODD):
        del node[key]
    elif isinstance(node, dict):
        node["odd"] = node[key]
    else:
        node.extend([node[key]] * int(rng.integers(1, 500)))


# --- model.pt ---------------------------------------------------------------------------------------------------


def members(script: bytes) -> dict[str, bytes]:
    """Names and contents of an archive, without the folder that all are in."""
    with zipfile.ZipFile(io.BytesIO(script)) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def archive_of(
    contents: dict[str, bytes],
    compressed: tuple[str, ...] = (),
    twice: tuple[str, ...] = (),
    folder: str = "archive",
) -> bytes:
    """An archive as torch writes it: some of its members compressed, some there twice."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in contents.items():
            method = zipfile.ZIP_DEFLATED if name in compressed else zipfile.ZIP_STORED
            for _ in range(1 + (name in twice)):
                info = zipfile.ZipInfo(f"{folder}/{name}", (1980, 1, 1, 0, 0, 0))
                archive.writestr(info, content, method)
    return out.getvalue()


def odd_members(script: bytes, rng: Random) -> bytes:
    """Members of an archive are missing, renamed, others, twice, compressed, or huge."""
    contents = members(script)
    name = str(rng.choice(sorted(contents)))
    what = int(rng.integers(9))
    if what == 0:
        del contents[name]
    elif what == 1:
        contents = {(n.upper() if n == name else n): c for n, c in contents.items()}
    elif what == 2:
        contents[name] = contents[name][: len(contents[name]) // 2]
    elif what == 3:
        contents[name] = rng.bytes(len(contents[name]))
    elif what == 4:
        return _twice(contents, name)
    elif what == 5:
        return archive_of(contents, compressed=(name,))
    elif what == 6:
        contents["data.pkl"] = bytes(200_000_000)
        return archive_of(contents, compressed=("data.pkl",))
    elif what == 7:
        for k in range(2000):
            contents[f"x{k}"] = b""
    else:
        contents[f"code/__torch__/evil{'.PY' if rng.random() < 0.5 else '.py'}"] = b"while True: pass"
    return archive_of(contents)


def _twice(contents: dict[str, bytes], name: str) -> bytes:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile says so
        return archive_of(contents, twice=(name,))


def odd_program(script: bytes, rng: Random) -> bytes:
    """`data.pkl` is another program."""
    contents = members(script)
    good = contents["data.pkl"]
    place = int(rng.integers(2, len(good)))
    programs: tuple[bytes, ...] = (
        flip(good, place, 1 << int(rng.integers(8))),
        good[:place],
        good[:place] + rng.bytes(8) + good[place:],
        b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.",  # a call
        b"\x80\x02X\x01\x00\x00\x00a" + b"\x86".join([b"2"] * 2) + b".",
        b"\x80\x02)" + b"2\x86" * 60 + b".",  # tuples of tuples, 2^60 of them
        b"\x80\x02}r\xff\xff\xff\x7f.",  # a memo with room for 2^31
        b"\x80\x02\x8e" + struct.pack("<Q", 2**62) + b".",  # bytes beyond the end
        b"\x80\x02" + b"(" * 100_000 + b".",
        b"\x80\x02" + b"]" * 100_000 + b".",
    )
    contents["data.pkl"] = programs[int(rng.integers(len(programs)))]
    return archive_of(contents)


def odd_archive_card(script: bytes, rng: Random) -> bytes:
    """The card of an archive is another one."""
    contents = members(script)
    card = json.loads(contents["extra/card.json"])
    _replace(card, rng)
    contents["extra/card.json"] = json.dumps(card).encode("utf-8", "surrogatepass")
    return archive_of(contents)


# --- all of them ------------------------------------------------------------------------------------------------

#: What happens to any file; must be refused.
DAMAGED: tuple[Mutation, ...] = (bit_flipped, region_flipped, cut_off, longer, wiped, swapped, noise)
#: What happens to a `.safetensors` file with its old hash; must be refused.
DAMAGED_SAFE: tuple[Mutation, ...] = (header_length, header_byte)
#: What is done to a `.safetensors` file by somebody who can make hashes.
FORGED_SAFE: tuple[Mutation, ...] = (odd_header, odd_card, odd_text, odd_place, odd_weights)
#: What is done to a TorchScript file; must be refused, since none of these ships with the package.
FORGED_SCRIPT: tuple[Mutation, ...] = (odd_members, odd_program, odd_archive_card)


def mutated(safe: bytes, script: bytes, rng: Random) -> Iterator[tuple[str, str, bytes, bool]]:
    """Files without end: name of the mutation, ending of the file name, bytes, and whether they must be refused.

    Args:
        safe: bytes of a good `model.safetensors`.
        script: bytes of a good `model.pt`.
        rng: generator.
    """
    kinds = [
        *((".safetensors", safe, m, True) for m in (*DAMAGED, *DAMAGED_SAFE)),
        *((".safetensors", safe, m, False) for m in FORGED_SAFE),
        *((".pt", script, m, True) for m in (*DAMAGED, *FORGED_SCRIPT)),
    ]
    while True:
        for k in rng.permutation(len(kinds)):
            ending, good, mutation, must = kinds[k]
            yield mutation.__name__, ending, mutation(good, rng), must
