"""JSON lines: the input columns as they are, and the reading under the key ``reading``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compersion_nlp.readings import Readings
from compersion_nlp.sinks.cells import encode_json
from compersion_nlp.sinks.layout import Layout
from compersion_nlp.sinks.naming import rename_columns
from compersion_nlp.sinks.options import WriteOptions
from compersion_nlp.sinks.streams import OutputFile
from compersion_nlp.sources.formats import compression_of

READING = "reading"


class JsonLinesWriter:
    """Writes one object a line; a row has the keys that its passage has."""

    guarded = 0

    def __init__(self, path: Path, target: Path, layout: Layout, options: WriteOptions) -> None:
        self.renamed: dict[str, str] = {}
        self._file = OutputFile(path, compression_of(target))

    def write(self, rows: Sequence[Mapping[str, Any]], readings: Readings) -> None:
        """Writes a line a row."""
        for row, reading in zip(rows, readings.rows(), strict=True):
            columns = self._renamed(row) if READING in row else row
            self._file.stream.write(encode_json({**columns, READING: reading}) + b"\n")

    def _renamed(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the row with the column that has our key under another name, which no column of the row has."""
        names = rename_columns(row, {READING})
        self.renamed[READING] = names[READING]
        return {names[name]: value for name, value in row.items()}

    def close(self) -> None:
        """Completes the file."""
        self._file.close()

    def discard(self) -> None:
        """Lets go of the file."""
        self._file.discard()
