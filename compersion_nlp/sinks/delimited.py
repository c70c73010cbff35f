"""CSV and TSV files with flat readings, in UTF-8; rows end in CR LF (RFC 4180)."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from compersion_nlp.readings import Readings
from compersion_nlp.sinks.cells import TO_TEXT
from compersion_nlp.sinks.flat import flatten
from compersion_nlp.sinks.layout import Layout
from compersion_nlp.sinks.options import WriteOptions
from compersion_nlp.sinks.streams import OutputFile
from compersion_nlp.sources.columns import Kind
from compersion_nlp.sources.formats import compression_of
from compersion_nlp.sources.guard import guard

# The kinds whose text anybody may have written; numbers, times and JSON cannot be a formula.
_GUARDED = (Kind.STR, Kind.BYTES)


class _Encoded:
    """What the csv module writes to: no buffer of its own, so nothing is left to flush."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._write = stream.write

    def write(self, row: str) -> int:
        return self._write(row.encode())


class DelimitedWriter:
    """Writes CSV or TSV; cells and names of input columns pass the formula guard unless raw."""

    def __init__(self, path: Path, target: Path, layout: Layout, options: WriteOptions, delimiter: str = ",") -> None:
        self.guarded = 0
        self.renamed = layout.renamed
        self._layout = layout
        self._raw = options.raw_cells
        self._columns = [(name, TO_TEXT[kind], kind in _GUARDED and not self._raw) for name, kind in layout.columns]
        self._file = OutputFile(path, compression_of(target))
        # With this line end, cells that hold either half of it are quoted.
        self._rows = csv.writer(_Encoded(self._file.stream), delimiter=delimiter, lineterminator="\r\n")
        names = [layout.names[name] for name, _ in layout.columns]
        self._rows.writerow([*(names if self._raw else map(self._guard, names)), *layout.flat])

    def write(self, rows: Sequence[Mapping[str, Any]], readings: Readings) -> None:
        """Writes the rows; a null is an empty cell."""
        cells = [
            self._cells([row.get(name) for row in rows], to_text, guarded) for name, to_text, guarded in self._columns
        ]
        flat = flatten(readings, self._layout.labels, self._layout.explained)
        self._rows.writerows(zip(*cells, *flat.values(), strict=True))

    def _cells(self, values: list[Any], to_text: Callable[[Any], str], guarded: bool) -> list[str]:
        texts = ["" if value is None else to_text(value) for value in values]
        return [self._guard(text) if text else text for text in texts] if guarded else texts

    def _guard(self, cell: str) -> str:
        shown = guard(cell)
        self.guarded += shown is not cell
        return shown

    def close(self) -> None:
        """Completes the file."""
        self._file.close()

    def discard(self) -> None:
        """Lets go of the file."""
        self._file.discard()
