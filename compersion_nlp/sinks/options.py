"""What a writer of readings can be told, and what it offers in return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import msgspec

from compersion_nlp.readings import Readings
from compersion_nlp.records import Passage


class WriteOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to write; every option has a default.

    ``format`` overrides the suffix. ``raw_cells`` writes CSV and TSV cells as they are, without the
    formula guard. ``schema`` is the source's ``pyarrow.Schema``, whose types a Parquet file keeps.
    """

    format: str | None = None
    raw_cells: bool = False
    schema: Any = None


class Sink(Protocol):
    """A file under way: it stands in place, whole, once the ``with`` block ends well, and not before."""

    @property
    def renamed(self) -> Mapping[str, str]:
        """Input columns that were renamed, old name to new."""

    @property
    def guarded(self) -> int:
        """How many cells the formula guard has changed, once the block has ended."""

    def write(self, passage: Passage, row: Mapping[str, Any]) -> None:
        """Writes one passage with its reading, as ``Reading.to_row`` gives it."""

    def write_many(self, passages: Sequence[Passage], readings: Readings) -> None:
        """Writes passages with their readings, as many of the one as of the other."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Writer(Protocol):
    """One format: writes rows into a file that the sink has opened and will put in place."""

    @property
    def guarded(self) -> int:
        """How many cells the formula guard has changed so far."""

    @property
    def renamed(self) -> Mapping[str, str]:
        """Input columns that had to give way, as far as they are known, old name to new."""

    def write(self, rows: Sequence[Mapping[str, Any]], readings: Readings) -> None:
        """Writes the input columns of each row beside its reading."""

    def close(self) -> None:
        """Writes what is still held back; the file is complete after it."""

    def discard(self) -> None:
        """Lets go of the file, which will be removed."""
