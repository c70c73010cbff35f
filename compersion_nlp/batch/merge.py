"""The last pass: the input is read a second time, and each row joined with its reading.

Parts hold no texts and no input columns, so what is written has the exact values of the input.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from compersion_nlp.batch.account import rejected_path
from compersion_nlp.batch.ledger import REJECTED, sync_folder
from compersion_nlp.batch.reader import Line, digest_text
from compersion_nlp.errors import BadInput
from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sinks import Sink
from compersion_nlp.sources import Source
from compersion_nlp.sources.fields import show_row


class RejectedFile:
    """The rejected rows, written in the work folder and moved beside the output at the end."""

    def __init__(self, folder: Path, output: Path) -> None:
        self._beside = folder / REJECTED
        self.path = rejected_path(output)
        self._file: IO[bytes] | None = None

    def write(self, row: Rejected) -> None:
        """Writes one row."""
        if self._file is None:
            self._file = self._beside.open("wb")
        self._file.write(msgspec.json.encode(row) + b"\n")

    def publish(self) -> Path | None:
        """Puts the file into place and returns its path; without rows, removes what an older job left there."""
        if self._file is None:
            self.path.unlink(missing_ok=True)
            return None
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        self._beside.replace(self.path)
        sync_folder(self.path.parent)
        return self.path

    def close(self) -> None:
        """Closes the file, wherever it is."""
        if self._file is not None:
            self._file.close()


def merge(source: Source, lines: Iterator[Line], sink: Sink, rejected: RejectedFile) -> Iterator[Passage | Rejected]:
    """Writes every row with its reading, or as rejected, and yields what it wrote, a row at a time.

    Raises BadInput if the rows are not those that the lines were made from.
    """
    for item in source:
        line = next(lines, None)
        if line is None or line.number != item.number or line.text != digest_text(item):
            raise _changed(item.number)
        if isinstance(item, Passage) and line.reading is not None:
            sink.write(item, line.reading)
            yield item
        elif line.rejected is not None:
            row = item if isinstance(item, Rejected) else Rejected(item.number, line.rejected, show_row(item.columns))
            rejected.write(row)
            yield row
        else:
            raise _changed(item.number)
    if (line := next(lines, None)) is not None:
        raise _changed(line.number)


def _changed(number: int) -> BadInput:
    return BadInput(
        f"Row {number} is not what it was when it was read: the input changed in between.",
        "Start anew with --overwrite. A query must give its rows in the same order each time: end it with ORDER BY.",
    )
