"""Readings as flat columns, for CSV, Parquet and SQLite, and back.

The columns are ``felt`` (labels joined by ``;``), ``model``, ``p_<label>`` for every label and
``provisional`` (labels joined by ``;``); where readings are explained also ``stance_<label>`` (null
where the label is not mentioned), and ``evidence`` and ``mentions`` as compact JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from compersion_nlp.errors import BadInput
from compersion_nlp.labels import SCHEME
from compersion_nlp.sources.columns import Kind

_JOINT = ";"


def flat_columns(labels: Iterable[str], explained: bool) -> dict[str, Kind]:
    """Returns the columns that ``flatten`` makes, in order, with their kinds."""
    labels = tuple(labels)
    columns = {"felt": Kind.STR, "model": Kind.STR, **{f"p_{label}": Kind.FLOAT for label in labels}}
    if explained:
        columns |= {f"stance_{label}": Kind.STR for label in labels}
        columns |= {"evidence": Kind.STR, "mentions": Kind.STR}
    return columns | {"provisional": Kind.STR}


def reserved_columns(labels: Iterable[str]) -> frozenset[str]:
    """Returns every name that a flat reading may use, of the scheme's labels and of ``labels``."""
    return frozenset(flat_columns((*SCHEME.names, *labels), explained=True))


@lru_cache
def _label_columns(labels: tuple[str, ...]) -> tuple[tuple[str, str, str], ...]:
    return tuple((label, f"p_{label}", f"stance_{label}") for label in labels)


def flatten(row: Mapping[str, Any], labels: Iterable[str], explained: bool) -> dict[str, Any]:
    """Returns the flat columns of a reading's row, as strings, floats and None."""
    names = _label_columns(tuple(labels))
    probabilities = row["probabilities"]
    flat: dict[str, Any] = {"felt": _JOINT.join(row["felt"]), "model": row["model"]}
    for label, probability, _ in names:
        flat[probability] = probabilities.get(label)
    if explained:
        stances = row.get("stances")
        found = stances or {}
        for label, _, stance in names:
            flat[stance] = found.get(label)
        # A reading that was not explained has null here; one without any evidence has {}.
        flat["evidence"] = None if stances is None else _to_json(row["evidence"])
        flat["mentions"] = None if stances is None else _to_json(row["mentions"])
    flat["provisional"] = _JOINT.join(row.get("provisional", ()))
    return flat


def unflatten(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the row that was flattened, for ``Reading.from_row``; other columns are left out.

    Cells may be typed or, as CSV gives them, text. Raises BadInput for a cell that is off, or where
    there is no reading.
    """
    if "felt" not in columns or "model" not in columns:
        raise BadInput("These columns hold no reading: felt or model is missing.", "Read a file written by label.")
    row: dict[str, Any] = {
        "felt": _split(columns["felt"]),
        "probabilities": {
            label: _to_probability(name, cell)
            for label in SCHEME.names
            if (cell := columns.get(name := f"p_{label}")) not in (None, "")
        },
        "provisional": _split(columns.get("provisional")),
        "model": columns["model"],
    }
    if columns.get("evidence"):
        row["stances"] = {label: stance for label in row["probabilities"] if (stance := columns.get(f"stance_{label}"))}
        row["evidence"] = _from_json("evidence", columns["evidence"])
        row["mentions"] = _from_json("mentions", columns.get("mentions") or "[]")
    return row


def _split(cell: str | None) -> list[str]:
    return cell.split(_JOINT) if cell else []


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _to_probability(name: str, cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise BadInput(f"Column {name}: {cell!r} is not a probability.", "It must be a number from 0 to 1.") from None


def _from_json(name: str, cell: str) -> Any:
    try:
        return msgspec.json.decode(cell)
    except (msgspec.DecodeError, TypeError):
        raise BadInput(f"Column {name}: {cell[:60]!r} is not JSON.", "Leave the column as label wrote it.") from None
