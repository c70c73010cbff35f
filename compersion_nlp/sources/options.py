"""What a reader of passages can be told, and what it offers in return."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import msgspec

from compersion_nlp.errors import BadConfig
from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sources.columns import Kind


class ReadOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to find passages in the inputs; every option has a default that suits most files.

    ``format`` overrides the suffix. ``title_columns`` are put before the text, a blank line between
    each. ``encoding`` holds for csv, tsv, jsonl and text. ``table`` or ``query`` choose rows of a
    SQLite file. ``guarded`` is for a CSV or TSV file written by this package: it takes the
    apostrophes of the formula guard off again.
    """

    format: str | None = None
    text_column: str | None = None
    id_column: str | None = None
    title_columns: tuple[str, ...] = ()
    delimiter: str | None = None
    encoding: str = "utf-8"
    table: str | None = None
    query: str | None = None
    guarded: bool = False


class Source(Protocol):
    """Passages and rejected rows, numbered from 1 over all inputs; iterating again starts anew."""

    @property
    def schema(self) -> Any:
        """The ``pyarrow.Schema`` that all inputs share, or None where they are not Parquet files."""

    @property
    def kinds(self) -> dict[str, Kind] | None:
        """The columns and the one kind of value that each has, or None where only the rows tell."""

    def __iter__(self) -> Iterator[Passage | Rejected]: ...


class FileReader(Protocol):
    """One opened input. Building it checks everything that can be known before the rows are read."""

    @property
    def kinds(self) -> Mapping[str, Kind] | None:
        """Its columns with the kind of value that each has, or None where only the rows tell."""

    def passages(self, numbers: Iterator[int]) -> Iterator[Passage | Rejected]:
        """Yields the rows from the first on, each with the next of ``numbers``."""


def check_options(options: ReadOptions) -> None:
    """Raises BadConfig for an unknown encoding, an impossible delimiter, or both table and query."""
    _check_encoding(options.encoding)
    delimiter = options.delimiter
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '\r\n"\0'):
        raise BadConfig(
            f"The delimiter {delimiter!r} cannot separate cells.",
            "Give one character, for example ',' or ';'; leave it out to have it found.",
        )
    if options.table is not None and options.query is not None:
        raise BadConfig("Both a table and a query are given.", "Give one of the two.")


def _check_encoding(name: str) -> None:
    try:
        "".encode(name)
    except (LookupError, ValueError):
        raise BadConfig(
            f"There is no text encoding {name!r}.",
            "Common ones are utf-8, utf-16, cp1252, latin-1 and mac-roman.",
        ) from None
