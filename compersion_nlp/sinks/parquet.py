"""Parquet files with flat readings; input columns keep the types of a Parquet input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from compersion_nlp.errors import BadInput, MissingExtra
from compersion_nlp.readings import Readings
from compersion_nlp.sinks.cells import TO_TEXT
from compersion_nlp.sinks.flat import flatten
from compersion_nlp.sinks.layout import Layout
from compersion_nlp.sinks.options import WriteOptions
from compersion_nlp.sources.columns import Kind

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError:
    raise MissingExtra("pyarrow", "parquet", "Writing Parquet files") from None

_ROWS = 8192  # a row group
_CHARACTERS = 2**25  # or fewer rows, where their texts are this long together

_TYPES = {
    Kind.BOOL: pa.bool_(),
    Kind.INT: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.BYTES: pa.binary(),
    Kind.DATE: pa.date32(),
    Kind.DATETIME: pa.timestamp("us"),
    Kind.INSTANT: pa.timestamp("us", "UTC"),
}  # all others: string


class ParquetWriter:
    """Writes row groups of a bounded size."""

    guarded = 0

    def __init__(self, path: Path, target: Path, layout: Layout, options: WriteOptions) -> None:
        self.renamed = layout.renamed
        self._layout = layout
        fields = [
            pa.field(layout.names[name], _source_type(name, options.schema) or _TYPES.get(kind, pa.string()))
            for name, kind in layout.columns
        ]
        fields += [pa.field(name, _TYPES.get(kind, pa.string())) for name, kind in layout.flat.items()]
        self._schema = pa.schema(fields)
        self._to_text = {
            name: TO_TEXT[kind]
            for name, kind in layout.columns
            if kind not in _TYPES and _source_type(name, options.schema) is None
        }
        self._batches: list[Any] = []
        self._rows = self._characters = 0
        self._file = path.open("wb")
        self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd")

    def write(self, rows: Sequence[Mapping[str, Any]], readings: Readings) -> None:
        """Takes rows; they are written with their row group."""
        cells = [self._cells(name, [row.get(name) for row in rows]) for name, _ in self._layout.columns]
        flat = flatten(readings, self._layout.labels, self._layout.explained)
        arrays = [_array(field, column) for field, column in zip(self._schema, (*cells, *flat.values()), strict=True)]
        self._batches.append(pa.record_batch(arrays, schema=self._schema))
        self._rows += len(rows)
        self._characters += sum(len(value) for column in cells for value in column if isinstance(value, str | bytes))
        while self._rows >= _ROWS:
            self._flush(_ROWS)
        if self._characters >= _CHARACTERS:
            self._flush(self._rows)

    def _cells(self, name: str, values: list[Any]) -> list[Any]:
        to_text = self._to_text.get(name)
        return values if to_text is None else [None if value is None else to_text(value) for value in values]

    def _flush(self, rows: int) -> None:
        """Writes a row group of the first ``rows`` rows, and keeps the others."""
        table = pa.Table.from_batches(self._batches, self._schema)
        self._writer.write_table(table.slice(0, rows), row_group_size=max(rows, 1))
        rest = table.slice(rows)
        self._batches, self._rows, self._characters = rest.to_batches(), rest.num_rows, 0

    def close(self) -> None:
        """Completes the file."""
        if self._rows:
            self._flush(self._rows)
        self._writer.close()
        self._file.close()

    def discard(self) -> None:
        """Lets go of the file."""
        with suppress(OSError, pa.ArrowException):
            self._writer.close()
        with suppress(OSError):
            self._file.close()


def _array(field: Any, cells: Sequence[Any]) -> Any:
    try:
        return pa.array(cells, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
        raise BadInput(
            f"Column {field.name!r} cannot be written as {field.type}: {error}.",
            "Write JSON lines instead, which hold any value.",
        ) from None


def _source_type(name: str, schema: Any) -> Any:
    """Returns the type of a column of the source, or None; an extension's values have other types."""
    if schema is None or name not in schema.names:
        return None
    found = schema.field(name).type
    return None if isinstance(found, pa.BaseExtensionType) or pa.types.is_null(found) else found
