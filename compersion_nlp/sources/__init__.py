"""Readers of passages: CSV, TSV, JSON lines, Parquet, SQLite, text files and folders of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from compersion_nlp.errors import BadConfig, BadInput
from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sources.columns import ColumnKinds, Kind
from compersion_nlp.sources.delimited import DelimitedFile
from compersion_nlp.sources.digest import digest_inputs, stamp
from compersion_nlp.sources.folder import Folder
from compersion_nlp.sources.formats import format_of
from compersion_nlp.sources.jsonl import JsonLinesFile
from compersion_nlp.sources.lines import TextFile
from compersion_nlp.sources.options import FileReader, ReadOptions, Source, check_options
from compersion_nlp.sources.streams import readable

__all__ = ["FORMATS", "ColumnKinds", "Kind", "ReadOptions", "Source", "digest_inputs", "open_source", "stamp"]


def _open_tsv(path: Path, options: ReadOptions) -> FileReader:
    return DelimitedFile(path, options, delimiter="\t")


def _open_parquet(path: Path, options: ReadOptions) -> FileReader:
    from compersion_nlp.sources.parquet import ParquetFile

    return ParquetFile(path, options)


def _open_sqlite(path: Path, options: ReadOptions) -> FileReader:
    from compersion_nlp.sources.sqlite import SqliteFile

    return SqliteFile(path, options)


_READERS: dict[str, Callable[[Path, ReadOptions], FileReader]] = {
    "csv": DelimitedFile,
    "tsv": _open_tsv,
    "jsonl": JsonLinesFile,
    "parquet": _open_parquet,
    "sqlite": _open_sqlite,
    "text": TextFile,
    "entry": Folder,
    "folder": Folder,
}
FORMATS = tuple(_READERS)


def open_source(paths: Sequence[Path], options: ReadOptions = ReadOptions()) -> Source:  # noqa: B008
    """Opens inputs as one source of passages, in the order given.

    Formats are told by suffix unless the options name one. Paths, formats, options, headers and the
    names of columns are checked for all inputs at once. Raises BadInput or BadConfig where one is
    off, and MissingExtra for Parquet without pyarrow.
    """
    check_options(options)
    if not paths:
        raise BadConfig("No input is given.", "Name at least one file or folder.")
    return _Files([Path(path) for path in paths], options)


def _open(path: Path, options: ReadOptions) -> FileReader:
    with readable(path):
        if not path.exists():
            raise BadInput(f"{path} does not exist.", "Check the path.")
    if path.is_dir():
        if options.format not in (None, "folder"):
            raise BadInput(
                f"{path} is a folder, not a {options.format} file.", "Name the files in it, or leave the format out."
            )
        return Folder(path, options)
    if not path.is_file():
        raise BadInput(f"{path} is a pipe or device, which cannot be read twice.", "Save it to a file first.")
    if options.format == "folder":
        raise BadInput(f"{path} is a file, not a folder.", "Leave the format out to have it told by the suffix.")
    return _READERS[format_of(path, options.format, FORMATS)](path, options)


class _Files:
    """Inputs read one after another, their rows numbered through."""

    def __init__(self, paths: Sequence[Path], options: ReadOptions) -> None:
        self._paths = paths
        self._readers = [_open(path, options) for path in paths]

    @property
    def schema(self) -> Any:
        schemas = [getattr(reader, "schema", None) for reader in self._readers]
        return schemas[0] if all(schema == schemas[0] for schema in schemas) else None

    @property
    def kinds(self) -> dict[str, Kind] | None:
        found: dict[str, Kind] = {}
        for reader in self._readers:
            if reader.kinds is None or any(found.get(name, kind) != kind for name, kind in reader.kinds.items()):
                return None
            found |= reader.kinds
        return found

    def __iter__(self) -> Iterator[Passage | Rejected]:
        numbers = count(1)
        for path, reader in zip(self._paths, self._readers, strict=True):
            for item in reader.passages(numbers):
                if isinstance(item, Rejected) and len(self._paths) > 1:
                    yield msgspec.structs.replace(item, source=str(path / item.source))
                else:
                    yield item
