"""Values of input columns as flat cells.

JSON text, within a cell or a line, writes bytes as base64, times in ISO 8601, decimals and other
types as strings, and NaN and infinities, which JSON does not have, as null.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import msgspec

from compersion_nlp.sources.columns import Kind

encode_json = msgspec.json.Encoder(enc_hook=str).encode


def to_json_text(value: Any) -> str:
    """Returns a value as compact JSON text."""
    return encode_json(value).decode()


def _bool_text(value: bool) -> str:
    return "true" if value else "false"


def _iso(value: Any) -> str:
    return str(value.isoformat())


def _float_text(value: float) -> str:
    return repr(float(value))


def _base64(value: bytes) -> str:
    return b64encode(value).decode()


TO_TEXT: dict[Kind, Callable[[Any], str]] = {
    Kind.NULL: str,
    Kind.BOOL: _bool_text,
    Kind.INT: str,
    Kind.FLOAT: _float_text,
    Kind.STR: str,
    Kind.BYTES: _base64,
    Kind.DATE: _iso,
    Kind.DATETIME: _iso,
    Kind.INSTANT: _iso,
    Kind.JSON: to_json_text,
    Kind.MIXED: to_json_text,
}
"""How a value of each kind is written as text; a null is an empty cell instead."""
