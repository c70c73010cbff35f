"""Plain text files: a passage a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sources.columns import Kind
from compersion_nlp.sources.fields import Fields
from compersion_nlp.sources.options import ReadOptions
from compersion_nlp.sources.streams import is_sound, open_text


class TextFile:
    """A text file as the columns ``text`` and ``line`` (the line's number from 1); blank lines are no rows."""

    kinds = MappingProxyType({"text": Kind.STR, "line": Kind.INT})

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._path, self._encoding = path, options.encoding
        self._fields = Fields.among(("text", "line"), options, path)
        with open_text(path, options.encoding, newline=None):
            pass

    def passages(self, numbers: Iterator[int]) -> Iterator[Passage | Rejected]:
        """Yields the lines, without their ends."""
        with open_text(self._path, self._encoding, newline=None) as text:
            for place, line in enumerate(text.lines(), start=1):
                words = line.removesuffix("\n")
                if not is_sound(words):
                    yield text.rejected(next(numbers), words)
                elif words and not words.isspace():
                    yield self._fields.read(next(numbers), {"text": words, "line": place})
