"""CSV and TSV files: a header row, then a passage a row."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from compersion_nlp.errors import BadInput
from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sources.columns import Kind
from compersion_nlp.sources.fields import Fields, list_names, unique_names
from compersion_nlp.sources.guard import unguard
from compersion_nlp.sources.options import ReadOptions
from compersion_nlp.sources.streams import Text, is_sound, open_text

DELIMITERS = (",", ";", "\t", "|")
LONGEST_CELL = 2**24
LONGEST_ROW = 2**25
TOO_LONG = f"a row is longer than {LONGEST_ROW:,} characters; is a quote left open?"


class _Lines:
    """Lines that remember what the row under way has taken, so that it can be given back.

    A row whose quoting failed some lines on leaves lines that it went over within a quote. A later
    row that is within a quote at the end of one of them would fail at the same place, so it ends
    there: otherwise a file of such rows takes a time that grows with the square of its length.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._ahead: deque[str] = deque()
        self._failing = 0  # how many of the lines ahead are such
        self._size = 0
        self._ends = False
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._ends:
            raise StopIteration
        line = self._ahead.popleft() if self._ahead else next(self._lines)
        self.taken.append(line)
        self._size += len(line)
        if self._size > LONGEST_ROW:
            raise csv.Error(TOO_LONG)
        if self._failing:
            self._failing -= 1
            self._ends = True
        return line

    def give_back(self, keep: int) -> None:
        """Gives all taken lines but the first ``keep`` back, to be read anew."""
        self._ahead.extendleft(reversed(self.taken[keep:]))
        del self.taken[keep:]
        self._size, self._ends = sum(map(len, self.taken)), False

    def fail_row(self) -> str:
        """Gives all lines of a row back but the first, and finishes with that."""
        if len(self.taken) > 1:
            self._failing = len(self.taken) - 2  # the quote may have ended in the last
        self.give_back(1)
        return self.finish_row()

    def finish_row(self) -> str:
        """Returns the lines of the row as they stand in the file, and starts the next."""
        raw = self.taken[0] if len(self.taken) == 1 else "".join(self.taken)
        self.taken, self._size, self._ends = [], 0, False
        return raw


class DelimitedFile:
    """A CSV or TSV file. Names of columns are made unique as ``fields.unique_names`` does it.

    A row with another number of cells than the header, or with malformed quoting, is rejected. Where
    quoting is malformed, only the line on which the row begins is: a quote that is never closed does
    not swallow the lines after it.
    """

    def __init__(self, path: Path, options: ReadOptions, delimiter: str | None = None) -> None:
        self._path, self._options = path, options
        with open_text(path, options.encoding, newline="") as text:
            header, self._delimiter = self._find_header(_Lines(text.lines()), options.delimiter or delimiter)
            if not all(is_sound(name) for name in header):
                raise BadInput(
                    f"{path}: the header has bytes that are not valid {text.encoding}.",
                    "Name the file's encoding, for example --encoding cp1252.",
                )
        self._header = unique_names(map(unguard, header) if options.guarded else header)
        self._fields = Fields.among(self._header, options, path)
        self.kinds = dict.fromkeys(self._header, Kind.STR)

    def _find_header(self, lines: _Lines, delimiter: str | None) -> tuple[list[str], str]:
        found = {}
        for candidate in DELIMITERS if delimiter is None else (delimiter,):
            if header := _read_header(lines, candidate):
                found[candidate] = header
            lines.give_back(0)
        if not found:
            raise BadInput(
                f"{self._path} has no header row that can be read.",
                "The first row must name the columns, with every quote closed.",
            )
        wanted = self._options.text_column
        best = max(found, key=lambda candidate: (wanted in found[candidate], len(found[candidate])))
        return found[best], best

    def passages(self, numbers: Iterator[int]) -> Iterator[Passage | Rejected]:
        """Yields the rows after the header; blank lines are no rows."""
        with open_text(self._path, self._options.encoding, newline="") as text:
            lines = _Lines(text.lines())
            rows = _reader(lines, self._delimiter)
            _first_row(rows)
            lines.finish_row()
            while True:
                try:
                    row = next(rows)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield _malformed(next(numbers), lines.fail_row(), str(error), text)
                    continue
                raw = lines.finish_row()
                if row and not (len(row) == 1 and raw.isspace()):
                    yield self._read(next(numbers), row, raw, text)

    def _read(self, number: int, row: list[str], raw: str, text: Text) -> Passage | Rejected:
        header = self._header
        if not is_sound(raw):
            odd = [name for name, cell in zip(header, row, strict=False) if not is_sound(cell)]
            return text.rejected(number, raw.rstrip("\r\n"), f" in {list_names(odd)}" if odd else "")
        if len(row) != len(header):
            reason = f"row has {len(row):,} {_cells(len(row))}, the header {len(header):,}"
            return Rejected(number, reason, raw.rstrip("\r\n"))
        if self._options.guarded:
            row = [unguard(cell) for cell in row]
        return self._fields.read(number, dict(zip(header, row, strict=True)), raw.rstrip("\r\n"))


def _cells(count: int) -> str:
    return "cell" if count == 1 else "cells"


def _reader(lines: _Lines, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(LONGEST_CELL)  # one limit for the whole process: the csv module has no other
    return csv.reader(lines, delimiter=delimiter, strict=True)


def _read_header(lines: _Lines, delimiter: str) -> list[str]:
    try:
        return _first_row(_reader(lines, delimiter))
    except csv.Error:
        return []


def _first_row(rows: Iterator[list[str]]) -> list[str]:
    """Returns the first row that is not blank, or an empty list where there is none."""
    return next((row for row in rows if any(map(str.strip, row))), [])


def _malformed(number: int, raw: str, error: str, text: Text) -> Rejected:
    if not is_sound(raw):
        return text.rejected(number, raw.rstrip("\r\n"))
    match error:
        case "unexpected end of data":
            reason = "a quote is opened here and never closed"
        case _ if error == TOO_LONG:
            reason = TOO_LONG
        case str() if "field limit" in error:
            reason = f"a cell is longer than {LONGEST_CELL:,} characters; is a quote left open?"
        case _:
            reason = f"malformed quoting: {error}"
    return Rejected(number, reason, raw.rstrip("\r\n"))
