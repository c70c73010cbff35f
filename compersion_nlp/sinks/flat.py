"""Readings as flat columns, for CSV, Parquet and SQLite, and back.

The columns are ``felt`` (labels joined by ``;``), ``model``, ``p_<label>`` for every label and
``provisional`` (labels joined by ``;``); where readings are explained also ``stance_<label>`` (null
where the label is not mentioned), and ``evidence`` and ``mentions`` as compact JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from compersion_nlp.errors import BadInput
from compersion_nlp.labels import SCHEME
from compersion_nlp.readings import Readings
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


def flatten(readings: Readings, labels: Sequence[str], explained: bool) -> dict[str, Sequence[Any]]:
    """Returns the flat columns of readings, each with a cell a reading: strings, floats and None."""
    n, unknown = len(readings), [None] * len(readings)
    place = {label: column for column, label in enumerate(readings.labels)}
    flat: dict[str, Sequence[Any]] = {
        "felt": [_JOINT.join(felt) for felt in readings.felt_labels()],
        "model": [readings.model] * n,
    }
    for label in labels:
        known = label in place
        flat[f"p_{label}"] = readings.probabilities[:, place[label]].tolist() if known else unknown
    if explained:
        flat |= _flatten_explained(readings, labels)
    flat["provisional"] = [_JOINT.join(readings.provisional)] * n
    return flat


def _flatten_explained(readings: Readings, labels: Sequence[str]) -> dict[str, Sequence[Any]]:
    # A reading that was not explained has null here; one without any evidence has {}.
    if readings.explained is None:
        names = (*(f"stance_{label}" for label in labels), "evidence", "mentions")
        return {name: [None] * len(readings) for name in names}
    flat: dict[str, Sequence[Any]] = {
        f"stance_{label}": [one["stances"].get(label) for one in readings.explained] for label in labels
    }
    for name in ("evidence", "mentions"):
        flat[name] = [_to_json(one[name]) for one in readings.explained]
    return flat


def unflatten(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a row that was flattened, for ``Reading.from_row``; other columns are left out.

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
