"""Joining each row of the input with its reading.

Parts hold no texts and no input columns, so what is written has the exact values of the input.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec

from compersion_nlp.batch.account import Tally, rejected_path
from compersion_nlp.batch.ledger import REJECTED, sync_folder
from compersion_nlp.batch.reader import DIGEST, Stored, digest_texts
from compersion_nlp.errors import BadInput
from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sinks import Sink
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


class Output:
    """The output under way: rows with their readings, those that were rejected, and the tally of both."""

    def __init__(self, sink: Sink, rejected: RejectedFile) -> None:
        self.sink, self.tally = sink, Tally()
        self._rejected = rejected
        self.rejected_file: Path | None = None

    def write(self, items: Sequence[Passage | Rejected], stored: Stored) -> None:
        """Writes the items of a chunk with their readings, or as rejected.

        Raises BadInput if the items are not those that the readings were made from.
        """
        _check_same(items, stored)
        rejected = {place: _rejection(items[place], stored.rejected[place]) for place in sorted(stored.rejected)}
        for row in rejected.values():
            self._rejected.write(row)
        passages = [item for place, item in enumerate(items) if isinstance(item, Passage) and place not in rejected]
        if stored.readings is not None:
            readings = stored.readings.unpack()
            self.sink.write_many(passages, readings)
            self.tally.tiers.update(readings.by_tier())
        self.tally.count(rejected.values())
        self.tally.count(passages)

    def finish(self) -> None:
        """Puts the rejected rows into place; the output follows when its sink is left."""
        self.rejected_file = self._rejected.publish()


def _rejection(item: Passage | Rejected, reason: str) -> Rejected:
    return item if isinstance(item, Rejected) else Rejected(item.number, reason, show_row(item.columns))


def _check_same(items: Sequence[Passage | Rejected], stored: Stored) -> None:
    now = digest_texts(items)
    if now == stored.texts:
        return
    for place, item in enumerate(items):
        at = slice(place * DIGEST, (place + 1) * DIGEST)
        if now[at] != stored.texts[at]:
            raise changed(item.number)
    raise changed(items[-1].number + 1)


def changed(number: int) -> BadInput:
    """Returns the error for a row that is not what a part was made from."""
    return BadInput(
        f"Row {number} is not what it was when it was read: the input changed in between.",
        "Start anew with --overwrite. A query must give its rows in the same order each time: end it with ORDER BY.",
    )
