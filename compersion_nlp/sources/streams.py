"""Bytes and lines of text from files, plain or compressed; what is broken is named with its place."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO, cast

import zstandard

from compersion_nlp.errors import BadInput
from compersion_nlp.records import Rejected
from compersion_nlp.sources.formats import compression_of

# A line, or the file of one journal entry, is held in memory whole. Nobody writes one this long, and
# a few kilobytes of compressed zeros can pretend to be one without end.
LONGEST_LINE = 2**26

# A zstd block of four bytes can stand for 128 KiB: so much input at a time gives 128 MiB at worst.
_ZSTD_CHUNK = 4096
_ZSTD_WINDOW = 2**31  # what Reddit dumps are packed with

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WITHOUT_BOM = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}


class _ZstdFile(io.RawIOBase):
    """Decompresses zstd frames one after another, and knows a frame that is cut short."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._packed = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._ready:
            self._packed = self._packed or self._file.read(_ZSTD_CHUNK)
            if not self._packed:
                if self._frame is not None:
                    raise EOFError("the file ends within a zstd frame")
                return 0
            self._frame = self._frame or self._decompressor.decompressobj()
            self._ready = memoryview(self._frame.decompress(self._packed))
            self._packed = b""
            if self._frame.eof:
                self._packed, self._frame = self._frame.unused_data, None
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


def _decompressed(file: BinaryIO, path: Path) -> io.BufferedReader:
    match compression_of(path):
        case ".gz":
            return io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=file)))
        case ".zst":
            return io.BufferedReader(_ZstdFile(file))
    return cast(io.BufferedReader, file)


@contextmanager
def open_bytes(path: Path) -> Iterator[io.BufferedReader]:
    """Opens a file for reading, decompressed; inside, what is broken in it is raised as BadInput."""
    with readable(path), path.open("rb") as file, _decompressed(file, path) as stream:
        try:
            yield stream
        except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
            place = f"near byte {file.tell():,} of {path.stat().st_size:,}"
            raise BadInput(
                f"{path} is broken or cut short {place}: {error}.",
                "Fetch or unpack it again; what came before that place was sound.",
            ) from None


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turns the system's refusal to read ``path`` into BadInput."""
    try:
        yield
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read: {error.strerror or error}.", "Check the path and that you may read it."
        ) from None


class Text:
    """The lines of an opened text; bytes that are not valid text become surrogates on the way."""

    def __init__(self, path: Path, wrapper: io.TextIOWrapper) -> None:
        self.path, self._wrapper = path, wrapper
        self.encoding = wrapper.encoding

    def lines(self) -> Iterator[str]:
        """Yields the lines with their ends, without a byte order mark."""
        for number, line in enumerate(iter(partial(self._wrapper.readline, LONGEST_LINE + 1), ""), start=1):
            if len(line) > LONGEST_LINE:
                raise BadInput(
                    f"{self.path}: line {number:,} is longer than {LONGEST_LINE:,} characters.",
                    "This is hardly a file of passages; check its format and line ends.",
                )
            if number == 1:
                line = line.removeprefix("\ufeff")
            if line:
                yield line

    def rejected(self, number: int, raw: str, where: str = "") -> Rejected:
        """Returns the rejection of a row that is not valid in the encoding, with its exact bytes."""
        return rejected_bytes(number, raw.encode(self.encoding, self._wrapper.errors or "strict"), self.encoding, where)


def rejected_bytes(number: int, raw: bytes, encoding: str, where: str = "") -> Rejected:
    """Returns the rejection of bytes that are not valid text, both readable and exact."""
    readable_raw = raw.decode(encoding, "backslashreplace")
    if not is_sound(readable_raw):
        readable_raw = readable_raw.encode("utf-8", "backslashreplace").decode()
    reason = f"bytes that are not valid {encoding}{where}"
    return Rejected(number, reason, readable_raw, b64encode(raw).decode())


@contextmanager
def open_text(path: Path, encoding: str, newline: str | None) -> Iterator[Text]:
    """Opens a file as lines of text; ``newline`` is that of ``io.TextIOWrapper``."""
    with open_bytes(path) as stream:
        found = find_encoding(stream.peek(4), encoding)
        # The utf-16 and utf-32 decoders have no escape for single bytes, but let lone surrogates pass.
        errors = "surrogatepass" if found.startswith(("utf-16", "utf-32")) else "surrogateescape"
        try:
            with io.TextIOWrapper(cast(IO[bytes], stream), found, errors, newline) as wrapper:
                yield Text(path, wrapper)
        except UnicodeError as error:
            raise BadInput(
                f"{path} cannot be read as {found}: {error}.", "Name its encoding, for example --encoding cp1252."
            ) from None


def find_encoding(head: bytes, encoding: str) -> str:
    """Returns the encoding to read with: a byte order mark in ``head`` decides among the UTF ones."""
    name = codecs.lookup(encoding).name
    if name in {"utf-8", *_WITHOUT_BOM}:
        for mark, marked in _BOMS:
            if head.startswith(mark):
                return marked
    return _WITHOUT_BOM.get(name, name)


def is_sound(text: str) -> bool:
    """Says whether ``text`` can be written as UTF-8, that is, holds no lone surrogate."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
