"""How far a job has come, and how long it will still take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter

import msgspec

from compersion_nlp.records import Passage, Rejected
from compersion_nlp.sources import FORMATS, ReadOptions
from compersion_nlp.sources.formats import compression_of, format_of

BLOCK = 2**20
MULTILINE = ("csv", "tsv")  # formats in which a row can go over several lines
BY_LINE = (*MULTILINE, "jsonl", "text")


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a job has come in one of its passes: ``reading``, which mostly writes too, or ``writing``.

    ``items`` counts the rows of the pass so far, ``chunks_resumed`` and ``items_resumed`` what an
    earlier run had done of them. ``share`` is the part of the pass that is done, 0 to 1, or None
    where it cannot be told.
    """

    stage: str
    chunks: int = 0
    items: int = 0
    chunks_resumed: int = 0
    items_resumed: int = 0
    rejected: int = 0
    seconds: float = 0.0
    share: float | None = None

    @property
    def rate(self) -> float:
        """Rows a second in this run."""
        return (self.items - self.items_resumed) / self.seconds if self.seconds else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds that the pass will still take at this rate, or None where it cannot be told."""
        if not self.share or not self.rate:
            return None
        return self.items * (1 / self.share - 1) / self.rate


class Reporter:
    """Tells a listener after every chunk of a pass how far it has come."""

    def __init__(self, stage: str, listener: Callable[[Progress], None] | None) -> None:
        self.last = Progress(stage=stage)
        self._listener = listener
        self._began = perf_counter()

    def advance(self, items: int, rejected: int, share: float | None, resumed: bool = False) -> None:
        """Counts one chunk."""
        last = self.last
        self.last = Progress(
            stage=last.stage,
            chunks=last.chunks + 1,
            items=last.items + items,
            chunks_resumed=last.chunks_resumed + resumed,
            items_resumed=last.items_resumed + resumed * items,
            rejected=last.rejected + rejected,
            seconds=perf_counter() - self._began,
            share=share,
        )
        if self._listener is not None:
            self._listener(self.last)


class Extent:
    """The lines of the inputs, where they are plain files of lines, to tell the share that is read."""

    def __init__(self, paths: Sequence[Path], options: ReadOptions) -> None:
        formats = {_line_format(path, options) for path in paths}
        self._total = None if None in formats else sum(map(_count_lines, paths))
        self._multiline = not formats.isdisjoint(MULTILINE)

    def lines(self, items: Iterable[Passage | Rejected]) -> int:
        """Returns how many lines these rows take, more or less."""
        return sum(1 + self._within(item) for item in items)

    def share(self, lines: int) -> float | None:
        """Returns what part of the inputs so many lines are, 0 to 1."""
        return min(1.0, lines / self._total) if self._total else None

    def _within(self, item: Passage | Rejected) -> int:
        if not self._multiline:
            return 0
        cells = (item.raw,) if isinstance(item, Rejected) else item.columns.values()
        return sum(cell.count("\n") for cell in cells if isinstance(cell, str))


def _line_format(path: Path, options: ReadOptions) -> str | None:
    if path.is_dir() or compression_of(path):
        return None
    found = format_of(path, options.format, FORMATS)
    return found if found in BY_LINE else None


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(BLOCK), b""))
