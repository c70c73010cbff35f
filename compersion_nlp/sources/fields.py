"""Which columns of a row are the text, its titles and its id, and the passage they make."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from compersion_nlp.errors import BadInput
from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sources.options import ReadOptions

TEXT_COLUMNS = ("text", "body", "selftext", "content", "message", "post", "comment", "entry")
_LISTED = 40  # columns that an error message lists at most
_SHOWN = 40  # characters of each: where a header is missing, its place is taken by what somebody wrote


def list_names(names: Collection[str]) -> str:
    """Returns the names as an error message shows them, the first few if there are many."""
    shown = ", ".join(repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}...") for name in list(names)[:_LISTED])
    return f"{shown} and {len(names) - _LISTED:,} more" if len(names) > _LISTED else shown or "none"


def find_text_column(names: Iterable[str]) -> str | None:
    """Returns the column that usually holds the text, in any case, or None."""
    by_lower: dict[str, str] = {}
    for name in names:
        by_lower.setdefault(name.lower(), name)
    return next((by_lower[usual] for usual in TEXT_COLUMNS if usual in by_lower), None)


class Fields(msgspec.Struct, frozen=True):
    """The columns that make a passage."""

    text: str
    titles: tuple[str, ...] = ()
    id: str | None = None

    @classmethod
    def among(cls, names: Collection[str], options: ReadOptions, path: Path) -> Fields:
        """Returns the fields that the options name, or the usual text column.

        Raises BadInput for a column that does not exist, listing those that do.
        """
        text = options.text_column or find_text_column(names)
        if text is None:
            raise BadInput(
                f"{path}: no column has a usual name for the text ({', '.join(TEXT_COLUMNS)}).",
                f"Name the text column; there are: {list_names(names)}.",
            )
        named = (text, *options.title_columns, options.id_column)
        for name in filter(None, named):
            if name not in names:
                raise BadInput(f"{path}: there is no column {name!r}.", f"Its columns: {list_names(names)}.")
        return cls(text, options.title_columns, options.id_column)

    def passage(self, number: int, columns: dict[str, Any]) -> Passage | str:
        """Returns the passage that a row makes, or the reason why it makes none."""
        if self.text not in columns:
            return f"there is no {self.text!r} here, only: {list_names(columns)}"
        text = columns[self.text]
        if text is not None and type(text) is not str:
            return f"{self.text!r} is not text but {type(text).__name__}"
        if self.titles:
            text = "\n\n".join(self._parts(columns, text))
        if not text or text.isspace():
            return "empty text"
        key = columns.get(self.id) if self.id is not None else None
        return Passage(text, number, "" if key is None else str(key), columns)

    def _parts(self, columns: dict[str, Any], text: str | None) -> Iterator[str]:
        for part in (*(columns.get(title) for title in self.titles), text):
            if part is not None and (words := str(part)).strip():
                yield words

    def read(self, number: int, columns: dict[str, Any], raw: str | None = None) -> Passage | Rejected:
        """Returns the passage, or the rejection with ``raw`` (the columns as JSON if not given)."""
        found = self.passage(number, columns)
        if isinstance(found, str):
            return Rejected(number, found, show_row(columns) if raw is None else raw)
        return found


def show_row(columns: dict[str, Any]) -> str:
    """Returns a row as compact JSON, whatever its values are."""
    return msgspec.json.encode(columns, enc_hook=str).decode()


def unique_names(names: Iterable[str]) -> tuple[str, ...]:
    """Returns the names of columns made unique.

    An empty one becomes ``column_`` and its place from 1; one that is taken gets ``_2``, ``_3`` ...

    >>> unique_names(["", "text", "text"])
    ('column_1', 'text', 'text_2')
    """
    names = tuple(names)
    present = frozenset(names)
    taken: dict[str, None] = {}
    turns: dict[str, int] = {}  # where to go on counting: a header can be one name ten thousand times
    for place, name in enumerate(names, start=1):
        base = unique = name or f"column_{place}"
        turn = turns.get(base, 2)
        while unique in taken or (unique != name and unique in present):
            unique, turn = f"{base}_{turn}", turn + 1
        taken[unique], turns[base] = None, turn
    return tuple(taken)
