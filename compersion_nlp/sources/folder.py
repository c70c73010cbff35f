"""Folders of journal entries: a passage a file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from compersion_nlp.errors import BadInput
from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sources.fields import Fields, unique_names
from compersion_nlp.sources.frontmatter import split_front_matter
from compersion_nlp.sources.options import ReadOptions
from compersion_nlp.sources.streams import LONGEST_LINE, find_encoding, is_sound, rejected_bytes

ENTRY_SUFFIXES = (".txt", ".md")
_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_. /]?)(\d\d)\2(\d\d)(?!\d)", re.ASCII)


def find_entries(folder: Path) -> list[str]:
    """Returns every text file below ``folder`` as a POSIX path relative to it, sorted.

    Links to folders are not followed, so that a loop of links ends.
    """
    return sorted(
        Path(parent, name).relative_to(folder).as_posix()
        for parent, _, names in os.walk(folder, onerror=_refuse)
        for name in names
        if name.lower().endswith(ENTRY_SUFFIXES)
    )


def _refuse(error: OSError) -> None:
    raise BadInput(f"{error.filename} cannot be read: {error.strerror}.", "Check that you may read this folder.")


class Folder:
    """Entries, the files below a folder or a single one, a passage each.

    Their columns are ``path``, ``date``, those of the front matter, and ``text``.

    ``date`` is a ``datetime.date`` from the front matter, else from the file's name or path, else
    None. A key of the front matter that is taken already is kept as ``date_2`` and the like. The
    path is the passage's id unless another column is named.
    """

    kinds = None  # only the rows tell

    def __init__(self, path: Path, options: ReadOptions) -> None:
        if options.text_column not in (None, "text"):
            raise BadInput(
                f"{path}: there is no column {options.text_column!r} in a folder of text files.",
                "Its text is in the column 'text'; leave the text column out.",
            )
        self._path, self._encoding = path if path.is_dir() else path.parent, options.encoding
        self._only = None if path.is_dir() else path.name
        self._fields = Fields("text", options.title_columns, options.id_column or "path")
        if not self._names():
            raise BadInput(f"{path} holds no entry.", f"Entries are files that end in {' or '.join(ENTRY_SUFFIXES)}.")

    def _names(self) -> list[str]:
        return find_entries(self._path) if self._only is None else [self._only]

    def passages(self, numbers: Iterator[int]) -> Iterator[Passage | Rejected]:
        """Yields the entries by path; one that cannot be read or decoded is rejected."""
        for name in self._names():
            item = self._read(next(numbers), name)
            if isinstance(item, Rejected) and self._only is None:
                item = msgspec.structs.replace(item, source=name)
            yield item

    def _read(self, number: int, name: str) -> Passage | Rejected:
        if not is_sound(name):
            return rejected_bytes(number, os.fsencode(name), "utf-8", " in the file's name")
        try:
            raw = _read_entry(self._path / name)
        except OSError as error:
            return Rejected(number, f"cannot be read: {error.strerror or error}", name)
        encoding = find_encoding(raw[:4], self._encoding)
        try:
            text = raw.decode(encoding)
        except UnicodeError:
            return rejected_bytes(number, raw, encoding)
        return self._fields.read(number, _columns(name, text.removeprefix("\ufeff")), text)


def _read_entry(path: Path) -> bytes:
    if not path.is_file():
        raise OSError("not a regular file")
    with path.open("rb") as file:
        raw = file.read(LONGEST_LINE + 1)
    if len(raw) > LONGEST_LINE:
        raise OSError(f"longer than {LONGEST_LINE:,} bytes")
    return raw


def _columns(name: str, text: str) -> dict[str, Any]:
    matter, body = split_front_matter(text)
    written = matter.get("date")
    written = written.strip() if isinstance(written, str) else ""
    day = _find_date(written) or _find_date(Path(name).stem) or _find_date(name)
    if day is not None and written == day.isoformat():
        del matter["date"]
    own = {"path": name, "date": day}
    names = unique_names((*own, "text", *matter))
    columns = dict(zip(names, (*own.values(), body, *matter.values()), strict=True))
    columns["text"] = columns.pop("text")  # the longest cell last
    return columns


def _find_date(words: str) -> date | None:
    """Returns the first real date of the form year, month, day in ``words``."""
    for found in _DATE.finditer(words):
        try:
            return date(int(found[1]), int(found[3]), int(found[4]))
        except ValueError:
            continue
    return None
