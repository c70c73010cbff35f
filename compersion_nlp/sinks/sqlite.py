"""SQLite databases with one table, ``passages``, of flat readings."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from compersion_nlp.readings import Readings
from compersion_nlp.sinks.cells import TO_TEXT
from compersion_nlp.sinks.flat import flatten
from compersion_nlp.sinks.layout import Layout
from compersion_nlp.sinks.options import WriteOptions
from compersion_nlp.sources.columns import Kind

_TYPES = {Kind.BOOL: "INTEGER", Kind.INT: "INTEGER", Kind.FLOAT: "REAL", Kind.BYTES: "BLOB"}  # all others: TEXT


def fold_name(name: str) -> str:
    """Returns what SQLite compares names of columns by: ASCII letters in either case are equal."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _as_is(value: Any) -> Any:
    return value


_TO_CELL: dict[Kind, Callable[[Any], Any]] = {
    Kind.BOOL: int,
    Kind.INT: _as_is,
    Kind.FLOAT: _finite,
    Kind.BYTES: _as_is,
}


class SqliteWriter:
    """Writes all rows in one transaction. NaN, which SQLite does not hold, becomes NULL."""

    guarded = 0

    def __init__(self, path: Path, target: Path, layout: Layout, options: WriteOptions) -> None:
        self.renamed = layout.renamed
        self._layout = layout
        self._columns: list[tuple[str, Callable[[Any], Any]]] = [
            (name, _TO_CELL.get(kind, TO_TEXT[kind])) for name, kind in layout.columns
        ]
        typed = [(layout.names[name], kind) for name, kind in layout.columns] + list(layout.flat.items())
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        columns = ", ".join(f"{_quote(name)} {_TYPES.get(kind, 'TEXT')}" for name, kind in typed)
        try:
            # The file is not in place before it is complete and synced: no journal is needed.
            self._connection.execute("PRAGMA journal_mode = OFF")
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.execute(f"CREATE TABLE passages ({columns})")
            self._connection.execute("BEGIN")
        except sqlite3.Error:
            self._connection.close()
            raise
        self._insert = f"INSERT INTO passages VALUES ({', '.join('?' * len(typed))})"

    def write(self, rows: Sequence[Mapping[str, Any]], readings: Readings) -> None:
        """Writes the rows."""
        cells = [
            [None if (value := row.get(name)) is None else to_cell(value) for row in rows]
            for name, to_cell in self._columns
        ]
        flat = flatten(readings, self._layout.labels, self._layout.explained)
        self._connection.executemany(self._insert, zip(*cells, *flat.values(), strict=True))

    def close(self) -> None:
        """Completes the database."""
        self._connection.execute("COMMIT")
        self._connection.close()

    def discard(self) -> None:
        """Lets go of the database."""
        self._connection.close()


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
