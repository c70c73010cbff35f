"""Parquet files with flat readings; input columns keep the types of a Parquet input."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from compersion_nlp.errors import BadInput, MissingExtra
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
        self._rows: list[tuple[Any, ...]] = []
        self._characters = 0
        self._file = path.open("wb")
        self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd")

    def write(self, columns: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        """Takes one row; it is written with its row group."""
        cells = []
        for name, _ in self._layout.columns:
            value = columns.get(name)
            if value is not None and name in self._to_text:
                value = self._to_text[name](value)
            if isinstance(value, str | bytes):
                self._characters += len(value)
            cells.append(value)
        flat = flatten(row, self._layout.labels, self._layout.explained)
        self._rows.append((*cells, *flat.values()))
        if len(self._rows) >= _ROWS or self._characters >= _CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        arrays = []
        for field, cells in zip(self._schema, zip(*self._rows, strict=True), strict=True):
            try:
                arrays.append(pa.array(cells, field.type))
            except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
                raise BadInput(
                    f"Column {field.name!r} cannot be written as {field.type}: {error}.",
                    "Write JSON lines instead, which hold any value.",
                ) from None
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))
        self._rows, self._characters = [], 0

    def close(self) -> None:
        """Completes the file."""
        if self._rows:
            self._flush()
        self._writer.close()
        self._file.close()

    def discard(self) -> None:
        """Lets go of the file."""
        with suppress(OSError, pa.ArrowException):
            self._writer.close()
        with suppress(OSError):
            self._file.close()


def _source_type(name: str, schema: Any) -> Any:
    """Returns the type of a column of the source, or None; an extension's values have other types."""
    if schema is None or name not in schema.names:
        return None
    found = schema.field(name).type
    return None if isinstance(found, pa.BaseExtensionType) or pa.types.is_null(found) else found
