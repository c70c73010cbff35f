"""JSON lines: the input columns as they are, and the reading under the key ``reading``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compersion_nlp.sinks.cells import encode_json
from compersion_nlp.sinks.layout import Layout
from compersion_nlp.sinks.options import WriteOptions
from compersion_nlp.sinks.streams import OutputFile
from compersion_nlp.sources.formats import compression_of

READING = "reading"


class JsonLinesWriter:
    """Writes one object a line; a row has the keys that its passage has."""

    guarded = 0

    def __init__(self, path: Path, target: Path, layout: Layout, options: WriteOptions) -> None:
        self._names = layout.renamed
        self._file = OutputFile(path, compression_of(target))

    def write(self, columns: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        """Writes one line."""
        if self._names:
            columns = {self._names.get(name, name): value for name, value in columns.items()}
        self._file.stream.write(encode_json({**columns, READING: row}) + b"\n")

    def close(self) -> None:
        """Completes the file."""
        self._file.close()

    def discard(self) -> None:
        """Lets go of the file."""
        self._file.discard()
