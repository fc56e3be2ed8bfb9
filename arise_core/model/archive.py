"""Card and weights of a TorchScript file (`model.pt`), read as data: nothing in the file is ever run.

Such a file is a zip archive. Its `data.pkl` says which arrays there are, as a program for Python's pickle machine. Here
that program is not given to that machine: it is read operation by operation, and no operation can do more than put
words, numbers and names together. All that is known of an object is its attributes.
"""

from __future__ import annotations

import io
import math
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from arise_core.errors import ModelError
from arise_core.geometry.arrays import Float32Array

#: First bytes of an archive.
MAGIC = b"PK\x03\x04"
#: First bytes of the entry of a member in the archive's directory.
DIRECTORY_ENTRY = b"PK\x01\x02"
CARD_FILE = "card.json"
#: Most members, and largest sizes, bytes.
MAX_MEMBERS = 1000
MAX_CARD = 4 * 2**20
MAX_PROGRAM = 2**20
#: Most operations of the program; those of the zoo have 500.
MAX_OPERATIONS = 50_000
#: Most arrays.
MAX_ARRAYS = 200
#: Deepest layer of attributes in which an array may lie (`layers.0.weight`).
MAX_DEPTH = 4

DAMAGED = "not a model file, or a damaged one"


def unpack(content: bytes) -> tuple[str, dict[str, Float32Array]]:
    """Card text and weights in the bytes of an archive.

    Raises:
        ModelError: the archive is damaged, none of ours, or holds something else than a network.
    """
    archive = _Members(content)
    card = archive.read(f"extra/{CARD_FILE}", MAX_CARD, "the file carries no ARISE model card")
    program = archive.read("data.pkl", MAX_PROGRAM, "not a TorchScript archive")
    try:
        text = card.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{DAMAGED} (its card: {error})") from error
    if archive.has("byteorder") and archive.read("byteorder", 16) != b"little":
        raise ModelError(f"{DAMAGED} (numbers with the largest byte first)")
    root = _Program(program).run()
    if not isinstance(root, _Object):
        raise ModelError(f"{DAMAGED} (no network in it)")
    calls = dict(_calls(root, (), set()))
    if len(calls) > MAX_ARRAYS:
        raise ModelError(f"{DAMAGED} (more arrays than a model has)")
    records = {name: _record_of(call) for name, call in calls.items()}
    if len(set(records.values())) != len(records):
        raise ModelError(f"{DAMAGED} (arrays that share their numbers)")
    return text, {name: _array(call, records[name], archive) for name, call in calls.items()}


class _Members:
    """Members of a zip archive, as torch writes them: not compressed, each name once."""

    def __init__(self, content: bytes) -> None:
        if content.count(DIRECTORY_ENTRY) > MAX_MEMBERS:  # before a list of millions is made of them
            raise ModelError(f"{DAMAGED} (more members than a model has)")
        self.zip: zipfile.ZipFile = self._guarded(lambda: zipfile.ZipFile(io.BytesIO(content)))
        infos = self.zip.infolist()
        # torch puts all into one folder, of any name
        self.infos = {info.filename.partition("/")[2]: info for info in infos}
        folders = {info.filename.partition("/")[0] for info in infos}
        if len(self.infos) != len(infos) or len(folders) != 1:
            raise ModelError(f"{DAMAGED} (members that no model has)")

    @staticmethod
    def _guarded(work: Any) -> Any:
        """What `zipfile` raises at damaged archives, as one error."""
        try:
            return work()
        except (
            zipfile.BadZipFile, zlib.error, struct.error, ValueError, RuntimeError, OSError, EOFError,
            OverflowError, IndexError,
        ) as error:  # fmt: skip
            raise ModelError(f"{DAMAGED} ({error})") from error

    def has(self, name: str) -> bool:
        """Whether there is a member of this name."""
        return name in self.infos

    def size(self, name: str) -> int:
        """Bytes of a member.

        Raises:
            ModelError: there is none, or it is compressed.
        """
        info = self.infos.get(name)
        if info is None:
            raise ModelError(f"{DAMAGED} (no member {name!r:.80})")
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise ModelError(f"{DAMAGED} (member {name!r:.80} is compressed)")
        size: int = info.file_size
        return size

    def read(self, name: str, largest: int, missing: str = DAMAGED) -> bytes:
        """Contents of a member of at most so many bytes, after a look at its checksum."""
        if not self.has(name):
            raise ModelError(missing)
        if self.size(name) > largest:
            raise ModelError(f"{DAMAGED} (member {name!r:.80} has more than {largest} bytes)")
        found: bytes = self._guarded(lambda: self.zip.read(self.infos[name]))
        return found


@dataclass(frozen=True)
class _Name:
    """A global of the program, such as "torch FloatStorage"; only its name is ever looked at."""

    name: str


@dataclass
class _Object:
    """An object of some class: its attributes."""

    attributes: dict[str, Any]


@dataclass(frozen=True)
class _Called:
    """A function with its arguments, never called."""

    function: _Name
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class _Record:
    """A reference to numbers outside the program."""

    reference: Any


class _Mark:
    """A place on the stack."""


#: What an array of float32 is made by, and the type of its record.
REBUILD = _Name("torch._utils _rebuild_tensor_v2")
FLOATS = _Name("torch FloatStorage")


class _Program:
    """The operations of `data.pkl`, as far as torch writes them."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """What the program leaves on the stack.

        Raises:
            ModelError: an operation that no model has, or one without what it works on.
        """
        try:
            for count, (operation, argument, _) in enumerate(pickletools.genops(self.content)):
                if count > MAX_OPERATIONS:
                    raise ModelError(f"{DAMAGED} (too many attributes)")
                self._step(operation.name, argument)
            (result,) = self.stack
        except ModelError:
            raise
        # of genops, of an empty stack, of a memo without an entry, of what fits nowhere
        except (
            ValueError,
            IndexError,
            KeyError,
            TypeError,
            AttributeError,
            struct.error,
            OverflowError,
        ) as error:
            raise ModelError(f"{DAMAGED} (its attributes: {error})") from error
        return result

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in ("PROTO", "STOP"):
            return
        if name in ("BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"):
            stack.append(argument)
        elif name in ("NEWTRUE", "NEWFALSE", "NONE"):
            stack.append({"NEWTRUE": True, "NEWFALSE": False, "NONE": None}[name])
        elif name in ("EMPTY_TUPLE", "EMPTY_DICT", "EMPTY_LIST", "MARK"):
            stack.append(
                {"EMPTY_TUPLE": tuple, "EMPTY_DICT": dict, "EMPTY_LIST": list, "MARK": _Mark}[name]()
            )
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name == "GLOBAL":
            stack.append(_Name(argument))
        elif name in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"):
            stack.append(tuple(self._since_mark() if name == "TUPLE" else self._last(int(name[-1]))))
        elif name == "BINPERSID":
            stack.append(_Record(stack.pop()))
        elif name in ("NEWOBJ", "REDUCE"):
            self._make(name)
        elif name == "SETITEMS":
            items = self._since_mark()
            if not all(isinstance(key, str) for key in items[::2]):
                raise ModelError(f"{DAMAGED} (an attribute without a name)")
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name == "BUILD":
            self._build()
        else:
            raise ModelError(f"{DAMAGED} (operation {name} among its attributes)")

    def _make(self, name: str) -> None:
        function, arguments = self._last(2)
        if not isinstance(function, _Name) or not isinstance(arguments, tuple):
            raise ModelError(f"{DAMAGED} (something called that has no name)")
        self.stack.append(_Object({}) if name == "NEWOBJ" else _Called(function, arguments))

    def _build(self) -> None:
        target, state = self._last(2)
        if not isinstance(target, _Object) or target.attributes or not isinstance(state, dict):
            raise ModelError(f"{DAMAGED} (attributes of something else than an object)")
        self.stack.append(_Object(state))

    def _last(self, n: int) -> list[Any]:
        if len(self.stack) < n:
            raise IndexError("too little on the stack")
        found = self.stack[-n:]
        del self.stack[-n:]
        return found

    def _since_mark(self) -> list[Any]:
        found: list[Any] = []
        while not isinstance(top := self.stack.pop(), _Mark):
            found.append(top)
        return found[::-1]


def _calls(module: _Object, path: tuple[str, ...], seen: set[int]) -> Iterator[tuple[str, _Called]]:
    """What is made by calls among the attributes of an object and of those in it, by full name: the arrays."""
    if len(path) > MAX_DEPTH or id(module) in seen:
        raise ModelError(f"{DAMAGED} (objects inside objects)")
    seen.add(id(module))
    for name, value in module.attributes.items():
        if not name or "." in name:
            raise ModelError(f"{DAMAGED} (an attribute without a name)")
        if isinstance(value, _Object):
            yield from _calls(value, (*path, name), seen)
        elif isinstance(value, _Called):
            yield ".".join((*path, name)), value


def _record_of(call: _Called) -> str:
    """The member with the numbers of an array, which must be a call of torch's `_rebuild_tensor_v2`."""
    record = call.arguments[0] if call.arguments else None
    reference = record.reference if isinstance(record, _Record) else None
    if not isinstance(reference, tuple) or len(reference) != 5 or not isinstance(reference[2], str):
        raise ModelError(f"{DAMAGED} (an array without a record)")
    if (call.function, reference[0], reference[1]) != (REBUILD, "storage", FLOATS):
        raise ModelError(f"{DAMAGED} (an array of another kind than float32)")
    return f"data/{reference[2]}"


def _array(call: _Called, member: str, archive: _Members) -> Float32Array:
    """The array of a call; it must fill its record in the usual order."""
    if len(call.arguments) < 4:
        raise ModelError(f"{DAMAGED} (an array without a shape)")
    record, offset, shape, strides = call.arguments[:4]
    for sizes in (shape, strides):
        if not isinstance(sizes, tuple) or not 1 <= len(sizes) <= 2 or not all(type(k) is int for k in sizes):
            raise ModelError(f"{DAMAGED} (the shape of an array)")
    usual = (shape[1], 1) if len(shape) == 2 else (1,)
    size, stated = math.prod(shape), record.reference[4]
    if type(offset) is not int or type(stated) is not int or min(shape) < 1:
        raise ModelError(f"{DAMAGED} (the shape of an array)")
    if offset != 0 or strides != usual or size != stated or archive.size(member) != 4 * size:
        raise ModelError(f"{DAMAGED} (an array of shape {shape!r:.80} that does not fit its record)")
    return np.frombuffer(archive.read(member, 4 * size), dtype="<f4").reshape(shape).copy()
