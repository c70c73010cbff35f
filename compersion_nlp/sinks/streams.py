"""Files to write, plain or compressed; the same content gives the same bytes."""

from __future__ import annotations

import gzip
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, cast

import zstandard

_ZSTD_LEVEL = 6


class OutputFile:
    """A binary file that compresses by ``.gz`` or ``.zst``; ``stream`` takes the bytes."""

    def __init__(self, path: Path, compression: str) -> None:
        self._layers = ExitStack()
        file = self._layers.enter_context(path.open("wb", buffering=2**18))
        self.stream: IO[bytes] = file
        match compression:
            case ".gz":  # without name and time, which would differ from run to run
                packed = gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6)
                self.stream = cast(IO[bytes], self._layers.enter_context(packed))
            case ".zst":
                writer = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).stream_writer(file, closefd=False)
                self.stream = cast(IO[bytes], self._layers.enter_context(writer))

    def close(self) -> None:
        """Writes the end of the compressed stream and closes the file."""
        self._layers.close()

    def discard(self) -> None:
        """Closes the file, which may not be complete."""
        with suppress(OSError, ValueError):
            self._layers.close()
