"""Folding, tokens, sentences and windows. Every offset points into the text as it came in.

Folding replaces characters one for one, so a position in the folded text is the same position in
the original. Tokens and sentence ends come from spaCy's tokenizer and sentencizer.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from compersion_nlp.folding import fold as fold
from compersion_nlp.records import Span

if TYPE_CHECKING:  # spaCy takes half a second to load, and what only decides labels does not need it
    from spacy.language import Language
    from spacy.tokens import Doc

# spaCy's tokenizer takes time quadratic in an unbroken run of punctuation or emoji: longer runs
# are broken up, which costs one character in a hundred of such a run and nothing elsewhere.
LONGEST_RUN = 100
_LONG_RUN = re.compile(rf"\S{{{LONGEST_RUN}}}(?=\S)")

# People type without spaces where spaCy expects some: "[quote]me too[/quote]", "jealous(ish)", "<b>sad</b>", "no!I".
_TYPED_TIGHT = r"[\[\](){}<>!?~]"

# A line at least this long that goes on in lower case was wrapped by a mail program or an editor.
WRAPPED_LINE = 55


def language() -> Language:
    """Returns the blank English pipeline: tokenizer and sentencizer, nothing downloaded."""
    with _BUILDING:  # two would have two vocabularies, and docs of one mean nothing to matchers of the other
        return _build_language()


_BUILDING = threading.Lock()


@cache
def _build_language() -> Language:
    import spacy
    from spacy.tokenizer import Tokenizer
    from spacy.util import compile_infix_regex

    nlp = spacy.blank("en")
    assert isinstance(nlp.tokenizer, Tokenizer)
    nlp.tokenizer.infix_finditer = compile_infix_regex([*(nlp.Defaults.infixes or ()), _TYPED_TIGHT]).finditer
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


@contextmanager
def lasting_memory() -> Iterator[None]:
    """Opens a block for compiling what is to outlive other threads' bounded memory: it waits for that to end."""
    with _ZONE.lock:
        yield


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
    line looks wrapped. A blank text has no sentence.
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


def without(text: str, spans: Iterable[Span], within: Span | None = None) -> str:
    """Returns ``text``, or the part of it ``within``, without ``spans``, and a space in the place of each."""
    start, end = (0, len(text)) if within is None else (within.start, within.end)
    pieces = []
    for span in sorted(spans):
        pieces.append(text[start : span.start])
        start = max(start, span.end)
    return " ".join([*pieces, text[start:end]])


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
