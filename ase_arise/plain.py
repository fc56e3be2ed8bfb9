"""What is in a file: uncompressed, in UTF-8 without a mark at its begin, by its content and not by its name."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from arise_core.errors import InputError

#: How compressed files begin, and what opens them.
COMPRESSED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.BZ2File, b"\xfd7zXZ": lzma.LZMAFile}
#: Names by which ASE takes a file for a compressed one.
SUFFIXES = (".gz", ".bz2", ".xz")
#: Marks at the begin of text and what it is written in; the longer ones first.
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
#: What is said of compressed files that end too early, and of those that are damaged.
ENDS = "the file ends"
DAMAGED = "its compressed data are damaged"
CHUNK = 1 << 16
#: Bytes of a compressed file that are read at once, at most.
MOST = 2 << 30


class Plain(io.RawIOBase):
    """Reads what is in a file. It ends where compressed data end too early or are damaged; `problem` says so."""

    def __init__(self, file: BinaryIO) -> None:
        begin = _begin(file)
        opener = next((o for magic, o in COMPRESSED.items() if begin.startswith(magic)), None)
        self.packed = opener is not None
        self.problem = ""
        self._file = file
        self._source: Any = file if opener is None else opener(file)
        self._decoder: Any = None
        self._rest = self._more()
        encoding = next((e for mark, e in MARKS.items() if self._rest.startswith(mark)), None)
        self.as_it_is = encoding is None and not self.packed
        if encoding is not None:
            self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
            self._rest = self._decoder.decode(self._rest).encode()

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes; 0 at the end."""
        while not self._rest:
            chunk = self._more()
            if not chunk:
                return 0
            self._rest = chunk if self._decoder is None else self._decoder.decode(chunk).encode()
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def _more(self) -> bytes:
        try:
            return bytes(self._source.read1(CHUNK))
        except EOFError:
            self.problem = f"{ENDS} before its compressed data do"
        except (OSError, zlib.error, lzma.LZMAError) as error:
            if getattr(error, "errno", None) is not None:
                raise
            self.problem = f"{DAMAGED}: {error}"
        return b""


def _begin(file: BinaryIO) -> bytes:
    begin = file.read(8)
    file.seek(0)
    return begin


def open_plain(path: str) -> tuple[BinaryIO, Plain | None]:
    """A file to be read from its begin on, and what unpacks it; None where it is as it should be.

    :raises OSError: the system does not let it.
    """
    plain = Plain(Path(path).open("rb"))  # noqa: SIM115 - handed back
    if not plain.as_it_is:
        return io.BufferedReader(plain), plain
    plain.close()
    return Path(path).open("rb"), None


def skip(file: BinaryIO, count: int) -> None:
    """Go on by so many bytes."""
    if file.seekable():
        file.seek(count, 1)
        return
    while count > 0 and (read := len(file.read(min(count, CHUNK)))):
        count -= read


def content_of(path: str) -> tuple[bytes, str]:
    """All that is in a file, and what is wrong with it.

    :raises InputError: it is too large to be unpacked at once.
    """
    file, plain = open_plain(path)
    with file:
        content = file.read(MOST)
        if len(content) == MOST:
            raise InputError(
                f"file {path!r} cannot be read: it holds more than {MOST >> 30} GiB; unpack it first"
            )
        return content, plain.problem if plain is not None else ""
