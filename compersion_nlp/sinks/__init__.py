"""Writers of readings: CSV, TSV, JSON lines, Parquet and SQLite, put in place whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from compersion_nlp.readings import Readings
from compersion_nlp.records import Passage
from compersion_nlp.sinks.delimited import DelimitedWriter
from compersion_nlp.sinks.jsonl import JsonLinesWriter
from compersion_nlp.sinks.layout import Layout, lay_out
from compersion_nlp.sinks.options import Sink, WriteOptions, Writer
from compersion_nlp.sinks.replacement import Replacement, unwritable, writable
from compersion_nlp.sinks.sqlite import SqliteWriter, fold_name
from compersion_nlp.sources.columns import Kind
from compersion_nlp.sources.formats import format_of

__all__ = ["FORMATS", "Sink", "WriteOptions", "check_target", "needs_kinds", "open_sink"]

FORMATS = ("csv", "tsv", "jsonl", "parquet", "sqlite")


def check_target(path: Path, options: WriteOptions = WriteOptions()) -> str:  # noqa: B008
    """Returns the format of an output after checking all that can be known before there are rows.

    Raises BadInput for an unknown suffix, a folder, or a place where nothing can be written, and
    MissingExtra for Parquet without pyarrow.
    """
    name = format_of(path, options.format, FORMATS)
    _writer_of(name)
    Replacement(path).discard()
    return name


def needs_kinds(path: Path, options: WriteOptions = WriteOptions()) -> bool:  # noqa: B008
    """Says whether an output must know the kinds of all input columns before its first row."""
    return format_of(path, options.format, FORMATS) != "jsonl"


def open_sink(
    path: Path,
    columns: Mapping[str, Kind],
    labels: Sequence[str],
    explained: bool,
    options: WriteOptions = WriteOptions(),  # noqa: B008
) -> Sink:
    """Prepares an output for passages with ``columns`` and their readings; use it in a ``with`` block.

    The format is told by the suffix unless the options name one. An input column whose name the
    output needs is kept under ``input_<name>``. JSON lines need no ``columns``. Raises as
    ``check_target`` does, and BadInput where writing fails later, on a full disk for instance.
    """
    path = Path(path)
    name = check_target(path, options)
    return _FileSink(path, name, _lay_out(name, columns, tuple(labels), explained), options)


def _lay_out(format_name: str, columns: Mapping[str, Kind], labels: tuple[str, ...], explained: bool) -> Layout:
    match format_name:
        case "jsonl":  # its rows have the columns that they have
            return lay_out({}, labels, explained)
        case "sqlite":
            return lay_out(columns, labels, explained, fold=fold_name)
    return lay_out(columns, labels, explained)


def _writer_of(format_name: str) -> Callable[[Path, Path, Layout, WriteOptions], Writer]:
    match format_name:
        case "csv":
            return DelimitedWriter
        case "tsv":
            return partial(DelimitedWriter, delimiter="\t")
        case "jsonl":
            return JsonLinesWriter
        case "sqlite":
            return SqliteWriter
    from compersion_nlp.sinks.parquet import ParquetWriter

    return ParquetWriter


class _FileSink:
    """Writes into a file beside the target, and replaces the target at the end."""

    def __init__(self, path: Path, format_name: str, layout: Layout, options: WriteOptions) -> None:
        self._path, self._format, self._layout, self._options = path, format_name, layout, options
        self._guarded = 0
        self._renamed: Mapping[str, str] = self._layout.renamed

    @property
    def renamed(self) -> Mapping[str, str]:
        return self._renamed

    @property
    def guarded(self) -> int:
        return self._guarded

    def write(self, passage: Passage, row: Mapping[str, Any]) -> None:
        self.write_many([passage], Readings.of_row(row))

    def write_many(self, passages: Sequence[Passage], readings: Readings) -> None:
        try:
            self._writer.write([passage.columns for passage in passages], readings)
        except (OSError, sqlite3.Error) as error:
            raise unwritable(self._path, error) from error

    def __enter__(self) -> Self:
        self._file = Replacement(self._path)
        try:
            with writable(self._path):
                self._writer = _writer_of(self._format)(self._file.path, self._path, self._layout, self._options)
        except BaseException:
            self._file.discard()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with writable(self._path):
                    self._writer.close()
                    self._file.commit()
        finally:
            self._guarded, self._renamed = self._writer.guarded, self._writer.renamed
            self._writer.discard()
            self._file.discard()
