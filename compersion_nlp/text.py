"""Folding, tokens, sentences and windows. Every offset points into the text as it came in.

Folding replaces characters one for one, so a position in the folded text is the same position in
the original. Tokens and sentence ends come from spaCy's tokenizer and sentencizer.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import spacy
from spacy.language import Language
from spacy.tokens import Doc

from compersion_nlp.records import Span

# spaCy's tokenizer takes time quadratic in an unbroken run of punctuation or emoji: longer runs
# are broken up, which costs one character in a hundred of such a run and nothing elsewhere.
LONGEST_RUN = 100
_LONG_RUN = re.compile(rf"\S{{{LONGEST_RUN}}}(?=\S)")

# A line at least this long that goes on in lower case was wrapped by a mail program or an editor.
WRAPPED_LINE = 55

_FOLDS = {
    "'": "\u2018\u2019\u201a\u201b\u02bc\u2032\u00b4`",
    '"': "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
    ".": "\u2026",
    " ": "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
    "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad"
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    + "".join(chr(code) for code in (*range(9), *range(11, 13), *range(14, 32), 127)),
    "\n": "\u2028\u2029\u0085",
}
_FOLD_TABLE = str.maketrans({odd: plain for plain, odds in _FOLDS.items() for odd in odds})
_SURROGATE = re.compile("[\ud800-\udfff]")


def fold(text: str) -> str:
    """Returns ``text`` with look-alike characters made plain, at the same length.

    Typographic quotes and dashes become ASCII ones; no-break, zero-width, directional and control
    characters become spaces; every line end becomes a newline; a lone surrogate becomes U+FFFD.

    >>> fold("I\u2019m fine\u2026")
    "I'm fine."
    """
    folded = text.translate(_FOLD_TABLE).replace("\r\n", " \n").replace("\r", "\n")
    return folded if folded.isascii() else _SURROGATE.sub("\ufffd", folded)


@lru_cache(maxsize=1)
def language() -> Language:
    """Returns the blank English pipeline: tokenizer and sentencizer, nothing downloaded."""
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.max_length = 2**31 - 1  # the limit protects statistical components, of which there are none
    return nlp


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Opens a block after which parsing has left nothing behind in spaCy's vocabulary.

    Docs made inside it must not be used after it ends; matchers must be compiled before it begins.
    Blocks may be nested (the outermost counts), and threads take turns, since spaCy's vocabulary is
    shared.
    """
    with _ZONE.lock:
        if _ZONE.open:
            yield
            return
        _ZONE.open = True
        try:
            with language().memory_zone():
                yield
        finally:
            _ZONE.open = False


class _Zone:
    """The one memory zone of the shared vocabulary."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.open = False


_ZONE = _Zone()


def parse(text: str) -> Doc:
    """Returns a tokenized Doc of the folded text; its character offsets are those of ``text``."""
    return language()(_LONG_RUN.sub(lambda run: run.group()[:-1] + " ", fold(text)))


def sentences(doc: Doc) -> tuple[Span, ...]:
    """Returns the sentences of a parsed text, in order and without surrounding space.

    Beyond the sentencizer's ends, a blank line ends a sentence, and so does a line end, unless the
    line looks wrapped. A text without letters or digits is one sentence; a blank text has none.
    """
    text = doc.text
    return tuple(
        Span(start, end)
        for sentence in doc.sents
        for start, end in _split_lines(text, sentence.start_char, sentence.end_char)
    )


def _split_lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yields the trimmed, non-blank parts of ``text[start:end]`` between line ends that count."""
    line_start = part_start = start
    while (newline := text.find("\n", line_start, end)) != -1:
        following = text[newline + 1 : newline + 2]
        wrapped = newline - line_start >= WRAPPED_LINE and following.islower()
        if not wrapped:
            yield from _trimmed(text, part_start, newline)
            part_start = newline + 1
        line_start = newline + 1
    yield from _trimmed(text, part_start, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    part = text[start:end]
    if body := part.strip():
        offset = start + part.index(body[0])
        yield offset, offset + len(body)


def windows(text: str, size: int) -> tuple[Span, ...]:
    """Returns spans of at most ``size`` characters that together cover all of ``text``.

    A window holds whole sentences; a sentence longer than ``size`` is cut at white space, or
    anywhere if it has none. Nothing is left out: each window begins where the last one ended. A
    text that fits is one window, without being parsed.
    """
    if len(text) <= size:
        return (Span(0, len(text)),)
    with bounded_memory():
        found = sentences(parse(text))
    return tuple(_pack(text, found, size))


def _pack(text: str, found: Sequence[Span], size: int) -> Iterator[Span]:
    # A sentence reaches to the start of the next, so that the pieces cover everything between them.
    ends = [span.start for span in found[1:]] + [len(text)]
    start = end = 0
    for reach in ends:
        if reach - start > size and end > start:
            yield Span(start, end)
            start = end
        while reach - start > size:
            cut = _cut(text, start, start + size)
            yield Span(start, cut)
            start = cut
        end = reach
    if end > start:
        yield Span(start, end)


def _cut(text: str, start: int, limit: int) -> int:
    space = max(text.rfind(blank, start + 1, limit) for blank in " \n\t")
    return space + 1 if space > start else limit
