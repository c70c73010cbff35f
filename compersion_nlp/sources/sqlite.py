"""SQLite files, opened read-only: the rows of a table or of a query."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from compersion_nlp.errors import BadInput
from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sources.fields import Fields, list_names, unique_names
from compersion_nlp.sources.options import ReadOptions
from compersion_nlp.sources.streams import is_sound, readable, rejected_bytes

# A table hides the row number where it has columns of its own under these names.
_ROW_NUMBERS = ("rowid", "_rowid_", "oid")


class SqliteFile:
    """A table in the order of its row numbers (or of its primary key), or a query in its own order."""

    kinds = None  # only the rows tell

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._path = path
        with _opened(path) as connection:
            if options.query is None:
                self._query = _select(connection, _find_table(connection, options.table, path))
            else:
                self._query = options.query
            found = connection.execute(self._query).description
        if found is None:
            raise BadInput(f"{path}: the query returns no rows: {self._query}", "Give a query that selects rows.")
        self._names = unique_names(column[0] for column in found)
        self._fields = Fields.among(self._names, options, path)

    def passages(self, numbers: Iterator[int]) -> Iterator[Passage | Rejected]:
        """Yields the rows, cells as SQLite holds them."""
        with _opened(self._path) as connection:
            for row in connection.execute(self._query):
                yield self._read(next(numbers), row)

    def _read(self, number: int, row: tuple[Any, ...]) -> Passage | Rejected:
        for name, cell in zip(self._names, row, strict=True):
            if type(cell) is str and not is_sound(cell):
                return rejected_bytes(number, cell.encode("utf-8", "surrogateescape"), "utf-8", f" in {name!r}")
        return self._fields.read(number, dict(zip(self._names, row, strict=True)))


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with readable(path), path.open("rb"):
            pass
        # An engine may pull the rows from a thread of its own, one at a time.
        mode = "mode=ro&immutable=1" if _rests(path) else "mode=ro"
        connect = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, check_same_thread=False)
        with closing(connect) as connection:
            connection.text_factory = _decode
            connection.set_authorizer(_refuse_other_files)
            connection.execute("PRAGMA trusted_schema = OFF")  # views run nothing that the file brings along
            yield connection
    except (sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
        raise BadInput(
            f"{path} cannot be read as SQLite: {error}.",
            "Check that it is a SQLite database which no other program locks, and the query if there is one.",
        ) from None


def _rests(path: Path) -> bool:
    """Says whether a database has the mode of a write-ahead log, but no log.

    Opened as usual, it would be given one, which litters, and fails where the folder is read-only.
    """
    with path.open("rb") as file:
        by_log = file.read(20)[18:] == b"\2\2"  # https://www.sqlite.org/fileformat.html, 1.3.3
    log = path.with_name(f"{path.name}-wal")
    return by_log and not (log.exists() and log.stat().st_size)


def _refuse_other_files(action: int, *_: str | None) -> int:
    # ATTACH, and VACUUM INTO by way of it, can write files however this one was opened.
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


def _decode(cell: bytes) -> str:
    return cell.decode("utf-8", "surrogateescape")


def _find_table(connection: sqlite3.Connection, named: str | None, path: Path) -> str:
    """Returns the named table or view, or the only table."""
    listed = "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%'"
    found: dict[str, str] = dict(connection.execute(f"{listed} ESCAPE '\\' ORDER BY name").fetchall())
    if named is not None:
        if named not in found:
            raise BadInput(f"{path}: there is no table {named!r}.", f"Its tables: {list_names(found)}.")
        return named
    tables = [name for name, kind in found.items() if kind == "table"] or list(found)
    if len(tables) != 1:
        raise BadInput(
            f"{path} has {len(tables)} tables, so one must be named.",
            f"Name one with --table, or give a query; its tables: {list_names(found)}.",
        )
    return tables[0]


def _select(connection: sqlite3.Connection, table: str) -> str:
    columns = connection.execute(f"PRAGMA table_info({quote(table)})").fetchall()
    names = {name.lower() for _, name, *_ in columns}
    order = [quote(name) for _, name, *_, rank in sorted(columns, key=lambda column: column[-1]) if rank]
    row_number = next((name for name in _ROW_NUMBERS if name not in names), None)
    if row_number is not None and _runs(connection, f"SELECT {row_number} FROM {quote(table)} LIMIT 0"):
        order = [row_number]
    ordered = f" ORDER BY {', '.join(order)}" if order else ""
    return f"SELECT * FROM {quote(table)}{ordered}"


def _runs(connection: sqlite3.Connection, query: str) -> bool:
    try:
        connection.execute(query)
    except sqlite3.OperationalError:
        return False
    return True


def quote(identifier: str) -> str:
    """Returns the name of a table or column as SQL writes it."""
    return '"' + identifier.replace('"', '""') + '"'
