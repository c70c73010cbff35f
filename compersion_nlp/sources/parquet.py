"""Parquet files, a batch of rows at a time. Times finer than microseconds are cut to those."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from compersion_nlp.errors import BadInput, MissingExtra
from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sources.columns import Kind
from compersion_nlp.sources.fields import Fields, show_row, unique_names
from compersion_nlp.sources.options import ReadOptions
from compersion_nlp.sources.streams import readable, rejected_bytes

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError:
    raise MissingExtra("pyarrow", "parquet", "Reading Parquet files") from None

_BATCH = 256  # rows that are Python values at a time; each can hold megabytes


class ParquetFile:
    """A Parquet file; ``schema`` is its ``pyarrow.Schema``, with the names of columns made unique."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._path = path
        with _opened(path) as file:
            stored = file.schema_arrow
        self._names = unique_names(stored.names)
        self.schema = pa.schema([field.with_name(name) for field, name in zip(stored, self._names, strict=True)])
        self._fields = Fields.among(self._names, options, path)
        self.kinds = _kinds(self.schema)

    def passages(self, numbers: Iterator[int]) -> Iterator[Passage | Rejected]:
        """Yields the rows, cells as Python values."""
        with _opened(self._path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                yield from self._read_batch([_in_microseconds(column) for column in batch.columns], numbers)

    def _read_batch(self, columns: list[Any], numbers: Iterator[int]) -> Iterator[Passage | Rejected]:
        try:
            cells = [column.to_pylist() for column in columns]
        except (ValueError, OverflowError):  # somewhere in the batch: find the rows
            for place in range(len(columns[0])):
                yield self._read_row([column[place] for column in columns], next(numbers))
            return
        for row in zip(*cells, strict=True):
            yield self._fields.read(next(numbers), dict(zip(self._names, row, strict=True)))

    def _read_row(self, cells: list[Any], number: int) -> Passage | Rejected:
        row: dict[str, Any] = {}
        for name, cell in zip(self._names, cells, strict=True):
            try:
                row[name] = cell.as_py()
            except UnicodeDecodeError as error:
                return rejected_bytes(number, error.object, "utf-8", f" in {name!r}")
            except (ValueError, OverflowError) as error:
                return Rejected(number, f"a value in {name!r} that cannot be read: {error}", show_row(row))
        return self._fields.read(number, row)


def _kinds(schema: Any) -> dict[str, Kind] | None:
    """Returns the kind of each column, or None where a type has values of several kinds."""
    kinds = {field.name: _kind(field.type) for field in schema}
    return None if None in kinds.values() else {name: kind for name, kind in kinds.items() if kind is not None}


def _kind(type_: Any) -> Kind | None:
    types = pa.types
    found = {
        Kind.BOOL: types.is_boolean,
        Kind.INT: types.is_signed_integer,
        Kind.FLOAT: types.is_floating,
        Kind.STR: lambda one: types.is_string(one) or types.is_large_string(one),
        Kind.BYTES: lambda one: types.is_binary(one) or types.is_large_binary(one),
        Kind.DATE: types.is_date32,
    }
    return next((kind for kind, holds in found.items() if holds(type_)), None)


def _in_microseconds(column: Any) -> Any:
    """Returns the column in the finest unit that Python's own times have."""
    match column.type:
        case pa.TimestampType(unit="ns", tz=zone):
            return column.cast(pa.timestamp("us", zone), safe=False)
        case pa.DurationType(unit="ns"):
            return column.cast(pa.duration("us"), safe=False)
        case pa.Time64Type(unit="ns"):
            return column.cast(pa.time64("us"), safe=False)
    return column


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with readable(path), path.open("rb") as stream:
        try:
            with pq.ParquetFile(stream) as file:
                yield file
        except (pa.ArrowException, OSError) as error:
            raise BadInput(
                f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}",
                "Check that it is a Parquet file and complete, or name its format with --format.",
            ) from None
