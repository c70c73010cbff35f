"""Formats by suffix: csv, tsv, jsonl, parquet, sqlite, text and entry, some of them compressed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from compersion_nlp.errors import BadConfig, BadInput

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".db": "sqlite",
    ".txt": "text",
    ".md": "entry",
}
COMPRESSIONS = (".gz", ".zst")
COMPRESSIBLE = ("csv", "tsv", "jsonl", "text")


def compression_of(path: Path) -> str:
    """Returns ``.gz``, ``.zst`` or an empty string, by the last suffix."""
    suffix = path.suffix.lower()
    return suffix if suffix in COMPRESSIONS else ""


def format_of(path: Path, named: str | None, allowed: Collection[str]) -> str:
    """Returns the format of a file: the one ``named``, else the one its suffix tells.

    A ``.zst`` without an inner suffix is taken for JSON lines, as Reddit dumps are. Raises BadConfig
    for a named format, and BadInput for a suffix, that is not among ``allowed``.
    """
    if named is not None and named not in allowed:
        raise BadConfig(f"There is no format {named!r} here.", f"Formats: {', '.join(allowed)}.")
    compression = compression_of(path)
    inner = Path(path.stem) if compression else path
    found = named or SUFFIXES.get(inner.suffix.lower())
    if found is None and compression == ".zst" and not inner.suffix:
        found = "jsonl"
    if found is None or found not in allowed:
        suffixes = " ".join(suffix for suffix, name in SUFFIXES.items() if name in allowed)
        raise BadInput(
            f"{path}: the suffix {path.suffix!r} does not tell its format.",
            f"Known are {suffixes} (csv, tsv, jsonl and text also with .gz or .zst);"
            f" else name the format (--format, or --output-format for the output): {', '.join(allowed)}.",
        )
    if compression and found not in COMPRESSIBLE:
        raise BadInput(f"{path}: a {found} file cannot be {compression}.", f"Use the {found} file uncompressed.")
    return found
