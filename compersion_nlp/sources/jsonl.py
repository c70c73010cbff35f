"""JSON lines: one object a line, as forum dumps and our own outputs are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from compersion_nlp.errors import BadInput
from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sources.fields import Fields, find_text_column
from compersion_nlp.sources.options import ReadOptions
from compersion_nlp.sources.streams import Text, is_sound, open_text

# Keys differ from row to row, so the first rows stand for all: a column that none of them has is
# taken for a slip of the user, not for a million bad rows.
FIRST_ROWS = 1000

# Deeper than any export, and shallow enough for every encoder that recurses.
DEEPEST = 64

_decode = msgspec.json.Decoder().decode


class JsonLinesFile:
    """A JSON lines file. A row without the text column is rejected, with the keys that it has."""

    kinds = None  # only the rows tell

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._path, self._options = path, options
        names = self._first_names()
        if names is None:  # nothing to read, or nothing that the rejected rows would not tell
            self._fields = Fields(options.text_column or "text", options.title_columns, options.id_column)
        else:
            self._fields = Fields.among(names, options, path)

    def _first_names(self) -> dict[str, None] | None:
        """Returns the keys of the first rows, as far as needed; None where no row is an object."""
        options = self._options
        wanted = {*options.title_columns, *filter(None, (options.text_column, options.id_column))}
        names: dict[str, None] = {}
        seen = objects = 0
        with open_text(self._path, options.encoding, newline="\n") as text:
            for line in islice(_rows(text), FIRST_ROWS):
                seen += 1
                row = _parse(line)
                if isinstance(row, dict):
                    objects += 1
                    names.update(dict.fromkeys(row))
                    if names.keys() >= wanted and (options.text_column or find_text_column(names)):
                        break
        if seen == FIRST_ROWS and not objects:
            raise BadInput(
                f"{self._path}: none of the first {FIRST_ROWS:,} lines is a JSON object.",
                "JSON lines hold one object a line; check the format, or name it with --format.",
            )
        return names if objects else None

    def passages(self, numbers: Iterator[int]) -> Iterator[Passage | Rejected]:
        """Yields the rows; blank lines are no rows."""
        with open_text(self._path, self._options.encoding, newline="\n") as text:
            for line in _rows(text):
                yield self._read(next(numbers), line, text)

    def _read(self, number: int, line: str, text: Text) -> Passage | Rejected:
        row = _parse(line)
        if isinstance(row, dict):
            return self._fields.read(number, row, line)
        return Rejected(number, row, line) if is_sound(line) else text.rejected(number, line)


def _rows(text: Text) -> Iterator[str]:
    for line in text.lines():
        if row := line.strip(" \t\r\n"):
            yield row


def _parse(line: str) -> dict[str, Any] | str:
    """Returns the object that a line holds, or the reason why it holds none."""
    try:
        row = _decode(line)
    except RecursionError:
        return f"nested deeper than {DEEPEST} levels"
    except (msgspec.DecodeError, ValueError) as error:
        return f"not valid JSON: {error}"
    if type(row) is not dict:
        return f"not a JSON object but {type(row).__name__}"
    if line.count("[") + line.count("{") > DEEPEST and _is_deep(row):
        return f"nested deeper than {DEEPEST} levels"
    return row


def _is_deep(row: dict[str, Any]) -> bool:
    level: list[Any] = [row]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return bool(level)
