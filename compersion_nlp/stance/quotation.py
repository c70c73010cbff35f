"""Which tokens of a text are somebody else's words."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from compersion_nlp.phrases import Found, Tokens

# A shorter quotation is a name, a title or a word held with tongs, not speech.
SPEECH = 3
# How far before a quotation its speaker may be named, in tokens: I said to her that evening, "..."
REPORTED_WITHIN = 5

_QUOTED_LINE = re.compile(r"^[ \t]*(?:>|&gt;).*$", re.MULTILINE)
_DOUBLE = re.compile(r'"[^"\n]*"')
# The bound keeps a text of nothing but apostrophes linear.
_SINGLE = re.compile(r"(?<![\w'])'(?=\w)(?:[^'\n]|(?<=\w)'(?=\w)){2,300}'(?!\w)")
_BLOCK = re.compile(r"\[(/?)quote\b[^\]\n]*\]", re.IGNORECASE)


class Quotations:
    """The quoted parts of a text, in tokens; ``own`` are the places where the writer reports their own words."""

    def __init__(self, tokens: Tokens, own: list[Found]) -> None:
        starts = [start for start, _ in tokens.offsets]
        ends = {place.end for place in own}
        begins = {place.start for place in own}
        self._foreign = bytearray(len(tokens))
        self.edges: list[int] = []
        for start, end in _speech(tokens.text):
            first, last = bisect_left(starts, start), bisect_left(starts, end)
            if last - first - 2 < SPEECH:
                continue
            self.edges += [first, last - 1]
            told_before = not ends.isdisjoint(range(first - REPORTED_WITHIN, first + 1))
            if not told_before and begins.isdisjoint((last, last + 1)):
                self._foreign[first:last] = b"\1" * (last - first)
        for start, end in _blocks(tokens.text):
            first, last = bisect_left(starts, start), bisect_left(starts, end)
            self._foreign[first:last] = b"\1" * (last - first)

    def holds(self, token: int) -> bool:
        """Returns whether the token is somebody else's."""
        return bool(self._foreign[token])


def _speech(text: str) -> Iterator[tuple[int, int]]:
    for pattern in (_DOUBLE, _SINGLE):
        for match in pattern.finditer(text):
            yield match.span()


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Yields the lines quoted in the manner of mail, and what stands between [quote] and [/quote]."""
    for line in _QUOTED_LINE.finditer(text):
        yield line.span()
    opened: list[int] = []
    for tag in _BLOCK.finditer(text):
        if not tag[1]:
            opened.append(tag.start())
        elif opened:
            start = opened.pop()
            if not opened:
                yield start, tag.end()
