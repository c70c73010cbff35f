"""What kinds of values the input columns hold, gathered over all rows before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Self

from compersion_nlp.errors import BadConfig

_EXACT = 2**53  # a float holds every integer up to here
_INT64 = 2**63


class Kind(StrEnum):
    """The one kind of value that a column is written as.

    ``instant`` is a datetime with a time zone. ``mixed`` and ``json`` are written as JSON text where
    the format has only flat cells. A null is of every kind.
    """

    NULL = "null"
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    STR = "str"
    BYTES = "bytes"
    DATE = "date"
    DATETIME = "datetime"
    INSTANT = "instant"
    JSON = "json"
    MIXED = "mixed"


# What is observed is finer than a kind where size decides: long ints are not exact as floats, huge
# ones do not fit 64 bits.
_LONG, _HUGE = "long", "huge"
_INTS = {Kind.INT, _LONG, _HUGE}
_KNOWN = frozenset({*Kind, _LONG, _HUGE})
_PLAIN: dict[type, str] = {type(None): Kind.NULL, bool: Kind.BOOL, float: Kind.FLOAT, str: Kind.STR, bytes: Kind.BYTES}


class ColumnKinds:
    """Columns in the order in which they were first seen, with the kinds of values seen in each."""

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}

    def observe(self, columns: Mapping[str, Any]) -> None:
        """Takes in one row."""
        seen = self._seen
        for name, value in columns.items():
            observed = _PLAIN.get(type(value)) or _observe(value)
            try:
                seen[name].add(observed)
            except KeyError:
                seen[name] = {observed}

    def merge(self, other: ColumnKinds) -> None:
        """Takes in what ``other`` has seen, after what was seen here."""
        for name, observed in other._seen.items():
            self._seen.setdefault(name, set()).update(observed)

    def kinds(self) -> dict[str, Kind]:
        """Returns the kind of each column."""
        return {name: _decide(observed - {Kind.NULL}) for name, observed in self._seen.items()}

    def to_json(self) -> dict[str, list[str]]:
        """Returns what was seen as plain JSON values; ``from_json`` reads it back."""
        return {name: sorted(observed) for name, observed in self._seen.items()}

    @classmethod
    def from_json(cls, seen: Mapping[str, list[str]]) -> Self:
        """Returns the kinds that ``to_json`` wrote; raises BadConfig for a kind that does not exist."""
        kinds = cls()
        for name, observed in seen.items():
            if unknown := set(observed) - _KNOWN:
                raise BadConfig(
                    f"Column {name!r} has unknown kinds: {', '.join(sorted(unknown))}.", "Run the job anew."
                )
            kinds._seen[name] = {Kind(one) if one not in (_LONG, _HUGE) else one for one in observed}
        return kinds


def _observe(value: Any) -> str:
    match value:
        case bool():
            return Kind.BOOL
        case int():
            size = abs(value) if value >= 0 else -value - 1
            return Kind.INT if size <= _EXACT else _LONG if size < _INT64 else _HUGE
        case datetime():
            return Kind.DATETIME if value.tzinfo is None else Kind.INSTANT
        case date():
            return Kind.DATE
        case dict() | list() | tuple():
            return Kind.JSON
    return Kind.STR  # decimals, times, UUIDs: each has one usual spelling


def _decide(observed: set[str]) -> Kind:
    if not observed:
        return Kind.NULL
    if observed <= _INTS:
        return Kind.STR if _HUGE in observed else Kind.INT
    if observed == {Kind.INT, Kind.FLOAT}:
        return Kind.FLOAT
    return Kind(next(iter(observed))) if len(observed) == 1 else Kind.MIXED
